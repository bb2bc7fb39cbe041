"""Judgements that were once wrong: what must be found, and what must not be."""

import pytest

from lifecycle.definition.expression import parse
from lifecycle.definition.read import read_text, specs
from lifecycle.errors import PageError
from lifecycle.proof.intervals import interval
from lifecycle.proof.prove import prove

CLIENT = "lifecycle: 1\npage: p\nrole: client\nhears: {disconnect: {}}\n"
ONLINE = """
states:
  online:
    use: connection
    fill: {up: {use: heartbeat}}
    clauses:
      M1: {on: done, to: closed}
"""
ENDS = """
  waiting: {status: waiting, clauses: {M8: {after: 5 s, to: online}}}
  closed: {status: closed, final: done}
clauses: {M9: {on: disconnect, to: closed}}
"""


def judged(text: str) -> list[str]:
    """The law that a page breaks and what is said of it; nothing if it keeps them all."""
    broken = prove(read_text(text, "p.yaml", specs())).broken
    return [broken.law.name, *(breach.what for breach in broken.finding.breaches)] if broken else []


def test_an_exit_that_only_a_guard_takes_is_not_handled() -> None:
    """A final whose exit is taken the first time only leaves the machine in it the second time."""
    page = """
lifecycle: 1
page: p
role: session
stop: leave
variables: {tries: {count: 0, max: 1}}
hears: {start: {}, leave: {}}
calls: {begin: {timeout: 10 s}}
states:
  absent: {status: idle, rest: true, ignore: [leave], clauses: {S1: {on: start, to: held}}}
  held:
    status: connecting
    ignore: [start]
    states:
      pending: {call: begin, clauses: {S2: {on: done, to: alive}, S3: {on: failed, to: broken}}}
      alive: {status: ready, rest: true}
      broken: {final: spoiled}
    clauses:
      S4: {on: spoiled, when: tries < 1, do: {set: {tries: =tries + 1}}, to: absent}
      S5: {on: leave, to: absent}
"""
    assert judged(page) == ["handled", "the exit of `held.broken` (`spoiled`) is taken by nobody"]
    assert judged(page.replace("when: tries < 1, do: {set: {tries: =tries + 1}}, ", "").replace(
        "variables: {tries: {count: 0, max: 1}}\n", "")) == []  # fmt: skip


def test_a_stop_that_is_ignored_before_a_dial_is_not_honoured() -> None:
    """A wish to end that is ignored while waiting is not honoured if the wait ends in a dial, known or not."""
    page = (
        CLIENT
        + ONLINE
        + """
      M2: {on: lost, to: waiting}
    ignore: []
  waiting: {status: waiting, ignore: [disconnect], clauses: {M8: {after: 5 s, to: online}}}
  closed: {status: closed, final: done}
"""
    )
    assert judged(page) == ["stop-always", "`timer.waiting.5_s` dials after `disconnect`"]


@pytest.mark.parametrize("guard", ["event.retry_after != none", "not event.retry_after == none"])
def test_a_field_that_is_only_asked_whether_it_is_there(guard: str) -> None:
    """A guard that asks whether a field is there sees it there, and not there."""
    causes = "causes: [{http: 503, is: lost.busy, retry_after: header}, {otherwise: true, is: lost.network}]\n"
    clauses = f"      M2: {{on: lost, when: {guard}, to: later}}\n      M3: {{on: lost, to: waiting}}\n"
    later = "  later: {status: suspended, clauses: {M4: {after: 9 s, to: online}}}"
    assert judged(CLIENT + causes + ONLINE + clauses + later + ENDS) == []


