"""The door of one connection: what leaves it, when, and that nothing stays behind."""

import contextlib
from collections.abc import Callable

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import ConnectionEnded, ConnectionFailed, DriverFailed, IllegalEvent, NotReady, NotSent
from lifecycle.trio.connection import Connection
from lifecycle.trio.driver import Driver

from .peer import REFUSED, URL, Peer, closing, echo, http, silent, speaking, stall, tasks

MEGABYTE = 1024 * 1024


def connect(peer: Peer, **parameters: object) -> Connection:
    """The bundled page, dialling the peer."""
    return lifecycle.open("websocket", url=URL, transport=peer, seed=1, **parameters)


async def test_nothing_stays_behind() -> None:
    """After the door there are as many tasks as before, and the peer has seen a normal goodbye."""
    async with Peer(echo) as peer:
        before = tasks()
        async with connect(peer) as connection:
            await connection.ready()
            await connection.send("hi")
        await trio.testing.wait_all_tasks_blocked()
        assert tasks() == before
        assert peer.codes == [1000]
        assert (connection.status, peer.heard) == ("closed", ["hi"])


async def test_the_bodys_exception_leaves_alone() -> None:
    """ValueError stays ValueError, in no group, after a goodbye."""
    async with Peer(echo) as peer:
        with pytest.raises(ValueError, match="mine"):  # noqa: PT012
            async with connect(peer) as connection:
                await connection.ready()
                raise ValueError("mine")
        await trio.testing.wait_all_tasks_blocked()
        assert peer.codes == [1000]


async def test_the_users_own_group_stays_theirs() -> None:
    """A group leaves as the very same group."""
    group = ExceptionGroup("mine", [ValueError(1), KeyError(2)])
    async with Peer(echo) as peer:
        with pytest.raises(ExceptionGroup) as caught:
            async with connect(peer):
                raise group
        assert caught.value is group


@pytest.mark.parametrize("act", [echo, silent, stall, REFUSED, http(503, retry_after="9")])
async def test_a_cancellation_from_outside_takes_no_time(act: object) -> None:
    """`Cancelled` stays what it is, in whatever status it comes, and no virtual time passes."""
    before = tasks()
    async with Peer(act) as peer:  # type: ignore[arg-type]
        with trio.move_on_after(3) as scope:
            async with connect(peer):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(3)
    assert tasks() == before


async def test_a_cancelled_body_says_goodbye_once() -> None:
    """The peer is told 1001, and nobody waits for its answer."""
    async with Peer(echo) as peer:
        with trio.move_on_after(3):
            async with connect(peer):
                await trio.sleep_forever()
        await trio.testing.wait_all_tasks_blocked()
        assert peer.codes == [1001]


async def test_a_cancelled_goodbye_ends_at_once() -> None:
    """A body that is done closes; when that is cancelled, `Cancelled` leaves and nothing stays."""
    async with Peer(silent) as peer:
        with trio.move_on_after(1) as scope:
            async with connect(peer) as connection:
                await connection.ready()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(1)
        assert connection.status == "closed"
        with pytest.raises(ConnectionEnded):
            await connection.ready()


async def test_a_program_that_is_ended() -> None:
    """SystemExit in a task of ours ends the program, and not only the body by a stray cancellation."""

    async def dialer(*_: object) -> None:
        await trio.lowlevel.checkpoint()
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        async with lifecycle.open("websocket", url=URL, transport=dialer):
            await trio.sleep_forever()


