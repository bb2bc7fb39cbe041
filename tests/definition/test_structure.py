from collections.abc import Callable
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition import page
from lifecycle.definition.expression import Expression, parse
from lifecycle.definition.problem import Spot
from lifecycle.definition.read.structure import structure
from lifecycle.definition.read.yaml12 import read_text
from lifecycle.definition.schema import schema


def made(text: str) -> page.Page:
    """The page of a text of which the first two lines are not given."""
    value, source = read_text(f"lifecycle: 1\npage: p\n{text}", "p.yaml")
    found, problems = structure(value, Spot(source))
    assert [str(problem) for problem in problems] == []
    assert found is not None
    return found


def told(text: str) -> list[str]:
    """What is wrong with it, from `line:column` on."""
    value, source = read_text(f"lifecycle: 1\npage: p\n{text}", "p.yaml")
    return sorted(str(problem).removeprefix("p.yaml:") for problem in structure(value, Spot(source))[1])


def clause(text: str) -> page.Clause:
    """One clause of a state."""
    return made(f"clauses: {{X1: {{{text}}}}}").clauses["X1"]


def test_a_page_is_a_state_with_a_header() -> None:
    """Keys land in the fields of their names, with a trailing underscore where Python has the word."""
    found = made("title: T\nuse: other\nwith: {a: 1}\nas: {b: c}\nrest: true\nretired: [X1, Y2b]")
    assert (found.lifecycle, found.page, found.title, found.use, found.rest) == (1, "p", "T", "other", True)
    assert (found.with_, found.as_, found.retired) == ({"a": 1}, {"b": "c"}, ("X1", "Y2b"))


def test_an_empty_state_may_be_written_empty() -> None:
    """`proven:` says as much as `proven: {}`; an empty mapping may be left empty too."""
    assert made("states:\n  a:\n  b: {}").states == {"a": page.State(), "b": page.State()}
    assert made("states:\nhears:").states == {}


def test_one_thing_needs_no_list() -> None:
    """Events, effects, families: one is a list of one. Rows are always a list."""
    assert clause("on: x, do: ping").on == ("x",)
    assert clause("on: [x, y.z]").on == ("x", "y.z")
    assert told("causes: {otherwise: true}") == [
        "3:9: expected a list, found keys and values: begin each row with `- `"
    ]


def test_a_length_is_a_literal_or_an_expression() -> None:
    """With its unit, or with names."""
    assert clause("after: 2 min").after == 120.0
    assert clause("silent: tick * 2").silent == parse("tick * 2")


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("10", "expected a duration, found `10`: write the number with its unit, such as `10 s`"),
        ("1.5", "expected a duration, found `1.5`: write the number with its unit, such as `10 s`"),
        ("'10'", "'10' is no duration: it has no unit; write `10 s`"),
        ("'1.5'", "'1.5' is no duration: it has no unit; write `1.5 s`"),
        ("-10 s", "-10 s is negative or endless; write a length of 0 or more"),
        ("10 parsecs", "'10 parsecs' has no unit that a duration can have; units are ms, s, min, h, d"),
        ("=tick", "`=tick` begins with `=`: a condition is always an expression: leave the `=` out"),
        ("tick(2)", "`tick(2)` holds a call; expressions cannot call anything"),
        ("[1 s]", "expected a duration, found a list: write the number with its unit, such as `10 s`"),
    ],
)
def test_what_is_no_length(written: str, what: str) -> None:
    """A number without its unit, in quotes or not, is told with the unit that is missing."""
    assert told(f"clauses: {{X1: {{after: {written}}}}}") == [f"3:23: {what}"]


def test_a_condition_is_an_expression() -> None:
    """Also where YAML has read it as a flag."""
    assert clause("when: true").when == parse("true")
    assert clause("when: a < 2 and not b").when == parse("a < 2 and not b")


def test_what_is_no_condition() -> None:
    """A number, a list, or what only values have."""
    assert told("clauses: {X1: {when: 5}}") == ["3:22: expected an expression, found `5`"]
    assert told("clauses: {X1: {when: =a}}") == [
        "3:22: `=a` begins with `=`: a condition is always an expression: leave the `=` out"
    ]


