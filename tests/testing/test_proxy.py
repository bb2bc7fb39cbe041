"""The proxy, by real connections through it: what the client saw of each fault, and that it became ready again."""

import json
import logging
import math
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket
import trustme
from click.testing import CliRunner

import lifecycle
from lifecycle import PageError
from lifecycle.cli.proxy import proxy as command
from lifecycle.errors import CannotListen
from lifecycle.testing.proxy import Proxy, Target
from lifecycle.testing.proxy.weather import Counts, Told
from lifecycle.testing.schedule import Fault, Kind, Schedule
from lifecycle.trio.connection import Connection
from lifecycle.trio.server import Server

pytestmark = pytest.mark.real_time(limit=30)

SHORT: Mapping[str, Any] = {
    "redial": {"first": "10 ms", "max": "50 ms", "jitter": "none", "floor": "10 ms"},
    "connect_timeout": "2 s",
    "close_timeout": "100 ms",
    "max_attempts": 1000,
}
BEATING: Mapping[str, Any] = {
    **SHORT,
    "connect_timeout": "300 ms",
    "heartbeat_after": "50 ms",
    "heartbeat_wait": "100 ms",
}


def serve(**settings: Any) -> Server:
    """A server that sends back what comes."""

    async def echo(connection: Connection) -> None:
        async for message in connection:
            await connection.send(message)

    return lifecycle.serve("websocket-server", echo, port=0, **settings)


def before(server: Server, *faults: Fault, seed: int = 1, **settings: Any) -> Proxy:
    """A proxy before a server."""
    return Proxy(f"ws://127.0.0.1:{server.port}/here?a=b", schedule=Schedule(faults, seed), **settings)


def dial(proxy: Proxy, settings: Mapping[str, Any] = SHORT) -> Connection:
    """Our connection through the proxy."""
    return lifecycle.open("websocket", url=proxy.url, seed=1, **settings)


async def lost(connection: Connection, happen: Callable[[], object], word: str) -> None:
    """Let something happen to a connection that is ready, until a step with this word leads away from there."""
    await connection.ready(5)
    steps = connection.changes()
    happen()
    async for step in steps:
        if step.status != "ready" and (word in step.cause or word in step.event):
            return


async def healed(connection: Connection, happen: Callable[[], object]) -> list[str]:
    """Let something happen to a connection that is ready; the causes that are told until it is ready again."""
    await connection.ready(5)
    steps, causes, gone = connection.changes(), [], False
    happen()
    async for step in steps:
        gone = gone or step.status != "ready"
        causes += [step.cause] if step.cause and step.status != "ready" else []
        if gone and step.status == "ready":
            return causes
    raise AssertionError(causes)


async def echoed(connection: Connection, *messages: str, answers: int | None = None) -> list[Any]:
    """Send, and take as many answers as there should be."""
    for message in messages:
        await connection.send(message)
    return [await anext(connection) for _ in range(len(messages) if answers is None else answers)]


def inject(proxy: Proxy, kind: Kind, **attributes: Any) -> Callable[[], None]:
    """What lets a fault happen now, until it is healed if it lasts."""
    return lambda: proxy.inject(Fault(kind=kind, **attributes))


# -- no fault


async def test_without_a_fault_everything_passes_untouched(caplog):
    """Short and long messages, both ways; path and query are the target's, and what passed is counted."""
    long = "ü" * 500_000
    caplog.set_level(logging.INFO, "lifecycle.proxy")
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        assert await echoed(connection, "hello", long, "") == ["hello", long, ""]
        assert proxy.url == f"ws://127.0.0.1:{proxy.port}/here?a=b"
        assert (proxy.counts.dials, proxy.connections) == (1, 1)
        assert "a=b" not in caplog.text  # a query may hold a secret
        assert min(proxy.counts.up, proxy.counts.down) > 1_000_000


