"""What families see: what the elder has agreed to and nothing else, on every route, in the API and on open streams."""

import re
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from backend.db.pool import Pool
from backend.dispatch import store as dispatch
from backend.errors import NotFound
from backend.people import families
from backend.people.accounts import Account
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from backend.web import auth
from backend.web.api import ROUTERS as API
from backend.web.pages import ROUTERS as PAGES
from backend.web.pages import planner
from backend.web.readers import Readers
from contract.quantities import QuantityName, Statistic
from tests.backend.street import NOW, at_once, one, rows
from tests.backend.web.conftest import PASSWORD, Clock, SignedIn, consent, listening, offer_visit, open_alert, open_case, serving

pytestmark = pytest.mark.store

OPEN_TO_FAMILIES = {
    "/", "/sign-in", "/sign-out", "/language", "/healthz", "/readyz", "/api/session", "/api/live",
    "/receipts/{key}", "/receipts/{key}/accept", "/receipts/{key}/decline",
    "/institutions",
    "/family", "/family/now", "/family/elders/{elder_id}/messages", "/join/{token}", "/join/{token}/own",
    "/api/family/elders", "/api/family/elders/{elder_id}", "/api/family/elders/{elder_id}/messages",
}  # fmt: skip
VALUES = {
    "elder_id": "elder-1", "gateway_id": "gw-1", "token": "x" * 43, "key": "00000000-0000-0000-0000-000000000000", "rule_id": "sos",
    "doctor_id": "doctor-li", "team_id": "team-a",
}  # fmt: skip
FINDINGS = "神志清，右腕挫伤"
NAME, OTHERS_NAME, DOCTOR = "王秀英", "张建国", "李医生"


@pytest.fixture
async def story(street: Pool) -> int:
    """A value, an alarm, and a visit that is done, of both elders. Returns the case of the daughter's mother."""
    for elder_id, gateway_id in (("elder-1", "gw-1"), ("elder-2", "gw-2")):
        doctor = "doctor-li" if elder_id == "elder-1" else "doctor-cao"
        alert_id = await open_alert(street, elder_id)
        visit_id = await offer_visit(street, elder_id, alert_id=alert_id)
        spo2 = Columns("oximeter-1", QuantityName.SPO2, Statistic.SAMPLE, NOW - timedelta(seconds=9), [0, 5000], [87.0, 87.0])
        async with street.connection() as conn, conn.transaction():
            await conn.execute("UPDATE gateway SET heard_at = %s", [NOW])
            await readings.store(conn, [(Home(gateway_id, elder_id), spo2)], received_at=NOW)
            for step in (dispatch.accept, dispatch.depart, dispatch.arrive):
                await step(conn, visit_id, doctor_id=doctor, by="x", now=NOW)
            await dispatch.finish(conn, visit_id, doctor_id=doctor, findings=FINDINGS, outcome="treated", by="x", now=NOW)  # type: ignore[arg-type]
    async with street.connection() as conn:
        return int((await one(conn, "SELECT id FROM care_case WHERE elder_id = 'elder-1'"))["id"])


async def test_every_route_is_closed_to_families_but_those_made_for_them(story: int, street: Pool, signed_in: SignedIn) -> None:
    await consent(street, *families.THINGS)
    client = await signed_in("fang")
    tried = 0
    for route in (route for router in (*API, *PAGES, planner.router) for route in router.routes):
        assert isinstance(route, APIRoute)
        if route.path in OPEN_TO_FAMILIES:
            continue
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: VALUES.get(found[1], "1"), route.path)
        for method in route.methods or ():
            answer = await client.request(method, path)
            assert answer.status_code == 404, f"{method} {path} answers {answer.status_code}"
            assert NAME not in answer.text
            tried += 1
    assert tried > 80


@pytest.mark.parametrize("path", ["/family", "/family/now", "/api/family/elders", "/api/family/elders/elder-1"])
async def test_a_family_never_hears_of_another_elder(story: int, street: Pool, signed_in: SignedIn, path: str) -> None:
    await consent(street, *families.THINGS)
    page = await (await signed_in("fang")).get(path)
    assert page.status_code == 200
    assert NAME in page.text
    assert OTHERS_NAME not in page.text
    assert "elder-2" not in page.text


