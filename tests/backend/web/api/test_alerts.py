"""The API of alerts: what the rules say, to be read."""

import pytest

from backend.db.pool import Pool
from tests.backend.web.conftest import SignedIn, case_of, open_alert

pytestmark = pytest.mark.store


async def test_an_alert_names_its_case_and_who_has_it(signed_in: SignedIn, street: Pool) -> None:
    alert_id = await open_alert(street)
    case_id = await case_of(street, alert_id)
    client = await signed_in("wang")
    await client.post(f"/api/cases/{case_id}/take")
    [alert] = (await client.get("/api/alerts")).json()
    assert (alert["id"], alert["case_id"], alert["case_state"], alert["taken_title"]) == (alert_id, case_id, "taken", "坐席 王芳")


async def test_the_alerts_of_a_closed_case_are_closed_with_its_code(signed_in: SignedIn, street: Pool) -> None:
    alerts = [await open_alert(street, rule_id=rule_id) for rule_id in ("sos", "fall")]
    case_id = await case_of(street, alerts[0])
    client = await signed_in("wang")
    await client.post(f"/api/cases/{case_id}/close", json={"disposition": "false"})
    assert (await client.get("/api/alerts")).json() == []
    found = (await client.get("/api/alerts", params={"elder_id": "elder-1"})).json()
    assert {(alert["id"], alert["state"], alert["disposition"]) for alert in found} == {(number, "closed", "false") for number in alerts}