@pytest.mark.parametrize(
    "guard", ["event.code >= 4000", "event.code > 3000", "event.code < 4499", "event.code == 1011"]
)
def test_every_range_of_codes_is_tried(guard: str) -> None:
    """A row with several codes is tried at the ends of each of its ranges."""
    causes = "causes: [{close: [1011, 4000-4499], is: lost.server}, {otherwise: true, is: lost.network}]\n"
    clauses = f"      M2: {{on: lost.server, when: {guard}, to: later}}\n      M3: {{on: lost.server, to: patient}}\n"
    more = """      M5: {on: lost, to: waiting}
  later: {status: suspended, clauses: {M4: {after: 9 s, to: online}}}
  patient: {status: suspended, clauses: {M6: {after: 9 s, to: online}}}"""
    assert judged(CLIENT + causes + ONLINE + clauses + more + ENDS) == []


def test_a_band_of_lengths_is_seen() -> None:
    """A peer's pause is tried between any two lengths that conditions tell apart."""
    page = (
        CLIENT
        + """
variables: {told: {duration: 5 s, min: 1 s, max: 10 min}}
causes: [{http: 503, is: lost.busy, retry_after: header}, {otherwise: true, is: lost.network}]
"""
        + ONLINE
        + """
      M2: {on: lost, do: {set: {told: =event.retry_after}}, to: choosing}
  choosing:
    clauses:
      N3: {when: told > 10 and told < 60, to: patient}
      N4: {to: waiting}
  patient: {status: suspended, clauses: {N5: {after: told, to: online}}}"""
        + ENDS
    )
    assert judged(page) == []


def test_a_pause_beside_a_longer_clock_counts() -> None:
    """A clock of hours around everything does not hide the seconds between two dials."""
    page = (
        CLIENT
        + """
states:
  living:
    states:
      online:
        use: connection
        fill: {up: {use: heartbeat}}
        clauses: {J1: {on: done, to: closed}, J2: {on: lost, to: waiting}}
      waiting: {status: waiting, clauses: {J3: {after: 5 s, to: online}}}
    clauses: {J4: {after: 12 h, to: closed}, J5: {on: disconnect, to: closed}}
  closed: {status: closed, final: done}
"""
    )
    assert prove(read_text(page, "p.yaml", specs())).numbers["mean time per dial"] == 5.0


def test_two_regions_with_one_exit_are_decided() -> None:
    """Two regions that end in the same exit at once compete for nothing; with two exits they do."""
    page = (
        CLIENT
        + """
good: {open: [heard]}
messages: {codec: json, routes: [{match: {type: kicked}, raise: kicked}, {deliver: true}]}
states:
  online:
    use: connection
    fill:
      up:
        regions:
          login:
            states:
              valid: {clauses: {D1: {on: kicked, to: revoked}}}
              revoked: {final: refused.kicked}
          stream:
            states:
              flowing: {clauses: {D2: {on: kicked, to: broken}, D3: {silent: 30 s, to: quiet}}}
              broken: {final: refused.kicked}
              quiet: {final: lost.quiet}
    clauses: {D4: {on: [done, refused], to: closed}, D5: {on: lost, to: waiting}}"""
        + ENDS
    )
    assert judged(page) == []
    assert judged(page.replace("broken: {final: refused.kicked}", "broken: {final: lost.kicked}"))[0] == "decided"


def test_what_slices_leave_out_is_still_reachable() -> None:
    """States and routes of one slice do not count as unreachable because another slice lacks them."""
    page = (
        CLIENT
        + """
messages:
  codec: json
  routes:
    - {match: {type: a}, raise: a}
    - {match: {type: b}, raise: b}
    - {match: {type: bye}, raise: bye}
states:
  online:
    use: connection
    fill:
      up:
        regions:
          life: {states: {beat: {use: heartbeat, clauses: {K9: {on: bye, to: left}}}, left: {final: refused.left}}}
          one: {states: {p: {clauses: {K1: {on: a, to: q}}}, q: {clauses: {K2: {on: a, to: p}}}}}
          two: {states: {p: {clauses: {K3: {on: b, to: q}}}, q: {clauses: {K4: {on: b, to: p}}}}}
    clauses: {K5: {on: done, to: closed}, K6: {on: lost, to: waiting}, K10: {on: refused, to: closed}}"""
        + ENDS
    )
    assert judged(page) == []


