"""A session held against its page while it lives.

Law: the page is given the session's own settings and clock. Nothing is kept but where the page is, and its latest
findings.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self, final

from lifecycle.wire.finding import Finding
from lifecycle.wire.monitor import SLACK, Monitor, monitor

from .subscription import Subscription

PAGE: Final = "livekit-agent-session"
_TOOLS: Final = 1000

Found = Callable[[Finding], object]
"""Is told each finding, in the thread of the session's loop."""


def watch(session: Any, found: Found, slack: float = SLACK, /, **parameters: Any) -> "Watch":
    """Hold a session of LiveKit Agents against the page `livekit-agent-session`, from its start on.

    Args:
        session: an `AgentSession` that was not started yet.
        found: is told what the session does, or does not do, against the page; what it raises is logged.
        slack: by how many seconds the session's loop may be late.
        parameters: of the page; without them `away_timeout`, `false_interruption_timeout` and `tolerance` are what the
            session was made with.

    Returns:
        A handle; its `stop()` ends it.

    Raises:
        WrongParameters: they do not fit the page.
    """
    return Watch(session, found, monitor(PAGE, slack, **{**_settings(session), **parameters}))


@final
class Watch:
    """Watches from now on. `stop()` ends it, and so does the end of a `with`.

    Args:
        session: an `AgentSession`.
        found: is told each finding.
        watching: the page that watches it.

    Attributes:
        monitor: where the page is, and what was found.
    """

    def __init__(self, session: Any, found: Found, watching: Monitor) -> None:
        self.monitor, self._found = watching, found
        self._subscription = Subscription(session, self._report)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Watch no more; again is no harm."""
        self._subscription.stop()

    def passed(self) -> None:
        """Let time pass, and find what should have happened by now; to be called in the session's loop, at times."""
        self._tell(self.monitor.passed(at=_now()))

    def _report(self, report: Mapping[str, Any]) -> None:
        if report.keys() == {"states"}:
            self._tell(self.monitor.place(*report["states"], at=_now()))
        else:
            self._tell(self.monitor.report(report, at=_now()))

    def _tell(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._found(finding)


def _settings(session: Any) -> dict[str, Any]:
    """What a session was made with, as parameters of the page."""
    options, connecting = session.options, session.conn_options
    settings = {
        "away_timeout": options.user_away_timeout,
        "tolerance": connecting.max_unrecoverable_errors,
        "most_tools": _TOOLS,
    }
    pause = options.interruption["false_interruption_timeout"]
    return settings if pause is None else {**settings, "false_interruption_timeout": pause}


def _now() -> float:
    # by which the session counts, too
    return asyncio.get_running_loop().time()
