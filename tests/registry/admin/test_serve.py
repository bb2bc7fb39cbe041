"""The admin surface on real sockets, served by Hypercorn's trio worker."""

import http.client
import logging
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trustme

from lifecycle.errors import CannotListen
from lifecycle.registry import Registry
from lifecycle.registry.admin import serve, serve_admin
from lifecycle.registry.admin.reading import Reading
from lifecycle.registry.lease import Terms
from lifecycle.registry.memory_leases import MemoryLeases

from .asking import CLEAR, JOIN, KEY, LEAVE, Client

pytestmark = pytest.mark.real_time


@asynccontextmanager
async def served(capacity=2, *, key=KEY, begin=None, stop=None, **settings):
    """A served surface; it ends in order, and `ended` is set when it has."""
    async with (
        MemoryLeases() as leases,
        Registry(leases, capacity=capacity, begin=begin, stop=stop) as registry,
        trio.open_nursery() as nursery,
    ):
        stopping, ended = trio.Event(), trio.Event()

        async def run(task_status):
            await serve_admin(
                registry,
                port=0,
                key=key,
                without_key=key is None,
                stop=stopping.wait,
                task_status=task_status,
                **settings,
            )
            ended.set()

        place = await nursery.start(run)
        place_ = _Served(place, registry, stopping, ended, nursery)
        yield place_
        stopping.set()
        await ended.wait()


class _Served:
    def __init__(self, place, registry, stopping, ended, nursery):
        self.port, self.url, self.registry = place.port, place.url, registry
        self.stopping, self.ended, self.nursery = stopping, ended, nursery


async def test_a_service_is_used_by_a_client_from_beginning_to_end():
    """One connection, a free port, every route."""
    async with served() as service, Client(service.port) as client:
        assert service.url == f"http://127.0.0.1:{service.port}"
        assert (await client.ask("POST", JOIN, {"live_id": "a"})).body["result"]["status"] == "started"
        assert (await client.ask("POST", JOIN, {"live_id": "a"})).body["result"]["status"] == "already_active"
        assert (await client.ask("POST", JOIN, {"live_id": "b"})).status == 200
        assert (await client.ask("POST", JOIN, {"live_id": "c"})).body["code"] == 4002
        listed = (await client.ask("GET", "/api/sessions")).body["sessions"]
        assert [row["live_id"] for row in listed] == ["a", "b"]
        assert (await client.ask("DELETE", LEAVE + "a")).body["cleaned_up"] is True
        assert (await client.ask("POST", JOIN, {"live_id": "c"})).status == 200
        assert (await client.ask("POST", CLEAR)).body["before"] == 2
        assert "lifecycle_registry_sessions 0.0" in (await client.ask("GET", "/metrics")).text
        health = await client.ask("GET", "/health")
    assert (health.status, health.body["active"]) == (200, 0)
    assert "server" not in health.headers


async def test_who_hangs_up_during_a_join_gives_the_slot_to_who_waits():
    """The socket closes in the middle of a start; the start is cancelled, and one that waits gets the slot."""
    begun, stopped = trio.Event(), []

    async def begin(lease):
        if lease.id == "a":
            begun.set()
            await trio.sleep_forever()

    async def stop(lease):
        stopped.append(lease.id)

    async with served(1, begin=begin, stop=stop) as service:
        async with Client(service.port) as client:
            await client.tell("POST", JOIN, {"live_id": "a"})
            await begun.wait()
            assert [lease.status for lease in await service.registry.list()] == ["pending"]
        session = await service.registry.start("b", wait=50)
        assert (session.status, stopped) == ("active", ["a"])
        assert (await service.registry.health()).active == 1


async def test_sixty_joins_at_once_start_as_many_as_there_are_slots():
    """Each on its own connection; the others are refused with 4002, and the service goes on."""
    codes = []

    async def join(port, number):
        async with Client(port) as client:
            codes.append((await client.ask("POST", JOIN, {"live_id": f"live-{number}"})).body["code"])

    async with served(7) as service:
        async with trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(join, service.port, number)
        assert sorted(codes) == [1000] * 7 + [4002] * 53
        assert (await service.registry.health()).active == 7


