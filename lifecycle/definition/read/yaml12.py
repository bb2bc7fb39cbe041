"""YAML 1.2, core schema, to plain values, with the line and column of every part.

Law: nothing is built that a page cannot need. Anchors, aliases, tags, second documents, doubled
keys, deep nesting and large files are refused as they are met, before anything grows from them.
PyYAML's parser is used up to its events; the types of scalars are ours, for PyYAML reads YAML
1.1, where `on` is a boolean.
"""

import re
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any, NoReturn

import attrs
import yaml

from lifecycle.definition.problem import Path, Position, Problem, Source

LARGEST = 256 * 1024
DEEPEST = 32
_LONGEST_INTEGER = 400
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Unreadable(Exception):
    """The text is not what we read as YAML; carries one or more problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


def read_file(file: File) -> tuple[Any, Source]:
    """Read a file; see `read_text`.

    Raises:
        Unreadable: it is missing, no file, not UTF-8, or not readable as YAML.
    """
    name = str(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        remedy = "check the path; bundled pages are named without `.yaml`"
        raise Unreadable([_at(name, 1, 1, f"cannot be read: {error.strerror or error}", remedy)]) from None
    return read_bytes(data, name)


def read_bytes(data: bytes, name: str) -> tuple[Any, Source]:
    """Read UTF-8 bytes; see `read_text`."""
    if len(data) > LARGEST:
        raise Unreadable([_at(name, 1, 1, f"larger than {LARGEST // 1024} KiB", "split the page with `use`")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise Unreadable([_at(name, line, column, "not UTF-8", "save the file in UTF-8")]) from None
    return read_text(text, name)


def read_text(text: str, name: str) -> tuple[Any, Source]:
    """Read one YAML document.

    Args:
        text: the document.
        name: what problems call the file.

    Returns:
        Its value, made of dict, list, str, int, float, bool and None; and where each part stands.

    Raises:
        Unreadable: with every problem that could be found.
    """
    reader = _Reader(name)
    value: Any = None
    try:
        value = reader.document(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        reader.problems.append(_of_parser(name, text, error))
    except yaml.reader.ReaderError as error:
        reader.problems.append(_forbidden(name, text, int(error.character)))
    except UnicodeEncodeError as error:  # half of a pair, which no file can hold
        reader.problems.append(_forbidden(name, text, ord(text[error.start])))
    if reader.problems:
        raise Unreadable(reader.problems)
    return value, reader.source


def _forbidden(name: str, text: str, code: int) -> Problem:
    # libyaml counts bytes, PyYAML counts characters: so we look for it ourselves
    before = text[: max(text.find(chr(code)), 0)]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return _at(name, line, column, f"the character U+{code:04X} is not allowed", "remove it")


def _of_parser(name: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    around = lines[line - 1] if line <= len(lines) else ""
    remedy = "check indentation, quotes and brackets around here"
    if "\t" in around[: len(around) - len(around.lstrip())] or around[column - 1 : column] == "\t":
        remedy = "indent with spaces, not tabs"
    what = " ".join(part for part in (error.context, error.problem) if part)
    return _at(name, line, column, f"not YAML: {what}", remedy)


def _at(name: str, line: int, column: int, what: str, remedy: str) -> Problem:
    return Problem(file=name, line=line, column=column, what=what, remedy=remedy)


@attrs.define
class _Reader:
    """Turn a stream of YAML events into a value, noting where things stand."""

    name: str
    problems: list[Problem] = attrs.field(factory=list)
    values: dict[Path, Position] = attrs.field(factory=dict)
    keys: dict[Path, Position] = attrs.field(factory=dict)

    @property
    def source(self) -> Source:
        return Source(self.name, self.values, self.keys)

    def document(self, events: Iterator[Any]) -> Any:
        value, seen = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    self.tell(event, "a second document", "one file holds one page: remove `---` and what follows")
                    return None
            elif isinstance(event, yaml.NodeEvent):
                value = self.value(event, events, ())
        if not seen:
            self.problems.append(_at(self.name, 1, 1, "the file is empty", "begin with `lifecycle: 1`"))
        return value

    def value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        self.values[path] = _position(event)
        if isinstance(event, yaml.AliasEvent):
            self.stop(event, f"the alias `*{event.anchor}`", "pages have no anchors and aliases: write it out")
        if event.anchor:
            self.stop(event, f"the anchor `&{event.anchor}`", "pages have no anchors and aliases: write it out")
        if event.tag:
            self.stop(event, f"the tag `{event.tag}`", "pages have no tags: write the plain value")
        if len(path) > DEEPEST:
            self.stop(event, f"nested more than {DEEPEST} deep", "split the page with `use`")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] and not event.style else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return [
                self.value(item, events, (*path, i)) for i, item in enumerate(_until(events, yaml.SequenceEndEvent))
            ]
        return self.mapping(events, path)

    def mapping(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in _until(events, yaml.MappingEndEvent):
            if isinstance(event, yaml.AliasEvent) or not isinstance(event, yaml.ScalarEvent):
                self.stop(event, "a key that is no text", "keys are plain words")
            name = event.value
            inner = (*path, name)
            if event.anchor or event.tag:
                self.stop(event, f"an anchor or tag on the key `{name}`", "pages have no anchors and tags")
            position = _position(event)
            if name in found:
                first = self.keys[inner][0]
                self.tell(
                    event,
                    f"the key `{name}` stands here twice",
                    f"it stands in line {first} already: remove one or rename it",
                )
            else:
                self.keys[inner] = position
            value = self.value(next(events), events, inner)
            found.setdefault(name, value)
        return found

    def tell(self, event: Any, what: str, remedy: str) -> None:
        self.problems.append(_at(self.name, *_position(event), what, remedy))

    def stop(self, event: Any, what: str, remedy: str) -> NoReturn:
        self.tell(event, what, remedy)
        raise Unreadable(self.problems)


def _position(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _until(events: Iterator[Any], end: type) -> Iterator[Any]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _scalar(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text) and len(text) < _LONGEST_INTEGER:  # int() itself refuses much longer ones
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL_FLOAT.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text
