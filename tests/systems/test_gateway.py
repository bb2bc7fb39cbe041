import contextlib
import logging

import pytest
import trio

import lifecycle
from lifecycle.observe import Trace
from lifecycle.systems.openclaw import Device, Gateway, GatewayCalls, open_gateway
from lifecycle.testing.peer import Peer

from .small_gateway import MAIN, TOKEN, Refused, SmallGateway


@contextlib.asynccontextmanager
async def opened(small: SmallGateway, **settings):
    """A peer that is a small gateway, and a client that is ready."""
    settings.setdefault("token", TOKEN)
    async with Peer(handler=small.serve) as peer, client(peer, **settings) as gateway:
        await gateway.ready()
        yield peer, gateway


def client(peer: Peer, **settings) -> Gateway:
    """A client of a peer."""
    return open_gateway(peer.url, transport=peer.dialer, seed=1, **settings)


async def test_what_a_gateway_says_of_itself(tmp_path):
    """Nothing before hello; then its hello, with the secrets veiled, and what is in it."""
    small = SmallGateway()
    async with Peer(handler=small.serve) as peer, client(peer, token=TOKEN, device=tmp_path / "key.pem") as gateway:
        assert (gateway.hello, dict(gateway.snapshot), gateway.session_key) == (None, {}, None)
        assert (gateway.protocol, gateway.server_version) == (None, None)
        await gateway.ready()
        assert gateway.hello["auth"]["deviceToken"] == "hidden-device-token"
        assert "hidden" not in repr(gateway.hello)
        assert (gateway.snapshot["uptimeMs"], gateway.session_key) == (1, MAIN)
        assert (gateway.protocol, gateway.server_version) == (4, "2026.9.6")
        assert (gateway.status, gateway.why) == ("ready", "")
        assert small.connects[0]["device"]["id"] == Device.load(tmp_path / "key.pem").id


async def test_info_tells_how_it_is():
    """Before, while it waits, when it is ready, and when ticks do not come."""
    small = SmallGateway()
    async with Peer(handler=small.serve) as peer:
        peer.refuse(1)
        async with client(peer, token=TOKEN) as gateway:
            first = gateway.info
            assert (first.connected, first.ready, first.last_connected, first.last_message) == (
                False,
                False,
                None,
                None,
            )
            await trio.sleep(1)
            waiting = gateway.info
            assert (waiting.status, waiting.attempts, waiting.dials) == ("waiting", 1, 1)
            assert waiting.next_try is not None
            assert "refused" in waiting.why
            await gateway.ready()
            ready = gateway.info
            assert (ready.connected, ready.ready, ready.dials, ready.missed_heartbeats) == (True, True, 2, 0)
            assert (ready.last_connected, ready.last_message) == (trio.current_time(), None)
            assert (ready.server_version, ready.protocol) == ("2026.9.6", 4)
            small.say("presence")
            await trio.sleep(20)
            assert gateway.info.last_message == pytest.approx(ready.last_connected, abs=0.1)
            small.say("tick", {"ts": 1})
            await trio.sleep(29)
            assert gateway.info.last_message == pytest.approx(ready.last_connected + 20, abs=0.1)
            assert gateway.info.missed_heartbeats == 0
            await trio.sleep(32)
            assert gateway.info.missed_heartbeats == 2
            assert gateway.info.attempts == 0
            gateway.disconnect()
            await trio.sleep(1)
            assert (gateway.info.connected, gateway.info.missed_heartbeats, gateway.status) == (False, 0, "closed")
            gateway.reconnect()
            await gateway.ready()


METHODS = {
    "chat.history": (lambda g: g.chat_history(MAIN), {"sessionKey": MAIN, "limit": 200}),
    "chat.abort": (lambda g: g.chat_abort(MAIN, "r"), {"sessionKey": MAIN, "runId": "r"}),
    "sessions.list": (lambda g: g.sessions_list(7), {"limit": 7}),
    "sessions.delete": (lambda g: g.sessions_delete("k", archived_only=True), {"key": "k", "archivedOnly": True}),
    "sessions.reset": (lambda g: g.sessions_reset("k"), {"key": "k"}),
    "sessions.compact": (lambda g: g.sessions_compact("k"), {"key": "k"}),
    "sessions.compaction.restore": (
        lambda g: g.sessions_compaction("restore", "k", "c"),
        {"key": "k", "checkpointId": "c"},
    ),
    "exec.approval.list": (lambda g: g.approvals_list(), {}),
    "exec.approval.get": (lambda g: g.approvals_get("i"), {"id": "i"}),
    "plugin.approval.resolve": (
        lambda g: g.approvals_resolve("i", "deny", "plugin"),
        {"id": "i", "decision": "deny"},
    ),
    "skills.status": (lambda g: g.skills_status(), {}),
    "skills.search": (lambda g: g.skills_search("git"), {"query": "git", "limit": 20}),
    "skills.detail": (lambda g: g.skills_detail("git"), {"slug": "git"}),
    "any.method": (lambda g: g.request("any.method", [1]), [1]),
    "other.method": (lambda g: g.request_or("other.method", fallback=7), {}),
}


