"""The file of known records survives a restart, and its loss is no trouble."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.history import Mark
from gateway.marks import read_marks, write_marks

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
MARKS = {
    "cuff-1": Mark(NOW, (NOW + timedelta(hours=1),)),
    "oximeter-1": Mark(None, (NOW,)),
    "oximeter-2": Mark(NOW),
    "cuff-2": Mark(records=("a", "b")),
}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_marks(tmp_path / "marks", MARKS)
    assert read_marks(tmp_path / "marks") == MARKS
    assert [path.name for path in tmp_path.iterdir()] == ["marks"]


def test_no_file_is_no_marks_and_no_complaint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_marks(tmp_path / "marks") == {}
    assert caplog.records == []


DAMAGED = ["", "[]", '{"a": 1}', '{"a": {"until": "yesterday", "live": []}}', '{"a": {"until": "2026-03-01T00:00:00", "live": []}}', "\x00"]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_file_is_said_and_costs_only_repeats(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "marks").write_text(text, "utf-8")
    assert read_marks(tmp_path / "marks") == {}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_marks(tmp_path / "nowhere" / "marks", MARKS)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
