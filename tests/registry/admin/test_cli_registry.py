"""`lifecycle registry`: a service as a process, operators with curl and with our own commands."""

import http.client
import http.server
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import ClassVar

import pytest
import trio

from lifecycle.cli import main
from lifecycle.registry.admin.run import Service, serve_until_signals
from lifecycle.registry.at_place import list_place, revoke_at
from lifecycle.registry.lease import Terms
from lifecycle.registry.place import place_of

from .asking import CLEAR, JOIN, KEY, LEAVE, Client

ENV = "LIFECYCLE_REGISTRY_KEY"
HANGS = """\
import trio


class Avatars:
    async def begin(self, lease):
        print("begin", lease.id, flush=True)

    async def stop(self, lease):
        print("stop", lease.id, flush=True)
        if lease.id == "hangs":
            await trio.sleep_forever()


calls = Avatars()
"""


def run(*arguments):
    """Run the command line in this process; its exit code."""
    with pytest.raises(SystemExit) as exit_:
        main(["registry", *map(str, arguments)])
    return exit_.value.code


@contextmanager
def service(*arguments, cwd, key=KEY):
    """`lifecycle registry serve` as a process; its URL."""
    environment = {name: value for name, value in os.environ.items() if name != ENV}
    environment |= {} if key is None else {ENV: key}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "lifecycle", "registry", "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            process.url = process.stdout.readline().strip()
            assert process.url, process.stderr.read()
            yield process
        finally:
            process.kill()


@pytest.fixture
def key(monkeypatch):
    """The key, in the environment."""
    monkeypatch.setenv(ENV, KEY)


@pytest.fixture
def no_key(monkeypatch):
    """No key in the environment."""
    monkeypatch.delenv(ENV, raising=False)


def curl(*arguments):
    """What curl prints."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "50", *arguments],  # noqa: S607 -- whichever there is
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_operators_story_with_curl(tmp_path):
    """4002; look; leave one; it works again; clear all; SIGTERM: as in the operators' own handbook."""
    with service("--capacity", "2", "--without-key", cwd=tmp_path, key=None) as process:
        url = process.url
        json_ = ("--header", "Content-Type: application/json")

        def join(live_id):
            return curl(url + JOIN, *json_, "--data", json.dumps({"live_id": live_id, "avatar_type": "3min"}))

        assert [join(name)["result"]["status"] for name in ("a", "b", "a")] == ["started", "started", "already_active"]
        refused = join("c")
        assert refused["code"] == 4002
        assert "concurrency over limit" in refused["message"]
        assert curl(url + "/health")["active"] == 2
        sessions = curl(url + "/api/sessions")["sessions"]
        assert [(row["live_id"], row["status"]) for row in sessions] == [("a", "active"), ("b", "active")]
        assert curl("-X", "DELETE", url + LEAVE + "a")["cleaned_up"] is True
        assert join("c")["success"] is True
        assert curl("-X", "POST", url + CLEAR)["before"] == 2
        assert curl(url + "/api/sessions")["sessions"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 0


def _add(place, *names, owner="elsewhere:1"):
    async def add():
        async with place_of(place) as leases:
            for name in names:
                await leases.reserve(name, f"ticket {uuid.uuid4()}", owner, Terms(100, 600.0))

    trio.run(add)


def test_a_service_leaves_its_sessions_when_it_is_told_to_end(tmp_path, capsys, key):
    """SIGINT is as good as SIGTERM; what others hold in the same file stays."""
    (tmp_path / "avatars.py").write_text(HANGS)
    place = f"sqlite:{tmp_path / 'sessions.db'}"
    _add(place, "theirs")
    with service("--store", place, "--capacity", "9", "--calls", "avatars:calls", cwd=tmp_path) as process:
        with _joined(process.url, "a"):
            assert process.stdout.readline() == "begin a\n"
        assert run("list", process.url, "--json") == 0
        listed = json.loads(capsys.readouterr().out)
        assert [row["live_id"] for row in listed["sessions"]] == ["theirs", "a"]
        process.send_signal(signal.SIGINT)
        assert process.wait(50) == 0
        assert process.stdout.read() == "stop a\n"
        assert "Traceback" not in process.stderr.read()
    assert run("list", place, "--json") == 0
    assert [row["live_id"] for row in json.loads(capsys.readouterr().out)["sessions"]] == ["theirs"]


@contextmanager
def _joined(url, live_id):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=50)
    connection.request("POST", JOIN, json.dumps({"live_id": live_id}), {"Authorization": f"Bearer {KEY}"})
    assert connection.getresponse().status == 200
    yield
    connection.close()


