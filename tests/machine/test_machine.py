import math
from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.errors import IllegalEvent
from lifecycle.machine.events import Event
from lifecycle.machine.machine import TRACE

Walk = Callable[..., Any]

COUNTS = """
variables:
  n: {count: 2, max: 3}
  d: {duration: 4 s, min: 1 s, max: 9 s}
  c: {choice: red, of: [red, green]}
  f: {flag: false}
  x: {number: 0.5, min: -1, max: 1}
  k: {kept: secret}
hears: {set: {to: number}, both: {}, step: {}, no: {}}
states:
  here:
    rest: true
    ignore: [quiet]
    clauses:
"""


def test_a_refusal_changes_nothing(walk: Walk, slots: Callable[..., Any]) -> None:
    """A refused event leaves every slot as it was, and its error says event, states and what is allowed."""
    w = walk(
        "hears: {go: {}, stay: {}, hm: {}}\nstates: {a: {rest: true, ignore: [hm], clauses: {A1: {on: go, to: b}}}, b: {clauses: {B1: {after: 1 s, to: a}}}}"
    )
    before = slots(w.machine)
    for name in ("stay", "nothing of the page", "model", "done.a"):
        with pytest.raises(IllegalEvent) as caught:
            w.machine.receive(Event(name))
        assert slots(w.machine) == before
    error = caught.value
    assert (error.page, error.event, error.states, error.allowed, error.reason, error.side) == (
        "p",
        "done.a",
        ("a",),
        ("go", "hm"),
        "",
        "caller",
    )
    assert str(error) == "p: `done.a` is not allowed in a (allowed: go, hm)"


def test_a_guard_that_is_false_refuses(walk: Walk) -> None:
    """An event that is handled, but whose guards are all false, is refused; the second time from the table."""
    w = walk(
        "variables: {n: {count: 0, max: 1}}\nhears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, when: n > 0, to: b}}}, b: {rest: true}}"
    )
    for _ in range(2):
        with pytest.raises(IllegalEvent, match=r"`go` is not allowed in a \(allowed: go\)"):
            w.tell("go")


@pytest.mark.parametrize(
    ("what", "value", "reason"),
    [
        ("n", 4, "`n` would be 4, outside 0 to 3"),
        ("n", -1, "`n` would be -1, outside 0 to 3"),
        ("n", 1.0, "`n` is a count and cannot be 1.0"),
        ("n", True, "`n` is a count and cannot be True"),
        ("d", "soon", "`d` is a duration and cannot be 'soon'"),
        ("d", math.nan, "`d` is a duration and cannot be nan"),
        ("c", "blue", "`c` is a choice and cannot be 'blue'"),
        ("f", 1, "`f` is a flag and cannot be 1"),
        ("x", 1.5, "`x` would be 1.5, outside -1 to 1"),
        ("x", math.nan, "`x` is a number and cannot be nan"),
    ],
)
def test_out_of_range_refuses(walk: Walk, slots: Callable[..., Any], what: str, value: object, reason: str) -> None:
    """A value that its variable cannot take refuses the event, when it is recorded and when it is repeated."""
    w = walk(f"{COUNTS}      A1: {{on: set, do: {{set: {{{what}: =event.to}}}}}}")
    w.tell("set", to=None)
    before = slots(w.machine)
    fresh = walk(f"{COUNTS}      A1: {{on: set, do: {{set: {{{what}: =event.to}}}}}}")
    for each in (w, fresh):
        with pytest.raises(IllegalEvent) as caught:
            each.tell("set", to=value)
        assert (caught.value.reason, str(caught.value)) == (reason, f"p: `set` is not allowed in here: {reason}")
    assert slots(w.machine) == before


def test_a_later_range_undoes_the_whole_step(walk: Walk, slots: Callable[..., Any]) -> None:
    """When the second of two sets does not fit, the first has not happened either."""
    w = walk(f"{COUNTS}      A1: {{on: step, do: [{{set: {{f: true}}}}, {{set: {{n: =n + 1}}}}], to: here}}")
    w.tell("step")
    before = slots(w.machine)
    with pytest.raises(IllegalEvent):
        w.tell("step")
    assert (slots(w.machine), w.machine.variables[0]) == (before, 3)


def test_a_start_that_does_not_fit_is_refused(
    define: Callable[[str], Any], begin: Walk, slots: Callable[..., Any]
) -> None:
    """A first value with which entry would leave a range refuses the start and changes nothing."""
    w = begin(define("variables: {n: {count: 0, max: 1}}\nstates: {a: {rest: true, enter: {set: {n: =n + 1}}}}"))
    before = slots(w.machine)
    with pytest.raises(IllegalEvent, match="`n` would be 2"):
        w.machine.start({"n": 1})
    assert slots(w.machine) == before
    w.start()
    assert w.machine.variables == (1,)


