"""The page in its own right, run on trio: what is told to it, where it then is, and what it tells."""

import pytest
import trio

import lifecycle

MODELS = ("stt", "llm", "tts")


def opened(**settings):
    """A session that is run."""
    return lifecycle.open("livekit-agent-session", **settings)


def begin(session):
    """Start it, and listen."""
    session.tell("started")
    session.tell("agent.listens")


def told(session, event):
    """What it has told by this name, in order."""
    return [step.emitted[event] for step in session.history if event in step.emitted]


def state(session, region):
    """Where one of its regions is."""
    return next(path.split(".", 2)[2] for path in session.state if path.startswith(f"running.{region}."))


def err(session, *kinds, recoverable=False):
    """Models fail, one after the other."""
    for kind in kinds:
        session.tell(f"error.{kind}", recoverable=recoverable, error={"label": kind}, source={"model": "m"})


TRANSITIONS = {
    "initializing": {"listens": "listening"},
    "listening": {"thinks": "thinking", "speaks": "speaking"},
    "thinking": {"speaks": "speaking", "listens": "listening", "pauses": "listening"},
    "speaking": {"listens": "listening", "thinks": "thinking", "pauses": "listening"},
}
WAYS = {
    "initializing": (),
    "listening": ("listens",),
    "thinking": ("listens", "thinks"),
    "speaking": ("listens", "speaks"),
}


@pytest.mark.parametrize("old", TRANSITIONS)
@pytest.mark.parametrize("event", ["listens", "thinks", "speaks", "pauses"])
async def test_the_agents_transitions(old, event):
    """Each of the table is told with both states, and nothing else is a transition; the same state is told by nobody."""
    async with opened() as session:
        session.tell("started")
        for each in WAYS[old]:
            session.tell(f"agent.{each}")
        before = len(told(session, "agent_state_changed"))
        session.tell(f"agent.{event}")
        new = TRANSITIONS[old].get(event, old)
        assert state(session, "agent").split(".")[0] == new
        changes = told(session, "agent_state_changed")[before:]
        assert changes == ([{"old_state": old, "new_state": new}] if new != old else [])


@pytest.mark.parametrize("kind", MODELS)
async def test_the_fourth_error_closes(kind):
    """Three are borne; recoverable ones are told, and counted by nobody."""
    async with opened() as session:
        begin(session)
        err(session, *[kind] * 9, recoverable=True)
        err(session, *[kind] * 3)
        assert (session.status, session.variables[f"{kind}_errors"]) == ("ready", 3)
        err(session, kind)
        assert session.status == "closing"
        assert len(told(session, "error")) == 13
        session.tell("torn_down")
        assert told(session, "close") == [{"reason": "error", "error": {"label": kind}}]
        assert session.state == ("closed",)


async def test_each_model_has_a_count_of_its_own():
    """Nine errors are borne if there are three of each."""
    async with opened() as session:
        begin(session)
        err(session, *MODELS * 3)
        assert session.status == "ready"
        err(session, "tts")
        assert session.status == "closing"


async def test_three_fail_one_comes_four_fail():
    """To speak is to have recovered, and it closes at the last one; to go on speaking is not."""
    async with opened() as session:
        begin(session)
        err(session, "llm", "llm", "llm", "tts", "stt")
        session.tell("agent.speaks")
        assert [session.variables[f"{kind}_errors"] for kind in MODELS] == [1, 0, 0]
        err(session, "llm")
        session.tell("agent.speaks")
        assert session.variables["llm_errors"] == 1
        session.tell("agent.listens")
        err(session, "llm", "llm")
        assert session.status == "ready"
        err(session, "llm")
        assert session.status == "closing"


@pytest.mark.parametrize(("text", "final", "errors"), [("a", True, 0), ("a", False, 0), ("", True, 2), ("", False, 2)])
async def test_who_is_understood_has_recovered(text, final, errors):
    """Final or not; to have understood nothing proves nothing."""
    async with opened() as session:
        begin(session)
        err(session, "stt", "stt", "llm")
        session.tell("user_input_transcribed", transcript=text, is_final=final)
        assert (session.variables["stt_errors"], session.variables["llm_errors"]) == (errors, 1)
        (transcribed,) = told(session, "user_input_transcribed")
        assert (transcribed["transcript"], transcribed["is_final"]) == (text, final)


