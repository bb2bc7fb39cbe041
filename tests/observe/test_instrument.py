"""Instruments are told of each thing that happens to a connection, and what is wrong with one harms nobody."""

import logging

import pytest
import trio

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.machine.effects import StartClock
from lifecycle.observe import Instrument
from lifecycle.testing.peer import Peer

URL = {"url": "ws://peer.test/"}


class Ears(Instrument):
    """Writes down what it is told."""

    def __init__(self):
        self.told = []
        self.walls = []

    def began(self, connection, at, wall):
        assert connection.machine.states == ()
        self.walls.append(wall)
        self.told.append(("began", connection.status))

    def stepped(self, connection, step, event, effects):
        assert (step.event, step.after) == (event.name, connection.machine.states)
        self.told.append((event.cause, event.name, connection.status))

    def refused(self, connection, event, at):
        self.told.append(("refused", event.name))

    def stale(self, connection, event, at):
        self.told.append(("stale", event.name))

    def kept(self, connection, variable, at):
        self.told.append(("kept", variable))

    def ended(self, connection, at, failure):
        self.told.append(("ended", connection.status, failure))


async def test_a_whole_life_is_told_in_order():
    """From the first step to the end, with who caused each."""
    ears = Ears()
    async with Peer() as peer, lifecycle.open("websocket", instruments=[ears], transport=peer.dialer, **URL) as one:
        await one.ready()
        await one.aclose()
    assert ears.told == [
        ("began", "idle"),
        ("start", "@start", "idle"),
        ("wish", "connect", "connecting"),
        ("opened", "opened", "ready"),
        ("wish", "disconnect", "closing"),
        ("closed", "closed", "closed"),
        ("ended", "closed", None),
    ]
    assert ears.walls[0] > 1_700_000_000


ONCE = """
lifecycle: 1
page: once
role: client
hears: {connect: {}, disconnect: {}, again: {}}
causes:
  - {otherwise: true, is: lost.network}
states:
  idle:
    status: idle
    needs: none
    rest: true
    clauses:
      O3: {on: lost, to: closed}
      O1: {on: disconnect, to: closed}
      O2: {on: connect, to: idle}
  closed: {status: closed, needs: none, final: done}
"""


async def test_a_refused_wish_is_told():
    """It changes nothing, and an instrument hears of it."""
    ears = Ears()
    async with lifecycle.open(read_text(ONCE), instruments=[ears]) as connection:
        with pytest.raises(lifecycle.IllegalEvent):
            connection.tell("again")
    assert [row[:2] for row in ears.told][3] == ("refused", "again")


async def test_a_wait_is_told_with_what_the_dice_gave():
    """Of a backoff an instrument can ask how long it is this time."""
    waits = []

    class Waits(Instrument):
        def stepped(self, connection, step, event, effects):
            waits.extend(connection.length(each) for each in effects if isinstance(each, StartClock))

    async with Peer() as peer:
        peer.refuse(2)
        async with lifecycle.open(
            "websocket", instruments=[Waits()], transport=peer.dialer, seed=3, **URL
        ) as connection:
            await connection.ready()
            redials = [seconds for seconds in waits if seconds not in (10.0, 5.0, 20.0)]
            assert len(redials) == 2
            assert all(0.25 <= seconds <= 2 for seconds in redials)


async def test_what_goes_and_comes_is_counted_by_dial():
    """The traffic is that of this dial; the next one begins with nothing."""
    seen = []

    class Traffic(Instrument):
        def stepped(self, connection, step, event, effects):
            seen.append((connection.epoch, step.event, connection.traffic))

    async def echo(connection):
        async for message in connection:
            connection.post(message)

    options = {"instruments": [Traffic()], **URL}
    async with Peer(handler=echo) as peer, lifecycle.open("websocket", transport=peer.dialer, **options) as connection:
        await connection.ready()
        for _ in range(3):
            await connection.send("x")
            await anext(connection)
        connection.tell("reconnect")
        await connection.ready()
        await connection.send("x")
        while await anext(connection) != "x":
            pass
    assert (1, "opened", (0, 0)) in seen
    assert (2, "reconnect", (0, 0)) in seen
    assert (2, "disconnect", (1, 1)) in seen


async def test_an_instrument_that_raises_is_left_out(caplog):
    """It is logged once, the other instruments and the connection go on."""

    class Broken(Instrument):
        def stepped(self, connection, step, event, effects):
            raise ValueError("broken")

    ears = Ears()
    async with (
        Peer() as peer,
        lifecycle.open("websocket", instruments=[Broken(), ears], transport=peer.dialer, **URL) as connection,
    ):
        await connection.ready()
    assert ears.told[-1] == ("ended", "closed", None)
    assert [record.getMessage() for record in caplog.records if record.name == "lifecycle.instruments"] == [
        "websocket: the instrument Broken has failed; it is told no more"
    ]


async def test_a_connection_that_never_began_is_not_told_to_end():
    """What has not begun cannot end."""
    ears = Ears()
    connection = lifecycle.open("websocket", instruments=[ears], **URL)
    await connection.aclose()
    assert ears.told == []


async def break_down(connection):
    """A timer of ours that cannot be carried out."""
    async with connection:
        await connection.ready()
        connection._driver.timers.set("broken", trio.current_time(), lambda _: 1 / 0)
        connection._driver.armed()
        await trio.sleep(1)


async def test_a_fault_of_ours_is_told_at_the_end(caplog):
    """The end brings what the driver has failed by."""
    caplog.set_level(logging.CRITICAL)
    ears = Ears()
    async with Peer() as peer:
        connection = lifecycle.open("websocket", instruments=[ears], transport=peer.dialer, **URL)
        with pytest.raises(lifecycle.DriverFailed):
            await break_down(connection)
    assert isinstance(ears.told[-1][2], ZeroDivisionError)


async def test_a_server_tells_of_each_of_its_connections():
    """One instrument may serve them all; each begins and ends."""
    ears = Ears()
    async with Peer(instruments=[ears]) as peer:
        for _ in range(2):
            async with lifecycle.open("websocket", transport=peer.dialer, **URL) as connection:
                await connection.ready()
    assert [row[0] for row in ears.told if row[0] in ("began", "ended")] == ["began", "ended", "began", "ended"]
