"""asyncio programs hold connections: over real loopback sockets, to a server of `websockets`."""

import asyncio
import contextlib
import functools
import json
import random
import socket
import threading
import traceback
from types import SimpleNamespace

import pytest
import trio
from websockets.asyncio.server import serve
from websockets.server import ServerProtocol
from websockets.sync.server import serve as serve_in_thread

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.trio.portal import Portal, on_asyncio

SEED = 1729
LIMIT = 30
ASKING = """
lifecycle: 1
page: asking
role: client
hears: {connect: {}, disconnect: {}}
causes: [{otherwise: true, is: lost}]
messages:
  codec: json
  inbox: {when_full: latest, key: topic}
  routes:
    - {match: {type: answer}, answer: id, ok: ok, result: result, error: error}
    - {match: {type: news}, deliver: true}
  frames:
    hello: {type: hello, token: =token}
    ask: {type: ask, id: =id, method: =method, params: =params}
requests: {send: ask, timeout: 10 s, until_ready: 10 s}
variables: {token: {kept: secret}}
calls:
  sign: {returns: {token: secret}, timeout: 10 s}
states:
  signing:
    status: connecting
    call: sign
    needs: none
    ignore: [connect]
    clauses:
      A1: {on: done, do: {set: {token: =event.token}}, to: online}
      A2: {on: failed, do: {emit: {unsigned: {code: =event.code}}}, to: over}
  online:
    use: connection
    ignore: [connect]
    fill: {up: {states: {ready: {status: ready, enter: {send: hello}, rest: true}}}}
    clauses:
      A3: {on: [done, lost], to: over}
  over: {status: closed, final: done}
clauses:
  A4: {on: disconnect, to: over}
"""


def run(main):
    """An asyncio program, which must end in time and leave no thread that would keep Python from ending."""

    async def limited():
        async with asyncio.timeout(LIMIT):
            return await main()

    done = asyncio.run(limited())
    assert [thread for thread in threading.enumerate() if not thread.daemon] == [threading.main_thread()]
    return done


class Server:
    """A server of `websockets` in this loop, which says what its path says; `codes` is how each client has left."""

    def __init__(self):
        self.codes = []
        self.heard = []
        self.gone = asyncio.Event()

    async def __aenter__(self):
        self._server = await serve(self._handle, "127.0.0.1", 0).__aenter__()
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _handle(self, websocket):
        _, name, *rest = websocket.request.path.split("/")
        try:
            await getattr(self, f"_{name}")(websocket, *map(int, rest))
        finally:
            await websocket.wait_closed()
            self.codes.append(websocket.close_code)
            self.gone.set()

    async def _echo(self, websocket):
        async for message in websocket:
            self.heard.append(message)
            await websocket.send(message)

    async def _count(self, websocket, most):
        for number in range(most):
            await websocket.send(str(number))
            if number % 7 == 0:
                await asyncio.sleep(0)

    async def _close(self, websocket, code):
        await websocket.send("last")
        await websocket.close(code, "because")

    async def _answer(self, websocket):
        async for message in websocket:
            asked = json.loads(message)
            self.heard.append(asked)
            if asked["type"] == "ask" and asked["method"] != "silence":
                ok = asked["method"] == "double"
                answer = {"result": asked["params"] * 2} if ok else {"error": "no"}
                await websocket.send(json.dumps({"type": "answer", "id": asked["id"], "ok": ok, **answer}))


@contextlib.asynccontextmanager
async def connected(path, page="websocket", **options):
    """A server, a portal and a connection."""
    async with (
        Server() as server,
        Portal() as portal,
        portal.enter(lifecycle.open(page, url=f"{server.url}{path}", **options)) as connection,
    ):
        await portal.call(connection.ready, 10)
        yield server, portal, connection


async def until(condition):
    """Let the others run until it is so."""
    while not condition():  # noqa: ASYNC110 -- what is waited for happens on trio's side, or in our own lists
        await asyncio.sleep(0)


