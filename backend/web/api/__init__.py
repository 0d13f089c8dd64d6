"""The public HTTP API, one file per resource. Its description is at /api/openapi.json."""

from backend.web.api import alerts, cases, elders, family, live, pulse, session, visits

ROUTERS = (cases.router, alerts.router, visits.router, elders.router, family.router, pulse.router, live.router, session.router)
