"""The administrator's command about retention."""

import argparse

import pytest

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.readings import retention
from backend.readings.retention_command import add_arguments, change


async def ask(conn: Connection, *words: str) -> str:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return await change(conn, parser.parse_args(words))


async def test_without_words_it_shows_what_is_in_force(street: Connection) -> None:
    lines = (await ask(street)).splitlines()
    assert lines[1].split()[:4] == ["brief", "7", "30", "1096"]
    assert "heart_rate" in lines[3] and lines[3].startswith("usual")


async def test_a_class_is_kept_longer(street: Connection) -> None:
    shown = await ask(street, "--class", "usual", "--raw-days", "90", "--source", "合同")
    assert "usual           90       180         3653" in shown and "合同" in shown


async def test_a_quantity_changes_its_class(street: Connection) -> None:
    await ask(street, "--class", "lasting", "--quantity", "heart_rate")
    assert {keep.name: "heart_rate" in keep.quantities for keep in await retention.load(street)}["lasting"]


@pytest.mark.parametrize(
    "words", [("--raw-days", "9"), ("--class", "for_ever", "--raw-days", "1"), ("--class", "usual", "--raw-days", "999"),
              ("--class", "for_ever", "--quantity", "glucose")]
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(street: Connection, words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        await ask(street, *words)
