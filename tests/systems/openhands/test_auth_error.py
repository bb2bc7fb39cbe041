import pytest

from lifecycle import CallFailed
from lifecycle.systems import openhands
from lifecycle.systems.openhands import SENTENCES, AuthError

FAMILY = [AuthError, *AuthError.__subclasses__()]


@pytest.mark.parametrize("error", FAMILY)
def test_each_has_a_code_and_a_sentence(error):
    """Of the table, or one that the embedder gives; and each is to be had from the door."""
    made = error()
    assert isinstance(made, CallFailed)
    assert (made.code, made.message) == (error.kind, SENTENCES[error.kind])
    assert (error("Ask Anna.").code, error("Ask Anna.").message) == (error.kind, "Ask Anna.")
    assert getattr(openhands, error.__name__) is error


def test_the_table_is_theirs():
    """Each sentence belongs to one of the family, and each of them has its own."""
    assert sorted(error.kind for error in FAMILY) == sorted(SENTENCES)
    assert len(set(SENTENCES.values())) == len(SENTENCES) == 7