def test_values_are_what_they_say_and_begin_with_a_sign_where_they_are_expressions() -> None:
    """Deep inside too; `none` is none."""
    frame = made("messages: {frames: {f: {a: [1, =x, {b: =y + 1}], c: x, d: none, e: null}}}").messages
    assert frame is not None
    assert frame.frames["f"] == {"a": [1, parse("x"), {"b": parse("y + 1")}], "c": "x", "d": None, "e": None}


@pytest.mark.parametrize(
    ("written", "effect"),
    [
        ("open", page.Effect(word="open")),
        ("close", page.Effect(word="close")),
        (
            "{close: {code: 4000, reason: =why}}",
            page.Effect(word="close", argument={"code": 4000, "reason": parse("why")}),
        ),
        ("{close: {}}", page.Effect(word="close", argument={"code": 1000, "reason": ""})),
        ("{send: hello}", page.Effect(word="send", argument="hello")),
        ("{set: {a: 1, u.b: =c}}", page.Effect(word="set", argument={"a": 1, "u.b": parse("c")})),
        ("{emit: close}", page.Effect(word="emit", argument={"name": "close", "fields": {}})),
        ("{emit: {a.b: {c: =d}}}", page.Effect(word="emit", argument={"name": "a.b", "fields": {"c": parse("d")}})),
        ("{refuse: {http: 403}}", page.Effect(word="refuse", argument={"http": 403})),
        ("{mark: lost}", page.Effect(word="mark", argument="lost")),
    ],
)
def test_an_effect_is_a_word_or_one_key(written: str, effect: page.Effect) -> None:
    """And what the short form leaves out is made explicit."""
    assert made(f"enter: {written}").enter == (effect,)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("opne", "3:8: no effect is called `opne`: did you mean `open`?"),
        ("send", "3:8: the effect `send` needs to be told what: write `{send: …}`"),
        ("{ping: x}", "3:9: the effect `ping` takes nothing: write `ping` alone"),
        ("{sned: x}", "3:9: no effect is called `sned`: did you mean `send`?"),
        (
            "{set: {a: 1}, send: x}",
            (
                "3:8: expected an effect, found keys and values: an effect is a word or one key with its value; "
                "several are a list"
            ),
        ),
        ("7", "3:8: expected an effect, found `7`: an effect is a word or one key with its value; several are a list"),
        ("{close: 1000}", "3:16: expected keys and values, found `1000`"),
        ("{close: {cod: 1000}}", "3:17: unknown key `cod`: did you mean `code`?"),
        ("{close: {code: 1006}}", "3:23: `1006` is no code to close with: write 1000, 1001 or 3000 to 4999"),
        ("{close: {code: [1000]}}", "3:23: a list is no code to close with: write 1000, 1001 or 3000 to 4999"),
        ("{close: {code: true}}", "3:23: `true` is no code to close with: write 1000, 1001 or 3000 to 4999"),
        (
            "{set: {}}",
            "3:14: expected variables with their values, found keys and values: write `{set: {name: value}}`",
        ),
        ("{set: {a: =b(}}", "3:18: `b(` is no expression: '(' was never closed"),
        ("{emit: 3}", "3:15: expected a name, or a name with its fields, found `3`"),
        ("{emit: {a: 3}}", "3:19: expected keys and values, found `3`"),
        ("{emit: {a: {b: =(}}}", "3:23: `(` is no expression: '(' was never closed"),
        ("{refuse: {http: 200}}", "3:17: `200` is no status to refuse with: write `{refuse: {http: 403}}`, 400 to 599"),
        ("{mark: gone}", "3:15: `gone` is not one of resumed, replayed, lost"),
        ("{send: 3}", "3:15: `3` is no name: names are small letters, digits and underscores"),
    ],
)
def test_what_is_no_effect(written: str, expected: str) -> None:
    """Is told at the word, or at the part of its argument that is wrong."""
    assert told(f"enter: {written}") == [expected]


def test_a_call_is_a_name_or_a_name_with_arguments() -> None:
    """One call a state."""
    assert made("call: fetch").call == page.CallUse(name="fetch")
    assert made("call: {fetch: {a: =b, c: 1}}").call == page.CallUse(name="fetch", arguments={"a": parse("b"), "c": 1})
    assert told("call: {a: {}, b: {}}") == [
        "3:7: expected a call, found keys and values: one call a state: a name, or `{name: {argument: value}}`"
    ]
    assert told("call: {a: 1}") == ["3:11: expected keys and values, found `1`"]
    assert told("call: {a: {b: =(}}") == ["3:15: `(` is no expression: '(' was never closed"]