@pytest.mark.parametrize(
    ("thing", "shown"),
    [
        ("state", ["heard_at"]),
        ("values", ["87.0", '"standing":"below"']),
        ("alerts", ['"priority"']),
        ("visits", [DOCTOR]),
        ("findings", []),
        ("messages", ['"text"']),
    ],
)
async def test_each_thing_is_shown_by_its_own_consent_alone(
    story: int, street: Pool, signed_in: SignedIn, thing: families.Thing, shown: list[str]
) -> None:
    async with street.connection() as conn:
        await consent(street, *families.THINGS)
        await families.write_to_family(conn, "elder-1", text="一切照旧", to_name=None, by="wang", now=NOW)
        await conn.execute("DELETE FROM family_consent")
    client = await signed_in("fang")
    await consent(street, *(other for other in families.THINGS if other != thing))
    everything_else = (await client.get("/api/family/elders")).text
    page = (await client.get("/family")).text
    hidden = shown if thing != "visits" else []  # a doctor's name alone proves nothing: the alarm's line has it by the same consent
    for text in [*hidden, *([FINDINGS] if thing == "findings" else [])]:
        assert text not in everything_else
        assert text not in page
    assert thing != "visits" or (DOCTOR not in everything_else and DOCTOR not in page and FINDINGS not in page)
    async with street.connection() as conn:
        await conn.execute("DELETE FROM family_consent")
    await consent(street, thing)
    alone = (await client.get("/api/family/elders")).text
    for text in shown:
        assert text in alone
    assert FINDINGS not in alone, "what was found needs visits and findings"


async def test_the_page_says_what_is_being_done_before_how_things_are(story: int, street: Pool, signed_in: SignedIn) -> None:
    await consent(street, "state", "alerts")
    client = await signed_in("fang")
    assert "接警中心正在接警" in (await client.get("/family")).text
    await (await signed_in("wang")).post(f"/api/cases/{story}/take")
    assert "接警中心正在处理" in (await client.get("/family")).text
    await (await signed_in("wang")).post(f"/api/cases/{story}/close", json={"disposition": "real"})
    page = (await client.get("/family")).text
    assert "家里的设备有消息" in page
    assert "确实需要帮助，已得到帮助" in page


async def test_silence_is_never_called_well(street: Pool, signed_in: SignedIn, clock: Clock) -> None:
    await consent(street, "state")
    client = await signed_in("fang")
    assert "还没有收到过" in (await client.get("/family")).text
    async with street.connection() as conn:
        await conn.execute("UPDATE gateway SET heard_at = %s", [NOW])
    clock.advance(601)
    assert "这不说明王秀英的情况如何" in (await client.get("/family")).text


async def test_withdrawn_expired_and_lost_contacts_see_nothing_from_that_instant(street: Pool, signed_in: SignedIn, clock: Clock) -> None:
    client = await signed_in("fang")

    async def answer() -> int:
        return (await client.get("/api/family/elders/elder-1")).status_code

    consent_id = await consent(street, "state")
    assert await answer() == 200
    desk = await signed_in("wang")
    assert (await desk.post(f"/elders/elder-1/family/consents/{consent_id}/withdraw")).status_code == 303
    assert await answer() == 404
    await consent(street, "state")
    async with street.connection() as conn:
        await conn.execute("UPDATE contact SET name = '王芬' WHERE name = '王芳'")
        assert await answer() == 404
        await conn.execute("UPDATE contact SET name = '王芳' WHERE name = '王芬'")
        await conn.execute(
            "UPDATE account SET role = 'operator' WHERE name = 'fang'"
        )  # a name given to somebody else brings no rights along
        assert (await one(conn, "SELECT count(*) AS rights FROM family_right('2026-03-02')"))["rights"] == 0
        await conn.execute("UPDATE account SET role = 'family' WHERE name = 'fang'")
    assert await answer() == 200
    clock.advance(365 * 86_400)
    client = await signed_in("fang")
    assert await answer() == 404


async def test_looks_and_refusals_are_in_the_trail(street: Pool, signed_in: SignedIn) -> None:
    await consent(street, "state")
    client = await signed_in("fang")
    await client.get("/family")
    await client.get("/api/family/elders/elder-2")
    async with street.connection() as conn:
        trail = await rows(conn, "SELECT action, subject FROM audit WHERE account_name = 'fang' AND action <> 'signed_in' ORDER BY id")
    assert [(row["action"], row["subject"]) for row in trail] == [("viewed", "elder:elder-1"), ("refused", "elder:elder-2")]


