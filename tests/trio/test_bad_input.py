"""Whatever a caller, a certificate or a network gets wrong: one clear error, and nothing left running."""

import contextlib
import datetime as dt
import functools
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trustme

import lifecycle
from lifecycle.errors import CannotListen, ConnectionFailed, WrongParameters
from lifecycle.trio.connection import Connection
from lifecycle.trio.server import Server

from .peer import tasks

pytestmark = pytest.mark.real_time(limit=10)
URL = "ws://localhost/"
NOT_REACHED = "The server was not to be reached; no more attempts are made. — "
NOT_TRUSTED = "The server cannot be trusted, or does not speak TLS. — tls: "
UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@pytest.fixture(params=["trio-websocket", "websockets"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each WebSocket library, at both ends."""
    return str(request.param)


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Count tasks and open descriptors before and after."""
    before = tasks(), len([*Path("/dev/fd").iterdir()])
    yield
    assert (tasks(), len([*Path("/dev/fd").iterdir()])) == before


async def echo(connection: Connection) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


async def why_not(url: str, **settings: Any) -> str:
    """Dial once in vain; what the user is told, which is the same in the error and in `why`."""
    async with lifecycle.open("websocket", url=url, max_attempts=0, **settings) as connection:
        with pytest.raises(ConnectionFailed) as caught:
            await connection.ready(5)
        assert str(caught.value) == f"the connection has failed: {connection.why}"
        return connection.why


async def works(url: str, **settings: Any) -> None:
    """Dial, and hear an echo."""
    async with lifecycle.open("websocket", url=url, max_attempts=0, **settings) as connection:
        await connection.send("hello")
        assert await anext(connection) == "hello"


# Told at the door


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost/", "'http://localhost/' is no WebSocket URL: write `ws://host:port/path` or `wss://…`"),
        ("ftp://localhost/", "is no WebSocket URL: write `ws://host:port/path`"),
        ("localhost:8080", "is no WebSocket URL: write `ws://host:port/path`"),
        ("ws:///path", "is no WebSocket URL: write `ws://host:port/path`"),
        ("wss://localhost:https/", "is no WebSocket URL: write `ws://host:port/path`"),
        ("ws://localhost:65536/", "is no WebSocket URL: write `ws://host:port/path`"),
        ("ws://localhost/#x", "a fragment (#)"),
        ("ws://me:secret@localhost/", "a user name"),
        ("ws://local host/", "a space"),
        (5, "expected a URL such as `wss://host/path`, found 5"),
    ],
)
async def test_a_wrong_url(url: object, words: str) -> None:
    """It is told before anything is dialled, for no second attempt could help."""
    with nothing_left(), pytest.raises(WrongParameters, match=re.escape(words)):
        lifecycle.open("websocket", url=url)


async def test_a_wrong_url_with_a_secret() -> None:
    """What the query of a URL holds is not shown."""
    with pytest.raises(WrongParameters) as caught:
        lifecycle.open("websocket", url="https://localhost/?token=hunter2")
    assert "hunter2" not in str(caught.value)


def server_context() -> ssl.SSLContext:
    """A server's context without a certificate."""
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