async def test_bytes_that_are_no_websocket_pass_untouched():
    """Whoever speaks first, in whatever pieces, and each side may end before the other."""
    sent = bytes(range(256)) * 2000

    async def greet(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 hello\r\n")
        got = b"".join([part async for part in stream])
        await stream.send_all(got[::-1])
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, greet, [listener])
        async with Proxy(f"127.0.0.1:{listener.socket.getsockname()[1]}") as proxy:
            stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
            assert await stream.receive_some() == b"220 hello\r\n"
            await stream.send_all(sent)
            await stream.send_eof()
            assert b"".join([part async for part in stream]) == sent[::-1]
            await stream.aclose()
        nursery.cancel_scope.cancel()


# -- faults of the network


async def test_refuse_closes_the_port_and_opens_it_again():
    """Dials are refused by the system; those who are connected stay; afterwards the port is the same."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="refuse", lasts=math.inf))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port))
        assert await echoed(connection, "still here") == ["still here"]

        await lost(connection, inject(proxy, "reset"), "refused")
        proxy.heal()
        await connection.ready(5)
        assert (proxy.counts.dials, proxy.counts.shut) == (2, 1)


async def test_refuse_with_times_resets_so_many_dials():
    """A closed port cannot count, so dials are reset as soon as they come."""
    async with serve() as server, before(server, Fault(kind="refuse", times=2)) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        assert (proxy.counts.dials, proxy.counts.refused) == (3, 2)


async def test_delay_makes_everything_late():
    """A delay longer than the heartbeat's patience costs the connection; without it there is a new one."""
    async with serve() as server, before(server) as proxy, dial(proxy, BEATING) as connection:
        await lost(connection, inject(proxy, "delay", by=0.5, lasts=math.inf), "heartbeat_wait")
        proxy.heal()
        await connection.ready(5)
        assert await echoed(connection, "hello") == ["hello"]


async def test_a_delay_keeps_the_order():
    """What comes after the delay is over still waits for what came before; nothing overtakes."""
    numbers = [str(number) for number in range(10)]
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="delay", by=0.1, lasts=math.inf))
        began = trio.current_time()
        for number in numbers[:5]:
            await connection.send(number)
        await trio.sleep(0.01)
        proxy.heal()
        assert await echoed(connection, *numbers[5:], answers=10) == numbers
        assert trio.current_time() - began >= 0.1  # never less; how much more is not our business


async def test_half_open_is_noticed_by_the_heartbeat():
    """The sockets stay open and nobody says anything; new dials come to nothing; then all is well again."""
    async with serve() as server, before(server) as proxy, dial(proxy, BEATING) as connection:
        await lost(connection, inject(proxy, "half-open", lasts=math.inf), "heartbeat_wait")
        assert "silent" in connection.why
        while "connect_timeout" not in connection.why:  # noqa: ASYNC110 -- nothing tells when a sentence changes
            await trio.sleep(0.005)
        assert len(server.connections) == 1  # which does not know that nobody is there
        proxy.heal()
        await connection.ready(5)
        assert await echoed(connection, "hello") == ["hello"]


async def test_half_open_in_one_direction_lets_the_other_pass():
    """What the client says arrives, and the answers do not; they come when it is over."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="half-open", lasts=math.inf, way="down"))
        up = proxy.counts.up
        await connection.send("hello")
        with trio.move_on_after(0.05) as waited:
            await anext(connection)
        assert waited.cancelled_caught
        assert proxy.counts.up > up
        proxy.heal()
        assert await anext(connection) == "hello"


async def test_half_open_reads_nothing():
    """What the peer goes on to say stays where it is, in the system's buffers, until those are full."""

    async def pour(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        while True:
            await stream.send_all(bytes(65_536))

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, pour, [listener])
        async with Proxy(f"127.0.0.1:{listener.socket.getsockname()[1]}") as proxy:
            proxy.inject(Fault(kind="half-open", lasts=math.inf, way="down"))
            async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
                await stream.send_all(b"go")
                with trio.move_on_after(0.05) as waited:
                    await stream.receive_some()
                (link,) = proxy._links
                assert waited.cancelled_caught
                assert (link._down._size, proxy.counts.up, proxy.counts.down) == (0, 2, 0)
                proxy.heal()
                assert await stream.receive_some()
        nursery.cancel_scope.cancel()


