"""What a lifecycle is: one flat page, every `use` expanded, every name resolved.

Law: frozen data. States know their full path, clauses their full id; a name in an expression is a
parameter, a variable, `event.` and a field, or `transport.open`, wherever it was written.
Chart, drawing, proof and driver read this and never a page.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from . import page
from .backoff import Backoff
from .expression import Expression
from .problem import Source, Spot
from .units import say_seconds

VERSION = 1
_NOWHERE = Spot(Source("<made>"))


def _at() -> Any:
    return attrs.field(default=_NOWHERE, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Clock:
    """A clock of a state. Clauses of the state with the same text share it.

    Attributes:
        name: the event that its running out is: `timer.<state>.<text>`.
        state: the path of its state.
        kind: after (since entry), or silent (since the last byte, too).
        length: seconds, an expression (of a backoff, its parameter's name), or a backoff fixed by `with`.
        by: the count that says which wait of a backoff it is.
        within: further states that must be active for it to run.
    """

    name: str
    state: str
    kind: Literal["after", "silent"]
    length: page.Length | Backoff
    by: str | None = None
    within: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As a page says it: `after 10 s`, `silent heartbeat_after`."""
        if isinstance(self.length, Backoff):
            return f"{self.kind} {say_seconds(self.length.nominal(1))} and longer"
        length = self.length.text if isinstance(self.length, Expression) else say_seconds(self.length)
        return f"{self.kind} {length}"


@attrs.frozen(kw_only=True)
class Clause:
    """What may happen in a state. `to` is a full path; no trigger at all makes a junction's clause."""

    id: str
    state: str
    on: tuple[str, ...] = ()
    clock: Clock | None = None
    when: Expression | None = None
    within: tuple[str, ...] = ()
    do: tuple[page.Effect, ...] = ()
    to: str | None = None
    say: str | None = None
    proof: bool = False
    at: Spot = _at()

    @property
    def free(self) -> bool:
        """Whether it happens whenever its trigger does."""
        return self.when is None and not self.within


@attrs.frozen(kw_only=True)
class State:
    """A state with everything that is in it. The page itself is the state with the path ''."""

    path: str
    status: str | None = None
    needs: str | None = None
    rest: bool = False
    final: str | None = None
    enter: tuple[page.Effect, ...] = ()
    exit: tuple[page.Effect, ...] = ()
    call: page.CallUse | None = None
    clauses: tuple[Clause, ...] = ()
    ignore: tuple[str, ...] = ()
    states: "tuple[State, ...]" = ()
    parallel: bool = False
    slot: bool = False
    used: str | None = None
    at: Spot = _at()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def junction(self) -> bool:
        """Whether it is left in the step that enters it: its clauses have no trigger."""
        return bool(self.clauses) and all(not c.on and c.clock is None for c in self.clauses)

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """Its clocks, each once, in page order."""
        return tuple(dict.fromkeys(c.clock for c in self.clauses if c.clock is not None))

    def walk(self) -> "Iterator[State]":
        """Itself and all inside, outer before inner, in page order."""
        yield self
        for state in self.states:
            yield from state.walk()


@attrs.frozen(kw_only=True)
class Definition:
    """A page that can be drawn, proven and run.

    Attributes:
        parameters: what the embedder may set, those of used pages included.
        origins: parameter, variable or call to the page that declares it.
        variables: the connection's memory; those of a used page as `<use-point>.<name>`.
        sources: every event that can occur, to where it comes from.
        causes: rows of used pages after the page's own; only its own `otherwise`.
        frames: what can be sent by name; those of a used page as `<use-point>.<name>`.
    """

    name: str
    title: str = ""
    about: str = ""
    role: page.Role | None = None
    stop: str = "disconnect"
    latency: float = 1.0
    min_time_per_dial: float = 1.0
    good: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    parameters: Mapping[str, page.Parameter] = attrs.field(factory=dict)
    variables: Mapping[str, page.Variable] = attrs.field(factory=dict)
    origins: Mapping[str, str] = attrs.field(factory=dict)
    hears: Mapping[str, page.Fields] = attrs.field(factory=dict)
    leaves: tuple[str, ...] = ()
    sources: Mapping[str, str] = attrs.field(factory=dict)
    dial: page.Dial = page.Dial()
    calls: Mapping[str, page.Call] = attrs.field(factory=dict)
    causes: tuple[page.Cause, ...] = ()
    messages: page.Messages = page.Messages()
    requests: page.Requests | None = None
    laws: tuple[page.Law, ...] = ()
    trace: page.Traced = page.Traced()
    root: State
    at: Spot = _at()

    @functools.cached_property
    def states(self) -> Mapping[str, State]:
        """Every state by its path, outer before inner, in page order."""
        return {state.path: state for state in self.root.walk()}

    @functools.cached_property
    def clauses(self) -> Mapping[str, Clause]:
        """Every clause by its id, in page order."""
        return {clause.id: clause for state in self.root.walk() for clause in state.clauses}

    @functools.cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The value of each parameter that need not be given, in page order; None stands for nothing."""
        return {
            name: None if parameter.default == page.OPTIONAL else parameter.default
            for name, parameter in self.parameters.items()
            if parameter.default != page.REQUIRED
        }

    @functools.cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """Every clock, in page order."""
        return tuple(clock for state in self.root.walk() for clock in state.clocks)

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """The words of all its effects."""
        lists = ((state.enter, state.exit, *(clause.do for clause in state.clauses)) for state in self.root.walk())
        return frozenset(effect.word for each in lists for effects in each for effect in effects)

    @functools.cached_property
    def parents(self) -> Mapping[str, str]:
        """The path of the state around each state; the page itself has none."""
        return {inner.path: state.path for state in self.root.walk() for inner in state.states}

    @functools.cached_property
    def hash(self) -> str:
        """Names what the page does, not where it stands or how it is explained."""
        text = json.dumps([VERSION, _plain(self)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def around(self, path: str) -> Iterator[str]:
        """The state itself, then those around it, inner before outer."""
        yield path
        while path in self.parents:
            path = self.parents[path]
            yield path


_EXPLAINING = {"at", "title", "about", "help", "say", "origins", "used", "trace"}
_LATER = {"endpoint"}
"""Keys that came later: a page that does not say them keeps the hash that it had."""


def _plain(value: Any) -> Any:
    if isinstance(value, Expression):
        return f"={value.text}"
    if attrs.has(type(value)):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in attrs.fields(type(value))
            if field.name not in _EXPLAINING and not (field.name in _LATER and getattr(value, field.name) is None)
        }
    if isinstance(value, Mapping):
        # the order of rows can be meaning: clauses, states, routes
        return [[name, _plain(part)] for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
