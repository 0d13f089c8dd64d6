"""Published instance formats as planning instances, and plans in the solution format of each set. A file's content says what it is.

JSON     home health care (HHCRSP)       cost = (travel + total lateness + largest lateness) / 3
Solomon  VRPTW                           travel, legs cut to 0.1
VRPLIB   site-dependent VRPTW            travel, legs rounded to 0.001, times 1000
         VRPTW                           travel, legs cut to 0.1, times 10
         prize-collecting VRPTW          the same, and the prizes left behind
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.dispatch.planning.model import Instance, Plan, Prices, Task, Tour, Visit


@dataclass(frozen=True, slots=True)
class Published:
    """An instance as read. `cost`: the set's own figure of a plan's cost. `solution`: in the set's own format, an object or a text."""

    instance: Instance
    family: str
    cost: Callable[[Plan], float]
    solution: Callable[[Plan], Any]


class Unreadable(ValueError):
    """Not an instance of a family that is known here."""


def read(path: Path) -> Published:
    """Read an instance. Raises Unreadable with what is wrong."""
    try:
        text = path.read_text("utf-8-sig")
        if text.lstrip().startswith("{"):
            published = _hhcrsp(json.loads(text))
        else:
            published = _vrplib(text) if "NODE_COORD_SECTION" in text or "EDGE_WEIGHT_TYPE" in text else _solomon(text)
        _check(published.instance)
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from error
    except KeyError as error:
        raise Unreadable(f"{path} is no instance of HHCRSP (JSON), Solomon or VRPLIB: it has no {error}") from error
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path} is no instance of HHCRSP (JSON), Solomon or VRPLIB: {error}") from error
    return published


def _check(instance: Instance) -> None:
    """Raises ValueError for what no plan can be made of."""
    if not instance.tours:
        raise ValueError("it has nobody who could go")
    count = 1 + max([0, *(visit.place for visit in instance.visits)])
    if len(instance.travel) < count or any(len(row) < count for row in instance.travel):
        raise ValueError(f"its distances are not a table of {count} rows and columns")
    if not all(math.isfinite(leg) and leg >= 0 for row in instance.travel for leg in row):
        raise ValueError("a distance is negative or no number")
    for visit in instance.visits:
        if not 1 <= len(visit.tasks) <= 2:
            raise ValueError(f"{visit.id} needs {len(visit.tasks)} services at once; one or two can be planned")
        if math.isnan(visit.opens) or not visit.closes >= visit.opens:
            raise ValueError(f"the time window of {visit.id} ends before it begins")
        if not all(task.lasts >= 0 for task in visit.tasks):
            raise ValueError(f"a service of {visit.id} lasts less than nothing")
        if visit.gap[0] > visit.gap[1]:
            raise ValueError(f"the shortest gap of {visit.id} is longer than the longest")


def _hhcrsp(data: dict[str, Any]) -> Published:
    visits = [_patient(number, patient) for number, patient in enumerate(data["patients"], start=1)]
    tours = [
        Tour(one["id"], one["id"], 0, 0, 0.0, math.inf, frozenset(one["abilities"])) for one in data["caregivers"]
    ]  # fmt: skip
    prices = Prices(travel=1 / 3, late_sum=1 / 3, late_max=1 / 3)
    instance = Instance([[float(leg) for leg in row] for row in data["distances"]], visits, tours, prices)
    return Published(instance, "HHCRSP", lambda plan: plan.cost, lambda plan: _hhcrsp_solution(data, instance, plan))


def _patient(number: int, patient: dict[str, Any]) -> Visit:
    opens, closes = patient["time_window"]
    tasks = tuple(Task(float(one["duration"]), one["service"]) for one in patient["required_caregivers"])
    how = patient.get("synchronization") or {}
    gap = how.get("distance") if how.get("type") == "sequential" else None
    return Visit(patient["id"], number, float(opens), float(closes), tasks, (0.0, 0.0) if gap is None else tuple(gap), is_hard=False)


