"""A published plan of a day, written as the planner would, for tests of what comes after it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from backend.db.pool import Connection

DUE = """
INSERT INTO due_visit (elder_id, kind, opens_on, due_on, lasts_min, roles, source, made_at, made_by, promised_at, promised_doctor_id)
VALUES (%(elder)s, %(kind)s, %(day)s, %(day)s, 20, %(roles)s, 'import', %(at)s, 'test', %(at)s, %(doctor)s) RETURNING id
"""
PLAN = """
INSERT INTO day_plan (team_id, day, state, asked_at, asked_by, made_at, cost_min, travel_min, published_at)
VALUES ('team-a', %(day)s, 'published', %(at)s, 'test', %(at)s, 10, 10, %(at)s) RETURNING id
"""
STOP = """
INSERT INTO plan_stop (plan_id, due_id, side, doctor_id, half, position, starts_at, ends_at, leg_min, terms)
VALUES (%(plan)s, %(due)s, %(side)s, %(doctor)s, 'morning', %(position)s, %(at)s, %(at)s + interval '20 minutes', 10, '{"own": 0.0}')
"""


async def publish(conn: Connection, day: date, start: datetime, stops: Sequence[tuple[str, str, Sequence[str]]]) -> list[int]:
    """Stops (elder, kind, doctors) every half hour from `start`; two doctors go together. Returns the ids of what is due."""
    plan = await _id(conn, PLAN, {"day": day, "at": start})
    dues = []
    for position, (elder, kind, doctors) in enumerate(stops):
        values = {"elder": elder, "kind": kind, "day": day, "at": start + timedelta(minutes=30 * position), "plan": plan}
        roles = ["gp", "nurse"][: len(doctors)]
        due = await _id(conn, DUE, values | {"roles": roles, "doctor": doctors[0]})
        for side, doctor in enumerate(doctors):
            await conn.execute(STOP, values | {"due": due, "side": side, "doctor": doctor, "position": position})
        dues.append(due)
    return dues


async def _id(conn: Connection, query: str, values: dict[str, object]) -> int:
    row = await (await conn.execute(query.encode(), values)).fetchone()
    assert row is not None
    return int(row["id"])
