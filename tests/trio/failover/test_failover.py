"""Several providers: who is asked, who is asked next, who is probed, and what remains of it."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lifecycle.errors import AllFailed, CallFailed, ConnectionEnded, WrongParameters
from lifecycle.failover import LLM, STT, TTS, Availability, Failover
from lifecycle.trio.changes import MOST

from .providers import Provider, Refused

NEVER = [OSError() for _ in range(9)]


def ask(provider: Provider) -> Any:
    """What the user wants."""
    return provider.ask()


async def settled() -> None:
    """Let the probes come to an end."""
    await trio.sleep(0.01)


async def test_the_first_one_serves() -> None:
    """Nobody else is asked while it is well."""
    main, backup = Provider("main"), Provider("backup")
    async with Failover({"main": main, "backup": backup}) as providers:
        assert [await providers.call(ask) for _ in range(3)] == ["main"] * 3
        assert providers.available == {"main": True, "backup": True}
    assert backup.asked == []


async def test_the_next_one_takes_over() -> None:
    """Who has failed is passed by, probed by the same request, and asked again when a probe has gone well."""
    main, backup = Provider("main", OSError(), OSError()), Provider("backup")
    async with Failover({"main": main, "backup": backup}) as providers:
        assert await providers.call(ask) == "backup"
        await settled()
        assert len(main.asked) == 2  # the request, and a probe
        assert providers.available == {"main": False, "backup": True}
        assert await providers.call(ask) == "backup"
        await settled()
        assert providers.available == {"main": True, "backup": True}
        assert await providers.call(ask) == "main"
    assert len(backup.asked) == 2


async def test_probes_are_for_requests() -> None:
    """By itself nobody is probed, unless that is wished; then also without requests."""
    main = Provider("main", *NEVER)
    async with Failover([main, Provider("backup")]) as providers:
        await providers.call(ask)
        await trio.sleep(60)
        assert len(main.asked) == 2
    main = Provider("main", *NEVER)
    async with Failover([main, Provider("backup")], probe_every="10 s") as providers:
        await providers.call(ask)
        await trio.sleep(60)
        assert len(main.asked) == 7
    main = Provider("main", ["a", OSError()], *NEVER)
    async with Failover([main], probe_every="10 s", probe_after_output=False) as providers:
        async with providers.stream(Provider.pour) as pieces:
            assert await anext(pieces) == "a"
            with pytest.raises(OSError, match=r"^$"):
                await anext(pieces)
        await trio.sleep(60)
        assert len(main.asked) == 6
        assert not providers.available["0"]


async def test_all_fail() -> None:
    """The error says who has failed how, who was not asked, and how long it took; its cause is the last error."""
    last = ValueError("the request is secret")
    main, backup = Provider("main", *NEVER), Provider("backup", last, 1.0)
    async with Failover({"main": main, "backup": backup}) as providers:
        with pytest.raises(AllFailed) as told:
            await providers.call(ask)
        assert told.value.failures == {"main": NEVER[0], "backup": last}
        assert (told.value.skipped, told.value.seconds) == ((), pytest.approx(0.002))
        assert told.value.__cause__ is last
        assert str(told.value) == "no provider could serve, after 0.0 s (main: OSError, backup: ValueError)"
        await trio.sleep(2)
        assert providers.available == {"main": False, "backup": True}
        backup.does = [last, last]
        with pytest.raises(AllFailed, match="main: unavailable, and not asked") as told:
            await providers.call(ask)
        assert told.value.skipped == ("main",)


async def test_all_are_unavailable() -> None:
    """Then all are tried, in order; who serves is believed only by a probe."""
    main, backup = Provider("main", *NEVER), Provider("backup", OSError(), OSError())
    async with Failover([main, backup]) as providers:
        with pytest.raises(AllFailed):
            await providers.call(ask)
        await settled()
        assert await providers.call(ask) == "backup"
        assert providers.available == {"0": False, "1": False}
        main.does = [OSError(), OSError()]
        backup.does = [OSError()]
        with pytest.raises(AllFailed):
            await providers.call(ask)
        await settled()
        assert providers.available == {"0": False, "1": True}


@pytest.mark.parametrize(("sticky", "third"), [(True, "backup"), (False, "main")])
async def test_sticky(sticky: bool, third: str) -> None:  # noqa: FBT001
    """Whoever serves goes on serving, though the first one is well again; when it fails, the given order holds."""
    main, backup = Provider("main", OSError()), Provider("backup")
    async with Failover([main, backup], sticky=sticky) as providers:
        assert await providers.call(ask) == "backup"
        await settled()
        assert providers.available["0"]
        assert await providers.call(ask) == third
        backup.does = [OSError()]
        assert await providers.call(ask) == "main"


async def test_who_sticks_and_serves_is_believed() -> None:
    """If all are unavailable, who serves is available at once."""
    one = Provider("one", OSError(), 3.0)
    async with Failover([one], sticky=True) as providers:
        with pytest.raises(AllFailed):
            await providers.call(ask)
        await settled()  # the probe takes longer
        assert await providers.call(ask) == "one"
        assert providers.available == {"0": True}


async def test_edges_are_told() -> None:
    """Each change once, in order, to everybody who watches; the end comes with the failover."""
    main = Provider("main", *[OSError()] * 4)
    providers = Failover({"main": main})
    early = providers.changes()
    async with providers:
        for _ in range(2):
            with pytest.raises(AllFailed):
                await providers.call(ask)
            await settled()
        late = providers.changes()
        main.does = [OSError()]
        with pytest.raises(AllFailed):
            await providers.call(ask)
        await settled()
    assert [edge async for edge in early] == [Availability("main", False), Availability("main", True)]
    assert [edge async for edge in late] == [Availability("main", True)]
    assert [edge async for edge in providers.changes()] == []


async def test_edges_are_bounded() -> None:
    """Who takes none has the last ones, and the number of the others; who has gone costs nothing."""
    one = Provider("one", *[OSError(), []] * (MOST + 1))
    async with Failover([one]) as providers:
        changes, gone = providers.changes(), providers.changes()
        del gone
        gc.collect()
        for _ in range(MOST + 1):
            with pytest.raises(AllFailed):
                await providers.call(ask)
            await settled()
        assert changes.missed == MOST + 2


async def test_a_cancelled_user_says_nothing_about_anybody() -> None:
    """The attempt is cancelled, health is as it was, and probes go on."""
    main, backup = Provider("main", OSError(), 2.0), Provider("backup", 60.0)
    async with Failover([main, backup]) as providers:
        with trio.move_on_after(1) as scope:
            await providers.call(ask)
        assert scope.cancelled_caught
        assert backup.ended == 1
        assert providers.available == {"0": False, "1": True}
        await trio.sleep(2)
        assert providers.available == {"0": True, "1": True}


async def test_retries_come_before_the_next_one() -> None:
    """As many as wished, at the same provider."""
    main, backup = Provider("main", OSError(), OSError()), Provider("backup")
    async with Failover([main, backup], max_retry=2) as providers:
        assert await providers.call(ask) == "main"
        assert main.asked == pytest.approx([0, 0.101, 0.602])
    assert backup.asked == []


async def test_hung_up_is_no_failure() -> None:
    """There is no result, nobody else is asked, and the provider is well."""
    main, backup = Provider("main", Refused(499)), Provider("backup")
    async with Failover([main, backup]) as providers:
        assert await providers.call(ask) is None
        assert providers.available["0"]
    assert backup.asked == []


async def test_a_probe_that_hangs_up_or_gives_output_and_fails() -> None:
    """The one is well; the other one is not, though nobody asked for its output."""
    main = Provider("main", OSError(), ["a", OSError()], OSError(), Refused(499))
    async with Failover([main, Provider("backup")]) as providers:
        for available in (False, True):
            await providers.call(ask)
            await settled()
            assert providers.available["0"] == available
            main.does = main.does[1:]


async def test_errors_may_mean_something_else() -> None:
    """The embedder says what an exception means."""
    main = Provider("main", KeyError("busy"))
    async with Failover([main], max_retry=1, translate=lambda _: CallFailed("connection")) as providers:
        assert await providers.call(ask) == "main"


async def test_what_nobody_expected_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of the embedder's does not hide behind a backup that serves: its traceback is in the log."""
    with caplog.at_level("INFO", "lifecycle.failover"):
        async with Failover({"main": Provider("x", OSError(), KeyError("oh")), "backup": Provider("y")}) as providers:
            await providers.call(ask)
            await settled()
    told = [(record.message, record.exc_info is not None) for record in caplog.records]
    assert told == [
        ("main has failed: OSError", False),
        ("main is unavailable", False),
        ("main has failed: KeyError", True),
    ]


