"""Benchmarks as text: kinds beside each other where there are several, and what must be reached below them."""

from typing import Any

from .rounds import Cases

_MANY = 1_000


def table(name: str, cases: Cases) -> str:
    """One benchmark as text."""
    named = {case: case.rpartition(": ") for case in cases}
    columns = list(dict.fromkeys(column for _, colon, column in named.values() if colon))
    beside = len(columns) > 1 and all(colon for _, colon, _ in named.values())
    lines = _beside(name, cases, columns) if beside else _below(name, cases)
    return "\n".join([*lines, *(_verdict(case, cases[case]) for case in cases if "gate" in cases[case])])


def missed(cases: Cases) -> list[str]:
    """What had to be reached, and was not."""
    return [name for name, case in cases.items() if not case.get("gate", {"held": True})["held"]]


def _beside(name: str, cases: Cases, columns: list[str]) -> list[str]:
    rows = list(dict.fromkeys(case.rpartition(": ")[0] for case in cases))
    head = [name, *columns, ""]
    made = [head]
    for row in rows:
        found = [cases.get(f"{row}: {column}") for column in columns]
        some = next(case for case in found if case)
        against = "".join(f" (x {each})" for each in some.get("ratio", {}))
        made.append([row, *(_cell(case) if case else "" for case in found), f"{some['unit']}{against}"])
    widths = [max(map(len, column)) for column in zip(*made, strict=True)]
    return [_line(cells, widths) for cells in made]


def _line(cells: list[str], widths: list[int]) -> str:
    first, *numbers, last = cells
    middle = (f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:-1], strict=True))
    return "  ".join([f"{first:{widths[0]}}", *middle, last]).rstrip()


def _cell(case: dict[str, Any]) -> str:
    ratios = (f" ({ratio:.2f})" for ratio in case.get("ratio", {}).values())
    return f"{_number(case['median'])}{''.join(ratios)}"


def _below(name: str, cases: Cases) -> list[str]:
    width = max(map(len, [name, *cases]))
    lines = [f"{name:{width}}  {'median':>10} {'min':>10} {'max':>10}"]
    for case, found in cases.items():
        ratios = "".join(f"  {ratio:g} x {against}" for against, ratio in found.get("ratio", {}).items())
        numbers = " ".join(f"{_number(found[key]):>10}" for key in ("median", "min", "max"))
        lines.append(f"{case:{width}}  {numbers} {found['unit']}{ratios}")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _MANY else f"{value:.4g}"


def _verdict(name: str, case: dict[str, Any]) -> str:
    gate = case["gate"]
    held = "held    " if gate["held"] else "NOT HELD"
    aim = f"; aim {gate['aim']}: {'reached' if gate['aim reached'] else 'not reached'}" if "aim" in gate else ""
    by_cpu = f" (by CPU {gate['by CPU']:g})" if "by CPU" in gate else ""
    return f"{held}  {name}: {gate['value']:g}{by_cpu}, must {gate['must']}{aim}"