async def test_throttle_makes_a_long_message_slow():
    """At 1 KiB a second 10 KiB do not come in a moment; at once when it is over."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="throttle", rate=1024, lasts=math.inf, way="down"))
        await connection.send("x" * 10_240)
        with trio.move_on_after(0.05) as waited:
            await anext(connection)
        assert waited.cancelled_caught
        proxy.heal()
        assert await anext(connection) == "x" * 10_240


async def test_reset_is_a_reset_of_tcp():
    """The client is told by its system, and so is the server; the next dial is good."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        (cause,) = await healed(connection, inject(proxy, "reset"))
        assert "reset" in cause
        assert (proxy.counts.reset, proxy.connections, len(server.connections)) == (1, 1, 1)


async def test_a_reset_of_the_target_is_passed_on():
    """The client sees what it would have seen without a proxy."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def slam(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await stream.aclose()

        nursery.start_soon(trio.serve_listeners, slam, [listener])
        async with Proxy(f"127.0.0.1:{listener.socket.getsockname()[1]}") as proxy:
            stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
            await stream.send_all(b"hello")
            with pytest.raises(trio.BrokenResourceError) as error:
                await stream.receive_some()
            assert isinstance(error.value.__cause__, ConnectionResetError)
            await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_a_reset_that_only_a_write_has_seen_is_passed_on():
    """The system tells it once, and then says that the stream has ended; the client is reset all the same."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def slam(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await stream.aclose()

        nursery.start_soon(trio.serve_listeners, slam, [listener])
        async with Proxy(f"127.0.0.1:{listener.socket.getsockname()[1]}") as proxy:
            proxy.inject(Fault(kind="half-open", lasts=math.inf, way="down"))
            async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
                await stream.send_all(b"hello")
                while not proxy._links or not (link := next(iter(proxy._links)))._down or not link._down._broken:
                    await stream.send_all(b"?")
                    await trio.sleep(0.005)
                proxy.heal()
                with pytest.raises(trio.BrokenResourceError) as error:
                    await stream.receive_some()
                assert isinstance(error.value.__cause__, ConnectionResetError)
        nursery.cancel_scope.cancel()


async def test_a_target_that_is_not_there_resets_the_client():
    """It is told and counted, and the proxy goes on."""
    told: list[Told] = []
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with (
        Proxy(f"127.0.0.1:{port}", tell=told.append) as proxy,
        await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream,
    ):
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
    assert proxy.counts == Counts(dials=1, unreachable=1)
    assert "the target cannot be reached" in told[-1].text


# -- faults of what stands between


async def test_close_says_goodbye_with_code_and_reason():
    """The client hears who closed and why, at the end of a message and not in it."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        (cause,) = await healed(connection, inject(proxy, "close", code=1013, reason="not now"))
        assert "1013" in cause
        assert "not now" in cause
        assert proxy.counts == Counts(dials=2, closed=1, up=proxy.counts.up, down=proxy.counts.down)


async def test_close_in_the_midst_of_a_frame_is_a_reset():
    """A frame that never ends leaves no place for a goodbye."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

    async def half_a_frame(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(head + b"\x81\x05he")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, half_a_frame, [listener])
        async with Proxy(f"127.0.0.1:{listener.socket.getsockname()[1]}") as proxy:
            stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
            await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
            got = b""
            while not got.endswith(b"he"):
                got += await stream.receive_some()
            proxy.inject(Fault(kind="close"))
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
            await stream.aclose()
            assert (proxy.counts.closed, proxy.counts.reset) == (0, 1)
        nursery.cancel_scope.cancel()


async def test_status_refuses_handshakes():
    """Two dials are answered with 503; the third is let through."""
    busy = Fault(kind="status", status=503, times=2)
    async with serve() as server, before(server, busy) as proxy, dial(proxy) as connection:
        steps = connection.changes()
        causes = [step.cause for step in [await anext(steps) for _ in range(4)] if step.cause]
        assert "503" in causes[0]
        await connection.ready(5)
        assert (proxy.counts.dials, proxy.counts.answered) == (3, 2)


