import logging
import sys
import traceback

import pytest
import trio
import trustme

from lifecycle.registry import (
    AlreadyHeld,
    LeaseLost,
    LeasesUnavailable,
    NoCapacity,
    Terms,
)
from lifecycle.registry.redis import RedisLeases
from lifecycle.registry.redis.address import address
from lifecycle.registry.redis.server import Server

from .redis_server import RedisServer, free_port, needs_redis

TERMS = Terms(capacity=2, length=60)
PASSWORD = "s3cr3t/with#signs"
WRITTEN = "s3cr3t%2Fwith%23signs"
pytestmark = needs_redis


def reserve(leases, id, ticket=None, terms=TERMS):
    """Ask for a slot, with a ticket that is called as the id if it is not said."""
    return leases.reserve(id, ticket or f"of-{id}", "somebody", terms)


async def until(ask):
    """What a question answers that may be refused at first."""
    while True:
        try:
            return await ask()
        except LeasesUnavailable:
            await trio.sleep(0.05)


async def refusal(ask):
    """The words of a place that does not answer."""
    with pytest.raises(LeasesUnavailable) as caught:
        await ask()
    return str(caught.value)


# -- what it writes


@pytest.mark.real_time
async def test_everything_has_one_hash_tag_and_goes_away_by_itself(redis):
    """A cluster puts all keys of a place on one server; none stays behind for ever."""
    async with RedisLeases(redis.url, name="two words") as leases:
        await reserve(leases, "a")
        await reserve(leases, "b")
        assert await leases.release("b", "of-b", cooldown=30)
        keys = redis.say("KEYS", "*").splitlines()
        assert len(keys) == 8
        assert all(key.startswith("lifecycle:{two words}:") for key in keys)
        assert all(0 < int(redis.say("TTL", key)) <= 31 * 86_400 for key in keys)
        leased = [int(redis.say("TTL", key)) for key in keys if key.endswith((":leases", ":until"))]
        assert all(60 <= each <= 120 for each in leased)


@pytest.mark.real_time
async def test_two_names_are_two_places(redis):
    """Neither counts what the other holds, nor do two databases."""
    other = redis.url.removesuffix("/0") + "/1"
    async with RedisLeases(redis.url) as one, RedisLeases(redis.url, name="b") as two, RedisLeases(other) as three:
        await reserve(one, "a")
        assert [await each.count() for each in (one, two, three)] == [1, 0, 0]


@pytest.mark.real_time
async def test_any_text_is_an_id_and_an_owner(redis):
    """Also one with zeros, half of a pair, or the separators of the keys."""
    texts = ["", "ä€🎈", "\0\r\n", "\ud800", "{}:*", "x" * 10_000]
    async with RedisLeases(redis.url) as leases:
        for number, text in enumerate(texts):
            lease = await leases.reserve(text, f"{number}{text}", text, Terms(capacity=99, length=60))
            assert (lease.id, lease.owner) == (text, text)
            assert await leases.held(text) == [pytest_equal(lease)]
        assert [lease.id for lease in await leases.list()] == texts


def pytest_equal(lease):
    """A lease as anybody may see it: without its ticket, whatever time is left."""

    class Like:
        def __eq__(self, other):
            public = ("id", "generation", "owner", "status", "created_at", "touched_at")
            return other.ticket == "" and all(getattr(lease, name) == getattr(other, name) for name in public)

        __hash__ = None

    return Like()


@pytest.mark.real_time
async def test_a_server_that_has_forgotten_the_scripts_is_told_them_again(redis):
    """Between two requests, without a word to who asks."""
    async with RedisLeases(redis.url) as leases:
        await reserve(leases, "a")
        redis.say("SCRIPT", "FLUSH")
        assert (await leases.renew("a", "of-a", 60)).id == "a"


# -- many at once


