"""Ingest and worker killed at random points of a stream (`kill -9`): what the rules said is the same as of a run that nobody disturbed.

Real processes, broker and database. Homes send minutes of readings with spells of low SpO2 and fast pulses, and presses, falls and their
cancels between; what is not stored is sent again, as gateways do. `python -m benchmarks kills` kills both a hundred times, whatever is said
of seconds; the figures to look at are `episodes_differ` and `alerts_differ`.
"""

import math
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.centre import LOG, PASSWORD, Query, centre
from benchmarks.district_load import Connection, publication
from contract import topics
from contract.events import Event, EventKind
from contract.quantities import QuantityName
from contract.readings import Series, SeriesBatch
from contract.topics import Leaf
from simulators.keeper import Program

KILLS = 100
HOMES = 4
MESSAGES_PER_LIFE = 12
WINDOW = 8
"""Messages on their way at once."""
EVERY_S = 5
PER_BATCH = 12
AGAIN_S = 0.3
POLL_S = 0.003
KILL_S_MAX = 0.01
"""So long after what was waited for: in the middle of what comes next."""
LIFE_S_MAX = 60.0
STORED = "SELECT gateway_id, lower(part), upper(part) FROM gateway_log, unnest(stored) AS part"
EPISODES = f"""
SELECT n >= {HOMES}, n % {HOMES}, p.rule_id, p.rule_version, p.source, p.opened_at, p.closed_at, p.last_at, p.steps::text, p.peak
FROM episode p JOIN rule r ON r.id = p.rule_id AND r.version = p.rule_version
    CROSS JOIN LATERAL (SELECT substr(p.elder_id, 7)::integer AS n) AS home
WHERE r.body ->> 'kind' <> 'absence'
"""
ALERTS = f"""
SELECT DISTINCT n >= {HOMES}, n % {HOMES}, a.rule_id
FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
    CROSS JOIN LATERAL (SELECT substr(a.elder_id, 7)::integer AS n) AS home
WHERE r.body ->> 'kind' <> 'absence' AND a.priority <> 'technical'
"""
EVENTS = "SELECT count(*), count(alert_id) FROM event WHERE kind IN ('sos', 'fall')"


@dataclass(frozen=True, slots=True)
class Sent:
    """One message of a home's log, with its first sequence."""

    home: str
    first: int
    message: SeriesBatch | Event

    def packet(self, number: int) -> bytes:
        """As it goes out now."""
        whole = self.message.model_copy(update={"sent_at": datetime.now(UTC)}).model_dump_json(exclude_none=True)
        leaf = Leaf.SERIES if isinstance(self.message, SeriesBatch) else Leaf.EVENT
        return publication(topics.build(self.home, leaf), whole.encode(), packet=number % 65_535 + 1)


def measure(seconds: float) -> dict[str, float]:
    """Kill KILLS times, and compare."""
    return compare(kills=KILLS, seed=1)


def compare(*, kills: int, seed: int) -> dict[str, float]:
    """The same stream twice: of homes that nobody disturbs, then of their twins with that many kills. How often what was found differs."""
    dice = Random(seed)
    stream = make_stream(dice, messages=(kills + 5) * (MESSAGES_PER_LIFE + 3))
    twins = [replace(one, home=f"home-{int(one.home[5:]) + HOMES}") for one in stream]
    with centre(2 * HOMES) as there:
        line = Connection(there.broker.host, there.broker.port, "load", PASSWORD)
        programs = [there.backend.program("ingest"), there.backend.program("worker")]
        _lives(there.conn, line, programs, stream, kills=0, dice=dice)
        begun_s = time.monotonic()
        done = _lives(there.conn, line, programs, twins, kills=kills, dice=dice)
        return {"kills": float(done), "messages": float(len(stream)), "seconds": time.monotonic() - begun_s} | _figures(there.conn)


def _figures(conn: Query) -> dict[str, float]:
    """How much the homes and their twins have, and how much only one of them has."""
    figures: dict[str, float] = {}
    for name, query in (("episodes", EPISODES), ("alerts", ALERTS)):
        rows = conn.execute(query.encode()).fetchall()
        own, twin = ({row[1:] for row in rows if row[0] is is_twin} for is_twin in (False, True))
        figures |= {name: float(len(own)), f"{name}_differ": float(len(own ^ twin))}
    calls, alerted = conn.execute(EVENTS.encode()).fetchone() or (0, 0)
    return figures | {"calls_for_help": float(calls), "calls_for_help_without_alert": float(calls - alerted)}


