"""Static checks: what can be seen to be wrong with a page without running it.

Law: pure functions from a `Definition` to problems, one module a theme; nothing is explored, so
what is refused here is wrong whatever the peer does. Knows no YAML and no page that is used.
"""

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint.causes import causes
from lifecycle.definition.lint.exits import exits
from lifecycle.definition.lint.header import header
from lifecycle.definition.lint.junctions import junctions
from lifecycle.definition.lint.laws import laws
from lifecycle.definition.lint.names import names
from lifecycle.definition.lint.order import order
from lifecycle.definition.lint.reach import reach
from lifecycle.definition.lint.regions import regions
from lifecycle.definition.lint.routes import routes
from lifecycle.definition.lint.triggers import triggers
from lifecycle.definition.lint.unused import unused
from lifecycle.definition.lint.values import values
from lifecycle.definition.lint.waiting import waiting
from lifecycle.definition.problem import Problem

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
