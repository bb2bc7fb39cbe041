"""A page watches a client that it does not drive: what is allowed and in time is followed, all else is told."""

import math
import random

import attrs
import pytest
from hypothesis import given, note
from hypothesis import settings as effort
from hypothesis import strategies as st

from lifecycle import IllegalEvent, WrongParameters
from lifecycle.definition.read import bundled, read, read_text
from lifecycle.machine import effects as out
from lifecycle.proof.happenings import happenings
from lifecycle.testing import Puppet
from lifecycle.testing.puppet import NotThere
from lifecycle.wire import monitor as module
from lifecycle.wire.monitor import monitor

UP = ("online.up.trust.unproven", "online.up.heartbeat.alive")
PROVEN = ("online.up.trust.proven", "online.up.heartbeat.alive")
WEBSOCKET = read("websocket")
SAID = {"message": "anything"}
AWAY = {"type": "user_state_changed", "old_state": "listening", "new_state": "away"}

CALLING = """
lifecycle: 1
page: calling
role: session
stop: leave
parameters: {patience: {duration: 10 s}}
variables: {level: {count: 0, max: 3}, token: {kept: secret}}
hears: {leave: {}, ask: {}, rise: {by: number}, logged: {token: secret}}
calls:
  work: {returns: {level: number}, timeout: patience}
  save: {timeout: 5 s, scope: connection}
states:
  idle:
    status: idle
    rest: true
    clauses:
      A1: {on: ask, to: working}
      A2: {on: leave, to: over}
      A3: {on: rise, do: {set: {level: =level + event.by}}}
      A4: {on: logged, do: {set: {token: =event.token}}}
  working:
    status: connecting
    call: work
    ignore: [ask, rise, logged]
    clauses:
      A5: {on: done, do: {set: {level: =event.level}}, to: pausing}
      A6: {on: failed, to: idle}
      A7: {on: leave, to: over}
  pausing:
    status: waiting
    call: save
    ignore: [ask, rise, logged]
    clauses:
      A8: {after: 4 s, when: level > 1, to: working}
      A9: {after: 4 s, to: idle}
      A10: {on: [done, failed, leave], to: idle}
  over: {status: closed, final: done}
"""
WAITING = """
lifecycle: 1
page: waiting
role: session
stop: leave
variables: {tries: {count: 0, max: 9}}
parameters: {pause: {backoff: {first: 1 s, factor: 2, max: 60 s, jitter: decorrelated, floor: 500 ms}}}
hears: {leave: {}, fail: {}}
states:
  idle: {status: idle, rest: true, clauses: {B1: {on: fail, do: {set: {tries: =tries + 1}}, to: pausing}, B2: {on: leave, to: over}}}
  pausing:
    status: waiting
    ignore: [fail]
    clauses: {B3: {after: pause, by: tries, to: idle}, B4: {on: leave, to: idle}}
  over: {status: closed, final: done}
"""


def tell(watch, *reports):
    """Report pairs of a time and a plain event, or what else can be reported; the kinds of what was found."""
    found = []
    for at, report in reports:
        found += watch.report({"event": report} if isinstance(report, str) else report, at=at)
    return [finding.kind for finding in found]


def connected(**parameters):
    """A watched websocket that is up since second 1."""
    watch = monitor("websocket", 0, **parameters)
    assert tell(watch, (0, "connect"), (1, "opened")) == []
    return watch


# -- what is allowed


def test_a_clients_life_without_a_mistake():
    """Plain events, ends by their codes, and clocks by their clauses are followed; nothing is found, nothing is done."""
    watch = connected(max_attempts=2)
    assert (watch.states, watch.status, watch.ended) == (UP, "ready", False)
    assert tell(watch, (2, SAID), (6, {"clause": "WS1"}), (7, {"end": {"close": 1012, "reason": "restart"}})) == []
    assert (watch.states, watch.status) == (("waiting.backing_off",), "waiting")
    assert watch.waits == ("timer.waiting.backing_off.redial",)
    assert tell(watch, (7.5, "timer.waiting.backing_off.redial"), (8, {"end": {"error": "refused"}})) == []
    assert (
        tell(watch, (9, {"clause": "waiting/R4"}), (9.1, {"end": {"http": 503, "headers": {"Retry-After": "7"}}})) == []
    )
    assert watch.states == ("failed",)
    assert tell(watch, (20, "reconnect"), (20.5, "opened"), (21, "disconnect"), (21.1, "closed")) == []
    assert (watch.states, watch.status, watch.ended, watch.waits) == (("closed",), "closed", True, ())
    assert (watch.findings, watch.reports, watch.steps) == ((), 13, 12)


def test_nothing_happens_before_the_first_report():
    """The first time that is told is the beginning, whatever it is: no clock ran before."""
    watch = monitor("session-lease", 0)
    assert (watch.now, watch.states, watch.findings) == (None, ("absent",), ())
    assert watch.passed(at=1_795_283_638.5) == ()
    assert tell(watch, (1_795_283_640.5, "start")) == []
    assert (watch.now, watch.states) == (1_795_283_640.5, ("reserving",))


