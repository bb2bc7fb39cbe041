"""What the user must have received is known, whatever the driver says."""

import pytest

from lifecycle.definition.read import read
from lifecycle.testing.simulate.stream import Stream
from lifecycle.testing.simulate.words import Said
from lifecycle.wire.inbox import Discontinuity

PAGE = read("websocket")


def stream() -> tuple[Stream, list[str]]:
    """A stream, and what was found to be wrong with it."""
    wrong: list[str] = []
    return Stream(PAGE, lambda name, what: wrong.append(f"{name}: {what}")), wrong


def said(text: str) -> Said:
    """A message of the peer."""
    return Said(text, "deliver", text)


def test_what_is_told_as_missing_may_be_missing() -> None:
    """By exactly as many."""
    made, wrong = stream()
    for text in "abcd":
        made.deliver(said(text))
    made.took("a")
    made.took(Discontinuity("overflow", 2))
    made.took("d")
    made.end()
    assert wrong == []


@pytest.mark.parametrize(
    ("took", "what"),
    [
        (("b",), "nothing lost: the user received 'b', and 'a' came before it; 0 messages were told as missing"),
        (("a", "x"), "nothing lost: the user received 'x', and 'b' came before it; 0 messages were told as missing"),
        (("a", "b", "c"), "nothing lost: the user received 'c', which was not sent, or not then"),
        (("a",), "nothing lost: 1 messages were read, and never given to the user"),
        (
            ("a", Discontinuity("lost"), "b"),
            "marks: the mark `none` had to stand before a message, and there was `lost`",
        ),
        (
            (Discontinuity("overflow", 3), "b"),
            "nothing lost: 1 more messages were told as missing than there were",
        ),
    ],
)
def test_what_is_wrong_is_told(took: tuple[object, ...], what: str) -> None:
    """A message that is missing, that comes twice or too early, and a mark that means nothing."""
    made, wrong = stream()
    made.deliver(said("a"))
    made.deliver(said("b"))
    for item in took:
        made.took(item)
    made.end()
    assert what in wrong


def test_a_mark_must_stand_where_it_is_due() -> None:
    """After another connection, if anything came or went before."""
    made, wrong = stream()
    made.mark("lost", sent=False)
    made.deliver(said("a"))
    made.mark("lost", sent=False)
    made.deliver(said("b"))
    made.took("a")
    made.took("b")
    assert wrong == ["marks: the mark `lost` had to stand before a message, and there was `none`"]
