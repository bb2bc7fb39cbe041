"""A connection with several addresses: which one is dialled, which are passed by, and how one comes back."""

import itertools
import logging

import pytest
import trio

import lifecycle
from lifecycle.testing.virtual import run
from lifecycle.trio.failover.endpoints import Endpoints

from .net import Net, opened, stubborn

A, B, C = "ws://a.example/rtc", "ws://b.example/rtc", "ws://c.example/rtc"


async def test_the_first_is_dialled_and_the_others_are_not() -> None:
    """While the primary serves, nobody else hears of us."""
    async with Net("a.example", "b.example") as net, opened(net, [A, B], "websocket") as connection:
        await connection.ready()
        await trio.sleep(3600)
        assert [dial.url for dial in net.dials] == [A]


async def test_a_primary_that_refuses_is_passed_by_until_a_handshake_with_it_goes_well() -> None:
    """The page's pause stands between the dials; a probe is closed with 1000; then the next dial goes back."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], probe_every="10 s")
        net.peers["a.example"].refuse(1)
        async with opened(net, endpoints, "websocket") as connection:
            assert (endpoints.current, endpoints.available) == (None, (A, B))
            await connection.ready()
            assert net.asked() == [A, B]
            assert net.dials[1].at >= 0.25
            assert (endpoints.current, endpoints.available) == (B, (B,))
            await trio.sleep(60)
            (probe,) = net.asked(probes=True)
            assert probe == A
            assert 8 <= net.dials[2].at - net.dials[0].at <= 12.1
            assert not net.peers["a.example"].server.connections
            assert (connection.status, endpoints.current, endpoints.available) == ("ready", B, (A, B))
            net.peers["b.example"].link.drop()
            await net.peers["a.example"].connected()
            assert endpoints.current == A
            assert net.most == 1


async def test_after_a_loss_the_same_is_dialled_first() -> None:
    """One that has served is not given up for one loss; if it is gone, the next in the order is dialled."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B])
        async with opened(net, endpoints, "websocket") as connection:
            await connection.ready()
            net.peers["a.example"].refuse(1000)
            net.peers["a.example"].link.drop()
            await net.peers["b.example"].connected()
            assert net.asked() == [A, A, B]
            assert endpoints.available == (B,)


async def test_if_all_are_unavailable_each_has_its_turn() -> None:
    """Nobody is dialled twice before the others; the first that serves is available again."""
    async with Net("a.example", "b.example", "c.example") as net:
        endpoints = Endpoints([A, B, C], probe_every="1 h")
        for peer in net.peers.values():
            peer.refuse(2)
        async with opened(net, endpoints) as connection:
            await trio.sleep(5.5)
            assert net.asked() == [A, B, C, A, B, C]
            assert endpoints.available == ()
            await connection.ready()
            assert net.asked()[6:] == [A]
            assert endpoints.available == (A,)


async def test_one_that_is_open_and_not_ready_in_time_has_failed() -> None:
    """It is the page that says what ready is: a server that accepts and does not welcome is given up."""
    async with Net("a.example", "b.example") as net:
        net.mute.add("a.example")
        endpoints = Endpoints([A, B], probe_every="1 h")
        async with opened(net, endpoints) as connection:
            await connection.ready()
            assert [dial.at for dial in net.dials] == [0.0, 4.0]
            assert endpoints.available == (B,)


async def test_one_whose_handshakes_go_well_and_that_never_serves_is_believed_less_often() -> None:
    """A probe that has said too much doubles the time for which the next one is not believed."""
    async with Net("a.example", "b.example") as net:
        net.mute.add("a.example")
        endpoints = Endpoints([A, B], returns=True, probe_every="10 s")
        async with opened(net, endpoints, max_attempts=10_000) as connection:
            await connection.ready()
            await trio.sleep(4000)
            tried = [dial.at for dial in net.dials if dial.url == A and not dial.probe]
            gaps = [later - earlier for earlier, later in itertools.pairwise(tried)]
            assert len(tried) < 12
            assert all(later >= earlier for earlier, later in itertools.pairwise(gaps))
            assert gaps[-1] > 600
            net.mute.clear()
            await trio.sleep(4000)
            assert (connection.status, endpoints.current) == ("ready", A)
            # it has served, so what it said before is forgotten
            net.mute.add("a.example")
            again = trio.current_time()
            net.peers["a.example"].link.drop()
            await trio.sleep(90)
            assert len([1 for dial in net.dials if dial.url == A and not dial.probe and dial.at > again]) >= 3


