"""Two pages explored together: pairs that keep every law, and classic mistakes with their shortest traces."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read, read_text
from lifecycle.proof.explore import TooManyStates
from lifecycle.proof.two_party import Together, explore_together
from lifecycle.proof.two_party.frames import UNKNOWN, Frame, Frames, find, matches
from lifecycle.proof.two_party.naming import ending, refusal
from lifecycle.proof.two_party.pair import Bounds, Pair

PARTNERS = Path(__file__).parent / "partners"


def partner(name: str, *changes: tuple[str, str]) -> Definition:
    """A page of the partners, with some of its text changed."""
    return changed((PARTNERS / f"{name}.yaml").read_text(encoding="utf-8"), *changes)


def changed(text: str, *changes: tuple[str, str]) -> Definition:
    """A page of a text that is changed."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read_text(text, "changed.yaml", PARTNERS)


def resume(*, dedupe: bool = True, window: int = 1000) -> Definition:
    """The bundled page, which knows doubled messages by their numbers, or does not."""
    page = read("resume")
    kept = [
        attrs.evolve(row, dedupe=row.dedupe and attrs.evolve(row.dedupe, window=window)) for row in page.messages.routes
    ]
    routes = kept if dedupe else [attrs.evolve(row, dedupe=None) for row in kept]
    return attrs.evolve(page, messages=attrs.evolve(page.messages, routes=tuple(routes)))


CLIENT = """
lifecycle: 1
page: small_client
role: client
hears: {disconnect: {}}
causes: [{otherwise: true, is: lost.connection}]
messages:
  codec: json
  routes: [{match: {type: message}, deliver: true}]
states:
  online:
    use: connection
    clauses:
      SC1: {on: done, to: closed}
      SC2: {on: lost, to: waiting}
  waiting:
    status: waiting
    clauses:
      SC3: {after: 1 s, to: online}
  closed: {status: closed, final: done}
clauses:
  SC4: {on: disconnect, to: closed}
"""
SERVER = """
lifecycle: 1
page: small_server
role: server
stop: drained
hears: {drained: {}}
causes: [{otherwise: true, is: lost}]
calls:
  live: {yields: message, timeout: 10 s}
messages:
  codec: json
  routes: [{match: {type: nothing}, discard: true}]
  frames: {message: {type: message, seq: =item}}
states:
  serving:
    exit: drop
    states:
      sending:
        status: ready
        call: live
        clauses:
          SS1: {on: done, to: resting}
          SS2: {on: failed, to: resting}
      resting: {status: ready, rest: true}
    clauses:
      SS3: {on: [lost, drained], to: over}
  over: {status: closed, final: done}
"""
UP = "    use: connection\n"
WAITING = CLIENT[CLIENT.index("  waiting:") : CLIENT.index("  closed:")]


def said(found: Together) -> list[str]:
    """What happens in a trace, in words without clauses."""
    return [f"{step.who} {step.what}".partition(" (")[0] for step in found.steps]


# -- pairs that are right


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_handshake_keeps_every_law(capacity: int) -> None:
    """The bundled handshake and a server that challenges and accepts understand each other, whatever is lost."""
    found = explore_together(partner("handshake_client"), partner("handshake_server"), capacity=capacity, closes=3)
    assert (
        str(found)
        == f"handshake_client and handshake_server: {found.states} states, {found.edges} edges, all laws kept"
    )
    assert found.states > 100


@pytest.mark.parametrize("messages", [2, 3])
def test_resume_loses_and_doubles_nothing(messages: int) -> None:
    """The bundled page that resumes gets each message once, from a server that goes on after its cursor."""
    found = explore_together(read("resume"), partner("resume_server"), messages=messages, closes=2)
    assert found.broken is None, found
    assert found.states > 500 * messages


def test_resume_survives_a_channel_that_doubles() -> None:
    """What comes twice is known by its number, and dropped."""
    found = explore_together(read("resume"), partner("resume_server"), duplicates=1)
    assert found.broken is None, found


