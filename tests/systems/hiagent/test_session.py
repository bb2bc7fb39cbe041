"""A session with a digital human: what it does on each code, and that its slot always comes back."""

from types import SimpleNamespace

import pytest
import trio

from lifecycle.definition.read import read, specs
from lifecycle.errors import ConnectionEnded, ConnectionFailed, IllegalEvent, WrongParameters
from lifecycle.systems.hiagent import HiagentCalls, OwnSessions, open_hiagent

from .stand_in import FULL, StandIn, in_memory

NO_ROOM = (200, {"code": 4002, "message": FULL})


def refused(code, status=200, message="no"):
    """An answer that refuses."""
    return status, {"code": code, "message": message}


async def until(session, status):
    """Wait until it is so."""
    changes = session.connection.changes()
    while session.status != status:
        await anext(changes)


async def test_it_is_joined_looked_after_and_left():
    """A look at the backend each five seconds, and a leave at the end of the body."""
    home = StandIn()
    async with in_memory(home, role="girl") as session:
        await session.ready()
        assert (session.live_id, session.joined.already_active, session.asked) == ("a", False, None)
        assert home.bodies == [{"live_id": "a", "avatar_type": "3min", "role": "girl"}]
        await trio.sleep(26)
        assert home.count("health") == 5
    assert (session.status, home.asked[-1], home.sessions) == ("closed", ("leave", "a"), {})


async def test_no_room_is_asked_for_a_few_times_and_then_the_operator():
    """After 10, 20, 40 and 60 seconds; then it waits for a word, and does nothing meanwhile."""
    home = StandIn(capacity=1)
    home.sessions["of somebody else"] = "idle"
    async with in_memory(home) as session:
        began = trio.current_time()
        question = await session.question()
        assert trio.current_time() - began == 10 + 20 + 40 + 60
        assert (question.words, home.count("join")) == (FULL, 5)
        assert "no more attempts" in question.say
        await trio.sleep(300)
        assert (session.status, home.count("join")) == ("suspended", 5)
        home.sessions.clear()
        session.retry()
        await session.ready()
        assert session.asked is None
    assert (home.count("clear"), home.count("leave")) == (0, 1)


async def test_the_others_are_left_alone():
    """Whatever it needs: an idle session of somebody else stays."""
    home = StandIn(capacity=2)
    home.sessions |= {"theirs": "idle", "theirs too": "active"}
    async with in_memory(home, own=OwnSessions(["ours"])) as session:
        await session.question()
        assert home.sessions == {"theirs": "idle", "theirs too": "active"}
        session.give_up()
        await until(session, "failed")
    assert home.count("leave") == 0


async def test_what_is_its_own_and_gone_is_cleared_up():
    """The session of an earlier run that was killed, and one that the backend calls idle; then there is room."""
    home = StandIn(capacity=3)
    home.sessions |= {"earlier": "active", "idle": "idle", "busy": "active"}
    own = OwnSessions(["earlier"])
    own.take("idle")
    own.take("busy")
    async with in_memory(home, own=own) as session:
        changes = session.connection.changes()
        await session.ready()
        told = [step.emitted["reaped"]["count"] async for step in _so_far(changes) if "reaped" in step.emitted]
        assert told == [2]
        assert home.sessions == {"busy": "active", "a": "active"}


async def _so_far(changes):
    with trio.move_on_after(0.001):
        async for step in changes:
            yield step


async def test_a_session_that_cannot_be_cleared_up_keeps_nobody():
    """Of two, one is."""
    home = StandIn(capacity=2)
    home.sessions |= {"one": "active", "two": "active"}
    home.script("leave", (500, {"detail": "hung"}))
    async with in_memory(home, own=OwnSessions(["one", "two"])) as session:
        await session.ready()
        assert home.sessions == {"one": "active", "a": "active"}


async def test_two_sessions_of_one_program():
    """The one that is used is not taken away by the other; it is when it was left without a word."""
    home, own = StandIn(capacity=1), OwnSessions()
    async with in_memory(home, "first", own=own) as first:
        await first.ready()
        async with in_memory(home, "second", own=own) as second:
            await until(second, "waiting")
            assert "first" in home.sessions
            await first.leave()
            home.sessions["first"] = "active"  # the backend has forgotten the leave
            own.take("first")
            own.leave("first")
            await second.ready()
    assert home.most == 1