def test_a_pause_that_the_peer_asked_for_is_held():
    """The header of an HTTP answer sets the clock, as it does for our own client."""
    watch = monitor("websocket", 0)
    tell(watch, (0, "connect"), (1, {"end": {"http": 429, "headers": {"retry-after": "7"}}}))
    assert watch.states == ("waiting.told_to_wait",)
    assert tell(watch, (7, {"clause": "waiting/R5"})) == ["early"]
    assert "has ended after 6 s, and takes 7 s" in watch.findings[0].words


def test_a_message_is_a_sign_of_life():
    """The page hears bytes with every message, although only the message was reported; and `heard` is no mistake elsewhere."""
    watch = connected()
    assert tell(watch, (6, {"clause": "WS1"}), (21, {"clause": "heartbeat/HB1"})) == []
    assert watch.states[1] == "online.up.heartbeat.asking"
    assert tell(watch, (22, SAID)) == []
    assert watch.states == PROVEN
    steps = watch.steps
    assert tell(watch, (23, "heard")) == []
    assert watch.steps == steps


# -- what is found


def test_what_is_not_allowed_is_told_and_not_followed():
    """A finding says when, where, what, and what would have been allowed; the page stays, and goes on from there."""
    watch = monitor("livekit-agent-session")
    tell(watch, (0, "started"), (0.5, "agent.listens"), (1, "aclose"))
    (finding,) = watch.report({"event": "torndown"}, at=2)
    state = "running.life.closing + running.agent.listening.waiting + running.user.listening + running.tool.quiet + running.participant.present + running.told"
    assert {"torn_down", "close_told", "agent.thinks", "timer.running.life.closing.closing_timeout"} < {
        *finding.allowed
    }
    assert attrs.asdict(attrs.evolve(finding, allowed=()), recurse=False) == {
        "kind": "illegal", "time": 2, "state": state, "event": "torndown", "allowed": (), "clause": "", "line": 4,
        "words": f"`torndown` is not allowed in {state}: nobody can tell it: did you mean `torn_down`?",
    }  # fmt: skip
    assert watch.findings == (finding,)
    assert tell(watch, (2.5, "torn_down")) == []
    assert watch.states == ("closed",)


def test_a_finding_in_a_line():
    """Time, kind, what, where, and what was allowed."""
    watch = monitor("session-lease")
    (finding,) = watch.report({"event": "failed.reserving"}, at=3, line=17)
    assert (finding.line, finding.event) == (17, "failed.reserving")
    assert str(finding) == (
        "at 3 s, illegal: `failed.reserving` is not allowed in absent: its call does not run there"
        " (allowed: start, touch, report, leave, upstream_lost, replaced)"
    )


def test_one_mistake_is_one_finding():
    """A wish in the wrong state changes nothing, and what comes after is judged as if it had not been."""
    watch = monitor(read_text(CALLING, "calling.yaml"), 0)
    assert tell(watch, (0, "ask"), (1, {"clause": "A9"}), (2, {"event": "done.working", "fields": {"level": 1}})) == [
        "illegal"
    ]
    assert watch.states == ("pausing",)


def test_what_comes_too_early_is_told_and_followed():
    """The client has gone on, so the page goes with it."""
    watch = connected()
    (finding,) = watch.report({"clause": "WS1"}, at=3)
    assert (finding.kind, finding.state, finding.clause) == ("early", UP[0], "WS1")
    assert finding.event == "timer.online.up.trust.unproven.proven_after"
    assert finding.words == "`after proven_after` (WS1) has ended after 2 s, and takes 5 s"
    assert watch.states == PROVEN


def test_what_is_overdue_is_told_once():
    """A state may last as long as its clock; then it is stuck, until something is reported, however late."""
    watch = monitor("websocket", 0)
    tell(watch, (0, "connect"))
    assert watch.passed(at=10) == ()
    (finding,) = watch.passed(at=10.001)
    assert (finding.kind, finding.state, finding.clause, finding.line) == ("overdue", "online.dialing", "online/C2", 1)
    assert finding.words == (
        "online.dialing has lasted for 10.001 s: `after connect_timeout` (online/C2) takes 10 s, and its end was not reported"
    )
    assert "timer.online.dialing.connect_timeout" in finding.allowed
    assert watch.passed(at=50) == ()
    assert tell(watch, (60, {"clause": "online/C2"})) == []
    assert watch.states == ("waiting.backing_off",)


def test_what_is_overdue_is_found_with_the_next_report():
    """The latest that was missed stands before what is wrong with the report itself."""
    watch = monitor("websocket", 0)
    tell(watch, (0, "connect"))
    assert tell(watch, (11, "closed")) == ["overdue", "illegal"]
    assert [finding.line for finding in watch.findings] == [2, 2]
    assert tell(connected(), (40, {"end": {"close": 1001}})) == ["overdue", "overdue"]


def test_slack_is_for_times_that_are_not_exact():
    """So much may a clock be early or late; without it, nothing."""
    for slack, kinds in ((0.1, []), (0.0, ["early", "overdue"])):
        watch = monitor("websocket", slack)
        tell(watch, (0, "connect"), (1, "opened"))
        assert tell(watch, (5.95, {"clause": "WS1"}), (21.05, {"clause": "heartbeat/HB1"})) == kinds


