"""What a run says at its end: a table for people, and a JSON file."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulators.faults.compare import Events, Readings
from simulators.faults.plan import BOXED, WORDS, Kind
from simulators.faults.promises import Pace, Promise

WORDS_MAX = 3
WORDS_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a run has found out."""

    seed: int
    seconds: float
    faults: Counter[Kind]
    wanted: Collection[Kind]
    has_box: bool
    events: Events
    readings: Readings
    promises: Sequence[Promise]
    pace: Pace
    rss_mb_max: Mapping[str, float]
    unasked_ends: Mapping[str, int]
    last_words: Sequence[str]
    answers_lost: int
    answers_repeated: int

    @property
    def missing(self) -> list[Kind]:
        """Faults that were wanted and never came."""
        return [kind for kind in Kind if kind in self.wanted and not self.faults[kind]]

    @property
    def failures(self) -> list[str]:
        """Why the promise was not kept; nothing where it was."""
        readings, events = self.readings, self.events
        counts = {
            "readings lost": readings.lost,
            "readings stored twice": readings.duplicated,
            "stored readings that nobody sent": readings.unknown,
            "events lost": events.lost,
            "events counted twice": events.duplicated,
            "stored events that nobody sent": events.unknown,
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        found += [f"not kept: {promise.text}" for promise in self.promises if not promise.is_kept]
        return found + [f"never came: {WORDS[kind]}" for kind in self.missing]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The report. Readings are single values; `sent` is what had to arrive (see `compare.Readings`)."""
    return {
        "seed": outcome.seed,
        "seconds": outcome.seconds,
        "faults": {str(kind): outcome.faults[kind] for kind in Kind if kind in outcome.wanted},
        "left_out": [] if outcome.has_box else sorted(BOXED),
        "events": _counts(outcome.events),
        "readings": _counts(outcome.readings),
        "promises": [asdict(promise) for promise in outcome.promises],
        "first_data_s_max": outcome.pace.first_s_max,
        "returns": [asdict(one) for one in outcome.pace.returns],
        "drain": {"readings": outcome.pace.backlog, "seconds": round(outcome.pace.drain_s, 2)},
        "rss_mb_max": dict(outcome.rss_mb_max),
        "unasked_ends": dict(outcome.unasked_ends),
        "last_words": list(outcome.last_words),
        "examples": outcome.readings.examples + outcome.events.examples,
        "ok": not outcome.failures,
    }


def as_table(outcome: Outcome) -> str:
    """The same for people."""
    readings, events = outcome.readings, outcome.events
    lines = [f"seed {outcome.seed}, {outcome.seconds:.0f} s", "", "faults injected"]
    lines += [_row(WORDS[kind], outcome.faults[kind]) for kind in Kind if kind in outcome.wanted]
    if not outcome.has_box:
        lines += [_row(WORDS[kind], "left out: no C compiler") for kind in Kind if kind in BOXED]
    lines += [
        "",
        f"events    sent {events.sent}, as alerts {events.alerts}, lost {events.lost}, counted twice {events.duplicated}",
        f"readings  sent {readings.sent}, stored {readings.stored}, lost {readings.lost}, stored twice {readings.duplicated}",
        f"          of {readings.written} said: {readings.unheard} while no gateway was there, {readings.tail} on the line as one died",
        f"          (at most {readings.tail_ms_max} ms before), {readings.shed} shed on full disks, {readings.set_aside} in damaged files",
        f"answers   {outcome.answers_lost} lost, {outcome.answers_repeated} repeated",
        "memory    " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in sorted(outcome.rss_mb_max.items())),
        f"network   first data {_seconds(outcome.pace.first_s_max)} after its return at most; backlog of a day: {_drain(outcome.pace)}",
    ]
    if outcome.unasked_ends:
        lines.append("ends      " + ", ".join(f"{name} ended {count} times by itself" for name, count in outcome.unasked_ends.items()))
    lines += [f"          {words[:WORDS_CHARS_MAX]}" for words in outcome.last_words[:WORDS_MAX]]
    lines += ["", *(f"{'kept    ' if one.is_kept else 'NOT KEPT'}  {one.text}" for one in outcome.promises), ""]
    lines += [f"  {example}" for example in outcome.readings.examples + outcome.events.examples]
    verdict = "nothing was lost and nothing counted twice" if not outcome.failures else "FAILED: " + "; ".join(outcome.failures)
    return "\n".join([*lines, f"{verdict} (seed {outcome.seed})"])


def _counts(counted: Readings | Events) -> dict[str, int]:
    return {name: value for name, value in asdict(counted).items() if name != "examples"}


def _row(what: str, count: int | str) -> str:
    return f"  {what:<48} {count:>5}"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _drain(pace: Pace) -> str:
    if not pace.backlog:
        return "none"
    return f"{pace.backlog} readings in {pace.drain_s:.1f} s"