@pytest.mark.parametrize("code", [4000, 4005])
async def test_what_will_not_help_is_not_tried_again(code):
    """It fails, with the backend's words; nothing was begun, so nothing is given back."""
    home = StandIn()
    home.script("join", refused(code, message="change it"))
    async with in_memory(home) as session:
        with pytest.raises(ConnectionFailed, match="change it"):
            await session.ready()
        assert await session.ended() == "The request is refused, and will be again: change what is asked for."
        with pytest.raises(ConnectionFailed):
            await session.question()
        session.retry()
        await session.ready()
    assert home.count("leave") == 1


async def test_credentials_are_fetched_anew_once():
    """And then somebody is asked."""
    home, keys = StandIn(key="new"), ["old", "new"]

    async def key():
        return keys.pop(0)

    async with in_memory(home, key=key) as session:
        await session.ready()
        assert session.connection.variables["refreshes"] == 1
    home.key, keys[:] = "another", ["old", "older"]
    async with in_memory(home, key=key) as session:
        question = await session.question()
        assert (question.say, question.words) == ("The credentials are not accepted.", "who are you?")
    async with in_memory(home, key="a-text") as session:
        assert "no others could be had" in (await session.question()).say


async def test_more_than_one_controls_it():
    """Ours is closed, and nobody tries again blindly."""
    home = StandIn()
    async with in_memory(home) as session:
        await session.ready()
        session.lost(4003)
        question = await session.question()
        assert question.say.startswith("More than one connection controls this session.")
        assert (home.sessions, home.count("join")) == ({}, 1)
        session.retry()
        await session.ready()
    assert home.count("leave") == 2


async def test_a_live_id_that_is_in_use():
    """Another one is taken, once; the other's session is not touched."""
    home = StandIn()
    home.sessions["a"] = "active"
    home.script("join", refused(4004, 409))
    async with in_memory(home, new_id=lambda: "b") as session:
        await session.ready()
        assert (session.live_id, set(home.sessions)) == ("b", {"a", "b"})
    assert set(home.sessions) == {"a"}
    home.script("join", refused(4004, 409), refused(4004, 409))
    async with in_memory(home) as session:
        assert (await session.question()).say == "Its live_id is in use."
        assert set(home.sessions) == {"a"}


async def test_a_live_id_that_cannot_be_made():
    """Somebody is asked."""
    home = StandIn()
    home.script("join", refused(4004))
    async with in_memory(home, new_id=lambda: "a") as session:
        assert "no other could be had" in (await session.question()).say


async def test_a_live_that_is_gone_is_begun_anew():
    """What is left of it is given back first."""
    home = StandIn()
    async with in_memory(home) as session:
        await session.ready()
        session.lost(4006)
        await until(session, "waiting")
        await session.ready()
        assert [each for each, _ in home.asked if each != "health"] == ["join", "leave", "join"]


async def test_what_cannot_be_interrupted_goes_on():
    """It is told, and that is all."""
    home = StandIn()
    async with in_memory(home) as session:
        await session.ready()
        session.lost(4007)
        assert session.status == "ready"
        assert "not_interrupted" in session.connection.history[-1].emitted


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        ((429, {"detail": "cooling down, wait 7 seconds"}), 8),
        ((429, {"detail": "live_id 正在冷却,请等待 7 秒"}), 8),
        ((429, {"detail": "in progress"}), 10),
        ((429, {"detail": "wait 86400 seconds"}), 600),
        (refused(5002, 503, "no free instance, retry in 30 seconds"), 31),
        (refused(4002, 429, f"{FULL}; wait 3 seconds"), 4),
    ],
)
async def test_a_pause_that_the_backend_asks_for(answer, pause):
    """In words, bounded; and without one, our own."""
    home = StandIn()
    home.script("join", answer)
    async with in_memory(home) as session:
        began = trio.current_time()
        await session.ready()
        assert trio.current_time() - began == pause
        assert home.count("leave") == 0


