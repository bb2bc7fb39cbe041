"""What performance must be, and what it aims at; ratios and exact counts decide, times do not."""

from typing import Any

import attrs

from .rounds import Cases

UNIT = "raw trio-websocket"


@attrs.frozen
class Gate:
    """A bound on a case.

    Attributes:
        must: what it has to reach.
        aim: what would be better still, if anything would.
        least: whether these are lower bounds, and not upper ones.
        ratio: whether they bound the ratio to what it is compared with, and not the median.
    """

    must: float
    aim: float | None = None
    least: bool = attrs.field(default=False, kw_only=True)
    ratio: bool = attrs.field(default=True, kw_only=True)

    def judge(self, case: dict[str, Any]) -> dict[str, Any]:
        """Say of a case what it had to reach, and whether it did."""
        value = next(iter(case["ratio"].values())) if self.ratio else case["median"]
        sign = ">=" if self.least else "<="

        def kept(bound: float) -> bool:
            return bool(value >= bound if self.least else value <= bound)

        made = {"value": value, "must": f"{sign} {self.must:g}", "held": kept(self.must)}
        return made if self.aim is None else {**made, "aim": f"{sign} {self.aim:g}", "aim reached": kept(self.aim)}


def judged(cases: Cases, gates: dict[str, Gate]) -> Cases:
    """Cases with the verdicts of their gates beside them.

    Raises:
        ValueError: a gate is for a case that there is not.
    """
    if unknown := gates.keys() - cases.keys():
        raise ValueError(f"there is no case {min(unknown)!r} to be judged")
    return {name: {**case, "gate": gates[name].judge(case)} if name in gates else case for name, case in cases.items()}
