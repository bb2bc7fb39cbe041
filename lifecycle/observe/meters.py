"""The numbers of connections, for OpenTelemetry.

Law: what a connection counts by itself is read when somebody collects, so a message costs nothing. Who collects may be
another thread. There is one set of meters a provider, for a second one of the same names would not be asked. What has
ended is kept as a sum a page.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache, partial
from operator import attrgetter
from threading import Lock
from typing import Final, final, get_args
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider

from lifecycle.definition.page import Status

from .instrument import Observed

SCOPE: Final = "lifecycle"
PAGE: Final = "lifecycle.page"
STATUS: Final = "lifecycle.status"

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Bounds of buckets: from a dial in a house to an outage of hours."""
_NAMES: Final = "lifecycle.connection."
# a field of the connection's counters, a name, a unit, and what it is
_SUMS: Final = (
    ("dials", "dials", "{dial}", "Transports that were dialled; of a server, clients that asked"),
    ("sent", "messages.sent", "{message}", "Messages whose last byte was given to the system"),
    ("not_sent", "messages.not_sent", "{message}", "Messages of which no byte has left"),
    ("maybe", "messages.maybe_delivered", "{message}", "Messages that were lost with some of them gone"),
    ("withdrawn", "messages.withdrawn", "{message}", "Messages whose senders were cancelled in time"),
    ("delivered", "messages.delivered", "{message}", "Messages that came for the user"),
    ("dropped", "messages.dropped", "{message}", "Messages that a full inbox has lost, or later ones replaced"),
    ("duplicates", "messages.duplicate", "{message}", "Messages that had come before"),
    ("unrouted", "messages.unrouted", "{message}", "Messages that no route took"),
    ("gaps", "messages.gaps", "{gap}", "How often a number was missing in a sequence"),
    ("late", "requests.late", "{answer}", "Answers that nobody waited for any more"),
    ("refused", "events.refused", "{event}", "Facts that the state did not allow"),
    ("stale", "events.stale", "{event}", "Events whose dial, clock or call was gone"),
)
_LEVELS: Final = (
    ("pending", "requests.pending", "{request}", "Requests that wait for an answer"),
    ("waiting", "inbox.messages", "{message}", "Messages and marks that wait for the user"),
    ("queued", "outbox.messages", "{message}", "Messages that wait for the peer"),
)
_SUMS_OF: Final = attrgetter(*(field for field, *_ in _SUMS))
_LEVELS_OF: Final = attrgetter(*(field for field, *_ in _LEVELS))
_NO_SUMS: Final = (0,) * len(_SUMS)
_NO_LEVELS: Final = (0,) * len(_LEVELS)
_COUNT: Final = "count"

Rows = dict[str, list[tuple[int, ...]]]
"""Numbers by page, a row a connection."""


@final
class Meters:
    """Those of one provider.

    Args:
        provider: where they are made.

    Attributes:
        readies, ends: how often connections became ready, and how often one by one transport ended.
        dial, connect, wait: seconds of a dial until ready, of all the way to ready, and of a pause before a dial.
    """

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(SCOPE)
        self.readies = meter.create_counter(f"{_NAMES}readies", "{ready}", "How often connections became ready")
        self.ends = meter.create_counter(f"{_NAMES}ends", "{end}", "How often a dial failed, or what it made ended")
        self.dial, self.connect, self.wait = (
            meter.create_histogram(f"{_NAMES}{name}.duration", "s", what, explicit_bucket_boundaries_advisory=_SECONDS)
            for name, what in (
                ("dial", "From a dial to ready, or to its failure"),
                ("connect", "From the wish to connect, or from a loss, to ready, or to where it was given up"),
                ("wait", "The wait before a dial"),
            )
        )
        self._live: set[Observed] = set()
        self._past: dict[str, tuple[int, ...]] = {}
        self._lock = Lock()
        self._unread: dict[str, list[Observation]] = {}
        self._asking = Lock()
        for field, name, unit, what in _SUMS:
            meter.create_observable_counter(f"{_NAMES}{name}", [partial(self._tell, field)], unit, what)
        for field, name, unit, what in _LEVELS:
            meter.create_observable_up_down_counter(f"{_NAMES}{name}", [partial(self._tell, field)], unit, what)
        count = partial(self._tell, _COUNT)
        meter.create_observable_up_down_counter(f"{_NAMES}{_COUNT}", [count], "{connection}", "Connections by status")

    def join(self, connection: Observed) -> None:
        """Count a connection."""
        with self._lock:
            self._live.add(connection)

    def leave(self, connection: Observed) -> None:
        """Count it no more; what it has counted stays in the sums. Again is no harm."""
        counted, page = _SUMS_OF(connection.counters), connection.machine.definition.name
        with self._lock:
            if connection in self._live:
                self._live.remove(connection)
                self._past[page] = tuple(map(sum, zip(self._past.get(page, _NO_SUMS), counted, strict=True)))

    def _tell(self, what: str, _: CallbackOptions) -> Iterable[Observation]:
        # each look serves one collection, which asks for each number once
        with self._asking:
            if what not in self._unread:
                self._unread = self._look()
            return self._unread.pop(what)

    def _look(self) -> dict[str, list[Observation]]:
        with self._lock:  # not for longer: the connections wait for it
            live = tuple(self._live)
            sums: Rows = {page: [past] for page, past in self._past.items()}
        levels: Rows = {page: [_NO_LEVELS] for page in sums}
        statuses: dict[str, Counter[str]] = {page: Counter() for page in sums}
        for connection in live:
            page, counters = connection.machine.definition.name, connection.counters
            sums.setdefault(page, []).append(_SUMS_OF(counters))
            levels.setdefault(page, []).append(_LEVELS_OF(counters))
            statuses.setdefault(page, Counter())[connection.status] += 1
        told: dict[str, list[Observation]] = {}
        for fields, rows in ((_SUMS, sums), (_LEVELS, levels)):
            totals = {page: [sum(column) for column in zip(*each, strict=True)] for page, each in rows.items()}
            for place, (field, *_) in enumerate(fields):
                told[field] = [Observation(total[place], {PAGE: page}) for page, total in totals.items()]
        told[_COUNT] = [
            Observation(counts[status], {PAGE: page, STATUS: status})
            for page, counts in statuses.items()
            for status in get_args(Status)
        ]
        return told


_MADE: WeakKeyDictionary[MeterProvider, Meters] = WeakKeyDictionary()


def meters_of(provider: MeterProvider | None) -> Meters:
    """The meters of a provider; without one, of the global provider, which may also be set later."""
    if provider is None or provider is get_meter_provider():
        return _of_all()
    if provider not in _MADE:
        _MADE[provider] = Meters(provider)
    return _MADE[provider]


@cache
def _of_all() -> Meters:
    return Meters(get_meter_provider())