def test_a_page_that_does_not_resume_says_so() -> None:
    """Ready again without a word about the stream, the user is told that messages may be missing, so none is lost."""
    found = explore_together(changed(CLIENT), changed(SERVER))
    assert found.broken is None, found


def test_a_cursor_may_come_with_an_event() -> None:
    """What a route gives to an event as a field is as well known as what it keeps."""
    server = partner(
        "resume_server",
        ("keep: {cursor: after}, raise: asked", "raise: asked, fields: {after: after}"),
        ("{on: asked, to: remembering}", "{on: asked, do: {set: {cursor: =event.after}}, to: remembering}"),
    )
    found = explore_together(resume(dedupe=False), server, closes=1)
    assert found.broken is None, found


def test_a_cursor_in_the_dial_is_as_good_as_one_in_a_frame() -> None:
    """A server that reads the cursor from the upgrade request replays after it."""
    client = changed(
        CLIENT,
        ("hears:", "variables: {cursor: {kept: number}}\ndial: {query: {after: =cursor}}\nhears:"),
        ("deliver: true", "keep: {cursor: {max: seq}}, deliver: true"),
        RESUMED,
    )
    reading = ("calls:", "variables: {after: {kept: number, from: query.after, else: 0}}\ncalls:")
    taking = ("live: {yields", "live: {takes: {after: number}, yields")
    server = changed(SERVER, reading, taking, ("call: live", "call: {live: {after: =after}}"))
    assert explore_together(client, server).broken is None
    forgetting = changed(SERVER, taking, ("call: live", "call: {live: {after: 0}}"))
    assert explore_together(client, forgetting).broken == "no doubled message"


CONVERSATION = (read("openhands-conversation"), read("openhands-conversation-server"))


@pytest.mark.parametrize(("messages", "closes"), [(2, 2), (3, 1)])
def test_a_conversation_is_replayed_after_its_cursor(messages: int, closes: int) -> None:
    """Both ends of a conversation: nothing is lost and nothing is doubled, wherever the channel drops and closes."""
    found = explore_together(*CONVERSATION, messages=messages, closes=closes)
    assert found.broken is None, found
    assert found.states > 10_000


def test_a_client_and_a_server_of_socketio_understand_each_other() -> None:
    """Whatever a client says of itself, and whether it is let in or denied; nothing waits for a clock."""
    found = explore_together(read("socketio"), read("socketio-server"), closes=2)
    assert found.broken is None, found
    assert found.states > 300


AVATAR = (read("avatar-live"), read("avatar-live-server"))


@pytest.mark.parametrize("closes", [1, 2])
def test_a_client_and_a_server_of_avatars_understand_each_other(closes: int) -> None:
    """Start, heartbeats first or not, errors, stops and goodbyes: both come to live, or to an end."""
    found = explore_together(*AVATAR, closes=closes)
    assert found.broken is None, found
    assert found.states > 50


@pytest.mark.parametrize(
    ("page", "right", "wrong"),
    [
        (0, "start:     {header: CTL00,", "start:     {header: CTL02,"),
        (1, "ack:       {header: MSG00,", "ack:       {header: MSG03,"),
    ],
    ids=["another start", "another acknowledgement"],
)
def test_what_both_ends_of_a_live_say_is_needed(page: int, right: str, wrong: str) -> None:
    """A frame that the other end does not know leaves both waiting, and only a clock ends that."""
    text = (Path("specs") / f"{AVATAR[page].name}.yaml").read_text(encoding="utf-8")
    assert text.count(right) == 1
    pages = list(AVATAR)
    pages[page] = read_text(text.replace(right, wrong), f"{AVATAR[page].name}.yaml", Path("specs"))
    assert explore_together(*pages, closes=0).broken == "no deadlock"


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        (((", after: =cursor}}", "}}"), ("events: object, after: number}", "events: object}"), ("  cursor:        {kept: number, from: query.latest_event_id, else: -1}\n", "")), "no lost message"),
        ((("    latest_event_id: =cursor\n", ""), (", dedupe: {by: args.0.id, window: 1000}", "")), "no doubled message"),
        ((("        enter: {mark: resumed}        # the server tells what came after the cursor\n", "        enter: {mark: lost}\n"),), None),
    ],
    ids=["a server that goes on where it was", "no cursor in the dial", "a client that does not trust"],
)  # fmt: skip
def test_both_ends_of_a_conversation_are_needed(changes: tuple[tuple[str, str], ...], broken: str | None) -> None:
    """A server that goes on at its own position loses, a client that does not say its cursor is told all again."""
    pages = []
    for page in CONVERSATION:
        text = (Path("specs") / f"{page.name}.yaml").read_text(encoding="utf-8")
        for old, new in changes:
            text = text.replace(old, new)
        pages.append(read_text(text, f"{page.name}.yaml", Path("specs")))
    assert pages != list(CONVERSATION)
    assert explore_together(pages[0], pages[1], closes=1).broken == broken