async def test_a_realtime_model_closes_at_once():
    """If it does not recover by itself; the detection of interruptions never does."""
    async with opened() as session:
        begin(session)
        err(session, *["interruption"] * 9)
        assert told(session, "error") == []
        err(session, "realtime", recoverable=True)
        assert session.status == "ready"
        err(session, "realtime")
        assert (session.status, session.variables["reason"]) == ("closing", "error")


async def test_errors_while_it_closes_are_nobodys():
    """They are told, and the reason stays."""
    async with opened() as session:
        begin(session)
        session.tell("shutdown")
        err(session, *MODELS * 4, "realtime")
        assert [session.variables[f"{kind}_errors"] for kind in MODELS] == [0, 0, 0]
        session.tell("torn_down")
        assert told(session, "close") == [{"reason": "user_initiated", "error": None}]


ENDS = {
    "aclose": "user_initiated",
    "shutdown": "user_initiated",
    "job_shutdown": "job_shutdown",
    "task_completed": "task_completed",
    "participant.gone": "participant_disconnected",
}


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
async def test_it_closes_once_for_the_first_reason(first, second):
    """Whatever else is asked for meanwhile; what is told of the rest until then goes on."""
    async with opened() as session:
        begin(session)
        session.tell(first)
        session.tell(second)
        session.tell("agent.speaks")
        session.tell("torn_down")
        with pytest.raises(lifecycle.IllegalEvent):
            session.tell(second)
        assert told(session, "close") == [{"reason": ENDS[first], "error": None}]


@pytest.mark.parametrize(("drain", "takes"), [(True, 120), (False, 60)])
async def test_a_teardown_that_never_ends_is_given_up(drain, takes):
    """It is bounded, with what is said to the end and without; then it tells of its close all the same."""
    async with opened() as session:
        begin(session)
        session.tell("shutdown", drain=drain)
        assert state(session, "life") == ("draining" if drain else "closing")
        await trio.sleep(takes - 0.1)
        assert session.status == "closing"
        await trio.sleep(0.2)
        assert (session.state, len(told(session, "close"))) == (("closed",), 1)


async def test_before_it_is_started_nothing_is_closed():
    """And nothing is told; it can be started afterwards."""
    async with opened() as session:
        for event in ("aclose", "shutdown", "torn_down", "user.speaks"):
            session.tell(event)
        assert (session.state, session.status) == (("not_started",), "idle")
        begin(session)
        assert session.status == "ready"
    assert [len(told(session, "close")), session.state] == [1, ("closed",)]


AWAY = [{"old_state": "listening", "new_state": "away"}]


async def test_the_user_is_away_after_a_while():
    """While both listen, for the whole of the time; each sign of the user, and each turn, begins it anew."""
    async with opened() as session:
        begin(session)
        for event, fields in (
            ("user.present", {}),
            ("participant.linked", {}),
            ("user_input_transcribed", {"transcript": "", "is_final": True}),
            ("agent.thinks", {}),
        ):
            await trio.sleep(14)
            session.tell(event, **fields)
        await trio.sleep(99)
        session.tell("agent.listens")
        await trio.sleep(14)
        session.tell("user_input_transcribed", transcript="a", is_final=False)
        assert told(session, "user_state_changed") == []
        await trio.sleep(1.1)
        assert told(session, "user_state_changed") == AWAY


@pytest.mark.parametrize(
    ("event", "fields", "then"),
    [
        ("user.speaks", {}, "speaking"),
        ("user.claims", {}, "speaking"),
        ("user.present", {}, "listening"),
        ("participant.linked", {}, "listening"),
        ("user_input_transcribed", {"transcript": "", "is_final": True}, "listening"),
        ("user_input_transcribed", {"transcript": "a", "is_final": False}, "away"),
        ("agent.speaks", {}, "away"),
    ],
)
async def test_and_back(event, fields, then):
    """By voice, key or words; not by what the agent does."""
    async with opened() as session:
        begin(session)
        session.tell("user.leaves")
        assert told(session, "user_state_changed") == AWAY
        session.tell(event, **fields)
        back = [{"old_state": "away", "new_state": then}] if then != "away" else []
        assert told(session, "user_state_changed")[1:] == back


