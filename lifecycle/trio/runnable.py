"""What the driver cannot run, told at the door instead of being left out in silence."""

from collections.abc import Iterator
from importlib.util import find_spec

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import Role

_DOORS: dict[Role, str] = {
    "client": "open it by `lifecycle.open`",
    "server": "serve it by `lifecycle.serve`",
    "session": "it has no client to serve: open it by `lifecycle.open`",
}


def unrunnable(definition: Definition, *roles: Role) -> Iterator[str]:
    """Why a page cannot be run in one of some roles; one sentence each."""
    if definition.role is None:
        yield "it is a fragment, to be used by other pages: open a page that has a role"
    elif definition.role not in roles:
        yield f"its role is {definition.role}: {_DOORS[definition.role]}"
    codec = definition.messages.codec
    if codec == "object" and definition.role != "session":
        yield f"the codec {codec} has no transport here"
    if codec == "socketio" and not (find_spec("socketio") and find_spec("engineio")):
        yield f"the codec {codec} needs python-socketio: pip install 'connection-lifecycle[socketio]'"
