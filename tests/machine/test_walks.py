"""Every bundled page, read, started and walked through its story; and every clause of every page, fired at least once."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import bundled, read

Begin = Callable[..., Any]
RUNS = 200
CONNECTED = ("online.up.trust.unproven", "online.up.heartbeat.alive", "ready")


def connection(begin: Begin) -> Any:
    """Dial, be up, say goodbye."""
    w = begin("connection")
    assert w.start() == ["open", "start dialing: after connect_timeout"]
    assert w.effects[0].url == "wss://example.org"
    assert w.told("opened", "opened") == ["stop dialing: after connect_timeout"]
    assert w.here() == ("up", "ready")
    assert w.tell("disconnect") == ["close 1000", "start closing: after close_timeout"]
    assert w.told("closed", "closed") == ["stop closing: after close_timeout", "drop"]
    assert (w.here(), w.machine.ended, w.clauses) == (("over", "closed"), True, ["C1", "C4", "C5"])
    return w


def heartbeat(begin: Begin) -> Any:
    """Ask after a silence, hear, ask again, give up."""
    w = begin("heartbeat")
    assert w.start() == ["start alive: silent heartbeat_after"]
    assert w.fire("alive") == ["ping", "start asking: after heartbeat_wait"]
    assert w.machine.row.hears
    assert w.tell("heard") == ["stop asking: after heartbeat_wait", "start alive: silent heartbeat_after"]
    assert not w.machine.row.hears
    w.fire("alive")
    w.fire("asking")
    assert (w.here(), w.machine.ended) == (("dead", "idle"), True)
    return w


def handshake(begin: Begin) -> Any:
    """Be challenged, answer, be accepted."""
    w = begin("handshake", speak_first=True)
    w.start()
    assert w.tell("challenged", challenge="c") == ["stop listening: after challenge_timeout", "call answer"]
    assert w.effects[1].arguments == {"challenge": "c"}
    assert w.done("answering", frame={"f": 1}) == ["send answer", "start awaiting: after answer_timeout"]
    assert w.effects[0].value == {"f": 1}
    assert w.tell("accepted") == ["stop awaiting: after answer_timeout"]
    assert (w.here(), w.clauses) == (("over", "authenticating"), ["H1", "H4", "H6"])
    return w


def reconnect(begin: Begin) -> Any:
    """Wait by the backoff, wait as told, give up."""
    w = begin("reconnect")
    assert w.start() == ["start backing_off: after redial"]
    assert (w.effects[0].backoff.first, w.effects[0].attempt) == (1.0, 1)
    w.fire("backing_off")
    assert (w.here(), w.clauses) == (("over", "waiting"), ["R3", "R4"])
    told = begin("reconnect")
    told.start({"told": 3.0})
    assert (told.here(), told.effects[0].seconds) == (("told_to_wait", "waiting"), 3.0)
    told.fire("told")
    assert told.machine.variables == (1, 0.0)
    spent = begin("reconnect", max_attempts=2)
    spent.start({"attempts": 2})
    assert spent.here() == ("spent", "waiting")
    w.clauses += told.clauses + spent.clauses
    return w


def refresh(begin: Begin) -> Any:
    """Renew, fail once, renew and tell."""
    w = begin("refresh")
    w.start()
    assert w.effects[0].seconds == pytest.approx(2880)
    assert w.fire("valid") == ["call renew_credentials"]
    assert w.failed("renewing", code="x") == ["start pausing: after refresh_pause"]
    assert w.fire("pausing") == ["call renew_credentials"]
    assert w.done("renewing", token="t2", lifetime=20.0, frame="f") == [
        "send renewal",
        "start valid: after lifetime * refresh_at",
    ]
    assert (w.effects[0].value, w.effects[1].seconds) == ("f", 16.0)
    assert "t2" not in repr(w.machine.variables) + repr(w.effects)
    assert w.machine.variables[-1] == 0
    return w


def websocket(begin: Begin) -> Any:
    """Live, fall silent, wait, give up, come back, say goodbye."""
    w = begin("websocket", token="Bearer x", max_attempts=2)
    assert (w.start(), w.here()) == ([], ("idle", "idle"))
    assert w.tell("connect") == ["open", "start online.dialing: after connect_timeout"]
    assert w.effects[0].headers == {"Authorization": "Bearer x"}
    w.told("opened", "opened")
    assert w.here() == CONNECTED
    assert w.fire("unproven") == []
    assert w.fire("alive") == ["ping", "start online.up.heartbeat.asking: after heartbeat_wait"]
    w.told("heard", "heard")
    w.fire("alive")
    assert w.fire("asking") == ["drop", "start waiting.backing_off: after redial"]
    assert w.clauses[-3:] == ["heartbeat/HB3", "WS3", "waiting/R3"]
    assert w.here() == ("waiting.backing_off", "waiting")
    assert w.fire("backing_off") == ["open", "start online.dialing: after connect_timeout"]
    assert w.told("end", "lost.busy", retry_after=0.01)[-1] == "start waiting.told_to_wait: after waiting.told"
    assert w.effects[-1].seconds == 1.0
    w.fire("told_to_wait")
    w.told("end", "lost.network", retry_after=None)
    assert w.clauses[-3:] == ["WS3", "waiting/R1", "WS6"]
    assert w.here() == ("failed", "failed")
    w.tell("reconnect")
    w.told("opened", "opened")
    assert w.tell("disconnect")[-2:] == ["close 1000", "start online.closing: after close_timeout"]
    assert w.told("closed", "closed") == ["stop online.closing: after close_timeout", "drop"]
    assert (w.here(), w.machine.ended) == (("closed", "closed"), True)
    return w


def resume(begin: Begin) -> Any:
    """Resume, renew credentials, lose them, be forgotten, say goodbye."""
    w = begin("resume", max_attempts=1)
    w.start()
    assert w.tell("connect") == ["call credentials"]
    w.done("authorizing", token="t", lifetime=100.0)
    w.told("opened", "opened")
    assert w.effects[1].value == {"type": "resume", "after": None, "token": "t"}
    assert "mark resumed" in w.told("message", "resumed")
    assert w.here()[-1] == "ready"
    w.fire("unproven")
    w.fire("silence.alive")
    w.told("heard", "heard")
    w.fire("credentials.valid")
    w.failed("online.up.ready.credentials.renewing")
    w.fire("pausing")
    w.done("online.up.ready.credentials.renewing", token="t2", lifetime=50.0, frame={})
    for _ in range(3):
        w.fire("credentials.valid" if w.machine.states[-1].endswith("valid") else "pausing")
        w.failed("online.up.ready.credentials.renewing")
    w.fire("pausing")
    w.failed("online.up.ready.credentials.renewing")
    assert w.clauses[-3:-1] == ["credentials/RF5", "RM9"]
    assert w.here() == ("waiting.backing_off", "waiting")
    w.fire("backing_off")
    w.done("authorizing", token="t", lifetime=100.0)
    w.told("opened", "opened")
    assert w.fire("resuming") == ["drop"]
    assert w.clauses[-4:] == ["RM5", "RM8", "waiting/R1", "RM12"]
    assert w.here() == ("failed", "failed")
    w.tell("reconnect")
    w.done("authorizing", token="t", lifetime=100.0)
    w.told("opened", "opened")
    assert "mark lost" in w.told("message", "forgotten")
    w.fire("silence.alive")
    w.fire("asking")
    assert w.clauses[-3:] == ["silence/HB3", "RM8", "waiting/R3"]
    w.fire("backing_off")
    w.done("authorizing", token="t", lifetime=100.0)
    w.told("opened", "opened")
    w.tell("disconnect")
    assert w.fire("closing") == ["drop"]
    assert w.machine.ended
    w.clauses += _untold(begin)
    return w


def _untold(begin: Begin) -> list[str]:
    quiet = begin("resume", refresh_told=False)
    quiet.start()
    quiet.tell("connect")
    quiet.done("authorizing", token="t", lifetime=100.0)
    quiet.told("opened", "opened")
    quiet.told("message", "resumed")
    quiet.fire("credentials.valid")
    assert quiet.done("online.up.ready.credentials.renewing", token="t3", lifetime=9.0) == [
        "start online.up.ready.credentials.valid: after credentials.lifetime * refresh_at"
    ]
    assert quiet.effects[0].seconds == pytest.approx(8)  # 10 s, the least lifetime, and 80 % of it
    return quiet.clauses


def openclaw(begin: Begin) -> Any:
    """Greet, tick, fall silent, be unknown, pair in vain."""
    w = begin("openclaw-gateway", max_attempts=1)
    w.start()
    w.tell("connect")
    _greeted(w)
    assert w.here()[0].startswith("online.up.ready.trust")
    w.fire("unproven")
    assert w.fire("resting") == ["ping", "start online.up.ready.pings.resting: after ping_interval"]
    assert w.told("message", "ticked") == [
        "stop online.up.ready.ticks.ticking: after tick * (tick_tolerance + 1)",
        "start online.up.ready.ticks.ticking: after tick * (tick_tolerance + 1)",
    ]
    w.fire("silence.alive")
    w.told("heard", "heard")
    w.fire("ticking")
    assert w.clauses[-3:] == ["OC5", "OC8", "waiting/R3"]
    w.fire("backing_off")
    _greeted(w)
    w.fire("silence.alive")
    w.fire("asking")
    assert (w.clauses[-3:], w.here()) == (["OC8", "waiting/R1", "OC19"], ("failed", "failed"))
    w.tell("reconnect")
    w.told("opened", "opened")
    w.told("message", "challenged", challenge={})
    w.done("online.up.greeting.answering", frame={})
    w.fire("awaiting")
    assert w.clauses[-3] == "greeting/H7"
    w.tell("reconnect")
    w.told("opened", "opened")
    assert w.told("end", "unpaired.device")[-1] == "call pair_device"
    w.done("repairing")
    w.fire("settling")
    assert w.told("end", "unpaired.device")[-1] == "drop"
    assert w.here() == ("failed", "failed")
    w.tell("disconnect")
    assert (w.here(), w.machine.ended) == (("closed", "closed"), False)
    old = begin("openclaw-gateway", old_ways=True)
    old.start()
    old.tell("connect")
    _greeted(old)
    assert old.fire("resting") == ["send ping", "start online.up.ready.pings.resting: after ping_interval"]
    assert old.told("end", "refused.signature")[-1] == "call pair_device"
    old.tell("reconnect")
    for _ in range(2):
        old.told("opened", "opened")
        assert old.told("end", "unauthorized.changed")[-1] == "call fresh_credentials"
        old.done("refreshing")
        old.fire("settling")
    old.told("opened", "opened")
    old.told("end", "unauthorized.changed")
    assert (old.clauses[-1], old.here()) == ("OC24", ("failed", "failed"))
    w.clauses += old.clauses
    return w


def _greeted(w: Any) -> None:
    w.told("opened", "opened")
    w.told("message", "challenged", challenge={})
    w.done("online.up.greeting.answering", frame={})
    w.told("message", "accepted")


def agent_server(begin: Begin) -> Any:
    """Follow a conversation, fall silent, follow on, get a fresh key in vain, lose the conversation."""
    w = begin("openhands-agent-server", session_api_key="k1", max_attempts=2)
    w.start()
    assert w.tell("connect") == ["open", "start online.dialing: after connect_timeout"]
    assert w.effects[0].query == {"session_api_key": None, "resend_mode": "since", "after_timestamp": None}
    _followed(w, "2026-09-01T12:00:00")
    w.fire("overlap")
    w.fire("proven_after")
    w.fire("alive")
    w.told("heard", "heard")
    w.fire("alive")
    assert w.fire("asking")[-1] == "start waiting.backing_off: after redial"
    assert w.fire("backing_off")[0] == "open"
    assert w.effects[0].query["after_timestamp"] == "2026-09-01T12:00:00"
    assert w.told("opened", "opened")[1:3] == ["mark resumed", "send auth"]
    assert w.effects[2].value["session_api_key"] == "k1"
    w.told("end", "missing")
    w.fire("doubting")
    _followed(w, "2026-09-01T12:01:00")
    assert w.told("end", "unauthorized.key")[-1] == "call fresh_credentials"
    assert w.done("refreshing", key="k2")[-1] == "start settling: after settle_wait"
    w.fire("settling")
    w.told("opened", "opened")
    w.fire("listening")
    assert w.clauses[-3:] == ["OA15", "OA19", "waiting/R3"]
    w.fire("backing_off")
    w.told("end", "missing")
    assert (w.clauses[-1], w.here()) == ("OA22", ("failed", "failed"))
    for given in ({"resend": "all", "key_in": "header"}, {"resend": "nothing", "key_in": "query"}):
        other = begin("openhands-agent-server", session_api_key="k1", max_attempts=0, **given)
        other.start()
        other.tell("connect")
        assert "k1" in {*other.effects[0].query.values(), *other.effects[0].headers.values()}
        _followed(other, None)
        other.told("end", "lost.network", retry_after=None)
        assert (other.clauses[-1], other.here()) == ("OA28", ("failed", "failed"))
        other.tell("reconnect")
        other.told("end", "unauthorized.handshake")
        other.failed("refreshing")
        other.tell("connect")
        other.told("opened", "opened")
        other.tell("disconnect")
        other.told("closed", "closed")
        other.tell("reconnect")
        other.tell("disconnect")
        w.clauses += other.clauses
    return w


def _followed(w: Any, at: str | None) -> None:
    w.told("opened", "opened")
    w.told("message", "stated", at=at)
    assert w.machine.status == "ready"


def openhands(begin: Begin) -> Any:
    """Be admitted step by step, then end in each way."""
    w = _joined(begin, "before")
    assert w.here() == ("serving.talking.pipeline.joined.told", "serving.talking.beat.alive", "ready")
    assert w.fire("beat") == ["send beat.ping", "start serving.talking.beat.asking: after ping_timeout"]
    w.told("message", "ponged")
    assert w.tell("evicted", why="full")[1:4] == ["send evicted", "send goodbye", "close 1000"]
    assert w.effects[1].value["args"][0]["message"] == "full"
    assert w.told("closed", "closed")[1:] == ["drop", "call leave"]
    w.done("parting")
    assert (w.here(), w.machine.ended) == (("over", "closed"), True)
    for end in ("told", "untold", "dead", "drained", "stopped", "left"):
        other = _joined(begin, "after")
        match end:
            case "told":
                other.done("serving.talking.pipeline.joined.replaying")
            case "untold":
                other.failed("serving.talking.pipeline.joined.replaying")
            case "dead":
                other.fire("beat.alive")
                other.fire("asking")
            case "drained":
                other.tell("drained", why="")
            case "stopped":
                assert "send goodbye" in other.tell("stopped")
            case "left":
                other.told("message", "left")
        w.clauses += other.clauses
    return w


def _joined(begin: Begin, replay: str) -> Any:
    w = begin("openhands-conversation-server", replay=replay)
    pipeline = "serving.talking.pipeline"
    assert w.start({"cursor": 4, "version": 4, "means": "websocket"}) == [
        "admit",
        "send open",
        f"start {pipeline}.waiting: after connect_timeout",
        "start serving.talking.beat.alive: after ping_interval",
    ]
    w.told("message", "asked")
    for step in ("checking_parameters", "checking_key"):
        w.done(f"{pipeline}.admitting.{step}")
    w.done(f"{pipeline}.admitting.checking_user", user="u")
    w.done(f"{pipeline}.admitting.opening_events", events=[1])
    if replay == "before":
        assert w.effects[-1].arguments == {"events": [1], "after": 4}
        w.done(f"{pipeline}.admitting.replaying_first")
    assert w.done(f"{pipeline}.admitting.joining", session="s")[0] == "send welcome"
    return w


def failed_session(begin: Begin, kind: str) -> Any:
    """Bear no error, and close at once."""
    w = begin("livekit-agent-session", tolerance=0)
    w.start()
    w.tell("started")
    assert w.tell(f"error.{kind}", recoverable=True, error="e") == ["emit error"]
    assert (
        w.tell(f"error.{kind}", recoverable=False, error="f")[-1] == "start running.life.closing: after closing_timeout"
    )
    assert w.tell("torn_down")[-1] == "emit close"
    assert w.effects[-1].fields == {"reason": "error", "error": "f"}
    return w


def cut_session(begin: Begin) -> Any:
    """Shut down without draining, and never be torn down."""
    w = begin("livekit-agent-session")
    w.start()
    w.tell("started")
    assert w.tell("shutdown", drain=False) == ["start running.life.closing: after closing_timeout"]
    assert w.fire("life.closing")[-1] == "emit close"
    assert w.machine.ended
    return w


def livekit(begin: Begin) -> Any:
    """Talk, pause, be away and back, err, drain; and the other ends."""
    w = begin("livekit-agent-session")
    w.start()
    assert w.tell("started") == []
    assert w.tell("agent.listens") == ["emit agent_state_changed", "start running.user.listening: after away_timeout"]
    for starts, stops in (("tool.ended", "tool.started"), ("participant.linked", "participant.away")):
        assert "stop running.user.listening: after away_timeout" in w.tell(stops)
        assert "start running.user.listening: after away_timeout" in w.tell(starts)
    away = "running.user.away"
    for back, fields in (
        ("user.speaks", {}),
        ("user.claims", {}),
        ("user.present", {}),
        ("user_input_transcribed", {"transcript": "", "is_final": True}),
    ):
        w.fire("away_timeout")
        assert away in w.machine.states
        w.tell(back, **fields)
        w.tell("user.silent")
        w.tell("user.releases", speaking=False)
    w.tell("user.leaves")
    w.tell("participant.linked")
    for doing in ("thinks", "listens", "thinks", "speaks", "thinks", "speaks", "listens", "speaks", "listens"):
        assert w.tell(f"agent.{doing}")[-1].startswith(("emit", "st"))
    for over in (("agent.listens", {}), ("user_input_transcribed", {"transcript": "x", "is_final": True})):
        w.tell("agent.speaks")
        assert "start running.agent.listening.paused: after false_interruption_timeout" in w.tell("agent.pauses")
        w.tell(over[0], **over[1])
    w.tell("agent.speaks")
    w.tell("agent.pauses")
    assert w.fire("paused")[1:3] == ["emit agent_state_changed", "emit agent_false_interruption"]
    w.tell("user.speaks")
    for speaking in (True, False):
        w.tell("user.claims")
        w.tell("user.releases", speaking=speaking)
    for often, running in (("started", 1), ("started", 2), ("ended", 1), ("ended", 0)):
        w.tell(f"tool.{often}")
        assert w.machine.variables[3] == running
    for kind in ("stt", "llm", "tts"):
        assert w.tell(f"error.{kind}", recoverable=False, error="e") == ["emit error"]
    assert w.machine.variables[:3] == (1, 1, 1)
    w.tell("user_input_transcribed", transcript="x", is_final=False)
    assert w.machine.variables[:3] == (0, 1, 1)
    w.tell("shutdown")
    w.tell("agent.thinks")
    w.tell("agent.listens")
    assert w.machine.status == "closing"
    assert w.tell("torn_down") == ["stop running.life.draining: after drain_timeout", "emit close"]
    assert w.clauses[-2:] == ["LS15", "LS13"]
    assert w.effects[-1].fields == {"reason": "user_initiated", "error": None}
    assert w.machine.ended
    w.clauses += cut_session(begin).clauses
    for kind in ("stt", "llm", "tts", "realtime"):
        w.clauses += failed_session(begin, kind).clauses
    return w


def lease(begin: Begin) -> Any:
    """Hold a slot, idle, give it back with trouble; be refused, fail to begin, cool down; lose what was held."""
    w = begin("session-lease", release_tries=1)
    w.start()
    assert w.tell("start") == ["call reserve"]
    w.done("reserving", generation=7, sure=35.0)
    assert w.effects[-1].arguments == {"generation": 7}
    w.done("held.session.pending")
    assert w.here() == ("held.session.alive.active", "held.lease.safe.held_safely", "ready")
    assert w.tell("touch") == [
        "stop held.session.alive.active: after idle_after",
        "start held.session.alive.active: after idle_after",
    ]
    w.fire("active")
    w.fire("idle")
    assert w.here() == ("stopping", "closing")
    w.done("stopping")
    assert w.clauses[-2:] == ["SL13", "SL17"]
    assert w.failed("releasing") == ["start release_later: after release_retry"]
    assert w.effects[0].attempt == 1
    w.fire("release_later")
    w.failed("releasing")
    assert (w.clauses[-2:], w.here()) == (["SL31", "SL39"], ("absent", "idle"))
    w.tell("start")
    w.failed("reserving", code="refused", message="full")
    assert w.here() == ("refused", "failed")
    w.tell("leave")
    w.tell("start")
    w.failed("reserving", code="refused", message="full")
    w.tell("start")
    w.done("reserving", generation=8, sure=35.0)
    assert w.failed("held.session.pending", code="x", message="x")[-1] == "call stop"
    w.failed("stopping")
    assert w.effects[-1].arguments == {"generation": 8, "cooldown": 10.0}
    w.done("releasing")
    assert w.here() == ("cooling", "waiting")
    w.tell("leave")
    w.tell("start")
    w.failed("reserving", code="unavailable", message="nobody answers")
    assert w.here() == ("releasing", "closing")  # it may have been granted
    w.done("releasing")
    w.tell("start")
    w.done("reserving", generation=9, sure=35.0)
    w.done("held.session.pending")
    w.tell("report")
    w.failed("held.lease.safe.renewing", code="unavailable", message="x")
    assert w.here()[1] == "held.lease.safe.unheard"
    w.fire("unheard")
    w.failed("held.lease.safe.renewing", code="lost", message="it is not held any more")
    assert w.here() == ("stopping", "closing")
    return w


def provider(begin: Begin) -> Any:
    """Fail, be probed in vain, be probed by the clock, be well, and leave."""
    w = begin("provider", served_heals=True)
    assert w.start() == []
    assert w.tell("success") == []
    clock = "watched.probe.resting: after probe_every"
    assert w.tell("failure") == ["emit availability", f"start {clock}"]
    assert w.effects[0].fields == {"available": False}
    assert w.tell("failure") == []
    assert w.tell("missed") == [f"stop {clock}", "call probe"]
    assert w.tell("missed") == []
    assert w.failed("watched.probe.probing") == [f"start {clock}"]
    assert w.fire("probe_every") == ["call probe"]
    assert w.done("watched.probe.probing") == ["emit availability"]
    assert (w.here(), w.clauses[-2:]) == (
        ("watched.health.available", "watched.probe.resting", "ready"),
        ["PV5", "PV7"],
    )
    w.tell("failure")
    w.tell("missed")
    assert w.tell("success") == ["emit availability"]
    assert w.effects[0].fields == {"available": True}
    assert w.done("watched.probe.probing") == []
    assert w.clauses[-1] == "PV8"
    w.tell("leave")
    assert w.machine.ended
    return w


def attempt(begin: Begin) -> Any:
    """Be silent, fail in a way that passes, answer in pieces and fail for good; and be hung up, cut short, or left."""
    w = begin("attempt", after_output="retry", max_retry=1)
    asked = ["start trying.silent: after attempt_timeout", "call ask"]
    assert w.start() == asked
    assert w.fire("silent") == ["cancel ask", "start pausing: after retry_pause"]
    assert w.effects[-1].attempt == 1
    assert w.fire("retry_pause") == asked
    w.tell("gave")
    assert w.tell("taken") == ["start trying.speaking: after attempt_timeout"]
    w.tell("gave")
    w.tell("taken")
    w.fire("speaking")
    assert (w.clauses[-1], w.here(), w.machine.ended) == ("AT13", ("given_up", "failed"), True)
    for parameters, status, end in (
        ({}, 499, "hung_up"),
        ({}, 404, "given_up"),
        ({"after_output": "fail"}, 503, "broken"),
        ({"after_output": "end"}, 503, "cut_short"),
    ):
        other = begin("attempt", **parameters)
        other.start()
        if parameters:
            other.tell("gave")
        other.failed("trying", code="x", status=status)
        assert other.here()[0] == end
        w.clauses += other.clauses
    for leave in (True, False):
        other = begin("attempt")
        other.start()
        other.tell("leave") if leave else other.done("trying")
        assert other.machine.ended
        w.clauses += other.clauses
    return w


def websocket_server(begin: Begin) -> Any:
    """Two clients that are let go, each in its own way, and one that goes by itself."""
    w = begin("websocket-server")
    assert w.start() == ["start serving.up.alive: silent heartbeat_after"]
    w.fire("alive")
    w.told("heard", "heard")
    assert w.tell("disconnect")[1] == "close 1000"
    assert w.here() == ("serving.leaving", "closing")
    w.told("closed", "closed")
    assert w.machine.ended
    for end in ("drained", "lost.too_slow"):
        other = begin("websocket-server")
        other.start()
        if end == "drained":
            other.tell(end)
            other.fire("parting")
        else:
            other.told("end", end)
        w.clauses += other.clauses
    return w


def socketio_connection(begin: Begin) -> Any:
    """Join, answer pings, leave; and be left unanswered at each step."""
    w = begin("socketio-connection", connect_timeout=1.0)
    assert w.start() == ["open", "start dialing: after connect_timeout"]
    w.told("opened", "opened")
    assert w.told("message", "greeted")[1] == "send join"
    assert w.told("message", "pinged") == ["send pong"]
    assert w.told("message", "joined") == [
        "stop joining: after join_timeout",
        "start joined.pings.listening: after ping_interval + ping_timeout",
    ]
    assert w.here() == ("joined.inside", "joined.pings.listening", "ready")
    assert "send pong" in w.told("message", "pinged")
    assert "send leave" in w.tell("disconnect")
    w.told("closed", "closed")
    assert (w.here(), w.machine.ended) == (("over", "closed"), True)
    early = begin("socketio-connection")
    early.start()
    early.told("opened", "opened")
    early.told("message", "greeted")
    early.tell("disconnect")
    w.clauses += early.clauses
    for clock, end in (
        ("dialing", "unanswered"),
        ("opening", "unopened"),
        ("joining", "unjoined"),
        ("listening", "silent"),
    ):
        other = begin("socketio-connection")
        other.start()
        if clock != "dialing":
            other.told("opened", "opened")
        if clock in ("joining", "listening"):
            other.told("message", "greeted")
        if clock == "listening":
            other.told("message", "joined")
        other.fire(clock)
        assert other.here()[0] == end
        w.clauses += other.clauses
    return w


def socketio(begin: Begin) -> Any:
    """Be let in, proven, thrown out, and told that there is no such namespace."""
    w = begin("socketio", max_attempts=1)
    w.start()
    w.tell("connect")
    _joined_namespace(w)
    w.fire("proven_after")
    assert w.machine.names()["waiting.attempts"] == 0
    assert w.told("message", "ended.by_server")[-1] == "drop"
    assert w.here() == ("failed", "failed")
    w.tell("reconnect")
    w.told("opened", "opened")
    w.told("message", "greeted")
    w.told("message", "denied.namespace")
    assert w.here() == ("failed", "failed")
    w.tell("reconnect")
    for _ in range(2):
        w.fire("dialing")
        if w.machine.status == "waiting":
            w.fire("redial")
    assert (w.clauses[-1], w.here()) == ("SI7", ("failed", "failed"))
    w.tell("disconnect")
    assert w.machine.ended
    _ways_out(w, lambda: begin("socketio"))
    return w


def _ways_out(w: Any, fresh: Callable[[], Any]) -> None:
    """Each way in which a client of Socket.IO is not joined any more."""
    for way in ("opening", "parting", "joining", "leaving", "listening", "closing", "closed"):
        other = fresh()
        other.start()
        other.tell("connect")
        if other.calls:
            other.done("preparing")
        other.told("opened", "opened")
        if way not in ("opening", "parting"):
            other.told("message", "greeted")
            other.told("message", "pinged")
        if way == "leaving":
            assert "send online.leave" in other.tell("disconnect")
        elif way == "parting":
            assert "send online.leave" not in other.tell("disconnect")
        elif way not in ("opening", "joining"):
            other.told("message", "joined")
            other.told("message", "pinged")
            if way in ("closing", "closed"):
                other.tell("disconnect")
        if way in ("leaving", "parting", "closed"):
            other.told("closed", "closed")
        else:
            other.fire(way)
        assert other.machine.status == ("waiting" if way in ("opening", "joining", "listening") else "closed")
        w.clauses += other.clauses


def _joined_namespace(w: Any) -> None:
    w.told("opened", "opened")
    w.told("message", "greeted")
    w.told("message", "joined")
    assert w.machine.status == "ready"
    assert w.told("message", "denied.by_server") == []


def conversation(begin: Begin) -> Any:
    """Wait until it runs, be told of the model's troubles, fetch credentials anew, and hear that it was stopped."""
    w = begin("openhands-conversation", max_attempts=1)
    w.start()
    assert w.tell("connect")[-1] == "call until_running"
    w.done("preparing")
    _joined_namespace(w)
    assert "emit told" in w.told("message", "told.rate_limited", say="slowly")
    assert w.told("message", "halted.reached_maximum")[:2] == ["send pause", "emit told"]
    w.fire("proven_after")
    assert w.told("message", "unauthorized.expired")[-1] == "call fresh_credentials"
    w.done("refreshing", session_api_key="k", cookie=None)
    w.fire("settling")
    w.failed("preparing", code="stopped")
    assert (w.clauses[-1], w.here()) == ("OV1", ("failed", "failed"))
    w.tell("connect")
    w.failed("preparing", code="timeout")
    w.tell("connect")
    w.tell("stopped")
    assert (w.clauses[-1], w.here()) == ("OV19", ("failed", "failed"))
    w.tell("reconnect")
    for _ in range(2):
        w.failed("preparing", code="Refused")
        if w.machine.status == "waiting":
            w.fire("redial")
    assert (w.clauses[-2:], w.here()) == (["waiting/R1", "OV16"], ("failed", "failed"))
    _ways_out(w, lambda: begin("openhands-conversation"))
    return w


