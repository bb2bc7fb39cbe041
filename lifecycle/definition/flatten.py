"""A grown tree into a flat `Definition`: every name resolved, or told.

Law: whatever is wrong is told and the rest goes on, so that one reading finds all. What cannot be
resolved is left out; the caller never sees the result of a page with problems.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from . import page, presets
from .backoff import Backoff
from .definition import Clause, Clock, Definition, State
from .expression import Expression, Name
from .grow import Layer, Node
from .instance import Book, Instance
from .interface import interface
from .problem import Spot, did_you_mean
from .sources import Sources
from .units import say_seconds

RESERVED_PARAMETERS = ("page", "calls", "transport", "tls")


def flatten(node: Node, book: Book) -> Definition:
    """Resolve everything; problems go into the book."""
    made = _Flattener(node, book).definition()
    if not book.problems:  # else a name that is missing would be told again, and wrongly
        book.problems += interface(node, book, made)
    return made


class _Flattener:
    def __init__(self, node: Node, book: Book) -> None:
        self.node, self.book = node, book
        self.instances = book.instances
        self.first = book.instances[0]
        self.page = self.first.page
        self.clocks: dict[str, Clock] = {}
        self.parameters, self.origins = self._parameters()
        self.calls = self._calls()
        self.causes = self._causes()
        self.sources = Sources(node, book, self.calls, self.causes)

    def definition(self) -> Definition:
        of = self.page
        return Definition(
            name=of.page,
            title=of.title or "",
            about=of.about or "",
            role=of.role,
            stop=of.stop,
            latency=of.latency,
            min_time_per_dial=of.min_time_per_dial,
            good=self._good(),
            parameters=self.parameters,
            variables=self._variables(),
            origins=self.origins,
            hears=of.hears,
            leaves=tuple(of.leaves),
            sources=self.sources.kinds,
            dial=self._dial(),
            calls=self.calls,
            causes=self.causes,
            messages=self._messages(),
            requests=self._requests(),
            laws=of.laws,
            root=self.state(self.node, rest=False),
            at=self.first.at,
        )

    def _good(self) -> dict[str, tuple[str, ...]]:
        good: dict[str, tuple[str, ...]] = {}
        for one in self.instances:
            for phase, events in one.page.good.items():
                good[phase] = tuple(dict.fromkeys((*good.get(phase, ()), *(one.event(e) for e in events))))
        return good

    def _parameters(self) -> tuple[dict[str, page.Parameter], dict[str, str]]:
        found, origins = {}, {}
        for name, owner in self.book.parameters_of(self.first).items():
            found[name], origins[name] = owner.page.parameters[name], owner.page.page
            if name in RESERVED_PARAMETERS:
                at = owner.at / "parameters" / name
                self.book.tell(at.problem(f"a parameter called `{name}`", "`open` has an argument of that name: choose another", key=True))
        for one in self.instances:
            for name, declared in one.page.parameters.items():
                self._same(one, name, declared, found)
            for name in (one.use.with_ if one.use else {}) if one.use_at else ():
                known = self.book.parameters_of(one)
                if name not in known and one.use_at:
                    at = one.use_at / "with" / name
                    self.book.tell(at.problem(f"`{one.page.page}` has no parameter `{name}`", did_you_mean(name, known), key=True))
        return found, origins

    def _same(self, one: Instance, name: str, declared: page.Parameter, found: Mapping[str, page.Parameter]) -> None:
        surfaced = one.parameter(name)
        if not isinstance(surfaced, Name) or surfaced.text not in found or one.use_at is None:
            return
        other = found[surfaced.text]
        mine = name in self.page.parameters or any(name in up.page.parameters for up in _hosts(one))
        if other.kind != declared.kind or (not mine and other.default != declared.default):
            what = f"`{one.page.page}` brings the parameter `{name}` with another type or default than elsewhere in this page"
            self.book.tell(one.use_at.problem(what, "fix one of them in `with`, or declare it in this page", key=True))

    def _variables(self) -> dict[str, page.Variable]:
        found = {}
        for one in self.instances:
            for name, variable in one.page.variables.items():
                at = one.at / "variables" / name
                ends = {end: self.value(one, getattr(variable, end), at / end, ()) for end in ("min", "max")}
                found[f"{one.prefix}{name}"] = attrs.evolve(variable, **ends)
                self.origins.setdefault(f"{one.prefix}{name}", one.page.page)
        return found

    def _calls(self) -> dict[str, page.Call]:
        found: dict[str, page.Call] = {}
        for one in self.instances:
            for name, call in one.page.calls.items():
                at = one.at / "calls" / name
                full = one.call(name)
                made = attrs.evolve(call, timeout=self.length(one, call.timeout, at / "timeout", ()), yields=self._frame(one, call.yields, at / "yields"))
                if full in found and found[full] != made:
                    self.book.tell(at.problem(f"two pages declare the call `{full}` differently", "rename one with `as`", key=True))
                found.setdefault(full, made)
                self.origins.setdefault(full, one.page.page)
        return found

    def _causes(self) -> tuple[page.Cause, ...]:
        rows: list[page.Cause] = []
        for one in self.instances:
            for index, row in enumerate(one.page.causes):
                if row.otherwise and one.host is not None:
                    continue
                if row.use is None:
                    rows.append(attrs.evolve(row, is_=one.event(row.is_)) if row.is_ else row)
                elif (preset := presets.causes().get(row.use)) is None:
                    at = one.at / "causes" / index / "use"
                    self.book.tell(at.problem(f"no preset of causes is called `{row.use}`", did_you_mean(row.use, presets.causes())))
                else:
                    rows += [
                        attrs.evolve(each, use=row.use, is_=one.event(each.is_) if each.is_ else None) for each in preset
                    ]
        if self.page.causes and self.page.causes[-1].otherwise:  # the last of all, behind the rows of the pages that this one uses
            last = max(index for index, row in enumerate(rows) if row.otherwise)
            rows.append(rows.pop(last))
        return tuple(rows)

    def _dial(self) -> page.Dial:
        url, parts = None, {"query": {}, "headers": {}}  # type: ignore[var-annotated]
        subprotocols: tuple[str, ...] = ()
        for one in self.instances:
            dial = one.page.dial
            if dial is None:
                continue
            at = one.at / "dial"
            url = url if url is not None else self.value(one, dial.url, at / "url", ())
            subprotocols = subprotocols or tuple(dial.subprotocols)
            for group, found in parts.items():
                for name, given in getattr(dial, group).items():
                    found.setdefault(name, self.value(one, given, at / group / name, ()))
        return page.Dial(url=url, subprotocols=subprotocols, **parts)

    def _messages(self) -> page.Messages:
        told = [(one, one.page.messages) for one in self.instances if one.page.messages is not None]

        def outermost(name: str) -> Any:
            return next((getattr(m, name) for _, m in told if getattr(m, name) is not None), None)

        frames: dict[Any, Any] = {}
        routes: list[page.Route] = []
        for one, messages in told:
            at = one.at / "messages"
            extra = ("id", "method", "params", "item")
            for name, frame in messages.frames.items():
                frames[f"{one.prefix}{name}"] = self.value(one, frame, at / "frames" / name, (), extra)
            routes += [self._route(one, row, at / "routes" / index) for index, row in enumerate(messages.routes)]
        ends = {name: outermost(name) for name in ("codec", "limit", "inbox", "outbox")}
        return page.Messages(routes=tuple(routes), frames=frames, **ends)

    def _route(self, one: Instance, row: page.Route, at: Spot) -> page.Route:
        keep = {self._variable(one, name, at / "keep" / name): pick for name, pick in row.keep.items()}
        changes: dict[str, Any] = {"keep": keep}
        if row.raise_:
            changes["raise_"] = one.event(row.raise_)
        if row.clause:
            changes["clause"] = f"{one.clause_prefix}{row.clause}"
        return attrs.evolve(row, **changes)

    def _requests(self) -> page.Requests | None:
        for one in self.instances:
            requests = one.page.requests
            if requests is not None:
                at = one.at / "requests"
                names = {name: self._frame(one, getattr(requests, name), at / name) for name in ("send", "cancel")}
                lengths = {name: self.length(one, getattr(requests, name), at / name, ()) for name in ("timeout", "until_ready")}
                return attrs.evolve(requests, **names, **lengths)
        return None

    # -- states

    def state(self, node: Node, *, rest: bool) -> State:
        layers = node.layers
        rest_layers = layers[:1] if node.filled else layers
        own_rest = _first(layer.state.rest for layer in rest_layers)
        rest = rest if own_rest is None else own_rest
        if node.filled:
            rest = own_rest if own_rest is not None else False
        call = next(((layer, layer.state.call) for layer in layers if layer.state.call is not None), None)
        # the host's `enter` follows the used page's, its `exit` precedes it
        enter = [effect for layer in reversed(layers) for effect in self.effects(layer, "enter")]
        leave = [effect for layer in layers for effect in self.effects(layer, "exit")]
        final = next((layer.instance.event(layer.state.final) for layer in layers if layer.state.final), None)
        return State(
            path=node.path,
            status=_first(layer.state.status for layer in layers),
            needs=_first(layer.state.needs for layer in layers),
            rest=rest,
            final=final,
            enter=tuple(enter),
            exit=tuple(leave),
            call=self.call(*call) if call else None,
            clauses=tuple(made for layer in layers for made in self.clauses(node, layer)),
            ignore=tuple(dict.fromkeys(layer.instance.event(e) for layer in layers for e in layer.state.ignore)),
            states=tuple(self.state(child, rest=rest) for child in node.children),
            parallel=node.parallel,
            slot=any(layer.state.slot for layer in layers) and not node.filled,
            used=node.used,
            at=node.at,
        )

    def call(self, layer: Layer, use: page.CallUse) -> page.CallUse:
        full = layer.instance.call(use.name)
        at = layer.at / "call"
        declared = self.calls.get(full)
        if declared is None:
            self.book.tell(at.problem(f"the call `{use.name}` is not declared", did_you_mean(use.name, self.calls, "declare it under `calls`")))
            return attrs.evolve(use, name=full)
        for name in use.arguments:
            if name not in declared.takes:
                self.book.tell((at / use.name / name).problem(f"the call `{full}` takes no `{name}`", did_you_mean(name, declared.takes), key=True))
        for name in declared.takes:
            if name not in use.arguments:
                self.book.tell(at.problem(f"the call `{full}` needs `{name}`", f"write `{{{use.name}: {{{name}: …}}}}`"))
        return page.CallUse(name=full, arguments={name: self.value(layer.instance, v, at / use.name / name, ()) for name, v in use.arguments.items()})

    def clauses(self, node: Node, layer: Layer) -> Iterator[Clause]:
        for name, clause in layer.state.clauses.items():
            yield self.clause(node, layer, name, clause, layer.at / "clauses" / name)

    def clause(self, node: Node, layer: Layer, name: str, clause: page.Clause, at: Spot) -> Clause:
        one = layer.instance
        on = tuple(e if e in ("done", "failed") else one.event(e) for e in clause.on)
        fields = self.sources.fields(node, on, self.calls)
        within = tuple(path for ref in clause.while_ if (path := self.target(node, one, ref, at / "while")) is not None)
        return Clause(
            id=f"{one.clause_prefix}{name}",
            state=node.path,
            on=on,
            clock=self.clock(node, one, clause, within, at),
            when=one.resolve(clause.when, at / "when", fields) if clause.when is not None else None,
            within=within,
            do=tuple(made for index, effect in enumerate(clause.do) if (made := self.effect(one, effect, at / "do" / index, fields))),
            to=self.target(node, one, clause.to, at / "to") if clause.to is not None else None,
            say=clause.say,
            proof=clause.proof,
            at=at,
        )

    def clock(self, node: Node, one: Instance, clause: page.Clause, within: tuple[str, ...], at: Spot) -> Clock | None:
        for kind in ("after", "silent"):
            given = getattr(clause, kind)
            if given is None:
                continue
            length = self.length(one, given, at / kind, ())
            by = self._variable(one, clause.by, at / "by") if clause.by else None
            text = given.text if isinstance(given, Expression) else say_seconds(given)
            word = "".join(c if c.isalnum() else "_" for c in text).strip("_")
            where = "".join(f".{path.replace('.', '_')}" for path in within)
            name = f"timer.{node.path}.{word}" if kind == "after" else f"timer.{node.path}.silent_{word}"
            made = Clock(name=f"{name}{where}", state=node.path, kind=kind, length=length, by=by, within=within)
            # `x + 1` and `x - 1` are spelt alike
            while self.clocks.setdefault(made.name, made) != made:
                made = attrs.evolve(made, name=f"{made.name}_")
            return made
        return None

    def target(self, node: Node, one: Instance, ref: str, at: Spot) -> str | None:
        """The nearest state of that name that the writer may name; None, told, if there is none."""
        head, *rest = ref.split(".")
        for around in node.up():
            for kid in around.children:
                if kid.name == head and kid.owner is one:
                    return self._inside(kid, rest, one, ref, at)
        known = [kid.name for around in node.up() for kid in around.children if kid.owner is one]
        self.book.tell(at.problem(f"no state named `{ref}` can be reached by name from here", did_you_mean(head, known)))
        return None

    def _inside(self, kid: Node, rest: list[str], one: Instance, ref: str, at: Spot) -> str | None:
        for step in rest:
            inner = {k.name: k for k in kid.children if k.owner is one}
            if step not in inner:
                self.book.tell(at.problem(f"no state named `{ref}`: `{kid.name}` has no `{step}`", did_you_mean(step, inner)))
                return None
            kid = inner[step]
        return kid.path

    # -- effects and values

    def effects(self, layer: Layer, when: str) -> Iterator[page.Effect]:
        for index, effect in enumerate(getattr(layer.state, when)):
            made = self.effect(layer.instance, effect, layer.at / when / index, ())
            if made is not None:
                yield made

    def effect(self, one: Instance, effect: page.Effect, at: Spot, fields: tuple[str, ...] | None) -> page.Effect | None:
        given, inner = effect.argument, at / effect.word
        match effect.word:
            case "send":
                frame = self._frame(one, given, inner)
                return attrs.evolve(effect, argument=frame) if frame else None
            case "set":
                names = {name: self._variable(one, name, inner / name) for name in given}
                return attrs.evolve(effect, argument={names[name]: self.value(one, v, inner / name, fields) for name, v in given.items()})
            case "emit":
                made = {name: self.value(one, v, inner / given["name"] / name, fields) for name, v in given["fields"].items()}
                return attrs.evolve(effect, argument={"name": given["name"], "fields": made})
            case "close":
                given = given or {"code": 1000, "reason": ""}
                return attrs.evolve(effect, argument={**given, "reason": self.value(one, given["reason"], inner / "reason", fields)})
        return effect

    def value(self, one: Instance, given: Any, at: Spot, fields: tuple[str, ...] | None, extra: tuple[str, ...] = ()) -> Any:
        """A value or template with its expressions resolved."""
        if isinstance(given, Expression):
            return one.resolve(given, at, fields, extra)
        if isinstance(given, Mapping):
            return {name: self.value(one, part, at / name, fields, extra) for name, part in given.items()}
        if isinstance(given, list):
            return [self.value(one, part, at / index, fields, extra) for index, part in enumerate(given)]
        return given

    def length(self, one: Instance, given: Any, at: Spot, fields: tuple[str, ...]) -> Any:
        made = self.value(one, given, at, fields)
        constant = getattr(made.tree, "value", None) if isinstance(made, Expression) else None
        return constant if isinstance(constant, float | int | Backoff) else made

    def _variable(self, one: Instance, name: str, at: Spot) -> str:
        full = one.variable(name)
        if full is None:
            known = [n.removeprefix(one.prefix) for n in self.book.variables if n.startswith(one.prefix)]
            self.book.tell(at.problem(f"no variable named `{name}`", did_you_mean(name, known), key=True))
        return full or name

    def _frame(self, one: Instance, name: Any, at: Spot) -> Any:
        full = one.frame(name) if name is not None else None
        if full is None and name is not None:
            known = [n.removeprefix(one.prefix) for n in self.book.frames if n.startswith(one.prefix)]
            self.book.tell(at.problem(f"no frame named `{name}`", did_you_mean(name, known, "declare it under `messages: frames`")))
        return full


def _first(values: Iterator[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _hosts(one: Instance) -> Iterator[Instance]:
    while one.host is not None:
        one = one.host
        yield one


