"""The call of the page `openhands-agent-server`: a session API key that is accepted.

Law: a key is a secret from the moment that it is had.
"""

from collections.abc import Awaitable, Callable
from typing import final

from lifecycle.definition.literal import Secret
from lifecycle.errors import CallFailed

Key = Callable[[], Awaitable[str]]
"""Asked for the key that is accepted now."""


@final
class AgentServerCalls:
    """The calls of one client: `lifecycle.open("openhands-agent-server", url=…, calls=AgentServerCalls(key))`.

    Args:
        key: gets another key when the server refuses the one that there is. Without it there is none.
    """

    def __init__(self, key: Key | None = None) -> None:
        self._key = key

    async def fresh_credentials(self) -> dict[str, str]:
        """A key that the server has not refused yet.

        Raises:
            CallFailed: there is nobody to get it from.
        """
        if self._key is None:
            raise CallFailed("no_credentials", "no other key is known")
        return {"key": Secret(await self._key())}


def agent_server_calls() -> AgentServerCalls:
    """The calls for a command line, which knows one key."""
    return AgentServerCalls()
