"""Names of events and ids of clauses: each event is told by something, each id stands for one clause.

Law: an event that nothing tells cannot occur, so whoever waits for it waits in vain.
"""

from collections.abc import Iterator

from lifecycle.definition.definition import Clause, Definition
from lifecycle.definition.lint.common import CALL_EVENTS, Problems, cause_rows, named
from lifecycle.definition.problem import Spot, did_you_mean
from lifecycle.definition.sources import covers

OURS = (*CALL_EVENTS, "timer", "opened", "closed", "heard")
"""First words of events that the library tells; a page cannot tell them itself."""


def names(definition: Definition) -> Problems:
    """Check the names of events, and that no clause id is used twice."""
    for what, event, at in _waited_for(definition):
        if not _told(definition, event):
            yield at.problem(
                f"{what} `{event}`, which nothing tells",
                did_you_mean(event, definition.sources, "tell it by `hears`, a cause, a route or a final state"),
            )
    for event, at in _told_by_page(definition):
        if event.partition(".")[0] in OURS:
            yield at.problem(
                f"an event called `{event}`",
                f"names that begin with {', '.join(OURS)} are the library's: choose another",
                key=True,
            )
    yield from _ids(definition)


def _told(definition: Definition, event: str) -> bool:
    # what a fragment lets pass is a family: any member may come
    return any(
        covers(event, source) or (kind == "left" and covers(source, event))
        for source, kind in definition.sources.items()
    )


def _waited_for(definition: Definition) -> Iterator[tuple[str, str, Spot]]:
    for state in definition.states.values():
        for clause in state.clauses:
            for index, event in enumerate(clause.on):
                if event not in CALL_EVENTS:
                    yield f"`{clause.id}` waits for", event, clause.at / "on" / index
        # a used page may ignore what only some of its hosts tell
        for index, event in enumerate(state.ignore if state.at.source is definition.at.source else ()):
            yield f"{named(state)} ignores", event, state.at / "ignore" / index
    for number, law in enumerate(definition.laws):
        for kind in ("never", "always", "sometimes"):
            for index, event in enumerate(getattr(law, kind).on if getattr(law, kind) is not None else ()):
                yield f"`{kind}` speaks of", event, definition.at / "laws" / number / kind / "on" / index
    for phase, events in definition.good.items():
        for index, event in enumerate(events):
            yield f"`good: {phase}` has", event, definition.at / "good" / phase / index


def _told_by_page(definition: Definition) -> Iterator[tuple[str, Spot]]:
    for event in definition.hears:
        yield event, definition.at / "hears" / event
    for row, at in cause_rows(definition):
        if row.is_ and row.use is None:
            yield row.is_, at / "is"
    for index, route in enumerate(definition.messages.routes):
        if route.raise_:
            yield route.raise_, definition.at / "messages" / "routes" / index / "raise"
    for state in definition.states.values():
        if state.final and state.final != "done":
            yield state.final, state.at / "final"


def _ids(definition: Definition) -> Problems:
    known: dict[str, Clause] = {}
    for state in definition.states.values():
        for clause in state.clauses:
            first = known.setdefault(clause.id, clause)
            if first is not clause:
                place = named(definition.states[first.state])
                yield clause.at.problem(
                    f"`{clause.id}` is a clause of {place} already",
                    "an id is used once in a page: choose a new one",
                    key=True,
                )
