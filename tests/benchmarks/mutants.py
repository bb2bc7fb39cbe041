"""How many mistakes the laws find: each mutant of a page is checked, proven, and held against the page.

Law: deterministic, and one process. A mutant that nobody outside can tell from the page is no
mistake, and does not count. A page that others use is judged inside one of its users, for alone it
has next to no laws.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint import lint
from lifecycle.definition.read import read
from lifecycle.errors import PageError
from lifecycle.proof.explore import TooManyStates
from lifecycle.proof.laws import HOUSE
from lifecycle.proof.prove import Proof, prove

from .endings import endings, verdicts
from .likeness import alike
from .mutations import Mutant, mutants

PAGES = (
    "avatar-live",
    "avatar-live-server",
    "convai-session",
    "websocket",
    "session-lease",
    "hiagent-session",
    "openhands-conversation",
    "openhands-conversation-server",
    "openhands-agent-server",
    "socketio",
    "socketio-server",
    "livekit-agent-session",
    "provider",
    "attempt",
    "openclaw-gateway",
    "resume",
)
HOSTS = {
    **dict.fromkeys(("connection", "reconnect", "heartbeat"), "websocket"),
    "socketio-connection": "socketio",
    "socketio-heartbeat": "socketio-server",
    "handshake": "openclaw-gateway",
    "refresh": "resume",
}
"""Where the mutants of a page that others use are judged."""
Fate = Literal["equivalent", "form", "generic law", "own law", "number", "classification", "size", "survived"]
FATES: tuple[Fate, ...] = (
    "equivalent", "form", "generic law", "own law", "number", "classification", "size", "survived",
)  # fmt: skip
"""`size`: only the certificate's count of states and transitions has moved. It tells a reviewer that something has, and not what."""
_SAME = 1e-6
_LARGER = 10
_TOLD_EVERY = 10.0
_HOUSE = {law.name for law in HOUSE}


@attrs.frozen(eq=False)
class Outcome:
    """What became of a mutant, and by what."""

    mutant: Mutant
    fate: Fate
    by: str = ""


@attrs.define(eq=False)
class Judge:
    """Holds mutants against one page.

    Attributes:
        proof: of the page itself, which keeps all laws.
    """

    proof: Proof
    _endings: list[Any]
    _verdicts: list[Any]
    _limit: int

    @classmethod
    def of(cls, definition: Definition) -> "Judge":
        """The judge of a page that is right.

        Raises:
            ValueError: it is not.
        """
        proof = prove(definition)
        if proof.broken is not None:
            raise ValueError(f"{definition.name} breaks the law {proof.broken.law.name} itself")
        found = endings(definition.causes)
        return cls(proof, found, verdicts(definition.causes, found), _LARGER * (proof.nodes + 1000))

    def __call__(self, mutant: Mutant) -> Outcome:
        """Say what becomes of one."""
        problems = lint(mutant.definition)
        if problems:
            return Outcome(mutant, "form", problems[0].what)
        told = mutant.definition.causes != self.proof.definition.causes
        if told and verdicts(mutant.definition.causes, self._endings) == self._verdicts:
            return Outcome(mutant, "equivalent", "every ending is called the same")
        try:
            proof = prove(mutant.definition, limit=self._limit)
        except TooManyStates:
            return Outcome(mutant, "form", "does not end: too many states")
        except PageError as error:
            return Outcome(mutant, "form", f"does not end: {error.problems[0].what}")
        if proof.broken is not None:
            name = proof.broken.law.name
            return Outcome(mutant, "generic law" if name in _HOUSE else "own law", name)
        if moved := self._moved(proof):
            return Outcome(mutant, "number", moved)
        if told:
            return Outcome(mutant, "classification", "an ending is called otherwise")
        if alike(self.proof, proof):
            return Outcome(mutant, "equivalent", "the same machine")
        if (proof.nodes, proof.edges) != (self.proof.nodes, self.proof.edges):
            return Outcome(mutant, "size", "the count of states or transitions")
        return Outcome(mutant, "survived")

    def _moved(self, proof: Proof) -> str:
        """The first number that is another one; empty if none is."""
        before, after = self.proof.numbers, proof.numbers
        for name in sorted(before.keys() | after.keys()):
            one, other = before.get(name), after.get(name)
            if one is None or other is None:
                return name
            if one != other and not abs(one - other) <= _SAME * max(abs(one), abs(other)):
                return name
        return ""


