"""A page as a state machine for Hypothesis: whatever can happen, in any order, to a machine and to the model.

Law: what is drawn is what the exploration would try, so a run is a random walk through a proof. Each
step is taken twice, by a real machine and by the model, and must come out alike; the laws that speak of
states and steps are judged on the way. Hypothesis is an extra, and imported when it is asked for.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import PageLike, read
from lifecycle.definition.sources import covers
from lifecycle.errors import IllegalEvent, LawBroken
from lifecycle.machine import effects as out
from lifecycle.machine.path import Path
from lifecycle.machine.plan import START
from lifecycle.machine.source import OutOfRange
from lifecycle.proof.explore import first_variables
from lifecycle.proof.graph import Edge, Graph, Move, Node
from lifecycle.proof.laws import laws
from lifecycle.proof.prove import settings_of
from lifecycle.proof.vectors import plain
from lifecycle.proof.world import World

from .puppet import NotThere, Puppet

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

_JUDGED = {"bounded", "handled", "one-transport", "transport-fits", "never", "always"}
_START = Move("start", START)
_SILENCE = Move("silence")
_ALLOWED = 1e-9
_MOST_STARTS = 256
_SAYS = {
    "start": "the page begins",
    "opened": "the transport opens",
    "heard": "bytes come",
    "closed": "the transport is closed",
    "silence": "the peer falls silent",
    "wish": "wish {}",
    "end": "the transport ends with {}",
    "message": "a message brings {}",
    "timer": "{} runs out",
    "call": "a call ends as {}",
}


@attrs.frozen
class Coverage:
    """Which clauses of a page have fired.

    Attributes:
        fired: clause id to the number of steps in which it fired, in page order.
        never: the ids of the others, in page order.
        runs: how often the page was started.
    """

    fired: Mapping[str, int]
    never: tuple[str, ...]
    runs: int


@attrs.frozen(eq=False, repr=False)
class Choice:
    """Something that can happen next, and what comes of it in the model; no target if the page refuses it."""

    move: Move
    path: Path | None = None
    target: Node | None = None
    overrun: str = ""
    variables: Mapping[str, Any] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        """As a failing example shows it."""
        move = self.move
        fields = ", ".join(f"{name} = {value!r}" for name, value in plain(self.variables or move.fields).items())
        said = _SAYS[move.cause].format(move.event.removeprefix("timer.")) + (f" ({fields})" if fields else "")
        if self.target is None:
            return f"{said} -> refused"
        return f"{said} -> {' + '.join(self.target.row.leaves)}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 -- as Hypothesis calls it
        # Hypothesis would show every field of attrs classes
        del cycle
        printer.text(repr(self))


@attrs.frozen(eq=False, repr=False)
class Setting:
    """One setting of the parameters, its model, and what was found out about it so far."""

    world: World
    varied: Mapping[str, Any]
    known: dict[Node | None, tuple[tuple[Choice, ...], ...]] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        """What it does not share with the others."""
        return ", ".join(f"{name} = {value!r}" for name, value in self.varied.items()) or "the parameters"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 -- as Hypothesis calls it
        del cycle
        printer.text(repr(self))

    def choices(self, node: Node | None) -> tuple[tuple[Choice, ...], ...]:
        """All that can happen in a node, by cause; that the page begins, if there is no node, or nothing can."""
        if node not in self.known:
            groups: dict[str, list[Choice]] = {}
            for choice in self._choices(node) if node is not None and not node.row.ended else ():
                groups.setdefault(choice.move.cause, []).append(choice)
            self.known[node] = tuple(map(tuple, groups.values())) or (tuple(self._starts()),)
        return self.known[node]

    def _starts(self) -> Iterator[Choice]:
        world = self.world
        for variables in itertools.islice(first_variables(world), _MOST_STARTS):
            before = Node(world.table.row(()), variables, (), (), world.first_phase())
            choice = self._choice(before, _START, first=True)
            # a fragment trusts its user; a page with a role has nobody to trust
            if choice is not None and (not choice.overrun or world.definition.role):
                named = zip(world.definition.variables.items(), variables, world.table.initial, strict=True)
                yield attrs.evolve(choice, variables={name: now for (name, _), now, first in named if now != first})

    def _choices(self, node: Node) -> Iterator[Choice]:
        for move in self.world.moves(node):
            choice = self._choice(node, move)
            if choice is not None:
                yield choice
        if node.phase == "open":
            yield Choice(_SILENCE, target=node._replace(phase="half-open"))

    def _choice(self, node: Node, move: Move, *, first: bool = False) -> Choice | None:
        world = self.world
        if not first and move.event not in world.table.plan.alphabet:
            return Choice(move)
        row = None if first else node.row
        try:
            changed, path, values = world.table.step(row, move.event, node.variables, world.parameters, move.fields)
        except OutOfRange as error:
            return Choice(move, overrun=str(error))
        if not path.taken:
            # what a fragment lets pass is not refused: the page that uses it takes it
            to_host = any(covers(family, move.event) for family in world.definition.leaves)
            return None if to_host else Choice(move)
        target = world.after(node, move, changed, path, values)
        return None if target is None else Choice(move, path, target)


class Walk:
    """One run: a machine and the model, side by side.

    Args:
        setting: under which it runs.
        fired: counts the clauses.
    """

    def __init__(self, setting: Setting, fired: Counter[str]) -> None:
        self.setting, self.fired = setting, fired
        self.laws = [law for law in laws(setting.world.definition) if law.name.split()[0] in _JUDGED]
        self.node: Node | None = None
        self.puppet = Puppet(setting.world.definition, **setting.world.settings)

    def choices(self) -> tuple[tuple[Choice, ...], ...]:
        """What can happen next, by cause: a page with twenty ways to be lost is not to be lost in each second step."""
        return self.setting.choices(self.node)

    def take(self, choice: Choice) -> None:
        """Take a step.

        Raises:
            LawBroken: the page breaks a law in it.
            AssertionError: the model and the machine do not agree: a fault of ours.
        """
        world, before = self.setting.world, self.node
        if choice.move.cause == "start" or before is None:
            self.puppet = Puppet(world.definition, **world.settings)
            if choice.target is not None:
                self.puppet.start(choice.variables)
            self._come(choice, Graph(world))
            return
        if choice.move.cause != "silence":
            self._tell(choice)
        self._come(choice, Graph(world, nodes=[before], edges=[[]], parents=[(-1, Edge(_START, None, 0))]))

    def _tell(self, choice: Choice) -> None:
        move, refused = choice.move, False
        try:
            self.puppet.step(move.cause, move.event, move.fields)  # type: ignore[arg-type]  # start and silence are not told
        except IllegalEvent:
            refused = True
        except NotThere as error:
            raise AssertionError(f"in the model {choice} can happen, and to the machine it cannot: {error}") from error
        if refused != (choice.target is None):
            does = "refuses it" if refused else f"goes to {self.puppet.states}"
            raise AssertionError(f"in the model {choice}; the machine {does}")

    def _come(self, choice: Choice, graph: Graph) -> None:
        """Arrive, compare, and judge; the graph has the node before, if there is one."""
        last = len(graph.nodes) - 1
        if choice.target is None:
            if choice.overrun:
                graph.overruns.append((last, choice.move, choice.overrun))
            else:
                graph.refused.append((last, choice.move))
        else:
            self.node = choice.target
            self.fired.update(choice.path.clauses if choice.path is not None else ())
            edge = Edge(choice.move, choice.path, last + 1)
            graph.nodes.append(choice.target)
            graph.edges.append([])
            graph.parents.append((last, edge))
            (graph.edges[last] if last >= 0 else graph.firsts).append(edge)
            self._compare(choice, choice.target)
        for law in self.laws:
            for breach in law.judge([graph]).breaches:
                # one without a graph speaks of all that can happen, which is more than this step
                if breach.graph is not None:
                    raise LawBroken(self.setting.world.definition.name, law.name, f"{breach.what}: {law.remedy}")

    def _compare(self, choice: Choice, node: Node) -> None:
        puppet = self.puppet
        rows = {
            "states": (node.row.leaves, puppet.states),
            "variables": (node.variables, self.setting.world.plain(puppet.machine.variables)),
            "transport": ("open" if node.phase == "half-open" else node.phase, puppet.phase),
            "clocks": ({one.name for one in node.armed}, set(puppet.armed)),
            "calls": ({one.state for one in node.calls}, set(puppet.calls)),
        }
        for what, (model, machine) in rows.items():
            if model != machine:
                raise AssertionError(f"after {choice}, the {what} of the model are {model}, of the machine {machine}")
        lengths = {one.name: one.length for one in node.armed}
        for effect in puppet.effects if choice.move.cause != "silence" else ():
            if isinstance(effect, out.StartClock):
                length, (least, most) = lengths[effect.clock.name], _bounds(effect)
                if least < length.least - _ALLOWED or most > length.most + _ALLOWED:
                    ran = f"{least} to {most} s in the machine"
                    raise AssertionError(f"after {choice}, {effect.clock.name} is {length} in the model, and {ran}")


def state_machine(page: PageLike, /, **parameters: Any) -> "type[RuleBasedStateMachine]":
    """Make a state machine for Hypothesis of a page.

    `TestMyPage = state_machine("my.yaml").TestCase` is a test. Its steps are all that can happen to the
    page: wishes, what the peer and the network may do, clocks, calls. It fails, with a shortest row of
    steps, where the page refuses what can happen, leaves a variable's range, dials twice, has a state
    without the transport that it needs, or breaks a `never` or `always` of its own; and where model and
    machine do not agree, which is a fault of ours.

    Args:
        page: the name of a bundled page, a path, or a `Definition`.
        parameters: as to `lifecycle.open`. Flags and choices that guards ask for, and that are not given,
            are tried with each value.

    Returns:
        The class. Its `coverage()` says which clauses have fired in all of its runs so far.

    Raises:
        ImportError: Hypothesis is not installed.
        PageError: the page is wrong.
        WrongParameters: they do not fit the page.
    """
    try:
        from hypothesis import event
        from hypothesis import strategies as st
        from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
    except ImportError:
        raise ImportError("a page's state machine needs Hypothesis: install `connection-lifecycle[test]`") from None
    definition = read(page)
    settings, fired, begun = _settings(definition, parameters), Counter[str](), Counter[str]()

    class PageMachine(RuleBasedStateMachine):
        walk: Walk

        @initialize(under=st.sampled_from(settings))
        def begin(self, under: Setting) -> None:
            begun["runs"] += 1
            self.walk = Walk(under, fired)

        @rule(
            then=st.runner().flatmap(lambda machine: st.sampled_from(machine.walk.choices())).flatmap(st.sampled_from)
        )
        def step(self, then: Choice) -> None:
            for clause in then.path.clauses if then.path is not None else ():
                event(f"fires {clause}")
            self.walk.take(then)

        @classmethod
        def coverage(cls) -> Coverage:
            """Which clauses have fired so far."""
            never = tuple(name for name in definition.clauses if name not in fired)
            return Coverage({name: fired[name] for name in definition.clauses if name in fired}, never, begun["runs"])

    PageMachine.__name__ = PageMachine.__qualname__ = definition.name.title().replace("-", "")
    return PageMachine


def _settings(definition: Definition, given: Mapping[str, Any]) -> tuple[Setting, ...]:
    rows = list(settings_of(definition, given))
    varied = {name for name in definition.parameters if any(row[name] != rows[0][name] for row in rows)}
    return tuple(
        Setting(World(definition, tuple(row.values())), {name: row[name] for name in row if name in varied})
        for row in rows
    )


def _bounds(effect: out.StartClock) -> tuple[float, float]:
    if effect.backoff is not None:
        return effect.backoff.bounds(effect.attempt)
    return float(effect.seconds or 0.0), float(effect.seconds or 0.0)
