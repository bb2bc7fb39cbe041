"""The admin surface, asked as a server would ask it, on a clock that jumps."""

import logging
import re
from contextlib import asynccontextmanager

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from lifecycle.errors import CallFailed
from lifecycle.registry import LeasesUnavailable, Registry
from lifecycle.registry.admin import Admin, Join, asked
from lifecycle.registry.admin.guard import Guard
from lifecycle.registry.lease import Terms
from lifecycle.registry.memory_leases import MemoryLeases

from .asking import CLEAR, JOIN, KEY, LEAVE, ask


class Place(MemoryLeases):
    """A place that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.tickets = []

    def _answer(self) -> None:
        if self.away:
            raise LeasesUnavailable(self.place, "it does not answer")

    async def reserve(self, *args, **kwargs):
        self._answer()
        lease = await super().reserve(*args, **kwargs)
        self.tickets.append(lease.ticket)
        return lease

    async def held(self, id):
        self._answer()
        return await super().held(id)

    async def list(self, after=0, limit=100):
        self._answer()
        return await super().list(after, limit)

    async def count(self):
        self._answer()
        return await super().count()


@asynccontextmanager
async def surface(capacity=2, *, key=KEY, wait=0.0, **settings):
    """An admin surface, its registry and its place."""
    async with Place() as place, Registry(place, capacity=capacity, **settings) as registry:
        app = Admin(registry, key=key, without_key=key is None, wait=wait)

        async def asking(*args, **kwargs):
            return await ask(app, *args, **{"key": key, **kwargs})

        asking.app, asking.registry, asking.place = app, registry, place
        yield asking


async def test_a_session_is_started_once_and_found_again():
    """The second join of an id that is active is as good, and starts nothing."""
    begun = []

    async def begin(lease):
        begun.append((lease.id, asked()))

    async with surface(begin=begin) as asking:
        wish = {"live_id": "a", "avatar_type": "pic", "role": "r", "rtc_room_id": "7", "role_config": {"x": [1]}}
        first = await asking("POST", JOIN, wish)
        again = await asking("POST", JOIN, {"live_id": "a"})
    join = Join("a", "pic", role="r", rtc={"rtc_room_id": "7"}, role_config={"x": [1]})
    assert begun == [("a", join)]
    assert (first.status, first.body["success"], first.body["code"]) == (200, True, 1000)
    assert first.body["result"]["status"] == "started"
    assert again.status == 200
    assert again.body["result"] == {**first.body["result"], "status": "already_active"}


async def test_nobody_is_told_what_another_asked_for():
    """Each session is begun with its own wish, also if both are asked for at once; by a program there is none."""
    seen = {}

    async def begin(lease):
        await trio.sleep(1)
        seen[lease.id] = asked()

    async with surface(3, begin=begin) as asking, trio.open_nursery() as nursery:
        for name in "ab":
            nursery.start_soon(asking, "POST", JOIN, {"live_id": name, "role": f"role of {name}"})
        await asking.registry.start("c")
        await trio.sleep(5)
    assert {name: join and join.role for name, join in seen.items()} == {
        "a": "role of a",
        "b": "role of b",
        "c": None,
    }


async def test_a_secret_of_a_join_is_not_shown():
    """What begins with rtc_ may be a token."""
    assert "hush" not in repr(Join("a", rtc={"rtc_token": "hush"}))


async def test_full_is_the_vendors_4002_and_begins_nothing():
    """The text is the one that clients know, and the HTTP status says that it may be tried later."""
    begun = []

    async def begin(lease):
        begun.append(lease.id)

    async with surface(1, begin=begin) as asking:
        await asking("POST", JOIN, {"live_id": "a"})
        reply = await asking("POST", JOIN, {"live_id": "b"})
    assert (reply.status, reply.body["success"], reply.body["code"]) == (429, False, 4002)
    assert re.fullmatch(r"Failed to start live: .*concurrency over limit.* \(code: 4002\)", reply.body["message"])
    assert reply.body["error"] == reply.body["message"]
    assert "retry-after" not in reply.headers
    assert begun == ["a"]


async def test_a_join_may_wait_for_a_slot():
    """With `wait`, who finds everything full is served when a slot comes back."""
    async with surface(1, wait=60) as asking:
        await asking("POST", JOIN, {"live_id": "a"})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_later, asking, 5.0, "DELETE", LEAVE + "a")
            reply = await asking("POST", JOIN, {"live_id": "b"})
    assert (reply.status, trio.current_time() > 4) == (200, True)


async def _later(asking, seconds, *args):
    await trio.sleep(seconds)
    await asking(*args)


async def test_an_id_that_is_being_started_is_refused_with_429():
    """Who asks a second time while the first is on its way is told so."""

    async def begin(lease):
        await trio.sleep(10)

    async with surface(begin=begin) as asking, trio.open_nursery() as nursery:
        nursery.start_soon(asking, "POST", JOIN, {"live_id": "a"})
        await trio.sleep(1)
        reply = await asking("POST", JOIN, {"live_id": "a"})
    assert (reply.status, reply.body["code"]) == (429, 429)
    assert "being started" in reply.body["message"]


async def test_an_id_that_failed_cools_down_and_says_for_how_long():
    """The seconds are in the text, in the body and in Retry-After."""

    async def begin(lease):
        raise CallFailed("5000", "the avatar broke")

    async with surface(begin=begin, parameters={"cooldown": "10 s"}) as asking:
        failed = await asking("POST", JOIN, {"live_id": "a"})
        await trio.sleep(2.5)
        cooling = await asking("POST", JOIN, {"live_id": "a"})
        await trio.sleep(8)
        later = await asking("POST", JOIN, {"live_id": "a"})
    assert (failed.status, failed.body["code"]) == (500, 5000)
    assert failed.body["message"] == "Failed to start live: the avatar broke; wait 10 seconds (code: 5000)"
    assert (cooling.status, cooling.headers["retry-after"], cooling.body["retry_after"]) == (429, "8", 8)
    assert "wait 8 seconds" in cooling.body["message"]
    assert later.body["code"] == 5000


async def test_an_id_of_somebody_else_is_refused_with_4004():
    """It is active in another process."""
    async with surface() as asking:
        lease = await asking.place.reserve("a", "of-another", "elsewhere:1", Terms(2, 60.0))
        await asking.place.renew("a", lease.ticket, 60.0, status="active")
        reply = await asking("POST", JOIN, {"live_id": "a"})
    assert (reply.status, reply.body["code"]) == (409, 4004)
    assert "elsewhere:1" in reply.body["message"]


FAILURES = [
    (CallFailed("4002", "concurrency over limit"), 429, 4002),
    (CallFailed("5002", "no free instance", retry_after=14.2), 503, 5002),
    (CallFailed("4001", "who are you"), 500, 4001),
    (CallFailed("odd", "nobody knows"), 500, 500),
    (ConnectionRefusedError("nobody listens"), 503, 503),
    (RuntimeError("a bug"), 500, 500),
]


@pytest.mark.parametrize(("error", "status", "code"), FAILURES, ids=str)
async def test_what_begin_raises_is_told(error, status, code):
    """The vendor's code stands in the body and in the text; what was not reached is 503."""

    async def begin(lease):
        raise error

    async with surface(begin=begin) as asking:
        reply = await asking("POST", JOIN, {"live_id": "a"})
        assert (await asking.registry.health()).active == 0
    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.body["message"].startswith("Failed to start live: ")
    assert reply.body["message"].endswith(f"(code: {code})")
    # the peer's pause, or else that for which the id cools down
    seconds = 15 if getattr(error, "retry_after", None) else 10
    assert (reply.headers["retry-after"], reply.body["retry_after"]) == (str(seconds), seconds)
    assert f"wait {seconds} seconds" in reply.body["message"]


