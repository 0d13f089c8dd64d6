"""The worker's jobs: how long they take, when each succeeded last, and which are late."""

import math
import time
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from backend.metrics.health import Condition, too_old

JOB_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LATE_PERIODS = 3
LATE_GRACE_S = 10.0
"""Beside three periods, so that a tick of one second is not called late by a single slow statement, and a start has its time."""


class Jobs:
    """What the worker's jobs did. `clock_s` only grows and tells ages; `clock` is for Prometheus."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], datetime], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._clock_s = clock, clock_s
        self._period_s: dict[str, float] = {}
        self._succeeded_s: dict[str, float] = {}
        self._seconds = Histogram("jiahu_worker_job_seconds", "Seconds of one run.", ["job_name"], buckets=JOB_S, registry=registry)
        self._failures = Counter("jiahu_worker_job_failures", "Runs that ended in an error.", ["job_name"], registry=registry)
        self._last = Gauge(
            "jiahu_worker_job_last_success_timestamp_seconds",
            "When it succeeded last, since 1970; 0: not yet.",
            ["job_name"],
            registry=registry,
        )
        self._period = Gauge("jiahu_worker_job_period_seconds", "From one start to the next.", ["job_name"], registry=registry)

    def plan(self, job: str, *, every_s: float) -> None:
        """A job that will run from now on."""
        self._period_s[job], self._succeeded_s[job] = every_s, self._clock_s()
        self._period.labels(job).set(every_s)
        self._last.labels(job).set(0)
        self._failures.labels(job).inc(0)

    def succeeded(self, job: str, seconds: float) -> None:
        """One run ended well."""
        self._succeeded_s[job] = self._clock_s()
        self._last.labels(job).set(self._clock().timestamp())
        self._seconds.labels(job).observe(seconds)

    def failed(self, job: str, seconds: float) -> None:
        """One run ended in an error."""
        self._failures.labels(job).inc()
        self._seconds.labels(job).observe(seconds)

    def conditions(self) -> list[Condition]:
        """Each job must have succeeded within three of its periods and a little."""
        now_s = self._clock_s()
        return [
            Condition(f"job_{job}", too_old(f"no success of {job}", now_s - self._succeeded_s.get(job, -math.inf), late_after_s(every_s)))
            for job, every_s in list(self._period_s.items())
        ]


def late_after_s(every_s: float) -> float:
    """Age of the last success from which a job with this period is late."""
    return LATE_PERIODS * every_s + LATE_GRACE_S
