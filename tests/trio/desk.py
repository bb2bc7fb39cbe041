"""Mail without a driver: a transport of the test's own takes what is sent, as far as its pipe lets it."""

import functools
import json
from typing import TYPE_CHECKING, Any

import attrs
import trio

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import Inbox, Outbox, Requests, Unsupported
from lifecycle.definition.read import read
from lifecycle.trio.mail.mail import Mail
from lifecycle.trio.timers import Timers
from lifecycle.wire.routes import Outcome, route

if TYPE_CHECKING:
    from collections.abc import Callable


class Line:
    """Transport and pipe in one: counts bytes, and gives the system as many as it is told to.

    Attributes:
        messages: what was framed, with the offset before it.
        flowing: whether the system takes everything at once.
        over: goodbye was said.
    """

    def __init__(self, *, flowing: bool = False) -> None:
        self.given = self.sent = 0
        self.broken = None
        self.flowing, self.over = flowing, False
        self.messages: list[tuple[int, Any]] = []
        self.drained: Callable[[], None] | None = None

    def send(self, data: str | bytes) -> None:
        """Take a message."""
        if self.over:
            raise trio.BrokenResourceError
        self.messages.append((self.given, data))
        self.given += len(data)
        if self.flowing:
            self.sent = self.given

    def flow(self, count: int) -> None:
        """The system takes so many bytes."""
        self.sent = min(self.sent + count, self.given)
        if self.drained:
            self.drained()

    @property
    def said(self) -> list[Any]:
        """What was framed, as values."""
        return [json.loads(message) for _, message in self.messages]


bundled = functools.cache(read)


def page(name: str = "websocket", **messages: Any) -> Definition:
    """A bundled page with other bounds."""
    definition = bundled(name)
    return attrs.evolve(definition, messages=attrs.evolve(definition.messages, **messages))


def asking(**requests: Any) -> Definition:
    """A page with requests, a frame that cancels them, and an error that means: no such method."""
    spec = Requests(send="request", cancel="cancel", unsupported=(Unsupported(match={"code": ("no",)}),), timeout=30.0)  # type: ignore[dict-item]
    return attrs.evolve(page("resume"), requests=attrs.evolve(spec, **requests))


class Desk:
    """Mail with its timers, and a line at a time.

    Attributes:
        full: what it was told about queues that are full.
        resumed: how often reading went on.
        lines: all there were.
    """

    def __init__(self, definition: Definition | None = None, **names: Any) -> None:
        self.timers = Timers()
        self.definition = definition or page()
        self.mail = Mail(self.definition, self.timers, self._armed, lambda: names)
        self.mail.overfull = lambda word, words: self.full.append((word, words))
        self.mail.resume = self._resume
        self.full: list[tuple[str, str]] = []
        self.resumed = self.armed = 0
        self.lines: list[Line] = []

    def _armed(self) -> None:
        self.armed += 1

    def _resume(self) -> None:
        assert self.mail.reading
        self.resumed += 1

    @property
    def line(self) -> Line:
        """The line of now."""
        return self.lines[-1]

    def open(self, *, flowing: bool = False) -> None:
        """A connection is there, and ready."""
        self.lines.append(Line(flowing=flowing))
        self.mail.attach(self.line, self.line, len(self.lines))  # type: ignore[arg-type]
        self.mail.turn(now_open=True)
        self.mail.flush()

    def read(self, message: Any, size: int = 1) -> Outcome:
        """A message has come."""
        outcome = route(self.definition.messages.routes, message)
        if outcome.kind == "answer":
            self.mail.requests.answered(outcome.id, outcome.value, good=outcome.good)
        else:
            assert outcome.kind == "deliver"
            self.mail.deliver(outcome, size)
        return outcome

    def answer(self, id_: str, result: Any = None, error: Any = None) -> None:
        """An answer has come, as the page `resume` has them."""
        self.read({"type": "answer", "id": id_, "ok": error is None, "result": result, "error": error})

    def pass_time(self) -> None:
        """Fire what is due."""
        for key, what in self.timers.due(trio.current_time()):
            what(key)

    async def sleep(self, seconds: float) -> None:
        """Time passes, and timers fire when they are due."""
        until = trio.current_time() + seconds
        while self.timers.next() <= until:
            await trio.sleep_until(self.timers.next())
            self.pass_time()
        await trio.sleep_until(until)

    async def drain(self) -> list[Any]:
        """All that waits in the inbox."""
        return [await self.mail.receive() for _ in range(len(self.mail.inbox))]


def outbox(when_full: Any = "reject", items: int = 2, size: int = 1000, until_ready: float = 15.0) -> Outbox:
    """Bounds of an outbox."""
    return Outbox(items=items, size=size, when_full=when_full, until_ready=until_ready)  # type: ignore[arg-type]


def inbox(when_full: Any = "oldest", items: int = 4, size: int = 1000, **others: Any) -> Inbox:
    """Bounds of an inbox."""
    return Inbox(items=items, size=size, when_full=when_full, **others)  # type: ignore[arg-type]
