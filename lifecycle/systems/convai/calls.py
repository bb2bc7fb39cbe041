"""The calls of the page `convai-session`: ask for a room, and get credentials that are valid.

Law: what Convai would refuse for its form is refused here, when the calls are made. The API key stands in one header,
and in nothing that is said; no redirect takes it elsewhere. An answer is read up to a bound. The page bounds the time.
"""

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

from lifecycle.definition.literal import Secret
from lifecycle.errors import CallFailed, WrongParameters
from lifecycle.systems import http
from lifecycle.wire.causes import retry_after

from .refusal import sentence

if TYPE_CHECKING:
    import httpx2

Credentials = str | Callable[[], Awaitable[str]]
"""The API key, or how to get the one that is valid now."""

BASE_URL: Final = "https://live.convai.com"
KINDS: Final = ("audio", "video")
HEADERS: Final = ("x-api-key", "API-AUTH-TOKEN")
_OK: Final = range(200, 300)
_RETURNED: Final = {
    "room_name": "room_name",
    "session_id": "session_id",
    "character_session_id": "character_session_id",
    "trace_id": "request_trace_id",
}


@final
class ConvaiCalls:
    """The calls of one client: `lifecycle.open("convai-session", calls=ConvaiCalls(key, character))`.

    Args:
        api_key: of Convai; or an async function that is asked for it, once at first and whenever it is refused.
        character_id: who is to be talked to.
        base_url: where `/connect` is.
        connection_type: `audio` or `video`.
        end_user_id: who talks, for a character that remembers its users.
        header: `x-api-key`, or `API-AUTH-TOKEN` for a token in place of a key.
        body: what else the request says, such as `dynamic_info`; over our own.
        tls: an ssl.SSLContext, in place of the system's certificates.
        client: an HTTP client of your own, for proxies and the like; it is not closed here.

    Raises:
        WrongParameters: they cannot be sent; all wrong ones at once.
    """

    def __init__(
        self,
        api_key: Credentials,
        character_id: str,
        *,
        base_url: str = BASE_URL,
        connection_type: str = "audio",
        end_user_id: str | None = None,
        header: str = "x-api-key",
        body: Mapping[str, Any] | None = None,
        tls: ssl.SSLContext | None = None,
        client: "httpx2.AsyncClient | None" = None,
    ) -> None:
        self._source = None if isinstance(api_key, str) else api_key
        self._key = Secret(api_key) if isinstance(api_key, str) else None
        self._url, self._header, self._tls, self._client = f"{base_url.rstrip('/')}/connect", header, tls, client
        self._body: dict[str, Any] = {
            "character_id": character_id,
            "transport": "livekit",
            "connection_type": connection_type,
            **({} if end_user_id is None else {"end_user_id": end_user_id}),
            **(body or {}),
        }
        problems = [*_wrong_texts(api_key, base_url, header), *_wrong_body(self._body)]
        if problems:
            raise WrongParameters("convai-session", problems)

    async def connect(self, *, character_session_id: str | None) -> dict[str, Any]:
        """Ask for a room: POST /connect.

        Args:
            character_session_id: of the session that is to go on; None for a new one.

        Returns:
            `room_url`, `room_name`, `token`, `session_id`, `character_session_id`, `trace_id`; texts, or None.

        Raises:
            CallFailed: with `status` and `retry_after`, where a server has answered.
        """
        if self._key is None:
            await self.fresh_credentials()
        session = {} if character_session_id is None else {"character_session_id": character_session_id}
        status, text, headers, body = await self._post(json.dumps({**self._body, **session}))
        if status not in _OK:
            pause = retry_after(headers)
            raise CallFailed(f"http_{status}", sentence(status, text, body), status=status, retry_after=pause)
        return _answer(status, body)

    async def fresh_credentials(self) -> None:
        """Ask for the API key that is valid now.

        Raises:
            CallFailed: the key is a text, which does not change; or what came is none. What the function raises is
                raised as it is.
        """
        if self._source is None:
            raise CallFailed("no_credentials", "no other API key is known")
        key: object = await self._source()
        if wrong := http.wrong_key(key, "the API key"):
            raise CallFailed("no_key", wrong)
        self._key = Secret(key)

    async def _post(self, content: str) -> tuple[int, str, Mapping[str, str], bytes]:
        httpx2 = http.library("A session with Convai", "convai")
        headers = {self._header: str(self._key), "content-type": "application/json"}
        client = self._client or httpx2.AsyncClient(
            verify=True if self._tls is None else self._tls, timeout=None, follow_redirects=False
        )
        try:
            async with client.stream(
                "POST", self._url, content=content, headers=headers, follow_redirects=False
            ) as answer:
                body = await http.body_of(answer)
                if body is None:
                    raise CallFailed("wrong_answer", http.TOO_MUCH, status=answer.status_code)
                return answer.status_code, answer.reason_phrase, answer.headers, body
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise CallFailed("unreachable", f"Convai was not to be reached: {type(error).__name__}: {error}") from None
        finally:
            if client is not self._client:
                await client.aclose()


def _answer(status: int, body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    room, token = (found.get("room_url"), found.get("token")) if isinstance(found, Mapping) else (None, None)
    if not isinstance(found, Mapping) or not isinstance(room, str) or not isinstance(token, str | None):
        raise CallFailed("wrong_answer", "the answer has no room_url: it is none of Convai's", status=status)
    texts = {ours: value if isinstance(value := found.get(theirs), str) else None for ours, theirs in _RETURNED.items()}
    return {"room_url": room, "token": None if token is None else Secret(token), **texts}


def _wrong_texts(key: object, base_url: str, header: str) -> list[str]:
    found = []
    if not callable(key) and (wrong := http.wrong_key(key, "the API key")):
        found.append(wrong)
    if not http.is_base(base_url):
        found.append(f"`base_url` is the beginning of an address, such as {BASE_URL}")
    if header not in HEADERS:
        found.append(f"`header` is one of {', '.join(HEADERS)}, not {header!r}")
    return found


def _wrong_body(body: Mapping[str, Any]) -> list[str]:
    found = []
    if not isinstance(body["character_id"], str) or not body["character_id"]:
        found.append("`character_id` is a text that is not empty")
    if body["connection_type"] not in KINDS:
        found.append(f"`connection_type` is one of {', '.join(KINDS)}, not {body['connection_type']!r}")
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError) as error:
        found.append(f"`body` cannot be written as JSON: {error}")
    return found
