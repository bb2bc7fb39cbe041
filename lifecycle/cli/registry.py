"""The commands of a registry of sessions: serve one, look at one, clear one.

Law: as the command line's. Nothing is cleared that was not named, and not before somebody has said yes; a key is read
from a file or the environment, and never written anywhere.
"""

import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from lifecycle.errors import CannotListen

from .pages import FAILED, GOOD
from .registry_client import AtPlace, Row, Sessions, Surface, is_url

KEY: Final = "LIFECYCLE_REGISTRY_KEY"
_MOST_PORT: Final = 65_535
_HEADS: Final = ("live_id", "status", "created", "last activity", "generation", "owner")

_KEY_FILE = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A file with the key of the admin surface; else it is in {KEY}.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def registry() -> None:
    """Sessions that are counted: serve a registry, look at its sessions, clear them.

    A PLACE is the URL of an admin surface (http://HOST:PORT), or where leases are kept: sqlite:PATH or redis://….
    """


@registry.command()
@click.option("--store", "place", default="memory", show_default=True, metavar="PLACE", help="Where leases are kept.")
@click.option("--capacity", required=True, type=click.IntRange(min=1), help="Sessions at once, of all who share PLACE.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, _MOST_PORT), default=8000, show_default=True, help="0 is a free one.")
@_KEY_FILE
@click.option("--without-key", is_flag=True, help="Serve programs of this machine without a key.")
@click.option("--calls", metavar="MODULE:OBJECT", help="An object with async begin(lease) and stop(lease).")
@click.option("-v", "--verbose", is_flag=True, help="Tell each start, refusal and end on stderr.")
def serve(  # noqa: PLR0917 -- click passes everything by name
    place: str,
    capacity: int,
    host: str,
    port: int,
    key_file: Path | None,
    without_key: bool,  # noqa: FBT001 -- click passes flags so
    calls: str | None,
    verbose: bool,  # noqa: FBT001 -- likewise
) -> int:
    """Serve a registry's admin surface, until SIGINT or SIGTERM; then its sessions are left.

    Prints its URL when it listens. A second signal ends it at once, with exit code 130.
    """
    try:
        from lifecycle.registry.admin.run import Service, run_service
    except ModuleNotFoundError as error:
        raise click.UsageError(str(error)) from None

    _check_place(place)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr
    )
    made = _object(calls) if calls is not None else None
    key = None if without_key and key_file is None and KEY not in os.environ else _key(key_file)
    if key is None and not without_key:
        raise click.UsageError(f"give a key with --key-file or {KEY}, or say --without-key to serve this machine only")
    if key is not None and without_key:
        raise click.UsageError(f"--without-key is said, and there is a key in {key_file or KEY}: leave out one of them")
    service = Service(
        place=place,
        capacity=capacity,
        host=host,
        port=port,
        key=key,
        without_key=without_key,
        begin=getattr(made, "begin", None),
        stop=getattr(made, "stop", None),
    )
    try:
        return run_service(service, lambda where: click.echo(where.url))
    except (CannotListen, ValueError) as error:
        raise click.UsageError(str(error)) from None


