import datetime as dt
from typing import Any

import pytest

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.literal import Secret, literal


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("duration", "10 s", 10.0),
        ("duration", 10, 10.0),
        ("duration", dt.timedelta(seconds=3), 3.0),
        ("count", 3, 3),
        ("number", -0.5, -0.5),
        ("number", 4, 4),
        ("flag", True, True),
        ("text", "", ""),
        ("size", "1 KiB", 1024),
        ("size", 5, 5),
        ("url", "wss://example.org:8443/x?y=z", "wss://example.org:8443/x?y=z"),
        ("url", "ws://[::1]:80", "ws://[::1]:80"),
        ("jitter", "equal", "equal"),
        ("jitter", ["50 %", "150 %"], (0.5, 1.5)),
        ("jitter", (0.5, 1.5), (0.5, 1.5)),
        ("backoff", {}, Backoff()),
        ("backoff", {"delays": ["10 s", 2], "max": 30, "factor": 3}, Backoff(delays=(10.0, 2.0), max=30.0, factor=3.0)),
        ("backoff", Backoff(first=2.0), Backoff(first=2.0)),
    ],
)
def test_a_literal_is_its_value(kind: str, written: object, meant: object) -> None:
    """Each type takes what a page or an embedder writes."""
    assert literal(kind, written) == meant


@pytest.mark.parametrize(
    ("kind", "written", "told"),
    [
        ("count", -1, "expected a whole number of 0 or more, found -1"),
        ("count", 1.0, "expected a whole number of 0 or more, found 1.0"),
        ("count", True, "expected a whole number of 0 or more, found True"),
        ("number", "1", "expected a number, found '1'"),
        ("number", False, "expected a number, found False"),
        ("number", float("nan"), "expected a number, found nan"),
        ("number", float("inf"), "expected a number, found inf"),
        ("flag", 1, "expected true or false, found 1"),
        ("text", ["a"], "expected a text, found a list"),
        ("text", None, "expected a text, found None"),
        (
            "url",
            "https://example.org",
            "'https://example.org' is no WebSocket URL: write `ws://host:port/path` or `wss://…`",
        ),
        ("url", "wss://", "'wss://' is no WebSocket URL: write `ws://host:port/path` or `wss://…`"),
        ("url", "wss://a:99999", "'wss://a:99999' is no WebSocket URL: write `ws://host:port/path` or `wss://…`"),
        ("url", "ws://a/#b", "the url holds a fragment (#), which WebSocket forbids; write it as %23 if it is meant"),
        ("url", "ws://a/b c", "the url holds a space or a control character; write it as %20 and the like"),
        ("url", "ws://me:word@a/", "the url holds a user name; send it in the header Authorization"),
        ("url", {"a": 1}, "expected a URL such as `wss://host/path`, found a dict"),
        ("jitter", "some", "expected none, full, equal, decorrelated or [low %, high %], found 'some'"),
        ("jitter", ["50 %"], "expected none, full, equal, decorrelated or [low %, high %], found ['50 %']"),
        (
            "jitter",
            ["150 %", "50 %"],
            "expected none, full, equal, decorrelated or [low %, high %], found ['150 %', '50 %']",
        ),
        ("jitter", ["a", "b"], "expected a percentage such as `50 %`, found 'a'"),
        ("backoff", "1 s", "expected a backoff such as `{first: 1 s, factor: 2, max: 60 s}`, found '1 s'"),
        ("backoff", {"last": "1 s"}, "a backoff has no `last`; it has delays, first, factor, max, jitter, floor"),
        ("backoff", {"delays": "1 s"}, "expected a list of durations, found '1 s'"),
        ("backoff", {"factor": 0.5}, "expected a factor of 1 or more, found 0.5"),
        ("backoff", {"factor": True}, "expected a factor of 1 or more, found True"),
        ("backoff", {"first": "1"}, "'1' is no duration: it has no unit; write `1 s`"),
        (
            "backoff",
            {"first": "0 s"},
            "the floor of a backoff is above 0, or a peer could make it dial without a pause",
        ),
    ],
)
def test_what_is_no_literal_says_what_to_write(kind: str, written: object, told: str) -> None:
    """Nothing is coerced: a flag is no number, a number is no text."""
    with pytest.raises(ValueError, match=r".") as caught:
        literal(kind, written)
    assert str(caught.value) == told


@pytest.mark.parametrize(("kind", "sign"), [("count", 1), ("number", 1), ("number", -1)])
def test_a_number_is_small_enough_to_be_calculated_with(kind: str, sign: int) -> None:
    """What an expression could not multiply without running over is refused."""
    assert literal(kind, sign * 10**15) == sign * 10**15
    for large in (10**16, 10**400):
        with pytest.raises(ValueError, match=r"expected a (whole )?number"):
            literal(kind, sign * large)
    with pytest.raises(ValueError, match=r"expected a factor"):
        literal("backoff", {"factor": 10**400})


def test_a_choice_is_one_of_its_values() -> None:
    """And of nothing else; values may be of any plain kind."""
    assert literal("choice", "a", ("a", 2)) == "a"
    assert literal("choice", 2, ("a", 2)) == 2
    with pytest.raises(ValueError, match=r"^'b' is not one of a, 2$"):
        literal("choice", "b", ("a", 2))


@pytest.mark.parametrize(
    ("kind", "written", "told"),
    [
        ("duration", 10, "expected a duration with its unit, such as `10 s`, found 10"),
        ("size", 4, "expected a size with its unit, such as `4 MiB`, found 4"),
        ("backoff", {"first": 1}, "expected a duration with its unit, such as `10 s`, found 1"),
        ("backoff", {"floor": 0.5}, "expected a duration with its unit, such as `10 s`, found 0.5"),
        ("backoff", {"delays": ["1 s", 2]}, "expected a duration with its unit, such as `10 s`, found 2"),
    ],
)
def test_a_page_writes_units(kind: str, written: Any, told: str) -> None:
    """An embedder may pass plain seconds and bytes; in a page, a number without its unit is a mistake."""
    literal(kind, written)
    with pytest.raises(ValueError, match=r".") as caught:
        literal(kind, written, in_page=True)
    assert str(caught.value) == told


def test_a_secret_shows_itself_nowhere() -> None:
    """Not in its representation, nor in that of what holds it, nor in the error about a wrong one."""
    secret = literal("secret", "hush")
    assert isinstance(secret, Secret)
    assert secret == "hush"
    assert f"{secret!r} {[secret]} { ({'token': secret}) }" == "<secret> [<secret>] {'token': <secret>}"
    with pytest.raises(ValueError, match=r"^expected a text for a secret, found something else$"):
        literal("secret", 12345)