def make_stream(dice: Random, *, messages: int) -> list[Sent]:
    """About that many messages of HOMES homes, oldest first: a day old, so that what is judged depends on no clock."""
    minutes = math.ceil(messages / HOMES)
    begun_at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=1, minutes=minutes)
    firsts = dict.fromkeys(range(HOMES), 1)
    found = []
    for minute in range(minutes):
        at = begun_at + timedelta(minutes=minute)
        for home in range(HOMES):
            message: SeriesBatch | Event = _batch(dice, firsts[home], at)
            length = 2 * PER_BATCH
            if dice.random() < 0.1:
                kind = dice.choice([EventKind.SOS, EventKind.SOS_CANCELLED, EventKind.FALL, EventKind.FALL_CANCELLED])
                message, length = _event(kind, firsts[home], at + timedelta(seconds=30)), 1
            found.append(Sent(f"home-{home}", firsts[home], message))
            firsts[home] += length
    return found


def _batch(dice: Random, first: int, at: datetime) -> SeriesBatch:
    spells = {QuantityName.SPO2: dice.choice([86.0, 90.0, 92.0, 96.0, 97.0]), QuantityName.HEART_RATE: dice.choice([72.0, 112.0, 134.0])}
    series = [
        Series(
            device="oximeter-1",
            quantity=quantity,
            start_at=at,
            offsets_ms=[row * EVERY_S * 1000 for row in range(PER_BATCH)],
            values=[middle + dice.choice([-1, 0, 0, 1]) for _ in range(PER_BATCH)],
            sequences=[number * PER_BATCH + row for row in range(PER_BATCH)],
        )
        for number, (quantity, middle) in enumerate(spells.items())
    ]
    return SeriesBatch(log_id=LOG, first=first, last=first + 2 * PER_BATCH - 1, sent_at=at, series=series)


def _event(kind: EventKind, sequence: int, at: datetime) -> Event:
    return Event(log_id=LOG, sequence=sequence, event_id=f"{kind}-{sequence}", device="wearable-1", kind=kind, at=at, sent_at=at)


def _lives(conn: Query, line: Connection, programs: list[Program], stream: list[Sent], *, kills: int, dice: Random) -> int:
    """Start both, send, kill; the last life lasts to the end of the stream. Returns the kills."""
    for life in range(kills + 1):
        for program in programs:
            program.start()
        try:
            is_over = _live(conn, line, stream, until=dice.randint(1, 2 * MESSAGES_PER_LIFE - 4) if life < kills else len(stream))
            time.sleep(dice.random() * KILL_S_MAX)
        finally:
            for program in programs:
                program.kill()
        if is_over:
            return life
    return kills


def _live(conn: Query, line: Connection, stream: list[Sent], *, until: int) -> bool:
    """Send what is not stored, again after AGAIN_S, until so many more are stored. True when all of them are."""
    begun_s, sent_s = time.monotonic(), dict[tuple[str, int], float]()
    before = len(waiting := _waiting(conn, stream))
    while waiting and before - len(waiting) < until:
        now_s = time.monotonic()
        if now_s - begun_s > LIFE_S_MAX + len(stream) / 10:
            raise TimeoutError(f"{len(waiting)} messages are not stored after {now_s - begun_s:.0f} s")
        for number, one in enumerate(waiting[:WINDOW]):
            if now_s - sent_s.get((one.home, one.first), -math.inf) > AGAIN_S:
                sent_s[one.home, one.first] = now_s
                line.send(one.packet(number))
        time.sleep(POLL_S)
        waiting = _waiting(conn, stream)
    return not waiting


def _waiting(conn: Query, stream: list[Sent]) -> list[Sent]:
    stored: dict[str, list[tuple[int, int]]] = {}
    for home, low, high in conn.execute(STORED.encode()).fetchall():
        stored.setdefault(home, []).append((low, high))
    return [one for one in stream if not any(low <= one.first < high for low, high in stored.get(one.home, ()))]
