"""The figures of a worker process: its jobs, and what the tables say about the whole.

Every worker says the same about the whole: take the maximum over them, not the sum.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily

from backend.metrics.jobs import Jobs, late_after_s
from backend.metrics.store import Gateways, Open

OPEN_S = 5.0
GATEWAYS_S = 30.0
"""As often as a gateway sends its status."""
PRIORITIES = ("high", "medium", "low", "technical")
CASE_STATES = ("new", "taken", "in_hand", "resolved")
VISIT_STATES = ("requested", "offered", "accepted", "on_the_way", "at_home")
CHANNELS = ("log", "webhook", "email", "service")


class WorkerMetrics:
    """What was read last. What is too old is not said at all: a figure of an hour ago would look as if all were well."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], datetime], clock_s: Callable[[], float] = time.monotonic) -> None:
        self.jobs = Jobs(registry, clock, clock_s)
        self._clock, self._clock_s = clock, clock_s
        self._open: tuple[float, Open] | None = None
        self._gateways: tuple[float, Gateways] | None = None
        registry.register(self)

    def take_open(self, found: Open) -> None:
        """What was just read."""
        self._open = (self._clock_s(), found)

    def take_gateways(self, found: Gateways) -> None:
        """What was just read."""
        self._gateways = (self._clock_s(), found)

    def collect(self) -> Iterator[Metric]:
        """All that is fresh."""
        now_s = self._clock_s()
        if (kept := self._open) is not None and now_s - kept[0] <= late_after_s(OPEN_S):
            yield from _of_open(kept[1], self._clock())
        if (counted := self._gateways) is not None and now_s - counted[0] <= late_after_s(GATEWAYS_S):
            yield from _of_gateways(counted[1])


def _of_open(found: Open, now: datetime) -> Iterator[Metric]:
    cases = {(priority, state): 0 for priority in PRIORITIES for state in CASE_STATES} | found.cases
    yield _gauge("jiahu_cases_open", "Cases that are not closed.", ("priority", "state"), cases)
    ages = {(priority,): _age_s(found.unanswered_since.get(priority), now) for priority in PRIORITIES}
    what = "How long the oldest case has waited that nobody has taken, 0 when there is none."
    yield _gauge("jiahu_cases_oldest_unanswered_seconds", what, ("priority",), ages)
    visits = {(state,): found.visits.get(state, 0) for state in VISIT_STATES}
    yield _gauge("jiahu_visits_open", "Visits that are neither done nor cancelled.", ("state",), visits)
    what = "Age of the oldest offer that its doctor has not answered, 0 when there is none."
    yield GaugeMetricFamily("jiahu_visits_oldest_unanswered_offer_seconds", what, _age_s(found.offered_since, now))
    waiting = {(channel,): found.notifications.get(channel, 0) for channel in sorted({*CHANNELS, *found.notifications})}
    yield _gauge("jiahu_notifications_waiting", "Messages to people that are not sent yet.", ("channel",), waiting)
    overdue = {(channel,): _age_s(found.due_since.get(channel), now) for channel in sorted({*CHANNELS, *found.notifications})}
    yield _gauge("jiahu_notifications_oldest_overdue_seconds", "How long the oldest has been due, 0 when none is.", ("channel",), overdue)


def _of_gateways(found: Gateways) -> Iterator[Metric]:
    states = {("online",): found.online, ("offline",): found.offline, ("never",): found.never}
    yield _gauge("jiahu_gateways", "Gateways by whether they are heard; never: not once yet.", ("state",), states)
    yield GaugeMetricFamily("jiahu_gateways_waiting_entries", "Entries in all gateways' outboxes.", found.waiting)
    yield GaugeMetricFamily("jiahu_gateways_waiting_entries_max", "Entries in the fullest gateway's outbox.", found.waiting_max)
    yield GaugeMetricFamily("jiahu_gateways_clock_off", "Gateways online whose clock is wrong.", found.clock_off)


def _gauge(name: str, what: str, labels: tuple[str, ...], values: Mapping[tuple[str], float] | Mapping[tuple[str, str], float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _age_s(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
