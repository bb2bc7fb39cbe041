"""What a backend has answered, in whatever words, and which error that is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.systems.hiagent import (
    AddressInUse,
    BadRequest,
    LiveIdInUse,
    NoFreeInstance,
    NoSuchLive,
    NotInterruptible,
    OverLimit,
    Refused,
    TooEarly,
    TwoControllers,
    Unauthorized,
)
from lifecycle.systems.hiagent.refusal import refusal
from lifecycle.systems.hiagent.reply import Reply, read_reply

FULL = "Failed to start live: failed to load or create engine: concurrency over limit (code: 4002)"


def reply(status, body, phrase="", **headers) -> Reply:
    """An answer, read."""
    return read_reply(status, phrase, headers, json.dumps(body, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"code": 4002, "message": FULL}),
        (200, {"code": "4002", "message": "full"}),
        (200, {"success": False, "message": FULL}),
        (500, {"detail": FULL}),
        (500, {"detail": {"code": 4002, "message": "full"}}),
        (503, {"error": FULL}),
        (429, {"success": False, "code": 4002, "message": FULL}),
        (200, {"data": {"code": 4002}}),
    ],
)
def test_a_refusal_for_want_of_room(status, body):
    """It is known by its number, in a field or in the words, whatever the status of HTTP."""
    found = reply(status, body)
    assert (found.good, found.number) == (False, 4002)
    error = refusal(found)
    assert (type(error), error.code, error.number, error.status) == (OverLimit, "4002", 4002, status)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, {"code": 4000, "message": "x"}, BadRequest, "4000"),
        (200, {"code": 4001, "message": "x"}, Unauthorized, "4001"),
        (401, {"detail": "x"}, Unauthorized, "4001"),
        (403, {}, Unauthorized, "4001"),
        (200, {"code": 4003, "message": "x"}, TwoControllers, "4003"),
        (409, {"code": 4004, "message": "x"}, LiveIdInUse, "4004"),
        (200, {"code": 4005, "message": "x"}, AddressInUse, "4005"),
        (200, {"code": 4006, "message": "x"}, NoSuchLive, "4006"),
        (200, {"code": 4007, "message": "x"}, NotInterruptible, "4007"),
        (200, {"code": 5002, "message": "x"}, NoFreeInstance, "5002"),
        (500, {"detail": "engine broke (code: 5001)"}, Refused, "5001"),
        (429, {"detail": "x"}, TooEarly, "429"),
        (429, {"code": 429, "message": "x"}, TooEarly, "429"),
        (408, {"detail": "timeout"}, Refused, "failed"),
        (409, {"code": 409}, Refused, "failed"),
        (503, {"detail": "connect failed"}, Refused, "failed"),
        (500, {"code": 500}, Refused, "failed"),
        (404, {"detail": "Not Found"}, Refused, "4000"),
        (422, {"detail": [{"loc": ["body", "live_id"], "msg": "field required"}]}, Refused, "4000"),
        (302, {}, Refused, "failed"),
        (200, {"success": False}, Refused, "failed"),
        (200, {"code": 4999, "message": "what is new"}, Refused, "4999"),
    ],
)
def test_which_error_it_is(status, body, kind, code):
    """By the vendor's number, else by what the status of HTTP is taken for."""
    error = refusal(reply(status, body))
    assert (type(error), error.code, error.status) == (kind, code, status)


@pytest.mark.parametrize(
    ("words", "pause"),
    [
        ("live_id is cooling down, please wait 7 seconds", 8.0),
        ("wait 7s before you retry", 8.0),
        ("Please retry after 2.5 sec", 3.5),
        ("请等待 5 秒后重试", 6.0),
        ("冷却中,剩余5秒", 6.0),
        ("稍后再试:12秒", 13.0),
        ("the upstream has not answered within 90 seconds", None),
        ("wait a moment", None),
        ("try again", None),
    ],
)
def test_a_pause_in_words(words, pause):
    """Only words that speak of waiting are one, and a margin is added, for they are rounded."""
    assert refusal(reply(429, {"detail": words})).retry_after == pause


def test_a_pause_in_a_header_counts_before_the_words():
    """It is exact."""
    assert reply(429, {"detail": "wait 7 seconds"}, **{"retry-after": "3"}).retry_after == 3.0


def test_what_is_good():
    """Any 2xx that says neither a number of the vendor's refusals nor that it was none."""
    for body in ({}, {"code": 1000}, {"code": 0, "message": "ok"}, {"success": True}, [], "text", {"code": None}):
        assert reply(200, body).good
    assert not reply(500, {}).good


def test_the_sentence():
    """What the backend says, or the status where it says nothing; the number is not told twice."""
    assert str(refusal(reply(500, {"detail": FULL}))) == FULL
    assert str(refusal(reply(200, {"code": 4006, "message": "gone"}))) == "gone (code: 4006)"
    assert str(refusal(reply(503, "", "Service Unavailable"))) == "HTTP 503 Service Unavailable"
    assert len(str(refusal(reply(500, {"detail": "x" * 10_000})))) == 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "message", "detail", "error", "data", "success", "msg"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.integers(100, 999), JSON | st.binary(), st.text(max_size=20))
def test_a_body_may_be_anything(status, body, phrase):
    """Something is always made of it, and nothing good of what says that it is refused."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = read_reply(status, phrase, {}, content)
    assert not (found.good and (found.number is not None or not 200 <= status < 300))
    assert found.message
    error = refusal(found)
    assert error.code.isdecimal() or error.code == "failed"
    assert str(error)


def test_json_that_is_too_deep():
    """It is no JSON to us."""
    assert read_reply(200, "", {}, b"[" * 200_000).good
