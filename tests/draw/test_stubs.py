"""A page's types are accepted by mypy and pyright, and so is who keeps to them; who does not is refused by both."""

import importlib.util
import inspect
import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from click.testing import CliRunner

import lifecycle
from lifecycle import PageError
from lifecycle.cli.stubs import stubs as command
from lifecycle.definition.read import bundled, read, read_text
from lifecycle.draw.stubs import same, stubs

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto" / "type-your-client.md"
EXAMPLES = [file for file in sorted((ROOT / "docs" / "examples").glob("*.yaml")) if "lifecycle: 1" in file.read_text()]

ODD = r"""
lifecycle: 1
page: odd
title: "\"\"\" a title \\N that ends in \0 a quote \""
parameters:
  list: {text: optional, help: "a word of Python \\"}
  str: {duration: required}
  float: {size: 4 MiB}
  key: {secret: hunter2}
  mode: {choice: 1, of: [1, true, a | b, null, 2.5]}
  spread: {jitter: full}
variables:
  tries: {count: 0, max: 3}
  style: {choice: a, of: [a, "'\""]}
  seen: {kept: text}
  until: {duration: 1 s}
hears: {up: {int: number, why: text}, down: {int: number, why: text}, off: {}}
calls:
  a_1: {takes: {x: text, y: number, z: flag, u: text, v: duration, w: secret}, returns: {class: flag, int: duration}, timeout: 3 s}
  a1: {returns: {list: object}, timeout: str}
  many: {yields: plain, timeout: 4 s}
messages:
  codec: json
  frames:
    plain: =item
    nothing: none
    deep: {from: 1, "a b": [1, 2.5, [x | y, =tries]], inner: {inner: {of: =mode, key: =key, wait: =str, how: =spread, sum: =tries + 1, of_list: =list, of_float: =float}}}
    empty: []
  routes:
    - {match: {kind: [1, null, "a | b"], deep.0.x: y}, raise: told, fields: {class: a.b}}
    - {match: {kind: 3}, raise: told, keep: {seen: a.seen, until: {ms: a.until}}}
    - {match: {kind: 4, part.of: 5}, deliver: part, sequence: no, dedupe: {by: id}}
    - {match: {kind: 6}, discard: true}
    - {match: {kind: 7}, refusal: error}
    - {deliver: rest}
states:
  one:
    needs: open
    call: {a_1: {x: =seen, y: =tries, z: =tries > 1, u: a, v: =until, w: =key}}
    ignore: [up, told, lost]
    exit: {emit: {left: {a: =seen, b: 1}}}
    clauses:
      A1: {on: [done, failed, down], do: {emit: {left: {a: 2, how: =style}}}, to: two}
      A2: {on: off, do: {emit: bare}, to: three}
  two: {call: a1, clauses: {A3: {on: [done, failed], do: [{send: nothing}, {send: deep}, {send: empty}], to: one}}, ignore: [up, down, off, told, lost]}
  three: {call: many, clauses: {A4: {on: [done, failed], to: two}}, ignore: [up, down, off, told, lost]}
causes: [{otherwise: true, is: lost}]
"""

