"""A session with a digital human, made from what a program knows: a backend and a live_id."""

import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lifecycle.errors import WrongParameters
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.connection import Connection

from .backend import BASE_URL, Backend, Credentials, wrong_join
from .calls import HiagentCalls, fresh_id
from .own import OwnSessions
from .session import Session

if TYPE_CHECKING:
    import httpx2

PAGE: Final = "hiagent-session"


def open_hiagent(
    base_url: str = BASE_URL,
    live_id: str | None = None,
    *,
    key: Credentials | None = None,
    avatar_type: str = "3min",
    role: str | None = None,
    more: Mapping[str, Any] | None = None,
    own: OwnSessions | None = None,
    new_id: Callable[[], str] = fresh_id,
    tls: ssl.SSLContext | None = None,
    client: "httpx2.AsyncClient | None" = None,
    seed: int | None = None,
    instruments: Iterable[Instrument] = (),
    **parameters: Any,
) -> Session:
    """Make a session: in `async with` it is asked for, and at its end it is given back.

    Args:
        base_url: where the backend's `/api` is.
        live_id: of the session, and of nobody else's: after an unanswered request it is left; None makes one.
        key: as for `Backend`, and so are tls and client.
        avatar_type: `3min` or `pic`.
        role: which avatar.
        more: what else the request says, such as `rtc_room_id` and `rtc_token`.
        own: which sessions are this program's: one object for all of them, so that one that finds no room clears up
            what the others have left behind.
        new_id: makes a live_id in place of one that is in use.
        tls: an ssl.SSLContext, in place of the system's certificates.
        client: an HTTP client of your own.
        seed: as `lifecycle.open`.
        instruments: as `lifecycle.open`.
        parameters: of the page `hiagent-session`, such as `max_attempts`.

    Raises:
        WrongParameters: they do not fit the page, or cannot be sent.
    """
    name = new_id() if live_id is None else live_id
    if problems := wrong_join(name, avatar_type, role, more):
        raise WrongParameters(PAGE, problems)
    backend = Backend(base_url, key=key, tls=tls, client=client)
    calls = HiagentCalls(backend, own, avatar_type=avatar_type, role=role, more=more, new_id=new_id)
    connection = Connection(PAGE, calls=calls, seed=seed, instruments=instruments, live_id=name, **parameters)
    return Session(connection, calls, backend)