def test_a_second_signal_ends_it_at_once(tmp_path, capsys, key):
    """Exit code 130, though a session does not let itself be stopped; its slot comes back when its lease runs out."""
    (tmp_path / "avatars.py").write_text(HANGS)
    place = f"sqlite:{tmp_path / 'sessions.db'}"
    with service("--store", place, "--capacity", "9", "--calls", "avatars:calls", cwd=tmp_path) as process:
        with _joined(process.url, "hangs"):
            pass
        process.send_signal(signal.SIGTERM)
        assert [process.stdout.readline() for _ in range(2)] == ["begin hangs\n", "stop hangs\n"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 130
    assert run("list", place) == 0
    assert "hangs" in capsys.readouterr().out


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    """A place in a file, and the URL of a surface on it."""
    folder = tmp_path_factory.mktemp("surface")
    place = f"sqlite:{folder / 'sessions.db'}"
    with service("--store", place, "--capacity", "9", cwd=folder) as process:
        yield place, process.url


@pytest.fixture
def places(surface, key):
    """Both, with three sessions of two owners."""
    place, url = surface
    revoke_at(place, [(lease.id, lease.generation) for lease in list_place(place)])
    _add(place, "a", "b", owner="one:1")
    _add(place, "c/ä", owner="two:2")
    return place, url


def _left(place, capsys):
    capsys.readouterr()
    assert run("list", place, "--json") == 0
    return [row["live_id"] for row in json.loads(capsys.readouterr().out)["sessions"]]


def test_a_surface_and_its_place_show_the_same(places, capsys):
    """A table for people, an object for programs; neither shows a ticket."""
    tables, objects = [], []
    for place in places:
        assert run("list", place) == 0
        tables.append(capsys.readouterr().out)
        assert run("list", place, "--json") == 0
        objects.append(json.loads(capsys.readouterr().out))
    assert tables[0] == tables[1]
    assert tables[0].splitlines()[0].split() == [
        "live_id",
        "status",
        "created",
        "last",
        "activity",
        "generation",
        "owner",
    ]
    assert "c/ä" in tables[0].splitlines()[3]
    assert [each["place"] for each in objects] == list(places)
    for one, other in zip(*(each["sessions"] for each in objects), strict=True):
        assert one.keys() == other.keys()
        assert {**one, "seconds_left": 0} == {**other, "seconds_left": 0}
    assert "ticket" not in json.dumps(objects)


@pytest.mark.parametrize("which", [0, 1], ids=["place", "url"])
def test_what_is_named_is_cleared_and_nothing_else(places, which, capsys):
    """By id, by owner, or everybody's; a place and a surface alike."""
    place = places[which]
    assert run("clear", place, "c/ä", "nobody", "--yes") == 0
    assert capsys.readouterr().out == "1 of 3 sessions were cleared\n"
    assert _left(places[0], capsys) == ["a", "b"]
    _add(places[0], "d", owner="two:2")
    assert run("clear", place, "--owner", "one:1", "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"place": place, "before": 3, "chosen": 2, "cleared": 2, "failed": {}}
    assert _left(places[0], capsys) == ["d"]
    assert run("clear", place, "--everybody", "--yes") == 0
    assert capsys.readouterr().out == "1 of 1 sessions were cleared\n"
    assert run("clear", place, "--everybody") == 0  # there is nothing to be asked about
    assert _left(places[0], capsys) == []


@pytest.mark.parametrize(
    ("said", "code", "left"), [("n\n", 1, 2), ("", 1, 2), ("y\n", 0, 0)], ids=["no", "nobody", "yes"]
)
def test_clearing_asks_first(said, code, left, tmp_path, capsys, monkeypatch):  # noqa: PLR0917 -- three values, and fixtures
    """It shows what it would end; no, and nobody to say yes, end nothing."""
    place = f"sqlite:{tmp_path / 'sessions.db'}"
    _add(place, "a", "b")
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    assert run("clear", place, "--everybody") == code
    told = capsys.readouterr().err
    assert f"end 2 of the 2 sessions of {place}?" in told
    assert "elsewhere:1" in told
    assert ("say --yes" in told) == (not said)
    assert len(_left(place, capsys)) == left


def test_one_that_cannot_be_cleared_is_told(tmp_path, capsys, key):
    """Exit code 1, with its name; the others are cleared."""
    (tmp_path / "avatars.py").write_text(
        "class Calls:\n    async def stop(self, lease):\n        assert lease.id != 'b', 'it hangs on'\n\n\ncalls = Calls()\n"
    )
    with service("--capacity", "9", "--calls", "avatars:calls", cwd=tmp_path) as process:
        for name in "abc":
            with _joined(process.url, name):
                pass
        assert run("clear", process.url, "--everybody", "--yes") == 1
        told = capsys.readouterr()
        assert told.out == "2 of 3 sessions were cleared\n"
        assert told.err.startswith("b: AssertionError: it hangs on")
        assert _left(process.url, capsys) == []


def test_the_key_may_stand_in_a_file(tmp_path, capsys, no_key):
    """It counts before the environment, and a wrong one is told without being shown."""
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "wrong").write_text("some-wrong-key\n")
    with service("--capacity", "1", "--key-file", str(tmp_path / "key"), cwd=tmp_path, key="another") as process:
        assert run("list", process.url, "--key-file", tmp_path / "key") == 0
        assert capsys.readouterr().out == "no sessions\n"
        assert run("list", process.url, "--key-file", tmp_path / "wrong") == 1
        assert run("list", process.url) == 1
        told = capsys.readouterr().err
    assert told.count("the key is missing or wrong") == 2
    assert "some-wrong-key" not in told


def test_what_cannot_be_reached_is_told(tmp_path, capsys, no_key):
    """A port where nobody listens, and a server that is none of ours: exit code 1 and no traceback."""
    assert run("list", "http://127.0.0.1:9") == 1
    assert "cannot be reached: connection refused" in capsys.readouterr().err
    program = "import http.server as s; h = s.HTTPServer(('127.0.0.1', 0), s.SimpleHTTPRequestHandler); print(h.server_port, flush=True); h.serve_forever()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path
    ) as other:
        port = other.stdout.readline().strip()
        assert run("clear", f"http://127.0.0.1:{port}", "--everybody", "--yes") == 1
        other.kill()
    assert "no admin surface of ours" in capsys.readouterr().err


