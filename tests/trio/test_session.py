"""Pages of the role session: run like others, with nobody at the other end."""

from collections.abc import Mapping
from typing import Any

import pytest
import trio

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import CallFailed, ConnectionEnded, IllegalEvent, NoRequests, NotSent

PAGE = read_text(
    """
lifecycle: 1
page: kettle
title: A kettle that is filled by a call
role: session
stop: unplug
parameters: {boiling: {duration: 3 min}}
variables: {pause: {duration: 0 s, max: 1 h}}
hears: {plug: {}, unplug: {}, pour: {cups: number}}
calls: {fill: {returns: {litres: number}, timeout: 10 s}}
states:
  cold: {status: idle, rest: true, clauses: {K1: {on: plug, to: filling}, K2: {on: unplug, to: away}}}
  filling:
    status: connecting
    call: fill
    clauses:
      K3: {on: done, to: heating}
      K4: {on: failed, when: event.status == 503, do: {set: {pause: =event.retry_after}}, to: dry}
      K5: {on: failed, do: {emit: {broken: {code: =event.code, status: =event.status}}}, to: away}
      K6: {on: unplug, to: away}
  dry: {status: waiting, clauses: {K7: {after: pause, to: filling}, K8: {on: unplug, to: away}}}
  heating: {status: connecting, clauses: {K9: {after: boiling, to: hot}, K10: {on: unplug, to: away}}}
  hot:
    status: ready
    rest: true
    clauses:
      K11: {on: pour, do: {emit: {poured: {cups: =event.cups}}}}
      K12: {on: unplug, to: away}
  away: {status: closed, final: done}
""",
    "kettle.yaml",
)


class Tap:
    """A tap that gives what it is told, one after the other."""

    def __init__(self, *given: float | Exception) -> None:
        self._given = list(given)

    async def fill(self) -> Mapping[str, Any]:
        """Fill, or not."""
        await trio.sleep(1)
        given = self._given.pop(0)
        if isinstance(given, Exception):
            raise given
        return {"litres": given}


async def test_a_session_lives() -> None:
    """It is told what happens, its calls and clocks run, it tells its steps, and it ends with its body."""
    async with lifecycle.open(PAGE, calls=Tap(1.5), boiling="2 min") as kettle:
        assert kettle.status == "idle"
        began = trio.current_time()
        kettle.tell("plug")
        await kettle.ready()
        assert trio.current_time() - began == pytest.approx(121)
        kettle.tell("pour", cups=2)
        assert kettle.history[-1].emitted == {"poured": {"cups": 2}}
    assert (kettle.status, kettle.counters.dials, kettle.epoch) == ("closed", 0, 0)


async def test_what_a_session_does_not_take() -> None:
    """A wish at the wrong moment is refused to its caller, and nothing can be sent."""
    async with lifecycle.open(PAGE, calls=Tap()) as kettle:
        with pytest.raises(IllegalEvent, match=r"`pour` is not allowed in cold \(allowed: plug, unplug\)"):
            kettle.tell("pour", cups=1)
        with pytest.raises(NotSent, match="a session has no transport"):
            kettle.post("tea")
        with pytest.raises(NoRequests):
            kettle.ask("tea")


async def test_messages_of_a_session() -> None:
    """None comes, and who waits for one is told when it has ended."""
    async with lifecycle.open(PAGE, calls=Tap()) as kettle:
        kettle.tell("unplug")
        assert [message async for message in kettle] == []
        with pytest.raises(ConnectionEnded):
            await kettle.ready()


async def test_a_server_that_refuses_a_call() -> None:
    """The page hears the status of the answer and the pause that it asks for."""
    busy = CallFailed("http", "Come back later.", status=503, retry_after=30)
    async with lifecycle.open(PAGE, calls=Tap(busy, 1)) as kettle:
        kettle.tell("plug")
        await trio.sleep(1.5)
        assert (kettle.status, kettle.next_try) == ("waiting", pytest.approx(29.5))
        await trio.sleep(31)
        assert kettle.state == ("heating",)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CallFailed("http", status=404), {"code": "http", "status": 404}),
        (CallFailed("leak"), {"code": "leak", "status": None}),
        (OSError("wet"), {"code": "OSError", "status": None}),
    ],
)
async def test_a_call_that_fails_otherwise(error: Exception, told: dict[str, Any]) -> None:
    """Where there was no answer there is no status."""
    async with lifecycle.open(PAGE, calls=Tap(error)) as kettle:
        kettle.tell("plug")
        await trio.sleep(2)
        assert kettle.status == "closed"
        assert kettle.history[-1].emitted == {"broken": told}


SLOW = read_text(
    """
lifecycle: 1
page: slow-kettle
title: A kettle that is emptied before it goes
role: session
stop: unplug
hears: {unplug: {}}
calls: {empty: {timeout: 10 s}, dry: {timeout: 20 s}}
states:
  full: {status: ready, rest: true, clauses: {S1: {on: unplug, to: emptying}}}
  emptying: {status: closing, call: empty, clauses: {S2: {on: [done, failed], to: drying}}}
  drying: {status: closing, call: dry, clauses: {S3: {on: [done, failed], to: away}}}
  away: {status: closed, final: done}
""",
    "slow-kettle.yaml",
)


class Sink:
    """Where it is emptied; it takes its time, and may never end."""

    def __init__(self, drying: float) -> None:
        self.drying, self.done = drying, list[str]()

    async def empty(self) -> None:
        """Empty."""
        await trio.sleep(9)
        self.done.append("emptied")

    async def dry(self) -> None:
        """Dry."""
        await trio.sleep(self.drying)
        self.done.append("dried")


@pytest.mark.parametrize(
    ("drying", "done", "took"), [(19, ["emptied", "dried"], 28), (float("inf"), ["emptied"], 29)], ids=["slow", "never"]
)
async def test_the_calls_of_a_goodbye_have_their_time(drying: float, done: list[str], took: float) -> None:
    """They are waited for until their own deadlines, and no longer."""
    sink = Sink(drying)
    began = trio.current_time()
    async with lifecycle.open(SLOW, calls=sink) as kettle:
        await kettle.ready()
    assert (kettle.status, sink.done) == ("closed", done)
    assert trio.current_time() - began == pytest.approx(took)
