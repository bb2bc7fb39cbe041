"""What was seen of one system, for people and for machines.

Law: pure.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from .case import Row

_HEAD: Final = ("case", "peer", "", "expected end", "seen end", "delivered events", "dials", "seconds")


def table(rows: Iterable[Row]) -> str:
    """A row a case and peer, then what was measured, then what differs, then a verdict; no column that is empty."""
    rows = list(rows)
    columns = [column for column in zip(_HEAD, *map(_cells, rows), strict=True) if any(column[1:])]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    told = ["  ".join(line).rstrip() for line in zip(*padded, strict=True)]
    notes = [f"{_name(row)}: {what}" for row in rows for what in row.seen.notes]
    wrong = [f"{_name(row)}: {what}" for row in rows for what in dict.fromkeys(row.seen.wrong)]
    differ = sum(bool(row.seen.wrong) for row in rows)
    verdict = f"{differ} of {len(rows)} cases differ" if differ else f"{len(rows)} of {len(rows)} end as they must"
    return "\n".join([*told, "", *notes, *wrong, verdict]) + "\n"


def plain(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "case": row.case.name,
            "peer": row.peer,
            "expected": row.case.expected,
            "expected dials": str(row.case.dials),
            **attrs.asdict(row.seen),
        }
        for row in rows
    ]


def _cells(row: Row) -> list[str]:
    case, seen = row.case, row.seen
    verdict, dials = "DIFFERS" if seen.wrong else "ok", f"{_span(seen.dials)} of {case.dials}"
    return [case.name, row.peer, verdict, case.expected, seen.path, seen.delivered or "", dials, f"{seen.seconds:.1f}"]


def _name(row: Row) -> str:
    return f"{row.case.name} ({row.peer})" if row.peer else row.case.name


def _span(numbers: Sequence[int]) -> str:
    least, most = min(numbers, default=0), max(numbers, default=0)
    return str(least) if least == most else f"{least}-{most}"
