"""A month counted by hand, and the three forms in which it is taken away: all say the same."""

import csv
import html
import io
import re
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from backend.alerts.model import Subject
from backend.cases import store as cases
from backend.config import WebConfig
from backend.db.pool import Pool
from backend.print_tables import FONTS
from backend.web import tables
from backend.web.pages.report import span
from tests.backend.cases.calls import WANG, bring
from tests.backend.street import seconds
from tests.backend.web.conftest import Clock, SignedIn

ZHANG = Subject("elder-2", "gw-2")
END = datetime(2026, 3, 3, 16, tzinfo=UTC)
"""Midnight of 4 March by the centre's clock, so the month so far has three days."""
STREET = """
INSERT INTO area (id, name, parent_id) VALUES ('town', '镇', NULL), ('north', '北片', 'town'), ('south', '南片', 'town');
UPDATE elder SET area_id = CASE id WHEN 'elder-1' THEN 'north' ELSE 'south' END;
UPDATE gateway SET first_seen_at = CASE id WHEN 'gw-1' THEN timestamptz '2026-02-01T00:00Z' ELSE '2026-03-02T04:00Z' END;
UPDATE gateway SET status = '{"devices": [{"id": "pendant-1", "type": "jiahu_pendant"}, {"id": "wearable-1", "type": "jiahu_wearable"},
    {"id": "oximeter-1", "type": "bci_oximeter"}]}' WHERE id = 'gw-1';
UPDATE gateway SET status = '{"devices": [{"id": "pendant-1", "type": "jiahu_pendant"}, {"id": "button-1", "type": "zigbee2mqtt"}]}'
    WHERE id = 'gw-2';
INSERT INTO event (gateway_id, event_id, device_id, kind, at, received_at)
SELECT gateway_id, device_id || at, device_id, kind, at::timestamptz, at::timestamptz FROM (VALUES
    ('gw-1', 'pendant-1', 'sos', '2026-02-10T00:00Z'), ('gw-2', 'pendant-1', 'sos', '2026-01-20T01:30Z'),
    ('gw-2', 'button-1', 'button', '2026-02-20T00:00Z'), ('gw-1', 'wearable-1', 'fall_candidate', '2026-03-01T00:00Z')
) AS one (gateway_id, device_id, kind, at);
"""
VISIT = """
INSERT INTO visit (elder_id, class, reason, state, doctor_id, requested_at, requested_by, changed_at, search_at, next_at, findings, outcome)
SELECT %(elder)s, %(class)s, 'x', %(state)s, CASE WHEN done THEN 'doctor-li' END, %(at)s, 'wang', %(at)s, %(at)s,
       CASE WHEN %(state)s = 'requested' THEN %(at)s::timestamptz END, CASE WHEN done THEN 'x' END, CASE WHEN done THEN 'well' END
FROM (SELECT %(state)s::text = 'done' AS done) AS state RETURNING id
"""
THERE = "INSERT INTO visit_step (visit_id, at, by, state) VALUES (%(id)s, %(at)s, 'doctor', 'at_home')"
CELLS = re.compile(r"<t[dh][^>]*>(.*?)</t[dh]>", re.DOTALL)
ROWS = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
BY_HAND = {
    # 4 calls: 12 s, 50 s, 200 s, and one that still waits; the fifth was a test
    "接警时效": [
        ["≤ 15 s", "1", "× 25.00 %", "95.0 %", "GB/T 33358-2016"],
        ["≤ 60 s", "2", "× 50.00 %", "97.5 %", "TSA"],
        ["≤ 180 s", "2", "× 50.00 %", "99.0 %", "TSA"],
    ],
    # elder-1 3 days, elder-2 from noon of the second day 1.5 days; sos, fall, sos, SpO2
    "每老人每日报警": [["4", "4.5", "0.889"]],
    "警情结论": [["真实报警：确需救助", "2"], ["误报", "1"], ["测试", "1"]],
    # 30 and 50 min, one called off, one that nobody has reached for 14 h; a visit by a date is not judged
    "上门到达时间": [
        ["紧急：60 分钟内到", "4", "1", "2", "× 33.33 %", "× 66.67 %", "40.0 min", "50.0 min"],
        ["限期上门", "1", "0", "0", "—", "—", "—", "—"],
    ],
    "按日": [
        ["2026-03-01", "1", "100.00 %", "100.00 %", "100.00 %", "1", "1.0", "1.000"],
        ["2026-03-02", "2", "0.00 %", "50.00 %", "50.00 %", "2", "1.5", "1.333"],
        ["2026-03-03", "1", "0.00 %", "0.00 %", "0.00 %", "1", "2.0", "0.500"],
    ],
    "按区域": [
        ["北片", "2", "50.00 %", "100.00 %", "100.00 %", "2", "3.0", "0.667"],
        ["南片", "2", "0.00 %", "0.00 %", "0.00 %", "2", "1.5", "1.333"],
    ],
    "30 天未测试的报警设备：2 台": [
        ["王秀英", "穿戴设备", "gw-1 wearable-1", "从未"],
        ["张建国", "求助挂坠", "gw-2 pendant-1", "2026-01-20 09:30"],
    ],
}


