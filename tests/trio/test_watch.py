"""A machine that slept: its wall clock went on, its steady one did not, and each clock of the page takes that its way."""

import math
from typing import Any

import attrs
import pytest
import trio
import trio.testing

import lifecycle
import lifecycle.trio.watch
from lifecycle.trio.connection import Connection
from lifecycle.trio.timers import Timers
from lifecycle.trio.watch import LOOK_EVERY, SLEPT, Watch

from .peer import REFUSED, URL, Peer, closing, echo, http, silent

NIGHT = 8 * 3600.0
CATCH_UP = 0.1
"""Seconds in which what came meanwhile is read before clocks are believed; a little more than there are."""
LIBRARIES = ("trio-websocket", "websockets")


@attrs.define
class Lid:
    """The lid of a laptop: while it is closed, only the wall clock goes on."""

    gained: float = 0.0

    def close(self, seconds: float = NIGHT) -> None:
        """Sleep for so long; negative is a wall clock that is set back."""
        self.gained += seconds


@pytest.fixture
def lid(monkeypatch: pytest.MonkeyPatch) -> Lid:
    """A machine on the virtual clock: steady time is trio's, wall time is that and what was slept."""
    lid = Lid()
    monkeypatch.setattr(Watch, "steady", staticmethod(trio.current_time))
    monkeypatch.setattr(Watch, "wall", staticmethod(lambda: trio.current_time() + lid.gained))
    return lid


def watching() -> Watch:
    """Watch in this run, although its clock jumps."""
    watch = Watch.of_run()
    watch.wanted = True
    return watch


def connect(peer: Peer, **parameters: object) -> Connection:
    """The bundled page, dialling the peer."""
    watching()
    return lifecycle.open("websocket", url=URL, transport=peer, seed=1, **parameters)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    """Each library in turn."""
    return str(request.param)


# What a connection makes of it


async def test_a_pause_ends_in_sleep(lid: Lid) -> None:
    """A pause of an hour that was slept through is over: it dials as soon as the machine has looked."""
    async with Peer(http(503, retry_after="3600"), echo) as peer, connect(peer, longest_told="2 h") as connection:
        await trio.sleep(10.1)
        assert connection.next_try == pytest.approx(3600 - 10.1)
        lid.close(1800)
        await trio.sleep(LOOK_EVERY)
        assert connection.next_try == pytest.approx(1800 - 10.1 - LOOK_EVERY)
        lid.close()
        await connection.ready(LOOK_EVERY)
        assert peer.dials == pytest.approx([0, 20], abs=CATCH_UP)


async def test_a_backoff_ends_in_sleep(lid: Lid) -> None:
    """So does a wait between attempts, of whatever length."""
    redial = {"first": "1 h", "max": "1 h", "jitter": "none"}
    async with Peer(REFUSED, echo) as peer, connect(peer, redial=redial) as connection:
        await trio.sleep(1)
        lid.close()
        await connection.ready(LOOK_EVERY)
        assert peer.dials == pytest.approx([0, LOOK_EVERY], abs=CATCH_UP)


async def test_all_are_woken(lid: Lid) -> None:
    """One connection looks, and each is told: none sleeps on in a pause that is over."""
    redial = {"first": "1 h", "max": "1 h", "jitter": "none"}
    async with (
        Peer(REFUSED, REFUSED, echo, echo) as peer,
        connect(peer, redial=redial) as one,
        connect(peer, redial=redial) as other,
    ):
        await trio.sleep(1)
        lid.close()
        await one.ready(LOOK_EVERY + CATCH_UP)
        await other.ready(CATCH_UP)


async def test_a_connection_that_outlives_the_sleep(library: str, lid: Lid) -> None:
    """Nothing was heard all night, so it asks at once; the peer answers, and it is the same connection."""
    async with Peer(echo, library=library) as peer, connect(peer) as connection:
        await connection.ready()
        await trio.sleep(7)
        lid.close()
        before = len(connection.history)
        await trio.sleep(LOOK_EVERY)
        states = [step.after[-1].rpartition(".")[2] for step in connection.history[before:]]
        assert states == ["asking", "alive"]
        await connection.send("still here")
        assert await anext(connection) == "still here"
        assert (connection.epoch, len(peer.dials), connection.why) == (1, 1, "")


async def test_a_connection_that_died_in_sleep(library: str, lid: Lid) -> None:
    """It asks at once, waits for an answer as long as ever, and says that the machine has slept; then it heals."""
    async with Peer(silent, echo, library=library) as peer, connect(peer) as connection:
        await connection.ready()
        await trio.sleep(7)
        lid.close()
        await trio.sleep(3 + CATCH_UP)
        assert connection.state[-1] == "online.up.heartbeat.asking"
        await trio.sleep(19.8)
        assert connection.status == "ready"
        await trio.sleep(0.3)
        assert connection.status == "waiting"
        assert (
            "`after heartbeat_wait` has run out in online.up.heartbeat.asking: this machine slept for 8 h"
            in connection.why
        )
        await connection.ready()
        assert connection.epoch == 2
        await trio.sleep(60)
        assert connection.epoch == 2


