"""What the doctor's page shows: offers, visits under way, the stops of today's plan, and what ended lately."""

from datetime import datetime, timedelta

from backend.db.pool import Connection
from backend.dispatch import progress_store, round_store
from backend.people import accounts
from backend.people.accounts import Account
from backend.records import forms
from backend.records import store as records
from backend.web import chart, elder_read, read
from backend.web.read import Row

DONE_FOR = timedelta(hours=24)
"""What was done stays listed this long."""
FORM_OF_KIND = {
    "hypertension_followup": "hypertension",
    "diabetes_followup": "diabetes",
    "elder_checkup": "checkup_65",
    "home_bed_round": "family_bed",
}
LATE = timedelta(minutes=10)
"""A start further than this from what was promised is said."""


async def board(conn: Connection, who: Account, now: datetime) -> Row:
    """Everything on the page. Each visit and each stop still to make has its elder's file, so that the page works without a network."""
    assert who.doctor_id is not None, "only a doctor has a round"
    open_visits = await read.doctors_visits(conn, who.doctor_id)
    stops = await round_store.of_doctor(conn, who.doctor_id, now.astimezone(progress_store.ZONE).date())
    return {
        "offers": [await _with_elder(conn, who, visit, now) for visit in open_visits if _offer_to(visit, who.doctor_id)],
        "visits": [await _with_elder(conn, who, visit, now) for visit in open_visits if visit["doctor_id"] == who.doctor_id],
        "stops": [await _stop(conn, who, stop, now) for stop in stops],
        "ended": await read.ended_visits(conn, who.doctor_id, since=now - DONE_FOR),
        "has_pin": await accounts.has_pin(conn, who.name),
    }


async def _stop(conn: Connection, who: Account, stop: Row, now: datetime) -> Row:
    """`card`: what a visit's card shows, for a stop that waits. `progress`: waiting, skipped, on_the_way, at_home, done or elsewhere."""
    promised, starts = stop["promised_at"], stop["starts_at"]
    stop = stop | {"progress": _progress(stop), "is_moved": promised is not None and abs(starts - promised) > LATE, "card": None}
    if stop["progress"] == "waiting":
        as_visit = {
            "id": None, "due_id": stop["due_id"], "due_kind": stop["kind"], "state": "planned", "elder_id": stop["elder_id"],
            "alert_id": None, "offers": [], "reason": "", "zone": stop["zone"], "depart_by": None, "notes": [],
        }  # fmt: skip
        stop["card"] = await _with_elder(conn, who, as_visit, now)
    return stop


def _progress(stop: Row) -> str:
    if stop["skipped_at"] is not None:
        return "skipped"
    if stop["visit_state"] is not None:
        return str(stop["visit_state"])
    return "waiting" if stop["due_state"] == "due" else "elsewhere"


async def _with_elder(conn: Connection, who: Account, visit: Row, now: datetime) -> Row:
    elder = await elder_read.elder(conn, visit["elder_id"], now=now)
    await accounts.audit_view(conn, by=who.name, subject=f"elder:{visit['elder_id']}", now=now)
    alerts = await read.alerts(conn, [visit["alert_id"]]) if visit["alert_id"] else []
    kind, due_id = visit["due_kind"], visit["due_id"]
    return visit | {
        "key": f"stop-{due_id}" if due_id else f"visit-{visit['id']}",
        "path": f"/doctor/stops/{due_id}" if due_id else f"/doctor/visits/{visit['id']}",
        "offer": _offer_to(visit, who.doctor_id),
        "elder": elder,
        "forms": list(forms.FORMS.values()),
        "likely": [FORM_OF_KIND[kind]] if kind in FORM_OF_KIND else [form.name for form in _by_file(elder)],
        "is_asked_for": kind in FORM_OF_KIND,
        "before": await records.last_answers(conn, visit["elder_id"]),
        "latest": await elder_read.latest(conn, visit["elder_id"]),
        "alert": alerts[0] if alerts else None,
        "quantity": chart.quantity_of(alerts[0]["rule"] if alerts else {}),
        "limits": chart.limits_of(alerts[0]["rule"] if alerts else {}),
    }


def _by_file(elder: Row | None) -> list[forms.Form]:
    return forms.for_conditions(elder["conditions"] if elder else [])


def _offer_to(visit: Row, doctor_id: str | None) -> Row | None:
    return next((offer for offer in visit["offers"] if offer["doctor_id"] == doctor_id), None)
