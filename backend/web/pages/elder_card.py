"""What the card of an elder has beside the file: the picture, and the live view that is asked for."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from backend.people import photos
from backend.people.model import Id
from backend.web import auth, steps
from backend.web.auth import Admin, Conn, Now, Operator
from backend.web.pages.operator import vitals

router = APIRouter(prefix="/operator/elders/{elder_id}", include_in_schema=False)


@router.get("/photo")
async def photo(conn: Conn, who: Operator, now: Now, elder_id: Id) -> Response:
    """An elder's picture."""
    await auth.open_elder(conn, who, elder_id, now=now)
    media_type, image = await photos.get(conn, elder_id)
    return Response(image, media_type=media_type)


@router.post("/photo")
async def set_photo(conn: Conn, who: Admin, now: Now, elder_id: Id, photo: UploadFile | None = None) -> Response:
    """Another picture of an elder; without a file: none."""
    image = await photo.read(photos.BYTES_MAX + 1) if photo is not None else b""
    await steps.set_photo(conn, who, elder_id, image, now=now)
    return RedirectResponse(f"/operator/elders/{elder_id}", 303)


@router.post("/live")
async def live_view(
    request: Request, conn: Conn, who: Operator, now: Now, elder_id: Id, case_id: Annotated[int | None, Form()] = None
) -> Response:
    """Ask the home for raw values for five minutes; of a case it becomes a line of its story."""
    await steps.live_view(conn, who, elder_id, case_id=case_id, now=now)
    return await vitals(request, conn, who, now, elder_id, case_id)