# -- classic mistakes


def test_a_server_that_resumes_at_its_own_position_loses_what_was_in_flight() -> None:
    """It has sent the message, the connection was lost, and after the resumption it does not send it again."""
    found = explore_together(read("resume"), partner("resume_server_own_position"))
    assert found.broken == "no lost message"
    assert said(found) == [
        "user wishes `connect`",
        "client call `credentials` is done",
        "network the dial is answered",
        "server takes `resume none`",
        "server call `remembers` is done",
        "server has message 1",
        "server sends `message 1`",
        "network loses the connection",
        "client `waiting.backing_off.redial` runs out",
        "client call `credentials` is done",
        "network the dial is answered",
        "server takes `resume none`",
        "server call `remembers` is done",
        "client takes `resumed`",
        "server call `replay` is done",
    ]
    lost = found.steps[6:8]
    assert [step.down for step in lost] == [("resumed", "message 1"), ()]
    assert "message 1 was never delivered" in str(found)


def test_its_own_position_is_right_as_long_as_nothing_is_lost() -> None:
    """The mistake needs an end of a connection: without one the same pair keeps every law."""
    found = explore_together(read("resume"), partner("resume_server_own_position"), closes=0)
    assert found.broken is None, found


def test_a_channel_that_doubles_shows_a_client_that_cannot_tell() -> None:
    """Without `dedupe` a frame that comes twice is delivered twice."""
    found = explore_together(resume(dedupe=False), partner("resume_server"), duplicates=1, closes=0)
    assert (found.broken, len(found.steps)) == ("no doubled message", 11)
    assert said(found)[-4:] == [
        "server sends `message 1`",
        "network doubles `message 1`",
        "client takes `message 1`",
        "client takes `message 1`",
    ]


def test_the_same_client_is_right_where_nothing_is_doubled() -> None:
    """On TCP, and as long as the server has not forgotten what it sent, the cursor is enough."""
    found = explore_together(resume(dedupe=False), partner("resume_server"), closes=1)
    assert found.broken is None, found


def test_a_server_that_replays_one_too_many_is_caught() -> None:
    """It sends the message at the cursor again; a client that knows numbers drops it, another one does not."""
    server = partner("resume_server", ("{replay: {after: =cursor}}", "{replay: {after: =cursor - 1}}"))
    found = explore_together(resume(dedupe=False), server, closes=1)
    assert (found.broken, len(found.steps)) == ("no doubled message", 18)
    assert "server takes `resume 1`" in said(found)
    assert explore_together(resume(), server).broken is None


RESUMED = (UP, f"{UP}    fill: {{up: {{states: {{here: {{rest: true, enter: {{mark: resumed}}}}}}}}}}\n")


@pytest.mark.parametrize(("changes", "broken"), [((), None), ((RESUMED,), "no lost message")])
def test_a_server_that_replays_nothing_begins_with_what_is_new(
    changes: tuple[tuple[str, str]], broken: str | None
) -> None:
    """Messages from between two connections are lost, and a client that says `resumed` has not told the truth."""
    server = changed(
        SERVER,
        ("{match: {type: nothing}, discard: true}", "{match: {type: again}, raise: again}"),
        (
            "      sending:\n",
            "      live: {status: ready, rest: true, clauses: {SS4: {on: again, to: sending}}}\n      sending:\n",
        ),
    )
    found = explore_together(changed(CLIENT, *changes), server)
    assert found.broken == broken, found


