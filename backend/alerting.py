"""From one verdict to what people see and hear of it: the alert, its case, messages to contacts, the request for a visit.

Who judges is `monitor.py`. An alert follows the lifecycle's table, and is never unmade.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.alerts import store as alerts
from backend.alerts.lifecycle import NEXT_CONDITION, STEP_OF, Action, Condition
from backend.alerts.model import Alert, Subject
from backend.cases import store as cases
from backend.cases.lifecycle import Disposition
from backend.commands import store as commands
from backend.db.pool import Connection
from backend.dispatch import store as dispatch
from backend.notify import outbox
from backend.rules import episodes
from backend.rules.engine import Active, RuleBook
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.event import EventRule
from backend.rules.model import SEVERITY, Judgement, Verdict, to_datetime, to_us
from backend.rules.paging import LOUD, decide
from backend.rules.track import Episode

REMEASURE_TEXT = "请坐下休息五分钟，然后再测量一次。"
"""What the home hears after the first of several readings that a rule wants before it calls anybody."""

ASKED = "asked"
"""Level of an alert that only says: the home was asked to measure again."""


@dataclass(frozen=True, slots=True)
class Alerting:
    """Moves alerts within one transaction: `now` is when the backend received what was judged.

    `skew`: backend's clock minus home's, from the message itself, so that a home whose clock is wrong is not taken for late.
    `history_until`: what was measured up to then was stored by its device while nobody listened: it is late, however young.
    """

    conn: Connection
    rules: RuleBook
    now: datetime
    skew: timedelta
    history_until: datetime | None

    async def apply(self, active: Active, subject: Subject, judgement: Judgement, *, source: str) -> None:
        """Take a verdict as it is: it opens an alert, or moves the open one. Only the calm of what was breached ends it."""
        alert = await alerts.find_open(self.conn, subject, active.rule.id)
        if alert is None:
            if judgement.verdict is Verdict.BREACHED and not await self.is_cooling(active, subject, judgement):
                await self.open(active, subject, judgement, source=source)
            return
        is_calm_of_another = judgement.verdict is Verdict.CLEAR and source not in alert.evidence.get("devices", [])
        if judgement.at >= alert.last_at and not is_calm_of_another:
            await self.advance(active, subject, alert, judgement, source=source, is_quiet=self.is_late(active, judgement.at))

    async def open(
        self, active: Active, subject: Subject, judgement: Judgement, *, source: str, is_late: bool | None = None, is_told: bool = True,
        pending_until: datetime | None = None,
    ) -> int | None:  # fmt: skip
        """Open an alert, and call whom its level asks for. Late ones are quiet but for events; those in their cancel window still wait."""
        assert judgement.level is not None
        level = active.level(judgement.level)
        is_late = self.is_late(active, judgement.at) if is_late is None else is_late
        is_loud = (isinstance(active.rule, EventRule) or not is_late) and pending_until is None
        evidence = dict(judgement.evidence) | {"devices": [source]} | ({"late": True} if is_late else {})
        if pending_until is not None:
            evidence["pending_until"] = pending_until.isoformat()
        alert_id = await alerts.open_alert(
            self.conn, subject, rule_id=active.rule.id, rule_version=active.version, level=level.name, at=judgement.at, now=self.now,
            priority=level.priority if is_loud else "low", evidence=evidence,
        )  # fmt: skip
        if alert_id is not None:
            await cases.follow(self.conn, alert_id, now=self.now)
        if alert_id is not None and is_loud and is_told:
            await self._call(alert_id, active, subject, judgement, step="opened")
        return alert_id

    async def advance(self, active: Active, subject: Subject, alert: Alert, judgement: Judgement, *, source: str, is_quiet: bool) -> None:
        """Move an open alert by the lifecycle table, and make it louder when it is worse than what people were told."""
        condition = NEXT_CONDITION.get((alert.condition, judgement.verdict), alert.condition)
        if judgement.level is not None and self.is_louder(active, alert, judgement.level, is_quiet=is_quiet):
            await self.make_louder(active, subject, alert, judgement, source=source, is_quiet=is_quiet)
        elif condition is not alert.condition:
            evidence: dict[str, Any] = dict(judgement.evidence)
            repeats = 1 if condition is Condition.ACTIVE else 0
            if condition is Condition.ACTIVE:
                evidence["devices"] = [source]
            await alerts.change(
                self.conn, alert.id, condition=condition, action=STEP_OF[condition], at=judgement.at, now=self.now, repeats=repeats,
                evidence=evidence,
            )  # fmt: skip
            await self.close_needless(alert, condition)
            if alert.condition is Condition.RECOVERED and not is_quiet:
                await self.call_again(alert.id, active, subject, judgement)

    async def make_louder(
        self, active: Active, subject: Subject, alert: Alert, judgement: Judgement, *, source: str, is_quiet: bool
    ) -> None:
        """The breached level becomes the alert's, and its case and its calls follow."""
        assert judgement.level is not None
        level = active.level(judgement.level)
        is_quiet = is_quiet and (bool(alert.evidence.get("late")) or alert.level == ASKED)
        devices = {"devices": [source]} if source else {}
        await alerts.change(
            self.conn, alert.id, condition=Condition.ACTIVE, action=Action.RAISED, at=judgement.at, now=self.now, level=level.name,
            repeats=int(alert.condition in (Condition.RECOVERED, Condition.CANCELLED)), priority="low" if is_quiet else level.priority,
            evidence=dict(judgement.evidence) | devices | {"late": is_quiet},
        )  # fmt: skip
        await cases.follow(self.conn, alert.id, now=self.now)
        if not is_quiet:
            await self._call(alert.id, active, subject, judgement, step=f"raised:{level.name}")

    async def call_again(self, alert_id: int, active: Active, subject: Subject, judgement: Judgement) -> None:
        """It happens anew while the alert of last time is still open: whoever has its case takes it again, and others are told."""
        await cases.follow(self.conn, alert_id, now=self.now, is_news=True)
        await self._call(alert_id, active, subject, judgement, step=f"repeated:{judgement.at.isoformat()}")

    async def ask_to_remeasure(self, active: Active, subject: Subject, at: datetime, *, source: str) -> None:
        """The first of several readings: the home is asked for another, and operators see that it was; nobody is called."""
        if subject.elder_id is not None:
            await commands.speak(self.conn, elder_id=subject.elder_id, text=REMEASURE_TEXT, now=self.now)
        alert_id = await alerts.open_alert(
            self.conn, subject, rule_id=active.rule.id, rule_version=active.version, level=ASKED, at=at, now=self.now, priority="low",
            evidence={"devices": [source]},
        )  # fmt: skip
        if alert_id is not None:
            await cases.follow(self.conn, alert_id, now=self.now)

    async def close_needless(self, alert: Alert, condition: Condition) -> None:
        """A device that works again, a first reading that the second refuted: such alerts close themselves, or operators would drown."""
        if condition not in (Condition.RECOVERED, Condition.CANCELLED):
            return
        if alert.priority == "technical":
            await alerts.close(self.conn, alert.id, by=alerts.SYSTEM, disposition=Disposition.TECHNICAL, text="", now=self.now)
        elif alert.level == ASKED:
            await alerts.close(self.conn, alert.id, by=alerts.SYSTEM, disposition=Disposition.FALSE, text="", now=self.now)
        await cases.follow(self.conn, alert.id, now=self.now)

    def is_louder(self, active: Active, alert: Alert, level: str, *, is_quiet: bool) -> bool:
        """A worse level; or what was known too late to page anybody, and goes on now."""
        return (bool(alert.evidence.get("late")) and not is_quiet) or active.rank(level) > active.rank(alert.level)

    def is_quiet(self, active: Active, episode: Episode, level: str | None) -> bool:
        """True where a level that would call somebody must not: its data are old, or had shown recovery when they came."""
        level = level or episode.worst(SEVERITY)
        if active.rank(level) < 0 or active.level(level).priority not in LOUD:
            return False  # the level of an older version, or one that rings at nobody
        known_to = to_datetime(episode.closed_at or episode.last_at)
        if self.history_until is not None and known_to <= self.history_until:
            return True
        return not decide(active, episode, level, known_at=to_us(self.now - self.skew))[0]

    def is_late(self, active: Active, at: datetime) -> bool:
        """True for what was measured too long ago to page anybody, or was kept by its device while nobody listened."""
        timing = getattr(active.rule, "timing", None)
        if timing is not None and self.history_until is not None and at <= self.history_until:
            return True
        return timing is not None and self.now - (at + self.skew) > timedelta(seconds=timing.late_page_s)

    async def is_cooling(self, active: Active, subject: Subject, judgement: Judgement) -> bool:
        """True when a person has just closed this, and it is not worse than what was closed. Silence is closed until the next sound."""
        closed = await alerts.last_closed(self.conn, subject, active.rule.id)
        if closed is None or judgement.level is None:
            return False
        level, closed_at = closed
        timing = getattr(active.rule, "timing", None)
        if timing is None:
            return judgement.at <= closed_at
        is_worse = active.rank(judgement.level) > active.rank(level)
        return judgement.at + self.skew - closed_at < timedelta(seconds=timing.cooldown_s) and not is_worse

    async def _call(self, alert_id: int, active: Active, subject: Subject, judgement: Judgement, *, step: str) -> None:
        """Do what the breached level asks for: tell the elder's contacts, ask for a doctor."""
        assert judgement.level is not None
        level = active.level(judgement.level)
        if subject.elder_id is None or await self._is_muted(active, subject, level.name) or await cases.rests(self.conn, alert_id):
            return
        if level.priority == "high":
            await self._tell(alert_id, active, judgement, step=step, elder_id=subject.elder_id)
        if level.visit is not None:
            await self._ask_for_visit(alert_id, active, subject.elder_id, level.visit)

    async def _is_muted(self, active: Active, subject: Subject, level: str) -> bool:
        """True while a rule that is made of this one has an open alert, and calls instead."""
        wholes = self.rules.of_elder(subject.elder_id).alls.get(active.rule.id, ())
        muting = [one.rule.id for one in wholes if isinstance(one.rule, AllRule) and f"{active.rule.id}.{level}" in one.rule.mutes]
        for rule_id in muting:
            if await episodes.is_standing(self.conn, subject.key, rule_id):
                return True
        return False

    async def _tell(self, alert_id: int, active: Active, judgement: Judgement, *, step: str, elder_id: str) -> None:
        body = {"alert_id": alert_id, "step": step, "rule_id": active.rule.id, "level": judgement.level, "at": judgement.at.isoformat()}
        title = {"title_zh": active.rule.title.zh, "title_en": active.rule.title.en}
        await outbox.add(self.conn, alert_id=alert_id, elder_id=elder_id, step=step, body=body | title, now=self.now)

    async def _ask_for_visit(self, alert_id: int, active: Active, elder_id: str, visit_class: str) -> None:
        title = active.rule.title
        lead_id = await cases.lead(self.conn, alert_id)  # one doctor for a case, however many of its alerts ask for one
        visit_id = await dispatch.request(
            self.conn, elder_id=elder_id, alert_id=lead_id, visit_class=visit_class, reason=f"{title.zh} {title.en}", by=alerts.SYSTEM,
            now=self.now,
        )  # fmt: skip
        await cases.dispatched(self.conn, alert_id, visit_id=visit_id, by=alerts.SYSTEM, now=self.now)