async def test_an_open_stream_tells_that_not_what_and_nothing_after_withdrawal(app: FastAPI, street: Pool) -> None:
    consent_id = await consent(street, "alerts", "visits")
    async with serving(app) as url, listening(url, "fang") as page:
        await page.until(lambda heard: {"about": "rights"} in heard.of("family"))
        await open_alert(street, "elder-2")
        await open_alert(street, "elder-1")
        await page.until(lambda heard: {"about": "alerts"} in heard.of("family"))
        async with street.connection() as conn:
            await families.withdraw(conn, "elder-1", consent_id, by="wang", now=NOW)
        await page.until(lambda heard: heard.of("family").count({"about": "rights"}) == 2, deadline_s=4)
        told = len(page.of("family"))
        await offer_visit(street, "elder-1")
        async with listening(url, "wang") as desk:
            await desk.until(lambda heard: bool(heard.of("visit")))
        assert len(page.of("family")) == told
        assert {kind for kind, _ in page.heard} <= {"hello", "family", "beat"}
        assert "elder" not in str(page.heard)


def test_a_family_is_no_reader_of_whole_rows() -> None:
    family = Account("fang", "family", "王芳", None, None, "zh")
    assert not auth.sees(family, Readers(None, frozenset({"fang"}), {"fang": frozenset(families.THINGS)}))
    assert not auth.sees(family, None)
    assert (
        auth.family_sees(Account("wang", "operator", "", None, None, "zh"), Readers(None, frozenset(), {"wang": frozenset({"state"})}))
        == set()
    )


def link_of(page: httpx.Response) -> str:
    found = re.search(r'value="http://jiahu\.test(/join/[\w-]+)"', page.text)
    assert found is not None, page.text
    return found[1]


WORDS = {"contact": "王芳", "words": "电话里同意", "sees": ["state", "messages"], "days": "30"}


async def test_an_invitation_makes_an_account_once(street: Pool, signed_in: SignedIn, anonymous: httpx.AsyncClient) -> None:
    link = link_of(await (await signed_in("wang")).post("/elders/elder-1/family/consents", data=WORDS))
    shown = await anonymous.get(link)
    assert shown.status_code == 200
    assert NAME not in shown.text
    refused = await anonymous.post(link, data={"name": "wang", "password": "another password"})
    assert refused.status_code == 422
    assert "已被使用" in refused.text
    assert (await signed_in("wang")).cookies, "nobody's password is changed by an invitation"
    assert (await anonymous.post(link, data={"name": "xiaofang", "password": "short"})).status_code == 422
    assert (await anonymous.post(link, data={"name": "xiaofang", "password": PASSWORD})).headers["location"] == "/family"
    assert NAME in (await anonymous.get("/family")).text
    assert (await anonymous.get(link)).status_code == 404
    assert (await anonymous.post(link, data={"name": "second", "password": PASSWORD})).status_code == 404
    async with street.connection() as conn:
        consent_id = (await one(conn, "SELECT id FROM family_consent WHERE account_name = 'xiaofang'"))["id"]
        token = await families.invite(conn, "elder-1", consent_id, by="wang", now=NOW)
    assert (await anonymous.post(f"/join/{token}", data={"password": "another password"})).status_code == 303
    async with street.connection() as conn:
        trail = await rows(conn, "SELECT action, subject, detail FROM audit WHERE detail ? 'way' ORDER BY id")
    assert [(row["action"], row["subject"], row["detail"]["way"]) for row in trail] == [
        ("joined", "elder:elder-1", "link"), ("password_set", "elder:elder-1", "link"),
    ]  # fmt: skip


async def test_of_two_who_take_up_one_invitation_one_wins(street: Pool) -> None:
    consent_id = await consent(street, "state", account=None)
    async with street.connection() as conn:
        token = await families.invite(conn, "elder-1", consent_id, by="wang", now=NOW)

    async def take(conn, number: int) -> bool:  # type: ignore[no-untyped-def]
        try:
            async with conn.transaction():
                await families.join(conn, token, name=f"guest{number}", password=PASSWORD, now=NOW)
        except NotFound:
            return False
        return True

    assert sum(await at_once(street, 4, take)) == 1
    async with street.connection() as conn:
        assert len(await rows(conn, "SELECT name FROM account WHERE name LIKE 'guest%'")) == 1


