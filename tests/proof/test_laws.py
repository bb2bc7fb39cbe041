import functools
from pathlib import Path

import attrs
import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read, read_text
from lifecycle.proof.laws import HOUSE
from lifecycle.proof.prove import Proof, prove

BROKEN = Path(__file__).parent / "broken"


@attrs.frozen
class Mistake:
    """What is said of a broken page, and what mends it.

    Attributes:
        law: the one that is reported.
        last: the event of the last step of the way; empty if there is no way.
        clauses: those that take it.
        steps: how long the way is.
        told: part of the sentence.
        wrong, right: a text of the page, and what stands in its place when it is mended.
    """

    law: str
    last: str
    clauses: tuple[str, ...]
    steps: int
    told: str
    wrong: str
    right: str


MISTAKES = {
    "bounded": Mistake(
        law="bounded",
        last="failed.releasing",
        clauses=(),
        steps=10,
        told="`tries` would be 4, outside 0 to 3",
        wrong="BD4: {on: failed,",
        right="BD6: {on: failed, when: tries == 3, to: absent}\n      BD4: {on: failed,",
    ),
    "handled": Mistake(
        law="handled",
        last="welcome",
        clauses=(),
        steps=4,
        told="`welcome` can happen in `online.up.ready.alive` (transport: open) and is neither taken nor ignored",
        wrong="            use: heartbeat\n",
        right="            use: heartbeat\n            ignore: [welcome]\n",
    ),
    "decided": Mistake(
        law="decided",
        last="kicked",
        clauses=("DC1", "DC2", "DC6"),
        steps=3,
        told="`kicked` leads into `online.up.login.revoked` and `online.up.stream.broken` at once",
        wrong="DC2: {on: kicked, to: broken}\n",
        right="DC2: {on: heard, to: flowing}\n",
    ),
    "one-transport": Mistake(
        law="one-transport",
        last="reconnect",
        clauses=("OT1",),
        steps=2,
        told="`reconnect` in `online.dialing` (transport: dialing) dials while a transport is still there",
        wrong="  online:\n",
        right="  online:\n    exit: drop\n",
    ),
    "transport-fits-answers": Mistake(
        law="transport-fits",
        last="failed.serving.checking",
        clauses=("TA2",),
        steps=2,
        told="answers a client when its transport is gone",
        wrong="          TA2: {on: failed, do: {refuse: {http: 403}}, to: over}\n",
        right="          TA2: {on: failed, to: refusing}\n      refusing: {status: closing, enter: {refuse: {http: 403}},"
        " clauses: {TA4: {to: over}}}\n",
    ),
    "transport-fits": Mistake(
        law="transport-fits",
        last="timer.dialing.10_s",
        clauses=("TF2",),
        steps=2,
        told="`waiting` needs no transport, and the transport is dialing",
        wrong="    needs: none\n    ignore: [opened]\n",
        right="    needs: none\n    enter: drop\n",
    ),
    "fenced": Mistake(
        law="fenced",
        last="unauthorized.token",
        clauses=("FN3",),
        steps=5,
        told="`refreshing` is entered again while its old call may still run",
        wrong=", scope: connection",
        right="",
    ),
    "health-before-reset": Mistake(
        law="health-before-reset",
        last="heard",
        clauses=("HR1",),
        steps=5,
        told="`heard` lowers `waiting.attempts` from 1 to 0 without a proof of health",
        wrong="HR1: {on: heard,",
        right="HR1: {after: 5 s, proof: true,",
    ),
    "settled": Mistake(
        law="settled",
        last="timer.waiting.5_s",
        clauses=("ST4",),
        steps=4,
        told="`timer.waiting.5_s` dials anew while a request",
        wrong="ST5: {on: lost,",
        right="ST5: {on: lost, do: drop,",
    ),
    "no-silent-wait": Mistake(
        law="no-silent-wait",
        last="opened",
        clauses=("online/C1",),
        steps=2,
        told="`online.up.alive` may be waited in for ever if the peer stays silent: it goes round for ever",
        wrong="NS1: {after: 20 s, do: ping, to: alive}\n",
        right="NS1: {after: 20 s, do: ping, to: asking}\n          asking: {clauses: {NS6: {on: heard, to: alive}, NS7: {after: 9 s, to: dead}}}\n          dead: {final: lost.silent}\n",
    ),
    "no-hot-loop": Mistake(
        law="no-hot-loop",
        last="@start",
        clauses=(),
        steps=1,
        told="a server can make it dial every 100 ms",
        wrong="min: 100 ms",
        right="min: 1 s",
    ),
    "stop-always-rests": Mistake(
        law="stop-always",
        last="done.serving.admitting",
        clauses=("SR1",),
        steps=3,
        told="after `drained` rest may never come: it may go round for ever in `serving.joined.alive`",
        wrong="        ignore: [drained]\n        clauses:\n",
        right="        clauses:\n          SR5: {on: drained, to: over}\n",
    ),
    "stop-always-dials": Mistake(
        law="stop-always",
        last="timer.waiting.5_s",
        clauses=("SD3",),
        steps=4,
        told="`timer.waiting.5_s` dials after `disconnect`",
        wrong="    ignore: [disconnect]\n    clauses:\n",
        right="    clauses:\n      SD4: {on: disconnect, to: closed}\n",
    ),
    "recovers": Mistake(
        law="recovers",
        last="lost",
        clauses=("RV3",),
        steps=8,
        told="in a healed world, ready may never come: nothing happens in `suspended` (transport: none)",
        wrong="    rest: true\n",
        right="    clauses:\n      RV7: {after: 2 min, to: online}\n",
    ),
    "reachable": Mistake(
        law="reachable",
        last="",
        clauses=(),
        steps=0,
        told="the clause `RC1` can never happen",
        wrong="{http: 401,",
        right="{close: 4401,",
    ),
    "never": Mistake(
        law="never online.up, when not transport.open",
        last="lost.network",
        clauses=("NV4",),
        steps=3,
        told="is broken in `online.up.shaken` (transport: none)",
        wrong="              NV4: {on: lost, to: shaken}\n",
        right="",
    ),
    "always": Mistake(
        law="always absent, when slots == 0",
        last="upstream_lost",
        clauses=("AL5",),
        steps=4,
        told="is broken in `absent` (transport: none) with slots = 1",
        wrong="AL5: {on: upstream_lost,",
        right="AL5: {on: upstream_lost, do: {set: {slots: 0}},",
    ),
    "leads-to": Mistake(
        law="waiting leads to online.up or closed",
        last="timer.waiting.5_s",
        clauses=("LT3",),
        steps=3,
        told="may never come true: it may go on for ever in `online.dialing` (transport: dialing)",
        wrong="to: [online.up, closed]",
        right="to: [online, closed]",
    ),
    "sometimes": Mistake(
        law="sometimes failed, when attempts == most",
        last="",
        clauses=(),
        steps=0,
        told="`sometimes failed, when attempts == most` never happens",
        wrong="attempts + 1 < most",
        right="attempts < most",
    ),
    "vacuous-leads-to": Mistake(
        law="online.dialing leads to online",
        last="",
        clauses=(),
        steps=0,
        told="is kept only because it never begins",
        wrong="from: online.dialing, to: online",
        right="from: online.dialing, to: [online.up, waiting, closed]",
    ),
    "vacuous-never": Mistake(
        law="never online and waiting",
        last="",
        clauses=(),
        steps=0,
        told="is kept only because its states are never active together",
        wrong="{while: [online, waiting]}",
        right="{in: waiting, when: transport.open}",
    ),
}


