"""What a home does alone, minute by minute: the clock is an argument, the outbox and the siren are real, the modem stands at its seam."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract.events import EventKind, read_remark
from gateway.bridges.gsm_modem import Delivery, ModemReport, ModemState, Sms, SmsResult
from gateway.bridges.modem_fault import ModemFault
from gateway.config import LocalAlarmConfig
from gateway.harvest import Occurrence
from gateway.local_alarm import LocalAlarm
from gateway.outbox import Outbox
from gateway.stored_event import StoredEvent
from tests.gateway.home import NOW, OpenOutbox, eventually, seconds

ONE, TWO = "+8613800138000", "+8613900139000"
SOS, FALL = EventKind.SOS, EventKind.FALL
Answer = Callable[[Sms], ModemReport | None]


def taken(references: tuple[int, ...] = (7,)) -> Answer:
    return lambda sms: SmsResult(sms.token, references)


def refused(fault: ModemFault = ModemFault.NO_SIM) -> Answer:
    return lambda sms: SmsResult(sms.token, fault=fault)


class PlayedModem:
    """Answers each message as it is told; None keeps it on its way."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[Sms] = []
        self.reports: list[ModemReport] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def send(self, sms: Sms) -> None:
        self.sent.append(sms)
        if (report := self.answer(sms)) is not None:
            self.reports.append(report)

    def take(self) -> list[ModemReport]:
        reports, self.reports = self.reports, []
        return reports


class Home:
    """One outbox, and one gateway after the other on it."""

    def __init__(self, folder: Path, outbox: Outbox) -> None:
        self.folder = folder
        self.outbox = outbox
        self.modem = PlayedModem(taken())
        self.news: list[Occurrence] = []
        self.at_s = 0.0
        self._count = itertools.count(1)

    def start(self, **changes: Any) -> "Home":
        """A gateway begins: as after a kill, when there was one before."""
        siren = ["sh", "-c", f"echo $$ >> {self.folder}/rings; exec sleep 60"]
        config = LocalAlarmConfig.model_validate(
            {"contacts": [ONE, TWO], "modem_path": "/m", "siren": siren, "place": "王奶奶家"} | changes
        )
        self.modem.sent.clear()
        self.alarm = LocalAlarm(config, "Asia/Shanghai", self.outbox, self.folder / "outbox.sqlite", self.modem)
        self.alarm.start()
        self.run(0)
        return self

    def run(self, for_s: float) -> None:
        """Let the time pass, a step each second, events accepted as the daemon does."""
        for _ in range(round(for_s) + 1):
            news = self.alarm.step(self.now, 5000 + self.at_s)
            self.news += [one for one in news if self.accept(one)]
            self.at_s += 1
        self.at_s -= 1

    def accept(self, one: Occurrence) -> bool:
        body = StoredEvent(event_id=one.event_id, kind=one.kind, detail=one.detail).model_dump_json(exclude_none=True)
        return self.outbox.append_event(one.event_id, one.at, one.device, body, is_urgent=False)

    def happens(self, kind: EventKind = SOS, device: str = "wearable-1") -> str:
        event_id = f"{device}:{kind}-{next(self._count)}"
        body = StoredEvent(event_id=event_id, kind=kind).model_dump_json(exclude_none=True)
        self.outbox.append_event(event_id, self.now, device, body, is_urgent=True)
        self.alarm.notice()
        self.run(0)
        return event_id

    def answer(self, event_id: str) -> None:
        """The backend says Stored."""
        (entry,) = [one for one in self.outbox.events(count_max=1000) if f'"{event_id}"' in one.body and one.is_urgent]
        self.outbox.forget_event(entry.sequence)

    @property
    def now(self) -> datetime:
        return NOW + seconds(self.at_s)

    @property
    def begun(self) -> list[dict[str, str]]:
        return [read_remark(one.detail) for one in self.news if one.kind is EventKind.ACTED_ALONE]

    @property
    def results(self) -> list[tuple[str, str, str]]:
        """(contact, result, reason) of every event about a message."""
        remarks = [read_remark(one.detail) for one in self.news if one.kind is EventKind.ALONE_SMS]
        return [(one["contact"], one["result"], one.get("reason", "")) for one in remarks]

    @property
    def rings(self) -> list[int]:
        path = self.folder / "rings"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def ringing(self, count: int) -> list[int]:
        """Wait until the siren has rung so often, and return those that still ring."""
        eventually(lambda: len(self.rings) >= count)
        return [pid for pid in self.rings if is_alive(pid)]

    def is_quiet(self) -> bool:
        return not any(map(is_alive, self.rings))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def home(tmp_path: Path, open_outbox: OpenOutbox) -> Iterator[Home]:
    house = Home(tmp_path, open_outbox())
    yield house
    house.alarm.stop()
    for pid in house.rings:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", [SOS, FALL])
