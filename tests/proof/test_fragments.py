"""Mistakes in pages that only others use: told when the page is read, or by a law of a page that uses it."""

import shutil
from pathlib import Path

import attrs
import pytest

from lifecycle.definition.read import read, specs
from lifecycle.errors import PageError
from lifecycle.proof.prove import prove


@attrs.frozen
class Mutant:
    """A mistake in a fragment, the page in which it shows, and what is told of it there."""

    fragment: str
    right: str
    wrong: str
    host: str
    told: str


MUTANTS = (
    # it does not listen
    Mutant("heartbeat", "      HB2: {on: heard, to: alive}\n", "", "websocket", "recovers"),
    # a peer that has gone silent is asked for ever
    Mutant(
        "heartbeat",
        "{after: heartbeat_wait, to: dead}",
        "{after: heartbeat_wait, to: asking}",
        "websocket",
        "dead` is never entered",
    ),
    # the last attempt is not the last
    Mutant("reconnect", "attempts > max_attempts,", "attempts > max_attempts + 1,", "websocket", "bounded"),
    # a pause that the peer asked for once is made each time
    Mutant("reconnect", "do: {set: {told: none}}, ", "", "websocket", "never online, when waiting.told > 0"),
    # an acceptance that never comes
    Mutant(
        "handshake", "      H7: {after: answer_timeout, to: unaccepted}\n", "", "openclaw-gateway", "may wait for ever"
    ),
    # a second challenge
    Mutant("handshake", "    ignore: [challenged, accepted]\n", "", "openclaw-gateway", "handled"),
    # renewal is tried for ever
    Mutant("refresh", "do: {set: {misses: =misses + 1}}, ", "", "resume", "never online.up.ready.credentials.pausing"),
    # one failed renewal, and the credentials count as expired
    Mutant("refresh", "to: pausing}", "to: expired}", "resume", "pausing` is never entered"),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.fragment}-{mutant.told.split()[0]}")
def test_a_mistake_in_a_fragment_shows_in_its_host(mutant: Mutant, tmp_path: Path) -> None:
    """The page that uses a fragment with a mistake does not load, or breaks a law."""
    for file in specs().glob("*.yaml"):
        shutil.copy(file, tmp_path)
    file = tmp_path / f"{mutant.fragment}.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count(mutant.right) == 1
    file.write_text(text.replace(mutant.right, mutant.wrong), encoding="utf-8")
    try:
        broken = prove(read(tmp_path / f"{mutant.host}.yaml")).broken
    except PageError as error:
        assert mutant.told in str(error)
    else:
        assert broken is not None
        assert broken.law.name.startswith(mutant.told)