@registry.command("list")
@click.argument("place")
@_KEY_FILE
@_JSON
def list_(place: str, key_file: Path | None, as_json: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Print the sessions of PLACE, the oldest first."""
    rows = _sessions(place, key_file).all()
    if as_json:
        click.echo(json.dumps({"place": _named(place), "sessions": list(rows)}, indent=2))
    else:
        click.echo("\n".join(_table(rows)))
    return GOOD


@registry.command()
@click.argument("place")
@click.argument("live_ids", nargs=-1, metavar="[LIVE_ID]...")
@click.option("--owner", help="Clear the sessions of this owner.")
@click.option("--everybody", is_flag=True, help="Clear all sessions, whoever has them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_KEY_FILE
@_JSON
def clear(  # noqa: PLR0917 -- click passes everything by name
    place: str,
    live_ids: tuple[str, ...],
    owner: str | None,
    everybody: bool,  # noqa: FBT001 -- click passes flags so
    yes: bool,  # noqa: FBT001 -- likewise
    key_file: Path | None,
    as_json: bool,  # noqa: FBT001 -- likewise
) -> int:
    """End sessions of PLACE: those with a LIVE_ID, those of an owner, or everybody's.

    It asks first. Exit code 1 if the answer is no, or if one could not be cleared; the others are, all the same.
    """
    if sum([bool(live_ids), owner is not None, everybody]) != 1:
        raise click.UsageError(
            "say whose sessions, and in one way: LIVE_ID…, --owner OWNER, or --everybody; "
            f"`lifecycle registry list {_named(place)}` shows them"
        )
    sessions = _sessions(place, key_file)
    rows = sessions.all()
    chosen = [row for row in rows if everybody or row["owner"] == owner or row["live_id"] in live_ids]
    told = {"place": _named(place), "before": len(rows), "chosen": len(chosen), "cleared": 0, "failed": {}}
    if chosen and not yes and not _agreed(chosen, rows, place):
        click.echo("nothing was cleared", err=True)
        return FAILED
    failed = dict(sessions.clear(chosen, everybody=everybody)) if chosen else {}
    told |= {"cleared": max(0, len(chosen) - len(failed)), "failed": failed}
    click.echo(json.dumps(told, indent=2) if as_json else f"{told['cleared']} of {len(rows)} sessions were cleared")
    for live_id, why in failed.items():
        click.echo(f"{_printable(live_id)}: {why}", err=True)
    return FAILED if failed else GOOD


def _agreed(chosen: Sequence[Row], rows: Sequence[Row], place: str) -> bool:
    click.echo("\n".join(_table(chosen)), err=True)
    try:
        return click.confirm(f"end {len(chosen)} of the {len(rows)} sessions of {_named(place)}?", err=True)
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        click.echo("nobody is there to say yes: say --yes", err=True)
        return False


def _sessions(place: str, key_file: Path | None) -> Sessions:
    if is_url(place):
        try:
            surface = Surface(place, _key(key_file))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="PLACE") from None
        if surface.careless:
            click.echo("the key goes through the network in clear text: use https://", err=True)
        return surface
    if place == "memory":
        raise click.BadParameter(
            "what is in memory only its own process sees: write the URL of its admin surface", param_hint="PLACE"
        )
    _check_place(place)
    file = Path(place.removeprefix("sqlite:"))
    if place.startswith("sqlite:") and not file.exists():
        raise click.BadParameter(f"there is no file {str(file)!r}", param_hint="PLACE")
    return AtPlace(place)


def _check_place(place: str) -> None:
    from lifecycle.registry.place import place_of

    try:
        place_of(place)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="PLACE") from None
    except ModuleNotFoundError as error:
        raise click.UsageError(str(error)) from None


def _key(file: Path | None) -> str | None:
    text = os.environ.get(KEY) if file is None else file.read_text(encoding="utf-8", errors="replace").strip()
    if text is not None and (not text or not text.isascii() or not text.isprintable() or " " in text):
        raise click.UsageError(f"{file or KEY} holds no key: write letters, digits and punctuation, without blanks")
    return text


def _object(name: str) -> object:
    """What the embedder has, found as Python would find it from here; all that is wrong with it at once."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise click.BadParameter(f"{name!r} is no MODULE:OBJECT, such as avatars:calls", param_hint="--calls")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise click.BadParameter(f"{name!r} is not to be had: {error}", param_hint="--calls") from None
    if problems := list(_unfit(found)):
        raise click.BadParameter(f"{name!r}: {'; '.join(problems)}", param_hint="--calls")
    return found


def _unfit(found: object) -> Iterator[str]:
    methods: dict[str, Callable[..., Any] | None] = {each: getattr(found, each, None) for each in ("begin", "stop")}
    if not any(methods.values()):
        yield "it has neither begin nor stop: write `async def begin(lease)` and `async def stop(lease)`"
    for each, method in methods.items():
        if method is not None and not inspect.iscoroutinefunction(method):
            yield f"{each} is not async: write `async def {each}(lease)`"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        yield "no sessions"
        return
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADS))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    when = [
        datetime.fromtimestamp(row[name], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        for name in ("created_at", "last_activity")
    ]
    return (_printable(row["live_id"]), row["status"], *when, str(row["generation"]), _printable(row["owner"]))


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _named(place: str) -> str:
    """A place without its password."""
    scheme, slashes, rest = place.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
