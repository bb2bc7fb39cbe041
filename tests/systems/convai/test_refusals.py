"""POST /connect: what is sent, what each status leads to, and what a refusal says."""

import json
import ssl

import httpx2
import pytest
import trio

from lifecycle.errors import CallFailed, ConnectionFailed, WrongParameters
from lifecycle.systems.convai import ConvaiCalls, GaveUp, Trouble, calls, open_convai
from lifecycle.systems.convai.refusal import sentence

from .home import client, in_memory, listening, on_sockets, ready, until
from .stand_in import KEY, StandIn

WRONG = [
    {"loc": ["body", "character_id"], "msg": "Field required", "type": "missing"},
    {"loc": ["body", "vad", 0], "msg": "no number"},
    {"msg": "wrong as a whole"},
]
FAILS, WAITS, ASKS, REFRESHES = "fails", "waits", "asks", "refreshes"


@pytest.mark.parametrize(
    ("status", "text", "body", "said"),
    [
        (400, "", {"message": "m", "error": "e", "detail": "d"}, "m"),
        (400, "", {"error": "e", "detail": "d"}, "e"),
        (404, "", {"detail": "Character not found"}, "Character not found"),
        (400, "", {"message": "", "error": {"message": "inside"}}, "inside"),
        (422, "", {"detail": WRONG}, "character_id: Field required; vad.0: no number; wrong as a whole"),
        (422, "", {"detail": [{"loc": ["query", "a"], "msg": "m"}, "words", 7, {}]}, "query.a: m; words"),
        (
            422,
            "",
            {"detail": [{"loc": "no list", "msg": f"m{n}"} for n in range(20)]},
            "m0; m1; m2; m3; m4; m5; m6; m7; and 12 more",
        ),
        (500, "Internal Server Error", b"<html>", "HTTP error! status: 500: Internal Server Error"),
        (500, "", {}, "HTTP error! status: 500"),
        (500, "", [1], "HTTP error! status: 500"),
        (500, "", {"message": 7, "error": None, "detail": []}, "HTTP error! status: 500"),
        (500, "", b"[" * 100_000, "HTTP error! status: 500"),
        (500, "", {"message": "x" * 1000}, "x" * 500),
    ],
)
def test_what_a_refusal_says(status, text, body, said):
    """The first of message, error and detail that says something, else the status; a list is made readable."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert sentence(status, text, content) == said


@pytest.mark.parametrize(
    ("status", "led"),
    [
        (400, FAILS), (401, REFRESHES), (403, FAILS), (404, FAILS), (409, FAILS), (422, FAILS), (429, WAITS), (500, ASKS), (502, ASKS),
        (503, WAITS), (418, FAILS), (301, FAILS), (204, FAILS),
    ],
)  # fmt: skip
async def test_what_each_status_leads_to(status, led):
    """Tried again, after the pause that was asked for, with another key, or not at all; and told with all that is known."""
    home, keys = (
        StandIn(answers=[[status, {"message": "so it is"}, {"retry-after": "7", "location": "/elsewhere"}]]),
        [],
    )

    async def key():
        keys.append("")
        return home.key

    async with in_memory(home, key=key) as (peer, session):
        heard = listening(session, Trouble, GaveUp)
        await trio.sleep(0.1)
        trouble = heard[0].error
        if status != 204:
            assert (trouble.status, str(trouble.message), trouble.retry_after) == (status, "so it is", 7)
        if led == FAILS:
            with pytest.raises(ConnectionFailed):
                await session.ready()
            assert isinstance(heard[1], GaveUp)
            assert (len(home.asked), len(peer.dials)) == (1, 0)
            session.reconnect()  # somebody has mended it
        await ready(session)
        assert len(keys) == (2 if led == REFRESHES else 1)
        assert (trio.current_time() > 7) == (led == WAITS)


async def test_a_key_that_is_a_text_has_nothing_fresher():
    """It is refused once, and that is all."""
    async with in_memory(key="wrong") as (_, session):
        heard = listening(session, Trouble, GaveUp)
        with pytest.raises(ConnectionFailed, match="no others could be had"):
            await session.ready()
        await trio.sleep(0.01)
        assert str(heard[0].error.message) == "Invalid API key"
        assert "wrong" not in repr(heard[0].error)


async def test_keys_that_are_not_accepted_are_fetched_once_more():
    """And not for ever."""
    keys = []

    async def key():
        keys.append("")
        return f"wrong-{len(keys)}"

    async with in_memory(key=key) as (_, session):
        with pytest.raises(ConnectionFailed, match="The API key is not accepted"):
            await session.ready()
        assert len(keys) == 2


@pytest.mark.parametrize("key", [None, "", 7, "ключ", "a\nb", " a", "a\t"])
async def test_what_is_no_key_is_not_sent(key):
    """It is refused here, in a sentence that does not tell it."""

    async def source():
        return key

    home = StandIn()
    async with in_memory(home, key=source) as (_, session):
        heard = listening(session, Trouble)
        await trio.sleep(0.1)
        assert heard[0].error.kind == "no_key"
        assert home.asked == []


async def test_a_server_that_hangs_is_given_up():
    """The page bounds the request; what was never answered has no status."""

    async def application(scope, receive, send):
        await trio.sleep_forever()

    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(application))
    async with open_convai(KEY, "c", base_url="http://convai.test", client=http) as session:
        heard = listening(session, Trouble)
        await trio.sleep(31)
        assert (heard[0].error.kind, heard[0].error.status) == ("timeout", None)
        assert session.status in ("waiting", "connecting")


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON",
        "[]",
        {},
        {"room_url": 7},
        {"room_url": "ws://a.test", "token": 7},
        "[" * 100_000,
        {"room_url": "ws://a.test/", "more": "x" * 2_000_000},
    ],
)
async def test_an_answer_that_is_none(answer):
    """It is a success of something else: no room is dialled, and nobody insists."""
    async with in_memory(StandIn(answers=[[200, answer, {}]])) as (peer, session):
        heard = listening(session, Trouble)
        with pytest.raises(ConnectionFailed, match="does not answer as Convai does"):
            await session.ready()
        await trio.sleep(0.01)
        assert (heard[0].error.kind, heard[0].error.status) == ("wrong_answer", 200)
        assert len(peer.dials) == 0


@pytest.mark.parametrize("url", ["", "http://convai.test/room", "ws://", "wss://a b"])
async def test_a_room_that_has_no_address(url):
    """What cannot be dialled is no room."""
    home = StandIn(answers=[[200, {"room_url": url, "session_id": 7}, {}]] * 4)
    async with in_memory(home) as (peer, session):
        with pytest.raises(ConnectionFailed):
            await session.ready()
        assert len(peer.dials) == 0


async def test_the_key_goes_where_it_belongs():
    """In one header, in no answer to a redirect, and in nothing that is said; the token in the query of the dial, and likewise."""
    async with in_memory() as (peer, session):
        await ready(session)
        assert peer.dials[0].request.resource.endswith("access_token=token-of-room-1")
        shown = [*map(repr, (session.connection.variables, session.connection.history, peer.dials[0]))]
        assert not any(secret in text for text in shown for secret in (KEY, "token-of-room-1"))


@pytest.mark.real_time
async def test_over_a_socket():
    """The real client of HTTP, and nobody there."""
    async with on_sockets(StandIn(answers=[[503, {"detail": "later"}, {"retry-after": "0"}]])) as session:
        heard = listening(session, Trouble)
        await session.ready(10)
        assert heard[0].error.status == 503
    async with open_convai(KEY, "c", base_url="http://127.0.0.1:9", tls=ssl.create_default_context()) as session:
        heard = listening(session, Trouble)
        await until(lambda: heard)
        assert heard[0].error.kind == "unreachable"
        assert "not to be reached" in str(heard[0].error.message)


async def test_a_client_of_ones_own_is_used_and_not_closed():
    """It belongs to whoever made it."""
    home = StandIn(url="ws://a.test")
    async with client(home) as http:
        made = ConvaiCalls(
            KEY, "c", base_url="http://convai.test", client=http, end_user_id="u", body={"dynamic_info": {"text": "t"}}
        )
        for number in (1, 2):
            assert (await made.connect(character_session_id=None))["room_name"] == f"room-{number}"
        assert home.asked[0] == {
            "character_id": "c", "transport": "livekit", "connection_type": "audio", "end_user_id": "u", "dynamic_info": {"text": "t"},
        }  # fmt: skip
        assert not http.is_closed
        home.answers.append([404, {"detail": "gone"}, {}])
        with pytest.raises(CallFailed):
            await made.connect(character_session_id="x")
        assert home.asked[2]["character_session_id"] == "x"


def test_what_convai_would_not_take_is_told_at_once():
    """All of it, and without the key."""
    with pytest.raises(WrongParameters) as caught:
        ConvaiCalls("ключ", "", base_url="ftp://a", connection_type="smoke", header="x", body={"n": object()})
    assert len(caught.value.problems) == 6
    assert "ключ" not in str(caught.value)
    with pytest.raises(WrongParameters, match="JSON"):
        ConvaiCalls(KEY, "c", body={"n": float("nan")})


@pytest.mark.parametrize(
    "url",
    ["", "convai.test", "ftp://a", "https://", "https://a?b=c", "https://a#b", "https://u:p@a", "https://a:b", "https://a:99999", "https://[a", "https://a b", "https://a\n"],
)  # fmt: skip
def test_what_is_no_address(url):
    """It is refused before anything is sent to it."""
    with pytest.raises(WrongParameters, match="`base_url` is the beginning of an address"):
        ConvaiCalls(KEY, "c", base_url=url)


def test_the_calls_from_texts():
    """As a command line has them; what is missing is told."""
    assert isinstance(calls(api_key="k", character_id="c"), ConvaiCalls)
    with pytest.raises(WrongParameters, match=r"(?s)API key.*character_id"):
        calls()


def test_the_package_that_is_missing_is_named(monkeypatch):
    """It is looked for when it is needed."""
    import sys

    monkeypatch.setitem(sys.modules, "httpx2", None)
    made = ConvaiCalls(KEY, "c")
    with pytest.raises(ModuleNotFoundError, match=r"connection-lifecycle\[convai\]"):
        trio.run(lambda: made.connect(character_session_id=None))
