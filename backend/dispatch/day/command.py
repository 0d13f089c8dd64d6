"""`python -m backend plan --date 2026-03-02 --explain`: plan teams' days, and say why every visit is where it is."""

import argparse
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from backend.config import PlanConfig
from backend.db.pool import Connection
from backend.dispatch import day_store, due_store, plan_store, progress_store
from backend.dispatch.day import run
from backend.dispatch.day.assemble import HABITS, DueRow
from backend.dispatch.day.model import read_csv
from backend.dispatch.day.solver import Limit
from backend.errors import BadInput

WORDS = {
    "own": "own patient",
    "not_own": "not by the own doctor",
    "other_person": "another doctor than planned before",
    "shifted": "moved from its time",
    "frozen": "begun or next: stays",
    "no_skill": "nobody on duty has the role",
    "no_second_person": "only one person on duty has a role of it",
    "outside_hours": "its time and the hours of those on duty do not meet",
    "too_far": "too far to go, stay and be back in time",
    "full": "no room left: more urgent visits go first",
    "not_worth": "would fit, but costs more than waiting",
    "no_place": "the home has no coordinates",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The words after `plan`."""
    command.add_argument("--date", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
    command.add_argument("--team", help="one team's id; default: all teams")
    command.add_argument("--seed", type=int, default=1, help="the same seed gives the same plan")
    command.add_argument("--seconds", type=float, default=20.0, help="limit on a machine that is too slow for the moves")
    command.add_argument("--import", dest="file", type=Path, metavar="CSV", help="first put these due visits on the list")
    command.add_argument("--explain", action="store_true", help="why each visit is where it is, and why others are left out")
    command.add_argument("--publish", action="store_true", help="make it the day's plan and promise its times")


async def plan(conn: Connection, arguments: argparse.Namespace, *, now: datetime, habits: PlanConfig = HABITS) -> str:
    """Run it. Returns what to print. Raises BadInput, NotFound."""
    lines = []
    async with conn.transaction():
        if arguments.file:
            new = await due_store.add(conn, read_csv(_read(arguments.file), str(arguments.file)), source="import", by="import", now=now)
            lines.append(f"{new} new due visits from {arguments.file}")
        by_rules = await due_store.add_by_rules(conn, today=arguments.date, now=now)
        lines.append(f"{by_rules} new due visits by the date rules")
    teams = await plan_store.teams(conn)
    chosen = [team for team in teams if arguments.team in (None, team["id"])]
    if not chosen:
        raise BadInput(f"there is no team {arguments.team}; there are {', '.join(team['id'] for team in teams) or 'none'}")
    for team in chosen:
        limit = Limit(seconds=arguments.seconds)
        plan_id = await run.plan_now(
            conn, team["id"], arguments.date, by="command", seed=arguments.seed, limit=limit, now=now, habits=habits
        )
        if arguments.publish:
            async with conn.transaction():
                await plan_store.publish(conn, plan_id, now=now)
        lines += [line async for line in _lines(conn, team, plan_id, now, habits, explain=arguments.explain)]
    return "\n".join(lines)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path} as UTF-8 text: {error}") from error


async def _lines(
    conn: Connection, team: Mapping[str, Any], plan_id: int, now: datetime, habits: PlanConfig, *, explain: bool
) -> AsyncIterator[str]:
    made = await plan_store.read(conn, plan_id)
    day = await day_store.of_plan(conn, made, now=now, habits=habits)
    known = {due.id: due for due in (*day.dues, *day.placeless, *day.kept)}
    stops, left = await plan_store.stops(conn, plan_id), await plan_store.unserved(conn, plan_id)
    served = len({stop["due_id"] for stop in stops})
    figures = f"{served} visits, {made['travel_min']:.0f} min on the way, {len(left)} left out"
    yield f"{team['id']}: plan {plan_id}, {figures} {made['problem']}".rstrip()
    before = None
    for stop in stops:
        if (tour := (stop["doctor_id"], stop["half"])) != before:
            yield f"  {tour[0]} {tour[1]}"
            before = tour
        yield "    " + " ".join(_stop(stop, known[stop["due_id"]], explain=explain))
    for one in left:
        due = known[one["due_id"]]
        yield f"  left out: {due.kind} of {due.elder_id}, due {due.due_on}: {WORDS[one['reason']]}"


def _stop(stop: Mapping[str, Any], due: DueRow, *, explain: bool) -> Iterator[str]:
    begins, ends = (stop[key].astimezone(progress_store.ZONE) for key in ("starts_at", "ends_at"))
    yield f"{begins:%H:%M}-{ends:%H:%M} {due.elder_id} {due.kind}"
    if explain:
        yield f"({', '.join(reasons(stop['terms']))})"


def reasons(terms: Mapping[str, float]) -> Iterator[str]:
    """`own patient, +6 min`."""
    for name, cost in terms.items():
        if name in WORDS:
            yield WORDS[name] + (f" {cost:+.0f} min" if cost else "")
    if "detour" in terms:
        yield f"{terms['detour']:+.0f} min"
