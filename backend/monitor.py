"""The story: what has just been stored is judged, and what follows from it is written, all in the transaction that stored it.

    readings -> windows -> verdicts -> alerts -> notifications and visit requests
    event ------------------------^

Every rule runs in a savepoint of its own: if one raises, the readings are stored all the same and operators get an alert about the rule.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from backend.alerts import store as alerts
from backend.alerts.lifecycle import NEXT_CONDITION, STEP_OF, Action, Condition, Disposition
from backend.alerts.model import Alert, Subject
from backend.commands import store as commands
from backend.db.pool import TRANSIENT, Connection
from backend.dispatch import store as dispatch
from backend.notify import outbox
from backend.readings import store as readings
from backend.readings.model import Home, StoredSeries
from backend.rules.engine import Active, RuleBook
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.threshold import ThresholdRule, judge
from backend.rules.model import AnyEvent, InternalEvent, Judgement, Verdict
from contract.events import ALONE, EventKind, read_remark
from contract.quantities import Statistic

logger = logging.getLogger(__name__)

T = TypeVar("T")

AHEAD_MAX = timedelta(seconds=20)
BEHIND_MAX = timedelta(seconds=40)
"""SIA DC-09: a message's time is accepted within -40 s to +20 s of the receiver's."""

HEARD_TEXT = "已收到求助，正在联系。"
"""What the home hears once an operator has taken the alert of a press or a fall."""

JUDGED = frozenset({Statistic.SAMPLE, Statistic.MEAN})
"""Minima and maxima are for people; a rule sees the value that stands for its interval."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, from a home or from the backend itself."""

    subject: Subject
    kind: AnyEvent
    device: str
    at: datetime
    confidence: float | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Monitor:
    """Judges within one transaction: `now` is when the backend received what it judges.

    `skew`: backend's clock minus home's, from the message itself, so that a home whose clock is wrong is not taken for late.
    `history_until`: what was measured up to then was stored by its device while nobody listened: it is late, however young.
    """

    conn: Connection
    rules: RuleBook
    now: datetime
    skew: timedelta = timedelta(0)
    history_until: datetime | None = None

    async def on_readings(self, series: StoredSeries, open_rules: set[str]) -> None:
        """Judge every threshold rule that looks at this series. `open_rules`: those of which the home has an open alert; it grows."""
        subject = _subject(series.home)
        low, high = min(series.columns.values), max(series.columns.values)
        for active in self.rules.thresholds.get(series.columns.quantity, ()):
            assert isinstance(active.rule, ThresholdRule)
            if active.rule.id in open_rules or not active.rule.is_quiet(low, high):
                open_rules.add(active.rule.id)
                await self._guarded(active, subject, self._threshold_judge(active, active.rule, subject, series))

    async def on_event(self, happening: Happening) -> int | None:
        """Judge every rule that looks at this kind. Returns the alert that the event belongs to, if any."""
        alert_id = await self._on_alone(happening) if happening.kind in ALONE else None
        if alert_id is not None:
            return alert_id
        for active in self.rules.events.get(happening.kind, ()):
            alert_id = await self._guarded(active, happening.subject, self._event_judge(active, happening)) or alert_id
        for active in self.rules.cancels.get(happening.kind, ()):
            alert_id = await self._guarded(active, happening.subject, self._event_cancel(active, happening)) or alert_id
        return alert_id

    async def _on_alone(self, happening: Happening) -> int | None:
        """What a home did alone belongs to the open alert of the press or fall it was done for; else to that of its own rule, if any."""
        event_id = read_remark(happening.detail).get("event", "")
        alert_id = await alerts.open_of_event(self.conn, happening.subject.gateway_id, event_id)
        if alert_id is None and happening.kind is EventKind.ALONE_SMS:
            own = [active.rule.id for active in self.rules.events.get(EventKind.ACTED_ALONE, ())]
            found = [alert.id for rule_id in own if (alert := await alerts.find_open(self.conn, happening.subject, rule_id)) is not None]
            alert_id = found[0] if found else None
        if alert_id is not None:
            await alerts.touch(self.conn, alert_id, now=self.now)
        return alert_id

    async def on_clock(self, subject: Subject, offset: timedelta) -> None:
        """Judge a gateway's clock: `offset` is backend minus home at a message that was not delayed."""
        is_off = offset > BEHIND_MAX or offset < -AHEAD_MAX
        kind = InternalEvent.CLOCK_OFF if is_off else InternalEvent.CLOCK_RIGHT
        detail = f"{offset.total_seconds():+.0f} s"
        await self.on_event(Happening(subject, kind, subject.gateway_id, self.now, detail=detail))

    async def on_devices(self, subject: Subject, heard: Sequence[tuple[str, datetime]]) -> None:
        """A status names devices (id, last heard at) that are not lost: end alerts that say they are, e.g. from before a restart."""
        ended = {active.rule.id for active in self.rules.cancels.get(EventKind.DEVICE_FOUND, ())}
        if heard and ended & (await alerts.open_rules(self.conn, {subject.key})).get(subject.key, set()):
            for device, at in heard:
                await self.on_event(Happening(subject, EventKind.DEVICE_FOUND, device, at))

    async def on_silence(self, active: Active, subject: Subject, judgement: Judgement, *, source: str) -> None:
        """Take a verdict that only the worker's clock can give. `source` is what is or was silent: only its own sound clears an alert."""

        async def apply() -> None:
            await self._apply(active, subject, judgement, source=source)

        await self._guarded(active, subject, apply)

    # -- one rule ------------------------------------------------------------------------------------------------------------------------

    def _threshold_judge(
        self, active: Active, rule: ThresholdRule, subject: Subject, series: StoredSeries
    ) -> Callable[[], Awaitable[None]]:
        async def apply() -> None:
            columns = series.columns
            lookback = timedelta(seconds=rule.lookback_s)
            last_at = readings.last_at(columns)
            samples = await readings.window(
                self.conn, series.id, columns.quantity, from_at=columns.start_at - lookback, to_at=last_at + lookback
            )
            for judgement in judge(rule, samples, after=columns.start_at):
                await self._apply(active, subject, judgement, source=columns.device_id)

        return apply

    def _event_judge(self, active: Active, happening: Happening) -> Callable[[], Awaitable[int | None]]:
        async def apply() -> int | None:
            level = active.rule.levels[0]
            evidence = _evidence_of(happening)
            judgement = Judgement(Verdict.BREACHED, happening.at, level.name, evidence)
            while (alert := await alerts.find_open(self.conn, happening.subject, active.rule.id)) is None:
                alert_id = await self._open(active, happening.subject, judgement, source=happening.device)
                if alert_id is not None:
                    return alert_id  # None: another transaction has just opened one, so there is one to repeat
            devices = sorted({*alert.evidence.get("devices", []), happening.device})
            if level.priority == "technical" and devices == alert.evidence.get("devices"):
                return alert.id
            await alerts.change(
                self.conn, alert.id, condition=Condition.ACTIVE, action=Action.REPEATED, at=happening.at, now=self.now, repeats=1,
                evidence=evidence | {"devices": devices},
            )  # fmt: skip
            pause = timedelta(seconds=active.rule.timing.cooldown_s) if isinstance(active.rule, EventRule) else timedelta(0)
            is_news = alert.condition is not Condition.ACTIVE or happening.at - alert.last_at >= pause
            if is_news and level.priority != "technical":
                await self._call_again(alert.id, active, happening.subject, judgement)
            return alert.id

        return apply

    def _event_cancel(self, active: Active, happening: Happening) -> Callable[[], Awaitable[int | None]]:
        async def apply() -> int | None:
            assert isinstance(active.rule, EventRule)
            alert = await alerts.find_open(self.conn, happening.subject, active.rule.id)
            devices = alert.evidence.get("devices", []) if alert else []
            if alert is None or happening.device not in devices or happening.at < alert.last_at:
                return None  # taken back before the newest press: that one still stands
            left = [device for device in devices if device != happening.device]
            condition = alert.condition if left else Condition.CANCELLED
            await alerts.change(
                self.conn, alert.id, condition=condition, action=Action.CANCELLED, at=happening.at, now=self.now,
                evidence={"devices": left},
            )  # fmt: skip
            await self._close_technical(alert, condition)
            return alert.id

        return apply

    # -- one verdict ---------------------------------------------------------------------------------------------------------------------

    async def _apply(self, active: Active, subject: Subject, judgement: Judgement, *, source: str) -> None:
        alert = await alerts.find_open(self.conn, subject, active.rule.id)
        if alert is None:
            if judgement.verdict is Verdict.BREACHED and not await self._is_cooling(active, subject, judgement):
                await self._open(active, subject, judgement, source=source)
            return
        is_calm_of_another = judgement.verdict is Verdict.CLEAR and source not in alert.evidence.get("devices", [])
        if judgement.at >= alert.last_at and not is_calm_of_another:
            await self._advance(active, subject, alert, judgement, source=source)

    async def _advance(self, active: Active, subject: Subject, alert: Alert, judgement: Judgement, *, source: str) -> None:
        """Move an open alert by the lifecycle table, and make it louder when it is worse than what people were told."""
        condition = NEXT_CONDITION.get((alert.condition, judgement.verdict), alert.condition)
        if judgement.level is not None and self._is_louder(active, alert, judgement, judgement.level):
            await self._raise(active, subject, alert, judgement, source=source)
        elif condition is not alert.condition:
            evidence: dict[str, Any] = dict(judgement.evidence)
            repeats = 1 if condition is Condition.ACTIVE else 0
            if condition is Condition.ACTIVE:
                evidence["devices"] = [source]
            await alerts.change(
                self.conn, alert.id, condition=condition, action=STEP_OF[condition], at=judgement.at, now=self.now, repeats=repeats,
                evidence=evidence,
            )  # fmt: skip
            await self._close_technical(alert, condition)
            if alert.condition is Condition.RECOVERED and not self._is_late(active, judgement.at):
                await self._call_again(alert.id, active, subject, judgement)

    def _is_louder(self, active: Active, alert: Alert, judgement: Judgement, level: str) -> bool:
        """A worse level; or what was known too late to page anybody, and goes on now."""
        goes_on = bool(alert.evidence.get("late")) and not self._is_late(active, judgement.at)
        return goes_on or active.rank(level) > active.rank(alert.level)

    async def _raise(self, active: Active, subject: Subject, alert: Alert, judgement: Judgement, *, source: str) -> None:
        assert judgement.level is not None
        level = active.level(judgement.level)
        is_quiet = bool(alert.evidence.get("late")) and self._is_late(active, judgement.at)
        await alerts.change(
            self.conn, alert.id, condition=Condition.ACTIVE, action=Action.RAISED, at=judgement.at, now=self.now, level=level.name,
            priority="low" if is_quiet else level.priority, evidence=dict(judgement.evidence) | {"devices": [source], "late": is_quiet},
        )  # fmt: skip
        if not is_quiet:
            await self._call(alert.id, active, subject, judgement, step=f"raised:{level.name}")

    def _is_late(self, active: Active, at: datetime) -> bool:
        timing = getattr(active.rule, "timing", None)
        if timing is not None and self.history_until is not None and at <= self.history_until:
            return True
        return timing is not None and self.now - (at + self.skew) > timedelta(seconds=timing.late_page_s)

    async def _is_cooling(self, active: Active, subject: Subject, judgement: Judgement) -> bool:
        """True when a person has just closed this, and it is not worse than what was closed. Silence is closed until the next sound."""
        closed = await alerts.last_closed(self.conn, subject, active.rule.id)
        if closed is None or judgement.level is None:
            return False
        level, closed_at = closed
        if not isinstance(active.rule, ThresholdRule):
            return judgement.at <= closed_at
        is_worse = active.rank(judgement.level) > active.rank(level)
        return judgement.at + self.skew - closed_at < timedelta(seconds=active.rule.timing.cooldown_s) and not is_worse

    async def _open(self, active: Active, subject: Subject, judgement: Judgement, *, source: str) -> int | None:
        assert judgement.level is not None
        level = active.level(judgement.level)
        is_late = self._is_late(active, judgement.at)
        stays_loud = isinstance(active.rule, EventRule)
        evidence = dict(judgement.evidence) | {"devices": [source]} | ({"late": True} if is_late else {})
        alert_id = await alerts.open_alert(
            self.conn, subject, rule_id=active.rule.id, rule_version=active.version, level=level.name, at=judgement.at, now=self.now,
            priority=level.priority if stays_loud or not is_late else "low", evidence=evidence,
        )  # fmt: skip
        if alert_id is not None and (stays_loud or not is_late):
            await self._call(alert_id, active, subject, judgement, step="opened")
        return alert_id

    async def _call_again(self, alert_id: int, active: Active, subject: Subject, judgement: Judgement) -> None:
        """It happens anew while the alert of last time is still open: whoever has taken that takes this one again, and others are told."""
        await alerts.reopen(self.conn, alert_id, now=self.now)
        await self._call(alert_id, active, subject, judgement, step=f"repeated:{judgement.at.isoformat()}")

    async def _call(self, alert_id: int, active: Active, subject: Subject, judgement: Judgement, *, step: str) -> None:
        """Do what the breached level asks for: tell the elder's contacts, ask for a doctor."""
        assert judgement.level is not None
        level = active.level(judgement.level)
        if subject.elder_id is None:
            return
        if level.priority == "high":
            await self._tell(alert_id, active, judgement, step=step, elder_id=subject.elder_id)
        if level.visit is not None:
            await self._ask_for_visit(alert_id, active, subject.elder_id, level.visit)

    async def _tell(self, alert_id: int, active: Active, judgement: Judgement, *, step: str, elder_id: str) -> None:
        body = {"alert_id": alert_id, "step": step, "rule_id": active.rule.id, "level": judgement.level, "at": judgement.at.isoformat()}
        title = {"title_zh": active.rule.title.zh, "title_en": active.rule.title.en}
        await outbox.add(self.conn, alert_id=alert_id, elder_id=elder_id, step=step, body=body | title, now=self.now)

    async def _ask_for_visit(self, alert_id: int, active: Active, elder_id: str, visit_class: str) -> None:
        title = active.rule.title
        visit_id = await dispatch.request(
            self.conn, elder_id=elder_id, alert_id=alert_id, visit_class=visit_class, reason=f"{title.zh} {title.en}", by=alerts.SYSTEM,
            now=self.now,
        )  # fmt: skip
        await alerts.dispatched(self.conn, alert_id, visit_id=visit_id, by=alerts.SYSTEM, now=self.now)

    async def _close_technical(self, alert: Alert, condition: Condition) -> None:
        """A device that works again needs nobody: its alert closes itself, so that operators are not drowned."""
        is_over = condition in (Condition.RECOVERED, Condition.CANCELLED)
        if is_over and alert.priority == "technical":
            await alerts.close(self.conn, alert.id, by=alerts.SYSTEM, disposition=Disposition.TECHNICAL, text="", now=self.now)

    async def _guarded(self, active: Active, subject: Subject, apply: Callable[[], Awaitable[T]]) -> T | None:
        """Run one rule in a savepoint. If it raises, storage goes on and operators are told that the rule is broken.

        A lost connection or a deadlock is not the rule's fault: it rises, and the whole transaction is tried again.
        """
        try:
            async with self.conn.transaction():
                return await apply()
        except TRANSIENT:
            raise
        except Exception:
            logger.exception("rule %s failed", active.rule.id, extra={"event": "rule_failed", "rule_id": active.rule.id})
        if active.rule.id not in {failed.rule.id for failed in self.rules.events.get(InternalEvent.RULE_FAILED, ())}:
            await self.on_event(Happening(subject, InternalEvent.RULE_FAILED, subject.gateway_id, self.now, detail=active.rule.id))
        return None


