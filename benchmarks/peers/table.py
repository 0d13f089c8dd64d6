"""The figures as a Markdown table for the README.

python -m benchmarks.peers.table REPORT         prints the table of a report that `python -m benchmarks peers --report REPORT` wrote
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.gateways import BATCH_INTERVAL_S, PEER, PEER_VERSION

OURS, THEIRS = "jiahu", "thingsboard"
MISSING = "–"
FIELD = re.compile(r"{[^}]*}")


class Row(NamedTuple):
    """A line of the table: what it says, its figures, and how they are written."""

    title: str
    figures: tuple[str, ...]
    form: str


ROWS = (
    Row("300 messages/s: sensor to cloud, p50 / p99", ("steady p50_ms", "steady p99_ms"), "{:.0f} / {:.0f} ms"),
    Row("… an SOS to the cloud, p99", ("steady sos_p99_ms",), "{:.0f} ms"),
    Row("… processor time per message", ("steady cpu_ms_per_message",), "{:.2f} ms"),
    Row("… resident memory, idle / peak", ("steady rss_idle_mib", "steady rss_peak_mib"), "{:.0f} / {:.0f} MiB"),
    Row("most messages/s with 99 % in the cloud within 1 s", ("capacity sustained_per_s",), "{:,.0f}"),
    Row("… offered twice as many: delivered/s", ("capacity overload_received_per_s",), "{:,.0f}"),
    Row("… and an SOS then, p99", ("capacity overload_sos_p99_ms",), "{:,.0f} ms"),
    Row("`kill -9`: lost of accepted", ("kill lost", "kill accepted"), "{:,.0f} of {:,.0f}"),
    Row("`kill -9` while the network is away: lost", ("kill_offline lost", "kill_offline accepted"), "{:,.0f} of {:,.0f}"),
    Row("power cut in an outage of {long:.0f} s: lost", ("power_cut lost", "power_cut accepted"), "{:,.0f} of {:,.0f}"),
    Row("age of the oldest reading lost by kill / power cut", ("kill tail_ms", "power_cut tail_ms"), "{:.0f} / {:.0f} ms"),
    Row("SOS acknowledged and lost, in all of these", ("sos_lost",), "{:.0f}"),
    Row("outage of {short:.0f} s: lost of accepted", ("outage lost", "outage accepted"), "{:,.0f} of {:,.0f}"),
    Row("… first reading after the network is back", ("outage first_s",), "{:.1f} s"),
    Row("outage of {long:.0f} s: lost of accepted", ("outage_long lost", "outage_long accepted"), "{:,.0f} of {:,.0f}"),
    Row("… first reading / last waiting SOS", ("outage_long first_s", "outage_long sos_last_s"), "{:.1f} / {:.1f} s"),
    Row("… drained, readings/s", ("outage_long drain_readings_per_s",), "{:,.0f}"),
    Row("… resident memory above idle, peak", ("outage_long rss_growth_peak_mib",), "{:.0f} MiB"),
    Row("broker of the centre starts anew: lost of accepted", ("broker_restart lost", "broker_restart accepted"), "{:,.0f} of {:,.0f}"),
    Row("… first reading after it is back", ("broker_restart first_s",), "{:.1f} s"),
    Row("repeats that the cloud saw, all tests", ("duplicates",), "{:,.0f}"),
)
SUMMED = ("sos_lost", "duplicates")
"""Figures of several cases that count together."""


def markdown(figures: Mapping[str, float], about: Mapping[str, str]) -> str:
    """The table and the words that it needs. `figures` by `gateway case figure`; `about`: seconds, machine, date."""
    seconds = float(about["seconds"])
    lines = [f"| | Jiahu | {PEER} {PEER_VERSION} |", "|---|---|---|"]
    for row in ROWS:
        title = row.title.format(short=seconds, long=3 * seconds)
        lines.append(f"| {title} | {_cell(figures, OURS, row)} | {_cell(figures, THEIRS, row)} |")
    return "\n".join(lines) + "\n\n" + _legend(about) + "\n"


def _cell(figures: Mapping[str, float], gateway: str, row: Row) -> str:
    values = [_value(figures, gateway, name) for name in row.figures]
    if all(value is None for value in values):
        return MISSING
    rest = iter(values)
    return FIELD.sub(lambda field: _written(field[0], next(rest)), row.form)


def _written(field: str, value: float | None) -> str:
    return MISSING if value is None else field.format(value)


def _value(figures: Mapping[str, float], gateway: str, name: str) -> float | None:
    if name not in SUMMED:
        return figures.get(f"{gateway} {name}")
    parts = [value for key, value in figures.items() if key.startswith(f"{gateway} ") and key.endswith(f" {name}")]
    return sum(parts) if parts else None


def _legend(about: Mapping[str, str]) -> str:
    return (
        f"{about['machine']}, {about['date']}. Both in one run on the same machine, each message three values of one of 20 devices, 900 "
        "readings/s where nothing else is said. Ours reads frames from 4 serial lines, SOS from a fifth, and sends every "
        f"{BATCH_INTERVAL_S * 1000:.0f} ms (the default, 5 s, saves data); the peer reads MQTT with QoS 1, keeps its SQLite store, and has "
        "its rate limits off. Accepted is what its sensor broker had acknowledged, or our serial line carried, 50 ms before the fault; an "
        "SOS, which the peer does not know, what our gateway had acknowledged, to the last."
    )


def main(argv: Sequence[str], show: Callable[[str], object] = print) -> int:
    """Print the table of one report. Returns 0."""
    report = json.loads(Path(argv[0]).read_text("utf-8"))
    show(markdown(report["peers"], report["about"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
