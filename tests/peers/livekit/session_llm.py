"""A language model that does what it was told to do."""

import asyncio
from typing import Any

from livekit.agents import APIConnectionError, APIStatusError, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

_STEP = 0.02
_SLOW = 3.0


class Model(llm.LLM):
    """Attributes: `todo`: what it does with the requests to come; then it says something."""

    def __init__(self) -> None:
        super().__init__()
        self.todo: list[str] = []
        self.calls = 0

    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> Any:
        """Answer, in a stream."""
        return Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Answer(llm.LLMStream):
    """One answer."""

    async def _run(self) -> None:
        does = self._llm.todo.pop(0) if self._llm.todo else "say"
        await asyncio.sleep(_STEP)
        for word in does.split():
            match word:
                case "say":
                    self._say("hello ")
                case "long":
                    for _ in range(50):
                        self._say("and on ")
                        await asyncio.sleep(_STEP)
                case "slow":
                    await asyncio.sleep(_SLOW)
                case "fail":
                    raise APIConnectionError
                case "refuse":
                    raise APIStatusError("no", status_code=400)
                case "nothing":
                    pass
                case tool:
                    self._call(tool)

    def _say(self, text: str) -> None:
        self._send(llm.ChoiceDelta(role="assistant", content=text))

    def _call(self, tool: str) -> None:
        self._llm.calls += 1
        call = llm.FunctionToolCall(name=tool, arguments="{}", call_id=f"call-{self._llm.calls}")
        self._send(llm.ChoiceDelta(role="assistant", tool_calls=[call]))

    def _send(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id="x", delta=delta))
