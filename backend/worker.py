"""The worker: the clock of the backend. Silence rules, cases nobody takes, offers to doctors, sending, storage. Any number may run."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from backend import visit_news
from backend.alerts import store as alerts
from backend.alerts.lifecycle import Condition
from backend.alerts.model import Subject
from backend.cases import escalation, report
from backend.cases import store as cases
from backend.commands import store as commands
from backend.config import Config
from backend.db import partitions
from backend.db.apart import apart
from backend.db.pool import TRANSIENT, Connection, Pool, open_pool
from backend.dispatch import due_store, progress_store, running, travel_store
from backend.dispatch import store as dispatch
from backend.dispatch.day import run as day_run
from backend.dispatch.day.solver import Limit
from backend.dispatch.ladder import RUNG_BACKUP
from backend.dispatch.store import Served
from backend.metrics import store as whole
from backend.metrics.health import Health
from backend.metrics.jobs import Jobs
from backend.metrics.serving import make_registry, serving
from backend.metrics.worker import GATEWAYS_S, OPEN_S, WorkerMetrics
from backend.monitor import AHEAD_MAX, BEHIND_MAX, Monitor
from backend.notify import outbox, sender
from backend.readings import compaction, retention
from backend.readings import store as readings
from backend.readings.model import Home
from backend.rules import signs
from backend.rules import store as rules
from backend.rules.engine import Active
from backend.rules.kinds.absence import AbsenceRule, Span
from backend.rules.kinds.absence import judge as judge_absence
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.kinds.trend import TrendRule
from backend.rules.model import Judgement, Verdict
from backend.rules.signs import Silent, judge_signs
from contract.quantities import QuantityName

logger = logging.getLogger(__name__)

ONLINE_S = 180
"""A gateway is heard every 75 s at least; one not heard for twice as long and a little cannot tell whether its devices are silent."""
STILL_THERE_TEXT = "您好，好久没有动静了。如果一切都好，请起来走动一下。"
"""What a home hears before the alert of a silence is due."""
HOUSEKEEPING_S = 600
COMPACTION_S = 60
PLAN_S = 1
DUE_S = 3600
LEARN_S = 24 * 3600
SENDERS = 4
"""Messages on their way at once: one receiver that does not answer must not hold up the others."""


class Worker:
    """One worker process. Every job is safe to run on two workers and to kill at any step."""

    def __init__(self, config: Config, pool: Pool) -> None:
        self._config = config.worker
        self._habits = config.plan
        self._notify_config = config.notify
        self._metrics_config = config.metrics
        self._pool = pool
        self._registry = make_registry()
        self._metrics = WorkerMetrics(self._registry, lambda: datetime.now(UTC))
        self._health = Health(pool, self._metrics.jobs.conditions)

    async def run(self) -> None:
        """Run until cancelled."""
        with serving(self._metrics_config.host, self._metrics_config.worker_port, self._registry, self._health):
            await self._run()

    async def _run(self) -> None:
        scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
        for job, every_s in self._jobs():
            self._metrics.jobs.plan(job.__name__, every_s=every_s)
            scheduler.add_job(_guarded(job, self._metrics.jobs), "interval", seconds=every_s, next_run_time=datetime.now(UTC))
        scheduler.start()
        try:
            await self._health.run()
        finally:
            scheduler.shutdown(wait=False)

    def _jobs(self) -> list[tuple[Callable[[], Awaitable[None]], float]]:
        return [
            (self.judge_silence, self._config.silence_tick_s),
            (self.escalate_cases, self._config.escalate_tick_s),
            (self.offer_visits, self._config.offer_tick_s),
            (self.make_room, self._config.offer_tick_s),
            (self.send_notifications, self._config.send_tick_s),
            (self.keep_house, HOUSEKEEPING_S),
            (self.report_week, HOUSEKEEPING_S),
            (self.compact, COMPACTION_S),
            (self.plan_days, PLAN_S),
            (self.list_due, DUE_S),
            (self.learn_travel, LEARN_S),
            (self.drop_expired, HOUSEKEEPING_S),
            (self.count_open, OPEN_S),
            (self.count_gateways, GATEWAYS_S),
        ]

    async def judge_silence(self) -> None:
        """Judge what brings no message: absence rules, open alerts whose data has stopped, and cancel windows that are over."""
        now = datetime.now(UTC)
        async with self._pool.connection() as conn:
            book = await rules.load(conn)
            for active in book.by_id.values():
                if isinstance(active.rule, AbsenceRule):
                    await self._judge_absence(Monitor(conn, book, now), active, active.rule)
                elif isinstance(active.rule, ThresholdRule | TrendRule):
                    await self._judge_stale(Monitor(conn, book, now), active, active.rule)
            await self._release(Monitor(conn, book, now))

    async def _judge_absence(self, monitor: Monitor, active: Active, rule: AbsenceRule) -> None:
        """Judge the homes that are silent or have an alert; where that says so already, there is nothing to add."""
        conditions = {subject.key: condition for subject, condition in (await alerts.open_of_rule(monitor.conn, rule.id)).items()}
        if rule.is_of_signs:
            await self._judge_signs(monitor, active, rule, conditions)
            return
        for home, heard_at, since in await _heard(monitor, rule, also=conditions.keys()):
            judgement = judge_absence(rule, heard_at, monitor.now, listening_since=since)
            await self._judge_silent(monitor, active, home, judgement, conditions)

    async def _judge_signs(self, monitor: Monitor, active: Active, rule: AbsenceRule, conditions: Mapping[str, Condition]) -> None:
        """Judge what is remembered as signs of life, each elder with the overrides and the zone of their own."""
        shortest_s = min(level.for_s - level.warn_home_s for level in rule.levels)
        due_before = monitor.now - timedelta(seconds=shortest_s)
        silent = await signs.silent(monitor.conn, rule.of, rule.after, due_before=due_before, also=conditions.keys())
        held = await signs.held(monitor.conn, [one.home.elder_id for one in silent if one.home.elder_id], rule.held_while, now=monitor.now)
        for one in silent:
            own = monitor.rules.of_elder(one.home.elder_id).by_id[rule.id]
            assert isinstance(own.rule, AbsenceRule)
            spans = held.get(one.home.elder_id or "", [])
            judgement = judge_signs(own.rule, one, spans, now=monitor.now, home_zone=monitor.rules.zone(one.home.elder_id))
            if judgement is not None:
                await self._judge_silent(monitor, own, one.home, judgement, conditions)
            await self._warn_home(monitor, own.rule, one, spans)

    async def _judge_silent(
        self, monitor: Monitor, active: Active, home: Home, judgement: Judgement, conditions: Mapping[str, Condition]
    ) -> None:
        is_known = judgement.verdict is Verdict.BREACHED and conditions.get(_subject(home).key) is Condition.ACTIVE
        if is_known and len(active.rule.levels) == 1:
            return
        assert isinstance(active.rule, AbsenceRule)
        source = home.gateway_id if active.rule.of == "gateway" else active.rule.of
        await self._silence(monitor, active, home, judgement, source=source)

    async def _warn_home(self, monitor: Monitor, rule: AbsenceRule, one: Silent, held: Sequence[Span]) -> None:
        """Before an alert is due, ask the home once: whoever answers by moving needs nobody."""
        lead_s = max(level.warn_home_s for level in rule.levels)
        elder_id = one.home.elder_id
        if not lead_s or elder_id is None:
            return
        zone = monitor.rules.zone(elder_id)
        soon = judge_signs(rule, one, held, now=monitor.now + timedelta(seconds=lead_s), home_zone=zone)
        is_due = judge_signs(rule, one, held, now=monitor.now, home_zone=zone)
        if soon is None or soon.verdict is not Verdict.BREACHED or (is_due is not None and is_due.verdict is Verdict.BREACHED):
            return
        async with monitor.conn.transaction():
            if await signs.note_warning(monitor.conn, elder_id, rule.id, since=one.since, now=monitor.now):
                await commands.speak(monitor.conn, elder_id=elder_id, text=STILL_THERE_TEXT, now=monitor.now)

    async def _release(self, monitor: Monitor) -> None:
        """Let events call whose cancel window is over."""
        async with monitor.conn.transaction():
            for alert, subject in await alerts.pending(monitor.conn, now=monitor.now):
                await monitor.on_due(alert, subject)

    async def _silence(self, monitor: Monitor, active: Active, home: Home, judgement: Judgement, *, source: str) -> None:
        async with monitor.conn.transaction():
            await monitor.on_silence(active, _subject(home), judgement, source=source)

    async def _judge_stale(self, monitor: Monitor, active: Active, rule: ThresholdRule | TrendRule) -> None:
        conditions = await alerts.open_of_rule(monitor.conn, rule.id)
        homes = [Home(one.gateway_id, one.elder_id) for one, condition in conditions.items() if condition is Condition.ACTIVE]
        for home, last_at in await readings.last_measured(monitor.conn, homes, rule.quantity) if homes else ():
            own = monitor.rules.of_elder(home.elder_id).by_id[rule.id].rule
            assert isinstance(own, ThresholdRule | TrendRule)
            if monitor.now - last_at > timedelta(seconds=own.fresh_s):
                judgement = Judgement(Verdict.UNKNOWN, monitor.now, None, {"silent_since": last_at.isoformat()})
                await self._silence(monitor, active, home, judgement, source=rule.quantity)

    async def escalate_cases(self) -> None:
        """Do every step of a case whose timer has run out, one transaction each: who must know is told by the same transaction."""
        while True:
            async with self._pool.connection() as conn, conn.transaction():
                done = await cases.escalate_due(conn, now=(now := datetime.now(UTC)))
                if done is not None and done.told:
                    await outbox.add_for_case(
                        conn, case_id=done.case.id, people=[f"account:{name}" for name in done.told],
                        step=f"{done.step}:{now.isoformat()}", body=escalation.message(done.case.id, done.step, at=now),
                        priority=done.case.priority, now=now,
                    )  # fmt: skip
            if done is None:
                return

    async def offer_visits(self) -> None:
        """Serve every visit whose timer has run out, one transaction each."""
        while True:
            async with self._pool.connection() as conn:
                ready = await dispatch.next_due(conn, now=(now := datetime.now(UTC)), habits=self._habits)
                if ready is None:
                    return
                async with conn.transaction():
                    served = await dispatch.offer_due(conn, ready, now=now, retry_s=self._config.retry_s)
                    if served is not None:
                        async with apart(conn, "nobody hears of an offer", event="offer_untold", visit_id=served.visit_id):
                            await _tell(conn, served, now=now)

    async def make_room(self) -> None:
        """Make room in the days of the doctors who have taken urgent visits."""
        while True:
            async with self._pool.connection() as conn:
                if not await running.make_due_room(conn, now=datetime.now(UTC), habits=self._habits):
                    return

    async def send_notifications(self) -> None:
        """Send everything that is due."""
        ends = await asyncio.gather(*(self._send_until_none() for _ in range(SENDERS)), return_exceptions=True)
        if (trouble := next(filter(None, ends), None)) is not None:  # once all have ended: none is left running by itself
            raise trouble

    async def _send_until_none(self) -> None:
        while await sender.send_one(self._pool, now=datetime.now(UTC), settings=self._notify_config):
            pass

    async def keep_house(self) -> None:
        """Make the coming partitions."""
        async with self._pool.connection() as conn:
            await partitions.prepare(conn, now=datetime.now(UTC))

    async def plan_days(self) -> None:
        """Make the plans that were asked for, one after another."""
        while await day_run.serve_one(self._pool, clock=lambda: datetime.now(UTC), limit=Limit(), habits=self._habits):
            pass

    async def learn_travel(self) -> None:
        """Learn from departures and arrivals how long ways take in each team's area."""
        async with self._pool.connection() as conn, conn.transaction():
            await travel_store.learn_travel(conn, now=datetime.now(UTC))

    async def list_due(self) -> None:
        """Put on the due list what the date rules ask for today."""
        now = datetime.now(UTC)
        async with self._pool.connection() as conn, conn.transaction():
            await due_store.add_by_rules(conn, today=now.astimezone(progress_store.ZONE).date(), now=now)

    async def report_week(self) -> None:
        """Make the chatter report of the last week, once."""
        async with self._pool.connection() as conn:
            if (week := await report.keep_week(conn, now=datetime.now(UTC))) is not None:
                logger.info("the report of the week of %s is made", week, extra={"event": "chatter_report_made"})

    async def compact(self) -> None:
        """Turn what was received into long segments and rollups, chunk by chunk."""
        async with self._pool.connection() as conn:
            for done in await compaction.compact(conn, now=datetime.now(UTC)):
                logger.info("compacted %d readings of %s", done.readings, done.chunk, extra={"event": "compacted"})

    async def drop_expired(self) -> None:
        """Drop what is past its retention."""
        async with self._pool.connection() as conn:
            for name in await retention.drop_expired(conn, now=datetime.now(UTC)):
                logger.info("dropped %s", name, extra={"event": "chunk_dropped"})
            await retention.to_columnstore(conn, now=datetime.now(UTC))

    async def count_open(self) -> None:
        """Read for Prometheus what people have to do."""
        async with self._pool.connection() as conn:
            self._metrics.take_open(await whole.read_open(conn, now=datetime.now(UTC)))

    async def count_gateways(self) -> None:
        """Read for Prometheus how the homes are."""
        online_since = datetime.now(UTC) - timedelta(seconds=ONLINE_S)
        limits = {"behind_s": BEHIND_MAX.total_seconds(), "ahead_s": AHEAD_MAX.total_seconds()}
        async with self._pool.connection() as conn:
            self._metrics.take_gateways(await whole.read_gateways(conn, online_since=online_since, **limits))


