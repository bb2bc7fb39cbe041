"""One thing that is wrong with a page: where, what, and what to do about it.

Law: a problem is data; whoever finds one goes on, so that all are told at once.
"""

import difflib
from collections.abc import Iterable, Mapping

import attrs

Path = tuple[str | int, ...]
Position = tuple[int, int]
_MOST_NAMED = 12


@attrs.frozen(eq=False)
class Source:
    """A page's file, and where in it each of its parts stands.

    Attributes:
        name: the file as the user named it.
        values: path of a part (keys and list indices) to line and column, counted from 1.
        keys: the same for the key that leads to the part.
    """

    name: str
    values: Mapping[Path, Position] = attrs.field(factory=dict, repr=False)
    keys: Mapping[Path, Position] = attrs.field(factory=dict, repr=False)

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Line and column of a part, or of the nearest part around it that is known."""
        marks, path = self.keys if key else self.values, self._written(path)
        while path and path not in marks:
            path = path[:-1]
        return marks.get(path) or self.values.get(path) or (1, 1)

    def _written(self, path: Path) -> Path:
        found: Path = ()
        for step in path:
            if (*found, step) in self.values:
                found = (*found, step)
            elif step != 0:  # one thing needs no list: then the first of the list stands where the list would
                break
        return found


@attrs.frozen(eq=False)
class Spot:
    """A place in a page."""

    source: Source
    path: Path = ()

    def __truediv__(self, step: str | int) -> "Spot":
        """The place one step further in."""
        return Spot(self.source, (*self.path, step))

    def problem(self, what: str, remedy: str = "", *, key: bool = False) -> "Problem":
        """Say what is wrong here; `key` points at the key instead of its value."""
        line, column = self.source.position(self.path, key=key)
        return Problem(file=self.source.name, line=line, column=column, what=what, remedy=remedy)


@attrs.frozen(order=True, kw_only=True)
class Problem:
    """What is wrong, where, and the remedy. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """`file:line:column: what: remedy`, the form that editors jump to."""
        place = f"{self.file}:{self.line}:{self.column}: {self.what}"
        return f"{place}: {self.remedy}" if self.remedy else place


def did_you_mean(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """The remedy for a name that does not exist: the nearest one that does, else what there is."""
    known = sorted(set(known))
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if otherwise:
        return otherwise
    return (
        f"there is {', '.join(known[:_MOST_NAMED])}{', …' if len(known) > _MOST_NAMED else ''}"
        if known
        else "there is none"
    )
