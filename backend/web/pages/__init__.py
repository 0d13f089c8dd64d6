"""The pages, one file per audience."""

from backend.web.pages import (
    admin,
    bluetooth,
    casework,
    centre,
    doctor,
    elder_card,
    institutions,
    operator,
    planner,
    receipts,
    rules,
    search,
    signin,
    teams,
    watch,
)

ROUTERS = (
    signin.router,
    operator.router,
    elder_card.router,
    bluetooth.router,
    search.router,
    doctor.router,
    admin.router,
    rules.router,
    teams.router,
    planner.router,
    watch.router,
    watch.review,
    casework.router,
    centre.router,
    institutions.router,
    receipts.router,
)
