"""Conformance vectors: few, of all clauses, and every page's own table takes them."""

import copy
import json

import pytest

from lifecycle.definition.read import bundled, read, read_text
from lifecycle.proof.explore import explore
from lifecycle.proof.prove import prove, settings_of
from lifecycle.proof.slices import slices
from lifecycle.proof.vectors import _effect, plain, vectors
from lifecycle.proof.world import World
from lifecycle.testing.vectors import BadVectors, replay_vectors

SMALL = {"max_attempts": 1, "refresh_misses": 1, "refresh_limit": 1, "release_tries": 1}

PASSENGERS = """
lifecycle: 1
page: riding
role: client
hears: {connect: {token: secret}, disconnect: {}}
variables: {kept: {kept: secret}}
parameters: {key: {secret: optional}}
causes: [{otherwise: true, is: lost}]
dial: {url: ws://h/, headers: {Authorization: =key}}
messages: {codec: json, frames: {hello: {token: =kept, list: [=key, 1]}}}
states:
  idle: {status: idle, rest: true, ignore: [disconnect], clauses: {A1: {on: connect, do: {set: {kept: =event.token}}, to: online}}}
  online:
    exit: drop
    ignore: [connect]
    clauses:
      A2: {on: [lost, disconnect], do: [{close: {code: 3000, reason: bye}}, {emit: {left: {why: over}}}, {mark: lost}], to: idle}
    regions:
      link:
        states:
          dialing: {status: connecting, enter: open, clauses: {A3: {on: opened, do: {send: hello}, to: up}, A4: {after: 5 s, to: slow}}}
          slow: {status: connecting, rest: true, clauses: {A5: {on: opened, to: up}}}
          up: {status: ready, rest: true}
      one: {states: {a: {clauses: {B1: {after: 1 s, to: b}}}, b: {clauses: {B2: {after: 2 s, to: a}}}}}
      two: {states: {a: {clauses: {C1: {after: 3 s, to: b}}}, b: {clauses: {C2: {after: 4 s, do: ping, to: a}}}}}
"""

COUNTING = """
lifecycle: 1
page: counting
variables: {n: {count: 1, max: 2}}
states:
  less: {enter: {set: {n: =n - 1}}, clauses: {A1: {when: n == 1, to: one}, A2: {to: over}}}
  one: {rest: true, ignore: [opened, closed, heard], clauses: {A3: {after: 1 s, to: over}}}
  over: {final: done}
"""

QUIET = """
lifecycle: 1
page: quiet
needs: open
states:
  a: {clauses: {A1: {silent: 3 s, to: b}}}
  b: {final: done}
"""


def made(page, *, given=None, limit=60_000):
    """The vectors of a page, through JSON."""
    definition = read(page)
    small = {name: value for name, value in SMALL.items() if name in definition.parameters}
    graphs = [
        explore(World(definition, tuple(setting.values())), limit)
        for setting in settings_of(definition, {**small, **(given or {})})
    ]
    return json.loads(json.dumps(vectors(graphs), allow_nan=False))


@pytest.mark.parametrize("page", bundled())
def test_every_page_takes_its_vectors(page):
    """They begin the page, fire each of its clauses, meet each of its ignores, and are no more than those."""
    definition, data = read(page), made(page)
    assert (data["conformance"], data["language"], data["page"], data["hash"]) == (1, 1, page, definition.hash)
    assert data["unshown"] == []
    shown = {clause for vector in data["vectors"] for clause in vector["clauses"]}
    assert shown == set(definition.clauses)
    ignores = sum(len(state.ignore) for state in definition.states.values())
    assert len(data["vectors"]) <= len(definition.clauses) + ignores + 1
    assert replay_vectors(data, definition) == ()


def test_a_vector_says_all_of_a_step():
    """From where, what happens, to where, and what is done: readable without our code."""
    (first, *_, last) = made("websocket", given={"token": "t0ken", "url": "ws://h/"})["vectors"]
    assert (first["event"], first["from"]) == (
        "@start", {"states": [], "variables": {"waiting.attempts": 0, "waiting.told": 0.0}, "phase": "none"},
    )  # fmt: skip
    assert (first["to"]["states"], first["clauses"], first["effects"]) == (["idle"], [], [])
    assert first["parameters"]["token"] == "<secret>"
    assert first["parameters"]["redial"]["first"] == 1
    assert last["from"]["states"] != last["to"]["states"]
    (dial,) = [v for v in made("websocket", given={"token": "t0ken"})["vectors"] if v["clauses"] == ["WS7"]]
    assert dial["effects"] == [
        {"effect": "open", "url": "ws://localhost/", "query": {}, "headers": {"Authorization": "<secret>"}}
    ]
    assert (dial["starts"], dial["to"]["phase"]) == (["timer.online.dialing.connect_timeout"], "dialing")
    assert (dial["cause"], dial["fields"]) == ("wish", {})


def test_they_are_the_same_each_time():
    """Nothing in them depends on what was explored before, or in which order tables grew."""
    definition = read("resume")
    setting = next(settings_of(definition, {"max_attempts": 2}))
    worlds = [World(definition, tuple(setting.values())) for _ in range(2)]
    assert vectors([explore(worlds[0])]) == vectors([explore(worlds[1])])


def test_secrets_are_in_none_of_them():
    """Neither parameters nor what was kept; and a secret that is not shown is none that is missing."""
    page = read_text(PASSENGERS)
    data = vectors(prove(page, {"key": "hush"}).graphs)
    text = json.dumps(data)
    assert "hush" not in text
    assert '"headers": {"Authorization": "<secret>"}' in text
    assert '"value": {"token": null, "list": ["<secret>", 1]}' in text
    assert replay_vectors(json.loads(text), page) == ()


