"""Where a Redis or Valkey server is, as a URL says it.

Law: no message made here has a part of the URL in it but the scheme: there may be a password in any other.
"""

from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from lifecycle.definition.literal import Secret

PORT: Final = 6379
SHAPE: Final = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS"


@attrs.frozen
class Address:
    """What a URL says.

    Attributes:
        host, port: where it listens.
        database: its number.
        tls: whether it is spoken to by TLS.
        user, password: None if there are none.
    """

    host: str
    port: int
    database: int
    tls: bool
    user: str | None = attrs.field(default=None, repr=False)
    password: Secret | None = attrs.field(default=None, repr=False)

    @property
    def place(self) -> str:
        """The URL without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.database}"


def address(url: str) -> Address:
    """Read a URL.

    Args:
        url: `redis://user:password@host:6379/0`; `rediss` for TLS. User, password and database may be left out, and a
            `/`, `#`, `?`, `@` or `%` in the password is percent-encoded.

    Raises:
        ValueError: it is none; the message says all that is wrong, and what to write.
    """
    problems: list[str] = []
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f"the URL of a Redis server cannot be read: write {SHAPE}") from None
    if parts.scheme not in {"redis", "rediss"}:
        problems.append(f"its scheme is {parts.scheme or 'missing'!r}")
    if not host:
        problems.append("it has no host")
    port = _port(parts)
    if port is None:
        problems.append("its port is no number from 1 to 65535 (or the password has a character to be percent-encoded)")
    number = parts.path.removeprefix("/") or "0"
    if not (number.isascii() and number.isdigit() and len(number) < 10):  # noqa: PLR2004 -- far beyond any server's
        problems.append("its database is no number (or the password has a `/` that must be percent-encoded)")
    if parts.query or parts.fragment:
        problems.append("it has a `?` or a `#`, which mean nothing here (in a password they are percent-encoded)")
    if problems:
        raise ValueError(f"the URL of a Redis server is wrong: {'; '.join(problems)}: write {SHAPE}")
    return Address(
        host=host or "",
        port=port or PORT,
        database=int(number),
        tls=parts.scheme == "rediss",
        user=unquote(parts.username) if parts.username else None,
        password=Secret(unquote(parts.password)) if parts.password else None,
    )


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        return None
    return PORT if port is None else port or None
