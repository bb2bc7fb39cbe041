"""The calls of the page `openhands-conversation`: wait until a conversation runs, get credentials that are accepted.

Law: a client has no socket before its conversation runs. What the embedder's own functions raise is told as they say
it; secrets stand in nothing that is said.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, final

import trio

from lifecycle.errors import CallFailed
from lifecycle.trio.connection import Connection

PAGE: Final = "openhands-conversation"
RUNNING: Final = frozenset({"RUNNING"})
STARTING: Final = frozenset({"STARTING"})
POLL: Final = 3.0

Status = Callable[[str], Awaitable[str]]
"""Asked for the status of a conversation, by its id: `RUNNING`, `STARTING`, `STOPPED`, or what else the server says."""
Credentials = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Asked for what is accepted now: `session_api_key`, `cookie`, or both; a key that is left out is none."""


@final
class JoiningCalls:
    """The calls of one client.

    Args:
        status: asks the server whether the conversation runs, mostly by `GET /api/conversations/{id}`. Without it the
            conversation is taken to run.
        credentials: gets fresh ones when the server refuses those that there are. Without it there are none.
        poll: seconds between two questions for a conversation that starts.
    """

    def __init__(
        self, status: Status | None = None, credentials: Credentials | None = None, *, poll: float = POLL
    ) -> None:
        self._status, self._credentials, self._poll = status, credentials, poll

    async def until_running(self, *, conversation: str) -> None:
        """Wait until the conversation runs.

        Raises:
            CallFailed: with the code `stopped`, if it will not run by itself.
        """
        while self._status is not None:
            status = (await self._status(conversation)).upper()
            if status in RUNNING:
                return
            if status not in STARTING:
                raise CallFailed("stopped", f"the conversation is {status.lower()}")
            await trio.sleep(self._poll)

    async def fresh_credentials(self) -> dict[str, str | None]:
        """Credentials that the server has not refused yet.

        Raises:
            CallFailed: there is nobody to get them from.
        """
        if self._credentials is None:
            raise CallFailed("no_credentials", "no other credentials are known")
        fresh = await self._credentials()
        return {"session_api_key": fresh.get("session_api_key"), "cookie": fresh.get("cookie")}


def open_conversation(
    url: str,
    conversation_id: str,
    *,
    status: Status | None = None,
    credentials: Credentials | None = None,
    **settings: Any,
) -> Connection:
    """Make a client of a conversation, as `lifecycle.open` does.

    Args:
        url: of the server's Socket.IO, such as `ws://127.0.0.1:3000/socket.io/`.
        conversation_id: which one.
        status: as for `JoiningCalls`.
        credentials: as for `JoiningCalls`.
        settings: all others of `lifecycle.open` but calls, and the parameters of the page, such as `session_api_key`.

    Returns:
        A connection: its messages are events as the server has them, a mapping each. What the user does is sent by
        `connection.send(action(…))`.

    Raises:
        WrongParameters: they do not fit the page; all wrong ones at once.
    """
    calls = JoiningCalls(status, credentials)
    return Connection(PAGE, calls=calls, url=url, conversation_id=conversation_id, **settings)


def action(kind: str, **arguments: Any) -> dict[str, Any]:
    """What a user does, as a message for the server.

    Args:
        kind: such as `message` or `change_agent_state`.
        arguments: such as `content`, or `agent_state`.
    """
    return {"event": "oh_user_action", "args": [{"action": kind, "args": arguments}]}


def calls() -> JoiningCalls:
    """The calls for a command line, which takes a conversation to run."""
    return JoiningCalls()
