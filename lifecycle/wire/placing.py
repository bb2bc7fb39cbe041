"""Where a watched client is said to be: states that are active together, and what follows from them.

Law: pure. What is not said is as at its beginning. What cannot be active together is refused, and so is a state
in which nothing can rest.
"""

from collections.abc import Iterable, Iterator

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock, State
from lifecycle.definition.expression import is_number
from lifecycle.definition.problem import did_you_mean
from lifecycle.machine import effects as out
from lifecycle.machine.machine import Machine, Snapshot
from lifecycle.machine.phase import Phase

_MOVED: dict[str, Phase] = {"open": "dialing", "close": "closing", "drop": "none", "refuse": "none"}


def placed(machine: Machine, states: Iterable[str]) -> Snapshot:
    """A machine's snapshot as it would be in these states, with variables as they are.

    Raises:
        ValueError: there are no such states, they are not active together, or nothing rests there.
    """
    definition = machine.definition
    wanted: dict[str, None] = {}
    for path in states:
        if path not in definition.states:
            raise ValueError(f"there is no state `{path}`: {did_you_mean(path, definition.states)}")
        wanted |= dict.fromkeys(definition.around(path))
    active = tuple(_active(definition.root, wanted))
    missing = wanted.keys() - {state.path for state in active}
    if missing:
        raise ValueError(f"`{min(missing)}` is not active together with the others: say one state of each region")
    for state in active:
        if state.junction or (state.final is not None and definition.parents.get(state.path) != ""):
            raise ValueError(f"nothing rests in `{state.path}`: say which state it is in then")
    paths = tuple(state.path for state in active)
    clocks = tuple(clock.name for clock in definition.clocks if {clock.state, *clock.within} <= set(paths))
    ended = active[-1].final is not None
    return Snapshot(
        states=paths,
        variables=dict(zip(definition.variables, machine.variables, strict=True)),
        phase="none" if ended else _phase(active, machine.phase),
        clocks=() if ended else clocks,
        calls=tuple(state.path for state in active if state.call is not None),
    )


def started(machine: Machine, snapshot: Snapshot) -> Iterator[out.Effect]:
    """What a machine that goes on from a snapshot has begun there."""
    definition = machine.definition
    for clock in definition.clocks:
        if clock.name in snapshot.clocks:
            yield from _clock(machine, clock)
    calls = {path: state.call for path, state in definition.states.items() if state.call is not None}
    for path in snapshot.calls:
        yield out.StartCall(calls[path].name, path, 0, {})


def _active(state: State, wanted: dict[str, None]) -> Iterator[State]:
    yield state
    inside = state.states if state.parallel else state.states[:1]
    if not state.parallel:
        inside = tuple(each for each in state.states if each.path in wanted)[:1] or inside
    for each in inside:
        yield from _active(each, wanted)


def _phase(active: Iterable[State], phase: Phase) -> Phase:
    for state in active:
        if state.needs is not None:
            phase = state.needs  # type: ignore[assignment]  # a need is a phase
        for effect in state.enter:
            phase = _MOVED.get(effect.word, phase)
    return phase


def _clock(machine: Machine, clock: Clock) -> Iterator[out.StartClock]:
    length = machine.value(clock.length)
    if isinstance(length, Backoff):
        attempt = machine.names()[clock.by] if clock.by else 1
        yield out.StartClock(clock, 0, None, length, attempt)
    elif is_number(length):
        yield out.StartClock(clock, 0, max(0.0, length))
