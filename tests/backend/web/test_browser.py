"""The pages in a real browser: nothing sticks out, the console stays clean, keys work, and blindness is loud and heals by itself."""

from collections.abc import Awaitable

import pytest

from backend.db.pool import Pool
from backend.dispatch.progress_store import ZONE
from backend.people import accounts, families
from tests.backend.dispatch import rounds
from tests.backend.street import one, rows
from tests.backend.web.conftest import PASSWORD, Clock, offer_visit, open_alert
from tests.backend.web.in_browser import DESK, IN_BROWSER, PHONE, OpenPage, browser, busy_street, clock, open_page, playwright, url

assert playwright
from playwright.async_api import Browser, Error, Locator, Page, expect  # noqa: E402

__all__ = ["browser", "busy_street", "clock", "open_page", "url"]

pytestmark = IN_BROWSER

AGED = """
async () => {
  const cache = await caches.open("jiahu-doctor");
  const page = await cache.match("/doctor");
  await cache.put("/doctor", new Response(await page.text(), { headers: { date: new Date(Date.now() - 13 * 3_600_000).toUTCString() } }));
}
"""


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_nothing_sticks_out_of_the_screen(busy_street: int, open_page: OpenPage, language: str) -> None:
    for account, path in (
        ("wang", "/operator"),
        ("wang", f"/operator/alerts/{busy_street}"),
        ("li", "/doctor"),
        ("fang", "/family"),
        ("wang", "/elders/elder-1/family"),
    ):
        page = await open_page(path, account=account, language=language)
        for size in (DESK, PHONE):
            await page.set_viewport_size(size)
            await page.reload()
            await expect(page.locator("body")).to_contain_text("王秀英")
            wide, high = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            assert wide <= size["width"], path
            assert "/operator" not in path or size is PHONE or high <= size["height"], path
        await page.context.close()


async def test_charts_are_drawn(busy_street: int, open_page: OpenPage) -> None:
    page = await open_page(f"/operator/alerts/{busy_street}")
    await expect(page.locator(".fall canvas")).to_be_visible()
    await expect(page.locator(".chart canvas")).to_be_visible()


async def test_keys_keep_away_while_somebody_types(busy_street: int, open_page: OpenPage) -> None:
    page = await open_page(f"/operator/alerts/{busy_street}")
    await page.keyboard.press("n")
    await page.keyboard.type("told to wait, jack took it")
    await expect(page.locator("#actions textarea").first).to_have_value("told to wait, jack took it")
    await expect(page.locator("#take")).to_be_visible()


async def test_a_new_alert_appears_and_typed_text_stays(street: Pool, busy_street: int, open_page: OpenPage) -> None:
    page = await open_page(f"/operator/alerts/{busy_street}")
    await page.keyboard.press("n")
    await page.keyboard.type("half a sen")
    await open_alert(street, "elder-2", rule_id="sos")
    await expect(page.locator("#queue")).to_contain_text("张建国")
    await page.keyboard.type("tence")
    await expect(page.locator("#actions textarea").first).to_have_value("half a sentence")


async def test_a_doctor_accepts_and_finishes_on_a_phone(busy_street: int, open_page: OpenPage) -> None:
    page = await open_page("/doctor", account="li", size=PHONE)
    for button in ("接单", "我已出发", "我已到达"):
        await page.get_by_role("button", name=button, exact=True).click()
    await page.locator("textarea[name=findings]").fill("神志清，无外伤")
    await page.locator("select[name=outcome]").select_option("well")
    await page.get_by_role("button", name="出诊完成").click()
    await expect(page.locator("#visits .lines")).to_contain_text("神志清，无外伤")