async def test_status_says_when_to_come_again():
    """Retry-After has whole seconds, so that a part of one is a whole one."""
    busy = Fault(kind="status", status=429, retry_after=1.2, lasts=math.inf)
    async with (
        serve() as server,
        before(server, busy) as proxy,
        await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream,
    ):
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        answer = b"".join([part async for part in stream])
    assert answer == (
        b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 2\r\n\r\n"
    )


async def test_status_counts_those_whom_it_answers():
    """Of two who come at once, with `times=1` one is answered by the proxy, and the other by the server."""

    async def ask(stream: trio.SocketStream) -> bytes:
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        return b"".join([part async for part in stream])[:12]

    async with (
        serve() as server,
        before(server, Fault(kind="status", times=1)) as proxy,
        await trio.open_tcp_stream("127.0.0.1", proxy.port) as one,
        await trio.open_tcp_stream("127.0.0.1", proxy.port) as other,
    ):
        while proxy.counts.dials < 2:  # noqa: ASYNC110 -- the proxy tells nobody of each dial
            await trio.sleep(0.001)
        await trio.testing.wait_all_tasks_blocked()
        assert {await ask(one), await ask(other)} == {b"HTTP/1.1 503", b"HTTP/1.1 400"}
    assert proxy.counts.answered == 1


async def test_dropped_messages_do_not_come():
    """Neither do they cost the connection: only who numbers messages would know."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="drop", lasts=math.inf, way="up"))
        await echoed(connection, "one", "two", answers=0)
        while proxy.counts.dropped < 2:  # noqa: ASYNC110 -- the proxy tells nobody of each message
            await trio.sleep(0.001)
        proxy.heal()
        assert await echoed(connection, "three") == ["three"]
        assert connection.epoch == 1


async def test_corrupted_messages_differ_in_one_byte():
    """On either way, and what a client has masked can still be unmasked."""
    message = bytes(range(200))
    async with serve() as server, before(server) as proxy:
        for way in ("up", "down"):
            proxy.inject(Fault(kind="corrupt", lasts=math.inf, way=way))
            async with trio_websocket.open_websocket_url(proxy.url) as client:
                await client.send_message(message)
                got = await client.get_message()
            assert sum(one != other for one, other in zip(message, got, strict=True)) == 1
            proxy.heal()
    assert proxy.counts.corrupted == 2


async def test_a_text_that_is_no_text_any_more_costs_the_connection():
    """The client closes with 1007 as it must, and is ready again."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:

        def happen() -> None:
            proxy.inject(Fault(kind="corrupt", lasts=math.inf, way="down"))
            for _ in range(30):  # each has one bit in two
                connection.post("hello")

        (cause,) = await healed(connection, happen)
        assert "1007" in cause


async def test_duplicated_messages_come_twice():
    """One after the other."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="duplicate", lasts=math.inf, way="up"))
        assert await echoed(connection, "one", "two", answers=4) == ["one", "one", "two", "two"]


async def test_reordered_messages_change_places():
    """One waits for the next; the last waits until it is over."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="reorder", lasts=math.inf, way="down"))
        assert await echoed(connection, "a", "b", "c", "d", "e", answers=4) == ["b", "a", "d", "c"]
        proxy.heal()
        assert await anext(connection) == "e"
        assert proxy.counts.reordered == 2


