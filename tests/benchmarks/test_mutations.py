"""Mutants of a small page: each kind is made, each fate is met, and two machines that are alike are known."""

import attrs
import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import parse
from lifecycle.definition.lint import lint
from lifecycle.definition.page import Law, Situation
from lifecycle.definition.read import read, read_text

from .endings import endings, example, verdicts
from .mutants import Judge, Outcome, counted, table
from .mutations import Mutant, mutants

PAGE = """\
lifecycle: 1
page: small
role: client
parameters:
  url: {url: required}
  wait: {duration: 2 s}
variables:
  tries: {count: 0, max: 3}
hears: {connect: {}, disconnect: {}, nudge: {}}
good: {dialing: [opened]}
dial: {url: =url}
causes:
  - {close: 4001, is: refused.here, say: Not here.}
  - {close: 4002, is: lost.there}
  - {otherwise: true, is: lost.network}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect, nudge]}
  online:
    exit: drop
    ignore: [nudge]
    states:
      dialing:
        status: connecting
        needs: dialing
        enter: open
        clauses:
          A1: {on: opened, to: up}
          A2: {after: 10 s, do: drop, to: waiting}
      up:
        status: ready
        needs: open
        clauses:
          A3: {after: 5 s, proof: true, do: {set: {tries: 0}}}
          A15: {silent: 20 s, to: waiting}
  waiting:
    status: waiting
    needs: none
    regions:
      pause:
        states:
          counting:
            clauses:
              A4: {when: tries >= 3, to: given_up}
              A5: {to: short}
          short:
            enter: {set: {tries: =tries + 1}}
            clauses:
              A6: {after: wait, when: tries == 1, do: {emit: early}, to: over}
              A7: {after: wait, to: over}
          over: {final: again}
          given_up: {final: enough}
      view:
        states:
          plain:
            clauses:
              A8: {on: nudge, while: pause.short, to: nudged}
            ignore: [nudge]
          nudged: {ignore: [nudge]}
    clauses:
      A9: {on: again, to: online}
      A10: {on: enough, to: failed}
  failed: {status: failed, needs: none, rest: true, ignore: [nudge]}
  closed: {status: closed, final: done}
clauses:
  A11: {on: connect, do: {set: {tries: 0}}, to: online}
  A12: {on: disconnect, to: closed}
  A13: {on: refused, to: failed}
  A14: {on: lost, to: waiting}
"""


@pytest.fixture(scope="module")
def page() -> Definition:
    """The page."""
    return read_text(PAGE, "small.yaml")


@pytest.fixture(scope="module")
def all_of_them(page: Definition) -> list[Mutant]:
    """Its mutants."""
    return list(mutants(page))


@pytest.fixture(scope="module")
def judge(page: Definition) -> Judge:
    """Who judges them."""
    return Judge.of(page)


@pytest.fixture
def fate(judge: Judge, all_of_them: list[Mutant]):
    """What becomes of the mutant that says this of itself."""

    def found(what: str) -> Outcome:
        (mutant,) = [each for each in all_of_them if each.what == what]
        return judge(mutant)

    return found


def test_every_kind_is_made(all_of_them: list[Mutant]) -> None:
    """A page that has everything has mutants of every kind; calls are seen on another page."""
    kinds = {each.kind for each in [*all_of_them, *mutants(read("session-lease"))]}
    assert kinds == {
        *("drop clause", "retarget", "targetless", "drop guard", "negate guard", "off by one", "swap"),
        *("drop effect", "set value", "delay x 0", "delay x 100", "drop ignore", "drop call", "drop while"),
        *("drop cause", "swap causes", "rename cause"),
    }


def test_each_is_another_page(page: Definition, all_of_them: list[Mutant]) -> None:
    """No mutant is the page or another mutant, and none makes the static checks fall over."""
    hashes = {each.definition.hash for each in all_of_them}
    assert len(hashes) == len(all_of_them)
    assert page.hash not in hashes
    for each in all_of_them:
        lint(each.definition)


def test_they_are_always_the_same(page: Definition, all_of_them: list[Mutant]) -> None:
    """The same page has the same mutants in the same order."""
    assert [each.what for each in mutants(page)] == [each.what for each in all_of_them]


