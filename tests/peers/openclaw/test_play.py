"""Cases that wait for each other."""

import trio

from .play import Meeting


async def test_all_meet_before_anything_happens() -> None:
    """Once, when the last one comes."""
    acts: list[float] = []
    meeting = Meeting(3, lambda: acts.append(trio.current_time()))

    async def come(after: float) -> None:
        await trio.sleep(after)
        await meeting.arrive()
        assert acts == [began + 3]
        meeting.leave()

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for after in (1, 2, 3):
            nursery.start_soon(come, after)


async def test_who_has_gone_is_not_waited_for() -> None:
    """A case that fails before it is ready keeps no other one from going on."""
    acts: list[str] = []
    meeting = Meeting(2, lambda: acts.append("now"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meeting.arrive)
        await trio.sleep(1)
        assert acts == []
        meeting.leave()
    assert acts == ["now"]


async def test_nothing_happens_to_those_who_are_gone() -> None:
    """Cases that do not meet are not acted upon."""
    acts: list[str] = []
    meeting = Meeting(1, lambda: acts.append("now"))
    meeting.leave()
    await trio.sleep(1)
    assert acts == []
