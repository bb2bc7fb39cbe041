import hashlib
import importlib.util
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lifecycle import WrongParameters
from lifecycle.systems.openclaw import Device

from .small_gateway import unbase64

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
EMPTY = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
"""RFC 8032, section 7.1, test 1; the signature is of the empty text."""


def test_the_known_answer_of_the_rfc():
    """Key, id and signature are those of RFC 8032."""
    device = Device(Ed25519PrivateKey.from_private_bytes(SEED))
    assert unbase64(device.public_key) == PUBLIC
    assert device.id == hashlib.sha256(PUBLIC).hexdigest()
    assert unbase64(device.sign("")) == EMPTY
    assert "=" not in device.public_key + device.sign("")


def test_a_signature_is_of_the_utf_8():
    """What is not ASCII is signed as UTF-8."""
    device = Device.create()
    Ed25519PublicKey.from_public_bytes(device.raw).verify(unbase64(device.sign("v3|ä|")), "v3|ä|".encode())


def test_a_file_is_made_once_and_read_again(tmp_path):
    """The first load makes it, with mode 600 and nothing left beside it; the second is the same device."""
    first = Device.load(tmp_path / "key.pem")
    assert Device.load(str(tmp_path / "key.pem")) == first
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_loose_umask_does_not_matter(tmp_path):
    """The mode is 600 from the first byte."""
    before = os.umask(0)
    try:
        Device.load(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_who_makes_it_at_once_gets_the_same(tmp_path):
    """Three processes, one file: all have the device that is in it."""
    program = (
        "import sys; from lifecycle.systems.openclaw import Device; sys.stdin.readline();"
        "print(Device.load(sys.argv[1]).id)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "key.pem")]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    ids = {child.communicate(timeout=60)[0].strip() for child in children}
    assert ids == {Device.load(tmp_path / "key.pem").id}
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]


def test_who_comes_second_has_the_first_ones(tmp_path, monkeypatch):
    """Between the look and the link somebody else has made the file: it is his that counts."""
    other = Device.create()
    link = os.link

    def late(made: str, file: Path) -> None:
        file.write_bytes(pem(other._key))
        file.chmod(0o600)
        link(made, file)

    monkeypatch.setattr(os, "link", late)
    assert Device.load(tmp_path / "key.pem") == other
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]


def test_a_key_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    """The disk is full: one clear error, and no file, whole or half."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WrongParameters, match="cannot be read or made \\(No space left on device\\)"):
        Device.load(tmp_path / "key.pem")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    """The error says which, and what to do."""
    file = tmp_path / "key.pem"
    Device.load(file)
    file.chmod(mode)
    with pytest.raises(WrongParameters, match=f"{file} is open to others: `chmod 600` it"):
        Device.load(file)


def pem(key):
    """A key file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("text", [b"", b"none", b"\xff\xfe", pem(generate_private_key(SECP256R1())), b"0" * 100_000])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    """Empty, no PEM, and a key of another kind: refused, and left as it is."""
    file = tmp_path / "key.pem"
    file.write_bytes(text)
    file.chmod(0o600)
    with pytest.raises(WrongParameters, match="holds no Ed25519 key in PEM") as error:
        Device.load(file)
    assert file.read_bytes() == text
    assert "PRIVATE" not in str(error.value)


def test_a_place_that_is_not_there_is_told(tmp_path):
    """No folder, and a folder in place of the file."""
    with pytest.raises(WrongParameters, match="No such file or directory"):
        Device.load(tmp_path / "none" / "key.pem")
    with pytest.raises(WrongParameters, match="Is a directory"):
        Device.load(tmp_path)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    """One clear error, on import."""
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    spec = importlib.util.spec_from_file_location("another_device", sys.modules[Device.__module__].__file__)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'connection-lifecycle\[openclaw\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_a_device_shows_no_key():
    """Its repr has what is public."""
    device = Device.create()
    assert repr(device) == f"Device(public_key='{device.public_key}', id='{device.id}')"
