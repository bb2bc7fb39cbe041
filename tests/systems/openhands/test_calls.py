import inspect

import pytest
import trio

from lifecycle import CallFailed
from lifecycle.definition.read import read
from lifecycle.systems.openhands import (
    PROVIDERS,
    REFUSALS,
    SENTENCES,
    AuthError,
    ConversationCalls,
    Conversations,
    EmailNotVerified,
    Expired,
    Request,
)
from lifecycle.systems.openhands.server import PAGE

from .small_store import SlowStore, said

KEY = "session key £"
COOKIE = "keycloak_auth=abc%20def"
TOKEN = "Bearer abcdef"


async def idle(conversation):
    """An agent that does nothing."""
    await trio.sleep_forever()


def calls(store=None, **settings) -> ConversationCalls:
    """The calls of conversations that are not open."""
    return ConversationCalls(Conversations(idle, store or SlowStore()), **settings)


async def refused(awaitable) -> tuple[str, str]:
    """Code and sentence of a refusal."""
    with pytest.raises(CallFailed) as failed:
        await awaitable
    assert failed.value.__cause__ is None
    return failed.value.code, failed.value.message


def test_they_are_the_calls_of_the_page():
    """Each by its name, with the keywords that the page gives."""
    for name, call in read(PAGE).calls.items():
        parameters = inspect.signature(getattr(ConversationCalls, name)).parameters
        assert set(parameters) == {"self", *call.takes}


@pytest.mark.parametrize("providers", [None, "", "github", "github,gitlab", " github , gitlab ,", ",".join(PROVIDERS)])
async def test_known_providers_pass(providers):
    """One, several with commas, or none."""
    await calls().check_parameters(conversation="c", providers=providers)


@pytest.mark.parametrize(
    ("conversation", "providers", "code", "words"),
    [
        (None, None, "no_conversation", "No conversation_id in query params"),
        ("", "github", "no_conversation", "No conversation_id in query params"),
        ("c", "sourceforge", "unknown_provider", "Unknown provider in providers_set: it knows github, gitlab"),
        ("c", "github,GITHUB", "unknown_provider", "Unknown provider in providers_set: it knows github, gitlab"),
        (
            None,
            "x",
            "no_conversation",
            "No conversation_id in query params; Unknown provider in providers_set: it knows github, gitlab",
        ),
    ],
)
async def test_wrong_parameters_are_all_answered(conversation, providers, code, words):
    """Two at once with both sentences, and nothing of what a stranger has written."""
    made = calls(providers=["gitlab", "github"])
    assert await refused(made.check_parameters(conversation=conversation, providers=providers)) == (code, words)


async def test_which_providers_there_are_is_the_embedders():
    """In place of those that are known by default."""
    await calls(providers=["mine"]).check_parameters(conversation="c", providers="mine")
    assert (await refused(calls(providers=["mine"]).check_parameters(conversation="c", providers="github")))[
        0
    ] == "unknown_provider"


async def test_the_session_key_is_compared():
    """The right one passes; a wrong one and none are refused, with codes of their own and the words that clients know."""
    made = calls(key=KEY)
    await made.check_key(key=KEY)
    for wrong in ("", "session key", KEY + " ", "\ud800"):
        assert await refused(made.check_key(key=wrong)) == ("invalid_session_api_key", "invalid_session_api_key")
    assert await refused(made.check_key(key=None)) == ("no_session_api_key", "invalid_session_api_key")
    assert KEY not in repr(vars(made))


async def test_without_a_key_any_will_do():
    """The server wants none."""
    for key in (None, "", "any"):
        await calls().check_key(key=key)


async def test_the_validator_says_who_it_is():
    """It is shown what came in the headers; its `repr` shows no secret."""
    asked = []

    async def validate(request):
        asked.append(request)
        return "anna"

    made = calls(validate=validate)
    assert await made.check_user(conversation="c", cookie=COOKIE, authorization=TOKEN) == {"user": "anna"}
    assert asked == [Request("c", COOKIE, TOKEN)]
    assert repr(asked[0]) == "Request(conversation='c')"
    assert await calls().check_user(conversation="c") == {"user": None}


@pytest.mark.parametrize("error", [Expired(), EmailNotVerified("Ask Anna."), AuthError()])
async def test_an_auth_error_is_told_as_it_was_raised(error):
    """Its code and its sentence."""

    async def validate(request):
        raise error

    answer = await refused(calls(validate=validate).check_user(conversation="c"))
    assert answer == (error.code, error.message)


async def test_what_else_a_validator_raises_is_told_to_nobody(caplog):
    """The client gets a plain sentence; the log gets the traceback, without the client's secrets."""

    async def validate(request):
        raise RuntimeError(f"no such user in db7: {request.cookie} {request.authorization}")

    made = calls(validate=validate)
    answer = await refused(made.check_user(conversation="c", cookie=COOKIE, authorization=TOKEN))
    assert answer == ("validation_failed", REFUSALS["validation_failed"])
    assert "no such user in db7: <secret> <secret>" in caplog.text
    assert "abc" not in caplog.text


async def test_a_validator_that_returns_no_user_is_logged(caplog):
    """It is the embedder's mistake, and the client is answered."""

    async def validate(request):
        return 7

    answer = await refused(calls(validate=validate).check_user(conversation="c"))
    assert answer == ("validation_failed", REFUSALS["validation_failed"])
    assert "a text or None, not int" in caplog.text


async def test_events_that_are_not_there(caplog):
    """No such conversation is one answer, a store that fails is another; its words are for the log."""
    made = calls()
    assert await refused(made.open_events(conversation="c", user=None)) == (
        "no_events",
        "Failed to access conversation events: there is no such conversation",
    )
    assert caplog.text == ""

    class Broken(SlowStore):
        async def last(self, conversation):
            raise OSError("/var/lib/secret-place is gone")

    code, words = await refused(calls(Broken()).open_events(conversation="c", user=None))
    assert (code, words) == ("events_failed", REFUSALS["events_failed"])
    assert "secret-place" in caplog.text


async def test_a_replay_that_fails_is_answered():
    """In the middle of it."""

    class Broken(SlowStore):
        async def state(self, conversation):
            raise OSError("gone")

    store = Broken()
    await store.create("c")
    await store.append("c", said(0))
    made = calls(store)
    events = (await made.open_events(conversation="c", user=None))["events"]
    replay = made.replay_events(events=events, after=-1)
    assert (await anext(replay))["id"] == 0
    assert await refused(anext(replay)) == ("events_failed", REFUSALS["events_failed"])


async def test_joining_and_leaving():
    """The session is known until it is left; leaving what was never joined is no harm."""
    store = SlowStore()
    await store.create("c")
    async with Conversations(idle, store) as conversations:
        made = ConversationCalls(conversations)
        session = (await made.join(conversation="c", user="anna"))["session"]
        assert conversations.client(session).conversation.user == "anna"
        for given in (session, session, None, "nobody's"):
            await made.leave(session=given)
        assert conversations.client(session) is None


async def test_what_cannot_be_joined_is_answered(caplog):
    """The conversation is not to be had, or the registry is not open."""
    assert await refused(calls().join(conversation="c", user=None)) == ("not_joined", "Failed to join conversation")
    assert "FileNotFoundError" in caplog.text


def test_the_codes_of_refusals_are_those_of_nobody_else():
    """A client may decide by the code alone."""
    assert not REFUSALS.keys() & SENTENCES.keys()
