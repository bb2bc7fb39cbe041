"""What `urls=` is held against at the door: the page, its parameters, and sense.

Law: dials nothing. Everything that is wrong is told at once, and no query is shown.
"""

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.literal import literal

from .address import Address
from .endpoints import Endpoints
from .switch import Switch

_LEAST = 1.0
_ANYWHERE = "ws://localhost/"


def switch_of(
    definition: Definition,
    urls: Endpoints | Iterable[str] | None,
    parameters: MutableMapping[str, Any],
    problems: list[str],
) -> tuple[Switch, ...]:
    """What dials for a connection to be.

    Args:
        definition: the page.
        urls: as they were given.
        parameters: as they were given; the first address is added as the one that the page dials.
        problems: where what is wrong is added.

    Returns:
        One; or none, where there is one address and the page is sent nowhere.
    """
    if urls is None:
        sends = any(row.endpoint not in (None, "next") for row in definition.causes)
        return (Switch(),) if sends and definition.role == "client" else ()
    endpoints = urls if isinstance(urls, Endpoints) else Endpoints(urls)
    addresses: list[Address] = []
    problems += _wrong(endpoints, addresses)
    name = _dialled(definition)
    if name is None:
        problems.append("`urls` takes the place of a parameter that the page dials, such as `dial: {url: =url}`")
    elif name in parameters:
        problems.append(f"`urls` and `{name}`: the page dials one or the other, so leave `{name}` out")
    else:
        parameters[name] = addresses[0].url if addresses else _ANYWHERE
    if endpoints.returns and "reconnect" not in definition.hears:
        problems.append("`returns` tells the page `reconnect`, which it does not hear: leave `returns` out")
    every = 0.0
    try:
        every = literal("duration", endpoints.probe_every)
        if every < _LEAST:
            problems.append("`probe_every` is at least 1 s")
    except ValueError as error:
        problems.append(f"`probe_every`: {error}")
    switch = Switch(
        tuple(addresses),
        shuffled=endpoints.shuffled,
        returns=endpoints.returns,
        redirects=endpoints.redirects,
        every=every,
        connected=endpoints.connected,
    )
    if not problems:
        endpoints.switch = switch
    return (switch,)


def _dialled(definition: Definition) -> str | None:
    """The parameter that a page dials."""
    url = definition.dial.url
    name = url.text if isinstance(url, Expression) else ""
    return name if name in definition.parameters and definition.parameters[name].kind == "url" else None


def _wrong(endpoints: Endpoints, addresses: list[Address]) -> Iterator[str]:
    given = endpoints.given
    if endpoints.switch is not None and endpoints.switch.joined:
        yield "these `Endpoints` belong to another connection: make new ones for each"
    if endpoints.shuffled and endpoints.returns:
        yield "`shuffled` endpoints have no first one to return to: leave `shuffled` or `returns` out"
    if endpoints.connected is not None and not callable(endpoints.connected):
        yield "`connected` must be an async function that returns whether there is a network"
    if isinstance(given, str) or not isinstance(given, Iterable):
        yield f"`urls` must be a list of URLs, not {'one text' if isinstance(given, str) else type(given).__name__}"
        return
    found: dict[Address, int] = {}
    for index, url in enumerate(given):
        try:
            address = Address.of(literal("url", url))
        except ValueError as error:
            yield f"`urls[{index}]`: {error}"
            continue
        addresses.append(address)
        if address in found:
            yield f"`urls[{index}]` is `urls[{found[address]}]` again: each endpoint stands there once"
        found.setdefault(address, index)
    if not (addresses or given):
        yield "`urls` is empty: write one URL at least"
