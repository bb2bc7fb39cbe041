"""The short forms of the language: effects, calls, parameters, variables, and where values are found.

Law: a short form is a word or a mapping with one telling key; what it means is made explicit here,
and nowhere else.
"""

from typing import Any, get_args

from lifecycle.definition import page
from lifecycle.definition.literal import literal
from lifecycle.definition.problem import did_you_mean

from . import scalars
from .misfit import Misfit, shown

_KINDS = get_args(page.Kind)
_VARIABLE_KINDS = ("count", "flag", "duration", "choice", "number", "kept")
_ORDERED = ("duration", "count", "number", "size")
_SHAPES = get_args(page.Shape)
_MARKS = ("resumed", "replayed", "lost")
_OWN_CODES = range(3000, 5000)
_REFUSALS = range(400, 600)
_BARE = {"open", "drop", "ping", "admit", "close"}


def effect(given: Any, _: Any) -> page.Effect:
    """A word, or `{word: argument}`."""
    if isinstance(given, str):
        _known_effect(given)
        if given not in _BARE:
            raise Misfit(f"the effect `{given}` needs to be told what", f"write `{{{given}: …}}`")
        return page.Effect(word=given)
    if not isinstance(given, dict) or len(given) != 1:
        raise Misfit(
            f"expected an effect, found {shown(given)}",
            "an effect is a word or one key with its value; several are a list",
        )
    [(name, argument)] = given.items()
    _known_effect(name, key=True)
    reader = _ARGUMENTS.get(name)
    if reader is None:
        raise Misfit(f"the effect `{name}` takes nothing", f"write `{name}` alone", steps=(name,), key=True)
    try:
        return page.Effect(word=name, argument=reader(argument))
    except Misfit as misfit:
        misfit.steps = (name, *misfit.steps)
        raise


def _known_effect(name: str, *, key: bool = False) -> None:
    if name not in page.EFFECTS:
        raise Misfit(
            f"no effect is called `{name}`", did_you_mean(name, page.EFFECTS), steps=(name,) if key else (), key=key
        )


def _close(argument: Any) -> dict[str, Any]:
    _keys(argument, {"code", "reason"})
    code = argument.get("code", 1000)
    # RFC 6455 7.4.2: what an endpoint may send by its own choice
    if code not in (1000, 1001) and not (isinstance(code, int) and code in _OWN_CODES):
        raise Misfit(f"{shown(code)} is no code to close with", "write 1000, 1001 or 3000 to 4999", steps=("code",))
    return {"code": code, "reason": scalars.value(argument.get("reason", ""), None)}


def _set(argument: Any) -> dict[str, Any]:
    if not isinstance(argument, dict) or not argument:
        raise Misfit(f"expected variables with their values, found {shown(argument)}", "write `{set: {name: value}}`")
    return {scalars.dotted(name, None): _inside(name, part) for name, part in argument.items()}


def _emit(argument: Any) -> dict[str, Any]:
    if isinstance(argument, str):
        return {"name": scalars.dotted(argument, None), "fields": {}}
    if not isinstance(argument, dict) or len(argument) != 1:
        raise Misfit(f"expected a name, or a name with its fields, found {shown(argument)}")
    [(name, fields)] = argument.items()
    _keys(fields, None, steps=(name,))
    return {
        "name": scalars.dotted(name, None),
        "fields": {field: _inside(field, part, (name,)) for field, part in fields.items()},
    }


def _refuse(argument: Any) -> dict[str, Any]:
    _keys(argument, {"http"})
    status = argument.get("http")
    if isinstance(status, bool) or not isinstance(status, int) or status not in _REFUSALS:
        raise Misfit(f"{shown(status)} is no status to refuse with", "write `{refuse: {http: 403}}`, 400 to 599")
    return {"http": status}


def _mark(argument: Any) -> str:
    if argument not in _MARKS:
        raise Misfit(f"{shown(argument)} is not one of {', '.join(_MARKS)}")
    return str(argument)


def _inside(name: str, part: Any, outer: tuple[str, ...] = ()) -> Any:
    try:
        return scalars.value(part, None)
    except Misfit as misfit:
        misfit.steps = (*outer, name, *misfit.steps)
        raise


def _keys(given: Any, allowed: set[str] | None, steps: tuple[str, ...] = ()) -> None:
    if not isinstance(given, dict):
        raise Misfit(f"expected keys and values, found {shown(given)}", steps=steps)
    for name in given:
        if allowed is not None and name not in allowed:
            raise Misfit(f"unknown key `{name}`", did_you_mean(name, allowed), steps=(*steps, name), key=True)


_ARGUMENTS = {
    "close": _close,
    "send": lambda argument: scalars.word(argument, None),
    "set": _set,
    "emit": _emit,
    "refuse": _refuse,
    "mark": _mark,
}


def call(given: Any, _: Any) -> page.CallUse:
    """A name, or `{name: {argument: value}}`."""
    if isinstance(given, str):
        return page.CallUse(name=scalars.word(given, None))
    if not isinstance(given, dict) or len(given) != 1:
        raise Misfit(
            f"expected a call, found {shown(given)}", "one call a state: a name, or `{name: {argument: value}}`"
        )
    [(name, arguments)] = given.items()
    _keys(arguments, None, steps=(name,))
    given_to = {key: _inside(key, part, (name,)) for key, part in arguments.items()}
    return page.CallUse(name=scalars.word(name, None), arguments=given_to)