@pytest.mark.parametrize(
    ("written", "parameter"),
    [
        ("{duration: 20 s, help: how long}", page.Parameter(kind="duration", default=20.0, help="how long")),
        ("{count: 3, min: 1, max: 5}", page.Parameter(kind="count", default=3, min=1, max=5)),
        ("{choice: b, of: [a, b]}", page.Parameter(kind="choice", default="b", of=("a", "b"))),
        ("{secret: optional}", page.Parameter(kind="secret", default="optional")),
        ("{url: required}", page.Parameter(kind="url", default="required")),
    ],
)
def test_a_parameter_is_its_type_and_its_default(written: str, parameter: page.Parameter) -> None:
    """The default is read as its type."""
    assert made(f"parameters: {{a: {written}}}").parameters["a"] == parameter


@pytest.mark.parametrize(
    ("written", "variable"),
    [
        ("{count: 0, max: limit + 1}", page.Variable(kind="count", initial=0, max=parse("limit + 1"))),
        ("{count: 0, max: 3}", page.Variable(kind="count", initial=0, max=3)),
        (
            "{duration: 1 s, min: 500 ms, max: longest}",
            page.Variable(kind="duration", initial=1.0, min=0.5, max=parse("longest")),
        ),
        ("{number: 1, min: -1}", page.Variable(kind="number", initial=1, min=-1)),
        ("{flag: false}", page.Variable(kind="flag", initial=False)),
        ("{choice: a, of: [a]}", page.Variable(kind="choice", initial="a", of=("a",))),
        (
            "{kept: number, from: query.after, else: -1}",
            page.Variable(kind="kept", initial="number", from_="query.after", else_=-1),
        ),
    ],
)
def test_a_variable_is_its_type_and_where_it_starts(written: str, variable: page.Variable) -> None:
    """Its ends are literals or expressions over parameters; what is kept has a shape."""
    assert made(f"variables: {{a: {written}}}").variables["a"] == variable


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("parameters: {a: 3}", "3:17: expected a parameter, found `3`: write `{duration: …}`"),
        (
            "parameters: {a: {}}",
            (
                "3:17: a parameter has exactly one type, found none: one of duration, count, number, flag, text, "
                "choice, size, url, secret, backoff, jitter"
            ),
        ),
        ("parameters: {a: {durration: 1 s}}", "3:18: unknown key `durration`: did you mean `duration`?"),
        ("parameters: {a: {duration: 10}}", "3:28: expected a duration with its unit, such as `10 s`, found 10"),
        ("parameters: {a: {duration: -10 s}}", "3:28: -10 s is negative or endless; write a length of 0 or more"),
        ("parameters: {a: {size: 4}}", "3:24: expected a size with its unit, such as `4 MiB`, found 4"),
        ("parameters: {a: {backoff: {first: 1}}}", "3:27: expected a duration with its unit, such as `10 s`, found 1"),
        ("parameters: {a: {choice: c, of: [a, b]}}", "3:26: 'c' is not one of a, b"),
        (
            "parameters: {a: {choice: c}}",
            "3:17: a choice lists its values in `of`, and only a choice does: write `{choice: a, of: [a, b]}`",
        ),
        (
            "parameters: {a: {choice: c, of: [[c]]}}",
            "3:17: a choice lists its values in `of`, and only a choice does: write `{choice: a, of: [a, b]}`",
        ),
        (
            "parameters: {a: {text: c, of: [c]}}",
            "3:17: a choice lists its values in `of`, and only a choice does: write `{choice: a, of: [a, b]}`",
        ),
        ("parameters: {a: {text: c, min: d}}", "3:27: a text has no `min`: only duration, count, number, size have"),
        ("parameters: {a: {count: 1, max: x}}", "3:33: expected a whole number of 0 or more, found 'x'"),
        ("parameters: {a: {count: 1, help: 3}}", "3:17: expected a text, found `3`: put it in quotes"),
        ("parameters: {not: {count: 1}}", "3:14: `not` is a word of the language: choose another name"),
        ("parameters: {A: {count: 1}}", "3:14: `A` is no name: names are small letters, digits and underscores"),
        (
            "variables: {a: {text: b}}",
            "3:17: unknown key `text`: there is choice, count, duration, else, flag, from, kept, max, min, number, of",
        ),
        (
            "variables: {a: {count: 0, flag: true}}",
            (
                "3:16: a variable has exactly one type, found count and flag: one of count, flag, duration, "
                "choice, number, kept"
            ),
        ),
        (
            "variables: {a: {kept: list}}",
            "3:23: `list` is no shape: write one of object, text, number, flag, duration, secret, url",
        ),
        (
            "variables: {a: {kept: text, of: 5}}",
            "3:16: a choice lists its values in `of`, and only a choice does: write `{choice: a, of: [a, b]}`",
        ),
        (
            "variables: {a: {kept: number, min: 3}}",
            "3:31: a kept has no `min`: only duration, count, number, size have",
        ),
        ("variables: {a: {count: 0, max: -1}}", "3:32: expected a whole number, found `-1`"),
        ("variables: {a: {count: 0, max: b(1)}}", "3:32: `b(1)` holds a call; expressions cannot call anything"),
        (
            "variables: {a: {duration: 1 s, max: 10}}",
            "3:37: expected a duration with its unit, such as `10 s`, found 10",
        ),
        (
            "variables: {a: {kept: text, from: a..b}}",
            "3:16: `a..b` is no path: write the keys with dots between, such as `error.code`",
        ),
    ],
)
def test_what_is_no_parameter_and_no_variable(written: str, expected: str) -> None:
    """Exactly one type, a value of it, and nothing that the type does not have."""
    assert told(written) == [expected]