async def test_one_that_has_served_since_its_probe_is_no_liar() -> None:
    """When it fails later, the next probe that goes well is believed at once."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], returns=True, probe_every="10 s")
        net.peers["a.example"].refuse(1)
        async with opened(net, endpoints, "websocket") as connection:
            await trio.sleep(60)
            assert endpoints.current == A
            net.peers["a.example"].refuse(1)
            net.peers["a.example"].link.drop()
            await net.peers["b.example"].connected()
            await trio.sleep(13)
            assert (connection.status, endpoints.current) == ("ready", A)


async def test_it_returns_by_itself_where_that_is_wished() -> None:
    """The page is told `reconnect` as soon as an earlier one is well, and not while the earlier one is not."""
    async with Net("a.example", "b.example", "c.example") as net:
        endpoints = Endpoints([A, B, C], returns=True, probe_every="10 s")
        net.peers["a.example"].refuse(4)
        net.peers["b.example"].refuse(1)
        async with opened(net, endpoints, "websocket") as connection:
            await connection.ready()
            assert endpoints.current == C
            await trio.sleep(15)
            assert (connection.status, endpoints.current) == ("ready", B)
            await trio.sleep(60)
            assert (connection.status, endpoints.current) == ("ready", A)
            assert net.asked() == [A, B, C, B, A]
            assert [step.event for step in connection.history].count("reconnect") == 2
            assert net.most == 1


async def test_an_earlier_one_that_is_well_when_a_later_one_is_ready_is_returned_to() -> None:
    """Its probe went well while the later one was still being dialled: there is no other edge to wait for."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], returns=True, probe_every="1 s")
        net.peers["a.example"].refuse(1)
        net.peers["b.example"].hold("down")
        async with opened(net, endpoints) as connection:
            await trio.sleep(2.5)
            assert endpoints.available == (A, B)
            assert endpoints.current == B
            net.peers["b.example"].release()
            await net.peers["a.example"].connected()
            await connection.ready()
            assert endpoints.current == A


async def test_a_page_that_does_not_allow_the_return_now_keeps_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    """What the page refuses is logged, and nothing is torn."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], returns=True, probe_every="10 s")
        net.peers["a.example"].refuse(1)
        with caplog.at_level(logging.INFO, "lifecycle.endpoints"):
            async with opened(net, endpoints, stubborn()) as connection:
                await connection.ready()
                await trio.sleep(60)
                assert (connection.status, endpoints.current, endpoints.available) == ("ready", B, (A, B))
    assert "reconnect" in caplog.text


async def test_without_a_network_nobody_is_given_up() -> None:
    """It is we who are offline: the primary stays the first choice, and why says so."""
    async with Net("a.example", "b.example") as net:

        async def connected() -> bool:
            await trio.sleep(0.1)
            return not net.offline

        endpoints = Endpoints([A, B], connected=connected)
        net.offline = True
        async with opened(net, endpoints) as connection:
            await trio.sleep(3.5)
            assert set(net.asked()) == {A}
            assert endpoints.available == (A, B)
            assert "there is no network on this side" in connection.why
            net.offline = False
            net.peers["a.example"].refuse(1)
            await connection.ready()
            assert net.asked()[-1] == B
            assert endpoints.available == (B,)


@pytest.mark.parametrize("answer", ["raises", "hangs"])
async def test_a_check_that_cannot_be_made_has_found_no_network(answer: str) -> None:
    """An OSError is no; and so is no answer within five seconds, for which the next dial waits."""
    async with Net("a.example", "b.example") as net:

        async def connected() -> bool:
            if answer == "raises":
                raise OSError("Network is unreachable")
            await trio.sleep_forever()
            raise AssertionError

        endpoints = Endpoints([A, B], connected=connected)
        net.peers["a.example"].refuse(1)
        async with opened(net, endpoints) as connection:
            await connection.ready()
            assert [(dial.at, dial.url) for dial in net.dials] == [(0.0, A), (1.0 if answer == "raises" else 5.0, A)]
            assert endpoints.available == (A, B)


async def test_a_check_that_is_broken_decides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback, and the endpoint has failed."""
    async with Net("a.example", "b.example") as net:

        async def connected() -> bool:
            raise ValueError("no such thing")

        net.peers["a.example"].refuse(1)
        async with opened(net, Endpoints([A, B], connected=connected)) as connection:
            await connection.ready()
            assert net.asked() == [A, B]
    assert "`connected` has failed" in caplog.text
    assert "no such thing" in caplog.text