def _hhcrsp_solution(data: dict[str, Any], instance: Instance, plan: Plan) -> dict[str, Any]:
    """Times of arrival are starts of service, as in the set."""
    routes = []
    for tour, planned in zip(instance.tours, plan.tours, strict=True):
        locations = [
            {
                "arrival_time": round(stop.starts, 6),
                "departure_time": round(stop.ends, 6),
                "patient": instance.visits[stop.visit].id,
                "service": instance.visits[stop.visit].tasks[stop.side].skill,
            }
            for stop in planned.stops
        ]
        routes.append({"caregiver_id": tour.id, "locations": locations} if locations else {"caregiver_id": tour.id})
    first: dict[int, float] = {}
    for planned in plan.tours:
        for stop in planned.stops:
            first[stop.visit] = min(stop.starts, first.get(stop.visit, math.inf))
    return {"global_ordering": [instance.visits[one].id for one in sorted(first, key=lambda one: first[one])], "routes": routes}


def _solomon(text: str) -> Published:
    numbers = [[float(word) for word in line.split()] for line in text.splitlines() if _is_numbers(line)]
    if len(numbers) < 2 or len(numbers[0]) != 2 or any(len(row) != 7 for row in numbers[1:]):
        raise ValueError(
            "Solomon's format is a line of two numbers (vehicles, capacity), then a line of seven for the depot and each customer"
        )
    (vehicles, capacity), rows = numbers[0], numbers[1:]
    points = [(row[1], row[2]) for row in rows]
    travel = [[_cut(math.dist(one, other)) for other in points] for one in points]
    clients = [
        Visit(f"{row[0]:.0f}", at, row[4] * 10, row[5] * 10, (Task(row[6] * 10, "any", demand=row[3]),))
        for at, row in enumerate(rows)
        if at
    ]
    tours = [_vehicle(number, rows[0][4] * 10, rows[0][5] * 10, capacity) for number in range(1, round(vehicles) + 1)]
    instance = Instance(travel, clients, tours)
    return Published(instance, "VRPTW", lambda plan: plan.cost / 10, lambda plan: _solomon_solution(plan))


def _is_numbers(line: str) -> bool:
    words = line.split()
    return bool(words) and all(word.lstrip("-").replace(".", "", 1).isdigit() for word in words)


def _cut(distance: float) -> float:
    """A leg cut to 0.1, in tenths."""
    return float(math.floor(distance * 10))


def _vehicle(number: int, ready: float, back_by: float, capacity: float, longest: float = math.inf) -> Tour:
    return Tour(str(number), str(number), 0, 0, ready, back_by, frozenset({"any"}), longest, capacity)


def _solomon_solution(plan: Plan) -> str:
    routes = [tour for tour in plan.tours if tour.stops]
    lines = [f"Route #{number}: {' '.join(str(stop.visit + 1) for stop in tour.stops)} " for number, tour in enumerate(routes, start=1)]
    return "\n".join([*lines, f"Cost {plan.cost / 10:.1f}"]) + "\n"


def _vrplib(text: str) -> Published:
    header, sections = _sections(text)
    if unknown := set(sections) - KNOWN_SECTIONS:
        raise ValueError(f"a section that is not known here: {', '.join(sorted(unknown))}")
    if header.get("EDGE_WEIGHT_TYPE") != "EUC_2D":
        raise ValueError("EDGE_WEIGHT_TYPE other than EUC_2D")
    if "PRIZE_SECTION" in sections:
        return _vrplib_instance(header, sections, scale=10, family="PCVRPTW")
    if "VEHICLES_ALLOWED_CLIENTS_SECTION" in sections:
        return _vrplib_instance(header, sections, scale=1000, family="SDVRPTW")
    return _vrplib_instance(header, sections, scale=10, family="VRPTW")


