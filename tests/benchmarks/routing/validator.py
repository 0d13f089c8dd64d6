"""Solutions of published routing instances judged from the sets' own definitions, apart from the code under test.

Each function returns the cost that the solution has, and raises AssertionError with what it breaks.
"""

import itertools
import json
import math
from typing import Any

EPSILON = 1e-3
"""Times in the sets' files are rounded to 0.001."""


def hhcrsp(instance: dict[str, Any], solution: dict[str, Any]) -> float:
    """Home health care: (sum of legs + sum of lateness + largest lateness) / 3."""
    patients = {one["id"]: (row, one) for row, one in enumerate(instance["patients"], start=1)}
    able = {one["id"]: set(one["abilities"]) for one in instance["caregivers"]}
    legs = instance["distances"]
    starts: dict[tuple[str, str], float] = {}
    homes: dict[str, set[str]] = {one["id"]: set() for one in instance["patients"]}
    distance, late = 0.0, [0.0]
    assert len({route["caregiver_id"] for route in solution["routes"]}) == len(solution["routes"]), "a caregiver has two routes"
    for route in solution["routes"]:
        here, free = 0, 0.0
        for stop in route.get("locations") or []:
            row, patient = patients[stop["patient"]]
            needs = {one["service"]: one["duration"] for one in patient["required_caregivers"]}
            assert stop["service"] in able[route["caregiver_id"]], f"{route['caregiver_id']} cannot do {stop['service']}"
            assert (stop["patient"], stop["service"]) not in starts, f"{stop['patient']} gets {stop['service']} twice"
            assert stop["arrival_time"] >= free + legs[here][row] - EPSILON, f"{stop['patient']}: too soon"
            assert stop["arrival_time"] >= patient["time_window"][0] - EPSILON, f"{stop['patient']}: before the window"
            assert stop["departure_time"] >= stop["arrival_time"] + needs[stop["service"]] - EPSILON, f"{stop['patient']}: too short"
            assert route["caregiver_id"] not in homes[stop["patient"]], f"{stop['patient']}: both services by one caregiver"
            homes[stop["patient"]].add(route["caregiver_id"])
            starts[stop["patient"], stop["service"]] = stop["arrival_time"]
            late.append(max(0.0, stop["arrival_time"] - patient["time_window"][1]))
            distance, here, free = distance + legs[here][row], row, stop["departure_time"]
        distance += legs[here][0]
    for patient in instance["patients"]:
        services = [one["service"] for one in patient["required_caregivers"]]
        assert all((patient["id"], one) in starts for one in services), f"{patient['id']} is not served"
        if len(services) == 2:
            apart = starts[patient["id"], services[1]] - starts[patient["id"], services[0]]
            how = patient["synchronization"]
            low, high = (0.0, 0.0) if how["type"] == "simultaneous" else how["distance"]
            assert low - EPSILON <= apart <= high + EPSILON, f"{patient['id']}: {apart} apart, not {low} to {high}"
    assert len(starts) == sum(len(one["required_caregivers"]) for one in instance["patients"]), "something is served that nobody needs"
    return (distance + sum(late) + max(late)) / 3


def routes_of(solution: str) -> tuple[list[list[int]], float]:
    """The routes of a .sol text by number, and the cost that it states."""
    routes: list[list[int]] = []
    cost = math.nan
    for line in solution.splitlines():
        if line.startswith("Route #"):
            head, _, stops = line.partition(":")
            assert int(head.removeprefix("Route #")) == len(routes) + 1, "routes are numbered from 1"
            routes.append([int(word) for word in stops.split()])
        elif line.lower().startswith("cost"):
            cost = float(line.split()[-1])
    return routes, cost


def solomon(instance: str, solution: str) -> float:
    """Solomon's VRPTW: legs cut to 0.1, times alike."""
    lines = [line.split() for line in instance.splitlines()]
    at = next(row for row, words in enumerate(lines) if words[:1] == ["NUMBER"]) + 1
    vehicles, capacity = (int(word) for word in lines[at])
    rows = [[float(word) for word in words] for words in lines[at + 1 :] if len(words) == 7 and words[0].isdigit()]
    routes, stated = routes_of(solution)
    assert len([route for route in routes if route]) <= vehicles, "too many vehicles"
    assert sorted(stop for route in routes for stop in route) == list(range(1, len(rows))), "not each customer once"
    total = 0
    for route in routes:
        assert sum(rows[stop][3] for stop in route) <= capacity, "overloaded"
        here, tenths = 0, 0.0
        for stop in [*route, 0]:
            leg = math.floor(math.dist(rows[here][1:3], rows[stop][1:3]) * 10)
            total, tenths = total + leg, max(tenths + leg, rows[stop][4] * 10)
            assert tenths <= rows[stop][5] * 10, f"late at {stop}"
            tenths, here = tenths + rows[stop][6] * 10, stop
    assert abs(total / 10 - stated) < 0.05, f"states {stated}, costs {total / 10}"
    return total / 10