@pytest.mark.parametrize(
    ("given", "stored"), [(0.2, 1.0), (5, 5), (99.0, 9.0), (math.inf, 9.0), (None, 4.0), (-3, 1.0)]
)
def test_a_duration_clamps(walk: Walk, given: object, stored: object) -> None:
    """A peer's duration is brought into its range, and none restores where it began."""
    w = walk(f"{COUNTS}      A1: {{on: set, do: {{set: {{d: =event.to}}}}}}")
    w.tell("set", to=given)
    assert w.machine.variables[1] == stored


def test_none_restores(walk: Walk) -> None:
    """Setting none returns a variable of any type to its initial value."""
    w = walk(
        f"{COUNTS}      A1: {{on: set, do: {{set: {{n: 3, d: =9, c: green, f: true, x: 1, k: word}}}}}}\n"
        "      A2: {on: no, do: {set: {n: none, d: none, c: none, f: none, x: none, k: none}}}"
    )
    w.tell("set")
    assert w.machine.variables == (3, 9, "green", True, 1, "word")
    w.tell("no")
    assert w.machine.variables == (2, 4.0, "red", False, 0.5, None)


def test_two_values_of_one_set_read_what_was(walk: Walk) -> None:
    """Values of one set are all taken before any is stored; two sets happen one after the other."""
    w = walk(
        "variables: {a: {count: 1, max: 9}, b: {count: 5, max: 9}}\nhears: {one: {}, two: {}}\n"
        "states: {s: {rest: true, clauses: {A1: {on: one, do: {set: {a: =b, b: =a}}}, A2: {on: two, do: [{set: {a: =b}}, {set: {b: =a}}]}}}}"
    )
    w.tell("one")
    assert w.machine.variables == (5, 1)
    w.tell("two")
    assert w.machine.variables == (1, 1)


def test_a_junction_counts_before_it_decides(walk: Walk) -> None:
    """What a junction's entry sets is what its guards read, in the same step."""
    w = walk(
        "variables: {n: {count: 0, max: 9}}\nhears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, to: j}}},\n"
        " j: {enter: {set: {n: =n + 1}}, clauses: {J1: {when: n > 2, to: b}, J2: {to: a}}}, b: {rest: true}}"
    )
    seen = [(w.tell("go"), w.machine.states, w.clauses[-1])[1:] for _ in range(3)]
    assert seen == [(("a",), "J2"), (("a",), "J2"), (("b",), "J1")]


def test_values_are_taken_at_their_place(walk: Walk) -> None:
    """An effect behind a set carries the new value, one before it the old."""
    w = walk(
        "variables: {n: {count: 0, max: 9}}\nhears: {go: {}}\n"
        "states: {a: {rest: true, clauses: {A1: {on: go, do: [{emit: {was: {n: =n}}}, {set: {n: =n + 1}}, {emit: {is: {n: =n}}}]}}}}"
    )
    w.tell("go")
    w.tell("go")
    assert [each.fields for each in w.effects] == [{"n": 1}, {"n": 2}]


CLOCKS = """
parameters: {none_at_all: {duration: optional}}
hears: {go: {}, other: {}}
states:
  a:
    clauses:
      A1: {after: 3 s}
      A2: {silent: 5 s}
      A3: {after: none_at_all}
      A4: {on: go, to: a}
"""


def test_a_clock_without_target_fires_once(walk: Walk, slots: Callable[..., Any]) -> None:
    """`after` without `to` is over when it has fired, and a second report of it is stale."""
    w = walk(CLOCKS)
    (first,) = [Event(name, {}, "timer", token) for name, token in w.clocks.items() if "3_s" in name]
    assert w.receive(first) == []
    assert w.clauses == ["A1"]
    before = slots(w.machine)
    assert w.machine.receive(first) == ()
    assert slots(w.machine) == {**before, "stale": 1}
    assert w.tell("go") == ["stop a: silent 5 s", "start a: after 3 s", "start a: silent 5 s"]


def test_a_silence_without_target_starts_again(walk: Walk) -> None:
    """`silent` without `to` runs anew when it was told, with a new token."""
    w = walk(CLOCKS)
    old = dict(w.clocks)
    assert w.fire("silent") == ["start a: silent 5 s"]
    assert {name for name in old if old[name] != w.clocks[name]} == {"timer.a.silent_5_s"}


