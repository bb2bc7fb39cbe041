"""A client of a Convai character: it says something, and prints what comes of it, and how the session is."""

import os
import sys

import trio

import lifecycle
from lifecycle.systems import convai


async def main(url: str, character: str, text: str) -> None:
    over = trio.Event()

    def said(message: convai.Message) -> None:
        if message.type == "bot-llm-text":
            print("says:", message.data["text"])

    async with convai.open_convai(os.environ["CONVAI_API_KEY"], character, base_url=url) as session:
        session.on(convai.StateChanged, lambda event: print(event.state))
        session.on(convai.Message, said)
        session.on(convai.ServerResponse, lambda response: print(response.event_type, response.status))
        session.on(convai.TurnCompleted, lambda _: over.set())
        session.on(convai.Trouble, lambda event: print("trouble:", event.error))
        session.on(convai.Disconnected, lambda event: print(event.sentence))
        try:
            await session.ready()
            await session.send_text(text)
            with trio.move_on_after(30):
                await over.wait()
        except lifecycle.LifecycleError as error:
            print("given up:", error)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