async def test_a_visit_goes_on_through_a_dead_spot_and_counts_once(busy_street: int, street: Pool, open_page: OpenPage) -> None:
    async with street.connection() as conn:
        await accounts.set_pin(conn, "li", "4711")
        await conn.execute("UPDATE elder SET conditions = '{高血压}', born_on = '1941-03-08' WHERE id = 'elder-1'")
    page = await open_page("/doctor", account="li", size=PHONE, expects_errors=True)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()  # now through the worker, which keeps it
    await page.get_by_role("button", name="接单", exact=True).click()
    await expect(page.get_by_role("button", name="我已出发")).to_be_visible()
    await page.reload()
    await page.context.set_offline(True)
    await page.get_by_role("button", name="我已出发").click()
    await page.get_by_role("button", name="我已到达").click()
    await expect(page.locator(".queued")).to_be_visible()
    await page.reload()  # the telephone was put away meanwhile
    await page.locator("textarea[name=findings]").fill("头晕")
    await page.locator("select[name=outcome]").select_option("treated")
    await page.get_by_label("高血压随访").check()
    await page.get_by_label("收缩压").first.fill("182")
    await page.get_by_label("舒张压").first.fill("96")
    await page.get_by_label("签名 PIN 码").fill("4711")
    await page.get_by_role("button", name="出诊完成").click()
    await page.context.set_offline(False)
    await expect(page.locator("#visits .lines")).to_contain_text("头晕", timeout=20_000)
    async with street.connection() as conn:
        taken = await rows(conn, "SELECT step FROM visit_once ORDER BY said_at")
        record = await one(conn, "SELECT control, reasons, refer, answers, signed_by FROM visit_record")
    assert [row["step"] for row in taken] == ["accept", "depart", "arrive", "finish"]
    assert (record["control"], record["refer"], record["signed_by"]) == ({"hypertension": "emergency"}, True, "li")
    assert record["answers"]["hypertension"]["blood_pressure_systolic"] == 182


@pytest.fixture
async def half_filled(busy_street: int, open_page: OpenPage) -> Page:
    """A doctor's page that has lost the network after a doctor set out, with the arrival kept and a form half filled."""
    page = await open_page("/doctor", account="li", size=PHONE, expects_errors=True)
    for button in ("接单", "我已出发"):
        await page.get_by_role("button", name=button, exact=True).click()
    await expect(page.get_by_role("button", name="我已到达")).to_be_visible()
    await page.context.set_offline(True)
    await page.get_by_role("button", name="我已到达").click()
    await expect(page.locator(".queued")).to_be_visible()
    await page.get_by_label("高血压随访").check()
    await page.get_by_label("收缩压").first.fill("182")
    await page.get_by_label("心悸", exact=True).check()
    await page.locator("textarea[name=findings]").fill("头晕")
    return page


async def test_a_half_filled_form_stays_when_the_network_is_back_and_when_the_page_is_drawn_anew(half_filled: Page) -> None:
    page = half_filled
    await page.context.set_offline(False)
    await expect(page.locator(".queued")).to_be_hidden(timeout=20_000)
    await page.locator("article.visit-card").evaluate("card => (card.id = 'before')")
    await page.evaluate("htmx.ajax('GET', '/doctor/visits', {target: '#visits', swap: 'innerHTML'})")
    await expect(page.locator("#before")).to_have_count(0)
    await expect(page.locator("article.visit-card textarea:focus")).to_have_value("头晕")
    await expect(page.get_by_label("收缩压").first).to_have_value("182")
    for box in (page.get_by_label("高血压随访"), page.get_by_label("心悸", exact=True)):
        await expect(box).to_be_checked()


async def test_a_visit_that_went_to_another_in_a_dead_spot_leaves_the_page(half_filled: Page, street: Pool) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE visit SET doctor_id = 'doctor-yang'")
    await half_filled.context.set_offline(False)
    await expect(half_filled.locator("#kept .refused")).to_be_visible(timeout=20_000)
    await expect(half_filled.locator("article.visit-card")).to_have_count(0)


async def test_a_visit_that_goes_to_another_leaves_the_page_with_its_open_form(half_filled: Page, street: Pool) -> None:
    await half_filled.context.set_offline(False)
    await expect(half_filled.locator(".queued")).to_be_hidden(timeout=20_000)
    async with street.connection() as conn:
        await conn.execute("UPDATE visit SET doctor_id = 'doctor-yang', version = version + 1")
    await expect(half_filled.locator("article.visit-card")).to_have_count(0)


