"""A trace says what happened, never a secret; whatever part of it a file holds can be replayed."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

import lifecycle
from lifecycle.definition.literal import Secret
from lifecycle.definition.read import read, read_text
from lifecycle.machine.events import Event
from lifecycle.observe import Trace
from lifecycle.observe.plain import hushed, plain
from lifecycle.testing import replays
from lifecycle.testing.peer import Peer
from lifecycle.testing.replay import replay

URL = "ws://peer.test/chat?key=hush-query"
PASSWORD = "hush-password"

GUARDED = """
lifecycle: 1
page: guarded
role: client
parameters:
  password: {secret: required}
variables:
  ticket: {kept: secret}
  proof:  {kept: secret}
  cursor: {kept: number}
hears: {connect: {}, disconnect: {}}
good: {open: [accepted]}
calls:
  sign: {takes: {password: secret}, returns: {proof: secret}, timeout: 5 s}
causes:
  - {otherwise: true, is: lost.network}
messages:
  codec: json
  routes:
    - {match: {t: accepted}, raise: accepted, fields: {ticket: ticket}}
    - {match: {t: news}, keep: {cursor: {max: n}}, deliver: n}
  frames:
    hello: {t: hello, proof: =proof}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect]}
  online:
    use: connection
    fill:
      up:
        states:
          signing:
            call: {sign: {password: =password}}
            clauses:
              G1: {on: done, do: [{set: {proof: =event.proof}}, {send: hello}], to: greeting}
              G2: {on: failed, to: closed}
          greeting:
            clauses:
              G3: {on: accepted, do: {set: {ticket: =event.ticket}}, to: there}
              G4: {after: 5 s, to: closed}
          there: {status: ready, rest: true}
    clauses:
      G5: {on: done, to: closed}
      G6: {on: lost, to: closed}
  closed: {status: closed, needs: none, final: done}
clauses:
  G7: {on: connect, to: online}
  G8: {on: disconnect, to: closed}
"""


def rows(path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def test_a_day_with_a_reconnect_replays_without_a_difference(tmp_path):
    """What a real driver has done, the machine does again, step by step."""
    file = tmp_path / "day.jsonl"
    async with Peer() as peer:
        peer.refuse(3)
        with Trace(file) as trace:
            async with lifecycle.open(
                "websocket", url=URL, token=PASSWORD, instruments=[trace], transport=peer.dialer, seed=1
            ) as connection:
                await connection.ready()
                await trio.sleep(3600)
                peer.link.drop()
                await trio.sleep(100)
    replays(file)
    told = rows(file)
    assert told[-1]["end"] == "closed"
    assert told[-1]["counters"]["dials"] == 5
    assert len(told) > 300  # the heartbeat of an hour
    assert "hush" not in file.read_text()


async def test_every_step_says_what_it_was(tmp_path):
    """Event, cause, clauses, states, effects, and the clocks that start and stop with it."""
    file = tmp_path / "one.jsonl"
    async with Peer() as peer:
        with Trace(file) as trace:
            async with lifecycle.open("websocket", url=URL, instruments=[trace], transport=peer.dialer) as connection:
                await connection.ready()
                session = connection.about["session"]
    header, start, connect, opened = rows(file)[:4]
    assert header["parameters"]["url"] == "ws://peer.test/chat?…"
    assert (header["trace"], header["page"], header["connection"]) == (2, "websocket", int(session))
    assert (start["cause"], start["event"], start["states"]) == ("start", "@start", ["idle"])
    assert (connect["clauses"], connect["effects"], connect["phase"]) == (["WS7"], ["open"], "dialing")
    assert connect["timers"] == {"timer.online.dialing.connect_timeout": 10.0}
    assert opened["timers"]["timer.online.dialing.connect_timeout"] is None
    assert {row["session"] for row in rows(file)} == {session}


class Calls:
    """What the guarded page calls."""

    async def sign(self, *, password):
        return {"proof": "hush-proof"}


async def greet(connection: lifecycle.Connection) -> None:
    """The server's part: a ticket that is secret, then numbers."""
    async for message in connection:
        if '"hello"' in message:
            connection.post('{"t": "accepted", "ticket": "hush-ticket"}')
            connection.post('{"t": "news", "n": 7}')