def socketio_heartbeat(begin: Begin) -> Any:
    """Ask, be answered, ask again, and find the client dead."""
    w = begin("socketio-heartbeat")
    w.start()
    assert w.fire("alive")[0] == "send ping"
    w.told("message", "ponged")
    w.fire("alive")
    w.fire("asking")
    assert w.machine.ended
    return w


def socketio_server(begin: Begin) -> Any:
    """Let in who speaks the right version, deny who may not come, turn away who speaks another."""
    w = begin("socketio-server")
    assert w.start({"version": 4, "means": "websocket"})[:2] == ["admit", "send open"]
    assert w.told("message", "asked", namespace="/", auth={"token": "t"})[-1] == "call authorize"
    assert w.done("serving.talking.membership.authorizing")[0] == "send welcome"
    assert w.told("message", "asked", namespace="/more") == ["send no_more"]
    assert "send goodbye" in w.tell("disconnect")
    w.told("closed", "closed")
    assert w.machine.ended
    denied = begin("socketio-server")
    denied.start({"version": 4, "means": "websocket"})
    denied.told("message", "asked", namespace="/nope")
    assert "send refusal" in denied.failed("serving.talking.membership.authorizing", code="x", message="no")
    denied.told("message", "left")
    denied.fire("leaving")
    other = begin("socketio-server")
    assert other.start({"version": 3, "means": "websocket"}) == ["refuse 400", "drop"]
    w.clauses += denied.clauses + other.clauses
    return w


