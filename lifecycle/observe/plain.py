"""Values of a connection as JSON can hold them, and as anybody may read them.

Law: a secret is shown as `<secret>`: by its type, and wherever the text of a known one stands in another text.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.literal import Secret
from lifecycle.machine.machine import Machine

HIDDEN = repr(Secret())


def plain(value: Any, secrets: Iterable[Secret] = ()) -> Any:
    """A value as JSON can hold it.

    Args:
        value: of an event, a parameter or a variable.
        secrets: texts that are to be hidden in other texts.

    Returns:
        Bytes are told by their number, numbers that are none (NaN, infinity) are None.
    """
    match value:
        case Secret():
            return HIDDEN
        case str():
            return hushed(value, secrets)
        case bytes():
            return f"<{len(value)} bytes>"
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float():
            return value
        case Backoff():
            return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(Backoff)}
        case Mapping():
            return {hushed(str(name), secrets): plain(part, secrets) for name, part in value.items()}
        case list() | tuple():
            return [plain(part, secrets) for part in value]
    return f"<{type(value).__name__}>"


def shallow(value: Any, secrets: Iterable[Secret] = ()) -> Any:
    """The same, but of an object only that it is one: whoever made it knows what is secret in it, and we do not.

    Args:
        value: a field of an event, or a variable.
        secrets: texts that are to be hidden in other texts.
    """
    return f"<{'object' if isinstance(value, Mapping) else 'list'}>" if _inside(value) else plain(value, secrets)


def _inside(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and len(value) > 0


def hushed(text: str, secrets: Iterable[Secret]) -> str:
    """A text without the secrets that stand in it, as they are, or as they are written in a URL or in JSON."""
    # the longest first, for one may stand in another
    for secret in sorted(secrets, key=len, reverse=True):
        for written in dict.fromkeys(
            (str(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
        ):
            text = text.replace(written, HIDDEN)
    return str(text)


def secrets_of(machine: Machine) -> tuple[Secret, ...]:
    """The secrets that a machine knows: parameters and variables."""
    return tuple(each for each in (*machine.parameters, *machine.variables) if isinstance(each, Secret) and each)


def without_query(url: str) -> str:
    """A URL without what travels in its query."""
    path, mark, _ = url.partition("?")
    return f"{path}?…" if mark else path
