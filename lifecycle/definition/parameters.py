"""The embedder's parameters and calls, held against what a page asks for.

Law: all wrong ones in one error, with the list of what there is; a secret is never shown.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lifecycle.errors import WrongParameters

from . import page
from .definition import Definition
from .literal import literal
from .problem import did_you_mean
from .units import say_seconds, say_size

_STANDING_IN = {"url": "ws://localhost/", "text": "", "secret": ""}


def parameter_values(definition: Definition, given: Mapping[str, Any], problems: Iterable[str] = ()) -> tuple[Any, ...]:
    """The values of a page's parameters, in its order.

    Args:
        definition: the page.
        given: what the embedder passes.
        problems: what else is wrong, to be told in the same error.

    Raises:
        WrongParameters: unknown, missing or wrong ones; all at once.
    """
    found, known = {}, definition.parameters
    unknown = [f"there is no parameter `{name}`: {did_you_mean(name, known)}" for name in given if name not in known]
    wrong = [*problems, *unknown]
    for name, parameter in known.items():
        if name not in given and name in definition.defaults:
            found[name] = definition.defaults[name]
            continue
        try:
            found[name] = _value(parameter, name, given)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise WrongParameters(definition.name, [*wrong, f"its parameters are {_listed(definition)}"])
    return tuple(found.values())


def supposed_values(definition: Definition, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same where nothing is dialled: a url, text or secret that is required and not given has a stand-in.

    Raises:
        WrongParameters: as `parameter_values`.
    """
    standing = {
        name: _STANDING_IN[parameter.kind]
        for name, parameter in definition.parameters.items()
        if name not in definition.defaults and parameter.kind in _STANDING_IN
    }
    return parameter_values(definition, {**standing, **given})


def _value(parameter: page.Parameter, name: str, given: Mapping[str, Any]) -> Any:
    if name not in given:
        raise ValueError(f"the parameter `{name}` is required{f': {parameter.help}' if parameter.help else ''}")
    if given[name] is None and (parameter.default == page.OPTIONAL or parameter.kind == "duration"):
        return None
    try:
        value = literal(parameter.kind, given[name], parameter.of)
    except ValueError as error:
        raise ValueError(f"the parameter `{name}`: {error}") from None
    if parameter.min is not None and value < parameter.min:
        raise ValueError(f"the parameter `{name}` is at least {said(parameter, parameter.min)}")
    if parameter.max is not None and value > parameter.max:
        raise ValueError(f"the parameter `{name}` is at most {said(parameter, parameter.max)}")
    return value


def missing_calls(definition: Definition, calls: object) -> list[str]:
    """One sentence for each call of a page that an object does not have."""
    wrong = []
    for name, call in definition.calls.items():
        if not callable(getattr(calls, name, None)):
            takes = f"*, {', '.join(call.takes)}" if call.takes else ""
            returns = f" -> {{{', '.join(repr(key) for key in call.returns)}}}" if call.returns else ""
            wrong.append(f"the call `{name}` is missing: pass `calls=` with `async def {name}({takes}){returns}`")
    return wrong


def said(parameter: page.Parameter, value: Any) -> str:
    """A parameter's value as a page would write it; a secret is not shown."""
    if value is None:
        return "none"
    if parameter.kind == "duration" and not isinstance(value, str):
        return say_seconds(value)
    if parameter.kind == "size" and not isinstance(value, str):
        return say_size(value)
    if parameter.kind == "secret" and value not in (page.REQUIRED, page.OPTIONAL):
        return "<secret>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(definition: Definition) -> str:
    return (
        ", ".join(f"{name} ({each.kind}, {said(each, each.default)})" for name, each in definition.parameters.items())
        or "none"
    )
