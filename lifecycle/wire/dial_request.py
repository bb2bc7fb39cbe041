"""What to dial: a WebSocket URL taken apart and checked, with the headers and subprotocols to offer.

Law: whatever cannot be sent as it is meant is refused here, in a sentence; nothing is repaired in silence.
Secrets travel in headers and in the query, so neither is shown by `repr` nor quoted in an error.
It does not know how names are resolved, nor who writes the request to the wire.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Self, final
from urllib.parse import SplitResult, quote, unquote_plus, urlencode, urlsplit

import attrs

from lifecycle.definition.url import forbidden

DEFAULT_LIMIT = 16 * 1024 * 1024

_PORTS = {"ws": 80, "wss": 443}
_MOST_PORT = 65_535
# RFC 9110 5.6.2, and of a value 5.5: no control character but the tab
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of HTTP."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SAFE = "/?:@!$&'()*+,;=~%[]"
_HANDSHAKE = {"host", "upgrade", "connection", "content-length", "transfer-encoding"}


def _without_query(resource: str) -> str:
    path, mark, _ = resource.partition("?")
    return repr(f"{path}?…" if mark else path)


@final
@attrs.frozen(kw_only=True)
class DialRequest:
    """One address and what to say there.

    Attributes:
        host: a name in ASCII or an IP address without brackets.
        port: of TCP.
        secure: whether to speak TLS.
        resource: path and query, as they stand in the request line.
        headers: pairs of name and value, in the order given.
        subprotocols: offered, the best first.
        limit: the longest message to accept, in bytes.
    """

    host: str
    port: int
    secure: bool = False
    resource: str = attrs.field(default="/", repr=_without_query)
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    subprotocols: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT

    @property
    def authority(self) -> str:
        """The value of the Host header: a default port is left out, an IPv6 address has its brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["wss" if self.secure else "ws"] else f"{host}:{self.port}"

    @classmethod
    def parse(
        cls,
        url: str,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, object] | None = None,
        subprotocols: Iterable[str] = (),
        limit: int = DEFAULT_LIMIT,
    ) -> Self:
        """Read a URL and what goes with it.

        Args:
            url: `ws://` or `wss://`; a query in it is kept as it is written.
            query: parameters to add; each takes the place of those of its name in the URL. A list gives several.
                None is left out.
            headers: to add to the handshake; a value is text, a number or a flag. None is left out.
            subprotocols: to offer, the best first.
            limit: the longest message to accept, in bytes.

        Raises:
            ValueError: something of it cannot be sent; the sentence says what.
        """
        parts = _split(url)
        if limit < 1:
            raise ValueError(f"the limit of a message must be at least 1 byte, not {limit}")
        return cls(
            host=_host(parts),
            port=_port(parts),
            secure=parts.scheme == "wss",
            resource=_resource(parts, query or {}),
            headers=tuple(_header(name, value) for name, value in (headers or {}).items() if value is not None),
            subprotocols=tuple(_subprotocol(name) for name in subprotocols),
            limit=limit,
        )


def _split(url: str) -> SplitResult:
    # urlsplit would drop tabs and line ends without a word
    wrong = forbidden(url)
    if wrong:
        raise ValueError(wrong)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError("the host of the url is not an address: look at its brackets") from error
    if parts.scheme not in _PORTS:
        raise ValueError(f"the scheme of the url must be ws or wss, not {parts.scheme or 'empty'!r}")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname
    if not host:
        raise ValueError("the url has no host")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"the host of the url is not a name of the internet: {host!r}") from error


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    # an empty port, as in `ws://host:/`, is the default one (RFC 3986 6.2.3)
    port = _PORTS[parts.scheme] if port is None else port
    if not 0 < port <= _MOST_PORT:
        raise ValueError(f"the port of the url must be a number from 1 to {_MOST_PORT}")
    return port


def _resource(parts: SplitResult, query: Mapping[str, object]) -> str:
    added = {name: _values(name, value) for name, value in query.items() if value is not None}
    # the parameters that stay are not decoded and encoded again: a signature may depend on how they are written
    kept = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in added]
    if added:
        kept.append(urlencode(added, doseq=True, quote_via=quote, safe=""))
    path = quote(parts.path or "/", safe=_SAFE)
    joined = quote("&".join(pair for pair in kept if pair), safe=_SAFE)
    return f"{path}?{joined}" if joined else path


def _values(name: str, value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [_text(item, f"the query parameter {name!r}") for item in values if item is not None]


def _text(value: object, what: str) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise ValueError(f"{what} must be text, a number or a flag, not {type(value).__name__}")


def _header(name: str, value: object) -> tuple[str, str]:
    what = f"the header {name!r}"
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{what} has a name that HTTP forbids: use letters, digits and dashes")
    if name.lower() in _HANDSHAKE or name.lower().startswith("sec-websocket-"):
        raise ValueError(f"{what} belongs to the handshake, which writes it by itself")
    # white space at the ends is no part of a value (RFC 9110 5.5)
    text = _text(value, what).strip(" \t")
    if _CONTROL.search(text):
        raise ValueError(f"{what} has a value with a line end or another control character")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        # not chained: the message of Python's error shows the value
        raise ValueError(f"{what} has a value with characters outside ISO 8859-1, at {error.start}") from None
    return name, text


def _subprotocol(name: str) -> str:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"the subprotocol {name!r} is not a token of HTTP: use letters, digits, dots and dashes")
    return name