def test_silence_is_counted_from_the_last_bytes():
    """Whatever says that bytes came postpones a silent clock; what the user wishes does not."""
    watch = connected()
    tell(watch, (6, {"clause": "WS1"}))
    assert tell(watch, (15, SAID), (20, "connect"), (30, "heard"), (49, {"message": {"event": "tick"}})) == []
    assert tell(watch, (60, {"clause": "heartbeat/HB1"})) == ["early"]
    watch = connected()
    tell(watch, (6, {"clause": "WS1"}), (10, "connect"))
    (finding,) = watch.passed(at=22)
    assert finding.words.startswith(
        "online.up.heartbeat.alive has heard nothing for 21 s: `silent heartbeat_after` (heartbeat/HB1)"
    )
    assert tell(watch, (23, SAID), (43, "connect")) == []
    assert [one.kind for one in watch.passed(at=43.5)] == ["overdue"]


# -- clocks


@pytest.mark.parametrize(("at", "kinds"), [(1.24, ["early"]), (1.25, []), (2, []), (2.01, ["overdue"])])
def test_a_backoff_ends_within_its_jitter(at, kinds):
    """Full jitter with a floor: the first wait takes 250 ms to 1 s."""
    watch = monitor("websocket", 0)
    tell(watch, (0, "connect"), (1, {"end": {"error": "reset"}}))
    assert tell(watch, (at, {"clause": "waiting/R4"})) == kinds
    assert watch.states == ("online.dialing",)
    assert all("takes 250 ms to 1 s" in finding.words for finding in watch.findings)


def test_a_later_wait_of_a_backoff_may_be_longer():
    """The count of the page says which wait it is; parameters say how long it is."""
    watch = monitor("openclaw-gateway", 0, redial={"first": 4.0, "factor": 2, "max": 60.0, "jitter": (0.5, 1.5)})
    tell(watch, (0, "connect"), (1, {"end": {"error": "reset"}}), (5, {"clause": "waiting/R4"}))
    tell(watch, (6, {"end": {"error": "reset"}}))
    assert tell(watch, (9.9, {"clause": "waiting/R4"})) == ["early"]
    assert "takes 4 s to 12 s" in watch.findings[0].words


def test_a_decorrelated_wait_depends_on_the_one_before():
    """Up to three times the last; one that was cut short may have been meant to be as long as any."""
    page = read_text(WAITING, "waiting.yaml")
    watch = monitor(page, 0)
    assert tell(watch, (0, "fail"), (2, {"clause": "B3"}), (2, "fail")) == []
    assert watch.passed(at=8) == ()
    (finding,) = watch.passed(at=8.1)
    assert "takes 1 s to 6 s" in finding.words
    watch = monitor(page, 0)
    tell(watch, (0, "fail"), (0.1, "leave"), (1, "fail"))
    assert watch.passed(at=61) == ()
    (finding,) = watch.passed(at=62)
    assert "takes 1 s to 1 min" in finding.words


def test_a_clock_that_has_no_length_never_ends():
    """A parameter of none is no clock: its end is illegal, and never overdue."""
    watch = monitor("livekit-agent-session", away_timeout=None)
    tell(watch, (0, "started"), (1, "agent.listens"))
    assert watch.passed(at=1e6) == ()
    (finding,) = watch.report(AWAY, at=1e6)
    assert "`LU4` is not allowed in" in finding.words
    assert finding.words.endswith("its clock does not run there")


def test_a_clock_ends_by_the_clause_that_the_page_takes():
    """Two clauses of one clock: the one whose condition holds, and no other."""
    page = read_text(CALLING, "calling.yaml")
    watch = monitor(page, 0)
    tell(watch, (0, "ask"), (1, {"event": "done.working", "fields": {"level": 2}}))
    (finding,) = watch.report({"clause": "A9"}, at=5)
    assert (finding.kind, finding.clause) == ("illegal", "A9")
    assert finding.words == "`A9` is not allowed in pausing: its clock ends by `A8` there"
    assert watch.states == ("pausing",)
    assert tell(watch, (5, {"clause": "A8"})) == []
    assert watch.states == ("working",)


def test_a_clocks_end_whose_step_does_not_fit_is_told():
    """A variable cannot take what its clause sets, so the page cannot go on."""
    page = read_text(
        CALLING.replace("A9: {after: 4 s,", "A9: {after: 4 s, do: {set: {level: =level + 3}},"), "calling.yaml"
    )
    watch = monitor(page, 0)
    tell(watch, (0, "ask"), (1, {"event": "done.working", "fields": {"level": 1}}))
    (finding,) = watch.report({"clause": "A9"}, at=5)
    assert finding.words == "`A9` is not allowed in pausing: `level` would be 4, outside 0 to 3"


# -- regions, sessions and routes


def listening(slack=0.0):
    """A LiveKit session whose agent listens since second 1."""
    watch = monitor("livekit-agent-session", slack)
    tell(watch, (0, "started"), (1, agent("initializing", "listening")))
    return watch


