"""Pay, and hear the news of a ledger; whatever is lost, doubled, late or taken back is told."""

import sys
from pathlib import Path

import trio

import lifecycle

PAGE = Path(__file__).with_name("ledger.yaml")


def shown(message: object) -> object:
    match message:
        case lifecycle.Discontinuity(kind="gap"):
            return f"gap: {message.missed} missing between {message.since} and {message.until}"
        case lifecycle.Discontinuity():
            return f"{message.kind} after {message.since}: {message.why}"
    return message


async def main(url: str) -> None:
    async with lifecycle.open(PAGE, url=url, redial={"first": "100 ms"}) as connection:
        ticket = connection.post({"type": "note", "text": "hello"})
        print("the note is", ticket.fate)
        await connection.ready(10)
        print("the note is", ticket.fate)
        print(await connection.request("pay", {"payment": "p1"}))
        print(await connection.request("forecast", fallback="no forecast here"))
        with trio.move_on_after(0.1):
            await connection.request("audit")
        for _ in range(6):
            print(shown(await anext(connection)))
        print("came twice:", connection.counters.duplicates)
    try:
        await connection.send({"type": "note", "text": "too late"})
    except lifecycle.NotSent as error:
        print("not sent:", error.cause)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