async def test_a_start_that_takes_too_long_is_408():
    """The page's start_timeout is the bound."""

    async def begin(lease):
        await trio.sleep_forever()

    async with surface(begin=begin, parameters={"start_timeout": "30 s"}) as asking:
        reply = await asking("POST", JOIN, {"live_id": "a"})
    assert (reply.status, reply.body["code"], reply.body["cause"]) == (408, 408, "timeout")


async def test_a_place_that_is_away_is_503_everywhere():
    """Nothing is known of what was asked, and the text says so."""
    async with surface() as asking:
        await asking("POST", JOIN, {"live_id": "ours"})
        asking.place.away = True
        asked_for = [
            ("POST", JOIN, {"live_id": "a"}),
            ("DELETE", LEAVE + "a"),
            ("POST", CLEAR),
            ("GET", "/api/sessions"),
        ]
        for each in asked_for:
            reply = await asking(*each)
            assert (reply.status, reply.body["code"], reply.body["success"]) == (503, 503, False)
            assert "memory is not available" in reply.body["message"]
        health = await asking("GET", "/health")
        assert (health.status, health.body["place"]["up"]) == (503, False)
        numbers = _numbers(await asking("GET", "/metrics"))
        assert numbers["lifecycle_registry_place_up", ()] == 0
        assert ("lifecycle_registry_sessions", ()) not in numbers
        asking.place.away = False
        assert (await asking("GET", "/health")).status == 200