ROOM = {
    "room_url": "ws://room",
    "room_name": "r",
    "token": "t",
    "session_id": "s",
    "character_session_id": "c",
    "trace_id": "x",
}


def convai(begin: Begin) -> Any:
    """Enter a room, talk, be warned, lose the transport and meet the room again, lose it, and be told why it is over."""
    w = begin("convai-session", max_attempts=2)
    w.start()
    assert w.tell("connect") == ["call connect"]
    assert w.effects[0].arguments == {"character_session_id": None}
    assert w.done("asking", **ROOM) == ["open", "start online.dialing: after connect_timeout"]
    assert (w.effects[0].url, w.effects[0].query) == ("ws://room", {"access_token": "t"})
    w.told("opened", "opened")
    assert w.told("message", "bot_ready")[0] == "stop online.up.joining: after bot_ready_timeout"
    for event in ("user.speaks", "bot.thinks", "bot.speaks"):
        w.told("message", event)
    assert {f"online.up.ready.{region}.active" for region in ("listening", "thinking", "speaking")} <= {
        *w.machine.states
    }
    for event in ("bot.thought", "bot.silent", "user.silent"):
        w.told("message", event)
    assert w.told("message", "idle_warned", remaining=300) == ["start online.up.ready.idling.warned: after remaining"]
    assert w.effects[0].seconds == 300
    w.fire("remaining")
    assert w.told("message", "acted") == []
    assert w.told("message", "context_updated", left=4_999) == ["emit context_low"]
    assert w.told("message", "context_updated", left=4_998) == []
    w.told("message", "context_updated", left=10_000)
    w.fire("proven_after")
    w.fire("alive")
    w.told("heard", "heard")
    w.fire("alive")
    assert w.fire("asking")[:2] == ["emit disconnected", "drop"]
    assert w.fire("backing_off")[0] == "open"
    w.told("opened", "opened")
    assert (w.clauses[-1], w.machine.status) == ("CV11", "ready")
    w.told("end", "lost.network", retry_after=None)
    assert w.fire("backing_off") == ["call connect"]
    assert w.effects[0].arguments == {"character_session_id": "c"}
    w.done("asking", **ROOM)
    w.told("opened", "opened")
    assert "emit bot_not_ready" in w.fire("joining")
    assert (w.clauses[-3:], w.here()) == (["CV35", "waiting/R1", "CV45"], ("failed", "failed"))
    for ends in (
        ("lost.shutdown", "removed.room"),
        ("refused.duplicate",),
        ("unauthorized.rejected",),
        ("ended.by_client",),
    ):
        w.clauses += _ended(begin, ends)
    for status in (None, 401, 403, 404, 409, 422, 429, 500):
        w.clauses += _refused(begin, status)
    w.clauses += _warned(begin)
    return w


