"""The Bluetooth devices of one home: what it listens to, what else is heard there, and the steps that enrol, pair again and dismiss."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.db.pool import Connection
from backend.errors import NotFound
from backend.people import accounts
from backend.web import elder_read, render, steps
from backend.web.auth import Conn, Now, Operator
from backend.web.read import Row

router = APIRouter(prefix="/operator/gateways/{gateway_id}/bluetooth", include_in_schema=False)

DEVICE = r"^[a-z0-9][a-z0-9_-]{0,39}$"
ADDRESS = r"^\s*[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}\s*$"

DeviceForm = Annotated[str, Form(pattern=DEVICE)]


@router.get("")
async def show(request: Request, conn: Conn, who: Operator, now: Now, gateway_id: str) -> Response:
    """The page."""
    gateway = await _gateway(conn, gateway_id)
    await accounts.audit_view(conn, by=who.name, subject=f"gateway:{gateway_id}", now=now)
    return render.page(request, "bluetooth.html", gateway=gateway)


@router.post("/enrol")
async def enrol(
    conn: Conn,
    who: Operator,
    now: Now,
    gateway_id: str,
    device: DeviceForm,
    address: Annotated[str, Form(pattern=ADDRESS)],
    passkey: Annotated[str, Form(pattern=r"^([0-9]{6})?$")] = "",
) -> Response:
    """Enrol a device, or pair again with one that has forgotten its home."""
    plain = address.strip().upper().replace("-", ":")
    await _gateway(conn, gateway_id)
    await steps.enrol(conn, who, gateway_id, device=device, address=plain, passkey=passkey or None, now=now)
    return _back(gateway_id)


@router.post("/dismiss")
async def dismiss(conn: Conn, who: Operator, now: Now, gateway_id: str, device: DeviceForm) -> Response:
    """Listen to a device no more."""
    await _gateway(conn, gateway_id)
    await steps.dismiss(conn, who, gateway_id, device=device, now=now)
    return _back(gateway_id)


async def _gateway(conn: Connection, gateway_id: str) -> Row:
    gateway = await elder_read.gateway(conn, gateway_id)
    if gateway is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return gateway


def _back(gateway_id: str) -> Response:
    return RedirectResponse(f"/operator/gateways/{gateway_id}/bluetooth", 303)
