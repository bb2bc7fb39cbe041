"""The command that looks at what lifecycle stands on, and says what to do about it.

Law: as the command line's; 1 if something fails. It needs nothing of what it looks at: it starts, and tells, where
TLS, trio or a server is what is broken. No secret of a URL is printed.
"""

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from urllib.parse import urlsplit

import attrs
import click
from rich.console import Console
from rich.text import Text

from lifecycle.observe.diagnosis import Diagnosis

from .pages import FAILED, GOOD
from .requirement import PACKAGE
from .surroundings import files, openssl, packages, pages, python, transports

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def _url(*schemes: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """What is no URL is told before anything is looked at, and is not repeated: a password may stand in it."""

    def check(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
        try:
            parts = urlsplit(given or "")
            good = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if given and not good:
            raise click.BadParameter(
                f"this is no URL of that kind: write {' or '.join(f'{one}://…' for one in schemes)}"
            )
        return given

    return check


@click.command
@click.option(
    "--redis",
    metavar="URL",
    callback=_url("redis", "rediss"),
    envvar="LIFECYCLE_REDIS",
    help="A Redis or Valkey to look at: redis://HOST:PORT/0; by default what LIFECYCLE_REDIS says.",
)
@click.option(
    "--connect",
    metavar="URL",
    callback=_url("ws", "wss"),
    help="A WebSocket endpoint to open and close: ws:// or wss://.",
)
@click.option(
    "--clock",
    metavar="URL",
    callback=_url("https", "http", "wss", "ws"),
    help="A web server to compare this machine's clock with: https://HOST.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def doctor(redis: str | None, connect: str | None, clock: str | None, as_json: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Look at Python, TLS, packages, transports, pages, open files; and at a Redis, an endpoint, a clock.

    One line for each: ok, warn or fail, what was found, and what to do about it. No look takes longer than 5 s.
    """
    console = Console(highlight=False, soft_wrap=True)
    found = []
    for each in _looks(redis, connect, clock):
        found.append(each)
        if not as_json:
            _tell(console, each)
    failed = any(each.verdict == "fail" for each in found)
    if as_json:
        rows = [attrs.asdict(each) for each in found]
        click.echo(json.dumps({"good": not failed, "checks": rows}, indent=2, ensure_ascii=False))
    return FAILED if failed else GOOD


def _looks(redis: str | None, connect: str | None, clock: str | None) -> Iterator[Diagnosis]:
    yield python()
    yield from openssl()
    yield from packages()
    yield from transports()
    yield pages()
    yield files()
    if redis:
        yield from _far("--redis", "lifecycle.registry.redis.doctor", "look_at_redis", redis)
    if connect:
        yield from _far("--connect", "lifecycle.trio.doctor", "look_at_endpoint", connect)
    if clock:
        yield from _far("--clock", "lifecycle.trio.doctor", "look_at_clock", clock)


def _far(option: str, module: str, name: str, url: str) -> list[Diagnosis]:
    """What is found elsewhere, by a module that may not be to be had."""
    what = option.removeprefix("--")
    try:
        found = getattr(import_module(module), name)(url)
    except ModuleNotFoundError as error:
        remedy = f"pip install '{PACKAGE}[{what}]'" if what == "redis" else f"pip install {PACKAGE}"
        return [Diagnosis(what, "fail", f"not looked at: {error.name} is not installed", remedy)]
    except ImportError as error:
        return [Diagnosis(what, "fail", f"not looked at: {error}", "see to openssl and packages first")]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
    return found if isinstance(found, list) else [found]


def _tell(console: Console, told: Diagnosis) -> None:
    advice = f"\n{'':6}-> {told.advice}" if told.advice else ""
    console.print(Text.assemble((f"{told.verdict:5}", _COLOURS[told.verdict]), f" {told.what}: {told.found}{advice}"))
