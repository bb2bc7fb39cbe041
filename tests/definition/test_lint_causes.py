"""The table of causes: what is refused, with its sentence and its place."""

from collections.abc import Callable
from pathlib import Path

from lifecycle.definition.read import read

Problems = Callable[..., list[str]]


def test_codes_twice(problems: Problems) -> None:
    """A row whose codes are all taken before it never fits."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {close: 1000-1005, is: lost.a}
  - {close: [1008, 1009], is: lost.b}
  - {close: [1001, 1008], is: lost.c}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "7:5: the cause `lost.c` never fits: all that it asks for is taken before it, by row 1 and row 2: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_codes_in_part(problems: Problems) -> None:
    """A row of which something is left is alive."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {close: [1008, 1009], is: lost.b}
  - {close: [1001, 1008], is: lost.c}
  - {close: any, is: lost.d}
  - {http: 403, is: lost.e}
  - {http: any, is: lost.f}
  - {error: [eof, tls], is: lost.g}
  - {error: [eof, dns], is: lost.h}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == []


def test_behind_any(problems: Problems) -> None:
    """Behind `any` nothing of the kind fits."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {http: any, is: lost.a}
  - {http: 403, is: lost.b}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "6:5: the cause `lost.b` never fits: all that it asks for is taken before it, by row 1: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_words_twice(problems: Problems) -> None:
    """An error that is taken never comes again."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {error: [eof, reset], is: lost.a}
  - {error: [reset], is: lost.b}
  - {text: abc, is: lost.c}
  - {text: abc, close: 1000, is: lost.d}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "6:5: the cause `lost.b` never fits: all that it asks for is taken before it, by row 1: "
            "put the special case first, or take one of them out"
        ),
        (
            "8:5: the cause `lost.d` never fits: all that it asks for is taken before it, by row 3: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_refusals(problems: Problems) -> None:
    """Behind any refusal no match fits, and behind a match no narrower one."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {match: {code: [a, b]}, is: lost.a}
  - {match: {code: a, more: 1}, is: lost.b}
  - {refusal: any, is: lost.c}
  - {match: {code: c}, is: lost.d}
  - {close: any, is: lost.e}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "6:5: the cause `lost.b` never fits: all that it asks for is taken before it, by row 1: "
            "put the special case first, or take one of them out"
        ),
        (
            "8:5: the cause `lost.d` never fits: all that it asks for is taken before it, by row 3: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_behind_otherwise(problems: Problems) -> None:
    """Behind `otherwise` nothing fits."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {otherwise: true, is: lost.a}
  - {close: 1000, is: lost.b}
  - {otherwise: true, is: lost.c}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "6:5: the cause `lost.b` never fits: all that it asks for is taken before it, by row 1: "
            "put the special case first, or take one of them out"
        ),
        (
            "7:5: the cause `lost.c` never fits: all that it asks for is taken before it, by row 1: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_behind_a_preset(problems: Problems) -> None:
    """A row behind a preset that takes its code never fits; a row before it overrides."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {close: 1008, is: lost.policy}
  - {use: rfc6455}
  - {close: 1009, is: lost.big}
  - {use: iana}
  - {otherwise: true, is: lost.other}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "7:5: the cause `lost.big` never fits: all that it asks for is taken before it, by row 2: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_no_condition(problems: Problems) -> None:
    """A row says when it fits, and what it is then."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {is: lost.a}
  - {close: 1000}
  - {otherwise: true, close: 1001, is: lost.b}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        (
            "5:5: a cause without a condition never fits: "
            "give it `close`, `http`, `error`, `match`, `text` or `refusal`, or `otherwise: true`"
        ),
        "6:5: a cause without a name: say what it is: `is: lost.…`",
        "7:5: `otherwise` beside a condition: it fits everything: leave the condition out",
    ]


def test_two_kinds(problems: Problems) -> None:
    """What ends a connection is of one kind, so a row that asks for two never fits."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {close: 1000, http: 403, is: lost.a}
  - {http: 403, text: x, is: lost.b}
  - {match: {code: x}, refusal: any, text: y, is: lost.c}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        "5:5: a cause with `close` and `http` never fits: make it one row each",
        "6:5: a cause with `http` and `text` never fits: make it one row each",
    ]


def test_unknown_error(problems: Problems) -> None:
    """Errors are words of a closed list."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {error: tsl, is: lost.a}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    assert problems(page) == [
        "5:13: no error is called `tsl`: did you mean `tls`?",
    ]


def test_without_otherwise(problems: Problems) -> None:
    """A page with a role has an answer for every end."""
    page = """
role: client
hears: {disconnect: {}}
causes:
  - {close: any, is: lost.closed}
states:
  a:
    status: ready
    rest: true
    clauses:
      X1: {on: [lost, disconnect], to: a}
"""
    assert problems(page) == [
        "5:1: no row of `causes` fits what the others do not: end with `{otherwise: true, is: …}`",
    ]


