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


@needs_the_set
@pytest.mark.parametrize(
    ("name", "other", "family"),
    [
        ("R101.txt", "r101", "VRPTW"),
        ("PR01.vrp", "pr01.txt", "SDVRPTW"),
        ("RC1_10_5.vrp", "prizes.instance", "PCVRPTW"),
        ("mankowska_10_1.json", "m.dat", "HHCRSP"),
    ],
)
def test_the_content_says_what_an_instance_is(name: str, other: str, family: str, tmp_path: Path) -> None:
    file = next(file for file in INSTANCES if file.name == name)
    (tmp_path / other).write_bytes(file.read_bytes())
    again = formats.read(tmp_path / other)
    assert (again.family, again.instance) == (family, formats.read(file).instance)


HHCRSP = """
{"patients": [{"id": "p1", "time_window": [0, 9], "required_caregivers": [{"service": "s", "duration": 5}]}],
 "caregivers": [{"id": "c1", "abilities": ["s"]}], "distances": [[0, 1], [1, 0]]}
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a line of two numbers"),
        ("hello", "a line of two numbers"),
        (HHCRSP.replace('[{"id": "c1", "abilities": ["s"]}]', "[]"), "nobody who could go"),
        (HHCRSP.replace("[[0, 1], [1, 0]]", "[[0]]"), "not a table of 2 rows"),
        (HHCRSP.replace("[0, 9]", "[9, 0]"), "ends before it begins"),
        (HHCRSP.replace("patients", "people"), "it has no 'patients'"),
        ("EDGE_WEIGHT_TYPE: EXPLICIT\nNODE_COORD_SECTION\n1 0 0\n", "other than EUC_2D"),
        ("EDGE_WEIGHT_TYPE: EUC_2D\nBACKHAUL_SECTION\n1 0\n", "BACKHAUL_SECTION"),
    ],
)
def test_what_cannot_be_planned_is_said(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text, "utf-8")
    with pytest.raises(formats.Unreadable, match=says):
        formats.read(tmp_path / "x")


def test_nobody_who_can_is_a_line_without_a_cost(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(HHCRSP.replace('"service": "s"', '"service": "t"'), "utf-8")
    assert run.main([str(tmp_path / "x.json"), "--seconds", "1"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["cost"], line["unserved"]) == (None, {"p1": "no_skill"})


def test_what_is_no_instance_is_refused_with_its_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"patients": 3}', "utf-8")
    assert run.main([str(bad)]) == 2
    assert "bad.json" in capsys.readouterr().err