async def test_nobody_is_away_while_tools_run_or_nobody_is_there():
    """Until the last tool has ended; then the time begins anew."""
    async with opened(most_tools=3) as session:
        begin(session)
        for _ in range(3):
            session.tell("tool.started", function_call={"name": "look"})
        for _ in range(2):
            session.tell("tool.ended", call_id="c", status="done")
        await trio.sleep(99)
        session.tell("tool.ended", call_id="c", status="done")
        await trio.sleep(14)
        session.tell("participant.away")
        await trio.sleep(99)
        session.tell("participant.linked")
        await trio.sleep(14)
        session.tell("shutdown")
        await trio.sleep(20)
        assert told(session, "user_state_changed") == []
        assert [each["update"]["type"] for each in told(session, "tool_execution_updated")] == [
            *["tool_call_started"] * 3,
            *["tool_call_ended"] * 3,
        ]


async def test_nobody_is_ever_away():
    """If there is no time for it."""
    async with opened(away_timeout=None) as session:
        begin(session)
        await trio.sleep(3600)
        assert state(session, "user") == "listening"


async def test_a_claimed_turn_is_the_users():
    """Whatever is heard; what the user does in truth counts when the turn is given back."""
    async with opened() as session:
        begin(session)
        session.tell("user.claims")
        session.tell("user.silent")
        await trio.sleep(99)
        assert state(session, "user") == "speaking.claimed"
        session.tell("user.releases", speaking=True)
        assert state(session, "user") == "speaking.heard"
        session.tell("user.claims")
        session.tell("user.releases", speaking=False)
        assert told(session, "user_state_changed") == [
            {"old_state": "listening", "new_state": "speaking"},
            {"old_state": "speaking", "new_state": "listening"},
        ]


async def test_a_false_interruption_is_resumed():
    """The agent listens, and goes on when the user has been silent for a while."""
    async with opened() as session:
        begin(session)
        session.tell("agent.speaks")
        session.tell("user.speaks")
        session.tell("agent.pauses")
        await trio.sleep(9)
        assert state(session, "agent") == "listening.paused"
        session.tell("user.silent")
        await trio.sleep(2.1)
        assert state(session, "agent") == "speaking"
        assert told(session, "agent_false_interruption") == [{"resumed": True}]
        assert told(session, "agent_state_changed")[-1] == {"old_state": "listening", "new_state": "speaking"}


@pytest.mark.parametrize(
    ("event", "fields", "then"),
    [
        ("user_input_transcribed", {"transcript": "stop", "is_final": True}, "listening.waiting"),
        ("user_input_transcribed", {"transcript": "", "is_final": True}, "speaking"),
        ("agent.listens", {}, "listening.waiting"),
        ("agent.thinks", {}, "thinking"),
    ],
)
async def test_a_true_one_is_not(event, fields, then):
    """Words end the pause, and so does the program."""
    async with opened() as session:
        begin(session)
        for each in ("agent.speaks", "user.speaks", "agent.pauses", "user.silent"):
            session.tell(each)
        session.tell(event, **fields)
        await trio.sleep(3)
        assert state(session, "agent") == then


PASSED_ON = {
    "user_transcription_timeout": {"speech_duration": 1.5, "vad_speech_started_at": 2.0},
    "speech_created": {"user_initiated": True, "source": "say"},
    "conversation_item_added": {"item": {"type": "message"}},
    "function_tools_executed": {"function_calls": [1], "function_call_outputs": [2]},
    "agent_false_interruption": {"resumed": False},
}


@pytest.mark.parametrize("event", PASSED_ON)
async def test_what_moves_nothing_is_passed_on(event):
    """To whoever follows the session, with its fields."""
    async with opened() as session:
        begin(session)
        before = session.state
        session.tell(event, **PASSED_ON[event])
        assert (told(session, event), session.state) == ([PASSED_ON[event]], before)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("tool.updated", {"id": "i", "call_id": "c", "message": "m", "silent": False}),
        ("tool.reply_updated", {"update_ids": ["i"], "speech_id": "s", "status": "completed"}),
    ],
)
async def test_what_a_tool_says_on_its_way(event, fields):
    """It is told as one event with its kind."""
    async with opened() as session:
        begin(session)
        session.tell(event, **fields)
        kind = f"tool_{'call' if event == 'tool.updated' else 'reply'}_updated"
        assert told(session, "tool_execution_updated") == [{"update": {"type": kind, **fields}}]
