"""Where each event comes from, and which fields it brings.

Law: an event that is not here cannot occur; a clause that waits for it is a mistake.
"""

from collections.abc import Iterable, Mapping

from . import page
from .grow import Node
from .instance import Book

CAUSE_FIELDS = ("code", "status", "text", "retry_after", "endpoint", "say")
FAILED_FIELDS = ("code", "message", "status", "retry_after")
UNNAMED = "lost"
"""What every end is on a page without causes."""
FACTS: Mapping[str | None, tuple[str, ...]] = {
    "client": ("opened", "closed", "heard"),
    "server": ("closed", "heard"),
    "session": (),
    None: ("opened", "closed", "heard"),
}


class Sources:
    """Every event of the whole.

    Attributes:
        kinds: event to what tells it: fact, wish, cause, route, final, or left (by this page to
            whoever uses it).
    """

    def __init__(self, root: Node, book: Book, causes: Iterable[page.Cause]) -> None:
        self.kinds: dict[str, str] = {}
        self.known: dict[str, set[str] | None] = {}
        first = book.instances[0]
        for fact in FACTS[first.page.role]:
            self._add(fact, "fact", ())
        for event, fields in first.page.hears.items():
            self._add(event, "wish", fields)
        rows = list(causes)
        if not rows and not first.page.leaves and first.page.role in ("client", "server"):
            # a page that names no end hears each of them by this name
            self._add(UNNAMED, "cause", CAUSE_FIELDS)
        for row in rows:
            if row.is_:
                self._add(row.is_, "cause", CAUSE_FIELDS)
        for one in book.instances:
            for route in (one.page.messages or page.Messages()).routes:
                if route.raise_:
                    self._add(one.event(route.raise_), "route", route.fields)
        for node in root.walk():
            for layer in node.layers:
                final = layer.state.final
                if final and final != "done":
                    # a final of the page itself ends it: nobody is left to hear
                    self._add(
                        layer.instance.event(final), "final" if node.parent and node.parent.parent else "exit", ()
                    )
        for event in first.page.leaves:
            self._add(event, "left", None)

    def _add(self, event: str, kind: str, fields: Iterable[str] | None) -> None:
        self.kinds.setdefault(event, kind)
        known = self.known.setdefault(event, set())
        if fields is None or known is None:
            self.known[event] = None
        else:
            known.update(fields)

    def fields(self, node: Node, on: Iterable[str], calls: Mapping[str, page.Call]) -> tuple[str, ...] | None:
        """The fields that any of these events can bring to this state; None: anything."""
        found: set[str] = set()
        for event in on:
            if event in ("done", "failed"):
                own = next(
                    (layer.instance.call(layer.state.call.name) for layer in node.layers if layer.state.call), None
                )
                found.update(
                    FAILED_FIELDS
                    if event == "failed"
                    else calls[own].returns
                    if own is not None and own in calls
                    else ()
                )
                continue
            for source, fields in self.known.items():
                if covers(event, source) or (fields is None and covers(source, event)):
                    if fields is None:
                        return None
                    found.update(fields)
        return tuple(found)


def covers(family: str, event: str) -> bool:
    """Whether an event is of a family: `lost` covers `lost` and `lost.silent`."""
    return event == family or event.startswith(f"{family}.")


def overlap(one: str, other: str) -> bool:
    """Whether some event is of both families."""
    return covers(one, other) or covers(other, one)
