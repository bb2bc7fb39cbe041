"""Pages with the codec socketio, both ends in memory: packets and their attachments are one message each, whole or lost."""

import errno
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import ConnectionFailed, MaybeDelivered, NotSent, RequestTimeout, WrongParameters
from lifecycle.testing import Peer
from lifecycle.trio.mail.mail import Mail
from lifecycle.trio.timers import Timers

NOISE = random.Random(1).randbytes(50_000)  # which no extension makes shorter
TALKER = """
lifecycle: 1
page: talker
role: client
parameters: {url: {url: required}, token: {secret: optional}}
hears: {disconnect: {}}
dial: {url: =url}
causes:
  - {error: too_big, is: refused.too_big}
  - {error: protocol, is: refused.protocol}
  - {otherwise: true, is: lost}
messages:
  codec: socketio
  limit: 64 KiB
  outbox: {items: 4, size: 1 MiB, until_ready: 10 s}
  inbox: {items: 4, size: 32 KiB, when_full: oldest}
  frames:
    join: {packet: connect, data: {token: =token}}
    pong: {packet: pong}
    ask: {event: =method, args: =params, id: =id}
    cancel: {event: never mind, args: [=id]}
  routes:
    - {match: {packet: ack}, answer: id, result: args}
    - {match: {packet: ping}, raise: pinged}
    - {match: {packet: event}, deliver: true}
requests: {send: ask, timeout: 5 s, cancel: cancel}
states:
  online:
    exit: drop
    states:
      dialing:
        status: connecting
        enter: open
        clauses: {T1: {on: opened, do: {send: join}, to: up}, T7: {after: 5 s, to: failed}}
      up:
        status: ready
        rest: true
        clauses: {T2: {on: pinged, do: {send: pong}}}
    clauses:
      T3: {on: lost, to: waiting}
      T4: {on: refused, to: failed}
  waiting:
    status: waiting
    clauses: {T5: {after: 1 s, to: online}}
  failed: {status: failed, rest: true}
  closed: {status: closed, final: done}
clauses: {T6: {on: disconnect, to: closed}}
"""
CLIENT = read_text(TALKER)
SERVER = read_text("""
lifecycle: 1
page: hearer
role: server
hears: {disconnect: {}}
causes: [{otherwise: true, is: lost}]
messages:
  codec: socketio
  limit: 1 MiB
  routes: [{match: {packet: event}, deliver: true}, {discard: true}]
states:
  up: {status: ready, rest: true, exit: drop, clauses: {H1: {on: [lost, disconnect], to: over}}}
  over: {status: closed, final: done}
""")
PLACES = [f'{{"_placeholder":true,"num":{number}}}' for number in range(22)]
both = pytest.mark.parametrize("library", ["trio-websocket", "websockets"])


def event(name: str, *args: Any, **rest: Any) -> dict[str, Any]:
    """An event, as it is received."""
    return {"packet": "event", "namespace": "/", "event": name, "args": [*args], **rest}


def talker(peer: Peer, **settings: Any) -> lifecycle.Connection:
    """A client of the page above."""
    return lifecycle.open(CLIENT, url=peer.url, transport=peer.dialer, **settings)


async def parrot(connection: lifecycle.Connection) -> None:
    """Acknowledge what asks for it, and send everything back."""
    async for message in connection:
        if "id" in message:
            await connection.send({"packet": "ack", "id": message["id"], "args": message["args"]})
        else:
            await connection.send({"event": message["event"], "args": message["args"]})


# Both ways


@both
async def test_events_and_bytes_both_ways(library: str) -> None:
    """An event comes as one value on both ends, whatever bytes stand in it, and in the order of the sends."""
    sent = [("plain", "hi"), ("bytes", b"\x00", {"in": [b"", "text", b"more"]}), ("after", 1.5)]
    async with Peer(SERVER, parrot, transport=library) as peer, talker(peer, token=None) as connection:
        for name, *args in sent:
            ticket = await connection.send({"event": name, "args": args})
            assert ticket.fate == "sent"
        assert [await anext(connection) for _ in sent] == [event(name, *args) for name, *args in sent]
        assert list(peer.received)[1:] == [event(name, *args) for name, *args in sent]
        assert peer.received[0] == {"packet": "connect", "namespace": "/"}  # a token that is none is left out
        assert (connection.counters.sent, connection.counters.delivered) == (3, 3)


