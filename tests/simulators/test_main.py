"""`python -m simulators`: the table of commands."""

import importlib.util
import subprocess
import sys

import pytest

from simulators.__main__ import COMMANDS, main


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


@pytest.mark.parametrize("argv", [[], ["dance"]])
def test_an_unknown_command_is_usage_and_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["homes", "replay"])
def test_a_command_is_found_and_refuses_what_it_cannot_read(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulators", command, "/nowhere.npz"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{command}: /nowhere.npz: ")
    assert done.stderr.count("\n") == 1


def test_every_command_of_the_table_has_a_module() -> None:
    assert all(importlib.util.find_spec(module) for module, _ in COMMANDS.values() if module != "simulators.demo")
