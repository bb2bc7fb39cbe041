"""The pages of docs that are derived from the code: its keys, its modules, and quoted files.

`python tests/docs/derive.py` writes them; the tests beside it fail when they are out of date.
"""

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import attrs

from lifecycle.definition import page
from lifecycle.proof.laws import HOUSE

ROOT = Path(__file__).parents[2]
_QUOTED = re.compile(r"<!-- (?P<file>[\w./-]+) -->\n```(?P<language>\w+)\n.*?```", re.DOTALL)

_TITLES = {
    page.Page: "The header of a page",
    page.State: "A state (and a page)",
    page.Clause: "A clause",
    page.Parameter: "A parameter",
    page.Variable: "A variable",
    page.Dial: "dial",
    page.Call: "A call",
    page.Cause: "A row of causes",
    page.Messages: "messages",
    page.Route: "A row of routes",
    page.Dedupe: "dedupe",
    page.Inbox: "inbox",
    page.Outbox: "outbox",
    page.Requests: "requests",
    page.Unsupported: "A row of unsupported",
    page.Law: "A law",
    page.Situation: "never, always, sometimes",
    page.Leading: "leads_to",
    page.Traced: "trace",
}


def keys() -> str:
    """The page of keys."""
    return "\n".join(
        [
            "# The keys of a page",
            "",
            "Generated from the classes that pages are read into.",
            *map(_section, _TITLES),
            "",
        ]
    )


def _section(cls: type) -> str:
    inherited = {field.name for field in attrs.fields(page.State)} if cls is page.Page else set()
    rows = [_row(field) for field in attrs.fields(cls) if field.metadata and field.name not in inherited]
    about = " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())
    return "\n".join(["", f"## {_TITLES[cls]}", "", about, "", "| key | meaning | default |", "|---|---|---|", *rows])


def _row(field: "attrs.Attribute[object]") -> str:
    default = field.default
    if default is attrs.NOTHING:
        shown = "required"
    elif default is None or default == () or isinstance(default, type(attrs.Factory(dict))):
        shown = ""
    else:
        shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"| `{field.name.removesuffix('_')}` | {field.metadata['doc']} | {shown} |"


def modules() -> str:
    """The page of modules: the first sentences of each."""
    rows = []
    for file in sorted((ROOT / "lifecycle").rglob("*.py")):
        first = " ".join(
            (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split()
        )
        law = _law(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")
        rows.append(f"| `{file.relative_to(ROOT / 'lifecycle')}` | {_cell(first)} | {_cell(law)} |")
    head = [
        "# Every module and its law",
        "",
        "Generated from the modules.",
        "",
        "| module | what it is | its law |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def laws() -> str:
    """The page of laws, and where each page's certificate is."""
    head = [
        "# The laws",
        "",
        "Generated from the laws. They are judged in this order; [how](../explanation/proof.md).",
        "",
    ]
    rows = ["| law | demands | because | remedy |", "|---|---|---|---|"]
    rows += [
        f"| `{law.name}`{'' if law.fragments else ' ¹'} | {_cell(law.says)} | {_cell(law.because)} | {_cell(law.remedy)} |"
        for law in HOUSE
    ]
    own = [
        "", "¹ Not of a fragment, a page without a role: it is judged in its hosts.", "", "Then the page's own, in page order:", "",
        "| in `laws:` | demands |", "|---|---|",
        "| `never: {on, in, while, when}` | after no step (with `on`: that such an event caused) are these states active with this condition; they can be active |",
        "| `always: {on, in, while, when}` | whenever these states are active after a step (with `on`: that such an event caused), the condition holds; they can be active |",
        "| `leads_to: {from, to}` | from where the first are active the second come, on every way; the first can be active |",
        "| `sometimes: {on, in, while, when}` | there is a way to it |",
        "", "## Certificates of the bundled pages", "",
    ]  # fmt: skip
    folder = ROOT / "specs" / "certificates"
    links = [f"- [`{file.stem}`](../../specs/certificates/{file.name})" for file in sorted(folder.glob("*.md"))]
    return "\n".join([*head, *rows, *own, *links, ""])


def _law(doc: str) -> str:
    found = re.search(r"^Law: (.*?)(?:\n\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def quoting(text: str) -> str:
    """A page with every quoted file as it is now."""

    def fresh(found: "re.Match[str]") -> str:
        body = (ROOT / found["file"]).read_text(encoding="utf-8").rstrip("\n")
        return f"<!-- {found['file']} -->\n```{found['language']}\n{body}\n```"

    return _QUOTED.sub(fresh, text)


@cache
def pages() -> dict[Path, str]:
    """Every derived page of docs, as it must be."""
    quoting_pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    derived = {file: quoting(file.read_text(encoding="utf-8")) for file in quoting_pages}
    derived[ROOT / "docs/reference/keys.md"] = keys()
    derived[ROOT / "docs/reference/laws.md"] = laws()
    derived[ROOT / "docs/explanation/modules.md"] = modules()
    return derived


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
