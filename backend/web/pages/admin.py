"""The administrator's list of accounts, read-only: accounts come with `python -m backend load`."""

from fastapi import APIRouter, Request, Response

from backend.people import accounts
from backend.web import render
from backend.web.auth import Admin, Now, TheWeb

router = APIRouter(include_in_schema=False)


@router.get("/admin/accounts")
async def list_accounts(request: Request, web: TheWeb, who: Admin, now: Now) -> Response:
    """All accounts."""
    async with web.pool.connection() as conn:
        await accounts.audit_view(conn, by=who.name, subject="accounts", now=now)
        everybody = await accounts.everybody(conn)
    return render.page(request, "accounts.html", everybody=everybody)
