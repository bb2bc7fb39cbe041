"""A session with a digital human of HiAgent RTC: the backend, the calls of the page, and what programs use.

Law: talking to a backend needs the extra `hiagent`, importing does not. Everything public is named here.
"""

from .answers import BackendHealth, Cleared, Joined, Left, Listed
from .backend import Backend, Credentials
from .calls import HiagentCalls, fresh_id
from .opening import open_hiagent
from .own import OwnSessions
from .refusal import (
    AddressInUse,
    BadRequest,
    LiveIdInUse,
    NoAnswer,
    NoFreeInstance,
    NoSuchLive,
    NotInterruptible,
    OverLimit,
    Refused,
    TooEarly,
    TwoControllers,
    Unauthorized,
)
from .session import Question, Session

__all__ = [
    "AddressInUse",
    "Backend",
    "BackendHealth",
    "BadRequest",
    "Cleared",
    "Credentials",
    "HiagentCalls",
    "Joined",
    "Left",
    "Listed",
    "LiveIdInUse",
    "NoAnswer",
    "NoFreeInstance",
    "NoSuchLive",
    "NotInterruptible",
    "OverLimit",
    "OwnSessions",
    "Question",
    "Refused",
    "Session",
    "TooEarly",
    "TwoControllers",
    "Unauthorized",
    "fresh_id",
    "open_hiagent",
]
