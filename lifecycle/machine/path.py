"""One way through one step, and the tree of all ways that a cell has shown so far.

Law: a path is what the chart did, made ready to be repeated: what stops, what is done in order,
what starts, where it ends. Paths are shared by all connections and hold no values of theirs.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from lifecycle.definition.page import CallUse, Effect

from .plan import Action, Plan

if TYPE_CHECKING:
    from lifecycle.definition.definition import Clock

Log = tuple[tuple[str, int, bool], ...]
"""What the chart asked and did, in order: `?` guard and answer, `!` action, `+` entered, `-` left."""
_VALUED = {"send", "emit", "open", "close"}


@attrs.frozen(eq=False)
class Row:
    """A configuration, and all that follows from it alone.

    Attributes:
        states: the numbers of the active states, in page order.
        leaves: the paths of the innermost ones.
        status: that of the deepest active state that has one.
        hears: whether a byte from the peer is an event here.
        ended: whether the machine ends here.
        cells: event to the function of its cell.
    """

    states: tuple[int, ...]
    leaves: tuple[str, ...]
    status: str
    hears: bool
    ended: bool
    cells: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen(eq=False)
class Path:
    """What one step does.

    Attributes:
        event: the concrete event.
        before, after: the rows; equal if nothing is left.
        taken: whether the event is allowed.
        clauses: the ids of the clauses that happen.
        stops: clocks and calls of states that were left.
        effects: what is done, in order; each with the place of its value, or -1.
        starts: clocks and calls of states that were entered, each with the place of its value.
        plain: whether nothing of all this concerns the outside.
    """

    event: str
    before: Row | None
    after: Row
    taken: bool
    clauses: tuple[str, ...] = ()
    stops: "tuple[Clock | Running, ...]" = ()
    effects: tuple[tuple[Effect, int], ...] = ()
    starts: "tuple[tuple[Clock | Running, int], ...]" = ()
    plain: bool = True


@attrs.frozen
class Running:
    """A state's call while the state lasts."""

    state: str
    use: CallUse


@attrs.define
class Ask:
    """A guard and where its answers lead."""

    guard: int
    yes: Any = attrs.field(default=None, eq=False)
    no: Any = attrs.field(default=None, eq=False)


@attrs.define
class Deed:
    """A `set`, or an effect whose value is taken at this place of the order."""

    action: int
    then: Any = attrs.field(default=None, eq=False)


@attrs.define
class Bare:
    """From here on the event is one that a final raised, and has no fields."""

    then: Any = attrs.field(default=None, eq=False)


def nodes(plan: Plan, log: Log) -> Iterator[tuple[Ask | Deed | Bare, str]]:
    """What a log is in the tree: each node, and the way that is taken from it."""
    for kind, number, answer in log:
        if kind == "?":
            yield Ask(number), "yes" if answer else "no"
        elif kind == "!" and (is_set(plan.actions[number]) or is_valued(plan.actions[number])):
            yield Deed(number), "then"
        elif kind == "+" and plan.steps[number].raises is not None:
            yield Bare(), "then"


def deeds(plan: Plan, log: Log) -> list[Action]:
    """The actions of a log."""
    return [plan.actions[number] for kind, number, _ in log if kind == "!"]


def is_valued(action: Action) -> bool:
    """Whether the effect carries a value of the connection out."""
    return action.effect is not None and action.effect.word in _VALUED


def is_set(action: Action) -> bool:
    """Whether the effect changes variables."""
    return action.effect is not None and action.effect.word == "set"


def make_path(plan: Plan, event: str, before: Row | None, after: Row, log: Log) -> Path:
    """Make what a log says ready to be repeated."""
    actions = deeds(plan, log)
    left = {number for kind, number, _ in log if kind == "-"}
    was, now = set(before.states if before else ()), set(after.states)
    effects, place = [], 0
    for action in actions:
        if action.effect is None or is_set(action):
            continue
        effects.append((action.effect, place if is_valued(action) else -1))
        place += is_valued(action)
    stops: list[Clock | Running] = []
    starts: list[tuple[Clock | Running, int]] = []
    for clock in plan.clocks:
        needs = {plan.number[path] for path in (clock.state, *clock.within)}
        ran, runs, cut = bool(before) and needs <= was, needs <= now, bool(needs & left)
        # a silence that was told and not answered by leaving begins anew
        again = clock.name == event and clock.kind == "silent"
        if ran and (cut or not runs):
            stops.append(clock)
        if runs and (cut or not ran or again) and not after.ended:
            starts.append((clock, place))
            place += 1
    for number in before.states if before else ():
        state = plan.states[number]
        if state.call is not None and (number in left or number not in now):
            stops.append(Running(state.path, state.call))
    for number in after.states:
        state = plan.states[number]
        if state.call is not None and (number in left or number not in was) and not after.ended:
            starts.append((Running(state.path, state.call), place))
            place += 1
    clauses = tuple(action.text for action in actions if action.kind == "clause")
    plain = not (effects or stops or starts or after.ended)
    return Path(event, before, after, True, clauses, tuple(stops), tuple(effects), tuple(starts), plain)  # noqa: FBT003
