"""Clocks where two pages are explored together: which lead elsewhere, and which give up.

Law: time is left out. A party without a transport waits for nobody, so its clocks run out; one that
has a transport gives up only where nothing else can happen. To give up too early is to lose a connection,
which the network does, too.
"""

from collections.abc import Iterator
from typing import Any

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clause, Definition
from lifecycle.definition.expression import is_number

_GIVEN_UP = ("waiting", "suspended", "closing", "closed", "failed")


def leading(definition: Definition) -> set[str]:
    """The clocks, but for those of silence, that lead to another state."""
    return {name for name, _ in _clauses(definition)}


def giving_up(definition: Definition) -> set[str]:
    """Those that end what their state is about: they lead to a final state, out, or to a status of giving up."""
    return {name for name, clause in _clauses(definition) if _gives_up(definition, clause)}


def runs(length: Any) -> bool:
    """Whether a clock of this length ever runs out."""
    seconds = length[0] if isinstance(length, tuple) else length
    return isinstance(seconds, Backoff) or is_number(seconds)


def _clauses(definition: Definition) -> Iterator[tuple[str, Clause]]:
    for clause in definition.clauses.values():
        if clause.clock is not None and clause.clock.kind == "after" and clause.to is not None:
            yield clause.clock.name, clause


def _gives_up(definition: Definition, clause: Clause) -> bool:
    to = str(clause.to)
    status = next((each for path in definition.around(to) if (each := definition.states[path].status)), None)
    around = definition.parents.get(clause.state)
    out = around is not None and around not in definition.around(to)
    return definition.states[to].final is not None or out or status in _GIVEN_UP
