"""A session written down: a line a report, for `lifecycle monitor`.

Law: a line is whole before the next one begins, and small; how many there are is up to the session.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, TextIO

from .subscription import Subscription

_DIGITS = 4


def record(session: Any, file: TextIO) -> Subscription:
    """Write what a session tells, and what its program does to it, until that is stopped.

    Args:
        session: an `AgentSession` that was not started yet.
        file: is given a line of JSON a report: `at`, in seconds since the first, and what was reported.
    """
    began: float | None = None

    def write(report: Mapping[str, Any]) -> None:
        nonlocal began
        now = asyncio.get_running_loop().time()
        began = now if began is None else began
        file.write(json.dumps({"at": round(now - began, _DIGITS), **report}, ensure_ascii=False) + "\n")
        file.flush()

    return Subscription(session, write)
