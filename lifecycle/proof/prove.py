"""A page proven: explored under every setting that its guards ask for, and held against each law in order.

Law: pure. A law that is broken ends the judging, for those behind it rest on it; its number of
breaches is small and each has the shortest way to it.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import supposed_values

from .explore import LIMIT, Progress, explore
from .graph import Graph
from .law import Finding, Law
from .laws import laws
from .slices import slices
from .world import World

MOST_SETTINGS = 64


@attrs.frozen(eq=False)
class Verdict:
    """What one law says of a page."""

    law: Law
    finding: Finding

    @property
    def kept(self) -> bool:
        """Whether the page keeps it."""
        return not self.finding.breaches


@attrs.frozen(eq=False)
class Proof:
    """What is known of a page.

    Attributes:
        definition: the page.
        verdicts: of each law that was judged, in order; only the last can be a breach.
        unjudged: names of the laws behind a broken one.
        settings: how often the page was explored, each time with other values of its parameters.
        nodes, edges: how much was explored, over all settings.
    """

    definition: Definition
    verdicts: tuple[Verdict, ...]
    unjudged: tuple[str, ...]
    settings: tuple[Mapping[str, Any], ...]
    nodes: int
    edges: int
    graphs: tuple[Graph, ...] = attrs.field(repr=False)

    @property
    def broken(self) -> Verdict | None:
        """The law that is broken, if one is."""
        return next((verdict for verdict in self.verdicts if not verdict.kept), None)

    @property
    def numbers(self) -> dict[str, float]:
        """Every number that a law has found, by name."""
        return {name: number for verdict in self.verdicts for name, number in verdict.finding.numbers.items()}


def prove(
    definition: Definition,
    given: Mapping[str, Any] | None = None,
    *,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Proof:
    """Explore a page and judge it.

    Args:
        definition: the page.
        given: parameters other than their defaults, as an embedder would pass them.
        limit: the most nodes of one exploration.
        progress: is told how many nodes are known and how many are done.

    Raises:
        TooManyStates: the page is too large to say anything.
        WrongParameters: `given` does not fit the page.
        PageError: an event has too many kinds, or a step does not end.
    """
    settings = tuple(settings_of(definition, given or {}))
    parts = slices(definition)
    graphs = tuple(
        explore(World(part, tuple(each.values()), whole=definition), limit, progress)
        for each in settings
        for part in parts
    )
    verdicts: list[Verdict] = []
    rows = laws(definition)
    for law in rows:
        verdicts.append(Verdict(law, law.judge(graphs)))
        if not verdicts[-1].kept:
            break
    unjudged = tuple(law.name for law in rows[len(verdicts) :])
    nodes, edges = sum(len(graph.nodes) for graph in graphs), sum(graph.size for graph in graphs)
    return Proof(definition, tuple(verdicts), unjudged, settings, nodes, edges, graphs)


def settings_of(definition: Definition, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parameters in every way that guards can tell: flags and choices with each value, others as given.

    Raises:
        WrongParameters: `given` does not fit the page.
    """
    values = dict(zip(definition.parameters, supposed_values(definition, given), strict=True))
    asked = {name for clause in definition.clauses.values() if clause.when is not None for name in clause.when.names}
    ways = {
        name: (False, True) if parameter.kind == "flag" else parameter.of
        for name, parameter in definition.parameters.items()
        if name in asked and name not in given and parameter.kind in ("flag", "choice")
    }
    for chosen in itertools.islice(itertools.product(*ways.values()), MOST_SETTINGS):
        yield {**values, **dict(zip(ways, chosen, strict=True))}
