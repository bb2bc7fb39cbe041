"""A page as a whole: settings, reports, certificates, traces and diagrams."""

import json
from pathlib import Path

import attrs
import pytest

from lifecycle.definition.read import bundled, read, read_text
from lifecycle.errors import PageError, WrongParameters
from lifecycle.machine.shipped import certified
from lifecycle.proof.certificate import certificate
from lifecycle.proof.diff import diff, weight
from lifecycle.proof.prove import prove, settings_of
from lifecycle.proof.report import report

BROKEN = Path(__file__).parent / "broken"
TICK = """
lifecycle: 1
page: tick
title: A page that asks for fields
role: session
parameters: {{strict: {{flag: false}}, kind: {{choice: a, of: [a, b, c]}}}}
hears: {{disconnect: {{}}, told: {{{fields}}}}}
states:
  up:
    status: ready
    rest: true
    clauses:
      T0: {{on: told, when: strict and kind == 'c', to: up}}
      T1: {{on: told, when: {guard}, to: up}}
      T2: {{on: told, to: up}}
      T3: {{on: disconnect, to: over}}
  over: {{status: closed, final: done}}
"""


def tick(guard: str, fields: str = "n: number") -> str:
    """A page with a guard over fields of an event."""
    return TICK.format(guard=guard, fields=fields)


def test_flags_and_choices_that_guards_read_take_each_value() -> None:
    """A page is explored once for each value that a guard could see, and no more often."""
    asked = read_text(tick("strict or kind == 'b'"), "tick.yaml")
    assert [(each["strict"], each["kind"]) for each in settings_of(asked, {})] == [
        (False, "a"), (False, "b"), (False, "c"), (True, "a"), (True, "b"), (True, "c"),
    ]  # fmt: skip
    assert len(list(settings_of(asked, {"strict": True}))) == 3
    assert len(list(settings_of(read("websocket"), {}))) == 1


def test_a_clause_needs_one_setting_in_which_it_fires() -> None:
    """A clause for one value of a flag is reachable, though it never fires for the other."""
    assert prove(read_text(tick("strict and event.n > 3"), "tick.yaml")).broken is None


def test_guards_that_depend_on_one_field_are_not_answered_apart() -> None:
    """A clause whose guards contradict each other is found to be dead."""
    proof = prove(read_text(tick("event.n > 3 and event.n < 2"), "tick.yaml"))
    assert proof.broken.law.name == "reachable"
    assert [breach.what for breach in proof.broken.finding.breaches] == ["the clause `T1` can never happen"]


def test_an_event_with_too_many_kinds_is_told() -> None:
    """An event whose fields tell more than 64 kinds apart is refused with its place, not sampled."""
    guard = " and ".join(f"event.f{i} in [1, 2, 3]" for i in range(3))
    page = read_text(tick(f'"{guard}"', ", ".join(f"f{i}: number" for i in range(3))), "tick.yaml")
    with pytest.raises(PageError, match=r"tick.yaml:\d+:\d+: the event `told` .* no more than 64 kinds"):
        prove(page)


def test_parameters_that_do_not_fit_are_refused() -> None:
    """Proving with a parameter that the page does not have is the caller's mistake."""
    with pytest.raises(WrongParameters, match="there is no parameter `tokn`"):
        prove(read("websocket"), {"tokn": 1})


def test_numbers_follow_parameters() -> None:
    """The numbers of a proof are those of the parameters that it was given."""
    usual, quick = prove(read("websocket")), prove(read("websocket"), {"heartbeat_after": 2, "heartbeat_wait": 3})
    said = [next(n.said for n in report(proof).numbers if "half-open" in n.name) for proof in (usual, quick)]
    assert said == ["within 40 s", "within 5 s"]


def test_numbers_checked_by_hand() -> None:
    """The heartbeat notices after 20 + 20 s; rest comes 5 s after the wish; 601 s are the longest pause and a second."""
    numbers = prove(read("websocket")).numbers
    assert numbers["longest stop"] == 5.0
    assert numbers["longest recovery"] == 600.0 + 1.0
    assert numbers["longest silent wait"] == 600.0


