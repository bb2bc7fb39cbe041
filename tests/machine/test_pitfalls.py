"""What python-statemachine 3.2.2 does that a page must not feel; the numbers are those of the proof's list.

If a new version of the library breaks one of these, the meaning of pages would change with it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.errors import IllegalEvent, PageError
from lifecycle.machine.chart import Chart
from lifecycle.machine.events import Event
from lifecycle.machine.plan import plan

Walk = Callable[..., Any]
Define = Callable[[str], Definition]

REGIONS = """
hears: {x: {}, y: {}, w: {}, z: {}, q: {n: number}, ig: {}}
states:
  p:
    clauses: {P1: {on: q, when: event.n == 1, to: out}, P2: {on: ig, to: out}}
    regions:
      left:
        states:
          l1: {rest: true, ignore: [ig], clauses: {A1: {on: [x, y], to: l2}}}
          l2: {rest: true, enter: {emit: {in_left: {}}}, exit: {emit: {out_left: {}}}, clauses: {A2: {on: z, to: out}}}
      right:
        states:
          r1: {rest: true, clauses: {B1: {on: [x, w], to: r2}}}
          r2: {rest: true, enter: {emit: {in_right: {}}}, exit: {emit: {out_right: {}}}, clauses: {B2: {on: z, to: out2}}}
  out: {rest: true}
  out2: {rest: true}
"""


def test_p1_regions_are_entered_in_page_order_and_left_backwards(walk: Walk) -> None:
    """P1: the library's own numbers have ties and inversions; ours are those of the page, depth first."""
    w = walk(REGIONS)
    assert w.tell("x") == ["emit in_left", "emit in_right"]
    assert w.tell("q", n=1) == ["emit out_right", "emit out_left"]


def test_p1_every_state_has_its_own_number(define: Define) -> None:
    """P1: states are numbered in the order in which the page has them."""
    chart = Chart(plan(define(REGIONS)))
    states = chart._class.states_map
    assert [states[f"s{index}"].document_order for index in range(len(chart.plan.states))] == list(
        range(1, len(chart.plan.states) + 1)
    )


@pytest.mark.parametrize("route", ["yw", "wy", "x"])
def test_p2_the_route_does_not_matter(walk: Walk, route: str) -> None:
    """P2: whichever region moved first, the same configuration gives the same outcome."""
    w = walk(REGIONS)
    for event in route:
        w.tell(event)
    w.tell("z")
    assert (w.clauses[-1], w.machine.states) == ("A2", ("out",))


def test_p3_a_junction_is_not_asked_before_the_event(walk: Walk) -> None:
    """P3: guards without an event are asked in the step that enters them, and in no other."""
    w = walk(
        "variables: {n: {count: 0, max: 9}}\nhears: {go: {}, stay: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, to: j}, A2: {on: stay}}},\n"
        " j: {clauses: {J1: {when: n > 5, to: a}, J2: {to: a}}}}"
    )
    w.tell("stay")
    w.tell("go")
    asked = {event: [row for row in log if row[0] == "?"] for _, event, log, _ in w.machine.table.logs}
    assert asked == {"@start": [], "stay": [], "go": [("?", 0, False)]}


def test_p4_a_chart_lives_on_after_an_end(begin: Walk, define: Define) -> None:
    """P4: one connection's end does not stop the chart for the next connection of the page."""
    w = begin(
        define(
            "hears: {go: {}, other: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, to: z}, A2: {on: other}}}, z: {final: done}}"
        )
    )
    w.start()
    w.tell("go")
    assert w.machine.ended
    other = type(w)(type(w.machine)(w.machine.table))
    other.start()
    other.tell("other")
    assert (other.clauses, other.machine.states) == (["A2"], ("a",))


def test_p5_an_exit_that_nobody_takes_is_seen(walk: Walk) -> None:
    """P5: the library lets an unheard exit vanish; the path then shows no clause for it, and the state stays final."""
    w = walk(
        "hears: {go: {}}\nstates: {a: {states: {b: {rest: true, clauses: {A1: {on: go, to: c}}}, c: {final: gone}}}}"
    )
    w.tell("go")
    assert (w.clauses, w.machine.states) == (["A1"], ("a.c",))
    with pytest.raises(IllegalEvent):
        w.tell("go")