def test_a_window_that_is_too_small_forgets() -> None:
    """Two messages back is more than a window of one remembers."""
    server = partner("resume_server", ("{replay: {after: =cursor}}", "{replay: {after: =cursor - 2}}"))
    assert explore_together(resume(window=1), server).broken == "no doubled message"
    assert explore_together(resume(window=2), server).broken is None


@pytest.mark.parametrize(("mark", "broken"), [("lost", "no doubled message"), ("replayed", None)])
def test_whoever_begins_again_says_so(mark: str, broken: str | None) -> None:
    """After `forgotten` everything comes again: doubled for a client that only says that something may be missing."""
    rows = tuple(attrs.evolve(row, dedupe=None) for row in read("resume").messages.routes)
    page = changed(Path("specs/resume.yaml").read_text(encoding="utf-8"), ("{mark: lost}", f"{{mark: {mark}}}"))
    client = attrs.evolve(page, messages=attrs.evolve(page.messages, routes=rows))
    assert explore_together(client, partner("resume_server")).broken == broken


def test_a_server_that_never_accepts_is_a_deadlock() -> None:
    """The client waits for `accepted` and the server for nothing: only a clock would part them."""
    server = partner("handshake_server", ("do: {send: accepted}, ", ""), ("    accepted:  {type: accepted}\n", ""))
    found = explore_together(partner("handshake_client"), server)
    assert (found.broken, len(found.steps)) == ("no deadlock", 6)
    assert found.because == (
        "nothing but a clock can happen: the client is in online.up.greeting.awaiting (authenticating, transport open), "
        "the server in serving.joined (ready, transport open)"
    )


def test_two_that_wait_for_each_other_are_a_deadlock() -> None:
    """A client that waits without a clock for a frame that the server does not send is stuck."""
    client = changed(
        CLIENT,
        ("routes: [", "routes: [{match: {type: hello}, raise: hello}, "),
        (UP, f"{UP}    fill: {{up: {{states: {{mute: {{status: connecting, rest: true, ignore: [hello]}}}}}}}}\n"),
    )
    found = explore_together(client, changed(SERVER))
    assert (found.broken, found.because.partition(":")[0]) == ("no deadlock", "nothing can happen any more")


def test_two_that_only_answer_each_other_find_no_rest() -> None:
    """Each frame asks for the next, for ever: something happens always, and never anything else."""
    asking = "{status: connecting, enter: {send: ping}, rest: true, clauses: {SC5: {on: pong, to: asking}}}"
    client = changed(
        CLIENT,
        ("routes: [", "frames: {ping: {type: ping}}\n  routes: [{match: {type: pong}, raise: pong}, "),
        (UP, f"{UP}    fill: {{up: {{states: {{asking: {asking}}}}}}}\n"),
    )
    server = changed(
        SERVER,
        ("{match: {type: nothing}, discard: true}", "{match: {type: ping}, raise: ping}"),
        ("frames: {", "frames: {pong: {type: pong}, "),
        ("SS3:", "SS4: {on: ping, do: {send: pong}}\n      SS3:"),
    )
    found = explore_together(client, server)
    assert (found.broken, len(found.steps)) == ("no deadlock", 0)
    assert "no way leads to rest" in found.because


def test_a_client_that_forgets_the_wish_to_stop_never_ends() -> None:
    """Where it waits for its next dial it does not hear the wish, dials, and stays."""
    client = partner("handshake_client", ("use: reconnect\n", "use: reconnect\n    ignore: [disconnect]\n"))
    found = explore_together(client, partner("handshake_server"))
    assert found.broken == "both end"
    assert said(found) == ["network loses the connection", "user wishes `disconnect`"]