def test_what_does_not_wait_is_called_as_ever():
    """`post`, `status` and the counters are those of the connection itself; what waits goes through the portal."""

    async def main():
        async with connected("/echo") as (server, portal, connection):
            ticket = connection.post("one")
            await portal.call(connection.send, "two")
            messages = portal.each(connection)
            assert [await anext(messages), await anext(messages)] == ["one", "two"]
            assert (connection.status, ticket.fate, connection.counters.delivered) == ("ready", "sent", 2)
        await server.gone.wait()
        assert (server.codes, connection.status) == ([1000], "closed")

    run(main)


def test_many_calls_at_once():
    """Each of 300 messages, sent by a task of its own, arrives once and comes back."""

    async def main():
        async with connected("/echo") as (server, portal, connection):
            await asyncio.gather(*(portal.call(connection.send, str(number)) for number in range(300)))
            messages = portal.each(connection)
            back = [await anext(messages) for _ in range(300)]
            assert sorted(map(int, back)) == list(range(300))
            assert back == server.heard

    run(main)


@pytest.mark.parametrize("transport", ["trio-websocket", "websockets"])
def test_a_flood_comes_in_order(transport):
    """`async for` gives every message in its order, though 64 are taken at once."""

    async def main():
        async with connected("/count/900", transport=transport) as (_, portal, connection):
            await until(lambda: connection.counters.waiting == 900)
            messages = portal.each(connection)
            got, taken = [], set()
            async for message in messages:
                got.append(message)
                taken.add(len(messages._ahead.taken))
                if message == "899":
                    break
            assert got == [str(number) for number in range(900)]
            assert 32 < max(taken) < 64

    run(main)


def test_a_receiver_that_is_cancelled_anywhere_loses_nothing():
    """Whenever its task is cancelled, the next one gets the message, and the order stays."""
    dice = random.Random(SEED)

    async def main():
        got, cancelled = [], 0
        async with connected("/count/500") as (_, portal, connection):
            messages = portal.each(connection)
            while len(got) < 500:
                task = asyncio.create_task(anext(messages))
                for _ in range(dice.randrange(12)):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    got.append(await task)
                except asyncio.CancelledError:
                    cancelled += 1
                    assert not asyncio.current_task().cancelling()
        assert got == [str(number) for number in range(500)]
        assert cancelled

    run(main)


@pytest.mark.parametrize("late", [False, True])
def test_a_message_is_kept_for_the_next_if_its_receiver_is_cancelled_just_then(late):
    """Cancelled while trio takes it, or when it is on its way to the task: it is not lost."""

    class Source:
        async def __anext__(self):
            await trio.lowlevel.checkpoint()
            if late:  # runs before the task that has been woken by what we return
                asyncio.get_running_loop().call_soon(task.cancel)
            else:
                task.cancel()
            return "precious"

    async def main():
        nonlocal task
        async with Portal() as portal:
            source = portal.each(Source())
            task = asyncio.create_task(anext(source))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await anext(source) == "precious"

    task = None
    run(main)


def test_who_waits_second_gets_what_the_first_has_left():
    """Two tasks wait on one iterator; the first is cancelled just when its message comes, and it is the second one's."""

    class Source:
        async def __anext__(self):
            await trio.lowlevel.checkpoint()
            if tasks[0].cancelling():
                await trio.sleep_forever()
            tasks[0].cancel()
            return "precious"

    async def main():
        async with Portal() as portal:
            source = portal.each(Source())
            tasks.extend(asyncio.create_task(anext(source)) for _ in range(2))
            assert await tasks[1] == "precious"
            assert tasks[0].cancelled()

    tasks = []
    run(main)


def test_two_iterators_of_one_connection_share_its_messages():
    """Each message goes to one of them, and neither holds back what it has while it waits for more."""

    async def main():
        got = []

        async def receive(messages):
            async for message in messages:
                got.append(int(message))  # noqa: PERF401 -- it is looked at while they come

        async with connected("/count/900") as (_, portal, connection), asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(receive(portal.each(connection)))
            await until(lambda: len(got) == 900)
            await portal.call(connection.aclose)
        assert sorted(got) == list(range(900))

    run(main)