def test_a_clock_of_none_never_runs(walk: Walk) -> None:
    """A duration of none starts no clock; one below 0 counts as 0."""
    assert "timer.a.none_at_all" not in walk(CLOCKS).clocks
    assert "timer.a.none_at_all" in walk(CLOCKS, none_at_all=2.0).clocks
    w = walk("parameters: {d: {duration: 1 s}}\nstates: {a: {clauses: {A1: {after: d - 5, to: a}}}}")
    assert w.fire("a.") == ["start a: after d - 5"]
    assert w.effects[0].seconds == 0.0


WHILE = """
hears: {l: {}, r: {}, again: {}}
states:
  both:
    regions:
      left: {states: {off: {rest: true, clauses: {L1: {on: l, to: on}}}, on: {rest: true, clauses: {L2: {on: l, to: off}, L3: {on: again, to: on}}}}}
      right: {states: {off: {rest: true, clauses: {R1: {on: r, to: on}}}, on: {clauses: {R2: {on: r, to: off}, R3: {after: 4 s, while: [left.on], to: off}}}}}
"""


def test_a_clock_runs_while_all_are_there(walk: Walk) -> None:
    """A clock with `while` starts in full when the last of its states is entered, and stops with the first that is left."""
    w = walk(WHILE)
    assert w.tell("r") == []
    assert w.tell("l") == ["start both.right.on: after 4 s"]
    token = w.effects[0].token
    assert w.tell("again") == ["stop both.right.on: after 4 s", "start both.right.on: after 4 s"]
    assert w.effects[1].token != token
    assert w.tell("l") == ["stop both.right.on: after 4 s"]
    assert w.tell("l") == ["start both.right.on: after 4 s"]
    assert w.fire("right") == []
    assert w.machine.states == ("both.left.on", "both.right.off")


TRANSPORT = """
role: client
parameters: {url: {url: required}, password: {secret: required}}
dial: {url: =url, headers: {Authorization: =password}}
calls: {work: {returns: {x: number}, timeout: 1 s}, outlive: {timeout: 1 s, scope: connection}}
hears: {go: {}, disconnect: {}, redo: {}, hide: {}, end: {}}
causes: [{otherwise: true, is: lost}]
messages: {frames: {login: {password: =password}}, routes: [{match: {t: m}, raise: met}]}
states:
  idle: {rest: true, clauses: {T0: {on: hide, to: hiding}}}
  up:
    enter: open
    exit: drop
    rest: true
    ignore: [heard]
    clauses:
      T1: {on: [opened, met], do: {send: login}}
      T2: {on: lost, to: idle}
      T3: {on: disconnect, do: {close: {code: 1001, reason: =password}}}
      T4: {on: closed, to: idle}
      T9: {on: end, to: over}
  working:
    call: work
    clauses:
      T5: {on: [done, failed], to: idle}
  hiding:
    call: outlive
    clauses:
      T6: {on: [done, failed], to: idle}
  over: {final: done}
clauses:
  T7: {on: go, to: up}
  T8: {on: redo, to: working}
"""


def _stale(w: Any, event: Event, slots: Callable[..., Any]) -> None:
    before = slots(w.machine)
    assert w.machine.receive(event) == ()
    assert slots(w.machine) == {**before, "stale": before["stale"] + 1}


def test_an_old_dial_is_not_heard(walk: Walk, slots: Callable[..., Any]) -> None:
    """After `drop`, and after the next `open`, what the old transport tells changes nothing and is counted."""
    w = walk(TRANSPORT)
    w.tell("go")
    old = w.transport
    assert w.machine.phase == "dialing"
    assert w.tell("go") == ["drop", "open"]
    for cause, name in (
        ("opened", "opened"),
        ("end", "lost"),
        ("message", "met"),
        ("heard", "heard"),
        ("closed", "closed"),
    ):
        _stale(w, Event(name, {}, cause, old), slots)
    w.told("opened", "opened")
    w.tell("redo")
    assert (w.machine.phase, w.machine.transport) == ("none", 0)
    _stale(w, Event("lost", {}, "end", w.transport), slots)
    assert w.machine.stale == 6


def test_after_goodbye_only_closed_is_heard(walk: Walk, slots: Callable[..., Any]) -> None:
    """From `close` on the transport says `closed` and nothing else, and a second `close` is none."""
    w = walk(TRANSPORT)
    w.tell("go")
    w.told("opened", "opened")
    assert w.tell("disconnect") == ["close 1001"]
    assert w.machine.phase == "closing"
    for cause, name in (("opened", "opened"), ("end", "lost"), ("message", "met"), ("heard", "heard")):
        _stale(w, Event(name, {}, cause, w.transport), slots)
    assert w.tell("disconnect") == []
    w.told("closed", "closed")
    assert (w.machine.phase, w.machine.states) == ("none", ("idle",))
    _stale(w, Event("closed", {}, "closed", w.transport), slots)


