"""A conversation with a Convai character, as a program uses it: states, events, what is said, and what was answered.

Law: the page is the lifecycle; here stand methods and names. Nothing is said to a bot that is not ready, and nothing is
dropped without an error. Every wait has a bound. The body's exception leaves as it is, never in a group.
"""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, final

import trio

from lifecycle.errors import MaybeDelivered, NotReady, NotSent, RequestFailed, RequestTimeout
from lifecycle.trio.connection import Connection
from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import ki_protected, unprotected

from .event import AgentState, ServerResponse
from .media import Device, Media, guarded
from .responses import Responses
from .room_error import DeviceUnsupported
from .steps import Steps
from .subscriptions import Subscription, Subscriptions
from .telling import Telling, agent_state, is_connected

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

E = TypeVar("E")
Mode = Literal["append", "replace", "reset"]
RunLlm = Literal["true", "false", "auto"]
PATIENCE: Final = 10.0


@final
@ki_protected
class Session:
    """A session: `async with open_convai(key, character) as session`.

    What is said returns the server's response, whose status is success, processing or pending. It raises
    `NotSent` while there is no connection or the bot is not ready, `RequestFailed` if the server refuses (its `error`
    is the `ServerResponse`), `RequestTimeout` if no response comes within the patience, and `MaybeDelivered` if the
    connection is lost first.

    Args:
        connection: of the page `convai-session`; it begins and ends with this, and nobody else takes its messages.
        steps: an instrument of that connection.
        media: the microphone and camera of the embedder.
        patience: seconds that a response, or a device, may take.

    Attributes:
        connection: the connection, for its `changes()`, `counters` and `history`.
    """

    def __init__(
        self,
        connection: Connection,
        steps: Steps,
        *,
        media: Media | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.connection = connection
        self._media, self._patience = media, patience
        self._devices: set[Device] = set()
        self._subscriptions, self._responses = Subscriptions(), Responses()
        self._telling = Telling(connection, steps, self._subscriptions.tell, self._responses)
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery | None = None

    # -- what it is like

    @property
    def status(self) -> str:
        """One of the nine statuses of a connection."""
        return self.connection.status

    @property
    def why(self) -> str:
        """What went wrong since the last ready, in words."""
        return self.connection.why

    @property
    def agent_state(self) -> AgentState:
        """The first of disconnected, speaking, listening, thinking that holds; else connected."""
        return agent_state(self.connection.state)

    @property
    def connected(self) -> bool:
        """Whether there is a transport; the bot may not be ready yet."""
        return is_connected(self.connection.state)

    @property
    def bot_ready(self) -> bool:
        """Whether messages may be sent."""
        return self.connection.status == "ready"

    @property
    def disconnect_reason(self) -> float | None:
        """Why the last session has ended, as `Disconnected` told it; None while connected."""
        return None if self.connected else self._telling.reason

    @property
    def character_session_id(self) -> str | None:
        """By which the session goes on later, also in another process."""
        found: str | None = self.connection.variables["resumed_id"]
        return found

    @property
    def tokens(self) -> Mapping[str, float | None]:
        """The budget of the context as it was last told: `used`, `left`, `max`; none before."""
        variables = self.connection.variables
        return {name: variables[f"tokens_{name}"] for name in ("used", "left", "max")}

    # -- what it tells

    def on(self, event: type[E], handler: Callable[[E], object]) -> Subscription:
        """Call a handler for each event of a class, such as `IdleWarning`; call what is returned to stop that.

        Args:
            event: a class of events, `Message` for every message as it came, `lifecycle.Discontinuity` for
                gaps between them, or `object` for all.
            handler: a function, which does not wait; what it raises is logged.
        """
        return self._subscriptions.add(event, handler)

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- NotReady tells why
        """Wait until messages may be sent, for some seconds or until the page gives up; raises as `Connection`."""
        await self.connection.ready(timeout)

    # -- what it does

    def reconnect(self) -> None:
        """Connect anew, from any state, and go on with the session; raises IllegalEvent outside of `async with`."""
        self.connection.tell("reconnect")

    def disconnect(self) -> None:
        """Leave, and stay so until `reconnect`; raises IllegalEvent outside of `async with`."""
        self.connection.tell("disconnect")

    async def send_text(self, text: str) -> ServerResponse:
        """Say something as the user."""
        return await self._say("user_text_message", {"text": text})

    async def trigger(self, name: str | None = None, message: str | None = None) -> ServerResponse:
        """Fire a trigger of the character's narrative, by its name, or with a message."""
        told = {"trigger_name": name, "trigger_message": message}
        return await self._say("trigger-message", {key: each for key, each in told.items() if each is not None})

    async def update_context(
        self, text: str | None = None, *, mode: Mode = "append", run_llm: RunLlm = "auto", remove_static: bool = False
    ) -> ServerResponse:
        """Change what the character knows.

        Args:
            text: needed, unless the mode is `reset`.
            mode: whether it is added, takes the place of what was there, or all is forgotten.
            run_llm: whether the character answers.
            remove_static: with `reset`, whether what was given on connecting goes, too.

        Raises:
            ValueError: there is no text, and the mode is not `reset`.
        """
        if text is None and mode != "reset":
            raise ValueError(f"a context needs a text, unless its mode is reset; this one is {mode}")
        data: dict[str, Any] = {"mode": mode, "run_llm": run_llm}
        data |= {} if text is None else {"text": text}
        data |= {"remove_static": True} if remove_static else {}
        return await self._say("context-update", data)

    async def update_template_keys(self, keys: Mapping[str, str]) -> ServerResponse:
        """Set variables of the character's templates."""
        return await self._say("update-template-keys", {"template_keys": dict(keys)})

    async def update_scene_metadata(self, objects: Sequence[Mapping[str, str]]) -> ServerResponse:
        """Say what is around: each with `name` and `description`."""
        return await self._say("update-scene-metadata", {"scene_metadata": [dict(each) for each in objects]})

    async def set_tts(self, *, on: bool) -> ServerResponse:
        """Whether the character speaks, or only writes."""
        return await self._say("tts-toggle", {"enabled": on})

    async def set_stt(self, *, on: bool) -> ServerResponse:
        """Whether the character listens."""
        return await self._say("stt-toggle", {"muted": not on})

    async def interrupt(self) -> ServerResponse:
        """Stop what the character says."""
        return await self._say("interrupt-bot")

    async def force_user_stopped_speaking(self) -> ServerResponse:
        """The user has said what he had to say, as with a key that is let go."""
        return await self._say("force-user-stopped-speaking")

    async def reset_idle_timer(self) -> ServerResponse:
        """Somebody is there. Voice, text, triggers and contexts say so by themselves."""
        return await self._say("reset-idle-timer", {})

    async def say(self, kind: str, data: Any = None) -> ServerResponse:
        """Send a message of a type that has no method here; without data, it has none."""
        return await self._say(kind, data)

    # -- its media

    @property
    def devices(self) -> frozenset[Device]:
        """Those that were switched on, and not off again since."""
        return frozenset(self._devices)

    async def switch(self, device: Device, *, on: bool) -> None:
        """Switch the microphone or the camera.

        Raises:
            NotReady: there is no connection.
            NotAllowed: nobody gave the permission.
            DeviceUnsupported: there is no such device, or the session was opened without media.
            RequestTimeout: it took longer than the patience.
        """
        if not self.connected:
            raise NotReady(f"the {device} was not switched", cause="the session is not connected")
        media = self._media
        if media is None:
            raise DeviceUnsupported(f"the {device} cannot be used: the session was opened without media")
        with trio.move_on_after(self._patience):
            await guarded(device, lambda: unprotected(media.switch(device, on=on)))
            (self._devices.add if on else self._devices.discard)(device)
            return
        raise RequestTimeout(f"switching the {device}", self._patience)

    # -- the door

    async def __aenter__(self) -> Self:
        """Begin; the body runs at once, whatever the status."""
        self._manager = trio.open_nursery()  # made here, for it needs a running trio
        await self.connection.__aenter__()
        self._nursery = await self._manager.__aenter__()
        self._telling.start(self._nursery)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Say goodbye, within the page's own bounds; cancelled, at once."""
        trouble = await self._leave(error)
        try:
            if trouble is not None:
                await self.connection.__aexit__(type(trouble), trouble, trouble.__traceback__)
                raise trouble
            return await self.connection.__aexit__(kind, error, traceback)
        finally:
            self._telling.finish()

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """Leave our nursery.

        Returns:
            What went wrong in it, unless the body's own error comes first; that may be its cancellation by our fault.
        """
        assert self._manager is not None and self._nursery is not None  # noqa: S101, PT018 -- it was entered
        self._nursery.cancel_scope.cancel()
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseException as raised:  # noqa: BLE001 -- told by `__aexit__`, when the connection is closed
            trouble = alone(raised)
            ours = error is None or (isinstance(error, trio.Cancelled) and not isinstance(trouble, trio.Cancelled))
            return trouble if ours else None
        return None

    async def _say(self, kind: str, data: Any = None) -> ServerResponse:
        if not self.bot_ready:
            why = "the bot is not ready yet" if self.connected else "the session is not connected"
            raise NotSent(f"{kind} was not sent", cause=why)
        ticket = self.connection.post({"type": kind} | ({} if data is None else {"data": data}))
        expected = self._responses.expect(kind, self.connection.epoch, self._patience)
        with trio.move_on_after(self._patience):
            await expected.settled.wait()
        if not expected.settled.is_set():
            raise RequestTimeout(kind, self._patience)
        answer = expected.answer
        if answer is None:
            if ticket.fate == "not_sent":
                raise NotSent(f"{kind} was not sent", cause=ticket.cause)
            raise MaybeDelivered(f"{kind} has no answer", cause=self.why)
        if answer.status == "error":
            raise RequestFailed(kind, answer)
        return answer
