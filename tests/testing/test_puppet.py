"""A puppet sends what a driver would send, and nothing that a driver could not."""

import pytest

from lifecycle import IllegalEvent, WrongParameters, testing
from lifecycle.definition.read import read, read_text
from lifecycle.machine import effects as out
from lifecycle.testing import Puppet
from lifecycle.testing.puppet import NotThere

OUTLIVING = """
lifecycle: 1
page: outliving
role: session
stop: leave
hears: {leave: {}, back: {}}
calls: {save: {timeout: 5 s, scope: connection}}
states:
  saving:
    status: ready
    call: save
    ignore: [back]
    clauses:
      A1: {on: done, to: over}
      A2: {on: failed, to: over}
      A3: {on: leave, to: resting}
  resting: {status: idle, rest: true, ignore: [leave], clauses: {A4: {on: back, to: saving}}}
  over: {status: closed, final: done}
"""


def connected(**parameters):
    """A websocket that is up."""
    puppet = Puppet("websocket", **parameters)
    puppet.start()
    puppet.tell("connect")
    puppet.happen("opened")
    return puppet


def test_a_connection_is_lost_and_comes_back():
    """A test says what happens, and sees effects, states, variables and clocks."""
    puppet = Puppet("websocket", url="ws://example.org", token="Bearer x", max_attempts=1)
    assert (puppet.clauses, puppet.last) == ((), None)
    assert puppet.start() == ()
    assert (puppet.states, puppet.status, puppet.phase) == (("idle",), "idle", "none")
    dialled, clock = puppet.tell("connect")
    assert (dialled.url, dialled.headers) == ("ws://example.org", {"Authorization": "Bearer x"})
    assert (clock.seconds, puppet.armed, puppet.phase) == (10, ("timer.online.dialing.connect_timeout",), "dialing")
    puppet.happen("opened")
    assert (puppet.phase, len(puppet.armed)) == ("open", 2)
    assert [type(effect) for effect in puppet.run_out("alive")] == [out.Ping, out.StartClock]
    puppet.happen("heard")
    assert puppet.clauses == ("heartbeat/HB2",)
    puppet.happen("end", "lost.busy", {"retry_after": 7.0})
    assert puppet.clauses == ("WS3", "waiting/R2")
    assert puppet.variables == {"waiting.attempts": 1, "waiting.told": 7.0}
    assert (puppet.armed, puppet.effects[-1].seconds) == (("timer.waiting.told_to_wait.told",), 7.0)
    puppet.run_out("timer.waiting.told_to_wait.told")
    puppet.happen("opened")
    assert [type(effect) for effect in puppet.tell("disconnect")] == [
        out.StopClock,
        out.StopClock,
        out.Close,
        out.StartClock,
    ]
    puppet.happen("closed")
    assert (puppet.ended, puppet.armed, puppet.calls, puppet.phase) == (True, (), (), "none")
    assert puppet.machine.stale == 0


def test_what_is_refused_changes_nothing():
    """A wish at the wrong time is refused as by `tell` of a connection, and the puppet goes on."""
    puppet = connected()
    armed = puppet.armed
    with pytest.raises(IllegalEvent, match="`reconnects` is not allowed"):
        puppet.tell("reconnects")
    assert (puppet.armed, puppet.phase) == (armed, "open")
    puppet.tell("disconnect")
    assert puppet.phase == "closing"


def test_what_cannot_happen_is_not_told():
    """A clock that does not run, a call that does not run, and a transport that is gone are mistakes of the test."""
    puppet = Puppet("websocket")
    puppet.start()
    with pytest.raises(NotThere, match="`opened` cannot be told: the transport is none"):
        puppet.happen("opened")
    puppet = connected()
    with pytest.raises(NotThere, match=r"several clocks have `online` in their names: `timer.online.+`, `timer.online"):
        puppet.run_out("online")
    with pytest.raises(NotThere, match=r"no clock `waiting` runs in `online\..+; those that run: `timer\.online"):
        puppet.run_out("waiting")
    with pytest.raises(NotThere, match="no clock `alive` runs"):
        puppet.step("timer", "alive")
    with pytest.raises(NotThere, match=r"no call of `online` runs .+; those that run: none"):
        puppet.end_call("online")
    puppet.tell("disconnect")
    with pytest.raises(NotThere, match="`heard` cannot be told: the transport is closing"):
        puppet.happen("heard")
    puppet.run_out("closing")
    with pytest.raises(NotThere, match="`closed` cannot be told"):
        puppet.happen("closed")


