"""Grown nodes into flat states: layers joined, targets found, effects and clocks resolved.

Law: the host's word comes before the used page's, in clauses and ignores; its `enter` follows and
its `exit` precedes. A name in a layer means what it means to the page that wrote the layer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from . import page, resolve
from .definition import Clause, Clock, State
from .expression import Expression
from .grow import Layer, Node
from .instance import Book, Instance
from .problem import Spot, did_you_mean
from .sources import Sources
from .units import say_seconds


class States:
    """Makes the states of one definition.

    Args:
        book: takes problems.
        calls: what can be called, by full name.
        sources: what can be heard.
    """

    def __init__(self, book: Book, calls: Mapping[str, page.Call], sources: Sources) -> None:
        self.book, self.calls, self.sources = book, calls, sources
        self.clocks: dict[str, Clock] = {}

    def state(self, node: Node, *, rest: bool) -> State:
        """A state with all that is inside; `rest` is what it inherits."""
        layers = node.layers
        # what fills a slot, and the page that it may use; the slot's own `rest` holds only while it is empty
        rest_layers = [layer for layer in layers if layer is layers[0] or not (node.filled and layer.state.slot)]
        own_rest = _first(layer.state.rest for layer in rest_layers)
        rest = rest if own_rest is None else own_rest
        if node.filled:
            rest = own_rest if own_rest is not None else False
        call = next(((layer, layer.state.call) for layer in layers if layer.state.call is not None), None)
        # the host's `enter` follows the used page's, its `exit` precedes it
        enter = [effect for layer in reversed(layers) for effect in self._effects(layer, "enter")]
        leave = [effect for layer in layers for effect in self._effects(layer, "exit")]
        final = next((layer.instance.event(layer.state.final) for layer in layers if layer.state.final), None)
        return State(
            path=node.path,
            status=_first(layer.state.status for layer in layers),
            needs=_first(layer.state.needs for layer in layers),
            rest=rest,
            final=final,
            enter=tuple(enter),
            exit=tuple(leave),
            call=self._call(*call) if call else None,
            clauses=tuple(made for layer in layers for made in self._clauses(node, layer)),
            ignore=tuple(dict.fromkeys(layer.instance.event(e) for layer in layers for e in layer.state.ignore)),
            states=tuple(self.state(child, rest=rest) for child in node.children),
            parallel=node.parallel,
            slot=layers[0].state.slot,
            used=node.used,
            at=node.at,
        )

    def _call(self, layer: Layer, use: page.CallUse) -> page.CallUse:
        full = layer.instance.call(use.name)
        at = layer.at / "call"
        declared = self.calls.get(full)
        if declared is None:
            self.book.tell(
                at.problem(
                    f"the call `{use.name}` is not declared",
                    did_you_mean(use.name, self.calls, "declare it under `calls`"),
                )
            )
            return attrs.evolve(use, name=full)
        for name in use.arguments:
            if name not in declared.takes:
                self.book.tell(
                    (at / use.name / name).problem(
                        f"the call `{full}` takes no `{name}`", did_you_mean(name, declared.takes), key=True
                    )
                )
        for name in declared.takes:
            if name not in use.arguments:
                self.book.tell(
                    at.problem(f"the call `{full}` needs `{name}`", f"write `{{{use.name}: {{{name}: …}}}}`")
                )
        return page.CallUse(
            name=full,
            arguments={
                name: resolve.value(layer.instance, v, at / use.name / name, ()) for name, v in use.arguments.items()
            },
        )

    def _clauses(self, node: Node, layer: Layer) -> Iterator[Clause]:
        for name, clause in layer.state.clauses.items():
            yield self._clause(node, layer, name, clause, layer.at / "clauses" / name)

    def _clause(self, node: Node, layer: Layer, name: str, clause: page.Clause, at: Spot) -> Clause:
        one = layer.instance
        on = tuple(e if e in ("done", "failed") else one.event(e) for e in clause.on)
        fields = self.sources.fields(node, on, self.calls)
        within = tuple(
            path for ref in clause.while_ if (path := self._target(node, one, ref, at / "while")) is not None
        )
        return Clause(
            id=f"{one.clause_prefix}{name}",
            state=node.path,
            on=on,
            clock=self._clock(node, one, clause, within, at),
            when=one.resolve(clause.when, at / "when", fields) if clause.when is not None else None,
            within=within,
            do=tuple(
                made
                for index, effect in enumerate(clause.do)
                if (made := self._effect(one, effect, at / "do" / index, fields))
            ),
            to=self._target(node, one, clause.to, at / "to") if clause.to is not None else None,
            say=clause.say,
            proof=clause.proof,
            at=at,
        )

    def _clock(self, node: Node, one: Instance, clause: page.Clause, within: tuple[str, ...], at: Spot) -> Clock | None:
        for kind in ("after", "silent"):
            given = getattr(clause, kind)
            if given is None:
                continue
            length = resolve.length(one, given, at / kind, ())
            by = resolve.variable(one, clause.by, at / "by") if clause.by else None
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

    def _target(self, node: Node, one: Instance, ref: str, at: Spot) -> str | None:
        """The nearest state of that name that the writer may name; None, told, if there is none."""
        head, *rest = ref.split(".")
        for around in node.up():
            for kid in around.children:
                if kid.name == head and kid.owner is one:
                    return self._inside(kid, rest, one, ref, at)
        known = [kid.name for around in node.up() for kid in around.children if kid.owner is one]
        self.book.tell(
            at.problem(f"no state named `{ref}` can be reached by name from here", did_you_mean(head, known))
        )
        return None

    def _inside(self, kid: Node, rest: list[str], one: Instance, ref: str, at: Spot) -> str | None:
        for step in rest:
            inner = {k.name: k for k in kid.children if k.owner is one}
            if step not in inner:
                self.book.tell(
                    at.problem(f"no state named `{ref}`: `{kid.name}` has no `{step}`", did_you_mean(step, inner))
                )
                return None
            kid = inner[step]
        return kid.path

    def _effects(self, layer: Layer, when: str) -> Iterator[page.Effect]:
        for index, effect in enumerate(getattr(layer.state, when)):
            made = self._effect(layer.instance, effect, layer.at / when / index, ())
            if made is not None:
                yield made

    def _effect(
        self, one: Instance, effect: page.Effect, at: Spot, fields: tuple[str, ...] | None
    ) -> page.Effect | None:
        given, inner = effect.argument, at / effect.word
        match effect.word:
            case "send":
                frame = resolve.frame(one, given, inner)
                return attrs.evolve(effect, argument=frame) if frame else None
            case "set":
                names = {name: resolve.variable(one, name, inner / name) for name in given}
                return attrs.evolve(
                    effect,
                    argument={names[name]: resolve.value(one, v, inner / name, fields) for name, v in given.items()},
                )
            case "emit":
                made = {
                    name: resolve.value(one, v, inner / given["name"] / name, fields)
                    for name, v in given["fields"].items()
                }
                return attrs.evolve(effect, argument={"name": given["name"], "fields": made})
            case "close":
                given = given or {"code": 1000, "reason": ""}
                return attrs.evolve(
                    effect, argument={**given, "reason": resolve.value(one, given["reason"], inner / "reason", fields)}
                )
        return effect


def _first(values: Iterator[Any]) -> Any:
    return next((value for value in values if value is not None), None)