async def test_leaving_is_idempotent():
    """The first says that it has cleaned up; again, or of an unknown id, it is success all the same."""
    stopped = []

    async def stop(lease):
        stopped.append(lease.id)

    async with surface(stop=stop) as asking:
        await asking("POST", JOIN, {"live_id": "room/7 ä"})
        target = LEAVE + "room%2F7%20%C3%A4"
        replies = [await asking("DELETE", target), await asking("DELETE", target), await asking("DELETE", LEAVE + "b")]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert [reply.body["cleaned_up"] for reply in replies] == [True, False, False]
    assert replies[0].body["live_id"] == "room/7 ä"
    assert stopped == ["room/7 ä"]


async def test_a_generation_that_has_passed_is_not_left():
    """With ?generation= only that session is ended, of ours or of others, and a newer one stays."""
    async with surface(3) as asking:
        mine = (await asking("POST", JOIN, {"live_id": "a"})).body["result"]["generation"]
        other = (await asking.place.reserve("b", "of-another", "elsewhere:1", Terms(3, 60.0))).generation
        found = [
            (await asking("DELETE", f"{LEAVE}{name}?generation={generation}")).body["cleaned_up"]
            for name, generation in [("a", mine + 50), ("b", other + 50), ("a", mine), ("b", other)]
        ]
        wrong = await asking("DELETE", f"{LEAVE}a?generation=x&force=1")
    assert found == [False, False, True, True]
    assert wrong.status == 422
    assert len(wrong.body["problems"]) == 2


async def test_clearing_reports_how_many_there_were():
    """Everybody's sessions end; the number is that of before."""
    async with surface(5) as asking:
        for name in "abc":
            await asking("POST", JOIN, {"live_id": name})
        await asking.place.reserve("theirs", "of-another", "elsewhere:1", Terms(5, 60.0))
        reply = await asking("POST", CLEAR)
        assert (await asking("GET", "/api/sessions")).body["sessions"] == []
    assert (reply.status, reply.body["before"], reply.body["failed"]) == (200, 4, {})
    assert reply.body["message"] == "4 sessions were cleared"


async def test_one_that_cannot_be_cleared_does_not_stop_the_rest():
    """It is named, with what went wrong; the others are gone, and so is its slot."""

    async def stop(lease):
        if lease.id == "b":
            raise OSError("it hangs on")

    async with surface(5, stop=stop) as asking:
        for name in "abc":
            await asking("POST", JOIN, {"live_id": name})
        reply = await asking("POST", CLEAR)
        assert (await asking.registry.health()).active == 0
    assert (reply.status, reply.body["before"], list(reply.body["failed"])) == (500, 3, ["b"])
    assert "it hangs on" in reply.body["failed"]["b"]


async def test_sessions_are_listed_in_pages():
    """The oldest first; `next` is where the next page begins, and a ticket is never told."""
    async with surface(10) as asking:
        for name in "abcde":
            await asking("POST", JOIN, {"live_id": name})
        names, after, pages = [], 0, 0
        while after is not None:
            reply = await asking("GET", f"/api/sessions?after={after}&limit=2")
            assert len(asking.place.tickets) == 5
            assert not any(ticket in reply.text for ticket in asking.place.tickets)
            names += [row["live_id"] for row in reply.body["sessions"]]
            after, pages = reply.body["next"], pages + 1
        (first, *_) = (await asking("GET", "/api/sessions")).body["sessions"]
    assert ("".join(names), pages) == ("abcde", 3)
    assert first.keys() == {
        "live_id", "status", "created_at", "last_activity", "generation", "owner", "seconds_left",
    }  # fmt: skip
    assert (first["live_id"], first["status"], first["owner"]) == ("a", "active", asking.registry.owner)


async def test_a_page_that_cannot_be_is_told_with_all_that_is_wrong():
    """Both numbers and the parameter that there is not."""
    async with surface() as asking:
        reply = await asking("GET", "/api/sessions?after=-1&limit=100000&offset=3")
    assert reply.status == 422
    assert [problem.split(":")[0] for problem in reply.body["problems"]] == ["after", "limit", "'offset'"]


