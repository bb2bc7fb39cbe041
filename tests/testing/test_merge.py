"""Two traces, a client's and its server's, are told as one story; what was received was sent before."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

import lifecycle
from lifecycle.cli.compare import replay as command
from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read, read_text
from lifecycle.observe import Trace
from lifecycle.testing.merge import merged, told
from lifecycle.testing.peer import Peer
from lifecycle.testing.replay import replay
from lifecycle.testing.story import sequence, table
from lifecycle.testing.trace_lines import BadTrace, read_lines

GREETING = Path(__file__).parents[2] / "docs" / "examples" / "greeting.yaml"
WELCOMER = """
lifecycle: 1
page: welcomer
role: server
hears: {disconnect: {}, drained: {}}
good: {open: [hello]}
causes:
  - {otherwise: true, is: lost}
messages:
  codec: json
  routes:
    - {match: {type: hello}, raise: hello}
  frames:
    welcome: {type: welcome}
states:
  serving:
    exit: drop
    states:
      waiting:
        status: authenticating
        clauses:
          W1: {on: hello, do: {send: welcome}, to: live}
          W2: {after: 5 s, to: leaving}
      live: {status: ready, rest: true, ignore: [hello]}
      leaving:
        status: closing
        enter: {close: {code: 1000}}
        ignore: [disconnect, drained, hello]
        clauses:
          W3: {on: closed, to: over}
          W4: {after: 5 s, to: over}
    clauses:
      W5: {on: lost, to: over}
      W6: {on: [disconnect, drained], to: serving.leaving}
  over: {status: closed, final: done}
"""
PAGES = [read(GREETING), read_text(WELCOMER)]


@pytest.fixture
def traces(tmp_path, request):
    """What a client and its server have written, through a lost connection."""
    return tmp_path / "client.jsonl", tmp_path / "server.jsonl"


def named(text: str, session: str) -> Definition:
    """A page that says what its sessions are called."""
    return read_text(text.replace("hears:", f"trace: {{session: {session}}}\nhears:"))


async def live(client: Path, server: Path, session: str = "none") -> None:
    """A client that is welcomed, loses its connection, and is welcomed again."""
    mine, theirs = named(GREETING.read_text(encoding="utf-8"), session), named(WELCOMER, session)
    with Trace(client) as one, Trace(server) as other:
        async with (
            Peer(theirs, instruments=[other]) as peer,
            lifecycle.open(mine, url=peer.url, instruments=[one], transport=peer.dialer, seed=1) as connection,
        ):
            await connection.ready()
            peer.link.drop()
            await connection._driver.changed.wait()
            await connection.ready()


def story(client: Path, server: Path):
    """Both as one."""
    sides = [replay(file.read_text().split("\n"), PAGES, name=file.name) for file in (client, server)]
    assert [side.difference for side in sides] == [None, None]
    return merged(sides[0].lines, sides[1].lines)


def events(whole) -> list[tuple[int, str]]:
    """Who took what."""
    return [(one.side, one.line.row["event"]) for one in whole if one.line.kind == "step"]


def peers(whole) -> list[str]:
    """With which session of the server each dial that came through was spent."""
    return [one.peer for one in whole if one.side == 0 and one.line.row.get("event") == "opened"]


WELCOMED = [(0, "connect"), (1, "@start"), (0, "opened"), (1, "hello"), (0, "welcomed")]


async def test_what_is_received_comes_after_it_was_sent(traces):
    """The hello before it is heard, the welcome after; dial by dial."""
    await live(*traces)
    whole = story(*traces)
    assert events(whole)[1:6] == WELCOMED
    theirs = [one.line.session for one in whole if one.side == 1 and one.line.kind == "header"]
    assert peers(whole) == theirs


@pytest.mark.parametrize("wrong", ["2026-01-01T00:00:00.000+00:00", "2036-01-01T00:00:00.000+00:00"])
async def test_a_wrong_clock_does_not_turn_the_story_round(traces, wrong):
    """Where the server's clock is years off, sessions of one name still belong together, and causes come first."""
    client, server = traces
    await live(client, server, session="abc")
    lines = [json.loads(line) for line in server.read_text().splitlines()]
    server.write_text("".join(json.dumps(row | ({"date": wrong} if "trace" in row else {})) + "\n" for row in lines))
    found = events(story(client, server))
    places = [found.index(event) for event in WELCOMED if event != (1, "@start")]
    assert places == sorted(places)