async def test_secrets_are_hidden_by_their_type(tmp_path):
    """Of parameters, of what calls return, and of what a message brings for a secret variable."""
    file = tmp_path / "guarded.jsonl"
    page = read_text(GUARDED)
    async with Peer(handler=greet) as peer:
        with Trace(file) as trace:
            async with lifecycle.open(
                page, url=URL, password=PASSWORD, calls=Calls(), instruments=[trace], transport=peer.dialer
            ) as connection:
                await connection.ready()
                assert await anext(connection) == 7
                assert connection.variables["ticket"] == "hush-ticket"
    text = file.read_text(encoding="utf-8")
    assert "hush" not in text
    assert any(row.get("kept") == {"cursor": 7} for row in rows(file))
    assert [row["fields"] for row in rows(file) if row.get("event") == "done.online.up.signing"] == [
        {"proof": "<secret>"}
    ]
    assert [row["fields"] for row in rows(file) if row.get("event") == "accepted"] == [{"ticket": "<secret>"}]
    assert replay(text.split("\n"), page).difference is None


async def test_a_long_trace_is_put_aside_and_each_file_replays_alone(tmp_path):
    """A file is bounded; the next one begins where the session stands."""
    file = tmp_path / "long.jsonl"
    async with Peer() as peer:
        with Trace(file, most=20_000) as trace:
            async with lifecycle.open("websocket", url=URL, instruments=[trace], transport=peer.dialer) as connection:
                await connection.ready()
                await trio.sleep(7200)
    older = tmp_path / "long.jsonl.1"
    assert sorted(tmp_path.iterdir()) == [file, older]
    assert older.stat().st_size < 21_000
    begun = rows(file)[0]
    assert begun["from"]["states"][:1] == [""]
    assert begun["from"]["status"] == "ready"
    replays(file)
    replays(older)


async def test_two_connections_share_a_file(tmp_path):
    """Each is a session of its own, and each is replayed by a machine of its own."""
    file = tmp_path / "two.jsonl"
    async with Peer() as peer:
        with Trace(file) as trace:
            options = {"url": URL, "instruments": [trace], "transport": peer.dialer}
            async with lifecycle.open("websocket", **options) as one, lifecycle.open("websocket", **options) as other:
                await one.ready()
                await other.ready()
    done = replay(file.read_text().split("\n"))
    assert (done.difference, done.sessions) == (None, 2)


async def test_a_machine_that_has_slept_writes_later_dates(tmp_path):
    """The connection's clock stood still meanwhile; where a file goes on, the date is the wall's."""
    file = tmp_path / "slept.jsonl"
    async with Peer() as peer:
        with Trace(file, most=4_000) as trace:
            async with lifecycle.open("websocket", url=URL, instruments=[trace], transport=peer.dialer) as connection:
                await connection.ready()
                begun = datetime.fromisoformat(rows(file)[0]["date"])
                connection._driver.slept(86_400.0)
                while not (tmp_path / "slept.jsonl.1").exists():  # noqa: ASYNC110 -- the heartbeat fills it
                    await trio.sleep(20)
                later = rows(file)[0]
    assert datetime.fromisoformat(later["date"]) - begun > timedelta(days=1)


async def test_a_peer_that_repeats_a_secret_tells_nobody(tmp_path):
    """Neither the trace, nor `why`, nor the history shows what a close says of our own."""
    file = tmp_path / "echoed.jsonl"
    async with Peer() as peer:
        with Trace(file) as trace:
            options = {"url": URL, "token": PASSWORD, "instruments": [trace], "transport": peer.dialer}
            async with lifecycle.open("websocket", **options) as connection:
                await connection.ready()
                peer.link.close(1008, f"not with {PASSWORD}")
                with pytest.raises(lifecycle.ConnectionFailed) as caught:
                    await anext(connection)
                assert "hush" not in str(caught.value) + connection.why + str(connection.history)
    assert "hush" not in file.read_text()


