"""The stored routing set: our reading of it and of its best solutions, and what we find, judged by a validator of our own."""

import json
import time
from pathlib import Path

import pytest

from backend.dispatch import planner
from backend.dispatch.planning.search import Effort
from benchmarks.routing import formats, run
from tests.benchmarks.routing import validator

INSTANCES = run.instances()
needs_the_set = pytest.mark.skipif(not INSTANCES, reason="no ../shared/data/routing")


@needs_the_set
@pytest.mark.parametrize("file", INSTANCES, ids=lambda file: file.name)
def test_the_validator_agrees_with_the_published_costs(file: Path) -> None:
    best = file.with_name(f"{file.stem}.best.{'json' if file.suffix == '.json' else 'sol'}").read_text("utf-8")
    cost = validator.judge(file.name, file.read_text("utf-8"), json.loads(best) if file.suffix == ".json" else best)
    assert cost == pytest.approx(run.best_known(file), abs=6e-4)


@needs_the_set
@pytest.mark.parametrize(
    ("name", "gap"),
    [("mankowska_25_1.json", 2.0), ("italian_003-rome-r19-p44.json", 5.0), ("R101.txt", 5.0), ("PR01.vrp", 5.0), ("RC1_10_5.vrp", 20.0)],
)
def test_our_own_search_finds_valid_plans_near_the_best_known(name: str, gap: float) -> None:
    """A smoke test of a second each; the goals are measured by `python -m benchmarks routing`."""
    file = next(file for file in INSTANCES if file.name == name)
    published = formats.read(file)
    plan = planner.plan(published.instance, Effort(500_000, None, time.perf_counter), seed=1)
    cost = validator.judge(name, file.read_text("utf-8"), published.solution(plan))
    assert cost == pytest.approx(published.cost(plan), abs=1e-3)
    best = run.best_known(file)
    assert best is not None
    assert cost <= best * (1 + gap / 100)


@needs_the_set
def test_pyvrp_states_what_it_can_and_refuses_the_rest() -> None:
    pytest.importorskip("pyvrp")
    for file in INSTANCES:
        assert run._has_pyvrp(formats.read(file).instance) == (file.suffix != ".json")


@needs_the_set
def test_the_command_prints_one_json_line_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = next(file for file in INSTANCES if file.name == "mankowska_10_1.json")
    assert run.main([str(file), "--seconds", "1", "--seed", "3", "--solutions", str(tmp_path)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["gap"] == pytest.approx(0.0, abs=1.0)
    assert set(line) >= {"instance", "cost", "gap", "seconds", "solution"}
    assert json.loads((tmp_path / "mankowska_10_1.json").read_text("utf-8")) == line["solution"]


def test_what_is_no_instance_is_refused_with_its_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"patients": 3}', "utf-8")
    assert run.main([str(bad)]) == 2
    assert "bad.json" in capsys.readouterr().err
