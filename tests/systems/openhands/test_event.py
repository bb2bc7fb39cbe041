import pytest

from lifecycle.systems.openhands.event import DEEPEST, LARGEST, checked, state_event, state_of, users_event


def nested(depth: int):
    """An event so many levels deep."""
    value: object = 0
    for _ in range(depth - 2):
        value = [value]
    return {"args": value}


@pytest.mark.parametrize("event", [{"args": {"a": [1, None, "ä\ud800", (2,)]}}, nested(DEEPEST), {}])
def test_what_can_be_written_is_taken(event):
    """As it is."""
    assert checked(event) is event


@pytest.mark.parametrize(
    ("event", "error", "words"),
    [
        (7, TypeError, "a mapping, not int"),
        ({"args": b"bytes"}, TypeError, "bytes"),
        ({"args": float("nan")}, ValueError, "JSON"),
        (nested(DEEPEST + 1), ValueError, "at most 100 deep"),
        (nested(100_000), ValueError, "at most 100 deep"),
        ({"args": "x" * LARGEST}, ValueError, "at most 8388608 bytes"),
    ],
)
def test_what_no_client_could_be_sent_is_refused(event, error, words):
    """Before it is in a log, where it would break every replay."""
    with pytest.raises(error, match=words):
        checked(event)


def test_of_an_action_only_what_is_the_users_is_taken():
    """Who it is from, its id and whatever else he says of it is not his to say."""
    action = {"action": "message", "args": {"content": "hi"}, "id": 3, "source": "agent", "observation": "x"}
    assert users_event(action) == {"source": "user", "action": "message", "args": {"content": "hi"}}
    assert users_event({"action": "stop"}) == {"source": "user", "action": "stop", "args": {}}


@pytest.mark.parametrize("action", [None, [], "message", {}, {"action": 7}, {"action": "message", "args": [1]}])
def test_what_is_no_action_is_refused(action):
    """With the shape that it should have."""
    with pytest.raises(TypeError, match="an object with a text `action` and an object `args`"):
        users_event(action)


@pytest.mark.parametrize(
    "event", [{}, {"observation": "run", "extras": {"agent_state": "x"}}, state_event("x") | {"extras": 7}]
)
def test_an_event_may_tell_no_state(event):
    """Or have it in another shape."""
    assert state_of(event) is None
    assert state_of(state_event("running")) == "running"
