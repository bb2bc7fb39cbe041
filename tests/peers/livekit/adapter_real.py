"""The real FallbackAdapters of LiveKit Agents, given scripts: `python adapter_real.py SCRIPTS RESULTS …`.

Law: nothing of them is changed; only asyncio's clock is another one. It runs in an environment of its own, in which
there is nothing of ours but what stands beside it.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from adapter_scripts import TIMEOUT, text
from clock import Loop
from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError, llm, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

_LATER = 120.0


class Row:
    """What one provider does, one entry a try.

    Args:
        number: of the provider.
        does: its entries.
        tries: takes when it is asked.
    """

    def __init__(self, number: int, does: list[dict[str, Any]], tries: list[list[Any]]) -> None:
        self.number, self.does, self.tries, self.count = number, does, tries, 0

    async def act(self, timeout: float, give: Callable[[str], None]) -> str:  # noqa: ASYNC109 -- it is handed to us
        """Do the next thing; the text that is said in one piece."""
        number, self.count = self.count, self.count + 1
        does = self.does[number]
        self.tries.append([asyncio.get_running_loop().time(), self.number])
        assert timeout == TIMEOUT
        for piece, wait in enumerate(does["waits"]):
            if piece:
                give(text(self.number, number, piece))
            await asyncio.sleep(wait)
        match does["does"]:
            case "connection":
                raise APIConnectionError
            case "timeout":
                raise APITimeoutError
            case "status":
                raise APIStatusError("no", status_code=does["status"])
            case "value":
                raise ValueError("no")
            case "hang":
                await asyncio.sleep(timeout)
                raise APITimeoutError
        return text(self.number, number, 0)


class Model(llm.LLM):
    """A language model that does what its row says."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row

    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> Any:
        """Answer, in a stream."""
        return Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Answer(llm.LLMStream):
    """One answer."""

    async def _run(self) -> None:
        def give(said: str) -> None:
            delta = llm.ChoiceDelta(role="assistant", content=said)
            self._event_ch.send_nowait(llm.ChatChunk(id="x", delta=delta))

        await self._llm.row.act(self._conn_options.timeout, give)


class Ear(stt.STT):
    """Recognizes speech as its row says."""

    def __init__(self, row: Row) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self.row = row

    async def _recognize_impl(self, buffer: Any, *, language: Any, conn_options: Any) -> stt.SpeechEvent:
        said = await self.row.act(conn_options.timeout, lambda _: None)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[stt.SpeechData(language="en", text=said)]
        )


def kind(error: BaseException) -> str:
    """An error in the words of a result."""
    match error:
        case APITimeoutError():
            return "timeout"
        case APIConnectionError():
            return "all failed" if str(error).startswith(("all LLMs failed", "all STTs failed")) else "connection"
        case APIStatusError():
            return f"status {error.status_code}"
    return "value" if isinstance(error, ValueError) else repr(error)


def adapter_of(script: dict[str, Any], rows: list[Row]) -> Any:
    """The real adapter over providers of a script."""
    if script["hears"]:
        return stt.FallbackAdapter(
            [Ear(row) for row in rows],
            attempt_timeout=TIMEOUT,
            max_retry_per_stt=script["max_retry"],
            retry_interval=script["retry_interval"],
        )
    return llm.FallbackAdapter(
        [Model(row) for row in rows],
        attempt_timeout=TIMEOUT,
        max_retry_per_llm=script["max_retry"],
        retry_interval=script["retry_interval"],
        retry_on_chunk_sent=script["retry_on_chunk_sent"],
        sticky=script["sticky"],
    )


async def said_by(adapter: Any) -> AsyncIterator[str]:
    """What is said to one request."""
    if isinstance(adapter, stt.STT):
        yield (await adapter.recognize([])).alternatives[0].text
        return
    async with contextlib.aclosing(adapter.chat(chat_ctx=llm.ChatContext.empty())) as stream:
        async for chunk in stream:
            yield chunk.delta.content


async def play(script: dict[str, Any]) -> dict[str, Any]:
    """Play one script."""
    loop = asyncio.get_running_loop()
    tries: list[list[Any]] = []
    told: list[list[Any]] = []
    adapter = adapter_of(script, [Row(number, does, tries) for number, does in enumerate(script["providers"])])
    what = "stt" if script["hears"] else "llm"
    adapter.on(
        f"{what}_availability_changed",
        lambda event: told.append([loop.time(), getattr(event, what).row.number, event.available]),
    )

    async def ask(request: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(request["at"] - loop.time())
        said, how = "", "ok"
        try:
            async with asyncio.timeout(request["patience"]), contextlib.aclosing(said_by(adapter)) as pieces:
                async for piece in pieces:
                    said += piece
        except TimeoutError:
            how = "given up"
        except Exception as error:  # noqa: BLE001 -- it is the result
            how = kind(error)
        return {"text": said, "how": how, "until": loop.time()}

    results = await asyncio.gather(*map(ask, script["requests"]))
    await asyncio.sleep(_LATER)
    available = [status.available for status in adapter._status]
    return {"tries": tries, "told": told, "results": list(results), "available": available}


def main(scripts: str, results: str) -> None:
    """Play all of a file, one a line."""
    logging.disable(logging.CRITICAL)  # what fails is what it is about
    with Path(scripts).open(encoding="utf-8") as given, Path(results).open("w", encoding="utf-8") as out:
        for line in given:
            with asyncio.Runner(loop_factory=Loop) as runner:
                out.write(json.dumps(runner.run(play(json.loads(line)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
