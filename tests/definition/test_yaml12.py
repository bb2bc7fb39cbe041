import json
import math
import re
import time
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.problem import Problem
from lifecycle.definition.read import bundled, specs
from lifecycle.definition.read.yaml12 import DEEPEST, LARGEST, Unreadable, read_bytes, read_file, read_text


def value(text: str) -> Any:
    """What a text says."""
    return read_text(text, "x.yaml")[0]


def told(data: str | bytes) -> list[str]:
    """What is wrong with a text or with bytes."""
    with pytest.raises(Unreadable) as caught:
        read_text(data, "x.yaml") if isinstance(data, str) else read_bytes(data, "x.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("1", 1),
        ("-007", -7),
        ("+3", 3),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1e3", -1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("n", "n"),
        ("017_5", "017_5"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("0b1", "0b1"),
        ("10 s", "10 s"),
        ("=", "="),
        ("<<", "<<"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  1", "1"),
    ],
)
def test_scalars_are_those_of_the_core_schema(written: str, meant: object) -> None:
    """Words, numbers and dates that YAML 1.1 would turn into something else stay what they are."""
    found = value(f"a: {written}")["a"]
    assert (type(found), found) == (type(meant), meant)


def test_not_a_number_is_one_of_them() -> None:
    """It equals nothing, so it has its own test."""
    assert math.isnan(value("a: .nan")["a"])


def test_a_number_of_any_length_is_read_in_no_time() -> None:
    """Python's own reader of whole numbers refuses those with thousands of digits."""
    assert value("9" * 399) == int("9" * 399)
    assert value("9" * 100_000) == math.inf


def test_a_page_read_both_ways() -> None:
    """To YAML 1.1 the key `on` is true; to ours it is the word that every clause begins with."""
    text = "X1: {on: off, when: y, to: no}"
    assert yaml.safe_load(text) == {"X1": {True: False, "when": "y", "to": False}}
    assert value(text) == {"X1": {"on": "off", "when": "y", "to": "no"}}


@pytest.mark.parametrize("name", bundled())
def test_bundled_pages_differ_in_nothing_but_their_booleans(name: str) -> None:
    """PyYAML agrees about everything else: structure, texts and numbers."""

    def renamed(part: Any) -> Any:
        if isinstance(part, dict):
            return {"on" if key is True else key: renamed(inner) for key, inner in part.items()}
        return [renamed(inner) for inner in part] if isinstance(part, list) else part

    file = specs() / f"{name}.yaml"
    assert read_file(file)[0] == renamed(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_every_part_has_its_place() -> None:
    """Of a key and of its value; lines and columns count from 1, columns in characters."""
    _, source = read_text("a: 1\n\nü: [x, {b: y}]\n", "x.yaml")
    assert source.name == "x.yaml"
    assert source.values == {
        (): (1, 1), ("a",): (1, 4), ("ü",): (3, 4), ("ü", 0): (3, 5), ("ü", 1): (3, 8), ("ü", 1, "b"): (3, 12)
    }  # fmt: skip
    assert source.keys == {("a",): (1, 1), ("ü",): (3, 1), ("ü", 1, "b"): (3, 9)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.yaml:1:1: the file is empty: begin with `lifecycle: 1`"),
        ("# nothing\n", "x.yaml:1:1: the file is empty: begin with `lifecycle: 1`"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document: one file holds one page: remove `---` and what follows"),
        (
            "a: 1\nb: 2\na: 3\n",
            "x.yaml:3:1: the key `a` stands here twice: it stands in line 1 already: remove one or rename it",
        ),
        ("a: *b", "x.yaml:1:4: the alias `*b`: pages have no anchors and aliases: write it out"),
        ("*b : a", "x.yaml:1:1: a key that is no text: keys are plain words"),
        ("a: &b 1", "x.yaml:1:4: the anchor `&b`: pages have no anchors and aliases: write it out"),
        ("&b a: 1", "x.yaml:1:1: an anchor or tag on the key `a`: pages have no anchors and tags"),
        ("!!str a: 1", "x.yaml:1:1: an anchor or tag on the key `a`: pages have no anchors and tags"),
        ("a: !!str 1", "x.yaml:1:4: the tag `tag:yaml.org,2002:str`: pages have no tags: write the plain value"),
        ("a: ! 1", "x.yaml:1:4: the tag `!`: pages have no tags: write the plain value"),
        ("? [a]\n: 1\n", "x.yaml:1:3: a key that is no text: keys are plain words"),
        (
            "a:\n\tb: 1\n",
            (
                "x.yaml:2:1: not YAML: while scanning for the next token found character that cannot start any token: "
                "indent with spaces, not tabs"
            ),
        ),
        (
            "a: [1, 2",
            (
                "x.yaml:2:1: not YAML: while parsing a flow sequence did not find expected ',' or ']': "
                "check indentation, quotes and brackets around here"
            ),
        ),
        ("é: 1\nb: é\x07\n", "x.yaml:2:5: the character U+0007 is not allowed: remove it"),
        ("b: \ud800\n", "x.yaml:1:4: the character U+D800 is not allowed: remove it"),
    ],
)
def test_what_is_not_ours_is_told_at_its_place(text: str, expected: str) -> None:
    """Each with what it is and what to do."""
    assert told(text) == [expected]


def test_several_doubled_keys_are_told_at_once() -> None:
    """One at each place; the first that was written is what later places refer to."""
    assert [line.split(": ")[0] for line in told("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n")] == [
        "x.yaml:2:1",
        "x.yaml:3:11",
        "x.yaml:4:1",
    ]


@pytest.mark.parametrize(
    ("data", "place"),
    [("a: grün\n".encode("latin-1"), "1:6"), (b"a: 1\nbc: \xff\n", "2:5"), ("a: 1".encode("utf-16"), "1:1")],
)
def test_another_encoding_is_told_at_its_first_byte(data: bytes, place: str) -> None:
    """Latin-1 and UTF-16 are not guessed at."""
    assert told(data) == [f"x.yaml:{place}: not UTF-8: save the file in UTF-8"]


def test_a_mark_of_the_byte_order_is_no_part_of_the_page() -> None:
    """Some editors write one."""
    assert read_bytes(b"\xef\xbb\xbfa: 1\n", "x.yaml")[0] == {"a": 1}


def test_a_page_may_be_large_but_not_too_large(tmp_path: Path) -> None:
    """The limit is looked at before anything is parsed, and no more than that is read."""
    filled = b"a: 1\n#"
    file = tmp_path / "x.yaml"
    file.write_bytes(filled.ljust(LARGEST, b"#"))
    assert read_file(file)[0] == {"a": 1}
    file.write_bytes(filled.ljust(LARGEST + 1, b"#"))
    with pytest.raises(Unreadable) as caught:
        read_file(file)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{file}:1:1: larger than 256 KiB: split the page with `use`"
    ]


def test_a_page_may_be_deep_but_not_too_deep() -> None:
    """So that nothing that walks a page runs out of stack; a bomb of brackets is refused at once."""
    assert value("[" * DEEPEST + "]" * DEEPEST)
    began = time.perf_counter()
    assert told("a: " + "[" * (LARGEST - 3)) == ["x.yaml:1:36: nested more than 32 deep: split the page with `use`"]
    assert time.perf_counter() - began < 5


def test_what_no_file_is(tmp_path: Path) -> None:
    """Missing, or a folder: told like a problem of its first line."""
    for file, reason in ((tmp_path / "no.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(Unreadable) as caught:
            read_file(file)
        assert [str(problem) for problem in caught.value.problems] == [
            f"{file}:1:1: cannot be read: {reason}: check the path; bundled pages are named without `.yaml`"
        ]


def problems_of(data: bytes) -> list[Problem]:
    """What is wrong with bytes; one thing at least, unless they are read."""
    try:
        read_bytes(data, "x.yaml")
    except Unreadable as error:
        return error.problems or pytest.fail("refused without a problem")
    return []


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.characters(max_codepoint=0xD7FF), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN)
def test_json_is_read_as_what_it_says(data: Any) -> None:
    """YAML 1.2 holds JSON, but for its escaped pairs; texts in quotes are never anything else."""
    assert value(json.dumps(data)) == data


@given(st.text(max_size=60) | st.text("ab:-[]{}&*!|>'\"#%@ \n\t,?~01.", max_size=60))
@hypothesis.example("a: 1\n---\n")
def test_any_text_is_read_or_told(text: str) -> None:
    """With at least one problem, each at a place of the text; nothing else is raised."""
    lines = len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text))
    for problem in problems_of(text.encode("utf-8", "surrogatepass")):
        assert 1 <= problem.line <= lines + 1
        assert problem.column >= 1


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_told(data: bytes) -> None:
    """Nothing else is raised, whatever the file holds."""
    assert all(problem.line >= 1 for problem in problems_of(data))
