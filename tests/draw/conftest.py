"""What the tests of drawings share: bundled pages, a page of every kind of thing, and a page of hostile texts."""

import functools
from collections.abc import Callable

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.flatten import flatten
from lifecycle.definition.grow import grow
from lifecycle.definition.problem import Spot
from lifecycle.definition.read import _Reader, bundled, read, structure, yaml12
from lifecycle.machine.table import Table

HOSTILE = (
    '\u2028 \x85 quote " arrow --> colon : semi ; hash # %% %%{init: {}}%% [*] <b>tag</b> {x} | `tick` \\ & * _ $ \\N'
    '\nstate "x" as s9 --> s1'
)

EVERYTHING = """
hears: {go: {}, back: {}, again: {}, stay: {}, up: {}}
parameters:
  pause: {duration: 3 s}
  waits: {backoff: {delays: [2 s], first: 1 s, max: 8 s, jitter: [50 %, 150 %]}}
  key: {secret: hunter2}
  mode: {choice: fast, of: [fast, slow], help: how}
variables:
  tries: {count: 0, max: 5}
  told: {duration: 2 s, min: 1 s, max: pause}
  style: {choice: a, of: [a, b]}
  seen: {kept: text}
calls:
  fetch: {takes: {n: number}, returns: {text: text}, timeout: pause}
  tell: {yields: hello, timeout: 2 s}
messages:
  frames: {hello: {a: 1}}
exit: drop
status: idle
states:
  both:
    status: ready
    rest: true
    enter: [open, ping, {send: hello}, {emit: here}, {emit: {there: {a: =tries}}}, {mark: lost}]
    exit: [{close: {code: 3000, reason: bye}}, close]
    regions:
      left:
        states:
          one:
            clauses:
              T1: {on: go, when: tries < 3, while: right.three, do: {set: {tries: =tries + 1, style: b}}, to: two}
              T2: {after: waits, by: tries, to: two}
          two:
            clauses:
              T3: {silent: 4 s, to: one}
              T4: {on: up, to: both}
      right:
        states:
          three:
            call: {fetch: {n: =tries}}
            clauses:
              T5: {on: done, do: {set: {seen: =event.text}}, to: three}
              T6: {after: told * 2, to: four}
          four: {final: over}
    clauses:
      T7: {on: over, to: choice}
      T8: {on: stay, do: {set: {tries: 0}}}
      T9: {on: again, to: both}
  choice:
    clauses:
      T10: {when: tries > 1, to: end}
      T11: {to: inner}
  inner:
    ignore: [stay, up]
    states:
      first:
        call: tell
        clauses:
          T12: {on: [done, failed], to: second}
      second: {}
    clauses:
      T13: {on: go, to: second}
  end: {status: closed, final: done}
clauses:
  T14: {on: back, to: both}
  T15: {on: again, do: {set: {tries: 0}}}
"""


def make(text: str) -> Definition:
    """Read a page's form only, so that a test may draw what a lint would refuse."""
    value, source = yaml12.read_text(f"lifecycle: 1\npage: p\n{text}", "p.yaml")
    page, problems = structure(value, Spot(source))
    assert page is not None, problems
    tree, book = grow(page, source, _Reader().load)
    definition = flatten(tree, book)
    assert book.problems == []
    return definition


@functools.cache
def _bundled(name: str) -> Definition:
    return read(name)


@pytest.fixture(params=[*bundled(), "everything", "hostile"])
def definition(request: pytest.FixtureRequest, everything: Definition, hostile: Definition) -> Definition:
    """Every bundled page, and the two made ones."""
    return {"everything": everything, "hostile": hostile}.get(request.param) or _bundled(request.param)


@pytest.fixture
def websocket() -> Definition:
    """The bundled page that most others resemble."""
    return _bundled("websocket")


@pytest.fixture
def everything() -> Definition:
    """A page with everything that can be drawn."""
    return make(EVERYTHING)


@pytest.fixture
def hostile() -> Definition:
    """A page whose texts would break out of any format that lets them."""
    text = HOSTILE.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return make(f"""
title: "{text}"
about: "{text}"
hears: {{go: {{}}}}
parameters:
  how: {{text: "{text}", help: "{text}"}}
  pick: {{choice: "{text}", of: ["{text}"]}}
variables:
  seen: {{kept: text}}
causes:
  - {{match: {{code: "{text}"}}, text: "a|b`c", is: lost.x, say: "{text}"}}
states:
  start:
    clauses:
      A1: {{on: go, when: 'seen == "--> : ;\\\\n#"', do: {{set: {{seen: "{text}"}}}}, to: end, say: "{text}"}}
      A2: {{on: go, do: {{set: {{seen: "{text}"}}}}, say: "{text}"}}
  end: {{enter: {{emit: {{told: {{a: "{text}"}}}}}}, final: done}}
""")


@pytest.fixture(name="make")
def _make() -> Callable[[str], Definition]:
    """A page from a text, its lints left out."""
    return make


@pytest.fixture(name="edges")
def _edges() -> Callable[[Definition], set[tuple[str, str, str | None]]]:
    """The edges of the chart that runs."""
    return lambda definition: Table(definition).chart.edges()
