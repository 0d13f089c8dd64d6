"""People in the database: loading an import file, and what other processes ask about an elder."""

import logging
import tomllib
from datetime import timedelta
from pathlib import Path

import psycopg
from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.errors import BadInput
from backend.people import accounts, families, photos
from backend.people.model import Elder, Follows, PeopleFile, Team

logger = logging.getLogger(__name__)

TEAM = """
INSERT INTO team (id, name, phone, latitude, longitude) VALUES (%(id)s, %(name)s, %(phone)s, %(latitude)s, %(longitude)s)
ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, phone = EXCLUDED.phone, latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude
"""
AREA = "INSERT INTO area (id, name) VALUES (%(id)s, %(name)s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name"
PARENT = "UPDATE area SET parent_id = %(parent)s WHERE id = %(id)s"
FORGET_AREAS = "DELETE FROM team_area WHERE team_id = %(id)s"
SERVES = "INSERT INTO team_area (team_id, area_id) VALUES (%(id)s, %(area)s)"
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"
FALLBACK = "UPDATE team SET fallback_team_id = %(fallback)s WHERE id = %(id)s"
DOCTOR = """
INSERT INTO doctor (id, team_id, name, phone, role) VALUES (%(id)s, %(team)s, %(name)s, %(phone)s, %(role)s)
ON CONFLICT (id) DO UPDATE SET team_id = EXCLUDED.team_id, name = EXCLUDED.name, phone = EXCLUDED.phone, role = EXCLUDED.role
"""
SHIFT = """
INSERT INTO shift (doctor_id, starts_at, ends_at) VALUES (%(doctor)s, %(starts_at)s, %(ends_at)s)
ON CONFLICT (doctor_id, starts_at) DO UPDATE SET ends_at = EXCLUDED.ends_at
"""
YEAR = timedelta(days=365)
ELDER = """
INSERT INTO elder (id, name, pinyin, sex, born_on, phone, address, access_note, latitude, longitude, conditions, drugs, allergies, zone,
                   area_id, ability, ability_on)
VALUES (%(id)s, %(name)s, %(pinyin)s, %(sex)s, %(born_on)s, %(phone)s, %(address)s, %(access_note)s, %(latitude)s, %(longitude)s,
        %(conditions)s, %(drugs)s, %(allergies)s, %(zone)s, %(area)s, %(ability_level)s, %(ability_on)s)
ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, pinyin = EXCLUDED.pinyin, sex = EXCLUDED.sex, born_on = EXCLUDED.born_on,
    phone = EXCLUDED.phone, address = EXCLUDED.address, access_note = EXCLUDED.access_note, latitude = EXCLUDED.latitude,
    longitude = EXCLUDED.longitude, conditions = EXCLUDED.conditions, drugs = EXCLUDED.drugs, allergies = EXCLUDED.allergies,
    zone = EXCLUDED.zone, area_id = EXCLUDED.area_id, ability = EXCLUDED.ability, ability_on = EXCLUDED.ability_on
"""
CONSENT_ENDS = """
SELECT now() AS now, (%(ends_on)s::date + 1)::timestamp AT TIME ZONE coalesce((SELECT zone FROM elder WHERE id = %(elder_id)s), 'UTC')
    AS ends_at
"""
"""The end of its last day where the elder lives."""
KNOWN_ZONE = "SELECT now() AT TIME ZONE %(zone)s"
"""Fails for a zone that later queries could not use."""
FORGET_CONTACTS = "DELETE FROM contact WHERE elder_id = %(elder_id)s"
CONTACT = """
INSERT INTO contact (elder_id, position, name, relation, phone, has_key, notify_channel, notify_address)
VALUES (%(elder_id)s, %(position)s, %(name)s, %(relation)s, %(phone)s, %(has_key)s, %(notify_channel)s, %(notify_address)s)
"""
UNUSED_ROUTES = """
SELECT DISTINCT split_part(r.person, ':', 2) AS elder_id, r.person FROM notify_route r
WHERE r.withdrawn_at IS NULL AND r.person LIKE 'contact:%%'
    AND NOT EXISTS (SELECT FROM contact c WHERE 'contact:' || c.elder_id || ':' || c.name = r.person)
ORDER BY elder_id, r.person
"""
GATEWAY = """
INSERT INTO gateway (id, elder_id) VALUES (%(id)s, %(elder_id)s)
ON CONFLICT (id) DO UPDATE SET elder_id = EXCLUDED.elder_id WHERE gateway.elder_id IS NULL OR gateway.elder_id = EXCLUDED.elder_id
"""
ADOPT_SERIES = "UPDATE series SET elder_id = %(elder_id)s WHERE gateway_id = %(id)s AND elder_id IS NULL"
CONTRACT = """
INSERT INTO contract (elder_id, team_id, doctor_id, signed_on, ends_on)
VALUES (%(elder_id)s, %(team)s, %(doctor)s, %(signed_on)s, %(ends_on)s)
ON CONFLICT (elder_id) WHERE cancelled_on IS NULL DO UPDATE SET team_id = EXCLUDED.team_id, doctor_id = EXCLUDED.doctor_id,
    signed_on = EXCLUDED.signed_on, ends_on = EXCLUDED.ends_on
"""