def test_an_old_call_is_not_heard(walk: Walk, slots: Callable[..., Any]) -> None:
    """A result of a call whose state was left or entered anew is stale; leaving the state cancels the call."""
    w = walk(TRANSPORT)
    assert w.tell("redo") == ["call work"]
    old = w.calls["working"]
    assert w.tell("redo") == ["cancel work", "call work"]
    _stale(w, Event("done.working", {"x": 1}, "call", old), slots)
    assert w.done("working", x=1) == []
    assert w.machine.states == ("idle",)
    _stale(w, Event("done.working", {"x": 1}, "call", old), slots)


def test_a_call_that_outlives_its_state_is_not_heard(walk: Walk, slots: Callable[..., Any]) -> None:
    """A call of the connection's scope goes on when its state is left, and its result is stale."""
    w = walk(TRANSPORT)
    assert w.tell("hide") == ["call outlive"]
    assert w.tell("go") == ["open"]
    _stale(w, Event("done.hiding", {}, "call", w.calls["hiding"]), slots)


def test_the_end_leaves_nothing_behind(walk: Walk) -> None:
    """A final state of the page drops the transport, stops calls and refuses everything after."""
    w = walk(
        "role: client\nhears: {go: {}, disconnect: {}}\nstates: {a: {enter: open, rest: true, clauses: {A1: {on: go, to: z}}}, z: {final: done}}"
    )
    assert w.tell("go") == ["drop"]
    assert (w.machine.ended, w.machine.phase, w.machine.allowed()) == (True, "none", ())
    with pytest.raises(IllegalEvent, match=r"`go` is not allowed in z \(allowed: nothing\)"):
        w.tell("go")
    own = walk(
        "calls: {c: {timeout: 1 s}}\ncall: c\nhears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, to: z}}}, z: {final: done}}\n"
        "clauses: {P1: {after: 1 s, to: z}, P2: {on: [done, failed], to: z}}"
    )
    assert own.tell("go") == ["cancel c"]
    assert (own.machine._clocks, own.machine._calls) == ({}, {})


def test_secrets_are_not_shown(walk: Walk) -> None:
    """No effect shows a value of the connection."""
    w = walk(TRANSPORT, password="xyzzy")
    shown = repr((w.tell("go"), w.effects, w.told("opened", "opened"), w.effects, w.tell("disconnect"), w.effects))
    assert "xyzzy" not in shown
    assert w.effects[0].reason == "xyzzy"
    kept = walk(
        "variables: {k: {kept: secret}}\nhears: {go: {k: secret}}\nstates: {a: {rest: true, clauses: {A1: {on: go, do: {set: {k: =event.k}}}}}}"
    )
    kept.tell("go", k="xyzzy")
    assert "xyzzy" not in repr(kept.machine.variables)
    assert "xyzzy" not in repr(Event("go", {"k": "xyzzy"}))


def test_a_raised_event_brings_no_fields(walk: Walk) -> None:
    """What takes an exit reads none for every field, whatever the event brought that led to the exit."""
    page = (
        "variables: {n: {count: 7, max: 9}}\nhears: {go: {f: number}, gone: {f: number}}\n"
        "states: {a: {states: {b: {rest: true, clauses: {A1: {on: go, when: event.f == 5, to: c}}}, c: {final: gone}},\n"
        " clauses: {A2: {on: gone, when: event.f == 5, to: wrong}, A3: {on: gone, do: {set: {n: =event.f}}, to: d}}}, d: {rest: true}, wrong: {rest: true}}"
    )
    w = walk(page)
    w.machine.variables = (3,)
    w.tell("go", f=5)
    assert (w.clauses, w.machine.states, w.machine.variables) == (["A1", "A3"], ("d",), (7,))


def test_the_trace_is_short(walk: Walk) -> None:
    """The last paths are kept, oldest first, and no more than some."""
    w = walk("hears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go}}}}")
    for _ in range(TRACE + 5):
        w.tell("go")
    assert [path.event for path in w.machine.trace] == ["go"] * TRACE


def test_before_its_start_nothing_is_allowed(define: Callable[[str], Any], begin: Walk) -> None:
    """A machine that has not started refuses events."""
    w = begin(define("hears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go}}}}"))
    with pytest.raises(IllegalEvent, match="its end"):
        w.machine.receive(Event("go"))
