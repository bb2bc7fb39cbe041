"""A client of an OpenClaw gateway: it tells how it is, says something, and prints what comes of it."""

import contextlib
import sys

import trio

import lifecycle
from lifecycle.systems.openclaw import Gateway, open_gateway


async def tell(gateway: Gateway) -> None:
    async for step in gateway.connection.changes():
        if step.status != step.status_before:
            print(step.status, step.say or (gateway.why if step.status == "waiting" else ""))


async def main(url: str, token: str, text: str) -> None:
    async with trio.open_nursery() as nursery, open_gateway(url, token=token, device="device.pem") as gateway:
        nursery.start_soon(tell, gateway)
        with contextlib.suppress(lifecycle.ConnectionFailed):  # `tell` has said why
            await gateway.ready()
            events = gateway.events("chat")
            run = await gateway.chat_send(gateway.session_key, text)
            async for event in events:
                match event:
                    case {"payload": {"runId": name, "state": state, **said}} if name == run["runId"]:
                        print(state, said.get("deltaText", ""))
                        if state in ("final", "aborted", "error"):
                            return


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
