"""Institutions in the database, and the CSV file that they come from. The caller owns the transaction."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.errors import BadInput
from backend.institutions import hours as opening
from backend.institutions.model import Institution

Row = dict[str, Any]

ROWS_MAX = 20_000
"""A province has some thousands (962 两证齐全, 2 596 养老机构 in 山东)."""
COLUMNS = tuple(Institution.model_fields)
Place = tuple[float, float]
"""Latitude and longitude, degrees (WGS 84)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The first of those that were asked for, and how many there are."""

    rows: list[Row]
    total: int


ADD = """
INSERT INTO institution (id, kind, name, address, phone, latitude, longitude, hours, beds, nursing_beds, is_active)
VALUES (%(id)s, %(kind)s, %(name)s, %(address)s, %(phone)s, %(latitude)s, %(longitude)s, %(hours)s, %(beds)s, %(nursing_beds)s,
        %(is_active)s)
ON CONFLICT (id) DO NOTHING
"""
SAVE = f"""{ADD.partition("ON CONFLICT")[0]}
ON CONFLICT (id) DO UPDATE SET kind = EXCLUDED.kind, name = EXCLUDED.name, address = EXCLUDED.address, phone = EXCLUDED.phone,
    latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, hours = EXCLUDED.hours, beds = EXCLUDED.beds,
    nursing_beds = EXCLUDED.nursing_beds, is_active = EXCLUDED.is_active
"""
FOUND = """
FROM institution
WHERE (is_active OR %(closed_too)s) AND (%(kind)s = '' OR kind = %(kind)s)
  AND (%(search)s = '' OR strpos(lower(name || ' ' || address || ' ' || phone), lower(%(search)s)) > 0)
  AND (%(hours)s::text[] IS NULL OR is_active AND hours = ANY(%(hours)s::text[]))
"""
LISTED = f"""
SELECT id, kind, name, address, phone, latitude, longitude, hours, beds, nursing_beds, is_active, count(*) OVER () AS total {FOUND}
ORDER BY sin(radians(latitude - %(latitude)s::float8) / 2) ^ 2
         + cos(radians(latitude)) * cos(radians(%(latitude)s::float8)) * sin(radians(longitude - %(longitude)s::float8) / 2) ^ 2,
    name, id LIMIT %(limit)s
"""
"""By the haversine of the distance, which grows with it; without a place to start from by name."""
HOURS = "SELECT DISTINCT hours FROM institution WHERE is_active"
FIND = """
SELECT id, kind, name, address, phone, latitude, longitude, hours, beds, nursing_beds, is_active FROM institution WHERE id = %(id)s
"""


def read_file(path: Path) -> list[Institution]:
    """Read a CSV file: a heading with COLUMNS in any order, UTF-8 or GB 18030 (as Chinese spreadsheets save it), at most ROWS_MAX rows.

    Raises BadInput with one line that names the row and the column.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse(_text(data))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def parse(text: str) -> list[Institution]:
    """Institutions of a CSV text. Raises BadInput."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="")
    heading = reader.fieldnames or []
    unknown, missing = set(heading) - set(COLUMNS), {"id", "kind", "name"} - set(heading)
    if unknown or missing:
        raise BadInput(f"the heading must name columns among {', '.join(COLUMNS)}, and id, kind and name at least")
    found: dict[str, Institution] = {}
    for row in reader:
        one = _institution(row, f"line {reader.line_num}")
        if one.id in found:
            raise BadInput(f"line {reader.line_num}: {one.id} stands there twice")
        found[one.id] = one
        if len(found) > ROWS_MAX:
            raise BadInput(f"at most {ROWS_MAX} rows")
    return list(found.values())


def read_form(given: Mapping[str, str]) -> Institution:
    """An institution as a form gives it; empty fields are not known. Raises BadInput."""
    return _institution(given, "")


async def save(conn: Connection, institutions: list[Institution]) -> None:
    """Store them; one with a known id is replaced. Those that are not named stay as they are."""
    async with conn.cursor() as cursor:
        await cursor.executemany(SAVE, [one.model_dump() for one in institutions])


async def add(conn: Connection, institution: Institution) -> None:
    """Store a new one. Raises BadInput when its id is another's."""
    if (await conn.execute(ADD, institution.model_dump())).rowcount == 0:
        raise BadInput("Another institution has this number: choose a new one, or change that one from the list.")


async def listed(
    conn: Connection, *, kind: str = "", search: str = "", closed_too: bool = False, near: Place | None = None,
    hours: list[str] | None = None, limit: int = ROWS_MAX,
) -> Listed:  # fmt: skip
    """The first `limit` of a kind, with a part of name, address or telephone; given-up ones only if asked for. The nearest to a place
    first, those without coordinates last; without a place by name. `hours`: only those in use with one of these texts."""
    latitude, longitude = near or (None, None)
    values = {"kind": kind, "search": search.strip(), "closed_too": closed_too, "hours": hours, "limit": limit}
    rows = await (await conn.execute(LISTED.encode(), values | {"latitude": latitude, "longitude": longitude})).fetchall()
    return Listed([{name: row[name] for name in COLUMNS} for row in rows], rows[0]["total"] if rows else 0)


async def open_hours(conn: Connection, at: datetime) -> list[str]:
    """The hours on file, each once, by which somebody is open at a local time."""
    found = [row["hours"] for row in await (await conn.execute(HOURS)).fetchall()]
    return [text for text in found if opening.is_open(text, at)]


async def find(conn: Connection, institution_id: str) -> Row | None:
    """One institution; None when there is no such."""
    return await (await conn.execute(FIND, {"id": institution_id})).fetchone()


def _text(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput("the file is neither UTF-8 nor GB 18030")


def _institution(row: Mapping[str, Any], where: str) -> Institution:
    begin = f"{where}: " if where else ""
    if row.get(""):
        raise BadInput(f"{begin}more fields than the heading names")
    try:
        return Institution.model_validate({name: text.strip() for name, text in row.items() if text is not None and text.strip()})
    except ValidationError as error:
        raise BadInput(begin + explain(error)) from error
