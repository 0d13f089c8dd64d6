"""What a home does alone when nobody answers: a press or fall without `Stored` for too long sounds the siren and sends SMS to the contacts.

It ends when the backend answers after all, or the wearer takes the call back. What was done is told to the backend as events like any
others, so it learns of it whenever it listens again. The record on disk comes before each deed, and the deed before its event: after a
kill the next gateway goes on where this one was. Only what was being said to the modem in that moment may be said twice.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from contract.events import EventKind, remark
from gateway import alarm_text, alone_record
from gateway.alarm_text import Wording
from gateway.alone_record import Action, Result, SmsRecord, token_of
from gateway.bridges.gsm_modem import Delivery, ModemReport, ModemState, Sms, SmsResult
from gateway.bridges.modem_fault import ModemFault
from gateway.config import LocalAlarmConfig
from gateway.harvest import Occurrence
from gateway.outbox import Outbox
from gateway.siren import Siren
from gateway.urgent_watch import UrgentWatch, Waiting

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the outbox is looked at."""
URGENT_MAX = 200
"""Urgent events looked at; more have never waited in one home."""
DEVICE = "gateway"
ANSWERED, TAKEN_BACK = "answered", "cancelled"


class Modem(Protocol):
    """GsmModem, as it is seen from here."""

    def start(self) -> None:
        """Begin in the background."""

    def stop(self) -> None:
        """End."""

    def send(self, sms: Sms) -> None:
        """Try once; the SmsResult comes in `take`."""

    def take(self) -> list[ModemReport]:
        """What has happened since the last time."""


@dataclass(slots=True)
class _Tries:
    """When a message was first tried, and when it is to be tried again, on the machine's count."""

    first_s: float
    next_s: float


