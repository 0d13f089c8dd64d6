"""Loading people from a file: again and again without harm, and refused in one line where something does not fit."""

from pathlib import Path
from typing import Any

import pytest

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.notify import outbox
from backend.people import store as people
from tests.backend.street import NOW, batch, letter, one, rows, write

STREET = """
[[team]]
id = "team-a"
name = "李杨工作室"
fallback = "team-b"
[[team]]
id = "team-b"
name = "小草团队"

[[doctor]]
id = "doctor-li"
team = "team-a"
name = "李医生"
[[doctor]]
id = "nurse-wu"
team = "team-a"
name = "吴护士"
role = "nurse"
[[doctor]]
id = "doctor-cao"
team = "team-b"
name = "曹医生"

[[shift]]
doctor = "doctor-li"
starts_at = 2026-03-01T08:00:00+08:00
ends_at = 2026-03-01T20:00:00+08:00

[[elder]]
id = "elder-1"
name = "王秀英"
address = "幸福里 1 号"
conditions = ["高血压"]
gateways = ["gw-1"]
[[elder.contacts]]
name = "王芳"
relation = "女儿"
phone = "138 0000 0001"
notify_channel = "log"
[[elder.contacts]]
name = "老陈"
relation = "邻居"
phone = "138 0000 0002"
has_key = true
[elder.contract]
team = "team-a"
doctor = "doctor-li"
signed_on = 2026-01-01
ends_on = 2026-12-31

[[account]]
name = "li"
role = "doctor"
title = "李医生"
password = "a long password"
doctor = "doctor-li"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.toml"


async def load(conn: Connection, path: Path, text: str = STREET) -> list[str]:
    path.write_text(text, "utf-8")
    async with conn.transaction():
        return await people.load(conn, people.read_file(path), folder=path.parent)


async def everything(conn: Connection) -> dict[str, list[dict[str, Any]]]:
    names = ("team", "doctor", "shift", "elder", "contact", "contract", "gateway")
    return {name: await rows(conn, f"SELECT to_jsonb({name}) - 'first_seen_at' AS row FROM {name} ORDER BY 1") for name in names}


async def test_everybody_is_loaded(conn: Connection, path: Path) -> None:
    await load(conn, path)
    assert (await one(conn, "SELECT fallback_team_id FROM team WHERE id = 'team-a'"))["fallback_team_id"] == "team-b"
    assert [row["name"] for row in await rows(conn, "SELECT name FROM contact ORDER BY position")] == ["王芳", "老陈"]
    assert (await one(conn, "SELECT starts_at FROM shift"))["starts_at"].isoformat() == "2026-03-01T00:00:00+00:00"
    assert (await one(conn, "SELECT elder_id FROM gateway"))["elder_id"] == "elder-1"


async def test_a_picture_beside_the_file_and_the_ability_are_loaded(conn: Connection, path: Path) -> None:
    more = 'id = "elder-1"\nphoto = "wang.jpg"\nability = { level = "mild", on = 2026-03-01 }'
    text = STREET.replace('id = "elder-1"', more, 1)
    with pytest.raises(BadInput, match="cannot read the picture"):
        await load(conn, path, text)
    path.with_name("wang.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    await load(conn, path, text)
    assert (await one(conn, "SELECT media_type, set_by FROM elder_photo")) == {"media_type": "image/jpeg", "set_by": "import"}
    known = await one(conn, "SELECT ability, ability_on::text AS on FROM elder WHERE id = 'elder-1'")
    assert known == {"ability": "mild", "on": "2026-03-01"}


async def test_a_password_is_not_stored(conn: Connection, path: Path) -> None:
    await load(conn, path)
    assert "a long password" not in str(await rows(conn, "SELECT to_jsonb(account)::text AS row FROM account"))


async def test_the_same_file_again_changes_nothing(conn: Connection, path: Path) -> None:
    await load(conn, path)
    before = await everything(conn)
    await load(conn, path)
    assert await everything(conn) == before


@pytest.mark.parametrize(
    ("old", "new", "query", "value"),
    [
        ('phone = "138 0000 0001"', 'phone = "139"', "SELECT phone FROM contact WHERE position = 1", "139"),
        ('conditions = ["高血压"]', "conditions = []", "SELECT cardinality(conditions) FROM elder", 0),
        ("T20:00:00", "T18:00:00", "SELECT extract(hour FROM ends_at)::integer FROM shift", 10),
        ("ends_on = 2026-12-31", "ends_on = 2028-12-31", "SELECT ends_on::text FROM contract", "2028-12-31"),
        ('fallback = "team-b"', "", "SELECT fallback_team_id FROM team WHERE id = 'team-a'", None),
        ('role = "nurse"', 'role = "gp"', "SELECT role FROM doctor WHERE id = 'nurse-wu'", "gp"),
    ],
)
async def test_a_changed_file_changes_what_differs(conn: Connection, path: Path, old: str, new: str, query: str, value: object) -> None:
    await load(conn, path)
    await load(conn, path, STREET.replace(old, new))
    [found] = (await one(conn, query)).values()
    assert found == value


async def test_a_contact_who_is_gone_from_the_file_is_gone(conn: Connection, path: Path) -> None:
    await load(conn, path)
    begin, end = STREET.index('[[elder.contacts]]\nname = "老陈"'), STREET.index("[elder.contract]")
    await load(conn, path, STREET[:begin] + STREET[end:])
    assert [row["name"] for row in await rows(conn, "SELECT name FROM contact")] == ["王芳"]


async def test_channels_of_a_contact_whose_name_is_corrected_are_told_until_they_are_withdrawn(
    conn: Connection, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await load(conn, path)
    usual: dict[str, Any] = {"channel": "log", "address": "", "priorities": ["high"], "consented_to": "by hand"}
    quiet = dict.fromkeys(("quiet_from", "quiet_to")) | {"quiet_spares_high": True}
    route_id = await outbox.add_route(conn, person="contact:elder-1:王芳", now=NOW, **usual, **quiet)
    assert await load(conn, path) == [], "all is as it was"
    corrected = STREET.replace('name = "王芳"', 'name = "王方"')
    [warning] = await load(conn, path, corrected)
    assert warning.startswith("王芳 is no longer a contact of elder-1") and "/operator/channels?elder=elder-1" in warning
    assert "elder-1" in caplog.text and "王芳" not in caplog.text, "no names in logs"
    await outbox.withdraw(conn, person="contact:elder-1:王芳", route_id=route_id, now=NOW)
    assert await load(conn, path, corrected) == []


async def test_a_home_that_was_heard_before_it_was_enrolled_gets_its_elder_and_its_series(conn: Connection, path: Path) -> None:
    await write(conn, letter(batch([97])))
    await load(conn, path)
    assert (await one(conn, "SELECT elder_id FROM series"))["elder_id"] == "elder-1"


async def test_an_elder_has_one_active_contract(conn: Connection, path: Path) -> None:
    await load(conn, path)
    await load(conn, path, STREET.replace("signed_on = 2026-01-01", "signed_on = 2025-06-01"))
    assert len(await rows(conn, "SELECT id FROM contract WHERE cancelled_on IS NULL")) == 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('team = "team-a"\nname = "李医生"', 'team = "team-x"\nname = "李医生"', 'Key (team_id)=(team-x) is not present in table "team"'),
        ('doctor = "doctor-li"\nstarts', 'doctor = "doctor-x"\nstarts', 'Key (doctor_id)=(doctor-x) is not present in table "doctor"'),
        ('fallback = "team-b"', 'fallback = "team-x"', 'Key (fallback_team_id)=(team-x) is not present in table "team"'),
        ('fallback = "team-b"', 'fallback = "team-a"', "table team does not allow this (team_check)"),
        ('name = "王秀英"', 'name = "王秀英"\nzone = "Mars/Olympus"', 'time zone "Mars/Olympus" not recognized'),
        ('name = "王秀英"', 'name = "王\\u0000秀英"', "NUL"),
        ('role = "doctor"', 'role = "operator"', "table account does not allow this (account_check)"),
    ],
)
async def test_what_does_not_fit_together_is_refused_in_one_line_and_nothing_is_loaded(
    conn: Connection, path: Path, old: str, new: str, says: str
) -> None:
    assert old in STREET
    with pytest.raises(BadInput) as refusal:
        await load(conn, path, STREET.replace(old, new))
    line = str(refusal.value)
    assert line.startswith("the file does not fit together: ") and says in line and "\n" not in line
    assert await rows(conn, "SELECT id FROM team") == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "team-b"', 'id = "Team B"', "team.1.id: string should match pattern"),
        ('name = "李杨工作室"', "", "team.0.name: field required"),
        ('role = "nurse"', 'role = "surgeon"', "doctor.1.role: input should be 'gp', 'nurse', 'public_health' or 'specialist'"),
        ('phone = "138 0000 0001"', 'phone = "call me"', "elder.0.contacts.0.phone: string should match pattern"),
        ("has_key = true", "has_a_key = true", "elder.0.contacts.1.has_a_key: unknown key, remove it or correct its spelling"),
        ("ends_on = 2026-12-31", "ends_on = 2026-12-30", "elder.0.contract: a contract runs at least one year"),
        ("T08:00:00+08:00", "T08:00:00", "shift.0.starts_at: input should have timezone info"),
        ("T20:00:00", "T08:00:00", "shift.0: a shift must end after it starts"),
        ('password = "a long password"', 'password = "short"', "account.0.password: string should have at least 8 characters"),
        ("[[team]]", "[[team]", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_the_key(path: Path, old: str, new: str, says: str) -> None:
    assert old in STREET
    path.write_text(STREET.replace(old, new, 1), "utf-8")
    with pytest.raises(BadInput) as refusal:
        people.read_file(path)
    assert str(path) in str(refusal.value) and says in str(refusal.value)


def test_a_missing_file_is_refused_by_name(path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read .*people\.toml: No such file"):
        people.read_file(path)


async def test_a_box_that_holds_one_elders_readings_is_not_given_to_another(conn: Connection, path: Path) -> None:
    await load(conn, path)
    await conn.execute("INSERT INTO elder (id, name, sex, address) VALUES ('elder-other', '赵', 'unknown', '别处')")
    await conn.execute("UPDATE gateway SET elder_id = 'elder-other'")
    with pytest.raises(BadInput, match="belongs to another elder"):
        await load(conn, path)
