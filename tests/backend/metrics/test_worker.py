"""What the tables say about the whole, from rows to figures."""

import json

from prometheus_client import CollectorRegistry, generate_latest

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.cases import store as cases
from backend.db.pool import Connection
from backend.metrics.jobs import late_after_s
from backend.metrics.store import read_gateways, read_open
from backend.metrics.worker import GATEWAYS_S, OPEN_S, WorkerMetrics
from tests.backend.metrics.pages import figures
from tests.backend.street import NOW, rows, seconds

ONLINE_SINCE = NOW - seconds(90)
HEAR = "UPDATE gateway SET heard_at = %s, online = %s, clock_offset_s = %s, status = %s WHERE id = %s"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at_s = 50.0

    def __call__(self) -> float:
        return self.at_s


async def open_case(
    conn: Connection, known_s_ago: float, *, rule_id: str = "sos", priority: str = "high", elder_id: str = "elder-1"
) -> int:
    async with conn.transaction():
        alert_id = await alerts.open_alert(
            conn, Subject(elder_id, "gw-1"), rule_id=rule_id, rule_version=1, priority=priority, level="urgent",
            at=NOW - seconds(known_s_ago + 100), now=NOW - seconds(known_s_ago), evidence={},
        )  # fmt: skip
        assert alert_id is not None
        return await cases.follow(conn, alert_id, now=NOW - seconds(known_s_ago))


async def page(conn: Connection, clock: Clock | None = None) -> tuple[dict[tuple[str, ...], float], WorkerMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry, lambda: NOW, clock or Clock())
    metrics.take_open(await read_open(conn, now=NOW))
    metrics.take_gateways(await read_gateways(conn, online_since=ONLINE_SINCE, behind_s=40, ahead_s=20))
    return figures(generate_latest(registry).decode()), metrics, registry


async def test_a_quiet_street_is_all_zeros_and_not_silence(street: Connection) -> None:
    found, _, _ = await page(street)
    assert found["jiahu_cases_open", "high", "new"] == 0
    assert found["jiahu_cases_oldest_unanswered_seconds", "high"] == 0
    assert found["jiahu_visits_oldest_unanswered_offer_seconds",] == 0
    assert found["jiahu_visits_open", "offered"] == found["jiahu_notifications_waiting", "webhook"] == 0
    assert found["jiahu_gateways", "never"] == 2


async def test_the_age_of_the_oldest_case_counts_from_when_it_was_known_until_somebody_takes_it(street: Connection) -> None:
    first = await open_case(street, 75)
    await open_case(street, 20, rule_id="spo2_low", elder_id="elder-2")
    await open_case(street, 500, rule_id="gateway_silent", priority="technical")
    found, _, _ = await page(street)
    assert found["jiahu_cases_oldest_unanswered_seconds", "high"] == 75
    assert found["jiahu_cases_oldest_unanswered_seconds", "technical"] == 500
    assert found["jiahu_cases_oldest_unanswered_seconds", "medium"] == 0
    async with street.transaction():
        await cases.take(street, first, by="wang", now=NOW)
    found, _, _ = await page(street)
    assert found["jiahu_cases_oldest_unanswered_seconds", "high"] == 20
    assert found["jiahu_cases_open", "high", "taken"] == found["jiahu_cases_open", "high", "new"] == 1


async def test_a_case_opened_again_is_as_old_as_its_reopening(street: Connection) -> None:
    case_id = await open_case(street, 3600)
    alert_id = (await rows(street, "SELECT id FROM alert"))[0]["id"]
    async with street.transaction():
        await cases.take(street, case_id, by="wang", now=NOW - seconds(3000))
        await cases.follow(street, alert_id, now=NOW - seconds(12), is_news=True)
    found, _, _ = await page(street)
    assert found["jiahu_cases_oldest_unanswered_seconds", "high"] == 12


async def test_visits_offers_and_messages_wait(street: Connection) -> None:
    alert_id = await open_case(street, 5)
    visit = "INSERT INTO visit (elder_id, class, reason, state, requested_at, requested_by, changed_at, next_at, search_at) VALUES"
    await street.execute(f"{visit} ('elder-1', 'urgent', '', 'offered', %(now)s, 'x', %(now)s, %(now)s, %(now)s)".encode(), {"now": NOW})
    await street.execute(
        "INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, widens_at) "
        "SELECT id, 1, 'doctor-li', 'own_doctor', %s, %s FROM visit",
        [NOW - seconds(42), NOW],
    )
    await street.execute(
        "INSERT INTO notification (alert_id, step, person, channel, address, body, due_at) VALUES (%s, 's', 'p', 'webhook', '', '{}', %s)",
        [alert_id, NOW - seconds(9)],
    )
    found, _, _ = await page(street)
    assert found["jiahu_visits_open", "offered"] == 1
    assert found["jiahu_visits_oldest_unanswered_offer_seconds",] == 42
    assert found["jiahu_notifications_waiting", "webhook"] == 1
    assert found["jiahu_notifications_oldest_overdue_seconds", "webhook"] == 9
    assert found["jiahu_notifications_waiting", "log"] == 0


async def test_gateways_are_online_off_line_or_never_heard(street: Connection) -> None:
    await street.execute("INSERT INTO gateway (id) VALUES ('gw-3'), ('gw-4')")
    await street.execute(HEAR, [NOW - seconds(10), True, 55.0, json.dumps({"waiting": 40}), "gw-1"])
    await street.execute(HEAR, [NOW - seconds(200), True, 99.0, json.dumps({"waiting": 7000}), "gw-2"])
    await street.execute(HEAR, [NOW - seconds(10), False, 0.0, None, "gw-3"])
    found, _, _ = await page(street)
    assert [found["jiahu_gateways", state] for state in ("online", "offline", "never")] == [1, 2, 1]
    assert found["jiahu_gateways_waiting_entries",] == 7040
    assert found["jiahu_gateways_waiting_entries_max",] == 7000
    assert found["jiahu_gateways_clock_off",] == 1


async def test_an_age_goes_on_between_two_looks_and_old_news_is_not_told(street: Connection) -> None:
    clock = Clock()
    _, _, registry = await page(street, clock)
    clock.at_s += late_after_s(OPEN_S) + 1
    found = figures(generate_latest(registry).decode())
    assert not any(name.startswith(("jiahu_cases", "jiahu_visits", "jiahu_notifications")) for name, *_ in found)
    assert ("jiahu_gateways", "never") in found
    clock.at_s += late_after_s(GATEWAYS_S)
    assert ("jiahu_gateways", "never") not in figures(generate_latest(registry).decode())
