"""The list of elders and an elder's page: who sees whom, and that each look is written down."""

import pytest

from backend.db.pool import Pool
from tests.backend.street import rows
from tests.backend.web.conftest import Clock, SignedIn, offer_visit, open_case
from tests.backend.web.pages.test_operator import text_of

ON_FILE = """
UPDATE elder SET allergies = '{青霉素}' WHERE id = 'elder-1';
UPDATE gateway SET online = true, heard_at = '2026-03-01T03:00Z', status = '{"devices": [
    {"id": "pendant-1", "type": "jiahu_pendant", "is_lost": false, "battery_percent": 9, "model": ""}]}' WHERE id = 'gw-1';
INSERT INTO rule_override (elder_id, rule_id, patch, reason, by, created_at, until)
SELECT 'elder-1', id, '{"levels": [{"name": "urgent", "below": 84, "hold_s": 60}], "clear": {"at_least": 86}}', reason, 'root',
       '2026-03-01T00:00Z', '2026-06-01'
FROM (VALUES ('spo2_low', '慢阻肺'), ('spo2_low_gone', '旧规则')) AS one (id, reason);
"""
SEEN = "SELECT account_name, action, subject FROM audit WHERE subject IN ('elders', 'elder:elder-1', 'elder:elder-2') ORDER BY id"


@pytest.mark.store
async def test_the_centre_sees_all_a_doctor_the_own_and_a_refusal_is_written_down(signed_in: SignedIn, street: Pool) -> None:
    operator, doctor = await signed_in("wang"), await signed_in("li")
    assert {"王秀英", "张建国"} <= set(text_of(await operator.get("/elders")).split())
    own = text_of(await doctor.get("/elders"))
    assert "王秀英" in own
    assert "张建国" not in own
    assert (await doctor.get("/elders/elder-1")).status_code == 200
    assert (await doctor.get("/elders/elder-2")).status_code == 404
    async with street.connection() as conn:
        seen = [tuple(row.values()) for row in await rows(conn, SEEN)]
    assert seen == [
        ("wang", "viewed", "elders"),
        ("li", "viewed", "elders"),
        ("li", "viewed", "elder:elder-1"),
        ("li", "refused", "elder:elder-2"),
    ]


@pytest.mark.store
async def test_htmx_gets_the_lines_alone_and_the_trail_says_whom_it_showed(signed_in: SignedIn, street: Pool) -> None:
    answer = await (await signed_in("wang")).get("/elders?search=秀英", headers={"hx-request": "true"})
    assert "<html" not in answer.text
    assert "王秀英" in answer.text
    assert "张建国" not in answer.text
    async with street.connection() as conn:
        seen = await rows(conn, "SELECT detail FROM audit WHERE subject = 'elders'")
    assert seen == [{"detail": {"search": "秀英", "page": 1, "elders": ["elder-1"]}}]


@pytest.mark.store
async def test_an_elder_has_file_devices_visits_cases_and_what_is_different(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    await offer_visit(street)
    async with street.connection() as conn:
        await conn.execute(ON_FILE)
    page = await (await signed_in("wang")).get("/elders/elder-1")
    text = text_of(page)
    for expected in ("青霉素", "王芳", "李杨工作室", "9 %", "从未测试", "紧急：60 分钟内到", "慢阻肺 · 管理员 · 至 2026-06-01 · 仅此老人"):
        assert expected in text
    assert "旧规则" not in text
    assert f'href="/operator/cases/{case_id}"' in page.text
    assert "/rules/overrides?elder=elder-1" not in page.text
    assert "/rules/overrides?elder=elder-1" in (await (await signed_in("root")).get("/elders/elder-1")).text
    assert "/operator/" not in (await (await signed_in("li")).get("/elders/elder-1")).text.partition("<main")[2]


@pytest.mark.store
async def test_the_wall_counts_and_names_no_elder(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    await open_case(street)
    clock.advance(5)
    await offer_visit(street)
    wall = await (await signed_in("wang")).get("/wall")
    text = text_of(wall)
    assert "王秀英" not in text
    for expected in ("今日呼叫 1", "无人值班", "等待医生答复", "目标 97.5 %"):
        assert expected in text, expected
    assert (await (await signed_in("li")).get("/wall")).status_code == 404
