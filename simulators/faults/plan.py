"""What will go wrong, where and when: drawn from a seed, so that a run can be had again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """A fault."""

    KILL_GATEWAY = "kill_gateway"
    KILL_INGEST = "kill_ingest"
    KILL_WORKER = "kill_worker"
    KILL_WEB = "kill_web"
    KILL_BROKER = "kill_broker"
    KILL_DATABASE = "kill_database"
    BROKER_RESTARTED = "broker_restarted"
    DATABASE_RESTARTED = "database_restarted"
    DATABASE_REFUSES = "database_refuses"
    DATABASE_FULL = "database_full"
    NETWORK_CUT = "network_cut"
    NETWORK_SLOW = "network_slow"
    NETWORK_ONE_WAY = "network_one_way"
    STORED_LOST = "stored_lost"
    STORED_REPEATED = "stored_repeated"
    POWER_CUT = "power_cut"
    OUTBOX_DAMAGED = "outbox_damaged"
    DISK_FULL = "disk_full"
    CLOCK_JUMP = "clock_jump"
    OUTAGE_DAY = "outage_day"


WORDS: dict[Kind, str] = {
    Kind.KILL_GATEWAY: "kill -9 of a gateway",
    Kind.KILL_INGEST: "kill -9 of ingest",
    Kind.KILL_WORKER: "kill -9 of the worker",
    Kind.KILL_WEB: "kill -9 of web",
    Kind.KILL_BROKER: "kill -9 of the broker, its memory lost",
    Kind.KILL_DATABASE: "kill -9 of the database",
    Kind.BROKER_RESTARTED: "broker restarted, its memory lost",
    Kind.DATABASE_RESTARTED: "database restarted",
    Kind.DATABASE_REFUSES: "database refuses connections",
    Kind.DATABASE_FULL: "database out of disk",
    Kind.NETWORK_CUT: "network of a home cut",
    Kind.NETWORK_SLOW: "network of a home slow",
    Kind.NETWORK_ONE_WAY: "network of a home one way only",
    Kind.STORED_LOST: "`Stored` lost",
    Kind.STORED_REPEATED: "`Stored` repeated, some stale",
    Kind.POWER_CUT: "power of a gateway cut, unsynced writes lost",
    Kind.OUTBOX_DAMAGED: "outbox file damaged",
    Kind.DISK_FULL: "disk of a gateway full, its network away",
    Kind.CLOCK_JUMP: "clock of a home jumps, mended later",
    Kind.OUTAGE_DAY: "network of a home away for 24 h of its time",
}
BOXED = frozenset({Kind.POWER_CUT, Kind.DISK_FULL, Kind.CLOCK_JUMP, Kind.OUTAGE_DAY, Kind.DATABASE_FULL})
"""Faults that need the box around a process, and so a C compiler."""
OF_A_HOME = frozenset(
    {
        Kind.KILL_GATEWAY,
        Kind.NETWORK_CUT,
        Kind.NETWORK_SLOW,
        Kind.NETWORK_ONE_WAY,
        Kind.STORED_LOST,
        Kind.STORED_REPEATED,
        Kind.POWER_CUT,
        Kind.OUTBOX_DAMAGED,
        Kind.DISK_FULL,
        Kind.CLOCK_JUMP,
        Kind.OUTAGE_DAY,
    }
)
PER_MINUTE: dict[Kind, float] = {
    Kind.KILL_GATEWAY: 14,
    Kind.KILL_INGEST: 8,
    Kind.KILL_WORKER: 4,
    Kind.KILL_WEB: 4,
    Kind.KILL_BROKER: 4,
    Kind.KILL_DATABASE: 3,
    Kind.BROKER_RESTARTED: 1.5,
    Kind.DATABASE_RESTARTED: 1.5,
    Kind.DATABASE_REFUSES: 2,
    Kind.DATABASE_FULL: 1.3,
    Kind.NETWORK_CUT: 5,
    Kind.NETWORK_SLOW: 3,
    Kind.NETWORK_ONE_WAY: 3,
    Kind.STORED_LOST: 6,
    Kind.STORED_REPEATED: 8,
    Kind.POWER_CUT: 5,
    Kind.OUTBOX_DAMAGED: 2,
    Kind.DISK_FULL: 2,
    Kind.CLOCK_JUMP: 4,
    Kind.OUTAGE_DAY: 1,
}
"""About one and a half in a second, of which kills are two thirds of a second's: what two cores can start again in that time."""
SPREAD = (0.8, 1.2)
"""By so much a seed has fewer or more of a kind."""
LASTS_S: dict[Kind, tuple[float, float]] = {
    Kind.DATABASE_REFUSES: (1.0, 4.0),
    Kind.DATABASE_FULL: (2.0, 4.0),
    Kind.NETWORK_CUT: (1.0, 6.0),
    Kind.NETWORK_SLOW: (2.0, 6.0),
    Kind.NETWORK_ONE_WAY: (2.0, 7.0),
    Kind.POWER_CUT: (0.1, 1.0),
    Kind.DISK_FULL: (4.0, 7.0),
    Kind.CLOCK_JUMP: (2.0, 6.0),
    Kind.OUTAGE_DAY: (12.0, 12.0),
}
"""Shortest and longest, seconds."""
JUMPS_H = (-1.0, 1.0, -3.0, 5.5, 24.0, -24.0, 24.0 * 365 * 3, -24.0 * 365 * 10)
"""A clock without a battery starts years ago; one that somebody set by hand is hours off."""
YEARS_1970_H = -24.0 * 365 * 80
"""Beyond the beginning of 1970, where no clock can go: it shows the first of January then."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault. `target` is a home, or empty. `amount` is how many answers, which delay in s, how many hours: as its kind needs."""

    at_s: float
    kind: Kind
    target: str
    lasts_s: float
    amount: float
    seed: int


