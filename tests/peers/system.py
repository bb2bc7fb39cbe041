"""One system that others wrote, with the cases that are played against it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping

import attrs

from .case import Row

Rows = MutableMapping[tuple[str, str], Row]
"""By the names of case and peer."""


@attrs.frozen
class System:
    """What can be played by its name.

    Attributes:
        name: of the system.
        cases: what each is about, by its name.
        play: plays those that it is given, and notes what it has seen of each with each peer; a row is there before
            its case is played. It raises `CannotRun` if the peers cannot be had.
    """

    name: str
    cases: Mapping[str, str]
    play: Callable[[Collection[str], Rows], Awaitable[None]]
