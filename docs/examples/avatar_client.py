"""Speak through an avatar, of whom there are only so many: BACKEND LIVE_URL. Where it cannot go on, it asks you."""

import os
import sys
from typing import Any

import trio

import lifecycle
from lifecycle.systems.hiagent import OwnSessions, Session, open_hiagent

OWN = OwnSessions()
"""One for all sessions of this program: what it has left behind, and only that, is cleared up when there is no room."""
SOUND = bytes(1280)
"""40 ms of 16 kHz, mono, 16 bits."""


class Live:
    """What is to be live: the calls of the page avatar-live."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def new_live(self) -> dict[str, Any]:
        avatar = {"avatar_type": "3min", "input_mode": "audio", "role": "someone"}
        return {"live_id": self._session.live_id, "avatar": avatar, "streaming": {"type": "bytertc"}}

    async def fresh_credentials(self) -> dict[str, Any]:
        raise lifecycle.CallFailed("no_credentials", "there is only one token")


async def ask(session: Session) -> None:
    """Ask whoever sits at the terminal."""
    while session.status != "failed":
        question = await session.question()
        print("backend:", question.words)
        print(question.say, "Retry?")
        answer = await trio.to_thread.run_sync(input, abandon_on_cancel=True)
        session.retry() if answer == "yes" else session.give_up()


async def speak(session: Session, live_url: str) -> None:
    """Speak once. Another live_id is the session's business, and so is every other code."""
    token = os.environ["AVATAR_TOKEN"]
    settings: dict[str, Any] = {"url": live_url, "app_id": "an-app", "token": token, "renew_limit": 0}
    async with lifecycle.open("avatar-live", calls=Live(session), **settings) as live:
        try:
            await live.ready()
            session.touch()
            await live.send({"header": "DAT02", "body": SOUND})
            await live.send({"header": "CTL12"})
            async for frame in live:
                if isinstance(frame["body"], dict):
                    print("avatar:", frame["body"]["type"])
                    if frame["body"]["type"] == "voice_end":
                        return
        except lifecycle.ConnectionFailed as error:
            print("lost:", error)
            session.lost_with(live)


async def main(backend: str, live_url: str) -> None:
    settings: dict[str, Any] = {"key": os.environ["BACKEND_KEY"], "own": OWN}
    settings["max_attempts"] = 0  # somebody sits here, so ask at once
    async with open_hiagent(backend, **settings) as session, trio.open_nursery() as nursery:
        nursery.start_soon(ask, session)
        try:
            await session.ready()
            print("joined")
            await speak(session, live_url)
        except lifecycle.ConnectionFailed:
            print("given up")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
