import functools
from typing import Any

import pytest

from lifecycle.definition.flatten import flatten
from lifecycle.definition.grow import grow
from lifecycle.definition.page import Cause
from lifecycle.definition.problem import Spot
from lifecycle.definition.read import _Reader, read, structure, yaml12
from lifecycle.wire.causes import Refusal, classify, retry_after
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding


@functools.cache
def rows(text: str) -> tuple[Cause, ...]:
    """Rows as a page writes them; nobody asks here whether its states take their events."""
    lines = "".join(f"  - {row}\n" for row in [*text.split("; "), "{otherwise: true, is: lost.other}"])
    value, source = yaml12.read_text(f"lifecycle: 1\npage: rows\ncauses:\n{lines}states: {{idle: {{}}}}\n", "rows.yaml")
    page, problems = structure(value, Spot(source))
    assert page is not None, problems
    tree, book = grow(page, source, _Reader().load)
    causes = flatten(tree, book).causes
    assert not book.problems
    return causes


def name(text: str, ending: Ending | Refusal) -> str:
    """What an ending is called by rows."""
    return classify(rows(text), ending).event


ROW = "{%s, is: refused.it}"


@pytest.mark.parametrize(
    ("condition", "fits", "misses"),
    [
        ("close: 4000", [CloseEnding(4000)], [CloseEnding(4001), HttpEnding(400), ErrorEnding("eof")]),
        ("close: [1001, 4000-4002]", [CloseEnding(1001), CloseEnding(4002)], [CloseEnding(1002), CloseEnding(4003)]),
        ("close: any", [CloseEnding(1000), CloseEnding(4999)], [HttpEnding(500), Refusal({})]),
        ("http: 401", [HttpEnding(401)], [HttpEnding(402), CloseEnding(4010)]),
        ("http: [500-599, 429]", [HttpEnding(500), HttpEnding(429)], [HttpEnding(499)]),
        ("http: any", [HttpEnding(302)], [CloseEnding(1000), ErrorEnding("tls")]),
        ("error: tls", [ErrorEnding("tls", "expired")], [ErrorEnding("dns"), CloseEnding(1000)]),
        ("error: [eof, reset]", [ErrorEnding("reset"), ErrorEnding("eof")], [ErrorEnding("protocol")]),
        ("refusal: any", [Refusal({}), Refusal(None), Refusal("no")], [CloseEnding(1008), HttpEnding(401)]),
        ("match: {code: [a, b]}", [Refusal({"code": "b"})], [Refusal({"code": "c"}), Refusal(None), CloseEnding(1000)]),
        ("match: {d.x: 1, code: a}", [Refusal({"d": {"x": 1}, "code": "a"})], [Refusal({"d": {"x": 1}})]),
        (
            "text: (?i)too many",
            [Refusal({"message": "Too many!"}), Refusal("too many"), CloseEnding(1008, "TOO MANY")],
            [
                Refusal({"message": 5}),
                CloseEnding(1008),
                ErrorEnding("eof", "too many"),
                HttpEnding(429, {}, b"too many"),
            ],
        ),
        ("close: 1008, text: slow", [CloseEnding(1008, "slow")], [CloseEnding(1008), CloseEnding(1000, "slow")]),
    ],
)
def test_a_condition(condition: str, fits: list[Any], misses: list[Any]) -> None:
    """A row fits if everything that it says is so; another kind of ending never fits."""
    for ending in fits:
        assert name(ROW % condition, ending) == "refused.it"
    for ending in misses:
        assert name(ROW % condition, ending) == "lost.other"


def test_the_first_row_that_fits_decides() -> None:
    """Rows above override rows below, and `otherwise` takes what is left."""
    order = "{close: 4001, is: refused.first}; {close: 4000-4999, is: ended.second}; {close: any, is: lost.third}"
    assert [name(order, CloseEnding(code)) for code in (4001, 4002, 1000)] == [
        "refused.first",
        "ended.second",
        "lost.third",
    ]
    assert name(order, ErrorEnding("eof")) == "lost.other"


