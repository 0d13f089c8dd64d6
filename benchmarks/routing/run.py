"""`python -m benchmarks routing FILE... --seconds 30 --seed 1`: solve published instances, one JSON line each."""

import argparse
import csv
import importlib.util
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from backend.dispatch import planner
from backend.dispatch.planning.model import Instance, Plan, Task, Tour, Visit
from backend.dispatch.planning.search import Effort
from benchmarks.routing import formats

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "routing"
HANDOVER_S = 0.4
"""What is kept of the limit for collecting the plans and checking them."""
GRACE_S = 1.0
"""A searcher that has not answered so long after its time is ended."""
Searcher = Callable[[Instance, float, int], Plan | None]


def main(argv: Sequence[str]) -> int:
    """Solve and print. Returns 0; 2 when a file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks routing", description="Solve routing instances; one JSON line each.")
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="HHCRSP .json, Solomon .txt, VRPLIB .vrp; default: the stored set"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="wall time of each instance")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="searches side by side, each in a process of its own; the best plan counts")
    parser.add_argument(
        "--backend",
        choices=("auto", "own", "pyvrp"),
        default="auto",
        help="auto: one of PyVRP beside own ones where it can state the problem",
    )
    parser.add_argument("--solutions", type=Path, metavar="DIR", help="also write each solution to a file here")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the lines to a file as well")
    arguments = parser.parse_args(argv)
    files = arguments.files or instances()
    if not files:
        parser.error(f"no FILE given, and no stored set at {SHARED}")
    lines = []
    for file in files:
        try:
            line = run(file, seconds=arguments.seconds, seed=arguments.seed, workers=arguments.workers, backend=arguments.backend)
        except formats.Unreadable as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 2
        lines.append(json.dumps(line, ensure_ascii=False))
        print(lines[-1], flush=True)
        if arguments.solutions:
            _write(arguments.solutions, file, line["solution"])
    if arguments.report:
        arguments.report.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def measure(seconds: float) -> dict[str, float]:
    """The stored set, if it is there: gap to the best known cost of each instance, in percent."""
    lines = [run(file, seconds=seconds, seed=1, workers=2, backend="auto") for file in instances()]
    return {f"{line['instance']}_gap_percent": line["gap"] for line in lines if line["gap"] is not None}


def instances() -> list[Path]:
    """The stored set, in order."""
    found = [path for pattern in ("hhcrsp/*.json", "vrptw/*.txt", "*/*.vrp") for path in SHARED.glob(pattern)]
    return sorted(path for path in found if not path.name.endswith(".best.json"))


def run(file: Path, *, seconds: float, seed: int, workers: int, backend: str) -> dict[str, Any]:
    """One line: instance, family, cost, gap in percent or null, seconds, backend, unserved, solution. Raises Unreadable."""
    published = formats.read(file)
    _compile()
    started_s = time.perf_counter()
    plan, by = solve(published.instance, seconds=seconds, seed=seed, workers=workers, backend=backend)
    took_s = time.perf_counter() - started_s
    best = best_known(file)
    is_whole = not any(published.instance.visits[index].prize is None for index in plan.unserved)
    cost = round(published.cost(plan), 4)
    return {
        "instance": file.name,
        "family": published.family,
        "cost": cost if is_whole else None,
        "gap": round(100 * (cost / best - 1), 3) if best and is_whole else None,
        "seconds": round(took_s, 2),
        "seed": seed,
        "processes": workers,
        "by": by,
        "unserved": {published.instance.visits[index].id: reason for index, reason in plan.unserved.items()},
        "solution": published.solution(plan),
    }


def solve(instance: Instance, *, seconds: float, seed: int, workers: int, backend: str) -> tuple[Plan, str]:
    """The best plan of several searches that run side by side for so long, and who found it."""
    until_s = time.perf_counter() + seconds - HANDOVER_S
    searches = list(_searches(instance, seed, workers, backend))
    context = multiprocessing.get_context("fork")  # the compiled search is in its memory already
    running = []
    for name, searcher, its_seed in searches:
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(writer, searcher, instance, until_s, its_seed), daemon=True)
        process.start()
        writer.close()
        running.append((name, process, reader))
    plans = []
    for name, process, reader in running:
        left_s = max(0.0, until_s + GRACE_S - time.perf_counter())
        if (plan := _receive(reader, left_s)) is not None:
            plans.append((plan, name))
        process.kill()
        process.join()
    if not plans:
        return _own(instance, 1.0, seed), "own"
    return min(plans, key=lambda one: (sum(instance.visits[index].prize is None for index in one[0].unserved), one[0].cost))


def _searches(instance: Instance, seed: int, workers: int, backend: str) -> Iterator[tuple[str, Searcher, int]]:
    for number in range(workers):
        is_pyvrp = backend != "own" and (backend == "pyvrp" or number == 0) and _has_pyvrp(instance)
        yield ("pyvrp", _pyvrp, seed + number) if is_pyvrp else ("own", _own, seed + number)


def _has_pyvrp(instance: Instance) -> bool:
    if importlib.util.find_spec("pyvrp") is None:
        return False
    from benchmarks.routing import pyvrp_oracle

    return pyvrp_oracle.can_state(instance)


def _own(instance: Instance, seconds: float, seed: int) -> Plan:
    return planner.plan(instance, Effort(None, seconds, time.perf_counter), seed=seed)


def _pyvrp(instance: Instance, seconds: float, seed: int) -> Plan | None:
    from benchmarks.routing import pyvrp_oracle

    return pyvrp_oracle.solve(instance, seconds=seconds, seed=seed)


def _answer(writer: Connection, searcher: Searcher, instance: Instance, until_s: float, seed: int) -> None:
    writer.send(searcher(instance, max(0.1, until_s - time.perf_counter()), seed))


def _receive(reader: Connection, seconds: float) -> Plan | None:
    if not wait([reader], seconds):
        return None
    try:
        plan: Plan | None = reader.recv()
    except EOFError:
        return None
    return plan


def best_known(file: Path) -> float | None:
    """The cost in a `best_known.csv` beside the file or one folder above."""
    for folder in (file.resolve().parent, file.resolve().parent.parent):
        if (table := folder / "best_known.csv").is_file():
            with table.open(encoding="utf-8", newline="") as rows:
                for row in csv.DictReader(rows):
                    if Path(row["instance"]).name == file.name:
                        return float(row["best_known"])
    return None


def _compile() -> None:
    """Compile the search, once per machine (about 15 s; kept beside the source), outside of the measured time."""
    smallest = _smallest()
    planner.plan(smallest, Effort(100, None, time.perf_counter), seed=1)


def _smallest() -> Instance:
    """The smallest instance."""
    return Instance([[0.0]], [Visit("a", 0, 0.0, 9.0, (Task(1.0, "any"),))], [Tour("t", "p", 0, 0, 0.0, 99.0, frozenset({"any"}))])


def _write(folder: Path, file: Path, solution: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    is_text = isinstance(solution, str)
    text = solution if is_text else json.dumps(solution, ensure_ascii=False, separators=(",", ":"))
    (folder / f"{file.stem}{'.sol' if is_text else '.json'}").write_text(text, "utf-8")
