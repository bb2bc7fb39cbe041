"""What a session tells and what its program does to it, as reports, until that is stopped.

Law: the session goes on as if nobody listened: whatever listening raises is logged and costs nothing else. One
subscription is one life of a session; what is done to one that has closed is nothing, and one that is started again is
another one.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Self, final

from .report import report

Tell = Callable[[Mapping[str, Any]], object]
"""Is told each report, in the thread of the session's loop."""

EVENTS: Final = (
    "agent_state_changed",
    "user_state_changed",
    "user_input_transcribed",
    "user_transcription_timeout",
    "conversation_item_added",
    "function_tools_executed",
    "tool_execution_updated",
    "speech_created",
    "agent_false_interruption",
    "overlapping_speech",
    "session_usage_updated",
    "debug_message",
    "error",
    "close",
)
"""All but `metrics_collected`: the session warns whoever asks for it, and it says nothing of its state."""
_CAUSES: Final = {
    "job_shutdown": {"event": "job_shutdown"},
    "task_completed": {"event": "task_completed"},
    "participant_disconnected": {"event": "participant.gone"},
    "user_initiated": {"event": "aclose"},
}
"""What the page calls what a close is begun for; an error was told before."""

log = logging.getLogger("lifecycle.livekit")


@final
class Subscription:
    """Listens from now on. `stop()` ends it, and so do the end of a `with` and another start of the session.

    Args:
        session: an `AgentSession` that was not started yet.
        tell: is told each report.
    """

    def __init__(self, session: Any, tell: Tell) -> None:
        self._session, self._tell = session, tell
        self._life: Literal["new", "running", "closing", "closed"] = "new"
        self._stopped = False
        self._told = {name: self._telling(name) for name in EVENTS}
        own = {"start": self._starting, "aclose": self._closing, "shutdown": self._shutting_down}
        own |= {"_aclose_impl": self._ending, "reset_away_timer": self._resetting}
        self._own = {name: made(method) for name, made in own.items() if (method := getattr(session, name, None))}
        for name, told in self._told.items():
            session.on(name, told)
        for name, method in self._own.items():
            setattr(session, name, method)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Listen no more; again is no harm."""
        if self._stopped:
            return
        self._stopped = True
        for name, told in self._told.items():
            self._session.off(name, told)
        for name, own in self._own.items():
            # who has put a method of its own over ours keeps it; ours is silent now
            if vars(self._session).get(name) is own:
                delattr(self._session, name)

    # -- what the session tells

    def _telling(self, name: str) -> Callable[[Any], None]:
        def told(event: Any) -> None:
            made = report(name, event)
            if name == "user_state_changed" and self._life == "closing":
                made["closing"] = True  # the session's clock may run on then, and nobody waits for its end
            self._say(made)
            if name == "close":
                self._life = "closed"

        return told

    # -- what its program does

    def _starting(self, start: Callable[..., Any]) -> Callable[..., Any]:
        async def started(*args: Any, **keywords: Any) -> Any:
            if self._life == "closed":
                self.stop()
            if self._life != "new":
                return await start(*args, **keywords)
            self._life = "running"
            self._say({"event": "started"})
            try:
                return await start(*args, **keywords)
            except BaseException:
                self._life = "new"
                self._say({"states": ["not_started"]})
                raise

        return started

    def _closing(self, aclose: Callable[..., Any]) -> Callable[..., Any]:
        async def closed() -> None:
            self._close({"event": "aclose"})
            await aclose()

        return closed

    def _shutting_down(self, shutdown: Callable[..., Any]) -> Callable[..., Any]:
        def shut_down(*, drain: bool = True) -> None:
            self._close({"event": "shutdown", "fields": {"drain": drain}})
            shutdown(drain=drain)

        return shut_down

    def _ending(self, end: Callable[..., Any]) -> Callable[..., Any]:
        # every close comes by here, and some by no other way: those of a job and of a room, and those for errors
        async def ended(**keywords: Any) -> None:
            self._close(_CAUSES.get(getattr(keywords.get("reason"), "value", "")))
            await end(**keywords)

        return ended

    def _resetting(self, reset: Callable[..., Any]) -> Callable[..., Any]:
        def was_reset() -> None:
            reset()
            if self._life == "running":
                self._say({"event": "user.present"})

        return was_reset

    def _close(self, report: Mapping[str, Any] | None) -> None:
        """A close is begun; of a session that is not started, or has closed, it is nothing."""
        if self._life == "running":
            self._life = "closing"
            if report is not None:
                self._say(report)

    def _say(self, report: Mapping[str, Any]) -> None:
        if self._stopped:
            return
        try:
            self._tell(report)
        except Exception:
            log.exception("what listens to a session has failed")
