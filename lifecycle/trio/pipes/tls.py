"""TLS over any pipe: an SSLObject between two memory buffers never waits, so `write` stays synchronous.

Law: certificate and name are verified unless the caller's own context says otherwise. `given` and `sent` count the
bytes of TLS, so "none of it left" and "some of it left" stay exact. A read goes on until no whole record is left,
or says that there may be more: bytes already decrypted would wake nobody.
It does not know sockets or WebSocket.
"""

import contextlib
import functools
import os
import re
import ssl
from typing import Final, final

import trio
from trio.lowlevel import checkpoint

from lifecycle.trio.pipes.pipe import READ_MOST, Pipe
from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.ending import ErrorEnding

_ALERT: Final = re.compile(r"(?:TLS|SSL)V\d+_ALERT_(\w+)")
_REASONS: Final = {
    "HTTP_REQUEST": "the peer speaks HTTP without TLS",
    "NO_SHARED_CIPHER": "no cipher in common, or this side has no certificate",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer showed no certificate",
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS",
}


def check_context(context: object, *, server: bool = False) -> None:
    """Refuse a context that no handshake on this side could use.

    Args:
        context: what the caller gave.
        server: whether ours is the server's side.

    Raises:
        ValueError: it is no context, or one of the other side.
    """
    if not isinstance(context, ssl.SSLContext):
        raise ValueError(f"`tls` must be an ssl.SSLContext, not {type(context).__name__}")
    if context.protocol == (ssl.PROTOCOL_TLS_CLIENT if server else ssl.PROTOCOL_TLS_SERVER):
        sides, purpose = ("client", "server") if server else ("server", "client"), "CLIENT" if server else "SERVER"
        made = f"make one by ssl.create_default_context(ssl.Purpose.{purpose}_AUTH)"
        raise ValueError(f"`tls` is a context for a {sides[0]}, and this side is the {sides[1]}: {made}")


