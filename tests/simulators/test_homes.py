"""`python -m simulators homes`: the ports of a scenario until it is interrupted."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.homes import main

STORY = """
title = "one home"
[[homes]]
name = "home-01"
seed = 1
has_oximeter = true
[[steps]]
at_s = 0.1
home = "home-01"
action = { do = "sos" }
[[steps]]
at_s = 0.2
home = "home-01"
action = { do = "network_cut" }
"""


def test_ports_and_steps_are_told_and_an_interrupt_ends_it(tmp_path: Path) -> None:
    (tmp_path / "story.toml").write_text(STORY, "utf-8")
    command = [sys.executable, "-m", "simulators", "homes", str(tmp_path / "story.toml"), "--run-dir", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(4)]
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    assert f"bridge: {tmp_path / 'run' / 'home-01' / 'bridge'}" in lines[0]
    assert f"oximeter: {tmp_path / 'run' / 'home-01' / 'oximeter'}" in lines[0]
    assert "home-01  sos  20" in lines[2]
    assert "network_cut  not done: home-01 has no network here" in lines[3]


def test_a_bad_scenario_is_one_line_and_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "story.toml").write_text(STORY + "room = 1", "utf-8")
    assert main([str(tmp_path / "story.toml")]) == 1
    assert capsys.readouterr().err.endswith("story.toml: steps.1.room: no such key\n")
