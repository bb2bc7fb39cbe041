"""What `lifecycle registry` asks: an admin surface by HTTP, or a place of leases itself.

Law: an answer is believed only if it is one of ours. The key goes into one header, and is in no message.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, final
from urllib.parse import quote, urlsplit

from lifecycle.errors import ConnectionFailed, RequestFailed

Row = Mapping[str, Any]
"""A session as `GET /api/sessions` tells it."""
_PATIENCE: Final = 60.0
_LONGEST: Final = 16 * 2**20
_PAGE: Final = 500
_WRITE: Final = "write http://HOST:PORT or https://HOST:PORT, with nothing behind it and no password in it"


class Sessions(Protocol):
    """Where sessions are looked at and cleared."""

    def all(self) -> Sequence[Row]:
        """All of them, the oldest first."""
        ...

    def clear(self, rows: Sequence[Row], *, everybody: bool) -> Mapping[str, str]:
        """Clear these; `everybody` says that these are all. What went wrong, by live_id."""
        ...


def is_url(place: str) -> bool:
    """Whether it is the URL of an admin surface."""
    return place.lower().startswith(("http://", "https://"))


@final
class Surface:
    """An admin surface.

    Args:
        url: of it, such as http://localhost:8000.
        key: that it asks for, or None.

    Raises:
        ValueError: it is no such URL.
    """

    def __init__(self, url: str, key: str | None) -> None:
        parts = urlsplit(url)
        try:
            self._port = parts.port
        except ValueError:
            raise ValueError(_WRITE) from None
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise ValueError(_WRITE)
        self._secure, self._host = parts.scheme.lower() == "https", parts.hostname
        self._path = parts.path.rstrip("/")
        self._key = key
        self._name = f"{parts.scheme}://{parts.netloc}"

    @property
    def careless(self) -> bool:
        """Whether the key can be read on its way."""
        from lifecycle.registry.loopback import is_loopback

        return self._key is not None and not self._secure and not is_loopback(self._host)

    def all(self) -> Sequence[Row]:
        """All sessions, the oldest first. Raises ConnectionFailed, RequestFailed."""
        rows: list[Row] = []
        after: int | None = 0
        while after is not None:
            answer = self._ask("GET", f"/api/sessions?after={after}&limit={_PAGE}")
            page = answer.get("sessions")
            after = answer.get("next")
            if not isinstance(page, list) or not (after is None or (isinstance(after, int) and page)):
                raise RequestFailed("GET /api/sessions", "the answer has no sessions: this is no admin surface of ours")
            rows += page
        return rows

    def clear(self, rows: Sequence[Row], *, everybody: bool) -> Mapping[str, str]:
        """Clear these. Raises ConnectionFailed, RequestFailed if nothing was asked for."""
        if everybody:
            answer = self._ask("POST", "/api/digital_human_develop/clear_all_sessions", failing=True)
            failed = answer.get("failed", {})
            if not answer.get("success") and not failed:
                raise RequestFailed("clear_all_sessions", answer.get("message"))
            return dict(failed)
        failed = {}
        for row in rows:
            live_id, generation = row["live_id"], row["generation"]
            try:
                # a session that has taken its place meanwhile was not chosen
                self._ask(
                    "DELETE",
                    f"/api/digital_human_develop/leave_room/{quote(live_id, safe='')}?generation={generation}",
                )
            except (ConnectionFailed, RequestFailed) as error:
                failed[live_id] = str(error)
        return failed

    def _ask(self, method: str, path: str, *, failing: bool = False) -> dict[str, Any]:
        import http.client  # brings ssl, which may be broken where nothing of this is wanted

        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_PATIENCE)
        headers = {"Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            connection.request(method, self._path + path, headers=headers)
            response = connection.getresponse()
            text = response.read(_LONGEST)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionFailed(f"{self._name} cannot be reached", cause=_words(error)) from error
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise RequestFailed(method, f"status {response.status} and no JSON: this is no admin surface of ours")
        if response.status >= 300 and not failing:  # noqa: PLR2004 -- where success ends
            raise RequestFailed(method, answer.get("message", f"status {response.status}"))
        return answer


@final
class AtPlace:
    """A place of leases.

    Args:
        place: what `place_of` takes.
    """

    def __init__(self, place: str) -> None:
        self._place = place

    def all(self) -> Sequence[Row]:
        """All sessions, the oldest first. Raises LeasesUnavailable."""
        from lifecycle.registry.at_place import list_place

        return [lease.shown for lease in list_place(self._place)]

    def clear(self, rows: Sequence[Row], *, everybody: bool) -> Mapping[str, str]:  # noqa: ARG002 -- these are all, then
        """Take these away from their owners. Raises LeasesUnavailable."""
        from lifecycle.registry.at_place import revoke_at

        return revoke_at(self._place, [(row["live_id"], row["generation"]) for row in rows]).failed


def _words(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
