"""The operators' board."""

import json
import re
from datetime import timedelta

import httpx
import pytest

from backend.alerts import store as alerts
from backend.alerts.lifecycle import Action, Condition
from backend.cases import calls
from backend.db.pool import Pool
from tests.backend.street import NOW, one
from tests.backend.web.conftest import Clock, SignedIn, case_of, offer_visit, open_alert, open_case, pass_offer_on

pytestmark = pytest.mark.store

PART = {"hx-request": "true"}
TEXT = re.compile(r"<script.*?</script>|<[^>]+>", re.DOTALL)


def text_of(answer: httpx.Response) -> str:
    """What a person reads."""
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", TEXT.sub(" ", answer.text))


async def test_the_street_shows_every_home(signed_in: SignedIn) -> None:
    text = text_of(await (await signed_in("wang")).get("/operator"))
    assert "王秀英" in text
    assert "张建国" in text
    assert "一切平静" in text


async def test_a_case_shows_whom_it_is_about_and_whom_to_call(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    text = text_of(await (await signed_in("wang")).get(f"/operator/cases/{case_id}"))
    for expected in ("血氧偏低", "王秀英", "幸福里 1 号", "1380000000", "李医生", "李杨工作室", "接警"):
        assert expected in text


async def test_priority_is_a_word_and_a_sign_and_not_colour_alone(signed_in: SignedIn, street: Pool) -> None:
    await open_alert(street)
    assert "!!! 高 血氧偏低" in text_of(await (await signed_in("wang")).get("/operator/queue"))


async def test_a_case_that_nobody_takes_in_60_s_says_so(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    await open_alert(street)
    client = await signed_in("wang")
    assert "超过 60 秒未接警" not in text_of(await client.get("/operator/queue"))
    clock.advance(61)
    assert "超过 60 秒未接警" in text_of(await client.get("/operator/queue"))


async def test_silence_is_shown_as_no_data_and_not_as_recovery(signed_in: SignedIn, street: Pool) -> None:
    alert_id = await open_alert(street)
    async with street.connection() as conn, conn.transaction():
        await alerts.change(conn, alert_id, condition=Condition.SILENT, action=Action.SILENT, at=NOW, now=NOW)
    assert "无数据，自 11:12:00" in text_of(await (await signed_in("wang")).get("/operator/queue"))


async def test_taking_a_case_answers_with_the_story_and_who_has_it(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    text = text_of(await client.post(f"/operator/cases/{case_id}/take", headers=PART))
    assert "坐席 王芳于 11:12:00 接警" in text
    assert "坐席 王芳已接警" in text_of(await client.get("/operator/queue"))


async def test_taking_what_one_has_already_changes_nothing(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    async with street.connection() as conn:
        [daughter, *_] = await calls.plan(conn, "elder-1")
    for step, form in (("calls", {"person": daughter.id}), ("take", {}), ("take", {})):
        text = text_of(await client.post(f"/operator/cases/{case_id}/{step}", data=form, headers=PART))
    assert text.count("接警 坐席 王芳") == 1


async def test_a_lost_race_is_a_sentence(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    await (await signed_in("liu")).post(f"/operator/cases/{case_id}/take", headers=PART)
    answer = await (await signed_in("wang")).post(f"/operator/cases/{case_id}/take", headers=PART)
    assert (answer.status_code, answer.text) == (409, "已被坐席 刘洋抢先接下。")


async def test_note_dispatch_and_close_are_lines_of_the_story(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    steps: list[tuple[str, dict[str, str]]] = [
        ("note", {"text": "电话无人接听"}),
        ("dispatch", {"visit_class": "urgent", "reason": "请上门"}),
        ("close", {"disposition": "no_reply", "text": "已转交"}),
    ]
    for step, form in steps:
        text = text_of(await client.post(f"/operator/cases/{case_id}/{step}", data=form, headers=PART))
    for expected in ("备注：电话无人接听", "发起派单：请上门", "结案：无人应答", "已转交"):
        assert expected in text


async def test_text_of_people_is_never_markup(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    answer = await client.post(f"/operator/cases/{case_id}/note", data={"text": "<script>alert(1)</script>"}, headers=PART)
    assert "<script>alert" not in answer.text


async def test_when_nobody_accepts_the_board_says_whom_to_call(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE doctor SET phone = '139-0000-0001' WHERE id = 'doctor-yang'")
    alert_id = await open_alert(street)
    case_id = await case_of(street, alert_id)
    visit_id = await offer_visit(street, alert_id=alert_id)
    async with street.connection() as conn:
        for _ in range(3):
            clock.advance(60)
            await pass_offer_on(conn, now=clock.at)
    client = await signed_in("wang")
    assert "无人接单：请人工电话联系" in text_of(await client.get(f"/operator/cases/{case_id}/story"))
    text = text_of(await client.get(f"/operator/visits/{visit_id}/search", headers=PART))
    assert "杨医生 139-0000-0001 签约团队 · 路程未知 · 已询问，未答复" in text
    form = {"doctor_id": "doctor-yang", "leaves_in_minutes": "10"}
    assert "已接单" in text_of(await client.post(f"/operator/visits/{visit_id}/assign", data=form, headers=PART))
    story = text_of(await client.get(f"/operator/cases/{case_id}/story"))
    assert "杨医生电话中已同意出诊" in story
    assert "承诺 11:25:00 前出发" in story


async def test_an_emergency_asks_for_120_until_somebody_says_it_was_called(signed_in: SignedIn, street: Pool) -> None:
    client = await signed_in("wang")
    case_id = await open_case(street)
    form = {"visit_class": "emergency", "reason": "意识不清"}
    await client.post(f"/operator/cases/{case_id}/dispatch", data=form, headers=PART)
    async with street.connection() as conn:
        visit_id = (await one(conn, "SELECT id FROM visit"))["id"]
    assert "请先拨打 120" in text_of(await client.get(f"/operator/visits/{visit_id}/search", headers=PART))
    assert "已于 11:12:00 拨打 120" in text_of(await client.post(f"/operator/visits/{visit_id}/called-120", headers=PART))
    assert "已拨打 120" in text_of(await client.get(f"/operator/cases/{case_id}/story"))


async def test_a_visit_can_be_called_off_from_its_case(signed_in: SignedIn, street: Pool) -> None:
    alert_id = await open_alert(street)
    case_id = await case_of(street, alert_id)
    await offer_visit(street, alert_id=alert_id)
    answer = await (await signed_in("wang")).post(f"/operator/cases/{case_id}/call-off", data={"reason": "家属已到"}, headers=PART)
    assert "取消出诊：家属已到" in text_of(answer)


async def test_a_fall_brings_its_acceleration(signed_in: SignedIn, street: Pool) -> None:
    alert_id = await open_alert(street, rule_id="fall")
    case_id = await case_of(street, alert_id)
    window = {"rate_hz": 50, "x": [0, 2500], "y": [0, 0], "z": [1000, 900]}
    async with street.connection() as conn:
        await conn.execute(
            "INSERT INTO event (gateway_id, event_id, device_id, elder_id, kind, at, received_at, confidence, acceleration, alert_id) "
            "VALUES ('gw-1', 'w:1', 'wearable-1', 'elder-1', 'fall', %(at)s, %(at)s, 0.91, %(window)s, %(alert_id)s)",
            {"at": NOW, "window": json.dumps(window), "alert_id": alert_id},
        )
    answer = await (await signed_in("wang")).get(f"/operator/cases/{case_id}")
    block = re.search(r'class="samples">(.*?)</script>', answer.text)
    assert block is not None
    assert json.loads(block[1]) == window
    assert "置信度 91 %" in text_of(answer)


async def test_old_values_are_marked_as_stale(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    async with street.connection() as conn:
        await conn.execute(
            "INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id, last_at, last_value) "
            "VALUES ('gw-1', 'wearable-1', 'heart_rate', 'sample', 'elder-1', %s, 72)",
            (NOW - timedelta(seconds=60),),
        )
    client = await signed_in("wang")
    assert "number stale" not in (await client.get("/operator/elders/elder-1/vitals")).text
    clock.advance(1)
    assert "number stale" in (await client.get("/operator/elders/elder-1/vitals")).text


async def test_an_unenrolled_home_has_its_case_but_no_file(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street, None, rule_id="gateway_silent", priority="technical")
    text = text_of(await (await signed_in("wang")).get(f"/operator/cases/{case_id}"))
    assert "未登记的家庭 gw-2" in text
    assert "该网关尚未绑定老人" in text


async def test_an_elder_without_a_case_has_a_card_and_a_history(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    await client.post(f"/api/cases/{case_id}/close", json={"disposition": "false"})
    assert "误报" in text_of(await client.get("/operator/elders/elder-1"))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("wang", "/operator"),
        ("wang", "/operator/queue"),
        ("wang", "/operator/beside"),
        ("wang", "/operator/street"),
        ("wang", "/operator/cases/{case}"),
        ("wang", "/operator/cases/{case}/story"),
        ("wang", "/operator/elders/elder-1"),
        ("wang", "/operator/elders/elder-1/vitals"),
        ("li", "/doctor"),
        ("li", "/doctor/offers"),
        ("li", "/doctor/visits"),
        ("root", "/admin/accounts"),
        ("root", "/sign-in"),
    ],
)
async def test_every_page_exists_in_both_languages(signed_in: SignedIn, street: Pool, name: str, path: str, language: str) -> None:
    alert_id = await open_alert(street)
    case_id = await case_of(street, alert_id)
    await offer_visit(street, alert_id=alert_id)
    client = await signed_in(name)
    await client.post("/language", data={"language": language})
    answer = await client.get(path.format(case=case_id))
    assert answer.status_code == 200
    for part in ("%(", "None", "Undefined"):
        assert part not in TEXT.sub(" ", answer.text)


async def test_a_page_that_does_not_exist_says_so_in_plain_words(signed_in: SignedIn) -> None:
    answer = await (await signed_in("wang")).get("/operator/alerts/999")
    assert answer.status_code == 404
    assert "没有找到" in answer.text