def _refused(begin: Begin, status: int | None) -> list[str]:
    other = begin("convai-session", refresh_limit=1)
    other.start()
    other.tell("connect")
    other.failed("asking", status=status, retry_after=7.0)
    if status == 401:
        assert other.machine.status == "authenticating"
        other.failed("refreshing")
    assert other.machine.status == ("waiting" if status in (None, 429, 500) else "failed")
    return other.clauses


def _warned(begin: Begin) -> list[str]:
    other = begin("convai-session")
    other.start()
    other.tell("connect")
    other.done("asking", **ROOM)
    other.told("opened", "opened")
    other.told("message", "bot_ready")
    for remaining in (None, 10.0, 20.0, None, 5.0):
        other.told("message", "idle_warned", remaining=remaining)
        assert f"online.up.ready.idling.{'overdue' if remaining is None else 'warned'}" in other.machine.states
    other.told("message", "user.speaks")
    assert "online.up.ready.idling.calm" in other.machine.states
    return other.clauses


def _ended(begin: Begin, ends: tuple[str, ...]) -> list[str]:
    other = begin("convai-session")
    other.start()
    other.tell("connect")
    for end in ends:
        other.done("asking", **ROOM)
        other.told("opened", "opened")
        other.told("message", "bot_ready")
        other.told("message", end)
        if end == "lost.shutdown":
            assert other.effects[-1].seconds == 5
            assert other.fire("told_to_wait") == ["call connect"]
        if end == "unauthorized.rejected":
            other.done("refreshing")
            other.fire("settling")
            assert other.failed("asking", status=401)[-1:] == []
    assert other.machine.status == ("closed" if end == "ended.by_client" else "failed")
    other.tell("disconnect")
    assert other.here() == ("closed", "closed")
    return other.clauses


