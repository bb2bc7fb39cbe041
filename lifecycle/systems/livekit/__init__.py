"""Watching an agent session of LiveKit: what it tells, and what its program does to it, held against its page.

Law: nothing of LiveKit is imported; a session is whoever tells such events. Everything public is named here.
"""

from .record import record
from .report import report
from .subscription import Subscription
from .watch import Watch, watch

__all__ = [
    "Subscription",
    "Watch",
    "record",
    "report",
    "watch",
]
