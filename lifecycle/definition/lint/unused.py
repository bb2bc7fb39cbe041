"""Declarations: what a page declares, it uses.

Law: a name that nobody reads is a leftover or a misspelling, and says so. What used pages bring is
told at the use.
"""

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint.common import Problems, declared, effects, names_in


def unused(definition: Definition) -> Problems:
    """Check parameters, variables, frames and calls."""
    read = _read(definition)
    for group, names, use in (
        ("parameters", set(definition.parameters) - read, "reads"),
        ("variables", set(definition.variables) - read - _written(definition), "reads or sets"),
        ("calls", set(definition.calls) - _called(definition), "calls"),
    ):
        for name in sorted(names):
            origin = definition.origins.get(name, definition.name)
            whose = f"`{origin}` brings" if origin != definition.name else "there is"
            what = f"{whose} the {group.removesuffix('s')} `{name}`, which nothing {use}"
            yield declared(definition, group, name).problem(what, "use it or take it out", key=True)
    for name in definition.messages.frames:
        if "." not in name and name not in _sent(definition):
            what = f"there is the frame `{name}`, which nothing sends"
            yield (definition.at / "messages" / "frames" / name).problem(what, "use it or take it out", key=True)


def _read(definition: Definition) -> set[str]:
    parts = (
        definition.root,
        definition.variables,
        definition.dial,
        definition.calls,
        definition.messages,
        definition.requests,
        definition.laws,
        definition.trace,
    )
    return {name for part in parts for name in names_in(part)}


def _written(definition: Definition) -> set[str]:
    named = {name for effect, _ in effects(definition) if effect.word == "set" for name in effect.argument}
    kept = {str(name) for route in definition.messages.routes for name in route.keep}
    return named | kept | {clock.by for clock in definition.clocks if clock.by}


def _called(definition: Definition) -> set[str]:
    return {state.call.name for state in definition.states.values() if state.call}


def _sent(definition: Definition) -> set[str | None]:
    requests = definition.requests
    sent = {effect.argument for effect, _ in effects(definition) if effect.word == "send"}
    yielded = {call.yields for call in definition.calls.values()}
    return sent | yielded | ({requests.send, requests.cancel} if requests else set())