@pytest.mark.parametrize(
    "answer", [(408, {"detail": "x"}), (500, {}), (503, b"<html>"), refused(5000), refused(5001), refused(5999)]
)
async def test_what_may_pass_is_tried_again(answer):
    """There may be a slot: it is given back first, and then there is a pause."""
    home = StandIn()
    home.script("join", answer)
    async with in_memory(home) as session:
        await session.ready()
        assert [each for each, _ in home.asked] == ["join", "leave", "join"]
        assert trio.current_time() >= 10


async def test_a_join_that_is_not_answered():
    """It has 90 seconds, and may have been done: it is left."""
    home = StandIn()
    home.script("join", 3600)
    async with in_memory(home) as session:
        await until(session, "closing")
        assert trio.current_time() == 90
        await session.ready()
        assert [each for each, _ in home.asked] == ["join", "leave", "join"]


async def test_it_is_left_while_it_is_asked_for():
    """By a wish, or by being given up: the slot is given back, once."""
    for wish, status in (("leave", "closed"), ("give_up", "failed")):
        home = StandIn()
        home.script("join", 50)
        async with in_memory(home) as session:
            await trio.sleep(3)
            session.connection.tell(wish)
            await until(session, status)
            assert [each for each, _ in home.asked] == ["join", "leave"]
        assert home.count("leave") == 1


@pytest.mark.parametrize("seconds", [0.0, 3.0, 20.0])
async def test_who_is_cancelled_gives_its_slot_back(seconds):
    """Before, while and after it is joined."""
    home = StandIn()
    home.script("join", 10)
    with trio.move_on_after(seconds):
        async with in_memory(home) as session:
            await trio.sleep_forever()
    assert home.sessions == {}
    assert home.count("join") <= home.count("leave") <= 1
    assert session.status == "closed"


async def test_a_backend_that_hangs_holds_nobody_that_is_cancelled():
    """What is done behind the back of a cancelled body has a bound."""
    home = StandIn()
    home.script("leave", 3600, 3600)
    with trio.move_on_after(5):
        async with in_memory(home) as session:
            await session.ready()
            await trio.sleep_forever()
    assert trio.current_time() == 15


async def test_the_bodys_exception_leaves_as_it_is():
    """And the slot is given back."""
    home = StandIn()
    with pytest.raises(KeyError):  # noqa: PT012 -- it is the body's
        async with in_memory(home) as session:
            await session.ready()
            raise KeyError
    assert home.sessions == {}


async def test_a_leave_that_fails():
    """It is tried three times; then the backend's reaper has to do it, and that is said."""
    home = StandIn()
    home.script("leave", *[(500, {})] * 3)
    async with in_memory(home) as session:
        await session.ready()
        await session.leave()
        assert home.count("leave") == 3
        assert "idle reaper" in await session.ended()
    assert home.count("leave") == 3
    with pytest.raises(IllegalEvent):
        session.retry()
    with pytest.raises(ConnectionEnded):
        await session.question()


async def test_who_leaves_while_it_is_given_back():
    """It is left, and nothing is sent twice; nor does a wish bring it back."""
    home = StandIn()
    home.script("leave", 5)
    async with in_memory(home) as session:
        await session.ready()
        session.lost()
        await until(session, "closing")
        session.connection.tell("leave")
        session.retry()
        await until(session, "closed")
    assert (home.count("leave"), home.count("join")) == (1, 1)


async def test_who_changes_his_mind_while_it_is_given_back():
    """It is asked for again, without a pause."""
    home = StandIn()
    home.script("leave", 5)
    home.script("join", refused(5000))
    async with in_memory(home) as session:
        await until(session, "closing")
        session.give_up()
        session.retry()
        await session.ready()
        assert trio.current_time() == 5


