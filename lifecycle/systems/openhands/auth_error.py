"""Why a user is not let in: a typed family, and what the user is told, as data.

Law: each member has one code, which the client gets beside the sentence and may decide by. The sentences are one table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, final

from lifecycle.errors import CallFailed

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unauthorized": "You are not allowed to open this conversation.",
        "no_credentials": "You are not signed in.",
        "email_not_verified": "Your e-mail address is not verified: open the link that was sent to it.",
        "bearer_token": "The access token is not valid.",
        "cookie": "The sign-in cookie is not valid: sign in again.",
        "terms_not_accepted": "The terms of service are not accepted yet.",
        "expired": "Your session has expired: sign in again.",
    }
)
"""What the user is told, by the code of an `AuthError`."""


class AuthError(CallFailed):
    """A user is not let in. Raise one of the family, or this, in a validator.

    Args:
        message: for the user, in place of the sentence of the table.

    Attributes:
        kind: the code of the class, a key of `SENTENCES`; sent to the client as `error.data.code`.
    """

    kind: ClassVar[str] = "unauthorized"

    def __init__(self, message: str = "") -> None:
        super().__init__(self.kind, message or SENTENCES[self.kind])


@final
class NoCredentials(AuthError):
    """Neither cookie nor token came."""

    kind = "no_credentials"


@final
class EmailNotVerified(AuthError):
    """The user's e-mail address is not verified."""

    kind = "email_not_verified"


@final
class BearerToken(AuthError):
    """The bearer token of `Authorization` is none, or not valid."""

    kind = "bearer_token"


@final
class Cookie(AuthError):
    """The cookie is none, or not valid."""

    kind = "cookie"


@final
class TermsNotAccepted(AuthError):
    """The user has not accepted the terms of service."""

    kind = "terms_not_accepted"


@final
class Expired(AuthError):
    """The user's session has expired, and could not be made fresh."""

    kind = "expired"
