"""The admin surface of a registry, as an ASGI app.

Law: whoever has no key learns nothing but whether it is well. Every request is answered in JSON, but for metrics, and
what goes wrong in here is logged once and told to nobody.
"""

import logging
from typing import TYPE_CHECKING, final

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from lifecycle.registry.registry import Registry
from lifecycle.trio.interrupts import ki_protected

from .answer import bad
from .guard import Guard
from .reading import Message, Reading
from .routes import KNOWN, LIMIT, READING, Routes, json, unrouted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

log = logging.getLogger("lifecycle.registry.admin")

_PUBLIC = "/health"
_PATIENCE = 30.0
"""Seconds that a client may take to receive an answer, where the server leaves that to us."""


@final
@ki_protected  # Hypercorn would log a KeyboardInterrupt that is raised in here, and go on
class Admin:
    """An ASGI app over a registry, for a server that runs on trio; `serve_admin` is one with all bounds.

    Args:
        registry: entered already, and left by who did.
        key: that clients bring as `Authorization: Bearer KEY`, to everything but /health.
        without_key: whether there is none; then only clients of this machine are served, and no web pages.
        wait: seconds that a join may wait for a slot while everything is full; 0 refuses at once.

    Raises:
        ValueError: neither key nor without_key was said, or both, or the key cannot be one.
    """

    def __init__(self, registry: Registry, *, key: str | None, without_key: bool = False, wait: float = 0.0) -> None:
        self._guard = Guard(key, without_key=without_key)
        self._app = Starlette(routes=Routes(registry, wait=wait).all(), exception_handlers={HTTPException: _not_found})
        self._app.router.redirect_slashes = False  # a redirect would be an answer without JSON

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        reading = Reading(receive, LIMIT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reading.run)
            messages = await self._answered(scope, receive, reading)
            await reading.rest()
            with trio.move_on_after(_PATIENCE):
                for message in messages:
                    await send(message)
            nursery.cancel_scope.cancel()

    async def _answered(self, scope: "Scope", receive: "Receive", reading: Reading) -> list[Message]:
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        client = scope.get("client")
        known = self._guard.lets_in(scope["headers"], client[0] if client else None)
        inner = {**scope, READING: reading, KNOWN: known}
        answer: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if not known and scope["path"] != _PUBLIC:
            answer = _locked(has_key=self._guard.has_key)
        try:
            await answer(inner, receive, collect)
        except Exception:
            log.exception("%s %s has failed", scope["method"], scope["path"])
            messages.clear()
            await json(bad(500, "this service has failed; its log says why"))(inner, receive, collect)
        return messages


def _locked(*, has_key: bool) -> "Response":
    if has_key:
        told = bad(401, "the key is missing or wrong: send the header `Authorization: Bearer KEY`")
        response = json(told)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return json(bad(403, "without a key only programs of this machine are served, and no web pages: set a key"))


async def _not_found(request: "Request", error: Exception) -> "Response":
    found = error if isinstance(error, HTTPException) else HTTPException(404)
    return unrouted(request.scope, found.status_code, (found.headers or {}).get("Allow"))


async def _live(receive: "Receive", send: "Send") -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