NAMES = [
    "model",
    "states",
    "name",
    "send",
    "history_values",
    "configuration",
    "raise_",
    "transition",
    "state",
    "event",
    "machine",
    "initial",
    "s0",
    "parallel",
]


@pytest.mark.parametrize("name", [each for each in NAMES if each != "event"])  # `event` is a word of expressions
def test_p6_states_may_have_any_name(walk: Walk, name: str) -> None:
    """P6: a state with a name of the library's own is a state like others, also inside one of that name."""
    w = walk(
        f"hears: {{go: {{}}}}\nstates: {{{name}: {{states: {{{name}: {{rest: true, clauses: {{A1: {{on: go, to: other}}}}}}}}}}, other: {{rest: true}}}}"
    )
    assert w.machine.states == (f"{name}.{name}",)
    w.tell("go")
    assert w.machine.states == ("other",)


@pytest.mark.parametrize("name", [*NAMES, "prepare_event", "error", "error.execution", "done_now", "init", "e", "e.go"])
def test_p6_p8_events_may_have_any_name(walk: Walk, name: str) -> None:
    """P6, P8: an event with a name of the library's own, or that begins like one, is an event like others."""
    w = walk(
        f"hears: {{{name}: {{}}}}\nstates: {{a: {{rest: true, clauses: {{A1: {{on: {name}, to: b}}}}}}, b: {{rest: true}}}}"
    )
    w.tell(name)
    assert w.machine.states == ("b",)


def test_p6_a_state_and_an_event_may_share_a_name(walk: Walk) -> None:
    """P6: an event that is called like a state does not disturb it."""
    w = walk(
        "hears: {closed: {}}\nstates: {open_now: {rest: true, clauses: {A1: {on: closed, to: closed}}}, closed: {rest: true}}"
    )
    w.tell("closed")
    assert w.machine.states == ("closed",)


def test_p7_an_effect_listed_twice_happens_twice(walk: Walk) -> None:
    """P7: the library runs an action that is listed twice only once; ours are told apart."""
    w = walk(
        "hears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, do: [{emit: {e: {}}}, {emit: {e: {}}}]}}}}"
    )
    assert w.tell("go") == ["emit e", "emit e"]


def test_p8_no_clause_takes_what_the_library_raises(walk: Walk) -> None:
    """P8: a final state raises nothing that a page's own event could be taken for."""
    w = walk(
        "hears: {go: {}, state: {}, done_state: {}}\nstates: {s: {clauses: {A9: {on: [state, done_state], to: ate}}, states: {i: {rest: true, clauses: {A1: {on: go, to: f}}}, f: {final: done}}}, ate: {}}"
    )
    w.tell("go")
    assert (w.clauses, w.machine.states) == (["A1"], ("s.f",))


def test_p8_a_done_is_heard_by_its_own_state_only(walk: Walk) -> None:
    """P8: `done` of an inner state is not that of the state around it, although the names begin alike."""
    w = walk(
        "hears: {go: {}}\nstates: {s: {clauses: {A1: {on: done, to: wrong}}, states: {t: {states: {i: {rest: true, clauses: {A2: {on: go, to: f}}},\n"
        " f: {final: done}}, clauses: {A3: {on: done, to: u}}}, u: {rest: true}}}, wrong: {rest: true}}"
    )
    w.tell("go")
    assert (w.clauses, w.machine.states) == (["A2", "A3"], ("s.u",))


def test_p8_two_clocks_that_are_spelt_alike_are_two(walk: Walk) -> None:
    """P8: clocks of one state whose lengths differ in a sign only are told apart."""
    w = walk(
        "parameters: {d: {duration: 5 s}}\nstates: {a: {clauses: {A1: {after: d + 1, to: b}, A2: {after: d - 1, to: c}}}, b: {rest: true}, c: {rest: true}}"
    )
    (_, second) = w.clocks.items()
    w.receive(Event(second[0], {}, "timer", second[1]))
    assert w.machine.states == ("c",)


ENDLESS = {
    "junctions": " j: {clauses: {J1: {to: k}}}, k: {clauses: {K1: {to: j}}}",
    "exits": " j: {states: {i: {clauses: {K1: {to: f}}}, f: {final: done}}, clauses: {J1: {on: done, to: j}}}",
}


