"""What all consoles show alike: the queue and the pulse, read once per change and drawn once per language, however many look at them.

A console hears over its own stream (`/operator/live`): `hello`, then `queue` (drawn, and the calls that nobody has taken, for sounds),
`pulse` (drawn), `changed` (cases whose story is not what it was) and `beat`. It is sent the newest state and not each one, so one on a
slow line falls behind by nothing but its own line, and a flood of changes is one message.

Every operator may see every elder (`auth.sees`): that is why the queue can be one. What is a person's own (notes to read, the case that is
chosen) does not belong in it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend.db.pool import Connection
from backend.errors import TooMany
from backend.web import labels, read
from backend.web.events import STREAM_S_MAX
from backend.web.kept import Kept
from backend.web.language import Language
from backend.web.model import PulseView
from backend.web.read import Queue, Row

ROWS = 40
"""Rows of the queue at first: what comes after them is a count, and may be asked for."""
ROWS_MAX = 200
CONSOLES_MAX = 1_000
DRAWN_AGE_MAX = timedelta(seconds=1)
"""Ages are part of what is drawn; the page's own clock counts on from there."""
STREET_AGE_MAX = timedelta(seconds=2)
READ_AGE_MAX = timedelta(seconds=10)
"""Names of people change without a change of their cases; a queue is never older than this when somebody asks for it."""

Draw = Callable[[str, Language, dict[str, object]], str]
"""Template, language and what it shows -> HTML."""


@dataclass(eq=False, slots=True)
class Console:
    """One open page, and what it has not heard yet."""

    language: Language
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    news: set[str] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    is_over: bool = False

    def tell(self, *news: str, changed: Collection[int] = ()) -> None:
        """Let it send these at its next turn."""
        self.news.update(news)
        self.changed.update(changed)
        self.wakes.set()


