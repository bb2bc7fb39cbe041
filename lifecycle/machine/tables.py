"""Tables by the page that they are of: made once, shared by all connections.

Law: a table belongs to what a page does. Two readings of the same page share it; it goes when the
last connection of it has gone.
"""

from weakref import WeakValueDictionary

from lifecycle.definition.definition import Definition

from .table import Table

_tables: WeakValueDictionary[str, Table] = WeakValueDictionary()


def table_of(definition: Definition) -> Table:
    """The table of a page."""
    # what things are called is not in the hash, and yet each connection reads it there
    key = f"{definition.hash} {definition.trace}"
    table = _tables.get(key)
    if table is None:
        table = _tables[key] = Table(definition)
    return table