async def test_the_goodbye_does_not_overtake_a_message_that_waits():
    """A message that is held back passes before the close frame, as nothing may come behind that."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        (client,) = server.connections
        proxy.inject(Fault(kind="reorder", lasts=math.inf, way="down"))
        await client.send("last words")
        await client.aclose()
        assert await anext(connection) == "last words"


@pytest.mark.parametrize("kind", ["drop", "duplicate"])
async def test_a_share_is_decided_by_the_seed(kind):
    """The same seed hits the same messages, another one others."""

    async def run(seed: int) -> list[str]:
        fault = Fault(kind=kind, lasts=math.inf, share=0.5, way="up")
        async with serve() as server, before(server, fault, seed=seed) as proxy, dial(proxy) as connection:
            await connection.ready(5)
            for number in range(30):
                await connection.send(str(number))
            for _ in range(40):  # some of them come
                await connection.send("end")
            got = []
            while (message := await anext(connection)) != "end":
                got.append(message)
            return got

    first, again, other = await run(3), await run(3), await run(4)
    assert first == again != other
    assert first != [str(number) for number in range(30)]


# -- schedules


async def test_a_schedule_happens_in_its_order():
    """Each at its time, and the connection is ready after all of them."""
    told: list[Told] = []
    faults = (
        Fault(kind="close", at=0.05, code=1012),
        Fault(kind="refuse", at=0.05, lasts=0.05),
        Fault(kind="reset", at=0.15),
        Fault(kind="status", at=0.15, times=1),
    )
    async with serve() as server, before(server, *faults, tell=told.append) as proxy, dial(proxy) as connection:
        while proxy.counts.answered < 1:  # noqa: ASYNC110 -- the connection tells nobody of the proxy
            await trio.sleep(0.005)
        await connection.ready(5)
        assert await echoed(connection, "hello") == ["hello"]
    happened = [(one.what, one.text) for one in told if one.what in ("fault", "over")]
    assert happened == [
        ("fault", "close with 1012"),
        ("fault", "refuse for 50 ms"),
        ("over", "refuse"),
        ("fault", "reset"),
        ("fault", "status 503 for 1 dials"),
        ("over", "status"),
    ]
    assert [one.at for one in told] == sorted(one.at for one in told)


async def test_heal_forgets_what_was_still_to_come():
    """Nothing of the schedule is left."""
    async with serve() as server, before(server) as proxy, dial(proxy) as connection:
        await connection.ready(5)
        proxy.inject(Fault(kind="reset", at=0.03))
        proxy.heal()
        await trio.sleep(0.05)
        assert await echoed(connection, "hello") == ["hello"]
        assert proxy.counts.reset == 0


# -- what is no plain WebSocket


async def test_tls_passes_and_faults_of_frames_say_that_they_do_nothing(caplog):
    """Through wss:// drop, close and status do nothing, and the log says so; a reset does what it does everywhere."""
    authority, theirs = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    faults = [Fault(kind="drop", lasts=math.inf), Fault(kind="status", times=1)]
    told: list[Told] = []
    with caplog.at_level(logging.WARNING, "lifecycle.proxy"):
        async with serve(tls=theirs) as server:
            target, schedule = f"wss://localhost:{server.port}", Schedule(tuple(faults))
            async with Proxy(target, schedule=schedule, tell=told.append) as proxy:
                assert proxy.url.startswith("wss://")
                async with lifecycle.open("websocket", url=proxy.url, tls=ours, **SHORT) as connection:
                    await connection.ready(5)
                    proxy.inject(Fault(kind="close"))
                    assert await echoed(connection, "hello") == ["hello"]
                    (cause,) = await healed(connection, inject(proxy, "reset"))
                    assert "reset" in cause
    useless = [(one.connection, one.text.split()[0]) for one in told if one.what == "nothing"]
    assert sorted(useless) == [(1, "close"), (1, "drop"), (1, "status"), (2, "drop"), (2, "status")]
    assert "drop does nothing here: this is no plain WebSocket" in caplog.text
    assert (proxy.counts.dropped, proxy.counts.closed, proxy.counts.answered) == (0, 0, 0)


# -- its life


async def test_nothing_is_left_behind():
    """Connections end with the proxy, the port is free, and what the body raises leaves as it is."""
    async with serve() as server:
        proxy = before(server)

        async def fail() -> None:
            async with proxy:
                await stream.connect(("127.0.0.1", proxy.port))
                await stream.send(b"GET")
                while not proxy.counts.up:  # noqa: ASYNC110 -- the proxy tells nobody of each byte
                    await trio.sleep(0.001)
                raise KeyError

        with trio.socket.socket() as stream:
            with pytest.raises(KeyError):
                await fail()
            assert await stream.recv(1) == b""
        async with before(server, port=proxy.port), before(server) as other:
            with pytest.raises(CannotListen):
                async with before(server, port=other.port):
                    raise AssertionError