@pytest.mark.parametrize("closed", [False, True])
def test_nobody_waits_for_messages_that_another_has_taken(monkeypatch, closed):
    """More were there than there are now: those that are left are given, and then the end is."""
    monkeypatch.setattr("lifecycle.trio.portal._waiting", lambda _: 63)

    async def main():
        async with connected("/count/3") as (_, portal, connection):
            await until(lambda: connection.counters.waiting == 3)
            if closed:
                await portal.call(connection.aclose)
            messages = portal.each(connection)
            assert [await anext(messages) for _ in range(3)] == ["0", "1", "2"]
            if closed:
                with pytest.raises(StopAsyncIteration):
                    await anext(messages)

    run(main)


def test_a_timeout_of_asyncio_is_a_timeout():
    """It cancels what waits on trio's side, raises TimeoutError, and the message after it is received."""

    async def main():
        async with connected("/echo") as (_, portal, connection):
            messages = portal.each(connection)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(messages)
            connection.post("later")
            assert await anext(messages) == "later"

    run(main)


def test_who_is_cancelled_goes_on_when_what_it_waited_for_has_ended():
    """Also when it is cancelled twice, so nothing is left running behind its back."""

    async def main():
        seen = []
        async with Portal() as portal:
            task = asyncio.create_task(portal.call(_patient, seen))
            await until(lambda: seen)
            for _ in range(2):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert seen == ["begun", "ended"]

    run(main)


async def _patient(seen):
    seen.append("begun")
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.01)
        seen.append("ended")


def test_the_bodys_exception_leaves_as_it_is():
    """In no group and with no way through trio in its traceback, after the connection has said goodbye."""

    async def main():
        async def body(server, portal):
            async with portal.enter(lifecycle.open("websocket", url=f"{server.url}/echo")) as connection:
                await portal.call(connection.ready, 10)
                raise ValueError("mine")

        async with Server() as server, Portal() as portal:
            with pytest.raises(ValueError, match="mine") as raised:
                await body(server, portal)
            await server.gone.wait()
            assert server.codes == [1000]
            assert "_stay" not in {frame.name for frame in traceback.extract_tb(raised.value.__traceback__)}

    run(main)


def test_a_connection_that_fails_says_so_itself():
    """ConnectionFailed arrives as itself, after the message before it, from the iterator and from every call."""

    async def main():
        got = []

        async def receive(messages):
            async for message in messages:
                got.append(message)  # noqa: PERF401 -- it is looked at when the loop has raised

        async def body(server, portal):
            async with portal.enter(lifecycle.open("websocket", url=f"{server.url}/close/1008")) as connection:
                with pytest.raises(lifecycle.ConnectionFailed, match="refuses this client"):
                    await receive(portal.each(connection))
                with pytest.raises(lifecycle.NotSent):
                    await portal.call(connection.send, "too late")
                await portal.call(connection.ready)

        async with Server() as server, Portal() as portal:
            with pytest.raises(lifecycle.ConnectionFailed, match="refuses this client"):
                await body(server, portal)
        assert got == ["last"]

    run(main)


def test_who_breaks_out_of_an_iterator_loses_nothing():
    """What it had read ahead is there for the next one."""

    async def main():
        got = []
        async with connected("/count/100") as (_, portal, connection):
            while len(got) < 100:
                async for message in portal.each(connection):
                    got.append(message)
                    break
        return got

    assert run(main) == [str(number) for number in range(100)]


def test_iteration_stops_when_the_connection_is_closed():
    """By another task of asyncio; what has come is given first."""

    async def main():
        async with connected("/count/3") as (_, portal, connection):
            await until(lambda: connection.counters.waiting == 3)
            await portal.call(connection.aclose)
            assert [message async for message in portal.each(connection)] == ["0", "1", "2"]

    run(main)


