"""Credentials as the bundled pages have them: asked for at each dial, renewed in time, and what a bad provider does."""

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio
import trio_websocket

import lifecycle
from lifecycle.definition.read import read_text, specs
from lifecycle.errors import CallFailed, ConnectionFailed
from lifecycle.trio.connection import Connection

from .peer import REFUSED, URL, Act, Peer, closing, http, serving, tasks

LIFETIME = 100.0
"""Seconds; the page renews after 80 of them."""
NOT_ACCEPTED = "The server does not accept the credentials."
LOCKED = "`credentials` has raised OSError: the vault is locked"
KEEPING = read_text(
    (specs() / "resume.yaml")
    .read_text("utf-8")
    .replace("RM11: {on: done, to: authorizing}", "RM11: {on: done, to: online}")
)
"""The page `resume`, but that it dials again with the credentials that it has."""


@pytest.fixture(params=["trio-websocket", "websockets"])
def library(request: pytest.FixtureRequest) -> str:
    """Each library in turn."""
    return str(request.param)


class Vault:
    """The calls of the page `resume`: each gives the next of the tokens t1, t2, …, and takes a second.

    Args:
        renew: in place of the one that renews, while the connection is open.

    Attributes:
        dialled: when it was asked before a dial.
        renewed: when it was asked to renew.
        given: how many tokens it gave; a call that was cancelled gave none.
    """

    def __init__(self, renew: Callable[[], Any] | None = None) -> None:
        self.dialled: list[float] = []
        self.renewed: list[float] = []
        self.given = 0
        self._renew = renew

    async def credentials(self) -> dict[str, Any]:
        """Before a dial."""
        self.dialled.append(trio.current_time())
        return {"token": await self._next(), "lifetime": LIFETIME}

    async def renew_credentials(self) -> Any:
        """Ahead of expiry."""
        self.renewed.append(trio.current_time())
        if self._renew is not None:
            return await self._renew()
        token = await self._next()
        return {"token": token, "lifetime": LIFETIME, "frame": {"type": "renewal", "token": token}}

    async def _next(self) -> str:
        await trio.sleep(1)
        self.given += 1
        return f"t{self.given}"


def resuming(*rejected: str, times: int = 1, until: float = float("inf")) -> Act:
    """The server of the page: it takes every token but some, and refuses those so many times at once."""

    async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        while True:
            message = json.loads(await websocket.get_message())
            peer.heard.append((trio.current_time(), message["type"], message["token"]))  # type: ignore[arg-type]  # as it likes
            refused = {"type": "refused", "error": {"code": "unauthorized", "message": "token expired"}}
            replies = [refused] * times if message["token"] in rejected else [{"type": "resumed"}]
            for reply in replies:
                await websocket.send_message(json.dumps(reply))

    async def act(peer: Peer, far: Any) -> None:
        with trio.move_on_after(until):
            await serving(handle)(peer, far)

    return act


def resume(peer: Peer, calls: object, page: Any = "resume", **parameters: Any) -> Connection:
    """The page, dialling the peer."""
    return lifecycle.open(page, url=URL, calls=calls, transport=peer, seed=1, **parameters)


def said(peer: Peer) -> list[tuple[str, str]]:
    """What the server was told: of what type, with which token."""
    return [(kind, token) for _, kind, token in peer.heard]  # type: ignore[misc]  # see above


# When they are asked for


async def test_they_are_asked_for_at_each_dial(library: str) -> None:
    """Before a dial, never after; a dial that was refused does not keep what it had."""
    vault = Vault()
    async with (
        Peer(REFUSED, resuming(until=10), resuming(), library=library) as peer,
        resume(peer, vault) as connection,
    ):
        await trio.sleep(60)
        assert connection.status == "ready"
        assert [when + 1 for when in vault.dialled] == peer.dials
        assert said(peer) == [("resume", "t2"), ("resume", "t3")]


