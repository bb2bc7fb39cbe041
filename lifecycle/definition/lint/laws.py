"""The page's own promises: each is one promise, about states and values that exist.

Law: a law that speaks of nothing is kept by every page, and so is worth nothing.
"""

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint.common import Problems
from lifecycle.definition.page import Law, Leading, Situation
from lifecycle.definition.problem import Spot, did_you_mean

_KINDS = ("never", "always", "leads_to", "sometimes")


def laws(definition: Definition) -> Problems:
    """Check each law by itself."""
    for index, law in enumerate(definition.laws):
        at = definition.at / "laws" / index
        kinds = [kind for kind in _KINDS if getattr(law, kind) is not None]
        if len(kinds) != 1:
            what = f"a law with {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "a law without a promise"
            yield at.problem(what, f"one of {', '.join(_KINDS)}: make it one law each")
        for kind in kinds:
            yield from _promise(definition, law, kind, at / kind)


def _promise(definition: Definition, law: Law, kind: str, at: Spot) -> Problems:
    given: Situation | Leading = getattr(law, kind)
    parts = ("from_", "to") if isinstance(given, Leading) else ("in_", "while_")
    for part in parts:
        key = part.removesuffix("_")
        for index, path in enumerate(getattr(given, part)):
            if not path or path not in definition.states:
                what = f"a law speaks of `{path}`, and there is no such state"
                yield (at / key / index).problem(what, did_you_mean(path, filter(None, definition.states)))
    if isinstance(given, Situation):
        yield from _situation(definition, given, kind, at)


def _situation(definition: Definition, given: Situation, kind: str, at: Spot) -> Problems:
    if kind == "always" and given.when is None:
        yield at.problem("`always` without `when`", "say what holds there")
    elif given == Situation():
        yield at.problem(f"`{kind}` of nothing", "say `in`, `while` or `when`")
    known = {"transport.open", *definition.parameters, *definition.variables}
    for name in sorted(given.when.names - known) if given.when else ():
        yield (at / "when").problem(
            f"a law reads `{name}`, which is no parameter and no variable", did_you_mean(name, known)
        )
    for name in sorted(given.when.names & set(definition.variables)) if given.when else ():
        if definition.variables[name].kind == "kept":
            yield (at / "when").problem(
                f"a law reads `{name}`, which is only kept", "what is kept is passed on, never asked"
            )
