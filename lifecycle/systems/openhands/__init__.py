"""Both ends of OpenHands conversations: event logs, agents that run, the clients that join them, and how to be one.

Law: serving needs the extra `socketio`, importing does not. Everything public is named here.
"""

from .agent_server_calls import AgentServerCalls, Key, agent_server_calls
from .auth_error import (
    SENTENCES,
    AuthError,
    BearerToken,
    Cookie,
    EmailNotVerified,
    Expired,
    NoCredentials,
    TermsNotAccepted,
)
from .calls import PROVIDERS, REFUSALS, ConversationCalls, Request, Validate
from .conversation import Agent, Conversation
from .conversations import Conversations
from .event import Event
from .event_store import EventStore
from .events_unavailable import EventsUnavailable
from .joining_calls import Credentials, JoiningCalls, Status, action, calls, open_conversation
from .memory_event_store import MemoryEventStore
from .redis_event_store import RedisEventStore
from .server import serve_conversations
from .sqlite_event_store import SqliteEventStore

__all__ = [
    "PROVIDERS",
    "REFUSALS",
    "SENTENCES",
    "Agent",
    "AgentServerCalls",
    "AuthError",
    "BearerToken",
    "Conversation",
    "ConversationCalls",
    "Conversations",
    "Cookie",
    "Credentials",
    "EmailNotVerified",
    "Event",
    "EventStore",
    "EventsUnavailable",
    "Expired",
    "JoiningCalls",
    "Key",
    "MemoryEventStore",
    "NoCredentials",
    "RedisEventStore",
    "Request",
    "SqliteEventStore",
    "Status",
    "TermsNotAccepted",
    "Validate",
    "action",
    "agent_server_calls",
    "calls",
    "open_conversation",
    "serve_conversations",
]
