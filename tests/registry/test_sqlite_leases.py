"""What is special about leases in a file: the clock, the file, and those who write to it at the same moment."""

import sqlite3
import threading
import time
from contextlib import asynccontextmanager

import pytest
import trio

from lifecycle.registry import LeasesUnavailable, NoCapacity, SqliteLeases, Terms, boot_clock, sqlite_leases
from lifecycle.registry.boot_clock import boot_id, seconds_up
from lifecycle.registry.sqlite_file import SqliteFile

pytestmark = pytest.mark.real_time

TERMS = Terms(capacity=3, length=1000.0)


async def taken(leases, id="a", terms=TERMS):
    """Reserve with a ticket of the id's name."""
    return await leases.reserve(id, f"ticket of {id}", "us", terms)


# -- the clock


async def test_the_date_counts_nowhere(tmp_path, monkeypatch):
    """A process whose date is moved by an hour counts as all others do."""
    path = str(tmp_path / "leases.db")
    async with SqliteLeases(path) as one, SqliteLeases(path) as other:
        await taken(one)
        real = time.time
        for moved in (3600.0, -7200.0):
            monkeypatch.setattr(time, "time", lambda moved=moved: real() + moved)
            assert await other.count() == 1
            assert 900 < (await other.held("a"))[0].left < 1001
            assert 900 < (await other.renew("a", "ticket of a", 1000.0)).left < 1001


async def test_when_the_machine_was_started_anew_all_leases_have_run_out(tmp_path):
    """Their owners are gone. Generations go on, above all that may have been granted without reaching the disk."""
    path, now = str(tmp_path / "leases.db"), [50_000.0]
    async with SqliteLeases(path, clock=lambda: now[0]) as leases:
        old = await taken(leases)
        await taken(leases, "b")
        await leases.release("b", "ticket of b", cooldown=500.0)
        now[0] = 12.0
        assert (await leases.count(), await leases.list(), await leases.cooling("b")) == (0, [], 0)
        new = await taken(leases, "c")
        assert new.generation > old.generation + 1000
        await leases.reserve("b", "another", "us", TERMS)
        assert await leases.count() == 2


async def test_a_start_of_the_machine_that_nobody_wrote_after_keeps_nothing_for_longer_than_a_lease(tmp_path):
    """Where the new clock has passed the old one already, what is left runs out by its length."""
    path, now = str(tmp_path / "leases.db"), [5.0]
    async with SqliteLeases(path, clock=lambda: now[0]) as leases:
        await taken(leases)
        now[0] = 8.0
        assert await leases.count() == 1
        now[0] = 1006.0
        assert await leases.count() == 0


async def test_processes_whose_clocks_differ_are_told(tmp_path, monkeypatch):
    """In one start of the machine there is one clock; who has another would take leases that are held for ended."""
    path = str(tmp_path / "leases.db")
    monkeypatch.setattr(sqlite_leases, "boot_id", lambda: "one start")
    monkeypatch.setattr(sqlite_leases, "seconds_up", lambda: 9000.0)
    async with SqliteLeases(path) as leases:
        await taken(leases)
        monkeypatch.setattr(sqlite_leases, "seconds_up", lambda: 100.0)
        async with SqliteLeases(path) as other:
            with pytest.raises(LeasesUnavailable, match="different clocks"):
                await taken(other, "b")
            with pytest.raises(LeasesUnavailable, match="different clocks"):
                await other.count()
        assert await leases.count() == 1


def test_the_clock_of_the_machine(tmp_path, monkeypatch):
    """It goes forward, and says which start of the machine it counts from; both also where the system tells less."""
    first = seconds_up()
    assert 0 < first <= seconds_up()
    (tmp_path / "boot").write_text("a start\n")
    monkeypatch.setattr(boot_clock, "_BOOT_ID", tmp_path / "boot")
    assert boot_id() == "a start"
    monkeypatch.setattr(boot_clock, "_BOOT_ID", tmp_path / "nowhere")
    assert boot_id() == ""
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    before = time.monotonic()
    assert before <= seconds_up() <= time.monotonic()


async def test_a_thread_that_hangs_holds_nobody(tmp_path):
    """As with a file system that is gone: it is told, and closing does not wait for ever either."""
    clock, hangs = threading.Event(), False

    def now() -> float:
        if hangs:
            clock.wait(50)
        return 1000.0

    async with SqliteLeases(str(tmp_path / "leases.db"), timeout=0.1, clock=now) as leases:
        await taken(leases)
        hangs = True
        with pytest.raises(LeasesUnavailable, match=r"no answer within 0\.1 s"):
            await leases.count()
    clock.set()


# -- the file


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no database at all, but long enough to be read as one " * 99, "damaged, or no database"),
        (b"SQLite format 3\0" + b"\xff" * 4096, "is not available"),
    ],
)
async def test_a_file_that_is_no_database_is_left_alone(tmp_path, content, words):
    """It says what to do, and not a byte of it has changed."""
    path = tmp_path / "leases.db"
    path.write_bytes(content)
    with pytest.raises(LeasesUnavailable, match=words):
        async with SqliteLeases(str(path)):
            pass
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("done", "words"),
    [
        ("CREATE TABLE photos (name)", "of something else"),
        ("PRAGMA application_id = 17", "of something else"),
    ],
)
async def test_a_database_of_something_else_is_left_alone(tmp_path, done, words):
    """Nothing is made in it."""
    path = str(tmp_path / "photos.db")
    with sqlite3.connect(path) as database:
        database.execute(done)
    database.close()
    with pytest.raises(LeasesUnavailable, match=words):
        async with SqliteLeases(path):
            pass


