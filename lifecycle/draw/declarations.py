"""Declarations of types as the text of a Python module: names, literals, typed dicts, protocols.

Law: what is written is Python 3.11 that imports what it uses and nothing else, in the layout of ruff
and black; each name is declared once, and none hides a type that is used. Knows no page.
"""

import ast
import keyword
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import attrs

WIDTH = 120
HIDING = frozenset({"str", "int", "float", "bool", "list", "timedelta"})
"""Small words of annotations: what is called so in a class would hide the type from what stands below it."""
_IMPORTS: Mapping[str, Sequence[str]] = {
    "collections.abc": ("AsyncGenerator", "Sequence"),
    "datetime": ("timedelta",),
    "typing": ("Any", "Literal", "NotRequired", "Protocol", "TypeAlias", "TypedDict", "overload"),
}
_HELPERS: Mapping[str, str] = {
    "Duration": '''\
Duration: TypeAlias = str | float | timedelta
"""A text with its unit, such as `10 s`; or seconds."""''',
    "Jitter": '''\
Jitter: TypeAlias = Literal["none", "full", "equal", "decorrelated"] | tuple[str | float, str | float]
"""A word, or the least and the greatest part of a wait: `("50 %", "150 %")`."""''',
    "Backoff": '''\
class Backoff(TypedDict):
    """A row of waits; what is not given has its default."""

    delays: NotRequired[Sequence[Duration]]
    first: NotRequired[Duration]
    factor: NotRequired[float]
    max: NotRequired[Duration]
    jitter: NotRequired[Jitter]
    floor: NotRequired[Duration]''',
}
"""Types that pages share, each after those that it needs; written where they are used."""


@attrs.frozen
class Field:
    """A key of a typed dict, or a keyword: its type, and whether it is always there."""

    kind: str
    required: bool = True


@attrs.frozen
class Method:
    """A method of a protocol: its keywords, or the `head` of its signature and those behind it."""

    name: str
    keywords: Mapping[str, str]
    returns: str
    doc: Sequence[str] = ()
    word: str = "async def"
    head: Sequence[str] = ("self",)
    decorator: str = ""


class Module:
    """The declarations of one module, in order.

    Args:
        doc: the lines of its docstring.
    """

    def __init__(self, doc: Sequence[str]) -> None:
        self._doc = doc
        self._blocks: list[str] = []
        self._names = {*_HELPERS, *(name for names in _IMPORTS.values() for name in names)}

    def __str__(self) -> str:
        used = _used("\n".join(self._blocks))
        helpers: list[str] = []
        for name, block in reversed(list(_HELPERS.items())):
            if name in used:
                used |= _used(block)
                helpers.insert(0, block)
        imports = [
            f"from {module} import {', '.join(name for name in names if name in used)}"
            for module, names in _IMPORTS.items()
            if used & set(names)
        ]
        head = [_docstring(self._doc, 0), "\n".join(imports)] if imports else [_docstring(self._doc, 0)]
        return "\n\n".join(head) + "".join(f"\n\n\n{block}" for block in (*helpers, *self._blocks)) + "\n"

    def name(self, *parts: str) -> str:
        """A name for a class that no other has, of words such as `sign_connect`, `Result`."""
        words = [word for part in parts for word in re.split(r"[^A-Za-z0-9]+", part)]
        camel = "".join(word[:1].upper() + word[1:] for word in words)
        name, number = camel, 1
        while name in self._names:
            number += 1
            name = f"{camel}{number}"
        self._names.add(name)
        return name

    def alias(self, name: str, kind: str, doc: Sequence[str]) -> None:
        """Another name of a type."""
        self._names.add(name)
        line = f"{name}: TypeAlias = {kind}"
        if len(line) > WIDTH:
            line = f"{name}: TypeAlias = (\n    {kind}\n)"
            if len(kind) > WIDTH - 4:
                line = f"{name}: TypeAlias = (\n    {f'{chr(10)}    | '.join(_parts(kind))}\n)"
        self._blocks.append(f"{line}\n{_docstring(doc, 0)}")

    def literal(self, name: str, texts: Iterable[str], doc: Sequence[str]) -> None:
        """A name for one of several texts; nothing if there are none."""
        self._names.add(name)
        quoted = list(dict.fromkeys(map(constant, texts)))
        if quoted:
            line = _listed(f"{name}: TypeAlias = Literal[", quoted, "]", 0)
            self._blocks.append(f"{line}\n{_docstring(doc, 0)}")

    def typed_dict(self, name: str, fields: Mapping[str, Field], doc: Sequence[str]) -> str:
        """A dict with these keys; its name."""
        self._names.add(name)
        kinds = {key: each.kind if each.required else f"NotRequired[{each.kind}]" for key, each in fields.items()}
        if all(is_name(key) for key in kinds):
            lines = [f"class {name}(TypedDict):", _docstring(doc, 4)]
            lines += ["", *(f"    {key}: {kind}" for key, kind in kinds.items())] if kinds else []
        else:
            pairs = [f"        {constant(key)}: {kind}," for key, kind in kinds.items()]
            lines = [f"{name} = TypedDict(", f"    {constant(name)},", "    {", *pairs, "    },", ")"]
            lines.append(_docstring(doc, 0))
        self._blocks.append("\n".join(lines))
        return name

    def protocol(self, name: str, methods: Sequence[Method], doc: Sequence[str]) -> None:
        """Whatever has these methods."""
        self._names.add(name)
        parts = [f"class {name}(Protocol):\n{_docstring(doc, 4)}", *map(_method, methods)]
        self._blocks.append("\n\n".join(parts))