LIVE = {"live_id": "one", "avatar": {"role": "someone"}, "streaming": {"type": "rtmp"}}


def avatar(begin: Begin) -> Any:
    """Start a live, speak, be interrupted, lose it and come back to it, stop it; and be refused by each code."""
    w = begin("avatar-live", token="t", max_attempts=1)
    w.start()
    assert w.tell("interrupt") == []
    assert w.tell("connect") == ["call new_live"]
    assert w.done("preparing", **LIVE) == ["open", "start online.dialing: after connect_timeout"]
    assert "send start" in w.told("opened", "opened")
    assert w.effects[1].value["body"]["live"] == {"live_id": "one"}
    w.told("message", "started")
    assert w.machine.status == "ready"
    w.told("message", "voice.started")
    assert w.tell("interrupt") == ["send interrupt"]
    for event, state in (("voice.continued", "hushed"), ("voice.started", "speaking"), ("voice.ended", "quiet")):
        w.told("message", event)
        assert f"online.live.speech.{state}" in w.machine.states
    assert w.tell("interrupt") == ["send interrupt"]
    w.told("message", "voice.continued")
    for _ in range(2):
        assert w.tell("interrupt") == ["send interrupt"]
        assert "online.live.speech.hushed" in w.machine.states
    w.told("message", "voice.ended")
    assert w.told("message", "told.not_interrupted", code=4007, text="no") == ["emit told"]
    assert w.fire("proven_after") == []
    w.fire("alive")
    w.told("heard", "heard")
    assert w.fire("alive")[0] == "ping"
    assert w.fire("asking")[0] == "drop"
    assert w.fire("redial")[0] == "open"
    w.told("opened", "opened")
    assert w.fire("starting")[0] == "drop"
    assert (w.clauses[-1], w.here()) == ("AL38", ("failed", "failed"))
    w.tell("reconnect")
    w.told("opened", "opened")
    w.told("message", "started")
    assert w.tell("disconnect")[-2:] == ["send stop", "start online.stopping: after stop_timeout"]
    w.told("end", "ended.by_server")
    assert (w.here(), w.machine.names()["held"]) == (("closed", "closed"), False)
    for event in (
        "refused.request",
        "refused.controlled",
        "crowded.quota",
        "spent.gone",
        "full.no_instance",
        "ended.by_server",
    ):
        w.clauses += _answered(begin, event)
    w.clauses += _unauthorized(begin) + _never_stopped(begin)
    return w


