"""All cases with a client of ours: what is the same on both servers, and what differs on the way there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from lifecycle.definition.definition import Definition
from peers.case import Case
from peers.path import Range, times

from . import broken, hosts, log, ordinary, refused, talks, visits
from .app import HERE, Kind
from .play import Play, bundled, changed


class Path(NamedTuple):
    """What becomes of a client, and how often it dials."""

    expected: str
    dials: int | None = None


class Pair(NamedTuple):
    """A case with each of the two servers; what is not said twice is the same with both.

    Attributes:
        name, about, run, delivers: as of a case.
        python, npm: what becomes of it; with npm's the same, if nothing is said.
        page: makes what is run; the page `socketio`, if there is none.
    """

    name: str
    about: str
    delivers: str
    run: Callable[[Play], Awaitable[None]]
    python: Path
    npm: Path | None = None
    page: Callable[[], Definition] = lambda: bundled("socketio")

    def case(self, kind: Kind) -> Case:
        """It, with one of them."""
        path = self.npm if kind == "socket.io" and self.npm is not None else self.python
        dials = Range(2, None) if path.dials is None else times(path.dials)
        return Case(self.name, self.about, path.expected, dials, self.run, self.delivers)


_BOTH: Final = "said question answered question answered"
_STAYS: Final = Path("ready", 1)
_AGAIN: Final = Path("ready lost.network ready", 2)

PAIRS: Final = (
    Pair("normal", "Credentials, events, acknowledgements and bytes, both ways", _BOTH, ordinary.normal, _STAYS),
    Pair("namespace", "The same in another namespace", _BOTH, ordinary.namespace, _STAYS),
    Pair("early", "Events of the server before it answers CONNECT", "early early early said", ordinary.early, _STAYS),
    Pair("impatient", "The client sends and asks before it is let in", "said", ordinary.impatient, _STAYS),
    Pair("strange-acks", "Acknowledgements that nobody waits for", "", ordinary.strange_acks, _STAYS),
    Pair("no-namespace", "A namespace that the server does not have", "", refused.unknown_namespace, Path("denied.namespace failed", 1)),
    Pair("not-welcome", "The server refuses the credentials", "", refused.not_welcome, Path("denied.by_server failed", 1)),
    Pair("unanswered", "No answer to CONNECT, while pings go on", "", refused.unanswered, Path("lost.unjoined lost.unjoined failed", 2)),
    Pair(
        "wrong-path", "HTTP 500, or the end without an answer", "", refused.wrong_path,
        Path("lost.server_error lost.server_error failed", 2), Path("lost.network lost.network failed", 2),
    ),
    Pair(
        "silent-path", "The same where there are no WebSockets: HTTP 500, or no answer at all", "", refused.silent_path,
        Path("lost.server_error lost.server_error failed", 2), Path("lost.unanswered lost.unanswered failed", 2),
    ),
    Pair(
        "EIO-2", "An older protocol: HTTP 403, or a frame that is none", "", refused.old_protocol,
        Path("refused.forbidden failed", 1), Path("lost.protocol lost.protocol failed", 2),
        page=lambda: changed("socketio-connection", "EIO: 4", "EIO: 2"),
    ),
    Pair(
        "polling-only", "A server without WebSockets: HTTP 403, or 400", "", refused.polling_only,
        Path("refused.forbidden failed", 1), Path("refused.transport failed", 1),
    ),
    Pair("kicked", "The server sends the client away", "", broken.kicked, Path("ready ended.by_server failed", 1)),
    Pair(
        "hung-up", "The server ends the transport, and says so or does so", "", broken.hung_up,
        Path("ready lost.told_to_close ready", 2), _AGAIN,
    ),
    Pair("missed-pong", "The server hears nothing: close 1000, or 1005", "", broken.missed_pong, _AGAIN),
    Pair("silent", "The client hears nothing", "", broken.silent, Path("ready lost.silent ready", 2)),
    Pair("bad-packet", "The server sends what is no packet", "", broken.bad_packet_from_server, Path("ready lost.protocol ready", 2)),
    Pair("bad-ping", "The client sends a ping: ignored, or closed", "said", broken.bad_packet_from_client, _STAYS, _AGAIN),
    Pair("second-CONNECT", "CONNECT twice: refused, or closed", "said", broken.second_connect, Path("ready denied.namespace", 1), _AGAIN),
    Pair("too-large", "A message longer than the server takes", "", broken.too_large, _AGAIN),
    Pair(
        "killed", f"Killed and started anew {log.KILLS} times while it writes a log", "logged+", log.killed,
        Path(f"(ready? lost.network+)x{log.KILLS} ready", None), page=lambda: bundled(HERE / "event-log.yaml"),
    ),
)  # fmt: skip


_BACK: Final = "connect disconnect.transport_close connect"
_HEARD: Final = "said ack question answered"

VISITS: Final = tuple(
    Case(name, about, path, times(dials), run, heard)
    for name, about, heard, run, path, dials in (
        ("normal", "Credentials, events, acknowledgements and bytes, both ways", _HEARD, visits.normal, "connect disconnect.io_client_disconnect", 1),
        ("namespace", "The same in another namespace", _HEARD, visits.namespace, "connect", 1),
        ("second-namespace", "A second namespace on the same connection", "not_joined said", visits.second_namespace, "connect", 1),
        ("no-namespace", "A namespace that the server does not have", "", visits.no_namespace, "connect_error", 1),
        ("not-welcome", "The server refuses the credentials", "", visits.not_welcome, "connect_error", 1),
        ("polling-only", "A client without WebSockets", "", visits.polling_only, "connect_error", 0),
        ("unasked", "The client never sends CONNECT", "", visits.unasked, "close.transport_close", 1),
        ("kicked", "The server sends the client away", "", visits.kicked, "connect disconnect.io_server_disconnect", 1),
        ("drained", "The server goes away, and comes back", "said", visits.drained, "connect disconnect.transport_close connect_error* connect", 2),
        ("cut", "The network resets the connection", "said", visits.cut, _BACK, 2),
        ("missed-pong", "The server hears nothing", "said", visits.missed_pong, _BACK, 2),
        ("silent", "The client hears nothing", "said", visits.silent, "connect disconnect.ping_timeout connect", 2),
        ("bad-packet", "The client sends what is no packet", "said", visits.bad_packet, _BACK, 2),
        ("too-large", "A message longer than the server takes", "said", visits.too_large, _BACK, 2),
    )
)  # fmt: skip


TALKS: Final = (
    Case("past", "A conversation's past, out of order, with the highest id as cursor", "ready lost.network ready", times(2), talks.past, "message message agent_state_changed message"),
    Case("conversation-killed", f"Killed and started anew {log.KILLS} times in mid-stream", f"(ready? lost.network+)x{log.KILLS} ready", Range(2, None), talks.killed, "run|message|agent_state_changed+"),
    Case("wrong-key", "The key is fetched anew", "unauthorized.session_key ready", times(2), talks.wrong_key, ""),
    Case("expired", "Fresh credentials do not help", "unauthorized.expired unauthorized.expired failed", times(2), talks.expired, ""),
    Case("gone", "No such conversation", "denied.no_events failed", times(1), talks.gone, ""),
    Case("not-joined", "Refused after the whole past", "lost.not_joined ready", times(2), talks.not_joined, "message message"),
    Case("ignored", "A provider that the server does not know: silence", "lost.unjoined lost.unjoined failed", times(2), talks.ignored, ""),
    Case("paused", "The agent has reached its maximum", "ready", times(1), talks.paused, "error agent_state_changed"),
    Case("told", "The model's provider does not like it", "ready", times(1), talks.told, "status status status"),
    Case("evicted", "Another conversation takes the place", "ready refused.too_many_conversations failed", times(1), talks.evicted, "status"),
)  # fmt: skip

HOSTS: Final = (
    Case("past", "A conversation's past before CONNECT is answered, and an action", "connect", times(1), hosts.before, "message message agent_state_changed message message"),
    Case("past-after", "The same after CONNECT is answered", "connect", times(1), hosts.after, "message message agent_state_changed message message"),
    Case("wrong-key", "The server refuses the key", "connect_error", times(1), hosts.wrong_key, ""),
    Case("evicted", "Another conversation takes the place", "connect disconnect.io_server_disconnect", times(1), hosts.evicted, "message message agent_state_changed status"),
)  # fmt: skip

_ALL: Final = (*PAIRS, *TALKS, *VISITS, *HOSTS)
ABOUT: Final[Mapping[str, str]] = {
    case.name: next(each.about for each in _ALL if each.name == case.name) for case in _ALL
}
