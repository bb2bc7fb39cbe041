"""Whatever is wrong with a page is told with file, line, column and remedy; nothing half-loads."""

import time

import pytest
import yaml

from lifecycle import PageError, read
from lifecycle.definition.read import read_text
from lifecycle.definition.read.yaml12 import DEEPEST, LARGEST, Unreadable, read_bytes
from lifecycle.definition.read.yaml12 import read_text as read_yaml

HEAD = """\
lifecycle: 1
page: p
role: session
hears: {disconnect: {}, start: {}}
variables:
  tries: {count: 0, max: 3}
calls:
  fetch: {timeout: 1 s}
states:
"""
STATES = """\
  idle:
    status: idle
    rest: true
    clauses:
      P1: {on: start, when: tries < 3, do: {set: {tries: =tries + 1}}, to: busy}
      P2: {on: disconnect, to: over}
  busy:
    status: connecting
    call: fetch
    ignore: [start]
    clauses:
      P3: {on: [done, failed], to: idle}
      P4: {on: disconnect, to: over}
  over: {status: closed, final: done}
"""
LINES = HEAD.count("\n")


def told(text):
    """The problems of a page, each as one line."""
    with pytest.raises(PageError) as error:
        read_text(text, "p.yaml")
    assert str(error.value) == "\n".join(map(str, error.value.problems))
    return [str(problem) for problem in error.value.problems]


def broken(old, new):
    """The problems of the good page with one piece replaced."""
    assert old in HEAD + STATES
    return told((HEAD + STATES).replace(old, new, 1))


def test_the_page_is_good_before_it_is_broken():
    """So each test below is about its own mistake."""
    assert read_text(HEAD + STATES, "p.yaml").name == "p"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("role:", "rolle:", "p.yaml:3:1: unknown key `rolle`: did you mean `role`?"),
        (
            "to: busy",
            "to: bussy",
            "p.yaml:14:76: no state named `bussy` can be reached by name from here: did you mean `busy`?",
        ),
        (
            "P2: {",
            "P1: {",
            "p.yaml:15:7: the key `P1` stands here twice: it stands in line 14 already: remove one or rename it",
        ),
        (
            "hears:",
            "role:",
            "p.yaml:4:1: the key `role` stands here twice: it stands in line 3 already: remove one or rename it",
        ),
        (
            "timeout: 1 s",
            "timeout: 1",
            "p.yaml:8:20: expected a duration, found `1`: write the number with its unit, such as `10 s`",
        ),
        ("timeout: 1 s", "timeout: -1 s", "p.yaml:8:20: -1 s is negative or endless; write a length of 0 or more"),
        (
            "when: tries < 3",
            "when: abs(tries)",
            "p.yaml:14:29: `abs(tries)` holds a call; expressions cannot call anything",
        ),
        (
            "when: tries < 3",
            "when: tries.__class__",
            "p.yaml:14:29: `tries.__class__` holds the name `__class__`; names do not start with an underscore",
        ),
        ("call: fetch", "call: fetsh", "p.yaml:18:11: the call `fetsh` is not declared: did you mean `fetch`?"),
        (
            "tries < 3",
            "trys < 3",
            "p.yaml:14:29: `trys < 3` reads `trys`, which is no parameter and no variable: did you mean `tries`?",
        ),
        ("on: start", "on: true", "p.yaml:14:16: `true` is no name: put it in quotes if it is meant as one"),
        ("lifecycle: 1", "lifecycle: 2", "p.yaml:1:12: `2` is not one of 1: write one of them"),
    ],
)
def test_each_mistake_has_its_line_and_its_remedy(old, new, expected):
    """The place, what is wrong, and what to do."""
    assert expected in broken(old, new)


def test_all_problems_are_told_at_once_and_in_order():
    """Three mistakes in three places are three lines, as they stand in the file."""
    text = (
        (HEAD + STATES)
        .replace("timeout: 1 s", "timeout: 1")
        .replace("status: idle", "status: idel")
        .replace("final:", "finale:")
    )
    problems = told(text)
    assert len(problems) == 3
    assert [line.split(":")[1] for line in problems] == ["8", "11", "23"]


def test_mistakes_of_form_do_not_hide_mistakes_of_names():
    """A clause that is wrong in itself is left aside, and the names of the others are looked at."""
    text = (HEAD + STATES).replace("to: busy", "to: bussy").replace("P3: {on: [done", "P3: {after: 5, on: [done")
    first, second = told(text)
    assert "no state named `bussy`" in first
    assert "expected a duration, found `5`" in second


def test_on_is_a_word_and_no_boolean():
    """YAML 1.1 reads `on` as true; pages are YAML 1.2."""
    text = "P1: {on: start}"
    assert yaml.safe_load(text) == {"P1": {True: "start"}}
    assert read_yaml(text, "p.yaml")[0] == {"P1": {"on": "start"}}
    assert read_yaml("[yes, no, off, y]", "p.yaml")[0] == ["yes", "no", "off", "y"]