def test_calls_end_as_the_test_says():
    """A call is done with what it returns, or has failed."""
    puppet = Puppet("handshake", speak_first=True)
    puppet.start()
    puppet.tell("challenged", challenge={"n": 1})
    assert (puppet.calls, puppet.effects[-1].arguments) == (("answering",), {"challenge": {"n": 1}})
    puppet.end_call("answering", fields={"frame": "f"})
    assert (puppet.clauses, puppet.effects[0].value, puppet.calls) == (("H4",), "f", ())
    puppet = Puppet("handshake")
    puppet.start()
    puppet.tell("challenged", challenge=None)
    puppet.end_call("answering", "failed", {"code": "timeout", "message": "late"})
    assert (puppet.clauses, puppet.ended) == (("H5",), True)


def test_a_call_that_outlives_its_state_is_not_heard():
    """It is not stopped, and the machine drops its result; entered again, the state has a new one."""
    puppet = Puppet(read_text(OUTLIVING))
    puppet.start()
    assert puppet.calls == ("saving",)
    assert puppet.tell("leave") == ()
    assert puppet.calls == ()
    puppet.tell("back")
    puppet.end_call("saving")
    assert puppet.ended


def test_a_fragment_has_the_transport_that_it_needs():
    """The page that would use it has dialled before."""
    puppet = Puppet("heartbeat")
    assert puppet.phase == "open"
    puppet.start()
    puppet.run_out("alive")
    puppet.happen("heard")
    assert puppet.clauses == ("HB2",)
    puppet.run_out("alive")
    puppet.run_out("asking")
    assert puppet.ended


def test_first_values_of_variables_can_be_given():
    """As a fragment's user, or an upgrade request, would set them."""
    puppet = Puppet(read("reconnect"), max_attempts=2)
    puppet.start({"attempts": 2})
    assert (puppet.states, puppet.variables["attempts"]) == (("spent",), 3)


def test_steps_can_be_said_as_traces_say_them():
    """By cause, full name and fields."""
    puppet = Puppet("resume")
    puppet.start()
    puppet.step("wish", "connect")
    puppet.step("call", "failed.authorizing", {"code": "c"})
    puppet.step("timer", puppet.armed[0])
    puppet.step("call", "done.authorizing", {"token": "t", "lifetime": 60.0})
    puppet.step("opened", "opened")
    assert puppet.states == ("online.up.resuming",)
    assert puppet.variables["credentials.lifetime"] == 60


def test_it_holds_exactly_the_tokens_of_the_machine():
    """After each step of a story with clocks, calls, a loss and an end."""
    puppet = Puppet("session-lease", release_tries=1)
    story = [
        ("start", None), ("wish", "start"), ("call", "done.reserving"), ("call", "done.held.session.pending"), ("wish", "touch"),
        ("timer", "timer.held.lease.safe.held_safely.renew_every"), ("call", "done.held.lease.safe.renewing"),
        ("wish", "leave"), ("call", "failed.stopping"), ("call", "failed.releasing"),
    ]  # fmt: skip
    for cause, event in story:
        puppet.start() if cause == "start" else puppet.step(cause, event)
        assert puppet._clocks == puppet.machine._clocks
        assert puppet._calls == puppet.machine._calls
    assert puppet.states == ("release_later",)


def test_parameters_are_checked():
    """A wrong one is told; what is required stands in for itself, so that a test says only what matters."""
    with pytest.raises(WrongParameters, match="there is no parameter `urk`"):
        Puppet("websocket", urk="ws://x")
    puppet = connected()
    assert puppet.machine.names()["url"] == "ws://localhost/"


def test_the_room_has_what_tests_need():
    """Three names, imported when they are asked for."""
    assert all(getattr(testing, name) is not None for name in testing.__all__)
    assert not hasattr(testing, "nonsense")
