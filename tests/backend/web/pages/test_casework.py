"""Pages around a case: the contact plan, what rests, shifts, channels, the sheet for 120, and the receipt of a message."""

import httpx
import pytest

from backend.cases import calls
from backend.db.pool import Pool
from backend.notify import outbox
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, one, rows
from tests.backend.web.conftest import Clock, SignedIn, open_case
from tests.backend.web.pages.test_operator import PART, TEXT, text_of

pytestmark = pytest.mark.store


async def test_the_plan_is_called_step_by_step_and_every_try_is_a_line(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE elder SET phone = '13800000000' WHERE id = 'elder-1'")
    case_id = await open_case(street)
    client = await signed_in("wang")
    await client.post(f"/operator/cases/{case_id}/calls", data={"person": "elder"}, headers=PART)
    clock.advance(31)
    async with street.connection() as conn:
        call_id = (await one(conn, "SELECT id FROM contact_try"))["id"]
    text = text_of(await client.post(f"/operator/cases/{case_id}/calls/{call_id}", data={"result": "no_answer"}, headers=PART))
    assert "11:12:00 致电王秀英：无人接听" in text
    assert "坐席 王芳于 11:12:00 接警 · 处置中" in text
    async with street.connection() as conn:
        daughter = (await calls.plan(conn, "elder-1"))[1].id
    answer = await client.post(f"/operator/cases/{case_id}/calls", data={"person": daughter}, headers=PART)
    assert "11:12:31 起正在拨打" in text_of(answer)
    answer = await client.post(f"/operator/cases/{case_id}/calls", data={"person": "contact:0123456789abcdef"}, headers=PART)
    assert answer.status_code == 404


async def test_a_plan_put_in_another_order_while_a_case_is_open_changes_no_line_and_counts_calls_for_whom_was_called(
    signed_in: SignedIn, street: Pool
) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    async with street.connection() as conn:
        daughter, neighbour = [person.id for person in await calls.plan(conn, "elder-1")]
        await client.post(f"/operator/cases/{case_id}/calls", data={"person": daughter}, headers=PART)
        call_id = (await one(conn, "SELECT id FROM contact_try"))["id"]
        alert_id = (await one(conn, "SELECT min(id) AS id FROM alert"))["id"]
        await outbox.add(conn, alert_id=alert_id, elder_id="elder-1", step="later", body={}, now=NOW)
        await conn.execute("UPDATE notification SET state = 'sent', sent_at = due_at, attempts = 1")
        await conn.execute("UPDATE contact SET position = position + 10")
        await conn.execute("UPDATE contact SET position = CASE name WHEN '王芳' THEN 2 ELSE 1 END")
        assert [person.id for person in await calls.plan(conn, "elder-1")] == [neighbour, daughter]
        text = text_of(await client.post(f"/operator/cases/{case_id}/calls/{call_id}", data={"result": "wrong_number"}, headers=PART))
        assert "致电王芳：" in text and "已通知王芳" in text
        following = calls.next_person(await calls.plan(conn, "elder-1"), await calls.tries(conn, case_id))
        assert following is not None and following.id == neighbour, "the wrong number is the daughter's"
        await conn.execute("UPDATE contact SET phone = '139' WHERE name = '王芳'")
        await client.post(f"/operator/cases/{case_id}/calls", data={"person": neighbour}, headers=PART)
        await conn.execute("DELETE FROM contact")
        page = (await client.get(f"/operator/cases/{case_id}")).text
        assert "邻居老陈" in page and 'class="results"' in page, "a call that goes on can be ended, whoever has left the plan"


async def test_what_rests_leaves_the_queue_and_is_audited(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    page = text_of(await client.get(f"/operator/rests?case={case_id}"))
    assert "搁置: 血氧偏低, oximeter-1" in page
    form = {"subject": "elder-1", "what": "shelved spo2_low oximeter-1", "hours": "8", "reason": "探头松动"}
    assert (await client.post("/operator/rests", data=form)).status_code == 303
    assert "探头松动" in text_of(await client.get("/operator/rests"))
    queue = text_of(await client.get("/operator/queue"))
    assert "血氧偏低" not in queue and "另有 1 条暂不显示" in queue
    async with street.connection() as conn:
        rest_id = (await one(conn, "SELECT id FROM rest"))["id"]
        assert [row["action"] for row in await rows(conn, "SELECT action FROM audit WHERE action = 'rested'")] == ["rested"]
    await client.post(f"/operator/rests/{rest_id}/end")
    assert "血氧偏低" in text_of(await client.get("/operator/queue"))


async def test_a_shift_hands_over_with_a_note_that_the_next_reads(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    wang, liu = await signed_in("wang"), await signed_in("liu")
    await wang.post(f"/operator/cases/{case_id}/take", headers=PART)
    assert (await wang.post("/operator/hand-over", data={"to_name": "liu", "note": "女儿在路上"})).status_code == 303
    assert "有 1 份交接未阅" in text_of(await liu.get("/operator/beside"))
    text = text_of(await liu.get("/operator/duty"))
    assert "坐席 王芳的交接" in text and "女儿在路上" in text and "王秀英" in text
    assert (await wang.post("/operator/hand-over", data={"to_name": "li", "note": "x"})).status_code == 422


async def test_administrators_plan_shifts_and_operators_do_not(signed_in: SignedIn) -> None:
    form = {"name": "wang", "part": "desk", "starts": "2026-03-01T08:00", "hours": "8"}
    assert (await (await signed_in("wang")).post("/operator/duty", data=form)).status_code == 404
    root = await signed_in("root")
    assert (await root.post("/operator/duty", data=form)).status_code == 303
    assert "坐席 王芳 坐席 ● 当班" in text_of(await root.get("/operator/duty"))


async def test_channels_are_set_with_consent_and_not_for_others(signed_in: SignedIn, street: Pool) -> None:
    client = await signed_in("wang")
    form = {"person": "account:wang", "channel": "email", "address": "wang@centre.test", "priorities": "high", "consent": "口头"}
    assert (await client.post("/operator/channels", data=form)).status_code == 303
    assert "wang@centre.test" in text_of(await client.get("/operator/channels"))
    assert (await client.post("/operator/channels", data=form | {"person": "account:liu"})).status_code == 404
    assert (await client.post("/operator/channels", data=form | {"consent": ""})).status_code == 422
    assert (await client.post("/operator/channels", data=form | {"person": "contact:elder-1:王芳"})).status_code == 303
    assert "wang@centre.test" in text_of(await client.get("/operator/channels?elder=elder-1"))
    async with street.connection() as conn:
        await conn.execute("UPDATE contact SET name = '王方' WHERE name = '王芳'")
    page = text_of(await client.get("/operator/channels?elder=elder-1"))
    assert "wang@centre.test" in page and "联系人中已无此姓名" in page


async def test_the_sheet_for_120_has_all_that_is_asked(signed_in: SignedIn, street: Pool) -> None:
    async with street.connection() as conn:
        await conn.execute(
            "UPDATE elder SET access_note = '钥匙在邻居处', conditions = '{冠心病}', drugs = '{阿司匹林}', allergies = '{青霉素}'"
        )
        await conn.execute(
            "INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id, last_at, last_value) "
            "VALUES ('gw-1', 'w', 'heart_rate', 'sample', 'elder-1', %s, 72)", (NOW,),
        )  # fmt: skip
    case_id = await open_case(street)
    text = text_of(await (await signed_in("wang")).get(f"/operator/cases/{case_id}/sheet"))
    for expected in (
        "120 · 110 · 119",
        "王秀英",
        "幸福里 1 号",
        "钥匙在邻居处",
        "冠心病",
        "阿司匹林",
        "青霉素",
        "王芳 女儿",
        "72",
        "血氧偏低",
    ):
        assert expected in text


async def test_whoever_got_a_message_confirms_it_without_an_account(anonymous: httpx.AsyncClient, street: Pool) -> None:
    async with street.connection() as conn:
        await conn.execute("INSERT INTO notify_route (person, channel, address, priorities, consented_at, consented_to) "
                           "VALUES ('account:wang', 'log', '', '{high}', now(), 'x')")  # fmt: skip
        body = {"title_zh": "警情 60 秒无人接警", "title_en": "A case has waited"}
        await outbox.add_for_case(
            conn, case_id=await bring(conn), people=["account:wang"], step="second", body=body, priority="high", now=NOW
        )
        key = (await one(conn, "SELECT key FROM notification"))["key"]
    page = text_of(await anonymous.get(f"/receipts/{key}"))
    assert "警情 60 秒无人接警" in page and "王秀英" not in page
    assert "确认收到" in text_of(await anonymous.post(f"/receipts/{key}"))
    assert (await anonymous.get("/receipts/00000000-0000-0000-0000-000000000000")).status_code == 404


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "path", ["rests?case={case}", "rests", "duty", "report", "channels", "channels?elder=elder-1", "cases/{case}/sheet"]
)
async def test_every_page_exists_in_both_languages(signed_in: SignedIn, street: Pool, path: str, language: str) -> None:
    case_id = await open_case(street)
    client = await signed_in("root")
    await client.post("/language", data={"language": language})
    answer = await client.get(f"/operator/{path.format(case=case_id)}")
    assert answer.status_code == 200
    for part in ("%(", "None", "Undefined"):
        assert part not in TEXT.sub(" ", answer.text)
