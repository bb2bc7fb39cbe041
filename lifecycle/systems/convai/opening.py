"""A session with a Convai character, made from what a program knows: a key and a character."""

import ssl
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lifecycle.observe.instrument import Instrument
from lifecycle.trio.connection import Connection
from lifecycle.trio.transports.dialer import Dialer

from .calls import BASE_URL, ConvaiCalls, Credentials
from .media import Media
from .session import PATIENCE, Session
from .steps import Steps

if TYPE_CHECKING:
    import httpx2

PAGE: Final = "convai-session"


def open_convai(
    api_key: Credentials,
    character_id: str,
    *,
    base_url: str = BASE_URL,
    connection_type: str = "audio",
    end_user_id: str | None = None,
    header: str = "x-api-key",
    body: Mapping[str, Any] | None = None,
    client: "httpx2.AsyncClient | None" = None,
    media: Media | None = None,
    patience: float = PATIENCE,
    transport: str | Dialer | None = None,
    tls: ssl.SSLContext | None = None,
    seed: int | None = None,
    instruments: Iterable[Instrument] = (),
    **parameters: Any,
) -> Session:
    """Make a session: in `async with` it is connected, or on its way to be.

    Args:
        api_key: the key, or who knows it. This and the next seven are as for `ConvaiCalls`.
        character_id: who is to be talked to.
        base_url: where `/connect` is.
        connection_type: `audio` or `video`.
        end_user_id: who talks.
        header: `x-api-key` or `API-AUTH-TOKEN`.
        body: what else the request says.
        client: an HTTP client of your own.
        media: the microphone and camera, if there are some.
        patience: seconds that a response of the server, or a device, may take.
        transport: as `lifecycle.open`. What is built in speaks JSON over a WebSocket, a stand-in for LiveKit's data
            channel; a dialer of your own may speak the real one.
        tls: as `lifecycle.open`; also for the request.
        seed: as `lifecycle.open`.
        instruments: as `lifecycle.open`.
        parameters: of the page `convai-session`, such as `character_session_id`.

    Raises:
        WrongParameters: they do not fit the page, or cannot be sent.
    """
    calls = ConvaiCalls(
        api_key,
        character_id,
        base_url=base_url,
        connection_type=connection_type,
        end_user_id=end_user_id,
        header=header,
        body=body,
        tls=tls,
        client=client,
    )
    steps = Steps()
    connection = Connection(
        PAGE, calls=calls, transport=transport, tls=tls, seed=seed, instruments=(*instruments, steps), **parameters
    )
    return Session(connection, steps, media=media, patience=patience)
