"""The calls of the page `openhands-conversation-server`: the steps by which a client is let in.

Law: whatever fails is answered, with a code and a sentence; what the embedder's own code raises is logged without the
secrets of the client, and none of its words are told. All that is wrong with the parameters is told at once.
"""

import hmac
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import aclosing, contextmanager
from types import MappingProxyType
from typing import Final, NoReturn, final

import attrs

from lifecycle.definition.literal import Secret
from lifecycle.errors import CallFailed
from lifecycle.observe.plain import hushed

from .conversations import Conversations
from .event import Event
from .reader import Reader

log = logging.getLogger("lifecycle.openhands")

PROVIDERS: Final = ("azure_devops", "bitbucket", "enterprise_sso", "forgejo", "github", "gitlab")
"""The Git providers that an OpenHands server knows."""

REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "no_conversation": "No conversation_id in query params",
        "unknown_provider": "Unknown provider in providers_set",
        "no_session_api_key": "invalid_session_api_key",
        "invalid_session_api_key": "invalid_session_api_key",
        "validation_failed": "The server could not check who you are: try again later.",
        "no_events": "Failed to access conversation events: there is no such conversation",
        "events_failed": "The events of the conversation cannot be read now: try again later.",
        "not_joined": "Failed to join conversation",
    }
)
"""What a client is refused with, by code; besides the `SENTENCES` of auth errors.

The words are those of OpenHands where that has any, for clients decide by them."""


@final
@attrs.frozen
class Request:
    """Who asks to join, for a validator.

    Attributes:
        conversation: the id of the conversation.
        cookie: the header; None if there is none.
        authorization: likewise.
    """

    conversation: str
    cookie: str | None = attrs.field(default=None, repr=False)
    authorization: str | None = attrs.field(default=None, repr=False)


Validate = Callable[[Request], Awaitable[str | None]]
"""`async def validate(request)`: returns the user's id, or raises an `AuthError`."""


@final
class ConversationCalls:
    """The calls for all connections of one server.

    Args:
        conversations: what they join.
        key: the session API key that clients need; None if they need none.
        validate: says who the user is; without it all are one user, None, who may join everything.
        providers: the Git providers that may be named.
    """

    def __init__(
        self,
        conversations: Conversations,
        *,
        key: str | None = None,
        validate: Validate | None = None,
        providers: Collection[str] = PROVIDERS,
    ) -> None:
        self._conversations, self._validate = conversations, validate
        self._key = None if key is None else Secret(key)
        self._providers = frozenset(providers)

    async def check_parameters(self, *, conversation: str | None, providers: str | None) -> None:
        """Look at the query.

        Args:
            conversation: the id.
            providers: names with commas between, or None.

        Raises:
            CallFailed: `no_conversation` or `unknown_provider`; with both sentences, if both are wrong.
        """
        named = [name.strip() for name in (providers or "").split(",")]
        unknown = [name for name in named if name and name not in self._providers]
        wrong = {} if conversation else {"no_conversation": REFUSALS["no_conversation"]}
        if unknown:
            known = ", ".join(sorted(self._providers))
            wrong["unknown_provider"] = f"{REFUSALS['unknown_provider']}: it knows {known}"
        if wrong:
            raise CallFailed(next(iter(wrong)), "; ".join(wrong.values()))

    async def check_key(self, *, key: str | None) -> None:
        """Compare the session API key, in a time that tells nothing of it.

        Raises:
            CallFailed: `no_session_api_key` or `invalid_session_api_key`.
        """
        if self._key is None:
            return
        if key is None:
            _refuse("no_session_api_key")
        if not hmac.compare_digest(key.encode(errors="surrogatepass"), self._key.encode(errors="surrogatepass")):
            _refuse("invalid_session_api_key")

    async def check_user(
        self, *, conversation: str, cookie: str | None = None, authorization: str | None = None
    ) -> dict[str, str | None]:
        """Ask the validator who the user is.

        Returns:
            `{"user": …}`.

        Raises:
            CallFailed: an `AuthError` as it was raised, or `validation_failed`.
        """
        if self._validate is None:
            return {"user": None}
        with _answered("validation_failed", cookie, authorization):
            user: object = await self._validate(Request(conversation, cookie, authorization))
            if user is not None and not isinstance(user, str):
                raise TypeError(f"a validator returns a user's id, a text or None, not {type(user).__name__}")
        return {"user": user}

    async def open_events(self, *, conversation: str, user: str | None) -> dict[str, Reader]:  # noqa: ARG002 -- the page gives it
        """Find the events of a conversation.

        Returns:
            `{"events": …}`: the client's place in them.

        Raises:
            CallFailed: `no_events` or `events_failed`.
        """
        with _answered("events_failed"):
            try:
                return {"events": await self._conversations.open(conversation)}
            except FileNotFoundError:
                _refuse("no_events")

    async def replay_events(self, *, events: Reader, after: float) -> AsyncGenerator[Event, None]:
        """What came after an event, to be sent; see `Reader.replay`.

        Raises:
            CallFailed: `events_failed`.
        """
        with _answered("events_failed"):
            async with aclosing(events.replay(after)) as told:
                async for event in told:
                    yield event

    async def join(self, *, conversation: str, user: str | None) -> dict[str, str]:
        """Join the conversation, and start it if it does not run.

        Returns:
            `{"session": …}`: what `Conversations.client` knows the client by.

        Raises:
            CallFailed: `not_joined`.
        """
        with _answered("not_joined"):
            return {"session": (await self._conversations.join(conversation, user)).session}

    async def leave(self, *, session: str | None) -> None:
        """Leave the conversation, if it was joined; again is no harm."""
        if session is not None:
            self._conversations.leave(session)


def _refuse(code: str) -> NoReturn:
    raise CallFailed(code, REFUSALS[code])


@contextmanager
def _answered(code: str, *secrets: str | None) -> Iterator[None]:
    """Whatever is raised in here, but a refusal, becomes one; the log has it without the secrets."""
    try:
        yield
    except CallFailed:
        raise
    except Exception as error:  # noqa: BLE001 -- the client is answered, whatever it is
        known = [Secret(each) for each in secrets if each]
        log.warning("%s: %s", code, hushed("".join(traceback.format_exception(error)), known))
        raise CallFailed(code, REFUSALS[code]) from None
