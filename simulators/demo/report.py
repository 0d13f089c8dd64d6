"""The demo's report: computed from what the database, the outboxes and the page's stream contain, not from what was meant to happen."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from simulators.demo.witness import Witness

STORED = """
SELECT count(*) AS stored, count(*) - count(DISTINCT (gateway_id, device_id, quantity, statistic, measured_at)) AS duplicated FROM reading
"""
ALERTS = """
SELECT a.id, a.rule_id, a.gateway_id, a.priority, a.level, a.state, a.condition, a.count, a.opened_at, a.known_at FROM alert a ORDER BY a.id
"""
VISITS = "SELECT id, elder_id FROM visit ORDER BY id"
STEPS = "SELECT state, at, by FROM visit_step WHERE visit_id = %(id)s ORDER BY id"
DELIVERED = """
SELECT count(*) AS readings, max(received_at) AS at FROM reading
WHERE gateway_id = %(home)s AND measured_at BETWEEN %(cut_at)s AND %(restored_at)s
"""
ACCEPTED = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0) - (SELECT count(*) FROM seen)"
WAITING = "SELECT count(*) FROM entry WHERE NOT is_event"


@dataclass(frozen=True, slots=True)
class Injected:
    """Something the demo did to a home: a word of ours, the rule it must raise, and the instant it began."""

    kind: str
    home: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outage:
    """A home's network, cut and restored."""

    home: str
    cut_at: datetime
    restored_at: datetime


def accepted_and_waiting(outboxes: Sequence[Path]) -> tuple[int, int]:
    """Readings that gateways ever accepted on their disks, and those that wait there still, summed over the files."""
    counts = [(_ask(path, ACCEPTED), _ask(path, WAITING)) for path in outboxes if path.exists()]
    return sum(one for one, _ in counts), sum(one for _, one in counts)


def _ask(path: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return int(db.execute(query).fetchone()[0])


def make_report(
    database_url: str, outboxes: Sequence[Path], witness: Witness, *, seconds: float, injected: Sequence[Injected], outage: Outage | None
) -> dict[str, Any]:
    """All numbers and times of a run. Times are ISO 8601 with zone."""
    sent, waiting = accepted_and_waiting(outboxes)
    with psycopg.connect(database_url, row_factory=dict_row) as conn:

        def ask(query: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
            return conn.execute(query.encode(), values).fetchall()

        stored = ask(STORED)[0]
        alerts = ask(ALERTS)
        readings = {
            "sent": sent,
            "stored": stored["stored"],
            "duplicated": stored["duplicated"],
            "waiting": waiting,
            "lost": max(0, sent - waiting - (stored["stored"] - stored["duplicated"])),
        }
        return {
            "seconds": seconds,
            "readings": readings,
            "events": [_event(one, alerts, witness) for one in injected],
            "visits": [_visit(row, ask) for row in ask(VISITS)],
            "outage": _outage(outage, ask) if outage else None,
            "alerts": [_alert(row) for row in alerts],
        }


def _event(one: Injected, alerts: Sequence[dict[str, Any]], witness: Witness) -> dict[str, Any]:
    """The first alert of this rule and home that became known after the injection."""
    row = next((row for row in alerts if (row["rule_id"], row["gateway_id"]) == (one.kind, one.home) and row["known_at"] >= one.at), None)
    shown_at = witness.first_shown_at(row["id"]) if row else None
    return {
        "kind": one.kind,
        "home": one.home,
        "injected_at": _iso(one.at),
        "alert_at": _iso(row["known_at"]) if row else None,
        "shown_at": _iso(shown_at) if shown_at else None,
    }


def _alert(row: dict[str, Any]) -> dict[str, Any]:
    names = ("rule_id", "gateway_id", "priority", "level", "state", "condition", "count")
    return {name.removesuffix("_id").replace("gateway", "home"): row[name] for name in names} | {"at": _iso(row["known_at"])}


def _visit(row: dict[str, Any], ask: Callable[..., list[dict[str, Any]]]) -> dict[str, Any]:
    steps = [{"state": step["state"], "at": _iso(step["at"]), "by": step["by"]} for step in ask(STEPS, {"id": row["id"]})]
    return {"elder": row["elder_id"], "states": steps}


def _outage(outage: Outage, ask: Callable[..., list[dict[str, Any]]]) -> dict[str, Any]:
    """`delivered_after`: seconds from the network's return to the commit of the last reading measured while it was away."""
    values = {"home": outage.home, "cut_at": outage.cut_at, "restored_at": outage.restored_at}
    row = ask(DELIVERED, values)[0]
    return {
        "home": outage.home,
        "seconds": round((outage.restored_at - outage.cut_at).total_seconds(), 1),
        "delivered_after": round((row["at"] - outage.restored_at).total_seconds(), 2) if row["at"] else None,
        "cut_at": _iso(outage.cut_at),
        "restored_at": _iso(outage.restored_at),
        "readings": row["readings"],
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
