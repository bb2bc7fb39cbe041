"""Look at what can only be seen by trying: an endpoint, step by step, and a server's clock.

Law: every look has a bound, and reports what it found instead of raising. Of a URL only scheme, host and port are
shown. The way to an endpoint is the one that `open` takes.
"""

import email.utils
import http.client
import time
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit

import trio

from lifecycle.observe.diagnosis import Diagnosis
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending, ErrorEnding

from .pipes.dial import connect_tcp
from .pipes.pipe import Pipe, SocketPipe
from .pipes.tls import TlsPipe
from .transports.library import DEFAULT, library
from .transports.transport import Transport, TransportFailed

LIMIT = 5.0
"""Seconds that one look may take."""

_SLIGHT, _WRONG = 2.0, 300.0  # seconds; many servers refuse a token that is five minutes off
_ADVICE = {
    "dns": "look at the name, and at the resolver of this machine (/etc/resolv.conf)",
    "refused": "nobody listens there: look at the port, and whether the server runs",
    "timeout": "a firewall may swallow it: look at the port, and at the way there",
    "connect": "look at the network of this machine, and at the way there",
    "tls": "look at the server's certificate, at the clock, and at whom this machine trusts (SSL_CERT_FILE)",
    "handshake": "look at the path of the URL, and at what stands before the server (a proxy must pass Upgrade on)",
}


def look_at_endpoint(url: str, limit: float = LIMIT) -> list[Diagnosis]:
    """Go the way to a WebSocket endpoint: TCP, TLS for wss://, the upgrade; it is closed again at once.

    Args:
        url: `ws://` or `wss://`.
        limit: seconds that each of the three may take.

    Returns:
        One for each step that was taken; the last may be a failure.

    Raises:
        ValueError: the URL is none; the sentence does not show it.
    """
    return trio.run(_Endpoint(DialRequest.parse(url), limit).look)


def look_at_clock(url: str, limit: float = LIMIT) -> Diagnosis:
    """Hold the clock of this machine against the Date that a web server tells.

    Args:
        url: `http://` or `https://`; `ws://` and `wss://` mean these.
        limit: seconds that it may take.

    Raises:
        ValueError: the URL is none; the sentence does not show it.
    """
    return trio.run(_look_at_clock, url, limit)


def judge_clock(what: str, ahead: float, unsure: float = 0.0) -> Diagnosis:
    """Say whether this machine's clock is right.

    Args:
        what: was looked at.
        ahead: seconds that ours is ahead of the other one.
        unsure: by how many seconds that may be wrong.
    """
    off = abs(ahead)
    found = f"{off:.3f} s {'ahead' if ahead > 0 else 'behind'}, give or take {unsure:.3f} s"
    if off <= _SLIGHT + unsure:
        return Diagnosis(what, "ok", found)
    advice = "let this machine set its clock: `timedatectl set-ntp true`, or an NTP service such as chrony"
    if off <= _WRONG:
        return Diagnosis(what, "warn", found, f"{advice}; no lease depends on it, but logs and tokens do")
    return Diagnosis(what, "fail", f"{found}: tokens and certificates will be refused", advice)


class _Endpoint:
    """One walk to an endpoint."""

    def __init__(self, request: DialRequest, limit: float) -> None:
        self.request, self.limit = request, limit
        self.found: list[Diagnosis] = []
        self.pipe: Pipe | None = None

    async def look(self) -> list[Diagnosis]:
        steps: dict[str, Callable[[trio.Nursery], Awaitable[None]]] = {"tcp": self.tcp}
        if self.request.secure:
            steps["tls"] = self.tls
        steps["upgrade"] = self.upgrade
        async with trio.open_nursery() as nursery:
            for what, step in steps.items():
                if not await self.take(f"endpoint {what}", partial(step, nursery)):
                    break
            if self.pipe is not None:
                self.pipe.abort()
            nursery.cancel_scope.cancel()
        return self.found

    async def take(self, what: str, step: Callable[[], Awaitable[None]]) -> bool:
        begun, told = trio.current_time(), len(self.found)
        where = self.request.authority
        try:
            with trio.fail_after(self.limit):
                await step()
        except TransportFailed as error:
            self.found.append(Diagnosis(what, "fail", f"{where}: {error}", _advice(error.ending)))
        except trio.TooSlowError:
            if len(self.found) == told:
                said = f"{where}: nothing within {self.limit:g} s"
                self.found.append(Diagnosis(what, "fail", said, _ADVICE["timeout"]))
        if len(self.found) == told:
            self.found.append(Diagnosis(what, "ok", f"{where}, {_took(begun)}"))
        return self.found[-1].verdict == "ok"

    async def tcp(self, nursery: trio.Nursery) -> None:
        self.pipe = SocketPipe(await connect_tcp(self.request.host, self.request.port), nursery.start_soon)

    async def tls(self, _: trio.Nursery) -> None:
        if self.pipe is not None:
            self.pipe = secured = TlsPipe(self.pipe, self.request.host)
            await secured.handshake()

    async def upgrade(self, _: trio.Nursery) -> None:
        begun = trio.current_time()

        def opened(transport: Transport) -> None:
            said = f"{self.request.authority}, {_took(begun)}, by {DEFAULT}"
            self.found.append(Diagnosis("endpoint upgrade", "ok", said))
            transport.close()

        if self.pipe is not None:
            await library(DEFAULT).dial(self.request, self.pipe, opened)


def _took(begun: float) -> str:
    return f"{(trio.current_time() - begun) * 1000:.0f} ms"


def _advice(ending: Ending) -> str:
    if isinstance(ending, ErrorEnding):
        return _ADVICE.get(ending.word, _ADVICE["connect"])
    return "the server refuses: look at the path of the URL, and at the token that it wants"


async def _look_at_clock(url: str, limit: float) -> Diagnosis:
    scheme, host, port = _web_server(url)
    make = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = make(host, port, timeout=limit)
    where = f"{scheme}://{host}"
    before = time.time()
    try:
        with trio.fail_after(limit):
            date = await trio.to_thread.run_sync(_date, connection, abandon_on_cancel=True)
    except (trio.TooSlowError, TimeoutError):
        return Diagnosis("clock", "fail", f"{where}: no answer within {limit:g} s", "name another server")
    except (OSError, http.client.HTTPException) as error:
        said = f"{where}: {getattr(error, 'strerror', None) or type(error).__name__}"
        return Diagnosis("clock", "fail", said, "look at the URL, or name another server")
    if date is None:
        return Diagnosis("clock", "warn", f"{where} tells no date", "name another server")
    half = (time.time() - before) / 2
    told = date + 0.5  # a date is cut off at the second
    return judge_clock("clock", before + half - told, half + 0.5)


def _web_server(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme in ("http", "https") and parts.hostname:
            return scheme, parts.hostname, parts.port
    except ValueError:  # what it says shows parts of the URL
        pass
    raise ValueError("this is no URL of a web server: write http://HOST or https://HOST")


def _date(connection: http.client.HTTPConnection) -> float | None:
    try:
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        text, age = answer.getheader("Date"), float(answer.getheader("Age") or 0)  # a cache tells when it was made
        return email.utils.parsedate_to_datetime(text).timestamp() + age if text else None
    except ValueError:
        return None
    finally:
        connection.close()
