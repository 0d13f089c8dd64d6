"""Series for charts."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend.db.pool import Pool
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from contract.quantities import QuantityName, Statistic
from tests.backend.street import NOW
from tests.backend.web.conftest import SignedIn

pytestmark = pytest.mark.store


async def store(pool: Pool, values: list[float], *, device_id: str = "oximeter-1", statistic: Statistic = Statistic.SAMPLE) -> None:
    offsets = [second * 1000 for second in range(len(values))]
    columns = Columns(device_id, QuantityName.SPO2, statistic, NOW, offsets, values)
    async with pool.connection() as conn, conn.transaction():
        await readings.store(conn, [(Home("gw-1", "elder-1"), columns)], received_at=NOW)


async def fetch(client: httpx.AsyncClient, **change: str) -> httpx.Response:
    query = {"quantity": "spo2", "from": NOW.isoformat(), "to": (NOW + timedelta(hours=1)).isoformat()} | change
    return await client.get("/api/elders/elder-1/series", params=query)


def columns_of(answer: httpx.Response) -> dict[str, Any]:
    return {device["device_id"]: (device["mean"], device["min"], device["max"]) for device in answer.json()["devices"]}


async def test_buckets_keep_the_dip_that_a_mean_would_hide(signed_in: SignedIn, street: Pool) -> None:
    await store(street, [96, 96, 84, 96, 96])
    answer = await fetch(await signed_in("wang"))
    assert answer.json()["step_s"] == 5
    assert answer.json()["unit"] == "%"
    assert columns_of(answer) == {"oximeter-1": ([93.6], [84], [96])}


async def test_each_device_has_its_own_columns(signed_in: SignedIn, street: Pool) -> None:
    await store(street, [96])
    await store(street, [91], device_id="wearable-1")
    assert columns_of(await fetch(await signed_in("wang"))) == {"oximeter-1": ([96], [96], [96]), "wearable-1": ([91], [91], [91])}


async def test_summaries_of_a_gateway_bring_their_own_extremes(signed_in: SignedIn, street: Pool) -> None:
    await store(street, [95], statistic=Statistic.MEAN)
    await store(street, [88], statistic=Statistic.MIN)
    await store(street, [99], statistic=Statistic.MAX)
    assert columns_of(await fetch(await signed_in("wang"))) == {"oximeter-1": ([95], [88], [99])}


async def test_implausible_values_are_not_drawn(signed_in: SignedIn, street: Pool) -> None:
    await store(street, [96, 130])
    assert columns_of(await fetch(await signed_in("wang"))) == {"oximeter-1": ([96], [96], [96])}


async def test_a_long_span_has_wide_buckets(signed_in: SignedIn, street: Pool) -> None:
    answer = await fetch(await signed_in("wang"), to=(NOW + timedelta(days=1)).isoformat())
    assert answer.json()["step_s"] == 120


@pytest.mark.parametrize(
    "change", [{"to": NOW.isoformat()}, {"to": (NOW + timedelta(days=16 * 366)).isoformat()}, {"quantity": "mood"}, {"from": "yesterday"}]
)
async def test_a_span_or_quantity_that_makes_no_sense_is_refused(signed_in: SignedIn, street: Pool, change: dict[str, str]) -> None:
    assert (await fetch(await signed_in("wang"), **change)).status_code == 422
