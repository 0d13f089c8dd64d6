"""The live stream: server-sent events of everything this person may see."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from backend.web.auth import Somebody, TheWeb

router = APIRouter(prefix="/api/live", tags=["live"])


@router.get("", response_class=StreamingResponse)
async def get_live(web: TheWeb, who: Somebody) -> StreamingResponse:
    """Events `hello`, `alert`, `visit`, `gone` and `beat`, see backend/web/live.py. Reconnect when it ends."""
    return StreamingResponse(web.live.stream(who), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
