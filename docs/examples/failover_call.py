import sys

import trio

from lifecycle.failover import Failover


async def ask(address, question):
    host, _, port = address.rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(f"{question}\n".encode())
        answer = b"".join([part async for part in stream])
    if not answer:
        raise ConnectionError("it hung up without an answer")
    return answer.decode()


async def main(*addresses):
    async with Failover({address: address for address in addresses}) as services:
        print(await services.call(lambda address: ask(address, "hello")))
        for address, available in services.available.items():
            print(address, "is available" if available else "is passed by")


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
