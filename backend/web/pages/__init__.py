"""The pages, one file per audience."""

from backend.web.pages import admin, doctor, operator, signin

ROUTERS = (signin.router, operator.router, doctor.router, admin.router)
