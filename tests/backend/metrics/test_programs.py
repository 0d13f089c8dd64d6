"""Worker and web as programs: each answers on the port of its own that the file names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.child_process import wait_until
from simulators.keeper import Program
from simulators.servers import free_port
from tests.backend.metrics.pages import ask, scrape, wrong

pytestmark = [pytest.mark.system]

DEADLINE_S = 60.0


@contextmanager
def running(folder: Path, name: str, database_url: str) -> Iterator[int]:
    """The port for its figures, once it is served."""
    port = free_port()
    config = folder / "backend.toml"
    config.write_text(f'[database]\nurl = "{database_url}"\n[web]\nport = {free_port()}\n[metrics]\n{name}_port = {port}\n')
    program = Program(["backend", name, "--config", str(config)], folder / "log", {})
    program.start()
    try:
        wait_until(lambda: serves(port), deadline_s=DEADLINE_S, what=f"figures of {name}")
        yield port
    finally:
        program.stop()


def serves(port: int) -> bool:
    try:
        return ask(port, "/healthz")[0] == 200
    except OSError:
        return False


def test_a_worker_is_ready_and_tells_the_whole(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, "worker", database_url) as port:
        wait_until(lambda: not wrong(port), deadline_s=DEADLINE_S, what="readiness")
        wait_until(
            lambda: {("jiahu_gateways", "never"), ("jiahu_cases_oldest_unanswered_seconds", "high")} <= scrape(port).keys(),
            deadline_s=DEADLINE_S,
            what="the count of gateways",
        )
        found = scrape(port)
        assert found["jiahu_cases_oldest_unanswered_seconds", "high"] == 0
        assert found["jiahu_worker_job_last_success_timestamp_seconds", "offer_visits"] > 1e9


def test_a_web_process_is_ready_and_counts(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, "web", database_url) as port:
        wait_until(lambda: not wrong(port), deadline_s=DEADLINE_S, what="readiness")
        assert scrape(port)["jiahu_web_live_pages",] == 0
