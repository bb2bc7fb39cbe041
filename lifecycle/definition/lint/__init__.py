"""Static checks: what can be seen to be wrong with a page without running it.

Law: pure functions from a `Definition` to problems, one module a theme; nothing is explored, so
what is refused here is wrong whatever the peer does. Knows no YAML and no page that is used.
"""

from lifecycle.definition.definition import Definition
from lifecycle.definition.problem import Problem
from .causes import causes
from .exits import exits
from .header import header
from .junctions import junctions
from .laws import laws
from .names import names
from .order import order
from .reach import reach
from .regions import regions
from .routes import routes
from .triggers import triggers
from .unused import unused
from .values import values
from .waiting import waiting

CHECKS = (
    triggers,
    junctions,
    order,
    names,
    exits,
    regions,
    waiting,
    reach,
    unused,
    causes,
    routes,
    header,
    laws,
    values,
)


def lint(definition: Definition) -> list[Problem]:
    """Every static problem of a page, in the order of the checks."""
    return [problem for check in CHECKS for problem in check(definition)]
