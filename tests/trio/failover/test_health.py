"""Whether one provider can be used: told at the edge, probed one at a time."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from lifecycle.errors import CallFailed, ConnectionEnded, IllegalEvent, WrongParameters
from lifecycle.trio.failover.health import Health


class Probe:
    """A probe that does what it is told, and remembers when it was asked."""

    def __init__(self, *does: object) -> None:
        self.does, self.asked = list(does), list[float]()

    async def __call__(self) -> None:
        """Return, raise, or take so many seconds."""
        self.asked.append(trio.current_time())
        match self.does.pop(0) if self.does else None:
            case Exception() as error:
                raise error
            case float(seconds):
                await trio.sleep(seconds)


@contextlib.asynccontextmanager
async def healthy(probe: Probe, **parameters: Any) -> AsyncIterator[tuple[Health, list[tuple[str, bool]]]]:
    """A health that runs, and the edges that it has told."""
    edges = list[tuple[str, bool]]()
    parameters = {"probe_every": None, **parameters}
    health = Health("one", probe, told=lambda *edge: edges.append(edge), **parameters)
    async with trio.open_nursery() as nursery:
        assert await nursery.start(health.run) is health
        yield health, edges
        nursery.cancel_scope.cancel()


async def test_the_edge_is_told_once() -> None:
    """Failures in a row are one edge; a probe that succeeds is the other."""
    probe = Probe()
    async with healthy(probe) as (health, edges):
        assert health.available
        health.served()
        health.missed()
        health.failed()
        health.failed()
        assert edges == [("one", False)]
        assert not health.available
        health.missed()
        assert health.probing
        await trio.testing.wait_all_tasks_blocked()
        assert edges == [("one", False), ("one", True)]
        assert health.available
        assert len(probe.asked) == 1


async def test_one_probe_is_in_flight() -> None:
    """Who is missed again meanwhile is not probed twice; after a probe that failed, he is probed anew."""
    probe = Probe(5.0, ValueError("no"), CallFailed("no"))
    async with healthy(probe, probe_timeout=3) as (health, edges):
        health.failed()
        for _ in range(3):
            health.missed()
        await trio.sleep(4)
        assert len(probe.asked) == 1  # and it was too slow
        for count in (2, 3):
            health.missed()
            await trio.testing.wait_all_tasks_blocked()
            assert len(probe.asked) == count
            assert not health.probing
        assert edges == [("one", False)]


async def test_probes_by_the_clock() -> None:
    """While it is unavailable it is probed by itself, if that is wished; requests need not ask for it."""
    probe = Probe(OSError(), OSError())
    async with healthy(probe, probe_every="10 s", probe_on_request=False) as (health, edges):
        await trio.sleep(60)
        assert probe.asked == []
        health.failed()
        health.missed()
        await trio.sleep(60)
        assert probe.asked == [70.0, 80.0, 90.0]
        assert edges == [("one", False), ("one", True)]


@pytest.mark.parametrize(("heals", "available"), [(True, True), (False, False)])
async def test_who_serves_while_unavailable(heals: bool, available: bool) -> None:  # noqa: FBT001
    """It is believed, or only a probe is; a probe that is on its way goes on, and tells no second edge."""
    probe = Probe(5.0)
    async with healthy(probe, served_heals=heals) as (health, edges):
        health.failed()
        health.missed()
        health.served()
        assert health.available == available
        assert health.probing
        await trio.sleep(6)
        assert edges == [("one", False), ("one", True)]
        assert not health.probing


async def test_before_and_after() -> None:
    """Nobody can be told who has not begun; who has ended hears nothing; it runs once; wrong parameters are told at once."""
    health = Health("one", Probe(OSError()))
    with pytest.raises(IllegalEvent, match="has not begun"):
        health.failed()
    async with trio.open_nursery() as nursery:
        await nursery.start(health.run)
        health.failed()
        health.missed()
        await trio.testing.wait_all_tasks_blocked()
        assert not health.available
        nursery.cancel_scope.cancel()
    health.served()
    health.missed()
    assert not health.available
    assert not health.probing
    with pytest.raises(ConnectionEnded):
        await health.run()
    with pytest.raises(WrongParameters, match="probe_often"):
        Health("one", Probe(), probe_often=True)
