"""What was done alone survives on the disk; what cannot be read or written there stops nobody."""

from pathlib import Path

import pytest

from contract.events import EventKind
from gateway import alone_record
from gateway.alone_record import ACTIONS_MAX, Action, AloneRecord, Result, SmsRecord, token_of
from gateway.bridges.modem_fault import ModemFault
from tests.gateway.home import NOW


def action(number: int, *, ended: str = "", references: list[int] | None = None) -> Action:
    return Action(
        name=f"gateway:alone-{number}",
        event_id=f"wearable-1:{number}",
        kind=EventKind.SOS,
        device="wearable-1",
        at=NOW,
        begun_at=NOW,
        siren="on",
        contacts=1,
        ended=ended,
        sms=[SmsRecord(contact=1, result=Result.SENT, at=NOW, references=references or [])],
    )


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    record = AloneRecord(modem_fault=ModemFault.NO_SIM, actions=[action(1, references=[3]), action(2, ended="answered")])
    alone_record.save(record, tmp_path / "alone")
    assert alone_record.load(tmp_path / "alone") == record
    assert [path.name for path in tmp_path.iterdir()] == ["alone"]


def test_where_there_is_no_file_nothing_was_done(tmp_path: Path) -> None:
    assert alone_record.load(tmp_path / "alone") == AloneRecord()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"actions": [{}]}', '{"modem_fault": "hungry"}'])
def test_a_file_that_cannot_be_read_counts_as_none(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "alone").write_text(text)
    assert alone_record.load(tmp_path / "alone") == AloneRecord()
    assert "cannot be read" in caplog.text


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    alone_record.save(AloneRecord(), tmp_path / "missing" / "alone")
    assert "cannot be written" in caplog.text


def test_the_oldest_ended_actions_are_forgotten_and_open_ones_never(tmp_path: Path) -> None:
    record = AloneRecord(actions=[action(0), *(action(number, ended="answered") for number in range(1, ACTIONS_MAX + 5))])
    alone_record.save(record, tmp_path / "alone")
    kept = [int(one.name.rpartition("-")[2]) for one in alone_record.load(tmp_path / "alone").actions]
    assert kept == [0, *range(5, ACTIONS_MAX + 5)]


def test_a_reference_used_again_is_that_of_the_newest_message() -> None:
    record = AloneRecord(actions=[action(1, references=[7]), action(2, references=[7])])
    found = record.awaiting(7)
    assert found is not None and found[0].name == "gateway:alone-2"
    assert record.awaiting(8) is None


def test_a_message_is_found_by_its_name() -> None:
    record = AloneRecord(actions=[action(1), action(2)])
    second = record.actions[1]
    assert record.message(token_of(second, second.sms[0])) == (second, second.sms[0])
    assert record.message("another") is None