def make_plan(seed: int, seconds: float, homes: Sequence[str], kinds: Collection[Kind]) -> list[Injection]:
    """All faults of a run, in order of time. Every kind comes at least once; the same arguments give the same plan."""
    random = Random(f"{seed}/plan")
    plan = [_draw(random, kind, at_s, homes) for kind in Kind if kind in kinds for at_s in _times(random, kind, seconds)]
    return sorted(plan, key=lambda one: (one.at_s, one.kind))


def _times(random: Random, kind: Kind, seconds: float) -> list[float]:
    """One moment in each of equal parts of the time that leaves room for the fault to end."""
    count = max(1, round(seconds * PER_MINUTE[kind] / 60 * random.uniform(*SPREAD)))
    room_s = max(1.0, seconds - LASTS_S.get(kind, (0.0, 0.0))[1])
    return [room_s * (part + random.random()) / count for part in range(count)]


def _draw(random: Random, kind: Kind, at_s: float, homes: Sequence[str]) -> Injection:
    low, high = LASTS_S.get(kind, (0.0, 0.0))
    return Injection(
        at_s=round(at_s, 3),
        kind=kind,
        target=random.choice(homes) if kind in OF_A_HOME else "",
        lasts_s=round(random.uniform(low, high), 3),
        amount=_amount(random, kind),
        seed=random.randrange(1 << 31),
    )


def _amount(random: Random, kind: Kind) -> float:
    match kind:
        case Kind.STORED_LOST:
            return random.randint(1, 4)
        case Kind.STORED_REPEATED:
            return random.randint(1, 6)
        case Kind.NETWORK_SLOW:
            return round(random.uniform(0.1, 1.0), 3)
        case Kind.NETWORK_ONE_WAY:
            return random.randint(0, 1)
        case Kind.CLOCK_JUMP:
            return random.choice((*JUMPS_H, YEARS_1970_H))
        case _:
            return 0.0
