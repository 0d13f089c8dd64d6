"""How soon alarms are there, and what the return of many homes does to them: real broker, database, ingest and worker.

    urgent_...      presses and falls, one after the other, until their alert is committed
    held_...        the reading that makes a hold of a minute whole, until its alert is committed
    silence_...     how far from its time a silence becomes an alert: of a gateway, and of signs of life
    restarted_...   the same where ingest and worker are killed (`kill -9`) RESTART_BEFORE_S before and started again at once
    backfill_...    two hours of BACK_HOMES homes at once, each with a press and a fall in them, while as many others send live

`pages` are alerts of old readings that call anybody. What is live is measured from sending to the answer that it is stored.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.centre import LOG, PASSWORD, Query, centre
from benchmarks.district_load import Connection, publication
from contract import topics
from contract.events import Event, EventKind
from contract.quantities import QuantityName
from contract.readings import Series, SeriesBatch
from contract.topics import Leaf
from simulators.backend_processes import wait_ready
from simulators.keeper import CHECKOUT, Program

EVERY_S = 5
URGENT = 400
HELD = 50
SILENT = 20
"""Homes of each kind of silence."""
GATEWAY_FOR_S = 40
"""As shipped but for this time, 180 s there: nobody waits for what is counted the same."""
MOTION_FOR_S = 43_200
SILENCE_LEADS_S = (15, 30)
"""Silences of signs of life come due between so many seconds after they are prepared, before their gateway counts as off line."""
RESTART_BEFORE_S = 8
BACK_HOMES = 100
BACK_MINUTES = 120
BATCH_MINUTES = 5
CALM_MINUTES = 20
"""The newest of the two hours are calm: what is younger than `late_page_s` may call."""
UNANSWERED_MAX = 8
"""Batches of one home on their way at once, as of a gateway."""
HELP = (EventKind.SOS, EventKind.FALL)
LIVE_HOMES = 100
LIVE_EVERY_S = 5
LIVE_ALONE_S = 15.0
WAIT_S = 120.0
POLL_S = 0.003
RULES = f"""
[[rule]]
id = "gateway_silent"
kind = "absence"
source = "benchmarks/alarms.py"
of = "gateway"
levels = [{{ name = "technical", priority = "technical", for_s = {GATEWAY_FOR_S} }}]
"""
SEEN = "SELECT elder_id FROM alert WHERE rule_id = %(rule)s"
HEARD = "SELECT heard_at FROM gateway WHERE id = %(home)s"
PAGES = """
SELECT count(*) FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
WHERE r.body ->> 'kind' NOT IN ('event', 'absence') AND (
    a.priority IN ('high', 'medium') OR EXISTS (SELECT FROM notification n WHERE n.alert_id = a.id)
) AND substr(a.elder_id, 7)::integer >= %(first)s
"""
OLD = """
SELECT count(*), coalesce(max(n), 0) FROM (
    SELECT count(*) AS n FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
    WHERE r.body ->> 'kind' NOT IN ('event', 'absence') AND substr(a.elder_id, 7)::integer >= %(first)s GROUP BY a.elder_id, a.rule_id
) AS alert
"""
CALLS = """
SELECT count(*), count(a.id) FILTER (WHERE a.priority = 'high')
FROM event e LEFT JOIN alert a ON a.id = e.alert_id
WHERE e.kind IN ('sos', 'fall') AND substr(e.elder_id, 7)::integer >= %(first)s
"""


@dataclass
class Chain:
    """All that runs, and who has been answered how often."""

    conn: Query
    line: Connection
    answers: dict[str, list[float]]
    """By home, when each of its answers came (monotonic seconds)."""
    programs: list[Program]
    packet: int = 0
    sequence: int = 0

    def send(self, home: int, message: SeriesBatch | Event) -> None:
        """As its gateway does, now."""
        self.packet += 1
        leaf = Leaf.EVENT if isinstance(message, Event) else Leaf.SERIES
        payload = message.model_copy(update={"sent_at": datetime.now(UTC)}).model_dump_json(exclude_none=True).encode()
        self.line.send(publication(topics.build(f"home-{home}", leaf), payload, packet=self.packet % 65_535 + 1))

    def next(self, count: int = 1) -> int:
        """The first of so many sequences; of all homes alike, since gaps do no harm."""
        self.sequence += count
        return self.sequence - count + 1

    def wait(self, rule: str, homes: Iterable[int]) -> dict[int, float]:
        """When the alert of each home was seen (seconds since 1970); at most WAIT_S, what is missing by then is infinite."""
        missing, found = {f"elder-{home}": home for home in homes}, dict[int, float]()
        until_s = time.monotonic() + WAIT_S
        while missing and time.monotonic() < until_s:
            for elder in self.seen(rule) & missing.keys():
                found[missing.pop(elder)] = time.time()
            time.sleep(POLL_S)
        return found | dict.fromkeys(missing.values(), math.inf)

    def seen(self, rule: str) -> set[str]:
        """Elders with an alert of a rule."""
        return {elder for (elder,) in self.conn.execute(SEEN.encode(), {"rule": rule}).fetchall()}

    def restart(self) -> None:
        """Kill all at once, and start them again."""
        for program in self.programs:
            program.kill()
        for program in self.programs:
            program.start()


def measure(seconds: float) -> dict[str, float]:
    """All of them, one after the other, whatever is said of seconds."""
    homes = iter(range(URGENT + HELD + 4 * SILENT + LIVE_HOMES + BACK_HOMES))
    with chain(len(range(URGENT + HELD + 4 * SILENT + LIVE_HOMES + BACK_HOMES))) as backend:
        found = urgent(backend, take(homes, URGENT)) | held(backend, take(homes, HELD))
        found |= silence(backend, take(homes, SILENT), take(homes, SILENT), name="silence", disturb=None)
        found |= silence(backend, take(homes, SILENT), take(homes, SILENT), name="restarted", disturb=backend.restart)
        return found | backfill(backend, take(homes, LIVE_HOMES), take(homes, BACK_HOMES))


def take(homes: Iterator[int], count: int) -> list[int]:
    """So many homes that nobody has had."""
    return [next(homes) for _ in range(count)]


@contextmanager
def chain(homes: int) -> Iterator[Chain]:
    """Everything started, with so many homes; everything ended."""
    with centre(homes, rules=RULES) as there:
        answers: dict[str, list[float]] = {}

        def answered(topic: str) -> None:
            answers.setdefault(topic.split("/")[-2], []).append(time.monotonic())

        line = Connection(there.broker.host, there.broker.port, "load", PASSWORD, on_publish=answered)
        line.subscribe(f"{topics.ROOT}/+/+/{Leaf.STORED}")
        programs = [there.backend.program("ingest"), there.backend.program("worker")]
        for program in programs:
            program.start()
        try:
            wait_ready(lambda: bool(there.conn.execute(b"SELECT FROM listener").fetchall()), "ingest", there.folder / "ingest.log")
            yield Chain(there.conn, line, answers, programs)
        finally:
            for program in programs:
                program.kill()


def urgent(backend: Chain, homes: list[int]) -> dict[str, float]:
    """Presses and falls from one home after the other."""
    waits = []
    for home in homes:
        kind = EventKind.SOS if home % 2 else EventKind.FALL
        began_s = time.time()
        backend.send(home, _event(backend, kind, datetime.now(UTC)))
        waits.append(backend.wait(str(kind), [home])[home] - began_s)
    return spread("urgent", waits)


def held(backend: Chain, homes: list[int]) -> dict[str, float]:
    """A minute of low SpO2 without its last reading, stored; then that reading, measured now."""
    waits = []
    for home in homes:
        now = datetime.now(UTC)
        backend.send(home, _batch(backend, QuantityName.SPO2, now - timedelta(seconds=60), [86.0] * (60 // EVERY_S)))
        wait_ready(lambda home=home: bool(backend.answers.get(f"home-{home}")), "an answer", CHECKOUT)  # type: ignore[misc]
        assert f"elder-{home}" not in backend.seen("spo2_low"), "it fired before its hold was reached"
        backend.send(home, _batch(backend, QuantityName.SPO2, now, [86.0]))
        waits.append(backend.wait("spo2_low", [home])[home] - now.timestamp())
    return spread("held", waits)


def silence(backend: Chain, gateways: list[int], still: list[int], *, name: str, disturb: Callable[[], None] | None) -> dict[str, float]:
    """Gateways that are heard no more, and homes where nobody moves any more; how far from its time each alert is there."""
    first_s, last_s = SILENCE_LEADS_S
    due: dict[int, float] = {}
    began_at = datetime.now(UTC)
    for number, home in enumerate(still):
        at = began_at - timedelta(seconds=MOTION_FOR_S - first_s - number * (last_s - first_s) / len(still))
        backend.send(home, _event(backend, EventKind.MOTION, at, device="radar-1"))
        due[home] = at.timestamp() + MOTION_FOR_S
    for home in gateways:
        backend.send(home, _event(backend, EventKind.BED_ENTRY, began_at, device="bed-1"))
    for home in (*gateways, *still):
        wait_ready(lambda home=home: bool(backend.answers.get(f"home-{home}")), "an answer", CHECKOUT)  # type: ignore[misc]
    for home in gateways:
        [(heard_at,)] = backend.conn.execute(HEARD.encode(), {"home": f"home-{home}"}).fetchall()
        due[home] = heard_at.timestamp() + GATEWAY_FOR_S
    if disturb is not None:
        time.sleep(max(0.0, min(due.values()) - RESTART_BEFORE_S - time.time()))
        disturb()
    seen = backend.wait("no_movement", still) | backend.wait("gateway_silent", gateways)
    off = [seen[home] - due[home] for home in (*gateways, *still)]
    return {f"{name}_earliest_s": min(off), f"{name}_latest_s": max(off)}


def backfill(backend: Chain, live: list[int], back: list[int], *, alone_s: float = LIVE_ALONE_S) -> dict[str, float]:
    """Live homes alone for a while; then all that the others have kept, at once."""
    first = {"first": back[0]}
    alone, _ = _load(backend, live, {}, for_s=alone_s)
    dice, now = Random(1), datetime.now(UTC)
    kept: dict[int, list[SeriesBatch | Event]] = {}
    for home in back:
        ages_s = [dice.uniform(60, BACK_MINUTES * 60) for _ in range(2)]
        calls_for_help = [_event(backend, kind, now - timedelta(seconds=age_s)) for kind, age_s in zip(HELP, ages_s, strict=True)]
        kept[home] = [*calls_for_help, *_two_hours(backend, dice, now)]
    sent = sum(len(messages) - len(HELP) for messages in kept.values())
    delays, seconds = _load(backend, live, kept, for_s=alone_s)
    time.sleep(1)
    [(pages,)] = backend.conn.execute(PAGES.encode(), first).fetchall()
    [(alerts, most)] = backend.conn.execute(OLD.encode(), first).fetchall()
    [(calls, worked_on)] = backend.conn.execute(CALLS.encode(), first).fetchall()
    return {
        "backfill_batches": float(sent), "backfill_s": seconds, "backfill_pages": float(pages), "backfill_old_alerts": float(alerts),
        "backfill_alerts_of_an_elder_and_rule_max": float(most), "backfill_calls_for_help": float(calls),
        "backfill_calls_for_help_not_a_work_item": float(calls - worked_on),
    } | spread("live_alone", alone) | spread("live_meanwhile", delays)  # fmt: skip


def _load(backend: Chain, live: list[int], kept: dict[int, list[SeriesBatch | Event]], *, for_s: float) -> tuple[list[float], float]:
    """Live batches for at least so long, and until all that is kept is answered. Returns how long each live one took, and the seconds."""
    begun_s = time.monotonic()
    due = [(begun_s + number * LIVE_EVERY_S / len(live), home) for number, home in enumerate(live)]
    sent_s: dict[int, float] = {}
    delays: list[float] = []
    counted = {home: len(backend.answers.get(f"home-{home}", ())) for home in (*live, *kept)}
    gone = dict.fromkeys(kept, 0)
    stored_s = begun_s
    while (now_s := time.monotonic()) - begun_s < for_s or sent_s or stored_s == begun_s:
        if now_s - begun_s > for_s + WAIT_S:
            return [*delays, *[math.inf] * len(sent_s)], math.inf
        for home in [home for home in sent_s if len(backend.answers.get(f"home-{home}", ())) > counted[home]]:
            counted[home] += 1
            delays.append(backend.answers[f"home-{home}"][counted[home] - 1] - sent_s.pop(home))
        answered = {home: len(backend.answers.get(f"home-{home}", ())) - counted[home] for home in kept}
        for home, messages in kept.items():
            if gone[home] < len(messages) and gone[home] - answered[home] < UNANSWERED_MAX:
                backend.send(home, messages[gone[home]])
                gone[home] += 1
        if stored_s == begun_s and all(answered[home] >= len(messages) for home, messages in kept.items()):
            stored_s = now_s
        while due and due[0][0] <= now_s:
            _, home = due.pop(0)
            is_over = now_s - begun_s >= for_s and stored_s > begun_s
            if home not in sent_s and not is_over:
                backend.send(home, _batch(backend, QuantityName.SPO2, datetime.now(UTC), [97.0]))
                sent_s[home] = time.monotonic()
            due += [] if is_over else [(now_s + LIVE_EVERY_S, home)]
        time.sleep(POLL_S)
    return delays, stored_s - begun_s


def _two_hours(backend: Chain, dice: Random, now: datetime) -> list[SeriesBatch]:
    """Minutes of low and normal SpO2, oldest first; the newest CALM_MINUTES are normal."""
    found = []
    for begin in range(BACK_MINUTES, 0, -BATCH_MINUTES):
        middles = [97.0 if begin - minute <= CALM_MINUTES else dice.choice([86.0, 90.0, 97.0, 97.0]) for minute in range(BATCH_MINUTES)]
        values = [middle + dice.choice([-1, 0, 0, 1]) for middle in middles for _ in range(60 // EVERY_S)]
        found.append(_batch(backend, QuantityName.SPO2, now - timedelta(minutes=begin), values))
    return found


def _batch(backend: Chain, quantity: QuantityName, at: datetime, values: list[float]) -> SeriesBatch:
    series = Series(
        device="oximeter-1", quantity=quantity, start_at=at, offsets_ms=[row * EVERY_S * 1000 for row in range(len(values))],
        values=values, sequences=list(range(len(values))),
    )  # fmt: skip
    first = backend.next(len(values))
    return SeriesBatch(log_id=LOG, first=first, last=first + len(values) - 1, sent_at=at, series=[series])


def _event(backend: Chain, kind: EventKind, at: datetime, device: str = "wearable-1") -> Event:
    sequence = backend.next()
    return Event(log_id=LOG, sequence=sequence, event_id=f"{kind}-{sequence}", device=device, kind=kind, at=at, sent_at=at)


def spread(name: str, waits: list[float]) -> dict[str, float]:
    """Middle, 99 of a hundred, and the longest, ms."""
    found = sorted(wait * 1000 for wait in waits)
    return {f"{name}_p50_ms": found[len(found) // 2], f"{name}_p99_ms": found[int(len(found) * 0.99)], f"{name}_max_ms": found[-1]}
