"""What a connection and its events are called: found by the page's words, and told by each record of the log."""

import logging
from pathlib import Path
from typing import Any

import pytest
import trio

import lifecycle
from lifecycle.definition.literal import Secret
from lifecycle.definition.read import read_text
from lifecycle.testing.peer import Peer
from lifecycle.trio.ids import Ids

NOTES = """
lifecycle: 1
page: notes
role: client
trace: {session: =book, event: meta.0.id}
parameters:
  book:     {text: optional}
  password: {secret: optional}
hears: {connect: {}, disconnect: {}}
calls:
  fetch: {takes: {book: text, password: secret}, timeout: 5 s}
causes:
  - {otherwise: true, is: lost}
messages:
  codec: json
  outbox: {until_ready: 10 s}
  frames:
    hello: {meta: [{id: hello}]}
    ask: {meta: [{id: =params}], id: =id, method: =method}
    cancel: {meta: [{id: never mind}], id: =id}
  routes:
    - {match: {type: answer}, answer: id}
    - {deliver: true}
requests:
  send: ask
  on_loss: resend
  cancel: cancel
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect]}
  online:
    use: connection
    fill:
      up:
        enter: {send: hello}
        status: ready
        states:
          fetching:
            call: {fetch: {book: =book, password: =password}}
            clauses:
              N1: {on: [done, failed], to: fetched}
          fetched: {rest: true}
    clauses:
      N2: {on: done, to: closed}
      N3: {on: lost, to: waiting}
  waiting:
    status: waiting
    needs: none
    clauses:
      N4: {after: 1 s, to: online}
  closed: {status: closed, needs: none, final: done}
clauses:
  N5: {on: connect, to: online}
  N6: {on: disconnect, to: closed}
"""


class Calls:
    """What the page calls."""

    async def fetch(self, *, book, password):
        raise KeyError(book)


def notes(peer: Peer, **settings: Any) -> lifecycle.Connection:
    """A client of the page."""
    return lifecycle.open(read_text(NOTES), url="ws://peer.test", transport=peer.dialer, calls=Calls(), **settings)


def names(connection: lifecycle.Connection) -> tuple[Any, Any]:
    """The ids of the first and the last event of this dial, as they came and as they went."""
    ids = connection._driver.mail.ids
    return ids.came, ids.went


def noted(id_: Any) -> dict[str, Any]:
    """A message with an id."""
    return {"meta": [{"id": id_}]}


async def test_events_are_known_by_what_comes_and_by_what_goes():
    """Frames of the page, messages and requests; the first and the last of each dial, which the next one forgets."""
    async with Peer() as peer, notes(peer, book="b1") as connection:
        await connection.ready()
        assert names(connection) == (None, ("hello", "hello"))
        await connection.send(noted(7))
        await connection.send({"meta": []})
        peer.link.send(noted("x"))
        peer.link.send(noted("y"))
        peer.link.send({"meta": []})
        for _ in range(3):
            await anext(connection)
        assert names(connection) == (("x", "y"), ("hello", 7))
        reply = connection.ask("ask", 8)
        assert connection.about == {"page": "notes", "session": "b1", "epoch": 1, "event_id": 8}
        peer.link.drop()
        await trio.sleep(0.5)
        assert connection.about["event_id"] == 8
        await connection.ready()
        await trio.sleep(0.1)
        assert names(connection) == (None, ("hello", 8))  # the request went again
        reply.cancel()
        assert connection.about == {"page": "notes", "session": "b1", "epoch": 2, "event_id": "never mind"}


async def test_what_did_not_leave_has_not_gone():
    """A message that waits in the outbox is no event of any dial yet."""
    async with Peer() as peer:
        peer.refuse(1)
        async with notes(peer) as connection:
            ticket = connection.post(noted(5))
            assert (ticket.event, connection.about["event_id"]) == (5, None)
            await connection.ready()
            assert names(connection)[1] == ("hello", 5)


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (7, 7),
        (7.0, 7),
        ("a", "a"),
        ("a\nb\x1b[0m", "a?b?[0m"),
        ("as hush as can be", "as <secret> as can be"),
        (7.5, None),
        (True, None),
        (None, None),
        ("", None),
        ("x" * 201, None),
        (2**63, None),
        (float("nan"), None),
        (Secret("hush"), None),
        ({"id": 1}, None),
        ([1], None),
    ],
)
def test_an_id_is_a_whole_number_or_a_short_text(given, known):
    """Whatever a peer sends; what cannot be printed is not, and neither is a secret."""
    ids = Ids(read_text(NOTES), lambda: {"password": Secret("hush"), "book": None})
    assert ids.of(noted(given)) == known
    assert type(ids.of(noted(given))) is type(known)


async def test_who_has_no_name_has_a_number(caplog):
    """One after the other; a page that says nothing of events has no ids of them."""
    async with Peer() as peer, notes(peer) as one, notes(peer, book="") as other:
        await one.ready()
        await other.ready()
        numbers = [int(each.about["session"]) for each in (one, other)]
        assert numbers[0] < numbers[1]
    connection = lifecycle.open("websocket", url="ws://peer.test")
    assert connection.about == {"page": "websocket", "session": "", "epoch": 0, "event_id": None}
    assert connection._driver.mail.ids.of(noted(1)) is None


