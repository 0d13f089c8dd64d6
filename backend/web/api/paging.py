"""Lists of what is open, a page at a time, however much there is: at most `limit` rows, and a link to those after them.

A page reads the details of its own rows alone. The link of the next page names the place of the last row, not its number: rows that come
or go meanwhile move nothing. A row whose own place changes between two pages (taken, given back, more urgent) may come twice or not at
all; who must miss nothing listens to `/api/live`, which tells every change.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.people.accounts import Account
from backend.web import auth
from backend.web.labels import N_
from backend.web.read import Place, Row

LIMIT, LIMIT_MAX = 200, 1_000
"""Rows of a page unless asked otherwise, and the most: 1 000 cases with all that they say are 100 ms."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = Place(-1, 0, 0, EPOCH, 0)
CURSOR = re.compile(r"([01])-([0-4])-([01])-(\d{1,17})-(\d{1,18})")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows of a page, at most")]
After = Annotated[str | None, Query(max_length=60, description="from the link of the page before: its rows and those above are left out")]
Read = Callable[[Connection, Place, int | None], Awaitable[list[Row]]]
"""Reads places with their `elder_id` after one place, at most so many."""


def cursor_of(place: Place) -> str:
    """A place as it stands in a link: its numbers, the instant in microseconds."""
    return f"{place.later}-{place.rank}-{place.taken}-{(place.at - EPOCH) // timedelta(microseconds=1)}-{place.id}"


def place_of(cursor: str | None) -> Place:
    """The place a link names; of none the place before all. Raises BadInput."""
    if cursor is None:
        return FIRST
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise BadInput(N_("The page after this one begins at no known place: follow the link of the page before, or begin anew."))
    later, rank, taken, at, number = map(int, found.groups())
    return Place(later, rank, taken, EPOCH + timedelta(microseconds=at), number)


async def page_of(
    request: Request, response: Response, conn: Connection, who: Account, read: Read, *, limit: int, after: str | None, now: datetime
) -> list[int]:
    """The numbers of the rows of one page that the account may see, and a `Link` to the next in the answer while there are more.

    The centre sees everything, so its page is cut by the database; of everybody else all places are looked at, without their details.
    """
    is_cut = who.role in auth.CENTRE
    rows = await auth.visible(conn, who, await read(conn, place_of(after), limit + 1 if is_cut else None), now=now)
    if len(rows) > limit:
        last = Place(**{name: rows[limit - 1][name] for name in Place._fields})
        query = urlencode({"limit": limit, "after": cursor_of(last)})
        response.headers["link"] = f'<{request.url.path}?{query}>; rel="next"'
    return [row["id"] for row in rows[:limit]]
