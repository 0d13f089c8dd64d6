"""A modem on a pseudo terminal with the faults of real ones: what is sent arrives, what is not has a reason, and it always comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.bridges.gsm_modem import Delivery, GsmModem, ModemReport, ModemState, Sms, SmsResult
from gateway.bridges.modem_fault import ModemFault
from simulators.gsm_modem import Manners, SimulatedModem
from tests.gateway.home import eventually

TEXT = "【家护】王奶奶家03:12跌倒，中心无应答，请马上联系或上门。"
PLAIN = "Jiahu: somebody fell at 03:12. Please call or go there now."
NUMBER = "+8613800138000"


class Talk:
    """A gateway's modem and what it has reported."""

    def __init__(self, link: Path) -> None:
        self.deaths: list[BaseException] = []
        self.modem = GsmModem(str(link), 115_200, self.deaths.append, recheck_s=0.3)
        self.reports: list[ModemReport] = []

    def until(self, condition: Callable[[], object]) -> None:
        def heard() -> object:
            self.reports += self.modem.take()
            return condition()

        eventually(heard)

    def send(self, token: str = "1") -> SmsResult:
        self.modem.send(Sms(token, NUMBER, TEXT, PLAIN))
        self.until(lambda: self.results(token))
        return self.results(token)[0]

    def results(self, token: str) -> list[SmsResult]:
        return [one for one in self.reports if isinstance(one, SmsResult) and one.token == token]

    @property
    def states(self) -> list[ModemFault | None]:
        return [one.fault for one in self.reports if isinstance(one, ModemState)]


Play = Callable[[Manners], tuple[Talk, SimulatedModem]]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Starts a modem with these manners, and the gateway's end of it."""
    opened: list[tuple[Talk, SimulatedModem]] = []

    def start(manners: Manners) -> tuple[Talk, SimulatedModem]:
        simulated = SimulatedModem(tmp_path / "modem", manners)
        simulated.__enter__()
        talk = Talk(tmp_path / "modem")
        opened.append((talk, simulated))
        talk.modem.start()
        return talk, simulated

    yield start
    for talk, simulated in opened:
        talk.modem.stop()
        simulated.__exit__()
        assert talk.deaths == []


@pytest.mark.parametrize(
    "manners",
    [
        Manners(),
        Manners(keeps_echo=True),
        Manners(is_noisy=True),
        Manners(is_noisy=True, keeps_echo=True, swallows=1),
        Manners(swallows=2),
        Manners(registration=5),
        Manners(says_ok_after_pin=False),
    ],
    ids=lambda manners: repr(manners)[:60],
)
def test_chinese_arrives_whatever_the_manners_of_the_modem(play: Play, manners: Manners) -> None:
    talk, simulated = play(manners)
    result = talk.send()
    assert (result.fault, len(result.references)) == (None, 1)
    assert [(one.number, one.text, one.is_ucs2) for one in simulated.taken] == [(NUMBER, TEXT, True)]
    talk.until(lambda: Delivery(result.references[0], True) in talk.reports)
    assert talk.states == [None]


def test_a_modem_that_knows_text_only_gets_plain_english(play: Play) -> None:
    talk, simulated = play(Manners(takes_pdus=False))
    assert talk.send().fault is None
    assert [(one.text, one.is_text) for one in simulated.taken] == [(PLAIN, True)]


@pytest.mark.parametrize(
    ("manners", "fault"),
    [
        (Manners(sim="none"), ModemFault.NO_SIM),
        (Manners(sim="pin"), ModemFault.SIM_LOCKED),
        (Manners(registration=2), ModemFault.NOT_REGISTERED),
        (Manners(is_silent=True), ModemFault.SILENT),
    ],
    ids=["no SIM", "PIN", "no network", "silent"],
)
def test_a_modem_that_cannot_send_says_why_once_and_when_it_can_again(play: Play, manners: Manners, fault: ModemFault) -> None:
    talk, simulated = play(manners)
    assert talk.send().fault is fault
    talk.until(lambda: talk.states)
    assert talk.states == [fault]
    assert talk.send("2").fault is fault
    manners.sim, manners.registration, manners.is_silent = "ready", 1, False
    talk.until(lambda: talk.states == [fault, None])
    assert talk.send("3").fault is None
    assert len(simulated.taken) == 1


def test_a_message_that_is_refused_can_be_tried_again(play: Play) -> None:
    talk, simulated = play(Manners(refusals=2, refusal=38))
    assert [talk.send(token).fault for token in "123"] == [ModemFault.NETWORK, ModemFault.NETWORK, None]
    assert len(simulated.taken) == 1


def test_a_modem_that_is_pulled_out_is_found_again(play: Play) -> None:
    talk, simulated = play(Manners())
    talk.until(lambda: talk.states == [None])
    simulated.unplug()
    assert talk.send().fault is ModemFault.PORT_LOST
    talk.until(lambda: talk.states == [None, ModemFault.PORT_LOST])
    simulated.plug()
    talk.until(lambda: talk.states == [None, ModemFault.PORT_LOST, None])
    assert talk.send("2").fault is None


def test_a_modem_left_at_its_prompt_by_a_killed_gateway_is_freed(play: Play) -> None:
    manners = Manners(accept_s=0)
    talk, simulated = play(manners)
    talk.until(lambda: talk.states == [None])
    simulated._talk.body_for = "51"  # as if the gateway before had got so far
    talk.modem._ready = None
    assert talk.send().fault is None
    assert [one.text for one in simulated.taken] == [TEXT]


def test_a_message_that_was_withdrawn_is_not_sent(play: Play) -> None:
    talk, simulated = play(Manners())
    sms = Sms("1", NUMBER, TEXT, PLAIN)
    sms.withdrawn.set()
    talk.modem.send(sms)
    talk.until(lambda: talk.results("1"))
    assert talk.results("1") == [SmsResult("1")]
    assert simulated.taken == []


def test_numbers_and_texts_are_never_shown() -> None:
    assert NUMBER not in repr(Sms("1", NUMBER, TEXT, PLAIN)) and TEXT not in repr(Sms("1", NUMBER, TEXT, PLAIN))