async def test_health_tells_strangers_only_whether_it_is_well():
    """It needs no key; with one it says more."""
    async with surface(7) as asking:
        stranger, friend = await asking("GET", "/health", key=None), await asking("GET", "/health")
    assert (stranger.status, stranger.body["place"]) == (200, {"up": True})
    assert stranger.body.keys() == {"success", "code", "message", "place"}
    assert (friend.body["place"]["name"], friend.body["capacity"], friend.body["active"]) == ("memory", 7, 0)


def _numbers(reply):
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


async def test_metrics_count_what_happened():
    """One of each, as Prometheus reads it; the reaper's work too."""

    async def begin(lease):
        if lease.id == "bad":
            raise CallFailed("5001", "no")
        await trio.sleep(0.2)

    settings = {"idle_after": "1 min", "reap_after": "5 min", "longest_life": "1 h"}
    async with surface(2, begin=begin, parameters=settings) as asking:
        for name in ("a", "a", "b", "c"):
            await asking("POST", JOIN, {"live_id": name})
        numbers = _numbers(await asking("GET", "/metrics"))
        assert numbers["lifecycle_registry_sessions", ()] == 2
        assert numbers["lifecycle_registry_capacity", ()] == 2
        assert numbers["lifecycle_registry_place_up", ()] == 1
        assert numbers["lifecycle_registry_refusals_total", (("code", "4002"),)] == 1
        await asking("DELETE", LEAVE + "b")
        await asking("DELETE", LEAVE + "b")
        await asking("POST", JOIN, {"live_id": "bad"})
        await asking("POST", JOIN, {"live_id": 7})
        await trio.sleep(3600)
        numbers = _numbers(await asking("GET", "/metrics"))
    results = {
        labels[0][1]: value
        for (name, labels), value in numbers.items()
        if name == "lifecycle_registry_starts_total" and value
    }
    assert results == {"started": 2, "already_active": 1, "refused": 1, "failed": 1, "wrong": 1}
    assert numbers["lifecycle_registry_leaves_total", (("cleaned_up", "true"),)] == 1
    assert numbers["lifecycle_registry_leaves_total", (("cleaned_up", "false"),)] == 1
    assert numbers["lifecycle_registry_refusals_total", (("code", "5001"),)] == 1
    assert numbers["lifecycle_registry_events_total", (("event", "reaped"),)] == 1
    assert numbers["lifecycle_registry_sessions", ()] == 0
    assert numbers["lifecycle_registry_start_seconds_count", ()] == 2
    assert numbers["lifecycle_registry_start_seconds_sum", ()] == pytest.approx(0.4, abs=0.05)


async def test_two_surfaces_do_not_share_their_numbers():
    """Each has its own collectors, so a second one in a process is no error."""
    async with surface() as one, surface() as two:
        await one("POST", JOIN, {"live_id": "a"})
        numbers = _numbers(await two("GET", "/metrics"))
    assert numbers["lifecycle_registry_starts_total", (("result", "started"),)] == 0


WRONG = [
    (b"", ["the body is no JSON"]),
    (b"\xff\xfe{", ["the body is no JSON"]),
    (b"[" * 30_000, ["the body is no JSON"]),
    (b'{"live_id": NaN}', ["the body is no JSON"]),
    (rb'{"live_id": "a", "role": "\ud800"}', ["the body is no JSON"]),
    ([1], ["the body is no JSON object"]),
    ({}, ["live_id: required field missing"]),
    ({"live_id": None}, ["live_id: required field missing"]),
    ({"live_id": ""}, ["live_id: 1 to 256 characters"]),
    ({"live_id": "x" * 257}, ["live_id: 1 to 256 characters"]),
    ({"live_id": "a\nb"}, ["live_id: it has characters that cannot be printed"]),
    (
        {"live_id": 7, "avatar_type": "4min", "role": [], "rtc_uid": True, "video_config": "x", "avatar": 1},
        [
            "live_id: a text is needed, and this is a number",
            "avatar_type: write '3min' or 'pic'",
            "role: a text is needed, and this is a list",
            "rtc_uid: a text is needed, and this is a boolean",
            "video_config: an object is needed, and this is a text",
            "'avatar': there is no such field; did you mean 'avatar_type'?",
        ],
    ),
]


