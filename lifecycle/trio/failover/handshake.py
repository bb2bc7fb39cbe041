"""A handshake that is made only to see whether it can be: opened, and closed at once.

Law: it owns all its tasks, has a bound, and leaves no connection behind; what it opened is used for nothing.
"""

import trio

from lifecycle.trio.groups import alone
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.dialer import Dialer
from lifecycle.trio.transports.transport import Transport, TransportFailed
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import ErrorEnding

GOODBYE = 5.0
"""Seconds that the peer has for its side of the goodbye."""


async def shake_hands(dialer: Dialer, request: DialRequest) -> None:
    """Dial, and close with 1000 as soon as it is open.

    Args:
        dialer: makes the transport.
        request: what to ask for.

    Raises:
        TransportFailed: it did not open.
    """
    made: list[Transport] = []
    settled = trio.Event()
    failed = TransportFailed(ErrorEnding("eof", "the connection ended while it was made"))

    def join(transport: Transport, _: Pipe) -> None:
        made.append(transport)
        transport.close(1000)
        settled.set()

    async def dial() -> None:
        nonlocal failed
        try:
            await dialer(request, nursery.start_soon, join)
        except TransportFailed as error:
            failed = error
        finally:
            settled.set()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial)
            await settled.wait()
            for transport in made:
                with trio.move_on_after(GOODBYE):
                    while transport.ended is None:
                        await transport.receive()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise alone(group) from None
    finally:
        for transport in made:
            transport.abort()
    if not made:
        raise failed
