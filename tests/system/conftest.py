"""The system's tests use the backend's clones of a prepared database."""

from tests.backend.conftest import database_url, template

__all__ = ["database_url", "template"]
