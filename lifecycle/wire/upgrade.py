"""What a client asks for when it connects: the head of its upgrade request, taken apart.

Law: data. Headers, the query and what else may hold a secret are not shown by `repr`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, final
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import is_number
from lifecycle.definition.literal import literal
from lifecycle.definition.page import Variable

from .pick import find


@final
@attrs.frozen(kw_only=True)
class Upgrade:
    """An upgrade request (RFC 6455 4.2.1).

    Attributes:
        path: of the resource, decoded.
        query: parameters by name, decoded; the values of a repeated one are joined by a comma, as in headers.
        headers: names in lower case; the values of a repeated name are joined by a comma.
        subprotocols: what the client offers, the best first.
        peer: the address it comes from, without the port.
    """

    path: str = "/"
    query: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    subprotocols: tuple[str, ...] = ()
    peer: str = ""

    @classmethod
    def parse(cls, resource: str, headers: Iterable[tuple[str, str]], peer: str) -> Self:
        """Take a request apart.

        Args:
            resource: path and query, as they stand in the request line.
            headers: pairs of name and value, in the order received.
            peer: the address it comes from.
        """
        parts = urlsplit(resource)
        query: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        joined: dict[str, str] = {}
        for name, value in headers:
            before = joined.get(name.lower())
            joined[name.lower()] = value if before is None else f"{before}, {value}"
        offered = joined.get("sec-websocket-protocol", "").split(",")
        return cls(
            path=unquote(parts.path) or "/",
            query=query,
            headers=joined,
            subprotocols=tuple(name.strip() for name in offered if name.strip()),
            peer=peer,
        )


def first_values(definition: Definition, upgrade: Upgrade, unique: Callable[[], str] = str) -> dict[str, Any]:
    """The first values of a page's variables that have a `from`: `query.name`, `headers.name`, `path`, `peer` or `id`.

    Args:
        definition: the page.
        upgrade: what the client asks for.
        unique: makes a text that nothing else is called, for each `id`.

    A text that is no value of the variable's type counts as one that is not there: a stranger wrote it.
    """
    facts = {"path": upgrade.path, "query": upgrade.query, "headers": upgrade.headers, "peer": upgrade.peer}
    return {
        name: _read(variable, unique() if variable.from_ == "id" else find(facts, variable.from_))
        for name, variable in definition.variables.items()
        if variable.from_ is not None
    }


def _read(variable: Variable, text: Any) -> Any:
    kind = variable.initial if variable.kind == "kept" else variable.kind
    if not isinstance(text, str):
        return variable.else_
    try:
        match kind:
            case "count" | "number":
                value = literal(kind, float(text) if "." in text else int(text))
            case "flag":
                return {"true": True, "false": False}[text.lower()]
            case "duration" | "choice":
                value = literal(kind, text, variable.of)
            case _:
                return text
    except (ValueError, KeyError):
        return variable.else_
    low, high = (end if is_number(end) else None for end in (variable.min, variable.max))
    inside = (low is None or value >= low) and (high is None or value <= high)
    return value if inside else variable.else_
