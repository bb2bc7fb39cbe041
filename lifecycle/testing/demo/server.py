"""The demo's server: a plain trio-websocket server in a process of its own, to be stopped and killed.

Law: it knows nothing of lifecycle. It numbers what it sends within each connection, reports on its
standard output what it sends and receives before it does anything else with it, and takes orders
as JSON lines on its standard input.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio_websocket

EVERY = 0.05


class Server:
    """One listening server.

    Attributes:
        slamming: how many connections are still closed as soon as they are open.
        quiet: whether nothing more is sent.
    """

    def __init__(self) -> None:
        self.slamming = 0
        self.quiet = False
        self.connections: dict[str, trio_websocket.WebSocketConnection] = {}

    async def serve(self, port: int, tell: Callable[..., None]) -> None:
        """Serve until the process ends."""
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, self._handler(tell), [listener])
            tell(listening=listener.socket.getsockname()[1])
            await self._obey(nursery)
            nursery.cancel_scope.cancel()

    async def _obey(self, nursery: trio.Nursery) -> None:
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            order = json.loads(line)
            self.slamming = order.get("slam", self.slamming)
            self.quiet = order.get("quiet", self.quiet)
            if "close" in order:
                for connection in list(self.connections.values()):
                    nursery.start_soon(self._close, connection, order["close"])

    async def _close(self, connection: Any, code: int) -> None:
        try:
            await connection.aclose(code, "demo")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def _handler(self, tell: Callable[..., None]) -> Callable[[trio.SocketStream], Awaitable[None]]:
        async def handle(stream: trio.SocketStream) -> None:
            # one client must not end the server of all, whatever it does, or did while this process was stopped
            try:
                async with trio.open_nursery() as nursery:
                    request = await trio_websocket.wrap_server_stream(nursery, stream)
                    await self._admit(request, tell)
                    nursery.cancel_scope.cancel()
            except Exception as error:  # noqa: BLE001 -- as said above
                tell(trouble=repr(error))

        return handle

    async def _admit(self, request: trio_websocket.WebSocketRequest, tell: Callable[..., None]) -> None:
        connection = await request.accept()
        if self.slamming:
            self.slamming -= 1
            await connection.aclose(1011, "slammed")
            return
        name = f"{trio.current_time():.6f}"
        self.connections[name] = connection
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, connection, name, tell, nursery.cancel_scope)
                await self._receive(connection, tell)
                nursery.cancel_scope.cancel()
        finally:
            del self.connections[name]

    async def _send(self, connection: Any, name: str, tell: Callable[..., None], scope: trio.CancelScope) -> None:
        number = 0
        try:
            while True:
                if not self.quiet:
                    tell(sent=number, on=name)
                    await connection.send_message(f"s {name} {number}")
                    number += 1
                await trio.sleep(EVERY)
        except trio_websocket.ConnectionClosed:
            scope.cancel()

    async def _receive(self, connection: Any, tell: Callable[..., None]) -> None:
        try:
            while True:
                message = str(await connection.get_message())
                tell(got=int(message.split()[1]))
                await connection.send_message(f"a {message.split()[1]}")
        except trio_websocket.ConnectionClosed:
            return


def _tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(Server().serve, int(sys.argv[1]), _tell)
