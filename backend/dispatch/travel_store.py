"""Each team's travel times, learnt from its own departures and arrivals. The caller owns the transaction."""

from dataclasses import asdict
from datetime import datetime, timedelta

from backend.db.pool import Connection
from backend.dispatch import travel
from backend.dispatch.travel_fit import Trip, fit

LEARN_FROM = timedelta(days=183)
TRIPS = """
SELECT d.team_id, arrived.at - left_at.at AS took, home.latitude, home.longitude,
       coalesce(before.latitude, t.latitude) AS from_latitude, coalesce(before.longitude, t.longitude) AS from_longitude
FROM visit_step arrived
JOIN visit v ON v.id = arrived.visit_id
JOIN elder home ON home.id = v.elder_id
JOIN doctor d ON d.id = arrived.doctor_id
JOIN team t ON t.id = d.team_id
JOIN LATERAL (
    SELECT s.at FROM visit_step s
    WHERE s.visit_id = v.id AND s.state = 'on_the_way' AND s.doctor_id = arrived.doctor_id AND s.id < arrived.id ORDER BY s.id DESC LIMIT 1
) left_at ON true
LEFT JOIN LATERAL (
    SELECT e.latitude, e.longitude FROM visit_step s JOIN visit w ON w.id = s.visit_id JOIN elder e ON e.id = w.elder_id
    WHERE s.doctor_id = arrived.doctor_id AND s.state = 'at_home' AND s.visit_id <> v.id
        AND s.at < left_at.at AND s.at > left_at.at - interval '3 hours' ORDER BY s.id DESC LIMIT 1
) before ON true
WHERE arrived.state = 'at_home' AND arrived.at > %(since)s AND home.latitude IS NOT NULL AND home.longitude IS NOT NULL
ORDER BY arrived.id DESC LIMIT 20000
"""
CURVE = """
INSERT INTO travel_curve (team_id, a_s, b_s, c_s, trips, error_percent, fitted_at)
VALUES (%(team_id)s, %(a_s)s, %(b_s)s, %(c_s)s, %(trips)s, %(error_percent)s, %(now)s)
ON CONFLICT (team_id) DO UPDATE SET a_s = EXCLUDED.a_s, b_s = EXCLUDED.b_s, c_s = EXCLUDED.c_s, trips = EXCLUDED.trips,
    error_percent = EXCLUDED.error_percent, fitted_at = EXCLUDED.fitted_at
"""


async def learn_travel(conn: Connection, *, now: datetime) -> int:
    """Fit each team's travel curve on the trips of the last half year. Returns how many teams have one now; few trips change nothing."""
    trips: dict[str, list[Trip]] = {}
    for row in await (await conn.execute(TRIPS, {"since": now - LEARN_FROM})).fetchall():
        if row["from_latitude"] is not None and row["from_longitude"] is not None:
            km = travel.crow_km((row["from_latitude"], row["from_longitude"]), (row["latitude"], row["longitude"]))
            trips.setdefault(row["team_id"], []).append(Trip(km, row["took"].total_seconds()))
    fits = {team_id: found for team_id, driven in trips.items() if (found := fit(driven)) is not None}
    for team_id, found in fits.items():
        values = {"team_id": team_id, "trips": len(trips[team_id]), "error_percent": found.error_percent, "now": now}
        await conn.execute(CURVE, values | asdict(found.curve))
    return len(fits)
