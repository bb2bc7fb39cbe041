from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Definition
from lifecycle.definition.literal import Secret
from lifecycle.definition.page import OPTIONAL, Parameter
from lifecycle.definition.parameters import missing_calls, parameter_values, said
from lifecycle.definition.read import read
from lifecycle.errors import WrongParameters

URL = "wss://example.org/"


@pytest.fixture(scope="module")
def page() -> Definition:
    """The bundled page."""
    return read("websocket")


def values(page: Definition, **given: Any) -> dict[str, Any]:
    """The values by name."""
    return dict(zip(page.parameters, parameter_values(page, {"url": URL, **given}), strict=True))


def test_defaults(page: Definition) -> None:
    """What is not given is the page's; an optional one is none."""
    found = values(page)
    assert found["url"] == URL
    assert found["token"] is None
    assert found["connect_timeout"] == 10.0
    assert found["max_attempts"] == 12
    assert found["redial"] == Backoff(first=1.0, factor=2.0, max=60.0, jitter="full", floor=0.25)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("connect_timeout", "250 ms", 0.25),
        ("connect_timeout", 3, 3.0),
        ("connect_timeout", timedelta(minutes=1), 60.0),
        ("connect_timeout", None, None),
        ("proven_after", "1 s", 1.0),
        ("max_attempts", 0, 0),
        ("token", "Bearer x", "Bearer x"),
        ("token", None, None),
        ("redial", {"first": "2 s", "jitter": "none"}, Backoff(first=2.0, jitter="none")),
        ("redial", Backoff(first=3.0), Backoff(first=3.0)),
    ],
)
def test_values_as_an_embedder_writes_them(page: Definition, name: str, given: Any, value: Any) -> None:
    """Durations are texts, numbers of seconds or timedeltas; the rest is its type."""
    assert values(page, **{name: given})[name] == value


def test_a_secret_is_not_shown(page: Definition) -> None:
    """Neither its value nor a wrong one appears anywhere."""
    token = values(page, token="hidden")["token"]
    assert isinstance(token, Secret)
    assert "hidden" not in repr(token)
    with pytest.raises(WrongParameters) as caught:
        values(page, token=["hidden"])
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"heartbeat": 3}, "there is no parameter `heartbeat`: did you mean `heartbeat_"),
        ({"url": "http://x"}, "the parameter `url`: 'http://x' is no WebSocket URL"),
        ({"proven_after": "500 ms"}, "the parameter `proven_after` is at least 1 s"),
        ({"max_attempts": -1}, "the parameter `max_attempts`: expected a whole number"),
        ({"max_attempts": True}, "the parameter `max_attempts`: expected a whole number"),
        ({"max_attempts": None}, "the parameter `max_attempts`: expected a whole number"),
        ({"connect_timeout": "10"}, "it has no unit; write `10 s`"),
        ({"redial": {"frist": "1 s"}}, "a backoff has no `frist`"),
        ({"redial": {"floor": 0}}, "the floor of a backoff is above 0"),
    ],
)
def test_a_wrong_parameter(page: Definition, given: dict[str, Any], problem: str) -> None:
    """It is told with its name and what to write."""
    with pytest.raises(WrongParameters) as caught:
        values(page, **given)
    assert problem in str(caught.value)
    assert len(caught.value.problems) == 2


def test_all_wrong_ones_at_once(page: Definition) -> None:
    """With what else is wrong, and a list of what there is at the end."""
    with pytest.raises(WrongParameters) as caught:
        parameter_values(page, {"tokn": "x", "close_timeout": -1}, ["something else is wrong"])
    problems = caught.value.problems
    assert len(problems) == 5
    assert problems[0] == "something else is wrong"
    assert problems[1].startswith("there is no parameter `tokn`: did you mean `token`")
    assert problems[2].startswith("the parameter `url` is required: where to dial") or problems[3].startswith(
        "the parameter `url`"
    )
    assert "url (url, required)" in problems[-1]
    assert "token (secret, optional)" in problems[-1]
    assert "proven_after (duration, 5 s)" in problems[-1]
    assert str(caught.value).startswith("websocket: something else is wrong\nwebsocket: ")


def test_the_greatest_value() -> None:
    """A parameter has ends on both sides."""
    with pytest.raises(WrongParameters, match=r"`refresh_at` is at most 0.95"):
        parameter_values(read("resume"), {"url": URL, "refresh_at": 1.0})


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("duration", 90.0, "90 s"),
        ("duration", None, "none"),
        ("size", 4096, "4 KiB"),
        ("secret", "hidden", "<secret>"),
        ("secret", OPTIONAL, "optional"),
        ("flag", True, "true"),
        ("count", 3, "3"),
        ("text", "words", "words"),
    ],
)
def test_a_value_as_a_page_writes_it(kind: Any, value: Any, text: str) -> None:
    """With its unit, and a secret not at all."""
    assert said(Parameter(kind=kind, default=value), value) == text


def test_missing_calls() -> None:
    """Each is told with the signature to write; any object with the methods will do."""
    page = read("openclaw-gateway")

    async def call() -> None: ...

    assert missing_calls(page, SimpleNamespace(sign_connect=call, pair_device=call, fresh_credentials=call)) == []
    assert missing_calls(page, SimpleNamespace(sign_connect=1, pair_device=call, fresh_credentials=call)) == [
        "the call `sign_connect` is missing: pass `calls=` with `async def sign_connect(*, challenge) -> {'frame'}`"
    ]
    assert len(missing_calls(page, None)) == 3
    assert missing_calls(page, None)[1].endswith("`async def pair_device()`")