async def test_every_record_of_a_connection_says_which(caplog):
    """A call that raises, a loss, a fact that is not allowed, sleep, a frame that does not leave, an instrument, a fault."""
    caplog.set_level(logging.DEBUG, "lifecycle")

    class Broken(lifecycle.observe.Instrument):
        def slept(self, connection, seconds):
            raise ValueError("broken")

    async def fail(connection: lifecycle.Connection) -> None:
        driver = connection._driver
        async with connection:
            await connection.ready()
            await trio.sleep(0.1)
            driver.slept(60.0)
            driver._not_allowed(
                lifecycle.machine.events.Event("odd", cause="end"), lifecycle.IllegalEvent("notes", "odd", (), ())
            )
            peer.link.drop()
            await trio.sleep(0.5)
            await connection.ready()
            driver.current.transport.close()
            driver.current.send(noted(9))
            driver.timers.set("broken", trio.current_time(), lambda _: 1 / 0)
            driver.armed()
            await trio.sleep(1)

    async with Peer() as peer:
        with pytest.raises(lifecycle.DriverFailed):
            await fail(notes(peer, book="b2", instruments=[Broken()]))
    told = [record for record in caplog.records if getattr(record, "page", None) == "notes"]
    assert {record.name.removeprefix("lifecycle.") for record in told} == {"driver", "epoch", "calls", "instruments"}
    assert {record.session for record in told} == {"b2"}
    assert {(record.epoch, record.event_id) for record in told} == {(1, "hello"), (2, "hello")}
    unknown = {
        record.name
        for record in caplog.records
        if record not in told and record.name.startswith("lifecycle") and not hasattr(record, "session")
    }
    assert unknown <= {"lifecycle.machine.shipped"}


async def test_a_server_says_of_which_client_its_records_are(caplog):
    """A handler that raises, and a connection that ends under it."""
    caplog.set_level(logging.INFO, "lifecycle.server")
    page = Path(__file__).parents[2] / "docs" / "examples" / "gate.yaml"
    text = page.read_text(encoding="utf-8").replace("\nrole:", "\ntrace: {session: =cursor, event: event}\nrole:")

    class Gate:
        async def check(self, *, key):
            pass

        async def replay(self, *, after):
            yield after + 1

    async def handle(connection: lifecycle.Connection) -> None:
        if connection.about["session"] == "1":
            raise ValueError("broken")
        await connection.ready()
        peer.link.drop()
        await trio.sleep(1)
        await connection.send("too late")

    server = lifecycle.serve(read_text(text, "gate.yaml"), handle, port=0, calls=Gate())
    async with Peer(server) as peer:
        for cursor in (1, 2):
            url = f"ws://gate.test?after={cursor}"
            async with lifecycle.open("websocket", url=url, transport=peer.dialer):
                await trio.sleep(0.1)  # shorter than any wait
    told = [(record.session, record.epoch, record.event_id) for record in caplog.records if hasattr(record, "session")]
    assert told == [("1", 1, None), ("2", 1, 3)]


async def test_two_pages_that_only_call_things_otherwise_are_two():
    """Names are not in the hash of a page, and yet each connection has its own."""
    one, other = (read_text(NOTES.replace("session: =book", f"session: {name}")) for name in ("first", "second"))
    assert one.hash == other.hash
    async with Peer() as peer:
        options = {"url": "ws://peer.test", "transport": peer.dialer, "calls": Calls()}
        async with lifecycle.open(one, **options) as mine, lifecycle.open(other, **options) as yours:
            await mine.ready()
            await yours.ready()
            assert [each.about["session"] for each in (mine, yours)] == ["first", "second"]


EARLY = """
lifecycle: 1
page: early
role: server
trace: {event: id}
hears: {disconnect: {}}
calls:
  check: {timeout: 5 s}
causes:
  - {otherwise: true, is: lost}
messages: {codec: json, frames: {hello: {id: 1}}}
states:
  checking:
    status: connecting
    needs: open
    enter: {send: hello}
    call: check
    clauses:
      E1: {on: done, do: admit, to: there}
      E2: {on: failed, do: {refuse: {http: 403}}, to: over}
      E3: {on: [lost, disconnect], to: over}
  there:
    status: ready
    rest: true
    clauses:
      E4: {on: [lost, disconnect], to: over}
  over: {status: closed, final: done}
"""


@pytest.mark.parametrize(("let_in", "gone"), [(True, 1), (False, None)])
async def test_what_is_said_before_a_client_is_let_in_goes_with_that(let_in, gone):
    """It waits; and if the client is refused, it has never gone."""
    seen = []

    class Gate:
        async def check(self):
            seen.append(next(iter(peer.server.connections)))
            assert seen[0].about["event_id"] is None
            assert let_in

    peer = Peer(read_text(EARLY), calls=Gate())
    async with peer, lifecycle.open("websocket", url="ws://early.test", transport=peer.dialer):
        await trio.sleep(0.1)
    assert seen[0].about["event_id"] == gone
