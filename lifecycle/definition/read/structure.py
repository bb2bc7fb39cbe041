"""Plain values to the classes of a page, with every misfit told at its place.

Law: cattrs does the walking and collects; the hooks here say only how one scalar or one short
form is written. Nothing is coerced: a text is no number and a number is no text.
"""

import copy
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from lifecycle.definition import page
from lifecycle.definition.problem import Path, Problem, Spot, did_you_mean

from . import scalars, short
from .misfit import Misfit, shown

Hook = Callable[[Any, Any], Any]


def structure(value: object, spot: Spot) -> tuple[page.Page | None, list[Problem]]:
    """Make a page of plain values.

    Returns:
        The page, or None; and every problem of its form. Where all problems lie in clauses and in
        unknown keys, the page is that without them, so that its names can be looked at too; it must
        not be used for anything else.
    """
    try:
        return converter().structure(value, page.Page), []
    except (ClassValidationError, Misfit) as error:
        found = _found(error, spot)
    problems = [problem for _, problem in found]
    holes = [_hole(path, problem) for path, problem in found]
    rest = copy.deepcopy(value)
    for hole in holes:
        if hole is None:
            return None, problems
        _remove(rest, hole)
    try:
        return converter().structure(rest, page.Page), problems
    except (ClassValidationError, Misfit):
        return None, problems


def _hole(path: Path, problem: Problem) -> Path | None:
    """What to leave out, so that the rest of the page means what it did; None if nothing can be."""
    if "clauses" in path[:-1]:
        return path[: path.index("clauses") + 2]
    return path if problem.what.startswith("unknown key") else None


def _remove(value: Any, path: Path) -> None:
    for step in path[:-1]:
        value = value.get(step, {}) if isinstance(value, dict) else value[step]
    value.pop(path[-1], None)  # a hole is a key or a clause, hence in a mapping


def _found(error: BaseException, spot: Spot) -> list[tuple[Path, Problem]]:
    notes = getattr(error, "__notes__", ())
    for note in (each for each in notes if isinstance(each, AttributeValidationNote | IterableValidationNote)):
        if isinstance(note, AttributeValidationNote):
            if isinstance(error, KeyError):  # cattrs' word for a required key that is missing
                missing = spot.problem(f"the key `{_key(note.name)}` is missing", "it is required here")
                return [(spot.path, missing)]
            spot /= _key(note.name)
        else:
            spot /= note.index
    if isinstance(error, BaseExceptionGroup):
        return [found for inner in error.exceptions for found in _found(inner, spot)]
    if isinstance(error, ForbiddenExtraKeysError):
        keys = [_key(field.name) for field in attrs.fields(error.cl)]
        extras = [(spot / extra, extra) for extra in sorted(error.extra_fields)]
        return [
            (at.path, at.problem(f"unknown key `{name}`", did_you_mean(name, keys), key=True)) for at, name in extras
        ]
    if isinstance(error, Misfit):
        for step in error.steps:
            spot /= step
        return [(spot.path, spot.problem(error.what, error.remedy, key=error.key))]
    raise error


def _key(name: str) -> str:
    return name.removesuffix("_")


def _class_hook(cls: type, conv: cattrs.Converter) -> Hook:
    names: dict[str, Any] = {field.name: override(rename=_key(field.name)) for field in attrs.fields(cls)}
    inner: Hook = make_dict_structure_fn(cls, conv, _cattrs_forbid_extra_keys=True, **names)
    empty = issubclass(cls, page.State)

    def hook(value: Any, _: Any) -> Any:
        if value is None and empty:  # `proven:` says as much as `proven: {}`
            value = {}
        if not isinstance(value, dict):
            raise Misfit(f"expected keys and values, found {shown(value)}")
        return inner(value, cls)

    return hook


