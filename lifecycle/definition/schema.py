"""The JSON Schema of pages, for editors: generated from the classes of a page.

Law: `page.py` is the only source of keys and of their words; what cattrs reads through a hook of its
own is said here once, in `_WRITTEN`. It says no more than the form: names, expressions and `use` are
the reader's. Knows no YAML; the result is plain data.
"""

import functools
import inspect
import json
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import attrs

from . import page

Fragment = dict[str, Any]

_DURATION = r"^\s*[0-9]+(\.[0-9]+)? ?(ms|s|min|h|d)\s*$"
_OWN_WORDS = [
    *("true", "false", "none", "and", "or", "not", "in", "event", "if", "else", "is", "lambda", "for", "transport"),
]
_BARE_EFFECTS = ["open", "drop", "ping", "admit", "close"]


def _ref(name: str) -> Fragment:
    return {"$ref": f"#/$defs/{name}"}


def _text(pattern: str, what: str) -> Fragment:
    return {"description": what, "type": "string", "pattern": pattern}


def _object(properties: Fragment, **more: Any) -> Fragment:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _single(names: Fragment, value: Fragment, **more: Any) -> Fragment:
    return {"type": "object", "minProperties": 1, "propertyNames": names, "additionalProperties": value, **more}


def _kinds(cls: type, kinds: Mapping[str, Fragment], keys: tuple[str, ...]) -> Fragment:
    """A class whose one telling key is its type; only a choice has, and needs, `of`."""
    fields = {field.name: field for field in attrs.fields(cls)}
    told = {name: {"description": f"a {name}", **inner} for name, inner in kinds.items()}
    rest = {_key(name): {"description": fields[name].metadata["doc"], **_of(fields[name].type)} for name in keys}
    one = [{"required": [name, *(["of"] if name == "choice" else [])]} for name in kinds]
    fitting = {"if": {"required": ["of"]}, "then": {"required": ["choice"]}}
    return _object({**told, **rest}, description=_about(cls), oneOf=one, **fitting)


def _key(name: str) -> str:
    return name.removesuffix("_")


