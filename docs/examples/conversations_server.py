"""Serve conversations with an agent that shouts back what it is told, to who is signed in: DATABASE [PORT]."""

import sys

import trio

from lifecycle.systems.openhands import (
    Conversation,
    Conversations,
    Cookie,
    NoCredentials,
    Request,
    SqliteEventStore,
    serve_conversations,
)

USERS = {"session=of-anna": "anna", "session=of-bob": "bob"}


def state(name: str) -> dict:
    return {"source": "environment", "observation": "agent_state_changed", "extras": {"agent_state": name}}


async def agent(conversation: Conversation) -> None:
    await conversation.emit(state("awaiting_user_input"))
    async for action in conversation.actions:
        if action["action"] == "message":
            await conversation.emit(state("running"))
            shout = str(action["args"].get("content")).upper()
            await conversation.emit({"source": "agent", "action": "message", "args": {"content": shout}})
            await conversation.emit(state("awaiting_user_input"))


async def validate(request: Request) -> str:
    if request.cookie is None:
        raise NoCredentials
    if request.cookie not in USERS:
        raise Cookie
    return USERS[request.cookie]


async def main(database: str, port: int = 0) -> None:
    async with SqliteEventStore(database) as store:
        await store.create("greetings")
        async with (
            Conversations(agent, store) as conversations,
            serve_conversations(conversations, port=port, validate=validate) as server,
        ):
            print(server.port, flush=True)
            await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], *map(int, sys.argv[2:]))