def test_a_page_explored_in_slices_has_whole_vectors():
    """Each vector has the states of all regions, though no exploration had."""
    page = read_text(PASSENGERS)
    assert len(slices(page)) == 2
    data = vectors(prove(page).graphs)
    assert data["hash"] == page.hash
    assert data["unshown"] == []
    (second,) = [vector for vector in data["vectors"] if "C2" in vector["clauses"]]
    assert {"online.link", "online.one.a", "online.two.b"} < set(second["from"]["states"])
    assert replay_vectors(data, page) == ()


def test_a_silent_peer_is_in_the_way():
    """A step behind the peer's silence begins with a transport that is half-open."""
    page = read_text(QUIET)
    world = World(page, ())
    graph = explore(world)
    assert {node.phase for node in graph.nodes} >= {"open", "half-open"}
    graph.edges[0] = [edge for edge in graph.edges[0] if edge.move.cause == "silence"]
    (vector,) = [vector for vector in vectors([graph])["vectors"] if vector["clauses"]]
    assert vector["from"]["phase"] == "half-open"


def test_a_fragment_begins_as_its_user_may_begin_it():
    """With values of its variables other than its own, if a clause asks for them."""
    page = read_text(COUNTING)
    data = vectors(prove(page).graphs)
    starts = {tuple(v["clauses"]): v["from"]["variables"]["n"] for v in data["vectors"] if v["event"] == "@start"}
    assert starts == {("A1",): 2, ("A2",): 1}
    assert replay_vectors(data, page) == ()


def test_values_of_other_kinds_become_plain():
    """Backoffs, tuples and numbers as keys, as JSON has them."""
    backoff = read("reconnect").parameters["redial"].default
    assert _effect("refuse", {"http": 403}, None) == {"effect": "refuse", "http": 403}
    assert plain({1: (backoff,)}) == {
        "1": [{"delays": [], "first": 1.0, "factor": 2.0, "max": 60.0, "jitter": "full", "floor": 0.25}]
    }


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("clauses", ["WS8"], 'the vector says clauses ["WS8"], and the machine ["WS7"]'),
        ("to", {"states": ["idle"]}, 'the vector says to {"states": ["idle"]}, and the machine {"states": ["online", '),
        ("effects", [], 'the vector says effects [], and the machine [{"effect": "open", '),
        ("starts", ["x"], 'the vector says starts ["x"], and the machine ["timer.online.dialing.connect_timeout"]'),
        ("stops", ["x"], 'the vector says stops ["x"], and the machine []'),
        ("event", "opened", "the vector says refused null, and the machine true"),
        ("event", "opened", ""),
    ],
)  # fmt: skip
def test_a_vector_that_was_tampered_with_is_told(key, value, sentence):
    """By its number, with both sides; the others are still held against the page."""
    data = made("websocket")
    (number,) = [n for n, vector in enumerate(data["vectors"]) if vector["clauses"] == ["WS7"]]
    data["vectors"][number][key] = value
    (told,) = replay_vectors(data, read("websocket"))
    event = value if key == "event" else "connect"
    assert told.startswith(f"websocket, vector {number + 1}: `{event}`: {sentence}")


def test_a_step_that_a_variable_cannot_take_is_told():
    """As the machine would refuse it."""
    data = made("reconnect")
    vector = data["vectors"][0]
    vector["from"]["variables"]["attempts"] = 2
    (told,) = replay_vectors({**data, "vectors": [vector]}, read("reconnect"))
    assert told == "reconnect, vector 1: `@start` cannot be taken: `attempts` would be 3, outside 0 to 2"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"from": None}, "vector 1: the page `heartbeat` and the vector do not both have "),
        ({"from": {"states": ["x"], "variables": {}, "phase": "open"}}, "vector 1: the page `heartbeat` and the vector do not both have 'x'"),
        ({"from": {"states": []}}, "vector 1: the page `heartbeat` and the vector do not both have 'phase'"),
        ({"event": "odd"}, "vector 1: `odd` is no event of `heartbeat`"),
        ({"parameters": {"odd": 1}}, "vector 1: there is no parameter `odd`"),
    ],
)  # fmt: skip
def test_what_is_no_vector_of_the_page_is_refused(more, sentence):
    """And not taken for a difference."""
    data = made("heartbeat")
    data["vectors"] = [{**data["vectors"][1], **more}]
    with pytest.raises(BadVectors) as caught:
        replay_vectors(data, read("heartbeat"))
    assert str(caught.value).startswith(sentence)


def test_what_is_no_vectors_at_all_is_refused():
    """Another version, no list, or a vector without its parts."""
    data = made("heartbeat")
    for wrong in ({}, {**data, "conformance": 2}, {**data, "vectors": {}}):
        with pytest.raises(BadVectors, match="these are no conformance vectors of version 1"):
            replay_vectors(wrong, read("heartbeat"))
    less = copy.deepcopy(data)
    del less["vectors"][0]["from"], less["vectors"][0]["event"]
    with pytest.raises(BadVectors, match="vector 1: `from`, `event` is missing"):
        replay_vectors(less, read("heartbeat"))
    with pytest.raises(BadVectors, match="vector 1: expected an object"):
        replay_vectors({**data, "vectors": [3]}, read("heartbeat"))