def test_a_clock_stays_shared(all_of_them: list[Mutant]) -> None:
    """Two clauses of one clock have one clock in every mutant, and no two clocks have one name."""
    for each in all_of_them:
        assert len({clock.name for clock in each.definition.clocks}) == len(each.definition.clocks)
    twice = next(each for each in mutants(read("handshake")) if each.what == "challenge_timeout x 100").definition
    assert twice.clauses["H2"].clock == twice.clauses["H3"].clock


def test_mistakes_of_form(fate) -> None:
    """What the static checks see is not proven at all."""
    assert (fate("A12 dropped").fate, fate("A12 dropped").by) == ("form", "`closed` is never entered")
    assert fate("A1 stays, not to `online.up`").fate == "form"


@pytest.mark.parametrize(
    ("what", "law"),
    [
        ("A11 dropped", "handled"),
        ("online: exit without drop", "one-transport"),
        ("A4 when tries >= 4, not tries >= 3", "bounded"),
        ("A13 to `online`, not `failed`", "no-hot-loop"),
        ("A9 to `failed`, not `online`", "recovers"),
    ],
)
def test_a_law_is_named(fate, what: str, law: str) -> None:
    """A mutant that breaks a law of the house says which."""
    assert (fate(what).fate, fate(what).by) == ("generic law", law)


def test_a_number_is_named(fate) -> None:
    """A mutant that keeps all laws may still be slower."""
    assert (fate("A2 waits x 100").fate, fate("A2 waits x 100").by) == ("number", "longest silent wait")


def test_the_own_law_of_a_page(page: Definition, fate) -> None:
    """What survives may be found by a promise of the page."""
    survivor = fate("A13 to `closed`, not `failed`")
    assert survivor.fate == "size"
    laws = (Law(sometimes=Situation(in_=("failed",), when=parse("tries == 0"))),)
    mutant = attrs.evolve(survivor.mutant, definition=attrs.evolve(survivor.mutant.definition, laws=laws))
    outcome = Judge.of(attrs.evolve(page, laws=laws))(mutant)
    assert (outcome.fate, outcome.by) == ("own law", "sometimes failed, when tries == 0")


def test_what_is_alike(page: Definition, judge: Judge, fate) -> None:
    """What is dropped twice, a guard that always holds, and clauses that exclude each other in another order."""
    assert fate("A2 without drop").fate == "equivalent"
    assert fate("waiting.view.plain: does not ignore nudge").fate == "equivalent"
    turned = attrs.evolve(page, root=attrs.evolve(page.root, clauses=page.root.clauses[::-1]))
    assert judge(Mutant("", "", "", turned)).fate == "equivalent"


def test_what_is_not_alike(fate) -> None:
    """What is told to the user is seen, although no law speaks of it."""
    assert fate("A6 without emit").fate == "survived"
    assert fate("A6 dropped").fate == "survived"


def test_what_is_kept_is_seen_by_calls() -> None:
    """A value that no guard may ask is no part of a node, but a call is given it."""
    page = read("session-lease")
    (mutant,) = [each for each in mutants(page) if each.what == "SL2 without set generation"]
    assert Judge.of(page)(mutant).fate != "equivalent"


def test_causes_are_classified(fate) -> None:
    """A row that matters is missed when endings are named, and two rows that exclude each other may change places."""
    assert fate("cause 1 (refused.here) behind the next").fate == "equivalent"
    assert fate("cause 2 (lost.there) dropped").fate == "classification"


def test_examples_of_expressions() -> None:
    """Each regular expression of the pages that we know has an example."""
    for name in ("openclaw-gateway", "resume", "websocket"):
        causes = read(name).causes
        for row in causes:
            assert not row.text or example(row.text)
        assert len(set(verdicts(causes, endings(causes)))) > 5


def test_the_table(judge: Judge, all_of_them: list[Mutant]) -> None:
    """Shares are of those that are mistakes."""
    rows = [
        Outcome(all_of_them[0], "equivalent"),
        Outcome(all_of_them[1], "form"),
        Outcome(all_of_them[2], "survived"),
        Outcome(all_of_them[3], "generic law", "handled"),
        Outcome(all_of_them[4], "size"),
    ]
    assert (counted(rows)["killed"], counted(rows)["with size"]) == (0.5, 0.75)
    assert "50.0%" in table({"small": rows})
