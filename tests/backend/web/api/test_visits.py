"""The API of visits."""

import asyncio

import pytest

from backend.db.pool import Pool
from tests.backend.street import NOW
from tests.backend.web.conftest import SignedIn, offer_visit, open_alert

pytestmark = pytest.mark.store


async def test_a_visit_goes_from_offer_to_findings(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street, alert_id=await open_alert(street))
    doctor = await signed_in("li")
    for step in ("accept", "depart", "arrive"):
        assert (await doctor.post(f"/api/visits/{visit_id}/{step}")).status_code == 204
    body = {"findings": "血氧 95 %，已调整体位", "outcome": "treated"}
    assert (await doctor.post(f"/api/visits/{visit_id}/finish", json=body)).status_code == 204
    visit = (await doctor.get(f"/api/visits/{visit_id}")).json()
    assert (visit["state"], visit["outcome"], visit["doctor_name"]) == ("done", "treated", "李医生")
    assert (await doctor.get("/api/visits")).json() == []


async def test_of_two_doctors_who_accept_one_wins_and_the_other_hears_who(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street)
    async with street.connection() as conn:  # two doctors asked at the same time
        await conn.execute(
            "INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, widens_at) "
            "VALUES (%(id)s, 0, 'doctor-yang', 'own_team', %(now)s, %(now)s + interval '1 min')",
            {"id": visit_id, "now": NOW},
        )
    li, yang = await signed_in("li"), await signed_in("yang")
    answers = await asyncio.gather(*(client.post(f"/api/visits/{visit_id}/accept") for client in (li, yang)))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    winner = (await li.get(f"/api/visits/{visit_id}")).json()["doctor_name"]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert loser.json()["message"] == f"已被{winner}抢先接下。"


async def test_a_doctor_cannot_skip_a_step(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street)
    doctor = await signed_in("li")
    answer = await doctor.post(f"/api/visits/{visit_id}/arrive")
    assert (answer.status_code, answer.json()["error"]) == (409, "not_possible")


async def test_a_declined_visit_goes_to_the_next_doctor(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street)
    assert (await (await signed_in("li")).post(f"/api/visits/{visit_id}/decline", json={"reason": "with_patient"})).status_code == 204
    visit = (await (await signed_in("wang")).get(f"/api/visits/{visit_id}")).json()
    assert (visit["state"], visit["offers"]) == ("requested", [])


async def test_an_operator_calls_a_visit_off(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street)
    operator = await signed_in("wang")
    assert (await operator.post(f"/api/visits/{visit_id}/cancel", json={"reason": "家属已到"})).status_code == 204
    assert (await operator.get(f"/api/visits/{visit_id}")).json()["state"] == "cancelled"


async def test_a_visit_of_another_team_does_not_exist_for_a_doctor(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street, "elder-2")
    doctor = await signed_in("li")
    assert (await doctor.get("/api/visits")).json() == []
    for path in ("accept", "depart", "arrive"):
        assert (await doctor.post(f"/api/visits/{visit_id}/{path}")).status_code == 404


async def test_operators_make_no_visits(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street)
    assert (await (await signed_in("wang")).post(f"/api/visits/{visit_id}/accept")).status_code == 404
