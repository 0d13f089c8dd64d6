"""What operators tell the rules about an elder, as they do it."""

from backend.db.pool import Pool
from contract.quantities import QuantityName
from tests.backend.street import NOW, batch, letter, one, rows, seconds, write
from tests.backend.web.conftest import SignedIn

PAGE = "/operator/elders/elder-1/watch"


async def test_what_an_operator_sees_completes_a_score_at_once(street: Pool, signed_in: SignedIn) -> None:
    signs = [(QuantityName.RESPIRATION_RATE, 21.0), (QuantityName.HEART_RATE, 80.0), (QuantityName.SPO2, 97.0)]
    async with street.connection() as conn:
        for number, (quantity, value) in enumerate(signs, start=1):
            at = NOW - seconds(10 - number)
            await write(conn, letter(batch([value], first=number, start_at=at, quantity=quantity)), now=at)
        assert await rows(conn, "SELECT id FROM alert") == []
    operator = await signed_in("wang")
    assert (await operator.post(f"{PAGE}/seen", data={"oxygen": "no", "consciousness": "C"})).status_code == 303
    async with street.connection() as conn:
        assert await one(conn, "SELECT rule_id, level FROM alert") == {"rule_id": "news2_partial", "level": "attention"}
    assert "新发意识混乱" in (await operator.get(PAGE)).text


async def test_away_and_back_by_the_one_form_there_is(street: Pool, signed_in: SignedIn) -> None:
    operator = await signed_in("wang")
    away = {"subject": "elder-1", "what": "hospital", "hours": "48", "reason": "住院"}
    assert 'name="subject" value="elder-1"' in (await operator.get("/operator/rests?elder=elder-1")).text
    assert (await operator.post("/operator/rests", data=away)).status_code == 303
    async with street.connection() as conn:
        row = await one(conn, "SELECT from_at, until_at, by FROM away")
        rest = await one(conn, "SELECT id FROM rest")
    assert (row["from_at"], row["until_at"], row["by"]) == (NOW, NOW + seconds(48 * 3600), "wang")
    assert "住院" in (await operator.get(PAGE)).text
    assert (await operator.post("/operator/rests", data=away | {"hours": "-1"})).status_code == 422
    assert (await operator.post(f"/operator/rests/{rest['id']}/end")).status_code == 303
    doctor = await signed_in("cao")
    assert (await doctor.get(PAGE)).status_code == 404


async def test_what_became_known_too_late_is_on_the_list_of_the_day(street: Pool, signed_in: SignedIn) -> None:
    old = NOW - seconds(4 * 3600)
    async with street.connection() as conn:
        await write(conn, letter(batch([97] * 5 + [86] * 8 + [97] * 8, start_at=old)), now=NOW)
    page = (await (await signed_in("wang")).get("/operator/review")).text
    assert "王秀英" in page and "血氧偏低" in page and "07:13:50" in page, "opened at 23:13:50 UTC, shown in the home's zone"
