"""A chat over Socket.IO, for who knows the word: everybody hears what anybody says. [PORT]"""

import sys

import trio

import lifecycle


class Calls:
    async def authorize(self, *, namespace: str, auth: dict | None, **_: str) -> None:
        if namespace != "/":
            raise lifecycle.CallFailed("namespace", "Invalid namespace")
        if (auth or {}).get("token") != "mellon":
            raise lifecycle.CallFailed("token", "You do not know the word.")


async def main(port: int = 0) -> None:
    there: set[lifecycle.Connection] = set()

    async def chat(client: lifecycle.Connection) -> None:
        await client.ready()
        there.add(client)
        try:
            async for message in client:
                if isinstance(message, lifecycle.Discontinuity) or message["packet"] != "event":
                    continue
                for other in there:
                    other.post({"event": "said", "args": message["args"]})
                if "id" in message:  # who said it wants to know that it was heard
                    client.post({"packet": "ack", "id": message["id"], "args": [len(there)]})
        finally:
            there.discard(client)

    async with lifecycle.serve("socketio-server", chat, port=port, calls=Calls()) as server:
        print(server.port, flush=True)
        await trio.sleep_forever()


trio.run(main, *map(int, sys.argv[1:]))
