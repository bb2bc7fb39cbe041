"""A trace is taken again by the machine, and the first difference is told; what is no trace is refused."""

import json
from pathlib import Path

import pytest

from lifecycle import PageError
from lifecycle.definition.read import read, read_text
from lifecycle.proof.explore import explore
from lifecycle.proof.law import Breach
from lifecycle.proof.prove import settings_of
from lifecycle.proof.trail import trace
from lifecycle.proof.world import World
from lifecycle.testing import replays
from lifecycle.testing.replay import BadTrace, replay

WEBSOCKET = read("websocket")
UP = ["online.up.trust.unproven", "online.up.heartbeat.alive"]
HEADER = {"trace": 1, "page": "websocket", "hash": WEBSOCKET.hash, "parameters": {"url": "ws://h", "max_attempts": 1}}


def step(cause, event, states, status, phase, **more):
    """One step of a trace."""
    return {"at": 0, "cause": cause, "event": event, "states": states, "status": status, "phase": phase, **more}


WHOLE = {"session": "a", "connection": 1, "epoch": 0, "in": 0, "out": 0}
STORY = [
    {**HEADER, "law": "no-silent-wait", "what": "only an example"},
    step("start", "@start", ["idle"], "idle", "none", fields={}, clauses=[], effects=[]),
    step("wish", "connect", ["online.dialing"], "connecting", "dialing", clauses=["WS7"], effects=["set", "open"]),
    step("opened", "opened", UP, "ready", "open", clauses=["online/C1"], effects=[]),
    {"at": 0, "cause": "silence", "states": UP, "status": "ready", "phase": "half-open"},
    step(
        "timer", "timer.online.up.heartbeat.alive.silent_heartbeat_after", [UP[0], "online.up.heartbeat.asking"],
        "ready", "half-open", clauses=["heartbeat/HB1"], effects=["ping"],
    ),
    step("wish", "connect", [UP[0], "online.up.heartbeat.asking"], "ready", "half-open", clauses=[]),
    step(
        "timer", "timer.online.up.heartbeat.asking.heartbeat_wait", ["waiting.backing_off"], "waiting", "none",
        clauses=["heartbeat/HB3", "WS3", "waiting/R3"],
    ),
    step("timer", "timer.waiting.backing_off.redial", ["online.dialing"], "connecting", "dialing"),
    step(
        "end", "lost.busy", ["failed"], "failed", "none", fields={"retry_after": 5, "text": None},
        clauses=["WS3", "waiting/R1", "WS6"],
    ),
    step("wish", "disconnect", ["closed"], "closed", "none", clauses=["WS8"]),
]  # fmt: skip


def lines(rows):
    """A trace as it stands in a file."""
    return [json.dumps(row) for row in rows]


def changed(number, **more):
    """The story with one line changed; line 1 is the header."""
    return lines([{**row, **more} if place == number else row for place, row in enumerate(STORY, 1)])


def test_a_trace_is_taken_again():
    """A loss, a silence that no machine knows of, and an end: all steps come out as they are written."""
    found = replay(lines(STORY))
    assert (found.page, found.steps, found.difference, found.notes) == ("websocket", 10, None, ())
    assert (found.law, found.what) == ("no-silent-wait", "only an example")
    assert str(found) == "websocket: the machine takes all 10 steps of the trace"


def test_empty_lines_are_no_steps():
    """As editors leave them; lines are counted all the same."""
    found = replay(["", *lines(STORY[:2]), "\n", *changed(3, status="ready")[2:3]])
    assert found.difference.startswith("trace:5: ")


