"""A value that does not fit where it stands; the reader adds the place."""

from lifecycle.definition.problem import Path

_LONGEST = 60


class Misfit(Exception):
    """Carries what is wrong and what to do.

    Attributes:
        what: what is wrong.
        remedy: what to do about it; may be empty.
        steps: where it is, from the value that was being read.
        key: whether the key is meant and not its value.
    """

    def __init__(self, what: str, remedy: str = "", *, steps: Path = (), key: bool = False) -> None:
        super().__init__(what)
        self.what, self.remedy, self.steps, self.key = what, remedy, steps, key


def shown(value: object) -> str:
    """A value as an error may show it: short, and its kind in words."""
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = f"`{str(value).lower() if isinstance(value, bool) else value}`"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}…`"
