"""A server of conversations: the page `openhands-conversation-server`, its calls, and what each joined client is told.

Law: a client follows the log from where its replay has ended, at its own pace. Whatever a client does is taken or
answered. Whatever ends a connection, its client has left the conversation then.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final, final

import trio

from lifecycle.errors import IllegalEvent, LifecycleError
from lifecycle.trio.connection import Connection
from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.server import Server
from lifecycle.wire.inbox import Discontinuity

from .calls import PROVIDERS, ConversationCalls, Validate
from .client import Client
from .conversation import GRACE
from .conversations import Conversations
from .event import Event

PAGE: Final = "openhands-conversation-server"


def serve_conversations(
    conversations: Conversations,
    *,
    port: int,
    key: str | None = None,
    validate: Validate | None = None,
    providers: Collection[str] = PROVIDERS,
    **settings: Any,
) -> Server:
    """Serve conversations, as `lifecycle.serve` serves a page.

    Args:
        conversations: what clients join; open as long as the server.
        port: of TCP; 0 is a free one.
        key: the session API key that clients need; None if they need none.
        validate: `async def validate(request)` returns the user's id, or raises an `AuthError`; without it all are one
            user, who may join everything.
        providers: the Git providers that a client may name.
        settings: all others of `lifecycle.serve` but handler and calls: host, tls, limit, and the parameters of the
            page, such as `replay`, which is `before` or `after`.

    Raises:
        WrongParameters: they do not fit the page; all wrong ones at once.
    """
    calls = ConversationCalls(conversations, key=key, validate=validate, providers=providers)
    return Server(PAGE, Attendance(conversations).attend, port=port, calls=calls, **settings)


@final
@ki_protected
class Attendance:
    """What runs beside the page for each connection.

    Args:
        conversations: what clients join.
    """

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def attend(self, connection: Connection) -> None:
        """Serve one client: the handler of `lifecycle.serve`."""
        try:
            with suppress(LifecycleError):  # who is refused never becomes ready, and the page answers him
                await connection.ready()
            client = self._client(connection)
            if client is not None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_follow, connection, client)
                    nursery.start_soon(_hurry, connection, nursery.cancel_scope)
                    async for message in connection:
                        await _take(connection, client, message)
                    nursery.cancel_scope.cancel()
        finally:  # the page leaves by a call, which a connection that is cancelled does not make
            client = self._client(connection)
            if client is not None:
                self._conversations.leave(client.session)

    def _client(self, connection: Connection) -> Client | None:
        session = connection.variables["session"]
        return None if session is None else self._conversations.client(session)


async def _follow(connection: Connection, client: Client) -> None:
    async def send(event: Event) -> None:
        await connection.send({"event": "oh_event", "args": [event]})

    goodbye = await client.follow(connection.variables["events"], send)
    if goodbye is not None:
        wish, fields = goodbye
        with suppress(IllegalEvent):  # it is ending already
            connection.tell(wish, **fields)


async def _hurry(connection: Connection, scope: trio.CancelScope) -> None:
    """What a client did before it went has some seconds."""
    async for _ in connection.changes():
        pass
    scope.deadline = trio.current_time() + GRACE


async def _take(connection: Connection, client: Client, message: Mapping[str, Any] | Discontinuity) -> None:
    """Take what a client does, and acknowledge it if he asks for that."""
    if isinstance(message, Discontinuity):
        client.notice({"error": True, "message": f"{message.missed} actions were not taken: they came too quickly."})
        return
    action = next(iter(message["args"]), None)
    wrong: dict[str, Any] | None = None
    try:
        if not await client.conversation.act(action):
            wrong = {"error": True, "message": "The conversation has ended: the action was not taken."}
    except (TypeError, ValueError) as error:
        wrong = {"error": True, "message": f"The action was not taken: {error}."}
    if "id" in message:
        with suppress(LifecycleError):  # he has gone
            await connection.send({"packet": "ack", "id": message["id"], "args": [wrong] if wrong else []})
    elif wrong:
        client.notice(wrong)
