"""What systems with calls over HTTP share: the library, and what of an address, a key and an answer is taken.

Law: an answer is read up to a bound. What a header cannot have is found before it is sent, for else the error of
whoever sends it shows it.
"""

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2

LARGEST: Final = 1024 * 1024
"""Bytes of an answer that are read."""
TOO_MUCH: Final = f"the answer has more than {LARGEST} bytes"


def library(what: str, extra: str) -> Any:
    """Import `httpx2`.

    Args:
        what: needs it, as the beginning of a sentence.
        extra: of ours, that brings it.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how it is.
    """
    try:
        import httpx2
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{what} needs the package {error.name}: pip install 'connection-lifecycle[{extra}]'", name=error.name
        ) from error
    return httpx2


async def body_of(answer: "httpx2.Response") -> bytes | None:
    """The body of an answer that is being streamed; None if it has more than `LARGEST` bytes."""
    found = bytearray()
    async with aclosing(answer.aiter_bytes()) as parts:
        async for part in parts:
            found += part
            if len(found) > LARGEST:
                return None
    return bytes(found)


def wrong_key(key: object, called: str) -> str:
    """Why a key cannot stand in a header, in words that do not show it; empty if it can.

    Args:
        key: the key.
        called: what it is called in that sentence, such as `the API key`.
    """
    if not isinstance(key, str) or not key:
        return f"{called} is empty" if key == "" else f"{called} must be a text, not {type(key).__name__}"
    fits = key.isascii() and key.isprintable() and " " not in key
    return "" if fits else f"{called} has characters that a header cannot have"


def is_base(url: object) -> bool:
    """Whether it is the beginning of an address of HTTP: a host, perhaps a path, and no credentials."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and url.isprintable() and " " not in url and not ("@" in parts.netloc or parts.query or parts.fragment)
