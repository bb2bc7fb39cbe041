"""A server of uvicorn in a process of its own: `/gate` sends on with 307, everywhere else it says back what it hears.

`python gate.py PORT NAME`: it prints the port when it listens. Told `codes` it says with which codes clients have left.
"""

import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn

CODES: list[int] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI: websockets only."""
    await receive()
    if scope["path"] == "/gate":
        headers = [(b"location", b"/room?from=gate")]
        await send({"type": "websocket.http.response.start", "status": 307, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
        return
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            CODES.append(event["code"])
            return
        said = {
            "name": sys.argv[2],
            "path": f"{scope['path']}?{scope['query_string'].decode()}",
            "token": dict(scope["headers"]).get(b"authorization", b"").decode(),
            "codes": CODES,
        }
        await send({"type": "websocket.send", "text": json.dumps(said)})


async def main() -> None:
    """Listen, say where, and serve."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="websockets-sansio", lifespan="off"))
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve(sockets=[listener])


asyncio.run(main())