@pytest.mark.parametrize(("status", "broken"), [("closing", None), ("connecting", "no deadlock")])
def test_only_who_is_leaving_may_wait_for_a_clock(status: str, broken: str | None) -> None:
    """A server that lingers before it goes is saved by its clock, and rightly so; one that should act is not."""
    client = changed(CLIENT, ("SC2: {on: lost, to: waiting}", "SC2: {on: lost, to: closed}"), (WAITING, ""))
    server = changed(
        SERVER,
        ("SS1: {on: done, to: resting}", "SS1: {on: done, to: waiting}"),
        (
            "      resting:",
            f"      waiting: {{status: {status}, ignore: [drained], clauses: {{SS5: {{after: 2 s, to: gone}}}}}}\n      gone: {{final: done}}\n      resting:",
        ),
        ("SS3:", "SS6: {on: done, to: over}\n      SS3:"),
    )
    assert explore_together(client, server, messages=0).broken == broken


def test_a_dial_can_be_closed() -> None:
    """Whoever closes before there is an answer is told that it is closed, and there is no peer to tell."""
    dialing = """  online:
    exit: drop
    states:
      dialing: {status: connecting, rest: true, enter: open, clauses: {SC1: {on: opened, to: up}}}
      up: {status: ready, rest: true}
    clauses:
      SC2: {on: lost, to: waiting}
      SC5: {on: disconnect, to: leaving}
  leaving: {status: closing, rest: true, enter: {close: {code: 1000}}, clauses: {SC6: {on: [closed, lost], to: closed}}}
"""
    old = CLIENT[CLIENT.index("  online:") : CLIENT.index("  waiting:")]
    client = changed(
        CLIENT, (old, dialing), ("    exit: drop\n", ""), ("hears:", "dial: {url: 'ws://localhost/'}\nhears:")
    )
    found = nodes(Pair(client, changed(SERVER), Bounds(0, 1, 0, 0)))
    assert any(node.stopped and node.client.row.ended and not node.server.row.states for node in found)
    assert explore_together(client, changed(SERVER)).broken is None


def test_a_refusal_arrives_before_the_end() -> None:
    """What a server says before it closes is heard, and named by the causes of the client."""
    client = changed(
        CLIENT,
        ("causes: [", "causes: [{match: {code: full}, is: refused.full}, "),
        ("routes: [", "routes: [{match: {type: refusal}, refusal: error}, "),
        ("lost, to: waiting}", "lost, to: waiting}\n      SC5: {on: refused, to: closed}"),
    )
    server = changed(
        SERVER,
        ("frames: {", "frames: {refusal: {type: refusal, error: {code: full}}, "),
        ("    exit: drop\n", "    enter: {send: refusal}\n    exit: drop\n"),
        (
            "SS3: {on: [lost, drained], to: over}",
            "SS3: {on: [lost, drained], to: over}\n      SS5: {after: 1 s, to: over}",
        ),
    )
    parted = [node for node in nodes(Pair(client, server, Bounds(0, 2, 0, 0))) if node.client.row.leaves == ("closed",)]
    assert any(not node.stopped for node in parted)
    assert explore_together(client, server).broken is None


def test_a_page_that_ends_leaves_no_transport_behind() -> None:
    """Without a `drop` of its own the server's end is the end of the connection, and the client is told."""
    server = changed(SERVER, ("    exit: drop\n", ""))
    pair = Pair(changed(CLIENT), server, Bounds(0, 1, 1, 0))
    drained = [move.node for node in nodes(pair) for move in pair.moves(node) if "drained" in move.what]
    assert {(node.client.phase, node.client.row.leaves) for node in drained if not node.stopped} == {
        ("none", ("waiting",))
    }
    assert explore_together(changed(CLIENT), server).broken is None


# -- one party


