"""The HTTP operations of a HiAgent RTC backend: join, leave, list, health, and clear.

Law: every request has a bound of time and of bytes, and is sent once. The credentials stand in one header, and in
nothing that is said; no redirect takes them elsewhere. What is refused for its form is refused here, all at once.
"""

import json
import logging
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, final
from urllib.parse import quote

import trio

from lifecycle.definition.literal import Secret
from lifecycle.errors import WrongParameters
from lifecycle.observe.plain import hushed
from lifecycle.systems import http
from lifecycle.trio.interrupts import unprotected

from .answers import BackendHealth, Cleared, Joined, Left, Listed, inner, is_already_active, listed
from .refusal import NoAnswer, NoSuchLive, refusal
from .reply import Reply, read_reply

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("lifecycle.hiagent")
Credentials = str | Callable[[], Awaitable[str]]
"""The key, or how to get the one that is valid now."""

BASE_URL: Final = "http://localhost:8000"
DEVELOP: Final = "/api/digital_human_develop"
JOIN_TIME: Final = 90.0
TIME: Final = 10.0
MOST_PAGES: Final = 100
"""Pages of a list of sessions that are read."""
LONGEST_ID: Final = 256
_IDLE: Final = 2.0  # seconds; servers let an unused connection go after 5, and a request must not meet that
_GOODBYE: Final = 1.0


