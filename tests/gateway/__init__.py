"""Tests of the gateway; `home` and `conftest` hold what they share."""
