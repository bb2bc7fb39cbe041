"""What lies beside a page since it was certified: its certificate, and the paths that it was proven with.

Law: nothing is proven here. A page without a certificate of its own hash runs, and is warned of once;
paths only save the time of recording them, so none, or foreign ones, change nothing.
"""

import logging
import re
from pathlib import Path
from weakref import WeakSet

from lifecycle.definition.definition import Definition

from .files import load
from .table import Table

FOLDER = "certificates"
PATHS = ".paths.jsonl"
_LOG = logging.getLogger(__name__)
_HASH = re.compile(r"^\| hash \| `([0-9a-f]{64})` \|$", re.MULTILINE)
_brought: WeakSet[Table] = WeakSet()


def bring(table: Table) -> None:
    """Take what lies beside the page of a table; once for each table."""
    if table in _brought:
        return
    _brought.add(table)
    page = table.definition
    if certified(page) != page.hash:
        _LOG.warning("%s: has no certificate of this version; `lifecycle certify` proves it and writes one", page.name)
        return
    paths = _beside(page, PATHS)
    if paths is not None:
        load(table, paths)


def certified(page: Definition) -> str | None:
    """The hash that the certificate beside a page names; none if there is no certificate."""
    text = _beside(page, ".md")
    found = _HASH.search(text) if text is not None else None
    return found[1] if found else None


def _beside(page: Definition, ending: str) -> str | None:
    try:
        return (Path(page.at.source.name).parent / FOLDER / f"{page.name}{ending}").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
