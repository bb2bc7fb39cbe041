"""The state machine of a page finds what is wrong with it, and shows how in steps that can be read."""

import sys

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lifecycle import IllegalEvent, LawBroken, WrongParameters
from lifecycle.definition.read import bundled, read, read_text
from lifecycle.machine.machine import Machine
from lifecycle.testing import Puppet, state_machine, stateful
from lifecycle.testing.puppet import NotThere
from lifecycle.testing.stateful import Walk

QUICK = (Phase.generate, Phase.shrink)
FEW = settings(max_examples=12, stateful_step_count=40, derandomize=True, deadline=None, database=None, phases=QUICK)
MORE = settings(FEW, max_examples=60, stateful_step_count=20)

TestWebsocket = state_machine("websocket", max_attempts=1).TestCase
TestWebsocket.settings = FEW

HEAD = """
lifecycle: 1
page: broken
role: client
hears: {connect: {}, disconnect: {}}
causes: [{close: 1001, is: lost.away}, {otherwise: true, is: lost}]
dial: {url: ws://h/}
"""
GOOD = """
variables: {tries: {count: 0, max: 2}}
states:
  idle:
    status: idle
    needs: none
    rest: true
    ignore: [disconnect]
    clauses: {A1: {on: connect, to: dialing}}
  dialing:
    status: connecting
    enter: open
    ignore: [connect]
    clauses: {A2: {on: opened, to: up}, A3: {after: 5 s, to: ended}, A4: {on: [lost, disconnect], to: ended}}
  up:
    status: ready
    needs: open
    rest: true
    ignore: [connect]
    clauses: {A5: {on: [lost, disconnect], to: ended}}
  ended:
    status: closed
    enter: drop
    rest: true
    ignore: [disconnect]
    clauses: {A6: {on: connect, do: {set: {tries: '=tries * 0'}}, to: dialing}}
"""


def run(page, some=MORE, **parameters):
    """Run the state machine of a page; its class."""
    machine = state_machine(page, **parameters)
    run_state_machine_as_test(machine, settings=some)
    return machine


def found(text):
    """What is wrong with a page: the law, the sentence, and the printed steps."""
    with pytest.raises(LawBroken) as caught:
        run(read_text(HEAD + text))
    steps = [line.strip() for note in caught.value.__notes__ for line in note.splitlines() if ".step(" in line]
    return caught.value.law, caught.value.how, steps


@pytest.mark.parametrize("page", bundled())
def test_the_bundled_pages_hold(page):
    """Machine and model agree wherever some walks at random lead, and no law is broken."""
    machine = run(page, FEW)
    coverage = machine.coverage()
    assert coverage.runs > 10
    assert list(coverage.fired) + list(coverage.never) != []
    assert sorted([*coverage.fired, *coverage.never]) == sorted(read(page).clauses)


def test_coverage_names_what_never_fired():
    """In the order of the page, with the number of steps of each."""
    coverage = run(read_text(HEAD + GOOD)).coverage()
    assert (list(coverage.fired), coverage.never) == (["A1", "A2", "A3", "A4", "A5", "A6"], ())
    assert all(times > 0 for times in coverage.fired.values())
    assert state_machine("websocket").coverage().never == tuple(read("websocket").clauses)


def test_an_event_that_nobody_takes_is_found():
    """The shortest steps to it are printed, with where each leads; the last is refused."""
    law, how, steps = found(GOOD.replace("A4: {on: [lost, disconnect]", "A4: {on: [lost.away, disconnect]"))
    assert law == "handled"
    assert how == (
        "`lost` can happen in `dialing` (transport: dialing) and is neither taken nor ignored:"
        " add a clause for it, or list it in the state's `ignore`"
    )
    assert steps == [
        "state.step(then=the page begins -> idle)",
        "state.step(then=wish connect -> dialing)",
        "state.step(then=the transport ends with lost -> refused)",
    ]


def test_a_loss_that_the_page_has_no_name_for_is_found():
    """Without causes, every end is `lost`; a page that has never heard of it refuses it."""
    text = GOOD.replace("lost, ", "")
    with pytest.raises(LawBroken, match="`lost` can happen in `dialing`"):
        run(read_text(HEAD.replace("causes: [{close: 1001, is: lost.away}, {otherwise: true, is: lost}]\n", "") + text))


def test_a_variable_that_leaves_its_range_is_found():
    """A counter without an end, that the page forgot to guard."""
    law, how, steps = found(GOOD.replace("=tries * 0", "=tries + 1"))
    assert (law, how[:60]) == ("bounded", "at `connect`, `tries` would be 3, outside 0 to 2: guard the ")
    assert steps[-1] == "state.step(then=wish connect -> refused)"
    assert len(steps) == 8


def test_a_second_transport_is_found():
    """A page that dials again and did not hang up."""
    law, how, steps = found(
        GOOD.replace("    enter: drop\n    rest: true\n    ignore: [", "    rest: true\n    ignore: [lost, opened, ")
    )
    assert law == "one-transport"
    assert "dials while a transport is still there" in how
    assert steps[-1] == "state.step(then=wish connect -> dialing)"


def test_a_state_without_its_transport_is_found():
    """A state that says `needs`, and is entered before the transport is there."""
    law, how, steps = found(GOOD.replace("A3: {after: 5 s, to: ended}", "A3: {after: 5 s, to: up}"))
    assert (law, how[:58]) == ("transport-fits", "`up` needs an open transport, and the transport is dialing")
    assert steps[-1] == "state.step(then=dialing.5_s runs out -> up)"


