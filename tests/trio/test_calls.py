"""The embedder's methods: what becomes of what they return, raise, or do not do in time."""

from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.literal import Secret
from lifecycle.definition.read import read_text
from lifecycle.errors import CallFailed, ConnectionFailed
from lifecycle.trio.calls import checked
from lifecycle.trio.connection import Connection

from .peer import PAGE, URL, Peer, Signer, gateway, tasks

PAGE_ = read_text(PAGE)


class Methods:
    """One method that does what it is told."""

    def __init__(self, do: Any) -> None:
        self.do = do

    async def sign(self, *, challenge: dict[str, Any]) -> Any:
        """Sign, or not."""
        return await self.do(challenge) if callable(self.do) else self.do


def connect(peer: Peer, do: Any) -> Connection:
    """The page with the call."""
    return lifecycle.open(PAGE_, url=URL, calls=Methods(do), transport=peer, seed=1)


def signed(peer: Peer, calls: object) -> Connection:
    """The page with a call and requests, dialling the peer."""
    return lifecycle.open(PAGE_, url=URL, calls=calls, transport=peer, seed=1)


async def failure(do: Any) -> dict[str, Any]:
    """What the page is told of a call that fails."""
    async with Peer(gateway()) as peer, connect(peer, do) as connection:
        with pytest.raises(ConnectionFailed):
            await connection.ready()
        (told,) = [step.emitted["unsigned"] for step in connection.history if step.emitted]
        return dict(told)


async def test_a_result() -> None:
    """Its keys are the fields of `done`; what is secret shows itself nowhere."""
    async with Peer(gateway()) as peer, signed(peer, Signer()) as connection:
        await connection.ready()
        await trio.testing.wait_all_tasks_blocked()
        assert peer.heard == [{"t": "hello", "signed": 1}]
        assert isinstance(connection.variables["token"], Secret)
        assert "hidden" not in repr((connection.variables, connection.history))


async def test_an_exception_has_its_name_as_code() -> None:
    """Alone in a group it counts as itself."""

    async def plain(_: object) -> None:
        raise KeyError("key")

    async def grouped(_: object) -> None:
        raise ExceptionGroup("g", [ExceptionGroup("h", [KeyError("key")])])

    for do in (plain, grouped):
        assert await failure(do) == {"code": "KeyError", "message": "`sign` has failed: 'key'"}


async def test_a_call_chooses_its_code() -> None:
    """CallFailed says code and message."""

    async def fail(_: object) -> None:
        raise CallFailed("locked", "The key is locked.")

    assert await failure(fail) == {"code": "locked", "message": "The key is locked."}


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (None, "none"),
        ({"frame": {}}, "frame"),
        ({"frame": {}, "token": "", "more": 1}, "frame, more, token"),
        ([1], "list"),
    ],
)
async def test_a_wrong_result(result: object, found: str) -> None:
    """It must have exactly the keys that the page says."""
    told = await failure(result)
    assert told["code"] == "wrong_result"
    assert told["message"] == f"`sign` must return a mapping with frame, token; it returned {found}"


async def test_a_call_that_takes_too_long() -> None:
    """Its deadline is the page's, and its code is timeout."""

    async def sleep(_: object) -> None:
        await trio.sleep_forever()

    assert await failure(sleep) == {"code": "timeout", "message": "`sign` has not answered in time"}
    assert trio.current_time() == pytest.approx(10)


async def test_a_call_whose_state_is_left() -> None:
    """It is cancelled at once, its result is not waited for, and what it raises then does not count."""
    ends: list[float] = []

    async def stubborn(_: object) -> dict[str, Any]:
        try:
            await trio.sleep(5)
        except trio.Cancelled:
            ends.append(trio.current_time())
            raise
        return {}

    async with Peer(gateway()) as peer, connect(peer, stubborn) as connection:
        await trio.sleep(1)
        assert connection.state == ("online.up.signing",)
        connection.tell("reconnect")
        await trio.sleep(1)
        assert ends == pytest.approx([1])
        assert connection.state == ("online.up.signing",)
        assert connection.epoch == 2


async def test_a_call_that_cannot_be_cancelled() -> None:
    """Its result comes too late, and changes nothing."""
    done: list[str] = []

    async def shielded(_: object) -> dict[str, Any]:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)
        done.append("done")
        return {"frame": {"t": "late"}, "token": "x"}

    async with Peer(gateway()) as peer, connect(peer, shielded) as connection:
        await trio.sleep(1)
        connection.tell("disconnect")
        await trio.sleep(3)
        assert done == ["done"]
        assert connection.status == "closed"
        assert peer.heard == []


async def test_a_call_whose_state_is_left_before_it_began() -> None:
    """Not a line of it is run."""
    async with Peer(gateway()) as peer:
        began: list[int] = []

        async def begin(_: object) -> None:
            began.append(1)
            await trio.sleep_forever()

        async with connect(peer, begin) as connection:
            await trio.sleep(1)
            driver = connection._driver
            effect = next(iter(driver.calls._scopes))
            from lifecycle.machine.effects import StartCall, StopCall

            driver.calls.start(StartCall("sign", effect, 0, {"challenge": {}}))
            driver.calls.stop(StopCall("sign", effect))
            await trio.testing.wait_all_tasks_blocked()
            assert began == [1]


async def test_the_end_cancels_calls() -> None:
    """No task of a call outlives the door."""

    async def sleep(_: object) -> None:
        await trio.sleep_forever()

    before = tasks()
    async with Peer(gateway()) as peer, connect(peer, sleep):
        await trio.sleep(1)
    assert tasks() == before


def test_what_a_result_may_be() -> None:
    """Durations are read, and a result without keys may be none."""
    page = lifecycle.read("openclaw-gateway")
    assert checked(page, "pair_device", None) == {}
    with pytest.raises(ValueError, match="with no keys; it returned x"):
        checked(page, "pair_device", {"x": 1})
    resume = lifecycle.read("resume")
    assert checked(resume, "credentials", {"token": "t", "lifetime": "2 min"}) == {"token": "t", "lifetime": 120.0}
    with pytest.raises(ValueError, match="duration"):
        checked(resume, "credentials", {"token": "t", "lifetime": "soon"})
