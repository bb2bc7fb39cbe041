import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lifecycle.trio.timers import Timers

KEYS = st.sampled_from("abcd")


class Clockwork(RuleBasedStateMachine):
    """A heap of deadlines, and a plain dict of them."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.model: dict[str, tuple[float, int]] = {}
        self.serial = 0
        self.now = 0.0

    @rule(key=KEYS, wait=st.integers(0, 5))
    def set(self, key: str, wait: int) -> None:
        self.serial += 1
        self.timers.set(key, self.now + wait, self.serial)
        self.model[key] = (self.now + wait, self.serial)

    @rule(key=KEYS)
    def cancel(self, key: str) -> None:
        self.timers.cancel(key)
        self.model.pop(key, None)

    @rule()
    def clear(self) -> None:
        self.timers.clear()
        self.model.clear()

    @rule(wait=st.integers(0, 4))
    def pass_time(self, wait: int) -> None:
        self.now += wait
        due = sorted((when, serial, key) for key, (when, serial) in self.model.items() if when <= self.now)
        assert list(self.timers.due(self.now)) == [(key, serial) for _, serial, key in due]
        for _, _, key in due:
            del self.model[key]

    @invariant()
    def they_agree(self) -> None:
        whens = [when for when, _ in self.model.values()]
        assert len(self.timers) == len(self.model)
        assert self.timers.next() == min(whens, default=math.inf)
        for key in "abcd":
            assert self.timers.deadline(key) == (self.model[key][0] if key in self.model else None)


TestClockwork = Clockwork.TestCase


def test_the_dead_do_not_pile_up() -> None:
    """A hundred thousand timers that are set and cancelled leave next to nothing."""
    timers = Timers()
    timers.set("lives", 1e9, None)
    for number in range(100_000):
        timers.set(number, 30.0 + number, None)
        timers.cancel(number)
    assert len(timers._heap) <= 65
    assert timers.next() == 1e9


def test_what_fires_may_set_and_cancel_others() -> None:
    """A timer that is cancelled by an earlier one of the same moment does not fire; one that is set then fires next."""
    timers = Timers()
    fired: list[object] = []
    for key in ("first", "second"):
        timers.set(key, 1, key)
    for key, _ in timers.due(1):
        fired.append(key)
        timers.cancel("second")
        if key == "first":
            timers.set("third", 1, None)
            timers.set("later", 2, None)
    assert fired == ["first"]
    assert [key for key, _ in timers.due(1)] == ["third"]
    assert timers.next() == 2
