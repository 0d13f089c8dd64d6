"""The medical lead's pages, as a lead uses them: write, try, test on the last days, have a second person approve, go back, override."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from backend import back_test
from backend.db.pool import Pool
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from backend.rules import store as rules
from backend.rules.kinds.threshold import ThresholdRule
from contract.quantities import QuantityName, Statistic
from tests.backend.street import NOW, one, rows
from tests.backend.web.conftest import SignedIn

CASE = {
    "cases.0.name": "89 for a minute",
    "cases.0.feed.0.at": "0", "cases.0.feed.0.of": "spo2", "cases.0.feed.0.value": "89",
    "cases.0.feed.0.times": "7", "cases.0.feed.0.every": "10",
    "cases.0.expect.0.at": "50", "cases.0.expect.0.stands": "none",
    "cases.0.expect.1.at": "60", "cases.0.expect.1.stands": "urgent",
    "cases.1.name": "", "cases.1.feed.0.at": "", "cases.1.feed.0.of": "spo2",
}  # fmt: skip
FORM = {
    "kind": "threshold", "id": "spo2_very_low", "title.zh": "血氧很低", "title.en": "Very low SpO2", "source": "a test of the editor",
    "quantity": "spo2", "levels.0.name": "urgent", "levels.0.word": "below", "levels.0.bound": "90", "levels.0.hold_s": "60",
    "levels.0.priority": "high", "clear.word": "at_least", "clear.bound": "92", "reason": "asked for by Dr Li",
} | CASE  # fmt: skip

OVERRIDE = {
    "id": "spo2_low", "kind": "threshold", "quantity": "spo2", "reason": "COPD, target 88-92", "until": "2099-12-31",
    "levels.1.name": "urgent", "levels.1.word": "below", "levels.1.bound": "84", "levels.1.hold_s": "60", "levels.1.priority": "high",
    "clear.word": "at_least", "clear.bound": "86", "clear.hold_s": "60", "timing.max_gap_s": "30", "timing.fresh_s": "60",
}  # fmt: skip


@pytest.fixture
async def leads(street: Pool, signed_in: SignedIn) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """Two who may edit rules: a doctor who was made the medical lead, and an administrator."""
    async with street.connection() as conn:
        await conn.execute("UPDATE account SET edits_rules = true WHERE name = 'li'")
    return await signed_in("li"), await signed_in("root")


async def measure(pool: Pool, values: list[float]) -> None:
    """An elder's SpO2 of an hour of yesterday."""
    home, at = Home("gw-1", "elder-1"), NOW - timedelta(days=1)
    columns = Columns("oximeter-1", QuantityName.SPO2, Statistic.SAMPLE, at, [10_000 * row for row in range(len(values))], values)
    async with pool.connection() as conn, conn.transaction():
        await readings.store(conn, [(home, columns)], received_at=NOW)


async def begin(lead: httpx.AsyncClient, **changed: str) -> str:
    """Write a draft; the address of its page."""
    answer = await lead.post("/rules/drafts", data=FORM | changed)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def try_out(pool: Pool, lead: httpx.AsyncClient, page: str) -> dict[str, object]:
    """Run the newest back-test of the draft as the child process does, and look at it."""
    async with pool.connection() as conn:
        await conn.execute("INSERT INTO back_test (draft_id, body, asked_by, asked_at) SELECT id, body, 'li', now() FROM rule_draft")
        number = (await one(conn, "SELECT max(id) AS id FROM back_test"))["id"]
        preview = await back_test.run(conn, number, now=NOW)
    assert (await lead.get(page)).status_code == 200
    return preview