async def test_an_unread_body_of_many_megabytes_stops_nothing():
    """Its client hears 413; without the key it hears 401; others are served meanwhile."""
    async with served() as service:
        for key, status in ((KEY, 413), (None, 401)):
            async with (
                Client(service.port, key=key) as large,
                Client(service.port) as other,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(_try, partial(large.tell, "POST", JOIN, b"x" * 6_000_000))
                assert (await other.ask("GET", "/health")).status == 200
                assert (await large.hear()).status == status


async def _try(do):
    with suppress(trio.BrokenResourceError):  # hung up on while it still sent
        await do()


async def test_who_asks_nothing_is_let_go(monkeypatch):
    """Neither half a request nor silence holds a connection."""
    monkeypatch.setattr(serve, "IDLE", 0.2)
    async with served() as service, Client(service.port) as silent, Client(service.port) as slow:
        await slow.stream.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        assert await silent.gone()
        assert await slow.gone()
        async with Client(service.port) as client:
            assert (await client.ask("GET", "/health")).status == 200
            assert await client.gone()


async def test_who_does_not_read_is_let_go(monkeypatch, caplog):
    """Answers that nobody takes are not kept for ever; others are served meanwhile, and nothing of it is left."""
    monkeypatch.setattr(serve, "PATIENCE", 0.3)
    async with served() as service, Client(service.port) as deaf:
        await _ask_without_reading(deaf, service.registry.leases)
        async with Client(service.port) as client:
            assert (await client.ask("GET", "/health")).status == 200
        with suppress(trio.BrokenResourceError):
            while True:  # until it is hung up on
                await deaf.stream.send_all(b"x" * 65_536)
        service.stopping.set()
        await service.ended.wait()
    assert "was not done within" not in caplog.text


async def _ask_without_reading(client, leases):
    """Ask so often that the answers fill every buffer on the way."""
    for number in range(800):
        await leases.reserve(f"{number}".ljust(256, "x"), f"ticket {number}", "elsewhere:1", Terms(800, 600.0))
    page = b"GET /api/sessions?limit=800 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n\r\n"
    client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.stream.send_all(page * 60)
    await client.stream.receive_some(1)  # it has begun to answer


async def test_the_end_is_bounded_though_a_client_does_not_read():
    """It is hung up on after the grace, and nothing outlives the service."""
    async with served(grace=0.2) as service, Client(service.port) as deaf:
        await _ask_without_reading(deaf, service.registry.leases)
        service.stopping.set()
        await service.ended.wait()
        with pytest.raises(OSError, match=r"all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", service.port)


async def test_a_cancelled_service_ends_though_a_client_does_not_read():
    """Without any grace."""
    async with MemoryLeases() as leases, Registry(leases, capacity=1) as registry:
        async with trio.open_nursery() as nursery:
            place = await nursery.start(partial(serve_admin, registry, port=0, key=KEY))
            async with Client(place.port) as deaf:
                await _ask_without_reading(deaf, leases)
                began = trio.current_time()
                nursery.cancel_scope.cancel()
        assert trio.current_time() - began < serve.PATIENCE


async def test_a_request_that_was_asked_is_answered_at_the_end():
    """Nobody is accepted any more, who is idle is hung up on, and the start that is on its way ends well."""
    begun, go_on = trio.Event(), trio.Event()

    async def begin(lease):
        begun.set()
        await go_on.wait()

    async with served(begin=begin, grace=50) as service, Client(service.port) as client, Client(service.port) as idle:
        await client.tell("POST", JOIN, {"live_id": "a"})
        await begun.wait()
        service.stopping.set()
        assert await idle.gone()
        with pytest.raises(OSError, match=r"all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", service.port)
        go_on.set()
        assert (await client.hear()).status == 200
        await service.ended.wait()


async def test_a_request_that_takes_longer_than_the_grace_is_cut():
    """Its start is cancelled, and its slot comes back."""
    begun = trio.Event()

    async def begin(lease):
        begun.set()
        await trio.sleep_forever()

    async with served(begin=begin, grace=0.2) as service, Client(service.port) as client:
        await client.tell("POST", JOIN, {"live_id": "a"})
        await begun.wait()
        service.stopping.set()
        await service.ended.wait()
        assert await client.gone()
        await service.registry.leave("a")
        assert (await service.registry.health()).active == 0


async def test_there_is_a_limit_of_clients():
    """Who comes as one too many is hung up on; when one goes, the next one is served."""
    async with served(limit=2) as service:
        async with Client(service.port) as one, Client(service.port) as two:
            for client in (one, two):
                assert (await client.ask("GET", "/health")).status == 200
            async with Client(service.port) as third:
                assert await third.gone()
        status = None
        while status != 200:  # until the service has seen them go
            async with Client(service.port) as next_one:
                try:
                    status = (await next_one.ask("GET", "/health")).status
                except (EOFError, trio.BrokenResourceError):
                    await trio.sleep(0.01)


@pytest.mark.parametrize(
    "noise",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 100_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff"],
)
async def test_noise_harms_nobody(noise, caplog):
    """Whatever comes, its client is let go, and others are served."""
    async with served() as service, Client(service.port) as noisy, Client(service.port) as client:
        await _try(partial(noisy.stream.send_all, noise))
        await _try(noisy.stream.send_eof)
        assert await noisy.gone()
        assert (await client.ask("GET", "/health")).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_ctrl_c_does_not_break_into_an_answer(monkeypatch):
    """Hypercorn would log it as an error of the app, and serve on; so it waits for the program's own task."""
    protected = []

    def seen(do):
        async def seeing(*args, **kwargs):
            protected.append(trio.lowlevel.currently_ki_protected())
            return await do(*args, **kwargs)

        return seeing

    async with served() as service:
        assert not trio.lowlevel.currently_ki_protected()
        async with Client(service.port) as client:
            for owner, name in (
                (service.registry, "health"),
                (Reading, "_whole"),
                (trio.SocketStream, "receive_some"),
                (trio.SocketStream, "send_all"),
            ):
                with monkeypatch.context() as patch:
                    patch.setattr(owner, name, seen(getattr(owner, name)), raising=False)
                    before = len(protected)
                    await trio.to_thread.run_sync(partial(_get, service.port))
                    assert len(protected) > before
            assert (await client.ask("GET", "/health")).status == 200
    assert all(protected)


def _get(port):
    """Ask as a program without trio does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=50)
    connection.request("GET", "/health")
    assert connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize(
    ("trouble", "level"), [(RuntimeError("a bug"), "ERROR"), (trio.BrokenResourceError(), "DEBUG")]
)
async def test_trouble_with_one_client_is_nobody_elses(trouble, level, caplog, monkeypatch):
    """It is logged, and a fault of ours with its traceback; the service goes on."""
    caplog.set_level(logging.DEBUG, "lifecycle.registry.admin")
    whole = serve.TCPServer.run

    async def broken(self):
        monkeypatch.setattr(serve.TCPServer, "run", whole)
        raise trouble

    monkeypatch.setattr(serve.TCPServer, "run", broken)
    async with served() as service:
        async with Client(service.port) as unlucky:
            assert await unlucky.gone()
        async with Client(service.port) as client:
            assert (await client.ask("GET", "/health")).status == 200
    (record,) = [each for each in caplog.records if "client" in each.message]
    assert (record.levelname, record.exc_info is not None) == (level, level == "ERROR")


async def test_it_speaks_tls():
    """With our own certificate, and who does not speak it is let go."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    async with served(tls=ours) as service:
        assert service.url == f"https://127.0.0.1:{service.port}"
        async with Client(service.port, tls=theirs) as client:
            assert (await client.ask("POST", JOIN, {"live_id": "a"})).status == 200
        async with Client(service.port) as plain:
            await plain.tell("GET", "/health")
            assert await plain.gone()


async def test_a_port_that_is_taken_is_told():
    """Nothing stays bound, and nothing runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with MemoryLeases() as leases, Registry(leases, capacity=1) as registry:
            with pytest.raises(CannotListen, match=f"127.0.0.1 port {port}"):
                await serve_admin(registry, port=port, key=KEY)


async def test_a_key_in_clear_text_is_warned_of(caplog):
    """Where other machines may ask, and not by TLS."""
    async with served(host="0.0.0.0") as service, Client(service.port) as client:  # noqa: S104 -- that is what is warned of
        assert (await client.ask("GET", "/health")).status == 200
    assert [record.message for record in caplog.records if "clear text" in record.message]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", ""])  # noqa: S104 -- that is what is refused
async def test_without_a_key_nobody_else_can_be_served(host):
    """Only loopback is listened on."""
    async with MemoryLeases() as leases, Registry(leases, capacity=1) as registry:
        with pytest.raises(ValueError, match="only this machine is served"):
            await serve_admin(registry, host=host, port=0, without_key=True)