def _about(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def _literals() -> dict[str, Fragment]:
    part = {"anyOf": [_text(r"^\s*[0-9]+(\.[0-9]+)? ?%\s*$", "a percentage, such as `50 %`"), {"type": "number"}]}
    jitter = {
        "anyOf": [
            {"enum": ["none", "full", "equal", "decorrelated"]},
            {"type": "array", "items": part, "minItems": 2, "maxItems": 2},
        ]
    }
    backoff = {
        "delays": {"description": "the first waits, before the formula", "type": "array", "items": _ref("Seconds")},
        "first": {"description": "the formula's first wait", **_ref("Seconds")},
        "factor": {"description": "by which each wait is longer than the one before", "type": "number", "minimum": 1},
        "max": {"description": "no wait is longer, before jitter", **_ref("Seconds")},
        "jitter": {"description": "how a wait is varied: a name, or the low and the high end", **jitter},
        "floor": {"description": "no wait is shorter, after jitter", **_ref("Seconds")},
    }
    return {
        "duration": _ref("Seconds"),
        "count": {"type": "integer", "minimum": 0},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "text": {"type": "string"},
        "choice": _of(page.Scalar),
        "size": _ref("Size"),
        "url": _text("^[wW][sS]{1,2}://.", "a WebSocket URL"),
        "secret": {"type": "string"},
        "backoff": _object(backoff),
        "jitter": jitter,
    }


def _parameter() -> Fragment:
    open_ = {"enum": [page.REQUIRED, page.OPTIONAL]}
    return _kinds(
        page.Parameter,
        {name: {"anyOf": [open_, inner]} for name, inner in _literals().items()},
        ("help", "of", "min", "max"),
    )


def _variable() -> Fragment:
    literals = _literals()
    kinds = {name: literals[name] for name in ("count", "flag", "duration", "choice", "number")}
    return _kinds(
        page.Variable, {**kinds, "kept": {"enum": [*get_args(page.Shape)]}}, ("of", "min", "max", "from_", "else_")
    )


def _effect() -> Fragment:
    arguments = {
        "close": _object(
            {
                "code": {"description": "1000, 1001 or 3000 to 4999", "type": "integer"},
                "reason": {"description": "a few words", **_ref("Value")},
            }
        ),
        "send": _ref("Word"),
        "set": _single(_ref("Reference"), _ref("Value")),
        "emit": {
            "anyOf": [
                _ref("Event"),
                _single(_ref("Event"), {"type": "object", "additionalProperties": _ref("Value")}, maxProperties=1),
            ]
        },
        "refuse": _object(
            {"http": {"description": "the status", "type": "integer", "minimum": 400, "maximum": 599}},
            required=["http"],
        ),
        "mark": {"enum": ["resumed", "replayed", "lost"]},
    }
    told = {name: {"description": f"the effect {name}", **inner} for name, inner in arguments.items()}
    return {
        "description": _about(page.Effect),
        "anyOf": [{"enum": _BARE_EFFECTS}, _object(told, minProperties=1, maxProperties=1)],
    }


def _pick() -> Fragment:
    places = {name: {"description": f"a duration in {name}", **_ref("Path")} for name in ("ms", "s", "min", "h", "d")}
    places["max"] = {"description": "never steps back", **_ref("Path")}
    one = [{"required": [name]} for name in places]
    places["else"] = {"description": "where the message has none", **_ref("Seconds")}
    return {"description": _about(page.Pick), "anyOf": [_ref("Path"), _object(places, oneOf=one)]}


def _code() -> Fragment:
    return {
        "description": "a code, or a range",
        "anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 4999},
            {"type": "string", "pattern": "^[0-9]{3,4}(-[0-9]{3,4})?$"},
        ],
    }


@functools.cache
def _written() -> dict[Any, tuple[str, Fragment]]:
    """What is written in a way that its class does not show: kind to name and fragment."""
    dotted = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$"
    name = _text("^([a-z][a-z0-9_]*|[a-z][a-z0-9]*([-_][a-z0-9]+)*)$", "a name")
    call = _single(_ref("Word"), {"type": "object", "additionalProperties": _ref("Value")}, maxProperties=1)
    # neither `=…` nor what looks like a duration
    length = {"pattern": r"^(?!=)(?!\s*-?[0-9]+(\.[0-9]+)? ?[A-Za-z]*\s*$)."}
    return {
        page.Word: ("Word", {**name, "not": {"enum": _OWN_WORDS}}),
        page.Event: ("Event", _text(dotted, "an event, or a family of events")),
        page.StateName: ("StateName", _text(dotted, "a state")),
        page.Reference: ("Reference", _text(dotted, "a variable")),
        page.ClauseId: ("ClauseId", _text("^[A-Z]{1,4}[0-9]+[a-z]?$", "a clause id, such as WS1")),
        page.Path: ("Path", _text(r"^[^.]+(\.[^.]+)*$", "keys with dots between, such as error.code")),
        page.Regex: ("Regex", {"description": "a regular expression of Python", "type": "string"}),
        page.Seconds: ("Seconds", _text(_DURATION, "a duration with its unit, such as 10 s")),
        page.Size: (
            "Size",
            _text(r"^\s*[0-9]+(\.[0-9]+)? ?(B|KiB|MiB|GiB|kB|MB|GB)\s*$", "a size with its unit, such as 4 MiB"),
        ),
        page.Condition: (
            "Condition",
            {"description": "an expression", "type": ["string", "boolean"], "pattern": "^[^=]"},
        ),
        page.Value: ("Value", {"description": "what is meant; with = before it, an expression"}),
        page.Length: (
            "Length",
            {
                "description": "a duration with its unit, or an expression",
                "type": "string",
                "anyOf": [_ref("Seconds"), length],
            },
        ),
        page.Effect: ("Effect", _effect()),
        page.CallUse: ("CallUse", {"description": _about(page.CallUse), "anyOf": [_ref("Word"), call]}),
        page.Parameter: ("Parameter", _parameter()),
        page.Variable: ("Variable", _variable()),
        page.Pick: ("Pick", _pick()),
        page.Codes: ("Codes", {"anyOf": [{"const": "any"}, _code(), {"type": "array", "items": _code()}]}),
        page.Pause: (
            "Pause",
            {"anyOf": [{"const": "header"}, _ref("Seconds"), {"$ref": "#/$defs/Pick", "type": "object"}]},
        ),
        page.Elsewhere: ("Elsewhere", {"anyOf": [{"enum": ["header", "next"]}, _ref("Path")]}),
        page.Scalar: ("Scalar", {"type": ["string", "number", "boolean", "null"]}),
    }


