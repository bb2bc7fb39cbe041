"""A server that greets: {"type": "hello"} is answered with a welcome, text is echoed."""

import json
import sys

import trio
import trio_websocket


async def greet(request: trio_websocket.WebSocketRequest) -> None:
    connection = await request.accept()
    try:
        while True:
            message = json.loads(await connection.get_message())
            if message["type"] == "hello":
                answer = {"type": "welcome"}
            elif message.get("text") == "restart":
                await connection.aclose(1012, "restart")
                return
            else:
                answer = {"type": "text", "text": message["text"].upper()}
            await connection.send_message(json.dumps(answer))
    except trio_websocket.ConnectionClosed:
        return


async def main() -> None:
    async with trio.open_nursery() as nursery:
        port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
        server = await nursery.start(trio_websocket.serve_websocket, greet, "127.0.0.1", port, None)
        print(server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
