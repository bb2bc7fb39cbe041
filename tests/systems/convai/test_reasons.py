"""Whatever ends a session leads to what the documentation's table says, or where that says nothing, to what helps."""

import pytest
import trio

from lifecycle.systems.convai import SENTENCES, Disconnected, DisconnectReason, GaveUp
from lifecycle.systems.convai.disconnect_reason import sentence_of

from .home import in_memory, listening, on_sockets, ready, until
from .stand_in import StandIn

AGAIN, LATER, NEVER, REFRESHES, CLOSES = "again", "later", "never", "refreshes", "closes"
"""What it leads to: a new room soon, one after 5 s, none, one with fresh credentials, or the end as of our own wish."""
TABLE = {
    0: AGAIN, 1: CLOSES, 2: NEVER, 3: LATER, 4: NEVER, 5: NEVER, 6: AGAIN, 7: NEVER, 8: AGAIN, 9: AGAIN, 10: NEVER, 11: NEVER,
    12: REFRESHES, 13: NEVER, 14: AGAIN, 15: AGAIN, 16: NEVER, 99: NEVER, -1: NEVER, 2.5: NEVER,
}  # fmt: skip
NONSENSE = ("three", None, True, [3], {"reason": 3})
LAST_SAMPLE = {4: AGAIN, 5: AGAIN, 10: AGAIN, 11: AGAIN, 13: AGAIN, 99: AGAIN, 1: CLOSES, 2: NEVER, 7: NEVER}


async def leads_to(reason, **settings):
    """What a reason leads to, and what was told of it."""
    home, keys = StandIn(), []

    async def key():
        keys.append("")
        return home.key

    async with in_memory(home, key=key, **settings) as (peer, session):
        await ready(session)
        heard = listening(session, Disconnected, GaveUp)
        began = trio.current_time()
        peer.link.send({"type": "disconnected", "data": {"reason": reason}})
        await trio.sleep(0.1)
        if session.status in ("failed", "closed"):
            await trio.sleep(3600)
            assert len(peer.dials) == len(home.asked) == 1
            return (CLOSES if session.status == "closed" else NEVER), heard
        await ready(session)
        assert len(home.asked) == len(peer.dials) == 2  # never the old room again
        assert home.asked[1]["character_session_id"] == "character-session-1"
        took = trio.current_time() - began
        heard = heard[:]  # without the goodbye of this test
    if len(keys) > 1:
        return REFRESHES, heard
    return (LATER if took == pytest.approx(5, abs=0.2) else AGAIN), heard


@pytest.mark.parametrize(("reason", "expected"), TABLE.items())
async def test_each_reason_leads_to_what_helps(reason, expected):
    """The table's, with 8 and 10 to 15 besides; a number that is new is no reason to insist."""
    led, heard = await leads_to(reason)
    assert led == expected
    assert heard[0] == Disconnected(reason, retries=expected in (AGAIN, LATER, REFRESHES))
    assert heard[0].sentence
    assert len(heard) == (2 if expected == NEVER else 1)


@pytest.mark.parametrize("reason", NONSENSE)
async def test_what_is_no_reason_is_not_insisted_on(reason):
    """A stranger's value is none, and told as none."""
    assert await leads_to(reason) == (
        NEVER,
        [
            Disconnected(None, retries=False),
            GaveUp("The server has ended the session and gives a reason that this client does not know."),
        ],
    )


@pytest.mark.parametrize(("reason", "expected"), LAST_SAMPLE.items())
async def test_the_last_sample_of_the_documentation(reason, expected):
    """It tries again after all but 1, 2 and 7: so does `retry_removed`."""
    assert (await leads_to(reason, retry_removed=True))[0] == expected


@pytest.mark.parametrize(
    ("code", "reason", "rooms"),
    [(1008, 9, 2), (1011, 9, 1), (1000, 9, 1), (1001, 9, 1), (1013, 9, 1), (4000, 9, 1)],
)
async def test_a_close_without_a_reason(code, reason, rooms):
    """It is as reason 9. The room is tried again; one that the server does not know any more is not: 1008."""
    home = StandIn()
    async with in_memory(home) as (peer, session):
        await ready(session)
        heard = listening(session, Disconnected)
        peer.link.close(code)
        await trio.sleep(0.1)
        await ready(session)
        assert heard == [Disconnected(DisconnectReason(reason), retries=True)]
        assert (len(home.asked), len(peer.dials)) == (rooms, 2)


async def test_a_transport_that_breaks_is_as_reason_0():
    """Nobody said anything: the network went away."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, Disconnected)
        peer.link.reset()
        await trio.sleep(0.1)
        assert heard == [Disconnected(DisconnectReason.UNKNOWN_REASON, retries=True)]


@pytest.mark.parametrize(
    ("status", "led"),
    [
        (401, "refreshes"),
        (403, "refreshes"),
        (404, "asks"),
        (429, "waits"),
        (503, "waits"),
        (500, "asks"),
        (418, "fails"),
    ],
)
async def test_a_room_that_refuses_the_handshake(status, led):
    """Its status says what helps: fresh credentials, another room, time, or nothing."""
    home, keys = StandIn(), []

    async def key():
        keys.append("")
        return home.key

    async with in_memory(home, key=key) as (peer, session):
        peer.refuse(1, http=status, retry_after=7)
        began = trio.current_time()
        await trio.sleep(0.1)
        if led == "fails":
            assert session.status == "failed"
            return
        await ready(session)
        took = trio.current_time() - began
        assert (len(keys) == 2) == (led == "refreshes")
        assert (took > 6) == (led == "waits")
        assert len(home.asked) == 2


@pytest.mark.real_time(limit=60)
@pytest.mark.parametrize("reason", [*range(16), 42])
async def test_each_reason_on_a_socket(reason):
    """The same table over HTTP and WebSocket on loopback, by servers that we did not write."""
    home, keys = StandIn(), []

    async def key():
        keys.append("")
        return home.key

    async with on_sockets(home, key=key) as session:
        heard = listening(session, Disconnected)
        await session.ready(10)
        assert (await session.trigger("end", str(reason))).status == "success"
        expected = TABLE.get(reason, NEVER)
        await until(lambda: heard)
        if expected in (NEVER, CLOSES):
            assert session.status == ("closed" if expected == CLOSES else "failed")
        else:
            await session.ready(10)
        assert heard == [Disconnected(reason, retries=expected not in (NEVER, CLOSES))]
        assert len(home.asked) == (1 if expected in (NEVER, CLOSES) else 2)
        assert len(keys) == (2 if expected == REFRESHES else 1)


def test_every_reason_has_a_sentence():
    """Also one that is new."""
    assert set(SENTENCES) == set(DisconnectReason)
    assert sentence_of(2) == "The session was opened in another place."
    assert sentence_of(77) == "The server has ended the session for reason 77."
    assert sentence_of(2.5) == "The server has ended the session for reason 2.5."
    assert Disconnected(None, retries=False).sentence == "The server has ended the session."
