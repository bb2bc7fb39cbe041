"""Refusals and failures of leases: the sentence that a client is told, and its code."""

import pytest

import lifecycle.registry
from lifecycle.errors import CallFailed, LifecycleError
from lifecycle.registry import (
    AlreadyHeld,
    CoolingDown,
    LeaseLost,
    LeasesUnavailable,
    NoCapacity,
    StartFailed,
    StartRefused,
)

CASES = [
    (NoCapacity("a", 3), 4002, "session 'a' was not started: concurrency over limit (3 at once)"),
    (AlreadyHeld("a", "host:1"), 4004, "session 'a' was not started: it is held by host:1"),
    (AlreadyHeld("a", "host:1", pending=True), 429, "session 'a' was not started: it is being started by host:1"),
    (CoolingDown("a", 3.2), 429, "session 'a' was not started: it failed a short while ago; wait 4 seconds"),
    (StartFailed("a", "4003", "no"), "4003", "session 'a' did not start: no (code: 4003)"),
]


@pytest.mark.parametrize(("error", "code", "sentence"), CASES)
def test_each_has_a_sentence_and_a_code(error, code, sentence):
    """And is of the one tree of errors."""
    assert (str(error), error.code) == (sentence, code)
    assert isinstance(error, LifecycleError)


def test_those_without_a_code():
    """They say where, and which."""
    assert str(LeaseLost("a", 7)) == "the lease of session 'a' (generation 7) is not held any more"
    assert str(LeasesUnavailable("redis://h", "it says nothing")) == "redis://h is not available: it says nothing"


def test_a_refusal_of_no_kind_has_no_sentence():
    """Each kind says its own."""
    with pytest.raises(NotImplementedError):
        str(StartRefused("a"))


def test_the_room_has_the_names_that_it_promises():
    """And no others."""
    for name in set(lifecycle.registry.__all__) - {"RedisLeases"}:  # its library is not everywhere
        assert getattr(lifecycle.registry, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = lifecycle.registry.nonsense
    assert CallFailed not in vars(lifecycle.registry).values()
