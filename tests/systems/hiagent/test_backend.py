"""The operations of a backend: what is asked, what comes of it, and what is never said."""

import traceback

import httpx2
import pytest
import trio

from lifecycle.errors import CallFailed, LifecycleError, WrongParameters
from lifecycle.systems.hiagent import Backend, Cleared, Joined, Left, Listed, NoAnswer, OverLimit, Refused, Unauthorized
from lifecycle.systems.http import LARGEST

from .stand_in import StandIn, served

KEY = "a-secret-key"


def reaching(stand_in, **settings) -> Backend:
    """A backend that is the stand-in, without a network."""
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(stand_in))
    return Backend("http://backend.test", client=client, **settings)


async def test_a_session_comes_and_goes():
    """Joined, joined again, listed, left, and left again."""
    backend = reaching(StandIn())
    assert await backend.join_room("a", role="girl") == Joined(
        "a", False, {"success": True, "message": "ok", "data": {"live_id": "a", "rtc_token": "t"}}
    )
    assert (await backend.join_room("a")).already_active
    assert await backend.sessions() == (Listed("a", "active"),)
    assert await backend.leave_room("a") == Left("a", cleaned_up=True)
    assert await backend.leave_room("a") == Left("a", cleaned_up=False)
    assert (await backend.health()).upstream == "connected"


async def test_what_a_join_says():
    """The id, the kind of avatar, its role, and what else is asked for."""
    home = StandIn()
    await reaching(home).join_room("a/b ü", avatar_type="pic", role="girl", more={"rtc_room_id": "r"})
    assert home.bodies == [{"live_id": "a/b ü", "avatar_type": "pic", "role": "girl", "rtc_room_id": "r"}]
    await reaching(home).leave_room("a/b ü")
    assert home.asked[-1] == ("leave", "a/b ü")


async def test_a_live_that_does_not_exist_is_left():
    """4006 is what a leave is for."""
    home = StandIn()
    home.script("leave", (200, {"code": 4006, "message": "live does not exist"}))
    assert await reaching(home).leave_room("a") == Left("a", cleaned_up=False)


async def test_the_sessions_of_everybody_are_cleared():
    """How many there were is told; and which could not be left, if some could not."""
    home = StandIn()
    backend = reaching(home)
    for live_id in "abc":
        await backend.join_room(live_id)
    assert await backend.clear_all_sessions() == Cleared(3)
    home.script("clear", (500, {"success": False, "code": 500, "before": 2, "failed": {"a": "hung"}}))
    assert await backend.clear_all_sessions() == Cleared(2, {"a": "hung"})
    home.script("clear", (503, {"detail": "not now"}))
    with pytest.raises(Refused, match="not now"):
        await backend.clear_all_sessions()


async def test_a_list_in_pages():
    """All of it is read, and a list that leads to itself ends."""
    home = StandIn()
    pages = [[{"live_id": f"{page}", "created_at": 1.5, "last_activity": "now"}] for page in range(3)]
    for page, more in zip(pages, (7, "a b", None), strict=True):
        home.script("sessions", (200, {"sessions": page, "next": more}))
    found = await reaching(home).sessions()
    assert [each.live_id for each in found] == ["0", "1", "2"]
    assert (found[0].created_at, found[0].last_activity) == (1.5, "now")
    home.script("sessions", *[(200, {"sessions": pages[0], "next": 7})] * 3)
    assert len(await reaching(home).sessions()) == 2


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"sessions": {"a": {"status": "idle"}, "b": None}}, ("a", "b")),
        ({"data": {"sessions": [{"live_id": "a"}, {"live_id": 3}, "x"]}}, ("a",)),
        ({"sessions": []}, ()),
    ],
)
async def test_lists_of_other_shapes(said, found):
    """By ids, or wrapped; what is no session is left out."""
    home = StandIn()
    home.script("sessions", (200, said))
    assert tuple(each.live_id for each in await reaching(home).sessions()) == found


