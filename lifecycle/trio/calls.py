"""The embedder's async methods, each in a scope that dies with the state that called it.

Law: a call has a deadline; its result counts only while its state lasts. Whatever it raises is
`failed` with a code, and never an error of ours; it is told without the secrets that we know. A
call that shields itself, or a thread that is not abandoned, holds the connection's end: use
`abandon_on_cancel=True`.
"""

import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast, final

import trio
from trio.lowlevel import enable_ki_protection

from lifecycle.definition.definition import Definition
from lifecycle.definition.literal import Secret, literal
from lifecycle.errors import CallFailed
from lifecycle.machine.effects import StartCall, StopCall
from lifecycle.machine.events import Event
from lifecycle.observe.plain import hushed, secrets_of
from lifecycle.wire.requests import frame

from .groups import alone
from .interrupts import unprotected

if TYPE_CHECKING:
    from .driver import Driver
    from .epoch import Epoch

log = logging.getLogger("lifecycle.calls")


@final
class Calls:
    """The running calls of one connection, by the state that runs them."""

    __slots__ = ("_driver", "_methods", "_older", "_scopes")

    def __init__(self, driver: "Driver", methods: object) -> None:
        self._driver, self._methods = driver, methods
        self._scopes: dict[str, trio.CancelScope] = {}
        self._older: tuple[trio.CancelScope, ...] = ()  # of those that outlive a state which was entered again

    def start(self, effect: StartCall) -> None:
        """Start a call; its deadline begins now."""
        timeout = self._driver.machine.value(self._driver.definition.calls[effect.name].timeout)
        scope = trio.CancelScope(deadline=trio.current_time() + timeout)
        earlier = self._scopes.get(effect.state)
        if earlier is not None:
            self._older = (*self._older, earlier)
        self._scopes[effect.state] = scope
        self._driver.spawn(lambda: self._run(effect, scope))

    def stop(self, effect: StopCall) -> None:
        """Cancel a call; its result will not count."""
        scope = self._scopes.pop(effect.state, None)
        if scope is not None:
            scope.cancel()

    def deadlines(self) -> list[float]:
        """When each call that runs will have run for too long."""
        return [scope.deadline for scope in self._scopes.values()]

    def cancel_all(self) -> None:
        """Cancel every call."""
        for scope in (*self._scopes.values(), *self._older):
            scope.cancel()
        self._scopes.clear()

    async def _run(self, effect: StartCall, scope: trio.CancelScope) -> None:
        if scope.cancel_called:  # its state was left before the task began
            return
        event = self._failed(effect, "timeout", f"`{effect.name}` has not answered in time")
        with scope:
            event = await self._outcome(effect)
        if self._scopes.get(effect.state) is scope:
            del self._scopes[effect.state]
            self._driver.dispatch(event)
        elif scope in self._older:
            self._older = tuple(each for each in self._older if each is not scope)

    async def _outcome(self, effect: StartCall) -> Event:
        definition = self._driver.definition
        yields = definition.calls[effect.name].yields
        try:
            running = getattr(self._methods, effect.name)(**effect.arguments)
            if yields is not None and not isinstance(running, AsyncGenerator):
                return self._wrong(effect, f"must be an async generator, for its items are sent as `{yields}`")
            if yields is None and not isinstance(running, Awaitable):
                return self._wrong(effect, f"must be an async method; it returned {type(running).__name__}")
            result = await unprotected(
                self._send_all(running, yields) if isinstance(running, AsyncGenerator) else running
            )
        except Exception as error:  # noqa: BLE001 -- the page decides what becomes of it
            return self._raised(effect, error)
        try:
            fields = checked(definition, effect.name, result)
        except ValueError as error:
            return self._failed(effect, "wrong_result", str(error))
        return Event(f"done.{effect.state}", fields, "call", effect.token)

    async def _send_all(self, items: AsyncGenerator[Any, None], name: str | None) -> None:
        """Send each item in its frame, as fast as the peer takes them."""
        driver, epoch = self._driver, self._driver.current
        async with aclosing(items):
            async for item in items:
                if epoch is None or driver.current is not epoch:
                    return
                await self._send(epoch, str(name), item)

    @enable_ki_protection
    async def _send(self, epoch: "Epoch", name: str, item: Any) -> None:
        driver = self._driver
        epoch.send(frame(driver.definition, name, {**driver.machine.names(), "item": item}))
        await epoch.sendable()

    def _wrong(self, effect: StartCall, what: str) -> Event:
        return self._failed(effect, "wrong_result", f"`{effect.name}` {what}")

    def _raised(self, effect: StartCall, error: Exception) -> Event:
        error = cast("Exception", alone(error))  # of an Exception nothing else comes out
        if isinstance(error, CallFailed):
            words = error.message or f"`{effect.name}` has failed: {error.code}"
            return self._failed(effect, error.code, error.message, words, error)
        code = type(error).__name__
        words = self._hushed(effect, f"`{effect.name}` has raised {code}: {error}")
        whole = "".join(traceback.format_exception(error))
        shown, about = self._hushed(effect, whole), self._driver.mail.ids.about()
        if shown == whole:
            log.warning("%s: %s", self._driver.definition.name, words, exc_info=error, extra=about)
        else:
            log.warning("%s: %s\n%s", self._driver.definition.name, words, shown, extra=about)
        return self._failed(effect, code, f"`{effect.name}` has failed: {error}", words)

    def _failed(
        self,
        effect: StartCall,
        code: str,
        message: str,
        words: str = "",
        by: CallFailed | None = None,
    ) -> Event:
        message, words = self._hushed(effect, message), self._hushed(effect, words or message)
        status, pause = (by.status, by.retry_after) if by is not None else (None, None)
        fields = {"code": code, "message": message, "status": status, "retry_after": pause}
        return Event(f"failed.{effect.state}", fields, "call", effect.token, words)

    def _hushed(self, effect: StartCall, text: str) -> str:
        """A text of the embedder's, without the secrets of the connection that may stand in it."""
        given = (value for value in effect.arguments.values() if isinstance(value, Secret) and value)
        return hushed(text, (*secrets_of(self._driver.machine), *given))


def checked(definition: Definition, name: str, result: Any) -> Mapping[str, Any]:
    """A call's result as the fields of `done`.

    Raises:
        ValueError: it has not exactly the keys that the page says, or a value is not of its shape.
    """
    wanted = definition.calls[name].returns
    result = {} if result is None else result
    if not isinstance(result, Mapping) or set(result) != set(wanted):
        found = ", ".join(sorted(map(str, result))) if isinstance(result, Mapping) else type(result).__name__
        raise ValueError(
            f"`{name}` must return a mapping with {', '.join(wanted) or 'no keys'}; it returned {found or 'none'}"
        )
    return {key: _shaped(name, key, shape, result[key]) for key, shape in wanted.items()}


def _shaped(name: str, key: str, shape: str, value: Any) -> Any:
    if value is None or shape == "object":
        return value
    try:
        return literal(shape, value)
    except ValueError as error:
        raise ValueError(f"`{name}` has returned a wrong `{key}`: {error}") from None
