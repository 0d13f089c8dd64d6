"""The table of what became of each message."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.ledger import Ledger, percentile


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", 4)


def test_what_one_process_notes_another_sees(ledger: Ledger, tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger").receive(2, 7.5)
    assert ledger.received_s.tolist() == [0, 0, 7.5, 0]


def test_a_second_copy_is_counted_and_changes_no_time(ledger: Ledger) -> None:
    ledger.receive(1, 7.5)
    ledger.receive(1, 9.0)
    assert (ledger.received, ledger.duplicates, ledger.received_s[1]) == (1, 1, 7.5)


def test_lost_is_what_was_accepted_before_the_fault_and_never_came(ledger: Ledger) -> None:
    ledger.accepted_s[:] = [1.0, 2.0, 3.0, 0.0]
    ledger.receive(0, 4.0)
    assert ledger.lost().tolist() == [2.0, 3.0]
    assert ledger.lost(before_s=2.5).tolist() == [2.0]


def test_a_message_that_never_came_has_an_endless_latency_and_one_never_sent_has_none(ledger: Ledger) -> None:
    ledger.sent_s[:3] = [1.0, 1.0, 1.0]
    ledger.received_s[:2] = [3.0, 2.0]
    assert ledger.latencies_s().tolist() == [1.0, 2.0, np.inf]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile(np.array([1.0, 2.0, 3.0, 4.0]), share) == value


def test_nothing_has_an_endless_percentile() -> None:
    assert percentile(np.array([]), 0.5) == np.inf
