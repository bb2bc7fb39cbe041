"""The embedder: an object with the methods that a page calls, which succeed, fail, hang or return nonsense.

Law: a body that runs while its state does not last is a fault of the driver, and is told. What is returned has the
shapes that the page asks for, unless nonsense is meant.
"""

import random
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from lifecycle.definition.page import Call
from lifecycle.errors import CallFailed

if TYPE_CHECKING:
    from .world import World

URL = "ws://peer.example/"
"""Where the peer is, whoever asks."""
_SOON, _LATE = 0.8, 20.0
_WAYS = ("fails", "fails", "fails", "hangs", "returns nonsense", "is slow", "is slow", "works")
_STATUSES = (None, None, 400, 401, 403, 404, 409, 422, 429, 499, 500, 503)
_PAUSES: Mapping[int | None, float] = {429: 3.0, 503: 1.0}
_SHAPES = {
    "text": "some text",
    "number": 7,
    "flag": True,
    "duration": 600.0,
    "secret": "hidden",
    "url": URL,
    "object": {"some": 1},
}


class Embedder:
    """The calls of one run; each method of the page is an attribute.

    Args:
        world: where it is.

    Attributes:
        running: how many bodies of each name run now.
        failing: until when most of them fail or hang.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = random.Random(f"{world.seed} calls")
        self.running: dict[str, int] = {}
        self.failing = 0.0
        self._healed = trio.Event()
        for name, call in world.scene.page.calls.items():
            setattr(self, name, partial(self._yield if call.yields else self._run, name, call))

    def heal(self) -> None:
        """All is well: nothing fails any more, and what hangs comes to an end."""
        self.failing = 0.0
        self._healed.set()

    async def _run(self, name: str, call: Call, **arguments: Any) -> Mapping[str, Any]:
        self._begun(name, call, arguments)
        try:
            return await self._outcome(name, call)
        finally:
            self.running[name] -= 1

    async def _yield(self, name: str, call: Call, **arguments: Any) -> AsyncGenerator[Any, None]:
        self._begun(name, call, arguments)
        try:
            for number in range(self._dice.randint(0, 5)):
                yield {"item": number}
                await self._world.clock.sleep(self._dice.uniform(0, _SOON))
            await self._outcome(name, call)
        finally:
            self.running[name] -= 1

    def _begun(self, name: str, call: Call, arguments: Mapping[str, Any]) -> None:
        self.running[name] = self.running.get(name, 0) + 1
        if set(arguments) != set(call.takes):
            self._world.broken("calls", f"`{name}` was given {sorted(arguments)}, and takes {sorted(call.takes)}")
        self._world.judge.called(name)

    async def _outcome(self, name: str, call: Call) -> Mapping[str, Any]:
        bad = trio.current_time() < self.failing
        how = self._dice.choice(_WAYS) if bad else "works"
        await self._world.clock.sleep(self._dice.uniform(0.0, _LATE if how == "is slow" else _SOON))
        match how:
            case "fails":
                status = self._dice.choice(_STATUSES)
                raise CallFailed("simulated", f"`{name}` was to fail", status=status, retry_after=_PAUSES.get(status))
            case "returns nonsense":
                return {"nonsense": 1}
            case "hangs":
                await self._healed.wait()
                raise CallFailed("simulated", f"`{name}` hung until all was well")
        return {key: _SHAPES[shape] for key, shape in call.returns.items()}
