"""What all tests share: where the package comes from, how many examples are tried, and how an async test is run.

An `async def test_…` runs under `trio.run` with a clock that jumps as soon as everybody waits, so it never sleeps.
A test that speaks to real sockets, threads or processes carries `@pytest.mark.real_time`: to the jumping clock,
waiting for a socket looks like waiting for nothing. Both kinds fail, instead of hanging, when nobody moves any more.
"""

import functools
import importlib.util
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import hypothesis
import pytest
import trio
import trio.testing

SOURCE = Path(__file__).parents[1] / "lifecycle"
SEED = 1729
VIRTUAL_LIMIT = 10 * 365 * 86_400.0
REAL_LIMIT = 60.0

hypothesis.settings.register_profile("default", max_examples=300, deadline=None, derandomize=False)
hypothesis.settings.register_profile("nightly", max_examples=10_000, deadline=None, derandomize=False)
hypothesis.settings.load_profile("nightly" if os.environ.get("LIFECYCLE_NIGHTLY") else "default")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register our marker, and give Hypothesis our seed unless the command line has one."""
    config.addinivalue_line(
        "markers", f"real_time(limit={REAL_LIMIT:g}): run this async test by the real clock, for `limit` seconds"
    )
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = SEED


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which package is tested, and the seed that makes the run again."""
    profile = hypothesis.settings.get_current_profile_name()
    examples = hypothesis.settings().max_examples
    seed = config.option.hypothesis_seed
    return [
        f"lifecycle: {_package() or 'not installed'}",
        f"hypothesis: profile {profile}, {examples} examples, --hypothesis-seed={seed}",
    ]


def pytest_sessionstart() -> None:
    """Refuse to test the checkout when the wheel was asked for."""
    if os.environ.get("LIFECYCLE_TEST_WHEEL") and _package() in {None, SOURCE}:
        pytest.exit(f"the tests are to run on the installed wheel, but lifecycle is {_package()}: use `make test`", 4)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the conformance suite; here, for the process that has workers loads no other conftest."""
    from .trio.conformance.table import tell

    tell(terminalreporter)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Turn an async test into one that pytest can call; under `@given`, turn what Hypothesis calls."""
    test = pyfuncitem.obj
    marker = pyfuncitem.get_closest_marker("real_time")
    given = getattr(test, "hypothesis", None)
    if given is not None and inspect.iscoroutinefunction(given.inner_test):
        given.inner_test = _synchronous(given.inner_test, marker)
    elif inspect.iscoroutinefunction(test):
        pyfuncitem.obj = _synchronous(test, marker)


def _synchronous(test: Callable[..., Awaitable[None]], marker: pytest.Mark | None) -> Callable[..., None]:
    limit = VIRTUAL_LIMIT if marker is None else marker.kwargs.get("limit", REAL_LIMIT)

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        async def limited() -> None:
            with trio.fail_after(limit):
                await test(*args, **kwargs)

        trio.run(limited, clock=None if marker else trio.testing.MockClock(autojump_threshold=0))

    return run


def _package() -> Path | None:
    spec = importlib.util.find_spec("lifecycle")
    return Path(spec.origin).parent if spec and spec.origin else None
