"""Stores a group of letters in one transaction, always in order of home, and says what may be answered after the commit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backend.alerts.model import Subject
from backend.commands import store as commands
from backend.db.pool import Connection
from backend.ingest import store
from backend.ingest.decode import Letter, Reject
from backend.monitor import Happening, Monitor
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from backend.rules.engine import RuleBook
from contract.events import Event
from contract.message import Message
from contract.readings import Series, SeriesBatch
from contract.status import GatewayStatus
from contract.stored import Refused, Stored

Reply = tuple[str, Message]
"""(gateway id, answer)."""


async def write(conn: Connection, letters: Sequence[Letter], rules: RuleBook, *, now: datetime) -> list[Reply]:
    """Store and judge all letters; the caller owns the transaction and sends the replies once it has committed."""
    replies: list[Reply] = []
    for letter in sorted(letters, key=lambda one: one.gateway_id):
        message = letter.message
        monitor = Monitor(conn, rules, now, skew=_skew(letter))
        home = await _home(conn, letter, now=now)
        if isinstance(message, SeriesBatch):
            await _write_batch(conn, monitor, home, message, now=now)
            replies.append((home.gateway_id, Stored(log_id=message.log_id, first=message.first, last=message.last, at=now)))
        elif isinstance(message, Event):
            await _write_event(conn, monitor, home, message, now=now)
            replies.append((home.gateway_id, Stored(log_id=message.log_id, first=message.sequence, last=message.sequence, at=now)))
        else:
            await _write_status(conn, monitor, home, letter, message, now=now)
    return replies


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


async def _home(conn: Connection, letter: Letter, *, now: datetime) -> Home:
    """The sender. What the broker kept for us, and a last will, are no signs of life."""
    is_alive = not letter.arrival.is_retained and getattr(letter.message, "online", True)
    return await readings.hear(conn, letter.gateway_id, now=now if is_alive else None)


async def _write_batch(conn: Connection, monitor: Monitor, home: Home, batch: SeriesBatch, *, now: datetime) -> None:
    known = await readings.lock_log(conn, home.gateway_id, batch.log_id, first=batch.first, last=batch.last)
    fresh = [(series, _fresh_rows(series, batch.first, known)) for series in batch.series]
    columns = [_columns(series, rows) for series, rows in fresh if rows]
    stored = await readings.store(conn, home, columns, received_at=now) if columns else []
    count = sum(len(one.values) for one in columns)
    carried = [batch.first + offset for series in batch.series for offset in series.sequences]
    await readings.advance_log(
        conn, home.gateway_id, batch.log_id, carried=carried, floor=batch.floor, readings=count, repeats=len(carried) - count
    )
    await monitor.on_readings(home, stored)


def _fresh_rows(series: Series, first: int, known: list[range]) -> list[int]:
    """Row numbers whose sequence is not stored yet."""
    stored = {sequence for part in known for sequence in part}
    return [row for row, offset in enumerate(series.sequences) if first + offset not in stored]


def _columns(series: Series, rows: list[int]) -> Columns:
    return Columns(
        series.device,
        series.quantity,
        series.statistic,
        series.start_at,
        [series.offsets_ms[row] for row in rows],
        [series.values[row] for row in rows],
    )


async def _write_event(conn: Connection, monitor: Monitor, home: Home, event: Event, *, now: datetime) -> None:
    """Its own id alone says whether an event is new: a gateway may have lost its last sequences, and no alarm must go with them."""
    await readings.lock_log(conn, home.gateway_id, event.log_id, first=event.sequence, last=event.sequence)
    row_id = await store.add_event(conn, home, event, received_at=now)
    is_new = row_id is not None
    await readings.advance_log(
        conn, home.gateway_id, event.log_id, carried=[event.sequence], floor=event.floor, events=int(is_new), repeats=int(not is_new)
    )
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
