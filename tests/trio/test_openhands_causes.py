"""What a client of a conversation makes of what its server says: refusals, closes, statuses and errors."""

import pytest
import trio

import lifecycle
from lifecycle.definition.read import read
from lifecycle.testing import Peer

from . import raw_socketio

PAGE = read("openhands-conversation")
OPEN = {**raw_socketio.OPEN, "pingInterval": 25000, "pingTimeout": 20000}
FAILS, STAYS, WAITS, ASKS = "failed", "ready", "waiting", "authenticating"


class Calls:
    """The conversation runs, and fresh credentials take for ever."""

    async def until_running(self, *, conversation):
        pass

    async def fresh_credentials(self):
        await trio.sleep_forever()


@pytest.fixture
def raw(tmp_path):
    """A peer that says nothing by itself."""
    page = tmp_path / "raw.yaml"
    page.write_text(raw_socketio.RAW)
    return page


def status(code, kind="error", words="words"):
    """A status update of the server."""
    return {"status_update": True, "type": kind, "id": code, "message": words}


def error(words, **more):
    """An error of the server."""
    return {"error": True, "message": words, **more}


async def joined(peer):
    """The newest client is let in."""
    link = await peer.connected()
    link.send(OPEN)
    link.send({"packet": "connect", "data": {"sid": "s"}})
    return link


TOLD = [
    (error("Session expired", error_code=401), "unauthorized.expired", ASKS),
    (error("Agent reached maximum iteration in headless mode."), "halted.reached_maximum", STAYS),
    (error("Something else."), "told.error", STAYS),
    (status("AGENT_ERROR$TOO_MANY_CONVERSATIONS"), "refused.too_many_conversations", FAILS),
    (status("CHAT_INTERFACE$AGENT_RATE_LIMITED_STOPPED_MESSAGE", "info"), "told.rate_limited", STAYS),
    (status("STATUS$ERROR_LLM_OUT_OF_CREDITS"), "told.out_of_credits", STAYS),
    (status("STATUS$ERROR_LLM_AUTHENTICATION"), "told.model_key", STAYS),
    (status("STATUS$ERROR_LLM_CONTENT_POLICY_VIOLATION"), "told.content_policy", STAYS),
    (status("STATUS$GIT_PROVIDER_AUTHENTICATION_ERROR"), "told.provider_key", STAYS),
    (status("STATUS$ERROR_MEMORY"), "told.trouble", STAYS),
    (status("STATUS$READY", "info"), None, STAYS),
    (status("STATUS$LLM_RETRY", "info"), None, STAYS),
    ({"id": 5, "source": "agent", "action": "message", "args": {}}, None, STAYS),
    ("no object at all", None, STAYS),
    ({"id": {"odd": 1}, "error": "yes"}, None, STAYS),
]


@pytest.mark.parametrize(
    ("said", "event", "state"), TOLD, ids=[str(event) + str(at) for at, (_, event, _) in enumerate(TOLD)]
)
async def test_what_is_told_is_delivered_and_understood(raw, said, event, state):
    """Whatever the server tells reaches the user; what it means decides where the connection goes, with a sentence."""
    async with (
        Peer(raw) as peer,
        lifecycle.open(PAGE, url=peer.url, transport=peer.dialer, calls=Calls(), conversation_id="c") as client,
    ):
        link = await joined(peer)
        await client.ready()
        steps = client.changes()
        link.send({"event": "oh_event", "args": [said]})
        assert await anext(client) == said
        await trio.sleep(0.1)
        assert client.status == state
        if event is None:
            assert client.counters.refused == 0
        else:
            step = await anext(steps)
            assert (step.event, bool(step.say)) == (event, True)
            assert (step.emitted.get("told") is not None) == event.startswith(("told", "halted"))
        paused = [each for each in peer.received if each.get("event") == "oh_user_action"]
        assert [each["args"][0]["args"] for each in paused] == [{"agent_state": "paused"}] * (
            event == "halted.reached_maximum"
        )


REFUSED = [
    ({"message": "No conversation_id in query params"}, "denied.no_conversation", FAILS),
    ({"message": "invalid_session_api_key"}, "unauthorized.session_key", ASKS),
    ({"message": "SESSION$TIMEOUT_MESSAGE"}, "unauthorized.expired", ASKS),
    ({"message": "Failed to access conversation events: gone"}, "denied.no_events", FAILS),
    ({"message": "Failed to join conversation"}, "lost.not_joined", WAITS),
    ({"message": "x", "data": {"code": "terms_not_accepted"}}, "denied.terms_not_accepted", FAILS),
    ({"message": "x", "data": {"code": "email_not_verified"}}, "denied.email_not_verified", FAILS),
    ({"message": "x", "data": {"code": "bearer_token"}}, "unauthorized.bearer_token", ASKS),
    ({"message": "x", "data": {"code": "validation_failed"}}, "lost.server_error", WAITS),
    ({"message": "x", "data": {"code": ["odd"]}}, "denied.by_server", FAILS),
    ({"message": "something new"}, "denied.by_server", FAILS),
]


@pytest.mark.parametrize(("answer", "event", "state"), REFUSED, ids=[event for _, event, _ in REFUSED])
async def test_how_connect_is_refused(raw, answer, event, state):
    """What the original says in words and this library's server by a code, each leads where it should, after one dial."""
    async with (
        Peer(raw) as peer,
        lifecycle.open(PAGE, url=peer.url, transport=peer.dialer, calls=Calls(), conversation_id="c") as client,
    ):
        link = await peer.connected()
        link.send(OPEN)
        link.send({"packet": "connect_error", "error": answer})
        await trio.sleep(0.1)
        assert (client.status, len(peer.dials)) == (state, 1)
        assert event in [step.event for step in client.history]


@pytest.mark.parametrize(("code", "state"), [(1000, WAITS), (1005, WAITS), (1001, WAITS), (1011, WAITS), (4000, WAITS)])
async def test_an_end_that_nobody_asked_for_is_a_loss(raw, code, state):
    """Whatever its code: a server ends a silent client as politely as one that it is done with."""
    async with (
        Peer(raw) as peer,
        lifecycle.open(PAGE, url=peer.url, transport=peer.dialer, calls=Calls(), conversation_id="c") as client,
    ):
        link = await joined(peer)
        await client.ready()
        link.close(code) if code != 1005 else link.drop()
        await trio.sleep(0.1)
        assert client.status == state


async def test_the_cursor_is_the_highest_id(raw):
    """Ids may come out of order; the next dial asks for what comes after the highest, and what comes twice is dropped."""
    async with (
        Peer(raw) as peer,
        lifecycle.open(
            PAGE,
            url=peer.url,
            transport=peer.dialer,
            calls=Calls(),
            conversation_id="c",
            providers_set="github",
            seed=1,
        ) as client,
    ):
        link = await joined(peer)
        for number in (0, 1, 5, 4):
            link.send({"event": "oh_event", "args": [{"id": number}]})
        assert [(await anext(client))["id"] for _ in range(4)] == [0, 1, 5, 4]
        link.drop()
        await trio.sleep(5)
        link = await joined(peer)
        link.send({"event": "oh_event", "args": [{"id": 4}]})
        link.send({"event": "oh_event", "args": [{"id": 6}]})
        rest = [await anext(client), await anext(client)]
        assert (rest[0].kind, rest[1]) == ("resumed", {"id": 6})
        assert "latest_event_id" not in peer.dials[0].request.resource
        assert "latest_event_id=5" in peer.dials[1].request.resource
        assert "providers_set=github" in peer.dials[1].request.resource
