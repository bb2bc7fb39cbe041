"""The command line: what it prints, and how it exits."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lifecycle.cli import main
from lifecycle.definition.read import bundled, specs
from lifecycle.testing import replays

BROKEN = """\
lifecycle: 1
page: broken
role: client
hears: {disconnect: {}}
states:
  idle:
    status: idle
    rest: true
    clauses:
      B1: {on: disconect, to: idel}
      B2: {after: 5, to: idle}
"""


def run(*arguments):
    """Run the command line in this process; its exit code."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    return exit_.value.code


def test_check_without_a_path_is_of_the_bundled_pages(capsys, monkeypatch):
    """One line each; here of a few, for they are all proven elsewhere."""
    few = ["heartbeat", "reconnect", "websocket"]
    assert set(few) < set(bundled())
    monkeypatch.setattr("lifecycle.cli.pages.bundled", lambda: few)
    assert run("check") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == few


def test_check_prints_laws_and_numbers(capsys):
    """The line of a good page says how many laws it keeps, and the numbers that it promises."""
    assert run("check", "websocket") == 0
    out, err = capsys.readouterr()
    assert out.startswith("websocket: keeps 21 laws")
    assert "stop-always: at most 5 s from `disconnect` to rest" in out
    assert "a half-open peer is noticed within 40 s" in out
    assert "states/s" in err


def test_check_of_a_broken_page_shows_the_way(tmp_path, capsys):
    """A page that breaks a law exits with 1: a line for editors, numbered steps, a diagram, and a trace to replay."""
    page = tmp_path / "websocket.yaml"
    text = (specs() / "websocket.yaml").read_text(encoding="utf-8")
    page.write_text(text.replace("WS2: {on: done, to: closed}", "WS2: {on: done, to: waiting}"), encoding="utf-8")
    assert run("check", str(page), "--diagram", "--traces", str(tmp_path)) == 1
    out, err = capsys.readouterr()
    assert f"{page}:" in err
    assert "law `stop-always` is broken" in err
    assert "  1.      0 s  (start)" in err
    assert out.startswith("sequenceDiagram")
    trace = tmp_path / "websocket.jsonl"
    assert run("replay", str(trace), "--page", str(page)) == 0
    assert run("replay", str(trace)) == 1
    assert f"{trace}:" in capsys.readouterr().err


def test_check_proves_other_parameters(capsys):
    """With -p the numbers are those of other parameters, of one page."""
    assert run("check", "websocket", "-p", "close_timeout=7 s") == 0
    assert "at most 7 s from `disconnect` to rest" in capsys.readouterr().out
    assert run("check", "websocket", "heartbeat", "-p", "close_timeout=7 s") == 2
    assert run("check", "websocket", "-p", "close_timeot=7 s") == 2
    assert "did you mean `close_timeout`" in capsys.readouterr().err