def cause(text: str) -> page.Cause:
    """One row of causes."""
    return made(f"causes: [{{{text}}}]").causes[0]


def test_codes_are_numbers_ranges_lists_or_any() -> None:
    """Each is the lowest and the highest."""
    assert cause("close: 1000").close == ((1000, 1000),)
    assert cause("close: 4000-4499").close == ((4000, 4499),)
    assert cause("http: [401, 500-599]").http == ((401, 401), (500, 599))
    assert cause("close: any").close == "any"


def test_a_pause_is_a_duration_the_header_or_a_place() -> None:
    """A place says its unit, and what holds where there is none."""
    assert cause("retry_after: 3 s").retry_after == 3.0
    assert cause("retry_after: header").retry_after == "header"
    assert cause("retry_after: {ms: a.b, else: 30 s}").retry_after == page.Pick(path="a.b", unit="ms", else_=30.0)


def route(text: str) -> page.Route:
    """One row of routes."""
    messages = made(f"messages: {{routes: [{{{text}}}]}}").messages
    assert messages is not None
    return messages.routes[0]


def test_a_row_finds_its_values_by_paths() -> None:
    """A value or a list of them; what is kept may be a duration, or never step back."""
    found = route(
        "match: {a.b: [x, 1, true, null], c: y}, raise: e, fields: {f: g.h}, keep: {i: j, k: {s: l}, m: {max: n}}"
    )
    assert found.match == {"a.b": ("x", 1, True, None), "c": ("y",)}
    assert (found.raise_, found.fields) == ("e", {"f": "g.h"})
    assert found.keep == {
        "i": page.Pick(path="j"),
        "k": page.Pick(path="l", unit="s"),
        "m": page.Pick(path="n", max=True),
    }
    assert route("deliver: true").deliver is True
    assert route("deliver: a.b, sequence: c, dedupe: {by: d}").dedupe == page.Dedupe(by="d", window=1000)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "causes: [{close: x}]",
            "3:18: `x` is no code: write a number, a range such as 4000-4499, a list of them, or any",
        ),
        (
            "causes: [{close: true}]",
            "3:18: `true` is no code: write a number, a range such as 4000-4499, a list of them, or any",
        ),
        (
            "causes: [{http: [200, 99]}]",
            "3:23: `99` is no code: write a number, a range such as 4000-4499, a list of them, or any",
        ),
        ("causes: [{close: 4499-4000}]", "3:18: `4499-4000` lies outside 100 to 4999, or ends before it begins"),
        ("causes: [{close: 5000}]", "3:18: `5000` lies outside 100 to 4999, or ends before it begins"),
        (
            "causes: [{text: '('}]",
            "3:17: `(` is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            "causes: [{text: 'a{9999999999}'}]",
            "3:17: `a{9999999999}` is no regular expression: the repetition number is too large",
        ),
        ("causes: [{text: '[[a]'}]", "3:17: `[[a]` is no regular expression: Possible nested set at position 1"),
        ("causes: [{text: 5}]", "3:17: expected a text, found `5`: put it in quotes"),
        ("causes: [{retry_after: soon}]", "3:24: 'soon' is no duration: write e.g. `10 s`"),
        (
            "causes: [{retry_after: {ms: a, s: b}}]",
            "3:24: a place of a value has exactly one type, found ms and s: one of ms, s, min, h, d, max",
        ),
        (
            "causes: [{retry_after: {ms: a, else: 3}}]",
            "3:24: expected a duration, found `3`: write the number with its unit, such as `10 s`",
        ),
        ("causes: [{refusal: all}]", "3:20: `all` is not one of any: write one of them"),
        ("causes: [{match: {a: {b: c}}}]", "3:22: expected a plain value, found keys and values"),
        ("causes: [{otherwise: 1}]", "3:22: expected true or false, found `1`"),
        (
            "messages: {routes: [{deliver: false}]}",
            "3:31: `false` is no path: write the keys with dots between, such as `error.code`",
        ),
        ("messages: {routes: [{keep: {a: [b]}}]}", "3:32: expected a place of a value, found a list: write `{ms: …}`"),
        (
            "messages: {routes: [{clause: x1}]}",
            "3:30: `x1` is no clause id: ids are capitals and a number, such as `WS1`",
        ),
        ("messages: {routes: [{dedupe: {}}]}", "3:30: the key `by` is missing: it is required here"),
        ("messages: {limit: 4}", "3:19: expected a size, found `4`: write the number with its unit, such as `4 MiB`"),
        (
            "messages: {limit: 4 pages}",
            "3:19: '4 pages' has no unit that a size can have; units are B, KiB, MiB, GiB, kB, MB, GB",
        ),
        ("messages: {inbox: {items: -1}}", "3:27: expected a whole number, found `-1`"),
        (
            "messages: {codec: xml}",
            "3:19: `xml` is not one of json, text, binary, socketio, avatar, object: write one of them",
        ),
    ],
)
def test_what_is_no_row(written: str, expected: str) -> None:
    """Codes, patterns, places, sizes and words, each told at its own place."""
    assert told(written) == [expected]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("clauses: {w1: {on: a}}", "3:11: `w1` is no clause id: ids are capitals and a number, such as `WS1`"),
        (
            "clauses: {X1: {on: A}}",
            "3:20: `A` is no name: names are small letters, digits and underscores, with dots between",
        ),
        ("clauses: {X1: {on: true}}", "3:20: `true` is no name: put it in quotes if it is meant as one"),
        (
            "clauses: {X1: {on: [a, 3]}}",
            "3:24: `3` is no name: names are small letters, digits and underscores, with dots between",
        ),
        ("clauses: {X1: on}", "3:15: expected keys and values, found `on`"),
        ("clauses: [on]", "3:10: expected names with their values, found a list"),
        (
            "hears: {Wish: {}}",
            "3:9: `Wish` is no name: names are small letters, digits and underscores, with dots between",
        ),
        (
            "hears: {wish: {a: list}}",
            "3:19: `list` is not one of object, text, number, flag, duration, secret, url: write one of them",
        ),
        (
            "status: readdy",
            (
                "3:9: `readdy` is not one of idle, connecting, authenticating, ready, waiting, suspended, closing, "
                "closed, failed: did you mean `ready`?"
            ),
        ),
        ("use: Other", "3:6: `Other` is no name: names are small letters, digits and underscores"),
        ("good: {later: [a]}", "3:8: `later` is not one of dialing, open: write one of them"),
        ("calls: {a: {}}", "3:12: the key `timeout` is missing: it is required here"),
        ("latency: 1", "3:10: expected a duration, found `1`: write the number with its unit, such as `10 s`"),
        ("rolle: client", "3:1: unknown key `rolle`: did you mean `role`?"),
        ("title: [a]", "3:8: expected a text, found a list: put it in quotes"),
        ("title: 5", "3:8: expected a text, found `5`: put it in quotes"),
        ("about: true", "3:8: expected a text, found `true`: put it in quotes"),
        ("rest: 1", "3:7: expected true or false, found `1`"),
        ("slot: 'no'", "3:7: expected true or false, found `no`"),
        ("slot:", "3:6: expected true or false, found nothing"),
    ],
)
def test_what_is_no_state_and_no_header(written: str, expected: str) -> None:
    """A wrong name is told where it stands: a key at the key, a value at the value."""
    assert told(written) == [expected]


