"""The search in a child process: it can be ended at any time, and takes neither the worker's memory nor its loop."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from backend.dispatch import planner
from backend.dispatch.planning.model import Instance, Plan

START_S = 60.0
"""Until the child is ready: a second, or 20 s where the search has never been compiled."""
GRACE_S = 2.0
"""So long after its time the child is ended."""
REPORTS_MAX = 50


@dataclass(frozen=True, slots=True)
class Limit:
    """A search ends after so many moves, or so many seconds on a machine that is too slow for them; then the plan is not repeatable."""

    moves: int = 1_500_000
    seconds: float = 20.0


def solve(
    instance: Instance, limit: Limit, *, seed: int, begin: Plan | None = None, on_progress: Callable[[float], None] = lambda share: None
) -> Plan:
    """A plan within the limit and 2 s (the very first search on a machine compiles for some 15 s before). Never fails.

    Where the child dies or hangs, the plan is made by inserting one visit after another. `on_progress` gets the share done, 0 to 1.
    """
    context = multiprocessing.get_context("spawn")  # the worker has threads, which a fork would not survive
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_search, args=(writer, instance, limit, seed, begin), daemon=True)
    child.start()
    writer.close()
    try:
        plan = _listen(reader, limit, on_progress)
    finally:
        child.kill()
        child.join()
        reader.close()
    return planner.quick(instance) if plan is None else plan


def _listen(reader: Connection, limit: Limit, on_progress: Callable[[float], None]) -> Plan | None:
    until_s = time.monotonic() + START_S
    try:
        while reader.poll(max(0.0, until_s - time.monotonic())):
            said: Plan | float | None = reader.recv()
            if isinstance(said, Plan):
                return said
            if said is None:
                until_s = time.monotonic() + limit.seconds + GRACE_S
            else:
                on_progress(said)
    except EOFError:
        pass  # the child has ended without a plan
    return None


def _search(writer: Connection, instance: Instance, limit: Limit, seed: int, begin: Plan | None) -> None:
    from backend.dispatch.planning.search import Effort

    planner.plan(planner.SMALLEST, Effort(1, None, time.monotonic), seed=1)  # compiles, or loads what was compiled
    writer.send(None)
    said = 0.0

    def report(share: float) -> None:
        nonlocal said
        if share - said >= 1 / REPORTS_MAX:
            said = share
            writer.send(share)

    writer.send(planner.plan(instance, Effort(limit.moves, limit.seconds, time.monotonic, report), seed=seed, begin=begin))
