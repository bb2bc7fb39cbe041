"""Every step that any connection of a page has taken, recorded from the chart, one function a cell.

Law: the table decides nothing. A (row, event) that is seen for the first time, or whose guards
answer as never before, is run on the chart with the connection's real variables and the real
event; the path that was taken is kept. Shared by all connections of the page; recording is locked.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.errors import PageError

from .path import Ask, Bare, Deed, Log, Path, Row, Running, is_set, make_path, nodes
from .plan import Plan, plan
from .source import Writer

LONGEST_STEP = 2000
Cell = Callable[[tuple[Any, ...], tuple[Any, ...], Mapping[str, Any]], tuple[tuple[Any, ...], Path, tuple[Any, ...]]]


Record = tuple[tuple[int, ...] | None, str, Log, tuple[int, ...] | None]
"""Configuration, event, what the chart asked and did, and the configuration after; None where it refused."""


class Miss(Exception):
    """This way was not recorded yet."""


class Table:
    """Rows, cells and paths of one definition."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.plan: Plan = plan(definition)
        self.writer = Writer.of(definition)
        self.initial = self.writer.initial()
        self.rows: dict[tuple[int, ...], Row] = {}
        self.paths: list[Path] = []
        self.logs: list[Record] = []
        self._trees: dict[tuple[Row | None, str], list[Any]] = {}
        self._starts: dict[str, Any] = {}
        self._globals = {**self.writer.globals(), "P": self.paths, "Miss": Miss, "BARE": {}}
        self._lock = threading.Lock()
        self._chart: Any = None

    @property
    def chart(self) -> Any:
        """The chart; built when a path is missed for the first time."""
        if self._chart is None:
            from .chart import Chart

            self._chart = Chart(self.plan)
        return self._chart

    def row(self, states: tuple[int, ...]) -> Row:
        """The row of a configuration."""
        row = self.rows.get(states)
        if row is None:
            row = self.rows[states] = make_row(self.plan, states)
        return row

    def step(
        self,
        row: Row | None,
        event: str,
        variables: tuple[Any, ...],
        parameters: tuple[Any, ...],
        fields: Mapping[str, Any],
    ) -> tuple[tuple[Any, ...], Path, tuple[Any, ...]]:
        """Take a step, and record it if it was never taken.

        Returns:
            The variables after, the path, and the values of its effects.

        Raises:
            OutOfRange: an assignment does not fit its variable; nothing happened.
            PageError: the step does not end.
        """
        cells = self._starts if row is None else row.cells
        recorded = False
        while True:
            cell = cells.get(event)
            if cell is not None:
                try:
                    return cell(variables, parameters, fields)  # type: ignore[no-any-return]
                except Miss:
                    pass
            with self._lock:
                if cell is not None or not self._known(row, event):
                    if recorded:
                        raise self._contradiction(event)
                    self._record(row, event, variables, parameters, fields)
                    recorded = True
                cells[event] = self._compile(row, event)

    def insert(self, before: tuple[int, ...] | None, event: str, log: Log, after: tuple[int, ...] | None) -> None:
        """Add a path that the chart has shown earlier.

        Raises:
            ValueError: it contradicts one that is there; nothing is added.
        """
        with self._lock:
            row = None if before is None else self.row(before)
            self._grow(row, event, log, after)
            # made anew when it is asked for
            (self._starts if row is None else row.cells).pop(event, None)

    def _record(
        self,
        row: Row | None,
        event: str,
        variables: tuple[Any, ...],
        parameters: tuple[Any, ...],
        fields: Mapping[str, Any],
    ) -> None:
        recorder = _Recorder(self, variables, parameters, fields)
        if row is None:
            after = self.chart.start(recorder)
        else:
            after = self.chart.run(row.states, self.plan.alphabet[event], recorder)
        self._grow(row, event, recorder.canonical(), after)

    def _known(self, row: Row | None, event: str) -> bool:
        return self._trees.get((row, event), [None]) != [None]

    def _grow(self, row: Row | None, event: str, log: Log, after: tuple[int, ...] | None) -> None:
        record = (None if row is None else row.states, event, log, after)
        if after is None:
            path = Path(event, row, row or self.row(()), taken=False)
        else:
            path = make_path(self.plan, event, row, self.row(after), log)
        place: tuple[Any, Any] = (self._trees.setdefault((row, event), [None]), 0)
        # what contradicts is met before anything new, so that nothing is half added
        for node, way in nodes(self.plan, log):
            if _fill(place, node) != node:
                raise self._contradiction(event)
            place = (_at(place), way)
        if _at(place) is None:
            self.paths.append(path)
            self.logs.append(record)
            _fill(place, len(self.paths) - 1)
        elif not isinstance(_at(place), int) or self.logs[_at(place)] != record:
            raise self._contradiction(event)

    def _contradiction(self, event: str) -> ValueError:
        return ValueError(
            f"{self.definition.name}: two paths of `{event}` differ where configuration, event and answers agree"
        )

    def _compile(self, row: Row | None, event: str) -> Any:
        tree = self._trees[row, event][0]
        names = ", ".join(f"v{index}" for index in range(len(self.initial)))
        lines = ["def cell(v, p, e):"]
        if names:
            lines.append(f"    {names}, = v")
        lines += self._branch(tree, 1, places=0, changed=False)
        around = dict(self._globals)
        exec(compile("\n".join(lines), f"<{self.definition.name}: {event}>", "exec"), around)  # noqa: S102 -- written from checked expressions only
        return around["cell"]

    def _branch(self, node: Any, depth: int, *, places: int, changed: bool) -> Iterable[str]:
        pad = "    " * depth
        if node is None:
            return [f"{pad}raise Miss"]
        if isinstance(node, Ask):
            guard = self.writer.expression(self.plan.guards[node.guard])
            yes = self._branch(node.yes, depth + 1, places=places, changed=changed)
            no = self._branch(node.no, depth + 1, places=places, changed=changed)
            return [f"{pad}if {guard}:", *yes, f"{pad}else:", *no]
        if isinstance(node, Bare):
            return [f"{pad}e = BARE", *self._branch(node.then, depth, places=places, changed=changed)]
        if isinstance(node, Deed):
            effect = self.plan.actions[node.action].effect
            if effect is None:  # pragma: no cover -- only effects are deeds
                raise TypeError(node)
            if effect.word == "set":
                lines = [pad + line for line in self.writer.assignments(effect)]
                return [*lines, *self._branch(node.then, depth, places=places, changed=True)]
            line = f"{pad}x{places} = {self.writer.value(self._carried(effect))}"
            return [line, *self._branch(node.then, depth, places=places + 1, changed=changed)]
        return [pad + self._leaf(node, places, changed=changed)]

    def _carried(self, effect: Any) -> Any:
        match effect.word:
            case "send":
                return self.definition.messages.frames[effect.argument]
            case "emit":
                return effect.argument["fields"]
            case "close":
                return (effect.argument or {}).get("reason", "")
        dial = self.definition.dial
        return {"url": dial.url, "query": dial.query, "headers": dial.headers}

    def _leaf(self, index: int, places: int, *, changed: bool) -> str:
        path = self.paths[index]
        values = [f"x{place}" for place in range(places)]
        for what, _ in path.starts:
            values.append(
                self.writer.value(what.use.arguments) if isinstance(what, Running) else self.writer.length(what)
            )
        variables = f"({''.join(f'v{i}, ' for i in range(len(self.initial)))})" if changed else "v"
        return f"return {variables}, P[{index}], ({''.join(f'{value}, ' for value in values)})"


