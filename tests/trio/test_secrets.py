"""A secret shows itself nowhere: in no log at DEBUG, no repr, no sentence, no trace, no drawing, no traceback."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
import lifecycle.trio.driver
import lifecycle.trio.transports.websockets
import lifecycle.trio.transports.websockets_opening
from lifecycle.definition.parameters import parameter_values
from lifecycle.definition.read import read_text
from lifecycle.draw.drawing import text as drawn
from lifecycle.errors import ConnectionFailed, LifecycleError, WrongParameters
from lifecycle.machine import effects as do
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.tables import table_of
from lifecycle.trio.connection import Connection
from lifecycle.trio.driver import Driver
from lifecycle.wire.dial_request import DialRequest

from .ears import ASKED, BUILT_IN, HUSH, PASSWORD, QUERY, RESULT, Do, Eavesdropper, hush
from .peer import REFUSED, URL, Peer, closing, gateway, http, stall

LIBRARIES = {
    "tap": {"library": "trio-websocket"},
    "no tap": {"library": "trio-websocket", "tapped": False},
    "websockets": {"library": "websockets"},
}


@pytest.fixture(params=LIBRARIES.values(), ids=LIBRARIES)
def dialling(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each library in turn."""
    return request.param


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Eavesdropper:
    """Everything that is logged, at the lowest level."""
    caplog.set_level(logging.DEBUG)
    ears, carry_out = Eavesdropper(caplog), lifecycle.trio.driver.carry_out

    def carried(driver: Driver, effects: tuple[do.Effect, ...]) -> None:
        ears.effects += effects
        carry_out(driver, effects)

    monkeypatch.setattr(lifecycle.trio.driver, "carry_out", carried)
    return ears


def answers(message: dict[str, Any]) -> list[Any]:
    """The peer's part: it answers some of what is asked."""
    if message["t"] != "request" or message["method"] == "silence":
        return []
    return [{"t": "answer", "id": message["id"], "ok": message["method"] == "ask", "result": 1, "error": "no"}]


async def whole_life(peer: Peer, heard: Eavesdropper) -> None:
    """Sign, ask, lose the connection with something on its way, heal, and say goodbye."""
    params = {"key": ASKED}
    async with hush(peer) as connection:
        heard.connection(connection)
        heard.shown(early=connection.post({"t": "say", "key": ASKED}))
        await connection.ready()
        heard.connection(connection)
        assert await connection.request("ask", params) == 1
        for method in ("refuse", "silence"):
            with pytest.raises(LifecycleError) as caught:
                await connection.request(method, params, timeout=1)
            heard.raised(caught.value)
        reply = connection.ask("silence", params)
        heard.shown(reply=reply, ticket=reply.ticket, sent=await connection.send({"t": "say", "key": ASKED}))
        heard.connection(connection)
        connection.tell("reconnect")
        with pytest.raises(LifecycleError) as caught:
            await reply.wait()
        heard.raised(caught.value)
        await connection.ready()
    heard.shown(requests=peer.requests)
    heard.connection(connection)
    hello, *_ = peer.heard
    assert (hello["password"], hello["token"], hello["spare"]) == (PASSWORD, RESULT, BUILT_IN)  # type: ignore[call-overload, index]  # decoded
    assert all(message["password"] == PASSWORD for message in peer.heard if message["t"] == "request")  # type: ignore[call-overload, index]  # as above
    assert peer.requests[0].resource == f"/path?secret={QUERY}&key={PASSWORD}"
    assert peer.requests[0].headers == (("Authorization", PASSWORD),)


async def test_all_goes_well(dialling: dict[str, Any], heard: Eavesdropper) -> None:
    """From the dial to the goodbye, with requests that are answered, refused, late and lost."""
    async with Peer(gateway(answers), **dialling) as peer:
        await whole_life(peer, heard)
    assert heard.leaks() == []
    assert "trio-websocket" in heard.loggers  # the peer's, at least