async def _tell(conn: Connection, served: Served, *, now: datetime) -> None:
    await visit_news.offered(conn, visit_id=served.visit_id, now=now)
    if served.reached == RUNG_BACKUP:
        await visit_news.nobody_yet(conn, visit_id=served.visit_id, elder_id=served.elder_id, alert_id=served.alert_id, now=now)
    if served.is_failed:
        await visit_news.not_offered(conn, visit_id=served.visit_id, alert_id=served.alert_id, now=now)


def _subject(home: Home) -> Subject:
    return Subject(home.elder_id, home.gateway_id)


async def _heard(monitor: Monitor, rule: AbsenceRule, *, also: Collection[str]) -> list[tuple[Home, datetime, datetime]]:
    """Homes that may be silent by this rule, and those in `also`: when they were heard, and since when somebody listens."""
    now = monitor.now
    silent_before = now - timedelta(seconds=rule.levels[0].for_s)
    if rule.of == "gateway":
        return await readings.heard_gateways(monitor.conn, now=now, silent_before=silent_before, also=also)
    assert isinstance(rule.of, QuantityName)
    online_since = now - timedelta(seconds=ONLINE_S)
    heard = await readings.heard_quantity(monitor.conn, rule.of, online_since=online_since, silent_before=silent_before, also=also)
    return [(home, heard_at, readings.EVER) for home, heard_at in heard]


def _guarded(job: Callable[[], Awaitable[None]], jobs: Jobs) -> Callable[[], Awaitable[None]]:
    """A job whose failure is logged and does not stop the others; it runs again at its next tick. How it went is noted in `jobs`."""

    async def run() -> None:
        began_s = time.perf_counter()
        try:
            await job()
            jobs.succeeded(job.__name__, time.perf_counter() - began_s)
            return
        except asyncio.CancelledError:
            logger.debug("%s was cut short by the end of the process", job.__name__)
        except TRANSIENT as error:
            logger.warning("%s must wait: %s", job.__name__, type(error).__name__, extra={"event": "job_delayed"})
        except Exception:
            logger.exception("%s failed", job.__name__, extra={"event": "job_failed"})
        jobs.failed(job.__name__, time.perf_counter() - began_s)

    run.__name__ = job.__name__
    return run


async def run(config: Config) -> None:
    """Open the database and work."""
    pool = await open_pool(config.database)
    async with pool:
        await Worker(config, pool).run()
