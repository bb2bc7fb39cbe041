from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lifecycle.wire.inbox import HARD_BYTES, HARD_ITEMS, Discontinuity, Inbox

PROMISES = ("lost", "gap", "replayed", "resumed")
POLICIES = ("oldest", "latest", "close", "wait")


def joined(marks: list[Discontinuity]) -> Discontinuity:
    """What several marks of one kind of thing come to: the least promise, all that is missing, from first to last."""
    kinds = [mark.kind for mark in marks]
    least = "overflow" if "overflow" in kinds else min(kinds, key=PROMISES.index)
    return Discontinuity(least, sum(mark.missed for mark in marks), "", marks[0].since, marks[-1].until)


class Receiving(RuleBasedStateMachine):
    """An inbox, and a model: every message and mark in order, and of each whether it is still there."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.story: list[dict[str, Any]] = []
        self.given = self.replaced = self.dropped = 0
        self.stopped = False

    @initialize(items=st.integers(0, 4), size=st.integers(0, 12), policy=st.sampled_from(POLICIES))
    def begin(self, items: int, size: int, policy: Any) -> None:
        self.box = Inbox(items, size, policy)

    @rule(size=st.integers(0, 30), key=st.sampled_from((None, "a", "b")))
    def put(self, size: int, key: str | None) -> None:
        self.count += 1
        message = {"value": self.count, "size": size, "key": key, "number": self.count}
        room = self.room(size)
        assert self.box.put(self.count, size, self.count, key if self.box.when_full == "latest" else None) is room
        old = self.same(key) if room and self.box.when_full == "latest" else None
        if not room:
            self.dropped += 1
            self.story.append({"mark": Discontinuity("overflow", 1, "", self.count - 1, self.count + 1)})
        elif old is not None:
            self.replaced += 1
            old.update(message)
        else:
            self.story.append(message)
        if self.box.when_full in ("oldest", "latest"):
            while len(self.messages()) > self.box.items or self.bytes() > self.box.size:
                self.messages()[0]["gone"] = True
                self.dropped += 1
        if len(self.messages()) >= self.box.items or self.bytes() >= self.box.size:
            self.stopped = self.box.when_full == "wait"

    @rule(kind=st.sampled_from(PROMISES), missed=st.integers(0, 3))
    def mark(self, kind: Any, missed: int) -> None:
        self.count += 1
        mark = Discontinuity(kind, missed, "", self.count, self.count + 1)
        self.box.mark(mark)
        self.story.append({"mark": mark})

    @rule()
    def take(self) -> None:
        expected = self.shown()
        if not expected:
            with pytest.raises(IndexError):
                self.box.take()
            return
        assert self.box.take() == expected[0]
        if isinstance(expected[0], Discontinuity):
            self.forget(overflow=expected[0].kind == "overflow")
        else:
            self.given += 1
            self.story = self.story[self.story.index(self.messages()[0]) + 1 :]
            if len(self.messages()) <= self.box.items // 2 and self.bytes() <= self.box.size // 2:
                self.stopped = False

    def room(self, size: int) -> bool:
        count, total = len(self.messages()) + 1, self.bytes() + size
        if self.box.when_full == "wait":
            return count == 1 or (count <= HARD_ITEMS * self.box.items and total <= HARD_BYTES * self.box.size)
        return self.box.when_full != "close" or (count <= self.box.items and total <= self.box.size)

    def same(self, key: str | None) -> dict[str, Any] | None:
        """The message with this key that waits behind the last mark."""
        after = next((place + 1 for place in range(len(self.story))[::-1] if "mark" in self.story[place]), 0)
        found = [item for item in self.story[after:] if "gone" not in item and item["key"] == key]
        return found[-1] if found and key is not None else None

    def forget(self, *, overflow: bool) -> None:
        """What the first mark told is told: all of its kind before the first message."""
        first = self.messages()[:1]
        end = self.story.index(first[0]) if first else len(self.story)
        self.story[:end] = [item for item in self.story[:end] if self.tells_overflow(item) != overflow]

    def tells_overflow(self, item: dict[str, Any]) -> bool:
        return "gone" in item or ("mark" in item and item["mark"].kind == "overflow")

    def messages(self) -> list[dict[str, Any]]:
        return [item for item in self.story if "mark" not in item and "gone" not in item]

    def bytes(self) -> int:
        return sum(item["size"] for item in self.messages())

    def shown(self) -> list[Any]:
        """What must come: messages, and before each the marks since the last one, one of the inbox and one of the stream."""
        shown: list[Any] = []
        run: list[Discontinuity] = []
        for item in [*self.story, None]:
            if item is not None and "mark" in item:
                run.append(item["mark"])
            elif item is not None and "gone" in item:
                run.insert(0, Discontinuity("overflow", 1, "", item["number"] - 1, item["number"] + 1))
            else:
                families = [[m for m in run if (m.kind == "overflow") == overflow] for overflow in (True, False)]
                if run and run[0].kind != "overflow":
                    families.reverse()
                for family in filter(None, families):
                    one = joined(sorted(family, key=lambda mark: mark.since or 0))
                    shown.append(one)
                run = []
                shown += [item["value"]] if item is not None else []
        return shown

    @invariant()
    def it_agrees(self) -> None:
        if not hasattr(self, "box"):
            return
        assert len(self.box) == len(self.shown())
        assert self.box.bytes == self.bytes()
        assert (self.box.replaced, self.box.overflowed) == (self.replaced, self.dropped + self.replaced)
        assert self.box.stopped is self.stopped
        if self.box.when_full != "wait":
            assert len(self.messages()) <= self.box.items
            assert self.box.bytes <= self.box.size


TestReceiving = Receiving.TestCase
TestReceiving.settings = settings(stateful_step_count=30)


def drain(box: Inbox) -> list[Any]:
    """All that waits."""
    return [box.take() for _ in range(len(box))]


def test_an_overflow_is_told_at_the_head() -> None:
    """The oldest go, how many is told once and at their place, and the count goes on."""
    box = Inbox(2, 100)
    for number in range(5):
        box.put(number, 1)
    assert drain(box) == [Discontinuity("overflow", 3), 3, 4]
    assert box.overflowed == 3
    for number in range(3):
        box.put(number, 1)
    assert box.take() == Discontinuity("overflow", 1)
    assert box.overflowed == 4


def test_an_overflow_says_which_numbers_went() -> None:
    """From the last before to the first after; where numbers began anew meanwhile, that is no range."""
    box = Inbox(1, 100)
    for number in (7, 8, 9):
        box.put(str(number), 1, number)
    assert drain(box) == [Discontinuity("overflow", 2, since=6, until=9), "9"]
    for number in (8, 1, 2):
        box.put(str(number), 1, number)
    assert drain(box) == [Discontinuity("overflow", 2), "2"]


def test_a_message_that_can_never_fit() -> None:
    """It is dropped, counted and told, and what follows is received."""
    box = Inbox(10, 5)
    box.put("large", 6)
    box.put("small", 5)
    assert drain(box) == [Discontinuity("overflow", 1), "small"]


def test_marks_outlive_an_overflow() -> None:
    """A mark among messages that are dropped stays, before the first message that is left; with another, it is one."""
    box = Inbox(1, 100)
    box.put("old", 1)
    box.mark(Discontinuity("lost", why="reset"))
    box.put("new", 1)
    assert drain(box) == [Discontinuity("overflow", 1), Discontinuity("lost", why="reset"), "new"]
    for kind, text in (("lost", "newer"), ("resumed", "newest")):
        box.mark(Discontinuity(kind))  # type: ignore[arg-type]
        box.put(text, 1)
    assert drain(box) == [Discontinuity("overflow", 1), Discontinuity("lost"), "newest"]


def test_a_later_message_takes_the_place_of_one_with_its_key() -> None:
    """In its place, so that one who speaks often is still read; others are not touched, and a mark lies between."""
    box = Inbox(3, 100, "latest")
    for value, key in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("none", None), ("a3", "a")):
        box.put(value, 1, key=key)
    assert (box.replaced, box.overflowed) == (2, 2)
    box.mark(Discontinuity("lost"))
    assert [box.take(), box.take()] == ["a3", "b1"]
    box.put("a4", 1, key="a")
    box.put("a5", 60, key="a")
    assert drain(box) == ["none", Discontinuity("lost"), "a5"]


def test_latest_is_bounded_too() -> None:
    """With more keys than room the oldest go, also when one only grows."""
    box = Inbox(2, 10, "latest")
    for key in "abc":
        box.put(key, 1, key=key)
    assert drain(box) == [Discontinuity("overflow", 1), "b", "c"]
    box.put("b", 5, key="b")
    box.put("c", 5, key="c")
    box.put("c", 9, key="c")
    assert drain(box) == [Discontinuity("overflow", 1), "c"]
    assert box.bytes == 0


def test_a_box_that_closes_keeps_what_it_has() -> None:
    """The message that does not fit is dropped, told at its place, and so are those that come after it."""
    box = Inbox(2, 10, "close")
    assert box.put("a", 5, 1)
    assert box.put("b", 5, 2)
    assert not box.put("c", 1, 3)
    box.mark(Discontinuity("lost"))
    assert not box.put("d", 1, 4)
    assert drain(box) == ["a", "b", Discontinuity("overflow", 2, since=2, until=5), Discontinuity("lost")]
    assert box.put("e", 10)
    assert not box.put("f", 1)


def test_a_box_that_waits_says_when() -> None:
    """It stops at its bounds and goes on at half of both; beyond twice the bytes it is full for good."""
    box = Inbox(4, 10, "wait")
    for size in (1, 1, 1):
        assert box.put("a", size)
    assert not box.stopped
    assert box.put("b", 1)
    assert box.stopped
    assert [box.put("c", 8), box.put("d", 8), box.put("e", 1)] == [True, True, False]
    while box.stopped:
        taken = box.take()
    assert taken == "d"
    assert drain(box) == [Discontinuity("overflow", 1)]
    assert box.put("alone, and larger than it all", 100)
    assert box.stopped


def test_empty_messages_are_bounded() -> None:
    """Though they have no bytes, there cannot be any number of them."""
    box = Inbox(2, 10, "wait")
    assert sum(box.put("", 0) for _ in range(1000)) == 2 * HARD_ITEMS


def test_of_two_marks_the_worse_is_told() -> None:
    """With what both know: how many are missing, from where, and why."""
    worse = Discontinuity("gap", 2, since=5, until=8).then(Discontinuity("resumed", why="reset", since=8))
    assert worse == Discontinuity("gap", 2, "reset", 5, None)
    assert Discontinuity("lost", why="a").then(Discontinuity("lost", why="b")).why == "a"


@given(st.lists(st.sampled_from(PROMISES), min_size=1), st.booleans())
def test_marks_do_not_pile_up(kinds: list[Any], dropped: bool) -> None:  # noqa: FBT001 -- Hypothesis gives it by place
    """However many come with no message between them, one of the stream and one of the inbox is left."""
    box = Inbox(0, 0, "close")
    for kind in kinds:
        box.mark(Discontinuity(kind))
        if dropped:
            box.put("x", 1)
    assert {mark.kind for mark in drain(box)} == {min(kinds, key=PROMISES.index)} | ({"overflow"} if dropped else set())
