"""The pages, one file per audience."""

from backend.web.pages import admin, doctor, operator, rules, search, signin, watch

ROUTERS = (signin.router, operator.router, search.router, doctor.router, admin.router, rules.router, watch.router, watch.review)
