"""What went wrong, in plain words: errors to status codes, and to JSON, a sentence or a page, whichever was asked for."""

import logging
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from backend.db.pool import TRANSIENT, UNSTORABLE
from backend.errors import BadInput, IllegalMove, JiahuError, NotFound, NotNow, Taken, TooMany, WrongPin
from backend.web import auth, render
from backend.web.labels import N_

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A status, a code for programs and a sentence for people."""

    status: int
    code: str
    sentence: str


SIGNED_OUT = Problem(401, "signed_out", N_("You are signed out. Please sign in again."))
NOT_FOUND = Problem(404, "not_found", N_("There is no such thing here, or it is not for this account."))
NOT_POSSIBLE = Problem(409, "not_possible", N_("This step is not possible any more: things have moved on meanwhile."))
UNAVAILABLE = Problem(
    503, "unavailable", N_("The database cannot be reached at the moment. Please try again; nothing that homes send is lost.")
)
TOO_MANY = Problem(
    503, "too_many", N_("Too many pages are open at the moment. Please close those that nobody needs, then try again; alarms are not lost.")
)
NOT_STORED = Problem(
    422, "bad_input", N_("Something that you entered is too large, or has characters that cannot be stored. Please check it.")
)
BROKEN = Problem(500, "broken", N_("Something went wrong in the system. It has been written to its log; please try again."))
OTHER = {405: NOT_FOUND, 404: NOT_FOUND, 401: SIGNED_OUT}


def install(app: FastAPI) -> None:
    """Make the application answer errors this way."""
    for kind in (JiahuError, RequestValidationError, HTTPException, UNSTORABLE, TRANSIENT, Exception):
        app.add_exception_handler(kind, _handle)


def problem_of(request: Request, error: Exception) -> Problem:
    """The problem with its sentence in the language of whoever asked."""
    say = auth.say_of(request)
    match error:
        case Taken():
            return Problem(409, "taken", say("%(who)s was faster and has it now.", who=error.by))
        case IllegalMove():
            found = NOT_POSSIBLE
        case NotFound():
            found = NOT_FOUND
        case WrongPin():
            return Problem(403, "wrong_pin", say(str(error)))
        case TooMany():
            found = TOO_MANY
        case NotNow():
            return Problem(503, "not_now", say(str(error)))
        case BadInput():
            return Problem(422, "bad_input", say(str(error)))
        case RequestValidationError():
            fields = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
            return Problem(422, "bad_input", say("Please check what you entered: %(fields)s", fields=fields))
        case UNSTORABLE():
            found = NOT_STORED
        case HTTPException():
            found = OTHER.get(error.status_code, Problem(error.status_code, "refused", error.detail))
        case _:
            found = UNAVAILABLE if isinstance(error, JiahuError | TRANSIENT) else BROKEN
    return Problem(found.status, found.code, say(found.sentence))


async def _handle(request: Request, error: Exception) -> Response:
    problem = problem_of(request, error)
    if problem.status >= 500:
        logger.error("request failed: %s", type(error).__name__, extra={"event": "request_failed"})
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": problem.code, "message": problem.sentence}, problem.status)
    if "hx-request" in request.headers:
        return PlainTextResponse(problem.sentence, problem.status)
    if problem.status == 401:
        return RedirectResponse(f"/sign-in?next={request.url.path}" if request.method == "GET" else "/sign-in", 303)
    return render.page(request, "problem.html", status=problem.status, problem=problem)