def test_a_page_has_a_version_and_a_name() -> None:
    """Of which there is one, and one that a file can have."""
    value, source = read_text("title: x", "p.yaml")
    assert [str(problem) for problem in structure(value, Spot(source))[1]] == [
        "p.yaml:1:1: the key `lifecycle` is missing: it is required here",
        "p.yaml:1:1: the key `page` is missing: it is required here",
    ]
    for text, kind in (("[a]", "a list"), ("hello", "`hello`")):
        value, source = read_text(text, "p.yaml")
        assert [problem.what for problem in structure(value, Spot(source))[1]] == [
            f"expected keys and values, found {kind}"
        ]


def test_all_misfits_are_told() -> None:
    """From the header to the deepest row, each with its place."""
    assert told(
        "role: clinet\nstates: {a: {stats: idle, clauses: {X1: {after: 5}}}}\ncauses: [{close: x}, {is: B}]"
    ) == [
        "3:7: `clinet` is not one of client, server, session: did you mean `client`?",
        "4:14: unknown key `stats`: did you mean `status`?",
        "4:49: expected a duration, found `5`: write the number with its unit, such as `10 s`",
        "5:18: `x` is no code: write a number, a range such as 4000-4499, a list of them, or any",
        "5:27: `B` is no name: names are small letters, digits and underscores, with dots between",
    ]


