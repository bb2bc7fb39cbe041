"""A page that watches a foreign client: each report is held against what the page allows, and when.

Law: pure: no clock, no randomness; every report brings its time. Effects are not done. What the page forbids is
told, and the page stays where it was; what comes too early is told and followed, for the client has gone on.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, final

from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import supposed_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import IllegalEvent
from lifecycle.machine import effects as out
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.path import Running
from lifecycle.machine.source import OutOfRange
from lifecycle.machine.tables import table_of

from .finding import Finding
from .placing import placed, started
from .reports import PHASES, Report, allowed, could, understand, unknown
from .waits import Wait, Waits, seconds

MOST: Final = 1000
"""Findings that are remembered; later ones are only returned."""
SLACK: Final = 0.1


def monitor(page: PageLike, slack: float = SLACK, /, **parameters: Any) -> "Monitor":
    """Watch a client, ours or another: hold what it reports against a page.

    Args:
        page: a `Definition`, the name of a bundled page, or a path.
        slack: by how many seconds the times of two reports may be off against each other.
        parameters: as to `lifecycle.open`. A `url`, text or secret that is required and not given is made up.

    Raises:
        PageError: the page is wrong.
        WrongParameters: they do not fit the page.
    """
    definition = read(page)
    return Monitor(definition, supposed_values(definition, parameters), slack)


@final
class Monitor:
    """Follows one client. It is at the beginning of its page until it is told a first time.

    Args:
        definition: the page.
        parameters: the values of its parameters, in its order.
        slack: in seconds, as to `monitor`.

    Attributes:
        now: the time of the last report; None before the first.
        findings: what was found, oldest first; at most 1000.
        reports, steps: how many reports there were, and how many steps the page has taken.
        unrouted, stale: messages that no route took; reports of what the page has given up, such as the end of a
            transport that it dropped.
    """

    def __init__(self, definition: Definition, parameters: tuple[Any, ...], slack: float = SLACK) -> None:
        self.now: float | None = None
        self.findings: tuple[Finding, ...] = ()
        self.reports = self.steps = self.unrouted = self.stale = 0
        self._definition, self._slack, self._line = definition, slack, 0
        self._machine = Machine(table_of(definition), parameters)
        if definition.role is None and definition.root.needs in ("dialing", "open"):
            # the page that uses a fragment has dialled before it
            self._machine.phase, self._machine.transport = definition.root.needs, 1  # type: ignore[assignment]  # a need is a phase
        self._waits = Waits(definition)
        self._first = self._machine.start()
        self._refusals = any(row.refusal for row in definition.messages.routes)
        self._owed = False  # the end of a transport that the page has given up may still be reported

    @property
    def states(self) -> tuple[str, ...]:
        """The paths of the innermost active states."""
        return self._machine.states

    @property
    def status(self) -> str:
        """One of the nine statuses."""
        return self._machine.status

    @property
    def ended(self) -> bool:
        """Whether the page has come to an end of its own."""
        return self._machine.ended

    @property
    def waits(self) -> tuple[str, ...]:
        """The clocks and calls that run, by the events that their ends are."""
        return tuple(wait.event for wait in self._waits)

    def report(self, report: Any, *, at: float, line: int | None = None) -> tuple[Finding, ...]:
        """Take what the client reports.

        Args:
            report: a plain event, `{"event": name}`, with `"fields"` if it has some; a clock's clause,
                `{"clause": id}`; the end of a transport, `{"end": {"close": 1012, "reason": …}}` with `close`, `http`
                or `error`, which the page's causes name; `{"message": …}`, which its routes name; anything else is
                such a message itself.
            at: when it happened, in seconds; from any beginning, but never backwards.
            line: what findings are to call it; by default reports are counted.

        Returns:
            What should have been reported before, and what is wrong with it.

        Raises:
            ValueError: the time is before that of the last report, or no time.
        """
        before = self._pass(at, self.reports + 1 if line is None else line)
        self.reports += 1
        return self._found([*before, *self._take(understand(self._definition, report), at)])

    def passed(self, *, at: float, line: int | None = None) -> tuple[Finding, ...]:
        """Let time pass: until then, nothing was reported.

        Raises:
            ValueError: as `report`.
        """
        return self._found(self._pass(at, self.reports if line is None else line))

    def place(self, *states: str, at: float, line: int | None = None) -> tuple[Finding, ...]:
        """Say where the client is; clocks and calls begin there and now, variables stay as they are.

        Args:
            states: paths of states; what they leave open is as at its beginning.
            at: when it is there, in seconds.
            line: as to `report`.

        Returns:
            What should have been reported before.

        Raises:
            ValueError: no such states, not active together, or nothing rests there; or as `report`.
        """
        snapshot, variables = placed(self._machine, states), self._machine.variables
        before = self.passed(at=at, line=line)
        self._waits.clear()
        self._machine.resume(snapshot)
        self._machine.variables = variables  # they were stored once; a first value may lie outside its range
        self._owed = False
        self._begin(started(self._machine, snapshot), at)
        return before

    # -- what was reported

    def _pass(self, at: float, line: int) -> list[Finding]:
        if not math.isfinite(at) or (self.now is not None and at < self.now):
            after = "" if self.now is None else f" at {self.now!r} or later"
            raise ValueError(f"{at!r} is no time{after}: reports are told in the order of their times")
        if self.now is None:
            self._begin(self._first, at)
            self._first = ()
        self.now, self._line = at, line
        return [self._overdue(wait) for wait in self._waits.overdue(at - self._slack)]

    def _take(self, told: Report, at: float) -> Iterator[Finding]:
        self.unrouted += not told.routed
        phase = self._machine.phase
        if told.cause == "end" and phase == "closing":
            told = Report("closed", "closed")  # after our goodbye every end is its end
        if told.cause in PHASES and phase == "none" and self._owed:
            self.stale += 1
            self._owed = told.cause not in ("end", "closed")
            return
        deaf = phase == "closing" and told.cause in ("opened", "heard", "message")
        if not deaf and not could(told.cause, phase):
            yield self._illegal(told, "there is no transport" if phase == "none" else f"the transport is {phase}")
            return
        if told.heard:
            self._waits.heard(at)
        variables = self._machine.variables
        try:
            for name, pick, value in told.keep:
                self._machine.keep(name, value, highest=pick.max)
        except OutOfRange as error:
            self._machine.variables = variables
            yield self._illegal(told, str(error))
            return
        if deaf:
            return
        # a driver tells that bytes came, and then what they said
        if told.heard and self._machine.phase == "open" and self._machine.row.hears:
            yield from self._step(Report("heard", "heard"), at)
        match told.cause:
            case "unknown":
                yield self._illegal(told, unknown(self._definition, told))
            case "timer":
                yield from self._timer(told, at)
            case "call":
                yield from self._call(told, at)
            case "wish" | "opened" | "closed" | "end" | "message" if told.event:
                yield from self._step(told, at)

    def _timer(self, told: Report, at: float) -> Iterator[Finding]:
        wait = self._waits.clocks.get(told.event)
        if wait is None:
            yield self._illegal(told, "its clock does not run there")
            return
        ends = self._ends(told.event) if told.clause else ()
        if ends and told.clause not in ends:
            yield self._illegal(told, f"its clock ends by {' and '.join(f'`{name}`' for name in ends)} there")
            return
        if at + self._slack < wait.since + wait.shortest:
            words = f"{wait.said} has ended after {seconds(at - wait.since)}, and takes {wait.length}"
            yield self._finding("early", wait.event, wait.state, words, wait.clause)
        yield from self._step(told, at)

    def _ends(self, event: str) -> tuple[str, ...]:
        """The clauses that a clock would end by now."""
        machine = self._machine
        try:
            return machine.table.step(machine.row, event, machine.variables, machine.parameters, {})[1].clauses
        except OutOfRange:
            return ()

    def _call(self, told: Report, at: float) -> Iterator[Finding]:
        state = told.event.partition(".")[2]
        use = self._definition.states[state].call
        if state in self._waits.calls:
            yield from self._step(told, at)
        elif use is not None and self._definition.calls[use.name].scope == "connection":
            self.stale += 1  # it runs on when its state is left, and nobody hears it
        else:
            yield self._illegal(told, "its call does not run there")

    def _step(self, told: Report, at: float) -> Iterator[Finding]:
        machine, phase = self._machine, self._machine.phase
        try:
            # without a token: what runs, and what the transport can tell, was looked at before
            made = machine.receive(Event(told.event, told.fields, told.cause))  # type: ignore[arg-type]  # it is a cause here
        except IllegalEvent as error:
            yield self._illegal(told, error.reason)
            return
        self.steps += 1
        if told.cause == "timer":
            self._waits.end_clock(told.event, at)
        elif told.cause == "call":
            del self._waits.calls[told.event.partition(".")[2]]
        for what in machine.trace[-1].stops:
            if isinstance(what, Running):
                self._waits.calls.pop(what.state, None)
            else:
                self._waits.stop_clock(what)
        if machine.phase != "none":
            self._owed = False
        elif phase != "none":
            # who refuses by a message and then closes reports two ends of one
            self._owed = told.cause != "closed" and (told.cause != "end" or self._refusals)
        self._begin(made, at)

    def _begin(self, made: Iterable[out.Effect], at: float) -> None:
        for effect in made:
            if isinstance(effect, out.StartClock):
                self._waits.start_clock(effect, at)
            elif isinstance(effect, out.StartCall):
                timeout = self._machine.value(self._definition.calls[effect.name].timeout)
                self._waits.start_call(effect.name, effect.state, timeout or 0.0, at)
        if self._machine.ended:
            self._waits.clear()

    # -- what is told

    def _found(self, found: list[Finding]) -> tuple[Finding, ...]:
        if found:
            self.findings = (*self.findings, *found)[:MOST]
        return tuple(found)

    def _overdue(self, wait: Wait) -> Finding:
        lasted = "has heard nothing for" if wait.silent else "has lasted for"
        words = f"{wait.state} {lasted} {seconds((self.now or 0.0) - wait.since)}: {wait.said} takes {wait.length}"
        words += ", and its end was not reported"
        return self._finding("overdue", wait.event, wait.state, words, wait.clause)

    def _illegal(self, told: Report, reason: str) -> Finding:
        where = " + ".join(self.states)
        name = told.clause or told.event
        words = f"{f'`{name}`' if name else 'a message'} is not allowed in {where}" + (f": {reason}" if reason else "")
        return self._finding("illegal", told.event, where, words, told.clause)

    def _finding(
        self, kind: Literal["illegal", "early", "overdue"], event: str, state: str, words: str, clause: str
    ) -> Finding:
        return Finding(
            kind=kind,
            time=self.now or 0.0,
            state=state,
            event=event,
            allowed=tuple(dict.fromkeys((*allowed(self._machine), *self._waits.ends()))),
            clause=clause,
            words=words,
            line=self._line,
        )
