"""What a gateway says of itself when it accepts a client.

Law: pure, and total: a `hello` may lack anything, or have it in another shape. What is secret in it is veiled.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from lifecycle.definition.literal import Secret

_SECRETS: Final = frozenset({"deviceToken", "recoveryScope"})
_SECRET_MAPS: Final = frozenset({"pluginSurfaceUrls"})
_PROTOCOLS: Final = ("protocol", "protocolVersion", "negotiatedProtocol")
_NEW: Final = (2026, 5, 12)
"""The first version that speaks protocol 4."""


def veiled(value: Any, *, secret: bool = False) -> Any:
    """A copy in which what is secret is a `Secret`: a text that can be used, and whose `repr` tells nothing.

    Args:
        value: a `hello`, or a part of one.
        secret: whether all texts in it are.
    """
    if isinstance(value, Mapping):
        return {name: veiled(part, secret=secret or name in _SECRETS | _SECRET_MAPS) for name, part in value.items()}
    if isinstance(value, list):
        return [veiled(part, secret=secret) for part in value]
    return Secret(value) if secret and isinstance(value, str) else value


def snapshot_of(hello: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What the gateway was like then; empty if it does not say."""
    return _map(hello, "snapshot")


def version_of(hello: Mapping[str, Any] | None) -> str | None:
    """The gateway's version, such as `2026.9.6`; None if it does not say."""
    given = _map(hello, "server").get("version") or (hello or {}).get("serverVersion")
    return given if isinstance(given, str) else None


def protocol_of(hello: Mapping[str, Any] | None) -> int | None:
    """The version of the protocol: as the gateway says, else 4 from version 2026.5.12 on, else 3; None before hello."""
    if hello is None:
        return None
    for name in _PROTOCOLS:
        said = hello.get(name)
        if isinstance(said, int) and not isinstance(said, bool):
            return said
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version_of(hello) or "")
    return 4 if found and tuple(map(int, found.groups())) >= _NEW else 3


def session_key_of(hello: Mapping[str, Any] | None) -> str | None:
    """The key of the main session: as the gateway says, else that of the default agent; None before hello."""
    if hello is None:
        return None
    defaults = _map(snapshot_of(hello), "sessionDefaults")
    key, agent = defaults.get("mainSessionKey"), defaults.get("defaultAgentId")
    return (
        key if isinstance(key, str) and key else f"agent:{agent if isinstance(agent, str) and agent else 'main'}:main"
    )


def _map(of: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    found = (of or {}).get(name)
    return found if isinstance(found, Mapping) else {}