KNOWN_SECTIONS = {
    f"{name}_SECTION"
    for name in ("NODE_COORD", "DEMAND", "DEPOT", "SERVICE_TIME", "TIME_WINDOW", "CAPACITY", "PRIZE", "VEHICLES_ALLOWED_CLIENTS")
}


def _sections(text: str) -> tuple[dict[str, str], dict[str, list[list[float]]]]:
    header: dict[str, str] = {}
    sections: dict[str, list[list[float]]] = {}
    rows: list[list[float]] = []
    for line in text.splitlines():
        word = line.strip()
        if word.rstrip(" :").endswith("_SECTION"):
            rows = sections[word.rstrip(" :")] = []
        elif ":" in word:
            key, value = word.split(":", 1)
            header[key.strip()] = value.strip()
        elif word and word != "EOF":
            rows.append([float(one) for one in word.split()])
    return header, sections


def _vrplib_instance(header: dict[str, str], sections: dict[str, list[list[float]]], *, scale: int, family: str) -> Published:
    points = [(row[1], row[2]) for row in sections["NODE_COORD_SECTION"]]
    count = len(points)
    number = _to_scale(scale)
    travel = [[number(math.dist(one, other)) for other in points] for one in points]
    windows = [(number(row[1]), number(row[2])) for row in sections["TIME_WINDOW_SECTION"]] if "TIME_WINDOW_SECTION" in sections else None
    service = _column(header, sections, "SERVICE_TIME", count)
    demand, prize = _column(header, sections, "DEMAND", count), _column(header, sections, "PRIZE", count)
    vehicles = int(header.get("VEHICLES", count - 1))
    allowed = {int(row[0]): {int(one) for one in row[1:]} for row in sections.get("VEHICLES_ALLOWED_CLIENTS_SECTION", [])}
    capacity = _column(header, sections, "CAPACITY", vehicles, default=math.inf)
    longest = number(float(header["VEHICLES_MAX_DURATION"])) if "VEHICLES_MAX_DURATION" in header else math.inf
    ready, back_by = windows[0] if windows else (0.0, math.inf)
    visits = []
    for at in range(1, count):
        only = frozenset(str(one) for one in range(1, vehicles + 1) if at + 1 in allowed[one]) if allowed else None
        opens, closes = windows[at] if windows else (0.0, math.inf)
        task = Task(0.0 if at >= count else number(service[at]), "any", demand=demand[at], only=only)
        is_optional = "PRIZE_SECTION" in sections
        visits.append(Visit(str(at), at, opens, closes, (task,), prize=number(prize[at]) if is_optional else None))
    tours = [_vehicle(one, ready, back_by, capacity[one - 1], longest) for one in range(1, vehicles + 1)]
    instance = Instance(travel, visits, tours)
    keep_empty = family == "SDVRPTW"
    return Published(instance, family, lambda plan: round(plan.cost), lambda plan: _vrplib_solution(plan, keep_empty=keep_empty))


def _to_scale(scale: int) -> Callable[[float], float]:
    """The set's whole numbers: cut to tenths, or rounded to thousandths."""
    return (lambda value: float(math.floor(value * scale))) if scale == 10 else (lambda value: float(round(value * scale)))


def _column(
    header: dict[str, str], sections: dict[str, list[list[float]]], name: str, count: int, *, default: float = 0.0
) -> Sequence[float]:
    """A column of a section, or the same value for all from the header."""
    if f"{name}_SECTION" in sections:
        return [row[1] for row in sections[f"{name}_SECTION"]]
    return [float(header.get(name, default))] * count


def _vrplib_solution(plan: Plan, *, keep_empty: bool) -> str:
    """The number of a route is that of its vehicle where vehicles differ."""
    routes = [tour for tour in plan.tours if tour.stops or keep_empty]
    lines = []
    for number, tour in enumerate(routes, start=1):
        lines.append(" ".join([f"Route #{number}:", *(str(stop.visit + 1) for stop in tour.stops)]))
    return "\n".join([*lines, f"Cost: {round(plan.cost)}"]) + "\n"