@pytest.mark.parametrize(("body", "problems"), WRONG, ids=lambda value: str(value)[:40])
async def test_a_wrong_body_is_told_with_all_that_is_wrong(body, problems):
    """Nothing is asked of the place."""
    async with surface() as asking:
        asking.place.away = True
        reply = await asking("POST", JOIN, body)
    assert (reply.status, reply.body["code"], reply.body["success"]) == (422, 422, False)
    told = reply.body["problems"]
    assert len(told) == len(problems)
    assert all(found.startswith(begins) for found, begins in zip(told, problems, strict=True))


async def test_a_body_that_is_too_large_is_thrown_away():
    """It is read to its end, so that its client hears the answer, and not kept."""
    async with surface() as asking:
        fits = await asking("POST", JOIN, b'{"live_id": "a"}'.ljust(65_536))
        reply = await asking("POST", JOIN, parts=[b"x" * 65_536] * 40)
        endless = await asking("POST", JOIN, parts=[b"x" * 65_536] * 100_000)
    assert fits.status == 200
    assert (reply.status, reply.body["code"]) == (413, 413)
    assert endless.status == 413


async def test_a_body_that_does_not_end_is_not_waited_for():
    """After ten seconds its client is told."""
    async with surface() as asking:
        began = trio.current_time()
        reply = await asking("POST", JOIN, parts=[b"{", b"}"], pause=3600)
        assert trio.current_time() - began < 20
    assert (reply.status, reply.body["code"]) == (408, 408)


@pytest.mark.parametrize("target", ["/", "/api", "/health/", "/api/digital_human_develop/leave_room"])
async def test_what_there_is_not_is_told_in_json(target):
    """An unknown route says which there are."""
    async with surface() as asking:
        reply = await asking("GET", target)
    assert (reply.status, reply.body["code"]) == (404, 404)
    assert "/api/sessions" in reply.body["message"]


async def test_a_method_that_a_route_does_not_know_says_which_it_knows():
    """In the text and in Allow."""
    async with surface() as asking:
        reply = await asking("GET", JOIN)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert "use POST" in reply.body["message"]


ASKED = [
    ("POST", JOIN),
    ("DELETE", LEAVE + "a"),
    ("POST", CLEAR),
    ("GET", "/api/sessions"),
    ("GET", "/metrics"),
    ("GET", "/x"),
]


@pytest.mark.parametrize("said", [{}, {"authorization": "Bearer x"}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}, {"authorization": f"Bearer {KEY}x"}, {"authorization": "Bearer \xe9"}])  # fmt: skip
async def test_without_the_key_nothing_is_done(said, caplog):
    """All but /health says 401, the same for what there is and what there is not; no key is in a log."""
    caplog.set_level(logging.DEBUG)
    async with surface() as asking:
        await asking("POST", JOIN, {"live_id": "a"})
        for method, target in ASKED:
            reply = await asking(method, target, key=None, headers=said)
            assert (reply.status, reply.body["code"], reply.headers["www-authenticate"]) == (401, 401, "Bearer")
            assert KEY not in reply.text
        assert (await asking.registry.health()).active == 1
    assert KEY not in caplog.text


async def test_the_scheme_of_the_key_may_be_written_in_any_case():
    """As HTTP says."""
    async with surface() as asking:
        reply = await asking("GET", "/api/sessions", key=None, headers={"authorization": f"bearer  {KEY}"})
    assert reply.status == 200


STRANGERS = [
    {"client": "192.0.2.7"},
    {"headers": {"origin": "https://example.org"}},
    {"headers": {"sec-fetch-site": "cross-site"}},
    {"headers": {"host": "rebound.example.org:8000"}},
]


@pytest.mark.parametrize("how", STRANGERS, ids=str)
async def test_without_a_key_only_programs_of_this_machine_are_served(how):
    """Neither other machines, nor web pages in a browser of this one."""
    async with surface(key=None) as asking:
        await asking("POST", JOIN, {"live_id": "a"})
        reply = await asking("POST", CLEAR, **how)
        assert (reply.status, reply.body["code"]) == (403, 403)
        assert (await asking.registry.health()).active == 1


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "127.9.9.9"])
async def test_without_a_key_this_machine_is_served_by_any_of_its_names(host):
    """As curl says them; a browser's address line is no web page."""
    async with surface(key=None) as asking:
        said = {"host": host, "sec-fetch-site": "none"}
        assert (await asking("GET", "/api/sessions", headers=said, client="::ffff:127.0.0.1")).status == 200


