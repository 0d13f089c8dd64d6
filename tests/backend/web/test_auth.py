"""Signing in, roles, and the trail."""

import httpx
import pytest

from backend.db.pool import Pool
from backend.people.accounts import FAILURES_MAX, LOCK, SESSION_AGE_MAX
from tests.backend.web.conftest import PASSWORD, Clock, SignedIn, offer_visit, open_alert, open_case, pass_offer_on

pytestmark = pytest.mark.store

TRAIL = "SELECT account_name, action, subject FROM audit WHERE action NOT IN ('signed_in', 'signed_out') ORDER BY id"


async def trail(pool: Pool) -> list[tuple[str, str, str]]:
    async with pool.connection() as conn:
        rows = await (await conn.execute(TRAIL)).fetchall()
    return [(row["account_name"], row["action"], row["subject"]) for row in rows]


async def sign_in(client: httpx.AsyncClient, password: str, name: str = "wang") -> httpx.Response:
    return await client.post("/sign-in", data={"name": name, "password": password})


async def test_the_right_password_opens_a_session_that_scripts_cannot_read(anonymous: httpx.AsyncClient) -> None:
    answer = await sign_in(anonymous, PASSWORD)
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 303
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert (await anonymous.get("/operator")).status_code == 200


@pytest.mark.parametrize("name", ["wang", "nobody"])
async def test_a_wrong_name_and_a_wrong_password_look_the_same(anonymous: httpx.AsyncClient, name: str) -> None:
    answer = await sign_in(anonymous, "wrong", name)
    assert answer.status_code == 403
    assert "账号或密码不正确" in answer.text


async def test_failures_in_a_row_lock_the_account_even_for_the_right_password(anonymous: httpx.AsyncClient) -> None:
    answers = [await sign_in(anonymous, "wrong") for _ in range(FAILURES_MAX)]
    assert [answer.status_code for answer in answers] == [403] * (FAILURES_MAX - 1) + [429]
    locked = await sign_in(anonymous, PASSWORD)
    assert locked.status_code == 429
    assert "账号已锁定 60 秒" in locked.text


async def test_a_lock_ends_by_itself(anonymous: httpx.AsyncClient, clock: Clock) -> None:
    for _ in range(FAILURES_MAX):
        await sign_in(anonymous, "wrong")
    clock.advance(LOCK.total_seconds())
    assert (await sign_in(anonymous, PASSWORD)).status_code == 303


async def test_a_success_forgets_earlier_failures(anonymous: httpx.AsyncClient) -> None:
    for _ in range(FAILURES_MAX - 1):
        await sign_in(anonymous, "wrong")
    await sign_in(anonymous, PASSWORD)
    assert (await sign_in(anonymous, "wrong")).status_code == 403


async def test_a_session_ends_with_the_shift(signed_in: SignedIn, clock: Clock) -> None:
    client = await signed_in("wang")
    clock.advance(SESSION_AGE_MAX.total_seconds())
    assert (await client.get("/api/session")).status_code == 401


async def test_signing_out_ends_the_session_on_the_server(signed_in: SignedIn) -> None:
    client = await signed_in("wang")
    token = client.cookies["jiahu_session"]
    await client.post("/sign-out")
    client.cookies.set("jiahu_session", token)
    assert (await client.get("/api/session")).status_code == 401


async def test_a_switched_off_account_is_out_at_once(signed_in: SignedIn, street: Pool) -> None:
    client = await signed_in("wang")
    async with street.connection() as conn:
        await conn.execute("UPDATE account SET is_active = false WHERE name = 'wang'")
    assert (await client.get("/api/session")).status_code == 401


async def test_a_page_leads_through_the_sign_in_and_back(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/operator/alerts/7")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/operator/alerts/7")
    answer = await anonymous.post("/sign-in", data={"name": "wang", "password": PASSWORD, "next": "/operator/alerts/7"})
    assert answer.headers["location"] == "/operator/alerts/7"


@pytest.mark.parametrize("elsewhere", ["//evil.test", "/\\evil.test", "https://evil.test", "operator"])
async def test_the_sign_in_never_leads_to_another_site(anonymous: httpx.AsyncClient, elsewhere: str) -> None:
    answer = await anonymous.post("/sign-in", data={"name": "wang", "password": PASSWORD, "next": elsewhere})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(("name", "home"), [("wang", "/operator"), ("li", "/doctor"), ("root", "/operator")])
async def test_everybody_begins_with_the_page_of_the_role(signed_in: SignedIn, name: str, home: str) -> None:
    assert (await (await signed_in(name)).get("/")).headers["location"] == home


@pytest.mark.parametrize("path", ["/operator", "/operator/queue", "/operator/street", "/admin/accounts"])
async def test_a_doctor_finds_no_page_of_others(signed_in: SignedIn, path: str) -> None:
    assert (await (await signed_in("li")).get(path)).status_code == 404


async def test_a_doctor_sees_the_elders_of_the_own_team_only(signed_in: SignedIn, street: Pool) -> None:
    own, others = await open_alert(street, "elder-1"), await open_alert(street, "elder-2")
    client = await signed_in("li")
    assert [alert["id"] for alert in (await client.get("/api/alerts")).json()] == [own]
    assert (await client.get(f"/api/alerts/{own}")).status_code == 200
    assert (await client.get(f"/api/alerts/{others}")).status_code == 404


async def test_a_refused_look_is_written_to_the_trail(signed_in: SignedIn, street: Pool) -> None:
    others = await open_alert(street, "elder-2")
    await (await signed_in("li")).get(f"/api/alerts/{others}")
    assert await trail(street) == [("li", "refused", f"alert:{others}")]


async def test_an_open_offer_lets_a_doctor_see_another_teams_elder_until_it_ends(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    visit_id = await offer_visit(street, "elder-1")
    client = await signed_in("cao")
    series = "/api/elders/elder-1/series?quantity=spo2&from=2026-03-01T00:00:00Z&to=2026-03-01T03:00:00Z"
    assert (await client.get(series)).status_code == 404
    async with street.connection() as conn:
        for _ in range(3):  # two minutes and nobody has accepted: the backup team is asked at the third
            clock.advance(60)
            await pass_offer_on(conn, now=clock.at)
    assert (await client.get(series)).status_code == 200
    assert (await client.post(f"/api/visits/{visit_id}/decline", json={"reason": "too_far"})).status_code == 204
    assert (await client.get(series)).status_code == 404


async def test_looks_of_the_same_person_are_one_line_for_some_minutes(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    for _ in range(3):
        await client.get(f"/operator/cases/{case_id}")
    assert await trail(street) == [("wang", "viewed", "elder:elder-1")]
    clock.advance(301)
    await client.get("/operator/elders/elder-1/vitals")
    assert await trail(street) == [("wang", "viewed", "elder:elder-1")] * 2


async def test_every_step_is_written_to_the_trail(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    await client.post(f"/api/cases/{case_id}/take")
    await client.post(f"/api/cases/{case_id}/close", json={"disposition": "false"})
    subject = f"case:{case_id}"
    assert await trail(street) == [("wang", "viewed", "elder:elder-1"), ("wang", "taken", subject), ("wang", "closed", subject)]


async def test_only_administrators_see_the_accounts(signed_in: SignedIn) -> None:
    assert (await (await signed_in("wang")).get("/admin/accounts")).status_code == 404
    page = await (await signed_in("root")).get("/admin/accounts")
    assert "李医生" in page.text
    assert "argon2" not in page.text