@pytest.mark.parametrize("circle", ENDLESS)
def test_p9_a_step_that_does_not_end_is_refused(walk: Walk, slots: Callable[..., Any], circle: str) -> None:
    """P9: a circle of junctions or exits is an error that names the page, and changes nothing."""
    w = walk(
        f"hears: {{go: {{}}, fine: {{}}}}\nstates: {{a: {{rest: true, clauses: {{A1: {{on: go, to: j}}, A2: {{on: fine}}}}}},{ENDLESS[circle]}}}"
    )
    before = slots(w.machine)
    with pytest.raises(PageError, match="a step of `p` does more than 2000 things and would not end"):
        w.tell("go")
    assert slots(w.machine) == before
    w.tell("fine")
    assert w.clauses == ["A2"]


def test_p10_a_failure_in_the_second_half_undoes_the_first(walk: Walk, slots: Callable[..., Any]) -> None:
    """P10: the library keeps the half of a step that went well; the machine is as it was, and goes on."""
    w = walk(
        "variables: {n: {count: 0, max: 1}}\nhears: {go: {}, fine: {}}\nstates: {a: {states: {b: {rest: true, clauses: {A1: {on: go, to: c}, A3: {on: fine}}}, c: {final: gone}},\n"
        " clauses: {A2: {on: gone, do: {set: {n: =n + 7}}, to: d}}}, d: {rest: true}}"
    )
    before = slots(w.machine)
    with pytest.raises(IllegalEvent, match="`n` would be 7"):
        w.tell("go")
    assert slots(w.machine) == before
    w.tell("fine")
    assert (w.clauses, w.machine.states) == (["A3"], ("a.b",))


def test_p11_a_guard_has_one_answer(walk: Walk) -> None:
    """P11: the library asks the guard of what encloses two regions twice; a path holds one answer."""
    w = walk(REGIONS)
    w.tell("q", n=1)
    (log,) = [log for _, event, log, _ in w.machine.table.logs if event == "q"]
    assert [row for row in log if row[0] == "?"] == [("?", 0, True)]
    assert w.machine.states == ("out",)


@pytest.mark.parametrize(
    "name", ["state", "target", "source", "model", "machine", "transition", "event_data", "n", "self"]
)
def test_p12_fields_may_have_any_name(walk: Walk, name: str) -> None:
    """P12: the library replaces fields of some names by its own objects; guards and values see what the event brings."""
    w = walk(
        f"variables: {{k: {{kept: number}}}}\nhears: {{go: {{{name}: number}}}}\n"
        f"states: {{a: {{rest: true, clauses: {{A1: {{on: go, when: event.{name} == 5, do: {{set: {{k: =event.{name}}}}}, to: b}}}}}}, b: {{rest: true}}}}"
    )
    w.receive(Event("go", {name: 5}))
    assert (w.machine.states, w.machine.variables) == (("b",), (5,))


def test_p13_p14_a_chart_is_put_anywhere_the_table_was(begin: Walk, define: Define) -> None:
    """P13, P14: one instance serves two connections in turns, each put back exactly where it stands."""
    one = begin(define(REGIONS))
    two = type(one)(type(one.machine)(one.machine.table))
    one.start()
    two.start()
    one.tell("y")
    two.tell("w")
    assert (one.tell("w"), two.tell("y")) == (["emit in_right"], ["emit in_left"])
    assert one.machine.row is two.machine.row


def test_p15_the_page_order_decides(walk: Walk) -> None:
    """P15: the first clause that fits is taken, a family before one of its events too."""
    w = walk(
        "hears: {lost.network: {}}\nstates: {a: {rest: true, clauses: {A1: {on: lost, to: b}, A2: {on: lost.network, to: c}}}, b: {rest: true}, c: {rest: true}}"
    )
    w.tell("lost.network")
    assert w.clauses == ["A1"]


def test_p16_ignoring_in_one_region_shields_nothing(walk: Walk) -> None:
    """P16: `ignore` in one of two regions does not keep the event from what encloses both, as the language says."""
    w = walk(REGIONS)
    w.tell("ig")
    assert (w.clauses, w.machine.states) == (["P2"], ("out",))


def test_p16_what_is_ignored_is_allowed_and_does_nothing(walk: Walk) -> None:
    """P16: an ignored event is taken without a clause; nothing is left, entered or started anew."""
    w = walk("hears: {hm: {}}\nstates: {a: {ignore: [hm], clauses: {A1: {after: 1 s, to: a}}}}")
    assert (w.tell("hm"), w.clauses, w.machine.trace[-1].taken) == ([], [], True)
