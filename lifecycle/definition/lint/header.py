"""The header: what its role allows, and keys that need each other.

Law: the role decides which effects exist: a server does not dial, and a session has no transport.
A fragment may do all that one of its users could.
"""

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint.common import Problems, effects, names_in
from lifecycle.definition.page import Dial

_WITH_TRANSPORT = ("client", "server")
_ROLES = {
    "open": ("client",),
    **dict.fromkeys(("close", "drop", "send", "ping"), _WITH_TRANSPORT),
    **dict.fromkeys(("admit", "refuse"), ("server",)),
}


def header(definition: Definition) -> Problems:
    """Check stop wish, role, codec, inbox and requests."""
    role, at = definition.role, definition.at
    if role and definition.stop not in definition.hears:
        what = f"the wish to end is `{definition.stop}`, which is not under `hears`"
        yield (at / "stop").problem(what, f"add it: `hears: {{{definition.stop}: {{}}}}`, or name another by `stop`")
    if role:
        yield from _effects(definition, role)
    if role and role != "client":
        for key, given in (("dial", definition.dial != Dial()), ("requests", definition.requests)):
            if given:
                yield (at / key).problem(f"`{key}` in a page with the role {role}", "only a client has it", key=True)
    yield from _codec(definition)
    yield from _inbox(definition)
    yield from _traced(definition)


def _effects(definition: Definition, role: str) -> Problems:
    for effect, at in effects(definition):
        allowed = _ROLES.get(effect.word, (role,))
        if role not in allowed:
            yield at.problem(
                f"`{effect.word}` in a page with the role {role}", f"only a {' or a '.join(allowed)} can do that"
            )


def _codec(definition: Definition) -> Problems:
    if definition.role is None or definition.messages.codec is not None:
        return
    sends = [(f"`send: {effect.argument}`", at) for effect, at in effects(definition) if effect.word == "send"]
    yields = [(name, definition.at / "calls" / name) for name, call in definition.calls.items() if call.yields]
    senders = [*sends, *((f"the call `{name}` yields frames", at) for name, at in yields)]
    if definition.requests:
        senders.append(("`requests`", definition.at / "requests"))
    for what, at in senders:
        yield at.problem(
            f"{what}, and the page has no codec", "say how frames are written: `messages: {codec: json}`", key=True
        )


def _inbox(definition: Definition) -> Problems:
    inbox, at = definition.messages.inbox, definition.at / "messages" / "inbox"
    for name, queue in (("inbox", inbox), ("outbox", definition.messages.outbox)):
        for bound in ("items", "size"):
            if queue is not None and getattr(queue, bound) < 1:
                what = f"`{bound}: 0` lets nothing into the {name}"
                yield (definition.at / "messages" / name / bound).problem(what, "it must be 1 at least", key=True)
    if inbox is None:
        return
    for key, policy in (("key", "latest"), ("pause", "wait")):
        if getattr(inbox, key) is not None and inbox.when_full != policy:
            yield (at / key).problem(
                f"`{key}` with `when_full: {inbox.when_full}`", f"it belongs to `when_full: {policy}`", key=True
            )
    heartbeat = any(clock.kind == "silent" for clock in definition.clocks)
    if inbox.when_full == "wait" and inbox.pause is None and heartbeat:
        what = "`when_full: wait` without `pause`, and a clock that notices silence"
        yield (at / "when_full").problem(what, "while reading stops all is silent: bound it by `pause`")


def _traced(definition: Definition) -> Problems:
    at = definition.at / "trace" / "session"
    for name in sorted(set(names_in(definition.trace))):
        variable, parameter = definition.variables.get(name), definition.parameters.get(name)
        if variable is not None and variable.from_ is None:
            what = f"`session` reads `{name}`, which has no value of the connection's own when that begins"
            yield at.problem(what, "name it by a parameter, or by a variable with `from`")
        elif "secret" in (variable and variable.initial, parameter and parameter.kind):
            yield at.problem(f"`session` shows `{name}`, which is a secret", "name it by something that may be shown")