ODD = """
lifecycle: 1
page: odd
role: client
parameters:
  token: {secret: optional}
variables:
  ticket: {kept: secret}
  hello:  {kept: object}
hears: {connect: {}, disconnect: {}}
good: {open: [accepted, note]}
causes:
  - {close: 4001, is: refused.ticket}
  - {otherwise: true, is: lost.network}
messages:
  codec: json
  routes:
    - {match: {t: accepted}, keep: {ticket: ticket, hello: hello}, raise: accepted, fields: {hello: hello}}
    - {match: {t: note}, raise: note, fields: {text: text}}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect]}
  online:
    use: connection
    fill:
      up:
        states:
          waiting:
            clauses:
              O1: {on: accepted, when: token != none, to: known}
              O2: {on: accepted, to: unknown}
              O3: {after: 5 s, to: closed}
          known: {status: ready, rest: true, ignore: [accepted, note]}
          unknown: {status: ready, rest: true, ignore: [accepted, note]}
        ignore: [note]
    clauses:
      O4: {on: done, to: closed}
      O5: {on: refused, do: {set: {ticket: none}}, to: closed}
      O6: {on: lost, to: closed}
  closed: {status: closed, needs: none, final: done}
clauses:
  O7: {on: connect, to: online}
  O8: {on: disconnect, to: closed}
"""
ACCEPTED = '{"t": "accepted", "ticket": "hush-ticket", "hello": {"auth": {"minted": "hush-minted"}}}'


async def odd(file, *, say: str = "", close: str = "", **options: Any) -> None:
    """A life of the odd page, traced."""
    async with Peer() as peer:
        with Trace(file) as trace:
            async with lifecycle.open(
                read_text(ODD), url=URL, instruments=[trace], transport=peer.dialer, **options
            ) as connection:
                await peer.connected()
                peer.link.send(ACCEPTED)
                await connection.ready()
                if say:
                    peer.link.send(say)
                    await trio.sleep(1)
                if close:
                    peer.link.close(4001, close)
                    await trio.sleep(1)


async def test_of_an_object_only_that_it_is_one(tmp_path):
    """What a peer puts into it may be secret, and nothing says so."""
    await odd(tmp_path / "odd.jsonl")
    assert "hush" not in (tmp_path / "odd.jsonl").read_text()
    assert any(row.get("kept") == {"hello": "<object>"} for row in rows(tmp_path / "odd.jsonl"))


async def test_a_secret_that_a_step_forgets_is_hidden_in_it(tmp_path):
    """The refusal quotes the ticket, and the page lets go of it in the same step."""
    await odd(tmp_path / "odd.jsonl", close="bad ticket hush-ticket")
    assert "hush" not in (tmp_path / "odd.jsonl").read_text()


async def test_a_secret_that_is_optional_replays_as_given(tmp_path):
    """A guard may ask whether there is one."""
    await odd(tmp_path / "odd.jsonl", token=PASSWORD)
    replays(tmp_path / "odd.jsonl", read_text(ODD))
    assert any(row.get("clauses") == ["O1"] for row in rows(tmp_path / "odd.jsonl"))


async def test_half_a_character_spoils_nothing(tmp_path):
    """JSON may hold one; the trace goes on, and replays."""
    await odd(tmp_path / "odd.jsonl", say='{"t": "note", "text": "\\ud800"}')
    replays(tmp_path / "odd.jsonl", read_text(ODD))
    assert rows(tmp_path / "odd.jsonl")[-1]["end"] == "closed"


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


class News:
    """What the desk tells: every news of a topic, ten a second."""

    async def tell(self, *, after):
        for number in range(int(after) + 1, 1000):
            yield {"type": "news", "number": number}
            await trio.sleep(0.1)


def reader(peer: Peer, trace: Trace, topic: str = "weather") -> lifecycle.Connection:
    """A reader of the desk."""
    options = {"instruments": [trace], "transport": peer.dialer}
    return lifecycle.open(EXAMPLES / "reader.yaml", url="ws://desk.test", topic=topic, **options)