async def test_from_a_form_to_a_rule_in_force(street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    author, other = leads
    await measure(street, [95.0] * 30 + [89.0] * 10 + [95.0] * 30 + [89.0] * 3 + [95.0] * 30)
    page = await begin(author)
    assert (await author.post(f"{page}/submit")).status_code == 409, "nothing is submitted that was not tried"
    preview = await try_out(street, author, page)
    assert preview["new"] == {
        "episodes": 1, "alarms": 1, "elders": 1, "alarms_per_elder_day": round(1 / 30, 4), "alarms_per_operator_hour": round(1 / 720, 4),
        "by_level": {"urgent": 1},
    }  # fmt: skip
    shown = (await author.get(page, headers={"accept-language": "zh"})).text
    assert "低于 90 持续 1 分钟 → 紧急（高）" in shown and "below 90 for 1 min -&gt; urgent (high)" in shown and "王秀英" in shown
    assert (await author.post(f"{page}/submit")).status_code == 303
    assert (await author.post(f"{page}/approve")).status_code == 409, "who wrote it may not approve it"
    assert (await other.post(f"{page}/approve")).headers["location"] == "/rules/spo2_very_low"
    async with street.connection() as conn:
        assert "spo2_very_low" in (await rules.load(conn)).by_id
        row = await one(conn, "SELECT version, created_by, approved_by FROM rule WHERE id = 'spo2_very_low'")
        assert row == {"version": 1, "created_by": "li", "approved_by": "root"}
        actions = [row["action"] for row in await rows(conn, "SELECT action FROM audit WHERE action LIKE 'rule%' ORDER BY id")]
    assert actions == ["rule_draft", "rule_draft_submit", "rule_approved"]


async def test_the_database_itself_refuses_one_person_for_both(street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    await begin(leads[0])
    async with street.connection() as conn:
        with pytest.raises(Exception, match="rule_draft_two_people"):
            await conn.execute("UPDATE rule_draft SET approved_by = author")
        with pytest.raises(Exception, match="rule_draft_tried"):
            await conn.execute("UPDATE rule_draft SET state = 'submitted', cases_passed = false")


async def test_whoever_changes_a_draft_is_its_author_and_what_was_tried_is_forgotten(
    street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]
) -> None:
    author, other = leads
    page = await begin(author)
    await try_out(street, author, page)
    assert (await other.post(page, data=FORM | {"levels.0.bound": "89.5"})).status_code == 303
    async with street.connection() as conn:
        assert await one(conn, "SELECT author, preview, state FROM rule_draft") == {"author": "root", "preview": None, "state": "draft"}


async def test_what_contradicts_itself_is_said_and_nothing_entered_is_lost(leads: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    answer = await leads[0].post("/rules/drafts", data=FORM | {"clear.bound": "80"})
    assert answer.status_code == 422
    assert "解除条件不得包含触发某级别（紧急）的数值" in answer.text and "asked for by Dr Li" in answer.text
    said = await leads[0].post("/rules/sentence", data=FORM | {"levels.0.bound": "ninety"})
    assert "problem" in said.text and "限值 1：须为数字" in said.text


async def test_a_case_that_fails_keeps_a_rule_from_being_switched_on(
    street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]
) -> None:
    page = await begin(leads[0], **{"cases.0.expect.0.at": "60"})
    await try_out(street, leads[0], page)
    assert "第 60 s 应为：持续级别：无；实为：已触发、紧急、持续级别：紧急" in (await leads[0].get(page)).text
    await leads[0].post("/language", data={"language": "en", "next": page})
    assert "at 60 s expected: none stands; found: breached, Urgent, Urgent stands" in (await leads[0].get(page)).text
    assert (await leads[0].post(f"{page}/submit")).status_code == 409


async def test_a_version_of_old_comes_back_as_a_draft(street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    author, other = leads
    filled = (await author.get("/rules/drafts/new?rule=spo2_low&version=1")).text
    assert 'value="120"' in filled and "NEWS2 chart 1" in filled and 'name="cases.0.expect.0.at"' in filled
    page = (await author.post("/rules/heart_rate_low/retire", data={"why": "replaced by another"})).headers["location"]
    assert (await author.post(f"{page}/submit")).status_code == 303
    assert (await other.post(f"{page}/approve")).status_code == 303
    async with street.connection() as conn:
        assert "heart_rate_low" not in (await rules.load(conn)).by_id
    assert "恢复此版" in (await author.get("/rules/heart_rate_low")).text


async def test_an_override_is_in_force_for_one_elder_until_it_is_ended(
    street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]
) -> None:
    page = (await leads[0].get("/rules/overrides/new?rule=spo2_low&elder=elder-1")).text
    assert 'name="levels.1.bound" value="88"' in page
    given = OVERRIDE | {"elder": "elder-1"}
    assert (await leads[0].post("/rules/overrides", data=given)).status_code == 303
    bad = await leads[0].post("/rules/overrides", data=given | {"clear.bound": "80"})
    assert bad.status_code == 422 and "解除条件不得包含" in bad.text and "COPD" in bad.text
    for changed, says in (
        ({"elder": ""}, "请填写老人或团队"),
        ({"until": ""}, "截止日：须"),
        ({"reason": "x"}, "至少 2 个字"),
        ({"elder": "e9"}, "没有这位老人"),
    ):
        refused = await leads[0].post("/rules/overrides", data=given | changed)
        assert refused.status_code == 422 and says in refused.text
    async with street.connection() as conn:
        book = await rules.load(conn)
        own = book.of_elder("elder-1").by_id["spo2_low"]
        assert isinstance(own.rule, ThresholdRule) and [level.below for level in own.rule.levels] == [84]
        kept = await one(conn, "SELECT patch FROM rule_override")
        assert kept["patch"] == {"levels": [{"name": "urgent", "below": 84.0}], "clear": {"at_least": 86.0}}, "only what differs"
        assert own.overrides and book.of_elder("elder-2").by_id["spo2_low"].overrides == ()
    shown = (await leads[0].get("/rules/overrides?elder=elder-1")).text
    assert "COPD, target 88-92" in shown and "低于 84 持续 1 分钟" in shown
    assert (await leads[0].post(f"/rules/overrides/{own.overrides[0]}/end")).status_code == 303
    async with street.connection() as conn:
        assert (await rules.load(conn)).of_elder("elder-1").by_id["spo2_low"].overrides == ()


async def test_an_override_of_a_team_holds_for_its_elders(street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    given = OVERRIDE | {"team": "team-a", "clear.bound": "93", "clear.hold_s": "30"}
    assert (await leads[1].post("/rules/overrides", data=given)).status_code == 303
    async with street.connection() as conn:
        book = await rules.load(conn)
    assert book.of_elder("elder-1").by_id["spo2_low"].overrides and not book.of_elder("elder-2").by_id["spo2_low"].overrides


@pytest.mark.parametrize("path", ["/rules", "/rules/spo2_low", "/rules/drafts/new", "/rules/overrides"])
async def test_for_others_these_pages_do_not_exist(street: Pool, signed_in: SignedIn, path: str) -> None:
    for name in ("wang", "cao"):
        assert (await (await signed_in(name)).get(path)).status_code == 404
    assert (await (await signed_in("root")).get(path)).status_code == 200


async def test_a_back_test_runs_in_a_process_of_its_own(street: Pool, leads: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    page = await begin(leads[0])
    assert (await leads[0].post(f"{page}/back-test")).status_code == 303
    async with asyncio.timeout(60), street.connection() as conn:
        while (await one(conn, "SELECT state FROM back_test"))["state"] != "done":
            await asyncio.sleep(0.1)
        assert (await one(conn, "SELECT preview IS NOT NULL AS is_there FROM rule_draft"))["is_there"]
