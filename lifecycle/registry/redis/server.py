"""One connection to a Redis or Valkey server, through coredis: for leases, and for logs of events.

Law: every request ends within its time, with an answer that is its own or with an error in words. A connection that did
not answer in time is not used again; the next request makes a new one. Nothing is asked twice by itself, but what the
server says it has not done. Needs the extra `redis`, when it is opened.
"""

import hashlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, final

import attrs
import trio

from lifecycle.definition.literal import Secret
from lifecycle.errors import LifecycleError
from lifecycle.trio.interrupts import ki_protected

from .address import Address
from .failure import LOST, why

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from coredis.connection import TCPConnection

Word = str | bytes | int | float
Fail = Callable[[str, str], LifecycleError]
"""From a place and what went wrong there, in words, to what is raised."""


@attrs.frozen
class Script:
    """What the server does in one step, in Lua.

    Attributes:
        source: the program.
        digest: by which the server knows it, once it has had it.
    """

    source: str
    digest: str = attrs.field(init=False, default=attrs.Factory(lambda self: _digest(self.source), takes_self=True))


@attrs.frozen
class Line:
    """A connection that is ready.

    Attributes:
        connection: of coredis.
        run: by which the server calls itself from its start to its end; empty if it was not asked.
        started: when it has started, in microseconds of its own clock; 0 if it was not asked.
    """

    connection: "TCPConnection"
    run: str = ""
    started: int = 0