@pytest.mark.real_time
async def test_of_many_at_once_as_many_as_there_are_slots_are_granted(redis):
    """From three clients, over and over; who looks meanwhile never counts more."""
    capacity, terms = 5, Terms(capacity=5, length=60)
    async with RedisLeases(redis.url) as one, RedisLeases(redis.url) as two, RedisLeases(redis.url) as observer:
        for turn in range(5):
            granted, refused, most = [], [], 0

            async def start(leases, id):
                try:
                    granted.append((leases, await reserve(leases, id, terms=terms)))  # noqa: B023 -- it ends in its turn
                except NoCapacity:
                    refused.append(id)  # noqa: B023 -- likewise

            async def observe():
                nonlocal most
                while True:
                    most = max(most, await observer.count())

            async with trio.open_nursery() as watching:
                watching.start_soon(observe)
                async with trio.open_nursery() as nursery:
                    for number in range(40):
                        nursery.start_soon(start, (one, two)[number % 2], f"{turn}-{number}")
                watching.cancel_scope.cancel()
            assert (len(granted), len(refused)) == (capacity, 40 - capacity)
            assert most <= capacity
            assert await observer.count() == capacity
            generations = [lease.generation for lease in await observer.list()]
            assert len(set(generations)) == capacity
            assert generations == sorted(generations)
            for leases, lease in granted:
                assert await leases.release(lease.id, f"of-{lease.id}")


@pytest.mark.real_time
async def test_an_answer_is_never_taken_for_another_ones(redis):
    """Of many requests on one connection, many of them cancelled in flight, each is told what it asked for."""
    async with RedisLeases(redis.url) as leases:
        ids = [str(number) for number in range(20)]
        for id in ids:
            await reserve(leases, id, terms=Terms(capacity=20, length=60))

        async def ask(id, patience):
            with trio.move_on_after(patience):
                for _ in range(10):
                    assert [lease.id for lease in await leases.held(id)] == [id]

        async with trio.open_nursery() as nursery:
            for number, id in enumerate(ids * 4):
                nursery.start_soon(ask, id, number * 0.0007 if number % 3 else 30)


# -- it is away for a while


@pytest.mark.real_time
async def test_a_server_that_is_paused_is_not_waited_for_longer_than_was_said(redis):
    """Each request says so by itself; when it goes on, the same object does, too, and takes no late answer for its own."""
    async with RedisLeases(redis.url, timeout=0.5) as leases:
        await until(lambda: reserve(leases, "a"))
        redis.pause()
        said = []

        async def ask(make):
            said.append(await refusal(make))

        async with trio.open_nursery() as nursery:
            for make in (leases.count, lambda: leases.held("a"), lambda: reserve(leases, "b"), leases.list):
                nursery.start_soon(ask, make)
        assert all(text.startswith(leases.place) for text in said)
        assert any("did not answer within 0.5 s" in text for text in said)
        redis.resume()
        assert [lease.id for lease in await until(lambda: leases.held("a"))] == ["a"]
        assert (await until(lambda: leases.renew("a", "of-a", 60))).id == "a"


