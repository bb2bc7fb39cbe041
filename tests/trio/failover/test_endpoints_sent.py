"""A connection that its peer sends elsewhere: where it goes, where it does not, and what is said of that."""

import logging

import pytest
import trio

import lifecycle
from lifecycle.trio.failover.endpoints import Endpoints

from .net import Net, opened

A, B, C = "ws://a.example/rtc", "ws://b.example/rtc", "ws://c.example/rtc"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/node/7", "ws://a.example/node/7"),
        ("node", "ws://a.example/node"),
        ("http://a.example:8080/rtc?at=7#part", "ws://a.example:8080/rtc?at=7"),
        ("https://a.example/rtc", "wss://a.example/rtc"),
        ("//A.EXAMPLE/other", "ws://a.example/other"),
    ],
)
async def test_a_redirect_on_the_same_host_is_followed(status: int, location: str, url: str) -> None:
    """With a plain `url=` too, after the page's pause, and only for one connection: then the address itself is asked."""
    async with Net("a.example") as net:
        net.redirect(A, location, status)
        async with opened(net, None, "websocket", url=A) as connection:
            await connection.ready()
            assert net.asked() == [A, url]
            assert net.dials[1].at >= 0.25
            del net.answers[A]
            net.peers["a.example"].link.drop()
            await trio.sleep(5)
            assert net.asked()[2:] == [A]


async def test_a_redirect_keeps_what_the_page_sends_and_not_what_the_url_had() -> None:
    """The page's query and headers go along; the query of the URL that was asked was for that."""
    async with Net("a.example", "b.example") as net:
        net.redirect(A, "ws://b.example/node?at=7&ticket=theirs")
        urls = [f"{A}?mine=1", f"{B}?mine=2"]
        async with opened(net, urls, ticket="t1") as connection:
            await connection.ready()
            assert net.asked() == [f"{A}?mine=1&ticket=t1", "ws://b.example/node?at=7&ticket=t1"]
        (dial,) = net.peers["b.example"].dials
        assert dial.request.headers == ()


