"""Real sessions of LiveKit Agents, text only, given scripts: `python session_real.py SCRIPTS RESULTS OURS`.

Law: nothing of a session is changed, and its model, ear and voice only do what the script says. What it tells is written
down by our adapter, which is found in OURS, behind all that this environment has. The clock jumps.
"""

import asyncio
import contextlib
import io
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.extend(sys.argv[3].split(os.pathsep))

import session_llm
from clock import Loop
from livekit.agents import Agent, AgentSession, APIConnectOptions, CloseReason, RunContext, llm, stt, tts
from livekit.agents.inference.interruption import InterruptionDetectionError
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.agents.voice.events import UserInputTranscribedEvent
from session_scripts import ANSWERS, RETRIES

from lifecycle.systems.livekit import record, watch

_LONG = 2.0
_SLACK = 0.001


class Ear(stt.STT):
    """Is never given anything to hear."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    async def _recognize_impl(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


class Voice(tts.TTS):
    """Is never given anything to say."""

    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=16_000, num_channels=1)

    def synthesize(self, *_: Any, **__: Any) -> Any:
        """Nothing."""
        raise NotImplementedError


class Talker(Agent):
    """Has tools, and perhaps something to say when it is to go."""

    def __init__(self, *, goodbye: bool) -> None:
        super().__init__(instructions="")
        self._goodbye = goodbye

    async def on_exit(self) -> None:
        """Say goodbye."""
        if self._goodbye:
            await self.session.say("goodbye")

    @llm.function_tool
    async def look(self) -> str:
        """Look."""
        await asyncio.sleep(0.1)
        return "seen"

    @llm.function_tool
    async def dig(self) -> str:
        """Take a while."""
        await asyncio.sleep(_LONG)
        return "found"

    @llm.function_tool
    async def wander(self, context: RunContext) -> str:
        """Go on while others speak."""
        await context.update("on the way")
        await asyncio.sleep(10 * _LONG)
        return "back"

    @llm.function_tool
    async def fall(self) -> str:
        """Fail."""
        raise ValueError("no")


class Play:
    """One script while it is played."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.model, self.ear, self.voice = session_llm.Model(), Ear(), Voice()
        options = APIConnectOptions(max_retry=RETRIES, retry_interval=0.5)
        self.session = AgentSession(
            llm=self.model,
            stt=self.ear,
            tts=self.voice,
            user_away_timeout=script["away"],
            conn_options=SessionConnectOptions(llm_conn_options=options, max_unrecoverable_errors=script["tolerance"]),
        )
        self.agent = Talker(goodbye=script["goodbye"])
        self.tasks: list[asyncio.Future[None]] = []

    async def act(self, act: dict[str, Any]) -> None:
        """Do one thing, and wait for its end, if nothing else is said."""
        with contextlib.suppress(RuntimeError):  # it is not running, or what speaks is not to be interrupted
            doing = getattr(self, act["do"])(**{key: value for key, value in act.items() if key not in ("do", "wait")})
            if act.get("wait", True):
                await doing
            else:
                self.tasks.append(asyncio.ensure_future(doing))
                await asyncio.sleep(0)

    async def start(self) -> None:
        """Start it; again is nothing."""
        await self.session.start(self.agent)

    async def turn(self, llm: str) -> None:
        """The user asks; the end of the answer."""
        self.model.todo = list(ANSWERS[llm])
        await self.session.generate_reply(user_input="hello?")

    async def say(self) -> None:
        """The program lets the agent say something."""
        await self.session.say("hello")

    async def interrupt(self) -> None:
        """What is said ends."""
        await self.session.interrupt()

    async def wait(self, seconds: float) -> None:
        """Nothing happens."""
        await asyncio.sleep(seconds)

    async def claim(self, seconds: float) -> None:
        """The program takes the user's turn."""
        async with self.session._claim_user_turn():
            await asyncio.sleep(seconds)

    async def present(self) -> None:
        """The user has pressed a key."""
        self.session.reset_away_timer()

    async def heard(self, text: str, *, final: bool = True) -> None:
        """The ear has understood something, or nothing; as the activity says it to its session."""
        self.session._user_input_transcribed(UserInputTranscribedEvent(transcript=text, is_final=final))

    async def error(self, kind: str, *, recoverable: bool) -> None:
        """A model has failed; each says so in its own way."""
        what: dict[str, Any] = {"timestamp": 0.0, "label": kind, "error": ValueError("no"), "recoverable": recoverable}
        match kind:
            case "llm":
                self.model.emit("error", llm.LLMError(**what))
            case "stt":
                self.ear.emit("error", stt.STTError(**what))
            case "tts":
                self.voice.emit("error", tts.TTSError(**what))
            case _ if (activity := self.session._activity) is not None:
                made = llm.RealtimeModelError if kind == "realtime" else InterruptionDetectionError
                activity._on_error(made(**what))

    async def aclose(self) -> None:
        """Close it at once."""
        await self.session.aclose()

    async def shutdown(self, *, drain: bool = True) -> None:
        """Close it soon."""
        self.session.shutdown(drain=drain)

    async def job_shutdown(self) -> None:
        """As the job does it, at its own end."""
        await self.session._aclose_impl(reason=CloseReason.JOB_SHUTDOWN)


async def play(script: dict[str, Any]) -> dict[str, Any]:
    """Play one script."""
    it, file, found, began = Play(script), io.StringIO(), list[str](), time.perf_counter()
    with record(it.session, file), watch(it.session, lambda finding: found.append(str(finding)), _SLACK) as watching:
        if script["started"]:
            await it.act({"do": "start"})
        for act in script["acts"]:
            await it.act(act)
        for task in it.tasks:
            task.cancel()
        await asyncio.gather(*it.tasks, return_exceptions=True)
        watching.passed()
    took = time.perf_counter() - began
    return {"reports": [json.loads(line) for line in file.getvalue().splitlines()], "found": found, "seconds": took}


def main(scripts: str, results: str, _: str) -> None:
    """Play all of a file, one a line."""
    logging.disable(logging.CRITICAL)  # what fails is what it is about
    with Path(scripts).open(encoding="utf-8") as given, Path(results).open("w", encoding="utf-8") as out:
        for line in given:
            with asyncio.Runner(loop_factory=Loop) as runner:
                out.write(json.dumps(runner.run(play(json.loads(line)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
