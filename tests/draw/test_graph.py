from lifecycle.definition.definition import Definition
from lifecycle.draw import words
from lifecycle.draw.graph import graph


def label(definition: Definition, clause: str) -> tuple[str, ...]:
    """What is said of a clause."""
    return next(edge.label for edge in graph(definition).edges if edge.clause == clause)


def test_every_state_and_clause_is_there(definition, edges):
    """A graph has the states of the plan and the edges of the chart."""
    drawn = graph(definition)
    assert drawn.nodes.keys() == definition.states.keys()
    assert {(edge.source, edge.clause, edge.target) for edge in drawn.edges} == edges(definition)


def test_an_edge_says_what_its_clause_says(everything):
    """Trigger, guard, `while` and effects stand in the label, lengths with what they are by default."""
    assert label(everything, "T1") == (
        "T1 go",
        "[tries < 3]",
        "while right.three",
        '/ set tries = tries + 1, style = "b"',
    )
    assert label(everything, "T2") == ("T2 after waits (2 s, 1 s \N{MULTIPLICATION SIGN} 2 … 8 s)",)
    assert label(everything, "T3") == ("T3 silent 4 s",)
    assert label(everything, "T6") == ("T6 after told * 2 (4 s at first)",)
    assert label(everything, "T10") == ("T10", "[tries > 1]")
    assert label(everything, "T12") == ("T12 done, failed",)


def test_a_proof_is_marked(websocket):
    """A clause that proves that the peer is healthy says so."""
    assert label(websocket, "WS1") == ("WS1 after proven_after (5 s)", "/ set waiting.attempts = 0", "proof of health")


def test_a_state_says_what_it_is(everything, websocket):
    """Status, traits, effects, calls, timers and what is ignored stand in the state."""
    nodes = graph(everything).nodes
    assert nodes["both"].lines == (
        "status ready, rest",
        "enter / open",
        "enter / ping",
        "enter / send hello",
        "enter / emit here",
        "enter / emit there {a: tries}",
        "enter / mark lost",
        'exit / close 3000 "bye"',
        "exit / close 1000",
    )
    assert nodes["both.right.three"].lines == ("call fetch, pause (3 s)", "timer after told * 2 (4 s at first)")
    assert nodes["inner"].lines == ("ignores stay, up",)
    assert graph(websocket).nodes["online"].lines[0] == "uses connection"


def test_kinds_and_statuses(everything):
    """Junctions and finals are told apart, and a status holds inside."""
    nodes = graph(everything).nodes
    assert {path: node.kind for path, node in nodes.items() if node.kind != "state"} == {
        "both.right.four": "final",
        "choice": "junction",
        "end": "final",
    }
    assert [nodes[path].status for path in ("", "both.left.one", "inner.first", "end")] == [
        "idle",
        "ready",
        "idle",
        "closed",
    ]


def test_a_slot_is_named(make):
    """A slot that nobody filled is told."""
    assert graph(make("states: {a: {slot: true}}")).nodes["a"].lines == ("slot",)


def test_values_in_words():
    """Values are said as pages write them, and a secret is not."""
    from lifecycle.definition.literal import Secret

    assert (
        words.value({"a": [26214400, 2.5, None, True], "b": Secret("x")})
        == "{a: [26214400, 2.5, none, true], b: <secret>}"
    )
    assert words.value("it's \n") == '"it\'s \\n"'
    assert words.short("x" * 200).endswith("x…")


def test_lengths_that_have_no_usual_value(make):
    """A length that depends on what is only known later stands alone."""
    page = make("""
parameters: {a: {duration: required}, b: {duration: 1 s}, f: {flag: true}}
states:
  s:
    clauses:
      A1: {after: a, to: s}
      A2: {after: b - 3, to: s}
      A3: {after: f, to: s}
""")
    assert [label(page, f"A{number}")[0] for number in (1, 2, 3)] == ["A1 after a", "A2 after b - 3", "A3 after f"]
    assert words.length(page, None) == "none"


def test_a_backoff_that_a_page_fixed(make):
    """A wait whose backoff is fixed with `with` is said in full."""
    page = make(
        "states: {w: {use: reconnect, with: {redial: {first: 2 s, max: 4 s}}, clauses: {A1: {on: done, to: w}}}}"
    )
    assert label(page, "w/R4") == ("w/R4 after 2 s \N{MULTIPLICATION SIGN} 2 … 4 s",)


def test_effects_of_servers(make):
    """Admission and refusal are said with their status."""
    page = make(
        "role: server\nhears: {a: {}}\nstates: {s: {clauses: {A1: {on: a, do: [admit, {refuse: {http: 403}}], to: s}}}}"
    )
    assert label(page, "A1") == ("A1 a", "/ admit", "/ refuse 403")