async def test_a_cancelled_body_leaves_at_once():
    """Whatever is active, also a half-open network with clients in it."""
    async with serve() as server:
        with trio.move_on_after(0.05) as scope:
            async with (
                before(server, Fault(kind="half-open", lasts=math.inf)) as proxy,
                await trio.open_tcp_stream("127.0.0.1", proxy.port),
            ):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert proxy.connections == 0


async def test_a_flood_is_kept_within_bounds():
    """When nothing passes and the source goes on, the proxy stops reading."""

    async def pour(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        while True:
            await stream.send_all(bytes(65_536))

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, pour, [listener])
        async with Proxy(f"127.0.0.1:{listener.socket.getsockname()[1]}") as proxy:
            proxy.inject(Fault(kind="delay", by=1000, lasts=math.inf, way="down"))
            stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
            await stream.send_all(b"go")
            (link,) = proxy._links
            size, before_that = -1, -2
            while size != before_that or size <= 0:
                await trio.sleep(0.02)
                size, before_that = (link._down._size if link._down else 0), size
            assert 1_000_000 < size < 1_200_000
            assert proxy.counts.down == 0
            await stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ws://host:80/path?q=1", Target(host="host", port=80, resource="/path?q=1")),
        ("ws://host", Target(host="host", port=80)),
        ("wss://host/", Target(host="host", port=443, scheme="wss")),
        ("host:1234", Target(host="host", port=1234)),
        ("[::1]:1234", Target(host="::1", port=1234)),
    ],
)
def test_targets(text, target):
    """A URL, or a place."""
    assert Target.parse(text) == target


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:0", "host:99999", ":80", "http://h:1/", "h:1/x"])
def test_what_is_no_target_is_told(text):
    """With what to write."""
    with pytest.raises(ValueError, match="a target is `ws://host:port/path`"):
        Target.parse(text)


# -- the command


def test_the_command_runs_until_interrupted(tmp_path):
    """A line for each fault and each connection, and at the end what was done; exit code 0."""
    file = tmp_path / "faults.yaml"
    file.write_text("faults: 1\nschedule: [{at: 0 s, fault: refuse, times: 1}]")
    program = "from lifecycle.cli.proxy import proxy; proxy()"
    arguments = [sys.executable, "-c", program, "0", "127.0.0.1:9", "--faults", str(file), "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        listening = json.loads(process.stdout.readline())
        port = int(listening["text"].split()[0].rpartition(":")[2])
        assert json.loads(process.stdout.readline())["text"] == "refuse for 1 dials"
        with socket.create_connection(("127.0.0.1", port)) as client, pytest.raises(ConnectionResetError):
            client.recv(1)
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert [line["what"] for line in (listening, *lines)] == ["listening", "dial", "over", "end"]
    assert {name: count for name, count in json.loads(rest)["counts"].items() if count} == {"dials": 1, "refused": 1}
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("listen", "target", "told"),
    [
        ("99999", "127.0.0.1:9", "'99999' is neither a port nor HOST:PORT"),
        (":1", "127.0.0.1:9", "':1' is neither a port nor HOST:PORT"),
        ("127.0.0.1:taken", "127.0.0.1:9", "cannot listen on 127.0.0.1 port"),
        ("0", "nowhere", "a target is `ws://host:port/path`"),
    ],
)
def test_what_was_typed_wrong_is_told(tmp_path, listen, target, told):
    """One clear error, exit code 2."""
    file = tmp_path / "faults.yaml"
    file.write_text("faults: 1\nschedule: []")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = listen.replace("taken", str(taken.getsockname()[1]))
        result = CliRunner().invoke(command, [listen, target, "--faults", str(file)])
    assert result.exit_code == 2
    assert told in result.output


def test_a_bad_schedule_is_told_with_its_place(tmp_path: Path):
    """As of a page; the command line prints it and exits with 2."""
    file = tmp_path / "faults.yaml"
    file.write_text("faults: 1\nschedule: [{at: 1 s, fault: fire}]")
    result = CliRunner().invoke(command, ["0", "127.0.0.1:9", "--faults", str(file)])
    assert isinstance(result.exception, PageError)
    assert f"{file}:2:29: `fire` is not one of" in str(result.exception)
