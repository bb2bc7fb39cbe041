"""Who may ask: whoever has the key; without one, programs of this machine.

Law: a key is compared in constant time, and is in no answer, log or repr. Without a key, what a web page made a browser
of this machine send is refused, for it comes from this machine too.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, final

from lifecycle.registry.loopback import is_loopback

_NO_KEY: Final = (
    "give a key (letters, digits and punctuation, no blanks), or say without_key=True to serve this machine only"
)


@final
class Guard:
    """A key, or that there is none.

    Args:
        key: what `Authorization: Bearer …` has to bring; None is no key.
        without_key: whether there is to be none.

    Raises:
        ValueError: neither was said, or both, or the key cannot be one.
    """

    def __init__(self, key: str | None, *, without_key: bool = False) -> None:
        if key is None and not without_key:
            raise ValueError(f"nobody could ask: {_NO_KEY}")
        if key is not None and without_key:
            raise ValueError("there is a key, and without_key=True says that there is none: leave out one of them")
        if key is not None and (not key or not key.isascii() or not key.isprintable() or " " in key):
            raise ValueError(f"such a key cannot stand in a header: {_NO_KEY}")
        self._digest = None if key is None else _digest(f"Bearer {key}".encode())

    def __repr__(self) -> str:
        return f"Guard({'a key' if self.has_key else 'no key'})"

    @property
    def has_key(self) -> bool:
        """Whether there is one."""
        return self._digest is not None

    def lets_in(self, headers: Sequence[tuple[bytes, bytes]], client: str | None) -> bool:
        """Whether a request may ask for what is not public.

        Args:
            headers: of the request, their names in small letters.
            client: the address that it comes from; None if nobody knows.
        """
        said = dict(headers)
        if self._digest is not None:
            scheme, _, key = said.get(b"authorization", b"").partition(b" ")
            shown = b" ".join([b"Bearer" if scheme.lower() == b"bearer" else b"", key.strip()])
            return hmac.compare_digest(_digest(shown), self._digest)
        if client is None or not is_loopback(client):
            return False
        # a browser says Origin for what a foreign page asks, and a name that was bound anew is in Host
        host = said.get(b"host", b"localhost").decode("latin-1").strip()
        foreign = b"origin" in said or said.get(b"sec-fetch-site", b"none") != b"none"
        return not foreign and is_loopback(_without_port(host))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