async def test_a_file_of_another_version_is_told(tmp_path):
    """With the two versions."""
    path = str(tmp_path / "leases.db")
    async with SqliteLeases(path):
        pass
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(LeasesUnavailable, match="version 7, and not 1"):
        async with SqliteLeases(path):
            pass


async def test_a_place_that_cannot_be_is_told(tmp_path):
    """A folder that is not there, a folder in place of a file, and no file at all."""
    for path in (tmp_path / "nowhere" / "leases.db", tmp_path):
        with pytest.raises(LeasesUnavailable, match="unable to open"):
            async with SqliteLeases(str(path)):
                pass
    for text in ("", ":memory:"):
        with pytest.raises(ValueError, match="say a path, or use MemoryLeases"):
            SqliteLeases(text)


async def test_a_file_that_was_removed_is_told(tmp_path):
    """Who opens it now counts in another one, so nothing more is granted in the old one."""
    path = tmp_path / "leases.db"
    async with SqliteLeases(str(path)) as leases:
        await taken(leases)
        path.rename(tmp_path / "away.db")
        with pytest.raises(LeasesUnavailable, match="not to be had"):
            await taken(leases, "b")
        async with SqliteLeases(str(path)) as others:
            await taken(others, "c")
            with pytest.raises(LeasesUnavailable, match="removed or replaced"):
                await leases.renew("a", "ticket of a", 1000.0)


async def test_what_is_not_open_says_so(tmp_path):
    """Before it is opened, and after it was closed."""
    leases = SqliteLeases(str(tmp_path / "leases.db"))
    with pytest.raises(LeasesUnavailable, match="not open"):
        await leases.count()
    async with leases:
        assert await leases.count() == 0
    with pytest.raises(LeasesUnavailable, match="not open"):
        await leases.count()
    await leases.__aexit__(None, None, None)  # again is no harm


async def test_leases_outlive_their_process(tmp_path):
    """Opened again, they are held as before."""
    path = str(tmp_path / "leases.db")
    async with SqliteLeases(path) as leases:
        await taken(leases)
    async with SqliteLeases(path) as leases:
        assert [lease.id for lease in await leases.list()] == ["a"]
        await leases.renew("a", "ticket of a", 1000.0)


# -- those who write at the same moment


async def test_many_may_open_a_new_file_at_once(tmp_path):
    """One of them makes it, and all of them count together."""
    path, granted = str(tmp_path / "leases.db"), []

    async def one(number: int) -> None:
        async with SqliteLeases(path, timeout=40.0) as leases:
            try:
                granted.append((await taken(leases, f"id {number}")).generation)
            except NoCapacity:
                assert await leases.count() == 3

    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(one, number)
    assert sorted(granted) == [1, 2, 3]


async def test_a_new_file_that_somebody_else_holds_is_waited_for(tmp_path):
    """SQLite itself does not wait while it is decided how a file is written."""
    path, told = str(tmp_path / "leases.db"), []

    async def open_it() -> None:
        async with SqliteLeases(path, timeout=40.0) as leases:
            told.append(await leases.count())

    with pytest.raises(LeasesUnavailable, match=r"not our turn in time|no answer within"):
        async with held(path), SqliteLeases(path, timeout=0.1):
            pass
    async with trio.open_nursery() as nursery, held(path):
        nursery.start_soon(open_it)
        await trio.sleep(0.05)
        assert told == []
    assert told == [0]


@asynccontextmanager
async def held(path):
    """Somebody writes to a file and lets nobody read it."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_an_open_that_sqlite_does_not_wait_for_is_tried_again(tmp_path, monkeypatch):
    """While another process changes how the file is written, SQLite says at once that it is busy."""
    prepare, busy = SqliteFile._prepare, [sqlite3.OperationalError("database is locked")]
    busy[0].sqlite_errorname = "SQLITE_BUSY"

    def busy_at_first(self, database) -> None:
        if busy:
            raise busy.pop()
        prepare(self, database)

    monkeypatch.setattr(SqliteFile, "_prepare", busy_at_first)
    async with SqliteLeases(str(tmp_path / "leases.db"), timeout=40.0) as leases:
        assert (await leases.count(), busy) == (0, [])


async def test_a_file_that_others_write_to_for_too_long_is_told(tmp_path):
    """Nothing was taken; afterwards it goes on."""
    path = str(tmp_path / "leases.db")
    async with SqliteLeases(path, timeout=0.2) as leases:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LeasesUnavailable, match=r"not our turn in time|no answer within"):
            await taken(leases)
        assert await leases.count() == 0  # who only reads does not wait
        other.execute("ROLLBACK")
        other.close()
    async with SqliteLeases(path, timeout=40.0) as leases:
        await taken(leases)


async def test_a_call_that_is_cancelled_does_not_wait_for_its_thread(tmp_path):
    """Its work is done afterwards, all of it, and what is asked next comes after it."""
    path = str(tmp_path / "leases.db")
    async with SqliteLeases(path, timeout=40.0) as leases:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with trio.move_on_after(0.1) as scope:
            await taken(leases)
        assert scope.cancelled_caught
        other.execute("ROLLBACK")
        other.close()
        assert await leases.count() == 1
        assert await leases.release("a", "ticket of a") is True
