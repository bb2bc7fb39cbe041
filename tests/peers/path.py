"""What became of a connection, as a path of words, and what it is held against.

Law: pure. A path is the events by which connections ended or were refused, each `ready`, and the status at rest; in
order, and nothing left out.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.machine.effects import Effect
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument, Observed

_FAMILIES: Final = ("lost", "refused", "denied", "unpaired", "unauthorized", "ended")
_LONG: Final = 3
_SHOWN: Final = ("ready", "failed")
_REPEATED: Final = re.compile(r"\((?P<words>[^()]+)\)x(?P<times>\d+)")
_WORD: Final = re.compile(r"(?P<words>[a-z_.|]+)(?P<often>[+*?]?)")


@final
class Record(Instrument):
    """Told of each thing that one connection does.

    Attributes:
        steps: all of them.
        dials: when it has dialled, in seconds of its clock.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.dials: list[float] = []

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
        """A step was taken."""
        self.steps.append(step)
        self.dials += [step.time] * sum(effect.word == "open" for effect, _ in connection.machine.trace[-1].effects)

    @property
    def said(self) -> tuple[str, ...]:
        """The sentences for the user, in order."""
        return tuple(step.say for step in self.steps if step.say)

    @property
    def words(self) -> tuple[str, ...]:
        """What happened, in words, where there is more to say than its name."""
        return tuple(step.cause for step in self.steps if step.cause)

    def path(self, page: Definition) -> tuple[str, ...]:
        """What became of it."""
        return tuple(itertools.chain.from_iterable(words(page, step) for step in self.steps))

    def at(self, word: str, page: Definition) -> list[float]:
        """When a word of its path was, each time."""
        return [step.time for step in self.steps if word in words(page, step)]


def words(page: Definition, step: Step) -> Iterator[str]:
    """What one step adds to a path."""
    if _cause(step.event):
        yield step.event
    for clause in step.clauses:
        # what a final state tells is no event of the step, but what became of the event
        final_ = page.states[to].final if (to := page.clauses[clause].to) is not None else None
        if final_ is not None and _cause(final_):
            yield final_
    if step.status != step.status_before and step.status in _SHOWN:
        yield step.status


def _cause(event: str) -> bool:
    return event.partition(".")[0] in _FAMILIES


def fits(path: Sequence[str], expected: str) -> bool:
    """Whether a path is one of those that are expected.

    Args:
        path: its words.
        expected: words with spaces between; `a|b` is either, and behind a word `+` is once or more, `*` any number of
            times, `?` at most once; `(a b)x3` is these words three times.

    Raises:
        ValueError: `expected` is written wrongly.
    """
    parts = []
    for written in _REPEATED.sub(lambda found: " ".join([found["words"]] * int(found["times"])), expected).split():
        found = _WORD.fullmatch(written)
        if found is None:
            raise ValueError(f"{written!r} is no word of a path")
        either = "|".join(map(re.escape, found["words"].split("|")))
        parts.append(f"(?:(?:{either}) ){found['often']}")
    return re.fullmatch("".join(parts), "".join(f"{word} " for word in path)) is not None


def shown(path: Iterable[str]) -> str:
    """A path for people: what comes several times in a row stands there once, with how often.

    Two that take turns for long stand there once, too, and then `+` is once or more.
    """
    rows = [(word, len(list(same))) for word, same in itertools.groupby(path)]
    told, at = [], 0
    while at < len(rows):
        turns = _turns(rows[at:])
        if turns > _LONG:
            pair = [max(rows[at + which : at + 2 * turns : 2], key=lambda row: row[1]) for which in (0, 1)]
            told.append(f"({' '.join(word + '+' * (often > 1) for word, often in pair)})x{turns}")
            at += 2 * turns
        else:
            word, often = rows[at]
            told.append(word if often == 1 else f"{word} (x{often})")
            at += 1
    return " ".join(told) or "nothing"


def _turns(rows: Sequence[tuple[str, int]]) -> int:
    """How often the first two words stand there in turn."""
    words = [word for word, _ in rows]
    turns = 0
    while words[2 * turns : 2 * turns + 2] == words[:2] and len(words) > 2 * turns + 1:
        turns += 1
    return turns


@attrs.frozen
class Range:
    """How often; `most` is None where there is no limit."""

    least: int
    most: int | None

    def __contains__(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)

    def __str__(self) -> str:
        if self.most == self.least:
            return str(self.least)
        return f"{self.least}+" if self.most is None else f"{self.least}-{self.most}"


def times(often: int) -> Range:
    """Exactly so often."""
    return Range(often, often)