Door = Callable[..., object]
CLIENT = functools.partial(lifecycle.open, "websocket", url=URL)
RESUME = functools.partial(lifecycle.open, "resume", url=URL)
SERVER = functools.partial(lifecycle.serve, "websocket-server", echo, port=0)
DOORS: dict[str, tuple[Door, dict[str, Any], str]] = {
    "no such transport": (CLIENT, {"transport": "wet"}, "there is no transport 'wet': use 'trio-websocket' or 'webs"),
    "no transport at all": (CLIENT, {"transport": 5}, "`transport` must be a name or a dialer, not int"),
    "a path for a context": (CLIENT, {"tls": "ca.pem"}, "`tls` must be an ssl.SSLContext, not str"),
    "a server's context": (CLIENT, {"tls": server_context()}, "`tls` is a context for a server, and this side is"),
    "no calls": (RESUME, {}, "`credentials` is missing: pass `calls=` with `async def credentials() -> {'token'"),
    "a call that is none": (RESUME, {"calls": SimpleNamespace(credentials="t")}, "the call `credentials` is missing"),
    "calls in a dict": (RESUME, {"calls": {"credentials": echo}}, "the call `credentials` is missing"),
    "a server's page": (lifecycle.open, {"page": "websocket-server"}, "serve it by `lifecycle.serve`"),
    "a path to serve": (SERVER, {"tls": "cert.pem"}, "`tls` must be an ssl.SSLContext, not str"),
    "a client's context": (SERVER, {"tls": ssl.create_default_context()}, "a context for a client, and this side is"),
    "a client's page": (lifecycle.serve, {"page": "websocket", "port": 0}, "open it by `lifecycle.open`"),
    "a session's page": (lifecycle.serve, {"page": "session-lease", "port": 0}, "open it by `lifecycle.open`"),
    "a session's transport": (lifecycle.open, {"page": "session-lease", "tls": 5}, "leave `transport` and `tls` out"),
    "a fragment": (lifecycle.serve, {"page": "heartbeat", "port": 0}, "it is a fragment, to be used by other pages"),
}


@pytest.mark.parametrize(("door", "settings", "words"), DOORS.values(), ids=DOORS)
async def test_what_is_refused_at_the_door(door: Door, settings: dict[str, Any], words: str) -> None:
    """It is one error, which says what to do, before anything is dialled or a client comes."""
    with nothing_left(), pytest.raises(WrongParameters, match=re.escape(words)):
        door(**settings)


# Ports


async def cannot_listen(words: str, port: Any = 0, host: str = "127.0.0.1") -> None:
    """Serve in vain."""
    with nothing_left(), pytest.raises(CannotListen) as caught:
        async with lifecycle.serve("websocket-server", echo, host=host, port=port):
            raise AssertionError
    assert str(caught.value) == f"cannot listen on {host} port {port}: {words}"


async def test_a_port_in_use(transport: str) -> None:
    """Also by ourselves; who has it goes on."""
    async with lifecycle.serve("websocket-server", echo, port=0, transport=transport) as server:
        await trio.testing.wait_all_tasks_blocked()  # until it accepts
        await cannot_listen("address already in use", server.port)
        await works(f"ws://127.0.0.1:{server.port}/", transport=transport)


@pytest.mark.parametrize("port", [-1, 65_536, 99_999, "8080", 80.5, None, True])
async def test_a_port_that_is_none(port: object) -> None:
    """The system would take some of them for another port."""
    await cannot_listen("a port is a whole number from 0 to 65535", port)


