"""The readable schema is what the migrations make."""

import os

import pytest

from backend.db import schema
from tests.conftest import DatabaseServer


async def test_schema_sql_shows_what_the_migrations_make(database_server: DatabaseServer) -> None:
    if schema.SERVER in os.environ:
        pytest.skip("schema.sql shows the tables of the embedded PostgreSQL")
    assert await schema.describe_fresh(database_server.url) == schema.FILE.read_text("utf-8"), "run: make docs"
