"""What a page's certificate promises, in numbers.

Law: a certificate of this very page is read, for it is derived and never edited; where there is none, the page is
proven.
"""

import re
from pathlib import Path

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.units import seconds
from lifecycle.machine.shipped import FOLDER, certified
from lifecycle.proof.numbers import half_open
from lifecycle.proof.prove import prove

_TIME = r"(\d[\d.]* [a-z]+)"
_DIALS = re.compile(r"(\d+) dials in 60 s at most")
_READY = re.compile(rf"ready at most {_TIME} after the network is well")
_STOP = re.compile(rf"at most {_TIME} from `\S+` to rest")
_SILENT = re.compile(rf"\| a half-open peer is noticed \| within {_TIME} \|")


@attrs.frozen
class Certified:
    """Bounds; none where there is none to keep.

    Attributes:
        dials: the most in a minute.
        recovery: seconds until ready, after all is well.
        stop: seconds from the wish to end to rest.
        half_open: seconds until a silent peer is given up.
    """

    dials: float | None = None
    recovery: float | None = None
    stop: float | None = None
    half_open: float | None = None


def certified_of(page: Definition) -> Certified:
    """The bounds of a page; where it is not certified, this proves it, which may take a while."""
    if certified(page) != page.hash:
        return proven(page)
    text = (Path(page.at.source.name).parent / FOLDER / f"{page.name}.md").read_text(encoding="utf-8")
    dials = _DIALS.search(text)
    return Certified(float(dials[1]) if dials else None, _said(_READY, text), _said(_STOP, text), _said(_SILENT, text))


def proven(page: Definition) -> Certified:
    """The bounds of a page, proven now."""
    proof = prove(page)
    numbers = proof.numbers
    silent = half_open(proof.graphs) if page.role != "session" else None
    return Certified(
        numbers.get("dials in a minute"), numbers.get("longest recovery"), numbers.get("longest stop"), silent or None
    )


def _said(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return seconds(found[1]) if found else None