def test_a_call_that_nobody_answers_sounds_the_siren_and_tells_every_contact(home: Home, kind: EventKind) -> None:
    event_id = home.start().happens(kind)
    home.run(59)
    assert home.modem.sent == [] and home.rings == []
    home.run(3)
    assert [sms.number for sms in home.modem.sent] == [ONE, TWO]
    assert home.begun == [{"event": event_id, "siren": "on", "contacts": "2"}]
    assert home.results == [("1", "sent", ""), ("2", "sent", "")]
    assert len(home.ringing(1)) == 1


def test_a_call_that_is_answered_in_time_is_left_alone(home: Home) -> None:
    event_id = home.start().happens()
    home.run(58)
    home.answer(event_id)
    home.run(200)
    assert home.news == [] and home.modem.sent == [] and home.rings == []


def test_a_call_taken_back_in_time_is_left_alone(home: Home) -> None:
    home.start().happens()
    home.run(10)
    home.happens(EventKind.SOS_CANCELLED)
    home.run(200)
    assert home.news == [] and home.rings == []


def test_when_the_backend_answers_the_siren_ends_and_no_more_is_sent(home: Home) -> None:
    home.modem.answer = refused()
    event_id = home.start().happens()
    home.run(62)
    assert home.ringing(1)
    home.answer(event_id)
    home.run(2)
    eventually(home.is_quiet)
    assert home.results == [("1", "failed", "no_sim"), ("2", "failed", "no_sim")]
    count = len(home.modem.sent)
    home.run(100)
    assert len(home.modem.sent) == count


def test_a_message_not_tried_yet_is_told_as_not_needed(home: Home) -> None:
    home.modem.answer = lambda sms: None
    event_id = home.start().happens()
    home.run(62)
    home.answer(event_id)
    home.run(1)
    assert home.results == [("2", "not_sent", "answered")]
    assert home.modem.sent[0].withdrawn.is_set()
    home.modem.reports.append(SmsResult(home.modem.sent[0].token))
    home.run(1)
    assert home.results[1:] == [("1", "not_sent", "answered")]


def test_a_call_taken_back_later_ends_what_was_begun(home: Home) -> None:
    home.modem.answer = refused()
    home.start().happens(FALL)
    home.run(62)
    assert home.ringing(1)
    home.happens(EventKind.FALL_CANCELLED)
    eventually(home.is_quiet)
    assert {result for _, result, _ in home.results} == {"failed"}


def test_a_refused_message_is_tried_again_5_to_20_s_apart_for_half_an_hour(home: Home) -> None:
    home.modem.answer = refused(ModemFault.NETWORK)
    home.start(contacts=[ONE]).happens()
    tries: list[float] = []
    for _ in range(2400):
        count = len(home.modem.sent)
        home.at_s += 1
        home.run(0)
        tries += [home.at_s] * (len(home.modem.sent) - count)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert min(gaps) >= 5 and max(gaps) <= 20
    assert 180 <= tries[-1] - tries[0] <= 1800
    assert home.results == [("1", "failed", "network")]


def test_a_contact_that_cannot_be_reached_does_not_stand_in_the_way_of_the_next(home: Home) -> None:
    home.modem.answer = lambda sms: SmsResult(sms.token, (9,)) if sms.number == TWO else SmsResult(sms.token, fault=ModemFault.NETWORK)
    home.start().happens()
    home.run(64)
    assert home.results == [("2", "sent", "")]


def test_sent_is_not_delivered(home: Home) -> None:
    home.modem.answer = lambda sms: SmsResult(sms.token, (1, 2) if sms.number == ONE else (3,))
    home.start().happens()
    home.run(63)
    home.modem.reports += [Delivery(1, True), Delivery(3, False), Delivery(99, True)]
    home.run(1)
    assert home.results[2:] == [("2", "undelivered", "")]
    home.modem.reports += [Delivery(2, True)]
    home.run(1)
    assert home.results[3:] == [("1", "delivered", "")]


def test_a_report_of_delivery_that_comes_before_the_answer_is_not_lost(home: Home) -> None:
    def answer(sms: Sms) -> ModemReport:
        home.modem.reports += [Delivery(99, True), Delivery(7, True)]
        return SmsResult(sms.token, (7,))

    home.modem.answer = answer
    home.start(contacts=[ONE]).happens()
    home.run(63)
    assert home.results == [("1", "sent", ""), ("1", "delivered", "")]


def test_a_second_call_rings_once_more_but_does_not_write_again(home: Home) -> None:
    home.start().happens()
    home.run(65)
    home.ringing(1)
    home.happens()
    home.run(65)
    assert len(home.ringing(2)) >= 1 and len(home.rings) == 2
    assert len(home.modem.sent) == 2
    home.happens(FALL)
    home.run(65)
    assert len(home.modem.sent) == 4
    assert [one["contacts"] for one in home.begun] == ["2", "0", "2"]


