from hypothesis import given
from hypothesis import strategies as st

from lifecycle.draw.graph import graph
from lifecycle.draw.mermaid import escape, mermaid
from lifecycle.draw.mermaid_reader import read_mermaid, shown


def test_what_is_written_is_read_back(definition, edges):
    """The text alone gives exactly the chart's states and edges."""
    seen = read_mermaid(mermaid(graph(definition)))
    assert seen.edges == edges(definition)
    assert seen.states == definition.states.keys()
    assert seen.unread == ()


def test_beginnings_and_ends_are_read(everything):
    """The reader sees where a composite state begins and what ends the machine."""
    seen = read_mermaid(mermaid(graph(everything)))
    assert seen.initial == {
        "": "both",
        "both.left": "both.left.one",
        "both.right": "both.right.three",
        "inner": "inner.first",
    }
    assert seen.finals == {"end"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])))
def test_a_text_survives(text):
    """What is escaped is shown as it was."""
    assert shown(escape(text)) == text


@given(st.text())
def test_any_text_can_be_read(text):
    """A damaged diagram is read as far as it goes."""
    read_mermaid(text)


def test_foreign_lines_are_told():
    """What is none of our lines, and an id that nothing explains, are kept."""
    seen = read_mermaid("stateDiagram-v2\nhello\n}\ns1 --> s2 : A1 x")
    assert seen.unread == ("hello", "}", "s1", "s2")
    assert seen.edges == {("s1", "A1", "s2")}
