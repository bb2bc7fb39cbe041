"""How a lifecycle looks: diagrams and tables of a page, and whether committed ones are still true.

    palette, words     colours of statuses; triggers, effects and lengths in words
    graph              a page as nodes and edges
    mermaid, dot, svg, tables      the graph in a format
    drawing            the files: `draw`
    mermaid_reader, dot_reader     the formats read back
    check              committed files against the chart that runs: `check`

Law: nothing is drawn that the definition does not say, and what is read back is what the chart has.
"""

from .check import check, compare
from .drawing import FORMATS, draw
from .svg import CannotDraw

__all__ = ["FORMATS", "CannotDraw", "check", "compare", "draw"]
