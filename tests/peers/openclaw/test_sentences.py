"""Sentences of the page."""

import pytest

import lifecycle

from .sentences import sentence


def test_a_sentence_is_found_by_what_its_row_matches() -> None:
    """The row for just this, and not the special case before it; a clause by its id; what says nothing is told."""
    page = lifecycle.read("openclaw-gateway")
    special = next(
        row for row in page.causes if len(row.match) > 1 and row.match.get("details.code") == ("PAIRING_REQUIRED",)
    )
    assert sentence(page, code="PAIRING_REQUIRED") not in ("", special.say)
    assert sentence(page, clause="OC16") == page.clauses["OC16"].say
    with pytest.raises(LookupError, match="says nothing"):
        sentence(page, code="THERE_IS_NONE")
    with pytest.raises(LookupError, match="says nothing"):
        sentence(page, clause="OC1")