class LocalAlarm:
    """All that one home does alone. Used by the daemon's thread; `step` never waits for the modem or the siren."""

    def __init__(self, config: LocalAlarmConfig, time_zone: str, outbox: Outbox, outbox_path: Path, modem: Modem | None) -> None:
        self._config = config
        self._outbox = outbox
        self._path = outbox_path.with_name(f"{outbox_path.name}.alone")
        self._siren = Siren(config.siren, outbox_path.with_name(f"{outbox_path.name}.siren"))
        self._modem = modem
        self._watch = UrgentWatch(config.answer_wait_s)
        self._wording = Wording(
            config.language,
            config.place.get_secret_value(),
            config.call_back.get_secret_value() if config.call_back else "",
            time_zone,
        )
        self._record = alone_record.AloneRecord()
        self._news: list[Occurrence] = []
        self._looked_s: float | None = None
        self._must_look = True
        self._tries: dict[str, _Tries] = {}
        self._sending: Sms | None = None
        self._early: list[Delivery] = []  # a report may come before the answer it belongs to

    def start(self) -> None:
        """Read what was done before, and begin to talk to the modem."""
        self._record = alone_record.load(self._path)
        for action in self._record.actions:
            self._tell_again(action)
        if self._modem is not None:
            self._modem.start()

    def stop(self) -> None:
        """End the modem's thread, and cut the siren off: the gateway that is started next goes on with both."""
        self._siren.cut_off()
        if self._modem is not None:
            self._modem.stop()

    def notice(self) -> None:
        """The outbox has a new urgent event: the next `step` sees it, whatever becomes of it soon after."""
        self._must_look = True

    def refuse(self, kind: EventKind) -> None:
        """The backend cannot read a call: that is no answer."""
        self._must_look = True
        self._watch.refuse(kind)

    def step(self, now: datetime, now_s: float) -> list[Occurrence]:
        """Do what is due. Returns what has happened, to be accepted as events."""
        self._hear_modem(now, now_s)
        if self._must_look or self._looked_s is None or now_s - self._looked_s >= LOOK_S:
            if self._must_look or self._outbox.waiting or not self._watch.is_idle or self._record.open:
                self._look(now, now_s)
            self._must_look = False
            self._looked_s = now_s
            self._siren.reap()
        self._send_next(now_s)
        news, self._news = self._news, []
        return news

    # -- calls ---------------------------------------------------------------------------------------------------------------------------

    def _look(self, now: datetime, now_s: float) -> None:
        look = self._watch.look(self._outbox.events(count_max=URGENT_MAX), now=now, now_s=now_s)
        for action in self._record.open:
            if action.event_id in look.taken_back:
                self._end(action, TAKEN_BACK, now)
            elif action.event_id not in look.unanswered:
                self._end(action, ANSWERED, now)
        if self._looked_s is None:
            self._resume(now)
        for waiting in look.due:
            if self._record.find(waiting.event_id) is None:
                self._begin(waiting, now)

    def _begin(self, waiting: Waiting, now: datetime) -> None:
        """A further call of the same kind and device is one ring more; messages about it are on their way already."""
        is_known = any((one.kind, one.device) == (waiting.kind, waiting.device) for one in self._record.open)
        contacts = 0 if is_known else len(self._config.contacts)
        action = Action(
            name=f"gateway:alone-{hashlib.sha256(waiting.event_id.encode()).hexdigest()[:16]}",
            event_id=waiting.event_id,
            kind=waiting.kind,
            device=waiting.device,
            at=waiting.at,
            begun_at=now,
            siren=self._siren.means(),
            contacts=contacts,
            sms=[SmsRecord(contact=contact) for contact in range(1, contacts + 1)],
        )
        logger.warning("nobody answers %s: the home acts alone", waiting.event_id, extra={"event": "acts_alone", "call": action.name})
        self._record.actions.append(action)
        self._save()
        self._siren.ring(action.name, self._config.siren_max_s)
        self._tell_begun(action)

    def _resume(self, now: datetime) -> None:
        """After a restart: the newest call's siren goes on for the rest of its time, unless it rings or has had its time."""
        if not self._record.open:
            self._siren.end()
            return
        action = self._record.open[-1]
        age_s = (now - action.begun_at).total_seconds()
        left_s = self._config.siren_max_s - (age_s if age_s >= 0 else 0)
        if left_s > 0 and not self._siren.is_done(action.name):
            self._siren.ring(action.name, left_s)

    def _end(self, action: Action, why: str, now: datetime) -> None:
        """Silence, and no further messages. One that is on its way comes to its own end."""
        action.ended = why
        for sms in action.sms:
            if self._sending is not None and self._sending.token == token_of(action, sms):
                self._sending.withdrawn.set()
            elif sms.result is Result.WAITING:
                self._settle(action, sms, Result.FAILED if sms.reason else Result.NOT_SENT, now, reason=sms.reason or why)
        if not self._record.open:
            self._siren.end()
        self._save()
        logger.info("a call is %s: the home stops acting alone", why, extra={"event": "acted_alone", "call": action.name, "why": why})

    # -- messages ------------------------------------------------------------------------------------------------------------------------

    def _send_next(self, now_s: float) -> None:
        """One message at a time; of those that are due, the one that has waited longest, so that none stands in another's way."""
        if self._modem is None or self._sending is not None:
            return
        waiting = [(action, sms) for action in self._record.open for sms in action.sms if sms.result is Result.WAITING]
        tries = [(self._tries.setdefault(token_of(action, sms), _Tries(now_s, now_s)), action, sms) for action, sms in waiting]
        due = [one for one in tries if one[0].next_s <= now_s]
        if due:
            _, action, sms = min(due, key=lambda one: one[0].next_s)
            self._sending = self._message(action, sms)
            self._modem.send(self._sending)

    def _message(self, action: Action, sms: SmsRecord) -> Sms:
        number = self._config.contacts[sms.contact - 1].get_secret_value() if sms.contact <= len(self._config.contacts) else ""
        text = alarm_text.compose(self._wording, action.kind, action.at)
        return Sms(token_of(action, sms), number, text, alarm_text.compose_plain(self._wording, action.kind, action.at))

    def _hear_modem(self, now: datetime, now_s: float) -> None:
        for report in self._modem.take() if self._modem is not None else []:
            if isinstance(report, SmsResult):
                self._take_result(report, now, now_s)
            elif isinstance(report, Delivery):
                self._take_delivery(report, now)
            else:
                self._take_state(report, now)

    def _take_result(self, result: SmsResult, now: datetime, now_s: float) -> None:
        self._sending = None
        found = self._record.message(result.token)
        if found is None:
            return
        action, sms = found
        if result.references:
            sms.references = list(result.references)
            self._settle(action, sms, Result.SENT, now)
            for delivery in self._early:
                self._take_delivery(delivery, now)
        elif result.fault is not None:
            sms.reason = result.fault
            if action.is_over or not self._tries_again(result.token, now_s):
                self._settle(action, sms, Result.FAILED, now, reason=result.fault)
        else:
            self._settle(action, sms, Result.NOT_SENT, now, reason=action.ended)
        self._early.clear()
        self._save()

    def _tries_again(self, token: str, now_s: float) -> bool:
        """True while its time is not over; the pause counts from the failure, however long that took to show."""
        tried = self._tries[token]
        tried.next_s = now_s + self._config.retry_s
        return tried.next_s - tried.first_s <= self._config.retry_for_s

    def _take_delivery(self, delivery: Delivery, now: datetime) -> None:
        """A message of several parts is delivered when all are."""
        found = self._record.awaiting(delivery.reference)
        if found is None:
            self._early += [delivery] if self._sending is not None else []
            return
        action, sms = found
        sms.references.remove(delivery.reference)
        if not delivery.is_delivered:
            sms.references.clear()
            self._settle(action, sms, Result.UNDELIVERED, now)
        elif not sms.references:
            self._settle(action, sms, Result.DELIVERED, now)
        self._save()

    def _settle(self, action: Action, sms: SmsRecord, result: Result, now: datetime, *, reason: str = "") -> None:
        sms.result, sms.reason, sms.at = result, reason, now
        self._tries.pop(token_of(action, sms), None)
        self._tell_sms(action, sms, result)

    # -- events --------------------------------------------------------------------------------------------------------------------------

    def _take_state(self, state: ModemState, now: datetime) -> None:
        """A modem that was well before a restart, as the record says, and is well after it is no news."""
        if state.fault is self._record.modem_fault:
            return
        self._record.modem_fault = state.fault
        self._save()
        kind = EventKind.MODEM_WORKS if state.fault is None else EventKind.MODEM_FAILED
        detail = None if state.fault is None else remark(reason=state.fault)
        self._news.append(Occurrence(f"gateway:{kind}-{now:%Y%m%dT%H%M%S.%f}", DEVICE, kind, now, detail=detail))

    def _tell_again(self, action: Action) -> None:
        """The kill may have come between a deed and its event; one that is known already changes nothing."""
        self._tell_begun(action)
        for sms in action.sms:
            if sms.result in (Result.DELIVERED, Result.UNDELIVERED):
                self._tell_sms(action, sms, Result.SENT)
            if sms.result is not Result.WAITING:
                self._tell_sms(action, sms, sms.result)
            elif action.is_over:
                self._settle(action, sms, Result.FAILED, action.begun_at, reason=sms.reason or ModemFault.UNKNOWN)

    def _tell_begun(self, action: Action) -> None:
        detail = remark(event=action.event_id, siren=action.siren, contacts=action.contacts)
        self._news.append(Occurrence(action.name, action.device, EventKind.ACTED_ALONE, action.begun_at, detail=detail))

    def _tell_sms(self, action: Action, sms: SmsRecord, result: Result) -> None:
        """The event's id holds its result: a message sent, and later delivered, is two events."""
        words: dict[str, str | int] = {"event": action.event_id, "contact": sms.contact, "result": result}
        if sms.reason:
            words["reason"] = sms.reason
        event_id = f"{token_of(action, sms)}-{result}"
        self._news.append(Occurrence(event_id, action.device, EventKind.ALONE_SMS, sms.at or action.begun_at, detail=remark(**words)))

    def _save(self) -> None:
        alone_record.save(self._record, self._path)
