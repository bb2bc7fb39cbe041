"""The command that looks at what lifecycle stands on: a real good and a real bad case of each look."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from click.testing import CliRunner

from lifecycle.cli import main
from lifecycle.cli import surroundings as around
from lifecycle.cli.doctor import doctor
from lifecycle.cli.requirement import PACKAGE, Requirement, requirements
from lifecycle.definition.read import bundled
from lifecycle.registry.redis.doctor import look_at_redis
from lifecycle.trio.doctor import judge_clock, look_at_clock, look_at_endpoint

from .registry.redis_server import RedisServer, free_port, needs_redis

SOON = 1.0
ECHO = """
import ssl, sys, trio, trio_websocket

async def echo(request):
    async with await request.accept() as connection:
        with __import__("contextlib").suppress(trio_websocket.ConnectionClosed):
            await connection.get_message()

async def main():
    context = None
    if sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, echo, "127.0.0.1", 0, context)
        print(server.port, flush=True)

trio.run(main)
"""


def run(*arguments, prefix="", **environment):
    """Run the command in a Python of its own; its exit code, and what it found by name."""
    command = [sys.executable, "-m", "lifecycle", "doctor", "--json", *arguments]
    if prefix:
        command = ["/bin/sh", "-c", f'{prefix} && exec "$0" "$@"', *command]
    settings = {name: value for name, value in os.environ.items() if name != "LIFECYCLE_REDIS"}
    if "PYTHONPATH" in environment and "PYTHONPATH" in settings:
        environment["PYTHONPATH"] += os.pathsep + settings["PYTHONPATH"]
    done = subprocess.run(
        command, env={**settings, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["good"] is (done.returncode == 0)
    return done.returncode, {each["what"]: each for each in told["checks"]}


def by_name(found):
    """What was found, by its name."""
    return {each.what: each for each in found}


def verdicts(found):
    """The verdicts alone, by name."""
    return {each.what: each.verdict for each in found}


@contextlib.contextmanager
def web_server(ahead=0.0, *, date=True):
    """A web server of this process whose clock is off; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            if date:
                self.send_response(200)
            else:
                self.send_response_only(200)
            self.end_headers()

        def date_time_string(self, timestamp=None):
            return super().date_time_string(time.time() + ahead)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def silent_listener():
    """A port that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def echo_server(*certificate):
    """A real WebSocket server in its own process; its port."""
    command = [sys.executable, "-c", ECHO, *certificate]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_a_sound_machine_has_no_failure():
    """Here nothing fails: Python, TLS, both transports, and every bundled page."""
    code, found = run()
    assert code == 0
    for what in ("python", "openssl", "transport trio-websocket", "transport websockets", "pages"):
        assert found[what]["verdict"] == "ok", found[what]
        assert not found[what]["advice"]
    assert found["pages"]["found"] == f"{len(bundled())} bundled pages can be read"
    assert ssl.OPENSSL_VERSION in found["openssl"]["found"]


def test_it_is_a_command_with_lines(capsys, monkeypatch):
    """At a terminal each look is a line, advice stands below it, and a failure is exit code 1."""
    monkeypatch.setattr("lifecycle.cli.doctor.openssl", lambda: [around.python("3.9.2")])
    with pytest.raises(SystemExit) as exit_:
        main(["doctor"])
    assert exit_.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fail  python: 3.9.2, where >=3.11"))
    assert lines[at + 1] == "      -> install a newer Python, and make a new virtual environment with it"


def test_without_ssl_it_says_what_is_broken(tmp_path):
    """Where `ssl` cannot be loaded it still starts, names the cause once, and says what to do; the rest is looked at."""
    (tmp_path / "ssl.py").write_text("raise ImportError('DLL load failed while importing _ssl: not found')")
    far = ["--redis", "redis://:hush@127.0.0.1:1/0", "--connect", "ws://127.0.0.1:1/", "--clock", "http://127.0.0.1:1"]
    code, found = run(*far, PYTHONPATH=str(tmp_path))
    assert code == 1
    assert found["openssl"]["verdict"] == "fail"
    assert "DLL load failed while importing _ssl" in found["openssl"]["found"]
    assert "new virtual environment" in found["openssl"]["advice"]
    assert "conda install -c conda-forge openssl" in found["openssl"]["advice"]
    assert "certificates" not in found
    assert found["transport trio-websocket"]["verdict"] == "fail"
    assert found["transport trio-websocket"]["advice"] == "see to openssl first"
    for what in ("redis", "connect", "clock"):
        assert found[what]["found"].startswith("not looked at: DLL load failed")
    assert found["pages"]["verdict"] == found["python"]["verdict"] == "ok"


def test_an_old_openssl_is_told(monkeypatch):
    """A version without security fixes is a warning."""
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", (1, 1, 1, 23, 15))
    assert around.openssl()[0].verdict == "warn"


def test_a_context_that_cannot_be_made_is_told(monkeypatch, tmp_path):
    """TLS that loads and does not work is a failure."""
    broken = tmp_path / "certificates.pem"
    broken.write_text("no certificate")

    def refuse():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(broken)

    monkeypatch.setattr(ssl, "create_default_context", refuse)
    told = by_name(around.openssl())["certificates"]
    assert told.verdict == "fail"
    assert told.found.startswith("no TLS context can be made: ")


def test_no_authorities_and_few_files(tmp_path):
    """A machine that trusts nobody is warned of, and one that may open few files; the latter with how to raise it."""
    nobody = {"SSL_CERT_FILE": str(tmp_path / "nothing.pem"), "SSL_CERT_DIR": str(tmp_path / "nothing")}
    code, found = run(prefix="ulimit -S -n 512", **nobody)
    assert code == 0
    assert found["certificates"]["verdict"] == "warn"
    assert str(tmp_path / "nothing.pem") in found["certificates"]["found"]
    assert found["open files"]["verdict"] == "warn"
    assert "at most 512" in found["open files"]["found"]
    assert f"LimitNOFILE={around.LEAST_FILES}" in found["open files"]["advice"]


def test_authorities_in_a_folder_count(tmp_path, monkeypatch):
    """Certificates that are loaded from a folder when they are needed are certificates."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "12345678.0")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    told = by_name(around.openssl())["certificates"]
    assert (told.verdict, told.found) == ("ok", f"1 certificates of authorities ({tmp_path})")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "12345678.0"))
    assert by_name(around.openssl())["certificates"].verdict == "warn"


