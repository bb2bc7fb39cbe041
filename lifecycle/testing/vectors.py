"""Conformance vectors held against the table of a page: each step is taken from where it begins.

Law: a vector is a claim about one step, and needs nothing of the others. All that differ are told,
each in a sentence; data that are no vectors of this page are refused.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import parameter_values
from lifecycle.errors import LifecycleError, WrongParameters
from lifecycle.machine.plan import START
from lifecycle.machine.source import OutOfRange
from lifecycle.proof.vectors import VERSION, outcome
from lifecycle.proof.world import World

_KEYS = ("from", "cause", "event", "fields", "parameters")
_COMPARED = ("refused", "clauses", "to", "effects", "starts", "stops")


class BadVectors(LifecycleError):
    """Data that are no conformance vectors, or not of this page."""

    side = "caller"


def replay_vectors(data: Mapping[str, Any], definition: Definition) -> tuple[str, ...]:
    """Let a page's table take the step of every vector.

    Args:
        data: as `lifecycle.proof.vectors` makes them.
        definition: the page.

    Returns:
        What differs, a sentence each, in the order of the vectors; nothing if all agree.

    Raises:
        BadVectors: data of another version, or a vector that lacks something or names what the page does not have.
    """
    if data.get("conformance") != VERSION or not isinstance(data.get("vectors"), list):
        raise BadVectors(f"these are no conformance vectors of version {VERSION}")
    worlds: dict[str, World] = {}
    return tuple(
        f"{definition.name}, vector {number}: {difference}"
        for number, vector in enumerate(data["vectors"], 1)
        for difference in _differences(vector, definition, worlds, f"vector {number}")
    )


def _differences(
    vector: Mapping[str, Any], definition: Definition, worlds: dict[str, World], name: str
) -> Iterator[str]:
    if not isinstance(vector, Mapping):
        raise BadVectors(f"{name}: expected an object, found {_said(vector)[:40]}")
    missing = [key for key in _KEYS if key not in vector]
    if missing:
        raise BadVectors(f"{name}: {', '.join(f'`{key}`' for key in missing)} is missing")
    world = _world(vector["parameters"], definition, worlds, name)
    plan, begin, event = world.table.plan, vector["from"], vector["event"]
    try:
        phase = begin["phase"]
        # the page itself is always active, but before the start
        states = sorted(plan.number[path] for path in (*begin["states"], *([] if event == START else [""])))
        variables = tuple(begin["variables"][name] for name in definition.variables)
    except (KeyError, TypeError) as error:
        raise BadVectors(f"{name}: the page `{definition.name}` and the vector do not both have {error}") from None
    if event != START and event not in plan.alphabet:
        raise BadVectors(f"{name}: `{event}` is no event of `{definition.name}`")
    row = None if event == START else world.table.row(tuple(states))
    try:
        does = outcome(world, row, variables, phase=phase, event=event, cause=vector["cause"], fields=vector["fields"])
    except OutOfRange as error:
        yield f"`{event}` cannot be taken: {error}"
        return
    for key in _COMPARED:
        if vector.get(key) != does.get(key):
            yield f"`{event}`: the vector says {key} {_said(vector.get(key))}, and the machine {_said(does.get(key))}"
            return


def _world(given: Mapping[str, Any], definition: Definition, worlds: dict[str, World], name: str) -> World:
    key = json.dumps(given, sort_keys=True)
    if key not in worlds:
        try:
            worlds[key] = World(definition, parameter_values(definition, given))
        except WrongParameters as error:
            raise BadVectors(f"{name}: {error.problems[0]}") from None
    return worlds[key]


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
