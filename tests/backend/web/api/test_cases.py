"""The API of cases."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from backend.db.pool import Pool
from tests.backend.street import NOW
from tests.backend.web.conftest import SignedIn, open_case

pytestmark = pytest.mark.store


async def test_the_queue_goes_by_untaken_calls_then_priority_then_age(signed_in: SignedIn, street: Pool) -> None:
    medium = await open_case(street, rule_id="temperature_high", priority="medium", now=NOW - timedelta(hours=2))
    taken = await open_case(street, rule_id="sos", now=NOW - timedelta(hours=1))
    younger = await open_case(street, "elder-2", rule_id="fall", now=NOW)
    older = await open_case(street, rule_id="spo2_low", now=NOW - timedelta(minutes=6))
    technical = await open_case(street, rule_id="device_lost", priority="technical", now=NOW - timedelta(days=1))
    client = await signed_in("wang")
    await client.post(f"/api/cases/{taken}/take")
    found = (await client.get("/api/cases")).json()
    assert [case["id"] for case in found] == [older, younger, medium, taken, technical]


async def test_what_is_open_comes_a_page_at_a_time(signed_in: SignedIn, street: Pool) -> None:
    kinds = enumerate(("sos", "fall", "spo2_low", "temperature_high", "heart_rate_high"))
    opened = [await open_case(street, "elder-1", rule_id=rule_id, now=NOW + timedelta(hours=hour)) for hour, rule_id in kinds]
    other = await open_case(street, None, rule_id="gateway_silent", priority="technical")
    client = await signed_in("wang")
    path, found = "/api/cases?limit=2", []
    while path:
        answer = await client.get(path)
        found.append([case["id"] for case in answer.json()])
        path = answer.links.get("next", {}).get("url", "")
        if len(found) == 1:  # one that goes up the list, and a new one: what follows stays what followed
            await client.post(f"/api/cases/{opened[0]}/close", json={"disposition": "real"})
    assert found == [opened[:2], opened[2:4], [opened[4], other]]
    for path in ("/api/alerts", "/api/visits"):
        assert (await client.get(path, params={"limit": 200})).links == {}
    first = (await (await signed_in("li")).get("/api/cases", params={"limit": 1})).links["next"]["url"]
    assert [case["id"] for case in (await (await signed_in("li")).get(first)).json()] == [opened[2]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=1", "after=0-1-0-0-" + "9" * 30, "after=0-1-0-99999999999999999-1-1"])
async def test_a_page_that_cannot_be_is_refused(signed_in: SignedIn, query: str) -> None:
    client = await signed_in("wang")
    assert [(await client.get(f"/api/{name}?{query}")).status_code for name in ("cases", "alerts", "visits")] == [422] * 3


async def test_of_two_operators_who_take_a_case_one_wins_and_the_other_hears_who(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    wang, liu = await signed_in("wang"), await signed_in("liu")
    answers = await asyncio.gather(*(client.post(f"/api/cases/{case_id}/take") for client in (wang, liu)))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    winner = (await wang.get(f"/api/cases/{case_id}")).json()["taken_title"]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert loser.json() == {"error": "taken", "message": f"已被{winner}抢先接下。"}


async def test_a_closed_case_says_by_whom_and_why_and_leaves_the_queue(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    assert (await client.post(f"/api/cases/{case_id}/close", json={"disposition": "real", "text": " 已送医 "})).status_code == 204
    assert (await client.get("/api/cases")).json() == []
    case = (await client.get("/api/cases", params={"elder_id": "elder-1"})).json()[0]
    assert (case["state"], case["disposition"]) == ("closed", "real")


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("close", {"disposition": "because"}),
        ("close", {}),
        ("note", {"text": "  "}),
        ("note", {"text": "x" * 2001}),
        ("dispatch", {"visit_class": "soon", "reason": "r"}),
        ("note", {"text": "x", "extra": 1}),
    ],
)
async def test_a_step_that_says_too_little_is_refused_in_plain_words(
    signed_in: SignedIn, street: Pool, step: str, body: dict[str, object]
) -> None:
    case_id = await open_case(street)
    answer = await (await signed_in("wang")).post(f"/api/cases/{case_id}/{step}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "bad_input")
    assert answer.json()["message"].startswith("请检查填写内容")


async def test_nothing_but_a_note_is_possible_after_closing(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    await client.post(f"/api/cases/{case_id}/close", json={"disposition": "test"})
    bodies: dict[str, dict[str, str]] = {
        "take": {},
        "close": {"disposition": "test"},
        "dispatch": {"visit_class": "urgent", "reason": "r"},
        "note": {"text": "回访"},
    }
    answers = {step: (await client.post(f"/api/cases/{case_id}/{step}", json=body)).status_code for step, body in bodies.items()}
    assert answers == {"take": 409, "close": 409, "dispatch": 409, "note": 204}


async def test_a_second_dispatch_finds_the_open_visit(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    client = await signed_in("wang")
    body = {"visit_class": "urgent", "reason": "血氧偏低"}
    visits = [(await client.post(f"/api/cases/{case_id}/dispatch", json=body)).json()["id"] for _ in range(2)]
    assert visits[0] == visits[1]
    assert (await client.get(f"/api/cases/{case_id}")).json()["visit_state"] == "requested"


async def test_no_doctor_is_sent_to_a_home_without_an_elder(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street, None, rule_id="gateway_silent", priority="technical")
    answer = await (await signed_in("wang")).post(f"/api/cases/{case_id}/dispatch", json={"visit_class": "urgent", "reason": "r"})
    assert (answer.status_code, answer.json()["message"]) == (422, "该家庭未登记老人，无法派单。")


async def test_a_doctor_takes_no_case(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    assert (await (await signed_in("li")).post(f"/api/cases/{case_id}/take")).status_code == 404


@pytest.mark.parametrize("path", ["/api/cases", "/api/cases/1", "/api/alerts", "/api/visits", "/api/pulse", "/api/live", "/api/session"])
async def test_the_api_answers_nobody_who_is_signed_out(anonymous: httpx.AsyncClient, path: str) -> None:
    answer = await anonymous.get(path)
    assert (answer.status_code, answer.json()["error"]) == (401, "signed_out")