WRONG = [
    (["list", "memory"], "URL of its admin surface"),
    (["list", "sessions.db"], "write memory, sqlite:PATH"),
    (["list", "sqlite:there-is-no.db"], "there is no file 'there-is-no.db'"),
    (["list", "http://anna:hush@localhost"], "no password in it"),
    (["list", "http://localhost:port"], "write http://HOST:PORT"),
    (["clear", "http://localhost:9"], "LIVE_ID…, --owner OWNER, or --everybody"),
    (["clear", "http://localhost:9", "a", "--everybody"], "in one way"),
    (["serve"], "--capacity"),
    (["serve", "--capacity", "0"], "--capacity"),
    (["serve", "--capacity", "1"], "say --without-key"),
    (["serve", "--capacity", "1", "--without-key", "--host", "example.org"], "only this machine is served"),
    (["serve", "--capacity", "1", "--without-key", "--store", "redis"], "write memory, sqlite:PATH"),
    (["serve", "--capacity", "1", "--without-key", "--calls", "json"], "is no MODULE:OBJECT"),
    (["serve", "--capacity", "1", "--without-key", "--calls", "json:nothing"], "is not to be had"),
    (["serve", "--capacity", "1", "--without-key", "--calls", "no_such_module:x"], "No module named"),
    (["serve", "--capacity", "1", "--without-key", "--calls", "json:dumps"], "neither begin nor stop"),
]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder, which we are in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=str)
def test_what_is_typed_wrong_is_told_with_what_to_write(arguments, says, capsys, no_key, elsewhere):
    """Exit code 2, and no password on the screen."""
    assert run(*arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert says in told
    assert "hush" not in told
    assert list(elsewhere.iterdir()) == []


def test_calls_that_are_not_async_are_told_both(tmp_path, capsys, no_key, monkeypatch):
    """What to write stands there."""
    (tmp_path / "not_async.py").write_text("class Calls:\n    def begin(self): ...\n    def stop(self): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert run("serve", "--capacity", "1", "--without-key", "--calls", "not_async:Calls") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "begin is not async: write `async def begin(lease)`" in told
    assert "stop is not async: write `async def stop(lease)`" in told


def test_a_key_and_that_there_is_none_do_not_fit(capsys, key):
    """One of them was said by mistake."""
    assert run("serve", "--capacity", "1", "--without-key") == 2
    assert ENV in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "two words", "schlüssel"])
