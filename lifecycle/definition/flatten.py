"""A grown tree into a flat `Definition`: every name resolved, or told.

Law: whatever is wrong is told and the rest goes on, so that one reading finds all. What cannot be
resolved is left out; the caller never sees the result of a page with problems.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from . import page, presets, resolve
from .definition import Definition
from .expression import Name
from .grow import Node
from .instance import Book, Instance
from .interface import interface
from .problem import Spot, did_you_mean
from .sources import Sources
from .states import States

RESERVED_PARAMETERS = ("page", "calls", "transport", "tls", "urls")


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
        self.parameters, self.origins = self._parameters()
        self.calls = self._calls()
        self.causes = self._causes()
        self.sources = Sources(node, book, self.causes)

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
            trace=self._traced(),
            root=States(self.book, self.calls, self.sources).state(self.node, rest=False),
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
                self.book.tell(
                    at.problem(
                        f"a parameter called `{name}`", "`open` has an argument of that name: choose another", key=True
                    )
                )
        for one in self.instances:
            for name, declared in one.page.parameters.items():
                self._same(one, name, declared, found)
            for name in (one.use.with_ if one.use else {}) if one.use_at else ():
                known = self.book.parameters_of(one)
                if name not in known and one.use_at:
                    at = one.use_at / "with" / name
                    self.book.tell(
                        at.problem(f"`{one.page.page}` has no parameter `{name}`", did_you_mean(name, known), key=True)
                    )
        return found, origins

    def _same(self, one: Instance, name: str, declared: page.Parameter, found: Mapping[str, page.Parameter]) -> None:
        surfaced = one.parameter(name)
        if not isinstance(surfaced, Name) or surfaced.text not in found or one.use_at is None:
            return
        other = found[surfaced.text]
        mine = name in self.page.parameters or any(name in up.page.parameters for up in _hosts(one))
        if other.kind != declared.kind or (not mine and other.default != declared.default):
            what = f"`{one.page.page}` brings the parameter `{name}` with another type or default than elsewhere"
            self.book.tell(one.use_at.problem(what, "fix one of them in `with`, or declare it in this page", key=True))

    def _variables(self) -> dict[str, page.Variable]:
        found = {}
        for one in self.instances:
            for name, variable in one.page.variables.items():
                at = one.at / "variables" / name
                ends = {end: resolve.value(one, getattr(variable, end), at / end, ()) for end in ("min", "max")}
                found[f"{one.prefix}{name}"] = attrs.evolve(variable, **ends)
                self.origins.setdefault(f"{one.prefix}{name}", one.page.page)
        return found

    def _calls(self) -> dict[str, page.Call]:
        found: dict[str, page.Call] = {}
        for one in self.instances:
            for name, call in one.page.calls.items():
                at = one.at / "calls" / name
                full = one.call(name)
                made = attrs.evolve(
                    call,
                    timeout=resolve.length(one, call.timeout, at / "timeout", ()),
                    yields=resolve.frame(one, call.yields, at / "yields"),
                )
                if full in found and found[full] != made:
                    self.book.tell(
                        at.problem(f"two pages declare the call `{full}` differently", "rename one with `as`", key=True)
                    )
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
                    self.book.tell(
                        at.problem(
                            f"no preset of causes is called `{row.use}`", did_you_mean(row.use, presets.causes())
                        )
                    )
                else:
                    rows += [
                        attrs.evolve(each, use=row.use, is_=one.event(each.is_) if each.is_ else None)
                        for each in preset
                    ]
        if (
            self.page.causes and self.page.causes[-1].otherwise
        ):  # the last of all, behind the rows of the pages that this one uses
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
            url = url if url is not None else resolve.value(one, dial.url, at / "url", ())
            subprotocols = subprotocols or tuple(dial.subprotocols)
            for group, found in parts.items():
                for name, given in getattr(dial, group).items():
                    found.setdefault(name, resolve.value(one, given, at / group / name, ()))
        return page.Dial(url=url, subprotocols=subprotocols, **parts)

    def _traced(self) -> page.Traced:
        found: dict[str, Any] = {}
        for one in self.instances:
            traced = one.page.trace
            if traced is not None:
                at = one.at / "trace" / "session"
                said = {"session": resolve.value(one, traced.session, at, ()), "event": traced.event}
                found = {name: value for name, value in said.items() if value is not None} | found
        return page.Traced(**found)

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
                frames[f"{one.prefix}{name}"] = resolve.value(one, frame, at / "frames" / name, (), extra)
            routes += [self._route(one, row, at / "routes" / index) for index, row in enumerate(messages.routes)]
        ends = {name: outermost(name) for name in ("codec", "limit")}
        queues = {"inbox": self._queue(told, "inbox", "pause"), "outbox": self._queue(told, "outbox", "until_ready")}
        return page.Messages(routes=tuple(routes), frames=frames, **ends, **queues)

    def _queue(self, told: list[tuple[Instance, page.Messages]], name: str, wait: str) -> Any:
        for one, messages in told:
            queue = getattr(messages, name)
            if queue is not None:
                at = one.at / "messages" / name / wait
                return attrs.evolve(queue, **{wait: resolve.length(one, getattr(queue, wait), at, ())})
        return None

    def _route(self, one: Instance, row: page.Route, at: Spot) -> page.Route:
        keep = {resolve.variable(one, name, at / "keep" / name): pick for name, pick in row.keep.items()}
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
                names = {name: resolve.frame(one, getattr(requests, name), at / name) for name in ("send", "cancel")}
                lengths = {
                    name: resolve.length(one, getattr(requests, name), at / name, ())
                    for name in ("timeout", "until_ready")
                }
                return attrs.evolve(requests, **names, **lengths)
        return None


def _hosts(one: Instance) -> Iterator[Instance]:
    while one.host is not None:
        one = one.host
        yield one
