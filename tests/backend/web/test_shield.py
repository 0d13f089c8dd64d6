"""The guard in front of the application, and how the application says that it is well."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from starlette.datastructures import Headers

from backend.db.pool import Pool
from backend.web.app import BLIND_AFTER
from backend.web.live import Live
from backend.web.shield import BODY_BYTES_MAX, is_forged, refuse
from tests.backend.web.conftest import Clock, SignedIn, eventually, open_alert


@pytest.mark.parametrize(
    ("headers", "forged"),
    [
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://jiahu.test", "host": "jiahu.test"}, True),
        ({"origin": "https://jiahu.test", "host": "jiahu.test"}, False),
        ({"origin": "http://jiahu.test:8600", "host": "jiahu.test:8600"}, False),
        ({"origin": "https://evil.test", "host": "jiahu.test"}, True),
        ({"origin": "null", "host": "jiahu.test"}, True),
        ({"host": "jiahu.test"}, False),
    ],
)
def test_a_request_is_forged_when_a_browser_says_that_another_site_makes_it(headers: dict[str, str], forged: bool) -> None:
    assert is_forged(Headers(headers)) is forged


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": str(BODY_BYTES_MAX)}, None),
        ({"content-length": str(BODY_BYTES_MAX + 1)}, 413),
        ({"transfer-encoding": "chunked"}, 411),
    ],
)
def test_a_body_must_be_small_and_say_so(headers: dict[str, str], status: int | None) -> None:
    refusal = refuse("POST", Headers(headers))
    assert (refusal.status_code if refusal else None) == status


@pytest.mark.store
async def test_a_forged_step_changes_nothing(signed_in: SignedIn, street: Pool) -> None:
    alert_id = await open_alert(street)
    client = await signed_in("wang")
    answer = await client.post(f"/operator/alerts/{alert_id}/take", headers={"origin": "https://evil.test"})
    assert answer.status_code == 403
    assert (await client.get(f"/api/alerts/{alert_id}")).json()["state"] == "new"


@pytest.mark.store
async def test_pages_run_no_foreign_script_and_are_not_kept(anonymous: httpx.AsyncClient) -> None:
    headers = (await anonymous.get("/sign-in")).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


@pytest.mark.store
async def test_a_process_is_ready_while_it_sees_the_tables(app: FastAPI, anonymous: httpx.AsyncClient, clock: Clock) -> None:
    await seeing(app)
    assert (await anonymous.get("/readyz")).json() == {"ok": True, "wrong": {}, "holds": ["event_loop", "database", "live"]}
    assert (await anonymous.get("/healthz")).status_code == 200


@pytest.mark.store
async def test_a_process_that_is_blind_says_so_and_needs_no_restart(app: FastAPI, anonymous: httpx.AsyncClient, clock: Clock) -> None:
    (await seeing(app)).looked_at = clock.at - BLIND_AFTER - timedelta(seconds=1)
    answer = await anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["wrong"] == {"live": "no look at the tables for 11 s; 10 s are allowed"}
    assert (await anonymous.get("/healthz")).status_code == 200


async def seeing(app: FastAPI) -> Live:
    """The watcher, once it has looked and the database has answered."""
    live: Live = app.state.web.live
    await eventually(lambda: not any(one.fault for one in app.state.health.is_ready()))
    return live
