"""What a program needs of a page, as a module of types: its calls, parameters and wishes, and its messages.

Law: pure and deterministic, and only types: the module that is written does nothing. A type says what
the page says and no more; what the page leaves open is `Any`. No secret is shown.
"""

import ast
import keyword
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lifecycle.definition import page
from lifecycle.definition.definition import Definition
from lifecycle.definition.problem import Problem
from lifecycle.errors import PageError

from . import words
from .declarations import Field, Method, Module, literal_of, one_of
from .stub_messages import sent, taken
from .stub_values import GIVEN, INSIDE, choice, or_none, value_type


def stubs(definition: Definition) -> str:
    """A page's types, as the text of a Python module.

    `Calls` is what the page calls, `Parameters` what `lifecycle.open` takes for it, `Wishes` what its connection can
    be told. Then come the names of wishes, statuses and states, and what the page emits, sends, takes and delivers.

    Raises:
        PageError: a call, its argument or a wish's field has a name that Python cannot write; all such at once.
    """
    problems = sorted(_unwritable(definition))
    if problems:
        raise PageError(problems)
    title = f"Types of the page `{definition.name}`{f': {definition.title}' if definition.title else ''}"
    module = Module([title, "", "Written by `lifecycle stubs`: write it again when the page has changed."])
    for part in (_parameters, _calls, _wishes, _places, _emitted, sent, taken):
        part(definition, module)
    return str(module)


def same(one: str, other: str) -> bool:
    """Whether two modules say the same, however they are laid out; a text that is no Python is like no other."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return False


def _unwritable(definition: Definition) -> Iterator[Problem]:
    names: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = []
    for call, each in definition.calls.items():
        names.append((("calls", call), f"the call `{call}`", ("str", "int", "float", "bool")))  # they would hide a type
        names += [
            (("calls", call, "takes", name), f"the argument `{name}` of `{call}`", ("self",)) for name in each.takes
        ]
    for wish, fields in definition.hears.items():
        names += [(("hears", wish, name), f"the field `{name}` of `{wish}`", ("self", "wish")) for name in fields]
    for path, what, others in names:
        if not path[-1].isidentifier() or keyword.iskeyword(path[-1]) or path[-1] in others:
            at = definition.at
            for step in path:
                at /= step
            yield at.problem(f"{what} cannot be a name in typed Python", "choose another name", key=True)


def _parameters(definition: Definition, module: Module) -> None:
    fields, said = {}, []
    for name, each in definition.parameters.items():
        kind = choice(each.of) if each.kind == "choice" else GIVEN[each.kind]
        none = each.default == page.OPTIONAL or each.kind == "duration"
        fields[name] = Field(or_none(kind) if none else kind, each.default == page.REQUIRED)
        said.append(f"    {name}: {'; '.join(filter(None, (each.help, words.default(each))))}")
    doc = ["What `lifecycle.open` or `serve` takes for the page: `open(page, **parameters)`."]
    module.typed_dict("Parameters", fields, [*doc, *(["", "Attributes:", *said] if said else [])])


def _calls(definition: Definition, module: Module) -> None:
    methods = []
    for name, call in definition.calls.items():
        uses = [
            (state.path, state.call) for state in definition.states.values() if state.call and state.call.name == name
        ]
        keywords = {
            argument: one_of([INSIDE[shape], *(["None"] if _may_be_none(definition, uses, argument) else [])])
            for argument, shape in call.takes.items()
        }
        where = ", ".join(f"`{path or definition.name}`" for path, _ in uses)
        doc = [f"Runs in {where}, for {words.length(definition, call.timeout)} at most."]
        if call.yields is not None:
            doc[0] += f" Each item is sent in the frame `{call.yields}`."
            methods.append(Method(name, keywords, "AsyncGenerator[Any, None]", doc, word="def"))
            continue
        returns = "None"
        if call.returns:
            fields = {key: Field(GIVEN[shape]) for key, shape in call.returns.items()}
            returns = module.typed_dict(module.name(name, "Result"), fields, [f"What `{name}` returns."])
        methods.append(Method(name, keywords, returns, doc))
    if methods:
        module.protocol("Calls", methods, ["What the page calls: `open(page, calls=…)`."])


def _may_be_none(definition: Definition, uses: Iterable[tuple[str, page.CallUse]], argument: str) -> bool:
    kinds = [value_type(definition, use.arguments[argument]) for _, use in uses]
    # an expression that is more than a name may come to none, too
    return any(kind == "Any" or kind.endswith("None") for kind in kinds)


def _wishes(definition: Definition, module: Module) -> None:
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for wish, fields in definition.hears.items():
        groups.setdefault(tuple((name, INSIDE[shape]) for name, shape in fields.items()), []).append(wish)
    if not groups:
        return
    module.literal("Wish", definition.hears, ["What the page hears from outside."])
    overload = "@overload" if len(groups) > 1 else ""
    methods = [
        Method(
            "tell",
            dict(fields),
            "None",
            word="def",
            head=("self", literal_of(wishes, "wish: ", 8)),
            decorator=overload,
        )
        for fields, wishes in groups.items()
    ]
    module.protocol("Wishes", methods, ["What the page can be told; a `lifecycle.Connection` of it is one of these."])


def _places(definition: Definition, module: Module) -> None:
    states = [state for state in definition.states.values() if not state.states and not state.junction]
    found = [state.status for state in definition.states.values() if state.status is not None]
    module.literal("Status", found, ["What `connection.status` can be."])
    module.literal("State", [state.path for state in states if state.path], ["What can be in `connection.state`."])


def _emitted(definition: Definition, module: Module) -> None:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for effect in _effects(definition):
        if effect.word == "emit":
            found.setdefault(effect.argument["name"], []).append(effect.argument["fields"])
    module.literal("Emitted", found, ["What the page emits: the keys of `step.emitted`."])
    for name, rows in found.items():
        fields = {
            key: Field(
                one_of(value_type(definition, row[key]) for row in rows if key in row), all(key in row for row in rows)
            )
            for key in dict.fromkeys(key for row in rows for key in row)
        }
        module.typed_dict(module.name(name, "Fields"), fields, [f"What `{name}` is emitted with."])


def _effects(definition: Definition) -> Iterator[page.Effect]:
    for state in definition.root.walk():
        yield from (*state.enter, *state.exit, *(effect for clause in state.clauses for effect in clause.do))