def test_rows_of_a_used_page(problems: Problems, tmp_path: Path) -> None:
    """Rows of a used page stand behind the page's own, which may take all that they ask for."""
    used = """lifecycle: 1
page: used
leaves: [lost]
causes:
  - {close: 1000, is: lost.normal}
  - {close: 1001, is: lost.away}
states:
  a: {rest: true}
"""
    (tmp_path / "used.yaml").write_text(used, encoding="utf-8")
    page = """
leaves: [lost]
causes:
  - {close: any, is: lost.closed}
states:
  a:
    use: used
"""
    assert problems(page, tmp_path) == []


def test_causes_of_host_and_used_page_go_together(tmp_path):
    """The host's rows, then the used page's, then the host's `otherwise`: no row is in another's way."""
    head = "lifecycle: 1\npage: {name}\nrole: client\nhears: {{disconnect: {{}}}}\n"
    states = "states:\n  on:\n    {on}\n    clauses: {{{id}1: {{on: [done, lost, refused], to: over}}}}\n  over: {{status: closed, final: done}}\n"
    inner = (
        head.format(name="inner")
        + "causes:\n  - {close: 1008, is: refused.inner}\n  - {otherwise: true, is: lost.inner}\n"
    )
    inner += "leaves: [lost, refused]\n" + states.format(on="use: connection", id="A")
    host = (
        head.format(name="host") + "causes:\n  - {http: any, is: refused.host}\n  - {otherwise: true, is: lost.host}\n"
    )
    host += states.format(on="use: inner", id="B")
    (tmp_path / "inner.yaml").write_text(inner)
    (tmp_path / "host.yaml").write_text(host)
    assert [row.is_ for row in read(tmp_path / "host.yaml").causes] == ["refused.host", "refused.inner", "lost.host"]


def test_where_an_endpoint_can_be_found(problems: Problems) -> None:
    """A row looks for it where it can stand: a Location in a redirect, a path in a refusal; `next` stands anywhere."""
    page = """
leaves: [lost, refused, ended, unauthorized]
causes:
  - {http: [301-303, 307], is: lost.a, endpoint: header}
  - {http: [300, 308], is: lost.b, endpoint: header}
  - {close: 1001, is: lost.c, endpoint: header}
  - {close: 1012, is: lost.d, endpoint: next}
  - {error: tls, is: lost.e, endpoint: to.url}
  - {match: {why: moved}, is: lost.f, endpoint: to.url}
  - {text: elsewhere, is: lost.g, endpoint: to.url}
  - {refusal: any, is: lost.h, endpoint: to.url}
  - {http: any, is: lost.i, endpoint: header}

states:
  a:
    rest: true
    clauses:
      X1: {on: [lost, refused, ended, unauthorized], to: a}
"""
    sends_nowhere = "`endpoint: header` with a status that sends nowhere: write `http: [301-303, 307, 308]`"
    assert problems(page) == [
        f"6:36: {sends_nowhere}",
        "7:31: `endpoint: header` is found in an answer of HTTP, and this row has none: give it `http`",
        "9:30: `endpoint: to.url` is found in a refusal's object, and this row has none: give it `refusal`",
        f"13:29: {sends_nowhere}",
    ]


def test_otherwise_asks_for_no_endpoint(problems: Problems) -> None:
    """It fits everything, and most things say nowhere to go; but all of them may mean that another one is next."""
    page = """
leaves: [lost]
causes:
  - {otherwise: true, is: lost.a, endpoint: %s}

states:
  a:
    rest: true
    clauses:
      X1: {on: lost, to: a}
"""
    assert problems(page % "next") == []
    assert problems(page % "to.url") == [
        "5:35: `otherwise` fits everything, and this `endpoint` need not be there: put a row above it"
    ]


def test_a_row_with_an_endpoint_leaves_those_without_one_to_the_next(problems: Problems) -> None:
    """So it shadows nobody who asks for less; a row that asks for less shadows it."""
    page = """
leaves: [lost]
causes:
  - {http: 301, is: lost.a, endpoint: header}
  - {http: 301, is: lost.b}
  - {http: 301, is: lost.c, endpoint: header}
  - {match: {why: moved}, is: lost.d, endpoint: to}
  - {match: {why: moved}, is: lost.e, endpoint: at}
  - {close: 1001, is: lost.f, endpoint: next}
  - {close: 1001, is: lost.g}

states:
  a:
    rest: true
    clauses:
      X1: {on: lost, to: a}
"""
    assert [line.split(" never fits")[0] for line in problems(page)] == [
        "7:5: the cause `lost.c`",
        "11:5: the cause `lost.g`",
    ]
