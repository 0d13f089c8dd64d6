"""The family's page, made for a phone: how is she today, what was done about alarms, who came; and the way in by an invitation."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from backend.errors import BadInput, NotFound
from backend.people import accounts, families
from backend.people.families import MESSAGE_MAX
from backend.people.model import Id
from backend.web import auth, family, family_steps, render
from backend.web.auth import Conn, Now, Relative, TheWeb
from backend.web.read import Row

router = APIRouter(include_in_schema=False)

Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{20,100}$")]


@router.get("/family")
async def show(request: Request, conn: Conn, who: Relative, now: Now) -> Response:
    """The whole page."""
    return render.page(request, "family.html", elders=await family.everybody(conn, who, now=now))


@router.get("/family/now")
async def show_now(request: Request, conn: Conn, who: Relative, now: Now) -> Response:
    """What changes of it."""
    return render.page(request, "family_now.html", elders=await family.everybody(conn, who, now=now))


@router.post("/family/elders/{elder_id}/messages")
async def write(
    request: Request, conn: Conn, who: Relative, now: Now, elder_id: Id,
    text: Annotated[str, Form(min_length=1, max_length=MESSAGE_MAX)],
) -> Response:  # fmt: skip
    """Write to the centre."""
    await family_steps.write_to_centre(conn, who, elder_id, text=text, now=now)
    return render.page(request, "family_now.html", elders=await family.everybody(conn, who, now=now))


@router.get("/join/{token}")
async def show_invitation(request: Request, web: TheWeb, now: Now, token: Token) -> Response:
    """What an invitation leads to. It names no elder: whoever finds the link learns nothing from it."""
    who = await auth.account_of(request)
    async with web.pool.connection() as conn:
        found = await families.invited(conn, token, now=now)
    own = who.name if who is not None and who.role == "family" else None
    return _form(request, found, token, own=own)


@router.post("/join/{token}")
async def join(
    request: Request,
    web: TheWeb,
    now: Now,
    token: Token,
    password: Annotated[str, Form(max_length=1000)],
    name: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Make the account, or set its password, and go in."""
    async with web.sign_ins, web.pool.connection() as conn:
        try:
            async with conn.transaction():
                joined = await families.join(conn, token, name=name.strip().lower(), password=password, now=now)
                action, subject = "joined" if joined.is_new else "password_set", f"elder:{joined.elder_id}"
                await accounts.audit(conn, by=joined.account, action=action, subject=subject, now=now, detail={"way": "link"})
                session = await accounts.open_session(conn, joined.account, now=now)
        except BadInput as error:
            return _form(request, await families.invited(conn, token, now=now), token, problem=auth.say_of(request)(str(error)))
    response = RedirectResponse("/family", 303)
    auth.set_session(response, web, session)
    return response


@router.post("/join/{token}/own")
async def join_with_own(web: TheWeb, who: Relative, now: Now, token: Token) -> Response:
    """Follow one more elder with the account that is signed in."""
    async with web.pool.connection() as conn, conn.transaction():
        found = await families.invited(conn, token, now=now)
        if found is None or found["account_name"] not in (None, who.name):
            raise NotFound("this invitation leads nowhere")
        await families.join_with(conn, token, name=who.name, now=now)
        await accounts.audit(conn, by=who.name, action="joined", subject=f"elder:{found['elder_id']}", now=now)
    return RedirectResponse("/family", 303)


def _form(request: Request, found: Row | None, token: str, *, own: str | None = None, problem: str | None = None) -> Response:
    status = 404 if found is None else 422 if problem else 200
    return render.page(
        request, "join.html", status=status, invited=found, own=own, token=token, problem=problem, password_min=families.PASSWORD_MIN
    )
