import datetime as dt
import errno
import socket
import ssl
from collections.abc import Callable

import attrs
import pytest
import trio
import trio.testing
import trustme

from lifecycle.trio.pipes.dial import connect_tcp
from lifecycle.trio.pipes.memory import MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import Pipe, PipeStream, SocketPipe
from lifecycle.trio.pipes.tls import TlsPipe, tls_failure
from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.trio.transports.trio_websocket import TrioWebsocketTransport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending, ErrorEnding

MB = 1024 * 1024
RECORD = 16 * 1024

Contexts = Callable[..., tuple[ssl.SSLContext, ssl.SSLContext]]


@pytest.fixture(scope="module")
def contexts() -> Contexts:
    """Ours and the server's context; one authority signs, and we may or may not trust it."""
    authority = trustme.CA()

    def make(*, trusted: bool = True, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[ssl.SSLContext, ...]:
        ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(theirs)
        theirs.maximum_version = newest
        if trusted:
            authority.configure_trust(ours)
        return ours, theirs

    return make


def server(pipe: MemoryPipe, context: ssl.SSLContext) -> trio.SSLStream[PipeStream]:
    """The other end, by trio's own TLS."""
    return trio.SSLStream(PipeStream(pipe), context, server_side=True)


async def shake_hands(
    near: MemoryPipe, far: MemoryPipe, contexts: Contexts, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> tuple[TlsPipe, trio.SSLStream[PipeStream]]:
    """Put TLS on both ends."""
    ours, theirs = contexts(newest=newest)
    pipe, stream = TlsPipe(near, "localhost", ours), server(far, theirs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.handshake)
        nursery.start_soon(stream.do_handshake)
    return pipe, stream


async def read(pipe: TlsPipe) -> bytes:
    """Wait for the next bytes, or the end."""
    while True:
        await pipe.ready()
        data = pipe.read()
        if data is not None:
            return data


async def read_exactly(pipe: TlsPipe, count: int) -> bytes:
    """Read until so many bytes are there, or the end."""
    got = bytearray()
    while len(got) < count and (data := await read(pipe)):
        got += data
    return bytes(got)


async def receive_exactly(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    """Receive until so many bytes are there, or the end."""
    got = bytearray()
    while len(got) < count and (data := await stream.receive_some()):
        got += data
    return bytes(got)


async def refused(pipe: TlsPipe) -> Ending:
    """Shake hands in vain, and say why."""
    with pytest.raises(TransportFailed) as caught:
        await pipe.handshake()
    assert pipe.closed
    return caught.value.ending


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_ways(contexts: Contexts, newest: ssl.TLSVersion) -> None:
    """Much more than one record passes each way, whole and in order, in either version of TLS."""
    data = bytes(range(256)) * (4 * MB // 256)
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, stream = await shake_hands(near, far, contexts, newest)
        async with trio.open_nursery() as both:
            pipe.write(data)
            pipe.write(b"")
            pipe.write(b"tail")
            both.start_soon(stream.send_all, data)
            assert await receive_exactly(stream, len(data) + 4) == data + b"tail"
            assert await read_exactly(pipe, len(data)) == data
        assert pipe.given == pipe.sent > len(data)
        pipe.abort()


async def test_a_cancelled_send_is_not_torn(contexts: Contexts) -> None:
    """Eight megabytes whose sender was cancelled and the ten bytes after them arrive whole and in order."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, stream = await shake_hands(near, far, contexts)
        with trio.CancelScope() as scope:
            scope.cancel()
            await PipeStream(pipe).send_all(bytes(8 * MB))
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        assert pipe.sent < pipe.given
        pipe.write(b"0123456789")
        drained: list[int] = []
        pipe.drained = lambda: drained.append(pipe.sent)
        assert await receive_exactly(stream, 8 * MB + 10) == bytes(8 * MB) + b"0123456789"
        assert drained[-1] == pipe.given


async def test_of_a_flood_of_latest_frames_the_last_one_arrives(contexts: Contexts) -> None:
    """What is superseded was never enciphered; a `drained` that writes each time comes after the one that is left."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, stream = await shake_hands(near, far, contexts)
        pipe.write_latest(b"at once")
        assert await stream.receive_some() == b"at once"
        pipe.write(bytes(MB))
        given = pipe.given
        for number in range(100_000):
            pipe.write_latest(b"%06d" % number)
        assert pipe.given == given
        pipe.drained = lambda: pipe.write(b"0123456789")
        assert (await receive_exactly(stream, MB + 16))[: MB + 16] == bytes(MB) + b"0999990123456789"
        pipe.drained = None
        pipe.write_latest(b"held")
        pipe.write_eof()
        with pytest.raises(trio.BrokenResourceError):
            pipe.write_latest(b"late")
        assert (await receive_exactly(stream, 100 * MB))[-4:] == b"held"
        pipe.abort()


async def test_one_read_drains_every_record(contexts: Contexts) -> None:
    """Several records that came together wake nobody again, so one read takes them all; or says that there is more."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon, room=MB)
        pipe, stream = await shake_hands(near, far, contexts)
        heard: list[int] = []
        pipe.heard = lambda: heard.append(1)
        for size, reads in ((None, 1), (RECORD + 1, 3), (RECORD, 4)):
            heard.clear()
            await stream.send_all(bytes(3 * RECORD))
            with trio.fail_after(1):
                got = 0
                while got < 3 * RECORD:
                    await pipe.ready()
                    got += len(pipe.read(size) or b"")
            assert len(heard) in (reads, reads - 1)
        assert pipe.read() is None
        with trio.move_on_after(1) as scope:
            await pipe.ready()
        assert scope.cancelled_caught


async def test_part_of_a_record_is_a_sign_of_life(contexts: Contexts) -> None:
    """Bytes of TLS that do not yet give any of the message are heard, and are not the end."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon, room=100)
        pipe, stream = await shake_hands(near, far, contexts)
        assert pipe.read() is None
        heard: list[int] = []
        pipe.heard = lambda: heard.append(1)
        await stream.send_all(bytes(500))
        await pipe.ready()
        assert pipe.read() is None
        assert heard == [1]
        assert await read(pipe) == bytes(500)


async def test_a_goodbye_of_tls_is_the_end(contexts: Contexts) -> None:
    """A close_notify is told as the end, at once and again, though the pipe below is still open."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, stream = await shake_hands(near, far, contexts)
        await stream.send_all(b"last")
        with pytest.raises(ssl.SSLWantReadError):
            stream._ssl_object.unwrap()
        far.write(stream._outgoing.read())
        assert await read(pipe) == b"last"
        assert await read(pipe) == b""
        assert await read(pipe) == b""
        assert pipe.broken is None


async def test_an_end_without_goodbye_is_the_end_too(contexts: Contexts) -> None:
    """A pipe that ends below ends the pipe above, and a reset keeps its number."""
    for end in (MemoryPipe.abort, MemoryPipe.reset):
        async with trio.open_nursery() as nursery:
            near, far = memory_pair(nursery.start_soon)
            pipe, _ = await shake_hands(near, far, contexts)
            end(far)
            assert await read(pipe) == b""
            assert (pipe.broken and pipe.broken.errno) == (errno.ECONNRESET if end is MemoryPipe.reset else None)
            with pytest.raises(trio.BrokenResourceError):
                pipe.write(b"x")


async def test_our_end_is_told_by_tls(contexts: Contexts) -> None:
    """After `write_eof` the peer sees a proper end, may still answer, and we may not write."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, stream = await shake_hands(near, far, contexts)
        pipe.write(b"last")
        pipe.write_eof()
        pipe.write_eof()
        with pytest.raises(trio.BrokenResourceError):
            pipe.write(b"more")
        assert await stream.receive_some() == b"last"
        assert await stream.receive_some() == b""
        pipe.abort()


async def test_a_damaged_record_breaks_the_pipe(contexts: Contexts) -> None:
    """Bytes that are no TLS end the pipe with an error that is kept."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, _ = await shake_hands(near, far, contexts)
        far.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert await read(pipe) == b""
        assert isinstance(pipe.broken, ssl.SSLError)
        with pytest.raises(trio.BrokenResourceError):
            pipe.write(b"x")


async def test_abort_wakes_the_reader(contexts: Contexts) -> None:
    """Abort closes the pipe below without a word, and tells those who wait; again is no harm."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, _ = await shake_hands(near, far, contexts)

        async def reader() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await read(pipe)

        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        pipe.abort()
        pipe.abort()
        assert near.closed
        assert pipe.read() == b""


async def test_an_abort_while_others_run_is_told(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that is aborted in the checkpoint before a read says so."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        pipe, _ = await shake_hands(near, far, contexts)

        async def checkpoint() -> None:
            pipe.abort()

        monkeypatch.setattr("lifecycle.trio.pipes.tls.checkpoint", checkpoint)
        with pytest.raises(trio.ClosedResourceError):
            await pipe.ready()


async def test_a_certificate_that_nobody_signed_is_refused(contexts: Contexts) -> None:
    """By default whom the system does not trust is refused as `tls`, and the peer is told by an alert."""
    _, theirs = contexts()
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await server(far, theirs).do_handshake()
            assert "alert" in str(caught.value.__cause__).lower()

        nursery.start_soon(peer)
        ending = await refused(TlsPipe(near, "localhost"))
        assert isinstance(ending, ErrorEnding)
        assert ending.word == "tls"
        assert "certificate" in ending.text


async def test_a_certificate_for_another_name_is_refused(contexts: Contexts) -> None:
    """A certificate that is trusted but names somebody else is refused as `tls`."""
    ours, theirs = contexts()
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await server(far, theirs).do_handshake()

        nursery.start_soon(peer)
        ending = await refused(TlsPipe(near, "example.org", ours))
        assert isinstance(ending, ErrorEnding)
        assert ending.word == "tls"
        assert "example.org" in ending.text


async def test_the_name_is_told(contexts: Contexts) -> None:
    """The server hears which name we look for."""
    ours, theirs = contexts()
    names: list[str | None] = []
    theirs.sni_callback = lambda _, name, __: names.append(name)
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        nursery.start_soon(server(far, theirs).do_handshake)
        await TlsPipe(near, "localhost", ours).handshake()
    assert names == ["localhost"]


async def test_a_port_that_speaks_no_tls() -> None:
    """A server that answers in plain HTTP is refused as `tls`."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        far.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        ending = await refused(TlsPipe(near, "localhost"))
        assert ending == ErrorEnding("tls", "the peer does not speak TLS")


async def test_an_end_in_the_handshake() -> None:
    """A peer that ends, or resets, in the handshake is no matter of trust: `handshake`."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        far.write_eof()
        ending = await refused(TlsPipe(near, "localhost"))
        assert ending == ErrorEnding("handshake", "the peer ended the connection in the TLS handshake")
        near, far = memory_pair(nursery.start_soon)
        far.reset()
        ending = await refused(TlsPipe(near, "localhost"))
        assert isinstance(ending, ErrorEnding)
        assert (ending.word, ending.errno) == ("handshake", errno.EPIPE)


async def test_silence_in_the_handshake() -> None:
    """The caller's own timeout cancels the handshake, and the pipe is aborted."""
    async with trio.open_nursery() as nursery:
        near, _ = memory_pair(nursery.start_soon)
        with trio.move_on_after(10) as scope:
            await TlsPipe(near, "localhost").handshake()
        assert scope.cancelled_caught
        assert near.closed
        assert trio.current_time() == pytest.approx(10)


@pytest.mark.real_time
async def test_on_a_socket(contexts: Contexts) -> None:
    """The same over TCP: megabytes there and back."""
    ours, theirs = contexts()

    async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await stream.send_all(await receive_exactly(stream, MB))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_ssl_over_tcp_listeners(0, theirs, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, echo, [listener])
        port = listener.transport_listener.socket.getsockname()[1]
        pipe = TlsPipe(SocketPipe(await connect_tcp("127.0.0.1", port), nursery.start_soon), "localhost", ours)
        await pipe.handshake()
        pipe.write(bytes(MB))
        assert await read_exactly(pipe, MB) == bytes(MB)
        pipe.abort()
        nursery.cancel_scope.cancel()


# Both sides ours


@attrs.frozen
class Case:
    """Who meets whom, and what comes of it on each side.

    Attributes:
        ours, theirs: the contexts of client and server.
        client, server: what each is told; empty if it is content.
        late: whether the client is told only after its handshake, as TLS 1.3 has it.
        hostname: whom the client looks for.
    """

    ours: ssl.SSLContext | None
    theirs: ssl.SSLContext
    client: str = ""
    server: str = ""
    late: bool = False
    hostname: str = "localhost"


def cases(newest: ssl.TLSVersion) -> dict[str, Case]:
    """All pairs worth trying."""
    us, others = trustme.CA(), trustme.CA()
    year = dt.timedelta(days=365)
    now = dt.datetime.now(dt.UTC)
    good = us.issue_cert("localhost")
    expired = us.issue_cert("localhost", not_before=now - 2 * year, not_after=now - year)

    def client(trusted: trustme.CA = us, shown: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=trusted.cert_pem.bytes().decode())
        if shown:
            shown.configure_cert(context)
        return context

    def server(shown: trustme.LeafCert = good, *, asks: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.maximum_version = newest
        shown.configure_cert(context)
        if asks:
            us.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def self_signed() -> ssl.SSLContext:
        context = server()
        with us.cert_pem.tempfile() as certificate, us.private_key_pem.tempfile() as key:
            context.load_cert_chain(certificate, key)
        return context

    def in_vain() -> tuple[ssl.SSLContext, ssl.SSLContext]:
        new, old = client(), server()
        new.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
        return new, old

    def unsafe() -> ssl.SSLContext:
        context = client(others)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    late = newest is ssl.TLSVersion.TLSv1_3
    no_certificate = "the peer refused: " + ("certificate required" if late else "handshake failure")
    unknown = "the certificate is refused: unable to get local issuer certificate"
    return {
        "an authority of our own": Case(client(), server()),
        "by default": Case(None, server(), unknown, "the peer refused: unknown ca"),
        "another authority": Case(client(others), server(), unknown, "the peer refused: unknown ca"),
        "self-signed": Case(
            client(others),
            self_signed(),
            "the certificate is refused: self-signed certificate",
            "the peer refused: unknown ca",
        ),
        "expired": Case(
            client(),
            server(expired),
            "the certificate is refused: certificate has expired",
            "the peer refused: certificate expired",
        ),
        "another host": Case(
            client(),
            server(),
            "the certificate is refused: Hostname mismatch, certificate is not valid for 'example.org'.",
            "the peer refused: bad certificate",
            hostname="example.org",
        ),
        "not verified, as the caller wishes": Case(unsafe(), server(expired), hostname="example.org"),
        "client certificate": Case(client(shown=us.issue_cert("client")), server(asks=True)),
        "no client certificate": Case(
            client(), server(asks=True), no_certificate, "the peer showed no certificate", late
        ),
        "client certificate of another authority": Case(
            client(shown=others.issue_cert("client")), server(asks=True), "the peer refused: unknown ca", unknown, late
        ),
        "expired client certificate": Case(
            client(shown=expired),
            server(asks=True),
            "the peer refused: certificate expired",
            "the certificate is refused: certificate has expired",
            late,
        ),
        "no version in common": Case(*in_vain(), "the peer refused: protocol version", "unsupported protocol"),
    }


NAMES = (
    "an authority of our own",
    "by default",
    "another authority",
    "self-signed",
    "expired",
    "another host",
    "not verified, as the caller wishes",
    "client certificate",
    "no client certificate",
    "client certificate of another authority",
    "expired client certificate",
    "no version in common",
)
VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
Meetings = dict[ssl.TLSVersion, dict[str, Case]]
each_case = pytest.mark.parametrize("name", NAMES)
each_version = pytest.mark.parametrize("newest", VERSIONS.values(), ids=VERSIONS)


@pytest.fixture(scope="module")
def meetings() -> Meetings:
    """The cases by version; made once, for keys are slow."""
    made = {newest: cases(newest) for newest in VERSIONS.values()}
    assert all(tuple(found) == NAMES for found in made.values())
    return made


async def verdict(pipe: TlsPipe) -> str:
    """Shake hands, and say what was wrong, or nothing."""
    try:
        await pipe.handshake()
    except TransportFailed as failed:
        assert isinstance(failed.ending, ErrorEnding)
        assert failed.ending.word == "tls"
        return failed.ending.text
    return ""


async def meet(case: Case, near: Pipe, far: Pipe) -> None:
    """Let a client and a server shake hands, and look at what each is told; then they speak, if they may."""
    client, server = TlsPipe(near, case.hostname, case.ours), TlsPipe(far, "", case.theirs, server=True)
    told: dict[str, str] = {}

    async def side(name: str, pipe: TlsPipe) -> None:
        told[name] = await verdict(pipe)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(side, "client", client)
        nursery.start_soon(side, "server", server)
    assert told == {"client": "" if case.late else case.client, "server": case.server}
    if case.late:
        assert await read(client) == b""
        assert isinstance(client.broken, ssl.SSLError)
        assert tls_failure(client.broken) == ErrorEnding("tls", case.client)
    elif not case.client:
        client.write(bytes(MB))
        server.write(b"welcome")
        assert await read_exactly(server, MB) == bytes(MB)
        assert await read_exactly(client, 7) == b"welcome"
    client.abort()
    server.abort()


@each_version
@each_case
async def test_who_trusts_whom(name: str, newest: ssl.TLSVersion, meetings: Meetings) -> None:
    """Each side is told once, in its own words, why there is no connection; where there is one, bytes pass."""
    async with trio.open_nursery() as nursery:
        await meet(meetings[newest][name], *memory_pair(nursery.start_soon))


@pytest.mark.real_time
@each_version
@each_case
async def test_who_trusts_whom_on_sockets(
    name: str, newest: ssl.TLSVersion, meetings: Meetings, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """The same over TCP."""
    async with trio.open_nursery() as nursery:
        await meet(meetings[newest][name], *(SocketPipe(sock, nursery.start_soon) for sock in sockets))


@pytest.mark.real_time
async def test_a_client_certificate_that_is_missing_fails_the_dial(
    meetings: Meetings, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """In TLS 1.3 the server's verdict comes while WebSocket shakes hands; it is `tls` all the same."""
    case = meetings[ssl.TLSVersion.TLSv1_3]["no client certificate"]
    async with trio.open_nursery() as nursery:
        near, far = (SocketPipe(sock, nursery.start_soon) for sock in sockets)
        server, client = TlsPipe(far, "", case.theirs, server=True), TlsPipe(near, "localhost", case.ours)
        nursery.start_soon(verdict, server)
        await client.handshake()
        request = DialRequest.parse("wss://localhost/")
        with pytest.raises(TransportFailed) as caught:
            await TrioWebsocketTransport.dial(request, client, lambda _: pytest.fail("it was opened"))
        assert caught.value.ending == ErrorEnding("tls", case.client)


async def test_a_server_hears_the_name(contexts: Contexts) -> None:
    """Our server's side is told by its context which name the client looks for, so it may serve several."""
    ours, theirs = contexts()
    names: list[str | None] = []
    theirs.sni_callback = lambda _, name, __: names.append(name)
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        nursery.start_soon(TlsPipe(far, "", theirs, server=True).handshake)
        await TlsPipe(near, "localhost", ours).handshake()
    assert names == ["localhost"]


async def test_a_server_needs_a_certificate() -> None:
    """A server's side without a context is refused in a sentence."""
    near, _ = memory_pair(lambda _: None)
    with pytest.raises(ValueError, match="needs a context with its certificate"):
        TlsPipe(near, "localhost", server=True)


async def test_a_client_that_speaks_no_tls(contexts: Contexts) -> None:
    """A plain request on a port of TLS is told as what it is."""
    _, theirs = contexts()
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        near.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ending = await refused(TlsPipe(far, "", theirs, server=True))
        assert ending == ErrorEnding("tls", "the peer speaks HTTP without TLS")


def test_a_failure_without_a_reason() -> None:
    """It is told all the same."""
    error = ssl.SSLError()
    error.reason = None  # type: ignore[assignment]  # as OpenSSL leaves it, if it knows none
    assert tls_failure(error) == ErrorEnding("tls", "TLS broke off")