def agent(old, new):
    """The agent is no longer as it was."""
    return {"type": "agent_state_changed", "old_state": old, "new_state": new}


def test_a_route_may_report_a_clock():
    """The user is away when the clock of LU4 has run out, and neither earlier nor later."""
    watch = listening()
    assert watch.states[1:3] == ("running.agent.listening.waiting", "running.user.listening")
    assert tell(watch, (16, AWAY)) == []
    assert watch.states[2] == "running.user.away"
    assert tell(listening(), (15.9, AWAY)) == ["early"]
    assert tell(listening(), (16.1, AWAY)) == ["overdue"]


def test_a_clock_runs_only_while_its_other_regions_allow_it():
    """While the agent speaks the user is not away; the clock starts in full when he listens again."""
    watch = listening()
    tell(watch, (5, agent("listening", "speaking")))
    (finding,) = watch.report(AWAY, at=16)
    assert (finding.kind, finding.clause) == ("illegal", "LU4")
    assert watch.passed(at=100) == ()
    assert tell(watch, (101, agent("speaking", "listening")), (116, AWAY)) == []


def test_a_clock_starts_anew_where_the_page_says_so():
    """A transcript that is final is a sign of life; one that is not is none."""
    watch = listening()
    said = {"type": "user_input_transcribed", "transcript": "hello"}
    assert tell(watch, (10, {**said, "is_final": True}), (12, {**said, "is_final": False}), (25, AWAY)) == []


def test_messages_that_are_no_events():
    """What is delivered or discarded moves nothing, and what no route takes is counted."""
    watch = listening()
    steps = watch.steps
    assert tell(watch, (2, {"type": "metrics_collected"}), (3, {"message": "text"}), (3, None), (3, 5)) == []
    assert (watch.steps, watch.unrouted) == (steps, 0)
    watch = monitor("openclaw-gateway")
    tell(watch, (0, "connect"), (1, "opened"))
    assert (
        tell(
            watch, (2, {"type": "nonsense"}), (2, {"event": 5}), (2, {"end": {"close": "1000"}}), (2, {"clause": None})
        )
        == []
    )
    assert watch.unrouted == 4


def test_what_a_route_keeps_counts():
    """The gateway's tick interval is the length of a clock; the route that raises the event takes it from the message."""
    watch = monitor("openclaw-gateway", 0, heartbeat_after="10 min")
    challenge = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "x"}}
    hello = {"type": "res", "id": "connect", "ok": True, "payload": {"policy": {"tickIntervalMs": 2000}}}
    tell(watch, (0, "connect"), (1, "opened"), (1, challenge))
    (call,) = (name.removeprefix("failed.") for name in watch.waits if name.startswith("failed."))
    assert tell(watch, (1, {"event": f"done.{call}", "fields": {"frame": {}}}), (2, hello)) == []
    assert watch.status == "ready"
    assert tell(watch, (7.9, {"type": "event", "event": "tick"})) == ["overdue"]  # OC2, which nobody reported
    assert watch.findings[0].clause == "OC2"
    assert watch.passed(at=13.9) == ()
    assert [finding.clause for finding in watch.passed(at=14)] == ["OC5"]


def test_a_refusal_and_the_close_behind_it_are_one_end():
    """The page has given the transport up when its close is reported; a second close is a mistake."""
    watch = monitor("openclaw-gateway", 0)
    refusal = {"type": "res", "id": "connect", "ok": False, "error": {"code": "UNAVAILABLE", "retryAfterMs": 2000}}
    assert tell(watch, (0, "connect"), (1, "opened"), (2, refusal)) == []
    assert watch.states == ("waiting.told_to_wait",)
    assert tell(watch, (2.1, {"type": "event", "event": "tick"}), (2.2, {"end": {"close": 1013}})) == []
    assert watch.stale == 2
    (finding,) = watch.report({"end": {"close": 1013}}, at=2.3)
    assert finding.words == "`lost.restarting` is not allowed in waiting.told_to_wait: there is no transport"
    assert "lost" not in finding.allowed


# -- the transport


@pytest.mark.parametrize(
    ("report", "where", "reason"),
    [
        ("opened", "idle", "there is no transport"),
        (SAID, "idle", "there is no transport"),
        ("heard", "online.dialing", "the transport is dialing"),
        ("closed", " + ".join(UP), "the transport is open"),
        ("opened", " + ".join(UP), "the transport is open"),
        ("closed", "online.dialing", "the transport is dialing"),
    ],
)
def test_a_transport_tells_what_it_can(report, where, reason):
    """Nothing before it was dialled, `opened` once, and `closed` after a goodbye only."""
    watch = monitor("websocket")
    tell(watch, *[(0, "connect"), (1, "opened")][: ("idle", "online.dialing", " + ".join(UP)).index(where)])
    (finding,) = watch.report({"event": report} if report != SAID else report, at=2)
    name = f"`{report}`" if report != SAID else "a message"
    assert finding.words == f"{name} is not allowed in {where}: {reason}"