async def test_every_line_says_whose_it_is_and_where_it_stands(tmp_path):
    """Session, connection, dial, how many messages came and went, and which events: on both sides, whatever it tells."""
    mine, theirs = tmp_path / "reader.jsonl", tmp_path / "desk.jsonl"
    with Trace(mine, most=8_000) as one, Trace(theirs) as other:
        async with Peer(EXAMPLES / "desk.yaml", calls=News(), instruments=[other]) as peer, reader(peer, one) as client:
            assert [await anext(client) for _ in range(40)] == list(range(1, 41))
            peer.link.drop()
            while await anext(client) != 75:
                pass
            client._driver.dispatch(Event("lost", cause="end", token=999))  # of a dial that is gone
            client._driver.slept(60)
    told = [*rows(tmp_path / "reader.jsonl.1"), *rows(mine), *rows(theirs)]
    kinds = {next((key for key in ("trace", "kept", "stale", "slept", "end") if key in row), "step") for row in told}
    assert kinds == {"trace", "step", "kept", "stale", "slept", "end"}
    assert {row["session"] for row in told} == {"weather"}
    assert all(type(row[key]) is int for row in told for key in ("connection", "epoch", "in", "out"))
    for row in told:
        if "kept" in row:
            assert row["came"][1] == row["kept"]["cursor"]
    assert [row["went"] for row in rows(theirs) if "end" in row] == [[1, 40], [41, 75]]
    gone_on = rows(mine)[0]
    assert gone_on["from"]["states"]
    assert gone_on["came"][1] == gone_on["from"]["variables"]["cursor"]
    replays(mine, EXAMPLES / "reader.yaml")
    replays(tmp_path / "reader.jsonl.1", EXAMPLES / "reader.yaml")
    replays(theirs, EXAMPLES / "desk.yaml")


async def test_two_connections_of_one_name_are_two(tmp_path):
    """A session is what the page says; which connection it is, each line says besides."""
    file = tmp_path / "two.jsonl"
    async with Peer(EXAMPLES / "desk.yaml", calls=News()) as peer:
        with Trace(file) as trace:
            async with reader(peer, trace) as one, reader(peer, trace) as other:
                await one.ready()
                await other.ready()
    assert {row["session"] for row in rows(file)} == {"weather"}
    assert len({row["connection"] for row in rows(file)}) == 2
    done = replay(file.read_text().split("\n"), read(EXAMPLES / "reader.yaml"))
    assert (done.difference, done.sessions) == (None, 2)


async def test_a_name_that_tells_nothing_is_a_number(tmp_path):
    """An empty one; and one of a stranger that is no name, but a story."""
    file = tmp_path / "desk.jsonl"
    with Trace(file) as trace:
        async with Peer(EXAMPLES / "desk.yaml", calls=News(), instruments=[trace]) as peer:
            for query in ("", "?topic=", "?topic=" + 201 * "x", "?topic=a%0Ab"):
                options = {"transport": peer.dialer}
                async with lifecycle.open("websocket", url=f"ws://desk.test/{query}", **options) as client:
                    await client.ready()
    headers = [row for row in rows(file) if "trace" in row]
    assert [row["session"] == str(row["connection"]) for row in headers] == [True, True, True, False]
    assert headers[3]["session"] == "a?b"


async def test_a_trace_that_fails_keeps_nothing_of_its_connections(tmp_path):
    """A file that was closed too early costs the connection nothing, and no memory."""
    trace = Trace(tmp_path / "closed.jsonl")
    trace.close()
    async with Peer() as peer, lifecycle.open("websocket", url=URL, instruments=[trace], transport=peer.dialer) as one:
        await one.ready()
    assert not trace._sessions


def test_the_longest_secret_is_hidden_first_and_however_it_is_written():
    """One may stand in another, and in a URL or in JSON it looks otherwise."""
    secrets = (Secret("admin"), Secret("admin-hush-9"), Secret('a+b/"c'))
    assert hushed("x admin-hush-9 y", secrets) == "x <secret> y"
    assert hushed('GET /?t=a%2Bb%2F%22c {"t": "a+b/\\"c"}', secrets) == 'GET /?t=<secret> {"t": "<secret>"}'


def test_a_file_that_is_there_is_put_aside(tmp_path):
    """Whoever starts again does not lose what he had."""
    file = tmp_path / "old.jsonl"
    file.write_text("old", encoding="utf-8")
    Trace(file).close()
    assert (tmp_path / "old.jsonl.1").read_text(encoding="utf-8") == "old"


def test_a_trace_without_room_is_refused(tmp_path):
    """A bound of nothing is a mistake; no file is made."""
    with pytest.raises(ValueError, match="at least 1 byte"):
        Trace(tmp_path / "none.jsonl", most=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret("hush"), "<secret>"),
        ("so hush it is", "so <secret> it is"),
        (b"12345", "<5 bytes>"),
        (float("nan"), None),
        (float("inf"), None),
        ({"a": [1, True, None, Secret("x")]}, {"a": [1, True, None, "<secret>"]}),
        (object(), "<object>"),
    ],
)
def test_values_are_plain(value, shown):
    """JSON can hold each, and nobody learns a secret from one."""
    assert plain(value, (Secret("hush"),)) == shown
