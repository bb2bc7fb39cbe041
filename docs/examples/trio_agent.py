import sys

import trio

import lifecycle


async def model(question: str) -> str:
    """Where a language model would be asked."""
    await trio.sleep(0.2)
    if question == "?":
        raise ConnectionError("no model is there")
    return question.upper()


async def converse(session: lifecycle.Connection, questions: list[tuple[float, str]]) -> None:
    session.tell("started")
    session.tell("agent.listens")
    for pause, question in questions:
        await trio.sleep(pause)
        session.tell("user_input_transcribed", transcript=question, is_final=True)
        session.tell("agent.thinks")
        try:
            answer = await model(question)
        except OSError as error:
            session.tell("error.llm", recoverable=False, error=str(error))
        else:
            session.tell("agent.speaks")
            print(answer)
        session.tell("agent.listens")
        if session.status != "ready":
            return
    session.tell("aclose")


async def show(session: lifecycle.Connection) -> None:
    async for step in session.changes():
        for event, fields in step.emitted.items():
            if event in ("user_state_changed", "error", "close"):
                print(event, fields)


async def main(*questions: str) -> None:
    async with (
        trio.open_nursery() as nursery,
        lifecycle.open("livekit-agent-session", away_timeout="1 s") as session,
    ):
        nursery.start_soon(show, session)
        await converse(session, [(1.5 if question == "..." else 0.1, question) for question in questions])
        session.tell("torn_down")


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
