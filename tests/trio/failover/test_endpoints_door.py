"""What `urls=` takes, and what it is told that it does not: all at once, before anything is dialled."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import PageError, WrongParameters
from lifecycle.trio.failover.endpoints import Endpoints

from .net import PAGE, Net, opened, rooms

A, B = "ws://a.example/rtc", "ws://b.example/rtc"
Connected = Callable[[], Awaitable[bool]]


def problems(urls: Any, page: Any = "websocket", **parameters: Any) -> list[str]:
    """What is wrong with some urls, without the list of what parameters there are."""
    with pytest.raises(WrongParameters) as wrong:
        lifecycle.Connection(page, urls=urls, **parameters)
    return [each for each in wrong.value.problems if not each.startswith("its parameters are")]


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ([], ["`urls` is empty: write one URL at least"]),
        (A, ["`urls` must be a list of URLs, not one text"]),
        (7, ["`urls` must be a list of URLs, not int"]),
        (
            [A, "http://b.example/?key=SECRET", 5, A, "wss://user:SECRET@b.example/", "ws://b.example:99999/", A],
            [
                "`urls[1]`: 'http://b.example/' is no WebSocket URL: write `ws://host:port/path` or `wss://…`",
                "`urls[2]`: expected a URL such as `wss://host/path`, found 5",
                "`urls[3]` is `urls[0]` again: each endpoint stands there once",
                "`urls[4]`: the url holds a user name; send it in the header Authorization",
                "`urls[5]`: 'ws://b.example:99999/' is no WebSocket URL: write `ws://host:port/path` or `wss://…`",
                "`urls[6]` is `urls[0]` again: each endpoint stands there once",
            ],
        ),
        (["WS://A.example:80/rtc", A], ["`urls[1]` is `urls[0]` again: each endpoint stands there once"]),
        (Endpoints([A], probe_every="soon"), ["`probe_every`: "]),
        (Endpoints([A], probe_every=0.5), ["`probe_every` is at least 1 s"]),
        (
            Endpoints([A, B], shuffled=True, returns=True),
            ["`shuffled` endpoints have no first one to return to: leave `shuffled` or `returns` out"],
        ),
        (
            Endpoints([A], connected=True),  # type: ignore[arg-type]  # that is the mistake
            ["`connected` must be an async function that returns whether there is a network"],
        ),
    ],
)
def test_what_is_wrong_is_told_at_once(urls: Any, said: list[str]) -> None:
    """Each with its place, without what may be secret in it."""
    found = problems(urls)
    assert len(found) == len(said)
    for one, wanted in zip(found, said, strict=True):
        assert one.startswith(wanted)
        assert "SECRET" not in one


def test_it_is_told_together_with_what_else_is_wrong() -> None:
    """`url` and `urls` are one mistake, not three; a parameter that is none is told in the same error."""
    found = problems([A], url=B, nonsense=1)
    assert found[0] == "`urls` and `url`: the page dials one or the other, so leave `url` out"
    assert [each.split(":")[0] for each in found] == ["`urls` and `url`", "there is no parameter `nonsense`"]


def test_a_page_that_does_not_hear_reconnect_cannot_be_returned() -> None:
    """The page decides when to dial; one that cannot be told is not told."""
    deaf = read_text(
        PAGE.replace(", reconnect: {}", "").replace("on: [connect, reconnect]", "on: connect"), "rooms.yaml"
    )
    assert problems(Endpoints([A, B], returns=True), deaf, calls=_Calls()) == [
        "`returns` tells the page `reconnect`, which it does not hear: leave `returns` out"
    ]
    lifecycle.Connection(deaf, urls=Endpoints([A, B]), calls=_Calls())


def test_a_page_that_dials_something_else_has_no_place_for_urls() -> None:
    """An address that the page has fixed is not to be replaced."""
    text = PAGE.replace("    use: connection\n", '    use: connection\n    with: {url: "wss://fixed.example/"}\n')
    assert problems([A], read_text(text, "rooms.yaml"), calls=_Calls()) == [
        "`urls` takes the place of a parameter that the page dials, such as `dial: {url: =url}`"
    ]


def test_a_session_has_no_address() -> None:
    """Nor has a page that runs beside something else."""
    found = problems([A], "provider")
    assert "`urls` takes the place of a parameter that the page dials, such as `dial: {url: =url}`" in found


def test_they_belong_to_one_connection() -> None:
    """Who makes another connection makes other endpoints; a plain list may be given again."""
    endpoints = Endpoints([A, B])
    assert (endpoints.current, endpoints.available) == (None, ())
    lifecycle.Connection("websocket", urls=endpoints)
    assert problems(endpoints) == ["these `Endpoints` belong to another connection: make new ones for each"]


def test_those_of_a_connection_that_was_not_made_may_be_used_again() -> None:
    """Nothing half-done stays behind."""
    endpoints = Endpoints([A, B], probe_every=timedelta(seconds=10))
    assert problems(endpoints, nonsense=1)
    assert endpoints.current is None
    lifecycle.Connection("websocket", urls=endpoints)
    assert endpoints.available == (A, B)


def test_no_parameter_of_a_page_is_called_urls() -> None:
    """It could not be set."""
    with pytest.raises(PageError, match="urls"):
        read_text(PAGE.replace("  patience:", "  urls: {text: optional}\n  patience:", 1), "rooms.yaml")


async def test_another_name_of_the_parameter_does_as_well() -> None:
    """It is the parameter that the page dials, whatever it is called; and urls may be read once only."""
    text = PAGE.replace("  ticket:  {", "  gate: {url: required}\n  ticket:  {", 1)
    text = text.replace("    use: connection\n", "    use: connection\n    with: {url: =gate}\n")
    async with Net("a.example") as net, opened(net, iter([A]), read_text(text, "rooms.yaml")) as connection:
        await connection.ready()
        assert net.asked() == [A]


def test_a_plain_page_has_no_switch() -> None:
    """Where nothing can be chosen and nobody sends us anywhere, the dialer is the one that it was."""
    text = PAGE.replace("  - {http: [301-303, 307, 308], is: lost.redirected, endpoint: header}\n", "")
    text = text.replace(", endpoint: to.url", "")

    async def dialer(*_: Any) -> None:
        """Dial nothing."""

    plain = lifecycle.Connection(read_text(text, "rooms.yaml"), url=A, transport=dialer, calls=_Calls())
    assert plain._driver.dialer is dialer
    assert plain._driver.instruments is None
    assert lifecycle.Connection(rooms(), url=A, transport=dialer, calls=_Calls())._driver.dialer is not dialer


class _Calls:
    async def pay(self) -> None:
        """What `rooms` calls."""
