"""The live stream: server-sent events of everything this person may see."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backend.web.auth import Somebody, TheWeb
from backend.web.events import EventStream
from backend.web.live import KINDS, Kind

router = APIRouter(prefix="/api/live", tags=["live"])


@router.get("", response_class=StreamingResponse)
async def get_live(web: TheWeb, who: Somebody, kinds: Annotated[list[Kind] | None, Query()] = None) -> EventStream:
    """Events `hello`, `case`, `alert`, `visit`, `gone` and `beat`, only of `kinds`; for families `hello`, `family` and `beat`.

    See backend/web/live.py. Reconnect when it ends. 503 while too many pages listen.
    """
    client = web.live.enter(who, kinds or KINDS)
    return EventStream(web.live.stream(client), lambda: web.live.leave(client))