@pytest.mark.parametrize(
    ("number", "more", "sentence"),
    [
        (3, {"clauses": ["WS8"]}, "the trace says that `connect` is taken by WS8; in the machine it is taken by WS7"),
        (3, {"clauses": []}, "the trace says that `connect` is taken by nothing; in the machine it is taken by WS7"),
        (4, {"states": ["online.up"]}, f"the trace says that `opened` leads to online.up; in the machine it leads to {' + '.join(UP)}"),
        (4, {"status": "idle"}, "the trace says that `opened` has the status idle; in the machine it has the status ready"),
        (4, {"phase": "closing"}, "the trace says that `opened` leaves the transport closing; in the machine it leaves the transport open"),
        (6, {"effects": []}, "the trace says that `timer.online.up.heartbeat.alive.silent_heartbeat_after` does nothing; in the machine it does ping"),
        (5, {"status": "failed"}, "the trace says that the peer's silence has the status failed; in the machine it has the status ready"),
        (3, {"cause": "silence"}, "the trace says that the peer falls silent; to the machine, the transport is none"),
        (3, {"refused": True}, "the trace says that `connect` is refused; the machine takes it by WS7"),
        (4, {"event": "closed", "cause": "closed"}, "the trace says that `closed` is taken by online/C1; the machine refuses it: websocket: `closed` is not allowed in online.dialing (allowed: opened, disconnect, lost, ended, refused, connect, reconnect)"),
        (11, {"cause": "closed"}, "the trace says that `disconnect` is taken by WS8; to the machine it cannot happen: `disconnect` cannot be told: the transport is none"),
        (9, {"event": "timer.online.dialing.connect_timeout"}, "the trace says that `timer.online.dialing.connect_timeout` is taken; to the machine it cannot happen: no clock `timer.online.dialing.connect_timeout` runs in `waiting.backing_off`; those that run: `timer.waiting.backing_off.redial`"),
    ],
)  # fmt: skip
def test_the_first_difference_is_told(number, more, sentence):
    """With its line, what the trace says, and what the machine does."""
    found = replay(changed(number, **more), name="x.jsonl")
    assert found.difference == f"x.jsonl:{number}: {sentence}"
    assert found.steps == number - 2
    assert str(found) == found.difference


def test_a_refusal_is_a_step_too():
    """Counterexamples end in one; the machine is as it was."""
    refused = step("wish", "reconnects", ["idle"], "idle", "none", refused=True)
    text = Path(WEBSOCKET.at.source.name).read_text(encoding="utf-8")
    page = read_text(text.replace("reconnect: {}}", "reconnect: {}, reconnects: {}}").replace("to: online}\n  WS8: {on: disc", "to: online}\n  WS9: {on: reconnects, when: waiting.attempts > 0, to: failed}\n  WS8: {on: disc"), "websocket.yaml")  # fmt: skip
    found = replay(lines([*STORY[:2], refused]), page)
    assert (found.difference, found.steps) == (None, 2)
    found = replay(lines([*STORY[:2], {**refused, "status": "ready"}]), page)
    assert found.difference.endswith("`reconnects` has the status ready; in the machine it has the status idle")


def test_a_trace_of_another_version_is_told_and_taken():
    """As long as the page has all that it names."""
    found = replay(changed(1, hash="0"))
    assert (found.difference, found.notes) == (None, ("the trace is of another version of `websocket`",))
    assert str(found).endswith("\nnote: the trace is of another version of `websocket`")
    found = replay(changed(1, page="old"), WEBSOCKET)
    assert found.notes == ("the trace is of the page `old`, and was taken by `websocket`",)
    with pytest.raises(BadTrace) as caught:
        replay(changed(1, hash="0", parameters={"patience": 3}))
    assert str(caught.value).startswith("trace:1: there is no parameter `patience`")
    assert str(caught.value).endswith("; the trace is of another version of `websocket`")


def test_both_versions_are_read():
    """A made-up way says of no step whose it is; a trace of connections says it on each line, or is refused."""
    whole = [{**row, **WHOLE, **({"trace": 2} if "trace" in row else {})} for row in STORY]
    assert replay(lines(whole)).steps == replay(lines(STORY)).steps == 10
    for key in WHOLE:
        with pytest.raises(BadTrace) as caught:
            replay(lines([*whole[:2], {name: value for name, value in whole[2].items() if name != key}]))
        assert str(caught.value) == f"trace:3: `{key}` is missing"
    with pytest.raises(BadTrace) as caught:
        replay(lines([*whole[:2], {**whole[2], "connection": 2}]))
    assert str(caught.value) == "trace:3: the session `a` has no header before this"


def test_sleep_is_no_step():
    """The machine that was asleep did nothing."""
    found = replay(lines([*STORY[:3], {"at": 1, "slept": 60.0}, *STORY[3:]]))
    assert (found.difference, found.steps) == (None, 10)


