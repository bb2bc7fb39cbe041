"""One request at one provider: what is tried again, how soon, and how it ends."""

from typing import Any

import pytest
import trio

from lifecycle.errors import CallFailed
from lifecycle.trio.failover.attempt import Attempt, Give
from lifecycle.trio.failover.failure import failure_of

from .providers import Provider, Refused


def attempt(provider: Provider, taken: list[str] | None = None, **parameters: Any) -> Attempt:
    """An attempt whose output is kept in a list."""
    kept = [] if taken is None else taken

    async def ask(give: Give) -> str:
        async for piece in provider.pour():
            await give(piece)
        return "done"

    async def give(piece: str) -> None:
        await trio.lowlevel.checkpoint()
        kept.append(piece)

    return Attempt("one", ask, give=give, translate=failure_of, parameters={"max_retry": 2, **parameters})


async def test_it_answers() -> None:
    """The result is there, and nothing was wrong."""
    it = attempt(Provider("x"))
    assert await it.run() == "answered"
    assert (it.result, it.error) == ("done", None)


@pytest.mark.parametrize(
    "error", [TimeoutError(), OSError(), Refused(408), Refused(429), Refused(500), Refused(503)], ids=repr
)
async def test_what_may_pass_is_tried_again(error: Exception) -> None:
    """The first retry comes soon, the next after the pause; then it is given up, with the last error."""
    provider = Provider("x", error, error, error)
    it = attempt(provider)
    assert await it.run() == "given_up"
    assert it.error is error
    assert provider.asked == pytest.approx([0, 0.101, 0.602])
    assert provider.ended == 3


@pytest.mark.parametrize(
    "error", [ValueError(), Refused(400), Refused(404), Refused(302), CallFailed("odd"), ExceptionGroup("g", [ValueError()])]
)  # fmt: skip
async def test_what_will_fail_again_is_not(error: Exception) -> None:
    """Neither a mistake of the request's, nor what is not known."""
    provider = Provider("x", error)
    it = attempt(provider)
    assert await it.run() == "given_up"
    assert it.error is (error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
    assert len(provider.asked) == 1


async def test_the_provider_hangs_up() -> None:
    """Status 499 is an end and no failure; there is no result."""
    it = attempt(Provider("x", Refused(499)))
    assert await it.run() == "hung_up"
    assert (it.result, it.error) == (None, None)


async def test_hanging_up_may_be_a_failure() -> None:
    """Where that is said, it is one that may pass."""
    provider = Provider("x", Refused(499))
    assert await attempt(provider, hangs_up=False).run() == "answered"
    assert len(provider.asked) == 2


async def test_the_time_is_enforced() -> None:
    """Silence has a bound, for the first output and between two; a try that is too slow is cancelled and tried again."""
    provider, taken = Provider("x", 60.0, ["a", 60.0], ["b", 4.9, "c", 4.9]), list[str]()
    it = attempt(provider, taken, after_output="retry")
    assert await it.run() == "answered"
    assert provider.asked == pytest.approx([0, 5.1, 10.6])
    assert provider.ended == 3
    assert taken == ["a", "b", "c"]
    it = attempt(Provider("x", 60.0), max_retry=0)
    assert await it.run() == "given_up"
    assert isinstance(it.error, TimeoutError)


async def test_the_provider_keeps_the_time() -> None:
    """Without a bound of ours it may take long; only the longest answer is bounded."""
    it = attempt(Provider("x", 60.0), attempt_timeout=None)
    assert await it.run() == "answered"
    assert trio.current_time() == 60
    it = attempt(Provider("x", 60.0), attempt_timeout=None, longest_answer="30 s", max_retry=0)
    assert await it.run() == "given_up"


async def test_whoever_takes_slowly_makes_nobody_late() -> None:
    """While what was given is not taken, no clock runs."""
    provider = Provider("x", ["a", "b"])

    async def ask(give: Give) -> None:
        async for piece in provider.pour():
            await give(piece)

    async def give(_: str) -> None:
        await trio.sleep(30)

    it = Attempt("one", ask, give=give, translate=failure_of, parameters={"max_retry": 0})
    assert await it.run() == "answered"
    assert trio.current_time() == 60


@pytest.mark.parametrize(
    ("after_output", "how", "tries"), [("fail", "broken", 1), ("end", "cut_short", 1), ("retry", "given_up", 3)]
)
async def test_failure_after_output(after_output: str, how: str, tries: int) -> None:
    """It is raised, or it is the end, or it is tried again; whichever error it is."""
    error, taken = OSError(), list[str]()
    provider = Provider("x", ["a", error], ["b", error], error)
    it = attempt(provider, taken, after_output=after_output)
    assert await it.run() == how
    assert it.error is error
    assert len(provider.asked) == tries
    assert taken == ["a", "b"][:tries]


async def test_a_try_that_is_over_gives_nothing() -> None:
    """What a try gives that shields itself from its end is dropped, and so is its result."""
    told, tries = list[str](), 0

    async def ask(give: Give) -> str:
        nonlocal tries
        tries += 1
        if tries > 1:
            await trio.sleep(2)
            return "second"
        with trio.CancelScope(shield=True):
            await trio.sleep(6)
            await give("late")
            told.append("first")
            return "first"

    async def give(piece: str) -> None:
        raise AssertionError(piece)

    it = Attempt("one", ask, give=give, translate=failure_of, parameters={"max_retry": 1})
    assert await it.run() == "answered"
    assert (it.result, told) == ("second", ["first"])


async def test_a_try_that_is_over_says_nothing() -> None:
    """Its error comes too late, and is not the attempt's."""
    late, last = OSError("late"), OSError("last")
    tries = 0

    async def ask(_: Give) -> None:
        nonlocal tries
        tries += 1
        if tries > 1:
            await trio.sleep(2)
            raise last
        with trio.CancelScope(shield=True):
            await trio.sleep(6)
            raise late

    it = Attempt("one", ask, give=ask, translate=failure_of, parameters={"max_retry": 1})
    assert await it.run() == "given_up"
    assert (it.error, tries) == (last, 2)


async def test_who_takes_for_too_long() -> None:
    """The longest answer bounds that, too."""

    async def ask(give: Give) -> None:
        await give("slow")

    async def give(_: str) -> None:
        await trio.sleep_forever()

    it = Attempt("one", ask, give=give, translate=failure_of, parameters={"longest_answer": "1 min"})
    assert await it.run() == "broken"
    assert trio.current_time() == 60


async def test_ctrl_c_in_a_provider_leaves_as_it_is() -> None:
    """What is no Exception is raised alone."""
    with pytest.raises(KeyboardInterrupt):
        await attempt(Provider("x", KeyboardInterrupt())).run()
