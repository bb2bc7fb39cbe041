"""What Prometheus is told: how many sessions there are, and what became of each wish to start one.

Law: each registry has its own; what is not known now is left out, and never told as it was.
"""

from collections.abc import Iterator, Mapping
from typing import Final, final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lifecycle.registry.report import Health

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "lifecycle_registry"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)
RESULTS: Final = ("started", "already_active", "refused", "failed", "unavailable", "hung_up", "wrong")
"""What becomes of a join_room."""
_EVENTS: Final = ("started", "failed", "cancelled", "left", "reaped", "replaced", "lost", "lease_lost")
"""What becomes of sessions, and is told though it did not happen yet; the registry counts them."""


@final
class Metrics:
    """The numbers of one registry's admin surface."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._starts = Counter(f"{_PREFIX}_starts", "What became of each join_room.", ["result"], registry=self._all)
        self._refusals = Counter(
            f"{_PREFIX}_refusals", "Sessions that were not started, by the code that was told.", ["code"],
            registry=self._all,
        )  # fmt: skip
        self._leaves = Counter(f"{_PREFIX}_leaves", "What leave_room found.", ["cleaned_up"], registry=self._all)
        self._cleared = Counter(f"{_PREFIX}_cleared", "Sessions that clear_all_sessions found.", registry=self._all)
        self._latency = Histogram(
            f"{_PREFIX}_start_seconds", "How long a join_room took that started a session.", buckets=_SECONDS,
            registry=self._all,
        )  # fmt: skip
        self._up = Gauge(f"{_PREFIX}_place_up", "1 if the place of the leases answers.", registry=self._all)
        self._now = _Now()
        self._all.register(self._now)
        for result in RESULTS:
            self._starts.labels(result)
        for found in ("true", "false"):
            self._leaves.labels(found)

    def joined(self, result: str, code: int, seconds: float) -> None:
        """A join_room was answered.

        Args:
            result: one of RESULTS.
            code: that it was told.
            seconds: that it took.
        """
        self._starts.labels(result).inc()
        if result == "started":
            self._latency.observe(seconds)
        elif result in ("refused", "failed", "unavailable"):
            self._refusals.labels(str(code)).inc()

    def left(self, *, cleaned_up: bool) -> None:
        """A leave_room was answered."""
        self._leaves.labels(str(cleaned_up).lower()).inc()

    def cleared(self, before: int) -> None:
        """A clear_all_sessions was answered."""
        self._cleared.inc(before)

    def text(self, health: Health, counts: Mapping[str, int]) -> bytes:
        """All of it, in the text format of Prometheus.

        Args:
            health: of now.
            counts: what the registry has counted itself.
        """
        self._up.set(health.up)
        self._now.health, self._now.counts = health, counts
        return generate_latest(self._all)


@final
class _Now(Collector):
    """What is known at the moment only."""

    def __init__(self) -> None:
        self.health = Health(up=False, place="", active=None, capacity=0, ours=0)
        self.counts: Mapping[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        health = self.health
        numbers = {
            "sessions": ("Sessions of all owners that hold a slot.", health.active),
            "capacity": ("Sessions that there may be at once.", health.capacity),
            "sessions_ours": ("Sessions that this registry holds.", health.ours),
        }
        for name, (help_, value) in numbers.items():
            if value is not None:
                yield GaugeMetricFamily(f"{_PREFIX}_{name}", help_, value=value)
        became = CounterMetricFamily(
            f"{_PREFIX}_events", "What became of the sessions of this registry.", labels=["event"]
        )
        for event, count in {**dict.fromkeys(_EVENTS, 0), **self.counts}.items():
            became.add_metric([event], count)
        yield became