def test_a_cursor_with_max_never_steps_back() -> None:
    """A message from before leaves it where it is, and one beyond the last counts as the last."""
    client, server = (
        Pair(read("resume"), partner("resume_server"), Bounds(2, 1, 1, 0)).parties[side]
        for side in ("client", "server")
    )
    at, cursors = client.start("none").after, []
    for item in (2, 1, 3):
        (turn,) = client.hear(at, server.frames.make("message", item=item))
        at = turn.after
        cursors.append(at.variables[list(client.definition.variables).index("cursor")])
    assert cursors == [2, 2, 2]


def test_after_our_own_close_only_messages_are_heard() -> None:
    """What a route raises is stale then; what it keeps is kept."""
    pair = Pair(read("resume"), partner("resume_server"), Bounds(1, 2, 0, 0))
    closing = [node.client for node in nodes(pair) if node.client.phase == "closing"]
    open_ = next(node.client for node in nodes(pair) if "online.up.resuming" in node.client.row.leaves)
    refused, message = Frame("refused", {"type": "refused", "error": {}}), pair.server.frames.make("message", item=1)
    assert closing
    assert all(turn.clauses == () for at in closing for turn in pair.client.hear(at, refused))
    assert [turn.clauses for turn in pair.client.hear(open_, refused)] == [("RM10",)]
    assert all(1 in turn.after.variables for at in closing for turn in pair.client.hear(at, message))


def test_what_a_page_does_not_take_changes_nothing() -> None:
    """A frame at the wrong moment, and one that would take a count out of its range, come and are gone."""
    client = changed(
        CLIENT,
        ("hears:", "variables: {helloes: {count: 0, max: 1}}\nhears:"),
        ("routes: [", "routes: [{match: {type: hello}, raise: hello}, {match: {type: bye}, raise: bye}, "),
        (
            UP,
            f"{UP}    fill: {{up: {{states: {{first: {{rest: true, clauses: {{SC5: {{on: bye, to: last}},"
            " SC6: {on: hello, do: {set: {helloes: =helloes + 1}}}}}, last: {rest: true}}}}\n",
        ),
    )
    server = changed(
        SERVER,
        ("frames: {", "frames: {hello: {type: hello}, bye: {type: bye}, "),
        ("SS3:", "SS4: {on: drained, do: [{send: hello}, {send: bye}], to: over}\n      SS3:"),
        ("[lost, drained]", "lost"),
    )
    party, frames = Pair(client, server, Bounds(0, 1, 0, 0)).client, Frames(server, ())
    at = next(node.client for node in nodes(Pair(client, server, Bounds(0, 1, 0, 0))) if node.client.ready)
    taken = []
    for name in ("hello", "hello", "bye", "bye"):
        (turn,) = party.hear(at, frames.make(name))
        at = turn.after
        taken.append(turn.clauses)
    assert taken == [("SC6",), (), ("SC5",), ()]


# -- frames and names


def test_any_value_matches_and_what_is_known_must_be_equal() -> None:
    """`=x` may be what a route asks for; a constant, a number of a cursor and a place without anything are not."""
    page = changed(
        CLIENT,
        ("hears:", "variables: {cursor: {kept: number}, other: {kept: text}}\nhears:"),
        ("routes: [", "frames: {all: {a: =other, b: [1, {c: =cursor}], d: true}}\n  routes: ["),
        ("SC1: {on: done,", "SC1: {on: done, do: {send: all},"),
    )
    frames = Frames(page, {"cursor"})
    content = frames.make("all", {"a": None, "b": [1, {"c": 7}], "d": True}).content
    assert content == {"a": UNKNOWN, "b": [1, {"c": 7}], "d": True}
    assert frames.make("all").said == "all none"
    assert (find(content, "a.b.c"), find(content, "b.1.c"), find(content, "b.2"), find(content, "d.e")) == (
        UNKNOWN,
        7,
        None,
        None,
    )
    asked = [{"a": ("x",)}, {"b.1.c": (6, 7)}, {"d": (True,)}, {"d": (1,)}, {"b.0": (True,)}, {"e": (1,)}]
    assert [matches(content, one) for one in asked] == [True, True, True, False, False, False]


