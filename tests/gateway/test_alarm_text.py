"""The words of the alarm: who, what, when, whom to call back, and never more than one message."""

from datetime import UTC, datetime

import pytest

from contract.events import EventKind
from gateway import sms_pdu
from gateway.alarm_text import Wording, compose, compose_plain
from tests.gateway.home import NOW

ZH = Wording("zh", "幸福里王奶奶家", "+8657112345678", "Asia/Shanghai")
EN = Wording("en", "Granny Wang", "+8657112345678", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("wording", "kind", "text"),
    [
        (ZH, EventKind.FALL, "【家护】幸福里王奶奶家11:12跌倒，中心无应答，请马上联系或上门。回电+8657112345678"),
        (ZH, EventKind.SOS, "【家护】幸福里王奶奶家11:12按下求助，中心无应答，请马上联系或上门。回电+8657112345678"),
        (Wording("zh", "", "", "Asia/Shanghai"), EventKind.FALL, "【家护】11:12跌倒，中心无应答，请马上联系或上门。"),
        (
            EN,
            EventKind.SOS,
            "Jiahu: Granny Wang: somebody pressed SOS at 11:12. The centre does not answer. "
            "Please call or go there now. Call back +8657112345678",
        ),
    ],
)
def test_the_message_says_who_what_and_when(wording: Wording, kind: EventKind, text: str) -> None:
    assert compose(wording, kind, NOW) == text


@pytest.mark.parametrize("wording", [Wording("zh", "家" * 20, "+" + "9" * 15, "Asia/Shanghai"), Wording("en", "x" * 20, "9" * 15, "UTC")])
@pytest.mark.parametrize("kind", [EventKind.SOS, EventKind.FALL])
def test_the_longest_message_is_one_part(wording: Wording, kind: EventKind) -> None:
    assert len(sms_pdu.encode("+8613800138000", compose(wording, kind, NOW))) == 1
    plain = compose_plain(wording, kind, NOW)
    assert plain.isascii() and len(sms_pdu.encode("+8613800138000", plain)) == 1


def test_a_clock_that_nobody_has_set_tells_no_time() -> None:
    never_set = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert compose(ZH, EventKind.FALL, never_set).startswith("【家护】幸福里王奶奶家跌倒")
    assert " at " not in compose_plain(ZH, EventKind.FALL, never_set)
