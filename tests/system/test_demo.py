"""The demo as a visitor starts it, unattended: real processes, real servers, and a report that must agree with the database."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from simulators.servers import DATABASE_URL_VARIABLE

pytestmark = [pytest.mark.system, pytest.mark.slow]

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 60
PATIENCE_S = 240
KILLS = (
    "backend ingest",
    "backend worker",
    "backend web",
    "gateway run",
    "wearable_host",
    "broker",
    "postgres",
    "backend ingest",
    "gateway run",
)
"""Words of the command lines of what is killed, one after the other; the story goes on meanwhile."""
KILL_EVERY_S = 4.0
FIRST_KILL_S = 12.0


class Demo:
    """A running demo."""

    def __init__(self, report: Path) -> None:
        command = [sys.executable, "-m", "simulators", "demo", "--seconds", str(SECONDS), "--port", "0", "--report", str(report)]
        if url := os.environ.get(DATABASE_URL_VARIABLE):
            command += ["--database", url]
        self._report = report
        self.process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self.is_on_line = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "homes are on line" in line:
                self.is_on_line.set()

    def report(self) -> dict[str, Any]:
        """Wait for the end. Fails with everything that was said when the demo does not end well."""
        code = self.process.wait(PATIENCE_S)
        assert code == 0, "".join(self.lines)
        found: dict[str, Any] = json.loads(self._report.read_text("utf-8"))
        return found

    def kill_one(self, words: str) -> bool:
        """Kill -9 the first descendant whose command line holds the words."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if words in line or (words == "broker" and ("mosquitto" in line or "amqtt_broker" in line)):
                process.send_signal(signal.SIGKILL)
                return True
        return False


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that was just started."""
    running = Demo(tmp_path / "report.json")
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(30)


@pytest.mark.store
def test_a_minute_of_the_street_shows_the_whole_chain(demo: Demo) -> None:
    report = demo.report()
    readings = report["readings"]
    assert readings["sent"] == readings["stored"] > 1000
    assert readings["lost"] == readings["duplicated"] == 0
    fall, spo2 = (next(one for one in report["events"] if one["kind"] == kind) for kind in ("fall", "spo2_low"))
    assert _seconds(fall["injected_at"], fall["shown_at"]) < 10
    assert _seconds(spo2["alert_at"], spo2["shown_at"]) < 5  # beside other tests; how long it takes alone, the benchmarks say
    assert [alert["count"] for alert in report["alerts"] if alert["rule"] == "spo2_low"] == [1]
    [visit] = report["visits"]
    states = [step["state"] for step in visit["states"]]
    assert states == ["requested", "offered", "accepted", "on_the_way", "at_home", "done"]
    outage = report["outage"]
    assert outage["seconds"] == pytest.approx(30, abs=3) and outage["delivered_after"] < 10 and outage["readings"] > 100


def test_killing_each_process_loses_nothing_and_doubles_nothing(demo: Demo) -> None:
    demo.is_on_line.wait(PATIENCE_S)
    killed = _kill_one_after_the_other(demo, KILLS)
    report = demo.report()
    assert len(killed) >= 6, killed
    assert report["restarts"]
    assert report["readings"]["lost"] == report["readings"]["duplicated"] == 0
    assert all(one["shown_at"] for one in report["events"]), report["events"]
    assert sorted(alert["rule"] for alert in report["alerts"] if alert["priority"] == "high") == ["fall", "spo2_low"]
    assert report["visits"][0]["states"][-1]["state"] == "done"


def _kill_one_after_the_other(demo: Demo, victims: Sequence[str]) -> list[str]:
    """Kills are part of the story's clock, so this is the one test that waits by the clock."""
    killed = []
    pause = threading.Event()
    pause.wait(FIRST_KILL_S)
    for words in victims:
        if demo.process.poll() is None and demo.kill_one(words):
            killed.append(words)
        pause.wait(KILL_EVERY_S)
    return killed


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
