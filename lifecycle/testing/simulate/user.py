"""The user of a connection: sends, asks, receives, gives up in the middle, and has wishes.

Law: each operation is a task of its own, and what it was told goes into the account. It uses nothing but what any
embedder has.
"""

import random
from typing import TYPE_CHECKING, Any

import trio

from lifecycle.errors import (
    ConnectionEnded,
    ConnectionFailed,
    IllegalEvent,
    LifecycleError,
    MaybeDelivered,
    NotSent,
)
from lifecycle.trio.connection import Connection

from .calls import URL
from .entries import Entry
from .fates import Record
from .frames import user_frame
from .packets import user_packet

if TYPE_CHECKING:
    from .world import World

_FIELDS = {
    "text": "some text",
    "number": 1,
    "flag": True,
    "duration": 1.0,
    "secret": "hidden",
    "url": URL,
    "object": {"some": 1},
}
_SIZES = (4, 40, 40, 40, 400, 2_000, 20_000)
_RESTS = 3.0
_HELD = 0.5
"""How many requests are asked without waiting; what becomes of them is waited for beside."""
_FOREVER = float("inf")
_HISTORY = 64


class User:
    """The user of one connection.

    Args:
        world: where he is.
        connection: what he uses.
        nursery: for what he does.
    """

    def __init__(self, world: "World", connection: Connection, nursery: trio.Nursery) -> None:
        self.world, self.connection, self._nursery = world, connection, nursery
        self._page = world.scene.page
        self._dice = random.Random(f"{world.seed} user {world.lives}")
        self._codec = self._page.messages.codec
        self._mail = self._page.role != "session"
        self._paused_until = 0.0
        self._scope: trio.CancelScope | None = None
        self.cancel_next = False
        self.over = self._taken_all = False

    def do(self, entry: Entry) -> None:
        """Do what the schedule says."""
        match entry.what:
            case "wish":
                self._wish(entry.pick)
            case "wishes":
                self._wish(entry.pick)
                self._wish(entry.pick * 7 % 1)
            case "post":
                self._post()
            case "send":
                self._nursery.start_soon(self._send, entry.lasts or _FOREVER)
            case "request":
                self._ask(entry.lasts, held=entry.pick < _HELD)
            case "burst":
                self._burst(entry.pick)
            case "pause":
                self._paused_until = self.world.now + entry.lasts
            case "cancel":
                self.cancel_next = True

    def _burst(self, pick: float) -> None:
        for number in range(70 + int(pick * 40)):
            if self._page.requests is not None and number % 4:
                self._ask(0.0 if number % 3 else 0.5, held=True)
            else:
                self._post()

    def wish(self, name: str) -> bool:
        """Tell a wish; whether the page takes it."""
        self.world.stepped_at = self.world.now
        try:
            self.connection.tell(name, **{key: _FIELDS[shape] for key, shape in self._page.hears[name].items()})
        except IllegalEvent:
            return False
        return True

    def _wish(self, pick: float) -> None:
        names = list(self._page.hears)
        if names:
            self.wish(names[int(pick * len(names))])

    # -- sending

    def _value(self, serial: int) -> Any:
        pad = "x" * self._dice.choice(_SIZES)
        match self._codec:
            case "json":
                return {"u": serial, "pad": pad}
            case "socketio":
                return user_packet(serial, pad)
            case "avatar":
                return user_frame(serial, pad)
        return f"u{serial} {pad}"

    def _params(self, serial: int) -> Any:
        return [{"u": serial}] if self._codec == "socketio" else {"u": serial}

    def _post(self) -> None:
        record = self.world.account.make(asks=False)
        try:
            record.ticket = self.connection.post(self._value(record.serial))
        except NotSent as error:
            self.world.account.settled(record, error)

    async def _send(self, patience: float) -> None:
        account = self.world.account
        record = account.make(asks=False)
        with trio.move_on_after(patience) as scope:
            try:
                ticket = await self.connection.send(self._value(record.serial))
            except (NotSent, MaybeDelivered) as error:
                account.settled(record, error)
            else:
                account.settled(record, ticket.fate)
        if scope.cancelled_caught:
            account.open.pop(record.serial, None)

    # -- asking

    def _ask(self, patience: float, *, held: bool) -> None:
        requests = self._page.requests
        if requests is None:
            return
        timeout = self.world.scene.timeout
        if not held:
            self._nursery.start_soon(self._request, patience or _FOREVER, timeout)
            return
        record = self.world.account.make(asks=True, within=timeout)
        try:
            reply = self.connection.ask(f"method{record.serial % 5}", self._params(record.serial))
        except LifecycleError as error:
            self.world.account.settled(record, error)
            return
        record.ticket = reply.ticket
        self._nursery.start_soon(self._wait, record, reply, patience or _FOREVER)

    async def _wait(self, record: Record, reply: Any, patience: float) -> None:
        with trio.move_on_after(patience) as scope:
            try:
                outcome: Any = await reply.wait()
            except LifecycleError as error:
                outcome = error
            self.world.account.settled(record, outcome)
        if scope.cancelled_caught:
            record.cancelled = True
            reply.cancel()
            self.world.account.open.pop(record.serial, None)

    async def _request(self, patience: float, within: float) -> None:
        account = self.world.account
        record = account.make(asks=True, within=within)
        with trio.move_on_after(patience) as scope:
            try:
                method, params = f"method{record.serial % 5}", self._params(record.serial)
                outcome: Any = await self.connection.request(method, params)
            except LifecycleError as error:
                outcome = error
            account.settled(record, outcome)
        if scope.cancelled_caught:
            record.cancelled = True
            account.open.pop(record.serial, None)

    # -- receiving

    async def read(self) -> None:
        """Receive, until the connection has ended and nothing is left."""
        while self._mail and not self._taken_all:
            with trio.CancelScope() as self._scope:
                await self._receive()

    async def _receive(self) -> None:
        stream, judge = self.world.account.stream, self.world.judge
        while True:
            if self._paused_until > self.world.now and not self.over:
                await trio.sleep_until(self._paused_until)
            try:
                item = await anext(self.connection)
            except (StopAsyncIteration, ConnectionFailed, ConnectionEnded):
                self._taken_all = self.over
                if self.over:
                    return
                await self.world.clock.sleep(_RESTS)
            else:
                judge.settle()
                stream.took(item)

    def cancelled(self) -> None:
        """Cancel what he receives, if the schedule says so: a message is just on its way to him."""
        if self.cancel_next and self._scope is not None:
            self.cancel_next = False
            scope = self._scope
            self.world.later(0.0, scope.cancel)

    @property
    def tasks(self) -> int:
        """How many tasks he has."""
        return len(self._nursery.child_tasks)

    def grown(self) -> str:
        """What of the connection is larger than what it is for, in words; empty if nothing is."""
        counters, account = self.connection.counters, self.world.account
        inbox, outbox = self.world.scene.most_waiting
        if counters.waiting > inbox or counters.queued > outbox:
            return f"{counters.waiting} messages wait in the inbox, and {counters.queued} in the outbox"
        asked = sum(record.asks for record in account.open.values())
        if counters.pending > asked:
            return f"{counters.pending} requests wait for an answer, and the user waits for {asked}"
        if len(self.connection.history) > _HISTORY:
            return f"{len(self.connection.history)} steps are remembered"
        return ""

    def finish(self) -> None:
        """The connection has ended: take what is left."""
        self.over = True
        if self._scope is not None:
            self._scope.cancel()