async def test_a_backend_that_does_not_answer_any_more():
    """Two looks in a row may fail; the third is the loss of the session."""
    home = StandIn()
    async with in_memory(home) as session:
        await session.ready()
        home.script("health", (503, {}), (503, {}), (200, {}), (503, {}), (503, {}), (503, {}))
        await until(session, "closing")
        assert home.count("health") == 6
        await session.ready()
        assert "does not answer" in "".join(step.say for step in session.connection.history)


async def test_a_session_that_is_used_is_kept():
    """The backend is told at most once a minute, by a join of what is active; and who is not used is left."""
    home = StandIn()
    async with in_memory(home) as session:
        await session.ready()
        for _ in range(200):
            session.touch()
            await trio.sleep(1)
        assert home.count("join") == 1 + 3
        await until(session, "closed")
        assert await session.ended() == "Nobody has used the session for long."
    assert (home.count("leave"), home.sessions) == (1, {})


async def test_a_session_that_was_idle_is_used_again():
    """The backend is told at once; and if it has another opinion, that counts."""
    home = StandIn()
    async with in_memory(home, idle_after=60) as session:
        await session.ready()
        await trio.sleep(61)
        home.script("join", (503, {}), NO_ROOM)
        session.touch()
        await until(session, "closing")
        assert home.count("join") == 2
        await session.ready()
        await trio.sleep(61)
        home.script("join", (429, {"detail": "in progress"}))
        session.touch()
        await trio.sleep(1)
        assert session.status == "ready"


async def test_health_forgives():
    """After fifteen seconds it begins to count anew."""
    home = StandIn()
    home.script("join", *[NO_ROOM] * 4)
    async with in_memory(home) as session:
        await session.ready()
        assert session.connection.variables["waiting.attempts"] == 4
        await trio.sleep(16)
        assert session.connection.variables["waiting.attempts"] == 0


async def test_nobody_answers_the_question():
    """It fails after a while, and may still be tried again."""
    home = StandIn(capacity=0)
    async with in_memory(home, max_attempts=0, operator_timeout=30) as session:
        await session.question()
        assert await session.ended() == "Nobody has said what is to be done."
        home.capacity = 1
        session.retry()
        await session.ready()


def test_the_page_cannot_clear_the_sessions_of_all():
    """There is no such call, and the calls have no such method."""
    assert set(read("hiagent-session").calls) == {
        "join", "leave", "keep", "health", "reap", "fresh_credentials", "new_id",
    }  # fmt: skip
    assert not hasattr(HiagentCalls, "clear")
    assert "clear_all" not in (specs() / "hiagent-session.yaml").read_text(encoding="utf-8")


def test_what_cannot_be_asked_for():
    """All that is wrong is told at once, before anything is asked."""
    with pytest.raises(WrongParameters) as caught:
        open_hiagent("http://a", "", avatar_type="4min", role=3, more={"a": object()})
    for wrong in ("`live_id`", "`avatar_type`", "`role`", "`more`"):
        assert wrong in str(caught.value)
    with pytest.raises(WrongParameters, match="max_atempts"):
        open_hiagent("http://a", "b", max_atempts=3)


def test_own_sessions_are_bounded():
    """Those that are used stay."""
    own = OwnSessions(map(str, range(5000)))
    own.take("mine")
    for number in range(5000):
        own.take(f"{number} more")
        own.leave(f"{number} more")
    assert len(own) <= 5002
    assert own.used("mine")
    own.forget("mine")
    assert "mine" in own
    own.leave("mine")
    own.forget("mine")
    assert "mine" not in own


@pytest.mark.parametrize(
    ("event", "code"), [("refused.controlled", "4003"), ("spent.gone", "4006"), ("lost.network", "")]
)
async def test_what_speaks_has_ended(event, code):
    """The code is the one that its page calls so."""
    live = SimpleNamespace(definition=read("avatar-live"), history=(_step("opened"), _step(event), _step("closed")))
    home = StandIn()
    async with in_memory(home) as session:
        await session.ready()
        session.lost_with(live)
        state = "asking" if code == "4003" else "waiting.backing_off"
        await until(session, "suspended" if code == "4003" else "waiting")
        assert session.connection.state == (state,)
        assert home.sessions == {}


def _step(event):
    return SimpleNamespace(event=event)