def is_name(text: str) -> bool:
    """Whether something in a class can be called so, and hides no type."""
    return text.isidentifier() and not keyword.iskeyword(text) and text not in HIDING and not text.startswith("__")


def constant(value: object) -> str:
    """Python source of a plain value, with double quotes where that needs no escape."""
    said = repr(value)
    return f'"{said[1:-1]}"' if said.startswith("'") and '"' not in said else said


def one_of(kinds: Iterable[str]) -> str:
    """The type of what is one of these: literals become one, and what may be anything is `Any`."""
    found = list(dict.fromkeys(part for kind in kinds for part in _parts(kind)))
    if "Any" in found or not found:
        return "Any"
    said = [kind[8:-1] for kind in found if kind.startswith("Literal[")]
    others = [kind for kind in found if not kind.startswith("Literal[") and kind != "None"]
    literal = [f"Literal[{', '.join(said)}]"] if said else []
    return " | ".join([*literal, *others, *(["None"] if "None" in found else [])])


def literal_of(texts: Iterable[str], head: str, indent: int) -> str:
    """One of several texts, as what stands behind a keyword in a signature that is laid out at an indent."""
    return _listed(f"{' ' * indent}{head}Literal[", list(map(constant, texts)), "]", indent).lstrip()


def _parts(kind: str) -> list[str]:
    """What a union is of. A bar may stand in a text, too, so it is Python that finds them."""
    tree = ast.parse(kind, mode="eval").body
    parts: list[ast.expr] = []
    while isinstance(tree, ast.BinOp):
        parts.append(tree.right)
        tree = tree.left
    return [ast.get_source_segment(kind, part) or kind for part in (tree, *reversed(parts))]


def _used(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _method(method: Method) -> str:
    keywords = [f"{name}: {kind}" for name, kind in method.keywords.items()]
    parts = [*method.head, *(["*"] if keywords else []), *keywords]
    end = f") -> {method.returns}:{'' if method.doc else ' ...'}"
    lines = [f"    {method.decorator}"] if method.decorator else []
    lines.append(_listed(f"    {method.word} {method.name}(", parts, end, 4))
    lines += [_docstring(method.doc, 8), "        ..."] if method.doc else []
    return "\n".join(lines)


def _listed(head: str, parts: Sequence[str], end: str, indent: int) -> str:
    """A row on one line, or one part a line."""
    line = f"{head}{', '.join(parts)}{end}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"{' ' * (indent + 4)}{part},\n" for part in parts)
    return f"{head}\n{inner}{' ' * indent}{end}"


def _docstring(lines: Sequence[str], indent: int) -> str:
    """Lines of any text as a docstring; what is too long is wrapped, and its second line stands further in."""
    room, margin = WIDTH - indent - 3, " " * indent
    wrapped = [
        part
        for line in lines
        for part in textwrap.wrap(_escaped(line), room, subsequent_indent=_margin(line), break_long_words=False) or [""]
    ]
    quoted = f'"""{wrapped[0]}' if wrapped else '"""'
    if len(wrapped) <= 1 and len(quoted) <= room:
        return f'{margin}{quoted}"""'
    return "\n".join(f"{margin}{line}".rstrip() for line in (quoted, *wrapped[1:], '"""'))


def _margin(line: str) -> str:
    inner = line[: len(line) - len(line.lstrip())]
    return f"{inner}    " if inner else ""


def _escaped(line: str) -> str:
    margin = line[: len(line) - len(line.lstrip())]
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(line.split()))
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return margin + (f'{text[:-1]}\\"' if text.endswith('"') and not text.endswith('\\"') else text)
