"""Asks a process's port as Prometheus and a probe do."""

import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 10.0


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wrong(port: int, path: str = "/readyz") -> dict[str, Any]:
    """What is wrong, by name; the status must agree with it. An empty dict: all is well."""
    status, body = ask(port, path)
    found: dict[str, Any] = json.loads(body)["wrong"]
    assert (status == 200) is (not found), body
    return found


def figures(page: str) -> dict[tuple[str, ...], float]:
    """(name of the sample, label values) -> value, as Prometheus's own parser reads it."""
    families = text_string_to_metric_families(page)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def scrape(port: int) -> dict[tuple[str, ...], float]:
    """The figures of a process."""
    status, page = ask(port, "/metrics")
    assert status == 200, page
    return figures(page)