async def test_traces_that_do_not_belong_together_are_told_by_the_clock(traces):
    """Nothing waits for what never comes."""
    client, server = traces
    await live(client, server)
    cut = [line for line in server.read_text().splitlines() if '"event":"hello"' not in line][:2]
    server.write_text("\n".join(cut))
    assert len(story(client, server)) == len(client.read_text().splitlines()) + 2


async def test_a_story_as_a_table(traces):
    """A row a step, in columns; times are since the beginning."""
    await live(*traces)
    lines = table(story(*traces)).splitlines()
    assert lines[0].split() == [
        "|",
        "line",
        "|",
        "at",
        "|",
        "who",
        "|",
        "dial",
        "|",
        "what",
        "|",
        "clauses",
        "|",
        "then",
        "|",
        "status",
        "|",
        "does",
        "|",
        "in",
        "|",
        "out",
        "|",
    ]
    assert len({len(line) for line in lines}) == 1
    row = next(line for line in lines if " hello " in line)
    who, *cells = [cell.strip() for cell in row.split("|")][3:8]
    assert who.startswith("welcomer ")
    assert cells == ["1", "hello", "W1", "serving.live"]


async def test_a_story_as_a_diagram(traces):
    """Arrows go between the two pages; one alone has the network for its peer."""
    await live(*traces)
    both, alone = sequence(story(*traces)), sequence(told(replay(traces[0].read_text().split("\n"), PAGES).lines))
    assert both.startswith("sequenceDiagram\n    participant user as user\n    participant page as greeting\n")
    assert "    page->>server: send\n" in both
    assert "    participant peer as network and peer\n" in alone
    assert "server" not in alone


async def test_the_command_tells_both(traces, tmp_path):
    """Verdicts go to stderr, the story to stdout."""
    await live(*traces)
    page = tmp_path / "welcomer.yaml"
    page.write_text(WELCOMER)
    given = [*map(str, traces), "--page", str(GREETING), "--page", str(page), "--format", "table"]
    done = CliRunner().invoke(command, given, standalone_mode=False)
    assert done.return_value == 0
    assert "greeting: the machine takes all" in done.stderr
    assert "welcomer: the machine takes all" in done.stderr
    assert done.stdout.startswith("| line")