KEEPING = """
from collections.abc import AsyncGenerator
from typing import Any, Literal, assert_type

import lifecycle
import gate_types, handshake_types, odd_types, openclaw_gateway_types, openhands_conversation_server_types
import livekit_agent_session_types, refresh_types, resume_types, session_lease_types


class Gateway:
    async def sign_connect(self, *, challenge: object) -> openclaw_gateway_types.SignConnectResult:
        return {"frame": [challenge]}

    async def pair_device(self) -> None: ...
    async def fresh_credentials(self) -> None: ...


class Office:
    async def check_parameters(self, *, conversation: str | None, providers: str | None) -> None: ...
    async def check_key(self, *, key: str | None, more: int = 0) -> None: ...
    async def check_user(
        self, *, conversation: str | None, cookie: str | None, authorization: str | None
    ) -> openhands_conversation_server_types.CheckUserResult:
        return {"user": conversation or ""}

    async def open_events(
        self, conversation: str | None, user: str | None
    ) -> openhands_conversation_server_types.OpenEventsResult:
        return {"events": None}

    async def replay_events(self, *, events: Any, after: float | None) -> AsyncGenerator[dict[str, int], None]:
        yield {"a": 1}

    async def join(self, **_: str | None) -> openhands_conversation_server_types.JoinResult:
        return {"session": "s"}

    async def leave(self, *, session: str | None) -> None: ...


class Slots:
    async def reserve(self) -> session_lease_types.ReserveResult:
        return {"generation": 7, "sure": 30}

    async def renew(self, *, generation: float | None) -> session_lease_types.RenewResult:
        return {"sure": "30 s"}

    async def begin(self, *, generation: float | None) -> None: ...
    async def release(self, *, generation: float | None, cooldown: float | None) -> None: ...
    stop = begin


class Gate:
    async def check(self, *, key: str | None) -> None: ...
    async def replay(self, *, after: float | None) -> AsyncGenerator[str, None]:
        yield "walked"


class Renewing:
    async def renew_credentials(self) -> refresh_types.RenewCredentialsResult:
        return {"token": "t", "lifetime": 60, "frame": None}


class Answering:
    async def answer(self, *, challenge: Any) -> handshake_types.AnswerResult:
        return {"frame": challenge}


class Odd:
    async def a_1(self, *, x: str | None, y: float, z: bool | None, u: str, v: float, w: str) -> odd_types.A1Result:
        return {"class": True, "int": "3 s"}

    async def a1(self) -> odd_types.A1Result2:
        return {"list": 1}

    async def many(self) -> AsyncGenerator[int, None]:
        yield 1


gateway: openclaw_gateway_types.Calls = Gateway()
office: openhands_conversation_server_types.Calls = Office()
slots: session_lease_types.Calls = Slots()
gate: gate_types.Calls = Gate()
renewing: refresh_types.Calls = Renewing()
answering: handshake_types.Calls = Answering()
odd: odd_types.Calls = Odd()
some: odd_types.Parameters = {"str": "3 s", "list": None, "float": 4096, "mode": "a | b", "spread": ("50 %", "150 %")}
frame: odd_types.DeepFrame = {
    "from": 1, "a b": [1, 2.5, ["x | y", 3]], "inner": {"inner": {"of": 2.5, "key": "k", "wait": 1.0, "how": 1, "sum": 2, "of_list": None, "of_float": 4096}}
}
told: odd_types.ToldMessage = {"kind": "a | b", "deep": [{"x": "y"}], "a": {"b": 1}}
also: odd_types.ToldMessage2 = {"kind": 3, "a": {"seen": None, "until": 5}}
bare: odd_types.BareFields = {}
left: odd_types.LeftFields = {"a": 2, "how": "a"}
session: livekit_agent_session_types.Wishes
resume: resume_types.Parameters = {"url": "ws://h/", "redial": {"first": "1 s", "jitter": "full"}, "refresh_at": 1}


def wish(wishes: odd_types.Wishes, server: openhands_conversation_server_types.Wishes) -> None:
    wishes.tell("up", int=1, why="")
    wishes.tell("off")
    server.tell("evicted", why="full")


def use(connection: lifecycle.Connection, part: odd_types.DeliveredMessagePart) -> None:
    wish(connection, connection)
    assert_type(part["of"], Literal[5])
    lifecycle.open("resume", calls=None, seed=1, **resume)
    lifecycle.serve("gate", port=0, calls=gate, **gate_parameters)


gate_parameters: gate_types.Parameters = {"linger": 1.5}
"""

STRAYING = """
from typing import Any, TypedDict

from openclaw_gateway_types import Backoff, Calls, Parameters, RequestFrame, SignConnectResult, Status, Wishes
from openhands_conversation_server_types import Calls as Office, Wishes as Server
from session_lease_types import Calls as Slots, RenewResult, ReserveResult, State, Wish


class Framed(TypedDict):
    framed: Any


class Missing:
    async def sign_connect(self, *, challenge: Any) -> SignConnectResult:
        return {"frame": 1}

    async def pair_device(self) -> None: ...


class Good(Missing):
    async def fresh_credentials(self) -> None: ...


class WrongParameter:
    async def sign_connect(self, *, challenges: Any) -> SignConnectResult:
        return {"frame": 1}

    pair_device = fresh_credentials = Good.pair_device


class Synchronous:
    def sign_connect(self, *, challenge: Any) -> SignConnectResult:
        return {"frame": 1}

    pair_device = fresh_credentials = Good.pair_device


class WrongKey:
    async def sign_connect(self, *, challenge: Any) -> Framed:
        return {"framed": 1}

    pair_device = fresh_credentials = Good.pair_device


class WrongKeyInside(Good):
    async def sign_connect(self, *, challenge: Any) -> SignConnectResult:
        return {"framed": 1}  # refused


class NeverNone:
    async def reserve(self) -> ReserveResult:
        return {"generation": "7", "sure": 30}  # refused

    async def renew(self, *, generation: float | None) -> RenewResult:
        return {"sure": 30}

    async def begin(self, *, generation: float) -> None: ...
    async def release(self, *, generation: float | None, cooldown: float | None) -> None: ...
    stop = begin


class NoGenerator:
    check_parameters: Any
    check_key: Any
    check_user: Any
    open_events: Any
    join: Any
    leave: Any

    async def replay_events(self, *, events: Any, after: float | None) -> None: ...


good: Calls = Good()
missing: Calls = Missing()  # refused
parameter: Calls = WrongParameter()  # refused
synchronous: Calls = Synchronous()  # refused
key: Calls = WrongKey()  # refused
narrow: Slots = NeverNone()  # refused
no_generator: Office = NoGenerator()  # refused
without_url: Parameters = {}  # refused
wrong_type: Parameters = {"url": "ws://h/", "max_attempts": "many"}  # refused
wrong_name: Parameters = {"url": "ws://h/", "max_attempt": 3}  # refused
wrong_backoff: Backoff = {"jitter": "some"}  # refused
wrong_frame: RequestFrame = {"type": "request", "id": "1", "method": "m", "params": 1}  # refused
status: Status = "reconnecting"  # refused
state: State = "held"  # refused
wish: Wish = "stop"  # refused


def use(gateway: Wishes, server: Server) -> None:
    gateway.tell("conect")  # refused
    gateway.tell("connect", why="")  # refused
    server.tell("evicted")  # refused
    server.tell("evicted", why=1)  # refused
    server.tell("stopped", why="")  # refused
"""