def at(day: int, hour: int, minute: int = 0, second: float = 0) -> datetime:
    """March 2026 by the centre's clock, 8 hours ahead."""
    return datetime(2026, 3, day, tzinfo=UTC) + seconds(((hour - 8) * 60 + minute) * 60 + second)


@pytest.fixture
async def month(street: Pool, clock: Clock, signed_in: SignedIn) -> httpx.AsyncClient:
    """The month of BY_HAND; a client who asks about it at END."""
    client = await signed_in("wang")
    calls = [
        (WANG, "sos", at(1, 10), 12, "real"),
        (WANG, "fall", at(2, 9), 50, "false"),
        (ZHANG, "sos", at(2, 15), 200, "real"),
        (ZHANG, "fall", at(3, 8), 5, "test"),
    ]
    async with street.connection() as conn:
        await conn.execute(STREET)
        await conn.execute("UPDATE session SET expires_at = 'infinity'")
        for subject, rule, opened_at, taken_after_s, disposition in calls:
            case_id = await bring(conn, rule, at=opened_at, subject=subject)
            clock.at = opened_at + seconds(taken_after_s)
            await cases.take(conn, case_id, by="wang", now=clock.at)
            assert (await client.post(f"/api/cases/{case_id}/close", json={"disposition": disposition})).status_code == 204
        await bring(conn, "spo2_low", at=at(3, 10), subject=ZHANG)
        await bring(conn, "device_lost", "technical", at=at(3, 11), subject=ZHANG)  # no call, no alarm
        for elder, kind, state, asked_at, there_at in (
            ("elder-1", "urgent", "done", at(1, 10, 1), at(1, 10, 31)),
            ("elder-2", "urgent", "done", at(2, 15, 5), at(2, 15, 55)),
            ("elder-1", "urgent", "cancelled", at(3, 9), None),
            ("elder-1", "urgent", "requested", at(3, 10), None),
            ("elder-1", "by_date", "requested", at(3, 11), None),
        ):
            values = {"elder": elder, "class": kind, "state": state, "at": asked_at}
            row = await (await conn.execute(VISIT, values)).fetchone()
            if there_at is not None and row is not None:
                await conn.execute(THERE, {"id": row["id"], "at": there_at})
    clock.at = END
    return client


def tables_of(page: str) -> dict[str, list[list[str]]]:
    """The tables of a page by their titles: rows of cells, the heads first."""
    found = {}
    for section in re.findall(r"<section>(.*?)</section>", page.partition("<main")[2], re.DOTALL):
        title = html.unescape(re.findall(r"<h2>(.*?)</h2>", section)[0])
        found[title] = [[_text(cell) for cell in CELLS.findall(row)] for row in ROWS.findall(section)]
    return found