def test_a_body_that_is_cancelled_says_goodbye_and_leaves_at_once():
    """The server hears 1001, and the task group gets the error of its other task alone."""

    async def main():
        async def hold(portal, url, ready):
            async with portal.enter(lifecycle.open("websocket", url=url)) as connection:
                await portal.call(connection.ready, 10)
                ready.set()
                async for _ in portal.each(connection):
                    pass

        async def together(portal, url):
            ready = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(hold(portal, url, ready))
                await ready.wait()
                raise KeyError("mine")

        async with Server() as server, Portal() as portal:
            with pytest.raises(ExceptionGroup) as raised:
                await together(portal, f"{server.url}/echo")
            assert [type(error) for error in raised.value.exceptions] == [KeyError]
            await server.gone.wait()
            assert server.codes == [1001]

    run(main)


def test_closing_is_bounded_and_a_second_cancellation_cuts_it_short():
    """A peer that never answers the goodbye holds nobody who is cancelled meanwhile."""

    async def main():
        async with Portal() as portal, await asyncio.start_server(_deaf, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            leaving = asyncio.Event()

            async def hold():
                async with portal.enter(lifecycle.open("websocket", url=url, close_timeout="1 h")) as connection:
                    await portal.call(connection.ready, 10)
                    leaving.set()
                return connection

            task = asyncio.create_task(hold())
            await leaving.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main)


async def _deaf(reader, writer):
    protocol = ServerProtocol()
    protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
    (request,) = protocol.events_received()
    protocol.send_response(protocol.accept(request))
    writer.write(b"".join(protocol.data_to_send()))
    while await reader.read(4096):
        pass
    writer.close()