def blocks() -> list[str]:
    """The Python blocks of the how-to."""
    return re.findall(r"```python\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The types of every page that we have, who keeps to them, who does not, and the blocks of the how-to."""
    folder = tmp_path_factory.mktemp("types")
    for page in [*map(read, bundled()), *map(read, EXAMPLES), read_text(ODD, "odd.yaml")]:
        (folder / f"{page.name.replace('-', '_')}_types.py").write_text(stubs(page), encoding="utf-8")
    (folder / "keeping.py").write_text(KEEPING, encoding="utf-8")
    (folder / "straying.py").write_text(STRAYING, encoding="utf-8")
    for number, block in enumerate(blocks()):
        (folder / f"howto_{number}.py").write_text(block, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def checked(request, folder):
    """What each of the two says of all of them, at its strictest."""
    return (_mypy if request.param == "mypy" else _pyright)(folder)


def _mypy(folder):
    home = Path(lifecycle.__file__).parents[1]
    installed = home in map(Path, (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (folder / "mypy.ini").write_text("[mypy]\n" + ("" if installed else f"mypy_path = {home}\n"), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version=3.11", "--show-absolute-path"]
    files = sorted(file.name for file in folder.glob("*.py"))
    done = subprocess.run([*command, *files], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = re.findall(r"^(.+\.py):(\d+): error: (.*)", done.stdout, re.MULTILINE)
    return _by_file((file, int(line), what) for file, line, what in found)


def _pyright(folder):
    home = str(Path(lifecycle.__file__).parents[1])
    config = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [home], "include": ["*.py"]}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return _by_file((each["file"], each["range"]["start"]["line"] + 1, each["message"]) for each in found)


def _by_file(found):
    """File to line to what is wrong there."""
    lines: dict[str, dict[int, str]] = {}
    for file, line, what in found:
        lines.setdefault(Path(file).name, {})[line] = what
    return lines


def refused(text):
    """The lines that say so of themselves."""
    return {number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# refused")}


def test_the_types_of_every_page_are_accepted(checked):
    """Both checkers find nothing in the types of any page, nor in a program that keeps to them."""
    assert {file: lines for file, lines in checked.items() if file.endswith("_types.py") or file == "keeping.py"} == {}


def test_who_strays_is_refused(checked):
    """A missing call, a wrong parameter, a method that is not async, a wrong key: each at its line, and nothing else."""
    assert set(checked["straying.py"]) == refused(STRAYING), checked["straying.py"]


def test_the_howto_says_what_is_refused(checked):
    """Its programs are accepted but for the lines that say that they are not."""
    for number, block in enumerate(blocks()):
        found = checked.get(f"howto_{number}.py", {})
        assert set(found) == refused(block), found


def _loaded(folder, name, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_program_of_the_howto_fits_the_page(folder, monkeypatch):
    """What the types accept, the library accepts too: calls and parameters."""
    program = _loaded(folder, "howto_0", monkeypatch)
    connection = lifecycle.Connection("resume", calls=program.Keys(), **program.HERE)
    assert connection.definition.name == "resume"


@pytest.mark.parametrize("name", bundled())
def test_the_module_says_what_the_page_says(folder, name, monkeypatch):
    """Its names, as Python reads them, are those of the page: calls with their arguments, parameters, wishes, states."""
    page, module = read(name), _loaded(folder, f"{name.replace('-', '_')}_types", monkeypatch)
    calls = {name: list(inspect.signature(getattr(module.Calls, name)).parameters)[1:] for name in page.calls}
    assert calls == {name: list(call.takes) for name, call in page.calls.items()}
    assert list(module.Parameters.__annotations__) == list(page.parameters)
    needed = {name for name in page.parameters if name not in page.defaults}
    assert module.Parameters.__required_keys__ == needed
    for alias, said in (("Wish", page.hears), ("Status", {s.status for s in page.states.values()} - {None})):
        assert set(getattr(getattr(module, alias, None), "__args__", ())) == set(said)
    assert set(module.State.__args__) <= set(page.states)


def test_the_text_is_always_the_same(definition):
    """Two readings give one text, whatever stands in the page, and it is Python that does nothing."""
    text = stubs(definition)
    assert stubs(definition) == text
    compile(text, "types.py", "exec")
    assert "hunter2" not in text
    assert max(map(len, text.splitlines())) <= 120 or definition.name == "p"


def test_a_secret_is_not_shown():
    """Neither its default, nor where a page sends it."""
    text = stubs(read_text(ODD, "odd.yaml"))
    assert "hunter2" not in text
    assert "key: <secret>" in text


def test_names_that_python_cannot_write_are_refused(make):
    """All at once, each with its line; what is only a key of a dict may be called anything."""
    page = make(
        "parameters: {from: {count: 1}}\nhears: {go: {import: text, wish: text, ok: text}}\n"
        "calls:\n  class: {timeout: 1 s}\n  a-b: {timeout: 1 s}\n  str: {timeout: 1 s}\n  good: {takes: {self: text, with: text}, returns: {if-so: text}, timeout: 1 s}\n"
        "states: {a: {rest: true}}"
    )
    with pytest.raises(PageError) as caught:
        stubs(page)
    assert str(caught.value).splitlines() == [
        "p.yaml:4:14: the field `import` of `go` cannot be a name in typed Python: choose another name",
        "p.yaml:4:28: the field `wish` of `go` cannot be a name in typed Python: choose another name",
        "p.yaml:6:3: the call `class` cannot be a name in typed Python: choose another name",
        "p.yaml:7:3: the call `a-b` cannot be a name in typed Python: choose another name",
        "p.yaml:8:3: the call `str` cannot be a name in typed Python: choose another name",
        "p.yaml:9:18: the argument `self` of `good` cannot be a name in typed Python: choose another name",
        "p.yaml:9:30: the argument `with` of `good` cannot be a name in typed Python: choose another name",
    ]


def _run(*arguments):
    done = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


def test_the_command_writes_what_it_then_finds_fresh(tmp_path):
    """To stdout, or a file; --check does not mind the layout, and minds what is said."""
    file = tmp_path / "deep" / "types.py"
    assert _run("resume") == (0, stubs(read("resume")), "")
    assert _run("resume", "-o", file) == (0, f"{file}\n", "")
    assert _run("resume", "-o", file, "--check") == (0, "", "")
    text = file.read_text(encoding="utf-8")
    file.write_text("# ours\n" + text.replace("\n\n\n", "\n").replace('"connect"', "'connect'"), encoding="utf-8")
    assert _run("resume", "-o", file, "--check") == (0, "", "")
    file.write_text(text.replace("token: str\n", "token: int\n"), encoding="utf-8")
    assert _run("resume", "-o", file, "--check")[::2] == (
        1,
        f"{file} is out of date; run `lifecycle stubs` without --check\n",
    )
    file.write_bytes(b"\xff")
    assert "is not text" in _run("resume", "-o", file, "--check")[2]
    file.unlink()
    assert _run("resume", "-o", file, "--check")[::2] == (
        1,
        f"{file} is missing; run `lifecycle stubs` without --check\n",
    )


def test_bad_input_is_told(tmp_path):
    """A page that is none, --check without a file, a folder where a file should be: no traceback."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = CliRunner().invoke(command, ["resume", "--check"])
    assert (done.exit_code, "--check compares a file: name it with -o" in done.stderr) == (2, True)
    done = CliRunner().invoke(command, ["resume", "-o", str(blocked / "types.py")])
    assert (done.exit_code, "types.py: " in done.stderr) == (2, True)
    with pytest.raises(PageError, match="no bundled page is called `resum`: did you mean `resume`"):
        _run("resum")


def test_what_is_no_python_is_like_nothing():
    """Not even like itself."""
    assert same("a=1", "a = 1  # one")
    assert not same("a = 1", "a = 2")
    assert not same("a =", "a =")
