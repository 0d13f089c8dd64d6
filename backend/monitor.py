"""The story: what has just been stored is judged, and what follows from it is written, all in the transaction that stored it.

    readings -> windows -> episodes -> alerts -> notifications and visit requests
    event ------------------------^

Episodes are when a rule's condition held, by the times of measurement alone; late data rewrite them. An alert is what people work on: it
follows the episodes, and is never unmade.

Every rule runs in a savepoint of its own: if one raises, the readings are stored all the same and operators get an alert about the rule.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from backend.alerting import Alerting
from backend.alerts import store as alerts
from backend.alerts.lifecycle import Action, Condition
from backend.alerts.model import Alert, Subject
from backend.commands import store as commands
from backend.db.pool import TRANSIENT, Connection
from backend.known import Known, know, subject_of
from backend.numbers import News, Numbers, Step, source_of
from backend.readings import store as readings
from backend.readings.model import StoredSeries
from backend.rules import episodes
from backend.rules.engine import Active, RuleBook
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import ScoreRule
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.kinds.trend import TrendRule
from backend.rules.model import AnyEvent, InternalEvent, Judgement, Verdict, to_datetime
from backend.rules.track import Episode
from contract.events import ALONE, EventKind, read_remark
from contract.quantities import Statistic

logger = logging.getLogger(__name__)

T = TypeVar("T")

AHEAD_MAX = timedelta(seconds=20)
BEHIND_MAX = timedelta(seconds=40)
"""SIA DC-09: a message's time is accepted within -40 s to +20 s of the receiver's."""

HEARD_TEXT = "已收到求助，正在联系。"
"""What the home hears once an operator has taken the case of a press or a fall."""

OBSERVED_MAX = 5
"""Points that oxygen (2) and consciousness (3) may add to a total, where somebody filled them in."""

TAKEN_BACK_MAX = timedelta(minutes=2)
"""A cancel that came before its event is believed when it is this near: after a clock was wrong, one of another day must silence nobody."""

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

    `skew` and `history_until` as in Alerting.
    """

    conn: Connection
    rules: RuleBook
    now: datetime
    skew: timedelta = timedelta(0)
    history_until: datetime | None = None

    @property
    def alerting(self) -> Alerting:
        """What moves the alerts."""
        return Alerting(self.conn, self.rules, self.now, self.skew, self.history_until)

    async def on_readings(self, series: StoredSeries, known: Known) -> None:
        """Judge every rule that looks at this series. `known`: what the home's open alerts and episodes make worth a look; it grows."""
        subject = subject_of(series.home)
        book = self.rules.of_elder(subject.elder_id)
        low, high = min(series.columns.values), max(series.columns.values)
        for active in book.numbers.get(series.columns.quantity, ()):
            assert isinstance(active.rule, ThresholdRule | TrendRule)
            if known.reach(active.rule.id, series.columns.start_at) or not active.rule.is_quiet(low, high):
                known.open_rules.add(active.rule.id)
                await self._guarded(active, subject, self._follow(active, subject, series))
        for active in book.scores.get(series.columns.quantity, ()) if subject.elder_id is not None else ():
            assert isinstance(active.rule, ScoreRule)
            if known.reach(active.rule.id, series.columns.start_at) or known.may_score(active.rule, series.columns):
                known.open_rules.add(active.rule.id)
                span = series.columns.start_at, readings.last_at(series.columns)
                await self._guarded(active, subject, self._score(active, subject, *span))

    async def on_observation(self, subject: Subject, at: datetime) -> None:
        """Somebody filled in what no device says: judge the scores again."""
        if subject.elder_id is not None:
            await episodes.score(self.conn, {(subject.elder_id, "observed"): (at, OBSERVED_MAX)}, of=(), max_age=timedelta(0))
        for active in self._scores(subject):
            await self._guarded(active, subject, self._score(active, subject, at, at))

    def _scores(self, subject: Subject) -> list[Active]:
        return [active for active in self.rules.of_elder(subject.elder_id).by_id.values() if isinstance(active.rule, ScoreRule)]

    async def on_event(self, happening: Happening) -> int | None:
        """Judge every rule that looks at this kind. Returns the alert that the event belongs to, if any."""
        alert_id = await self._on_alone(happening) if happening.kind in ALONE else None
        if alert_id is not None:
            return alert_id
        book = self.rules.of_elder(happening.subject.elder_id)
        if happening.kind in book.signs and happening.subject.elder_id is not None:
            at = min(happening.at, self.now)
            await episodes.hear(self.conn, {(happening.subject.elder_id, name): at for name in book.signs[happening.kind]})
        for active in book.events.get(happening.kind, ()):
            alert_id = await self._guarded(active, happening.subject, self._event_judge(active, happening)) or alert_id
        for active in book.cancels.get(happening.kind, ()):
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
            await self.alerting.apply(active, subject, judgement, source=source)

        await self._guarded(active, subject, apply)

    # -- one rule ------------------------------------------------------------------------------------------------------------------------

    def _follow(self, active: Active, subject: Subject, series: StoredSeries) -> Callable[[], Awaitable[None]]:
        async def apply() -> None:
            news = await self._numbers(subject).follow(active, subject, series)
            await self._settle(active, subject, news, source=source_of(series))

        return apply

    def _score(self, active: Active, subject: Subject, first: datetime, last: datetime) -> Callable[[], Awaitable[None]]:
        async def apply() -> None:
            news = await self._numbers(subject).score(active, subject, first, last)
            await self._settle(active, subject, news, source="score")

        return apply

    def _numbers(self, subject: Subject) -> Numbers:
        return Numbers(self.conn, self.now, self.rules.zone(subject.elder_id))

    async def _settle(self, active: Active, subject: Subject, news: News, *, source: str) -> None:
        """Let the alert follow what is new in the episodes of one source, and judge the rules that are made of this one."""
        for step in news.steps:
            await self._take(active, subject, step, news, source=source)
        if news.asked_at is not None and not self.alerting.is_late(active, news.asked_at):
            await self.alerting.ask_to_remeasure(active, subject, news.asked_at, source=source)
        await self._agree(active, subject, news, source=source)
        made_of_this = self.rules.of_elder(subject.elder_id).alls.get(active.rule.id, ()) if news.is_changed else ()
        for whole in made_of_this:
            since = min([step.at for step in news.steps] + ([to_datetime(news.standing.opened_at)] if news.standing else [self.now]))
            await self._guarded(whole, subject, self._all(whole, subject, since))

    def _all(self, active: Active, subject: Subject, since: datetime) -> Callable[[], Awaitable[None]]:
        async def apply() -> None:
            await self._settle(active, subject, await self._numbers(subject).together(active, subject, since), source="all")

        return apply

    async def _take(self, active: Active, subject: Subject, step: Step, news: News, *, source: str) -> None:
        """One step of an episode: a level opens the alert or makes it louder; an end is recovery unless another source goes on."""
        alert = await alerts.find_open(self.conn, subject, active.rule.id)
        value = step.episode.peak if step.level is not None or news.value is None else news.value
        evidence: dict[str, float | str] = {"value": value, "since": to_datetime(step.episode.opened_at).isoformat()}
        evidence |= {"label": news.label} if news.label is not None else {}
        standing = news.standing
        judgement = Judgement(Verdict.BREACHED if step.level else Verdict.CLEAR, step.at, step.level, evidence)
        is_quiet = self.alerting.is_quiet(active, step.episode, step.level)
        if is_quiet and standing is not None and not self.alerting.is_late(active, judgement.at):
            is_quiet = self.alerting.is_quiet(active, standing, standing.level)  # it had ended, but it is there again: that is no recovery
        if alert is None:
            if step.level is not None and not await self.alerting.is_cooling(active, subject, judgement):
                alert_id = await self.alerting.open(active, subject, judgement, source=source, is_late=is_quiet)
                if alert_id is not None:
                    await episodes.link(self.conn, subject.key, active.rule.id, alert_id, since=self.now)
        elif step.level is not None:
            await episodes.link(self.conn, subject.key, active.rule.id, alert.id, since=self.now)
            if step.at >= alert.last_at or self.alerting.is_louder(active, alert, step.level, is_quiet=is_quiet):
                await self.alerting.advance(active, subject, alert, judgement, source=source, is_quiet=is_quiet)
        elif step.at >= alert.last_at and not await episodes.is_standing(self.conn, subject.key, active.rule.id, but=source):
            await self.alerting.advance(active, subject, alert, judgement, source=source, is_quiet=is_quiet)

    async def _agree(self, active: Active, subject: Subject, news: News, *, source: str) -> None:
        """Bring the open alert to what the episodes say after all steps: late data may have ended one, or let it go on."""
        alert = await alerts.find_open(self.conn, subject, active.rule.id)
        standing = news.standing
        if alert is None:
            if standing is not None and news.has_grown and news.verdict is Verdict.BREACHED:
                await self._open_again(active, subject, standing, news.first_at, source=source)
            return
        if standing is None:
            is_over = not news.is_asking and not await episodes.is_standing(self.conn, subject.key, active.rule.id)
            if is_over and alert.condition in (Condition.ACTIVE, Condition.SILENT):
                calm = Judgement(Verdict.CLEAR, max(alert.last_at, news.last_at or alert.last_at), None, {})
                await self.alerting.advance(active, subject, alert, calm, source=source, is_quiet=True)
            return
        level = standing.level
        assert level is not None
        is_quiet = self.alerting.is_quiet(active, standing, level)
        goes_on = bool(alert.evidence.get("late")) and not is_quiet
        is_back = news.verdict is Verdict.BREACHED and alert.condition is not Condition.ACTIVE
        if news.has_grown and (goes_on or is_back):
            last_at = to_datetime(standing.last_at)
            judgement = Judgement(Verdict.BREACHED, last_at, level, {"value": news.value if news.value is not None else standing.peak})
            await self.alerting.advance(active, subject, alert, judgement, source=source, is_quiet=is_quiet)

    async def _open_again(self, active: Active, subject: Subject, standing: Episode, at: datetime, *, source: str) -> None:
        """A person has closed the alert, and what it was about still stands: after the cooldown it is a new one."""
        judgement = Judgement(Verdict.BREACHED, max(at, to_datetime(standing.opened_at)), standing.level, {"value": standing.peak})
        if not await self.alerting.is_cooling(active, subject, judgement):
            await self.alerting.open(
                active, subject, judgement, source=source, is_late=self.alerting.is_quiet(active, standing, standing.level)
            )

    def _event_judge(self, active: Active, happening: Happening) -> Callable[[], Awaitable[int | None]]:
        async def apply() -> int | None:
            level = active.rule.levels[0]
            evidence = _evidence_of(happening)
            judgement = Judgement(Verdict.BREACHED, happening.at, level.name, evidence)
            taken_back = await self._taken_back(active, happening)
            pending_until = self._pending_until(active, happening) if taken_back is None else None
            while (alert := await alerts.find_open(self.conn, happening.subject, active.rule.id)) is None:
                alert_id = await self.alerting.open(
                    active, happening.subject, judgement, source=happening.device, is_told=taken_back is None, pending_until=pending_until
                )
                if alert_id is not None:  # None: another transaction has just opened one, so there is one to repeat
                    if taken_back is not None:
                        await self._event_cancel(active, taken_back)()
                    return alert_id
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
                await self.alerting.call_again(alert.id, active, happening.subject, judgement)
            return alert.id

        return apply

    async def _taken_back(self, active: Active, happening: Happening) -> Happening | None:
        """What took this event back, where that came before the event itself did."""
        if not isinstance(active.rule, EventRule) or active.rule.cancelled_by is None:
            return None
        kind = active.rule.cancelled_by
        whose = happening.subject.gateway_id, happening.device
        at = await episodes.happened_after(self.conn, *whose, kind, happening.at)
        newer = await episodes.happened_after(self.conn, *whose, happening.kind, at) if at else None
        is_near = at is not None and at - happening.at <= max(TAKEN_BACK_MAX, timedelta(seconds=active.rule.cancel_s))
        return replace(happening, kind=kind, at=at) if at is not None and is_near and newer is None else None

    def _pending_until(self, active: Active, happening: Happening) -> datetime | None:
        """The end of the event's cancel window, while that lasts: until then it calls nobody."""
        if not isinstance(active.rule, EventRule) or not active.rule.cancel_s:
            return None
        until = happening.at + timedelta(seconds=active.rule.cancel_s)
        return until + self.skew if self.now < until + self.skew else None

    async def on_due(self, alert: Alert, subject: Subject) -> None:
        """The cancel window of an event is over, and nothing took it back: now it calls."""
        active = self.rules.of_elder(subject.elder_id).by_id.get(alert.rule_id)
        if active is not None:
            judgement = Judgement(Verdict.BREACHED, alert.last_at, active.rule.levels[0].name, {"pending_until": ""})
            await self.alerting.make_louder(active, subject, alert, judgement, source="", is_quiet=False)

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
            await self.alerting.close_needless(alert, condition)
            return alert.id

        return apply

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
    """Judge what many homes sent, each series with the skew of its own message: a home's clock may be set between two of them."""
    judged = [(series, skew) for series, skew in stored if series.columns.statistic in JUDGED]
    if not judged:
        return
    known = await know(conn, rules, [series for series, _ in judged], now=now)
    for series, skew in judged:
        history_until = readings.last_at(series.columns) if series.columns.is_history else None
        monitor = Monitor(conn, rules, now, skew=skew, history_until=history_until)
        await monitor.on_readings(series, known[subject_of(series.home).key])


async def on_taken(conn: Connection, case_id: int, *, now: datetime) -> None:
    """An operator has taken a case: where somebody called for help, the home hears that help is being found."""
    elder_id = await alerts.caller(conn, case_id, [EventKind.SOS, EventKind.FALL])
    if elder_id is not None:
        await commands.speak(conn, elder_id=elder_id, text=HEARD_TEXT, now=now)


def _evidence_of(happening: Happening) -> dict[str, float | str]:
    evidence: dict[str, float | str] = {"device": happening.device}
    if happening.confidence is not None:
        evidence["confidence"] = round(happening.confidence, 3)
    if happening.detail is not None:
        evidence["detail"] = happening.detail
    return evidence