def _at(place: tuple[Any, Any]) -> Any:
    holder, key = place
    return holder[key] if isinstance(holder, list) else getattr(holder, key)


def _fill(place: tuple[Any, Any], new: Any) -> Any:
    if _at(place) is None:
        holder, key = place
        if isinstance(holder, list):
            holder[key] = new
        else:
            setattr(holder, key, new)
    return _at(place)


def make_row(plan: Plan, states: tuple[int, ...]) -> Row:
    """What follows from a configuration alone."""
    active = [plan.states[index] for index in states]
    hears = any("heard" in clause.on for state in active for clause in state.clauses)
    with_status = [state for state in active if state.status is not None]
    deepest = max(with_status, key=lambda state: state.path.count(".") if state.path else -1, default=None)
    ended = any(state.final is not None and plan.definition.parents.get(state.path) == "" for state in active)
    status = "idle" if deepest is None else str(deepest.status)
    return Row(states, plan.leaves(states), status, hears, ended or not states)


@attrs.define
class _Recorder:
    """Answers the chart with a connection's variables, and notes what it does."""

    table: Table
    variables: tuple[Any, ...]
    parameters: tuple[Any, ...]
    fields: Mapping[str, Any]
    log: list[tuple[str, int, bool]] = attrs.field(factory=list)
    left: int = LONGEST_STEP

    def ask(self, guard: int) -> bool:
        answer = bool(self._value(self.table.plan.guards[guard]))
        self._note("?", guard, answer)
        return answer

    def do(self, action: int) -> None:
        made = self.table.plan.actions[action]
        self._note("!", action)
        if is_set(made) and made.effect is not None:
            self._store(self.table.writer.assignments(made.effect))

    def entered(self, state: int) -> None:
        self._note("+", state)
        if self.table.plan.steps[state].raises is not None:
            # all that is asked and done from here on is about the event that this state raises
            self.fields = {}

    def exited(self, state: int) -> None:
        self._note("-", state)

    def canonical(self) -> Log:
        """The log without what the chart asked twice; it asks a guard once for each region."""
        plan = self.table.plan
        known: dict[int, bool] = {}
        kept: list[tuple[str, int, bool]] = []
        for kind, number, answer in self.log:
            if kind == "?":
                if number in known:
                    continue
                known[number] = answer
            elif kind == "!" and is_set(plan.actions[number]):
                effect = plan.actions[number].effect
                changed = set(effect.argument) if effect else set()
                known = {guard: said for guard, said in known.items() if not changed & plan.guards[guard].names}
            elif kind == "+" and plan.steps[number].raises is not None:
                known = {guard: said for guard, said in known.items() if not plan.guards[guard].fields}
            kept.append((kind, number, answer))
        return tuple(kept)

    def _note(self, kind: str, number: int, answer: bool = False) -> None:  # noqa: FBT001, FBT002 -- a row of the log
        self.left -= 1
        if self.left < 0:
            definition = self.table.definition
            what = f"a step of `{definition.name}` does more than {LONGEST_STEP} things and would not end"
            raise PageError([definition.at.problem(what, "break the circle of finals and what takes them")])
        self.log.append((kind, number, answer))

    def _value(self, expression: Expression) -> Any:
        return self._run([f"r = {self.table.writer.expression(expression)}"])["r"]

    def _store(self, lines: list[str]) -> None:
        after = self._run(lines)
        self.variables = tuple(after[f"v{index}"] for index in range(len(self.variables)))

    def _run(self, lines: list[str]) -> dict[str, Any]:
        names: dict[str, Any] = {f"v{index}": value for index, value in enumerate(self.variables)}
        names |= {"p": self.parameters, "e": self.fields}
        exec("\n".join(lines), self.table._globals, names)  # noqa: S102, SLF001 -- written from checked expressions only
        return names
