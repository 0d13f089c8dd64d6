"""The story of an alert in sentences."""

from datetime import timedelta
from typing import Any

import pytest

from backend.web import labels, timeline
from backend.web.language import translator
from gateway.bridges.modem_fault import ModemFault
from tests.backend.street import NOW

SAY = translator("en")
Row = dict[str, Any]


def step(action: str, *, by: str = "system", seconds: int = 0, **detail: Any) -> Row:
    return {"at": NOW + timedelta(seconds=seconds), "by": by, "who": f"the {by}", "action": action, "detail": detail}


def visit(state: str, *, by: str = "system", **detail: Any) -> Row:
    return {"at": NOW, "by": by, "who": by, "state": state, "doctor_name": "Dr Li", "asked_name": "Dr Yang", "detail": detail}


@pytest.mark.parametrize(
    ("row", "text", "more", "who", "tone"),
    [
        (step("opened", value=87.0), "Alert opened", "87", "", "alert"),
        (step("raised", value=85.5), "Got worse", "85.5", "", "alert"),
        (step("silent"), "No data any more; the alert stays open", "", "", "event"),
        (step("acknowledged", by="wang"), "Alert taken", "", "the wang", "person"),
        (step("noted", by="wang", text="called"), "Note: called", "", "the wang", "person"),
        (
            step("closed", by="wang", disposition="real", text="in hospital"),
            "Closed: Real: help was needed",
            "in hospital",
            "the wang",
            "person",
        ),
    ],
)
def test_a_step_becomes_a_sentence(row: Row, text: str, more: str, who: str, tone: str) -> None:
    assert timeline.compose([row], [], [], [], say=SAY) == [timeline.Entry(NOW, who, text, more, tone)]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (visit("requested", reason="fall"), "Visit asked for: fall"),
        (visit("offered", offered_to="doctor-yang", why="own_doctor"), "Offered to Dr Yang (signed doctor)"),
        (visit("requested", declined_by="doctor-yang", reason="too_far"), "Dr Yang cannot come: Too far away"),
        (visit("offered", rung=1), "More doctors are asked"),
        (visit("requested", released="doctor-yang", not_left_by="2026-03-01"), "Dr Yang has not left in time: others are asked"),
        (visit("requested", released="doctor-yang", reason="other"), "Dr Yang cannot come after all: Another reason"),
        (visit("accepted", by_hand=True), "Dr Li said yes by telephone"),
        (visit("offered", called="120"), "120 was called"),
        (visit("requested", nobody=True), "All doctors on duty were asked and nobody accepted: call by hand"),
        (visit("on_the_way"), "Dr Li is on the way"),
        (visit("done", outcome="treated"), "Dr Li ends the visit: Treated at home"),
        (visit("cancelled", reason="family is there"), "Visit called off: family is there"),
    ],
)
def test_a_step_of_a_visit_becomes_a_sentence(row: Row, text: str) -> None:
    assert [line.text for line in timeline.compose([], [], [row], [], say=SAY)] == [text]


def test_the_newest_line_stands_first_and_the_later_written_before_the_earlier() -> None:
    rows = [step("opened"), step("acknowledged", by="wang", seconds=5), step("noted", by="wang", seconds=5, text="x")]
    assert [line.text for line in timeline.compose(rows, [], [], [], say=SAY)] == ["Note: x", "Alert taken", "Alert opened"]


def test_an_event_shows_its_device_and_confidence() -> None:
    row = {"at": NOW, "kind": "fall", "device_id": "wearable-1", "confidence": 0.914, "detail": None}
    (line,) = timeline.compose([], [row], [], [], say=SAY)
    assert (line.text, line.more) == ("Fall detected", "wearable-1 · confidence 91 %")


@pytest.mark.parametrize(
    ("kind", "detail", "text", "more"),
    [
        ("acted_alone", "event=w:1 siren=on contacts=2", "中心无应答，家中已自行报警", "wearable-1 · 警笛已响 · 向 2 位联系人发短信"),
        ("acted_alone", "event=w:1 siren=failed contacts=0", "中心无应答，家中已自行报警", "wearable-1 · 警笛无法启动"),
        ("acted_alone", None, "中心无应答，家中已自行报警", "wearable-1"),
        ("alone_sms", "event=w:1 contact=1 result=sent", "家中发给联系人 1 的短信：已发出", "wearable-1"),
        ("alone_sms", "event=w:1 contact=1 result=delivered", "家中发给联系人 1 的短信：已送达", "wearable-1"),
        ("alone_sms", "event=w:1 contact=2 result=failed reason=no_sim", "家中发给联系人 2 的短信：发送失败（没有 SIM 卡）", "wearable-1"),
        (
            "alone_sms",
            "event=w:1 contact=2 result=not_sent reason=answered",
            "家中发给联系人 2 的短信：不再发送（中心已应答）",
            "wearable-1",
        ),
        ("alone_sms", "event=w:1 contact=2 result=failed reason=newer", "家中发给联系人 2 的短信：发送失败（newer）", "wearable-1"),
        ("alone_sms", "event=w:1 contact=2 result=newer", "家中短信", "wearable-1"),
        ("modem_failed", "reason=not_registered", "短信模块故障", "wearable-1 · 未注册到移动网络"),
        ("modem_works", None, "短信模块恢复正常", "wearable-1"),
    ],
)
def test_what_a_home_did_alone_is_told_word_by_word(kind: str, detail: str | None, text: str, more: str) -> None:
    row = {"at": NOW, "kind": kind, "device_id": "wearable-1", "confidence": None, "detail": detail}
    (line,) = timeline.compose([], [row], [], [], say=translator("zh"))
    assert (line.text, line.more) == (text, more)


def test_every_fault_of_a_modem_has_its_words() -> None:
    assert set(ModemFault) <= labels.ALONE_REASON.keys()


@pytest.mark.parametrize(("state", "text"), [("sent", "Message sent to Wang Fang"), ("failed", "Message to Wang Fang failed")])
def test_a_message_says_whom_it_reached(state: str, text: str) -> None:
    (line,) = timeline.compose([], [], [], [{"at": NOW, "state": state, "person": "Wang Fang", "doubts": 0}], say=SAY)
    assert line.text == text
