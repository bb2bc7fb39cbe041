"""Our failover, given the same scripts.

Law: its clock is virtual. What is deliberately ours is switched off: the provider keeps the time that it was handed, and
who has failed in the middle of its output is not probed.
"""

import functools
from collections.abc import AsyncIterator
from typing import Any

import attrs
import trio

from lifecycle.failover import AllFailed, Failover
from lifecycle.testing.virtual import run

from .adapter_scripts import TIMEOUT, text

_LATER = 120.0


class Refused(Exception):
    """A provider that answers with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status


@attrs.define
class Provider:
    """Does what its row says, one entry a try."""

    number: int
    row: list[dict[str, Any]]
    tries: list[list[Any]]
    count: int = 0

    async def chat(self) -> AsyncIterator[str]:
        """Answer, in a stream."""
        number, self.count = self.count, self.count + 1
        does = self.row[number]
        self.tries.append([trio.current_time(), self.number])
        for piece, wait in enumerate(does["waits"]):
            if piece:
                yield text(self.number, number, piece)
            await trio.sleep(wait)
        match does["does"]:
            case "connection":
                raise ConnectionError
            case "timeout":
                raise TimeoutError
            case "status":
                raise Refused(does["status"])
            case "value":
                raise ValueError("no")
            case "hang":
                await trio.sleep(TIMEOUT)
                raise TimeoutError

    async def hear(self) -> str:
        """Recognize speech, in one piece."""
        number = self.count
        async for _ in self.chat():
            pass
        return text(self.number, number, 0)


def kind(error: Exception) -> str:
    """An error in the words of a result."""
    match error:
        case AllFailed():
            return "all failed"
        case TimeoutError():
            return "timeout"
        case ConnectionError():
            return "connection"
        case Refused():
            return f"status {error.status_code}"
    return "value" if isinstance(error, ValueError) else repr(error)


async def play(script: dict[str, Any], **wrong: Any) -> dict[str, Any]:
    """Play one script; `wrong` are settings that are not the script's, for the controls."""
    tries: list[list[Any]] = []
    told: list[list[Any]] = []
    results: dict[int, dict[str, Any]] = {}
    interval = script["retry_interval"]
    settings: dict[str, Any] = {
        "sticky": script["sticky"],
        "max_retry": script["max_retry"],
        "retry_pause": {
            "delays": [0.1], "first": interval, "factor": 1, "max": interval, "jitter": "none", "floor": 0.01,
        },
        "after_output": "retry" if script["retry_on_chunk_sent"] else "fail",
        "hangs_up": not script["hears"],
        "attempt_timeout": None,
        "probe_after_output": False,
        "probe_timeout": "1 h",
    }  # fmt: skip
    rows = enumerate(script["providers"])
    failover = Failover([Provider(number, row, tries) for number, row in rows], **(settings | wrong))

    async def watch() -> None:
        told.extend([[trio.current_time(), int(edge.name), edge.available] async for edge in failover.changes()])

    async def ask(number: int, request: dict[str, Any]) -> None:
        await trio.sleep_until(request["at"])
        said, how = "", "ok"
        patience = request["patience"]
        with trio.CancelScope() as scope:
            scope.deadline = scope.deadline if patience is None else trio.current_time() + patience
            try:
                if script["hears"]:
                    said = str(await failover.call(Provider.hear))
                else:
                    async with failover.stream(Provider.chat) as pieces:
                        async for piece in pieces:
                            said += piece
            except Exception as error:  # noqa: BLE001 -- it is the result
                how = kind(error)
        if scope.cancelled_caught:
            how = "given up"
        results[number] = {"text": said, "how": how, "until": trio.current_time()}

    async with trio.open_nursery() as outer, failover:
        outer.start_soon(watch)
        async with trio.open_nursery() as nursery:
            for number, request in enumerate(script["requests"]):
                nursery.start_soon(ask, number, request)
        await trio.sleep(_LATER)
        available = list(failover.available.values())
    ordered = [results[number] for number in sorted(results)]
    return {"tries": tries, "told": told, "results": ordered, "available": available}


def played(script: dict[str, Any], **wrong: Any) -> dict[str, Any]:
    """Play one script, by the virtual clock."""
    return run(functools.partial(play, script, **wrong))