def vrplib(instance: str, solution: str) -> float:
    """Site-dependent or prize-collecting VRPTW of the VRPLIB form."""
    header: dict[str, str] = {}
    sections: dict[str, dict[int, list[float]]] = {}
    name = ""
    for line in instance.splitlines():
        if line.strip().endswith("_SECTION"):
            name = line.strip()
            sections[name] = {}
        elif ":" in line:
            header[line.split(":")[0].strip()] = line.split(":")[1].strip()
        elif len(words := line.split()) > 1:
            sections[name][int(words[0])] = [float(word) for word in words[1:]]
    has_prizes = "PRIZE_SECTION" in sections
    scale = 10 if has_prizes else 1000

    def whole(value: float) -> int:
        return math.floor(value * scale) if has_prizes else round(value * scale)

    places, windows = sections["NODE_COORD_SECTION"], sections["TIME_WINDOW_SECTION"]
    longest = whole(float(header.get("VEHICLES_MAX_DURATION", "inf"))) if "VEHICLES_MAX_DURATION" in header else math.inf
    routes, stated = routes_of(solution)
    assert len(routes) <= int(header["VEHICLES"]), "too many vehicles"
    seen = [stop for route in routes for stop in route]
    assert len(seen) == len(set(seen)) and set(seen) <= set(range(1, len(places))), "a customer twice or unknown"
    total = 0
    for vehicle, route in enumerate(routes, start=1):
        if not route:
            continue
        nodes = [1, *(stop + 1 for stop in route), 1]
        if "VEHICLES_ALLOWED_CLIENTS_SECTION" in sections:
            assert set(nodes[1:-1]) <= {int(one) for one in sections["VEHICLES_ALLOWED_CLIENTS_SECTION"][vehicle]}, "not allowed there"
        load = sum(sections["DEMAND_SECTION"][node][0] for node in nodes)
        assert load <= (sections["CAPACITY_SECTION"][vehicle][0] if "CAPACITY_SECTION" in sections else float(header["CAPACITY"])), (
            "overloaded"
        )
        legs = [whole(math.dist(places[one], places[other])) for one, other in itertools.pairwise(nodes)]
        total += sum(legs)
        stays = [
            0
            if node == 1
            else whole(sections["SERVICE_TIME_SECTION"][node][0] if "SERVICE_TIME_SECTION" in sections else float(header["SERVICE_TIME"]))
            for node in nodes
        ]
        assert _shortest(legs, stays, [(whole(windows[node][0]), whole(windows[node][1])) for node in nodes]) <= longest, "too long"
    left = set(range(1, len(places))) - set(seen)
    assert has_prizes or not left, "a customer is not served"
    total += sum(whole(sections["PRIZE_SECTION"][stop + 1][0]) for stop in left) if has_prizes else 0
    assert total == stated, f"states {stated}, costs {total}"
    return total


def _shortest(legs: list[int], stays: list[int], windows: list[tuple[int, int]]) -> float:
    """The shortest time on the road: first the latest way backwards that keeps the end, then its length."""
    now = windows[0][0]
    for leg, stay, (opens, closes) in zip(legs, stays, windows[1:], strict=False):
        now = max(now + stay + leg, opens)
        assert now <= closes, "late"
    latest = now
    for leg, stay, (_, closes) in zip(reversed(legs), reversed(stays[:-1]), reversed(windows[:-1]), strict=True):
        latest = min(latest - leg - stay, closes)
    return now - latest


def judge(name: str, instance: str, solution: Any) -> float:
    """The cost of a solution of the file called `name`."""
    if name.endswith(".json"):
        return hhcrsp(json.loads(instance), solution)
    return solomon(instance, solution) if name.endswith(".txt") else vrplib(instance, solution)
