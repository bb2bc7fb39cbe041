import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lifecycle.wire.inbox import Discontinuity, Inbox

KINDS = ("lost", "resumed", "replayed")


class Receiving(RuleBasedStateMachine):
    """An inbox, and a model that keeps everything and remembers what was dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.model: list[tuple[object, int]] = []  # what must come, in order; marks have the size -1
        self.missed = 0  # dropped, and not yet told

    @initialize(items=st.integers(0, 4), size=st.integers(0, 12))
    def begin(self, items: int, size: int) -> None:
        self.box = Inbox(items, size)

    @rule(size=st.integers(0, 8))
    def put(self, size: int) -> None:
        self.count += 1
        self.box.put(self.count, size)
        self.model.append((self.count, size))
        while len(self.messages()) > self.box.items or sum(self.messages()) > self.box.size:
            oldest = next(place for place, (_, weight) in enumerate(self.model) if weight >= 0)
            del self.model[oldest]
            self.missed += 1

    @rule(kind=st.sampled_from(KINDS))
    def mark(self, kind: str) -> None:
        self.count += 1
        mark = Discontinuity(kind, why=str(self.count))  # type: ignore[arg-type]
        self.box.mark(mark)
        self.model.append((mark, -1))

    @rule()
    def take(self) -> None:
        if not len(self.box):
            with pytest.raises(IndexError):
                self.box.take()
            return
        value = self.box.take()
        if isinstance(value, Discontinuity) and value.kind == "overflow":
            assert value.missed == self.missed > 0
            self.missed = 0
            return
        assert value == self.model.pop(0)[0]
        # the drop is told before the first message that came after it
        assert isinstance(value, Discontinuity) or not self.missed

    def messages(self) -> list[int]:
        return [size for _, size in self.model if size >= 0]

    @invariant()
    def it_is_bounded(self) -> None:
        if not hasattr(self, "box"):
            return
        assert len(self.messages()) <= self.box.items
        assert self.box.bytes == sum(self.messages()) <= self.box.size
        assert len(self.box) == len(self.model) + bool(self.missed)


TestReceiving = Receiving.TestCase


def test_an_overflow_is_told_at_the_head() -> None:
    """The oldest go, how many is told once and at their place, and the count goes on."""
    box = Inbox(2, 100)
    for number in range(5):
        box.put(number, 1)
    assert [box.take() for _ in range(len(box))] == [Discontinuity("overflow", 3), 3, 4]
    assert box.overflowed == 3
    for number in range(3):
        box.put(number, 1)
    assert box.take() == Discontinuity("overflow", 1)
    assert box.overflowed == 4


def test_a_message_that_can_never_fit() -> None:
    """It is dropped, counted and told, and what follows is received."""
    box = Inbox(10, 5)
    box.put("large", 6)
    box.put("small", 5)
    assert [box.take(), box.take()] == [Discontinuity("overflow", 1), "small"]


def test_marks_outlive_an_overflow() -> None:
    """A mark among messages that are dropped stays, between what came before it and what came after it."""
    box = Inbox(1, 100)
    box.put("old", 1)
    box.mark(Discontinuity("lost", why="reset"))
    box.put("new", 1)
    assert [box.take() for _ in range(len(box))] == [
        Discontinuity("overflow", 1),
        Discontinuity("lost", why="reset"),
        "new",
    ]
    for text in ("newer", "newest"):
        box.mark(Discontinuity("resumed"))
        box.put(text, 1)
    assert [box.take() for _ in range(len(box))] == [
        Discontinuity("resumed"),
        Discontinuity("overflow", 1),
        Discontinuity("resumed"),
        "newest",
    ]