async def test_no_list():
    """It is no answer, and not an empty one."""
    home = StandIn()
    home.script("sessions", (200, {"ok": True}))
    with pytest.raises(NoAnswer, match="has no `sessions`"):
        await reaching(home).sessions()


async def test_an_answer_has_a_bound():
    """Of bytes, and of time."""
    home = StandIn()
    home.script("health", (200, b" " * (LARGEST + 1)), 3600)
    backend = reaching(home)
    with pytest.raises(NoAnswer, match="more than") as caught:
        await backend.health()
    assert caught.value.code == "wrong_answer"
    began = trio.current_time()
    with pytest.raises(NoAnswer, match="GET /health within 10 s") as caught:
        await backend.health()
    assert caught.value.code == "timeout"
    assert trio.current_time() - began == 10


async def test_the_key_is_shown_nowhere():
    """Not when the backend repeats it, nor in what is raised, nor in a repr."""
    home = StandIn(key="another")
    backend = reaching(home, key=KEY)
    with pytest.raises(Unauthorized) as caught:
        await backend.health()
    assert caught.value.code == "4001"
    home.key = KEY
    home.script("join", (500, {"detail": f"Bearer {KEY} is bad (code: 4002)"}))
    with pytest.raises(OverLimit) as caught:
        await backend.join_room("a")
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args) + repr(vars(backend))
    assert KEY not in said
    assert "is bad" in str(caught.value)


async def test_a_key_that_is_asked_for():
    """Once at first, and when it is to be fresh."""
    home, keys = StandIn(key="first"), iter(("first", "second", ""))

    async def key():
        return next(keys)

    backend = reaching(home, key=key)
    await backend.health()
    await backend.health()
    home.key = "second"
    with pytest.raises(Unauthorized):
        await backend.health()
    await backend.fresh_credentials()
    await backend.health()
    with pytest.raises(CallFailed, match="the key is empty"):
        await backend.fresh_credentials()
    with pytest.raises(CallFailed, match="no other key"):
        await reaching(home, key="first").fresh_credentials()


@pytest.mark.parametrize("url", ["localhost:8000", "ws://a", "http://", "http://a?b", "http://u:p@a", "http://a b", 3])
def test_an_address_that_is_none(url):
    """It is told before anything is asked, with what else is wrong, and without the key."""
    with pytest.raises(WrongParameters) as caught:
        Backend(url, key="not printable \n")
    assert "`base_url` is the beginning of an address" in str(caught.value)
    assert "a header cannot have" in str(caught.value)
    assert "printable" not in str(caught.value)


@pytest.mark.real_time
async def test_over_a_socket():
    """The same on loopback, with a redirect that is not followed, and a server that goes away."""
    home = StandIn(key=KEY)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(lambda task_status: served(home, task_status=task_status))
        backend = Backend(url, key=KEY)
        assert not (await backend.join_room("a")).already_active
        assert (await backend.join_room("a")).already_active
        assert len(await backend.sessions()) == 1
        home.script("health", (302, {"detail": "elsewhere"}))
        with pytest.raises(Refused, match="elsewhere"):
            await backend.health()
        nursery.cancel_scope.cancel()
    async with backend:
        with pytest.raises(NoAnswer, match="not to be reached") as caught:
            await backend.health()
    assert (caught.value.code, isinstance(caught.value, LifecycleError)) == ("unreachable", True)


@pytest.mark.real_time
async def test_who_is_cancelled_hangs_up():
    """The backend sees it, and can stop what was asked for."""
    home = StandIn()
    home.script("join", 3600)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(lambda task_status: served(home, task_status=task_status))
        async with Backend(url) as backend:
            with trio.move_on_after(3600) as scope:
                async with trio.open_nursery() as inner:
                    inner.start_soon(backend.join_room, "a")
                    while not home.asked:  # noqa: ASYNC110 -- a socket brings it
                        await trio.sleep(0.005)
                    scope.cancel()
            while not home.cancelled:  # noqa: ASYNC110 -- likewise
                await trio.sleep(0.005)
        nursery.cancel_scope.cancel()
    assert home.sessions == {}
