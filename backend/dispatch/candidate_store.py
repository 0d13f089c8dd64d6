"""Doctors who may visit an elder now, read from the database: who is on duty, how far away, and what others would pay."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backend.config import PlanConfig
from backend.db.pool import Connection
from backend.dispatch import running, travel
from backend.dispatch.day.assemble import HABITS
from backend.dispatch.ladder import Candidate, ranked
from backend.dispatch.lifecycle import Why
from backend.dispatch.planning.urgent import Choice
from backend.dispatch.roads import roads_of

CANDIDATES = """
WITH signed AS (
    SELECT c.team_id, c.doctor_id FROM contract c JOIN elder e ON e.id = c.elder_id
    WHERE c.elder_id = %(elder_id)s AND c.cancelled_on IS NULL
        AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
), asked_team AS (
    SELECT team_id AS id, 'own_team' AS why FROM signed
    UNION ALL
    SELECT t.fallback_team_id, 'fallback_team' FROM team t JOIN signed s ON s.team_id = t.id WHERE t.fallback_team_id IS NOT NULL
    UNION ALL
    SELECT ta.team_id, 'area_team' FROM elder e JOIN team_area ta ON ta.area_id = e.area_id
    WHERE e.id = %(elder_id)s AND NOT EXISTS (SELECT FROM signed)
)
SELECT d.id AS doctor_id,
       CASE WHEN d.id = (SELECT doctor_id FROM signed) THEN 'own_doctor' ELSE a.why END AS why,
       (SELECT count(*) FROM visit v
        WHERE v.doctor_id = d.id AND v.due_id IS NULL AND v.state IN ('accepted', 'on_the_way', 'at_home')) AS open_visits,
       coalesce(last.latitude, t.latitude) AS latitude, coalesce(last.longitude, t.longitude) AS longitude,
       home.latitude AS home_latitude, home.longitude AS home_longitude, d.team_id, (SELECT doctor_id FROM signed) AS own_id,
       curve.a_s, curve.b_s, curve.c_s
FROM doctor d
JOIN asked_team a ON a.id = d.team_id
JOIN team t ON t.id = d.team_id
JOIN elder home ON home.id = %(elder_id)s
LEFT JOIN travel_curve curve ON curve.team_id = d.team_id
LEFT JOIN LATERAL (
    SELECT e.latitude, e.longitude FROM visit v JOIN elder e ON e.id = v.elder_id
    WHERE v.doctor_id = d.id AND v.state IN ('on_the_way', 'at_home', 'done') AND v.changed_at > %(now)s - interval '2 hours'
    ORDER BY v.changed_at DESC LIMIT 1
) last ON true
WHERE d.role = 'gp' AND d.is_active
    AND EXISTS (SELECT FROM shift s WHERE s.doctor_id = d.id AND %(now)s >= s.starts_at AND %(now)s < s.ends_at)
"""


async def candidates_for(conn: Connection, elder_id: str, *, now: datetime, habits: PlanConfig = HABITS) -> list[Candidate]:
    """Doctors on duty who may visit this elder, best first: when each could be there, and at what price for others.

    The way is from where each was last; whoever has a published plan of today comes between its stops, what is begun and next first.
    """
    rows = await (await conn.execute(CANDIDATES, {"elder_id": elder_id, "now": now})).fetchall()
    ways = await _ways(rows, habits)
    between = await _between(conn, rows, now=now, habits=habits)
    return ranked([_candidate(row, way_s, between.get(row["doctor_id"])) for row, way_s in zip(rows, ways, strict=True)])


def _candidate(row: Mapping[str, Any], way_s: float | None, choice: Choice | None) -> Candidate:
    why = Why(row["why"])
    if choice is None:
        return Candidate(row["doctor_id"], why, way_s, row["open_visits"])
    others_s = 60 * max(0.0, choice.terms.get("others", 0.0))
    return Candidate(row["doctor_id"], why, 60 * choice.eta, row["open_visits"], others_s, len(choice.pushed))


async def _between(conn: Connection, rows: Sequence[Mapping[str, Any]], *, now: datetime, habits: PlanConfig) -> dict[str, Choice]:
    if not rows or rows[0]["home_latitude"] is None or rows[0]["home_longitude"] is None:
        return {}
    home = (rows[0]["home_latitude"], rows[0]["home_longitude"])
    return await running.choices(conn, {row["team_id"] for row in rows}, home, own=rows[0]["own_id"], now=now, habits=habits)


async def _ways(rows: Sequence[Mapping[str, Any]], habits: PlanConfig) -> list[float | None]:
    """Seconds to the home for each row: by the router where there is one, else by the curve of the doctor's team."""
    ways = [_way_s(row) for row in rows]
    known = [at for at, way_s in enumerate(ways) if way_s is not None]
    if (roads := roads_of(habits)) is not None and known:
        starts = [(rows[at]["latitude"], rows[at]["longitude"]) for at in known]
        found = await roads.seconds_to(starts, (rows[0]["home_latitude"], rows[0]["home_longitude"]))
        for at, way_s in zip(known, found or (), strict=False):
            ways[at] = way_s
    return ways


def _way_s(row: Mapping[str, Any]) -> float | None:
    places = row["latitude"], row["longitude"], row["home_latitude"], row["home_longitude"]
    if None in places:
        return None
    curve = travel.DEFAULT if row["a_s"] is None else travel.Curve(row["a_s"], row["b_s"], row["c_s"])
    return curve.seconds(travel.crow_km((places[0], places[1]), (places[2], places[3])))


async def way_s(conn: Connection, elder_id: str, doctor_id: str, *, now: datetime) -> float | None:
    """Seconds that this doctor needs to the elder by the team's curve, None when unknown or for who is not on duty."""
    rows = await (await conn.execute(CANDIDATES, {"elder_id": elder_id, "now": now})).fetchall()
    return next((_way_s(row) for row in rows if row["doctor_id"] == doctor_id), None)
