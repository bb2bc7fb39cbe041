"""What a client does on each code of the vendor's table, whether its start is answered so or its live ended by it."""

import itertools

import pytest
import trio

from lifecycle.errors import ConnectionFailed

from .studio import FRESH, TOKEN, Director, Studio, in_memory, until

FINAL = {4000: "what is to be live", 4003: "Another connection controls", 4005: "RTMP address", 6789: "does not know"}


def waits(peer):
    """Seconds between the dials, as the server has seen them."""
    at = [dial.at for dial in peer.dials]
    return [round(later - before) for before, later in itertools.pairwise(at)]


@pytest.mark.parametrize("code", FINAL)
async def test_a_start_that_is_refused_for_good(code):
    """It is not tried again, and the sentence says what to do; the server's own words are told too."""
    studio = Studio()
    studio.verdicts = [code]
    async with in_memory(studio) as (peer, client):
        with pytest.raises(ConnectionFailed, match=FINAL[code]) as caught:
            await client.ready()
        assert f"it is {code}" in str(caught.value)
        await trio.sleep(3600)
        assert (client.status, len(peer.dials)) == ("failed", 1)


@pytest.mark.parametrize(("code", "lives"), [(4000, 2), (4003, 1), (4005, 2)])
async def test_after_a_refusal_the_user_may_try_again(code, lives):
    """Where something else has to be live it is asked for anew; a live that is ours is come back to."""
    studio, director = Studio(), Director()
    studio.verdicts = [code]
    async with in_memory(studio, director) as (_, client):
        await until(lambda: client.status == "failed")
        client.tell("connect")
        await until(lambda: client.status == "ready")
        assert (len(studio.asked), len(director.given)) == (2, lives)


@pytest.mark.parametrize("code", FINAL)
async def test_a_live_that_is_ended_for_good(code):
    """The close 4999 comes behind the message and says less: the message's code counts."""
    async with in_memory(Studio()) as (peer, client):
        await client.ready()
        peer.server.connections.copy().popitem()[0].tell("fail", code=code, message=f"it is {code}")
        await until(lambda: client.status == "failed")
        last = client.history[-1]
        assert (f"it is {code}" in last.cause, FINAL[code] in last.say) == (True, True)
        await trio.sleep(3600)
        assert len(peer.dials) == 1


async def test_other_credentials_are_fetched_once():
    """With them the same live is started again, after a pause."""
    studio, director = Studio(tokens=(FRESH,)), Director()
    async with in_memory(studio, director) as (peer, client):
        await client.ready()
        assert [start["token"] for start in studio.asked] == [TOKEN, FRESH]
        assert {start["live_id"] for start in studio.asked} == {*director.given} == {"company_live0"}
        assert waits(peer) == [3]


async def test_credentials_that_stay_wrong_are_not_tried_for_ever():
    """Nobody is locked out by his own client."""
    director = Director()
    async with in_memory(Studio(tokens=()), director) as (peer, client):
        with pytest.raises(ConnectionFailed, match="does not accept the account or its token"):
            await client.ready()
        await trio.sleep(3600)
        assert (director.refreshed, len(peer.dials)) == (1, 2)


async def test_over_the_quota_it_waits_longer_and_longer_and_then_asks():
    """10, 20 and 40 seconds; no live is ended by itself, and after a few times somebody has to look."""
    studio, director = Studio(quota=0), Director()
    async with in_memory(studio, director) as (peer, client):
        with pytest.raises(ConnectionFailed, match="There was no place for another live"):
            await client.ready()
        assert waits(peer) == [10, 20, 40]
        assert director.given == ["company_live0"]
        await trio.sleep(3600)
        assert len(peer.dials) == 4


async def test_a_place_that_becomes_free_is_taken():
    """A live of somebody else ends; ours begins with the next try."""
    studio = Studio(quota=1)
    studio.lives["somebody-elses"] = "their-connection"
    async with in_memory(studio) as (peer, client):
        await trio.sleep(15)
        assert (client.status, studio.lives) == ("waiting", {"somebody-elses": "their-connection"})
        del studio.lives["somebody-elses"]
        await client.ready()
        assert waits(peer) == [10, 20]


@pytest.mark.parametrize("code", [4004, 4006])
async def test_a_live_id_that_is_spent_is_replaced(code):
    """The same one is not started again; after a few new ones it is given up."""
    studio, director = Studio(), Director()
    studio.verdicts = [code]
    async with in_memory(studio, director) as (_, client):
        await client.ready()
        assert [start["live_id"] for start in studio.asked] == director.given == ["company_live0", "company_live1"]
    studio, director = Studio(), Director()
    studio.verdicts = [code] * 9
    async with in_memory(studio, director) as (peer, client):
        with pytest.raises(ConnectionFailed):
            await client.ready()
        await trio.sleep(3600)
        assert (len(director.given), len(peer.dials)) == (3, 3)


async def test_a_live_id_is_let_in_once():
    """Whoever gives out an id that was used is refused by the server, and asked for another one."""
    studio, director = Studio(), Director(ids=["one", "one", "two"])
    async with in_memory(studio, director) as (_, client):
        await client.ready()
        client.tell("disconnect")
        await until(lambda: client.status == "closed" and not studio.lives)
        client.tell("connect")
        await until(lambda: client.status == "ready")
        assert [start["live_id"] for start in studio.asked] == director.given == ["one", "one", "two"]


@pytest.mark.parametrize("code", [5000, 5001])
async def test_a_fault_of_the_server_is_tried_again(code):
    """With the same live_id, which may be counted there already, after a pause that grows."""
    studio, director = Studio(), Director()
    studio.verdicts = [code, code]
    async with in_memory(studio, director) as (peer, client):
        await client.ready()
        assert (len(peer.dials), director.given) == (3, ["company_live0"])
        peer.server.connections.copy().popitem()[0].tell("fail", code=code, message="")
        await until(lambda: client.status == "waiting")
        await client.ready()
        assert [start["live_id"] for start in studio.asked] == ["company_live0"] * 4


async def test_without_a_free_instance_it_waits_as_it_is_told():
    """Ten seconds, and not by the backoff."""
    studio = Studio()
    studio.verdicts = [5002, 5002]
    async with in_memory(studio, busy_wait=12) as (peer, client):
        await client.ready()
        assert waits(peer) == [12, 12]


async def test_what_cannot_be_interrupted_is_told_and_goes_on():
    """4007 ends nothing by itself; if the server closes behind it, the live is come back to."""
    studio = Studio()
    async with in_memory(studio) as (peer, client):
        await client.ready()
        link, changes = await peer.connected(), client.changes()
        link.send({"header": "MSG01", "body": {"code": 4007, "message": "not in this mode"}})
        step = await anext(changes)
        assert step.emitted == {"told": {"code": 4007, "text": "not in this mode"}}
        assert client.status == "ready"
        link.close(4999)
        await until(lambda: client.status == "waiting")
        await client.ready()
        assert {start["live_id"] for start in studio.asked} == {"company_live0"}