def _starting(begin: Begin, **given: Any) -> Any:
    w = begin("avatar-live", **given)
    w.start()
    w.tell("connect")
    w.done("preparing", **LIVE)
    w.told("opened", "opened")
    return w


def _answered(begin: Begin, event: str) -> list[str]:
    w = _starting(begin, place_attempts=1, renew_limit=1)
    w.told("message", event)
    assert w.machine.names()["held"] is not event.startswith(("spent", "ended", "refused.request"))
    match event.partition(".")[0]:
        case "crowded":
            assert w.effects[-1].backoff.first == 10
            w.fire("redial")
        case "spent":
            assert w.fire("settling") == ["call new_live"]
            w.done("preparing", **LIVE)
        case "full":
            assert w.effects[-1].seconds == 10
            assert w.fire("told")[0] == "open"
            return w.clauses
        case _:
            assert w.machine.status == "failed"
            w.tell("disconnect")
            return w.clauses
    w.told("opened", "opened")
    w.told("message", event)
    assert w.machine.status == "failed"
    return w.clauses


def _unauthorized(begin: Begin) -> list[str]:
    w = _starting(begin, refresh_limit=2)
    w.told("message", "unauthorized.credentials")
    w.done("refreshing", token="t2")
    assert w.fire("settling")[0] == "open"
    w.told("opened", "opened")
    assert (w.effects[1].value["body"]["auth"]["token"], "t2" in repr(w.effects)) == ("t2", False)
    w.told("message", "unauthorized.credentials")
    w.failed("refreshing")
    assert w.machine.status == "failed"
    return w.clauses