def test_what_is_no_trace_is_bad_input(tmp_path):
    """Another exit code than that of a difference, and one sentence."""
    file = tmp_path / "notes.txt"
    file.write_text("no trace")
    done = CliRunner().invoke(command, [str(file)], standalone_mode=False)
    assert (done.return_value, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{file}:1: this is no JSON")


async def test_a_cut_or_spoiled_line_is_told_by_its_number(traces):
    """A crash in the middle of a line, a flipped byte, and a missing step are each told where they are."""
    await live(*traces)
    lines = traces[0].read_text().splitlines()
    for spoiled, said in (
        ([*lines[:5], lines[5][:40]], "client.jsonl:6: this is no JSON"),
        (
            [*lines[:2], lines[2].replace('"cause":"wish"', '"cause":"wash"'), *lines[3:]],
            "client.jsonl:3: `wash` is no cause",
        ),
        (lines[1:], "client.jsonl:1: `trace`, `page`, `hash`, `parameters` is missing"),
    ):
        with pytest.raises(lifecycle.LifecycleError, match=said):
            replay(spoiled, PAGES, name="client.jsonl")
    missing = replay([*lines[:2], *lines[3:]], PAGES, name="client.jsonl").difference
    assert missing is not None
    assert missing.startswith("client.jsonl:3: the trace says that `opened` is taken by")


@pytest.mark.parametrize(
    ("line", "key", "value", "said"),
    [
        (0, "date", "yesterday", "`date` is a date of ISO 8601, found 'yesterday'"),
        (2, "at", 10**400, "`at` is a number of seconds, found 1"),
        (2, "epoch", "x", '`epoch` is a whole number, found "x"'),
        (2, "out", True, "`out` is a whole number, found true"),
        (2, "states", [[]], "`states` is a list of texts, found "),
    ],
)
async def test_a_value_that_is_none_is_bad_input(traces, line, key, value, said):
    """Whatever a line holds, it is told with its place."""
    await live(*traces)
    lines = [json.loads(text) for text in traces[0].read_text().splitlines()]
    lines[line][key] = value
    with pytest.raises(BadTrace) as caught:
        replay(map(json.dumps, lines), PAGES, name="t.jsonl")
    assert str(caught.value).startswith(f"t.jsonl:{line + 1}: {said}")


async def test_sessions_of_strangers_are_not_matched_by_their_numbers(tmp_path):
    """The server's first client was another one; ours is its second, and our first."""
    mine, theirs = tmp_path / "client.jsonl", tmp_path / "server.jsonl"
    with Trace(mine) as client, Trace(theirs) as server:
        async with Peer(PAGES[1], instruments=[server]) as peer:
            async with lifecycle.open(GREETING, url=peer.url, transport=peer.dialer) as stranger:
                await stranger.ready()
            await trio.sleep(3600)
            options = {"url": peer.url, "transport": peer.dialer, "instruments": [client]}
            async with lifecycle.open(GREETING, **options) as connection:
                await connection.ready()
    # on the virtual clock the wall stands still, so what began later says so by its date
    lines = [json.loads(text) for text in theirs.read_text().splitlines()]
    lines[0]["date"] = "2020-01-01T00:00:00+00:00"
    theirs.write_text("".join(json.dumps(row) + "\n" for row in lines))
    assert peers(story(mine, theirs)) == [lines[-1]["session"]]


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NEWS = [read(EXAMPLES / "reader.yaml"), read(EXAMPLES / "desk.yaml")]


class News:
    """What a desk tells: every news after a number, ten a second."""

    async def tell(self, *, after):
        for number in range(int(after) + 1, 1000):
            yield {"type": "news", "number": number}
            await trio.sleep(0.1)


async def wander(folder: Path, turns: str) -> list[int]:
    """A reader that is sent to and fro between two desks, `a` and `b`; `-` is a dial that is refused; what it heard."""
    heard: list[int] = []
    with Trace(folder / "reader.jsonl") as mine, Trace(folder / "a.jsonl") as a, Trace(folder / "b.jsonl") as b:
        desks = {
            "a": Peer(NEWS[1], calls=News(), instruments=[a]),
            "b": Peer(NEWS[1], calls=News(), instruments=[b]),
            "-": Peer(NEWS[1], calls=News()),
        }
        desks["-"].refuse(len(turns))
        to_come = iter(turns)
        now = []

        async def dial(*given) -> None:
            now.append(desks[next(to_come)])
            await now[-1].dialer(*given)

        async with desks["a"], desks["b"], desks["-"]:
            options = {"url": "ws://desk.test", "topic": "weather", "instruments": [mine], "transport": dial}
            async with lifecycle.open(NEWS[0], **options) as reader:
                for turn in range(len(turns.replace("-", ""))):
                    await reader.ready()
                    with trio.move_on_after(0.35 if turn % 3 else 0.01):
                        async for news in reader:
                            heard += [news] if isinstance(news, int) else []
                    if turn + 1 < len(turns.replace("-", "")):
                        now[-1].link.drop()
                        await trio.sleep(0.05)
    return heard


def moved(file: Path, seconds: float) -> list[str]:
    """A trace by a clock that is wrong by so many seconds."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for row in lines:
        if "date" in row:
            row["date"] = (datetime.fromisoformat(row["date"]) + timedelta(seconds=seconds)).isoformat()
    return [json.dumps(row) for row in lines]


def as_it_was(mine: list[str], theirs: list[str]):
    """Both as one; nothing of them is left out."""
    sides = [replay(side, NEWS) for side in (mine, theirs)]
    assert [side.difference for side in sides] == [None, None]
    whole = merged(sides[0].lines, sides[1].lines)
    assert sorted(one.line.place for one in whole) == sorted(line.place for side in sides for line in side.lines)
    return whole


TURNS = "abbaabab-bab"


@pytest.mark.parametrize("clocks", [(0, 0), (300, -200), (-200, 300), (86_400, 0)])
async def test_a_client_that_wanders_is_put_in_order_whatever_the_clocks_say(tmp_path, clocks):
    """Ten dials to two servers, one that is refused; which session is which dial's is known by the ids of events."""
    heard = await wander(tmp_path, TURNS)
    assert heard == list(range(1, heard[-1] + 1))
    mine = (tmp_path / "reader.jsonl").read_text().splitlines()
    a, b = (moved(tmp_path / f"{desk}.jsonl", clock) for desk, clock in zip("ab", clocks, strict=True))
    sessions = {"a": [], "b": []}
    whole = as_it_was(mine, [*a, *b])
    for place, peer in enumerate(peers(whole)):
        sessions[TURNS.replace("-", "")[place]].append(int(peer.partition("(")[2].rstrip(")") or 1))
    assert sessions["a"] + sessions["b"] == list(range(1, 12))
    begun = [one.peer for one in whole if one.side == 1 and one.line.row.get("cause") == "start"]
    assert begun == ["weather"] * 11
    order = [one.line.session for one in whole if one.side == 1 and one.line.row.get("cause") == "start"]
    assert order == peers(whole)
    walls = [one.wall for one in whole]
    assert walls == sorted(walls)
    assert walls[-1] - walls[0] < 60


async def test_where_one_server_told_nothing_the_other_one_is_found(tmp_path):
    """The trace of one machine of two beside the client's: its sessions belong to its own dials."""
    await wander(tmp_path, TURNS)
    mine = (tmp_path / "reader.jsonl").read_text().splitlines()
    whole = as_it_was(mine, moved(tmp_path / "b.jsonl", 500))
    assert [bool(peer) for peer in peers(whole)] == [turn == "b" for turn in TURNS.replace("-", "")]


async def test_the_ids_of_events_stand_on_the_arrows(tmp_path):
    """What came, where it came; what a page sent, and what it had sent by a line."""
    await wander(tmp_path, "ab")
    sides = [replay((tmp_path / f"{name}.jsonl").read_text().split("\n"), NEWS) for name in ("reader", "a")]
    drawn = sequence(merged(sides[0].lines, sides[1].lines))
    assert "    page->>server: open (dial 2)\n" in drawn
    assert "    Note over server: 0 s: @start of weather\n" in drawn
    assert "    server->>page: 0 s: event 1\n    Note over page: 0 s: a message sets cursor = 1\n" in drawn
    assert ": has sent event 1\n" in drawn
    alone = sequence(told(sides[1].lines))
    assert "    page->>peer: send (event 1)\n" in alone
    head, _, *rows = table(told(sides[0].lines)).splitlines()
    assert head.split()[-4:] == ["out", "|", "came", "|"]
    assert rows[-1].split()[-2] == "5"


def test_what_stands_on_an_arrow():
    """One event or several; the step's own, or those before it; once each, in each dial anew."""
    header = {"trace": 2, "session": "s", "connection": 1, "at": 0, "epoch": 0, "in": 0, "out": 0}
    header |= {"page": "p", "hash": "", "parameters": {}}

    def row(at: float, epoch: int, came: int, went: int, ids: dict, **more):
        said = {"session": "s", "connection": 1, "at": at, "epoch": epoch, "in": came, "out": went, **ids}
        step = {"states": ["up"], "status": "ready", "phase": "open"}
        return said | (more if {"stale", "end", "slept"} & more.keys() else step | more)

    def message(*given, **more):
        return row(*given, cause="message", event="told", **more)

    rows = [
        header,
        message(1, 1, 1, 0, {"came": [4, 4]}),
        message(2, 1, 3, 0, {"came": [4, 6]}),
        message(3, 1, 4, 0, {"came": [4, 6]}),
        message(4, 1, 5, 1, {"came": [4, 6], "went": ["a", "a"]}, effects=["send"]),
        message(5, 1, 6, 4, {"came": [4, 9], "went": ["a", "d"]}, effects=["send"]),
        row(6, 1, 7, 4, {"came": [4, 10], "went": ["a", "d"]}, cause="timer", event="late"),
        row(6.5, 1, 7, 4, {"came": [4, 10], "went": ["a", "d"]}, slept=3600.0),
        row(6.6, 1, 7, 4, {"came": [4, 10], "went": ["a", "d"]}, stale="late", cause="timer"),
        row(6.7, 1, 7, 4, {}, cause="silence"),
        message(7, 2, 2, 0, {"came": [10, 11]}),
        row(8, 2, 2, 0, {"came": [10, 11]}, end="closed"),
    ]
    drawn = sequence(told(list(read_lines(map(json.dumps, rows), "t"))))
    assert [
        line.strip()
        for line in drawn.splitlines()
        if "->>" in line or " has " in line or "late" in line or "silent" in line
    ] == [
        "peer->>page: 1 s: told (event 4)",
        "peer->>page: 2 s: events to 6",
        "peer->>page: 2 s: told",
        "peer->>page: 3 s: told",
        "peer->>page: 4 s: told",
        "page->>peer: send (event a)",
        "page->>peer: send (events to d)",
        "peer->>page: 5 s: told (event 9)",
        "page->>peer: send",
        "peer->>page: 6 s: event 10",
        "clock->>page: 6 s: late",
        "Note over page: 3606.5 s: this machine has slept for 1 h",
        "Note over page: 3606.6 s: late comes too late",
        "Note over page: 3606.7 s: the peer falls silent",
        "peer->>page: 3607 s: events 10 to 11",
        "peer->>page: 3607 s: told",
    ]


async def test_traces_of_version_1_are_merged_as_they_were(traces):
    """Only steps say the dial and the numbers there, and names are numbers of each side."""
    await live(*traces)
    now = events(story(*traces))
    for number, file in enumerate(traces):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        known = list(dict.fromkeys(row["connection"] for row in rows))
        for row in rows:
            row["session"] = str(known.index(row.pop("connection")) + 1 + number)
            row.update({"trace": 1} if "trace" in row else {})
            for key in () if "cause" in row else ("epoch", "in", "out"):
                del row[key]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = story(*traces)
    assert events(whole) == now
    assert peers(whole) == ["2", "3"]


def test_who_each_wait_for_the_other_is_told_by_the_clock():
    """An answer before its question on one side, and a question before its answer on the other: nothing is left out."""
    header = {"trace": 2, "session": "s", "connection": 1, "at": 1, "epoch": 0, "in": 0, "out": 0}
    header |= {"page": "p", "hash": "", "parameters": {}}

    def row(came: int, went: int, **more):
        said = {"session": "s", "connection": 1, "at": 1, "epoch": 1, "in": came, "out": went}
        return said | {"cause": "message", "event": "e", "states": ["a"], "status": "ready", "phase": "open"} | more

    mine = [header, row(0, 0, cause="opened", effects=["open"]), row(1, 0), row(1, 1, effects=["send"])]
    theirs = [header | {"epoch": 1}, row(0, 0, cause="start", event="@start"), row(1, 1, effects=["send"])]
    theirs.append(row(1, 1, cause="wish", event="drained"))
    whole = merged(*(list(read_lines(map(json.dumps, rows), "t")) for rows in (mine, theirs)))
    assert len(whole) == len(mine) + len(theirs)
    assert all(one.peer == "s" for one in whole if one.line.epoch)
    assert "    server->>server: 0 s: drained\n" in sequence(whole)