def test_certify_writes_and_check_agrees(tmp_path, capsys):
    """What certify writes is fresh until the page changes, is missing, or belongs to no page."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("heartbeat", "reconnect"):
        shutil.copy(specs() / f"{name}.yaml", pages)
    assert run("certify", str(pages)) == 0
    assert run("certify", str(pages), "--check") == 0
    page = pages / "heartbeat.yaml"
    page.write_text(
        page.read_text(encoding="utf-8").replace("heartbeat_wait:  {duration: 20 s", "heartbeat_wait:  {duration: 9 s"),
        encoding="utf-8",
    )
    (pages / "reconnect.yaml").unlink()
    capsys.readouterr()
    assert run("certify", str(pages), "--check") == 1
    err = capsys.readouterr().err
    assert f"{pages / 'certificates' / 'heartbeat.md'}: is not fresh: run `lifecycle certify`" in err
    assert f"{pages / 'certificates' / 'reconnect.md'}: there is no such page" in err


def test_a_page_that_breaks_a_law_gets_no_certificate(tmp_path, capsys):
    """Certify exits with 1 and writes nothing for a page that breaks a law."""
    page = tmp_path / "heartbeat.yaml"
    text = (specs() / "heartbeat.yaml").read_text(encoding="utf-8")
    page.write_text(
        text.replace("good: {open: [heard]}", "good: {open: [heard]}\nlaws: [{never: {in: asking}}]"), encoding="utf-8"
    )
    assert run("certify", str(page)) == 1
    assert "`never asking` is broken" in capsys.readouterr().err
    assert not (tmp_path / "certificates").exists()


def test_diff_tells_what_changed(tmp_path, capsys):
    """Two versions of a page differ by clause and number; the same page does not."""
    assert run("diff", "heartbeat", "heartbeat") == 0
    assert capsys.readouterr().out == "version: nothing changed\n"
    page = tmp_path / "websocket.yaml"
    text = (specs() / "websocket.yaml").read_text(encoding="utf-8")
    page.write_text(text.replace("WS4: {on: refused, to: failed}", "WS4: {on: refused, to: waiting}"), encoding="utf-8")
    capsys.readouterr()
    assert run("diff", "websocket", str(page), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert {
        "kind": "clause",
        "name": "`WS4`",
        "how": "changed",
        "said": "to `failed` → `waiting`",
        "weight": "minor",
    } in found["changes"]
    assert found["version"] in ("minor", "major")


def test_vectors_are_json(capsys):
    """Conformance vectors are one JSON object with every clause of the page."""
    assert run("vectors", "heartbeat") == 0
    found = json.loads(capsys.readouterr().out)
    assert {clause for vector in found["vectors"] for clause in vector["clauses"]} == {"HB1", "HB2", "HB3"}


def test_check_tells_every_problem_with_its_place(tmp_path, capsys):
    """A wrong page exits with 2, and each problem is a line with file, line and column on stderr."""
    page = tmp_path / "broken.yaml"
    page.write_text(BROKEN)
    assert run("check", str(page)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{page}:11:19: expected a duration, found `5`: write the number with its unit, such as `10 s`" in err


def test_check_as_json_is_one_object(tmp_path, capsys):
    """With --json the same problems are data."""
    page = tmp_path / "broken.yaml"
    page.write_text(BROKEN)
    assert run("check", str(page), "--json") == 2
    [report] = json.loads(capsys.readouterr().out)["pages"]
    assert report["good"] is False
    assert {"file", "line", "column", "what", "remedy", "text"} <= set(report["problems"][0])


def test_check_verbose_lists_the_interface(capsys):
    """-v says what can be set, and which page it comes from."""
    assert run("check", "websocket", "-v") == 0
    out = capsys.readouterr().out
    assert "parameter heartbeat_after: duration, 20 s  (from heartbeat)" in out
    assert "parameter token: secret, optional  (from websocket)" in out
    assert "variable waiting.attempts: count  (from reconnect)" in out


def test_unknown_page_is_bad_input(capsys):
    """A name that is no bundled page exits with 2 and offers the nearest."""
    assert run("check", "websockt") == 2
    assert "did you mean `websocket`?" in capsys.readouterr().err


def test_missing_file_is_bad_input(tmp_path, capsys):
    """A file that is not there exits with 2, without a traceback."""
    assert run("check", str(tmp_path / "nothing.yaml")) == 2
    err = capsys.readouterr().err
    assert "cannot be read" in err
    assert "Traceback" not in err


def test_folder_without_pages_is_bad_input(tmp_path, capsys):
    """An empty folder is not silently good."""
    assert run("check", str(tmp_path)) == 2
    assert "holds no pages" in capsys.readouterr().err


def test_unknown_option_is_bad_input(capsys):
    """What click does not know exits with 2."""
    assert run("check", "--nonsense") == 2
    assert "nonsense" in capsys.readouterr().err


def test_help_and_version(capsys):
    """Both are there, and good."""
    assert run("--help") == 0
    assert "connect" in capsys.readouterr().out
    assert run("--version") == 0


def test_draw_writes_and_check_agrees(tmp_path, capsys):
    """What was just drawn is what the page is."""
    assert run("draw", "heartbeat", "reconnect", "-o", str(tmp_path)) == 0
    assert {file.suffix for file in tmp_path.iterdir()} == {".mmd", ".dot", ".svg", ".md"}
    assert run("draw", "heartbeat", "reconnect", "-o", str(tmp_path), "--check") == 0


def test_draw_check_names_the_clause_whose_target_changed(tmp_path, capsys):
    """Changing one target in a page makes the check fail and name the clause."""
    pages, drawings = tmp_path / "pages", tmp_path / "diagrams"
    shutil.copytree(specs(), pages)
    assert run("draw", str(pages), "-o", str(drawings)) == 0
    capsys.readouterr()
    page = pages / "websocket.yaml"
    page.write_text(page.read_text().replace("WS4: {on: refused, to: failed}", "WS4: {on: refused, to: waiting}"))
    assert run("draw", str(pages), "-o", str(drawings), "--check") == 1
    err = capsys.readouterr().err
    assert "WS4" in err
    assert "websocket" in err


def test_schema_prints_json(capsys):
    """The schema is JSON, and the one in the package."""
    assert run("schema") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["title"]
    assert printed == (specs() / "lifecycle.schema.json").read_text()


def test_connect_refuses_wrong_parameters_all_at_once(capsys):
    """Unknown, wrong and malformed parameters are told together, and nothing is dialled."""
    assert run("connect", "websocket", "ftp://x", "-p", "colour=red", "-p", "max_attempts=many") == 2
    err = capsys.readouterr().err
    assert "no parameter `colour`" in err
    assert "`max_attempts`: expected a whole number" in err
    assert "'ftp://x' is no WebSocket URL" in err
    assert run("connect", "websocket", "ws://x/", "-p", "nonsense") == 2
    assert "write NAME=VALUE" in capsys.readouterr().err


def test_connect_refuses_a_fragment(capsys):
    """A page without a role cannot be opened, and says why."""
    assert run("connect", "heartbeat", "ws://127.0.0.1:1/") == 2
    assert "heartbeat: it is a fragment, to be used by other pages" in capsys.readouterr().err


def test_connect_makes_the_calls_of_a_system(capsys):
    """What its calls take is given by -p as well, and shows itself nowhere."""
    given = ["-p", "token=hush", "-p", "max_attempts=0", "-p", "redial={first: 1 s}"]
    command = [sys.executable, "-m", "lifecycle", "connect", "openclaw-gateway", "ws://127.0.0.1:9/", *given]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.wait(30) == 1
        told = done.stdout.read() + done.stderr.read()
        done.stdin.close()
    assert "The gateway was not to be reached" in told
    assert "hush" not in told
    assert run("connect", "openclaw-gateway", "ws://127.0.0.1:9/", "-p", "device=/dev/null") == 2
    assert "/dev/null" in capsys.readouterr().err


def test_connect_says_what_a_system_needs(capsys, monkeypatch):
    """Without its extra there is a sentence, and no traceback."""
    for name in [name for name in sys.modules if name.startswith("lifecycle.systems.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert run("connect", "openclaw-gateway", "ws://127.0.0.1:9/") == 2
    assert "pip install 'connection-lifecycle[openclaw]'" in capsys.readouterr().err


def test_connect_gives_up_with_exit_code_1():
    """A server that is not there: the page's attempts are made, its sentence is told, and the exit code is 1."""
    command = [sys.executable, "-m", "lifecycle", "connect", "websocket", "ws://127.0.0.1:9/"]
    fast = ["-p", "max_attempts=2", "-p", "redial={first: 20 ms, max: 40 ms, floor: 10 ms}"]
    with subprocess.Popen(
        [*command, *fast], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.wait(30) == 1
        err = done.stderr.read()
        done.stdin.close()
    assert "The server was not to be reached; no more attempts are made." in err
    assert "Traceback" not in err


SERVER = """
import trio, trio_websocket

async def echo(request):
    connection = await request.accept()
    try:
        while True:
            await connection.send_message("echo " + await connection.get_message())
    except trio_websocket.ConnectionClosed:
        pass

async def main():
    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, echo, "127.0.0.1", 0, None)
        print(server.port, flush=True)

trio.run(main)
"""


@pytest.fixture
def echo_server():
    """A real WebSocket server in its own process; its URL."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
        process.kill()


def spoken(command, *lines, last):
    """Send lines, read until the last answer, then end the input; what was printed.

    A server that hears our goodbye need not answer what came before it.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.writelines(f"{line}\n" for line in lines)
        process.stdin.flush()
        out = []
        while (line := process.stdout.readline()) and line != last:
            out.append(line)
        out += [line, *process.communicate(timeout=30)[0].splitlines(keepends=True)]
    assert process.returncode == 0
    return out


def test_connect_sends_lines_and_prints_messages(echo_server, tmp_path):
    """Lines of stdin go out, answers come in, the end of stdin closes, and the trace of it replays."""
    trace = tmp_path / "trace.jsonl"
    command = [sys.executable, "-m", "lifecycle", "connect", "websocket", echo_server, "--trace", str(trace)]
    assert spoken(command, "one", "two", last="echo two\n") == ["echo one\n", "echo two\n"]
    told = [json.loads(line) for line in trace.read_text().splitlines()]
    assert [row["event"] for row in told if "cause" in row] == ["@start", "connect", "opened", "disconnect", "closed"]
    replays(trace)


def test_connect_as_json(echo_server):
    """With --json every line of stdout is an object."""
    command = [sys.executable, "-m", "lifecycle", "connect", "websocket", echo_server, "--json"]
    rows = [json.loads(line) for line in spoken(command, "one", last='{"message": "echo one"}\n')]
    assert {"message": "echo one"} in rows
    assert rows[-1]["step"]["status"] == "closed"


def test_output_that_nobody_reads_is_no_traceback():
    """A closed pipe behind us ends quietly."""
    script = f"{sys.executable} -m lifecycle check -v connection heartbeat websocket | head -1"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr


def test_page_of_ones_own_from_a_file(echo_server, tmp_path):
    """A page beside no other uses bundled pages."""
    page = tmp_path / "mine.yaml"
    page.write_text(
        textwrap.dedent("""\
            lifecycle: 1
            page: mine
            role: client
            hears: {disconnect: {}}
            causes:
              - {otherwise: true, is: lost}
            states:
              online:
                use: connection
                clauses:
                  M1: {on: done, to: over}
                  M2: {on: lost, to: over}
              over: {status: closed, final: done}
            """)
    )
    command = [sys.executable, "-m", "lifecycle", "connect", str(page), echo_server]
    assert spoken(command, "x", last="echo x\n") == ["echo x\n"]


def test_specs_are_where_the_package_says():
    """The bundled pages are files."""
    assert all(Path(specs() / f"{name}.yaml").is_file() for name in bundled())
