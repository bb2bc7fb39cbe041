"""What is wrong with what a watched client did, or did not do.

Law: data. It names events, states and clauses of the page, and shows nothing else of a report.
"""

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Finding:
    """Something that a watched client did, or did not do, against its page.

    Attributes:
        kind: `illegal` (not allowed there), `early` (a clock that could not have run out yet), or `overdue` (a clock
            or a call that should have ended, and nothing was reported).
        time: when it was found, in seconds, by the clock of the reports.
        state: the innermost active states, with ` + ` between; of a clock or a call, its state.
        event: what was reported, or what is overdue; empty for a message that is no event.
        allowed: the events that could have been reported there and then.
        clause: the clause that it is about, where there is one.
        words: it in a sentence.
        line: at which report it was found, counted from 1; or what `report` was told.
    """

    kind: Literal["illegal", "early", "overdue"]
    time: float
    state: str
    event: str
    allowed: tuple[str, ...]
    clause: str = ""
    words: str
    line: int

    def __str__(self) -> str:
        """All of it that people read, in a line."""
        allowed = ", ".join(self.allowed) or "nothing"
        time = str(round(self.time, 3)).removesuffix(".0")
        return f"at {time} s, {self.kind}: {self.words} (allowed: {allowed})"