def _never_stopped(begin: Begin) -> list[str]:
    clauses = []
    for end in ("closed", "silent"):
        w = _starting(begin)
        w.tell("disconnect")
        assert "close 1000" in w.fire("stopping")
        w.told("closed", "closed") if end == "closed" else w.fire("parting")
        assert w.here() == ("closed", "closed")
        clauses += w.clauses
    w = begin("avatar-live")
    w.start()
    w.tell("connect")
    w.failed("preparing")
    w.tell("connect")
    w.done("preparing", **LIVE)
    w.fire("dialing")
    return [*clauses, *w.clauses]


def avatar_server(begin: Begin) -> Any:
    """Let a live in, beat, and end it in each way; refuse one, and who says nothing."""
    w = begin("avatar-live-server")
    w.start()
    assert w.fire("beating")[:2] == ["ping", "send heartbeat"]
    assert w.told("message", "asked")[-1] == "call open_live"
    assert w.done("serving.talking.membership.deciding", code=1000, message="")[0] == "send ack"
    assert w.machine.status == "ready"
    assert w.told("message", "asked") == ["send twice"]
    w.fire("alive")
    w.told("heard", "heard")
    w.fire("alive")
    w.fire("asking")
    assert w.machine.ended
    for event, code, state in (
        ("stopped", 1000, "leaving"),
        ("drained", 1001, "parting"),
        ("fail", 4999, "failing"),
        ("done", 4999, "refusing"),
        ("failed", 4999, "refusing"),
        ("waiting", 4999, "failing"),
        ("lost.network", None, ""),
    ):
        for answered in (True, False):
            w.clauses += _let_go(begin, event, code, state, answered=answered)
    return w


def _let_go(begin: Begin, event: str, code: int | None, state: str, *, answered: bool) -> list[str]:
    w = begin("avatar-live-server")
    w.start()
    if event == "waiting":
        made = w.fire(event)
    else:
        w.told("message", "asked")
        match event:
            case "done":
                made = w.done("serving.talking.membership.deciding", code=4002, message="no")
            case "failed":
                made = w.failed("serving.talking.membership.deciding")
            case "fail":
                made = w.tell("fail", code=5000, message="broken")
            case "drained":
                made = w.tell("drained")
            case _:
                made = w.told("message" if event == "stopped" else "end", event)
    if code is not None:
        assert f"close {code}" in made
        assert ("send refusal" in made, "send error" in made) == (
            event in ("done", "failed"),
            event in ("fail", "waiting"),
        )
        w.told("closed", "closed") if answered else w.fire(state)
    assert w.machine.ended
    return w.clauses