async def test_a_host_that_is_not_ours() -> None:
    """A name that nobody knows, and an address of somebody else's."""
    await cannot_listen("there is no such address", host="nobody.invalid")
    await cannot_listen("cannot assign requested address", host="203.0.113.7")


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Have no rights for a while."""
    user = os.geteuid()
    os.seteuid(65_534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(
    not UNPRIVILEGED.exists() or int(UNPRIVILEGED.read_text("ascii")) < 2, reason="here every port is for everybody"
)
async def test_a_port_that_needs_rights() -> None:
    """The first port is not for everybody."""
    async with lifecycle.serve("websocket-server", echo, port=0):
        pass  # so that nothing is left to import when our rights are gone
    with nobody():
        await cannot_listen("permission denied", 1)


# Nobody there


async def test_refused(transport: str) -> None:
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with nothing_left():
        why = await why_not(f"ws://127.0.0.1:{port}/", transport=transport)
    assert why == f"{NOT_REACHED}refused: Connection refused"


async def test_a_name_that_nobody_knows(transport: str) -> None:
    """It is told with the name, which may be misspelled."""
    with nothing_left():
        why = await why_not("ws://nobody.invalid/", transport=transport)
    assert why.startswith(f"{NOT_REACHED}dns: ")
    assert why.endswith(": nobody.invalid")


@contextlib.asynccontextmanager
async def other_server(answer: bytes | None) -> AsyncIterator[int]:
    """A server of something else; its port."""

    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if answer is None:
            await trio.sleep_forever()
        await stream.send_all(answer)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


ALERT = bytes.fromhex("15 03 01 00 02 02 46")
OTHERS: dict[str, tuple[str, bytes | None, str]] = {
    "wss, HTTP": ("wss", b"HTTP/1.1 400 No\r\n\r\n", NOT_TRUSTED + "the peer does not speak TLS"),
    "wss, silence": ("wss", None, NOT_REACHED + "`after connect_timeout` has run out in online.dialing"),
    "wss, the end": ("wss", b"", NOT_REACHED + "handshake: the peer ended the connection in the TLS handshake"),
    "ws, silence": ("ws", None, NOT_REACHED + "`after connect_timeout` has run out in online.dialing"),
    "ws, an alert of TLS": ("ws", ALERT, NOT_REACHED + "handshake: the peer speaks TLS: dial wss:// instead of ws://"),
    "ws, mail": ("ws", b"220 mail\r\n", NOT_REACHED + "handshake: the peer's answer opens no WebSocket connection"),
    "ws, a web server": (
        "ws",
        b"HTTP/1.1 404 No\r\n\r\n",
        "The address answers, but not with a WebSocket. — the peer answered with HTTP status 404",
    ),
}


@pytest.mark.parametrize(("scheme", "answer", "why"), OTHERS.values(), ids=OTHERS)
async def test_a_port_of_something_else(scheme: str, answer: bytes | None, why: str, transport: str) -> None:
    """It is told as what it is, and waited for no longer than the page says."""
    with nothing_left():
        async with other_server(answer) as port:
            assert await why_not(f"{scheme}://127.0.0.1:{port}/", transport=transport, connect_timeout=0.2) == why


# TLS


@attrs.frozen
class Authorities:
    """Two authorities, and what they sign."""

    us: trustme.CA = attrs.field(factory=trustme.CA)
    others: trustme.CA = attrs.field(factory=trustme.CA)

    def server(self, shown: trustme.LeafCert | None = None, *, asks: bool = False) -> ssl.SSLContext:
        """A server's context; it may ask for a certificate of ours."""
        context = server_context()
        (shown or self.us.issue_cert("localhost", "127.0.0.1")).configure_cert(context)
        if asks:
            self.us.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def self_signed(self) -> ssl.SSLContext:
        """A server's context with a certificate that nobody else signed."""
        context = server_context()
        with self.us.cert_pem.tempfile() as certificate, self.us.private_key_pem.tempfile() as key:
            context.load_cert_chain(certificate, key)
        return context

    def expired(self) -> trustme.LeafCert:
        """A certificate of last year."""
        now, year = dt.datetime.now(dt.UTC), dt.timedelta(days=365)
        return self.us.issue_cert("localhost", not_before=now - 2 * year, not_after=now - year)

    def client(self, trusted: trustme.CA | None = None, shown: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """A client's context."""
        context = ssl.create_default_context(cadata=(trusted or self.us).cert_pem.bytes().decode())
        if shown:
            shown.configure_cert(context)
        return context


Pair = tuple[ssl.SSLContext, ssl.SSLContext | None]
HANDSHAKES: dict[str, tuple[Callable[[Authorities], Pair], str]] = {
    "expired": (lambda a: (a.server(a.expired()), a.client()), "the certificate is refused: certificate has expired"),
    "self-signed": (
        lambda a: (a.self_signed(), a.client(a.others)),
        "the certificate is refused: self-signed certificate",
    ),
    "another host": (
        lambda a: (a.server(a.us.issue_cert("example.org")), a.client()),
        "the certificate is refused: Hostname mismatch, certificate is not valid for 'localhost'.",
    ),
    "an unknown authority": (
        lambda a: (a.server(), a.client(a.others)),
        "the certificate is refused: unable to get local issuer certificate",
    ),
    "unknown to the system": (
        lambda a: (a.server(), None),
        "the certificate is refused: unable to get local issuer certificate",
    ),
    "no certificate of ours": (lambda a: (a.server(asks=True), a.client()), "the peer refused: certificate required"),
    "one of ours that they do not trust": (
        lambda a: (a.server(asks=True), a.client(shown=a.others.issue_cert("me"))),
        "the peer refused: unknown ca",
    ),
    "an expired one of ours": (
        lambda a: (a.server(asks=True), a.client(shown=a.expired())),
        "the peer refused: certificate expired",
    ),
}


@contextlib.asynccontextmanager
async def serving(transport: str, tls: ssl.SSLContext | None) -> AsyncIterator[Server]:
    """A server of echoes, of which nothing is left."""
    with nothing_left():
        async with lifecycle.serve("websocket-server", echo, port=0, transport=transport, tls=tls) as server:
            yield server


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    """Made once."""
    return Authorities()


@pytest.mark.parametrize(("pair", "words"), HANDSHAKES.values(), ids=HANDSHAKES)
async def test_who_is_not_trusted(
    pair: Callable[[Authorities], Pair], words: str, authorities: Authorities, transport: str
) -> None:
    """It is final, and told by whom and why; the server counts a client that did not come, and goes on."""
    theirs, ours = pair(authorities)
    async with serving(transport, theirs) as server:
        url = f"wss://localhost:{server.port}/"
        assert await why_not(url, transport=transport, tls=ours) == NOT_TRUSTED + words
        while not server.counts["failed"]:  # noqa: ASYNC110 -- nobody is told
            await trio.sleep(0.001)
        assert dict(server.counts) == {"failed": 1}


async def test_who_is_trusted(authorities: Authorities, transport: str) -> None:
    """An authority of our own, with a certificate of ours where it is asked for; the server hears whom we mean."""
    names: list[str | None] = []
    for asks in (False, True):
        theirs = authorities.server(asks=asks)
        theirs.sni_callback = lambda _, name, __: names.append(name)
        ours = authorities.client(shown=authorities.us.issue_cert("me") if asks else None)
        async with serving(transport, theirs) as server:
            for host in ("localhost", "127.0.0.1"):
                await works(f"wss://{host}:{server.port}/", transport=transport, tls=ours)
    assert names == ["localhost", None] * 2


async def test_ws_and_wss_mixed_up(authorities: Authorities, transport: str, caplog: pytest.LogCaptureFixture) -> None:
    """Our own servers say so at once, to the client or, where TLS lets nobody answer, in the log."""
    caplog.set_level("INFO", "lifecycle.server")
    async with serving(transport, None) as server:
        why = await why_not(f"wss://localhost:{server.port}/", transport=transport, tls=authorities.client())
    assert why == NOT_TRUSTED + "the peer does not speak TLS"
    async with serving(transport, authorities.server()) as server:
        why = await why_not(f"ws://localhost:{server.port}/", transport=transport)
    assert why == NOT_REACHED + "handshake: the peer ended the connection without an answer"
    assert "did not connect: tls: the peer speaks HTTP without TLS" in caplog.text


async def test_a_server_without_a_certificate(
    authorities: Authorities, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can connect, and its log says what may be missing."""
    caplog.set_level("INFO", "lifecycle.server")
    async with serving(transport, server_context()) as server:
        why = await why_not(f"wss://localhost:{server.port}/", transport=transport, tls=authorities.client())
    assert why == NOT_TRUSTED + "the peer refused: handshake failure"
    assert "did not connect: tls: no cipher in common, or this side has no certificate" in caplog.text


# Calls


async def test_a_call_that_raises(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is dialled, and both the user and the log know why."""

    async def credentials() -> None:
        raise LookupError("no vault")

    calls = SimpleNamespace(credentials=credentials, renew_credentials=credentials)
    with nothing_left():
        async with lifecycle.open("resume", url=URL, calls=calls, transport=transport, max_attempts=0) as connection:
            with pytest.raises(ConnectionFailed, match="`credentials` has raised LookupError: no vault"):
                await connection.ready()
    (record,) = [record for record in caplog.records if record.name == "lifecycle.calls"]
    assert record.exc_info
    assert record.exc_info[0] is LookupError