def test_an_end_is_called_as_the_causes_say() -> None:
    """A close code and a word of errors each find their row; what nobody names is lost."""
    causes = read("resume").causes
    ends = {
        1000: "ended.normal",
        1008: "refused.policy",
        4999: "lost.network",
        "eof": "lost.network",
        "tls": "refused.certificate",
    }
    assert {how: ending(causes, how) for how in ends} == ends
    assert refusal(causes, {"code": "busy"}) == "lost.busy"
    assert refusal(causes, {"code": "new"}) == "refused.other"
    assert (ending((), 1000), refusal((), {})) == ("lost", "lost")


# -- the exploration


def nodes(pair: Pair) -> list:
    """Every node that is reached."""
    known = {pair.start(): None}
    for node in (waiting := list(known)):
        moves = pair.moves(node)
        for move in moves if any(not move.free for move in moves) else [*moves, *pair.last_resort(node)]:
            if move.node not in known:
                known[move.node] = None
                waiting.append(move.node)
    return waiting


@pytest.mark.parametrize("bounds", [Bounds(1, 1, 1, 0), Bounds(2, 1, 2, 1), Bounds(3, 2, 0, 1)])
def test_bounds_are_reached_and_kept(bounds: Bounds) -> None:
    """Messages, frames on their way, ends and doubled frames come up to their bounds and not beyond."""
    found = nodes(Pair(read("resume"), partner("resume_server"), bounds))
    assert max(node.log.produced for node in found) == bounds.messages
    assert max(node.closes for node in found) == bounds.closes
    assert max(node.duplicates for node in found) == (bounds.duplicates if bounds.capacity > 1 else 0)
    assert max(sum(frame.code is None for frame in node.down) for node in found) == bounds.capacity


def test_whoever_acts_by_itself_waits_for_room() -> None:
    """A call whose end sends a frame ends when the channel has room; and one that replays, when all is sent."""
    server = changed(
        SERVER,
        ("frames: {", "frames: {rested: {type: rested}, "),
        ("SS1: {on: done, to: resting}", "SS1: {on: done, do: {send: rested}, to: resting}"),
    )
    pair = Pair(changed(CLIENT), server, Bounds(2, 1, 0, 0))
    found = nodes(pair)
    assert max(len(node.down) for node in found) == 1
    ends = [node for node in found for move in pair.moves(node) if move.what.startswith("call `live` is done")]
    assert ends
    assert {(len(node.down), node.log.produced - node.log.sent) for node in ends} == {(0, 0)}


def test_more_bounds_are_more_states() -> None:
    """Each bound widens what is explored, and without messages there is none."""
    pages = read("resume"), partner("resume_server")
    sizes = [explore_together(*pages, messages=n, closes=1).states for n in (0, 1, 2)]
    assert sizes == sorted(set(sizes))
    assert explore_together(*pages, messages=1, closes=0).states < sizes[1]


def test_the_same_pair_has_the_same_numbers() -> None:
    """States, edges and the trace do not depend on how Python hashes."""
    code = (
        "import sys; from pathlib import Path; from lifecycle.definition.read import read;"
        "from lifecycle.proof.two_party import explore_together;"
        "print(explore_together(read('resume'), read(Path(sys.argv[1]))))"
    )
    server = str(PARTNERS / "resume_server_own_position.yaml")
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, server],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    (output,) = outputs
    assert output == f"{explore_together(read('resume'), read(Path(server)))}\n"


def test_too_many_states_are_told() -> None:
    """What cannot be explored to its end is not judged."""
    with pytest.raises(TooManyStates, match="handshake_client and handshake_server have more than 20 states"):
        explore_together(partner("handshake_client"), partner("handshake_server"), limit=20)


def test_each_page_has_its_own_role() -> None:
    """Two clients have nothing to say to each other, and a fragment has no transport."""
    with pytest.raises(ValueError, match="resume has the role client; a server is asked for here"):
        explore_together(read("resume"), read("resume"))
    with pytest.raises(ValueError, match="a client is asked for here"):
        explore_together(read("handshake"), partner("resume_server"))
