"""A proof as plain data: what is shown, written down and compared, without the graphs.

Law: nothing in it depends on the machine that it was made on, or on how long it took.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import said
from lifecycle.definition.problem import Spot
from lifecycle.machine import files
from lifecycle.machine.tables import table_of

from .law import Breach
from .numbers import Number, numbers
from .prove import Proof, Verdict
from .sequence import sequence
from .trail import breach_lines, trace


@attrs.frozen
class Judged:
    """One law: its name, what it says, whether it is kept (none: not judged), and its numbers in words."""

    law: str
    says: str
    kept: bool | None
    said: str = ""


@attrs.frozen
class Broken:
    """A broken law, told.

    Attributes:
        law, what, because, remedy: in words.
        text: `file:line:column: what: remedy`, the form that editors jump to.
        lines: the way to it.
        more: further breaches of the same law, a sentence each.
        diagram: the way as a Mermaid sequence diagram; empty if there is no way.
        trace: the way as JSON lines.
    """

    law: str
    what: str
    because: str
    remedy: str
    text: str
    lines: tuple[str, ...]
    more: tuple[str, ...]
    diagram: str
    trace: tuple[str, ...]


@attrs.frozen
class Report:
    """What is known of a page.

    Attributes:
        page, title, role, hash: of the definition.
        laws: each, in order.
        broken: the law that is broken, if one is.
        numbers: in words.
        measures: the laws' numbers, by name.
        nodes, edges: how much was explored.
        settings: the parameters that numbers depend on, in words; and how often it was explored.
        paths: the file of recorded paths.
    """

    page: str
    title: str
    role: str | None
    hash: str
    laws: tuple[Judged, ...]
    broken: Broken | None
    numbers: tuple[Number, ...]
    measures: Mapping[str, float]
    nodes: int
    edges: int
    settings: Mapping[str, str]
    explored: int
    uses: tuple[str, ...]
    paths: str = attrs.field(repr=False)


def report(proof: Proof) -> Report:
    """A proof as plain data."""
    page = proof.definition
    rows = [Judged(v.law.name, v.law.says, v.kept, v.finding.said) for v in proof.verdicts]
    rows += [Judged(name, "", None) for name in proof.unjudged]
    return Report(
        page.name,
        page.title,
        page.role,
        page.hash,
        tuple(rows),
        _broken(proof, proof.broken) if proof.broken else None,
        tuple(numbers(page, proof.graphs)),
        proof.numbers,
        proof.nodes,
        proof.edges,
        dict(_settings(page, proof.settings)),
        len(proof.settings),
        tuple(sorted({state.used for state in page.states.values() if state.used})),
        files.write(table_of(page)),
    )


def _broken(proof: Proof, verdict: Verdict) -> Broken:
    first, *others = verdict.finding.breaches
    law = verdict.law
    settings = dict(proof.graphs[0].world.settings if first.graph is None else first.graph.world.settings)
    return Broken(
        law.name,
        first.what,
        law.because,
        law.remedy,
        _placed(proof.definition, law.name, law.remedy, first),
        tuple(breach_lines(first)),
        tuple(breach.what for breach in others),
        sequence(first.graph, first.way, f"{law.name}: {first.what}") if first.graph is not None else "",
        tuple(trace(proof.definition, settings, law.name, first)),
    )


def _placed(page: Definition, law: str, remedy: str, breach: Breach) -> str:
    at = page.at
    if breach.graph is not None and breach.way:
        last = breach.way[-1][1]
        clauses = [page.clauses[each] for each in (last.path.clauses if last.path is not None else ())]
        own = [clause.at for clause in clauses if clause.at.source is page.at.source]
        leaves = breach.graph.nodes[last.target].row.leaves
        at = own[-1] if own else _own_state(page, leaves[0] if leaves else "")
    return str(at.problem(f"law `{law}` is broken: {breach.what}", remedy))


def _own_state(page: Definition, path: str) -> Spot:
    """The nearest state around that the page itself wrote."""
    spots = (page.states[outer].at for outer in page.around(path))
    return next((at for at in spots if at.source is page.at.source), page.at)


def _settings(page: Definition, settings: tuple[Mapping[str, Any], ...]) -> Any:
    for name, parameter in page.parameters.items():
        values = list(dict.fromkeys(_said(parameter, each[name]) for each in settings))
        if parameter.kind not in ("url", "text", "secret"):
            yield name, " and ".join(values)


def _said(parameter: Any, value: Any) -> str:
    return str(value) if isinstance(value, Backoff) else said(parameter, value)
