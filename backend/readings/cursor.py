"""Exactly once: of each gateway's log the database knows which sequences are stored, and moves that in the transaction that stores them.

The caller owns the transaction. All logs of a group are locked by one statement and moved by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.db.pool import Connection

OPEN = """
INSERT INTO gateway_log (gateway_id, log_id) SELECT * FROM unnest(%(gateway_ids)s::text[], %(log_ids)s::text[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
LOCK = """
SELECT gateway_id, log_id, nullif(stored * int8multirange(int8range(n.first, n.last, '[]')), '{}')::text AS kept
FROM gateway_log l
JOIN unnest(%(gateway_ids)s::text[], %(log_ids)s::text[], %(firsts)s::int8[], %(lasts)s::int8[]) AS n (gateway_id, log_id, first, last)
    USING (gateway_id, log_id)
ORDER BY gateway_id, log_id FOR UPDATE OF l
"""
ADVANCE = """
UPDATE gateway_log l SET stored = l.stored + n.carried::int8multirange + int8multirange(int8range(0, n.floor)),
    readings = l.readings + n.readings, events = l.events + n.events, repeats = l.repeats + n.repeats
FROM unnest(%(gateway_ids)s::text[], %(log_ids)s::text[], %(carried)s::text[], %(floors)s::int8[], %(readings)s::int8[],
        %(events)s::int8[], %(repeats)s::int8[])
    AS n (gateway_id, log_id, carried, floor, readings, events, repeats)
WHERE l.gateway_id = n.gateway_id AND l.log_id = n.log_id
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Sequences `first`..`last` of one log, which a message is about."""

    gateway_id: str
    log_id: str
    first: int
    last: int

    @property
    def key(self) -> tuple[str, str]:
        """The log's name."""
        return self.gateway_id, self.log_id


@dataclass(slots=True)
class Log:
    """A locked log: which sequences of the spans asked for are stored already, and what this transaction adds."""

    gateway_id: str
    log_id: str
    known: set[int]
    carried: list[int] = field(default_factory=list)
    floor: int = 0
    readings: int = 0
    events: int = 0
    repeats: int = 0

    def take(self, carried: Sequence[int], *, floor: int, readings: int = 0, events: int = 0) -> None:
        """A message carried these sequences; `readings` and `events` of them were new. Nothing below `floor` will come any more."""
        self.known.update(carried)
        self.carried += carried
        self.floor = max(self.floor, floor)
        self.readings += readings
        self.events += events
        self.repeats += len(carried) - readings - events


async def lock(conn: Connection, spans: Sequence[Span]) -> dict[tuple[str, str], Log]:
    """Lock the logs of these spans, in order of their names; new ones are begun."""
    whole: dict[tuple[str, str], Span] = {}
    for span in spans:
        known = whole.get(span.key, span)
        whole[span.key] = Span(*span.key, min(known.first, span.first), max(known.last, span.last))
    logs = await _lock(conn, list(whole.values()))
    if new := [span for key, span in whole.items() if key not in logs]:
        await conn.execute(OPEN, {"gateway_ids": [one.gateway_id for one in new], "log_ids": [one.log_id for one in new]})
        logs |= await _lock(conn, new)
    return logs


async def _lock(conn: Connection, spans: Sequence[Span]) -> dict[tuple[str, str], Log]:
    values = {
        "gateway_ids": [one.gateway_id for one in spans],
        "log_ids": [one.log_id for one in spans],
        "firsts": [one.first for one in spans],
        "lasts": [one.last for one in spans],
    }
    rows = await (await conn.execute(LOCK, values)).fetchall()
    logs = (Log(row["gateway_id"], row["log_id"], numbers(row["kept"])) for row in rows)
    return {(log.gateway_id, log.log_id): log for log in logs}


async def advance(conn: Connection, logs: Iterable[Log]) -> None:
    """Write what the messages brought: every sequence they carried, and everything below their floor, now counts as stored."""
    moved = [log for log in logs if log.carried]
    values = {
        "gateway_ids": [log.gateway_id for log in moved],
        "log_ids": [log.log_id for log in moved],
        "carried": [multirange(log.carried) for log in moved],
        "floors": [log.floor for log in moved],
        "readings": [log.readings for log in moved],
        "events": [log.events for log in moved],
        "repeats": [log.repeats for log in moved],
    }
    await conn.execute(ADVANCE, values)


def multirange(sequences: Iterable[int]) -> str:
    """PostgreSQL text of the set of these integers: {1, 2, 5} is `{[1,3),[5,6)}`."""
    ordered = sorted(set(sequences))
    if ordered and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{{[{ordered[0]},{ordered[-1] + 1})}}"
    runs: list[list[int]] = []
    for sequence in ordered:
        if runs and sequence == runs[-1][1]:
            runs[-1][1] = sequence + 1
        else:
            runs.append([sequence, sequence + 1])
    return "{" + ",".join(f"[{start},{end})" for start, end in runs) + "}"


def numbers(text: str | None) -> set[int]:
    """Inverse of `multirange`; None is the empty set."""
    if text is None:
        return set()
    bounds = [int(one) for one in text.strip("{[)}").replace("),[", ",").split(",")]
    return {sequence for start, end in zip(bounds[::2], bounds[1::2], strict=True) for sequence in range(start, end)}
