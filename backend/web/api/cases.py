"""Cases: the queue, one case, and what operators do with it."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.cases.lifecycle import Disposition
from backend.people.model import Id
from backend.rules.model import VisitClass
from backend.web import auth, read, steps
from backend.web.api.paging import LIMIT, After, Limit, page_of
from backend.web.auth import Conn, Now, Operator, Staff
from backend.web.model import CaseView, VisitView

router = APIRouter(prefix="/api/cases", tags=["cases"])

TEXT_MAX = 2_000
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]


class Body(BaseModel):
    """Base of what is posted: unknown keys are refused, blanks around texts dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class NoteBody(Body):
    """A remark."""

    text: Text


class DispatchBody(Body):
    """How soon a doctor should come, and why."""

    visit_class: VisitClass
    reason: Text


class ResolveBody(Body):
    """What became of it."""

    text: str = Field(default="", max_length=TEXT_MAX)


class CloseBody(Body):
    """What the case was."""

    disposition: Disposition
    text: str = Field(default="", max_length=TEXT_MAX)


@router.get("")
async def list_cases(
    request: Request, response: Response, conn: Conn, who: Staff, now: Now, elder_id: Id | None = None, limit: Limit = LIMIT,
    after: After = None,
) -> list[CaseView]:  # fmt: skip
    """Open cases in the order of the queue, a page at a time: calls that nobody has taken, then priority, then age.

    The header `Link` with rel="next" leads to the next page while there is one (backend/web/api/paging.py). With `elder_id` the newest
    200 cases of one elder, open and closed, on one page.
    """
    if elder_id is None:
        ids = await page_of(request, response, conn, who, read.open_case_places, limit=limit, after=after, now=now)
        rows = await read.cases(conn, ids)
    else:
        await auth.open_elder(conn, who, elder_id, now=now)
        rows = await read.elder_cases(conn, elder_id)
    return [CaseView.of(row) for row in rows]


@router.get("/{case_id}")
async def get_case(conn: Conn, who: Staff, now: Now, case_id: int) -> CaseView:
    """One case."""
    return CaseView.of(await auth.open_case(conn, who, case_id, now=now))


@router.post("/{case_id}/take", status_code=204)
async def take(conn: Conn, who: Operator, now: Now, case_id: int) -> None:
    """Take a case. 409 with the winner's name when somebody else has it."""
    await steps.take(conn, who, case_id, now=now)


@router.post("/{case_id}/begin", status_code=204)
async def begin(conn: Conn, who: Operator, now: Now, case_id: int) -> None:
    """Say that the work has begun."""
    await steps.begin(conn, who, case_id, now=now)


@router.post("/{case_id}/give-back", status_code=204)
async def give_back(conn: Conn, who: Operator, now: Now, case_id: int) -> None:
    """Put it back into the queue."""
    await steps.put_back(conn, who, case_id, now=now)


@router.post("/{case_id}/note", status_code=204)
async def note(conn: Conn, who: Operator, now: Now, case_id: int, body: NoteBody) -> None:
    """Add a remark."""
    await steps.note(conn, who, case_id, text=body.text, now=now)


@router.post("/{case_id}/dispatch")
async def dispatch(conn: Conn, who: Operator, now: Now, case_id: int, body: DispatchBody) -> VisitView:
    """Ask for a family doctor. Answers the visit, which is the one that was open already when there was one."""
    visit_id = await steps.send_doctor(conn, who, case_id, visit_class=body.visit_class, reason=body.reason, now=now)
    return VisitView.of((await read.visits(conn, [visit_id]))[0])


@router.post("/{case_id}/resolve", status_code=204)
async def resolve(conn: Conn, who: Operator, now: Now, case_id: int, body: ResolveBody) -> None:
    """Say that nobody needs help any more."""
    await steps.resolve(conn, who, case_id, text=body.text, now=now)


@router.post("/{case_id}/close", status_code=204)
async def close(conn: Conn, who: Operator, now: Now, case_id: int, body: CloseBody) -> None:
    """Close with a code, and its alerts with it."""
    await steps.close(conn, who, case_id, disposition=body.disposition, text=body.text, now=now)
