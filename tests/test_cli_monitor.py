"""The command that watches: where it stops, what it prints, what it refuses; and its how-to is true."""

import json
import logging
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import lifecycle
from lifecycle import PageError, WrongParameters
from lifecycle.cli.monitor import monitor
from lifecycle.definition.read import read_text
from lifecycle.proof.prove import prove
from lifecycle.proof.report import report
from lifecycle.wire.monitor import monitor as watching

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "docs" / "examples" / "reports.jsonl"
HOWTO = ROOT / "docs" / "howto" / "watch-a-foreign-client.md"
SESSION = "livekit-agent-session"


def run(*arguments, **more):
    """Run the command; its exit code, and what it says to stdout and stderr."""
    done = CliRunner().invoke(monitor, [str(each) for each in arguments], standalone_mode=False, **more)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


def lines(*rows):
    """Reports as they stand in a file."""
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def test_a_real_session_is_followed_to_its_end():
    """What a session of LiveKit has told is what the page allows; the numbers are on stderr."""
    assert run(SESSION, REPORTS) == (0, "", "25 reports, 23 steps; now in closed (closed)\n")


@pytest.mark.parametrize(
    ("missing", "at", "said"),
    [
        (None, 9.4, "18: at 9.4 s, early: `after away_timeout` (LU4) has ended after 8.014 s, and takes 15 s"),
        (
            17,
            16.4039,
            "17: at 16.404 s, illegal: `LU4` is not allowed in running.life.open + running.agent.speaking + ",
        ),
        (
            18,
            16.4039,
            "18: at 16.991 s, overdue: running.user.listening has lasted for 15.605 s: `after away_timeout` (LU4)",
        ),
    ],
)
def test_one_wrong_report_of_a_real_session(missing, at, said, tmp_path):
    """The user is away too early, or while the agent speaks; or nobody says that he is."""
    rows = REPORTS.read_text(encoding="utf-8").replace('"at": 16.4039,', f'"at": {at},').splitlines(keepends=True)
    file = tmp_path / "reports.jsonl"
    file.write_text("".join(row for number, row in enumerate(rows, 1) if number != missing), encoding="utf-8")
    code, out, _ = run(SESSION, file)
    assert (code, out[: len(f"{file}:{said}")]) == (1, f"{file}:{said}")


def test_the_first_mistake_ends_it(tmp_path):
    """Exit code 1, one line with file and line, and what was allowed; what stands behind is not read."""
    file = tmp_path / "reports.jsonl"
    file.write_text(lines({"at": 0, "event": "connect"}, "", {"at": 1, "event": "closed"}, "no JSON"), encoding="utf-8")
    code, out, err = run("websocket", file)
    assert code == 1
    assert out.startswith(
        f"{file}:3: at 1 s, illegal: `closed` is not allowed in online.dialing: the transport is dialing"
    )
    assert "(allowed: opened, disconnect, lost," in out
    assert err == "2 reports, 1 steps; now in online.dialing (connecting)\n"


def test_stdin_is_read_as_it_comes():
    """A state that lasts too long is found when time has passed, by a line that says only that; slack is for what is not exact."""
    told = lines({"at": 0, "event": "connect"}, {"at": 9}, {"at": 10.3})
    code, out, _ = run("websocket", input=told)
    assert (code, out.split(" (")[0]) == (
        1,
        "<stdin>:3: at 10.3 s, overdue: online.dialing has lasted for 10.3 s: `after connect_timeout`",
    )
    assert run("websocket", "-", "--slack", "0.5", input=told)[0] == 0
    assert run("websocket", "-", "-p", "connect_timeout=1 min", input=told)[0] == 0


def test_a_client_that_has_been_running_is_placed():
    """The first line says where it is."""
    told = lines({"at": 5, "states": ["online.up.trust.proven"]}, {"at": 6, "end": {"close": 1012}})
    assert run("websocket", input=told)[2] == "1 reports, 1 steps; now in waiting.backing_off (waiting)\n"


def test_messages_and_their_routes():
    """In a key of their own, or by their own keys; what no route takes is counted."""
    hello = {"type": "event", "event": "connect.challenge", "payload": {}}
    told = lines(
        {"at": 0, "event": "connect"}, {"at": 0, "event": "opened"}, {"at": 0, "type": "?"},
        {"at": 0, "message": "?"}, {"at": 0, **hello},
    )  # fmt: skip
    code, out, err = run("openclaw-gateway", input=told)
    assert (code, out) == (0, "")
    assert err.startswith("5 reports, 3 steps, 2 that no route took; now in online.up.greeting.")
    told = lines({"at": 0, "event": "connect"}, {"at": 0, "event": "disconnect"}, {"at": 0, "end": {"error": "reset"}})
    assert run("websocket", input=told)[2] == "3 reports, 2 steps, 1 of what was given up; now in closed (closed)\n"


def test_json_for_machines():
    """One object: what was found, with its file, and the numbers."""
    code, out, _ = run(
        "websocket", "-", "--json", input=lines({"at": 0, "event": "connect"}, {"at": 2, "clause": "WS1"})
    )
    told = json.loads(out)
    assert code == 1
    assert {key: told[key] for key in ("reports", "steps", "unrouted", "stale", "states", "status")} == {
        "reports": 2, "steps": 1, "unrouted": 0, "stale": 0, "states": ["online.dialing"], "status": "connecting",
    }  # fmt: skip
    (finding,) = told["findings"]
    assert (finding["file"], finding["line"], finding["kind"], finding["clause"]) == ("<stdin>", 2, "illegal", "WS1")
    assert (finding["time"], finding["state"]) == (2.0, "online.dialing")
    assert json.loads(run(SESSION, REPORTS, "--json")[1])["findings"] == []