@pytest.mark.parametrize(
    ("url", "location", "words"),
    [
        (A, "ws://evil.example/x?key=SECRET", "sends us to ws://evil.example, which is no host of this connection"),
        (A, "https://login.example/", "sends us to wss://login.example, which is no host of this connection"),
        ("wss://a.example/rtc", "http://a.example/plain", "sends us to ws://a.example, which is not encrypted"),
        (A, "ftp://a.example/", "not to a WebSocket: the scheme of the url must be ws or wss, not 'ftp'"),
        (A, "ws://user:SECRET@a.example/", "not to a WebSocket: the url holds a user name"),
        (A, "ws://a.example/a b", "not to a WebSocket: the url holds a space"),
        (A, "ws://[::1/", "not to a WebSocket: "),
    ],
)
async def test_a_redirect_that_is_not_followed_is_told_and_nothing_is_sent_there(
    url: str, location: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is as if it had led nowhere: the page takes it for another answer of HTTP, and `why` says what was the matter."""
    async with Net("a.example", "evil.example", "login.example") as net:
        net.redirect(url, location)
        with caplog.at_level(logging.DEBUG):
            async with opened(net, None, "websocket", url=url) as connection:
                with pytest.raises(lifecycle.ConnectionFailed, match="with HTTP status 307") as failed:
                    await connection.ready()
                assert words in connection.why
                assert words in caplog.text
                assert "SECRET" not in f"{failed.value}{connection.why}{caplog.text}{connection.history}"
        assert set(net.asked()) == {url}


async def test_a_redirect_to_any_host_is_followed_where_that_is_wished() -> None:
    """`redirects=True` is the embedder's word that whoever his servers name may have what the page sends."""
    async with Net("a.example", "other.example") as net:
        net.redirect(A, "ws://other.example/x")
        endpoints = Endpoints([A], redirects=True)
        async with opened(net, endpoints, "websocket") as connection:
            await connection.ready()
            assert net.asked() == [A, "ws://other.example/x"]
            assert (endpoints.current, endpoints.available) == ("ws://other.example/x", (A,))


async def test_nobody_is_sent_round_and_round() -> None:
    """Five times in a row; the sixth leads nowhere, in words; and the pause of the page is between all of them."""
    async with Net("a.example") as net:
        net.redirect(A, "/rtc")
        async with opened(net, [A], "websocket") as connection:
            with pytest.raises(lifecycle.ConnectionFailed):
                await connection.ready()
            assert "we were sent on 5 times in a row, and do not go any further" in connection.why
        assert net.asked() == [A] * 6
        assert all(later.at - earlier.at >= 0.25 for earlier, later in zip(net.dials, net.dials[1:], strict=False))


async def test_in_a_row_is_without_a_ready_and_without_a_choice() -> None:
    """Who was ready between, or was asked anew, is sent on as often as there is reason."""
    async with Net("a.example") as net, opened(net, [A], max_attempts=100) as connection:
        for number in range(8):
            await connection.ready()
            leave = {"type": "leave", "leave": {"why": "moved", "to": {"url": f"/node/{number}"}}}
            net.peers["a.example"].link.send(leave)
            await trio.sleep(2)
        await connection.ready()
        assert net.asked()[-1] == "ws://a.example/node/7"
        net.redirect(A, "/node")
        net.answers["ws://a.example/node"] = (500, {})
        net.peers["a.example"].link.drop()
        await trio.sleep(14.5)
        assert net.asked()[-14:] == [A, "ws://a.example/node"] * 7


async def test_a_known_secret_is_shown_in_no_place() -> None:
    """Not even where a peer has it in the name of a host."""
    async with Net("a.example") as net:
        net.redirect(A, "ws://s3cret.example/")
        async with opened(net, [A], ticket="s3cret", max_attempts=1) as connection:
            await trio.sleep(0.5)
            assert "sends us to ws://<secret>.example" in connection.why


async def test_who_sends_us_to_nobody_has_failed() -> None:
    """The endpoint answered, and did not bring us to ready: the next one is dialled, and a probe follows as far."""
    async with Net("a.example", "b.example") as net:
        net.redirect(A, "/node")
        net.answers["ws://a.example/node"] = (500, {})
        endpoints = Endpoints([A, B], probe_every="10 s")
        async with opened(net, endpoints) as connection:
            await connection.ready()
            assert net.asked() == [A, "ws://a.example/node", B]
            assert endpoints.available == (B,)
            await trio.sleep(15)
            assert net.asked(probes=True) == [A, "ws://a.example/node"]
            assert endpoints.available == (B,)
            del net.answers["ws://a.example/node"]
            await trio.sleep(15)
            assert endpoints.available == (A, B)


async def test_a_probe_is_sent_round_no_longer_than_a_dial() -> None:
    """Six handshakes, and the endpoint is as unavailable as before."""
    async with Net("a.example", "b.example") as net:
        net.peers["a.example"].refuse(1)
        endpoints = Endpoints([A, B], probe_every="10 s")
        async with opened(net, endpoints) as connection:
            await connection.ready()
            net.redirect(A, "/rtc")
            await trio.sleep(15)
            assert net.asked(probes=True) == [A] * 6
            assert endpoints.available == (B,)


async def test_a_redirect_to_another_endpoint_is_that_endpoint() -> None:
    """The primary sends us to the second, and is well: nobody is passed by, and we do not go back and forth."""
    async with Net("a.example", "b.example") as net:
        net.redirect(A, B)
        endpoints = Endpoints([A, B], returns=True, probe_every="10 s")
        async with opened(net, endpoints, "websocket") as connection:
            await connection.ready()
            await trio.sleep(100)
            assert net.asked() == [A, B]
            assert (endpoints.current, endpoints.available) == (B, (A, B))


@pytest.mark.parametrize("code", [1001, 1012])
async def test_a_server_that_drains_is_left_for_the_next(code: int) -> None:
    """Going away and restarting: another one first, and back when a handshake goes well; a pause stays between."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], returns=True, probe_every="10 s")
        async with opened(net, endpoints, "websocket") as connection:
            await connection.ready()
            await trio.sleep(60)
            net.peers["a.example"].link.close(code)
            await net.peers["b.example"].connected()
            assert net.asked() == [A, B]
            assert net.dials[1].at - 60 >= 0.25
            assert endpoints.available == (B,)
            await trio.sleep(30)
            assert (connection.status, endpoints.current) == ("ready", A)


async def test_a_server_that_drains_alone_is_dialled_again() -> None:
    """Where there is no other, there is nobody to pass it by for."""
    async with Net("a.example") as net:
        async with opened(net, None, "websocket", url=A) as connection:
            await connection.ready()
            net.peers["a.example"].link.close(1012)
            await trio.sleep(5)
            assert connection.status == "ready"
        assert net.asked() == [A, A]


async def test_a_message_that_names_another_server_is_followed_before_and_after_ready() -> None:
    """A leave message: where it leads is dialled next, and no endpoint has failed for it."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B])
        async with opened(net, endpoints) as connection:
            await connection.ready()
            leave = {"type": "leave", "leave": {"why": "moved", "to": {"url": "wss://b.example/east?key=SECRET"}}}
            net.peers["a.example"].link.send(leave)
            await trio.sleep(3)
            assert (connection.status, endpoints.current) == ("ready", "wss://b.example/east?…")
            net.mute.add("a.example")
            net.peers["b.example"].link.drop()
            await trio.sleep(1.5)
            assert (connection.status, endpoints.current) == ("authenticating", A)
            net.peers["a.example"].link.send({"type": "leave", "leave": {"why": "moved", "to": {"url": "/west"}}})
            net.mute.clear()
            await connection.ready()
            assert endpoints.current == "ws://a.example/west"
            assert endpoints.available == (A, B)
            assert "SECRET" not in str([step.event for step in connection.history]) + connection.why


async def test_a_message_that_names_a_stranger_is_not_followed() -> None:
    """After ready nobody has failed for it, before ready the endpoint has; and `why` tells both."""
    async with Net("a.example", "b.example", "evil.example") as net:
        endpoints = Endpoints([A, B], probe_every="1 h")
        async with opened(net, endpoints) as connection:
            await connection.ready()
            leave = {"type": "leave", "leave": {"why": "moved", "to": {"url": "ws://evil.example/"}}}
            net.mute.add("a.example")
            net.peers["a.example"].link.send(leave)
            await trio.sleep(1.5)
            assert net.asked() == [A, A]
            assert "ws://evil.example, which is no host" in connection.why
            net.peers["a.example"].link.send(leave)
            await connection.ready()
            assert net.asked() == [A, A, B]
            assert endpoints.available == (B,)


async def test_a_message_that_says_drained_is_a_drain() -> None:
    """`endpoint: next` stands beside any condition; one that somebody else has sent us to is no endpoint of ours."""
    async with Net("a.example", "b.example") as net:
        endpoints = Endpoints([A, B], probe_every="1 h")
        async with opened(net, endpoints) as connection:
            await connection.ready()
            net.peers["a.example"].link.send({"type": "leave", "leave": {"why": "drained"}})
            await trio.sleep(1.5)
            assert (connection.status, endpoints.current, endpoints.available) == ("ready", B, (B,))
            net.redirect(B, "/node")
            net.peers["b.example"].link.drop()
            await trio.sleep(3)
            assert endpoints.current == "ws://b.example/node"
            net.peers["b.example"].link.send({"type": "leave", "leave": {"why": "drained"}})
            await trio.sleep(3)
            assert (endpoints.current, endpoints.available) == ("ws://b.example/node", (B,))
            assert net.asked()[-2:] == [B, "ws://b.example/node"]


async def test_a_place_to_go_is_forgotten_at_rest() -> None:
    """Who has given up and begins anew asks the endpoints, not who was named to him then."""
    async with Net("a.example", "b.example") as net:
        net.redirect(A, "/node")
        async with opened(net, [A, B], max_attempts=0) as connection:
            with pytest.raises(lifecycle.ConnectionFailed):
                await connection.ready()
            connection.tell("reconnect")
            with pytest.raises(lifecycle.ConnectionFailed):
                await connection.ready()
        assert net.asked() == [A, A]
