"""The pulse: whether homes are heard."""

from fastapi import APIRouter

from backend.errors import Unavailable
from backend.web.auth import Staff, TheWeb
from backend.web.model import PulseView

router = APIRouter(prefix="/api/pulse", tags=["pulse"])


@router.get("")
async def get_pulse(web: TheWeb, who: Staff) -> PulseView:
    """Counts over all homes as of the last look; `at` says when that was. 503 before the first look."""
    if web.live.pulse is None:
        raise Unavailable("nothing was looked at yet")
    return web.live.pulse
