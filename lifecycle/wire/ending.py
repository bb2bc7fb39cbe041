"""Why there is no connection: the peer answered with HTTP, a close frame came, or something went wrong.

Law: an ending is data, and one of three kinds; the words of an error are a closed set, so causes can be matched.
A code 1006 is never seen here: no peer sends it, so it is `eof` or `reset`.
It does not know which library, exception or socket an ending was read from.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, final

import attrs

ErrorWord = Literal[
    "tls",
    "dns",
    "refused",
    "connect",
    "handshake",
    "timeout",
    "eof",
    "reset",
    "protocol",
    "too_big",
    "inbox_full",
    "outbox_full",
]
Side = Literal["peer", "local"]


@final
@attrs.frozen
class HttpEnding:
    """The peer answered the opening handshake with a status other than 101.

    Attributes:
        status: the three digits of the answer.
        headers: names in lower case; the values of a repeated name are joined by a comma.
        body: what came of the body, at most about 64 KiB.
    """

    kind: ClassVar[Literal["http"]] = "http"
    status: int
    # a Set-Cookie is a secret, and a body is long
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"the peer answered with HTTP status {self.status}"


@final
@attrs.frozen
class CloseEnding:
    """A close frame ended the connection.

    Attributes:
        code: the code in the frame that came, 1005 if it was empty; the one we sent, if none came.
        reason: the words beside the code.
        by: who said goodbye first.
    """

    kind: ClassVar[Literal["close"]] = "close"
    code: int
    reason: str = ""
    by: Side = "peer"

    def __str__(self) -> str:
        who = "the peer" if self.by == "peer" else "this side"
        return f"{who} closed with code {self.code}" + (f": {self.reason}" if self.reason else "")


@final
@attrs.frozen
class ErrorEnding:
    """Something went wrong, in dialing or later.

    Attributes:
        word: what it was, for matching.
        text: what it was, for people.
        errno: the number of the operating system or of the resolver, where there is one.
    """

    kind: ClassVar[Literal["error"]] = "error"
    word: ErrorWord
    text: str = ""
    errno: int | None = None

    def __str__(self) -> str:
        return f"{self.word}: {self.text}" if self.text else self.word


Ending = HttpEnding | CloseEnding | ErrorEnding