async def test_a_translation_that_fails() -> None:
    """The provider's error is told, not that of the translation, and it is none that may pass."""
    error = OSError()

    def translate(error: Exception) -> CallFailed:
        raise KeyError(error)

    async with Failover([Provider("main", error)], max_retry=1, translate=translate) as providers:
        with pytest.raises(AllFailed) as told:
            await providers.call(ask)
    assert told.value.failures == {"0": error}


async def test_requests_at_once() -> None:
    """One probe is in flight for a provider, however many requests pass it by."""
    main, backup = Provider("main", OSError(), 5.0), Provider("backup", *[1.0] * 9)
    async with Failover([main, backup]) as providers, trio.open_nursery() as nursery:
        await providers.call(ask)
        for _ in range(4):
            nursery.start_soon(providers.call, ask)
    assert len(main.asked) == 2
    assert len(backup.asked) == 5


async def test_what_the_body_raises() -> None:
    """It leaves as it is, never in a group; a cancellation from outside is one."""
    with pytest.raises(KeyError):
        async with Failover([Provider("x")]):
            raise KeyError
    with trio.move_on_after(1) as scope:
        async with Failover([Provider("x")]):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with trio.CancelScope() as scope:
        scope.cancel()
        async with Failover([Provider("x")]):
            raise AssertionError
    assert scope.cancelled_caught

    async def body() -> None:
        async with Failover([Provider("x")]):
            scope.cancel()
            raise KeyError

    with trio.CancelScope() as scope, pytest.raises(KeyError):
        await body()