@both
async def test_a_request_is_acknowledged(library: str) -> None:
    """Its answer is the list of arguments; attachments may be on either; who asks again asks with another id."""
    async with Peer(SERVER, parrot, transport=library) as peer, talker(peer, token="t") as connection:
        assert await connection.request("ask", [1, {"a": b"b"}]) == [1, {"a": b"b"}]
        assert await connection.request("ask") == []
        assert [each.get("id") for each in peer.received] == [None, 1, 2]
        assert peer.received[0]["data"] == {"token": "t"}
        assert (connection.counters.pending, connection.counters.late) == (0, 0)


async def test_an_acknowledgement_that_nobody_waits_for() -> None:
    """It is counted as late, whether its id was never given or its request is settled, and harms nothing."""
    async with Peer(SERVER) as peer, talker(peer) as connection:
        link = await peer.connected()
        for id_ in (77, 10**99):
            link.send({"packet": "ack", "id": id_, "args": [b"late"]})
        with pytest.raises(RequestTimeout):
            await connection.request("ask", timeout=1)
        link.send({"packet": "ack", "id": 1})
        link.send({"event": "next"})
        assert await anext(connection) == event("next")
        assert (connection.counters.late, connection.counters.unrouted) == (3, 0)
        assert peer.received[-1] == event("never mind", "1")


async def test_heartbeats_come_between() -> None:
    """A ping between a packet and its attachment is answered; the packet becomes whole all the same."""
    async with Peer(SERVER) as peer, talker(peer) as connection:
        link = await peer.connected()
        for message in ('451-["slow",{"_placeholder":true,"num":0}]', "2", b"at last"):
            link.send(message)
        assert await anext(connection) == event("slow", b"at last")
        await trio.testing.wait_all_tasks_blocked()
        assert peer.received[-1] == {"packet": "pong"}


# What is torn, and what is not


