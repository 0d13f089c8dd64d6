"""Finding elders: what somebody typed, as the pieces that the index of migration 0053 knows. Name, pinyin, telephone and address alike.

Words are separated by spaces and must all be there. Letters are the beginning of a name's pinyin, of its given name's or of their initials;
digits and other characters may stand anywhere in name, telephone or address; one character alone is looked for in names. Tones and
full-width forms do not matter.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from backend.db.pool import Connection

PAGE_ROWS = 50
PAGE_MAX = 2_000
COUNT_MAX = 1_000
"""Nobody reads further: beyond it the page says "more than"."""
GRAM_LETTERS = 6

MINE = """
SELECT c.elder_id FROM contract c JOIN elder e ON e.id = c.elder_id
WHERE c.team_id = %(team_id)s AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
UNION
SELECT v.elder_id FROM visit v WHERE v.doctor_id = %(doctor_id)s AND v.state IN ('accepted', 'on_the_way', 'at_home')
UNION
SELECT v.elder_id FROM visit v JOIN visit_offer o ON o.visit_id = v.id
WHERE o.doctor_id = %(doctor_id)s AND o.answer IS NULL AND v.state = 'offered'
"""
"""Whom a doctor may see: as `web/readers.py` has it, from the doctor's side."""
BY_WORDS = "search_grams(found_by) @> %(grams)s::text[] AND found_by LIKE ALL (%(patterns)s::text[])"
BY_PATTERN = "found_by LIKE ALL (%(patterns)s::text[])"
"""For what has no piece, such as a single digit: everybody is looked at."""
PAGE = "SELECT id FROM elder WHERE {conditions} ORDER BY pinyin, id LIMIT %(rows)s OFFSET %(skip)s"
COUNT = "SELECT count(*) AS n FROM (SELECT FROM elder WHERE {conditions} LIMIT %(count)s) AS few"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`grams` are what the index must have, `patterns` (LIKE) what `found_by` must fit; both empty for everybody."""

    grams: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One page of elders' ids, in the order of their pinyin; `total` counts all, up to COUNT_MAX + 1."""

    ids: list[str]
    total: int


def wanted(typed: str) -> Wanted:
    """What the search of these words asks for. Pure."""
    words = [typed] if re.fullmatch(r"[\d\s+()-]+", typed) else typed.split()
    plain = [word for word in map(_plain, words) if word]
    grams = [gram for word in plain if len(word) > 1 for gram in _grams(word)] or [gram for word in plain for gram in _grams(word)]
    return Wanted(tuple(dict.fromkeys(grams)), tuple(f"%|{word}%" if _is_letters(word) else f"%{word}%" for word in plain))


async def find(conn: Connection, typed: str, *, page: int, doctor: tuple[str | None, str | None] | None, now: datetime) -> Found:
    """A page (from 1) of those who fit. `doctor`: team and doctor, who see only their own; None sees everybody."""
    asked = wanted(typed)
    conditions = [BY_WORDS if asked.grams else BY_PATTERN] if asked.patterns else []
    conditions += [f"id IN ({MINE})"] if doctor is not None else []
    team_id, doctor_id = doctor or (None, None)
    values = {
        "grams": list(asked.grams), "patterns": list(asked.patterns), "team_id": team_id, "doctor_id": doctor_id, "now": now,
        "rows": PAGE_ROWS, "skip": (page - 1) * PAGE_ROWS, "count": COUNT_MAX + 1,
    }  # fmt: skip
    where = " AND ".join(conditions) or "true"
    rows = await (await conn.execute(PAGE.format(conditions=where).encode(), values)).fetchall()
    count = await (await conn.execute(COUNT.format(conditions=where).encode(), values)).fetchone()
    return Found([row["id"] for row in rows], count["n"] if count else 0)


def _plain(word: str) -> str:
    """As `search_plain` of the database: small letters and digits without tones, spaces and signs, u for ü and v."""
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", word).lower())
    return "".join(one for one in apart if unicodedata.category(one)[0] in "LN").replace("v", "u")


def _grams(word: str) -> list[str]:
    if _is_letters(word):
        return [f"|{word[:GRAM_LETTERS]}"]
    if len(word) == 1:
        return [] if word.isdigit() else [word]
    size = 3 if re.fullmatch(r"[0-9]{3,}", word) else 2
    return [word[i : i + size] for i in range(len(word) - size + 1)]


def _is_letters(word: str) -> bool:
    return re.fullmatch(r"[a-z]+", word) is not None