def test_all_bad_lines_of_a_file_are_told(tmp_path):
    """Each with its number; of a stream only the first, for nobody waits for more."""
    wrong = ["no JSON", "[]", '{"event": "connect"}', '{"at": true}', '{"at": NaN}', f'{{"at": 1{"0" * 400}}}']
    file = tmp_path / "reports.jsonl"
    file.write_text(lines({"at": 0, "event": "connect"}, *wrong), encoding="utf-8")
    with pytest.raises(PageError) as caught:
        run("websocket", file)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5, 6, 7]
    first, second = str(caught.value).splitlines()[:2]
    assert first.startswith(f'{file}:2:1: not JSON at character 0: write {{"at": seconds}} with "event"')
    assert second.startswith(f"{file}:3:1: this has no time: write")
    with pytest.raises(PageError) as caught:
        run("websocket", input=lines({"at": 0, "event": "connect"}, *wrong))
    assert [problem.line for problem in caught.value.problems] == [2]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"at": 1, "event": "opened"}, "<stdin>:2:1: 1.0 is no time at 5.0 or later"),
        ({"at": 6, "states": ["online.upp"]}, "<stdin>:2:1: there is no state `online.upp`: did you mean `online.up`?"),
    ],
)
def test_a_line_that_cannot_be(row, words):
    """Time that goes backwards, a place that there is not: bad input, with its line."""
    with pytest.raises(PageError, match=re.escape(words)):
        run("websocket", input=lines({"at": 5, "event": "connect"}, row))


def test_bytes_that_are_no_text(tmp_path):
    """A file that is no UTF-8 is told with its line."""
    file = tmp_path / "reports.jsonl"
    file.write_bytes(b'{"at": 0, "event": "connect"}\n' + b"\xff" * 20)
    with pytest.raises(PageError, match="what follows is no UTF-8"):
        run("websocket", file)


def test_a_line_without_end(monkeypatch):
    """It is not held in memory."""
    monkeypatch.setattr("lifecycle.cli.monitor._LONGEST", 40)
    told = lines({"at": 0, "event": "connect"}, {"at": 1, "event": "opened", "fields": {"long": "x" * 50}})
    with pytest.raises(PageError, match="<stdin>:2:1: the line has 40 characters or more"):
        run("websocket", input=told)


def test_wrong_parameters_are_told():
    """As everywhere."""
    with pytest.raises(WrongParameters, match="did you mean `connect_timeout`"):
        run("websocket", "-p", "connect_timeot=1 s", input="")


# -- the how-to


def blocks(language):
    """The how-to's blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)


def test_the_howtos_commands_print_what_it_says(monkeypatch):
    """Line by line, but for what is allowed."""
    monkeypatch.chdir(ROOT)
    said = []
    for line in blocks("console")[0].splitlines():
        if line.startswith("$ lifecycle monitor "):
            given = line.removeprefix("$ lifecycle monitor ").replace("'", "")
            name, file, *more = given.split(" ", 2)
            _, out, err = run(name, file, *(more[0].split(" ", 1) if more else ()))
            said += [line, *(out.splitlines() or err.splitlines())]
    shown = re.sub(r"\(allowed: [^)…]*\)", "(allowed: …)", "\n".join(said))
    assert f"{shown}\n" == blocks("console")[0]


def test_the_howtos_page_forbids_something():
    """As it says: the law that everything is handled is broken, and with all wishes ignored it is no more."""
    text = blocks("yaml")[0]
    broken = report(prove(read_text(text, "chat.yaml"))).broken
    assert broken is not None
    assert broken.law == "handled"
    ignored = {"idle": "up, down", "connecting": "dialled", "waiting": "dialled, up, down", "ready": "dialled, up"}
    for status, events in ignored.items():
        text = text.replace(f"    status: {status}\n", f"    status: {status}\n    ignore: [{events}]\n")
    assert report(prove(read_text(text, "chat.yaml"))).broken is None


def test_the_howtos_programs_watch(monkeypatch, tmp_path, capsys):
    """They run as they stand: a mistake of the client is printed, be it told or logged; nothing else is."""
    monkeypatch.chdir(tmp_path)
    Path("chat.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    names = {}
    for block in blocks("python"):
        exec(compile(block, str(HOWTO), "exec"), names)  # noqa: S102 -- a program of ours
    watch, log = names["watch"], logging.getLogger("chat")
    assert watch.states == ("chatting",)
    log.info("said %s", "hello")
    log.warning("connection lost: %s", "a secret of the arguments")
    assert watch.states == ("waiting",)
    assert capsys.readouterr().out == ""
    log.info("connected")
    log.removeHandler(log.handlers[0])
    assert "illegal: `up` is not allowed in waiting (allowed: leave, timer.waiting.redial)" in capsys.readouterr().out


def test_the_door_has_it():
    """`lifecycle.monitor` is the function that the how-to calls."""
    assert lifecycle.monitor is watching
