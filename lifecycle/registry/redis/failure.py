"""What went wrong between us and a Redis server, in words: what it is, and what to do.

Law: the words are for people; the credentials that we know are hidden in them, whatever a server has repeated.
"""

import socket
import ssl
from collections.abc import Iterable, Iterator

from lifecycle.definition.literal import Secret
from lifecycle.observe.plain import hushed

LOST = "the connection was lost while it was asked: nobody knows whether it was done"
ENDED = "it ends the connection at once: it may want TLS (write rediss://), or be no Redis"


def why(error: BaseException, secrets: Iterable[Secret] = (), *, ready: bool = True) -> str:
    """Say it.

    Args:
        error: what coredis, anyio or the system has raised.
        secrets: credentials, which a server may repeat in what it says.
        ready: whether the connection was ready.
    """
    said = _why(error)
    return hushed(said if ready or said != LOST else ENDED, secrets)


def _why(error: BaseException) -> str:
    from coredis import exceptions as e

    said = " ".join(str(error).split())
    match error:
        case e.AuthenticationRequiredError():
            return "it wants a password: write redis://:PASSWORD@HOST, or redis://USER:PASSWORD@HOST"
        case e.AuthenticationFailureError():
            return "it does not know this user with this password: look at the URL"
        case e.AuthorizationError():
            return f"this user may not do that: give it the right (ACL SETUSER), it says: {said}"
        case e.BusyLoadingError():
            return "it is loading its data after a start: it comes back by itself"
        case e.ReadOnlyError():
            return "it is a replica, which writes nothing: give the address of the primary"
        case e.WrongTypeError():
            return "a key of this name holds something else: somebody else uses it, so choose another `name`"
        case e.ClusterDownError():
            return f"its cluster is down: {said}"
        case e.UnknownCommandError():
            return f"it does not know a command; Redis 6.2, Valkey 7 or later is needed: {said}"
        case e.InvalidResponse() | AssertionError():
            return "what answers there is no Redis, or one before version 6.2"
        case e.ProtocolError():
            return f"it does not speak RESP3; Redis 6.2, Valkey 7 or later is needed: {said}"
        case e.ConnectionError() | OSError():
            return _unreachable(error, said)
        case e.ResponseError():
            return _refused(said)
    return f"{type(error).__name__}: {said}"


def _unreachable(error: BaseException, said: str) -> str:
    causes = tuple(_causes(error))
    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted: {cause.verify_message}"
            case ssl.SSLError():
                return "it does not speak TLS there, or not as we do: write redis:// for a server without TLS"
            case socket.gaierror():
                return "its host name is not known: look at the URL"
            case ConnectionRefusedError():
                return "nobody listens there: start it, or look at the URL"
            case ConnectionResetError() | BrokenPipeError():
                return LOST
    named = type(causes[-1]).__name__
    if "max number of clients" in said:
        return "it has as many clients as it takes (maxclients)"
    if any(isinstance(cause, OSError) for cause in causes):
        return f"it is not reachable ({named}: {' '.join(str(causes[-1]).split())})"
    return LOST


def _refused(said: str) -> str:
    match said.partition(" ")[0]:
        case "OOM":
            return "it has no memory left for writing (maxmemory): give it more, or remove something"
        case "MISCONF":
            return f"it cannot save its data, and takes no more: {said}"
        case "MASTERDOWN":
            return "it is a replica that has lost its primary: give the address of the primary"
        case "BUSY":
            return "a script of somebody else keeps it busy: look at SCRIPT KILL"
    return f"it refuses that: {said}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything behind it."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        waiting.extend(cause for cause in (each.__cause__, each.__context__) if cause is not None)
