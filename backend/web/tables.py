"""Tables of text, and the two files that people take away: CSV and PDF. A page shows the same tables, so all three say the same."""

import asyncio
import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from backend.errors import NotNow, Unavailable
from backend.web.labels import N_

PDF_S_MAX = 60.0
"""A font of 20 MB is cut to the characters that occur; it takes a few seconds."""
TURN_S_MAX = 20.0
BUSY = N_("Another PDF is being made. Please try again in a minute, or take the CSV.")
SLOW = N_("Making the PDF takes too long at the moment. Please try again in a minute, or take the CSV.")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would run a cell that begins so (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the heads of its columns and rows of as many cells; `note` stands below it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed: a title, a line about what it covers, tables, and `empty` for a table without rows."""

    title: str
    about: str
    tables: Sequence[Table]
    empty: str


def csv_of(paper: Paper) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read Chinese; tables follow each other with an empty line between."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([[paper.title], [paper.about]])
    for table in paper.tables:
        lines = [[table.title], table.head, *(table.rows or [[paper.empty]])]
        writer.writerow([])
        writer.writerows([[_harmless(cell) for cell in line] for line in lines])
        if table.note:
            writer.writerow([_harmless(table.note)])
    return text.getvalue().encode("utf-8-sig")


async def pdf_of(paper: Paper, *, font: str | None, turns: asyncio.Semaphore) -> bytes:
    """Pages of A4, made in a process of its own: pages for alarms do not wait for it. So many are made at once as there are `turns`.

    Raises Unavailable that says what to do, NotNow when there was no turn within TURN_S_MAX.
    """
    try:
        async with asyncio.timeout(TURN_S_MAX):
            await turns.acquire()
    except TimeoutError as error:
        raise NotNow(BUSY) from error
    try:
        return await _print(paper, font)
    finally:
        turns.release()


async def _print(paper: Paper, font: str | None) -> bytes:
    command = (sys.executable, "-m", "backend.print_tables", *([font] if font else []))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(PDF_S_MAX):
            made, said = await child.communicate(json.dumps(asdict(paper)).encode())
    except TimeoutError as error:
        raise NotNow(SLOW) from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise Unavailable(said.decode(errors="replace").strip().rpartition("\n")[2])
    return made


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