async def test_what_was_typed_for_a_visit_that_has_gone_on_is_kept(busy_street: int, street: Pool, open_page: OpenPage) -> None:
    page = await open_page("/doctor", account="li", size=PHONE, expects_errors=True)
    for button in ("接单", "我已出发", "我已到达"):
        await page.get_by_role("button", name=button, exact=True).click()
    await page.locator("textarea[name=findings]").fill("神志清")
    await page.locator("select[name=outcome]").select_option("well")
    async with street.connection() as conn:
        await conn.execute("UPDATE visit SET doctor_id = 'doctor-yang'")  # no stream says so: its version is as it was
    await page.get_by_role("button", name="出诊完成").click()
    await expect(page.locator("#kept .refused dd").first).to_have_text("神志清")
    await expect(page.locator("article.visit-card")).to_have_count(0)


@pytest.mark.parametrize("way", ["the session is over", "signed out", "half a day later"])
async def test_a_doctors_page_is_kept_for_who_is_signed_in_alone(busy_street: int, street: Pool, open_page: OpenPage, way: str) -> None:
    page = await open_page("/doctor", account="li", size=PHONE, expects_errors=True)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()
    kept = "caches.match('/doctor').then((page) => Boolean(page))"
    assert await page.evaluate(kept)
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.get_by_text("王秀英").first).to_be_visible()
    if way == "half a day later":
        await page.evaluate(AGED)
        with pytest.raises(Error, match="ERR_"):
            await page.reload()
        return
    await page.context.set_offline(False)
    if way == "signed out":
        await page.evaluate("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
    else:
        async with street.connection() as conn:
            await conn.execute("DELETE FROM session")
        await page.goto(page.url)
    await expect(page.locator("input[name=password]").first).to_be_visible()
    assert not await page.evaluate(kept)


async def test_a_morning_from_sign_in_to_the_last_visit_with_a_dead_spot_in_the_middle(
    street: Pool, clock: Clock, browser: Browser, url: str
) -> None:
    """Three stops: one with a network, one without, and one that goes to a colleague meanwhile: what was typed for it stays."""
    async with street.connection() as conn:
        await accounts.set_pin(conn, "li", "4711")
        await conn.execute("UPDATE contract SET ends_on = '2099-12-31', team_id = 'team-a', doctor_id = 'doctor-li'")
        await conn.execute("UPDATE elder SET latitude = 29.52 + 0.01 * right(id, 1)::int, longitude = 106.5")
        await conn.execute("INSERT INTO elder (id, name, sex, address) VALUES ('elder-3', '赵桂兰', 'female', '幸福里 3 号')")
        stops = [("elder-1", "hypertension_followup"), ("elder-2", "elder_checkup"), ("elder-3", "other")]
        dues = await rounds.publish(conn, clock.at.astimezone(ZONE).date(), clock.at, [(*stop, ["doctor-li"]) for stop in stops])
    page = await (await browser.new_context(viewport={"width": 360, "height": 740})).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(f"{url}/doctor")
    await page.locator("input[name=name]").first.fill("li")
    await page.locator("input[name=password]").first.fill(PASSWORD)
    await page.get_by_role("button", name="登录", exact=True).click()
    await expect(page.locator("#round > ol > li")).to_have_count(3)
    await expect(page.locator("#round .route rect")).to_have_count(2)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()

    async def go(name: str) -> Locator:
        """Unfold a stop, set out and arrive. Returns its card."""
        await page.locator("#round summary.stop", has_text=name).click()
        card = page.locator(f"article[data-name={name}]")
        await card.get_by_role("button", name="我已出发").click()
        await card.get_by_role("button", name="我已到达").click()
        return card

    async def end(card: Locator, findings: str) -> None:
        await card.locator("textarea[name=findings]").fill(findings)
        await card.locator("select[name=outcome]").select_option("well")
        await card.get_by_label("签名 PIN 码").fill("4711")
        await card.get_by_role("button", name="出诊完成").click()

    card, first = await go("王秀英"), page.locator("#round > ol > li").first
    await expect(first).to_have_class("at_home")
    await card.get_by_label("收缩压").first.fill("136")
    await card.get_by_label("舒张压").first.fill("82")
    await end(card, "血压平稳")
    await expect(first).to_have_class("done")
    await page.reload()
    await page.context.set_offline(True)
    await end(await go("张建国"), "走路稳")
    await end(await go("赵桂兰"), "左膝肿")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    async with street.connection() as conn:
        await conn.execute("UPDATE plan_stop SET doctor_id = 'doctor-yang' WHERE due_id = %s", [dues[2]])
    await page.context.set_offline(False)
    await expect(page.locator("#kept .refused")).to_contain_text("已被杨医生抢先接下", timeout=20_000)
    await page.reload()  # it stays until the doctor says so
    await expect(page.locator("#kept .refused dd", has_text="左膝肿")).to_be_visible()
    await expect(page.locator("#round > ol > li")).to_have_count(2)
    await page.get_by_role("button", name="丢弃").click()
    await expect(page.locator("#kept")).to_be_hidden()
    async with street.connection() as conn:
        made = await rows(conn, "SELECT elder_id, state, findings FROM visit ORDER BY id")
        listed = await rows(conn, "SELECT state FROM due_visit WHERE source = 'import' ORDER BY id")
    assert [tuple(row.values()) for row in made] == [("elder-1", "done", "血压平稳"), ("elder-2", "done", "走路稳")]
    assert [row["state"] for row in listed] == ["done", "done", "due"]
    assert faults == []


async def test_an_answer_that_comes_late_replaces_nothing_under_a_finger_or_a_pen(
    busy_street: int, street: Pool, open_page: OpenPage
) -> None:
    """The page asks, the doctor presses or types, and only then comes the answer."""
    page = await open_page("/doctor", account="li", size=PHONE)

    async def meanwhile(act: Awaitable[None], part: str) -> None:
        """Do something on the part between its question and its answer, and look whether it is still the same part after."""
        async with street.connection() as conn, conn.transaction():
            await conn.execute("LOCK TABLE visit")
            await page.evaluate("htmx.trigger(document.body, 'visits')")
            await page.locator(f"#{part}.htmx-request").wait_for()
            await act
            await page.locator(f"#{part} article").evaluate("card => (card.id = 'before')")
        await page.locator(f"#{part}:not(.htmx-request)").wait_for()
        assert await page.locator("#before").count() == 1

    for button, part in (("接单", "offers"), ("我已出发", "visits"), ("我已到达", "visits")):
        await page.get_by_role("button", name=button, exact=True).hover()
        await meanwhile(page.mouse.down(), part)
        await page.mouse.up()
        await expect(page.locator("#before")).to_have_count(0)
    findings = page.locator("textarea[name=findings]")
    await meanwhile(findings.focus(), "visits")
    await page.keyboard.type("sitting up")
    await page.locator("h1").first.click()
    await expect(page.locator("#before")).to_have_count(0)
    await expect(findings).to_have_value("sitting up")


async def test_an_offer_appears_on_the_phone_by_itself(street: Pool, clock: Clock, open_page: OpenPage) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE contract SET ends_on = '2099-12-31'")
        await conn.execute("UPDATE shift SET ends_at = '2099-12-31'")
    page = await open_page("/doctor", account="li", size=PHONE)
    await expect(page.locator("#visits")).to_contain_text("暂无派单")
    await offer_visit(street, now=clock.at)
    await expect(page.locator("#offers")).to_contain_text("王秀英")


async def test_a_family_writes_to_the_centre_and_sees_withdrawn_consent_at_once(
    busy_street: int, street: Pool, clock: Clock, open_page: OpenPage
) -> None:
    page = await open_page("/family", account="fang", size=PHONE)
    await expect(page.locator(".mood")).to_contain_text("王秀英")
    await page.locator("textarea[name=text]").fill("妈妈今天吃药了吗？")
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".letters")).to_contain_text("妈妈今天吃药了吗？")
    await expect(page.locator("textarea[name=text]")).to_have_value("")
    await page.locator("textarea[name=text]").fill("half a sentence")
    async with street.connection() as conn:
        await families.withdraw(conn, "elder-1", (await one(conn, "SELECT id FROM family_consent"))["id"], by="wang", now=clock.at)
    await expect(page.locator(".kin")).to_have_count(0)
    await expect(page.locator("#family")).not_to_contain_text("王秀英")