def test_after_a_goodbye_every_end_is_its_end():
    """The peer's close, an end of file or a reset: the client has said goodbye, and it is over; until then it is deaf."""
    for how in ({"close": 1000}, {"close": 1006}, {"error": "eof"}, {"error": "reset"}):
        watch = connected()
        assert tell(watch, (2, "disconnect"), (2.1, SAID), (2.1, "heard"), (2.2, {"end": how})) == []
        assert (watch.states, watch.ended) == (("closed",), True)
    assert [finding.words for finding in watch.report({"event": "connect"}, at=3)] == [
        "`connect` is not allowed in closed"
    ]
    assert watch.findings[0].allowed == ()


def test_an_end_that_comes_late_is_none():
    """Who gives a goodbye up after its time may still be told of the end, once."""
    watch = connected()
    assert tell(watch, (2, "disconnect"), (7, {"clause": "online/C6"}), (8, {"end": {"error": "reset"}})) == []
    assert (watch.states, watch.stale) == (("closed",), 1)
    assert tell(watch, (9, {"end": {"error": "reset"}})) == ["illegal"]


def test_a_servers_page_watches_a_server():
    """Its transport is there from the beginning."""
    watch = monitor("websocket-server", 0)
    assert tell(watch, (0, SAID), (20, {"clause": "up/HB1"}), (21, SAID), (41, {"clause": "up/HB1"})) == []
    watch = monitor("websocket-server", 0)
    assert tell(watch, (0, SAID), (5, "drained"), (6, "closed")) == []
    assert watch.ended


def test_a_fragment_is_watched_in_the_middle():
    """The page that would use it has dialled before."""
    watch = monitor("heartbeat", 0)
    assert tell(watch, (0, "heard"), (20, {"clause": "HB1"}), (21, "heard")) == []
    assert watch.states == ("alive",)


# -- calls


def test_calls_end_as_they_are_reported():
    """Done or failed, with what they bring, while their state lasts; their deadline is part of the page."""
    page = read_text(CALLING, "calling.yaml")
    watch = monitor(page, 0)
    assert tell(watch, (0, "ask"), (9, {"event": "failed.working", "fields": {"code": "timeout"}})) == []
    assert watch.states == ("idle",)
    assert tell(watch, (10, "ask"), (21, {"event": "done.working", "fields": {"level": 0}})) == ["overdue"]
    (finding,) = watch.findings
    assert (
        finding.words == "working has lasted for 11 s: the call `work` takes 0 s to 10 s, and its end was not reported"
    )
    assert (finding.event, finding.clause) == ("failed.working", "")
    assert {"done.working", "failed.working"} <= set(finding.allowed)
    assert watch.states == ("pausing",)


def test_a_call_that_outlives_its_state_is_not_heard():
    """It may end when it wants to; one that is cancelled with its state may not."""
    watch = monitor(read_text(CALLING, "calling.yaml"), 0)
    tell(watch, (0, "ask"), (1, {"event": "done.working", "fields": {"level": 0}}), (2, "leave"))
    assert tell(watch, (3, "done.pausing")) == []
    assert watch.stale == 1
    assert tell(watch, (4, "done.working")) == ["illegal"]


# -- what is no event, and what is no value


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("conect", "nobody can tell it: did you mean `connect`?"),
        ("done.online", "nobody can tell it: there is closed"),
        ("exhausted", "nobody can tell it: there is closed"),
        ({"clause": "WS11"}, "it is no clause of a clock: did you mean `WS1`?"),
        ({"clause": "WS8"}, "it is no clause of a clock: did you mean `WS1`?"),
    ],
)
def test_what_nobody_can_tell(report, words):
    """A name that the page does not know, an exit of its own, the call of a state that has none, a clause without a clock."""
    watch = monitor("websocket")
    (finding,) = watch.report({"event": report} if isinstance(report, str) else report, at=0)
    assert words in finding.words
    assert (finding.kind, watch.states) == ("illegal", ("idle",))


def test_a_value_that_does_not_fit_is_told():
    """The step did not happen; the sentence names the variable."""
    watch = monitor(read_text(CALLING, "calling.yaml"), 0)
    assert tell(watch, (0, {"event": "rise", "fields": {"by": 2}})) == []
    (finding,) = watch.report({"event": "rise", "fields": {"by": 2}}, at=1)
    assert finding.words == "`rise` is not allowed in idle: `level` would be 4, outside 0 to 3"
    assert tell(watch, (2, {"event": "rise", "fields": {"by": 1}})) == []


def test_a_message_whose_value_cannot_be_kept_is_told():
    """Nothing of it is kept, also not what stands before."""
    routes = "messages: {routes: [{match: {a: 1}, keep: {pause: b, level: c}, discard: true}]}"
    text = CALLING.replace(
        "level: {count: 0, max: 3}", "pause: {duration: 1 s}, level: {duration: 0 s, max: 9 s}"
    ).replace("after: 4 s", "after: pause")
    watch = monitor(read_text(text.replace("calls:", f"{routes}\ncalls:"), "calling.yaml"), 0)
    (finding,) = watch.report({"a": 1, "b": 100, "c": "long"}, at=0)
    assert finding.words == "a message is not allowed in idle: `level` is a duration and cannot be 'long'"
    tell(watch, (0, "ask"), (0, {"event": "done.working", "fields": {"level": 0}}))
    assert tell(watch, (1, {"clause": "A9"})) == []


