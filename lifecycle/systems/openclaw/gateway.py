"""A gateway as a program uses it: one connection, its requests by name, its events, the messages of its sessions.

Law: the page is the lifecycle; here stand methods and names. The connection's own errors come out as they are, the
body's exception never in a group. A message that was sent with a key is not said twice.
"""

import os
import ssl
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, final

import trio

from lifecycle.errors import LifecycleError, MaybeDelivered, RequestFailed
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.connection import Connection
from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.transports.dialer import Dialer

from .calls import Credentials, GatewayCalls
from .device import Device
from .dispatch import Dispatch
from .hello import protocol_of, session_key_of, snapshot_of, veiled, version_of
from .info import Info
from .messages import FETCHED, Messages
from .stream import Stream

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

Kind = Literal["exec", "plugin"]
Decision = Literal["allow-once", "allow-always", "deny"]
Checkpointing = Literal["list", "get", "branch", "restore"]
_AGAIN: Final = 60.0
"""Seconds within which a message is sent once more: about as long as a gateway takes for its restart."""


@final
@ki_protected
class Gateway:
    """A client of an OpenClaw gateway: `async with open_gateway(url, token=…, device=…) as gateway`.

    All requests raise as `Connection.request`; what they return is the gateway's answer as it is.

    Args:
        connection: of the page `openclaw-gateway`; it begins and ends with this, and nobody else takes its messages.

    Attributes:
        connection: the connection, for its `changes()`, `counters` and `history`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._dispatch = Dispatch(connection)
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
    def hello(self) -> Mapping[str, Any] | None:
        """What the gateway said when it last accepted us; its secrets are texts whose `repr` tells nothing."""
        hello: Mapping[str, Any] | None = veiled(self._hello)
        return hello

    @property
    def snapshot(self) -> Mapping[str, Any]:
        """What the gateway was like then: presence, health, defaults; empty before."""
        return snapshot_of(self.hello)

    @property
    def session_key(self) -> str | None:
        """The key of the main session; None before the first hello."""
        return session_key_of(self._hello)

    @property
    def protocol(self) -> int | None:
        """The version of the protocol; None before the first hello."""
        return protocol_of(self._hello)

    @property
    def server_version(self) -> str | None:
        """The gateway's version."""
        return version_of(self._hello)

    @property
    def info(self) -> Info:
        """How the connection is now."""
        connection, dispatch = self.connection, self._dispatch
        variables, ready = connection.variables, connection.status == "ready"
        since = _latest(dispatch.last_ready, dispatch.last_tick)
        silence = trio.current_time() - since if ready and since is not None else 0.0
        return Info(
            connected=any(f"{path}.".startswith("online.up.") for path in connection.state),
            ready=ready,
            status=connection.status,
            why=connection.why,
            next_try=connection.next_try,
            attempts=variables["waiting.attempts"],
            dials=connection.epoch,
            last_connected=dispatch.last_ready,
            last_message=_latest(dispatch.last_event, dispatch.last_tick),
            missed_heartbeats=int(silence // variables["tick"]),
            server_version=self.server_version,
            protocol=self.protocol,
        )

    @property
    def _hello(self) -> Mapping[str, Any] | None:
        found = self.connection.variables["hello"]
        return found if isinstance(found, Mapping) else None

    # -- what it does

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- NotReady tells why
        """Wait until it is ready, for some seconds or until the page gives up; raises as `Connection.ready`."""
        await self.connection.ready(timeout)

    def reconnect(self) -> None:
        """Dial anew, from any state, with fresh counters; raises IllegalEvent outside of `async with`."""
        self.connection.tell("reconnect")

    def disconnect(self) -> None:
        """Say goodbye, and stay so until `reconnect`; raises IllegalEvent outside of `async with`."""
        self.connection.tell("disconnect")

    def events(self, name: str | None = None) -> Stream:
        """The events from now on: `async for event in gateway.events("chat")`, each as it came: event, payload, seq.

        The last 1024 that nobody has taken are kept; a `Discontinuity` says what went, and where the connection was
        lost or a number is missing. It is forgotten as soon as nobody holds it.

        Args:
            name: of an event, or of a family: `exec.approval` for all that begin so; without, all.
        """
        return self._dispatch.stream(name)

    def messages(self, session: str) -> Messages:
        """The messages of a session: `async with gateway.messages(session) as messages`."""
        return Messages(self._dispatch, session)

    async def request(self, method: str, params: Any = None, timeout: float | None = None) -> Any:  # noqa: ASYNC109 -- RequestTimeout tells of what
        """Ask the gateway; raises as `Connection.request`."""
        return await self.connection.request(method, {} if params is None else params, timeout)

    async def request_or(
        self,
        method: str,
        params: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- RequestTimeout tells of what
        *,
        fallback: Any = None,
    ) -> Any:
        """Ask the gateway; where it does not know the method, or does not let us call it, return the fallback.

        That is remembered until the next hello.
        """
        return await self.connection.request(method, {} if params is None else params, timeout, fallback=fallback)

    # -- chat

    async def chat_send(
        self,
        session: str,
        text: str,
        *,
        key: str | None = None,
        attachments: Sequence[Mapping[str, Any]] = (),
        deliver: bool = False,
    ) -> Any:
        """Say something in a session.

        If the connection is lost before the answer, it is sent once more with the same key as soon as there is another
        one; the gateway says nothing twice, not even after its restart.

        Args:
            session: its key.
            text: what to say.
            key: by which the gateway knows that it has had it; one is made.
            attachments: as the gateway's protocol says.
            deliver: whether the answer goes to the session's channel, too.

        Returns:
            The run: `runId`, which is the key, and `status`.

        Raises:
            MaybeDelivered: it was lost, and so was the second try, or there was none.
        """
        params: dict[str, Any] = {
            "sessionKey": session,
            "message": text,
            "deliver": deliver,
            "idempotencyKey": key or str(uuid.uuid4()),
        }
        if attachments:
            params["attachments"] = list(attachments)
        try:
            return await self.request("chat.send", params)
        except MaybeDelivered as lost:
            first = lost
        try:
            await self.ready(_AGAIN)
            return await self.request("chat.send", params)
        except RequestFailed:
            raise
        except LifecycleError:
            raise first from None  # the second try changes nothing of what is known of the first

    async def chat_history(self, session: str, limit: int = FETCHED) -> Any:
        """The last messages of a session, in `messages`, and what runs in it."""
        return await self.request("chat.history", {"sessionKey": session, "limit": limit})

    async def chat_abort(self, session: str, run: str | None = None) -> Any:
        """Stop what runs in a session, or one run of it."""
        return await self.request("chat.abort", {"sessionKey": session} | ({} if run is None else {"runId": run}))

    # -- sessions

    async def sessions_list(self, limit: int = 50) -> Any:
        """The sessions, in `sessions`."""
        return await self.request("sessions.list", {"limit": limit})

    async def sessions_delete(self, key: str, *, archived_only: bool = False) -> Any:
        """Delete a session.

        Args:
            key: the session's.
            archived_only: only if it is archived; without it the scope `operator.admin` is needed.
        """
        return await self.request("sessions.delete", {"key": key} | ({"archivedOnly": True} if archived_only else {}))

    async def sessions_reset(self, key: str) -> Any:
        """Begin a session anew under its key; needs the scope `operator.admin`."""
        return await self.request("sessions.reset", {"key": key})

    async def sessions_compact(self, key: str) -> Any:
        """Make the transcript of a session shorter; needs the scope `operator.admin`."""
        return await self.request("sessions.compact", {"key": key})

    async def sessions_compaction(self, what: Checkpointing, key: str, checkpoint: str | None = None) -> Any:
        """What older gateways did with the checkpoints of a session; version 2026.9.6 has none: RequestUnsupported."""
        params = {"key": key} | ({} if checkpoint is None else {"checkpointId": checkpoint})
        return await self.request(f"sessions.compaction.{what}", params)

    # -- approvals and skills

    async def approvals_list(self, kind: Kind = "exec") -> Any:
        """What waits for somebody's approval.

        A gateway asks nobody, and denies, unless a client says in its `caps` that it can: `approvals`.
        """
        return await self.request(f"{kind}.approval.list")

    async def approvals_get(self, id: str) -> Any:
        """One command that waits for approval."""
        return await self.request("exec.approval.get", {"id": id})

    async def approvals_resolve(self, id: str, decision: Decision, kind: Kind = "exec") -> Any:
        """Decide; the first answer counts."""
        return await self.request(f"{kind}.approval.resolve", {"id": id, "decision": decision})

    async def skills_status(self) -> Any:
        """The skills that the gateway has."""
        return await self.request("skills.status")

    async def skills_search(self, query: str, limit: int = 20) -> Any:
        """The skills that the registry has."""
        return await self.request("skills.search", {"query": query, "limit": limit})

    async def skills_detail(self, slug: str) -> Any:
        """One skill of the registry."""
        return await self.request("skills.detail", {"slug": slug})

    # -- the door

    async def __aenter__(self) -> Self:
        """Begin; the body runs at once, whatever the status."""
        await self.connection.__aenter__()
        self._manager = trio.open_nursery()  # made here, for it needs a running trio
        self._nursery = await self._manager.__aenter__()
        self._dispatch.start(self._nursery)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Say goodbye, within the page's own bounds; cancelled, at once."""
        trouble = await self._leave(error)
        if trouble is not None:
            await self.connection.__aexit__(type(trouble), trouble, trouble.__traceback__)
            raise trouble
        return await self.connection.__aexit__(kind, error, traceback)

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
        finally:
            self._dispatch.stop()
        return None


def _latest(*times: float | None) -> float | None:
    return max((each for each in times if each is not None), default=None)


def open_gateway(
    url: str,
    *,
    token: Credentials | None = None,
    device: Device | str | os.PathLike[str] | None = None,
    calls: GatewayCalls | None = None,
    transport: str | Dialer | None = None,
    tls: ssl.SSLContext | None = None,
    seed: int | None = None,
    instruments: Iterable[Instrument] = (),
    **parameters: Any,
) -> Gateway:
    """Make a client of a gateway: in `async with` it is connected, or on its way to be.

    Args:
        url: where it listens, such as `ws://127.0.0.1:18789/`; the path is of no importance.
        token: the gateway's, or an async function that is asked for it.
        device: who this client is, or the path of its key file, which is made if it is not there.
        calls: in place of token and device, with all that can be said: scopes, pairing, the client's name.
        transport: as `lifecycle.open`.
        tls: as `lifecycle.open`.
        seed: as `lifecycle.open`.
        instruments: as `lifecycle.open`.
        parameters: of the page `openclaw-gateway`.

    Raises:
        WrongParameters: they do not fit the page or the protocol, or the key file is none.
        TypeError: token or device beside calls.
    """
    if calls is None:
        known = device if device is None or isinstance(device, Device) else Device.load(device)
        calls = GatewayCalls(token, known)
    elif token is not None or device is not None:
        raise TypeError("`calls` has its token and its device: pass nothing beside it")
    return Gateway(
        Connection(
            "openclaw-gateway",
            calls=calls,
            url=url,
            transport=transport,
            tls=tls,
            seed=seed,
            instruments=instruments,
            **parameters,
        )
    )
