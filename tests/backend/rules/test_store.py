"""Rule files that must be refused, each with the line it says; and rules in the database, version by version."""

import logging
from pathlib import Path

import pytest

from backend.db.pool import Connection, Pool
from backend.errors import BadInput
from backend.rules import drafts
from backend.rules import store as rules
from backend.rules.command import storable
from backend.rules.kinds import RULE, AnyRule
from backend.rules.kinds.absence import AbsenceRule
from tests.backend.street import at_once, one, rows

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_rule_file_is_refused_with_one_line_that_names_the_fault(path: Path) -> None:
    says = path.read_text("utf-8").splitlines()[0].removeprefix("# says: ")
    with pytest.raises(BadInput) as refusal:
        rules.read_file(path)
    line = str(refusal.value)
    assert line.startswith(str(path)) and says in line
    assert "\n" not in line


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read .*nowhere\.toml: No such file or directory"):
        rules.read_file(tmp_path / "nowhere.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not TOML"):
        rules.read_file(path)


def gateway_silent(for_s: float) -> AnyRule:
    level = {"name": "technical", "priority": "technical", "for_s": for_s}
    title = {"zh": "网关离线", "en": "Gateway silent"}
    return RULE.validate_python(
        {"id": "gateway_silent", "kind": "absence", "title": title, "source": "a test", "of": "gateway", "levels": [level]}
    )


async def for_s_in_force(conn: Connection) -> float:
    rule = (await rules.load(conn)).by_id["gateway_silent"].rule
    assert isinstance(rule, AbsenceRule)
    return rule.levels[0].for_s


async def test_what_is_saved_is_what_is_loaded(conn: Connection) -> None:
    book = await rules.load(conn)
    assert {active.rule.id: active.rule for active in book.by_id.values()} == {rule.id: rule for rule in rules.read_file(rules.DEFAULTS)}


async def test_the_same_rules_again_change_nothing(conn: Connection) -> None:
    async with conn.transaction():
        assert await rules.save(conn, rules.read_file(rules.DEFAULTS), by="somebody") == []
    assert (await one(conn, "SELECT max(version) AS newest FROM rule"))["newest"] == 1


async def test_a_changed_rule_is_a_new_version_and_the_old_one_stays(conn: Connection) -> None:
    async with conn.transaction():
        assert await rules.save(conn, [gateway_silent(60)], by="wang") == ["gateway_silent"]
    kept = await rows(conn, "SELECT version, created_by FROM rule WHERE id = 'gateway_silent' ORDER BY version")
    assert kept == [{"version": 1, "created_by": "test"}, {"version": 2, "created_by": "wang"}]
    assert (await rules.load(conn)).by_id["gateway_silent"].version == 2
    assert await for_s_in_force(conn) == 60


DEMO = Path(__file__).parents[3] / "simulators/demo/rules.toml"


async def test_a_file_brings_its_own_cases_which_hold_or_nothing_is_stored(conn: Connection, tmp_path: Path) -> None:
    file = storable(DEMO)
    async with conn.transaction():
        await rules.save(conn, list(file.rules.values()), by="file", cases={"spo2_low": file.cases_of("spo2_low")})
    stored = await one(conn, "SELECT cases FROM rule WHERE id = 'spo2_low' AND version = 2")
    outcomes = await drafts.tried(conn, file.rules["spo2_low"], stored["cases"])
    assert len(outcomes) == 3 and not any(one.faults for one in outcomes)
    (tmp_path / "rules.toml").write_text(DEMO.read_text("utf-8").replace("hold_s = 60", "hold_s = 61"), "utf-8")
    with pytest.raises(BadInput, match=r"case 91 % for a minute .* fails .*nothing is stored"):
        storable(tmp_path / "rules.toml")


async def test_a_retired_rule_is_not_in_force(conn: Connection) -> None:
    await conn.execute("UPDATE rule SET is_retired = true WHERE id = 'gateway_silent'")
    assert "gateway_silent" not in (await rules.load(conn)).by_id


async def test_an_upgrade_brings_new_shipped_numbers(conn: Connection) -> None:
    await conn.execute("UPDATE rule SET created_by = 'shipped' WHERE id = 'gateway_silent'")
    async with conn.transaction():
        assert await rules.save(conn, [gateway_silent(60)], by=rules.SHIPPED) == ["gateway_silent"]
    assert await for_s_in_force(conn) == 60


async def test_an_upgrade_leaves_alone_what_a_person_has_changed(conn: Connection) -> None:
    async with conn.transaction():
        await rules.save(conn, [gateway_silent(60)], by="wang")
        assert await rules.save(conn, rules.read_file(rules.DEFAULTS), by=rules.SHIPPED) == []
    assert await for_s_in_force(conn) == 60


async def test_an_upgrade_leaves_alone_what_a_person_has_retired(conn: Connection) -> None:
    await conn.execute("UPDATE rule SET is_retired = true, created_by = 'shipped' WHERE id = 'gateway_silent'")
    async with conn.transaction():
        await rules.save(conn, [gateway_silent(60)], by=rules.SHIPPED)
    assert "gateway_silent" not in (await rules.load(conn)).by_id


async def test_a_rule_this_program_cannot_read_does_not_keep_the_others_from_working(
    conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await conn.execute("""UPDATE rule SET body = body || '{"kind": "of tomorrow"}' WHERE id = 'gateway_silent'""")
    with caplog.at_level(logging.ERROR):
        book = await rules.load(conn)
    assert "gateway_silent" not in book.by_id and "sos" in book.by_id
    assert "rule gateway_silent, version 1, is not in force" in caplog.text


async def test_two_who_save_at_once_make_two_versions(pool: Pool) -> None:
    async def save(conn: Connection, number: int) -> None:
        async with conn.transaction():
            await rules.save(conn, [gateway_silent(60 + number)], by="somebody")

    await at_once(pool, 2, save)
    async with pool.connection() as conn:
        versions = await rows(conn, "SELECT version FROM rule WHERE id = 'gateway_silent' ORDER BY version")
    assert [row["version"] for row in versions] == [1, 2, 3]
