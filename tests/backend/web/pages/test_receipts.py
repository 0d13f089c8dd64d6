"""Links in messages: an offer is answered by whoever was asked, without a name or an address, and a browser rings for one doctor."""

import json

import httpx
import pytest

from backend import visit_news
from backend.config import VAPID_KEY
from backend.db.pool import Pool
from backend.notify import outbox, webpush
from tests.backend.notify.test_webpush import AUTH, RECEIVER
from tests.backend.street import NOW, one, rows
from tests.backend.web.conftest import SignedIn, case_of, offer_visit, open_alert

pytestmark = pytest.mark.store

BROWSER = json.dumps(
    {"endpoint": "https://fcm.googleapis.com/fcm/send/1", "expirationTime": None, "keys": {"p256dh": RECEIVER, "auth": AUTH}}
)


@pytest.fixture
async def key(street: Pool) -> str:
    """The key in the link of the message about an offer to Dr Li."""
    async with street.connection() as conn:
        await outbox.add_route(
            conn, person="account:li", now=NOW, channel="email", address="li@team.test", priorities=["high"], quiet_from=None,
            quiet_to=None, quiet_spares_high=True, consented_to="x",
        )  # fmt: skip
    visit_id = await offer_visit(street)
    async with street.connection() as conn:
        await visit_news.offered(conn, visit_id=visit_id, now=NOW)
        return str((await one(conn, "SELECT key FROM notification"))["key"])


async def test_an_offer_is_accepted_by_its_link_without_a_session(street: Pool, key: str, anonymous: httpx.AsyncClient) -> None:
    shown = await anonymous.get(f"/receipts/{key}")
    assert "您签约的患者" in shown.text or "签约" in shown.text
    assert "王秀英" not in shown.text
    assert "幸福里" not in shown.text
    async with street.connection() as conn:
        assert (await one(conn, "SELECT state FROM visit"))["state"] == "offered", "looking is no answer"
    accepted = await anonymous.post(f"/receipts/{key}/accept", data={"leaves_in_minutes": "10"})
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/doctor")
    again = await anonymous.post(f"/receipts/{key}/accept", data={"leaves_in_minutes": "60"})
    assert again.status_code == 303, "a second press changes nothing"
    async with street.connection() as conn:
        visit = await one(conn, "SELECT state, doctor_id FROM visit")
        trail = await rows(conn, "SELECT account_name, detail->>'way' AS way FROM audit WHERE action = 'accepted'")
        assert (await one(conn, "SELECT read_at FROM notification"))["read_at"] == NOW
    assert (visit["state"], visit["doctor_id"]) == ("accepted", "doctor-li")
    assert trail == [{"account_name": "li", "way": "link"}]
    assert "已无需答复" in (await anonymous.get(f"/receipts/{key}")).text
    assert (await anonymous.post(f"/receipts/{key}/decline", data={"reason": "too_far"})).status_code in (404, 409)


async def test_an_offer_is_declined_by_its_link_with_a_reason(street: Pool, key: str, anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.post(f"/receipts/{key}/decline")).status_code == 422
    assert "已无需答复" in (await anonymous.post(f"/receipts/{key}/decline", data={"reason": "too_far"})).text
    async with street.connection() as conn:
        assert (await one(conn, "SELECT answer, decline_reason FROM visit_offer"))["decline_reason"] == "too_far"


async def test_the_link_of_another_message_answers_no_offer(street: Pool, key: str, anonymous: httpx.AsyncClient) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE account SET is_active = false WHERE name = 'li'")
    assert (await anonymous.post(f"/receipts/{key}/accept")).status_code == 404
    assert (await anonymous.post("/receipts/00000000-0000-4000-8000-000000000001/accept")).status_code == 404


async def test_a_browser_rings_for_the_doctor_who_switched_it_on_last(
    street: Pool, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VAPID_KEY, webpush.new_key())
    li, yang = await signed_in("li"), await signed_in("yang")
    assert "data-key" in (await li.get("/operator/channels")).text
    for client in (li, li, yang):
        assert (await client.post("/doctor/push", data={"subscription": BROWSER})).status_code == 204
    async with street.connection() as conn:
        assert [row["person"] for row in await rows(conn, "SELECT person FROM notify_route WHERE withdrawn_at IS NULL")] == ["account:yang"]
    assert "fcm.googleapis.com" in (await yang.get("/operator/channels")).text
    assert (await yang.post("/doctor/push", data={"subscription": BROWSER.replace("fcm.", "evil.")})).status_code == 422
    assert (await yang.post("/doctor/push/off", data={"subscription": BROWSER})).status_code == 204
    async with street.connection() as conn:
        assert await outbox.routes(conn, "account:yang") == []
    assert (await (await signed_in("wang")).post("/doctor/push", data={"subscription": BROWSER})).status_code == 404


async def test_a_browser_that_is_switched_on_again_keeps_its_quiet_hours_and_what_waits(
    street: Pool, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VAPID_KEY, webpush.new_key())
    li = await signed_in("li")
    await li.post("/doctor/push", data={"subscription": BROWSER})
    visit_id = await offer_visit(street)
    async with street.connection() as conn:
        await visit_news.offered(conn, visit_id=visit_id, now=NOW)
        await conn.execute("UPDATE notify_route SET quiet_from = '22:00', quiet_to = '06:00'")
    await li.post("/doctor/push", data={"subscription": BROWSER})
    async with street.connection() as conn:
        [route] = await outbox.routes(conn, "account:li")
        assert route["quiet_from"] is not None
        assert (await one(conn, "SELECT state FROM notification"))["state"] == "waiting"
        await outbox.forget(conn, channel="push", address=route["address"], now=NOW, but="account:yang")
        assert (await one(conn, "SELECT state FROM notification"))["state"] == "failed"


async def test_a_doctor_changes_the_own_channels_alone(signed_in: SignedIn) -> None:
    client = await signed_in("li")
    form = {"channel": "email", "address": "li@team.test", "priorities": "high", "consent": "self"}
    assert (await client.post("/operator/channels", data=form | {"person": "account:li"})).status_code == 303
    assert "li@team.test" in (await client.get("/operator/channels")).text
    assert (await client.get("/operator/channels?elder=elder-1")).status_code == 404
    for person in ("account:wang", "contact:elder-1:王芳"):
        assert (await client.post("/operator/channels", data=form | {"person": person})).status_code == 404
    assert (await client.post("/operator/channels", data=form | {"person": "account:li", "channel": "push"})).status_code == 422


async def test_the_story_of_a_case_says_that_a_doctor_was_rung(street: Pool, key: str, signed_in: SignedIn) -> None:
    alert_id = await open_alert(street)
    async with street.connection() as conn:
        await conn.execute("UPDATE visit SET alert_id = %s", [alert_id])
        await conn.execute("UPDATE notification SET attempts = 1, state = 'sent', sent_at = %s", [NOW])
    page = await (await signed_in("wang")).get(f"/operator/cases/{await case_of(street, alert_id)}")
    assert "已通知李医生" in page.text