async def test_many_wishes_are_one_flight() -> None:
    """Whoever wishes a new connection cancels the call that runs and begins anew: one call comes to an end."""
    vault = Vault()
    async with Peer(resuming()) as peer, resume(peer, vault) as connection:
        await connection.ready()
        for _ in range(5):
            connection.tell("reconnect")
        await connection.ready()
        assert vault.dialled == [0, 1]
        for _ in range(5):
            connection.tell("reconnect")
            await trio.sleep(0.1)
        await connection.ready()
        assert len(vault.dialled) == 7
        assert (vault.given, len(peer.dials), said(peer)[-1]) == (3, 3, ("resume", "t3"))


async def test_many_refusals_are_one_flight(library: str) -> None:
    """Ten refusals in a row and the close behind them are one reason to ask again, also while a renewal runs."""
    vault = Vault()
    async with Peer(resuming("t1", times=10), resuming(), library=library) as peer, resume(peer, vault) as connection:
        await connection.ready()
        assert (vault.dialled, said(peer)) == ([0, peer.dials[1] - 1], [("resume", "t1"), ("resume", "t2")])
        await trio.sleep(80.5)
        assert connection.state[-1] == "online.up.ready.credentials.renewing"
        with contextlib.suppress(trio_websocket.ConnectionClosed):  # after the first
            for _ in range(10):
                await peer.sockets[-1].send_message('{"type": "refused", "error": {"code": "expired"}}')
        await trio.sleep(10)
        assert (len(vault.renewed), len(vault.dialled), said(peer)[2:]) == (1, 3, [("resume", "t3")])


async def test_they_are_renewed_ahead_of_their_expiry(library: str) -> None:
    """For an hour the peer is told of each new token before the last one is over, on the same connection."""
    vault = Vault()
    async with Peer(resuming(), library=library) as peer, resume(peer, vault) as connection:
        await trio.sleep(3600)
        assert (connection.epoch, connection.why) == (1, "")
        assert len(vault.renewed) == 44
        told = [when for when, *_ in peer.heard]  # type: ignore[misc]  # see above
        assert max(b - a for a, b in itertools.pairwise(told)) == pytest.approx(81)
        assert said(peer) == [("resume", "t1"), *(("renewal", f"t{number}") for number in range(2, 46))]


async def test_what_the_peer_is_not_told_is_for_the_next_dial() -> None:
    """A protocol that cannot take them in band has them at the next dial, where the page keeps them."""
    vault = Vault()
    async with (
        Peer(resuming(until=200), resuming()) as peer,
        resume(peer, vault, KEEPING, refresh_told=False) as connection,
    ):
        await trio.sleep(199)
        assert (said(peer), connection.variables["credentials.token"]) == ([("resume", "t1")], "t3")
        await trio.sleep(10)
        assert said(peer) == [("resume", "t1"), ("resume", "t3")]
        assert vault.dialled == [0]


# Rejected


@pytest.mark.parametrize("rejecting", [resuming("t1", "t2"), http(401), http(403)], ids=["message", "401", "403"])
async def test_rejected_twice_is_final(rejecting: Act, library: str) -> None:
    """They are fetched anew exactly once; then the page gives up, and says why."""
    vault, before = Vault(), tasks()
    async with Peer(rejecting, library=library) as peer, resume(peer, vault) as connection:
        with pytest.raises(ConnectionFailed, match=NOT_ACCEPTED):
            await connection.ready()
        await trio.sleep(1000)
        assert (len(vault.dialled), len(peer.dials)) == (2, 2)
        assert connection.why.startswith(f"{NOT_ACCEPTED} — the peer ")
        assert connection.why.endswith(" (2 times)")
    assert tasks() == before


async def test_a_connection_that_proved_healthy_may_fetch_again() -> None:
    """Being rejected counts from the last healthy connection on, not for ever."""
    vault = Vault()
    script = [resuming("t1"), resuming(until=20), resuming("t3"), resuming()]
    async with Peer(*script) as peer, resume(peer, vault) as connection:
        await trio.sleep(60)
        assert connection.status == "ready"
        assert [token for _, token in said(peer)] == ["t1", "t2", "t3", "t4"]