@pytest.mark.real_time
async def test_who_has_given_up_and_released_gets_nothing_later(redis):
    """The server was paused: both requests wait in its sockets, and whichever it reads first, no slot is taken."""
    async with RedisLeases(redis.url, timeout=0.5) as leases, RedisLeases(redis.url) as other:
        await until(leases.count)
        redis.pause()
        await refusal(lambda: reserve(leases, "a"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other.release, "a", "of-a")
            await trio.testing.wait_all_tasks_blocked()
            redis.resume()
        for _ in range(3):  # what was under way has arrived before this is answered
            assert await other.count() == 0
        with pytest.raises(LeaseLost):
            await reserve(other, "a")


@pytest.mark.real_time
async def test_a_server_that_has_forgotten_gives_no_slot_while_an_old_owner_may_have_it(tmp_path):
    """All slots were taken, it restarts without its data: nobody gets one before those leases have run out."""
    terms = Terms(capacity=1, length=3)
    with RedisServer(tmp_path) as server:
        async with RedisLeases(server.url) as leases:
            first = await reserve(leases, "a", terms=terms)
            server.restart()
            began = trio.current_time()
            said = await until_said(leases, terms, "may have forgotten")
            assert "wait" in said
            with pytest.raises(LeaseLost):
                await leases.renew("a", "of-a", 3)
            assert not await leases.release("a", "of-a")
            second = await until(lambda: reserve(leases, "b", terms=terms))
            assert trio.current_time() - began >= 2
            assert second.generation > first.generation
            with pytest.raises(NoCapacity):
                await reserve(leases, "c", terms=terms)


async def until_said(leases, terms, words):
    """The refusal that says these words, after others while the server starts."""
    while words not in (said := await refusal(lambda: reserve(leases, "x", terms=terms))):  # noqa: ASYNC110 -- it tells nobody
        await trio.sleep(0.02)
    return said


@pytest.mark.real_time
async def test_who_is_new_after_a_restart_is_made_to_wait_too(tmp_path):
    """Somebody who knew the place comes back to it by himself, though nothing is asked of him."""
    with RedisServer(tmp_path) as server:
        async with RedisLeases(server.url) as old:
            await reserve(old, "a")
            server.kill()
            for _ in range(3):
                await refusal(old.count)
            server.restart()
            while server.say("EXISTS", "lifecycle:{sessions}:state") == "0":  # noqa: ASYNC110 -- it tells nobody
                await trio.sleep(0.02)
            async with RedisLeases(server.url) as new:
                assert "wait 60 seconds" in await refusal(lambda: reserve(new, "b"))


@pytest.mark.real_time
async def test_who_knew_the_place_stops_those_who_did_not(redis):
    """It was emptied, and somebody new came first: from when the other one asks, nobody gets a slot for a while."""
    async with RedisLeases(redis.url) as old:
        await reserve(old, "a")
        redis.empty()
        async with RedisLeases(redis.url) as new:
            await reserve(new, "b")
            with pytest.raises(LeaseLost):
                await old.renew("a", "of-a", 60)
            for leases in (old, new):
                assert "may have forgotten" in await refusal(lambda leases=leases: reserve(leases, "c"))
            assert (await new.renew("b", "of-b", 60)).id == "b"


@pytest.mark.real_time
async def test_a_new_place_does_not_wait_unless_the_server_is_said_to_be_forgetful(tmp_path):
    """Nobody knows of one, so there was none; on a server that has just started, that is only likely."""
    with RedisServer(tmp_path) as server:
        async with RedisLeases(server.url, forgetful=True) as wary:
            await refusal(lambda: reserve(wary, "a", terms=Terms(capacity=1, length=3600)))
        async with RedisLeases(server.url, name="other") as leases:
            assert (await reserve(leases, "a")).status == "pending"


@pytest.mark.real_time
async def test_what_was_kept_over_a_restart_is_held(tmp_path):
    """Renewed by its owner, asked for again by him; but nobody else gets a slot for a while, for some may be missing."""
    with RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        async with RedisLeases(server.url) as leases:
            first = await reserve(leases, "a")
            server.restart()
            assert (await until(lambda: leases.renew("a", "of-a", 60))).generation == first.generation
            assert (await reserve(leases, "a")).generation == first.generation
            assert "may have forgotten" in await refusal(lambda: reserve(leases, "b"))


@pytest.mark.real_time
@pytest.mark.parametrize("key", ["leases", "until", "order", "ids", "tickets", "state"])
async def test_a_key_that_was_thrown_out_is_noticed(redis, key):
    """A server that is full may throw out what it likes: then nobody knows who holds what."""
    async with RedisLeases(redis.url) as leases:
        await reserve(leases, "a")
        redis.say("DEL", f"lifecycle:{{sessions}}:{key}")
        async with RedisLeases(redis.url) as new:
            assert "may have forgotten" in await refusal(lambda: reserve(new, "b"))
        with pytest.raises(LeaseLost):
            await leases.renew("a", "of-a", 60)
        assert await leases.count() == 0


def server_time(redis):
    """What the server's clock says, in seconds."""
    seconds, micros = map(int, redis.say("TIME").split())
    return seconds + micros / 1e6


@pytest.mark.real_time
async def test_a_key_that_was_thrown_out_when_all_leases_had_run_out_is_no_loss(redis):
    """Nobody has a slot any more, so nobody is waited for."""
    async with RedisLeases(redis.url) as leases, RedisLeases(redis.url) as new:
        lease = await reserve(leases, "a", terms=Terms(capacity=1, length=0.01))
        redis.say("DEL", "lifecycle:{sessions}:leases")
        while server_time(redis) < lease.created_at + 0.1:  # noqa: ASYNC110 -- it tells nobody
            await trio.sleep(0.01)
        assert (await reserve(new, "b", terms=Terms(capacity=1, length=60))).id == "b"
        assert await leases.count() == 1


# -- what is told when it cannot be used


def hidden(error, caplog):
    """Nobody learns the password from it, nor from the log."""
    told = "".join(traceback.format_exception(error)) + repr(error) + caplog.text
    return not any(word in told for word in (PASSWORD, WRITTEN, "s3cr3t"))


def with_password(server, user=""):
    """The URL of a server with our password in it."""
    return f"redis://{user}:{WRITTEN}@127.0.0.1:{server.port}/0"


async def told(url, caplog, **settings):
    """What is said of a place that cannot be opened."""
    with caplog.at_level(logging.DEBUG), pytest.raises(LeasesUnavailable) as caught:
        async with RedisLeases(url, **settings):
            pass
    assert hidden(caught.value, caplog)
    assert caught.value.side == "network"
    return caught.value.how


@pytest.mark.real_time
async def test_a_password_that_is_missing_or_wrong(tmp_path, caplog):
    """With the right one it opens, and shows it nowhere."""
    with RedisServer(tmp_path, "--requirepass", PASSWORD) as server:
        assert "wants a password" in await told(server.url, caplog)
        assert "does not know this user" in await told(with_password(server, "nobody"), caplog)
        wrong = f"redis://:other-{WRITTEN}@127.0.0.1:{server.port}/0"
        assert "does not know this user" in await told(wrong, caplog)
        async with RedisLeases(with_password(server)) as leases:
            await reserve(leases, "a")
            assert leases.place == server.url
            assert PASSWORD not in repr(leases)


@pytest.mark.real_time
async def test_a_user_without_the_right(redis, caplog):
    """The right that is missing is named."""
    redis.say("ACL", "SETUSER", "guest", "on", f">{PASSWORD}", "~*", "+@all", "-evalsha")
    try:
        assert "may not do that" in await told(with_password(redis, "guest"), caplog)
        assert "evalsha" in await told(with_password(redis, "guest"), caplog)
    finally:
        redis.say("ACL", "DELUSER", "guest")


@pytest.mark.real_time
async def test_nobody_listens_or_the_host_is_not_known(caplog):
    """Told at once, and what to look at."""
    assert "nobody listens there" in await told(f"redis://:{WRITTEN}@127.0.0.1:{free_port()}/0", caplog)
    assert "host name is not known" in await told(f"redis://:{WRITTEN}@no-such-host.invalid/0", caplog)


@pytest.mark.real_time
async def test_what_answers_is_no_redis(caplog):
    """A server of HTTP, one from before RESP3 that repeats what it was told, and one that says nothing."""

    async def serve(said, check, limit=30.0):
        async def answer(stream):
            await stream.receive_some()
            await stream.send_all(said)
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, answer, [listener])
            port = listener.socket.getsockname()[1]
            assert check in await told(f"redis://:{WRITTEN}@127.0.0.1:{port}/0", caplog, timeout=limit)
            nursery.cancel_scope.cancel()

    await serve(b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Redis")
    repeats = f"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `{PASSWORD}`, \r\n"
    await serve(repeats.encode(), "<secret>")
    await serve(b"", "did not answer within 0.3 s", limit=0.3)


@pytest.mark.real_time
async def test_a_key_of_somebody_else(redis, caplog):
    """It is not touched, and another name is asked for."""
    redis.say("SET", "lifecycle:{sessions}:until", "mine")
    assert "choose another `name`" in await told(redis.url, caplog)
    assert redis.say("GET", "lifecycle:{sessions}:until") == "mine"


@pytest.mark.real_time
async def test_a_server_without_memory_left(redis):
    """Nothing is granted, and it is said what is missing; what is held can be renewed and released."""
    async with RedisLeases(redis.url) as leases:
        await reserve(leases, "a")
        redis.say("CONFIG", "SET", "maxmemory", "1")
        try:
            assert "no memory left" in await refusal(lambda: reserve(leases, "b"))
            assert await leases.count() == 1
            await leases.renew("a", "of-a", 60)
            assert await leases.release("a", "of-a")
        finally:
            redis.say("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.real_time
async def test_a_replica(redis):
    """It writes nothing, so it is no place."""
    async with RedisLeases(redis.url) as leases:
        await reserve(leases, "a")
        redis.say("REPLICAOF", "127.0.0.1", str(free_port()))
        try:
            assert "primary" in await refusal(lambda: reserve(leases, "b"))
        finally:
            redis.say("REPLICAOF", "NO", "ONE")


@pytest.mark.real_time
async def test_it_is_not_open(redis):
    """Before `async with`, and after it."""
    leases = RedisLeases(redis.url)
    assert "use it as `async with`" in await refusal(leases.count)
    for _ in range(2):  # and it may be opened again
        async with leases:
            assert await leases.count() == 0
    assert "use it as `async with`" in await refusal(leases.count)


@pytest.mark.real_time
async def test_what_its_body_raises_leaves_as_it_is(redis):
    """And so does a cancellation."""
    with pytest.raises(AlreadyHeld):  # noqa: PT012 -- it is raised in there, and leaves
        async with RedisLeases(redis.url) as leases:
            await reserve(leases, "a")
            await reserve(leases, "a", "another")
    with trio.move_on_after(0.1) as scope:
        async with RedisLeases(redis.url):
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_the_extra_that_is_missing_is_named(monkeypatch):
    """When it is opened."""
    monkeypatch.setitem(sys.modules, "coredis.connection", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'connection-lifecycle\[redis\]'"):
        async with RedisLeases("redis://127.0.0.1/0"):
            pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1/0", "its scheme is 'http'"),
        ("127.0.0.1:6379", "it has no host"),
        ("redis:///0", "it has no host"),
        ("redis://:s3cr3t@host:port/0", "its port is no number"),
        ("redis://:s3cr3t@host:0/0", "its port is no number"),
        ("redis://:s3cr3t/x@host/0", "percent-encoded"),
        ("redis://:s3cr3t#x@host/0", "percent-encoded"),
        ("redis://:s3cr3t@host/zero", "its database is no number"),
        ("redis://:s3cr3t@host/0?db=3", "it has a `?`"),
        ("redis://[s3cr3t/0", "cannot be read"),
    ],
)
def test_a_url_that_is_none_is_told_without_its_password(url, said):
    """All that is wrong with it, and what to write."""
    with pytest.raises(ValueError, match="write redis://") as caught:
        RedisLeases(url)
    assert said in str(caught.value)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_a_url_is_read():
    """What may be left out, and what is percent-encoded."""
    full = address(f"rediss://me:{WRITTEN}@[::1]:7000/3")
    assert (full.host, full.port, full.database, full.tls, full.user) == ("::1", 7000, 3, True, "me")
    assert full.password == PASSWORD
    assert full.place == "rediss://[::1]:7000/3"
    assert PASSWORD not in repr(full)
    assert address("redis://host").place == "redis://host:6379/0"


@pytest.mark.parametrize("settings", [{"name": ""}, {"name": "a{b}"}, {"timeout": 0}, {"timeout": float("nan")}])
def test_settings_that_cannot_be(settings):
    """Told when the object is made."""
    with pytest.raises(ValueError, match="must be"):
        RedisLeases("redis://127.0.0.1/0", **settings)


# -- how servers are reached


@pytest.mark.real_time
async def test_those_who_ask_at_once_share_a_connection(redis):
    """The first makes it, the others wait for it."""
    before = int(redis.say("INFO", "stats").split("total_connections_received:")[1].split()[0])
    async with Server(address(redis.url), timeout=30, fail=LeasesUnavailable) as server, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(server.call, "PING")
    after = int(redis.say("INFO", "stats").split("total_connections_received:")[1].split()[0])
    assert after - before == 2  # ours, and the question


@pytest.mark.real_time
async def test_a_cluster_that_sends_us_around_is_not_followed_for_ever():
    """Once, and then it is said."""
    answers = {b"HELLO": b"%3\r\n+proto\r\n:3\r\n+version\r\n+7.0.0\r\n+id\r\n:1\r\n"}
    asked = []

    async def answer(stream):
        async for part in stream:
            command = part.split(b"\r\n")[2]
            asked.append(command)
            await stream.send_all(answers.get(command, b"-MOVED 7 127.0.0.1:%d\r\n" % port))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        where = address(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(LeasesUnavailable, match="its cluster is being rebuilt"):
            async with Server(where, timeout=30, fail=LeasesUnavailable) as server:
                await server.call("PING")
        nursery.cancel_scope.cancel()
    assert asked == [b"HELLO", b"PING"] * 2


@pytest.mark.real_time
async def test_by_tls(tmp_path, caplog):
    """Whose certificate is not trusted, is not spoken to."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    certificate.private_key_pem.write_to_path(key)
    for part in certificate.cert_chain_pems:
        part.write_to_path(chain, append=True)
    port = free_port()
    files = ("--tls-key-file", str(key), "--tls-cert-file", str(chain), "--tls-auth-clients", "no")
    with RedisServer(tmp_path / "redis", "--tls-port", str(port), *files) as server:
        trusting = trustme_context(authority)
        async with RedisLeases(f"rediss://127.0.0.1:{port}/0", tls=trusting) as leases:
            assert (await reserve(leases, "a")).status == "pending"
        assert "certificate is not trusted" in await told(f"rediss://127.0.0.1:{port}/0", caplog)
        assert "may want TLS" in await told(f"redis://127.0.0.1:{port}/0", caplog)
        assert "did not answer" in await told(f"rediss://127.0.0.1:{server.port}/0", caplog, timeout=0.5)


def trustme_context(authority):
    """What trusts it."""
    import ssl

    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.real_time
async def test_in_a_cluster_the_server_that_has_the_keys_is_found(tmp_path):
    """Whichever is asked; and all keys of a place are on one, so that a script may use them."""
    settings = ("--cluster-enabled", "yes")
    with RedisServer(tmp_path / "1", *settings) as one, RedisServer(tmp_path / "2", *settings) as two:
        one.say("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        two.say("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        one.say("CLUSTER", "MEET", "127.0.0.1", str(two.port))
        while not all("cluster_state:ok" in each.say("CLUSTER", "INFO") for each in (one, two)):  # noqa: ASYNC110 -- it tells nobody
            await trio.sleep(0.05)
        for name in ("a", "b", "c"):
            async with RedisLeases(one.url, name=name) as leases, RedisLeases(two.url, name=name) as others:
                await reserve(leases, "x")
                assert await others.count() == 1
