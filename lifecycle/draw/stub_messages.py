"""The types of a page's messages: the frames that it sends, and what its routes know of those that come.

Law: a frame is known whole, for the page writes it. Of a message only what the page looks at is known,
so who needs more of it extends the type. Codecs of plain texts and bytes have no keys to know.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import KEYED, Route

from .declarations import Field, Module, one_of
from .stub_values import INSIDE, choice, or_none, value_type

_REQUEST: Mapping[str, str] = {"id": "str", "method": "str"}
"""What the frame of a request, and the one that cancels it, know besides the page's names."""
_DELIVERED = ["What `async for` brings, beside the marks of a discontinuity."]


def sent(definition: Definition, module: Module) -> None:
    """Declare the frames that a page sends."""
    kinds = []
    for name, template in definition.messages.frames.items():
        kind = _frame(definition, module, template, (name, "Frame"), f"The frame `{name}`.")
        if not isinstance(template, Mapping):
            alias = module.name(name, "Frame")
            module.alias(alias, kind, [f"The frame `{name}`."])
            kind = alias
        kinds.append(kind)
    if kinds:
        module.alias("Sent", one_of(kinds), ["What the page sends by itself."])


def _frame(definition: Definition, module: Module, template: Any, parts: Sequence[str], doc: str) -> str:
    if isinstance(template, Mapping):
        name = module.name(*parts)
        part = f"A part of `{name}`."
        fields = {
            str(key): Field(_frame(definition, module, each, (*parts, str(key)), part))
            for key, each in template.items()
        }
        return module.typed_dict(name, fields, [doc])
    if isinstance(template, list | tuple):
        items = [_frame(definition, module, each, (*parts, "item"), doc) for each in template]
        return f"list[{one_of(items)}]"
    return value_type(definition, template, _REQUEST)


def taken(definition: Definition, module: Module) -> None:
    """Declare the messages that a page's routes take, and what of them is delivered."""
    messages = definition.messages
    keyed = messages.codec in KEYED
    kinds: list[str] = []
    delivered = [] if messages.routes or definition.role == "session" else ["Any" if keyed else "str | bytes"]
    for route in messages.routes:
        if route.clause or route.discard:
            continue
        key = _known(definition, route)
        what = route.raise_ or ("answer" if route.answer else "refusal" if route.refusal else "delivered")
        if keyed and key.inner:
            kinds.append(key.write(module, (what, "Message"), f"{_FATES.get(what, f'It is the event `{what}`')}."))
        if route.deliver:
            found = key.at(route.deliver) if isinstance(route.deliver, str) else key
            delivered.append(found.kind if keyed else "str | bytes")
    if kinds:
        module.alias("Taken", one_of(kinds), ["What the page looks for in messages that come."])
    if delivered:
        module.alias("Delivered", one_of(delivered), _DELIVERED)


_FATES = {
    "answer": "The answer to a request",
    "refusal": "A refusal, of which `causes` makes an event",
    "delivered": "A message for the user",
}


@attrs.define
class _Key:
    """What is known of a part of a message."""

    kind: str = "Any"
    required: bool = False
    inner: "dict[str, _Key]" = attrs.field(factory=dict)

    def put(self, path: str | None, kind: str = "Any", *, required: bool = False) -> None:
        """Learn of the part at a path; what was known first stays."""
        key = self
        for step in path.split(".") if path else ():
            key = key.inner.setdefault(step, _Key())
            key.required = key.required or required
        key.kind = kind if key.kind == "Any" else key.kind

    def at(self, path: str) -> "_Key":
        """The part at a path that was put."""
        key = self
        for step in path.split("."):
            key = key.inner[step]
        return key

    def write(self, module: Module, parts: Sequence[str], doc: str) -> str:
        """Declare it if it has keys; with digits it may be a list, and is left open."""
        if self.inner and not any(name.isdecimal() for name in self.inner):
            name = module.name(*parts)
            part = f"A part of `{name}`."
            fields = {
                step: Field(key.write(module, (*parts, step), part), key.required) for step, key in self.inner.items()
            }
            self.kind = module.typed_dict(name, fields, [doc])
        return self.kind


def _known(definition: Definition, route: Route) -> _Key:
    """What a route looks at."""
    key = _Key()
    for path, values in route.match.items():
        key.put(path, choice(values), required=None not in values)
    key.put(route.answer, "str | int", required=True)
    key.put(route.ok, "bool")
    key.put(route.sequence, "int")
    for name, pick in route.keep.items():
        key.put(pick.path, "float | None" if pick.unit else _kept(definition, name))
    dedupe = route.dedupe.by if route.dedupe is not None else None
    part = route.deliver if isinstance(route.deliver, str) else None
    for looked in (route.result, route.error, route.refusal, dedupe, *route.fields.values(), part):
        key.put(looked)
    return key


def _kept(definition: Definition, name: str) -> str:
    variable = definition.variables[name]
    return or_none(INSIDE[variable.initial if variable.kind == "kept" else variable.kind])
