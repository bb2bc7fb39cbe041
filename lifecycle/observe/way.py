"""The spans of one connection, and the numbers that are taken at their ends.

Law: a span is open only while the connection is on its way to ready, or dials; being ready is none, for what does not
end is never told. A way that begins by a wish is a child of the span in which it was wished. Every other is a trace of
its own, linked to the connection's first way, for it may come days after whatever was around that has ended.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from .instrument import Named
from .meters import PAGE, STATUS, Meters

Attributes = Mapping[str, AttributeValue]

NONE: Final[Attributes] = MappingProxyType({})
NOWHERE: Final = set_span_in_context(INVALID_SPAN, Context())  # an empty one would mean the current one
_KINDS: Final = {"dial": SpanKind.CLIENT, "accept": SpanKind.SERVER}


@final
@attrs.frozen
class End:
    """How something ends.

    Attributes:
        at: when, by the connection's clock.
        error: what went wrong, as a word of the page; empty if the end was wanted.
        words: the same for people.
        facts: of the error, such as its code.
    """

    at: float
    error: str = ""
    words: str = ""
    facts: Attributes = NONE

    @property
    def label(self) -> Attributes:
        """The error as a label."""
        return {"error.type": self.error} if self.error else NONE


@final
@attrs.frozen
class _Going:
    """A span that is open: its beginning, by the connection's clock, and the context of its children."""

    span: Span
    since: float
    context: Context


@final
class Way:
    """What is told of one connection.

    Args:
        tracer, meters: to whom.
        page: its name.
        ids: what it and its events are called; each span says it as it is at its beginning.
        moved: what to add to the connection's clock to have seconds since 1970.
        epoch: which dial it is in.
        there: whether there is a transport, role server.

    Attributes:
        epoch, there: as they were told last.
        going: whether it is on its way to ready.
    """

    __slots__ = (
        "_before",
        "_dial",
        "_first",
        "_ids",
        "_labels",
        "_meters",
        "_moved",
        "_name",
        "_page",
        "_tracer",
        "_way",
        "epoch",
        "there",
    )

    def __init__(
        self, tracer: Tracer, meters: Meters, page: str, ids: Named, moved: float, *, epoch: int, there: bool
    ) -> None:
        self._tracer, self._meters, self._page, self._ids, self._moved = tracer, meters, page, ids, moved
        self.epoch, self.there = epoch, there
        self._name = "accept" if there else "connect"
        self._labels: Attributes = {PAGE: page}
        self._way: _Going | None = None
        self._dial: _Going | None = None
        self._first: SpanContext | None = None
        self._before = epoch  # the dials before this way

    @property
    def going(self) -> bool:
        """Whether it is on its way to ready."""
        return self._way is not None

    def set_out(self, at: float, parent: Context, cause: str, why: End) -> None:
        """A way begins.

        Args:
            at: when, by the connection's clock.
            parent: the context of who wished it, or NOWHERE.
            cause: the event by which it begins.
            why: what went wrong, if anything.
        """
        about: dict[str, AttributeValue] = {"lifecycle.cause": cause, **why.facts}
        if why.error:
            about["lifecycle.why"] = why.words
        self._way = self._go(self._name, at, parent, about)
        self._before = self.epoch
        self._first = self._first or self._way.span.get_span_context()

    def dialled(self, at: float, epoch: int, address: Attributes) -> None:
        """A transport is to come."""
        where = {name: address[name] for name in ("server.address", "server.port") if name in address}
        self._labels = {PAGE: self._page, **where}
        about = {"lifecycle.epoch": epoch, "network.protocol.name": "websocket", **address}
        self._dial = self._go("dial", at, self._context, about)
        self.epoch, self.there = epoch, True

    def opened(self, at: float) -> None:
        """The transport has come."""
        self._note(self._dial, "opened", at, NONE)

    def passed(self, at: float, status: str, event: str, clauses: tuple[str, ...]) -> None:
        """It has another status."""
        self._note(self._way, status, at, {"lifecycle.cause": event, "lifecycle.clauses": clauses})

    def waits(self, at: float, seconds: float) -> None:
        """It waits before it dials."""
        self._meters.wait.record(seconds, self._labels, self._context)
        self._note(self._way, "wait", at, {"lifecycle.wait": seconds})

    def made(self, at: float) -> None:
        """The dial, if there is one, has come to what it was for."""
        if self._dial is not None:
            self._meters.dial.record(at - self._dial.since, self._labels, self._dial.context)
            self._stop(self._dial, End(at))
            self._dial = None

    def ready(self, at: float) -> None:
        """It is ready; the way, if there was one, has come to its end."""
        self._meters.readies.add(1, self._labels, self._context)
        self._arrive(End(at))
        if self._name == "connect":
            self._name = "reconnect"

    def over(self, end: End, status: str) -> None:
        """A transport has ended, or does not come; `status` is where that happened."""
        self._meters.ends.add(1, {**self._labels, STATUS: status, **end.label}, self._context)
        self.there = False
        if self._dial is not None:
            if end.error:  # who gives up has not waited for the end
                labels = {**self._labels, **end.label}
                self._meters.dial.record(end.at - self._dial.since, labels, self._dial.context)
            self._stop(self._dial, end)
            self._dial = None

    def given_up(self, end: End) -> None:
        """The way, if there is one, ends before it is ready."""
        if end.error:
            self._arrive(end)
        elif self._way is not None:
            self._stop(self._way, end)
            self._way = None

    def failed(self, end: End) -> None:
        """It has failed while no span was open to tell it."""
        self._stop(self._go("fail", end.at, NOWHERE, NONE), end)

    def _arrive(self, end: End) -> None:
        if self._way is None:
            return
        labels = {**self._labels, "lifecycle.operation": self._name, **end.label}
        self._meters.connect.record(end.at - self._way.since, labels, self._way.context)
        if self.epoch > self._before:
            self._way.span.set_attribute("lifecycle.dials", self.epoch - self._before)
        self._stop(self._way, end)
        self._way = None

    @property
    def _context(self) -> Context:
        going = self._dial or self._way
        return NOWHERE if going is None else going.context

    def _go(self, name: str, at: float, parent: Context, about: Attributes) -> _Going:
        names: dict[str, AttributeValue] = {PAGE: self._page, "lifecycle.session": self._ids.session}
        names["lifecycle.epoch"] = self.epoch
        if self._ids.event is not None:
            names["lifecycle.event_id"] = self._ids.event
        links = [Link(self._first)] if self._first is not None and name != "dial" else []
        span = self._tracer.start_span(
            f"{name} {self._page}",
            parent,
            _KINDS.get(name, SpanKind.INTERNAL),
            {**names, **about},
            links,
            self._date(at),
        )
        return _Going(span, at, set_span_in_context(span, parent))

    def _note(self, going: _Going | None, name: str, at: float, about: Attributes) -> None:
        if going is not None:
            going.span.add_event(name, about, self._date(at))

    def _stop(self, going: _Going, end: End) -> None:
        if end.error:
            going.span.set_attributes({**end.label, **end.facts})
            going.span.set_status(Status(StatusCode.ERROR, end.words))
        going.span.end(self._date(end.at))

    def slept(self, seconds: float) -> None:
        """The connection's clock stood still for so long: dates are later by that."""
        self._moved += seconds

    def _date(self, at: float) -> int:
        """A time of the connection's clock in nanoseconds since 1970."""
        return int((at + self._moved) * 1e9)
