"""An Ed25519 device identity, and the file that keeps its key.

Law: a key file is whole or not there, has mode 600 from its first byte, and is the same for all who make it at once.
A file that is none, or that others can read, is refused. The key shows itself nowhere.
"""

import base64
import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, Self, final

import attrs

from lifecycle.errors import WrongParameters

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"An OpenClaw device needs the package {error.name}: pip install 'connection-lifecycle[openclaw]'",
        name=error.name,
    ) from error

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LONGEST = 64 * 1024
"""Bytes: a key file has 119."""


@final
@attrs.frozen
class Device:
    """Who this client is, to a gateway. `Device.load(path)` keeps it; `Device.create()` is for once.

    Attributes:
        public_key: the raw public key, in base64url without padding.
        id: the hexadecimal SHA-256 of the raw public key.

    Raises:
        ModuleNotFoundError: on import, without the extra `openclaw`.
    """

    _key: Ed25519PrivateKey = attrs.field(repr=False, eq=False)
    public_key: str = attrs.field(init=False, default=attrs.Factory(lambda self: _base64url(self.raw), takes_self=True))
    id: str = attrs.field(
        init=False, default=attrs.Factory(lambda self: hashlib.sha256(self.raw).hexdigest(), takes_self=True)
    )

    @property
    def raw(self) -> bytes:
        """The raw public key: 32 bytes."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def create(cls) -> Self:
        """Make a new one, in memory."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read it from its file, or make one with its file; who does so at the same time gets the same one.

        Args:
            path: of a PEM file (PKCS #8, not encrypted). Its folder must be there.

        Raises:
            WrongParameters: the file is none, others can read it, or the system does not let us read or make it.
        """
        file = Path(path)
        try:
            try:
                text = _read(file)
            except FileNotFoundError:
                _make(file, Ed25519PrivateKey.generate())
                text = _read(file)  # of two who make it the first has it
        except OSError as error:
            raise _wrong(file, f"cannot be read or made ({error.strerror})") from error
        return cls(_key(file, text))

    def sign(self, payload: str) -> str:
        """Sign a text.

        Returns:
            The signature of its UTF-8, in base64url without padding.
        """
        return _base64url(self._key.sign(payload.encode()))


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        # of what was opened, for the path may lead to another file by now
        if os.name == "posix" and os.fstat(opened.fileno()).st_mode & _OTHERS:
            raise _wrong(file, "is open to others: `chmod 600` it, or remove it and pair anew")
        return opened.read(_LONGEST)


def _make(file: Path, key: Ed25519PrivateKey) -> None:
    """Write it beside its place, with mode 600, and link it there; a link does not replace what is there already."""
    handle, made = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(made, file)
    finally:
        Path(made).unlink()


def _key(file: Path, text: bytes) -> Ed25519PrivateKey:
    key: Any = None
    with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(text, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise _wrong(file, "holds no Ed25519 key in PEM: name another file, or remove it and pair anew")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _wrong(file: Path, what: str) -> WrongParameters:
    return WrongParameters("openclaw-gateway", [f"the device's key file {file} {what}"])