async def test_a_dial_that_is_given_up_while_the_network_is_looked_for_never_begins() -> None:
    """The wish to begin anew comes while the dial waits for the answer; one dial comes of both."""
    async with Net("a.example", "b.example") as net:

        async def connected() -> bool:
            await trio.sleep(3)
            return True

        net.peers["a.example"].refuse(1)
        async with opened(net, Endpoints([A, B], connected=connected)) as connection:
            await trio.sleep(2)
            assert connection.state == ("online.dialing",)
            connection.tell("reconnect")
            await connection.ready()
            assert [(dial.at, dial.url) for dial in net.dials] == [(0.0, A), (3.0, B)]


@pytest.mark.parametrize("seed", range(6))
def test_a_dial_that_is_given_up_as_the_network_is_found_never_begins(seed: int) -> None:
    """Both at once, in either order: the dial that was given up is no dial, and marks nobody."""

    async def story() -> None:
        async with Net("a.example", "b.example") as net:

            async def connected() -> bool:
                await trio.sleep_until(3)
                return True

            net.peers["a.example"].refuse(1)
            async with opened(net, Endpoints([A, B], connected=connected)) as connection:
                await trio.sleep_until(3)
                connection.tell("reconnect")
                await connection.ready()
                assert net.asked() == [A, B]

    run(story, seed=seed)


async def test_what_we_end_ourselves_marks_nobody() -> None:
    """A wish, and a call of ours that fails, say nothing of the endpoint; nor does an end by the user."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B])
        net.mute.add("a.example")
        async with opened(net, endpoints) as connection:
            await trio.sleep(1)
            assert connection.status == "authenticating"
            connection.tell("reconnect")
            await trio.sleep(1)
            net.peers["a.example"].link.send({"type": "pay"})
            await trio.sleep(1.5)
            assert net.asked() == [A, A, A]
            await connection.aclose()
            assert endpoints.available == (A, B)


@pytest.mark.parametrize("how", [401, 3000])
async def test_who_is_not_known_at_one_is_not_known_at_another(how: int) -> None:
    """An answer about our credentials marks nobody: the same is dialled, perhaps with other ones."""
    async with Net("a.example", "b.example") as net:
        net.mute.add("a.example")
        if how == 401:
            net.peers["a.example"].refuse(2, http=how)
        async with opened(net, Endpoints([A, B])) as connection:
            if how == 3000:
                (await net.peers["a.example"].connected()).close(how)
                await trio.sleep(0.5)
            net.mute.clear()
            await connection.ready()
            assert set(net.asked()) == {A}


async def test_a_pool_is_shuffled_by_the_connections_dice() -> None:
    """A seed is an order, and many seeds are many; all clients of a server do not go to the same one."""
    urls = [f"ws://{name}.example/" for name in "abcd"]
    firsts = []
    async with Net(*(f"{name}.example" for name in "abcd")) as net:
        for seed in (*range(12), *range(12)):
            endpoints = Endpoints(urls, shuffled=True)
            async with opened(net, endpoints, seed=seed) as connection:
                await connection.ready()
                assert sorted(endpoints.available) == urls
                assert endpoints.available[0] == endpoints.current
                firsts.append(endpoints.current)
    assert firsts[:12] == firsts[12:]
    assert set(firsts) == set(urls)


async def test_at_rest_nothing_is_probed() -> None:
    """Who has given up asks nobody; when it is told to begin again, the probes go on."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], probe_every="10 s")
        for peer in net.peers.values():
            peer.refuse(5)
        async with opened(net, endpoints, max_attempts=1) as connection:
            with pytest.raises(lifecycle.ConnectionFailed):
                await connection.ready()
            assert net.asked() == [A, B]
            await trio.sleep(1000)
            assert len(net.dials) == 2
            connection.tell("reconnect")
            with pytest.raises(lifecycle.ConnectionFailed):
                await connection.ready()
            assert net.asked() == [A, B, A, B]


async def test_what_a_page_cannot_send_is_dialled_nowhere() -> None:
    """A header that HTTP forbids ends the dial before there is one: no endpoint has to do with it."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B])
        async with opened(net, endpoints, "websocket", token="two\nlines", max_attempts=2) as connection:
            with pytest.raises(lifecycle.ConnectionFailed, match="line end"):
                await connection.ready()
        assert not net.dials
        assert endpoints.available == (A, B)