def test_a_key_that_cannot_be_one_is_told(text, tmp_path, capsys, no_key):
    """Before anything is asked; it is not shown."""
    (tmp_path / "key").write_text(text, encoding="utf-8")
    assert run("list", "http://127.0.0.1:9", "--key-file", tmp_path / "key") == 2
    told = capsys.readouterr().err
    assert "holds no key" in told
    assert not text or text not in told


def test_a_key_in_clear_text_is_warned_of(capsys, key):
    """It goes to another machine, and not by TLS."""
    assert run("list", "http://no-such-host.invalid:9") == 1
    assert "use https://" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys, no_key, elsewhere):
    """Exit code 2: another one is to be chosen."""
    (elsewhere / "small_calls.py").write_text(HANGS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["--capacity", "1", "--without-key", "--calls", "small_calls:calls"]
        assert run("serve", *arguments, "--port", port) == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_ctrl_c_at_the_question_is_130(tmp_path, capsys, monkeypatch):
    """As anywhere else; nothing is cleared."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def readline(self, *_):
            raise KeyboardInterrupt

    place = f"sqlite:{tmp_path / 'sessions.db'}"
    _add(place, "a")
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert run("clear", place, "--everybody") == 130
    assert _left(place, capsys) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (("serve", "--capacity", "1", "--without-key"), "lifecycle.registry.admin.run"),
        (("list", "redis://localhost:1"), "lifecycle.registry.redis"),
    ],
)
def test_an_extra_that_is_missing_is_told(arguments, module, capsys, monkeypatch, no_key):
    """Exit code 2, and no traceback."""
    monkeypatch.setitem(sys.modules, module, None)
    assert run(*arguments) == 2
    assert module in capsys.readouterr().err


def test_the_surface_says_which_extra_it_needs(monkeypatch):
    """And how to install it."""
    for name in [name for name in sys.modules if name.startswith("lifecycle.registry.admin")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'connection-lifecycle\[admin\]'"):
        import_module("lifecycle.registry.admin")


ROW = {"live_id": "a", "status": "active", "created_at": 0, "last_activity": 0, "generation": 1, "owner": "x"}


class Odd(http.server.BaseHTTPRequestHandler):
    """A service that answers in JSON, and not as ours does."""

    answers: ClassVar = {}

    def _answer(self):
        status, body = self.answers[self.command]
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 -- as http.server calls them

    def log_message(self, *_):
        pass


ODD = [
    ({"GET": (200, {"sessions": 3})}, ["list"], "this is no admin surface of ours"),
    ({"GET": (200, {"sessions": [], "next": 5})}, ["list"], "this is no admin surface of ours"),
    ({"GET": (418, {})}, ["list"], "was refused: status 418"),
    (
        {"GET": (200, {"sessions": [ROW]}), "POST": (503, {"message": "away"})},
        ["clear", "--everybody", "--yes"],
        "away",
    ),
    (
        {"GET": (200, {"sessions": [ROW]}), "DELETE": (503, {"message": "away"})},
        ["clear", "a", "--yes"],
        "a: DELETE was refused: away",
    ),
]


@pytest.mark.parametrize(("answers", "arguments", "says"), ODD)
def test_odd_answers_are_not_believed(answers, arguments, says, capsys, no_key):
    """Exit code 1, and what was wrong with them."""
    Odd.answers = answers
    with http.server.HTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        command, *rest = arguments
        code = run(command, f"http://127.0.0.1:{server.server_port}/", *rest)
        server.shutdown()
        thread.join()
    assert code == 1
    assert says in capsys.readouterr().err


@pytest.mark.real_time
async def test_a_program_that_runs_trio_may_serve_until_signals():
    """One ends it in order; the second one, while a session does not let itself be stopped, at once."""
    codes, stopping = [], trio.Event()

    async def hang(lease):
        stopping.set()
        await trio.sleep_forever()

    async def twice(place):
        async with Client(int(place.url.rpartition(":")[2]), key=None) as client:
            assert (await client.ask("POST", JOIN, {"live_id": "a"})).status == 200
        signal.raise_signal(signal.SIGTERM)
        await stopping.wait()
        signal.raise_signal(signal.SIGINT)

    async def once(place):
        signal.raise_signal(signal.SIGTERM)

    for stop, then in ((None, once), (hang, twice)):
        service = Service("memory", 1, port=0, without_key=True, stop=stop)
        async with trio.open_nursery() as nursery:
            codes.append(await serve_until_signals(service, partial(nursery.start_soon, then)))
    assert codes == [0, 130]