@final
@ki_protected
class Server:
    """Use it as `async with Server(address, fail=…) as server`; `call` and `run` from as many tasks as you like.

    Args:
        address: where it is.
        timeout: seconds for one request, with making the connection, if it has to be made; above 0.
        fail: makes the error that is raised.
        tls: for `rediss`; by default the system's certificates are trusted, and the name is checked.
        asked: whether the server is asked who it is, on each connection.

    Raises:
        ValueError: `timeout` is not above 0.
    """

    def __init__(
        self, address: Address, *, timeout: float, fail: Fail, tls: ssl.SSLContext | None = None, asked: bool = False
    ) -> None:
        if not timeout > 0:
            raise ValueError("`timeout` must be a number of seconds above 0")
        self.place = address.place
        self._address, self._timeout, self._tls, self._asked = address, timeout, tls, asked
        self._fail = fail
        self._secrets = tuple(Secret(each) for each in (address.password, address.user) if each)
        self._host, self._port = address.host, address.port
        self._line: Line | None = None
        self._turn = trio.Lock()
        self._lost = trio.Event()
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery | None = None

    async def call(self, *words: Word) -> Any:
        """Ask one command; bytes, numbers and lists come back. Raises what `fail` makes."""
        command, *rest = map(_bytes, words)
        return await self._ask(lambda line: line.connection.create_request(command, *rest, decode=False))

    async def run(self, script: Script, keys: Sequence[str], *words: Word) -> Any:
        """Run a script. Its ARGV begins with the line's `run` and `started`. Raises what `fail` makes."""

        async def ask(line: Line) -> Any:
            from coredis.exceptions import NoScriptError

            request, rest = line.connection.create_request, (len(keys), *keys, line.run, line.started, *words)
            parts = tuple(map(_bytes, rest))
            try:
                return await request(b"EVALSHA", script.digest, *parts, decode=False)
            except NoScriptError:  # it was started again, and nothing was done
                return await request(b"EVAL", script.source, *parts, decode=False)

        return await self._ask(ask)

    def start_soon(self, run: Callable[[], Awaitable[object]]) -> None:
        """Run something beside it for as long as it is open; it may raise nothing."""
        assert self._nursery is not None  # noqa: S101 -- it was entered
        self._nursery.start_soon(run)

    async def lost(self) -> None:
        """Return when a connection has ended; called anew, when the next one has."""
        await self._lost.wait()
        self._lost = trio.Event()

    async def _ask(self, ask: Callable[[Line], Awaitable[Any]]) -> Any:
        from coredis.exceptions import MovedError, RedisError

        line, raised = None, ""
        with trio.move_on_after(self._timeout) as scope:
            try:
                line = await self._connected()
                try:
                    return await ask(line)
                except MovedError as error:  # nothing was done: in a cluster, all our keys are on one server
                    line = await self._moved(line, error.host, error.port)
                    return await ask(line)
            except MovedError:
                raised = "its cluster is being rebuilt: try again"
            except (RedisError, OSError, AssertionError) as error:
                # coredis makes an error of a cancellation that meets it while it connects
                await trio.lowlevel.checkpoint_if_cancelled()
                raised = why(error, self._secrets, ready=line is not None)
        if scope.cancelled_caught:
            if line is not None:
                line.connection.invalidate()
            raise self._fail(
                self.place, f"it did not answer within {self._timeout:g} s: is it paused, or the network cut?"
            )
        raise self._fail(self.place, raised)

    async def _moved(self, line: Line, host: str, port: int) -> Line:
        line.connection.invalidate()
        self._host, self._port = host or self._host, port
        return await self._connected()

    async def _connected(self) -> Line:
        line = self._line
        if line is not None and line.connection.usable:
            return line
        async with self._turn:  # of those who ask at once, the first connects
            line = self._line
            if line is None or not line.connection.usable:
                line = self._line = await self._connect()
            return line

    async def _connect(self) -> Line:
        from coredis.connection import TCPConnection, TCPLocation

        if self._nursery is None:
            raise self._fail(self.place, "it is not open: use it as `async with`")
        here = self._address
        tls = (self._tls or ssl.create_default_context()) if here.tls else None
        connection = TCPConnection(
            TCPLocation(self._host, self._port),
            username=here.user,
            password=here.password and str(here.password),
            db=here.database,
            ssl_context=tls,
        )
        error = await self._nursery.start(self._hold, connection)
        if error is not None:
            self._host, self._port = here.host, here.port  # a cluster may have sent us elsewhere
            raise error
        if not self._asked:
            return Line(connection)
        now: Any = await connection.create_request(b"TIME", decode=False)
        info = _text(await connection.create_request(b"INFO", b"server", decode=False))
        said: dict[str, Any] = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        started = (int(now[0]) - int(said.get("uptime_in_seconds", now[0]))) * 1_000_000
        return Line(connection, said.get("run_id", ""), started)

    async def _hold(self, connection: "TCPConnection", *, task_status: trio.TaskStatus[Exception | None]) -> None:
        """Run a connection to its end; what went wrong before it was ready is handed over."""
        ready = False

        class Status:
            def started(self, value: None = None) -> None:
                nonlocal ready
                ready = True
                task_status.started(value)

        error: Exception = OSError(LOST)
        try:
            await connection.run(task_status=Status())
        except Exception as raised:  # noqa: BLE001 -- of a connection that was ready, those who ask are told
            error = raised
        finally:
            _close(connection)
        if ready:
            self._lost.set()
        else:
            task_status.started(error)

    async def __aenter__(self) -> Self:
        """Make ready; the first request connects.

        Raises:
            ModuleNotFoundError: the extra `redis` is not installed.
        """
        _library()
        self._manager = trio.open_nursery()  # made here, for it needs a running trio
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection; the body's own exception leaves as it is."""
        assert self._manager is not None and self._nursery is not None  # noqa: S101, PT018 -- it was entered
        nursery, self._nursery, self._line = self._nursery, None, None
        nursery.cancel_scope.cancel()
        await self._manager.__aexit__(None, None, None)


def _close(connection: "TCPConnection") -> None:
    """Close its queues, which coredis leaves to the garbage collector, with a warning, when it could not connect."""
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    for part in vars(connection).values():
        if isinstance(part, MemoryObjectReceiveStream | MemoryObjectSendStream):
            part.close()


def _digest(source: str) -> str:
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _bytes(word: Word) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode(errors="surrogatepass")


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace")


def _library() -> None:
    try:
        import coredis.connection  # noqa: F401 -- to have it, or to say so
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Redis needs the package {error.name}: pip install 'connection-lifecycle[redis]'", name=error.name
        ) from error
