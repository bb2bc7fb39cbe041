"""A session with a Convai character: the calls of its page, what it tells, and what can be said.

Law: talking to Convai needs the extra `convai`, importing does not. Everything public is named here.
"""

from .calls import BASE_URL, ConvaiCalls, Credentials
from .disconnect_reason import SENTENCES, DisconnectReason
from .envelope import Message
from .event import (
    AgentState,
    BotReady,
    Connected,
    ContextLow,
    Disconnected,
    GaveUp,
    IdleWarning,
    InteractionCreated,
    LlmNoResponse,
    ServerResponse,
    StateChanged,
    Trouble,
    TurnCompleted,
    UsageLimitReached,
)
from .media import Device, Media
from .opening import open_convai
from .room_error import (
    ConnectionReason,
    DataNotPublished,
    DeviceUnsupported,
    InvalidTrack,
    NegotiationFailed,
    NotAllowed,
    RoomConnectionFailed,
    RoomError,
    RoomRefused,
    UnexpectedConnectionState,
    UnsupportedServer,
)
from .session import Session
from .subscriptions import Subscription

__all__ = [
    "SENTENCES",
    "AgentState",
    "BotReady",
    "Connected",
    "ConnectionReason",
    "ContextLow",
    "ConvaiCalls",
    "Credentials",
    "DataNotPublished",
    "Device",
    "DeviceUnsupported",
    "DisconnectReason",
    "Disconnected",
    "GaveUp",
    "IdleWarning",
    "InteractionCreated",
    "InvalidTrack",
    "LlmNoResponse",
    "Media",
    "Message",
    "NegotiationFailed",
    "NotAllowed",
    "RoomConnectionFailed",
    "RoomError",
    "RoomRefused",
    "ServerResponse",
    "Session",
    "StateChanged",
    "Subscription",
    "Trouble",
    "TurnCompleted",
    "UnexpectedConnectionState",
    "UnsupportedServer",
    "UsageLimitReached",
    "calls",
    "open_convai",
]


def calls(
    *, api_key: str = "", character_id: str = "", base_url: str = BASE_URL, end_user_id: str | None = None
) -> ConvaiCalls:
    """The calls of the page from texts, as a command line gives them.

    Raises:
        WrongParameters: they cannot be sent.
    """
    return ConvaiCalls(api_key, character_id, base_url=base_url, end_user_id=end_user_id)
