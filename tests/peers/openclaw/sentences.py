"""What the page says to its user, found by what it is said for, so that no sentence is copied."""

from typing import Any, Final

from lifecycle.definition.definition import Definition


def sentence(page: Definition, **where: Any) -> str:
    """What a page says for a cause or a clause, so that no sentence is copied.

    Args:
        page: which.
        where: `clause=` an id; or all that a row of its causes matches, as `code=`, `reason=`, `next=`.

    Raises:
        LookupError: it has none.
    """
    if "clause" in where:
        said = page.clauses[where["clause"]].say
    else:
        paths = {_PATHS[name]: value for name, value in where.items()}
        # nothing but this: a row that matches more is for a special case
        rows = [
            row
            for row in page.causes
            if row.match.keys() == paths.keys() and all(value in row.match[path] for path, value in paths.items())
        ]
        said = rows[0].say if rows else None
    if said is None:
        raise LookupError(f"{page.name} says nothing for {where}")
    return said


_PATHS: Final = {"code": "details.code", "reason": "details.reason", "next": "details.recommendedNextStep"}