async def test_a_wish_that_does_not_end() -> None:
    """Closing by a wish after which the page goes on ends all the same, by the page's own wish to end."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        await connection.aclose("reconnect")
        assert connection.status == "closed"
        assert trio.current_time() < 60
    assert peer.codes[-1] == 1000


async def test_before_and_after() -> None:
    """A wish before the door is refused and does no harm; who asks whether it is ready need not wait."""
    async with Peer(echo) as peer:
        connection = connect(peer)
        with pytest.raises(IllegalEvent, match="has not begun"):
            connection.tell("reconnect")
        async with connection:
            with pytest.raises(NotReady):
                await connection.ready(0)
            await connection.ready()
            await connection.ready(0)


async def in_idle(connection: Connection) -> None:
    """Nothing is needed: a page without `connect` is idle."""


async def until_ready(connection: Connection) -> None:
    """Wait for the connection."""
    await connection.ready()


async def a_while(connection: Connection) -> None:
    """Let the first attempts go by."""
    await trio.sleep(2.5)


async def until_failed(connection: Connection) -> None:
    """Wait until it has given up."""
    with pytest.raises(ConnectionFailed):
        await connection.ready()


async def until_closed(connection: Connection) -> None:
    """Tell the stop wish first."""
    await connection.ready()
    connection.tell("disconnect")
    with pytest.raises(ConnectionEnded):  # noqa: PT012
        while True:
            await connection.ready()
            await trio.sleep(0.1)


async def while_closing(connection: Connection) -> None:
    """Tell the stop wish, and do not wait."""
    await connection.ready()
    connection.tell("disconnect")


@pytest.mark.parametrize(
    ("act", "reach", "status", "seconds"),
    [
        (stall, a_while, "connecting", 0.0),
        (echo, until_ready, "ready", 0.0),
        (silent, until_ready, "ready", 5.0),
        (REFUSED, a_while, "waiting", 0.0),
        (http(401), until_failed, "failed", 0.0),
        (echo, until_closed, "closed", 0.0),
        (silent, while_closing, "closing", 5.0),
    ],
)
async def test_aclose_from_every_status(act: object, reach: Callable[..., object], status: str, seconds: float) -> None:
    """It ends within the page's own bound, and any number of callers may ask for it."""
    async with Peer(act) as peer, trio.open_nursery() as nursery:  # type: ignore[arg-type]  # noqa: SIM117
        async with connect(peer) as connection:
            await reach(connection)  # type: ignore[misc]
            assert connection.status == status
            began = trio.current_time()
            nursery.start_soon(connection.aclose)
            await connection.aclose()
            await connection.aclose()
            assert trio.current_time() - began == pytest.approx(seconds)
            with pytest.raises(ConnectionEnded):
                await connection.ready()
            with pytest.raises(NotSent):
                await connection.send("too late")


async def test_aclose_against_a_peer_that_reads_nothing() -> None:
    """Forty messages of 1 MB, as many as fit: the goodbye takes the page's `close_timeout`, and each has its fate."""
    async with Peer(silent) as peer:
        async with connect(peer, close_timeout=0.5) as connection:
            await connection.ready()
            tickets = []
            for _ in range(40):
                with contextlib.suppress(NotSent):  # the outbox is full
                    tickets += [connection.post(bytes(MEGABYTE))]
            assert [ticket.fate for ticket in tickets] == ["taken", *["queued"] * 4]
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(0.5)
        assert [ticket.fate for ticket in tickets] == ["maybe", *["not_sent"] * 4]


async def test_a_door_that_nobody_goes_through_again() -> None:
    """A connection runs once."""
    async with Peer(echo) as peer:
        async with connect(peer) as connection:
            with pytest.raises(ConnectionEnded, match="runs once"):
                await connection.__aenter__()
        with pytest.raises(ConnectionEnded, match="runs once"):
            await connection.run()
        fresh = connect(peer)
        assert await fresh.__aexit__(None, None, None) is False
        await fresh.aclose()


# Faults of ours


def broken(*_: object) -> None:
    """An effect that goes wrong."""
    raise ZeroDivisionError("ours")


@pytest.fixture
def broken_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every goodbye of the page raises."""
    from lifecycle.machine import effects
    from lifecycle.trio import carry

    monkeypatch.setitem(carry._CARRIED, effects.Close, broken)


@pytest.mark.parametrize("waiting", ["sleep", "ready", "receive", "changes", "send"])
async def test_a_driver_failure(broken_effect: None, waiting: str) -> None:
    """The body is woken, whatever it waits for, and DriverFailed leaves with its cause."""
    async with Peer(silent) as peer:
        with pytest.raises(DriverFailed, match="websocket: ZeroDivisionError: ours") as caught:  # noqa: PT012
            async with connect(peer) as connection, trio.open_nursery() as nursery:
                await connection.ready()
                nursery.start_soon(_disconnect_later, connection)
                match waiting:
                    case "sleep":
                        await trio.sleep_forever()
                    case "ready":
                        await connection._driver.changed.wait()
                        await connection.ready()
                    case "receive":
                        await anext(connection)
                    case "changes":
                        async for _ in connection.changes():
                            pass
                        await trio.sleep_forever()
                    case "send":
                        await connection.send(bytes(MEGABYTE))
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def _disconnect_later(connection: Connection) -> None:
    await trio.sleep(1)
    connection.tell("disconnect")


async def test_a_failure_does_not_hide_the_bodys_own_exception(broken_effect: None) -> None:
    """What the body raises by itself is more to the point."""
    async with Peer(echo) as peer:
        with pytest.raises(KeyError):  # noqa: PT012
            async with connect(peer) as connection:
                await connection.ready()
                connection.tell("disconnect")
                raise KeyError


async def test_of_a_group_the_users_part_leaves(broken_effect: None) -> None:
    """A body that is cancelled by a failure and raises an error too: the error leaves, and nothing stays behind."""

    async def clumsy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("mine")

    async with Peer(echo) as peer:
        before = tasks()
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
            async with connect(peer) as connection, trio.open_nursery() as nursery:
                await connection.ready()
                nursery.start_soon(clumsy)
                nursery.start_soon(trio.sleep_forever)
                await trio.testing.wait_all_tasks_blocked()
                connection.tell("disconnect")
                await trio.sleep_forever()
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        await trio.testing.wait_all_tasks_blocked()
        assert tasks() == before


async def test_a_failure_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that cannot start fails the connection at its door."""
    monkeypatch.setattr(lifecycle.machine.machine.Machine, "start", broken)
    async with Peer(echo) as peer:
        with pytest.raises(DriverFailed):
            async with connect(peer):
                await trio.sleep_forever()
        with pytest.raises(DriverFailed):
            await connect(peer).run()


