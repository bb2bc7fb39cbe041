"""What a law is, and what is found when a page is held against it.

Law: data. A law is judged on graphs and changes none of them; what breaks it is told with a
shortest way to it.
"""

from collections.abc import Callable, Mapping, Sequence

import attrs

from .graph import Edge, Graph
from .watch import Way


@attrs.frozen(eq=False)
class Breach:
    """A way in which a page breaks a law.

    Attributes:
        what: the sentence that says what is wrong.
        graph: where it was found; none if it is about all that can happen.
        way: the steps that lead there, the last of which is the breach.
        round: the steps that may then go on for ever.
    """

    what: str
    graph: Graph | None = None
    way: Way = attrs.field(factory=list)
    round: tuple[Edge, ...] = ()


@attrs.frozen(eq=False)
class Finding:
    """What a law says of a page.

    Attributes:
        said: its numbers in words, or why it says nothing here.
        breaches: shortest first; none if the page keeps the law.
        numbers: name to value, in seconds or as a count.
    """

    said: str = ""
    breaches: tuple[Breach, ...] = ()
    numbers: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Law:
    """A law of the house.

    Attributes:
        name: as it is reported.
        says: what it demands, in one sentence.
        because: what its breach has done in the field.
        remedy: what to change in a page that breaks it.
        judge: from the explored graphs of a page, one for each setting, to what is found.
        fragments: whether it can be judged of a page that only others use.
    """

    name: str
    says: str
    because: str
    remedy: str
    judge: Callable[[Sequence[Graph]], Finding]
    fragments: bool = False


def first_of_each(breaches: Sequence[tuple[object, Breach]], most: int = 8) -> tuple[Breach, ...]:
    """Of each kind the shortest, few of them, shortest first."""
    found: dict[object, Breach] = {}
    for kind, breach in sorted(breaches, key=lambda pair: len(pair[1].way)):
        found.setdefault(kind, breach)
    return tuple(found.values())[:most]


def where(graph: Graph, node: int) -> str:
    """A node in words: its innermost states and the transport."""
    row = graph.nodes[node].row
    return f"{' + '.join(f'`{leaf}`' for leaf in row.leaves) or 'its end'} (transport: {graph.nodes[node].phase})"