def _mapping_hook(kind: Any, conv: cattrs.Converter) -> Hook:
    key_kind, value_kind = get_args(kind)

    def hook(value: Any, _: Any) -> dict[Any, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Misfit(f"expected names with their values, found {shown(value)}")
        made, errors = {}, []
        for name, part in value.items():
            for is_key, part_of_row, wanted in ((True, name, key_kind), (False, part, value_kind)):
                try:
                    made[name] = conv.structure(part_of_row, wanted)
                except Exception as error:  # noqa: BLE001 -- collected, with its place; told by _found
                    if isinstance(error, Misfit):
                        error.key = error.key or is_key
                    _note(error, name, wanted)
                    errors.append(error)
        if errors:
            raise _collected(errors, kind)
        return made

    return hook


def _tuple_hook(kind: Any, conv: cattrs.Converter) -> Hook:
    item = get_args(kind)[0]
    rows = attrs.has(item) and item not in short.FORMS

    def hook(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            if rows:
                raise Misfit(f"expected a list, found {shown(value)}", "begin each row with `- `")
            return (conv.structure(value, item),)
        made, errors = [], []
        for index, part in enumerate(value):
            try:
                made.append(conv.structure(part, item))
            except Exception as error:  # noqa: BLE001 -- collected, with its place; told by _found
                _note(error, index, item)
                errors.append(error)
        if errors:
            raise _collected(errors, kind)
        return tuple(made)

    return hook


def _note(error: Exception, step: str | int, kind: Any) -> None:
    make: Any = IterableValidationNote  # a text with two more arguments, which type checkers do not see
    error.add_note(make(f"@ {step}", step, kind))


def _collected(errors: list[Exception], kind: Any) -> Exception:
    make: Any = IterableValidationError  # a group with one more argument, as above
    group: Exception = make(f"while reading {kind}", errors, kind)
    return group


def _literal_hook(kind: Any, _: cattrs.Converter) -> Hook:
    words = get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        if value not in words or isinstance(value, bool):
            raise Misfit(
                f"{shown(value)} is not one of {', '.join(map(str, words))}",
                did_you_mean(value, map(str, words), "write one of them"),
            )
        return value

    return hook


def _union_hook(kind: Any, conv: cattrs.Converter) -> Hook:
    """A scalar of several kinds, possibly left empty."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    optional = len(parts) < len(get_args(kind))
    if len(parts) == 1:
        inner: Hook = lambda value, _: conv.structure(value, parts[0])  # noqa: E731
    elif set(parts) == set(get_args(page.Length)):
        inner = scalars.length
    elif set(parts) == set(get_args(page.Pause)):
        inner = short.pause
    elif set(parts) == set(get_args(page.Elsewhere)):
        inner = short.elsewhere
    elif any(get_origin(part) is tuple for part in parts):
        inner = scalars.codes
    elif bool in parts and page.Path in parts:
        inner = scalars.flag_or_path
    else:
        inner = scalars.scalar
    return lambda value, _: None if value is None and optional else inner(value, kind)


_made: list[cattrs.Converter] = []


def converter() -> cattrs.Converter:
    """The converter for pages; made once, for its generated hooks are worth keeping."""
    if not _made:
        conv = cattrs.Converter(detailed_validation=True)
        factory: Any = conv.register_structure_hook_factory  # its own type is narrower than what it takes
        factory(attrs.has, _class_hook)
        for origins, make in _FACTORIES.items():
            factory(_has_origin(origins), make)
        conv.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: value)
        for kind, hook in {**scalars.HOOKS, **short.FORMS}.items():
            if isinstance(kind, type):  # only so is ours asked before cattrs' own, which turns 5 into '5'
                conv.register_structure_hook(kind, hook)
            else:
                conv.register_structure_hook_func(_is(kind), hook)
        _made.append(conv)
    return _made[0]


def _is(kind: object) -> Callable[[Any], bool]:
    return lambda other: other is kind


def _has_origin(origins: tuple[Any, ...]) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) in origins


_FACTORIES: dict[tuple[Any, ...], Callable[[Any, cattrs.Converter], Hook]] = {
    (Mapping,): _mapping_hook,
    (tuple,): _tuple_hook,
    (Literal,): _literal_hook,
    (Union, UnionType): _union_hook,
}