def test_no_secret_is_told():
    """What a report brings is not in a finding, a monitor, or what either shows."""
    page = read_text(CALLING, "calling.yaml")
    watch = monitor(page, 0)
    tell(watch, (0, {"event": "logged", "fields": {"token": "hidden"}}), (1, "ask"))
    tell(
        watch,
        (2, {"event": "logging", "fields": {"token": "hidden"}}),
        (2, {"event": "done.idle", "fields": {"token": "hidden"}}),
    )
    assert len(watch.findings) == 2
    assert "hidden" not in f"{watch!r} {watch.findings!r} {[str(one) for one in watch.findings]}"


# -- time, place, bounds


@pytest.mark.parametrize("at", [-1.0, 4.9, float("nan"), float("inf")])
def test_time_does_not_go_backwards(at):
    """It is refused, and nothing has happened."""
    watch = monitor("websocket")
    tell(watch, (5, "connect"))
    with pytest.raises(ValueError, match="is no time at 5 or later: reports are told in the order of their times"):
        watch.report({"event": "opened"}, at=at)
    with pytest.raises(ValueError, match="is no time at 5"):
        watch.passed(at=at)
    assert (watch.now, watch.states, watch.reports) == (5, ("online.dialing",), 1)


def test_a_time_that_is_none_is_refused_at_the_beginning():
    """There is no time before, so none is named."""
    with pytest.raises(ValueError, match=r"^nan is no time: reports"):
        monitor("websocket").passed(at=float("nan"))


def test_wrong_parameters_are_refused():
    """As everywhere; a url is made up."""
    with pytest.raises(WrongParameters, match="there is no parameter `max_attempt`"):
        monitor("websocket", max_attempt=1)


def test_a_client_is_placed_where_it_is():
    """Clocks begin there and then, the transport is what the state needs, variables stay."""
    watch = monitor("websocket", 0)
    assert watch.place("online.up.trust.proven", at=100) == ()
    assert (watch.states, watch.status) == (PROVEN, "ready")
    assert watch.waits == ("timer.online.up.heartbeat.alive.silent_heartbeat_after",)
    assert tell(watch, (110, SAID), (120, {"end": {"close": 1012}})) == []
    assert watch.place("online.dialing", at=120.1) == ()
    assert tell(watch, (120.2, "opened")) == []
    assert watch.place("waiting.backing_off", at=121) == ()
    assert (watch.waits, watch.states) == (("timer.waiting.backing_off.redial",), ("waiting.backing_off",))
    assert watch.place("online.closing", at=122) == ()
    assert tell(watch, (123, "closed")) == []
    assert watch.ended


def test_variables_stay_as_they_are_when_a_client_is_placed():
    """Also one whose first value lies outside its range: no pause was asked for, so none is waited for."""
    watch = monitor("websocket", 0)
    watch.place("waiting.told_to_wait", at=0)
    assert tell(watch, (0, {"clause": "waiting/R5"})) == []
    tell(watch, (1, {"end": {"http": 503, "headers": {"retry-after": "9"}}}))
    watch.place("waiting.told_to_wait", at=2)
    assert tell(watch, (11, {"clause": "waiting/R5"})) == []


def test_who_places_a_client_is_told_what_was_overdue():
    """The time until then has passed as any other; after it, the state is new."""
    watch = monitor("websocket", 0)
    tell(watch, (0, "connect"))
    (finding,) = watch.place("waiting.backing_off", at=11, line=3)
    assert (finding.kind, finding.line, watch.findings) == ("overdue", 3, (finding,))
    assert tell(watch, (11.25, {"clause": "waiting/R4"}), (20, "opened")) == []


def test_a_placed_client_has_its_calls():
    """And one at the end has nothing."""
    watch = monitor(read_text(CALLING, "calling.yaml"), 0)
    watch.place("working", at=0)
    assert watch.waits == ("failed.working",)
    assert tell(watch, (1, {"event": "done.working", "fields": {"level": 1}})) == []
    watch.place("over", at=2)
    assert (watch.ended, watch.waits) == (True, ())
    watch = monitor("livekit-agent-session", 0, away_timeout=None)
    watch.place("running.agent.speaking", "running.tool.busy", at=0)
    assert watch.states[1:4] == ("running.agent.speaking", "running.user.listening", "running.tool.busy")
    watch.place("running.agent.listening", at=0)
    assert watch.waits == ()


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["online.ip"], "there is no state `online.ip`: did you mean `online.up`?"),
        (["idle", "online.up"], "is not active together with the others"),
        (["waiting"], "nothing rests in `waiting.counting`: say which state it is in then"),
        (["online.over"], "nothing rests in `online.over`"),
    ],
)
def test_a_place_that_there_is_not(states, words):
    """It is refused, and nothing has changed."""
    watch = monitor("websocket")
    tell(watch, (0, "connect"))
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        watch.place(*states, at=1)
    assert (watch.states, watch.now) == (("online.dialing",), 0)


