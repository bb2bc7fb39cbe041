"""The parameters of the page `session-lease`, made to fit each other.

Law: a session that is not renewed has time left to stop before its lease is over, or nothing starts at all.
"""

from collections.abc import Mapping
from typing import Any

from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import parameter_values
from lifecycle.errors import WrongParameters


def fitting(page: Definition, said: Mapping[str, Any], problems: list[str]) -> Mapping[str, Any]:
    """All parameters as numbers; those of renewing that are not said follow the length of a lease.

    Args:
        page: the page.
        said: by the embedder, with units or as numbers.
        problems: what else is wrong, one sentence each.

    Raises:
        WrongParameters: something is wrong; all at once.
    """
    values = dict(zip(page.parameters, parameter_values(page, dict(said), problems), strict=True))
    length = values["lease_length"]
    following = {
        "renew_every": length / 3,
        "renew_retry": min(values["renew_retry"], length / 15),
        "stop_timeout": min(values["stop_timeout"], length / 3),
    }
    values |= {name: value for name, value in following.items() if name not in said}
    if values["renew_every"] + values["stop_timeout"] >= length:
        problems.append(
            f"a lease of {length:g} s that is renewed every {values['renew_every']:g} s leaves no time for a stop of "
            f"{values['stop_timeout']:g} s: make `lease_length` longer than both together"
        )
        raise WrongParameters(page.name, problems)
    return values
