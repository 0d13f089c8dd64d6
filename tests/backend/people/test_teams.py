"""Teams, shifts and contracts, as the tables keep them."""

from datetime import date

import psycopg
import pytest

from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from backend.people import teams
from tests.backend.street import NOW, TODAY, one, rows, seconds

DAY = 86_400


async def test_a_team_without_a_family_doctor_is_refused(street: Connection) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="would have no family doctor"):
        await street.execute("INSERT INTO team (id, name) VALUES ('team-c', '空')")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="team-b would have no family doctor"):
        await street.execute("UPDATE doctor SET is_active = false WHERE id = 'doctor-cao'")
    with pytest.raises(BadInput, match="put another one in first"):
        await teams.set_active(street, "doctor-cao", is_active=False)
    await teams.set_active(street, "doctor-yang", is_active=False)
    found = await teams.teams(street, now=NOW, today=TODAY)
    assert [(team["id"], team["signed"], [member["role"] for member in team["members"]]) for team in found] == [
        ("team-b", 1, ["gp"]),
        ("team-a", 1, ["gp", "gp", "nurse"]),
    ]


async def test_shifts_do_not_overlap(street: Connection) -> None:
    ends_at = NOW.replace(day=3, hour=0, minute=0)
    await teams.add_shift(street, doctor_id="doctor-li", starts_at=ends_at, ends_at=ends_at + seconds(DAY))
    with pytest.raises(BadInput, match="another shift"):
        await teams.add_shift(street, doctor_id="doctor-li", starts_at=ends_at + seconds(3600), ends_at=ends_at + seconds(7200))
    with pytest.raises(BadInput, match="must end after"):
        await teams.add_shift(street, doctor_id="doctor-li", starts_at=NOW, ends_at=NOW)
    with pytest.raises(NotFound):
        await teams.add_shift(street, doctor_id="doctor-who", starts_at=NOW, ends_at=NOW + seconds(1))
    await teams.end_shift(street, doctor_id="doctor-li", starts_at=ends_at)
    assert len(await rows(street, "SELECT FROM shift WHERE doctor_id = 'doctor-li'")) == 1


async def test_a_change_of_team_ends_one_contract_and_begins_another(street: Connection) -> None:
    await teams.sign(street, "elder-1", doctor_id="doctor-cao", signed_on=TODAY, ends_on=date(2027, 2, 28), by="root")
    assert await one(street, "SELECT team_id, doctor_id FROM contract WHERE elder_id = 'elder-1' AND cancelled_on IS NULL") == {
        "team_id": "team-b",
        "doctor_id": "doctor-cao",
    }
    with pytest.raises(BadInput, match="at least one year"):
        await teams.sign(street, "elder-1", doctor_id="doctor-li", signed_on=TODAY, ends_on=date(2027, 2, 27), by="root")
    await teams.end_contract(street, "elder-1", on=TODAY, reason="搬家", by="root")
    with pytest.raises(NotFound):
        await teams.end_contract(street, "elder-1", on=TODAY, reason="搬家", by="root")


async def test_those_without_a_contract_come_first_and_the_rate_counts_from_65(street: Connection) -> None:
    await street.execute("UPDATE elder SET born_on = CASE id WHEN 'elder-1' THEN date '1961-03-01' ELSE date '1961-03-02' END")
    await teams.end_contract(street, "elder-2", on=TODAY, reason="", by="root")
    found = await teams.contracts(street, only_due=False, due_before=TODAY, search="")
    assert [row["elder_id"] for row in found] == ["elder-2", "elder-1"]
    assert [row["elder_id"] for row in await teams.contracts(street, only_due=True, due_before=TODAY, search="")] == ["elder-2"]
    assert [row["elder_id"] for row in await teams.contracts(street, only_due=False, due_before=TODAY, search="秀英")] == ["elder-1"]
    assert await teams.signed_rate(street, today=TODAY) == {"elders": 1, "signed": 1}
