"""The session: signing in and out."""

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.errors import BadInput
from backend.people.accounts import Refused
from backend.web import auth
from backend.web.auth import Now, Somebody, TheWeb
from backend.web.labels import N_

router = APIRouter(prefix="/api/session", tags=["session"])


class SignInBody(BaseModel):
    """A name and a password, taken as they are."""

    model_config = ConfigDict(extra="forbid")

    name: str
    password: str


class SessionView(BaseModel):
    """Who is signed in, and the page it begins with."""

    name: str
    role: str
    title: str
    home: str


@router.post("", openapi_extra={"requestBody": {"content": {"application/json": {"schema": SignInBody.model_json_schema()}}}})
async def sign_in(request: Request, response: Response, web: TheWeb, now: Now) -> SessionView:
    """Sign in with JSON or a form; the answer sets the cookie. 403 for a wrong name or password, 429 while the account is locked."""
    body = await _body(request)
    result = await auth.sign_in(web, body.name, body.password, now=now)
    if isinstance(result, Refused):
        raise HTTPException(429 if result.locked_until else 403, auth.refusal(result, auth.say_of(request)))
    account, token = result
    auth.set_session(response, web, token)
    return SessionView(name=account.name, role=account.role, title=account.title, home=auth.home_of(account))


@router.get("")
async def get_session(who: Somebody) -> SessionView:
    """Who is signed in."""
    return SessionView(name=who.name, role=who.role, title=who.title, home=auth.home_of(who))


@router.delete("", status_code=204)
async def sign_out(request: Request, now: Now) -> Response:
    """Sign out."""
    await auth.sign_out(request, now=now)
    response = Response(status_code=204)
    auth.clear_session(response)
    return response


async def _body(request: Request) -> SignInBody:
    is_json = request.headers.get("content-type", "").startswith("application/json")
    try:
        return SignInBody.model_validate_json(await request.body()) if is_json else SignInBody.model_validate(dict(await request.form()))
    except ValidationError as error:
        raise BadInput(N_("Give a name and a password.")) from error
