"""Paths: what became of a connection, in words, and whether that was expected."""

import pytest

import lifecycle
from lifecycle.testing.peer import Peer

from .path import Range, Record, fits, shown, times


@pytest.mark.parametrize(
    ("path", "expected", "holds"),
    [
        ("ready", "ready", True),
        ("ready ready", "ready", False),
        ("", "ready", False),
        ("", "ready*", True),
        ("lost.network lost.network ready", "lost.network+ ready", True),
        ("ready", "lost.network+ ready", False),
        ("ready", "lost.network? ready", True),
        ("lost.network lost.network ready", "lost.network? ready", False),
        ("lost.starting lost.network ready", "lost.network|lost.starting+ ready", True),
        ("lost.networks ready", "lost.network ready", False),
        ("lostxnetwork ready", "lost.network ready", False),
        ("ready lost.network ready lost.network ready", "ready (lost.network+ ready)x2", True),
        ("ready lost.network ready", "ready (lost.network+ ready)x2", False),
    ],
)
def test_a_path_is_one_of_those_that_are_expected(path: str, expected: str, holds: bool) -> None:  # noqa: FBT001 -- a row
    """Words in order, each as often as it may be, and nothing besides."""
    assert fits(path.split(), expected) is holds


def test_what_is_written_wrongly_is_told() -> None:
    """A path that could never fit is a mistake of ours."""
    with pytest.raises(ValueError, match="'lost-network'"):
        fits(["ready"], "lost-network ready")


def test_a_path_is_short() -> None:
    """The same several times in a row stands there once."""
    assert shown(["lost", "lost", "ready", "lost"]) == "lost (x2) ready lost"
    assert shown([]) == "nothing"
    assert shown(["ready", *["lost", "ready"] * 4, "lost", "lost", "failed"]) == "(ready lost+)x5 failed"
    assert shown(["ready", "lost"] * 2) == "ready lost ready lost"


def test_a_range_knows_what_lies_in_it() -> None:
    """Exactly, between, and at least."""
    assert 3 in times(3)
    assert 2 not in times(3)
    assert 99 in Range(2, None)
    assert [str(each) for each in (times(3), Range(2, 4), Range(2, None))] == ["3", "2-4", "2+"]


async def test_a_record_tells_dials_losses_and_silence() -> None:
    """What ended a connection from outside, and what a clock of ours found out, both stand in its path."""
    record = Record()
    async with (
        Peer() as peer,
        lifecycle.open("websocket", url=peer.url, transport=peer.dialer, seed=1, instruments=[record]) as connection,
    ):
        await connection.ready()
        peer.link.close(1012, "restart")
        await peer.connected()
        await connection.ready()
        peer.link.fall_silent()
        await peer.connected()
        await connection.ready()
    assert record.path(connection.definition) == ("ready", "lost.restarting", "ready", "lost.silent", "ready")
    assert len(record.dials) == connection.counters.dials == 3
    assert len(record.at("lost.silent", connection.definition)) == 1
    assert any("1012" in words for words in record.words)
