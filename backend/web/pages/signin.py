"""Signing in and out, the way to the right page, and the choice of language."""

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.people import accounts
from backend.people.accounts import Refused
from backend.web import auth, render
from backend.web.auth import Now, Somebody, TheWeb
from backend.web.language import Language, choose

router = APIRouter(include_in_schema=False)

LOCAL_PATH = re.compile(r"/(?![/\\])[!-~]*")
"""A path of this site: a second slash or backslash in front would lead to another host."""


@router.get("/")
async def home(who: Somebody) -> Response:
    """To the page of one's role."""
    return RedirectResponse(auth.home_of(who), 303)


@router.get("/sign-in")
async def show(request: Request, web: TheWeb, next: str = "/") -> Response:
    """The form; in a demo also its accounts."""
    await auth.account_of(request)
    return _form(request, web, next=next)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    web: TheWeb,
    now: Now,
    name: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in and go on to `next`, if that is a path of this site; the form again when it was refused."""
    result = await auth.sign_in(web, name, password, now=now)
    if isinstance(result, Refused):
        problem = auth.refusal(result, auth.say_of(request))
        return _form(request, web, next=next, problem=problem, status=429 if result.locked_until else 403)
    account, token = result
    chosen = request.cookies.get(auth.LANGUAGE_COOKIE)
    if chosen is not None:  # the language of the form goes on after it
        async with web.pool.connection() as conn:
            await accounts.set_language(conn, account.name, choose(chosen))
    response = RedirectResponse(local_path(next), 303)
    auth.set_session(response, web, token)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, now: Now) -> Response:
    """End the session."""
    await auth.sign_out(request, now=now)
    response = RedirectResponse("/sign-in", 303)
    auth.clear_session(response)
    return response


@router.post("/language")
async def set_language(
    request: Request, web: TheWeb, language: Annotated[Language, Form()], next: Annotated[str, Form()] = "/"
) -> Response:
    """Speak this language from now on: kept in the account, and in a cookie for the sign-in page."""
    account = await auth.account_of(request)
    if account is not None:
        async with web.pool.connection() as conn:
            await accounts.set_language(conn, account.name, language)
    response = RedirectResponse(local_path(next), 303)
    age_s = auth.LANGUAGE_COOKIE_AGE_S
    response.set_cookie(auth.LANGUAGE_COOKIE, language, max_age=age_s, httponly=True, samesite="lax", secure=web.config.web.secure_cookie)
    return response


def local_path(path: str) -> str:
    """The path if it is one of this site, else `/`."""
    return path if LOCAL_PATH.fullmatch(path) else "/"


def _form(request: Request, web: TheWeb, *, next: str, problem: str | None = None, status: int = 200) -> Response:
    demo = web.config.web.demo_accounts
    return render.page(request, "sign_in.html", status=status, next=local_path(next), problem=problem, demo=demo)
