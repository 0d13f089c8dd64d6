"""The fault harness as anyone starts it: it passes on what we have, and it notices what it is there to notice."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from simulators.faults import EXIT_CANNOT, EXIT_LOST, main
from simulators.faults.plan import BOXED, Kind

pytestmark = pytest.mark.system

CHECKOUT = Path(__file__).resolve().parents[2]
SEED = 7
PATIENCE_S = 300
CALM = ["--seconds", "4", "--homes", "1", "--only", "kill_web"]
"""No gateway dies, so that no missing row can be a tail."""

TAMPERED = (
    "DELETE FROM segment WHERE (series_id, start_at) = (SELECT series_id, start_at FROM segment ORDER BY start_at, series_id LIMIT 1)",
    "INSERT INTO segment SELECT * FROM segment ORDER BY start_at, series_id LIMIT 1",
    """UPDATE segment SET start_at = start_at - interval '20 s' WHERE start_at = (
           SELECT max(start_at) FROM segment g JOIN series s ON s.id = g.series_id WHERE device_id = 'wearable-1')""",
    "UPDATE event SET alert_id = NULL WHERE id = (SELECT id FROM event WHERE kind IN ('sos', 'fall') ORDER BY id LIMIT 1)",
    "UPDATE alert SET count = count + 2 WHERE id = (SELECT alert_id FROM event WHERE kind IN ('sos', 'fall') ORDER BY id DESC LIMIT 1)",
)
"""A segment lost, one doubled, those of one batch with another time; an event without its alert, one counted more than once."""


@pytest.fixture
def handlers() -> Iterator[None]:
    """The harness takes the signals for itself."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
def test_half_a_minute_of_everything_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    command = [sys.executable, "-m", "simulators", "faults", "--seed", str(SEED), "--seconds", "30", "--report", str(file)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    report = json.loads(file.read_text("utf-8"))
    wanted = set(Kind) if shutil.which("cc") else set(Kind) - BOXED
    assert report["seed"] == SEED and all(report["faults"][kind] >= 1 for kind in wanted)
    events, readings = report["events"], report["readings"]
    assert events["sent"] == events["alerts"] > 5 and events["lost"] == events["duplicated"] == 0
    assert readings["sent"] == readings["stored"] > 1000 and readings["lost"] == readings["duplicated"] == 0
    assert all(promise["is_kept"] for promise in report["promises"])


@pytest.mark.usefixtures("handlers")
def test_what_was_tampered_with_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    code = main([*CALM, "--report", str(file)], before_comparison=_tamper)
    printed = capsys.readouterr().out
    shutil.rmtree(printed.strip().rpartition(" ")[2])
    assert code == EXIT_LOST and "FAILED" in printed
    report = json.loads(file.read_text("utf-8"))
    readings, events = report["readings"], report["events"]
    assert readings["lost"] > 0 and readings["duplicated"] > 0 and readings["misdated"] > 0
    assert events["lost"] > 0 and events["duplicated"] > 0


def test_ctrl_c_ends_everything_that_was_started() -> None:
    command = [sys.executable, "-u", "-m", "simulators", "faults", "--seconds", "60", "--homes", "1"]
    harness = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert harness.stdout is not None
    assert any("homes are on line" in line for line in harness.stdout)
    family = psutil.Process(harness.pid).children(recursive=True)
    harness.send_signal(signal.SIGINT)
    harness.communicate(timeout=60)
    assert harness.returncode == EXIT_CANNOT
    assert len(family) > 5 and psutil.wait_procs(family, timeout=10)[1] == []


def _tamper(url: str) -> None:
    with psycopg.connect(url) as conn:
        for statement in TAMPERED:
            assert conn.execute(statement.encode()).rowcount > 0