@pytest.mark.parametrize(
    ("promise", "law"),
    [
        ("never: {in: ended, when: tries == 0}", "never ended, when tries == 0"),
        ("always: {in: up, when: tries > 0}", "always up, when tries > 0"),
    ],
)
def test_a_promise_of_the_page_is_judged(promise, law):
    """Its own `never` and `always`; one whose states are not met on a walk is not broken by that."""
    assert found(f"laws: [{{{promise}}}]\n{GOOD}")[0] == law
    run(
        read_text(f"{HEAD}laws: [{{never: {{in: up, when: not transport.open}}}}, {{sometimes: {{in: up}}}}]\n{GOOD}"),
        FEW,
    )


def test_a_silent_peer_is_a_step():
    """The peer's silence is drawn like anything else, and the machine does not know of it."""
    walk, said = _walk(read_text(HEAD + GOOD)), []
    for start in ("the page begins", "wish connect", "the transport opens", "the peer", "wish disc"):
        choice = _choice(walk, start)
        said.append(str(choice))
        walk.take(choice)
    assert said[3] == "the peer falls silent -> up"
    assert walk.node.phase == "none"


def test_values_are_shown():
    """Fields that tell events apart, values of flags and choices, and first values of a fragment's variables."""
    walk = _walk(read("reconnect"), max_attempts=1)
    starts = [str(choice) for choice in walk.choices()[0]]
    assert starts[0] == "the page begins -> backing_off"
    assert "the page begins (attempts = 1) -> spent" in starts
    assert "the page begins (told = 600.0) -> told_to_wait" in starts
    tried = stateful._settings(read("openhands-conversation-server"), {})
    assert list(map(repr, tried)) == ["replay = 'before'", "replay = 'after'"]
    walk = _walk(read("websocket"))
    for start in ("the page begins", "wish connect"):
        walk.take(_choice(walk, start))
    assert any("lost.busy (retry_after = " in str(choice) for group in walk.choices() for choice in group)


def test_a_page_that_cannot_begin_is_found():
    """A first value outside of its range, of a page with a role."""
    law, how, _ = found(GOOD.replace("    needs: none\n", "    needs: none\n    enter: {set: {tries: 3}}\n"))
    assert (law, how[:51]) == ("bounded", "at `@start`, `tries` would be 3, outside 0 to 2: gu")


def test_what_a_fragment_lets_pass_is_no_step():
    """Its user takes that."""
    text = (
        "lifecycle: 1\npage: part\nneeds: open\nleaves: [lost]\nhears: {gone: {}, lost.away: {}}\n"
        "states: {a: {rest: true, clauses: {A1: {on: gone, to: b}}}, b: {final: done}}"
    )
    assert run(read_text(text), FEW).coverage().never == ()


def test_a_fault_of_ours_is_told_as_one(monkeypatch):
    """Where model and machine part: in clocks, in what is refused, in what can happen, in lengths."""
    page = read_text(HEAD + GOOD)

    def walked():
        walk = _walk(page)
        walk.take(_choice(walk, "the page begins"))
        return walk

    with monkeypatch.context() as patch:
        patch.setattr(Machine, "_begin", lambda *_: None)
        with pytest.raises(
            AssertionError,
            match=r"after wish connect -> dialing, the clocks of the model are \{'timer.+'\}, of the machine set\(\)",
        ):
            walked().take(_choice(walked(), "wish connect"))

    def refuses(*_):
        raise IllegalEvent("broken", "connect", (), ())

    def cannot(*_):
        raise NotThere("it is not there")

    for step, sentence in [
        (refuses, "in the model wish connect -> dialing; the machine refuses it"),
        (cannot, "in the model wish connect -> dialing can happen, and to the machine it cannot: it is not there"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(Puppet, "step", step)
            with pytest.raises(AssertionError, match=sentence):
                walked().take(_choice(walked(), "wish connect"))
    with monkeypatch.context() as patch:
        patch.setattr(Puppet, "step", lambda *_: ())
        choice = stateful.Choice(_choice(walked(), "wish connect").move)
        with pytest.raises(
            AssertionError, match=r"in the model wish connect -> refused; the machine goes to \('idle',\)"
        ):
            walked().take(choice)
    monkeypatch.setattr(stateful, "_bounds", lambda _: (0.0, 99.0))
    with pytest.raises(AssertionError, match=r"timer.+ is Length\(.+\) in the model, and 0.0 to 99.0 s in the machine"):
        walked().take(_choice(walked(), "wish connect"))


def test_parameters_are_checked_at_once():
    """Before anything runs."""
    with pytest.raises(WrongParameters, match="there is no parameter `patience`"):
        state_machine("websocket", patience=3)


def test_without_hypothesis_it_says_what_to_install(monkeypatch):
    """The rest of the library does not need it."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match=r"needs Hypothesis: install `connection-lifecycle\[test\]`"):
        state_machine("websocket")


def _walk(page, **parameters):
    """A run that has not begun."""
    (setting,) = stateful._settings(page, parameters)
    return Walk(setting, stateful.Counter())


def _choice(walk, start):
    """The first thing that can happen and is said so."""
    return next(choice for group in walk.choices() for choice in group if str(choice).startswith(start))
