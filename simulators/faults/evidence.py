"""What is in the database at the end. Times are seconds since 1970."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

READINGS = """
SELECT gateway_id AS home, device_id AS device, quantity, extract(epoch FROM measured_at)::float8 AS measured_at,
    extract(epoch FROM received_at)::float8 AS received_at, value::float8 AS value
FROM reading WHERE statistic = 'sample'
"""
EVENTS = """
SELECT gateway_id AS home, device_id AS device, kind, event_id, extract(epoch FROM at)::float8 AS at,
    extract(epoch FROM received_at)::float8 AS received_at, alert_id, detail
FROM event
"""
ALERTS = """
SELECT a.id, a.rule_id, a.gateway_id AS home, a.priority, a.state, a.count, extract(epoch FROM a.opened_at)::float8 AS opened_at,
    extract(epoch FROM a.known_at)::float8 AS known_at, coalesce((a.evidence ->> 'late')::boolean, false) AS is_late,
    (SELECT count(*) FROM alert_step s WHERE s.alert_id = a.id AND s.action IN ('opened', 'repeated')) AS steps,
    (SELECT count(*) FROM notification n WHERE n.alert_id = a.id) AS pages
FROM alert a
"""
WORK = "SELECT coalesce(sum(readings + repeats + events), 0) FROM gateway_log"


@dataclass(frozen=True, slots=True)
class StoredReading:
    """One reading of a device of ours."""

    home: str
    device: str
    quantity: str
    measured_at: float
    received_at: float
    value: float


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event, and the alert it belongs to."""

    home: str
    device: str
    kind: str
    event_id: str
    at: float
    received_at: float
    alert_id: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One alert. `steps`: how many openings and repeats its history counts; `pages`: how many notifications it caused."""

    id: int
    rule_id: str
    home: str | None
    priority: str
    state: str
    count: int
    opened_at: float
    known_at: float
    is_late: bool
    steps: int
    pages: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All rows that are compared."""

    readings: list[StoredReading]
    events: list[StoredEvent]
    alerts: list[StoredAlert]


def collect(database_url: str) -> Evidence:
    """Read everything, in one moment. Raises psycopg.Error."""
    with psycopg.connect(database_url) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return Evidence(
            conn.cursor(row_factory=class_row(StoredReading)).execute(READINGS).fetchall(),
            conn.cursor(row_factory=class_row(StoredEvent)).execute(EVENTS).fetchall(),
            conn.cursor(row_factory=class_row(StoredAlert)).execute(ALERTS).fetchall(),
        )


def work_done(database_url: str) -> int:
    """Grows with every message that is stored or found to be stored already. Raises psycopg.Error."""
    with psycopg.connect(database_url, connect_timeout=2) as conn:
        row = conn.execute(WORK).fetchone()
    return int(row[0]) if row else 0
