"""The figures of the centre against a count by hand."""

from datetime import date
from typing import Any

import pytest

from backend.alerts.model import Subject
from backend.cases import report
from backend.cases import store as cases
from backend.db.pool import Pool
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, seconds
from tests.backend.web.conftest import SignedIn

pytestmark = pytest.mark.store

DAY: dict[str, Any] = {"from_at": NOW, "to_at": NOW + seconds(86_400)}
TAKEN_AFTER_S = [3, 15, 15.001, 40, 60, 61, 180, 181, 400]
"""By hand: 2 within 15 s, 5 within 60 s, 7 within 180 s, 2 later, the slowest 400 s."""


async def test_answer_times_agree_with_a_count_by_hand(street: Pool) -> None:
    async with street.connection() as conn:
        await conn.execute(
            "INSERT INTO elder (id, name, sex, address) SELECT 'old-' || n, 'x', 'female', 'x' FROM generate_series(0, 20) AS n"
        )
        taken = []
        for number, after_s in enumerate(TAKEN_AFTER_S):
            taken.append(await bring(conn, at=NOW + seconds(number * 1000), subject=subject(number)))
            await cases.take(conn, taken[-1], by="wang", now=NOW + seconds(number * 1000 + after_s))
        waiting = await bring(conn, at=NOW + seconds(50_000), subject=subject(15))
        await bring(conn, "device_lost", "technical", at=NOW + seconds(10), subject=subject(16))  # no call
        await bring(conn, at=NOW + seconds(90_000), subject=subject(17))  # the next day
        answers = await report.answers(conn, **DAY, now=NOW + seconds(50_200))
    assert (answers.calls, answers.answered, answers.waiting, answers.ended_by_themselves) == (10, 9, 1, 0)
    assert answers.within == {15: 2, 60: 5, 180: 7}
    assert [answers.share(limit) for limit in (15, 60, 180)] == [0.2, 0.5, 0.7]
    assert answers.slowest_s == 400
    assert answers.late_cases == sorted([taken[7], taken[8], waiting])


async def test_a_case_that_waits_again_is_a_second_call(street: Pool) -> None:
    async with street.connection() as conn:
        case_id = await bring(conn, "spo2_low", "medium")
        await cases.take(conn, case_id, by="wang", now=NOW + seconds(5))
        await bring(conn, "sos", at=NOW + seconds(100))
        await cases.take(conn, case_id, by="liu", now=NOW + seconds(190))
        answers = await report.answers(conn, **DAY, now=NOW + seconds(1000))
    assert (answers.calls, answers.within, answers.slowest_s) == (2, {15: 1, 60: 1, 180: 2}, 90)


async def test_false_and_technical_are_counted_by_rule_device_and_elder_and_the_noisy_named(signed_in: SignedIn, street: Pool) -> None:
    client = await signed_in("wang")
    async with street.connection() as conn:
        for _ in range(3):
            case_id = await bring(conn, "sos")
            assert (await client.post(f"/api/cases/{case_id}/close", json={"disposition": "false"})).status_code == 204
        case_id = await bring(conn, "fall")
        await client.post(f"/api/cases/{case_id}/close", json={"disposition": "technical"})
        found = await report.outcomes(conn, **DAY)
        chatter = await report.chatter(conn, **DAY)
        codes = await report.dispositions(conn, **DAY)
    assert [(row["id"], row["alerts"], row["false_alarms"], row["technical"]) for row in found["rule"]] == [
        ("sos", 3, 3, 0),
        ("fall", 1, 0, 1),
    ]
    assert [(row["id"], row["alerts"], row["false_alarms"], row["technical"]) for row in found["device"]] == [("gw-1 wearable-1", 4, 3, 1)]
    assert [(row["name"], row["alerts"]) for row in found["elder"]] == [("王秀英", 4)]
    assert [(row["id"], row["times"]) for row in chatter["rule"]] == [("sos", 3), ("fall", 1)]
    assert codes == [{"disposition": "false", "cases": 3}, {"disposition": "technical", "cases": 1}]
    assert "误报与技术故障" in (await client.get("/operator/report")).text


async def test_the_noisiest_of_a_week_are_kept_once_when_it_is_over(street: Pool) -> None:
    async with street.connection() as conn:
        await bring(conn)
        sunday, monday = NOW, NOW + seconds(86_400)  # 2026-03-01 is a Sunday
        assert await report.keep_week(conn, now=sunday) == date(2026, 2, 16)
        assert await report.keep_week(conn, now=monday) == date(2026, 2, 23)
        assert await report.keep_week(conn, now=monday + seconds(60)) is None
        row = await (await conn.execute("SELECT body FROM chatter_report ORDER BY week_start DESC LIMIT 1")).fetchone()
    assert row is not None
    assert row["body"]["rule"] == [{"place": 1, "id": "sos", "times": 1}]


def subject(number: int) -> Subject:
    return Subject(f"old-{number}", "gw-1")
