"""The page of a home's Bluetooth devices: enrol one that is heard, pair again, forget; and what the gateway is told."""

from datetime import timedelta

import pytest

from backend.commands import store as commands
from backend.db.pool import Pool
from backend.ingest import store
from contract.commands import COMMAND, Dismiss, Enrol
from contract.status import DeviceStatus, GatewayStatus, Nearby
from tests.backend.street import NOW, one
from tests.backend.web.conftest import SignedIn
from tests.backend.web.pages.test_operator import text_of

pytestmark = pytest.mark.store

PAGE = "/operator/gateways/gw-1/bluetooth"
CUFF, SCALE = "C1:00:00:00:00:01", "C1:00:00:00:00:02"


async def told(street: Pool) -> list[object]:
    """Commands that wait for the gateway."""
    async with street.connection() as conn:
        return [COMMAND.validate_json(payload) for _, payload in await commands.take_due(conn, now=NOW)]


@pytest.fixture
async def home(street: Pool) -> Pool:
    """A gateway that is on line, with a cuff; a scale is heard."""
    cuff = DeviceStatus(id="cuff-1", type="bluetooth", is_lost=False, heard_at=NOW, model="ACME Cuff 7", address=CUFF, battery_percent=75)
    nearby = [Nearby(address=SCALE, name="Scale 3", services=["scale"], heard_at=NOW - timedelta(seconds=20))]
    status = GatewayStatus(
        online=True, at=NOW, devices=[DeviceStatus(id="bluetooth", type="bluetooth", is_lost=False), cuff], nearby=nearby
    )
    async with street.connection() as conn:
        await store.put_statuses(conn, {"gw-1": (status, 0.0)}, now=NOW)
    return street


async def test_it_shows_what_is_enrolled_and_what_else_is_heard(signed_in: SignedIn, home: Pool) -> None:
    client = await signed_in("wang")
    text = text_of(await client.get(PAGE))
    for expected in ("蓝牙设备 gw-1", "王秀英", "cuff-1", "ACME Cuff 7", CUFF, "75 %", "体重秤", "Scale 3", SCALE, "重新配对", "登记"):
        assert expected in text
    assert "蓝牙设备" in text_of(await client.get("/operator/elders/elder-1"))


async def test_enrolling_tells_the_gateway_and_is_on_record(signed_in: SignedIn, home: Pool) -> None:
    client = await signed_in("wang")
    form = {"device": "scale-1", "address": SCALE.lower(), "passkey": "004217"}
    assert (await client.post(f"{PAGE}/enrol", data=form)).status_code == 303
    assert (await client.post(f"{PAGE}/dismiss", data={"device": "cuff-1"})).status_code == 303
    until = NOW + commands.ORDER_FOR
    enrol, dismiss = await told(home)
    assert isinstance(enrol, Enrol)
    assert isinstance(dismiss, Dismiss)
    assert (enrol.device, enrol.address, enrol.passkey, enrol.until) == ("scale-1", SCALE, "004217", until)
    assert dismiss.device == "cuff-1"
    async with home.connection() as conn:
        trail = await one(conn, "SELECT string_agg(action, ' ' ORDER BY id) AS steps FROM audit WHERE subject = 'gateway:gw-1'")
    assert trail["steps"] == "enrolled dismissed"


@pytest.mark.parametrize(
    "form",
    [
        {"device": "Scale 1", "address": SCALE},
        {"device": "scale-1", "address": "C1:00"},
        {"device": "scale-1", "address": SCALE, "passkey": "12"},
    ],
)
async def test_what_cannot_be_is_refused(signed_in: SignedIn, home: Pool, form: dict[str, str]) -> None:
    assert (await (await signed_in("wang")).post(f"{PAGE}/enrol", data=form)).status_code == 422
    assert await told(home) == []


async def test_a_gateway_off_line_is_not_told(signed_in: SignedIn, street: Pool) -> None:
    answer = await (await signed_in("wang")).post(f"{PAGE}/enrol", data={"device": "scale-1", "address": SCALE})
    assert answer.status_code == 422
    assert "离线" in answer.text
    assert await told(street) == []


async def test_it_is_no_page_for_doctors_and_none_of_no_gateway(signed_in: SignedIn, home: Pool) -> None:
    assert (await (await signed_in("li")).get(PAGE)).status_code == 404
    assert (await (await signed_in("wang")).get("/operator/gateways/gw-9/bluetooth")).status_code == 404
