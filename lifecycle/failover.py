"""One of several that can do the same: `from lifecycle.failover import Failover`.

Law: names only. What they are stands in `lifecycle.trio.failover`.
"""

from .errors import AllFailed
from .trio.failover.endpoints import Endpoints
from .trio.failover.failover import Availability, Failover
from .trio.failover.failure import failure_of
from .trio.failover.health import Health
from .trio.failover.variants import LLM, STT, TTS

__all__ = ["LLM", "STT", "TTS", "AllFailed", "Availability", "Endpoints", "Failover", "Health", "failure_of"]