def test_the_siren_ends_only_when_every_call_is_answered(home: Home) -> None:
    first, second = home.start().happens(SOS), home.happens(FALL)
    home.run(65)
    home.ringing(1)
    home.answer(first)
    home.run(2)
    assert not home.is_quiet()
    home.answer(second)
    home.run(2)
    eventually(home.is_quiet)


# -- killed in between -------------------------------------------------------------------------------------------------------------------


def test_a_gateway_killed_while_it_waits_is_followed_by_one_that_acts(home: Home) -> None:
    home.start().happens()
    home.run(30)
    home.start()
    home.run(31)
    assert [sms.number for sms in home.modem.sent] == [ONE, TWO]
    assert len(home.begun) == 1


def test_a_gateway_killed_after_it_acted_is_followed_by_one_that_does_nothing_twice(home: Home) -> None:
    event_id = home.start().happens()
    home.run(65)
    home.ringing(1)
    told = len(home.news)
    for _ in range(3):
        home.start()
        home.run(30)
    assert home.modem.sent == [] and len(home.news) == told and len(home.ringing(1)) == len(home.rings) == 1
    home.answer(event_id)
    home.run(2)
    eventually(home.is_quiet)


def test_what_was_left_to_do_is_done_by_the_next_gateway(home: Home) -> None:
    home.modem.answer = lambda sms: SmsResult(sms.token, (9,)) if sms.number == ONE else None
    home.start().happens()
    home.run(65)
    home.ringing(1)
    assert home.results == [("1", "sent", "")]
    home.modem.answer = taken((10,))
    home.start()
    home.run(3)
    assert [sms.number for sms in home.modem.sent] == [TWO]
    assert home.results == [("1", "sent", ""), ("2", "sent", "")]
    home.modem.reports += [Delivery(9, True)]
    home.run(1)
    assert home.results[2:] == [("1", "delivered", "")]


def test_a_siren_cut_off_with_its_gateway_goes_on_for_the_rest_of_its_time(home: Home) -> None:
    home.start().happens()
    home.run(65)
    home.ringing(1)
    home.alarm.stop()
    eventually(home.is_quiet)
    home.start()
    assert len(home.ringing(2)) == 1
    home.alarm.stop()
    home.at_s += 400
    home.start()
    home.run(5)
    assert len(home.rings) == 2


def test_an_answer_that_came_while_the_gateway_was_away_counts(home: Home) -> None:
    home.modem.answer = refused()
    event_id = home.start().happens()
    home.run(65)
    home.ringing(1)
    home.answer(event_id)
    home.start()
    home.run(1)
    eventually(home.is_quiet)
    assert home.modem.sent == []
    assert home.results == [("1", "failed", "no_sim"), ("2", "failed", "no_sim")]


def test_events_that_were_lost_with_a_kill_are_told_by_the_next_gateway(home: Home) -> None:
    home.start().happens()
    home.run(60)
    home.alarm.step(home.now + seconds(1), 5000 + home.at_s + 1)  # its news are lost
    home.ringing(1)
    home.at_s += 2
    home.start()
    assert len(home.begun) == 1


@pytest.mark.parametrize("text", ["", "{", '{"actions": 1}'])
def test_a_damaged_record_is_begun_anew(home: Home, text: str) -> None:
    (home.folder / "outbox.sqlite.alone").write_text(text)
    home.start().happens()
    home.run(63)
    assert len(home.modem.sent) == 2


# -- the modem ---------------------------------------------------------------------------------------------------------------------------


def test_the_state_of_the_modem_is_told_once_per_change_also_across_restarts(home: Home) -> None:
    home.start()

    def say(fault: ModemFault | None) -> None:
        home.modem.reports.append(ModemState(fault))
        home.run(1)

    say(None)
    say(ModemFault.NO_SIM)
    home.start()
    say(ModemFault.NO_SIM)
    say(None)
    home.start()
    say(None)
    assert [(one.kind, one.detail) for one in home.news] == [
        (EventKind.MODEM_FAILED, "reason=no_sim"),
        (EventKind.MODEM_WORKS, None),
    ]


def test_no_event_and_no_file_holds_a_number(home: Home) -> None:
    home.start().happens()
    home.run(65)
    said = "".join(f"{one.event_id} {one.detail}" for one in home.news) + (home.folder / "outbox.sqlite.alone").read_text()
    assert ONE[1:] not in said and TWO[1:] not in said


def test_a_home_with_a_siren_only_rings(tmp_path: Path, open_outbox: OpenOutbox) -> None:
    house = Home(tmp_path, open_outbox()).start(contacts=[], modem_path=None)
    house.alarm._modem = None
    house.happens()
    house.run(62)
    assert len(house.ringing(1)) == 1
    assert house.begun[0]["contacts"] == "0"
    house.alarm.stop()
    eventually(house.is_quiet)
