"""Two traces, a client's and its server's, are told as one story; what was received was sent before."""

import json
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

import lifecycle
from lifecycle.cli.compare import replay as command
from lifecycle.definition.read import read, read_text
from lifecycle.observe import Trace
from lifecycle.testing.merge import merged, told
from lifecycle.testing.peer import Peer
from lifecycle.testing.replay import replay
from lifecycle.testing.story import sequence, table
from lifecycle.testing.trace_lines import BadTrace

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


async def live(client: Path, server: Path, session: str | None = None) -> None:
    """A client that is welcomed, loses its connection, and is welcomed again."""
    with Trace(client, session=session) as mine, Trace(server, session=session) as theirs:
        async with (
            Peer(PAGES[1], instruments=[theirs]) as peer,
            lifecycle.open(GREETING, url=peer.url, instruments=[mine], transport=peer.dialer, seed=1) as connection,
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


WELCOMED = [(0, "connect"), (1, "@start"), (0, "opened"), (1, "hello"), (0, "welcomed")]


async def test_what_is_received_comes_after_it_was_sent(traces):
    """The hello before it is heard, the welcome after; dial by dial."""
    await live(*traces)
    whole = story(*traces)
    assert events(whole)[1:6] == WELCOMED
    assert [one.peer for one in whole if one.side == 0 and one.line.row.get("event") == "opened"] == ["1", "2"]


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
    assert [cell.strip() for cell in row.split("|")][3:8] == ["welcomer 1", "1", "hello", "W1", "serving.live"]


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
    early = [
        row | ({"date": "2020-01-01T00:00:00+00:00"} if row.get("session") == "1" and "trace" in row else {})
        for row in lines
    ]
    theirs.write_text("".join(json.dumps(row) + "\n" for row in early))
    whole = story(mine, theirs)
    assert [one.peer for one in whole if one.side == 0 and one.line.row.get("event") == "opened"] == ["2"]
