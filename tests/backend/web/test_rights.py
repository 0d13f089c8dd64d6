"""An elder's data stay with those who may see them: nobody and a doctor of another team ask every route, with a body that it accepts."""

import re
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from backend.db.pool import Pool
from backend.dispatch import store as dispatch
from backend.dispatch.progress_store import ZONE
from backend.web.api import ROUTERS as API
from backend.web.pages import ROUTERS as PAGES
from tests.backend.dispatch import rounds
from tests.backend.street import NOW, rows
from tests.backend.web.conftest import PASSWORD, SignedIn, case_of, consent, offer_visit, open_alert

pytestmark = pytest.mark.store

FINDINGS = "神志清，右腕挫伤"
SECRETS = ("王秀英", "幸福里 1 号", "13800000001", "邻居老陈", FINDINGS)
"""What only the own team and the centre may read of elder-1."""
ENDS_THE_SESSION = {"/sign-in", "/sign-out", "/api/session"}
PATHS = {
    "elder_id": "elder-1", "gateway_id": "gw-1", "key": "00000000-0000-0000-0000-000000000000", "token": "x" * 43,
    "doctor_id": "doctor-li", "rule_id": "spo2_low", "step": "submit",
}  # fmt: skip
FIELDS = {
    "doctor_id": "doctor-cao", "person": "elder", "device": "cuff-1", "address": "00:11:22:33:44:55", "subject": "elder-1",
    "what": "everything", "name": "cao", "to_name": "cao", "part": "desk", "team": "team-b", "id": "house-1", "password": PASSWORD,
    "contact": "王芳", "from": "2026-03-01T00:00:00Z", "to": "2026-03-01T03:12:00Z", "quantity": "spo2", "language": "zh", "channel": "log",
    "pin": "482913", "text": "abc",
}  # fmt: skip
FORMATS: dict[str, Any] = {"date-time": "2026-03-01T03:12:00Z", "date": "2026-03-01", "uuid": PATHS["key"]}
OWN = {"account", "audit", "session", "notify_route"}
"""Tables in which a signed-in doctor changes what is the doctor's own."""
OF_THE_ELDER = re.compile(r"\{(elder|alert|case|visit|consent|gateway|due)_id")
TABLES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY 1"
)


def asked_of(dependant: Dependant) -> list[tuple[str, Any]]:
    """The fields that a route demands in its query or its body: where it is ("Query", "Form", "Body"), and the field."""
    own = [
        (type(field.field_info).__name__, field)
        for field in (*dependant.query_params, *dependant.body_params)
        if field.field_info.is_required()
    ]
    return own + [field for inner in dependant.dependencies for field in asked_of(inner)]


def sample(name: str, schema: dict[str, Any], types: dict[str, Any]) -> Any:
    """A value that the schema allows."""
    if "$ref" in schema:
        return sample(name, types[schema["$ref"].rsplit("/", 1)[1]], types)
    if "anyOf" in schema:
        return sample(name, schema["anyOf"][0], types)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {key: sample(key, schema["properties"][key], types) for key in schema.get("required", [])}
    if schema.get("type") == "array":
        return [sample(name, schema["items"], types)]
    if schema.get("type") in ("integer", "number"):
        return 1
    if schema.get("type") == "boolean":
        return True
    return FIELDS.get(name) or FORMATS.get(schema.get("format", ""), FIELDS["text"])


def letter_for(route: APIRoute) -> dict[str, Any]:
    """What httpx needs to send the route what it demands."""
    found: dict[str, Any] = {}
    for where, field in asked_of(route.dependant):
        schema = TypeAdapter[Any](Annotated[field.field_info.annotation, field.field_info]).json_schema()  # type: ignore[arg-type]
        value = sample(field.alias, schema, schema.get("$defs", {}))
        if where == "Body":
            found["json"] = value
        else:
            found.setdefault({"Query": "params", "Form": "data"}[where], {})[field.alias] = value
    return found


@pytest.fixture
async def ids(street: Pool) -> dict[str, str]:
    """A whole story of elder-1 in the own team's hands, and the names of its parts in paths."""
    alert_id = await open_alert(street, "elder-1")
    visit_id = await offer_visit(street, "elder-1", alert_id=alert_id)
    case_id = await case_of(street, alert_id)
    consent_id = await consent(street, "state", "values")
    async with street.connection() as conn, conn.transaction():
        for step in (dispatch.accept, dispatch.depart, dispatch.arrive):
            await step(conn, visit_id, doctor_id="doctor-li", by="li", now=NOW)
        await dispatch.finish(conn, visit_id, doctor_id="doctor-li", findings=FINDINGS, outcome="treated", by="li", now=NOW)  # type: ignore[arg-type]
        [due_id] = await rounds.publish(conn, NOW.astimezone(ZONE).date(), NOW, [("elder-1", "other", ["doctor-li"])])
    open_visit = await offer_visit(street, "elder-1", now=NOW + timedelta(seconds=1))
    parts = {"due_id": due_id, "alert_id": alert_id, "case_id": case_id, "visit_id": open_visit, "consent_id": consent_id}
    return PATHS | {name: str(value) for name, value in parts.items()}


async def kept(pool: Pool, *without: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables but these."""
    async with pool.connection() as conn:
        tables = [row["relname"] for row in await rows(conn, TABLES) if row["relname"] not in without]
        assert len(tables) > 40
        return {table: await rows(conn, f"SELECT {table}::text AS row FROM {table} ORDER BY 1") for table in tables}


async def walk(client: httpx.AsyncClient, ids: dict[str, str]) -> list[tuple[str, APIRoute, httpx.Response]]:
    """Ask every route that ends; streams are tried elsewhere (test_events.py)."""
    found = []
    for router in (*API, *PAGES):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if route.response_class is StreamingResponse or route.path in ENDS_THE_SESSION:
                continue
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda name: ids.get(name[1], "1"), route.path)
            for method in sorted(route.methods or ()):
                found.append((f"{method} {route.path}", route, await client.request(method, path, **letter_for(route))))
    assert len(found) > 100
    return found


async def test_nobody_reads_or_changes_anything(anonymous: httpx.AsyncClient, ids: dict[str, str], street: Pool) -> None:
    before = await kept(street, "audit")
    for name, _, answer in await walk(anonymous, ids):
        assert not any(secret in answer.text for secret in SECRETS), name
    assert await kept(street, "audit") == before


async def test_a_doctor_of_another_team_reads_and_changes_nothing_of_the_elder(
    signed_in: SignedIn, ids: dict[str, str], street: Pool
) -> None:
    client = await signed_in("cao")
    before = await kept(street, *OWN)
    for name, route, answer in await walk(client, ids):
        assert not any(secret in answer.text for secret in SECRETS), name
        if OF_THE_ELDER.search(route.path):
            assert answer.status_code in (404, 409), f"{name} answers {answer.status_code}: {answer.text[:200]}"
    assert await kept(street, *OWN) == before


@pytest.mark.parametrize("odd", ["abc", "a\x00b"])
async def test_the_centre_is_understood_on_the_same_walk(
    signed_in: SignedIn, ids: dict[str, str], odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FIELDS, "text", odd)
    answers = await walk(await signed_in("root"), ids)
    assert [name for name, _, answer in answers if answer.status_code >= 500] == []
    assert odd != "abc" or sum(answer.is_success for _, _, answer in answers) > 50