class Board:
    """The queue as it was last read, and the consoles that listen. `clock` gives the time, `draw` makes HTML."""

    def __init__(self, *, clock: Callable[[], datetime], draw: Draw, consoles_max: int = CONSOLES_MAX) -> None:
        self.pulse: PulseView | None = None
        self._clock, self._draw, self._consoles_max = clock, draw, consoles_max
        self._queue: Queue | None = None
        self._read_at: datetime | None = None
        self._beat_at: datetime | None = None
        self._is_stale = True
        self._drawn: dict[tuple[str, Language], tuple[datetime, bytes]] = {}
        self._consoles: set[Console] = set()
        self._street: Kept[list[Row]] = Kept(STREET_AGE_MAX)

    @property
    def pages(self) -> int:
        """Consoles that listen now."""
        return len(self._consoles)

    async def note(self, conn: Connection, case_ids: Collection[int]) -> None:
        """These cases have changed: read the queue again where somebody listens, and tell them."""
        self._is_stale = True
        if self._consoles:
            await self.bring_up_to_date(conn)
            self._tell(changed=case_ids)

    async def bring_up_to_date(self, conn: Connection) -> None:
        """Read the queue again unless nothing has changed. Whoever it was read for, all consoles are told."""
        now = self._clock()
        if self._is_stale or self._read_at is None or not now - READ_AGE_MAX <= self._read_at <= now:
            self._queue = await read.queue(conn, limit=ROWS)
            self._read_at, self._is_stale = now, False
            self._forget("queue.html")
            self._tell("queue")

    def feel(self, pulse: PulseView) -> None:
        """The pulse was felt anew."""
        self.pulse = pulse
        self._forget("pulse.html")
        self._tell("pulse")

    def beat(self, at: datetime) -> None:
        """The tables were looked at."""
        self._beat_at = at
        self._tell("beat")

    def queue_html(self, language: Language) -> str:
        """The queue as it was last brought up to date."""
        return self._html("queue.html", language, **shown(self._queue)).decode()

    def longer_html(self, language: Language, queue: Queue, rows: int) -> str:
        """A queue that was read with more rows, for the one who asked for them."""
        return self._draw("queue.html", language, shown(queue, rows))

    async def street_html(self, conn: Connection, language: Language) -> str:
        """The homes, at most STREET_AGE_MAX old. Who looks at them is the caller's to write down."""

        async def read_anew() -> list[Row]:
            homes = await read.homes(conn, labels.STREET)
            self._forget("street.html")
            return homes

        homes = await self._street.get(read_anew, self._clock())
        return self._html("street.html", language, homes=homes).decode()

    def enter(self, language: Language) -> Console:
        """Let a console in: from now on it is told of every change. The caller then looks at the tables, and gives it its stream.

        Raises TooMany over `consoles_max`.
        """
        if len(self._consoles) >= self._consoles_max:
            raise TooMany("too many pages are open")
        console = Console(language)
        console.tell("queue", "pulse")
        self._consoles.add(console)
        return console

    def leave(self, console: Console) -> None:
        """It hears no more."""
        self._consoles.discard(console)

    async def stream(self, console: Console) -> AsyncIterator[bytes]:
        """Server-sent events for a console that was let in, until it leaves or STREAM_S_MAX is over."""
        ends_s = asyncio.get_running_loop().time() + STREAM_S_MAX
        try:
            yield _event("hello", json.dumps({"at": self._clock().isoformat()}))
            with suppress(TimeoutError):
                while not console.is_over:
                    for message in self._messages(console):
                        yield message
                    async with asyncio.timeout_at(ends_s):
                        await console.wakes.wait()
        finally:
            self.leave(console)

    def stop(self) -> None:
        """End all streams."""
        for console in self._consoles:
            console.is_over = True
            console.wakes.set()

    def _messages(self, console: Console) -> list[bytes]:
        """What this console has to hear now, the queue first: it may hold a call."""
        console.wakes.clear()
        news, console.news = console.news, set()
        changed, console.changed = sorted(console.changed), set()
        messages = []
        if "queue" in news and self._queue is not None:
            messages.append(self._queue_event(console.language))
        if changed:
            messages.append(_event("changed", json.dumps({"cases": changed})))
        if "pulse" in news and self.pulse is not None:
            html = self._html("pulse.html", console.language, pulse=self.pulse).decode()
            messages.append(_event("pulse", json.dumps({"html": html}, ensure_ascii=False)))
        if "beat" in news and self._beat_at is not None:
            messages.append(_event("beat", json.dumps({"at": self._beat_at.isoformat()})))
        return messages

    def _queue_event(self, language: Language) -> bytes:
        assert self._queue is not None
        queue = self._queue

        def make() -> bytes:
            html = self._html("queue.html", language, **shown(queue)).decode()
            return _event("queue", json.dumps({"html": html, "calls": queue.calls}, ensure_ascii=False))

        return self._once(("queue", language), make)

    def _html(self, template: str, language: Language, **context: object) -> bytes:
        return self._once((template, language), lambda: self._draw(template, language, context).encode())

    def _once(self, key: tuple[str, Language], make: Callable[[], bytes]) -> bytes:
        """What was made for this key within DRAWN_AGE_MAX, else made now."""
        now = self._clock()
        made_at, made = self._drawn.get(key, (None, b""))
        if made_at is None or not now - DRAWN_AGE_MAX < made_at <= now:
            made = make()
            self._drawn[key] = now, made
        return made

    def _forget(self, template: str) -> None:
        names = {template, template.removesuffix(".html")}
        self._drawn = {key: made for key, made in self._drawn.items() if key[0] not in names}

    def _tell(self, *news: str, changed: Collection[int] = ()) -> None:
        for console in self._consoles:
            console.tell(*news, changed=changed)


def shown(queue: Queue | None, rows: int = ROWS) -> dict[str, object]:
    """What the template of the queue is given. `more`: how many rows may be asked for next, 0 when these are the most there are."""
    more = min(rows + ROWS, ROWS_MAX)
    return {"queue": queue, "rows": rows, "more": more if more > rows else 0}


def _event(name: str, data: str) -> bytes:
    """One server-sent event; `data` is one line."""
    return f"event: {name}\ndata: {data}\n\n".encode()
