"""Live updates: one task watches the tables and tells every open page what changed, as server-sent events.

The tables are the truth and a notification is only a hint to look at once; without one the task looks every POLL_S. It compares the
versions of everything open with those of its last look, so neither clocks nor lost hints nor a restarted database can make it miss a
change. What is no longer open is read once more and sent with its last state. A request that must not show the past looks too, or waits
for a look that began after it: a hundred of them are one look.

Consoles are told by the board (`board.py`), all alike. Other pages and programs listen here, to events: `hello` at the start, `case`,
`alert` and `visit` (first all open ones, then changes), `gone` for what this person may no longer see, and `beat` every BEAT_S, but only
while looking works: a page that hears no beat knows that it is blind.

A family hears `family` alone: that something of what it may see has changed, or what it may see; never what. Its page then asks, and the
answer is checked like every other. What has no version (values, signs of life, letters, promises) is compared at every beat.
"""

import asyncio
import json
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from backend.db.apart import apart
from backend.db.pool import TRANSIENT, Connection, Pool
from backend.errors import TooMany
from backend.people.accounts import Account
from backend.web import read
from backend.web.board import Board
from backend.web.events import STREAM_S_MAX
from backend.web.marks import NO_MARKS, Marks, listening, open_marks, wait_for_hint
from backend.web.model import AlertView, CaseView, PulseView, VisitView
from backend.web.readers import Readers, family_marks, family_rights, readers_of

logger = logging.getLogger(__name__)

POLL_S = 2.0
GAP_S = 0.05
"""Least time between two looks: a burst of hints is one look. After a look that took longer, as long as it took."""
PULSE_S = 1.0
PULSE_SHARE = 0.02
"""Of the time, that feeling the pulse may take: of a district it is felt every few seconds."""
BEAT_S = 5.0
RETRY_S_MIN, RETRY_S_MAX = 0.2, 5.0
CLIENTS_MAX = 1_000
FAMILIES_MAX = 1_000
"""Their phones take no place of those who work here."""
FAMILY_EACH_S = 20
"""New values of a home that sends every second are told to its family this often."""
CLIENT_QUEUE_MAX = 2_000
"""Messages, and things that have changed, waiting for one page; one that is slower is cut off and begins anew."""
CHUNK = 200
"""Things read and told in one go: between two of them others have their turn."""
RATE_SPAN = timedelta(seconds=60)
RATE_SPAN_MIN = timedelta(seconds=5)