def test_what_is_remembered_is_bounded(monkeypatch):
    """Of a client that is wrong for ever the first findings stay; each is returned."""
    monkeypatch.setattr(module, "MOST", 3)
    watch = monitor("websocket")
    assert tell(watch, *[(at, "opened") for at in range(10)]) == ["illegal"] * 10
    assert [finding.time for finding in watch.findings] == [0, 1, 2]


@given(
    st.recursive(
        st.none() | st.integers() | st.sampled_from(["event", "connect", "WS1"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["event", "fields", "clause", "end", "message", "close", "http", "error", "headers"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=5,
    )
)
def test_no_report_makes_it_raise(report):
    """Whatever is reported, it is judged."""
    watch = monitor(WEBSOCKET)
    watch.report({"event": "connect"}, at=0)
    watch.report(report, at=1)


# -- whatever a client does


@attrs.define(eq=False)
class Client:
    """A client that does what its page says: a puppet, dice, and a clock that it moves itself.

    It keeps its own books of clocks and calls, so that it can also say of any report whether it is right.
    """

    puppet: Puppet
    now: float = 0.0
    waits: dict[str, tuple[float, float, float]] = attrs.field(factory=dict)  # since, and both ends of the length
    lasted: dict[str, float] = attrs.field(factory=dict)
    owed: bool = False

    @classmethod
    def of(cls, page, **parameters):
        """A client at the beginning of its page."""
        client = cls(Puppet(page, **parameters))
        client.heed(client.puppet.start(), "start", client.puppet.phase)
        return client

    def heed(self, made, cause, phase):
        """Note what runs after a step, and what transport was given up in it."""
        names = {clock.name: clock for clock in self.puppet.definition.clocks}
        running = {*self.puppet.armed, *(f"failed.{state}" for state in self.puppet.calls)}
        for name in self.waits.keys() - running:
            del self.waits[name]
            self.lasted.pop(name, None)
        for effect in made:
            if isinstance(effect, out.StartClock):
                name, low, high = effect.clock.name, effect.seconds, effect.seconds
                if effect.backoff is not None:
                    before = self.lasted.get(name, effect.backoff.max) if effect.attempt > 1 else None
                    low, high = effect.backoff.bounds(effect.attempt, before)
                self.waits[name] = (self.now, low, high)
            elif isinstance(effect, out.StartCall):
                timeout = self.puppet.definition.calls[effect.name].timeout
                self.waits[f"failed.{effect.state}"] = (self.now, 0.0, self.puppet.machine.value(timeout))
        assert self.waits.keys() == running & {*names, *self.waits}
        if self.puppet.phase != "none":
            self.owed = False
        elif phase != "none":
            self.owed = cause not in ("end", "closed") or any(
                row.refusal for row in self.puppet.definition.messages.routes
            )

    def heard(self):
        """Bytes came."""
        silent = {clock.name for clock in self.puppet.definition.clocks if clock.kind == "silent"}
        self.waits |= {name: (self.now, low, high) for name, (_, low, high) in self.waits.items() if name in silent}

    def take(self, cause, event, fields=None):
        """Let something happen now; raises if it cannot."""
        phase, began = self.puppet.phase, self.waits.get(event, (self.now,))[0]
        if cause in ("heard", "message", "opened"):
            self.heard()
        if cause != "heard" or self.puppet.machine.row.hears:
            self.puppet.step(cause, event, fields or {})
            if cause == "timer":
                self.lasted[event] = self.now - began
                del self.waits[event]
            self.heed(self.puppet.effects, cause, phase)
        if cause in ("message", "opened") and self.puppet.phase == "open" and self.puppet.machine.row.hears:
            self.take("heard", "heard")

    def due(self):
        """When the next wait must have ended."""
        return min((since + high for since, _, high in self.waits.values()), default=math.inf)

    def is_right(self, at, cause, event, fields):
        """Whether a report is: in time, and possible. If so, it has happened."""
        if at > self.due():
            return False
        self.now = at
        phase, state = self.puppet.phase, event.partition(".")[2]
        if cause in PHASES and phase == "none" and self.owed:
            self.owed = cause not in ("end", "closed")
            return True
        if cause == "end" and phase == "closing":
            cause, event = "closed", "closed"
        if cause in ("opened", "heard", "message") and phase == "closing":
            self.heard()
            return True
        if cause in PHASES and phase not in PHASES[cause]:
            return False
        if cause == "timer" and (event not in self.waits or at < sum(self.waits[event][:2])):
            return False
        if cause == "call" and state not in self.puppet.calls:
            return False
        try:
            self.take(cause, event, fields)
        except (NotThere, IllegalEvent):
            return False
        return True


EXAMPLES = effort().max_examples // 10  # of each page
PHASES = {
    "opened": ["dialing"],
    "heard": ["open"],
    "message": ["open"],
    "end": ["dialing", "open"],
    "closed": ["closing"],
}
VALUES = [None, 0, 1, 2.5, "", "text", True, {"a": 1}]
PAGES = {name: read(name) for name in bundled()} | {
    page.name: page for page in (read_text(CALLING, "calling.yaml"), read_text(WAITING, "waiting.yaml"))
}


def causes(page):
    """Each event of a page that only one tells, with who tells it."""
    told = {}
    for one in happenings(page):
        told.setdefault(one.event, []).append(one)
    return {event: ones[0] for event, ones in told.items() if len({one.cause for one in ones}) == 1}


def live(page, dice, steps=40):
    """What a client reports of some part of its life: time, cause, event and fields; and the client."""
    client, told, reports = Client.of(page), list(causes(page).values()), []
    for _ in range(4 * steps):
        if len(reports) == steps or client.puppet.ended:
            break
        able = [one for one in told if client.puppet.phase in PHASES.get(one.cause, [client.puppet.phase])]
        # a page with twenty ways to end is not to end in each second step
        kinds = sorted({one.cause for one in able}) + ["wait"] * 3 * bool(client.waits)
        match dice.choice(kinds or ["nothing"]):
            case "nothing":
                break
            case "wait":
                row = run_out(client, dice)
            case kind:
                one = dice.choice([one for one in able if one.cause == kind])
                if one.event == page.stop and dice.random() < 0.8:
                    continue
                client.now = min(client.due(), client.now + dice.choice([0.0, 0.01, 1.0, 10.0, 100.0]))
                row = (one.cause, one.event, {name: dice.choice(VALUES) for name in one.fields})
        try:
            client.take(*row)
        except IllegalEvent:  # a client that does what its page says does not do that
            continue
        reports.append((client.now, *row))
    return reports, client


def run_out(client, dice):
    """The next wait ends, at some time at which it may."""
    name = min(client.waits, key=lambda name: sum(client.waits[name][::2]))
    since, low, high = client.waits[name]
    client.now = max(client.now, since + dice.choice([low, dice.uniform(low, high), high]))
    if name.startswith("timer."):
        return "timer", name, {}
    return "call", name.replace("failed", dice.choice(["done", "done", "failed"]), 1), fields(dice)


def fields(dice):
    """What a call may bring, whatever it is."""
    return {
        name: dice.choice(VALUES) for name in ("level", "generation", "token", "lifetime", "frame", "code", "message")
    }


def said(page, cause, event, brings):
    """A report as a client would write it."""
    if cause == "timer" and len(ids := [c.id for c in page.clauses.values() if c.clock and c.clock.name == event]) == 1:
        return {"clause": ids[0]}
    return {"event": event, "fields": brings} if brings else {"event": event}


@pytest.mark.parametrize("name", sorted(PAGES))
@effort(max_examples=EXAMPLES)
@given(st.integers(0, 10**6))
def test_what_a_puppet_really_does_has_no_finding(name, seed):
    """Whatever the page allows, reported with honest times, is followed step by step, without slack."""
    page = PAGES[name]
    reports, client = live(page, random.Random(seed))
    watch = monitor(page, 0)
    watch.passed(at=0.0)
    for at, *row in reports:
        assert watch.report(said(page, *row), at=at) == (), row
    assert (watch.states, watch.status, watch.ended) == (
        client.puppet.states,
        client.puppet.status,
        client.puppet.ended,
    )
    assert set(watch.waits) == client.waits.keys()
    assert watch.unrouted == 0


def corrupted(page, reports, dice):
    """One thing is otherwise: an event is another one, a report is missing, or one comes at another time."""
    place = dice.randrange(len(reports))
    at, _, event, _ = reports[place]
    before = reports[place - 1][0] if place else 0.0
    match dice.choice(["swap", "drop", "early", "late"]):
        case "swap":
            others = [(one.cause, one.event, {}) for one in causes(page).values() if one.event != event]
            others += [("timer", clock.name, {}) for clock in page.clocks if clock.name != event]
            row = dice.choice(others)
            return [*reports[:place], (at, *row), *reports[place + 1 :]], f"{event} is {row[1]}"
        case "drop":
            return [*reports[:place], *reports[place + 1 :]], f"{event} is missing"
        case "early":
            when = dice.uniform(before, at)
            return [
                *reports[:place],
                (when, *reports[place][1:]),
                *reports[place + 1 :],
            ], f"{event} is {at - when:g} s early"
        case _:
            late = dice.choice([0.001, 1.0, 100.0])
            return [
                *reports[:place],
                *((when + late, *row) for when, *row in reports[place:]),
            ], f"{event} is {late} s late"


@pytest.mark.parametrize("name", sorted(PAGES))
@effort(max_examples=EXAMPLES)
@given(st.integers(0, 10**6))
def test_what_is_corrupted_is_found_or_is_right(name, seed):
    """One changed report is found at the very report at which a client's own books say that it is wrong; else nothing is."""
    page, dice = PAGES[name], random.Random(seed)
    reports, _ = live(page, dice, dice.randrange(1, 25))
    if not reports:
        return
    rows, what = corrupted(page, reports, dice)
    note(f"{what}: {rows}")
    watch, books = monitor(page, 0), Client.of(page)
    watch.passed(at=0.0)
    for number, (at, *row) in enumerate(rows, 1):
        found = watch.report(said(page, *row), at=at)
        right = books.is_right(at, *row)
        assert bool(found) is not right, (number, at, row, found)
        if not right:
            return
    assert watch.findings == ()
