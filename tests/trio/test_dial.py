import errno
import ipaddress
import socket
from collections.abc import Iterator

import pytest
import trio

from lifecycle.trio.pipes import dial
from lifecycle.trio.pipes.dial import connect_tcp
from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.ending import ErrorEnding


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that never accepts, which suffices to be connected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def failed(host: str, port: int = 1) -> ErrorEnding:
    """Dial in vain, and say why."""
    with pytest.raises(TransportFailed) as caught:
        await connect_tcp(host, port)
    assert isinstance(caught.value.ending, ErrorEnding)
    return caught.value.ending


class Network:
    """Addresses with a delay and an outcome each, instead of a network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **outcomes: tuple[float, int | None]) -> None:
        self.outcomes = outcomes
        self.started: dict[str, float] = {}
        self.sockets: list[socket.socket] = []
        monkeypatch.setattr(dial, "_connect", self.connect)
        monkeypatch.setattr(dial, "_resolve", self.resolve)

    async def resolve(self, host: str, port: int) -> list[dial._Target]:
        await trio.lowlevel.checkpoint()
        return [dial._Target(0, 0, 0, (name, port)) for name in self.outcomes]

    async def connect(self, target: dial._Target) -> socket.socket:
        name = str(target.address[0])
        delay, error = self.outcomes[name]
        self.started[name] = trio.current_time()
        await trio.sleep(delay)
        if error:
            raise OSError(error, "from the script")
        self.sockets.append(socket.socket())
        return self.sockets[-1]

    def open(self) -> int:
        return sum(sock.fileno() >= 0 for sock in self.sockets)


@pytest.mark.real_time
async def test_connects(listener: socket.socket) -> None:
    """The socket is connected, does not block, and sends small writes at once."""
    with await connect_tcp(*listener.getsockname()) as sock:
        assert sock.getpeername() == listener.getsockname()
        assert sock.gettimeout() == 0
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.real_time
async def test_a_name_is_resolved(listener: socket.socket) -> None:
    """A name will do, also if one of its addresses does not answer."""
    with await connect_tcp("localhost", listener.getsockname()[1]) as sock:
        assert ipaddress.ip_address(sock.getpeername()[0]).is_loopback


@pytest.mark.real_time
async def test_a_port_where_nobody_listens(closed_port: int) -> None:
    """It is `refused`, with its number."""
    ending = await failed("127.0.0.1", closed_port)
    assert (ending.word, ending.errno) == ("refused", errno.ECONNREFUSED)
    assert ending.text == "Connection refused"


@pytest.mark.real_time
async def test_a_name_that_does_not_exist() -> None:
    """It is `dns`, with the resolver's number."""
    ending = await failed("no-such-host.invalid")
    assert ending.word == "dns"
    assert ending.errno in (socket.EAI_NONAME, socket.EAI_AGAIN)
    assert ending.text


@pytest.mark.real_time
async def test_a_name_that_cannot_be_one() -> None:
    """A label too long for DNS is `dns` too."""
    ending = await failed("a" * 64 + ".example")
    assert ending.word == "dns"


@pytest.mark.real_time
async def test_a_network_that_says_no_at_once() -> None:
    """An address that cannot be connected to at all is `connect`, and no socket is left."""
    ending = await failed("255.255.255.255", 9)
    assert ending.word == "connect"
    assert ending.errno


async def test_a_slow_address_gets_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a quarter of a second the next address is tried beside it, and the first to answer wins."""
    network = Network(monkeypatch, slow=(10, None), quick=(1, None), last=(10, None))
    with await connect_tcp("host", 1) as sock:
        assert network.sockets == [sock]
    assert network.started == pytest.approx({"slow": 0, "quick": 0.25, "last": 0.5})
    assert trio.current_time() == pytest.approx(1.25)


async def test_a_failed_address_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next address does not wait for the quarter of a second."""
    network = Network(monkeypatch, bad=(0.1, errno.ECONNREFUSED), good=(0, None))
    (await connect_tcp("host", 1)).close()
    assert network.started == pytest.approx({"bad": 0, "good": 0.1})


async def test_two_that_answer_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One socket leaves, the other is closed."""
    network = Network(monkeypatch, one=(0, None), two=(0, None))
    both = trio.Event()

    async def connect(_: dial._Target) -> socket.socket:
        # an event wakes both for good, while a cancellation would still catch the second in a sleep
        await both.wait()
        network.sockets.append(socket.socket())
        return network.sockets[-1]

    async def answer() -> None:
        await trio.sleep(1)
        both.set()

    monkeypatch.setattr(dial, "_connect", connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        with await connect_tcp("host", 1):
            assert network.open() == 1
    assert len(network.sockets) == 2


async def test_cancelled_in_the_moment_of_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the caller is cancelled, either the socket is returned or none is left open."""
    for deadline in (0, 0.5, 1, 2):
        network = Network(monkeypatch, one=(1, None))
        sock = None
        with trio.move_on_after(deadline):
            sock = await connect_tcp("host", 1)
        assert network.open() == (sock is not None)
        if sock:
            sock.close()


async def test_a_fault_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no error of the network leaves as it is, and no socket is left open."""
    network = Network(monkeypatch, good=(1, None), bad=(0, None))

    async def connect(target: dial._Target) -> socket.socket:
        if target.address[0] == "bad":
            with trio.CancelScope(shield=True):
                await trio.sleep(2)
            raise ZeroDivisionError
        return await network.connect(target)

    monkeypatch.setattr(dial, "_connect", connect)
    with pytest.RaisesGroup(ZeroDivisionError):
        await connect_tcp("host", 1)
    assert len(network.sockets) == 1
    assert network.open() == 0


@pytest.mark.parametrize(
    ("one", "two", "word", "number"),
    [
        (errno.ECONNREFUSED, errno.ECONNREFUSED, "refused", errno.ECONNREFUSED),
        (errno.ECONNREFUSED, errno.ENETUNREACH, "connect", errno.ENETUNREACH),
        (errno.EHOSTUNREACH, errno.ECONNREFUSED, "connect", errno.EHOSTUNREACH),
        (errno.ETIMEDOUT, errno.ECONNREFUSED, "timeout", errno.ETIMEDOUT),
    ],
)
async def test_all_fail(monkeypatch: pytest.MonkeyPatch, one: int, two: int, word: str, number: int) -> None:
    """Only if everybody refuses it is `refused`; else the first other error counts."""
    Network(monkeypatch, one=(0, one), two=(0, two))
    ending = await failed("host")
    assert (ending.word, ending.errno) == (word, number)
    assert ending.text


async def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken IPv6 costs one attempt, not as many as there are addresses of it."""
    found = [(family, 1, 6, "", (name, 1)) for family, name in ((10, "a"), (10, "b"), (10, "c"), (2, "d"))]

    async def look_up(*_: object, **__: object) -> object:
        await trio.lowlevel.checkpoint()
        return found

    monkeypatch.setattr(dial, "_look_up", look_up)
    assert [target.address[0] for target in await dial._resolve("host", 1)] == ["a", "d", "b", "c"]


@pytest.mark.real_time
async def test_cancelled_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dial that hears nothing is cancelled by the caller's timeout, and its socket is closed."""
    monkeypatch.setattr(dial, "wait_writable", _never)
    with socket.create_server(("127.0.0.1", 0)) as listener, trio.move_on_after(0.05) as scope:
        await connect_tcp(*listener.getsockname())
    assert scope.cancelled_caught


async def _never(_: int) -> None:
    await trio.sleep_forever()