@both
async def test_a_torn_packet_is_lost_with_its_connection(library: str) -> None:
    """What of it has come is not delivered; the next connection begins afresh."""
    async with Peer(SERVER, transport=library) as peer, talker(peer) as connection:
        link = await peer.connected()
        link.send('452-["torn",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
        link.send(b"one")
        await trio.testing.wait_all_tasks_blocked()
        link.drop()
        second = await peer.connected()
        assert second is not link
        second.send({"event": "whole", "args": [b"bytes"]})
        assert await anext(connection) == event("whole", b"bytes")
        assert connection.counters.delivered == 1


@both
async def test_a_user_who_is_cancelled_tears_nothing(library: str) -> None:
    """Held up behind others, a packet is withdrawn with all of its attachments; half on its way, it leaves whole."""
    large = [NOISE] * 5
    async with Peer(SERVER, transport=library) as peer, talker(peer) as connection:
        await connection.ready()
        peer.hold("up")
        for name in ("leaves", "withdrawn"):
            with trio.move_on_after(1):
                await connection.send({"event": name, "args": large})
        connection.post({"event": "next"})
        peer.release("up")
        await trio.testing.wait_all_tasks_blocked()
        assert list(peer.received)[1:] == [event("leaves", *large), event("next")]
        counters = connection.counters
        assert (counters.sent, counters.withdrawn, counters.maybe, counters.not_sent) == (2, 1, 0, 0)


@both
@pytest.mark.parametrize("waits", [False, True])
async def test_a_packet_is_one_message_of_the_outbox(library: str, waits: bool) -> None:  # noqa: FBT001 -- a case
    """It counts once, with all of its bytes; what does not fit is refused, and nothing of it leaves."""
    async with Peer(SERVER, transport=library) as peer, talker(peer) as connection:
        await connection.ready()
        if waits:
            peer.hold("up")
            connection.post({"event": "first", "args": [NOISE] * 4})
        with pytest.raises(NotSent, match="1048576 are the most"):
            connection.post({"event": "too much", "args": [bytes(600_000), bytes(600_000)]})
        for number in range(4):
            connection.post({"event": "more", "args": [number, b"bytes"]})
        assert connection.counters.queued == (4 if waits else 0)
        peer.release("up")
        await trio.testing.wait_all_tasks_blocked()
        assert [each["args"][0] for each in peer.received if each.get("event") == "more"] == [0, 1, 2, 3]


class Breaking:
    """A pipe and a transport in one, that break while the second message of a packet is written."""

    ended = broken = drained = heard = None

    def __init__(self, taken: int) -> None:
        self.given, self.sent, self._taken = 0, 0, taken

    def send(self, data: str | bytes) -> None:
        """Take the first message, as much of it as is said."""
        if self.given:
            self.broken = OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            raise trio.BrokenResourceError
        self.given += len(data)
        self.sent += self._taken


@pytest.mark.parametrize(("taken", "fate"), [(0, "not_sent"), (5, "maybe"), (20, "maybe")])
async def test_a_packet_that_breaks_in_the_middle(taken: int, fate: str) -> None:
    """If the connection breaks between its messages, it is not sent, or maybe: as much as was given to the system says."""
    mail, pipe = Mail(CLIENT, Timers(), lambda: None), Breaking(taken)
    mail.attach(pipe, pipe, 1)  # type: ignore[arg-type]  # as much of both as is needed
    mail.turn(now_open=True)
    error = NotSent if fate == "not_sent" else MaybeDelivered
    with pytest.raises(error):
        await mail.send({"event": "x", "args": [b"bytes"]})
    mail.detach("broken")
    assert {name: count for name, count in mail.outbox.counts.items() if count} == {fate: 1}
    request = mail.ask("never", [b"asked"])
    mail.turn(now_open=False)
    assert request.ticket.fate == "queued"


EARLY = read_text("""
lifecycle: 1
page: early
role: server
hears: {disconnect: {}}
variables: {words: {kept: object}}
calls: {greeting: {returns: {words: object}, timeout: 5 s}}
causes: [{otherwise: true, is: lost}]
messages:
  codec: socketio
  frames: {hello: {event: hello, args: =words}}
states:
  asked:
    status: connecting
    call: greeting
    clauses: {E1: {on: done, do: [{set: {words: =event.words}}, {send: hello}], to: up}, E2: {on: failed, to: over}}
  up: {status: ready, enter: admit, rest: true}
  over: {status: closed, final: done}
clauses: {E3: {on: [lost, disconnect], to: over}}
""")


class Greeting:
    """What the embedder of the page above gives."""

    async def greeting(self) -> dict[str, Any]:
        return {"words": [{"packet": b"bytes"}, b"more"]}


@both
async def test_a_frame_before_admission_is_a_packet(library: str) -> None:
    """What a server's page sends before it admits a client waits, also if it leaves in several messages."""
    async with Peer(EARLY, calls=Greeting(), transport=library) as peer, talker(peer) as connection:
        assert await anext(connection) == event("hello", {"packet": b"bytes"}, b"more")


# Bad input


@both
@pytest.mark.parametrize(
    ("messages", "why"),
    [
        (['42["x",' + '"' + "x" * 5_000_000 + '"]'], "too_big: a message was longer than 65536 bytes"),
        (
            ['452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', bytes(40_000), bytes(40_000)],
            "too_big: the attachments of a packet were longer than 65536 bytes",
        ),
        (["42{}"], "protocol: an EVENT is no list"),
        (['42{"a":'], "protocol: not JSON at character 5"),
        (['459999999999-["x"]'], "protocol: a packet that has other places for attachments than it announces"),
        ([b"bytes"], "protocol: an attachment that no packet has announced"),
        (
            ['451-["x",{"_placeholder":true,"num":0}]', '42["y"]'],
            "protocol: a packet, while attachments of the one before are missing",
        ),
    ],
    ids=["5 MB", "attachments", "wrong shape", "cut off", "endless", "unannounced", "between"],
)
async def test_what_a_server_must_not_send(library: str, messages: list[str | bytes], why: str) -> None:
    """The connection ends with its cause, as the page says, and nothing of it is delivered."""
    async with Peer("websocket-server", transport=library) as peer, talker(peer) as connection:
        link = await peer.connected()
        for message in messages:
            link.send(message)
        await trio.testing.wait_all_tasks_blocked()
        assert (connection.status, connection.counters.delivered) == ("failed", 0)
        assert connection.why.startswith(why)
        assert "xxx" not in connection.why


@both
@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"bytes"], 1007),
        (['42["x"'], 1007),
        ([f'4522-["x",{",".join(PLACES)}]', *[NOISE] * 22], 1009),
    ],
    ids=["unannounced", "cut off", "too long"],
)
async def test_what_a_client_must_not_send(library: str, messages: list[str | bytes], code: int) -> None:
    """A server ends the connection of that client, and tells it by which kind of mistake; its handler hears nothing."""
    heard: list[Any] = []

    async def handler(connection: lifecycle.Connection) -> None:
        heard.extend([message async for message in connection])

    async with (
        Peer(SERVER, handler, transport=library) as peer,
        lifecycle.open("websocket", url=peer.url, transport=peer.dialer) as connection,
    ):
        await connection.ready()
        for message in messages:
            connection.post(message)
        with pytest.raises(ConnectionFailed, match=f"the peer closed with code {code}"):
            await anext(connection)
    assert heard == []