async def test_who_slept_long_ago_is_no_excuse(lid: Lid) -> None:
    """Of a sleep that is over, and after which the peer was heard, nothing is said when he falls silent later."""
    quiet = trio.Event()
    async with Peer(_mute_when(quiet)) as peer, connect(peer) as connection:
        await connection.ready()
        lid.close()
        await trio.sleep(2 * LOOK_EVERY)
        quiet.set()
        await trio.sleep(41)
        assert "the peer was silent for" in connection.why
        assert "slept" not in connection.why


def _mute_when(quiet: trio.Event) -> Any:
    async def act(peer: Peer, far: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo, peer, far)
            await quiet.wait()
            nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    return act


async def test_sleep_proves_no_health(lid: Lid) -> None:
    """A connection that was open for a second and a night has lived for a second: its attempts are not forgiven."""
    async with Peer(REFUSED, closing(1012, after=4.9)) as peer, connect(peer) as connection:
        await connection.ready()
        lid.close()
        await trio.sleep(4.95)
        assert connection.variables["waiting.attempts"] == 2
        assert len(peer.dials) == 2


@pytest.mark.parametrize("seconds", [SLEPT - 0.1, -NIGHT, 0])
async def test_what_is_no_sleep(seconds: float, lid: Lid) -> None:
    """A wall clock that is set a little, or back, changes nothing."""
    async with Peer(http(503, retry_after="600"), echo) as peer, connect(peer) as connection:
        await trio.sleep(1)
        lid.close(seconds)
        await trio.sleep(99)
        assert connection.next_try == pytest.approx(500)


async def test_a_sleep_before_the_connection(lid: Lid) -> None:
    """What was slept while nobody was connected is no connection's business."""
    watching()
    lid.close()
    async with Peer(http(503, retry_after="600"), echo) as peer, connect(peer) as connection:
        await trio.sleep(100)
        assert connection.next_try == pytest.approx(500)
    lid.close()
    async with Peer(http(503, retry_after="600"), echo) as peer, connect(peer) as connection:
        await trio.sleep(100)
        assert connection.next_try == pytest.approx(500)


# The watch itself


@attrs.define(eq=False)
class Member:
    """Who is told."""

    timers: Timers = attrs.field(factory=Timers)
    told: list[float] = attrs.field(factory=list)
    looks: int = 0

    def armed(self) -> None:
        """A timer was set."""
        self.looks += 1

    def slept(self, seconds: float) -> None:
        """The machine has slept."""
        self.told.append(seconds)


async def _pass_time(members: list[Member], seconds: float) -> None:
    until = trio.current_time() + seconds
    while (when := min(member.timers.next() for member in members)) <= until:
        await trio.sleep_until(when)
        for member in members:
            for key, what in member.timers.due(trio.current_time()):
                what(key)
    await trio.sleep_until(until)


async def test_one_looks_for_all(lid: Lid) -> None:
    """A thousand connections share one timer; whoever has it ends, and the next one takes it over."""
    watch, members = watching(), [Member() for _ in range(1000)]
    for member in members:
        watch.join(member)
    assert [len(member.timers) for member in members] == [1, *[0] * 999]
    await _pass_time(members[:2], 100)
    assert members[0].looks == 1 + 100 / LOOK_EVERY
    watch.leave(members[500])
    watch.leave(members[0])
    members[0].timers.clear()
    assert [len(member.timers) for member in members] == [0, 1, *[0] * 998]
    lid.close(60)
    await _pass_time(members[:2], LOOK_EVERY)
    assert [member.told for member in members] == [[], *[[pytest.approx(60)]] * 499, [], *[[pytest.approx(60)]] * 499]
    for member in members:
        watch.leave(member)
    assert watch._members == {}


async def test_who_leaves_while_all_are_told(lid: Lid) -> None:
    """One that ends because it was told takes nothing from the others."""
    watch = watching()

    class Leaving(Member):
        def slept(self, seconds: float) -> None:
            super().slept(seconds)
            watch.leave(self)
            self.timers.clear()

    members: list[Member] = [Leaving(), Leaving(), Member()]
    for member in members:
        watch.join(member)
    lid.close()
    await _pass_time(members, 3 * LOOK_EVERY)
    assert [len(member.told) for member in members] == [1, 1, 1]
    assert members[2].timers.next() < math.inf


async def test_no_look_where_time_is_made_up() -> None:
    """On a clock that jumps nobody looks, or it would be kept jumping; and nobody is told."""
    member = Member()
    assert not Watch.of_run().wanted
    Watch.of_run().join(member)
    assert len(member.timers) == 0
    Watch.of_run().leave(member)


@pytest.mark.real_time(limit=10)
async def test_the_clocks_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run of trio has a watch of its own; it looks at the system's clocks, and a jump of the wall clock is a sleep."""
    monkeypatch.setattr(lifecycle.trio.watch, "LOOK_EVERY", 0.001)
    watch, member, wall = Watch.of_run(), Member(), Watch.wall
    assert watch is Watch.of_run()
    assert watch.wanted
    watch.join(member)
    await _pass_time([member], 0.02)
    assert member.looks > 2
    assert member.told == []
    monkeypatch.setattr(Watch, "wall", staticmethod(lambda: wall() + 60))
    await _pass_time([member], 0.02)
    (slept,) = member.told
    assert slept == pytest.approx(60, abs=1)