async def monitor_all(conn: Connection, rules: RuleBook, stored: Sequence[tuple[StoredSeries, timedelta]], *, now: datetime) -> None:
    """Judge what many homes sent, each series with the skew of its own message: a home's clock may be set between two of them.

    Most of it is calm and of homes without an alert: that needs one question for all of them.
    """
    judged = [(series, skew) for series, skew in stored if series.columns.statistic in JUDGED]
    open_rules = await alerts.open_rules(conn, {_subject(series.home).key for series, _ in judged}) if judged else {}
    for series, skew in judged:
        history_until = readings.last_at(series.columns) if series.columns.is_history else None
        monitor = Monitor(conn, rules, now, skew=skew, history_until=history_until)
        await monitor.on_readings(series, open_rules.setdefault(_subject(series.home).key, set()))


def _subject(home: Home) -> Subject:
    return Subject(home.elder_id, home.gateway_id)


async def on_acknowledged(conn: Connection, alert_id: int, *, now: datetime) -> None:
    """An operator has taken an alert: where somebody called for help, the home hears that help is being found."""
    elder_id = await alerts.caller(conn, alert_id, [EventKind.SOS, EventKind.FALL])
    if elder_id is not None:
        await commands.speak(conn, elder_id=elder_id, text=HEARD_TEXT, now=now)


def _evidence_of(happening: Happening) -> dict[str, float | str]:
    evidence: dict[str, float | str] = {"device": happening.device}
    if happening.confidence is not None:
        evidence["confidence"] = round(happening.confidence, 3)
    if happening.detail is not None:
        evidence["detail"] = happening.detail
    return evidence