@functools.cache
def proof_of(page: str) -> Proof:
    """The proof of a broken page."""
    return prove(read(BROKEN / f"{page}.yaml"))


def mended(page: str) -> Definition:
    """The page with its mistake taken out."""
    text, mistake = (BROKEN / f"{page}.yaml").read_text(), MISTAKES[page]
    assert text.count(mistake.wrong) == 1
    return read_text(text.replace(mistake.wrong, mistake.right), f"{page}.yaml", BROKEN)


def test_every_law_has_a_page_that_breaks_it() -> None:
    """Each law of the house, and each kind of promise, is broken by a page in the folder."""
    assert sorted(MISTAKES) == sorted(file.stem for file in BROKEN.glob("*.yaml"))
    broken = {mistake.law for mistake in MISTAKES.values()}
    assert {law.name for law in HOUSE} <= broken
    assert {"always", "leads", "never", "sometimes"} <= {word for law in broken for word in law.split()}


@pytest.mark.parametrize("page", MISTAKES)
def test_a_broken_page_is_reported_by_its_law_first(page: str) -> None:
    """A mistake is reported by the law that it breaks, and the laws before that one are kept."""
    mistake, proof = MISTAKES[page], proof_of(page)
    names = [law.name for law in HOUSE]
    judged = names[: names.index(mistake.law) + 1] if mistake.law in names else names
    assert proof.broken is not None
    assert proof.broken.law.name == mistake.law
    assert [verdict.law.name for verdict in proof.verdicts if verdict.law.name in names] == judged
    assert [verdict.law.name for verdict in proof.verdicts if not verdict.kept] == [mistake.law]


@pytest.mark.parametrize("page", MISTAKES)
def test_a_broken_law_tells_a_shortest_way(page: str) -> None:
    """The breach says what is wrong, and leads there in as few steps as there are."""
    mistake, proof = MISTAKES[page], proof_of(page)
    assert proof.broken is not None
    breach = next(one for one in proof.broken.finding.breaches if mistake.told in one.what)
    assert len(breach.way) == mistake.steps
    assert mistake.steps == 0 or breach.way[0][1].move.event == "@start"
    if breach.way:
        last = breach.way[-1][1]
        assert (last.move.event, last.path.clauses if last.path else ()) == (mistake.last, mistake.clauses)


@pytest.mark.parametrize("page", MISTAKES)
def test_a_mended_page_keeps_its_laws(page: str) -> None:
    """With its one mistake taken out, the page keeps the law that it broke, and all others."""
    proof = prove(mended(page))
    told = [breach.what for breach in proof.broken.finding.breaches] if proof.broken else []
    assert (proof.broken and proof.broken.law.name, told, proof.unjudged) == (None, [], ())
