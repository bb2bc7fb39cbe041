"""A WebSocket server that sends each message back, as a process of its own: `echo.py PORT`. It ends with its stdin."""

import os
import resource
import sys
import threading

import trio
import trio_websocket


async def main(port: int) -> None:
    """Serve on a port of loopback."""
    await trio_websocket.serve_websocket(echo, "127.0.0.1", port, ssl_context=None)


async def echo(request: trio_websocket.WebSocketRequest) -> None:
    """Serve one connection, however it ends."""
    try:
        connection = await request.accept()
        while True:
            await connection.send_message(await connection.get_message())
    except (trio_websocket.ConnectionClosed, trio_websocket.HandshakeError, trio.BrokenResourceError):
        return


def end_with_stdin() -> None:
    """Leave nothing behind if whoever started us was killed."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    end_with_stdin()
    trio.run(main, int(sys.argv[1]))