def hiagent(begin: Begin) -> Any:
    """Find no room, clear up, wait, be let in, be used, be idle, be lost, and leave; and what each code leads to."""
    w = begin("hiagent-session", live_id="a", health_misses=1)
    w.start()
    assert w.tell("connect") == ["call join"]
    assert w.effects[0].arguments == {"live_id": "a"}
    assert w.failed("held.joining", code="4002") == ["call reap"]
    assert w.done("reaping", reaped=1) == ["emit reaped", "start waiting.backing_off: after redial"]
    assert w.fire("backing_off") == ["call join"]
    assert w.done("held.joining") == [
        "start held.active.trust.unproven: after proven_after",
        "start held.active.backend.well: after health_every",
        "start held.active.use.quiet: after idle_after",
    ]
    w.fire("proven_after")
    assert w.tell("touch")[-1] == "start held.active.use.used: after keep_every"
    assert w.fire("keep_every") == ["call keep"]
    w.failed("held.active.use.keeping", code="unreachable")
    assert "emit idle" in w.fire("idle_after")
    assert w.tell("touch")[-1] == "call keep"
    w.done("held.active.use.keeping")
    assert w.tell("lost", code="4007") == ["emit not_interrupted"]
    for end in ("failed", "done", "failed", "failed"):
        assert w.fire("health_every") == ["call health"]
        w.failed("held.active.backend.looking") if end == "failed" else w.done("held.active.backend.looking")
    assert w.here() == ("returning.leaving", "closing")
    assert w.failed("returning.leaving") == ["start returning.pausing: after leave_retry"]
    assert w.fire("leave_retry") == ["call leave"]
    assert w.tell("retry") == []
    assert w.done("returning.leaving") == ["call join"]
    w.tell("leave")
    w.tell("leave")
    assert (w.done("returning.leaving"), w.here(), w.machine.ended) == ([], ("left", "closed"), True)
    for code in ("4000", "4001", "4003", "4004", "429", "4006", "x"):
        w.clauses += _not_joined(begin, code)
    for parameters in ({"leave_tries": 0}, {"refresh_limit": 0, "rename_limit": 0, "max_attempts": 0}):
        w.clauses += _asked(begin, parameters)
    w.clauses += _unused(begin)
    return w


def _not_joined(begin: Begin, code: str) -> list[str]:
    other = begin("hiagent-session", live_id="a")
    other.start()
    other.tell("connect")
    other.failed("held.joining", code=code, retry_after=7.0)
    if code == "4001":
        assert other.done("refreshing") == ["call join"]
        other.tell("give_up")
        other.tell("give_up")
        other.done("returning.leaving")
    if code == "4003":
        assert other.done("returning.leaving")[0] == "emit asked"
        other.fire("operator_timeout")
    if code == "4004":
        assert other.done("renaming", live_id="b") == ["call join"]
        assert other.effects[0].arguments == {"live_id": "b"}
        other.failed("held.joining", code="4005")
    if code == "429":
        assert other.effects[-1].seconds == 7
        assert other.fire("told_to_wait") == ["call join"]
        other.failed("held.joining", code="5002")
        other.tell("give_up")
    assert other.here()[1] == {"4006": "waiting", "x": "closing"}.get(code, "failed")
    return other.clauses


def _asked(begin: Begin, parameters: dict[str, int]) -> list[str]:
    clauses = []
    for code in ("4001", "4002", "4003", "4004"):
        other = begin("hiagent-session", live_id="a", **parameters)
        other.start()
        other.tell("connect")
        other.failed("held.joining", code=code)
        for state in ("refreshing", "reaping", "returning.leaving", "renaming"):
            if other.here()[0] == state:
                other.failed(state)
        if other.here()[0] == "returning.pausing":
            other.fire("leave_retry")
            other.done("returning.leaving")
        assert other.here()[1] == ("waiting" if code == "4002" and "leave_tries" in parameters else "suspended")
        other.tell("leave")
        assert other.machine.ended
        clauses += other.clauses
    return clauses


def _unused(begin: Begin) -> list[str]:
    other = begin("hiagent-session", live_id="a")
    other.start()
    other.tell("connect")
    other.done("held.joining")
    other.fire("idle_after")
    other.fire("leave_idle_after")
    other.done("returning.leaving")
    assert other.machine.ended
    return other.clauses


STORIES = {
    "avatar-live": avatar, "avatar-live-server": avatar_server,
    "convai-session": convai, "hiagent-session": hiagent,
    "socketio-connection": socketio_connection, "socketio": socketio, "socketio-server": socketio_server,
    "socketio-heartbeat": socketio_heartbeat, "openhands-conversation": conversation,
    "connection": connection, "heartbeat": heartbeat, "handshake": handshake, "reconnect": reconnect, "refresh": refresh,
    "websocket": websocket, "resume": resume, "openclaw-gateway": openclaw, "openhands-conversation-server": openhands,
    "openhands-agent-server": agent_server,
    "livekit-agent-session": livekit, "session-lease": lease, "websocket-server": websocket_server,
    "provider": provider, "attempt": attempt,
}  # fmt: skip


ASKED = {"version": (4, 4, 4, 3), "means": ("websocket", "websocket", "websocket", "other")}
"""What a client may ask a server for, by the variables that take it; mostly what it should."""


@pytest.mark.parametrize("page", STORIES)
def test_its_story(page: str, begin: Begin) -> None:
    """A page does what it is for, from its start to an end: states, status, clauses and effects."""
    STORIES[page](begin)


def test_every_page_has_a_story() -> None:
    """No page is bundled that is not walked here."""
    assert sorted(STORIES) == list(bundled())


@pytest.mark.parametrize("page", STORIES)
def test_every_clause_fires(page: str, begin: Begin, wander: Callable[..., None]) -> None:
    """Between its story and some walks at random, each clause of a page and of the pages it uses happens."""
    dice, tried, definition = random.Random(page), Counter[Any](), read(page)
    fired = Counter(STORIES[page](begin).clauses)
    for given in list(_settings(definition)) * RUNS:
        walker = begin(page, **given)
        walker.start({name: dice.choice(ASKED[name]) for name in definition.variables if name in ASKED})
        wander(walker, dice, 60, tried)
        fired.update(walker.clauses)
    never = definition.clauses.keys() - fired.keys()
    assert not never, f"{page}: never exercised: {', '.join(sorted(never))}"


def _settings(definition: Definition) -> Iterator[dict[str, Any]]:
    """Each value of each flag and choice, once at least."""
    yield {}
    for name, parameter in definition.parameters.items():
        for value in {"flag": (True, False), "choice": parameter.of}.get(parameter.kind, ()):
            yield {name: value}
