"""The table for the README."""

import json
from pathlib import Path

from benchmarks.peers import table

ABOUT = {"machine": "2 cores", "date": "2026-03-01", "seconds": "15"}
FIGURES = {
    "jiahu kill lost": 0.0,
    "jiahu kill accepted": 3000.0,
    "jiahu kill sos_lost": 0.0,
    "jiahu kill tail_ms": 1.4,
    "jiahu outage duplicates": 3.0,
    "jiahu kill duplicates": 4.0,
    "thingsboard kill lost": 62.0,
    "thingsboard kill accepted": 1493.0,
}


def line(start: str) -> str:
    return next(line for line in table.markdown(FIGURES, ABOUT).splitlines() if line.startswith(start))


def test_both_gateways_stand_side_by_side() -> None:
    assert line("| `kill -9`: lost") == "| `kill -9`: lost of accepted | 0 of 3,000 | 62 of 1,493 |"


def test_what_was_not_measured_is_left_open() -> None:
    assert line("| age of the oldest").endswith("| 1 / – ms | – |")


def test_what_counts_over_all_cases_is_summed() -> None:
    assert line("| repeats").endswith("| 7 | – |")


def test_the_words_below_name_machine_and_date() -> None:
    assert "2 cores, 2026-03-01." in table.markdown(FIGURES, ABOUT)


def test_the_table_of_a_report_is_printed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"about": ABOUT, "peers": FIGURES}))
    shown: list[str] = []
    assert table.main([str(report)], shown.append) == 0
    assert shown == [table.markdown(FIGURES, ABOUT)]
