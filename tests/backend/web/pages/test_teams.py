"""Teams and contracts as pages."""

import pytest

from backend.db.pool import Pool
from tests.backend.web.conftest import SignedIn
from tests.backend.web.pages.test_operator import text_of

pytestmark = pytest.mark.store


async def test_operators_see_teams_and_only_the_administrator_changes_them(signed_in: SignedIn, street: Pool) -> None:
    operator = await signed_in("wang")
    text = text_of(await operator.get("/teams"))
    for expected in ("李杨工作室", "后备：小草团队", "李医生", "家庭医生", "护士"):
        assert expected in text
    shift = {"starts_at": "2026-03-05T08:00", "ends_at": "2026-03-05T18:00"}
    assert (await operator.post("/teams/doctors/doctor-li/shifts", data=shift)).status_code == 404
    admin = await signed_in("root")
    assert (await admin.post("/teams/doctors/doctor-li/shifts", data=shift)).status_code == 303
    assert "03-05 08:00:00 – 03-05 18:00:00" in text_of(await admin.get("/teams"))
    refused = await admin.post("/teams/doctors/doctor-cao/active", data={}, headers={"hx-request": "true"})
    assert (refused.status_code, refused.text) == (422, "团队必须有家庭医生：请先加入另一位。")


async def test_a_contract_is_signed_anew(signed_in: SignedIn, street: Pool) -> None:
    admin = await signed_in("root")
    form = {"doctor_id": "doctor-cao", "signed_on": "2026-03-01", "ends_on": "2027-02-28"}
    assert (await admin.post("/contracts/elder-1", data=form)).status_code == 303
    assert "小草团队 · 曹医生 2026-03-01 2027-02-28" in text_of(await admin.get("/contracts?search=elder-1"))
    short = await admin.post("/contracts/elder-1", data=form | {"ends_on": "2026-12-31"}, headers={"hx-request": "true"})
    assert (short.status_code, short.text) == (422, "签约至少一年。")
    assert (await admin.post("/contracts/elder-1/end", data={"reason": "搬家"})).status_code == 303
    assert "未签约" in text_of(await admin.get("/contracts?due=true"))


async def test_doctors_have_neither(signed_in: SignedIn, street: Pool) -> None:
    doctor = await signed_in("li")
    assert [(await doctor.get(path)).status_code for path in ("/teams", "/contracts")] == [404, 404]
