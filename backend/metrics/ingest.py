"""The figures of an ingest process. What is counted is counted once it is committed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

LATENCY_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""From a quiet street to the limit of readiness; a press must be on the page within 5 s."""
TRANSACTION_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
GROUP = (1, 2, 5, 10, 25, 50, 100, 250, 1000)


@dataclass(frozen=True, slots=True)
class IngestState:
    """How things stand at this moment: messages that wait, the age of the oldest live one not stored yet (0: none), and the broker."""

    urgent: int
    other: int
    oldest_s: float
    is_connected: bool
    dropped: int


class IngestMetrics:
    """Everything one ingest process counts, in `registry`. `look` gives the present state; it is called from another thread."""

    def __init__(self, registry: CollectorRegistry, look: Callable[[], IngestState]) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"jiahu_ingest_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"jiahu_ingest_{name}", what, labels, buckets=buckets, registry=registry)

        self._look = look
        self._messages = counter("messages", "Messages stored, by last level of their topic; repeats count.", "leaf")
        self._readings = counter("readings", "Readings stored for the first time.")
        self._events = counter("events", "Events stored for the first time.")
        self._repeats = counter("repeats", "Readings and events that came again and changed nothing.")
        self._rejects = counter("rejects", "Messages set aside because they cannot be read or stored, by reason.", "reason")
        self._retries = counter("store_retries", "Transactions tried again because the database was in trouble.")
        self._latency = histogram("arrival_to_commit_seconds", "From a message's arrival to its commit.", LATENCY_S, "leaf")
        self._transaction = histogram("transaction_seconds", "From asking for a connection to the commit.", TRANSACTION_S)
        self._group = histogram("group_messages", "Messages stored in one transaction.", GROUP)
        registry.register(self)

    def committed(self, messages: Iterable[tuple[str, float]], *, readings: int, events: int, repeats: int) -> None:
        """A group was committed. `messages`: leaf, and seconds since the arrival, of each."""
        ages_s: defaultdict[str, list[float]] = defaultdict(list)
        for leaf, age_s in messages:
            ages_s[leaf].append(age_s)
        for leaf, ages in ages_s.items():
            self._messages.labels(leaf).inc(len(ages))
            observe = self._latency.labels(leaf).observe  # found once: finding it takes as long as using it
            for age_s in ages:
                observe(age_s)
        self._group.observe(sum(map(len, ages_s.values())))
        self._readings.inc(readings)
        self._events.inc(events)
        self._repeats.inc(repeats)

    def rejected(self, reason: str) -> None:
        """A message was set aside."""
        self._rejects.labels(reason).inc()

    def transacted(self, seconds: float) -> None:
        """A transaction has committed."""
        self._transaction.observe(seconds)

    def delayed(self) -> None:
        """A transaction will be tried again."""
        self._retries.inc()

    def collect(self) -> Iterator[Metric]:
        """What is looked up when somebody asks."""
        state = self._look()
        waiting = GaugeMetricFamily("jiahu_ingest_queue_messages", "Messages waiting to be stored.", labels=["queue"])
        waiting.add_metric(["urgent"], state.urgent)
        waiting.add_metric(["other"], state.other)
        yield waiting
        oldest = "Age of the oldest message that is not stored yet, batches of a backlog apart; 0 when there is none."
        yield GaugeMetricFamily("jiahu_ingest_oldest_waiting_seconds", oldest, state.oldest_s)
        yield GaugeMetricFamily("jiahu_ingest_connected", "1 while subscribed at the broker, else 0.", state.is_connected)
        dropped = "Messages for which there was no room in memory; their gateways send them again."
        yield CounterMetricFamily("jiahu_ingest_dropped_messages", dropped, state.dropped)