@final
class Backend:
    """A backend: `async with Backend("http://localhost:8000") as backend: await backend.join_room("a")`.

    Every method raises `Refused` or one of its family where the backend refuses, and `NoAnswer` where it gives no
    answer, or none in time.

    Args:
        base_url: where `/health` and `/api` are.
        key: for `Authorization: Bearer …`; or an async function that is asked for it, once at first and by
            `fresh_credentials`; None if the backend needs none.
        tls: an ssl.SSLContext, in place of the system's certificates.
        client: an HTTP client of your own, for proxies and the like; it is not closed here.

    Raises:
        WrongParameters: they cannot be used; all wrong ones at once.
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        *,
        key: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        client: "httpx2.AsyncClient | None" = None,
    ) -> None:
        problems = [] if http.is_base(base_url) else [f"`base_url` is the beginning of an address, such as {BASE_URL}"]
        if key is not None and not callable(key) and (wrong := http.wrong_key(key, "the key")):
            problems.append(wrong)
        if problems:
            raise WrongParameters("a HiAgent backend", problems)
        self._url, self._tls = base_url.rstrip("/"), tls
        self._source = key if callable(key) else None
        self._key = Secret(key) if isinstance(key, str) else None
        self._client, self._theirs = client, client is not None

    async def __aenter__(self) -> Self:
        """Itself; nothing is asked yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Let go of its connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of its connections, within a second, also where this is cancelled."""
        client = self._client
        if client is not None and not self._theirs:
            self._client = None
            with trio.move_on_after(_GOODBYE, shield=True):
                await client.aclose()

    # -- its operations

    async def join_room(
        self,
        live_id: str,
        *,
        avatar_type: str = "3min",
        role: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Joined:
        """Ask for a session; one that is active already is the same one again. It may take 90 s.

        Args:
            live_id: of the session.
            avatar_type: `3min` or `pic`.
            role: which avatar.
            more: what else the request says, such as `rtc_room_id`; over the rest.
        """
        said = {"live_id": live_id, "avatar_type": avatar_type, **({} if role is None else {"role": role})}
        reply = await self._asked("POST", f"{DEVELOP}/join_room", JOIN_TIME, {**said, **(more or {})})
        return Joined(live_id, is_already_active(reply.body), reply.body)

    async def leave_room(self, live_id: str) -> Left:
        """Give a session back. That there is none is no failure."""
        try:
            reply = await self._asked("DELETE", f"{DEVELOP}/leave_room/{quote(live_id, safe='')}", TIME)
        except NoSuchLive:
            return Left(live_id, cleaned_up=False)
        return Left(live_id, inner(reply.body, "cleaned_up") is not False)

    async def clear_all_sessions(self) -> Cleared:
        """End the sessions of everybody. For operators: nothing here does it by itself."""
        reply = await self._answer("POST", f"{DEVELOP}/clear_all_sessions", JOIN_TIME, None)
        failed, before = inner(reply.body, "failed"), inner(reply.body, "before")
        if not reply.good and not (isinstance(failed, Mapping) and failed):
            raise refusal(reply)
        count = before if isinstance(before, int) and not isinstance(before, bool) else None
        return Cleared(
            count, {str(name): str(why) for name, why in failed.items()} if isinstance(failed, Mapping) else {}
        )

    async def sessions(self) -> tuple[Listed, ...]:
        """All sessions that there are, whoever's; of a list in pages, each page."""
        found: list[Listed] = []
        after: object = None
        for _ in range(MOST_PAGES):
            query = "" if after is None else f"?after={quote(str(after), safe='')}"
            reply = await self._asked("GET", f"/api/sessions{query}", TIME)
            page = listed(reply.body)
            if page is None:
                raise NoAnswer("wrong_answer", "the backend's list has no `sessions`", status=reply.status)
            found += page
            before, after = after, inner(reply.body, "next")
            if not page or after is None or after == before:
                break
        return tuple(found)

    async def health(self) -> BackendHealth:
        """Ask whether its process is up."""
        reply = await self._asked("GET", "/health", TIME)
        upstream = inner(reply.body, "upstream")
        told = upstream.get("status") if isinstance(upstream, Mapping) else upstream
        return BackendHealth(told if isinstance(told, str) else None, reply.body)

    async def fresh_credentials(self) -> None:
        """Ask for the key that is valid now.

        Raises:
            NoAnswer: the key is a text, which does not change; or what came is none. What the function raises is
                raised as it is.
        """
        if self._source is None:
            raise NoAnswer("no_credentials", "no other key is known")
        key: object = await unprotected(self._source())
        if wrong := http.wrong_key(key, "the key"):
            raise NoAnswer("no_key", wrong)
        self._key = Secret(key)

    # -- a request

    async def _asked(self, method: str, path: str, seconds: float, body: Mapping[str, Any] | None = None) -> Reply:
        reply = await self._answer(method, path, seconds, body)
        if not reply.good:
            raise refusal(reply)
        return reply

    async def _answer(self, method: str, path: str, seconds: float, body: Mapping[str, Any] | None) -> Reply:
        if self._key is None and self._source is not None:
            await self.fresh_credentials()
        content = None if body is None else _written(body)
        with trio.move_on_after(seconds):
            status, phrase, headers, found = await self._exchange(method, path, content)
            return read_reply(
                status, self._hushed(phrase), headers, self._hushed(found.decode(errors="replace")).encode()
            )
        raise NoAnswer(
            "timeout", f"the backend has not answered {method} {path.partition('?')[0]} within {seconds:g} s"
        )

    async def _exchange(
        self, method: str, path: str, content: bytes | None
    ) -> tuple[int, str, Mapping[str, str], bytes]:
        httpx2 = http.library("A HiAgent backend", "hiagent")
        if self._client is None:
            self._client = httpx2.AsyncClient(
                verify=True if self._tls is None else self._tls,
                timeout=None,
                limits=httpx2.Limits(max_connections=16, keepalive_expiry=_IDLE),
            )
        headers = {} if self._key is None else {"authorization": f"Bearer {self._key!s}"}
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            async with self._client.stream(
                method, f"{self._url}{path}", content=content, headers=headers, follow_redirects=False
            ) as answer:
                body = await http.body_of(answer)
                if body is None:
                    raise NoAnswer("wrong_answer", http.TOO_MUCH, status=answer.status_code)
                return answer.status_code, answer.reason_phrase, answer.headers, body
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            words = self._hushed(f"{type(error).__name__}: {error}")
        raise NoAnswer("unreachable", f"the backend was not to be reached: {words}")

    def _hushed(self, text: str) -> str:
        return hushed(text, () if not self._key else (self._key,))


def _written(body: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(body), allow_nan=False).encode()


def wrong_join(live_id: object, avatar_type: object, role: object, more: object) -> list[str]:
    """What of a wish to join cannot be sent."""
    found = []
    if not isinstance(live_id, str) or not 1 <= len(live_id) <= LONGEST_ID or not live_id.isprintable():
        found.append(f"`live_id` is a text of 1 to {LONGEST_ID} characters that can be printed")
    if avatar_type not in ("3min", "pic"):
        found.append("`avatar_type` is `3min` or `pic`")
    if not isinstance(role, str | None):
        found.append("`role` is a text")
    if not isinstance(more, Mapping | None) or not _is_json(more):
        found.append("`more` is a mapping that can be written as JSON")
    return found


def _is_json(more: Mapping[str, Any] | None) -> bool:
    try:
        _written(more or {})
    except (TypeError, ValueError, RecursionError):
        return False
    return not any(isinstance(value, float) and not math.isfinite(value) for value in (more or {}).values())
