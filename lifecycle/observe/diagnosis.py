"""What a look at one part of the surroundings has found: of the machine, of what is installed, of a server.

Law: plain data, in which no secret stands. Whatever is not good says what to do about it.
"""

from typing import Literal

import attrs

Verdict = Literal["ok", "warn", "fail"]


@attrs.frozen
class Diagnosis:
    """One thing that was looked at.

    Attributes:
        what: was looked at, in a word or two.
        verdict: `fail` where something will not work, `warn` where it will work worse, or only for now.
        found: what there is.
        advice: what to do about it; empty if there is nothing to be done.
    """

    what: str
    verdict: Verdict
    found: str
    advice: str = ""