@pytest.mark.parametrize(
    ("limits", "verdict", "advice"),
    [
        ((4096, 4096), "ok", ""),
        ((1024, 1024), "warn", "as root"),
        ((256, 4096), "warn", "ulimit -n 4096"),
        ((-1, -1), "ok", ""),
    ],
)
def test_open_files(limits, verdict, advice, monkeypatch):
    """What to do depends on whether a user may raise the limit himself."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    told = around.files()
    assert told.verdict == verdict
    assert advice in told.advice
    assert bool(told.advice) is bool(advice)


def test_a_system_without_such_limits(monkeypatch):
    """Windows has no module for them."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert around.files().verdict == "ok"


def install(folder, *needs, python=">=3.11"):
    """Make a folder in which pip might have installed us, with what we need."""
    info = folder / "connection_lifecycle-9.9.dist-info"
    info.mkdir()
    extras = [f"Provides-Extra: {extra}" for extra in ("old", "odd", "redis", "test", "websockets")]
    lines = ["Metadata-Version: 2.4", f"Name: {PACKAGE}", "Version: 9.9", f"Requires-Python: {python}", *extras]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)]) + "\n")


def test_what_is_installed_is_held_against_what_is_needed(tmp_path, monkeypatch):
    """The metadata of the installed package says what fits; extras that nobody asked for are no fault."""
    install(
        tmp_path,
        "trio>=0.30",
        "trio-websocket<0.1,>=0.0.1",
        "no-such-package>=2",
        "websockets<18,>=12; extra == 'websockets'",
        'h11>=99; extra == "odd"',
        "no-such-package>=1 ; extra == 'redis'",
        "no-such-package; extra == 'test'",
        "no-such-package; python_version < '3' and extra == 'old'",
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = by_name(around.packages())
    assert {name: each.verdict for name, each in found.items()} == {
        "package trio-websocket": "fail",
        "package no-such-package": "fail",
        "extra odd": "warn",
        "extra redis": "ok",
        "extra websockets": "ok",
    }
    assert "where <0.1,>=0.0.1 is needed" in found["package trio-websocket"].found
    assert found["package trio-websocket"].advice == "pip install 'trio-websocket<0.1,>=0.0.1'"
    assert found["package no-such-package"].found == "not installed"
    assert found["extra redis"].advice == "pip install 'connection-lifecycle[redis]', if it is wanted"
    assert "h11" in found["extra odd"].found


def test_all_that_is_needed_is_there(tmp_path, monkeypatch):
    """One line stands for all packages that fit, with the version of trio."""
    install(tmp_path, "trio>=0.30", "attrs")
    monkeypatch.syspath_prepend(tmp_path)
    [told] = around.packages()
    assert told.verdict == "ok"
    assert told.found.startswith("all 2 fit: trio 0.")


def test_a_python_that_the_package_refuses(tmp_path, monkeypatch):
    """The bound is the installed package's."""
    assert around.python().verdict == "ok"
    install(tmp_path, python=">=3.99")
    monkeypatch.syspath_prepend(tmp_path)
    told = around.python()
    assert told.verdict == "fail"
    assert "where >=3.99 is needed" in told.found


def test_a_checkout_knows_no_versions(monkeypatch):
    """Without metadata nothing can be said, which is said."""
    monkeypatch.setattr(around, "requirements", lambda: None)
    [told] = around.packages()
    assert told.verdict == "warn"
    assert "is not installed" in told.found
    monkeypatch.setattr("lifecycle.cli.requirement.PACKAGE", "no-such-package")
    assert requirements() is None


def test_versions_that_are_no_releases():
    """An early version of what is too new does not fit, one of what is wanted does; what nobody understands does not."""
    needed = Requirement.parse("some-package[part]<2,>=1.5")
    assert needed == Requirement("some-package", "<2,>=1.5")
    assert [version for version in ("1.5", "1.99", "1.6rc1") if not needed.fits(version)] == []
    assert [version for version in ("2", "1.4", "1.5rc1", "odd") if needed.fits(version)] == []


def test_transports_that_are_missing_or_broken(tmp_path, monkeypatch):
    """An extra transport may be absent; one that is there and cannot be loaded is a warning."""
    monkeypatch.setattr(around, "_TRANSPORTS", {"no-such-transport": "websockets"})
    [told] = around.transports()
    assert (told.verdict, told.found) == ("ok", "not installed")
    assert "pip install 'connection-lifecycle[websockets]'" in told.advice
    (tmp_path / "websockets.py").write_text("raise OSError('half of it is missing')")
    code, found = run(PYTHONPATH=str(tmp_path))
    assert code == 0
    assert found["transport websockets"]["verdict"] == "warn"
    assert "half of it is missing" in found["transport websockets"]["found"]


def test_pages_that_cannot_be_read(tmp_path):
    """A broken page is named with its problem; no pages at all is a broken installation."""
    page = tmp_path / "broken.yaml"
    page.write_text("lifecycle: 1\npage: other\n")
    told = around.pages([str(page)])
    assert told.verdict == "fail"
    assert "broken.yaml" in told.found
    assert "--force-reinstall" in told.advice
    assert around.pages([]).verdict == "fail"


def test_an_endpoint_that_answers():
    """TCP and the upgrade are a line each."""
    with echo_server() as port:
        found = look_at_endpoint(f"ws://127.0.0.1:{port}/?token=hush")
    assert verdicts(found) == {"endpoint tcp": "ok", "endpoint upgrade": "ok"}
    assert "hush" not in repr(found)


def test_an_endpoint_with_tls(tmp_path):
    """With TLS there is a line for it: ok for who trusts the server, a failure that says why for who does not."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with echo_server(str(tmp_path / "server.pem")) as port:
        url = f"wss://127.0.0.1:{port}/"
        code, found = run("--connect", url, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert code == 0
        assert found["endpoint tls"]["verdict"] == found["endpoint upgrade"]["verdict"] == "ok"
        refused = look_at_endpoint(url)
    assert verdicts(refused) == {"endpoint tcp": "ok", "endpoint tls": "fail"}
    assert "the certificate is refused" in refused[-1].found
    assert "SSL_CERT_FILE" in refused[-1].advice


def test_endpoints_that_do_not_answer():
    """A closed port, a server of something else, and one that says nothing are told apart, each with advice."""
    [closed] = look_at_endpoint(f"ws://127.0.0.1:{free_port()}/")
    assert (closed.what, closed.verdict) == ("endpoint tcp", "fail")
    assert "nobody listens there" in closed.advice
    with web_server() as port:
        other = look_at_endpoint(f"ws://127.0.0.1:{port}/")
    assert verdicts(other) == {"endpoint tcp": "ok", "endpoint upgrade": "fail"}
    assert "HTTP status 501" in other[-1].found
    assert "the server refuses" in other[-1].advice
    with silent_listener() as port:
        silent = look_at_endpoint(f"ws://127.0.0.1:{port}/", SOON)
    assert verdicts(silent) == {"endpoint tcp": "ok", "endpoint upgrade": "fail"}
    assert "nothing within 1 s" in silent[-1].found


@pytest.mark.parametrize(("ahead", "verdict"), [(0.0, "ok"), (-60.0, "warn"), (60.0, "warn"), (3600.0, "fail")])
def test_a_clock_is_held_against_a_web_server(ahead, verdict):
    """A minute off is a warning, an hour a failure."""
    with web_server(ahead) as port:
        told = look_at_clock(f"ws://127.0.0.1:{port}/")
    assert told.verdict == verdict
    assert bool(told.advice) is (verdict != "ok")
    if ahead:
        assert ("behind" if ahead > 0 else "ahead") in told.found


def test_a_clock_that_cannot_be_had():
    """No date, no answer, no server, and a date that is none."""
    with web_server(date=False) as port:
        assert look_at_clock(f"http://127.0.0.1:{port}/").verdict == "warn"
    with silent_listener() as port:
        assert "no answer within 1 s" in look_at_clock(f"http://127.0.0.1:{port}/", SOON).found
    told = look_at_clock(f"https://127.0.0.1:{free_port()}/")
    assert (told.verdict, told.found) == ("fail", "https://127.0.0.1: Connection refused")
    assert judge_clock("clock", 1.0).verdict == "ok"


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("--connect", "http://user:hush@host/"),
        ("--connect", "wss://user:hush@host/"),
        ("--clock", "ftp://user:hush@host/"),
        ("--clock", "http://host:hush/"),
        ("--redis", "http://user:hush@host/"),
        ("--redis", "redis://host:hush/"),
    ],
)
def test_what_is_no_url_is_bad_input(option, url, capsys):
    """It exits with 2, says what to write, and does not repeat the URL."""
    with pytest.raises(SystemExit) as exit_:
        main(["doctor", option, url])
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert option in err
    assert "hush" not in out + err


def test_an_extra_that_a_look_needs(monkeypatch):
    """A Redis is asked for, and its library is not there: a failure that says what to install."""
    for name in [name for name in sys.modules if name.startswith("lifecycle.registry.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "coredis", None)
    done = CliRunner().invoke(doctor, ["--json"], env={"LIFECYCLE_REDIS": "redis://127.0.0.1/"}, standalone_mode=False)
    assert done.return_value == 1
    told = json.loads(done.stdout)["checks"][-1]
    assert (told["what"], told["verdict"]) == ("redis", "fail")
    assert told["advice"] == "pip install 'connection-lifecycle[redis]'"


@needs_redis
def test_a_redis_that_keeps_what_it_grants(tmp_path):
    """Version, latency, clock, persistence and memory are a line each, and all is well; its password is told nowhere."""
    keeps = ("--appendonly", "yes", "--appendfsync", "always", "--requirepass", "hush")
    with RedisServer(tmp_path, *keeps) as server:
        url = server.url.replace("redis://", "redis://:hush@")
        code, found = run(LIFECYCLE_REDIS=url)
        wrong = look_at_redis(url.replace("hush", "hushed"))
    assert code == 0
    assert {what: each["verdict"] for what, each in found.items() if what.startswith("redis")} == {
        "redis": "ok",
        "redis latency": "ok",
        "redis clock": "ok",
        "redis persistence": "ok",
        "redis memory": "ok",
    }
    assert server.url in found["redis"]["found"]
    assert "appendfsync always" in found["redis persistence"]["found"]
    assert "hush" not in json.dumps(found)
    assert [each.verdict for each in wrong] == ["fail"]
    assert "user and password" in wrong[0].advice
    assert "hush" not in repr(wrong)


@needs_redis
def test_a_redis_that_forgets(tmp_path):
    """Without a file it forgets, with a lazy one it forgets a little, and it may forget what it evicts."""
    with RedisServer(tmp_path) as server:
        found = by_name(look_at_redis(server.url))
        assert found["redis persistence"].verdict == "warn"
        assert "appendonly yes" in found["redis persistence"].advice
        server.say("CONFIG", "SET", "appendonly", "yes", "maxmemory-policy", "volatile-ttl")
        found = by_name(look_at_redis(server.url))
        assert (found["redis persistence"].verdict, found["redis memory"].verdict) == ("warn", "warn")
        assert "appendfsync everysec" in found["redis persistence"].found
        server.say("CONFIG", "SET", "maxmemory", "100mb")
        found = by_name(look_at_redis(server.url))
        assert found["redis memory"].verdict == "fail"
        assert "noeviction" in found["redis memory"].advice
        server.pause()
        [told] = look_at_redis(server.url, SOON)
        assert told.verdict == "fail"
        assert server.url in told.found
        server.resume()
        server.say("REPLICAOF", "127.0.0.1", "1")
        assert "a replica" in by_name(look_at_redis(server.url))["redis"].found
    [told] = look_at_redis(server.url)
    assert (told.verdict, told.found) == (
        "fail",
        f"{server.url} is not available: nobody listens there: start it, or look at the URL",
    )


@needs_redis
def test_a_redis_without_config(tmp_path):
    """Where CONFIG is forbidden, as by many who host it, what INFO says is enough."""
    with RedisServer(tmp_path, "--appendonly", "yes", "--rename-command", "CONFIG", "") as server:
        told = by_name(look_at_redis(server.url))["redis persistence"]
    assert (told.verdict, told.found) == ("ok", "appendonly yes")