async def test_a_probe_that_is_no_exception() -> None:
    """What ends a task of ours ends the body, and is raised alone."""
    one = Provider("one", OSError(), SystemExit(3))

    async def body() -> None:
        async with Failover([one, Provider("other")]) as providers:
            await providers.call(ask)
            await trio.sleep_forever()

    with pytest.raises(SystemExit):
        await body()


async def test_a_request_that_outlives_it() -> None:
    """It comes to its end, and nobody is probed for it."""
    main, backup = Provider("main", 2.0, OSError()), Provider("backup")
    providers = Failover([main, backup])
    told = list[object]()

    async def call(use: Callable[[Provider], Any]) -> None:
        told.append(await providers.call(use))

    async with trio.open_nursery() as nursery, providers:
        nursery.start_soon(call, ask)
        await trio.sleep(1)
        main.does = [OSError()]
        nursery.start_soon(call, ask)
        await trio.sleep(0.0005)
    assert sorted(map(str, told)) == ["", "backup"]


async def test_in_a_nursery() -> None:
    """Where it outlives a function, it is started in a nursery; it runs once."""
    providers = Failover([Provider("one")])
    with pytest.raises(ConnectionEnded, match="not open"):
        await providers.call(ask)
    async with trio.open_nursery() as nursery:
        assert await nursery.start(providers.run) is providers
        assert await providers.call(ask) == "one"
        nursery.cancel_scope.cancel()
    with pytest.raises(ConnectionEnded, match="not open"):
        await providers.call(ask)
    with pytest.raises(ConnectionEnded, match="once"):
        await providers.run()
    with pytest.raises(ConnectionEnded, match="once"):
        async with providers:
            raise AssertionError
    await providers.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("providers", "parameters", "problem"),
    [
        ([], {}, "no provider"),
        ([1], {"max_retries": 2}, "max_retries"),
        ([1], {"after_output": "stop"}, "after_output"),
        ([1], {"probe_timeout": "soon"}, "probe_timeout"),
    ],
)
def test_wrong_parameters(providers: list[int], parameters: dict[str, Any], problem: str) -> None:
    """They are told when it is made, outside of trio too."""
    with pytest.raises(WrongParameters, match=problem):
        Failover(providers, **parameters)


@pytest.mark.parametrize("variant", [LLM, STT, TTS])
async def test_variants_are_parameters(variant: dict[str, Any]) -> None:
    """What the adapters of LiveKit differ in is data."""
    main = Provider("main", *[OSError()] * 9)
    async with Failover([main, Provider("backup")], probe_on_request=False, **variant) as providers:
        assert await providers.call(ask) == "backup"
        assert len(main.asked) == variant["max_retry"] + 1
