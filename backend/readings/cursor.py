"""Exactly once: of each gateway's log the database knows which sequences are stored, and moves that in the transaction that stores them.

The caller owns the transaction. The logs of a group are moved by one statement, which also says what of the group was stored before: there
is no moment between the question and the answer. Whoever writes for a gateway has its row of `gateway` locked first (`store.hear`), so that
two writers of the same homes wait there and not for each other.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.db import arrays
from backend.db.pool import Connection

OPEN = """
INSERT INTO gateway_log (gateway_id, log_id) SELECT * FROM unnest(%(gateway_ids)s::text[], %(log_ids)s::text[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
ADVANCE = """
UPDATE gateway_log l SET known = l.stored * n.carried::int8multirange,
    stored = l.stored + n.carried::int8multirange + int8multirange(int8range(0, n.floor)), readings = l.readings + n.readings
FROM unnest(%(gateway_ids)s::text[], %(log_ids)s::text[], %(carried)s::text[], %(floors)s::int8[], %(readings)s::int8[])
    AS n (gateway_id, log_id, carried, floor, readings)
WHERE l.gateway_id = n.gateway_id AND l.log_id = n.log_id
RETURNING l.gateway_id, l.log_id, nullif(l.known, '{}')::text AS known
"""
"""`known` is computed from the row that is locked, `stored` before it moves."""
CORRECT = """
UPDATE gateway_log l SET readings = l.readings + n.readings, events = l.events + n.events, repeats = l.repeats + n.repeats
FROM unnest(%(gateway_ids)s::text[], %(log_ids)s::text[], %(readings)s::int8[], %(events)s::int8[], %(repeats)s::int8[])
    AS n (gateway_id, log_id, readings, events, repeats)
WHERE l.gateway_id = n.gateway_id AND l.log_id = n.log_id
"""

Key = tuple[str, str]
"""Gateway, log."""


class Claim(NamedTuple):
    """A message of a log: the sequences that it carries, how many of them are readings, and below what nothing comes any more."""

    key: Key
    carried: Collection[int]
    readings: int
    floor: int


@dataclass(slots=True)
class Log:
    """A log that has been moved: which of the sequences carried were stored before, and what was new in the end."""

    key: Key
    known: set[int]
    assumed: int
    readings: int = 0
    events: int = 0
    repeats: int = 0

    def take(self, carried: Collection[int], *, readings: int = 0, events: int = 0) -> None:
        """A message carried these sequences; `readings` and `events` of them were new."""
        self.known.update(carried)
        self.readings += readings
        self.events += events
        self.repeats += len(carried) - readings - events

    @property
    def is_as_assumed(self) -> bool:
        """Nothing but readings, all of them new."""
        return self.readings == self.assumed and not self.events and not self.repeats


async def advance(conn: Connection, claims: Sequence[Claim]) -> dict[Key, Log]:
    """Every sequence carried, and everything below the floors, counts as stored from now on. Returns the logs with what was so before."""
    whole: dict[Key, Claim] = {}
    for claim in claims:
        other = whole.get(claim.key)
        whole[claim.key] = claim if other is None else _joined(other, claim)
    logs = await _advance(conn, list(whole.values()))
    if new := [claim for key, claim in whole.items() if key not in logs]:
        names = {"gateway_ids": [claim.key[0] for claim in new], "log_ids": [claim.key[1] for claim in new]}
        await conn.execute(OPEN, names)
        logs |= await _advance(conn, new)
    return logs


def _joined(one: Claim, other: Claim) -> Claim:
    carried = [*one.carried, *other.carried]
    return Claim(one.key, carried, one.readings + other.readings, max(one.floor, other.floor))


async def _advance(conn: Connection, claims: Sequence[Claim]) -> dict[Key, Log]:
    values = {
        "gateway_ids": arrays.texts([one.key[0] for one in claims]),
        "log_ids": arrays.texts([one.key[1] for one in claims]),
        "carried": arrays.texts([multirange(one.carried) for one in claims]),
        "floors": arrays.numbers([one.floor for one in claims]),
        "readings": arrays.numbers([one.readings for one in claims]),
    }
    rows = await (await conn.execute(ADVANCE, values)).fetchall()
    assumed = {one.key: one.readings for one in claims}
    keys = ((row["gateway_id"], row["log_id"]) for row in rows)
    return {key: Log(key, numbers(row["known"]), assumed[key]) for key, row in zip(keys, rows, strict=True)}


async def correct(conn: Connection, logs: Iterable[Log]) -> None:
    """Write how many of the sequences were readings, events and repeats, where it is not as `advance` assumed."""
    others = [log for log in logs if not log.is_as_assumed]
    if others:
        values = {
            "gateway_ids": [log.key[0] for log in others],
            "log_ids": [log.key[1] for log in others],
            "readings": [log.readings - log.assumed for log in others],
            "events": [log.events for log in others],
            "repeats": [log.repeats for log in others],
        }
        await conn.execute(CORRECT, values)


def multirange(sequences: Collection[int]) -> str:
    """PostgreSQL text of the set of these integers: {1, 2, 5} is `{[1,3),[5,6)}`."""
    if isinstance(sequences, range) and sequences.step == 1 and sequences:
        return f"{{[{sequences.start},{sequences.stop})}}"
    runs: list[list[int]] = []
    for sequence in sorted(set(sequences)):
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
