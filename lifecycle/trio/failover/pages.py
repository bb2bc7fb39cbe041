"""The pages that are run here, read once: an attempt is made for each request, and must cost little.

Law: what is read stays, with what was recorded of it.
"""

import functools

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read
from lifecycle.machine.table import Table
from lifecycle.machine.tables import table_of


def page(name: str) -> Definition:
    """A bundled page."""
    return _held(name)[0]


@functools.cache
def _held(name: str) -> tuple[Definition, Table]:
    definition = read(name)
    return definition, table_of(definition)  # which would go with the last connection of the page