def _text(cell: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", cell))


@pytest.mark.store
async def test_a_month_agrees_with_a_count_by_hand(month: httpx.AsyncClient) -> None:
    tables = tables_of((await month.get("/operator/report?period=month&on=2026-03-14")).text)
    for title, rows in BY_HAND.items():
        assert tables[title][1:] == rows, title
    assert ["测试（不计）", "1"] in tables["呼叫"]


@pytest.mark.store
async def test_an_area_and_a_day_are_parts_of_it(month: httpx.AsyncClient) -> None:
    south = tables_of((await month.get("/operator/report?period=month&on=2026-03-01&area=south")).text)
    assert south["每老人每日报警"][1:] == [["2", "1.5", "1.333"]]
    assert south["按区域"][1:] == BY_HAND["按区域"][1:]
    assert south["30 天未测试的报警设备：1 台"][1:] == [BY_HAND["30 天未测试的报警设备：2 台"][1]]
    town = tables_of((await month.get("/operator/report?period=month&on=2026-03-01&area=town")).text)
    assert town["按区域"][1:] == BY_HAND["按区域"]
    day = tables_of((await month.get("/operator/report?period=day&on=2026-03-02")).text)
    assert day["按日"][1:] == BY_HAND["按日"][1:2]
    assert day["上门到达时间"][1:] == [["紧急：60 分钟内到", "1", "0", "1", "× 0.00 %", "✓ 100.00 %", "50.0 min", "50.0 min"]]
    for bad in ("period=year", "on=yesterday", "area=nowhere", "on=9999-12-31"):
        assert (await month.get(f"/operator/report?{bad}")).status_code == 422, bad


@pytest.mark.store
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_page_csv_and_pdf_say_the_same(month: httpx.AsyncClient, street: Pool, language: str) -> None:
    pypdf = pytest.importorskip("pypdf")
    await month.post("/language", data={"language": language})
    async with street.connection() as conn:
        await conn.execute("UPDATE elder SET name = '=1+1' WHERE id = 'elder-1'")
    path = "/operator/report?period=month&on=2026-03-01"
    page = tables_of((await month.get(path)).text)
    taken = await month.get(f"{path}&format=csv")
    assert taken.headers["content-disposition"] == 'attachment; filename="jiahu-month-2026-03-01.csv"'
    rows = list(csv.reader(io.StringIO(taken.content.decode("utf-8-sig"))))
    of_csv = [row for row in rows[2:] if row]
    of_page = [line for title, lines in page.items() for line in ([title], *lines)]
    harmless = [[f"'{cell}" if cell.startswith("=") else cell for cell in row] for row in of_page]
    assert any(cell == "'=1+1" for row in harmless for cell in row)
    assert [row for row in harmless if row not in of_csv] == []
    assert len(of_csv) == len(of_page) + 2  # and the two notes
    if not any(Path(font).exists() for font in FONTS):
        pytest.skip("no font with Chinese on this machine: apt install fonts-noto-cjk")
    pdf = (await month.get(f"{path}&format=pdf")).content
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    text = re.sub(r"[\s\0]+", "", "".join(one.extract_text() for one in pages))
    where = 0
    for row in of_page:
        for cell in row:
            where = text.find(re.sub(r"\s+", "", cell), where)
            assert where >= 0, f"{cell} is not in the PDF, or not in its place"
    fonts = [font.get_object() for font in pages[0]["/Resources"]["/Font"].values()]
    assert all("/FontFile3" in font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for font in fonts)


@pytest.mark.store
@pytest.mark.parametrize("web_config", [WebConfig(print_font="/nowhere/font.ttf")])
async def test_without_a_font_it_says_what_to_do(signed_in: SignedIn) -> None:
    answer = await (await signed_in("wang")).get("/operator/report?format=pdf", headers={"hx-request": "true"})
    assert answer.status_code == 503


@pytest.mark.parametrize(
    ("period", "day", "first", "after"),
    [
        ("day", date(2026, 3, 1), "2026-03-01", "2026-03-02"),
        ("week", date(2026, 3, 1), "2026-02-23", "2026-03-02"),
        ("month", date(2026, 12, 31), "2026-12-01", "2027-01-01"),
        ("month", date(2028, 2, 29), "2028-02-01", "2028-03-01"),
    ],
)
def test_spans_are_the_calendar_of_the_centre(period: str, day: date, first: str, after: str) -> None:
    from_at, to_at = span(period, day)  # type: ignore[arg-type]
    assert (f"{from_at:%Y-%m-%d %H:%M %z}", f"{to_at:%Y-%m-%d}") == (f"{first} 00:00 +0800", after)


@pytest.mark.store
async def test_one_pdf_is_made_at_a_time_and_who_waits_too_long_is_told(
    app: FastAPI, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "TURN_S_MAX", 0.01)
    client = await signed_in("wang")
    async with app.state.web.printing:
        answer = await client.get("/operator/report?format=pdf")
    assert answer.status_code == 503
    assert "正在生成另一份 PDF" in answer.text
    assert not app.state.web.printing.locked()


@pytest.mark.store
async def test_an_area_that_no_text_can_be_is_the_askers_fault(signed_in: SignedIn) -> None:
    assert (await (await signed_in("wang")).get("/operator/report?area=%00")).status_code == 422