def unreadable(data):
    """The problems of bytes that are no YAML of ours."""
    with pytest.raises(Unreadable) as error:
        read_bytes(data, "p.yaml")
    return [str(problem) for problem in error.value.problems]


def test_a_page_over_the_size_limit_is_refused():
    """Whatever it holds, and before it is parsed."""
    assert unreadable(b"#" * (LARGEST + 1)) == ["p.yaml:1:1: larger than 256 KiB: split the page with `use`"]


def test_an_alias_bomb_is_refused_before_it_grows():
    """The first anchor ends the reading, in no time."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    began = time.perf_counter()
    assert unreadable(bomb.encode()) == ["p.yaml:1:4: the anchor `&a`: pages have no anchors and aliases: write it out"]
    assert time.perf_counter() - began < 5


def test_nesting_too_deep_is_refused():
    """A page that deep is no page."""
    assert "deep: split the page with `use`" in unreadable(b"[" * (DEEPEST + 5) + b"]" * (DEEPEST + 5))[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a:\n\tb: 1\n", "indent with spaces, not tabs"),
        ("a: grün".encode("latin-1"), "p.yaml:1:6: not UTF-8: save the file in UTF-8"),
        (b"a: !!python/object:os.system x", "pages have no tags: write the plain value"),
        (b"", "p.yaml:1:1: the file is empty: begin with `lifecycle: 1`"),
        (b"a: 1\n---\nb: 2\n", "one file holds one page"),
        (b"? [a]\n: 1\n", "keys are plain words"),
        (b"a: [1, 2", "not YAML"),
        (b"a: \x00", "is not allowed"),
    ],
)
def test_what_is_no_yaml_of_ours_is_told(data, expected):
    """Tabs, encodings, tags, documents, keys and brackets, each with its own sentence."""
    assert expected in unreadable(data)[0]


def test_a_missing_file_is_told(tmp_path):
    """With its name, and without a traceback of ours."""
    with pytest.raises(PageError) as error:
        read(tmp_path / "nothing.yaml")
    [problem] = error.value.problems
    assert problem.what == "cannot be read: No such file or directory"


def test_a_folder_is_no_page(tmp_path):
    """A folder in place of a file."""
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(PageError, match="cannot be read: Is a directory"):
        read(tmp_path / "x.yaml")


def test_a_page_is_called_as_its_file(tmp_path):
    """Else `use` would find another page than it names."""
    file = tmp_path / "other.yaml"
    file.write_text(HEAD + STATES)
    with pytest.raises(PageError, match="the page is called `p` in a file called `other`: give both the same name"):
        read(file)


def test_problems_of_a_used_page_come_with_its_own_file(tmp_path):
    """Both files' mistakes are told in one error."""
    (tmp_path / "inner.yaml").write_text("lifecycle: 1\npage: inner\nstates: {a: {rest: maybe}}\n")
    host = HEAD.replace("page: p", "page: host").replace("timeout: 1 s", "timeout: 1")
    (tmp_path / "host.yaml").write_text(host + STATES + "  more: {use: inner}\n")
    with pytest.raises(PageError) as error:
        read(tmp_path / "host.yaml")
    files = {problem.file.rpartition("/")[2] for problem in error.value.problems}
    assert files == {"host.yaml"}  # the host is not expanded before it is well formed
    (tmp_path / "host.yaml").write_text(HEAD.replace("page: p", "page: host") + STATES + "  more: {use: inner}\n")
    with pytest.raises(PageError) as error:
        read(tmp_path / "host.yaml")
    assert any(problem.file.endswith("inner.yaml") and problem.line == 3 for problem in error.value.problems)


def test_wrong_types_and_unknown_names_of_with_are_told(tmp_path):
    """`with` is checked against the parameters of the page that is used."""
    page = HEAD + STATES.replace("P4: {on: disconnect, to: over}", "P4: {on: disconnect, to: over}")
    page += "  beat:\n    use: heartbeat\n    with: {heartbeat_after: 5, heartbeat_weit: 3 s}\n"
    problems = told(page)
    assert any("expected a duration with its unit, such as `10 s`, found 5" in line for line in problems)
    assert any(
        "`heartbeat` has no parameter `heartbeat_weit`: did you mean `heartbeat_wait`?" in line for line in problems
    )


ASKED = """
lifecycle: 1
page: asked
role: server
variables:
  linger: {duration: 1 s, from: query.linger, else: ELSE}
hears: {disconnect: {}}
causes: [{otherwise: true, is: lost}]
states:
  up: {status: ready, rest: true, clauses: {A1: {on: [lost, disconnect], to: over}, A2: {after: linger, to: over}}}
  over: {status: closed, final: done}
"""


def test_what_stands_in_for_a_request_is_of_the_variables_type():
    """It is read as a value of the page: with its unit, and refused where it is none."""
    assert read_text(ASKED.replace("ELSE", "2 s")).variables["linger"].else_ == 2.0
    with pytest.raises(PageError, match=r"<text>:6:53: expected a duration with its unit"):
        read_text(ASKED.replace("ELSE", "5"))