@pytest.mark.parametrize("method", METHODS)
async def test_the_requests_by_name(method):
    """The method and the params that the gateway's protocol says; what comes back is its answer."""
    ask, params = METHODS[method]
    small = SmallGateway(answers={method: lambda params: {"it": "is"}})
    async with opened(small) as (_, gateway):
        assert await ask(gateway) == {"it": "is"}
        assert small.asked == [(method, params)]


async def test_short_forms_say_less():
    """What was not given is not sent."""
    answers = dict.fromkeys(("chat.abort", "sessions.delete", "sessions.compaction.list"), lambda params: params)
    async with opened(SmallGateway(answers=answers)) as (_, gateway):
        assert await gateway.chat_abort(MAIN) == {"sessionKey": MAIN}
        assert await gateway.sessions_delete("k") == {"key": "k"}
        assert await gateway.sessions_compaction("list", "k") == {"key": "k"}


async def test_a_method_that_is_not_known_has_a_fallback_until_the_next_hello():
    """It is asked for once, and again on another connection; other refusals are raised."""

    def busy(_):
        raise Refused("UNAVAILABLE", "busy")

    small = SmallGateway(answers={"busy": busy})
    async with opened(small) as (peer, gateway):
        assert [await gateway.request_or("new", fallback=7) for _ in range(3)] == [7, 7, 7]
        assert await gateway.request_or("new") is None
        with pytest.raises(lifecycle.RequestFailed):
            await gateway.request_or("busy")
        peer.link.drop()
        await trio.sleep(0.1)
        await gateway.ready()
        assert await gateway.connection.request("new", {}, fallback=1) == 1
        assert small.methods().count("new") == 2


# -- chat_send


async def test_what_is_sent_has_a_key():
    """One of its own each time, or the one that is given; with it the gateway's run is known."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        runs = [(await gateway.chat_send(MAIN, "hi"))["runId"] for _ in range(2)]
        assert len(set(runs)) == 2
        assert await gateway.chat_send(MAIN, "hi", key="k", attachments=[{"type": "image"}], deliver=True) == {
            "runId": "k",
            "status": "started",
        }
        assert small.asked[-1][1] == {
            "sessionKey": MAIN, "message": "hi", "deliver": True, "idempotencyKey": "k", "attachments": [{"type": "image"}],
        }  # fmt: skip
        assert set(small.asked[0][1]) == {"sessionKey", "message", "deliver", "idempotencyKey"}


async def sent_while_lost(small: SmallGateway, times: int, then=lambda peer, params: None):
    """What becomes of a message that a gateway takes, and then it is gone, so many times."""
    async with opened(small) as (peer, gateway):

        def lose(params):
            small.keys.append(params["idempotencyKey"])
            if len(small.keys) > times:
                return then(peer, params) or {"runId": params["idempotencyKey"], "status": "in_flight"}
            then(peer, None)
            return peer.link.drop()

        small.answers["chat.send"] = lose
        return await gateway.chat_send(MAIN, "hi")


async def test_a_message_whose_connection_is_lost_is_said_again_with_its_key():
    """The second time the gateway knows it."""
    small = SmallGateway()
    assert (await sent_while_lost(small, 1))["status"] == "in_flight"
    assert len(small.keys) == 2
    assert len(set(small.keys)) == 1


async def test_a_message_that_is_lost_twice_is_told():
    """Nobody knows whether it has arrived; it is not tried a third time."""
    small = SmallGateway()
    with pytest.raises(lifecycle.MaybeDelivered):
        await sent_while_lost(small, 9)
    assert len(small.keys) == 2


async def test_a_message_for_which_no_other_connection_comes_is_told():
    """The gateway is gone for good: what is known of the first try is told."""
    small = SmallGateway()
    with pytest.raises(lifecycle.MaybeDelivered):
        await sent_while_lost(small, 9, lambda peer, params: peer.refuse(1000))
    assert len(small.keys) == 1


async def test_a_second_try_that_is_refused_is_told_as_it_is():
    """The gateway's own words count."""

    def refuse(peer, params):
        if params is not None:
            raise Refused("INVALID_REQUEST", "no such session")

    with pytest.raises(lifecycle.RequestFailed, match="no such session"):
        await sent_while_lost(SmallGateway(), 1, refuse)


# -- credentials


async def test_a_wrong_token_is_tried_three_times():
    """Two refreshes, and then the sentence."""
    async with Peer(handler=SmallGateway().serve) as peer, client(peer, token="hidden-wrong") as gateway:
        with pytest.raises(lifecycle.ConnectionFailed, match="does not accept the token") as failed:
            await gateway.ready()
        assert len(peer.dials) == 3
        assert "hidden" not in str(failed.value) + repr(gateway.connection.history)


