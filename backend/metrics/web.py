"""The figures of a web process. Labels are routes as they are written in the code: no ids, nothing a stranger could make up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily

REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class WebState:
    """Open pages with a live stream, and seconds since the watcher last looked into the tables; None before its first look."""

    pages: int
    look_age_s: float | None


class WebMetrics:
    """Everything one web process counts, in `registry`. `look` gives the present state; it is called from another thread."""

    def __init__(self, registry: CollectorRegistry, look: Callable[[], WebState]) -> None:
        self._look = look
        self._requests = Counter(
            "jiahu_web_requests", "Requests answered, by class of their status.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "jiahu_web_request_seconds",
            "Seconds to the end of the answer; of a stream, to its beginning.",
            ["method", "route"],
            buckets=REQUEST_S,
            registry=registry,
        )
        registry.register(self)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is its template."""
        method = method if method in METHODS else "OTHER"
        self._requests.labels(method, route, f"{status // 100}xx").inc()
        self._seconds.labels(method, route).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """What is looked up when somebody asks."""
        state = self._look()
        yield GaugeMetricFamily("jiahu_web_live_pages", "Pages with an open live stream.", state.pages)
        if state.look_age_s is not None:
            what = "Seconds since the live watcher looked into the tables."
            yield GaugeMetricFamily("jiahu_web_live_look_age_seconds", what, state.look_age_s)