def test_the_loop_may_end_while_a_connection_is_open():
    """`asyncio.run` cancels the task that holds it: the server hears 1001, and nothing is left behind."""
    codes = []
    left = threading.Event()

    def handle(websocket):
        for message in websocket:
            websocket.send(message)
        codes.append(websocket.close_code)
        left.set()

    server = serve_in_thread(handle, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
    tasks = []

    async def hold(ready):
        async with Portal() as portal, portal.enter(lifecycle.open("websocket", url=url)) as connection:
            await portal.call(connection.ready, 10)
            ready.set()
            await portal.call(trio.sleep_forever)

    async def main():
        ready = asyncio.Event()
        tasks.append(asyncio.create_task(hold(ready)))
        await ready.wait()

    run(main)
    assert left.wait(LIMIT)
    server.shutdown()
    thread.join()
    assert (codes, tasks[0].cancelled(), trio.lowlevel.in_trio_run()) == ([1001], True, False)


def test_the_portals_end_ends_everything_in_it():
    """A connection that another task still holds says goodbye, and that task is told why."""

    async def main():
        async def hold(portal, url, ready):
            async with portal.enter(lifecycle.open("websocket", url=url)) as connection:
                await portal.call(connection.ready, 10)
                ready.set()
                await asyncio.sleep(LIMIT)

        async def wait(portal):
            await portal.call(trio.sleep_forever)

        async with Server() as server:
            async with Portal() as portal:
                ready = asyncio.Event()
                tasks = [asyncio.create_task(hold(portal, f"{server.url}/echo", ready))]
                tasks.append(asyncio.create_task(wait(portal)))
                await ready.wait()
            with pytest.raises(lifecycle.ConnectionEnded, match="the portal has closed"):
                await tasks[1]
            await server.gone.wait()
            assert server.codes == [1001]
            tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            with pytest.raises(lifecycle.ConnectionEnded, match="the portal has closed"):
                await portal.call(trio.sleep, 0)
            with pytest.raises(lifecycle.ConnectionEnded, match="a portal runs once"):
                await portal.__aenter__()

    run(main)


def test_a_body_that_ends_after_its_portal_is_told():
    """Where trio has gone away under a connection, the end of its body is no quiet one."""

    async def main():
        async with Server() as server, contextlib.AsyncExitStack() as stack:
            portal = await stack.enter_async_context(Portal())
            entered = portal.enter(lifecycle.open("websocket", url=f"{server.url}/echo"))
            await entered.__aenter__()
            await stack.aclose()
            with pytest.raises(lifecycle.ConnectionEnded, match="the portal has closed"):
                await entered.__aexit__(None, None, None)

    run(main)


def test_a_loop_has_one_portal():
    """A second one is refused with what to do, and the first goes on."""

    async def main():
        async with Portal() as portal:
            with pytest.raises(RuntimeError, match="a loop has one portal, for all connections"):
                await Portal().__aenter__()
            assert await portal.call(_seven) == 7

    run(main)


async def _seven():
    return 7


def test_a_portal_that_is_cancelled_while_it_opens_leaves_nothing():
    """The next one can be opened."""

    async def main():
        task = asyncio.create_task(Portal().__aenter__())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with Portal() as portal:
            assert await portal.call(_seven) == 7

    run(main)


def test_what_ends_trio_is_told_at_the_portals_end():
    """SystemExit on trio's side leaves alone, and who waited is told that the portal has closed."""

    async def leave():
        raise SystemExit(3)

    async def body():
        async with Portal() as portal:
            with pytest.raises(lifecycle.ConnectionEnded):
                await portal.call(leave)

    async def main():
        with pytest.raises(SystemExit) as raised:
            await body()
        assert raised.value.code == 3

    run(main)


def test_what_cannot_be_entered_says_why():
    """A port that is not to be had is a CannotListen, not a group."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            async with Portal() as portal:
                with pytest.raises(lifecycle.CannotListen):
                    await portal.enter(lifecycle.serve("websocket-server", port=port)).__aenter__()

    run(main)


class Manager:
    """Something of trio to enter."""

    def __init__(self, enter=None, leave=None):
        self.enter, self.leave, self.seen = enter, leave, []

    async def __aenter__(self):
        if self.enter:
            await self.enter()
        return self

    async def __aexit__(self, kind, error, traceback):
        self.seen.append(kind)
        return await self.leave(error) if self.leave else False


@pytest.mark.parametrize("late", [False, True])
def test_entering_can_be_cancelled(late):
    """Who is cancelled while he enters, or just when he has entered, goes on when all of that has ended."""

    async def enter():
        if late:  # runs before the task that is told that it has entered
            asyncio.get_running_loop().call_soon(tasks[0].cancel)
        else:
            await _patient(seen)

    async def leave(_):
        with contextlib.suppress(trio.Cancelled):
            await _patient(seen)

    async def main():
        async with Portal() as portal:
            manager = Manager(enter, leave)
            tasks.append(asyncio.create_task(portal.enter(manager).__aenter__()))
            if not late:
                await until(lambda: seen)
                tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            assert (manager.seen, seen) == ([trio.Cancelled] if late else [], ["begun", "ended"])

    tasks, seen = [], []
    run(main)


def test_a_manager_settles_or_replaces_the_bodys_error_as_in_trio():
    """What it swallows is swallowed, what it raises is raised, and a cancellation is never swallowed."""

    async def swallow(_):
        return True

    async def replace(error):
        raise LookupError("another")

    async def main():
        async with Portal() as portal:
            manager = Manager(leave=swallow)
            async with portal.enter(manager):
                raise ValueError("mine")
            assert manager.seen == [ValueError]
            with pytest.raises(LookupError, match="another"):
                async with portal.enter(Manager(leave=replace)):
                    raise ValueError("mine")
            with pytest.raises(asyncio.CancelledError):
                async with portal.enter(Manager(leave=swallow)):
                    raise asyncio.CancelledError

    run(main)


def test_a_fault_of_ours_ends_the_body_with_driver_failed():
    """It takes the place of what the body then runs into."""

    async def body():
        async with connected("/echo") as (_, portal, connection):
            connection._driver.fail(RuntimeError("broken"))
            await portal.call(connection.send, "x")

    async def main():
        with pytest.raises(lifecycle.DriverFailed, match="RuntimeError: broken"):
            await body()

    run(main)


def test_steps_are_watched():
    """`changes()` goes through the portal as messages do."""

    async def main():
        async with Server() as server, Portal() as portal:
            connection = lifecycle.open("websocket", url=f"{server.url}/echo")
            steps = portal.each(connection.changes())
            async with portal.enter(connection):
                await portal.call(connection.ready, 10)
            statuses = [step.status async for step in steps]
            assert (statuses[0], statuses[-1]) == ("connecting", "closed")

    run(main)


class Calls:
    """What the page `asking` calls; `seen` is what it has run in."""

    def __init__(self, sign):
        self.seen = []
        self._sign = sign

    @on_asyncio
    async def sign(self):
        self.seen.append(asyncio.current_task())
        return await self._sign()


async def _token():
    await asyncio.sleep(0)
    return {"token": "abc"}


def test_requests_and_calls_cross_both_ways():
    """The page's call runs in a task of asyncio; requests are asked one by one, many at once, and cancelled."""

    async def main():
        calls = Calls(_token)
        page = read_text(ASKING, "asking.yaml")
        async with connected("/answer", page, calls=calls) as (server, portal, connection):
            assert await portal.call(connection.request, "double", 4) == 8
            replies = [connection.ask("double", number) for number in range(50)]
            assert await asyncio.gather(*(portal.call(reply.wait) for reply in replies)) == list(range(0, 100, 2))
            with pytest.raises(lifecycle.RequestFailed):
                await portal.call(connection.request, "halve", 4)
            with pytest.raises(lifecycle.RequestTimeout):
                await portal.call(functools.partial(connection.request, "silence", timeout=0.01))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(portal.call(connection.request, "silence"), 0.01)
            assert connection.counters.pending == 0
            assert server.heard[0] == {"type": "hello", "token": "abc"}
        assert len(calls.seen) == 1
        assert calls.seen[0] is not None

    run(main)


def test_a_page_that_keeps_the_latest_is_not_taken_ahead_of():
    """Who is slow gets what is new then, and not what was new when the first one was taken."""

    async def main():
        page = read_text(ASKING, "asking.yaml")

        async def news(websocket):
            for number in range(3):
                await websocket.send(json.dumps({"type": "news", "topic": number % 2, "number": number}))
            await websocket.wait_closed()

        async with serve(news, "127.0.0.1", 0) as server, Portal() as portal:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            calls = SimpleNamespace(sign=on_asyncio(_token))
            async with portal.enter(lifecycle.open(page, url=url, calls=calls)) as connection:
                await until(lambda: connection.counters.delivered == 3)
                messages = portal.each(connection)
                await anext(messages)
                assert (len(messages._ahead.taken), connection.counters.waiting) == (0, 1)

    run(main)


@pytest.mark.parametrize(("error", "code"), [(KeyError("no"), "KeyError"), (asyncio.CancelledError(), "cancelled")])
def test_a_call_that_fails_on_asyncios_side_fails_for_the_page(error, code):
    """What it raises is the page's `failed`; if its task was cancelled, the code says so."""

    async def fail():
        raise error

    async def main():
        page = read_text(ASKING, "asking.yaml")
        async with Portal() as portal:
            connection = lifecycle.open(page, url="ws://127.0.0.1:1/", calls=Calls(fail))
            steps = portal.each(connection.changes())
            async with portal.enter(connection):
                emitted = [dict(step.emitted) async for step in steps if step.emitted]
        assert emitted == [{"unsigned": {"code": code}}]

    run(main)


@pytest.mark.parametrize("grumble", [False, True])
def test_a_call_is_cancelled_with_its_connection(grumble):
    """Its task on asyncio's side has ended before the connection has; what it raises then is nobody's business."""
    ended = []

    async def wait():
        try:
            await asyncio.sleep(LIMIT)
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)
            if grumble:
                raise ValueError("I was busy")

    async def main():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        page = read_text(ASKING, "asking.yaml")
        calls = Calls(wait)
        async with Portal() as portal:
            async with portal.enter(lifecycle.open(page, url="ws://127.0.0.1:1/", calls=calls)):
                await until(lambda: calls.seen)
                await asyncio.sleep(0)
            assert ended == [True]
        calls.seen.clear()
        assert complaints == []

    run(main)