@pytest.mark.parametrize(
    ("number", "line", "sentence"),
    [
        (1, "{", "this is no JSON: "),
        (1, "[]", "expected an object, found []"),
        (1, "{}", "`trace`, `page`, `hash`, `parameters` is missing"),
        (1, json.dumps({**HEADER, "trace": 3}), "a trace of version 3; this reads 1 and 2"),
        (1, json.dumps({**HEADER, "trace": 2, "session": "a"}), "`connection`, `epoch`, `in`, `out` is missing"),
        (1, json.dumps({**WHOLE, **HEADER, "trace": 2, "epoch": "1"}), '`epoch` is a whole number, found "1"'),
        (1, json.dumps({**WHOLE, **HEADER, "trace": 2, "came": [1]}), "`came` is two ids, the first and the last, found [1]"),
        (1, json.dumps({**WHOLE, **HEADER, "trace": 2, "went": [1, True]}), "`went` is two ids, the first and the last, found [1, true]"),
        (1, json.dumps({**WHOLE, **HEADER, "trace": 2, "went": "ab"}), '`went` is two ids, the first and the last, found "ab"'),
        (2, json.dumps({"session": "a", "slept": "long"}), '`slept` is a number of seconds, found "long"'),
        (1, json.dumps({**HEADER, "page": "../secret.yaml"}), "no bundled page is called `../secret.yaml`: say which page it is of"),
        (1, json.dumps({**HEADER, "law": 1}), "`law` is a text, found 1"),
        (1, json.dumps({**HEADER, "trace": True}), "`trace` is a number, found true"),
        (2, '{"at": NaN}', "this is no JSON: NaN is no number"),
        (2, "[" * 100_000, "this is no JSON: "),
        (2, '{"cause": "wish"}', "`states`, `status`, `phase` is missing"),
        (3, json.dumps(step("want", "connect", [], "idle", "none")), "`want` is no cause: start, wish, "),
        (3, json.dumps(step("wish", "connekt", [], "idle", "none")), "`connekt` is no event of `websocket`"),
        (3, json.dumps(step("wish", "connect", [], "idle", "odd")), "`odd` is no phase: none, "),
        (3, json.dumps(step("start", "@start", [], "idle", "none")), "the first step, and no other, is `start`"),
        (2, json.dumps(step("wish", "connect", [], "idle", "none")), "the first step, and no other, is `start`"),
        (2, json.dumps(step("start", "begin", [], "idle", "none")), "the event of `start` is `@start`"),
        (2, json.dumps(step("start", "@start", [], "idle", "none", fields={"odd": 1})), "`odd` is no variable of `websocket`"),
        (3, json.dumps(step("wish", "connect", [], "idle", "none", fields=[])), "`fields` is an object, found []"),
        (3, '{"cause": "wish", "states": [], "status": "idle", "phase": "none"}', "`event` is missing"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused(number, line, sentence):
    """With file and line; nothing is guessed."""
    given = lines(STORY)
    given[number - 1] = line
    with pytest.raises(BadTrace) as caught:
        replay(given, name="t.jsonl")
    assert str(caught.value).startswith(f"t.jsonl:{number}: {sentence}")


def test_nothing_is_no_trace():
    """An empty file has no header."""
    with pytest.raises(BadTrace, match=r"trace:1: `trace`, .+ is missing"):
        replay([])


def test_one_line_in_a_test(tmp_path):
    """`replays` is silent, or raises what pytest shows as a failure."""
    file = tmp_path / "found.jsonl"
    file.write_text("\n".join(lines(STORY)), encoding="utf-8")
    replays(file)
    replays(str(file), "websocket")
    replays(file, WEBSOCKET)
    with pytest.raises(BadTrace, match="there is no parameter `url`"):
        replays(file, "heartbeat")
    file.write_text("\n".join(changed(4, phase="closing")), encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        replays(file)
    assert str(caught.value).startswith(f"{file}:4: the trace says that `opened` leaves the transport closing;")
    with pytest.raises(PageError):
        replays(file, "no-such-page")
    file.write_bytes(b"\xff")
    with pytest.raises(BadTrace, match="this is no text in UTF-8"):
        replays(file)


def test_what_could_not_be_written_has_its_default():
    """A backoff that is none is the page's own; a duration that is none is one that never ends."""
    given = {"redial": None, "heartbeat_after": None, "max_attempts": 1}
    rows = [{**HEADER, "parameters": given}, *STORY[1:4], *STORY[5:6]]
    assert "no clock" in replay(lines(rows)).difference


@pytest.mark.parametrize("page", ["connection", "handshake", "refresh", "resume", "session-lease", "websocket"])
def test_what_the_exploration_writes_is_taken(page):
    """The way to each place that is found, written as a counterexample would be, is taken by the machine."""
    definition = read(page)
    small = {"max_attempts": 1, "refresh_misses": 1, "refresh_limit": 0, "release_tries": 1}
    given = {name: value for name, value in small.items() if name in definition.parameters}
    for setting in settings_of(definition, given):
        graph = explore(World(definition, tuple(setting.values())))
        for node in range(len(graph.nodes)):
            written = trace(definition, setting, "none", Breach("", graph, graph.trail(node)))
            assert replay(written, definition).difference is None
