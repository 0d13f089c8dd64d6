"""`python -m backend`: what it says and with which code it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backend.__main__ import main, run
from backend.config import DATABASE_PASSWORD
from simulators.child_process import wait_until
from simulators.servers import free_port
from tests.backend.people.test_store import STREET

CHECKOUT = Path(__file__).resolve().parents[2]
RULES = """
[[rule]]
id = "gateway_silent"
kind = "absence"
title = { zh = "网关离线", en = "Gateway silent" }
source = "a test"
of = "gateway"
levels = [{ name = "technical", priority = "technical", for_s = 60 }]
"""


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """`main` sets up logging for its process, which here is the tests' own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def config_for(folder: Path, url: str, extra: str = "") -> str:
    return write(folder / "backend.toml", f'[database]\nurl = "{url}"\nconnect_timeout_s = 1\n{extra}')


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("command", ["ingest", "worker", "web", "migrate", "load", "rules"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[database]\nurl = "postgresql://x"\n[worker]\noffer_sec = 1', "worker.offer_sec: unknown key, remove it or correct its spelling"),
        ("[database", "is not TOML"),
    ],
)
def test_a_bad_configuration_ends_every_command_with_code_2_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str, says: str
) -> None:
    files = {"load": ["people.toml"], "rules": ["store", "rules.toml"]}.get(command, [])
    assert main([command, "--config", write(tmp_path / "backend.toml", text), *files]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("jiahu backend: ") and says in said.err
    assert said.err.count("\n") == 1


def test_a_missing_configuration_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--config", str(tmp_path / "nowhere.toml")]) == 2
    assert "nowhere.toml: No such file or directory. Give the path of a backend TOML file" in last_line(capsys)


@pytest.mark.parametrize("arguments", [[], ["worker"], ["dance", "--config", "x"], ["load", "--config", "x"]])
def test_a_command_line_that_cannot_be_understood_ends_with_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert "usage: python -m backend" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["worker", "web", "migrate"])
def test_a_database_that_is_not_there_ends_with_code_3_and_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    url = f"postgresql://jiahu:very-secret@127.0.0.1:{free_port()}/jiahu"
    assert main([command, "--config", config_for(tmp_path, url)]) == 3
    said = capsys.readouterr().err
    assert "very-secret" not in said and "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("jiahu backend: no database at 127.0.0.1:")


def test_migrate_makes_everything_and_the_second_time_nothing(tmp_path: Path, empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = config_for(tmp_path, empty_url)
    assert main(["migrate", "--config", config]) == 0
    assert "0001_people" in capsys.readouterr().out
    assert main(["migrate", "--config", config]) == 0
    assert capsys.readouterr().out == "applied 0 migrations: none were missing; rules changed: 0\n"


def test_an_upgrade_keeps_the_rules_of_a_file(tmp_path: Path, empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    config, rules = config_for(tmp_path, empty_url), write(tmp_path / "rules.toml", RULES)
    for arguments in (["migrate"], ["rules", "store", rules], ["migrate"]):
        assert main([*arguments[:1], "--config", config, *arguments[1:]]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "rules with a new version: gateway_silent",
        "applied 0 migrations: none were missing; rules changed: 0",
    ]


def test_people_are_loaded_from_a_file(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    people = write(tmp_path / "people.toml", STREET)
    assert main(["load", "--config", config_for(tmp_path, database_url), people]) == 0
    assert capsys.readouterr().out == f"loaded {people}\n"
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT name FROM elder").fetchall() == [("王秀英",)]


def test_a_file_of_people_that_does_not_fit_ends_with_code_2(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    people = write(tmp_path / "people.toml", STREET.replace('team = "team-a"\nname = "李医生"', 'team = "team-x"\nname = "李医生"'))
    assert main(["load", "--config", config_for(tmp_path, database_url), people]) == 2
    assert last_line(capsys) == 'jiahu backend: the file does not fit together: Key (team_id)=(team-x) is not present in table "team".'


@pytest.mark.parametrize("command", ["worker", "ingest"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_process_ends_cleanly_when_it_is_asked_to(
    tmp_path: Path, database_url: str, command: str, number: signal.Signals
) -> None:
    broker = f'[broker]\nhost = "127.0.0.1"\nport = {free_port()}\n'
    log, started = tmp_path / "log", f"{command} starts on database"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend", command, "--config", config_for(tmp_path, database_url, broker)],
            cwd=CHECKOUT,
            env=os.environ | {DATABASE_PASSWORD: ""},
            stderr=errors,
        )
        try:
            wait_until(lambda: started in log.read_text() and is_up(database_url), deadline_s=30, what="start")
            process.send_signal(number)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()
    assert "password" not in log.read_text().lower()


def is_up(url: str) -> bool:
    """True once the process holds a connection."""
    with psycopg.connect(url) as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'jiahu'"
        ).fetchone()
    return row is not None and row[0] > 0


def test_a_task_that_swallows_its_cancellation_keeps_no_process_alive() -> None:
    async def swallow() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def work() -> None:
        tasks.append(asyncio.create_task(swallow()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    run(work())
    assert tasks[0].cancelled()
