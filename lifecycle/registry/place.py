"""Where leases are kept, as it is written in settings and on the command line.

Law: what is wrong with it is told before anything is opened.
"""

from typing import Final

from .leases import Leases

_WRITE: Final = "write memory, sqlite:PATH, redis://HOST:PORT/DATABASE or rediss://…"


def place_of(text: str) -> Leases:
    """Make the leases of a place.

    Args:
        text: `memory`, `sqlite:PATH`, `redis://…` or `rediss://…`; the latter two need the extra `redis`.

    Raises:
        ValueError: it is none of these; says what to write instead.
    """
    kind, colon, rest = text.partition(":")
    if text == "memory":
        from .memory_leases import MemoryLeases

        return MemoryLeases()
    if kind == "sqlite" and rest:
        from .sqlite_leases import SqliteLeases

        return SqliteLeases(rest)
    if kind in ("redis", "rediss") and rest.startswith("//") and rest != "//":
        from .redis import RedisLeases

        return RedisLeases(text)
    shown = kind + colon + ("…" if rest else "")  # the rest may hold a password
    raise ValueError(f"no place of leases is called {shown!r}: {_WRITE}")
