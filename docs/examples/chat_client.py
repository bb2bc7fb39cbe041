"""Say something to a chat over Socket.IO, and print what is said there: URL TOKEN WORDS."""

import sys

import trio

import lifecycle


async def main(url: str, token: str, words: str) -> None:
    async with lifecycle.open("socketio", url=url, token=token) as chat:
        heard = await chat.request("say", [words])  # waits until it is connected, and for the acknowledgement
        print("heard by", *heard)
        async for message in chat:
            if isinstance(message, lifecycle.Discontinuity):
                print("something may be missing here:", message.why)
            else:
                print(*message["args"], flush=True)


trio.run(main, *sys.argv[1:])