ABILITY = ("ability_level", "ability_on")


def read_file(path: Path) -> PeopleFile:
    """Read an import file. Raises BadInput with one line that names the key and what to do."""
    try:
        return PeopleFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise BadInput(f"{path}: {explain(error)}") from error


async def load(conn: Connection, people: PeopleFile, *, folder: Path = Path()) -> list[str]:
    """Store everybody; pictures are read from `folder`. Returns what somebody should look at, a sentence each. Raises BadInput when a team,
    doctor or picture is named that there is none of, or the tables refuse a value."""
    try:
        for area in people.area:
            await conn.execute(AREA, area.model_dump())
        for area in people.area:
            await conn.execute(PARENT, area.model_dump())
        for team in people.team:
            await conn.execute(TEAM, team.model_dump(exclude={"areas"}))
        for team in people.team:
            await _load_team(conn, team)
        for doctor in people.doctor:
            await conn.execute(DOCTOR, doctor.model_dump())
        for shift in people.shift:
            await conn.execute(SHIFT, shift.model_dump())
        for elder in people.elder:
            await _load_elder(conn, elder)
            if elder.photo is not None:
                await photos.put(conn, elder.id, _read_photo(folder / elder.photo), by="import")
        for account in people.account:
            await accounts.add(conn, **account.model_dump(exclude={"doctor", "follows"}), doctor_id=account.doctor)
            for follows in account.follows:
                await _load_follows(conn, account.name, follows)
        await accounts.check_names(conn)
        await conn.execute(CHECK_NOW)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise BadInput(f"the file does not fit together: {_explain(error)}") from error
    return await _unused_routes(conn)


async def _unused_routes(conn: Connection) -> list[str]:
    """Channels that nothing is sent to: a contact's who is gone, or has another name now. Until somebody has looked, each load says so."""
    warnings = []
    for row in await (await conn.execute(UNUSED_ROUTES)).fetchall():
        elder_id, name = row["elder_id"], row["person"].split(":", 2)[2]
        todo = f"write the name in the file as before, or open /operator/channels?elder={elder_id}, withdraw these and set new ones"
        logger.warning("a contact of %s with channels is no longer in the file: %s", elder_id, todo, extra={"event": "routes_unused"})
        warnings.append(f"{name} is no longer a contact of {elder_id}, and nothing is sent to this person's channels: {todo}")
    return warnings


def _explain(error: psycopg.Error) -> str:
    """What PostgreSQL objects to. The detail of a failed check is the whole row, which belongs on no screen: there its name must do."""
    said = error.diag
    if isinstance(error, psycopg.errors.CheckViolation):
        return f"table {said.table_name} does not allow this ({said.constraint_name})"
    return said.message_detail or said.message_primary or str(error)


def _read_photo(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(photos.BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"cannot read the picture {path}: {error.strerror}") from error


async def _load_team(conn: Connection, team: Team) -> None:
    await conn.execute(FALLBACK, {"id": team.id, "fallback": team.fallback})
    await conn.execute(FORGET_AREAS, {"id": team.id})
    for area in team.areas:
        await conn.execute(SERVES, {"id": team.id, "area": area})


async def _load_follows(conn: Connection, account: str, follows: Follows) -> None:
    row = await (await conn.execute(CONSENT_ENDS, {"elder_id": follows.elder, "ends_on": follows.ends_on})).fetchone()
    assert row is not None
    ends_at = row["ends_at"] or row["now"] + YEAR
    await families.grant_from_file(
        conn, follows.elder, contact=follows.contact, sees=follows.sees, words=follows.consented_to, ends_at=ends_at, account=account,
        now=row["now"],
    )  # fmt: skip


async def _load_elder(conn: Connection, elder: Elder) -> None:
    await conn.execute(KNOWN_ZONE, {"zone": elder.zone})
    able = {"ability_level": elder.ability.level, "ability_on": elder.ability.on} if elder.ability else dict.fromkeys(ABILITY)
    await conn.execute(ELDER, elder.model_dump(exclude={"gateways", "contacts", "contract", "ability", "photo"}) | able)
    await conn.execute(FORGET_CONTACTS, {"elder_id": elder.id})
    for position, contact in enumerate(elder.contacts, start=1):
        await conn.execute(CONTACT, contact.model_dump() | {"elder_id": elder.id, "position": position})
    for gateway_id in elder.gateways:
        if (await conn.execute(GATEWAY, {"id": gateway_id, "elder_id": elder.id})).rowcount == 0:
            raise BadInput(f"gateway {gateway_id} belongs to another elder, whose readings it holds; give the box a new id")
        await conn.execute(ADOPT_SERIES, {"id": gateway_id, "elder_id": elder.id})
    if elder.contract is not None:
        await conn.execute(CONTRACT, elder.contract.model_dump() | {"elder_id": elder.id})
