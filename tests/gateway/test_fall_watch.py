"""A doubtful fall: asked about first, answered or not, and never lost, whatever ends the gateway meanwhile. Clocks are arguments."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from contract.events import EventKind
from gateway.config import FallConfig
from gateway.fall_watch import CANCEL_WITHIN_S, QUESTIONS_MAX, FallWatch
from gateway.harvest import Occurrence
from gateway.outbox import Outbox
from tests.gateway.home import NOW, OpenOutbox, seconds

ASK_WAIT_S = 20.0
T = 1000.0


def fall(number: int = 1, device: str = "wearable-1") -> Occurrence:
    name = f"{device}:00aa-{number}"
    return Occurrence(f"{name}-20260301", device, EventKind.FALL, NOW, 0.6, window_json='{"rate_hz":50}', key=name, is_doubtful=True)


def happened(kind: EventKind, device: str = "wearable-1") -> Occurrence:
    return Occurrence(f"{device}:00aa-9-20260301", device, kind, NOW)


def watch(outbox: Outbox) -> FallWatch:
    return FallWatch(FallConfig(ask_wait_s=ASK_WAIT_S), outbox)


def sent(outbox: Outbox) -> list[tuple[bool, str, str | None]]:
    bodies = [(entry, json.loads(entry.body)) for entry in outbox.events(count_max=100)]
    return [(entry.is_urgent, body["kind"], body.get("detail")) for entry, body in bodies]


@pytest.fixture
def outbox(open_outbox: OpenOutbox) -> Outbox:
    outbox = open_outbox()
    outbox.set_clock("boot-1", seconds(0))
    return outbox


def test_nothing_is_sent_while_the_home_is_asked_and_silence_makes_it_the_alarm(outbox: Outbox) -> None:
    falls = watch(outbox)
    assert falls.hold(fall(), T)
    assert (falls.step(T + ASK_WAIT_S - 0.1), sent(outbox)) == ([], [])
    [outcome] = falls.step(T + ASK_WAIT_S)
    assert (outcome.kind, sent(outbox)) == (EventKind.FALL, [(True, "fall", "asked=unanswered")])
    [entry] = outbox.events(count_max=9)
    assert (entry.at, json.loads(entry.body)["window_json"]) == (NOW, '{"rate_hz":50}')
    assert falls.step(T + 2 * ASK_WAIT_S) == []


@pytest.mark.parametrize(
    ("kind", "device"),
    [
        (EventKind.SOS_CANCELLED, "wearable-1"),
        (EventKind.FALL_CANCELLED, "wearable-1"),
        (EventKind.BUTTON, "button-1"),
    ],
)
def test_an_answer_is_kept_with_the_window_and_pages_nobody(kind: EventKind, device: str, outbox: Outbox) -> None:
    falls = watch(outbox)
    falls.hold(fall(), T)
    outcomes, before = falls.hear(happened(kind, device), T + 3)
    assert ([one.kind for one in outcomes], before) == ([EventKind.FALL_ANSWERED], [])
    assert sent(outbox) == [(False, "fall_answered", None)]
    assert falls.step(T + 99) == []


@pytest.mark.parametrize("kind", [EventKind.SOS, EventKind.FALL, EventKind.SMOKE])
def test_a_call_for_help_ends_the_waiting_at_once(kind: EventKind, outbox: Outbox) -> None:
    falls = watch(outbox)
    falls.hold(fall(), T)
    falls.hear(happened(kind, "pendant-1"), T + 3)
    assert sent(outbox) == [(True, "fall", "asked=unanswered")]


def test_a_press_at_another_wearable_is_no_answer(outbox: Outbox) -> None:
    falls = watch(outbox)
    falls.hold(fall(), T)
    assert falls.hear(happened(EventKind.SOS_CANCELLED, "wearable-2"), T + 3) == ([], [])
    assert falls.hear(happened(EventKind.MOTION, "motion-1"), T + 4) == ([], [])
    assert sent(outbox) == []


def test_a_repeat_is_known_while_it_is_asked_about_and_afterwards(outbox: Outbox) -> None:
    falls = watch(outbox)
    assert falls.hold(fall(), T)
    assert not falls.hold(fall(), T + 2)
    falls.step(T + ASK_WAIT_S)
    assert not falls.hold(fall(), T + ASK_WAIT_S + 2)
    assert len(sent(outbox)) == 1


def test_a_question_goes_on_after_a_kill_with_what_is_left_of_its_time(outbox: Outbox) -> None:
    watch(outbox).hold(fall(), T)
    after = watch(outbox)
    assert after.step(T + ASK_WAIT_S - 1) == []
    assert [one.kind for one in after.step(T + ASK_WAIT_S)] == [EventKind.FALL]


@pytest.mark.parametrize(("boot", "now_s"), [("boot-2", T + 1), ("boot-1", T - 1)])
def test_a_question_from_before_the_machine_started_waits_no_more(boot: str, now_s: float, outbox: Outbox) -> None:
    watch(outbox).hold(fall(), T)
    outbox.set_clock(boot, seconds(0))
    assert [one.kind for one in watch(outbox).step(now_s)] == [EventKind.FALL]


def test_a_home_is_asked_about_so_many_at_once(outbox: Outbox) -> None:
    falls = watch(outbox)
    for number in range(QUESTIONS_MAX):
        assert falls.has_room
        falls.hold(fall(number), T)
    assert not falls.has_room


def test_a_fall_that_was_an_alarm_at_once_is_taken_back_by_the_same_press(outbox: Outbox) -> None:
    falls = watch(outbox)
    falls.hear(happened(EventKind.FALL), T)
    _, [taken_back] = falls.hear(happened(EventKind.SOS_CANCELLED), T + CANCEL_WITHIN_S - 1)
    assert (taken_back.kind, taken_back.device) == (EventKind.FALL_CANCELLED, "wearable-1")


@pytest.mark.parametrize(("device", "after_s"), [("wearable-1", CANCEL_WITHIN_S), ("wearable-2", 1.0)])
def test_a_later_press_or_one_elsewhere_takes_no_fall_back(device: str, after_s: float, outbox: Outbox) -> None:
    falls = watch(outbox)
    falls.hear(happened(EventKind.FALL), T)
    assert falls.hear(happened(EventKind.SOS_CANCELLED, device), T + after_s) == ([], [])


def test_a_damaged_file_gives_a_question_back_as_an_alarm(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    outbox = open_outbox()
    watch(outbox).hold(fall(), T)
    path = next(tmp_path.rglob("*.sqlite"))
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry'").fetchone()
        [page] = db.execute("PRAGMA page_size").fetchone()
    shutil.copy(path, path.with_suffix(".whole"))
    with path.open("r+b") as file:
        file.seek((root - 1) * page)
        file.write(b"\xff" * page)
    rescued = open_outbox()
    assert [(urgent, kind) for urgent, kind, _ in sent(rescued)] == [(True, "fall")]
