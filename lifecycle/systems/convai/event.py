"""What a session tells: one class an event, for `session.on(IdleWarning, handler)`.

Law: what has another shape than its field counts as none, for a stranger has written it. Optional keys are absent on
this wire, and null where the documentation says so; both are None.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum, unique
from typing import Any, Final

import attrs

from lifecycle.definition.expression import is_number
from lifecycle.errors import LifecycleError

from .disconnect_reason import DisconnectReason, sentence_of
from .envelope import Message
from .room_error import LONGEST, room_error


@unique
class AgentState(StrEnum):
    """What the character does, by priority: the first that holds."""

    DISCONNECTED = "disconnected"
    SPEAKING = "speaking"
    LISTENING = "listening"
    THINKING = "thinking"
    CONNECTED = "connected"


@attrs.frozen
class StateChanged:
    """The agent's state is another one.

    Attributes:
        state: which.
    """

    state: AgentState


@attrs.frozen
class Connected:
    """There is a transport. The bot may not be ready yet."""


@attrs.frozen
class BotReady:
    """Messages may be sent.

    Attributes:
        resumed: whether it is the room of before, whose bot does not say again that it is ready.
    """

    resumed: bool = False


@attrs.frozen
class Disconnected:
    """A session has ended; told once for each.

    Attributes:
        reason: LiveKit's; a plain number if it is none that we know, None if the server has told nonsense.
        retries: whether it is tried again by itself.
    """

    reason: DisconnectReason | float | None
    retries: bool

    @property
    def sentence(self) -> str:
        """What to tell a user."""
        return "The server has ended the session." if self.reason is None else sentence_of(self.reason)


@attrs.frozen
class GaveUp:
    """It is not tried again by itself; `reconnect` is.

    Attributes:
        why: in words, for the user.
    """

    why: str


@attrs.frozen
class Trouble:
    """Something has gone wrong: a RoomError, RoomRefused for one, or NotReady of a bot.

    Attributes:
        error: what.
    """

    error: LifecycleError


@attrs.frozen
class ServerResponse:
    """The server's answer to a message of ours.

    Attributes:
        event_type: the type of that message; or parse-error, validation-error, unknown-message-type.
        status: success, error, processing or pending.
        message: in words, if it says any.
        extras: what else it says.
    """

    event_type: str
    status: str
    message: str | None = None
    extras: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def __str__(self) -> str:
        return self.message or f"{self.event_type}: {self.status}"


@attrs.frozen
class ContextLow:
    """Few tokens are left for the context; told once, until there are enough again.

    Attributes:
        remaining_tokens: how many.
    """

    remaining_tokens: float


@attrs.frozen
class LlmNoResponse:
    """The model has decided to say nothing.

    Attributes:
        reason: such as `abstain`.
    """

    reason: str | None = None


@attrs.frozen
class IdleWarning:
    """The server will end an idle session.

    Attributes:
        remaining_seconds: when, if it says so. That the time is over proves nothing; only `Disconnected` does.
        message: for the user.
    """

    remaining_seconds: float | None = None
    message: str | None = None


@attrs.frozen
class TurnCompleted:
    """The bot has had its say.

    Attributes:
        was_interrupted, was_aborted: how it ended.
        error_reason: what went wrong.
    """

    was_interrupted: bool = False
    was_aborted: bool = False
    error_reason: str | None = None


@attrs.frozen
class UsageLimitReached:
    """A quota is used up.

    Attributes:
        quota_type: which.
        message: for the user.
    """

    quota_type: str | None = None
    message: str | None = None


@attrs.frozen
class InteractionCreated:
    """Once a connection, before the bot is ready.

    Attributes:
        interaction_id: for support.
        character_session_id: by which the session can go on later.
    """

    interaction_id: str | None = None
    character_session_id: str | None = None


Data = Mapping[str, Any]


def event_of(message: Message) -> Any:
    """The event that a message is; None of one that has no class of its own."""
    make = _MADE.get(message.type)
    return None if make is None else make(message.data)


def _text(value: Any) -> str | None:
    return value[:LONGEST] if isinstance(value, str) else None


def _response(data: Data) -> ServerResponse:
    extras = data.get("extras")
    return ServerResponse(
        _text(data.get("event_type")) or "",
        _text(data.get("status")) or "",
        _text(data.get("message")),
        extras if isinstance(extras, Mapping) else {},
    )


def _idle_warning(data: Data) -> IdleWarning:
    return IdleWarning(_seconds(data.get("remaining_seconds")), _text(data.get("message")))


def _seconds(value: Any) -> float | None:
    return float(value) if is_number(value) and 0 <= value < _LONGEST_WAIT else None


_LONGEST_WAIT: Final = 1e9
_MADE: Final[Mapping[str, Callable[[Data], Any]]] = {
    "server-response": _response,
    "user-idle-warning": _idle_warning,
    "llm-no-response": lambda data: LlmNoResponse(_text(data.get("reason"))),
    "bot-turn-completed": lambda data: TurnCompleted(
        data.get("was_interrupted") is True, data.get("was_aborted") is True, _text(data.get("error_reason"))
    ),
    "usage-limit-reached": lambda data: UsageLimitReached(_text(data.get("quota_type")), _text(data.get("message"))),
    "interaction-created": lambda data: InteractionCreated(
        _text(data.get("interaction_id")), _text(data.get("character_session_id"))
    ),
    "error": lambda data: Trouble(room_error(data)),
}
