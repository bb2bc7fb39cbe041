"""What lifecycle stands on, on this machine: Python, TLS, packages, bundled pages, files that may be open.

Law: nothing here waits, and nothing is needed to look: what cannot be imported is found, not raised. `ssl` and
trio, which may be what is broken, are imported only to see whether they can be.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

from lifecycle.definition.read import bundled, read
from lifecycle.errors import LifecycleError
from lifecycle.observe.diagnosis import Diagnosis

from .requirement import PACKAGE, Requirement, requirements

LEAST_FILES = 4096
"""How many files a process with many connections should be allowed to have open."""

_LEAST_PYTHON = ">=3.11"
_LEAST_OPENSSL = (3, 0)
_NEW_ENVIRONMENT = (
    "make a new virtual environment with the Python of the system (python3 -m venv .venv), "
    "or reinstall OpenSSL under this one (with conda: conda install -c conda-forge openssl, then conda install python)"
)
_OURS = {"test", "lint"}  # extras for who works on lifecycle itself
_TRANSPORTS = {"trio-websocket": "", "websockets": "websockets"}
"""Transports, and the extra of each that is not always there."""


def python(version: str | None = None) -> Diagnosis:
    """Whether this Python is new enough.

    Args:
        version: of Python; by default of the one that runs.
    """
    version = version or ".".join(map(str, sys.version_info[:3]))
    wanted = _LEAST_PYTHON
    with contextlib.suppress(metadata.PackageNotFoundError):
        wanted = metadata.metadata(PACKAGE)["Requires-Python"] or wanted
    if Requirement("python", wanted).fits(version):
        return Diagnosis("python", "ok", f"{version} ({sys.executable})")
    return Diagnosis(
        "python",
        "fail",
        f"{version}, where {wanted} is needed ({sys.executable})",
        "install a newer Python, and make a new virtual environment with it",
    )


def openssl() -> list[Diagnosis]:
    """Whether TLS can be had at all, and whom it trusts."""
    module = _imported("ssl")
    if isinstance(module, str):
        return [Diagnosis("openssl", "fail", f"Python cannot load it: {module}", _NEW_ENVIRONMENT)]
    import ssl

    if ssl.OPENSSL_VERSION_INFO[:2] < _LEAST_OPENSSL:
        said = f"{ssl.OPENSSL_VERSION}, which gets no more security fixes"
        loaded = Diagnosis("openssl", "warn", said, "use a Python that is built with OpenSSL 3")
    else:
        loaded = Diagnosis("openssl", "ok", ssl.OPENSSL_VERSION)
    return [loaded, _certificates()]


def _certificates() -> Diagnosis:
    import ssl

    try:
        context = ssl.create_default_context()
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        return Diagnosis("certificates", "fail", f"no TLS context can be made: {error}", _NEW_ENVIRONMENT)
    paths = ssl.get_default_verify_paths()
    loaded = context.cert_store_stats()["x509_ca"]
    # those in a folder are loaded when they are needed
    waiting = _entries(paths.capath)
    if loaded or waiting:
        where = paths.cafile if loaded else paths.capath
        return Diagnosis("certificates", "ok", f"{loaded or waiting} certificates of authorities ({where})")
    file = os.environ.get(paths.openssl_cafile_env, paths.openssl_cafile)
    folder = os.environ.get(paths.openssl_capath_env, paths.openssl_capath)
    return Diagnosis(
        "certificates",
        "warn",
        f"no certificate of any authority in {file} or {folder}: every wss:// is refused",
        "install the package ca-certificates (on macOS run `Install Certificates.command`), "
        "or let SSL_CERT_FILE name a file with certificates that exists",
    )


def _entries(folder: str | None) -> int:
    try:
        return sum(1 for _ in Path(folder).iterdir()) if folder else 0
    except OSError:
        return 0


def packages(needed: Sequence[Requirement] | None = None) -> Iterator[Diagnosis]:
    """Whether what is always needed is there, in versions that fit; then each extra.

    Args:
        needed: by default what the metadata of the installed package says.
    """
    needed = requirements() if needed is None else needed
    if needed is None:
        yield Diagnosis(
            "packages",
            "warn",
            f"{PACKAGE} is not installed, as in a checkout: nobody knows which versions it needs",
            f"pip install {PACKAGE}, or in its checkout: pip install -e .",
        )
        return
    always = [each for each in needed if not each.extra]
    wrong = [each for each in always if _wrong(each)]
    for each in wrong:
        yield Diagnosis(f"package {each.name}", "fail", _wrong(each), f"pip install '{each.name}{each.bounds}'")
    if not wrong:
        shown = [f"{each.name} {each.installed}" for each in always if each.name.startswith("trio")]
        yield Diagnosis("packages", "ok", f"all {len(always)} fit: {', '.join([*shown, '…'])}")
    for extra in sorted({each.extra for each in needed if each.extra} - _OURS):
        yield _extra(extra, [each for each in needed if each.extra == extra])


def _wrong(needed: Requirement) -> str:
    """What is wrong with a package; empty if nothing is."""
    version = needed.installed
    if version is None:
        return "not installed"
    return "" if needed.fits(version) else f"{version}, where {needed.bounds} is needed"


def _extra(extra: str, needed: Sequence[Requirement]) -> Diagnosis:
    what, remedy = f"extra {extra}", f"pip install '{PACKAGE}[{extra}]'"
    missing = [each.name for each in needed if each.installed is None]
    unfit = [f"{each.name} {_wrong(each)}" for each in needed if each.installed is not None and _wrong(each)]
    if unfit:
        return Diagnosis(what, "warn", "; ".join(unfit), remedy)
    if missing:
        return Diagnosis(what, "ok", f"not installed ({', '.join(missing)})", f"{remedy}, if it is wanted")
    return Diagnosis(what, "ok", ", ".join(f"{each.name} {each.installed}" for each in needed))


def transports() -> Iterator[Diagnosis]:
    """Whether the WebSocket libraries can be used: really loaded, with all that they need."""
    for name, extra in _TRANSPORTS.items():
        what, version = f"transport {name}", Requirement(name).installed
        if version is None and extra:
            remedy = f"pip install '{PACKAGE}[{extra}]', if it is wanted"
            yield Diagnosis(what, "ok", "not installed", remedy)
            continue
        module = _imported("lifecycle.trio.transports.library")
        if not isinstance(module, str):
            module = _imported(f"lifecycle.trio.transports.{name.replace('-', '_')}")
        if isinstance(module, str):
            remedy = "see to openssl first" if isinstance(_imported("ssl"), str) else f"pip install -U {name}"
            yield Diagnosis(what, "warn" if extra else "fail", f"cannot be loaded: {module}", remedy)
        else:
            yield Diagnosis(what, "ok", version or "of unknown version")


def pages(names: Sequence[str] | None = None) -> Diagnosis:
    """Whether the bundled pages are there and can be read.

    Args:
        names: of pages, or their files; by default of all that are bundled.
    """
    names = bundled() if names is None else names
    wrong = []
    for name in names:
        try:
            read(name)
        except (LifecycleError, OSError) as error:
            wrong.append(f"{name}: {str(error).partition(chr(10))[0]}")
    if not names:
        return Diagnosis("pages", "fail", "there are none", f"pip install --force-reinstall {PACKAGE}")
    if wrong:
        return Diagnosis("pages", "fail", "; ".join(wrong), f"pip install --force-reinstall {PACKAGE}")
    return Diagnosis("pages", "ok", f"{len(names)} bundled pages can be read")


def files() -> Diagnosis:
    """How many files, and so connections, this process may have open."""
    resource = _imported("resource")
    if isinstance(resource, str):
        return Diagnosis("open files", "ok", "this system has no such limit")
    soft, hard = (
        float("inf") if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    found = f"at most {_count(soft)}, which may be raised to {_count(hard)}"
    if soft >= LEAST_FILES:
        return Diagnosis("open files", "ok", found)
    if hard >= LEAST_FILES:
        how = f"`ulimit -n {LEAST_FILES}` in the shell that starts it, or LimitNOFILE={LEAST_FILES} in its systemd unit"
    else:
        how = "as root, raise `nofile` in /etc/security/limits.conf, or LimitNOFILE in its systemd unit"
    return Diagnosis("open files", "warn", f"{found}: few for many connections", how)


def _count(limit: float) -> str:
    return "any number" if limit == float("inf") else f"{limit:.0f}"


def _imported(name: str) -> ModuleType | str:
    """A module, or why it cannot be imported."""
    try:
        return import_module(name)
    except Exception as error:  # noqa: BLE001 -- a broken installation raises anything
        return f"{type(error).__name__}: {error}"