def outcomes(definition: Definition, owners: set[str] | None = None, every: int = 1) -> Iterator[Outcome]:
    """What becomes of the mutants of a page.

    Args:
        definition: the page.
        owners: only mistakes in the text of these pages; without it, of all.
        every: only each n-th mutant.
    """
    judge = Judge.of(definition)
    chosen = [each for each in mutants(definition) if owners is None or each.owner in owners][::every]
    began = told = time.monotonic()
    for done, mutant in enumerate(chosen, 1):
        yield judge(mutant)
        now = time.monotonic()
        if now - told > _TOLD_EVERY or done == len(chosen):
            told = now
            rate = done / max(now - began, 1e-9)
            sys.stderr.write(f"{definition.name}: {done} of {len(chosen)}, {rate:.1f} a second\n")


def found_for(names: list[str], every: int) -> dict[str, list[Outcome]]:
    """What becomes of all mutants, by the page that has the mistake."""
    asked = names or [*PAGES, *HOSTS]
    found: dict[str, list[Outcome]] = {name: [] for name in asked}
    for host in dict.fromkeys(HOSTS.get(name, name) for name in asked):
        owners = {name for name in asked if HOSTS.get(name, name) == host}
        for outcome in outcomes(read(host), owners, every):
            found[outcome.mutant.owner].append(outcome)
    return {name: rows for name, rows in found.items() if rows}


def counted(rows: list[Outcome]) -> dict[str, Any]:
    """How many there are of each fate, and which share of those that are mistakes is found."""
    counts = Counter(row.fate for row in rows)
    mistakes = len(rows) - counts["equivalent"]
    noticed = mistakes - counts["survived"]
    killed = noticed - counts["size"]
    by = Counter(row.by for row in rows if row.fate in ("generic law", "own law", "number"))
    share = round(killed / mistakes, 4) if mistakes else 1.0
    return {
        "mutants": len(rows),
        **{fate: counts[fate] for fate in FATES},
        "killed": share,
        "with size": round(noticed / mistakes, 4) if mistakes else 1.0,
        "by": dict(by.most_common()),
    }


def table(found: dict[str, list[Outcome]]) -> str:
    """All pages as text, and their sum."""
    heads = ("mutants", *FATES, "killed", "with size")
    wide = max(len(name) for name in (*found, "in all"))
    lines = [f"{'':{wide}}  " + "  ".join(heads)]
    rows = {**found, "in all": [row for rows in found.values() for row in rows]}
    for name, each in rows.items():
        numbers = counted(each)
        cells = [f"{numbers[head]:>{len(head)}}" for head in heads[:-2]]
        lines.append(
            f"{name:{wide}}  " + "  ".join([*cells, f"{numbers['killed']:>6.1%}", f"{numbers['with size']:>9.1%}"])
        )
    return "\n".join(lines)


def survivors(found: dict[str, list[Outcome]]) -> str:
    """Each mistake that nothing has found, or only the count of what was explored."""
    return "\n".join(
        f"{name}: {row.fate}: {row.mutant.kind}: {row.mutant.what}"
        for name, rows in found.items()
        for row in rows
        if row.fate in ("size", "survived")
    )


def main(arguments: list[str]) -> None:
    """Read the command line behind `mutants` and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks mutants", description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"without one: {', '.join([*PAGES, *HOSTS])}")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--survivors", action="store_true", help="each mutant that survives, by what it is")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each n-th mutant")
    given = parser.parse_args(arguments)
    found = found_for(given.pages, given.every)
    if given.json:
        made = {name: counted(rows) for name, rows in found.items()}
        made["in all"] = counted([row for rows in found.values() for row in rows])
        if given.survivors:
            for name, rows in found.items():
                made[name]["survivors"] = [row.mutant.what for row in rows if row.fate == "survived"]
        sys.stdout.write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(table(found) + "\n")
    if given.survivors:
        sys.stdout.write(survivors(found) + "\n")