Sees = Callable[[Account, Readers | None], bool]
Kind = Literal["case", "alert", "visit"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Key = tuple[str, int]
OVER = frozenset({"closed", "done", "cancelled"})
"""States of cases and alerts, and of visits, that are no longer open."""
Rights = dict[str, frozenset[str]]
THING_OF = {"alert": "alerts", "visit": "visits"}
"""What a family must be allowed to see, to hear of a change."""


@dataclass(frozen=True, slots=True)
class Change:
    """The newest state of a case, alert or visit, as JSON, and who may know it. `is_over`: it is closed, done or cancelled."""

    key: Key
    version: int
    readers: Readers | None
    is_over: bool
    data: str


@dataclass(eq=False, slots=True)
class Client:
    """One open page. `sent` holds the versions it has of what is still open.

    Until the page has had everything that is open, the newest change of each thing waits: an older state must not come after a newer one.
    A family is not told what is open, so for it nothing waits.
    """

    account: Account
    sees: Sees
    kinds: frozenset[str] = frozenset(KINDS)
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(CLIENT_QUEUE_MAX))
    sent: dict[Key, int] = field(default_factory=dict)
    waiting: dict[Key, Change] | None = None
    is_over: bool = False
    rights: Rights | None = None
    """What a family could see at the last look; None before the first."""
    marks: dict[str, str] | None = None
    """Of what a family may see and that has no version, at the last comparison; None before the first."""

    def first(self, changes: Iterable[Change]) -> list[str]:
        """What a new page has to hear of what was open when it came."""
        return [message for change in changes for message in self._message(change)]

    def begun(self) -> list[str]:
        """It has had everything: what has changed meanwhile. From now on changes are told as they come."""
        waiting, self.waiting = self.waiting or {}, None
        return self.messages(waiting.values())

    def messages(self, changes: Iterable[Change]) -> list[str]:
        """What this page has to hear of these changes, each version once."""
        if self.waiting is not None:
            self.waiting.update((change.key, change) for change in changes if change.key[0] in self.kinds)
            return []
        return self.first(changes)

    @property
    def is_family(self) -> bool:
        """True for a page of a family, which hears of no case, alert or visit itself."""
        return self.account.role == "family"

    def notice(self, rights: Rights) -> list[str]:
        """Compare what a family may see with the last look: begun, changed and withdrawn consents are heard at once."""
        is_changed, self.rights = self.rights != rights, rights
        return [message_of("family", json.dumps({"about": "rights"}))] if is_changed else []

    def compare(self, marks: dict[str, str]) -> list[str]:
        """Compare what a family may see with the last time: its page has asked once it was open, so the first says nothing."""
        is_changed, self.marks = self.marks is not None and self.marks != marks, marks
        return [message_of("family", json.dumps({"about": "state"}))] if is_changed else []

    def _family_message(self, change: Change) -> list[str]:
        thing = THING_OF.get(change.key[0])
        allowed = change.readers.family.get(self.account.name, frozenset()) if change.readers else frozenset()
        if thing not in allowed or self.sent.get(change.key, 0) >= change.version:
            return []
        self.sent[change.key] = change.version
        return [message_of("family", json.dumps({"about": thing}))]

    def _message(self, change: Change) -> list[str]:
        kind, number = change.key
        if kind not in self.kinds:
            return []
        if self.is_family:
            return self._family_message(change)
        if not self.sees(self.account, change.readers):
            was_known = self.sent.pop(change.key, None) is not None
            return [message_of("gone", json.dumps({"kind": kind, "id": number}))] if was_known else []
        if self.sent.get(change.key, 0) >= change.version:
            return []
        if change.is_over:
            self.sent.pop(change.key, None)
        else:
            self.sent[change.key] = change.version
        return [message_of(kind, change.data)]

    def put(self, messages: Iterable[str]) -> bool:
        """Queue messages. False when the page is too slow; its stream then ends."""
        if self.waiting is not None and len(self.waiting) > CLIENT_QUEUE_MAX:
            self.end()
            return False
        try:
            for message in messages:
                self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.end()
            return False
        return True

    async def next(self, ends_s: float) -> str | None:
        """The next message, None at the end of the stream. Raises TimeoutError at `ends_s` of the loop's clock."""
        async with asyncio.timeout_at(ends_s):
            return await self.queue.get()

    def end(self) -> None:
        """Make the stream end now, whatever waits in it."""
        self.is_over = True
        if self.waiting:
            self.waiting.clear()
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Rate:
    """Readings per minute from a counter that only grows."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, int]] = deque()

    def add(self, at: datetime, total: int) -> int | None:
        """Note the counter; returns the rate over the last RATE_SPAN, None until it was watched for RATE_SPAN_MIN."""
        while self._seen and at - self._seen[0][0] > RATE_SPAN:
            self._seen.popleft()
        self._seen.append((at, total))
        first_at, first_total = self._seen[0]
        if at - first_at < RATE_SPAN_MIN:
            return None
        return round((total - first_total) * 60 / (at - first_at).total_seconds())


class Live:
    """The watching task and the pages that listen. `clock` gives the time, `sees` says who may know what."""

    def __init__(
        self, pool: Pool, board: Board, *, clock: Callable[[], datetime], sees: Sees, clients_max: int = CLIENTS_MAX,
        families_max: int = FAMILIES_MAX,
    ) -> None:  # fmt: skip
        self.pulse: PulseView | None = None
        self.looked_at: datetime | None = None
        self._pool, self._board, self._clock, self._sees = pool, board, clock, sees
        self._clients_max, self._families_max = clients_max, families_max
        self._clients: set[Client] = set()
        self._looking = asyncio.Lock()
        self._looks = 0
        self._looked = 0
        self._marks: dict[str, Marks] = {}
        self._rate = Rate()
        self._beat_at: datetime | None = None
        self._pulse_s = 0.0

    @property
    def pages(self) -> int:
        """Pages that listen now."""
        return len(self._clients) + self._board.pages

    async def run(self) -> None:
        """Watch until cancelled; a lost database is found again, with waiting that grows to RETRY_S_MAX."""
        retry_s = RETRY_S_MIN
        while True:
            began_at = self._clock()
            try:
                await self._watch()
            except TRANSIENT as error:
                level = logging.WARNING if retry_s == RETRY_S_MIN else logging.DEBUG
                logger.log(level, "live updates wait for the database: %s", type(error).__name__, extra={"event": "live_waits"})
            except Exception:  # one fault of ours must not leave every desk without calls until somebody starts web again
                logger.exception("live updates have failed and begin anew", extra={"event": "live_failed"})
            if self.looked_at is not None and self.looked_at > began_at:
                retry_s = RETRY_S_MIN
            await asyncio.sleep(retry_s * random.uniform(0.5, 1))
            retry_s = min(retry_s * 2, RETRY_S_MAX)

    async def _watch(self) -> None:
        async with listening(self._pool) as conn:
            while True:
                spent_s = -time.monotonic()
                async with self._looking:
                    await self._look(conn)
                await self._look_around(conn)  # whoever presses a key does not wait for the pulse
                spent_s += time.monotonic()
                await asyncio.sleep(max(GAP_S, spent_s))
                await wait_for_hint(conn, POLL_S)

    async def catch_up(self, conn: Connection) -> None:
        """Return once the tables have been looked at since this was called, and the board shows what was found. Raises TRANSIENT."""
        looks = self._looks
        async with self._looking:
            if self._looked <= looks:  # none that began later has ended well
                await self._look(conn)
            await self._board.bring_up_to_date(conn)

    async def _look(self, conn: Connection) -> None:
        """Tell all pages what differs from the last look."""
        self._looks += 1
        number = self._looks
        marks = await open_marks(conn)
        changed = {kind: marks[kind].changed_from(self._marks.get(kind, NO_MARKS)) for kind in KINDS}
        if any(changed.values()):
            both = [(one.get(kind, NO_MARKS), ids) for kind, ids in changed.items() for one in (marks, self._marks)]
            await self._board.note(conn, set().union(*(one.cases_of(ids) for one, ids in both if ids)))
            kinds = {kind for client in self._clients for kind in client.kinds}
            async for changes in self._read(conn, {kind: ids for kind, ids in changed.items() if kind in kinds}):
                self._tell(lambda client, changes=changes: client.messages(changes))  # type: ignore[misc]
        self._marks = marks
        await self._notice_rights(conn)
        self._looked, self.looked_at = number, self._clock()

    async def _look_around(self, conn: Connection) -> None:
        """What is due from time to time: the pulse, and a beat that says that looking works."""
        now = self._clock()
        if self.pulse is None or now - self.pulse.at >= timedelta(seconds=max(PULSE_S, self._pulse_s / PULSE_SHARE)):
            await self._feel_pulse(conn, now)
        if self._beat_at is None or now - self._beat_at >= timedelta(seconds=BEAT_S - POLL_S / 2):
            self._beat_at = now
            self._board.beat(now)
            self._tell(lambda _: [message_of("beat", json.dumps({"at": now.isoformat()}))])
            await self._compare_families(conn, now)

    async def _read(self, conn: Connection, wanted: Mapping[Kind, Iterable[int]]) -> AsyncIterator[list[Change]]:
        """The newest states of these in chunks: cases, then alerts, then visits."""
        for kind, ids in _chunks(wanted):
            yield await self._changes(conn, kind, ids)

    async def _changes(self, conn: Connection, kind: Kind, ids: list[int]) -> list[Change]:
        views: Sequence[CaseView | AlertView | VisitView]
        match kind:
            case "case":
                views = [CaseView.of(row) for row in await read.cases(conn, ids)]
            case "alert":
                views = [AlertView.of(row) for row in await read.alerts(conn, ids)]
            case "visit":
                views = [VisitView.of(row) for row in await read.visits(conn, ids)]
        readers = await readers_of(conn, {view.elder_id for view in views if view.elder_id}, now=self._clock())
        return [
            Change((kind, view.id), view.version, readers.get(view.elder_id or ""), view.state in OVER, view.model_dump_json())
            for view in views
        ]

    async def _notice_rights(self, conn: Connection) -> None:
        """Tell families whose consent was given, changed, withdrawn or has run out since the last look."""
        names = {client.account.name for client in self._clients if client.is_family}
        if not names:
            return
        async with apart(conn, "families are not told what they may see", event="families_untold"):
            rights = await family_rights(conn, names, now=self._clock())
            self._tell(lambda client: client.notice(rights.get(client.account.name, {})) if client.is_family else [])

    async def _compare_families(self, conn: Connection, now: datetime) -> None:
        """Tell families what has changed of that which has no version."""
        names = {client.account.name for client in self._clients if client.is_family}
        if not names:
            return
        async with apart(conn, "families are not told what has changed", event="families_untold"):
            marks = await family_marks(conn, names, each_s=FAMILY_EACH_S, now=now)
            self._tell(lambda client: client.compare(marks.get(client.account.name, {})) if client.is_family else [])

    async def _feel_pulse(self, conn: Connection, now: datetime) -> None:
        began_s = time.monotonic()
        row = await read.pulse(conn)
        self._pulse_s = time.monotonic() - began_s
        self.pulse = PulseView.model_validate(row | {"at": now, "readings_per_minute": self._rate.add(now, row["readings_total"])})
        self._board.feel(self.pulse)

    def _tell(self, messages: Callable[[Client], list[str]]) -> None:
        for client in list(self._clients):
            if not client.put(messages(client)):
                self._clients.discard(client)
                logger.warning("a page was too slow and is cut off", extra={"event": "live_slow_client", "account": client.account.name})

    def enter(self, account: Account, kinds: Collection[Kind] = KINDS) -> Client:
        """Let a page in: from now on it is told of every change. Raises TooMany over `clients_max`, of a family `families_max`."""
        client = Client(account, self._sees, frozenset(kinds))
        if not client.is_family:
            client.waiting = {}
        alike = sum(one.is_family == client.is_family for one in self._clients)
        if alike >= (self._families_max if client.is_family else self._clients_max):
            raise TooMany("too many pages are open")
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """It hears no more."""
        self._clients.discard(client)

    async def stream(self, client: Client) -> AsyncIterator[str]:
        """Server-sent events for a page that was let in, until it leaves, falls behind or STREAM_S_MAX is over."""
        ends_s = asyncio.get_running_loop().time() + STREAM_S_MAX
        try:
            yield message_of("hello", json.dumps({"at": self._clock().isoformat(), "account": client.account.name}))
            with suppress(TimeoutError, TRANSIENT):
                if not client.is_family:
                    async for message in self._first(client):
                        yield message
                        if client.is_over or asyncio.get_running_loop().time() >= ends_s:
                            return
                while (queued := await client.next(ends_s)) is not None:
                    yield queued
        finally:
            self.leave(client)

    async def _first(self, client: Client) -> AsyncIterator[str]:
        """All that is open, then what has changed meanwhile. No connection is held while a message goes out, however slowly it is read."""
        async with self._pool.connection() as conn:
            marks = await open_marks(conn)
        for kind, ids in _chunks({kind: marks[kind].versions for kind in KINDS if kind in client.kinds}):
            async with self._pool.connection() as conn:
                changes = await self._changes(conn, kind, ids)
            for message in client.first(changes):
                yield message
        for message in client.begun():
            yield message

    def stop(self) -> None:
        """End all streams."""
        self._board.stop()
        for client in self._clients:
            client.end()


def _chunks(wanted: Mapping[Kind, Iterable[int]]) -> Iterator[tuple[Kind, list[int]]]:
    """Numbers of each kind in the order of KINDS, at most CHUNK at once."""
    for kind in KINDS:
        ids = sorted(wanted.get(kind, ()))
        for place in range(0, len(ids), CHUNK):
            yield kind, ids[place : place + CHUNK]


def message_of(event: str, data: str) -> str:
    """One server-sent event; `data` is one line."""
    return f"event: {event}\ndata: {data}\n\n"