async def test_a_library_that_is_not_hushed(heard: Eavesdropper, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a logger of its own, `websockets` shows headers and queries: it would be noticed."""
    for module in (lifecycle.trio.transports.websockets, lifecycle.trio.transports.websockets_opening):
        monkeypatch.setattr(module, "QUIET", logging.getLogger("websockets.client"))
    async with Peer(gateway(answers), library="websockets") as peer:
        await whole_life(peer, heard)
    leaks = heard.leaks()
    assert any(leak.startswith("log of websockets.client") and PASSWORD in leak for leak in leaks)
    assert all(leak.startswith("log of websockets.client") for leak in leaks)


BAD_PEERS = {
    "401": http(401),
    "503": http(503),
    "refused": REFUSED,
    "closed": closing(1008, "no"),
    "never answered": stall,
}


@pytest.mark.parametrize("act", BAD_PEERS.values(), ids=BAD_PEERS)
async def test_nothing_goes_well(act: Any, dialling: dict[str, Any], heard: Eavesdropper) -> None:
    """A dial that is refused, in the handshake and after it, or never answered: what is told is told without it."""
    async with Peer(act, **dialling) as peer:
        async with hush(peer, max_attempts=1) as connection:
            for wait in (connection.ready(1), connection.ready(), anext(connection), connection.send("x")):
                with pytest.raises(LifecycleError) as caught:
                    await wait
                heard.raised(caught.value)
                heard.connection(connection)
        heard.shown(requests=peer.requests)
    assert heard.leaks() == []


# What the embedder does with it


def chained(password: str) -> None:
    """Raise from another error, with a note."""
    try:
        {}[password]
    except KeyError as error:
        error.add_note(f"it was {password}")
        raise RuntimeError("no key") from error


def grouped(password: str) -> None:
    """Raise several errors."""
    raise ExceptionGroup(f"with {password}", [ValueError(password), OSError(5, password)])


def chosen(password: str) -> None:
    """Raise the error that has a code."""
    raise lifecycle.CallFailed("locked", f"{password} is locked")


def plain(password: str) -> None:
    """Raise."""
    raise ValueError(f"bad password {password!r}: {password}")


BAD_CALLS: dict[str, Do] = {
    "raises": plain,
    "raises from": chained,
    "raises several": grouped,
    "chooses its code": chosen,
    "returns it": lambda password: password,
    "returns it as a wrong shape": lambda password: {"frame": {}, "token": [password]},
    "returns a key": lambda password: {"frame": {}, "token": "", password: 1},
}


@pytest.mark.parametrize("do", BAD_CALLS.values(), ids=BAD_CALLS)
async def test_a_call_that_fails(do: Do, heard: Eavesdropper) -> None:
    """What its exceptions say is told, but for what is known to be secret."""
    async with Peer(gateway()) as peer, hush(peer, do) as connection:
        with pytest.raises(ConnectionFailed) as caught:
            await connection.ready()
        heard.raised(caught.value)
        heard.connection(connection)
        (told,) = [step.emitted["unsigned"] for step in connection.history if step.emitted]
        heard.shown(message=told["message"])
        assert "sign" in connection.why or "locked" in connection.why
    assert heard.leaks() == []
    assert peer.heard == []


async def test_a_frame_that_cannot_be_written(heard: Eavesdropper) -> None:
    """Whatever becomes of the connection, the secrets beside what is wrong are not shown."""
    async with Peer(gateway()) as peer:
        with pytest.raises(LifecycleError) as caught:  # in the body, or at the door
            async with hush(peer, lambda _: {"frame": {"wrong": {1}}, "token": RESULT}) as connection:
                await anext(connection)
        heard.raised(caught.value)
        heard.connection(connection)
    assert heard.leaks() == []


# What stands in parameters


@pytest.mark.parametrize("wrong", [[PASSWORD], {PASSWORD: 1}, PASSWORD.encode(), Exception(PASSWORD)], ids=type)
def test_a_secret_of_a_wrong_type(wrong: object, heard: Eavesdropper) -> None:
    """It is refused at the door, and not shown there."""
    for given in ({"token": wrong}, {"token": PASSWORD, "proven_after": "5"}, {"tokne": wrong}):
        with pytest.raises(WrongParameters) as caught:
            lifecycle.open("websocket", url=URL, **given)
        heard.raised(caught.value)
    assert heard.leaks() == []


@pytest.mark.parametrize("token", [f"{PASSWORD}\n", f"Bearer {PASSWORD}\x00", f"\N{SNOWMAN} {PASSWORD}"], ids=ascii)
async def test_a_secret_that_is_no_header(token: str, heard: Eavesdropper) -> None:
    """The dial fails, and tells which header it was."""
    async with (
        Peer(gateway()) as peer,
        lifecycle.open("websocket", url=URL, transport=peer, token=token, max_attempts=0) as connection,
    ):
        with pytest.raises(ConnectionFailed, match="Authorization") as caught:
            await connection.ready()
        heard.raised(caught.value)
        heard.connection(connection)
    assert heard.leaks() == []


URLS = (
    f"https://peer.example/?token={QUERY}",
    f"https://peer.example/#{QUERY}",
    f"ws://peer.example:65536/?token={QUERY}",
    f"ws://peer.example:0/?token={QUERY}",
    f"ws://[peer.example/?token={QUERY}",
    f"ws:///?token={QUERY}",
    f"ws://me:{QUERY}@peer.example/",
    f"ws://me:{QUERY}\N{ACCOUNT OF}@peer.example/",
    f"ws://peer.example/#{QUERY}",
    f"ws://peer.example/?token={QUERY} ",
)


@pytest.mark.parametrize("url", URLS, ids=lambda url: ascii(url.replace(QUERY, "…")))
def test_a_url_that_cannot_be_dialled(url: str, heard: Eavesdropper) -> None:
    """Neither the parameter nor the request shows what stands in its query, or before its host."""
    for refuse in (lambda: lifecycle.open("websocket", url=url), lambda: DialRequest.parse(url)):
        with pytest.raises((WrongParameters, ValueError)) as caught:
            refuse()
        heard.raised(caught.value)
    assert heard.leaks() == []


def test_what_a_machine_asks_for(heard: Eavesdropper) -> None:
    """No effect shows a value, the address to dial among them."""
    definition = read_text(HUSH)
    values = {"url": f"{URL}?secret={QUERY}", "password": PASSWORD}
    machine = Machine(table_of(definition), parameter_values(definition, values))
    effects = [*machine.start(), *machine.receive(Event("connect"))]
    assert any(isinstance(effect, do.Open) for effect in effects)
    heard.shown(effects=effects)
    assert heard.leaks() == []


@pytest.mark.parametrize("format_", ["mmd", "dot", "md"])
def test_a_drawing(format_: str, heard: Eavesdropper) -> None:
    """The default of a secret is in no diagram and in no table, nor in the page as it is held."""
    definition = read_text(HUSH)
    drawing = drawn(definition, format_)
    assert "signing" in drawing
    heard.shown(drawing=drawing, definition=definition, parameters=definition.parameters)
    assert heard.leaks() == []


# The other side


GATE = """
lifecycle: 1
page: gate
role: server
variables:
  key:   {kept: secret, from: query.key}
  token: {kept: secret, from: headers.authorization}
hears: {disconnect: {}}
calls: {check: {takes: {key: secret, token: secret}, timeout: 5 s}}
causes: [{otherwise: true, is: lost}]
messages:
  codec: json
  routes: [{deliver: true}]
  frames: {welcome: {key: =key, token: =token}}
states:
  serving:
    exit: drop
    states:
      checking:
        status: authenticating
        call: {check: {key: =key, token: =token}}
        clauses:
          G1: {on: done, do: [admit, {send: welcome}], to: live}
          G2: {on: failed, do: {emit: {wrong: {message: =event.message}}}, to: refusing}
      refusing: {status: closing, enter: {refuse: {http: 403}}, clauses: {G3: {to: over}}}
      live: {status: ready, rest: true}
    clauses: {G4: {on: [lost, disconnect], to: over}}
  over: {status: closed, final: done}
"""
"""A server that reads secrets from the request, and tells them in a frame."""
BAD_REQUESTS = (
    f"GET /?key={PASSWORD} HTTP/1.1\r\nHost: h\r\nAuthorization: {PASSWORD}\r\n\r\n",
    f"GET /?key={PASSWORD} HTTP/1.1\r\nHost: h\r\nAuthorization {PASSWORD}\r\n\r\n",
    f"{PASSWORD} /?key={PASSWORD} HTTP/1.1\r\n\r\n",
    f"GET /?key={PASSWORD} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {PASSWORD}\r\n\r\n",
    f"GET /?key={PASSWORD} HTTP/1.1\r\nAuthorization: {PASSWORD}",
)


class Checks:
    """The call of the server: the first client is let in."""

    clients = 0

    async def check(self, *, key: str, token: str) -> None:
        """Check."""
        assert key == token == PASSWORD
        self.clients += 1
        if self.clients > 1:
            raise PermissionError(f"{key} again")


async def _malformed(port: int) -> AsyncIterator[bytes]:
    for request in BAD_REQUESTS:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request.encode())
            await stream.send_eof()
            yield b"".join([part async for part in stream])


@pytest.mark.real_time(limit=10)
@pytest.mark.parametrize("transport", ["trio-websocket", "websockets"])
async def test_a_server(transport: str, heard: Eavesdropper) -> None:
    """It admits a client, refuses one, and does not understand others: what they have sent is not shown."""

    async def handle(connection: Connection) -> None:
        heard.shown(upgrade=connection._driver.current.upgrade)
        await connection.send(await anext(connection))
        heard.connection(connection)

    async with lifecycle.serve(read_text(GATE), handle, port=0, transport=transport, calls=Checks()) as server:
        url = f"ws://127.0.0.1:{server.port}/?key={PASSWORD}"
        settings: dict[str, Any] = {"url": url, "token": PASSWORD, "transport": transport, "max_attempts": 0}
        async with lifecycle.open("websocket", **settings) as connection:
            await connection.send(json.dumps(PASSWORD))
            assert [json.loads(await anext(connection)) for _ in range(2)] == [
                {"key": PASSWORD, "token": PASSWORD},
                PASSWORD,
            ]
        async with lifecycle.open("websocket", **settings) as connection:
            with pytest.raises(ConnectionFailed, match="403") as caught:
                await connection.ready()
            heard.raised(caught.value)
            heard.connection(connection)
        assert all(
            answer.startswith(b"HTTP/1.1 4") for answer in [each async for each in _malformed(server.port)] if answer
        )
        heard.shown(server=server, counts=server.counts)
    assert heard.leaks() == []
    assert {"lifecycle.server", "lifecycle.calls"} <= heard.loggers