async def test_a_token_that_changes_is_asked_for():
    """The gateway says 4001; the next token is the right one."""
    small, tokens = SmallGateway(), []

    async def token():
        tokens.append(small.token)
        return small.token

    async with opened(small, token=token) as (peer, gateway):
        small.token = "another"
        peer.link.close(4001, "gateway auth changed")
        await trio.sleep(1)
        await gateway.ready()
        assert tokens == [TOKEN, "another"]


# -- the door


class Boom(Exception):
    """A body's own."""


async def test_what_the_body_raises_leaves_as_it_is():
    """Never in a group."""

    async def story():
        async with opened(SmallGateway()):
            raise Boom

    with pytest.raises(Boom):
        await story()


async def test_a_cancelled_body_leaves_at_once():
    """Nothing is raised, and nothing is waited for."""
    async with Peer(handler=SmallGateway().serve) as peer:
        began = trio.current_time()
        with trio.move_on_after(5) as scope:
            async with client(peer, token=TOKEN):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == began + 5


async def until_it_fails(gateway: Gateway, fail):
    """A body that waits for ever."""
    async with gateway:
        await gateway.ready()
        fail()
        await trio.sleep_forever()


async def test_a_fault_of_ours_ends_the_body_and_is_told_as_it_is(monkeypatch):
    """A task of ours dies: the body is cancelled, the connection is closed, and the fault comes out alone."""
    small = SmallGateway()
    async with Peer(handler=small.serve) as peer:
        gateway = client(peer, token=TOKEN)
        monkeypatch.setattr(gateway._dispatch, "_hand", lambda message: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await until_it_fails(gateway, lambda: small.say("presence"))
        assert gateway.status == "closed"


async def test_the_bodys_own_error_comes_before_a_fault_of_ours(monkeypatch):
    """It is not replaced."""
    small = SmallGateway()

    async def story():
        async with gateway:
            await gateway.ready()
            small.say("presence")
            try:
                await trio.sleep_forever()
            finally:
                raise Boom

    async with Peer(handler=small.serve) as peer:
        gateway = client(peer, token=TOKEN)
        monkeypatch.setattr(gateway._dispatch, "_hand", lambda message: 1 / 0)
        with pytest.raises(Boom):
            await story()


async def test_a_driver_that_fails_is_told():
    """As by the connection itself."""
    async with Peer(handler=SmallGateway().serve) as peer:
        gateway = client(peer, token=TOKEN)
        with pytest.raises(lifecycle.DriverFailed, match="ours"):
            await until_it_fails(gateway, lambda: gateway.connection._driver.fail(RuntimeError("ours")))


async def test_it_runs_once():
    """Again is told at once."""
    async with opened(SmallGateway()) as (_, gateway):
        with pytest.raises(lifecycle.ConnectionEnded):
            await gateway.__aenter__()
    with pytest.raises(lifecycle.ConnectionEnded):
        await gateway.__aenter__()


def test_wrong_arguments_are_told(tmp_path):
    """Those of the page, of the calls, and both at once."""
    with pytest.raises(lifecycle.WrongParameters, match="colour"):
        open_gateway("ws://localhost/", token="t", colour="red")
    with pytest.raises(TypeError, match="calls"):
        open_gateway("ws://localhost/", token="t", calls=GatewayCalls("t"))
    (tmp_path / "key.pem").write_text("none")
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(lifecycle.WrongParameters, match="holds no Ed25519 key"):
        open_gateway("ws://localhost/", token="t", device=str(tmp_path / "key.pem"))
    assert isinstance(open_gateway("ws://localhost/", token="t", device=Device.create()), Gateway)


async def test_secrets_are_written_nowhere(tmp_path, caplog):
    """Not into a trace, a log, a step or an exception: tokens, keys, and what a hello brings."""
    caplog.set_level(logging.DEBUG)
    small = SmallGateway(token="hidden-token")
    with Trace(tmp_path / "trace.jsonl") as trace:
        calls = GatewayCalls("hidden-token", Device.create(), password="hidden-password")
        async with opened(small, token=None, calls=calls, instruments=[trace]) as (peer, gateway):
            small.token = "hidden-other"
            peer.link.drop()
            await trio.sleep(0.1)
            with pytest.raises(lifecycle.ConnectionFailed) as failed:
                await gateway.ready()
            shown = f"{failed.value!r} {failed.value} {gateway!r} {gateway.info} {gateway.connection.history!r}"
    written = (tmp_path / "trace.jsonl").read_text(encoding="utf-8")
    assert '"done.online.up.greeting.answering"' in written
    assert "hidden" not in written + caplog.text + shown
    assert small.connects[0]["auth"] == {"token": "hidden-token", "password": "hidden-password"}
