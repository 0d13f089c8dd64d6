"""Stores a group of letters in one transaction, always in order of home, and says what may be answered after the commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.commands import store as commands
from backend.db.pool import Connection
from backend.ingest import store
from backend.ingest.decode import Letter, Reject, Upward
from backend.monitor import AHEAD_MAX, BEHIND_MAX, Happening, Monitor, monitor_all
from backend.readings import cursor
from backend.readings import store as readings
from backend.readings.cursor import Claim, Key, Log
from backend.readings.model import Columns, Home
from backend.readings.store import SeriesIds
from backend.rules.engine import RuleBook
from contract.events import Event
from contract.message import Message
from contract.readings import Series, SeriesBatch
from contract.status import GatewayStatus
from contract.stored import Refused, Stored

Reply = tuple[str, Message]
"""(gateway id, answer)."""
Logs = dict[Key, Log]
Fresh = tuple[Home, Columns, timedelta]
"""New readings, and the skew of the message that brought them."""


@dataclass(frozen=True, slots=True)
class Written:
    """What may be answered once it is committed, and what was new: readings, events; the rest of what came were repeats."""

    replies: list[Reply]
    readings: int
    events: int
    repeats: int


async def write(conn: Connection, letters: Sequence[Letter], rules: RuleBook, *, now: datetime, ids: SeriesIds | None = None) -> Written:
    """Store and judge all letters; the caller owns the transaction, and sends the replies and keeps `ids` once it has committed."""
    ordered = sorted(letters, key=attrgetter("gateway_id"))
    homes = await _homes(conn, ordered, now=now)
    claimed = [(letter, claim) for letter in ordered if (claim := _claim(letter)) is not None]
    logs = await cursor.advance(conn, [claim for _, claim in claimed]) if claimed else {}
    fresh = [
        series
        for letter, claim in claimed
        if isinstance(letter.message, SeriesBatch)
        for series in _take(letter, letter.message, logs[claim.key], claim, homes[letter.gateway_id])
    ]
    await _store(conn, fresh, rules, now=now, ids=ids)
    for letter, _ in claimed:
        if isinstance(letter.message, Event):
            monitor = Monitor(conn, rules, now, skew=_skew(letter))
            await _write_event(conn, monitor, homes[letter.gateway_id], letter.message, logs, now=now)
    await _write_statuses(Monitor(conn, rules, now), [one for one in ordered if isinstance(one.message, GatewayStatus)], homes)
    await cursor.correct(conn, logs.values())
    return Written(
        [(letter.gateway_id, _answer(letter.message, now)) for letter, _ in claimed],
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


def _claim(letter: Letter) -> Claim | None:
    """The sequences that a message carries; a status has none."""
    message = letter.message
    if isinstance(message, SeriesBatch):
        carried = message.carried
        return Claim((letter.gateway_id, message.log_id), carried, len(carried), message.floor)
    if isinstance(message, Event):
        return Claim((letter.gateway_id, message.log_id), (message.sequence,), 0, message.floor)
    return None


def _answer(message: Upward, now: datetime) -> Stored:
    if isinstance(message, SeriesBatch):
        return Stored(log_id=message.log_id, first=message.first, last=message.last, at=now)
    assert isinstance(message, Event)
    return Stored(log_id=message.log_id, first=message.sequence, last=message.sequence, at=now)


def _take(letter: Letter, batch: SeriesBatch, log: Log, claim: Claim, home: Home) -> list[Fresh]:
    """The batch's readings that are not stored yet; from now on they count as stored."""
    known, skew = log.known, _skew(letter)
    columns = [_columns(series, rows) for series in batch.series if (rows := _fresh_rows(series, batch.first, known))]
    log.take(claim.carried, readings=sum([len(one.values) for one in columns]))
    return [(home, one, skew) for one in columns]


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


async def _store(conn: Connection, fresh: Sequence[Fresh], rules: RuleBook, *, now: datetime, ids: SeriesIds | None) -> None:
    """Store the readings of all batches together, then judge home by home."""
    stored = await readings.store(conn, [(home, columns) for home, columns, _ in fresh], received_at=now, ids=ids)
    await monitor_all(conn, rules, [(series, skew) for series, (_, _, skew) in zip(stored, fresh, strict=True)], now=now)


async def _write_event(conn: Connection, monitor: Monitor, home: Home, event: Event, logs: Logs, *, now: datetime) -> None:
    """Its own id alone says whether an event is new: a gateway may have lost its last sequences, and no alarm must go with them."""
    row_id = await store.add_event(conn, home, event, received_at=now)
    logs[home.gateway_id, event.log_id].take([event.sequence], events=int(row_id is not None))
    if row_id is None:
        return
    subject = Subject(home.elder_id, home.gateway_id)
    happening = Happening(subject, event.kind, event.device, event.at, confidence=event.confidence, detail=event.detail)
    alert_id = await monitor.on_event(happening)
    if alert_id is not None:
        await store.link_event(conn, row_id, alert_id)


async def _write_statuses(monitor: Monitor, letters: Sequence[Letter], homes: dict[str, Home]) -> None:
    """Store all of them by one statement, then judge. All homes say now and then that all is well: that must cost next to nothing."""
    left = letters
    while left:
        first = {letter.gateway_id: letter for letter in reversed(left)}  # several of one home: one after the other
        await _write_each_status(monitor, first, homes)
        left = [letter for letter in left if first[letter.gateway_id] is not letter]


async def _write_each_status(monitor: Monitor, letters: dict[str, Letter], homes: dict[str, Home]) -> None:
    statuses = {gateway_id: (_status(letter), _clock_offset(letter)) for gateway_id, letter in letters.items()}
    offsets_s = {
        gateway_id: (status, None if offset is None else offset.total_seconds()) for gateway_id, (status, offset) in statuses.items()
    }
    await store.put_statuses(monitor.conn, offsets_s, now=monitor.now)
    subjects = {gateway_id: Subject(homes[gateway_id].elder_id, gateway_id) for gateway_id in statuses}
    open_rules = await alerts.open_rules(monitor.conn, {subject.key for subject in subjects.values()})
    for gateway_id, (status, offset) in statuses.items():
        await commands.done(monitor.conn, gateway_id, status.commands_done, now=monitor.now)
        subject = subjects[gateway_id]
        if offset is not None and (subject.key in open_rules or not -AHEAD_MAX <= offset <= BEHIND_MAX):
            await monitor.on_clock(subject, offset)
            await monitor.on_devices(subject, [(one.id, one.heard_at) for one in status.devices if one.heard_at and not one.is_lost])


def _status(letter: Letter) -> GatewayStatus:
    assert isinstance(letter.message, GatewayStatus)
    return letter.message


def _clock_offset(letter: Letter) -> timedelta | None:
    """Backend's clock minus home's, from a status that was not delayed; None for what the broker kept and for a last will."""
    status = _status(letter)
    is_live = status.online and not letter.arrival.is_retained
    return letter.arrival.received_at - status.at if is_live else None
