"""What a chart is drawn from: the same buckets whether readings are fresh, compacted or rolled up, and no readings read for a year."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from backend.db.pool import Connection, Pool
from backend.web import chart, series
from contract.quantities import QuantityName
from tests.backend.readings.history import compact_all
from tests.backend.street import NOW, batch, letter, rows, write

DAY = NOW.replace(hour=0, minute=0)
SPO2 = QuantityName.SPO2


@pytest.fixture
async def homes(street: Pool) -> AsyncIterator[Connection]:
    """A connection to the street's database."""
    async with street.connection() as conn:
        yield conn


async def fill(conn: Connection) -> None:
    """Three hours of readings with a dip, some of them late."""
    for place in range(12):
        at = DAY + timedelta(minutes=15 * place)
        await write(conn, letter(batch([96, 84 + place, 95], first=1 + 3 * place, start_at=at)), now=DAY + timedelta(hours=2))


async def drawn(conn: Connection, of_s: int, step_s: int, span: tuple[datetime, datetime] | None = None) -> list[dict[str, object]]:
    return await series.buckets(conn, "elder-1", SPO2, span or (DAY, DAY + timedelta(days=1)), of_s=of_s, step_s=step_s, believed=(1, 100))


@pytest.mark.parametrize("width_s", [60, 3_600, 86_400])
async def test_rollups_and_what_is_fresh_draw_what_readings_draw(homes: Connection, width_s: int) -> None:
    await fill(homes)
    expected = await drawn(homes, 1, width_s)
    assert await drawn(homes, width_s, width_s) == expected
    await compact_all(homes)
    assert await drawn(homes, 1, width_s) == expected
    assert await drawn(homes, width_s, width_s) == [row | {"mean": pytest.approx(row["mean"], rel=1e-6)} for row in expected]
    await write(homes, letter(batch([70], first=90, start_at=DAY + timedelta(minutes=30))))
    late = await drawn(homes, width_s, width_s)
    assert min(row["min"] for row in late if isinstance(row["min"], float)) == 70
    assert [row["bucket"] for row in late] == [row["bucket"] for row in expected]


async def test_buckets_outside_the_span_are_left_out(homes: Connection) -> None:
    await fill(homes)
    await compact_all(homes)
    span = (DAY + timedelta(hours=1), DAY + timedelta(hours=2))
    for of_s in (60, 3_600):
        assert {row["bucket"] for row in await drawn(homes, of_s, 3_600, span)} == {span[0].timestamp()}


@pytest.mark.parametrize(("days", "without"), [(1, ["history"]), (30, ["history", "rollup_minute"]), (365, ["history", "rollup_minute"])])
async def test_a_long_chart_reads_no_readings_but_those_in_no_rollup_yet(homes: Connection, days: int, without: list[str]) -> None:
    await fill(homes)
    await compact_all(homes)
    step = chart.step_s(days * 86_400)
    of_s = chart.source_s(step, timedelta(days=days), raw_kept=timedelta(days=30), minutes_kept=timedelta(days=180))
    span = chart.widen(NOW - timedelta(days=days), NOW, of_s)
    statement = series.SERIES_OF[of_s] % {
        "from_at": f"'{span[0]}'::timestamptz", "to_at": f"'{span[1]}'::timestamptz", "step_s": step, "elder_id": "'elder-1'",
        "quantity": "'spo2'", "low": 1, "high": 100, "segment_max": "interval '1 hour'",
    }  # fmt: skip
    plan = "\n".join(row["QUERY PLAN"] for row in await rows(homes, f"EXPLAIN {statement}"))
    assert "rollup_" in plan or "_hyper_" in plan
    assert [name for name in without if name in plan] == []


async def test_how_long_a_quantity_is_kept_is_that_of_its_class(homes: Connection) -> None:
    assert await series.kept(homes, SPO2) == (timedelta(days=30), timedelta(days=180))
    assert await series.kept(homes, QuantityName.BATTERY) == (timedelta(days=7), timedelta(days=30))