def test_a_number_keeps_its_range() -> None:
    """A number that only grows is found to leave its range, though no guard reads it."""
    page = """
lifecycle: 1
page: p
role: session
variables: {x: {number: 0, max: 3}}
hears: {disconnect: {}, add: {}}
states:
  up:
    status: ready
    rest: true
    clauses: {A1: {on: add, do: [{set: {x: =x + 1}}, {emit: {now: {x: =x}}}], to: up}, A2: {on: disconnect, to: over}}
  over: {status: closed, final: done}
"""
    assert judged(page)[0] == "bounded"


def test_a_page_without_causes_hears_each_end_as_lost() -> None:
    """A client that names no end must take `lost` wherever it has a transport."""
    page = (
        CLIENT
        + """
parameters: {url: {url: required}}
dial: {url: =url}
good: {dialing: [opened], open: [heard]}
states:
  dialing: {status: connecting, enter: open, clauses: {L1: {on: opened, to: up}, L2: {after: 5 s, to: waiting}}}
  up: {status: ready, clauses: {L3: {on: lost, to: waiting}, L4: {silent: 30 s, to: waiting}}}
  waiting: {status: waiting, enter: drop, clauses: {L5: {after: 5 s, to: dialing}}}
  closed: {status: closed, final: done}
clauses: {L6: {on: disconnect, to: closed}}
"""
    )
    assert judged(page) == [
        "handled", "`lost` can happen in `dialing` (transport: dialing) and is neither taken nor ignored",
    ]  # fmt: skip
    assert judged(page.replace("L2: {after", "L7: {on: lost, to: waiting}, L2: {after")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n * 2 + 1", (1, 21)),
        ("(n - 5) * (n - 5)", (-25, 25)),
        ("-n", (-10, 0)),
        ("n / 2", (0, 5)),
        ("100 // (n + 1)", (9, 100)),
        ("5 / n", (-float("inf"), float("inf"))),
        ("n % 3", (-float("inf"), float("inf"))),
        ("'a' + n", None),
        ("unknown + 1", None),
    ],
)
def test_an_expression_lies_between_its_ends(text: str, expected: object) -> None:
    """The ends of a length hold for every value between, also where it does not grow with its variable."""
    assert interval(parse(text).tree, {"n": (0, 10)}) == expected


SWITCH = """
lifecycle: 1
page: p
role: session
hears: {disconnect: {}, on_wish: {}, off_wish: {}}
states:
  up:
    status: ready
    rest: true
    states:
      dark: {ignore: [off_wish], clauses: {S1: {on: on_wish, to: bright}}}
      bright: {ignore: [on_wish], clauses: {S2: {on: off_wish, to: dark}}}
    clauses: {S3: {on: disconnect, to: over}}
  over: {status: closed, final: done}
laws:
  - LAW
"""


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("{never: {on: on_wish, in: up.dark}}", None),
        ("{never: {on: off_wish, in: up.dark}}", "never after off_wish, up.dark"),
        ("{never: {on: [off_wish, on_wish], in: over}}", None),
        ("{sometimes: {on: on_wish, in: up.bright}}", None),
        ("{sometimes: {on: off_wish, in: up.bright}}", "sometimes after off_wish, up.bright"),
        ("{always: {on: on_wish, in: up, when: transport.open}}", "always after on_wish, up, when transport.open"),
    ],
)
def test_a_promise_about_the_step_after_an_event(law: str, broken: str | None) -> None:
    """A promise with `on` is judged only where a step that its event caused has led."""
    found = judged(SWITCH.replace("LAW", law))
    assert (found[0] if found else None) == broken


def test_a_promise_about_an_event_that_nothing_tells() -> None:
    """An event in a promise that cannot occur is a mistake of the page."""
    with pytest.raises(PageError, match="`never` speaks of `of_wish`, which nothing tells: did you mean `off_wish`"):
        judged(SWITCH.replace("LAW", "{never: {on: of_wish, in: up.dark}}"))
