"""A proof as a committed page of Markdown: what is promised, for which page, with which numbers.

Law: derived, and compared byte for byte. It names the page by its hash, so a page that has changed
since has no certificate.
"""

from collections.abc import Iterable

from lifecycle.definition.definition import VERSION
from lifecycle.definition.units import say_seconds

from .report import Judged, Report

_WAIT = "silent wait in "


def certificate(report: Report, hosts: Iterable[str] = ()) -> str:
    """The text of a certificate.

    Args:
        report: of a page that keeps its laws.
        hosts: names of the pages that use it.
    """
    lines = [
        f"# Certificate of `{report.page}`",
        "",
        f"{_cell(report.title)}. Derived from the page by `lifecycle certify`; do not edit.",
        "",
        "| | |",
        "|---|---|",
        f"| role | {report.role or 'none: a fragment, explored alone'} |",
        f"| hash | `{report.hash}` |",
        f"| language | {VERSION} |",
    ]
    if report.role is None:
        names = ", ".join(f"[`{host}`]({host}.md)" for host in sorted(hosts)) or "none of these pages"
        lines.append(f"| time and liveness | certified in its hosts: {names} |")
    if report.explored > 1:
        how = "once for each value of the flags and choices that guards ask for"
        lines.append(f"| explored | {report.explored} times, {how} |")
    lines += ["", "## Numbers", "", "| what | how much |", "|---|---|"]
    lines += [f"| {_cell(number.name)} | {_cell(number.said)} |" for number in report.numbers]
    waits = {name: seconds for name, seconds in report.measures.items() if name.startswith(_WAIT)}
    if waits:
        lines += [
            "",
            "## Waits",
            "",
            "How long each state waits at most if the peer stays silent.",
            "",
            "| state | at most |",
        ]
        lines += ["|---|---|"]
        lines += [f"| `{name.removeprefix(_WAIT)}` | {say_seconds(round(each, 3))} |" for name, each in waits.items()]
    lines += ["", "## Laws", "", "| law | demands | |", "|---|---|---|"]
    lines += [_law(row) for row in report.laws]
    if report.settings:
        note = "The numbers hold for these values; `lifecycle certify -p NAME=VALUE` proves others."
        lines += ["", "## Parameters", "", note, ""]
        lines += ["| parameter | value |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(value)} |" for name, value in report.settings.items()]
    return "\n".join(lines) + "\n"


def _law(row: Judged) -> str:
    return f"| {_cell(row.law)} | {_cell(row.says)} | {_cell(row.said) or 'kept'} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