def tls_failure(error: ssl.SSLError) -> ErrorEnding:
    """Say what TLS did not like, on which side.

    Args:
        error: of a handshake, or of the first read after it, which may bring the peer's verdict on us.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return ErrorEnding("tls", f"the certificate is refused: {error.verify_message}", error.verify_code)
    reason = error.reason or ""
    alert = _ALERT.fullmatch(reason)
    words = (alert[1] if alert else reason).replace("_", " ").lower() or "TLS broke off"
    return ErrorEnding("tls", f"the peer refused: {words}" if alert else _REASONS.get(reason, words))


@functools.cache
def _default_context() -> ssl.SSLContext:
    # reading the system's certificates takes 45 ms and 800 KiB: once is enough
    return ssl.create_default_context()


@final
class TlsPipe(Pipe):
    """One side of TLS on a pipe, which it owns from now on. Nothing works before `handshake`."""

    __slots__ = ("_failed", "_held", "_incoming", "_inner", "_outgoing", "_tls")

    def __init__(
        self, inner: Pipe, hostname: str, context: ssl.SSLContext | None = None, *, server: bool = False
    ) -> None:
        """Put TLS on a pipe.

        Args:
            inner: connected, with nothing written or read.
            hostname: whom the peer's certificate must name; it is told to the peer too (SNI). Nothing to a server.
            context: whom to trust, and who we are; by default a client trusts whom the system trusts.
            server: whether ours is the server's side.

        Raises:
            ValueError: a server without a context, which holds its certificate.
        """
        super().__init__()
        self._inner = inner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        if server and context is None:
            raise ValueError("a server of TLS needs a context with its certificate")
        context = context or _default_context()
        name = None if server else hostname
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server, server_hostname=name)
        self._failed: OSError | None = None
        self._held = False  # a read may give something, whatever the inner pipe says
        inner.drained = self._taken

    @property
    def given(self) -> int:
        """How many bytes of TLS were written so far."""
        return self._inner.given

    @property
    def sent(self) -> int:
        """How many bytes of TLS the system has taken."""
        return self._inner.sent

    @property
    def broken(self) -> OSError | None:
        """The first error of the connection; an ssl.SSLError is one too."""
        return self._failed or self._inner.broken

    @property
    def closed(self) -> bool:
        """Whether the pipe was aborted on this side."""
        return self._inner.closed

    async def handshake(self) -> None:
        """Agree on keys and verify the certificate. If it fails or is cancelled, the pipe is aborted.

        Raises:
            TransportFailed: with `tls` if TLS refuses or is refused, `handshake` if the connection ends.
            trio.ClosedResourceError: the pipe was aborted on this side.
        """
        try:
            while not self._step():
                await self._inner.ready()
                self._feed()
        except ssl.SSLError as error:
            raise TransportFailed(self._why(error)) from error
        else:
            # the first message may have come with the last words of the handshake
            self._held = True
        finally:
            if not self._held:
                self.abort()

    def write(self, data: bytes) -> None:
        """Send all of it, in order, without waiting.

        Raises:
            trio.BrokenResourceError: the pipe was already broken, aborted, or ended by `write_eof`.
        """
        if self._failed:
            raise trio.BrokenResourceError("this pipe takes no more bytes") from self._failed
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError as error:
            # goodbye was said, by `write_eof`: no record can be made any more
            raise trio.BrokenResourceError("this pipe takes no more bytes") from error
        # also of nothing: the pipe below knows whether anything can be written
        self._inner.write(self._outgoing.read())

    def read(self, size: int | None = None) -> bytes | None:
        """Take what has come, without waiting: None means nothing yet, empty means the end."""
        worth = size or READ_MOST
        parts: list[bytes] = []
        missing = worth
        heard = False
        over = self.closed
        while missing and not over:
            try:
                part = self._tls.read(missing)
                parts.append(part)
                missing -= len(part)
                over = not part
            except ssl.SSLWantReadError:
                fed = None if parts else self._feed()
                heard = heard or bool(fed)
                if fed is None:
                    break
            except ssl.SSLError as error:
                self._end(error)
                over = True
        self._held = over or not missing
        # not after an end: what OpenSSL has to say then would only meet a closed connection, and look like a reset
        if not over:
            self._push()
        if self.heard and (heard or parts):
            self.heard()
        return b"".join(parts) if parts or over else None

    async def ready(self) -> None:
        """Wait until a read is worth trying, and let other tasks run. May wake too early.

        Raises:
            trio.ClosedResourceError: the pipe was aborted on this side.
        """
        if self._held and not self.closed:
            self._held = False
            await checkpoint()
            if self.closed:
                raise trio.ClosedResourceError("this pipe was aborted")
        else:
            await self._inner.ready()

    def abort(self) -> None:
        """Close at once, without a goodbye of TLS, and forget what is kept. Again is no harm."""
        self._inner.abort()

    def write_eof(self) -> None:
        """Tell the peer, by TLS and by the pipe, that nothing follows what was written. Again is no harm."""
        self._let_go()
        # the goodbye is written at once; what else `unwrap` wants, an answer or no data before it, we do not
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._push()
        self._inner.write_eof()

    def _step(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            # also after a refusal: the alert tells the peer why
            self._push()
        return True

    def _feed(self) -> bytes | None:
        data = self._inner.read()
        if data:
            self._incoming.write(data)
        elif data is not None:
            self._incoming.write_eof()
        return data

    def _push(self) -> None:
        # a word of TLS's own: if it cannot leave, the reader tells the end
        if self._outgoing.pending:
            with contextlib.suppress(trio.BrokenResourceError):
                self._inner.write(self._outgoing.read())

    def _end(self, error: ssl.SSLError) -> None:
        # a goodbye of TLS, or an end without one, is an end like TCP's: WebSocket has a goodbye of its own
        if not isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
            self._failed = error
            self._push()

    def _why(self, error: ssl.SSLError) -> ErrorEnding:
        if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return tls_failure(error)
        number = self.broken.errno if self.broken else None
        text = os.strerror(number) if number else "the peer ended the connection in the TLS handshake"
        return ErrorEnding("handshake", text, number)