async def test_a_failure_in_a_dial() -> None:
    """What a dialer raises and nobody knows is a fault, not a loss."""

    async def dial(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(DriverFailed) as caught:
        async with lifecycle.open("websocket", url=URL, transport=dial):
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# Without a door


async def test_run_in_a_nursery() -> None:
    """A connection may outlive a function; whoever closes it ends `run`, and its readers stop."""
    async with Peer(speaking("hello")) as peer, trio.open_nursery() as nursery:
        connection: Connection = await nursery.start(connect(peer).run)
        assert [message async for message in _first(connection, 1)] == ["hello"]
        ended: list[str] = []

        async def reader() -> None:
            async for _ in connection:
                pytest.fail("nothing more comes")
            ended.append("stopped")

        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        await connection.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == ["stopped"]
        assert not nursery.child_tasks


async def test_a_cancelled_run() -> None:
    """It says goodbye, and whoever waits is told that the connection has ended."""
    async with Peer(echo) as peer, trio.open_nursery() as nursery:
        inner = await nursery.start(_nested, connect(peer))
        connection, scope = inner
        await connection.ready()
        told: list[type] = []

        async def waiting() -> None:
            with pytest.raises(StopAsyncIteration) as caught:
                await anext(connection)
            told.append(caught.type)

        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert told == [StopAsyncIteration]
        assert peer.codes == [1001]
        with pytest.raises(lifecycle.IllegalEvent, match="has ended"):
            connection.tell("reconnect")


async def _nested(connection: Connection, *, task_status: trio.TaskStatus[tuple[Connection, trio.CancelScope]]) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(connection.run)
        task_status.started((connection, nursery.cancel_scope))


async def _first(connection: Connection, count: int):
    for _ in range(count):
        yield await anext(connection)


async def test_a_failed_run_tells_everybody(broken_effect: None) -> None:
    """Tasks that use the connection from elsewhere are told that it failed, and `run` raises."""
    async with Peer(echo) as peer:
        told: list[str] = []
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
            async with trio.open_nursery() as nursery:
                connection: Connection = await nursery.start(connect(peer).run)
                await connection.ready()
                connection.tell("disconnect")
                for what in (connection.ready(), anext(connection), connection.send("x")):
                    with pytest.raises((ConnectionFailed, NotSent)) as error:
                        await what
                    told.append(type(error.value).__name__)
        assert told == ["ConnectionFailed", "ConnectionFailed", "NotSent"]
        assert [type(error) for error in caught.value.exceptions] == [DriverFailed]


def test_the_driver_needs_no_nursery_to_end() -> None:
    """A connection that was never opened can be closed."""

    async def close() -> None:
        connection = Connection("websocket", url=URL)
        await connection.aclose()
        assert isinstance(connection._driver, Driver)
        assert [step async for step in connection.changes()] == []

    trio.run(close)


async def test_a_peer_that_closes_as_we_do() -> None:
    """Both say goodbye in the same moment, and it is a normal end."""
    async with Peer(closing(1000, after=2)) as peer:
        async with connect(peer) as connection:
            await connection.ready()
            await trio.sleep(2 - trio.current_time())
        assert connection.status == "closed"
        assert trio.current_time() == pytest.approx(2)


GOING_ROUND = """
lifecycle: 1
page: going-round
role: client
hears: {connect: {}, disconnect: {}}
causes:
  - {otherwise: true, is: lost.network}
states:
  idle: {status: idle, needs: none, rest: true}
  up:
    needs: none
    status: ready
    rest: true
    clauses:
      D1: {on: disconnect, to: bye}
  bye:
    status: closing
    needs: none
    ignore: [disconnect, lost]
    states:
      a: {clauses: {D2: {after: 2 s, to: b}}}
      b: {clauses: {D3: {after: 2 s, to: a}}}
    clauses:
      D4: {on: closed, to: over}
  over: {status: closed, needs: none, final: done}
clauses:
  D5: {on: connect, to: up}
  D6: {on: lost, to: over}
"""


async def test_closing_states_that_lead_to_each_other_do_not_hold_the_door() -> None:
    """Its proof would refuse such a page; whoever runs it nevertheless gets out."""
    began = trio.current_time()
    async with lifecycle.open(read_text(GOING_ROUND)) as connection:
        await connection.ready()
    assert trio.current_time() - began < 10