class Gateway(Vault):
    """The calls of the page `openclaw-gateway`."""

    async def sign_connect(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
        """At each dial, when the gateway has challenged."""
        assert challenge == {"nonce": 1}
        return {"frame": {"type": "req", "id": "connect", "token": (await self.credentials())["token"]}}

    async def pair_device(self) -> None:
        """Never here."""
        raise AssertionError

    async def fresh_credentials(self) -> None:
        """After a rejection."""
        self.renewed.append(trio.current_time())
        if self._renew is not None:
            await self._renew()


async def reject(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
    """Challenge, and accept no token."""
    await websocket.send_message('{"type":"event","event":"connect.challenge","payload":{"nonce":1}}')
    await websocket.get_message()
    error = {"code": "INVALID_REQUEST", "details": {"code": "AUTH_TOKEN_MISMATCH"}}
    await websocket.send_message(json.dumps({"type": "res", "id": "connect", "ok": False, "error": error}))
    await websocket.get_message()


async def test_a_gateway_that_accepts_no_token(library: str) -> None:
    """Each dial signs with what is there then; fresh ones are fetched as often as the page says, and no more."""
    vault = Gateway()
    async with Peer(serving(reject), library=library) as peer, resume(peer, vault, "openclaw-gateway") as connection:
        with pytest.raises(ConnectionFailed, match=r"Check gateway\.auth"):
            await connection.ready()
        assert (len(peer.dials), len(vault.dialled), len(vault.renewed)) == (3, 3, 2)


async def test_a_gateway_whose_client_has_no_fresh_ones() -> None:
    """When fetching fails there is nothing to dial with, and the page says both why."""
    vault = Gateway(locked)
    async with Peer(serving(reject)) as peer, resume(peer, vault, "openclaw-gateway") as connection:
        with pytest.raises(ConnectionFailed):
            await connection.ready()
        assert connection.why == (
            "The gateway does not accept the token or password. Check gateway.auth. — the peer refuses: "
            "INVALID_REQUEST; then No fresh credentials could be had. — "
            "`fresh_credentials` has raised OSError: the vault is locked"
        )
        assert len(peer.dials) == 1


# A provider that does not do what it should


async def locked() -> None:
    """A provider that raises."""
    raise OSError("the vault is locked")


async def in_a_group() -> None:
    """One that uses a nursery of its own."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(locked)


async def told() -> None:
    """One that says why by itself."""
    raise CallFailed("locked", "The vault is locked until Monday.")


async def curt() -> None:
    """One that says a code only."""
    raise CallFailed("locked")


async def stream() -> AsyncIterator[int]:
    """One that is a generator."""
    yield 1


def giving(value: object) -> Callable[[], Any]:
    """One that returns something else."""

    async def give() -> object:
        return value

    return give


def missing(found: str) -> str:
    """What is said of a result with other keys."""
    return f"`credentials` must return a mapping with token, lifetime; it returned {found}"


BAD: dict[str, tuple[Any, str]] = {
    "raises": (locked, LOCKED),
    "raises in a group": (in_a_group, LOCKED),
    "says why": (told, "The vault is locked until Monday."),
    "says a code": (curt, "`credentials` has failed: locked"),
    "hangs": (trio.sleep_forever, "`credentials` has not answered in time"),
    "is not async": (dict, "`credentials` must be an async method; it returned dict"),
    "is a generator": (stream, "`credentials` must be an async method; it returned async_generator"),
    "takes arguments": (lambda token: token, "`credentials` has raised TypeError: "),
    "none": (giving(None), missing("none")),
    "text": (giving("t1"), missing("str")),
    "too little": (giving({"token": "t1"}), missing("token")),
    "too much": (giving({"token": "t1", "lifetime": 1, "user": "me"}), missing("lifetime, token, user")),
    "bytes": (giving({"token": b"hunter2", "lifetime": 100}), "wrong `token`: expected a text for a secret"),
    "a number": (giving({"token": 5, "lifetime": 100}), "wrong `token`: expected a text for a secret"),
    "no unit": (giving({"token": "hunter2", "lifetime": "3600"}), "wrong `lifetime`: '3600' is no duration"),
    "negative": (giving({"token": "hunter2", "lifetime": -1}), "wrong `lifetime`: -1 is negative or endless"),
    "not a number": (giving({"token": "hunter2", "lifetime": float("nan")}), "wrong `lifetime`: nan is negative"),
}


@pytest.mark.parametrize(("provider", "why"), BAD.values(), ids=BAD)
async def test_a_bad_provider_before_a_dial(provider: Any, why: str) -> None:
    """Nothing is dialled, it is asked again as often as the page says, and one cause is told; no secret with it."""
    before = tasks()

    class Bad(Vault):
        credentials = staticmethod(provider)

    async with Peer(resuming()) as peer:
        async with resume(peer, Bad(), max_attempts=2) as connection:
            with pytest.raises(ConnectionFailed) as caught:
                await connection.ready()
            assert why in connection.why
            assert connection.why in str(caught.value)
            assert connection.why.count(why) == 2  # the last one is told with the page's sentence
            assert "hunter2" not in connection.why + repr(connection.history)
            # in vain three times, ten seconds each at most, and two pauses
            assert trio.current_time() < 3 * 10 + 1 + 2 + 1
        assert peer.dials == []
    assert tasks() == before


@pytest.mark.parametrize(
    ("provider", "why"),
    [
        (locked, "`renew_credentials` has raised OSError: the vault is locked"),
        (trio.sleep_forever, "`renew_credentials` has not answered in time"),
        (giving(None), "`renew_credentials` must return a mapping with token, lifetime, frame; it returned none"),
        (giving({"token": b"hunter2", "lifetime": 9, "frame": {}}), "`renew_credentials` has returned a wrong `token`"),
    ],
    ids=["raises", "hangs", "none", "bytes"],
)
async def test_a_bad_provider_of_renewals(provider: Any, why: str, library: str) -> None:
    """The connection lives on while renewing is tried again; then it is made anew by those of a new dial."""
    vault, before = Vault(provider), tasks()
    async with Peer(resuming(), library=library) as peer, resume(peer, vault) as connection:
        await trio.sleep(1 + 0.8 * LIFETIME + 10.5)
        assert (connection.status, connection.epoch) == ("ready", 1)
        assert connection.why.startswith(why)
        await trio.sleep(3 * (10 + 10) + 5)
        assert (connection.status, connection.epoch, vault.given) == ("ready", 2, 2)
        assert said(peer) == [("resume", "t1"), ("resume", "t2")]
        assert sum(step.cause.startswith(why) for step in connection.history) == 4
    assert tasks() == before


async def test_a_frame_that_cannot_be_written(library: str) -> None:
    """A renewal whose frame is no JSON is a cause like others: the connection is made anew, and does not crash."""
    vault = Vault(giving({"token": "t2", "lifetime": LIFETIME, "frame": {"token": b"hunter2"}}))
    async with Peer(resuming(), library=library) as peer, resume(peer, vault) as connection:
        await trio.sleep(81.5)
        assert "`credentials.renewal`" in connection.why
        assert "hunter2" not in connection.why
        await connection.ready()
        assert said(peer) == [("resume", "t1"), ("resume", "t2")]


async def test_no_provider_outlives_the_door(library: str) -> None:
    """Leaving cancels the call that runs, before a dial and while open, and takes no time."""
    vault, before = Vault(trio.sleep_forever), tasks()
    async with Peer(resuming(), closing(1000), library=library) as peer:
        async with resume(peer, vault) as connection:
            await trio.sleep(0.5)
            assert connection.status == "authenticating"
        assert (trio.current_time(), peer.dials) == (0.5, [])
        async with resume(peer, vault) as connection:
            await trio.sleep(82)
            assert connection.state[-1] == "online.up.ready.credentials.renewing"
        assert trio.current_time() == 82.5
    assert tasks() == before
