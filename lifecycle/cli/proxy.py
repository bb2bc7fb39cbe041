"""The command that breaks the network: a proxy with a schedule of faults.

Law: as the command line's. It runs until Ctrl-C, which is its good end.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from lifecycle.errors import CannotListen

from .pages import GOOD

if TYPE_CHECKING:
    from lifecycle.testing.proxy.weather import Told

_MOST_PORT = 65_535


@click.command()
@click.argument("listen")
@click.argument("target")
@click.option(
    "--faults",
    "schedule",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The schedule of faults, as YAML.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def proxy(listen: str, target: str, schedule: Path, as_json: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Stand between clients and TARGET, and do what networks do, until Ctrl-C.

    LISTEN is a port or HOST:PORT; TARGET is ws://HOST:PORT/PATH, wss://… or HOST:PORT. Prints a line for each fault
    and each connection, and at the end what was done.
    """
    from lifecycle.testing.proxy import Proxy, run_proxy
    from lifecycle.testing.schedule import read_schedule

    def tell(told: "Told") -> None:
        click.echo(json.dumps(attrs.asdict(told)) if as_json else str(told))

    host, port = _place(listen)
    faults = read_schedule(schedule)
    try:
        standing = Proxy(target, schedule=faults, host=host, port=port, tell=tell)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TARGET") from None
    try:
        run_proxy(standing)
    except CannotListen as error:
        raise click.BadParameter(str(error), param_hint="LISTEN") from None
    done = attrs.asdict(standing.counts)
    words = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in done.items() if count)
    click.echo(json.dumps({"counts": done}) if as_json else f"done: {words or 'nothing'}")
    return GOOD


def _place(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > _MOST_PORT or (colon and not host):
        raise click.BadParameter(f"{listen!r} is neither a port nor HOST:PORT", param_hint="LISTEN")
    return host.strip("[]") or "127.0.0.1", int(port)