def test_what_is_left_of_a_wrong_page_is_looked_at() -> None:
    """Unknown keys, also in rows of lists, and wrong clauses are left out; with other problems there is no page."""

    def left(text: str) -> page.Page | None:
        value, source = read_text(f"lifecycle: 1\npage: p\n{text}", "p.yaml")
        return structure(value, Spot(source))[0]

    found = left("rolle: x\ncauses: [{is: a, are: b}]\nclauses: {X1: {on: a, too: b}, X2: {after: 5}, X3: {on: c}}")
    assert found is not None
    assert found.causes == (page.Cause(is_="a"),)
    assert set(found.clauses) == {"X3"}
    assert left("role: x\nclauses: {X2: {after: 5}}") is None


def test_a_fault_of_ours_is_no_problem_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no hook was meant to raise is raised."""

    def broken(_: object) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr("lifecycle.definition.units.seconds", broken)
    with pytest.raises(ZeroDivisionError):
        made("latency: 1 s")


def test_a_long_value_is_shown_short() -> None:
    """An error is a line."""
    [line] = told(f"role: {'x' * 500}")
    assert f"`{'x' * 56}…` is not one of" in line


def test_what_was_read_is_frozen() -> None:
    """A page is data; nobody changes it afterwards."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made("title: T").title = "U"  # type: ignore[misc]


KEYS = sorted({key for part in [schema(), *schema()["$defs"].values()] for key in part.get("properties", {})})
JUNK: Callable[..., Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([*KEYS, "X1", "10 s", "=a +", "a.b", "1000-2000", "any", "(", "[[", "_", "none", "required"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "X1", "a"]), inner, max_size=4),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=5))
@hypothesis.example({"variables": {"a": {"kept": "text", "of": None}}})
@hypothesis.example({"parameters": {"a": {"backoff": {"factor": 10**400, "first": 10**400, "delays": None}}}})
@hypothesis.example({"parameters": {"a": {"choice": [], "of": [1]}}})
def test_any_plain_value_is_a_page_or_has_problems(value: dict[str, Any]) -> None:
    """Nothing else is raised, whatever stands where."""
    found, problems = structure({"lifecycle": 1, "page": "p", **value}, Spot(read_text("a: 1", "p.yaml")[1]))
    assert problems or isinstance(found, page.Page)
    assert Expression not in map(type, problems)
