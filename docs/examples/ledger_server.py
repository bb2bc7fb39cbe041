"""A ledger with the faults of real ones: it breaks down in the middle, says something twice, and loses something."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import trio
import trio_websocket

BOOKED: set[str] = set()


def news(*numbers: int) -> Iterator[dict[str, Any]]:
    for number in numbers:
        yield {"type": "news", "number": number, "text": f"news {number}"}


def answers(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    answer = {"type": "answer", "id": message.get("id")}
    match message:
        case {"type": "resume", "after": after}:
            yield {"type": "resumed"}
            yield from news(1, 2) if after is None else news(after, after + 1)
        case {"method": "pay", "params": {"payment": name}}:
            new = name not in BOOKED
            BOOKED.add(name)
            if new:
                raise RuntimeError("booked, and then broken down")
            yield answer | {"ok": True, "result": f"{name} is booked"}
        case {"method": "audit"}:
            return
        case {"type": "ask"}:
            yield answer | {"ok": False, "error": {"code": "unknown_method"}}
        case {"type": "cancel"}:
            yield from news(5)


async def serve(request: trio_websocket.WebSocketRequest) -> None:
    connection = await request.accept()
    try:
        while True:
            for answer in answers(json.loads(await connection.get_message())):
                await connection.send_message(json.dumps(answer))
    except RuntimeError as error:
        await connection.aclose(1011, str(error))
    except trio_websocket.ConnectionClosed:
        return


async def main() -> None:
    async with trio.open_nursery() as nursery:
        port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
        server = await nursery.start(trio_websocket.serve_websocket, serve, "127.0.0.1", port, None)
        print(server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
