"""What a family may see of its elders, and its messages to the centre."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from backend.people import families
from backend.people.model import Id
from backend.web import family, family_steps
from backend.web.api.cases import Body
from backend.web.auth import Conn, Now, Relative
from backend.web.family import FamilyView

router = APIRouter(prefix="/api/family", tags=["family"])


class LetterBody(Body):
    """A message."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=families.MESSAGE_MAX)]


@router.get("/elders")
async def list_elders(conn: Conn, who: Relative, now: Now) -> list[FamilyView]:
    """All elders who let this account see something, with that and nothing else."""
    return await family.everybody(conn, who, now=now)


@router.get("/elders/{elder_id}")
async def get_elder(conn: Conn, who: Relative, now: Now, elder_id: Id) -> FamilyView:
    """One of them. 404 from the instant at which consent was withdrawn."""
    return await family.one(conn, who, elder_id, now=now)


@router.post("/elders/{elder_id}/messages", status_code=204)
async def write(conn: Conn, who: Relative, now: Now, elder_id: Id, body: LetterBody) -> None:
    """Write to the centre. 422 for more than five messages within an hour."""
    await family_steps.write_to_centre(conn, who, elder_id, text=body.text, now=now)