async def test_a_user_is_told_what_is_no_packet() -> None:
    """He hears it at once, as an error of his own; nothing leaves, and the connection stays as it is."""
    async with Peer(SERVER) as peer, talker(peer) as connection:
        await connection.ready()
        with pytest.raises(TypeError, match="send a packet such as"):
            await connection.send("hello")
        with pytest.raises(ValueError, match="`event` has no 'arg', but"):
            connection.post({"event": "chat", "arg": ["hi"]})
        with pytest.raises(TypeError, match="`args` is a list, not str"):
            await connection.request("chat", "hi")
        await trio.testing.wait_all_tasks_blocked()
        assert (len(peer.received), connection.counters.pending, connection.status) == (1, 0, "ready")


async def test_a_full_inbox_counts_attachments() -> None:
    """A packet takes as much room as all of its messages together; the oldest gives way."""
    async with Peer(SERVER) as peer, talker(peer) as connection:
        link = await peer.connected()
        for number in range(3):
            link.send({"event": "large", "args": [number, bytes(14_000)]})
        await trio.testing.wait_all_tasks_blocked()
        mark, message = await anext(connection), await anext(connection)
        assert (mark.kind, mark.missed, message["args"][0]) == ("overflow", 1, 1)


# At a terminal


@pytest.mark.real_time(limit=30)
async def test_packets_at_a_terminal(tmp_path: Path) -> None:
    """Lines are packets in JSON, and so is what comes, with bytes in hexadecimal; a line that is none is said to be."""
    page = tmp_path / "talker.yaml"
    page.write_text(TALKER, encoding="utf-8")

    async def answer(connection: lifecycle.Connection) -> None:
        async for message in connection:
            await connection.send({"event": "bytes", "args": [*message["args"], b"\x00\xff"]})

    for form in ([], ["--json"]):
        async with lifecycle.serve(SERVER, answer, port=0) as server:
            command = [sys.executable, "-m", "lifecycle", "connect", str(page), f"ws://127.0.0.1:{server.port}/", *form]
            process = await trio.lowlevel.open_process(command, stdin=-1, stdout=-1, stderr=-1)
            await process.stdin.send_all(b'hello\n["hello"]\n{"event": "chat", "args": [1]}\n')
            told = b""
            while b"bytes" not in told:
                told += await process.stdout.receive_some()
            await process.stdin.aclose()
            await process.wait()
            errors = b"".join([part async for part in process.stderr]).decode()
        shown = event("bytes", 1, "00ff")
        rows = [json.loads(line) for line in told.splitlines()]
        assert ({"message": shown} if form else shown) in rows
        assert "hello: Expecting value" in errors
        assert '["hello"]: the codec is socketio: send a packet such as' in errors.replace("\n", " ")
        assert (process.returncode, "Traceback" in errors) == (0, False)


# The extra


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both doors say in one sentence what to install, and nothing begins."""
    monkeypatch.setitem(sys.modules, "socketio", None)
    why = r"the codec socketio needs python-socketio: pip install 'connection-lifecycle\[socketio\]'"
    with pytest.raises(WrongParameters, match=why):
        lifecycle.open(CLIENT, url="ws://peer.test/")
    with pytest.raises(WrongParameters, match=why):
        lifecycle.serve(SERVER, port=0)


def test_who_does_not_use_it_does_not_load_it() -> None:
    """A page of another codec runs, as client and as server, without the libraries of this one."""
    program = """if True:
    import sys, trio, lifecycle
    from lifecycle.testing import Peer

    async def main():
        async with Peer() as peer, lifecycle.open("websocket", url=peer.url, transport=peer.dialer) as connection:
            await connection.send("hello")
            assert await peer.receive() == "hello"

    trio.run(main)
    print({"socketio", "engineio"} & set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