def test_a_certificate_says_which_page_it_is_for() -> None:
    """A certificate names its page by hash; one of an older version is none."""
    for name in bundled():
        assert certified(read(name)) == read(name).hash
    changed = attrs.evolve(read("websocket"), min_time_per_dial=0.5)
    assert certified(changed) != changed.hash


def test_a_fragment_names_its_hosts() -> None:
    """Time and liveness of a fragment are certified where it is used, and its certificate says where."""
    text = certificate(report(prove(read("heartbeat"))), ["websocket", "resume"])
    assert "[`resume`](resume.md), [`websocket`](websocket.md)" in text
    assert "no-silent-wait" not in text


def test_a_breach_is_told_with_its_place_its_steps_and_its_picture() -> None:
    """The report of a broken page has a line for editors, numbered steps, a diagram, and a trace in JSON."""
    broken = report(prove(read(BROKEN / "health-before-reset.yaml"))).broken
    assert broken.text.startswith(f"{BROKEN / 'health-before-reset.yaml'}:18:")
    assert [line.split(".")[0].strip() for line in broken.lines] == ["1", "2", "3", "4", "5"]
    assert broken.diagram.startswith("sequenceDiagram\n    title health-before-reset: ")
    header, *steps = map(json.loads, broken.trace)
    assert (header["law"], header["trace"]) == ("health-before-reset", 1)
    assert [step["event"] for step in steps][-1] == "heard"
    assert [step["at"] for step in steps] == [0.0, 0.0, 0.25, 0.25, 0.25]


def test_no_secret_is_in_a_trace() -> None:
    """What a trace holds of parameters leaves secrets out."""
    text = tick("strict").replace("parameters: {", "parameters: {token: {secret: optional}, ")
    text = text.replace(
        "to: over}",
        "do: {emit: {bye: {token: =token}}}, to: ending}\n  ending: {status: closing, rest: true, ignore: [told, disconnect]}",
    )
    text = text.replace("\n  over: {status: closed, final: done}", "")
    proof = prove(read_text(text, "tick.yaml"), {"token": "s3cret"})
    assert proof.broken.law.name == "stop-always"
    assert "s3cret" not in "".join(report(proof).broken.trace)


def test_a_diff_tells_clauses_laws_and_numbers() -> None:
    """Two versions of a page differ in clauses, in verdicts, and in numbers; words and places do not count."""
    folder = Path(read("websocket").at.source.name).parent
    text = (folder / "websocket.yaml").read_text(encoding="utf-8")
    old = read_text(text, "websocket.yaml", folder)
    assert diff(old, read_text(f"# moved\n{text}", "websocket.yaml", folder)) == ()
    slower = text.replace("{duration: 5 s, min: 1 s, help", "{duration: 9 s, min: 1 s, help")
    hasty = text.replace("after: proven_after, proof: true", "after: proven_after")
    told = {str(change).split(":")[0] for change in _compared(old, read_text(slower, "websocket.yaml", folder))}
    assert told == {
        "~ parameter `proven_after`", "~ number `dials in a minute`", "~ number `mean time per dial`",
        "~ number `least time per dial`", "~ number `silent wait in online.up.trust.unproven`",
    }  # fmt: skip
    changes = _compared(old, read_text(hasty, "websocket.yaml", folder))
    assert "~ law `health-before-reset`: kept → broken" in map(str, changes)
    assert "~ clause `WS1`" in {str(change).split(":")[0] for change in changes}
    assert weight(changes) == "major"


def _compared(old, new):
    return diff(old, new, report(prove(old)), report(prove(new)))


def test_an_order_of_clauses_is_a_change() -> None:
    """Two clauses that change places are told, for the first one decides."""
    old, new = tick("strict"), tick("strict")
    lines = new.splitlines()
    first = next(i for i, line in enumerate(lines) if "T2:" in line)
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    changes = diff(read_text(old, "tick.yaml"), read_text("\n".join(lines), "tick.yaml"))
    assert [str(change) for change in changes] == ["~ order of clauses in `up`: T0, T1, T2, T3 → T0, T1, T3, T2"]
