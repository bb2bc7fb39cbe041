"""Seconds since this machine was started: the same for all of its processes, whatever they take the date to be.

Law: it never goes back while the machine runs, also not while somebody sets the date.
"""

import time
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def seconds_up() -> float:
    """Seconds since the machine was started; where the system tells, those while it slept are among them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def boot_id() -> str:
    """What this start of the machine is called, different for each; empty where the system does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
