"""What came of a run.

Law: plain data, equal for two runs that went alike.
"""

import attrs


@attrs.frozen
class Violation:
    """Something that did not hold.

    Attributes:
        invariant: its name.
        at: when, in seconds since the beginning.
        what: in words.
        before: the last steps before it, a line each.
    """

    invariant: str
    at: float
    what: str
    before: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen
class Result:
    """What came of one run.

    Attributes:
        seed: which one.
        violation: what did not hold, if anything.
        seconds: how long it was, by its own clock.
        counts: how much of everything there was.
        digest: the same for two runs that went alike.
    """

    seed: int
    violation: Violation | None
    seconds: float
    counts: dict[str, int]
    digest: int
