"""The pulse."""

import pytest
from fastapi import FastAPI

from backend.db.pool import Pool
from backend.web.live import Live
from tests.backend.street import NOW
from tests.backend.web.conftest import SignedIn, eventually, open_alert

pytestmark = pytest.mark.store


async def test_the_pulse_counts_homes_and_open_cases(app: FastAPI, signed_in: SignedIn, street: Pool) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE gateway SET online = id = 'gw-1', heard_at = %s", (NOW,))
    await open_alert(street)
    live: Live = app.state.web.live
    live.pulse = None  # look again
    await eventually(lambda: live.pulse is not None)
    pulse = (await (await signed_in("wang")).get("/api/pulse")).json()
    assert (pulse["homes_online"], pulse["homes_total"], pulse["open_cases"]) == (1, 2, {"high": 1})
    assert pulse["last_received_at"] == "2026-03-01T03:12:00Z"
