"""Stores a group of letters in one transaction, always in order of home, and says what may be answered after the commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.alerts.model import Subject
from backend.commands import store as commands
from backend.db.pool import Connection
from backend.ingest import store
from backend.ingest.decode import Letter, Reject
from backend.monitor import Happening, Monitor, monitor_all
from backend.readings import cursor
from backend.readings import store as readings
from backend.readings.cursor import Log, Span
from backend.readings.model import Columns, Home
from backend.rules.engine import RuleBook
from contract.events import Event
from contract.message import Message
from contract.readings import Series, SeriesBatch
from contract.status import GatewayStatus
from contract.stored import Refused, Stored

Reply = tuple[str, Message]
"""(gateway id, answer)."""
Logs = dict[tuple[str, str], Log]


@dataclass(frozen=True, slots=True)
class Written:
    """What may be answered once it is committed, and what was new: readings, events; the rest of what came were repeats."""

    replies: list[Reply]
    readings: int
    events: int
    repeats: int


async def write(conn: Connection, letters: Sequence[Letter], rules: RuleBook, *, now: datetime) -> Written:
    """Store and judge all letters; the caller owns the transaction and sends the replies once it has committed."""
    ordered = sorted(letters, key=lambda one: one.gateway_id)
    homes = await _homes(conn, ordered, now=now)
    logs = await cursor.lock(conn, [_span(one) for one in ordered if not isinstance(one.message, GatewayStatus)])
    await _write_batches(conn, [one for one in ordered if isinstance(one.message, SeriesBatch)], homes, logs, rules, now=now)
    for letter in ordered:
        monitor = Monitor(conn, rules, now, skew=_skew(letter))
        if isinstance(letter.message, Event):
            await _write_event(conn, monitor, homes[letter.gateway_id], letter.message, logs, now=now)
        elif isinstance(letter.message, GatewayStatus):
            await _write_status(conn, monitor, homes[letter.gateway_id], letter, letter.message, now=now)
    if logs:
        await cursor.advance(conn, logs.values())
    spans = [_span(one) for one in ordered if not isinstance(one.message, GatewayStatus)]
    replies: list[Reply] = [(one.gateway_id, Stored(log_id=one.log_id, first=one.first, last=one.last, at=now)) for one in spans]
    return Written(
        replies,
        readings=sum(log.readings for log in logs.values()),
        events=sum(log.events for log in logs.values()),
        repeats=sum(log.repeats for log in logs.values()),
    )


async def keep(conn: Connection, reject: Reject, *, now: datetime) -> list[Reply]:
    """Keep what could not be read, and answer it where its sender is known, so that it does not block a home."""
    await store.keep_reject(conn, reject)
    if reject.gateway_id is None:
        return []
    return [(reject.gateway_id, Refused(digest=reject.digest, reason=reject.reason, detail=reject.detail, at=now))]


def _skew(letter: Letter) -> timedelta:
    """Backend's clock minus home's: what lies between a message's two times beyond a delay on the way."""
    message = letter.message
    return timedelta(0) if isinstance(message, GatewayStatus) else letter.arrival.received_at - message.sent_at


async def _homes(conn: Connection, letters: Sequence[Letter], *, now: datetime) -> dict[str, Home]:
    """The senders. What the broker kept for us, and a last will, are no signs of life."""
    alive = {one.gateway_id for one in letters if not one.arrival.is_retained and getattr(one.message, "online", True)}
    others = {one.gateway_id for one in letters} - alive
    homes = await readings.hear(conn, alive, now=now) if alive else {}
    return homes | (await readings.hear(conn, others, now=None) if others else {})


def _span(letter: Letter) -> Span:
    message = letter.message
    if isinstance(message, SeriesBatch):
        return Span(letter.gateway_id, message.log_id, message.first, message.last)
    assert isinstance(message, Event)
    return Span(letter.gateway_id, message.log_id, message.sequence, message.sequence)


async def _write_batches(
    conn: Connection, letters: Sequence[Letter], homes: dict[str, Home], logs: Logs, rules: RuleBook, *, now: datetime
) -> None:
    """Store the readings of all batches together, then judge home by home."""
    fresh: list[tuple[Home, Columns]] = []
    skews: list[timedelta] = []
    for letter in letters:
        batch = letter.message
        assert isinstance(batch, SeriesBatch)
        columns = _take(logs[letter.gateway_id, batch.log_id], batch)
        fresh += [(homes[letter.gateway_id], one) for one in columns]
        skews += [_skew(letter)] * len(columns)
    stored = await readings.store(conn, fresh, received_at=now)
    await monitor_all(conn, rules, list(zip(stored, skews, strict=True)), now=now)


def _take(log: Log, batch: SeriesBatch) -> list[Columns]:
    """The batch's readings that are not stored yet; from now on they count as stored."""
    columns = [_columns(series, rows) for series in batch.series if (rows := _fresh_rows(series, batch.first, log.known))]
    carried = [batch.first + offset for series in batch.series for offset in series.sequences]
    log.take(carried, floor=batch.floor, readings=sum(len(one.values) for one in columns))
    return columns


def _fresh_rows(series: Series, first: int, known: set[int]) -> Sequence[int]:
    """Row numbers whose sequence is not stored yet."""
    if not known:
        return range(len(series.values))
    return [row for row, offset in enumerate(series.sequences) if first + offset not in known]


def _columns(series: Series, rows: Sequence[int]) -> Columns:
    offsets_ms, values = series.offsets_ms, series.values
    if len(rows) < len(values):
        offsets_ms, values = [offsets_ms[row] for row in rows], [values[row] for row in rows]
    return Columns(series.device, series.quantity, series.statistic, series.start_at, offsets_ms, values, series.is_history)


async def _write_event(conn: Connection, monitor: Monitor, home: Home, event: Event, logs: Logs, *, now: datetime) -> None:
    """Its own id alone says whether an event is new: a gateway may have lost its last sequences, and no alarm must go with them."""
    row_id = await store.add_event(conn, home, event, received_at=now)
    logs[home.gateway_id, event.log_id].take([event.sequence], floor=event.floor, events=int(row_id is not None))
    if row_id is None:
        return
    subject = Subject(home.elder_id, home.gateway_id)
    happening = Happening(subject, event.kind, event.device, event.at, confidence=event.confidence, detail=event.detail)
    alert_id = await monitor.on_event(happening)
    if alert_id is not None:
        await store.link_event(conn, row_id, alert_id)


async def _write_status(conn: Connection, monitor: Monitor, home: Home, letter: Letter, status: GatewayStatus, *, now: datetime) -> None:
    is_live = status.online and not letter.arrival.is_retained
    offset = letter.arrival.received_at - status.at if is_live else None
    clock_offset_s = offset.total_seconds() if offset is not None else None
    await store.put_status(conn, home.gateway_id, status, clock_offset_s=clock_offset_s, now=now)
    await commands.done(conn, home.gateway_id, status.commands_done, now=now)
    if offset is not None:
        subject = Subject(home.elder_id, home.gateway_id)
        await monitor.on_clock(subject, offset)
        await monitor.on_devices(subject, [(one.id, one.heard_at) for one in status.devices if one.heard_at and not one.is_lost])
