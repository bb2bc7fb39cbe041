"""What a simulated peer says over Socket.IO: packets that the codec takes, in which the route finds what it looks for."""

import random
from pathlib import Path
from typing import Any

import pytest

from lifecycle.definition.read import read_text
from lifecycle.testing.simulate import simulate_page
from lifecycle.testing.simulate.packets import packet_of, user_packet
from lifecycle.testing.simulate.words import Words
from lifecycle.wire.codec import encoder

DICE = random.Random(1)
TEXT = """
lifecycle: 1
page: chatter
role: client
parameters: {url: {url: required}}
hears: {connect: {}, disconnect: {}}
good: {dialing: [opened], open: [joined, pinged]}
min_time_per_dial: 1 s
dial: {url: =url}
variables: {cursor: {kept: number}, sid: {kept: text}}
causes: [{refusal: any, is: lost}, {otherwise: true, is: lost}]
messages:
  codec: socketio
  frames: {join: {packet: connect}, ask: {event: =method, args: =params, id: =id}}
  routes:
    - {match: {packet: connect}, keep: {sid: data.sid}, raise: joined}
    - {match: {packet: ack}, answer: id, result: args}
    - {match: {packet: event, event: numbered}, deliver: args.0, keep: {cursor: {max: args.0.id}}, sequence: args.0.id}
    - {match: {packet: event}, deliver: true}
    - {match: {packet: connect_error}, refusal: error}
    - {match: {packet: ping}, raise: pinged}
requests: {send: ask, timeout: 20 s}
states:
  online:
    exit: drop
    states:
      dialing:
        status: connecting
        enter: open
        clauses: {C1: {on: opened, to: joining}, C2: {after: 10 s, to: waiting}}
      joining:
        status: authenticating
        enter: {send: join}
        ignore: [pinged]
        clauses: {C3: {on: joined, to: up}, C4: {after: 10 s, to: waiting}}
      up:
        status: ready
        ignore: [joined]
        clauses: {C8: {on: pinged, to: up}, C9: {after: 60 s, to: waiting}}
    ignore: [connect]
    clauses: {C5: {on: lost, to: waiting}}
  waiting: {status: waiting, ignore: [connect], clauses: {C6: {after: 2 s, to: online}}}
  closed: {status: closed, final: done}
clauses: {C7: {on: disconnect, to: closed}}
"""
PAGE = read_text(TEXT)


def test_a_page_lives_through_bad_luck_in_packets(tmp_path: Path) -> None:
    """Events, with bytes and without, acknowledgements, gaps and losses happen, and no seed breaks an invariant."""
    page = tmp_path / "chatter.yaml"
    page.write_text(TEXT, encoding="utf-8")
    found = simulate_page(str(page), range(1, 41), hours=0.1)
    assert found.failure is None, found.failure
    wanted = {"messages sent", "messages read", "requests answered", "requests maybe", "marks lost", "marks gap"}
    assert wanted <= found.counts.keys()


def test_every_route_has_a_word() -> None:
    """What is said is in one message or in several, and damaged it is none of the codec."""
    words = Words(PAGE)
    assert (words.sayable, words.delivering, words.answering) == ((0, 1, 2, 3, 4, 5), (2, 3), (1,))
    said = [words.say(3, serial, random.Random(serial)) for serial in range(20)]
    assert {len(each.messages) for each in said if each is not None} == {1, 2}
    assert said[0] is not None
    assert words.garbage(said[0], 1).messages == ("42{1",)


@pytest.mark.parametrize(
    ("found", "packet"),
    [
        ({"packet": "open", "pingInterval": 0}, {"packet": "open", "pingInterval": 0}),
        ({"packet": "ping", "serial": 1}, {"packet": "ping"}),
        ({"packet": "connect", "namespace": {"n": 1}, "data": 7}, {"packet": "connect", "namespace": "/"}),
        ({"packet": "connect", "data": {}}, {"packet": "connect", "namespace": "/", "data": {}}),
        ({"packet": "disconnect", "namespace": "/a"}, {"packet": "disconnect", "namespace": "/a"}),
        ({"packet": "connect_error"}, {"packet": "connect_error", "namespace": "/", "error": {"message": "None"}}),
        (
            {"packet": "ack", "id": "7", "args": {"to": 1}},
            {"packet": "ack", "namespace": "/", "args": [{"to": 1}], "id": "7"},
        ),
        (
            {"event": "x", "args": {"0": 1, "2": {"a": 2}}},
            {"packet": "event", "namespace": "/", "event": "x", "args": [1, None, {"a": 2}]},
        ),
    ],
)
def test_what_is_made_of_what_was_made_up(found: dict[str, Any], packet: dict[str, Any]) -> None:
    """It stands where the route looks for it; what no packet can hold is left out; and the codec takes it."""
    made = packet_of(found, None, DICE)
    made["args"] = [part for part in made.get("args", []) if not (isinstance(part, dict) and "bytes" in part)]
    assert {key: part for key, part in made.items() if part != []} == packet
    assert encoder("socketio")(packet)


def test_what_the_user_says() -> None:
    """Every third packet of his leaves in several messages."""
    written = [encoder("socketio")(user_packet(serial, "pad")) for serial in (1, 2, 3)]
    assert written[:2] == ['42["said",{"u":1},"pad"]', '42["said",{"u":2},"pad"]']
    assert written[2][1:] == (b"pad", b"")
