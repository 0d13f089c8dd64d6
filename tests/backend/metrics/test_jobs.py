"""The worker's jobs as figures and conditions."""

from prometheus_client import CollectorRegistry, generate_latest

from backend.metrics.jobs import LATE_GRACE_S, Jobs
from tests.backend.metrics.pages import figures
from tests.backend.street import NOW


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at_s = 50.0

    def __call__(self) -> float:
        return self.at_s


def late(jobs: Jobs) -> set[str]:
    return {one.name for one in jobs.conditions() if one.fault is not None}


def test_a_job_is_late_after_three_periods_and_a_little() -> None:
    clock = Clock()
    jobs = Jobs(CollectorRegistry(), lambda: NOW, clock)
    jobs.plan("offer", every_s=5)
    jobs.plan("house", every_s=3600)
    clock.at_s += 3 * 5 + LATE_GRACE_S
    assert late(jobs) == set()
    clock.at_s += 1
    assert late(jobs) == {"job_offer"}
    jobs.failed("offer", 0.1)
    assert late(jobs) == {"job_offer"}
    jobs.succeeded("offer", 0.1)
    assert late(jobs) == set()


def test_each_run_is_counted() -> None:
    registry = CollectorRegistry()
    jobs = Jobs(registry, lambda: NOW)
    jobs.plan("offer", every_s=5)
    assert figures(generate_latest(registry).decode())["jiahu_worker_job_last_success_timestamp_seconds", "offer"] == 0
    jobs.succeeded("offer", 0.5)
    jobs.failed("offer", 3.0)
    found = figures(generate_latest(registry).decode())
    assert found["jiahu_worker_job_seconds_count", "offer"] == 2
    assert found["jiahu_worker_job_seconds_sum", "offer"] == 3.5
    assert found["jiahu_worker_job_failures_total", "offer"] == 1
    assert found["jiahu_worker_job_last_success_timestamp_seconds", "offer"] == NOW.timestamp()
    assert found["jiahu_worker_job_period_seconds", "offer"] == 5