async def test_links_end_by_time_by_a_newer_one_and_by_withdrawal(
    street: Pool, signed_in: SignedIn, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    desk = await signed_in("wang")
    first = link_of(await desk.post("/elders/elder-1/family/consents", data=WORDS))
    async with street.connection() as conn:
        consent_id = (await one(conn, "SELECT id FROM family_consent"))["id"]
    second = link_of(await desk.post(f"/elders/elder-1/family/consents/{consent_id}/link"))
    assert (await anonymous.get(first)).status_code == 404
    assert (await anonymous.get(second)).status_code == 200
    clock.advance(families.INVITATION_AGE.total_seconds())
    assert (await anonymous.get(second)).status_code == 404
    third = link_of(await (await signed_in("wang")).post(f"/elders/elder-1/family/consents/{consent_id}/link"))
    await (await signed_in("wang")).post(f"/elders/elder-1/family/consents/{consent_id}/withdraw")
    assert (await anonymous.post(third, data={"name": "late", "password": PASSWORD})).status_code == 404


async def test_one_account_follows_two_elders_and_a_link_renews_its_password(
    street: Pool, signed_in: SignedIn, anonymous: httpx.AsyncClient
) -> None:
    async with street.connection() as conn:
        await conn.execute(
            "INSERT INTO contact (elder_id, position, name, relation, phone) VALUES ('elder-2', 1, '王芳', '侄女', '1380000')"
        )
    first = await consent(street, "state")
    desk, fang = await signed_in("wang"), await signed_in("fang")
    link = link_of(await desk.post("/elders/elder-2/family/consents", data=WORDS))
    assert "加到我的账号" in (await fang.get(link)).text
    assert (await fang.post(f"{link}/own")).status_code == 303
    assert [elder["elder_id"] for elder in (await fang.get("/api/family/elders")).json()] == ["elder-1", "elder-2"]
    renewing = link_of(await desk.post(f"/elders/elder-1/family/consents/{first}/link"))
    assert (await anonymous.post(renewing, data={"password": "a new password"})).headers["location"] == "/family"
    assert (await fang.get("/api/family/elders")).status_code == 401, "sessions of the old password end"


async def test_who_may_write_down_consents_and_who_may_look(street: Pool, signed_in: SignedIn) -> None:
    own, others = await signed_in("li"), await signed_in("cao")
    assert (await own.get("/elders/elder-1/family")).status_code == 200
    assert (await others.get("/elders/elder-1/family")).status_code == 404
    assert (await own.post("/elders/elder-1/family/consents", data=WORDS)).status_code == 404
    desk = await signed_in("wang")
    assert (await desk.post("/elders/elder-1/family/consents", data=WORDS | {"contact": "陌生人"})).status_code == 422
    assert (await desk.post("/elders/elder-1/family/consents", data=WORDS | {"sees": []})).status_code == 422


async def test_messages_reach_the_centre_its_open_case_and_whom_they_are_meant_for(street: Pool, signed_in: SignedIn) -> None:
    case_id = await open_case(street)
    await consent(street, "messages")
    client, desk = await signed_in("fang"), await signed_in("wang")
    url = "/api/family/elders/elder-1/messages"
    assert (await client.post(url, json={"text": "钥匙在邻居老陈处"})).status_code == 204
    assert "1 条" in (await desk.get("/operator/letters/count")).text
    assert "钥匙在邻居老陈处" in (await desk.get("/operator/letters")).text
    assert "钥匙在邻居老陈处" in (await desk.get(f"/operator/cases/{case_id}")).text
    assert (await desk.post("/operator/letters/1/done")).status_code == 303
    assert (await desk.post("/operator/letters/1/done")).status_code == 404
    await desk.post("/elders/elder-1/family/messages", data={"text": "已收到", "to_name": "fang"})
    assert (await desk.post("/elders/elder-1/family/messages", data={"text": "x", "to_name": "li"})).status_code == 422
    letters = (await client.get("/api/family/elders/elder-1")).json()["letters"]
    assert [(letter["text"], letter["is_read"]) for letter in letters] == [("已收到", False), ("钥匙在邻居老陈处", True)]
    async with street.connection() as conn:
        assert [row["text"] for row in await families.messages(conn, "elder-1", reader="somebody else")] == []


async def test_messages_are_limited_and_need_consent(street: Pool, signed_in: SignedIn, clock: Clock) -> None:
    await consent(street, "messages")
    client = await signed_in("fang")
    url = "/api/family/elders/elder-1/messages"
    codes = [(await client.post(url, json={"text": "喂"})).status_code for _ in range(families.MESSAGES_MAX + 1)]
    assert codes == [204] * families.MESSAGES_MAX + [422]
    clock.advance(3601)
    assert (await client.post(url, json={"text": "喂"})).status_code == 204
    assert (await client.post("/api/family/elders/elder-2/messages", json={"text": "喂"})).status_code == 404
    async with street.connection() as conn:
        await conn.execute("UPDATE family_consent SET sees = '{state}'")
    assert (await client.post(url, json={"text": "喂"})).status_code == 404
