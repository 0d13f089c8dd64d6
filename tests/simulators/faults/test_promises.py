"""Lateness, order and what a gateway says of damage are judged from the rows."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from simulators.faults import codes
from simulators.faults.compare import Events, Readings
from simulators.faults.evidence import Evidence, StoredAlert, StoredEvent, StoredReading
from simulators.faults.ledger import EventSent, FullDisk, Ledger, Outage, Sickness
from simulators.faults.promises import judge, pace

HOME = "home-01"
AT = 1_800_000_000.0
LATE = StoredAlert(1, "spo2_low", HOME, "low", "new", 1, AT, AT, True, 1, 0)
LIVE = replace(LATE, is_late=False, priority="high", pages=2)
PRESS = EventSent(HOME, codes.WEARABLE, "sos", 0xAB, 3, AT, acked_at=AT + 0.1)
ROW = StoredEvent(HOME, codes.WEARABLE, "sos", "wearable-1:00ab-3-20270115", AT, AT + 11, 7, None)
ASIDE = "outbox.sqlite.damaged-0001"
TOLD = StoredEvent(HOME, "gateway", "outbox_damaged", "gateway:outbox.damaged-0001", AT, AT, 8, ASIDE)


def reading(measured_at: float, received_at: float) -> StoredReading:
    return StoredReading(HOME, codes.WEARABLE, "spo2", measured_at, received_at, 97)


def kept(ledger: Ledger, evidence: Evidence, told: dict[str, list[str]] | None = None) -> list[bool]:
    """What was made of the promises, without the first, which is about counts."""
    return [one.is_kept for one in judge(ledger, evidence, Readings(), Events(), told or {})[1:]]


@pytest.mark.parametrize(
    ("is_late", "alerts", "is_kept"),
    [
        (True, [LATE], True),
        (True, [], False),
        (True, [LIVE], False),
        (True, [replace(LATE, pages=1)], False),
        (True, [LATE, replace(LATE, id=2)], False),
        (False, [LIVE], True),
        (False, [LATE], False),
        (False, [replace(LIVE, pages=0)], False),
    ],
)
def test_an_old_illness_pages_nobody_and_a_live_one_somebody(is_late: bool, alerts: Sequence[StoredAlert], is_kept: bool) -> None:
    assert kept(Ledger(sicknesses=[Sickness(HOME, AT, AT + 10, is_late)]), Evidence([], [], list(alerts))) == [is_kept]


@pytest.mark.parametrize(("first_at", "is_kept"), [(AT + 12, True), (AT + 11, True), (AT + 10.5, False)])
def test_the_sos_of_a_days_outage_comes_before_its_backlog(first_at: float, is_kept: bool) -> None:
    ledger = Ledger(outages=[Outage(HOME, AT - 20, AT + 10, is_day=True, sos=PRESS)])
    assert kept(ledger, Evidence([reading(AT, first_at)], [ROW], [])) == [is_kept]


def test_what_was_on_its_way_before_the_outage_is_no_backlog() -> None:
    ledger = Ledger(outages=[Outage(HOME, AT - 20, AT + 10, is_day=True, sos=PRESS)])
    assert kept(ledger, Evidence([reading(AT - 21, AT + 10.1), reading(AT, AT + 12)], [ROW], [])) == [True]


@pytest.mark.parametrize(("acked_at", "is_kept"), [(AT + 1, True), (AT + 9, False), (None, False)])
def test_an_alarm_must_be_taken_while_the_disk_is_full(acked_at: float | None, is_kept: bool) -> None:
    ledger = Ledger(full_disks=[FullDisk(HOME, AT, AT + 5, 0, replace(PRESS, acked_at=acked_at))])
    assert kept(ledger, Evidence([], [], [])) == [is_kept]


@pytest.mark.parametrize(("events", "is_kept"), [([TOLD], True), ([], False), ([replace(TOLD, alert_id=None)], False)])
def test_a_file_that_was_set_aside_must_be_told(events: list[StoredEvent], is_kept: bool) -> None:
    assert kept(Ledger(), Evidence([], events, []), {HOME: [ASIDE]}) == [is_kept]


def test_how_fast_a_home_came_back_is_measured() -> None:
    ledger = Ledger(outages=[Outage(HOME, AT - 20, AT + 10, is_day=True, sos=PRESS), Outage("home-02", AT, AT + 5)])
    found = pace(ledger, Evidence([reading(AT, AT + 11), reading(AT + 1, AT + 12.5), reading(AT + 13, AT + 14)], [], []))
    assert (found.first_s_max, found.backlog, found.drain_s) == (1.0, 2, 2.5)
    assert [one.first_s for one in found.returns] == [1.0, None]