_NAMED: dict[Any, str] = {
    page.Length: "Length",
    page.Codes: "Codes",
    page.Pause: "Pause",
    page.Elsewhere: "Elsewhere",
    page.Scalar: "Scalar",
}
_PLAIN: dict[Any, Fragment] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": 0},
    bool: {"type": "boolean"},
    Any: {},
}


def _of(kind: Any) -> Fragment:
    """The fragment of a type; classes and named kinds are in `$defs`."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    name = str(_NAMED.get(kind) or getattr(kind, "__name__", ""))
    if kind in _NAMED or hasattr(kind, "__supertype__") or attrs.has(kind):
        return _ref(name)
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return {"enum": [*arguments]}
    if get_origin(kind) is tuple:
        return _rows(arguments[0])
    if get_origin(kind) is Mapping:
        names = {} if arguments[0] is str else {"propertyNames": _of(arguments[0])}
        return {"type": ["object", "null"], **names, "additionalProperties": _of(arguments[1])}
    return _either([part for part in arguments if part is not NoneType], empty=NoneType in arguments)


def _rows(item: Any) -> Fragment:
    """One thing or a list of them; classes without a short form are always a list."""
    many = {"type": "array", "items": _of(item)}
    return many if attrs.has(item) and item not in _written() else {"anyOf": [_of(item), many]}


def _either(parts: list[Any], *, empty: bool) -> Fragment:
    if bool in parts and page.Path in parts:
        one: Fragment = {"anyOf": [{"const": True}, _of(page.Path)]}
    elif len(parts) == 1:
        one = _of(parts[0])
    else:
        kind = next((kind for kind in _NAMED if set(get_args(kind)) - {NoneType} == set(parts)), None)
        one = _ref(_NAMED[kind]) if kind is not None else {"anyOf": [_of(part) for part in parts]}
    return {"anyOf": [one, {"type": "null"}]} if empty else one


def _class(cls: type) -> Fragment:
    """A class as the schema of its mapping."""
    properties = {_key(f.name): {"description": f.metadata["doc"], **_of(f.type)} for f in attrs.fields(cls)}
    required = [_key(field.name) for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    made = _object(properties, description=_about(cls), **({"required": required} if required else {}))
    return {**made, "type": ["object", "null"]} if cls is page.State else made


_CLASSES = (
    *(page.State, page.Clause, page.Dial, page.Call, page.Cause, page.Route, page.Dedupe, page.Inbox, page.Outbox),
    *(page.Messages, page.Unsupported, page.Requests, page.Law, page.Situation, page.Leading, page.Traced),
)


def schema() -> Fragment:
    """The JSON Schema of a page (draft 2020-12)."""
    definitions = dict(_written().values())
    definitions |= {cls.__name__: _class(cls) for cls in _CLASSES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A page of lifecycle",
        **_class(page.Page),
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """The schema as the file that is shipped with the pages."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