@pytest.mark.parametrize(
    ("key", "without", "says"),
    [
        (None, False, "give a key"),
        ("k", True, "leave out one of them"),
        ("", False, "cannot stand in a header"),
        ("a b", False, "cannot stand in a header"),
        ("schlüssel", False, "cannot stand in a header"),
    ],
)
async def test_a_key_has_to_be_said_or_left_out_on_purpose(key, without, says):
    """What is wrong with it is told, and it is not repeated."""
    async with Place() as place, Registry(place, capacity=1) as registry:
        with pytest.raises(ValueError, match=says) as error:
            Admin(registry, key=key, without_key=without)
    assert not key or len(key) < 2 or key not in str(error.value)


async def test_who_hangs_up_during_a_join_gives_the_slot_back():
    """The start is cancelled, what was begun is stopped, and another one gets the slot."""
    stopped = []

    async def begin(lease):
        await trio.sleep(60 if lease.id == "a" else 0)

    async def stop(lease):
        stopped.append(lease.id)

    async with surface(1, begin=begin, stop=stop) as asking:
        assert await _quiet(asking("POST", JOIN, {"live_id": "a"}, hang_up=5)) is None
        reply = await asking("POST", JOIN, {"live_id": "b"})
        assert reply.status == 200
        numbers = _numbers(await asking("GET", "/metrics"))
        assert stopped == ["a"]
        assert trio.current_time() < 60
    assert numbers["lifecycle_registry_starts_total", (("result", "hung_up"),)] == 1


async def _quiet(answer):
    """An answer that its client was there for."""
    reply = await answer
    return None if reply is None or reply.status == 499 else reply


async def test_who_hangs_up_at_once_starts_nothing():
    """The wish was whole, and nobody is there to hear the answer; of half a wish nothing is known."""
    begun = []

    async def begin(lease):
        begun.append(lease.id)

    async with surface(begin=begin) as asking:
        assert await _quiet(asking("POST", JOIN, {"live_id": "a"}, hang_up=0)) is None
        await asking("POST", JOIN, parts=[b'{"live_id": "b"}'], more=True, hang_up=0)
        assert (await asking.registry.health()).active == 0
    assert begun == []


async def test_a_registry_that_is_closed_starts_nothing():
    """Its surface says so."""
    async with surface() as asking:
        pass
    reply = await asking("POST", JOIN, {"live_id": "a"})
    assert (reply.status, reply.body["success"]) == (500, False)
    assert reply.body["message"].startswith("Failed to start live: the registry is not open")


async def test_a_key_is_in_no_repr():
    """Neither of the guard nor of the whole."""
    async with surface() as asking:
        guard = asking.app._guard
    assert (repr(guard), repr(Guard(None, without_key=True))) == ("Guard(a key)", "Guard(no key)")


async def test_who_hangs_up_while_leaving_has_left():
    """What gives something back is done to its end."""
    stopped = []

    async def stop(lease):
        await trio.sleep(3)
        stopped.append(lease.id)

    async with surface(stop=stop) as asking:
        for name in "ab":
            await asking("POST", JOIN, {"live_id": name})
        await asking("DELETE", LEAVE + "a", hang_up=1)
        await asking("POST", CLEAR, hang_up=1)
    assert stopped == ["a", "b"]


async def test_a_fault_of_ours_is_logged_once_and_told_to_nobody(caplog, monkeypatch):
    """The client gets a 500 without a word of it, and the next one is served."""
    async with surface() as asking:

        async def broken(*_):
            raise RuntimeError("secret details")

        monkeypatch.setattr(asking.registry, "list", broken, raising=False)
        reply = await asking("GET", "/api/sessions")
        assert (await asking("GET", "/health")).status == 200
    assert (reply.status, reply.body["code"]) == (500, 500)
    assert "secret" not in reply.text
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.name, "secret details" in caplog.text) == ("lifecycle.registry.admin", True)


async def test_other_servers_may_run_it():
    """It takes part in the lifespan of ASGI, and turns WebSockets away."""
    async with surface() as asking:
        told = []
        events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}, {"type": "websocket.connect"}]

        async def receive():
            return events.pop(0)

        async def send(message):
            told.append(message["type"])

        await asking.app({"type": "lifespan"}, receive, send)
        await asking.app({"type": "websocket"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]