def test_without_causes() -> None:
    """Every ending is `lost`."""
    assert classify((), CloseEnding(1000)).event == "lost"


def test_what_a_verdict_tells() -> None:
    """Code, status, text, the pause and the sentence; the words are those of the ending."""
    causes = rows("{close: 4000, is: lost.it, retry_after: 3 s, say: Try again.}; {http: 503, is: lost.busy}")
    verdict = classify(causes, CloseEnding(4000, "why"))
    assert verdict.fields == {"code": 4000, "status": None, "text": "why", "retry_after": 3.0, "say": "Try again."}
    assert verdict.words == "the peer closed with code 4000: why"
    told = classify(causes, HttpEnding(503)).fields
    assert (told["code"], told["status"], told["text"], told["retry_after"], told["say"]) == (
        None,
        503,
        None,
        None,
        None,
    )
    assert classify(causes, ErrorEnding("dns", "no such name")).fields["code"] == "dns"
    refusal = classify(causes, Refusal({"code": "BUSY", "message": "later"}))
    assert (refusal.fields["code"], refusal.fields["text"]) == ("BUSY", "later")
    assert refusal.words == "the peer refuses: later"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"code": 5}, "the peer refuses: 5"),
        ("no", "the peer refuses: no"),
        ({"code": ["x"]}, "the peer refuses: it gives no reason"),
        (None, "the peer refuses: it gives no reason"),
    ],
)
def test_a_refusal_in_words(value: object, words: str) -> None:
    """The message, else the code, else that there is none; the object itself is never shown."""
    assert str(Refusal(value)) == words
    assert repr(Refusal(value)) == "Refusal()"


