"""What this version of the driver cannot run yet, told at the door instead of being left out in silence."""

from collections.abc import Iterator

from lifecycle.definition.definition import Definition
from lifecycle.errors import WrongParameters


def refuse_unrunnable(definition: Definition) -> None:
    """Refuse a page that asks for more than the driver does.

    Raises:
        WrongParameters: with every such thing.
    """
    found = list(_unrunnable(definition))
    if found:
        raise WrongParameters(definition.name, found)


def _unrunnable(definition: Definition) -> Iterator[str]:
    messages = definition.messages
    if definition.role != "client":
        role = definition.role or "to be used by other pages"
        yield f"its role is {role}: only pages with `role: client` can be opened"
    if messages.codec in ("socketio", "object"):
        yield f"the codec {messages.codec} has no transport here"
    if messages.inbox is not None and messages.inbox.when_full != "oldest":
        yield f"`inbox: when_full: {messages.inbox.when_full}` is not run yet; only `oldest` is"
    if messages.outbox is not None and messages.outbox.when_full != "reject":
        yield f"`outbox: when_full: {messages.outbox.when_full}` is not run yet; only `reject` is"
    if any(route.sequence or route.dedupe for route in messages.routes):
        yield "`sequence` and `dedupe` of a route are not run yet"
    requests = definition.requests
    if requests is not None and (requests.on_loss == "resend" or requests.cancel or requests.unsupported):
        yield "`on_loss: resend`, `cancel` and `unsupported` of requests are not run yet"
    if any(call.yields for call in definition.calls.values()):
        yield "calls with `yields` are not run yet"