def _typed(given: Any, kinds: tuple[str, ...], rest: set[str], what: str) -> tuple[str, Any]:
    """The one telling key of a parameter or variable, and its value."""
    if not isinstance(given, dict):
        raise Misfit(f"expected a {what}, found {shown(given)}", f"write `{{{kinds[0]}: …}}`")
    for name in given:
        if name not in kinds and name not in rest:
            raise Misfit(f"unknown key `{name}`", did_you_mean(name, {*kinds, *rest}), steps=(name,), key=True)
    found = [name for name in given if name in kinds]
    if len(found) != 1:
        remedy = f"one of {', '.join(kinds)}"
        raise Misfit(f"a {what} has exactly one type, found {' and '.join(found) or 'none'}", remedy)
    return found[0], given[found[0]]


def _literal(kind: str, given: Any, of: tuple[Any, ...], step: str) -> Any:
    try:
        return literal(kind, given, of, in_page=True)
    except ValueError as error:
        raise Misfit(str(error), steps=(step,)) from None


def _choices(given: dict[str, Any], kind: str) -> tuple[Any, ...]:
    of = given.get("of", [])
    if (kind == "choice") != bool(of) or not isinstance(of, list) or any(isinstance(x, dict | list) for x in of):
        raise Misfit("a choice lists its values in `of`, and only a choice does", "write `{choice: a, of: [a, b]}`")
    return tuple(of)


def parameter(given: Any, _: Any) -> page.Parameter:
    """`{TYPE: default, help, of, min, max}`."""
    kind, default = _typed(given, _KINDS, {"help", "of", "min", "max"}, "parameter")
    of = _choices(given, kind)
    if default not in (page.REQUIRED, page.OPTIONAL):
        default = _literal(kind, default, of, kind)
    ends = {end: _literal(kind, given[end], of, end) for end in _ends(given, kind)}
    help_ = scalars.text(given["help"], None) if "help" in given else None
    return page.Parameter(kind=kind, default=default, help=help_, of=of, **ends)  # type: ignore[arg-type]


def variable(given: Any, _: Any) -> page.Variable:
    """`{TYPE: initial, of, min, max}` or `{kept: SHAPE, from, else}`."""
    kind, initial = _typed(given, _VARIABLE_KINDS, {"of", "min", "max", "from", "else"}, "variable")
    of = _choices(given, kind)
    if kind == "kept":
        if initial not in _SHAPES:
            raise Misfit(f"{shown(initial)} is no shape", f"write one of {', '.join(_SHAPES)}", steps=("kept",))
    else:
        initial = _literal(kind, initial, of, kind)
    ends = {end: _end(kind, given[end], end) for end in _ends(given, kind)}
    source = scalars.path(given["from"], None) if "from" in given else None
    absent = given.get("else")
    if absent is not None and kind != "kept":
        absent = _literal(kind, absent, of, "else")
    return page.Variable(
        kind=kind,  # type: ignore[arg-type]
        initial=initial,
        of=of,
        from_=source,
        else_=absent,
        **ends,
    )


def _ends(given: dict[str, Any], kind: str) -> list[str]:
    found: list[str] = [end for end in ("min", "max") if end in given]
    if found and kind not in _ORDERED:
        raise Misfit(f"a {kind} has no `{found[0]}`", f"only {', '.join(_ORDERED)} have", steps=(found[0],), key=True)
    return found


def _end(kind: str, given: Any, step: str) -> Any:
    try:
        if isinstance(given, str) and not (kind == "duration" and given[:1].isdigit()):
            return scalars.expression(given, None)
        return _literal(kind, given, (), step) if kind != "count" else scalars.whole_number(given, None)
    except Misfit as misfit:
        misfit.steps = misfit.steps or (step,)
        raise


def pick(given: Any, _: Any) -> page.Pick:
    """A path, `{UNIT: path, else: duration}`, or `{max: path}`."""
    if isinstance(given, str):
        return page.Pick(path=scalars.path(given, None))
    telling = ("ms", "s", "min", "h", "d", "max")
    name, where = _typed(given, telling, {"else"}, "place of a value")
    at = scalars.path(where, None)
    fallback = scalars.seconds(given["else"], None) if "else" in given else None
    unit = None if name == "max" else name
    return page.Pick(path=at, unit=unit, max=name == "max", else_=fallback)  # type: ignore[arg-type]


def pause(given: Any, kind: Any) -> Any:
    """A duration, `header`, or a path with its unit."""
    if given == "header":
        return given
    return pick(given, kind) if isinstance(given, dict) else scalars.seconds(given, kind)


def elsewhere(given: Any, kind: Any) -> Any:
    """`header`, `next`, or a path."""
    return given if given in ("header", "next") else scalars.path(given, kind)


FORMS = {
    page.Effect: effect,
    page.CallUse: call,
    page.Parameter: parameter,
    page.Variable: variable,
    page.Pick: pick,
}
"""The classes that have a short form, and how it is read."""