# The pause that a peer asks for

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
LATER = "Wed, 21 Oct 2015 07:28:30 GMT"


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": LATER, "date": DATE}, 30.0),
        ({"retry-after": DATE, "date": LATER}, 0.0),
        ({"retry-after": LATER}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-5", "date": DATE}, None),
        ({"retry-after": "1.5", "date": DATE}, None),
        ({"retry-after": "9" * 12, "date": DATE}, None),
        ({"retry-after": f"Wed, {'9' * 30} Oct 2015 07:28:30 GMT", "date": DATE}, None),
        ({"retry-after": LATER, "date": f"Wed, 21 Oct {'9' * 30} 07:28:30 GMT"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30", "date": DATE}, None),
        ({}, None),
    ],
)
def test_the_header_retry_after(headers: dict[str, str], pause: float | None) -> None:
    """Seconds, or a date against the Date of the same answer; nonsense is none."""
    assert retry_after(headers) == pause
    assert (
        classify(rows("{http: 503, is: lost.busy, retry_after: header}"), HttpEnding(503, headers)).fields[
            "retry_after"
        ]
        == pause
    )


@pytest.mark.parametrize(
    ("value", "pause"),
    [({"wait": 1500}, 1.5), ({"wait": "x"}, 30.0), ({}, 30.0), ({"wait": 10**400}, 30.0), ({"wait": True}, 30.0)],
)
def test_a_pause_in_a_refusal(value: dict[str, Any], pause: float) -> None:
    """A path with its unit, and what is taken where there is none."""
    row = "{refusal: any, is: lost.busy, retry_after: {ms: wait, else: 30 s}}"
    assert classify(rows(row), Refusal(value)).fields["retry_after"] == pause


def test_a_pause_that_an_ending_cannot_say() -> None:
    """A header is for HTTP and a path for refusals; elsewhere it is none, or what is taken instead."""
    assert (
        classify(rows("{otherwise: true, is: lost.x, retry_after: header}")[:1], CloseEnding(1000)).fields[
            "retry_after"
        ]
        is None
    )
    row = "{text: slow, is: lost.busy, retry_after: {ms: wait, else: 2 s}}"
    assert classify(rows(row), CloseEnding(1008, "slow")).fields["retry_after"] == 2.0


# Tables that others rely on


@pytest.mark.parametrize(
    ("preset", "ending", "event"),
    [
        ("rfc6455", CloseEnding(1000), "ended.normal"),
        ("rfc6455", CloseEnding(1001), "ended.going_away"),
        ("rfc6455", CloseEnding(1007), "refused.protocol"),
        ("rfc6455", CloseEnding(1008), "refused.policy"),
        ("rfc6455", CloseEnding(1009), "refused.too_big"),
        ("rfc6455", CloseEnding(1010), "refused.extension"),
        ("rfc6455", CloseEnding(1011), "lost.server_error"),
        ("rfc6455", CloseEnding(1005), "lost.no_status"),
        ("rfc6455", ErrorEnding("eof"), "lost.network"),
        ("rfc6455", ErrorEnding("reset"), "lost.network"),
        ("rfc6455", ErrorEnding("tls"), "refused.certificate"),
        ("rfc6455", ErrorEnding("protocol"), "lost.protocol"),
        ("rfc6455", ErrorEnding("too_big"), "lost.too_big"),
        ("rfc6455", HttpEnding(500), "lost.other"),
        ("iana", CloseEnding(1012), "lost.restarting"),
        ("iana", CloseEnding(1013), "lost.try_again_later"),
        ("iana", CloseEnding(1014), "lost.bad_gateway"),
        ("iana", CloseEnding(3000), "unauthorized.credentials"),
        ("iana", CloseEnding(3003), "refused.forbidden"),
        ("iana", CloseEnding(3008), "lost.timeout"),
        ("iana", CloseEnding(1000), "lost.other"),
        ("centrifuge", CloseEnding(3500), "refused.invalid_token"),
        ("centrifuge", CloseEnding(3499), "lost.told_to_reconnect"),
        ("centrifuge", CloseEnding(4000), "lost.told_to_reconnect"),
        ("centrifuge", CloseEnding(3501), "refused.disconnected"),
        ("centrifuge", CloseEnding(4500), "refused.disconnected"),
        ("centrifuge", CloseEnding(1009), "refused.too_big"),
        ("centrifuge", CloseEnding(1006), "lost.network"),
        ("graphql_ws", CloseEnding(4401), "unauthorized.credentials"),
        ("graphql_ws", CloseEnding(4403), "unauthorized.forbidden"),
        ("graphql_ws", CloseEnding(4400), "refused.protocol"),
        ("graphql_ws", CloseEnding(4409), "refused.duplicate"),
        ("graphql_ws", CloseEnding(4429), "refused.initialised_twice"),
        ("graphql_ws", CloseEnding(4500), "refused.internal"),
        ("graphql_ws", CloseEnding(4408), "lost.timeout"),
        ("graphql_ws", CloseEnding(4499), "lost.terminated"),
        ("graphql_ws", CloseEnding(1012), "lost.network"),
        ("graphql_ws", CloseEnding(1002), "refused.protocol"),
        ("socketio", Refusal({"message": "timeout"}), "lost.network"),
        ("socketio", Refusal({"message": "io server disconnect"}), "ended.by_server"),
        ("socketio", CloseEnding(1001, "Server shutting down"), "lost.restarting"),
        ("socketio", Refusal("ping timeout"), "lost.silent_peer"),
        ("socketio", HttpEnding(403), "unauthorized.forbidden"),
        ("socketio", HttpEnding(400), "refused.handshake"),
        ("socketio", Refusal({"message": "not today"}), "refused.by_server"),
        ("socketio", CloseEnding(1005), "lost.network"),
    ],
)
def test_a_preset(preset: str, ending: Ending | Refusal, event: str) -> None:
    """A preset's rows stand in its place, and leave the rest to the page."""
    assert name(f"{{use: {preset}}}", ending) == event


def test_rows_above_a_preset_override_it() -> None:
    """A page may have its own word about a code of a preset."""
    assert name("{close: 1008, is: lost.mine}; {use: rfc6455}", CloseEnding(1008)) == "lost.mine"
    assert name("{use: rfc6455}; {close: 1008, is: lost.mine}", CloseEnding(1008)) == "refused.policy"


@pytest.mark.parametrize(
    ("ending", "event"),
    [
        (HttpEnding(401), "refused.credentials"),
        (HttpEnding(403), "refused.credentials"),
        (HttpEnding(429, {"retry-after": "3"}), "lost.busy"),
        (HttpEnding(503), "lost.busy"),
        (HttpEnding(302), "refused.by_http"),
        (ErrorEnding("tls"), "refused.certificate"),
        (CloseEnding(1008), "refused.policy"),
        *((CloseEnding(code), "refused.protocol") for code in (1002, 1003, 1007, 1009, 1010)),
        (CloseEnding(1001), "ended.going_away"),
        (CloseEnding(1012), "lost.restarting"),
        (CloseEnding(1013), "lost.restarting"),
        *((ErrorEnding(word), "lost.network") for word in ("dns", "refused", "connect", "handshake", "eof", "reset")),
        (CloseEnding(1000), "lost.network"),
        (CloseEnding(1006), "lost.network"),
        (CloseEnding(4000), "lost.network"),
    ],
)
def test_the_rows_of_the_websocket_page(ending: Ending, event: str) -> None:
    """Credentials and policies refuse, everything that may pass by is lost."""
    verdict = classify(read("websocket").causes, ending)
    assert verdict.event == event
    assert bool(verdict.fields["say"]) is event.startswith("refused")


# Where a peer sends us

ELSEWHERE = (
    "{http: [301-303, 307, 308], is: lost.redirected, endpoint: header}; {http: any, is: refused.by_http}; "
    "{match: {why: moved}, is: lost.moved, endpoint: to.url}; {refusal: any, is: refused.other}; "
    "{close: 1012, is: lost.restarting, endpoint: next}"
)


@pytest.mark.parametrize(
    ("ending", "event", "endpoint"),
    [
        (HttpEnding(307, {"location": " /room "}), "lost.redirected", "/room"),
        (HttpEnding(301, {"location": "next"}), "lost.redirected", "./next"),
        (HttpEnding(302, {"location": ""}), "refused.by_http", None),
        (HttpEnding(303), "refused.by_http", None),
        (HttpEnding(201, {"location": "/room"}), "refused.by_http", None),
        (Refusal({"why": "moved", "to": {"url": "wss://b.example/"}}), "lost.moved", "wss://b.example/"),
        (Refusal({"why": "moved", "to": {"url": 7}}), "refused.other", None),
        (Refusal({"why": "moved"}), "refused.other", None),
        (CloseEnding(1012), "lost.restarting", "next"),
        (ErrorEnding("eof"), "lost.other", None),
    ],
)
def test_a_row_that_says_where_to_go_fits_where_that_is_said(
    ending: Ending | Refusal, event: str, endpoint: str | None
) -> None:
    """Else the next row decides; the field is there only where the row speaks of it."""
    verdict = classify(rows(ELSEWHERE), ending)
    assert verdict.event == event
    assert verdict.fields.get("endpoint") == endpoint
    assert ("endpoint" in verdict.fields) is (endpoint is not None)


def test_an_answer_that_is_no_redirect_sends_nowhere() -> None:
    """A Location beside another status says something else (RFC 9110 10.2.2)."""
    assert name("{http: any, is: lost.sent, endpoint: header}", HttpEnding(201, {"location": "/made"})) == "lost.other"


@pytest.mark.parametrize(
    "location", ["wss://a.example/room?key=hidden", "wss://user:hidden@a.example/", "/room?hidden"]
)
def test_a_place_that_may_hold_a_secret_is_one(location: str) -> None:
    """A query or a user in it is shown to nobody."""
    verdict = classify(rows(ELSEWHERE), HttpEnding(308, {"location": location}))
    assert verdict.fields["endpoint"] == location
    assert "hidden" not in repr(verdict.fields["endpoint"]) + repr(verdict)
