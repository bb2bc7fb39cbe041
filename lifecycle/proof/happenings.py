"""What the environment may let happen: every cause, every message, in which phase, with what it brings.

Law: whatever a real peer or network can do, is here; nothing is promised of them. After our goodbye
the transport says `closed` and nothing else, and a half-open peer says nothing.
"""

from collections.abc import Iterator, Mapping

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import Cause
from lifecycle.definition.sources import UNNAMED
from lifecycle.machine.phase import Phase

from .values import ANYTHING, Field

TEXT, NUMBER = Field("text"), Field("number")
FAILED = {"code": TEXT, "message": TEXT, "status": NUMBER, "retry_after": NUMBER}
"""What a call that has failed brings."""
_DIALING = {"tls", "dns", "refused", "connect", "handshake", "timeout"}
_OPEN = {"tls", "eof", "reset", "timeout", "protocol", "too_big", "inbox_full", "outbox_full"}


@attrs.frozen(eq=False)
class Happening:
    """Something that may happen to the page.

    Attributes:
        cause: who tells it, as an event's cause.
        event: its name.
        phase: in which phase of the transport; none: at any time.
        fields: what it brings.
        row: where it comes from: `causes/3`, `routes/1`, or nothing.
        said: the same for people.
    """

    cause: str
    event: str
    phase: Phase | None
    fields: Mapping[str, Field] = attrs.field(factory=dict)
    row: str = ""
    said: str = ""


def happenings(definition: Definition) -> tuple[Happening, ...]:
    """All that may happen to a page; clocks and calls left out."""
    return tuple(dict.fromkeys(_all(definition)))


def _all(definition: Definition) -> Iterator[Happening]:
    for wish, shapes in definition.hears.items():
        yield Happening("wish", wish, None, {name: Field(shape) for name, shape in shapes.items()})
    if definition.role == "session":
        return
    if definition.role != "server":
        yield Happening("opened", "opened", "dialing")
    yield Happening("heard", "heard", "open")
    yield Happening("closed", "closed", "closing")
    for index, route in enumerate(definition.messages.routes):
        # what a slice leaves out is no source of it
        if route.raise_ and route.raise_ in definition.sources:
            fields = dict.fromkeys(route.fields, ANYTHING)
            yield Happening("message", route.raise_, "open", fields, f"routes/{index}", f"message {index + 1}")
    if definition.role is None:
        return
    refusals = any(route.refusal for route in definition.messages.routes)
    causes = definition.causes or tuple(Cause(otherwise=True, is_=event) for event in definition.leaves or (UNNAMED,))
    for index, row in enumerate(causes):
        yield from _row(definition, row, index, refusals=refusals)


def _row(definition: Definition, row: Cause, index: int, *, refusals: bool) -> Iterator[Happening]:
    event, place = row.is_ or UNNAMED, f"causes/{index}"
    words = set(row.error)
    by_peer = row.match or row.refusal or (row.text and not row.close)
    dialled = row.otherwise or row.http or words & _DIALING
    ended = row.otherwise or row.close or (row.text and not (row.match or row.refusal)) or words & _OPEN
    fields = _fields(row)
    if dialled and definition.role != "server":
        yield Happening("end", event, "dialing", fields, place, _said(row, "the dial fails"))
    if ended:
        yield Happening("end", event, "open", fields, place, _said(row, "the connection is lost"))
    if refusals and (by_peer or row.otherwise):
        yield Happening("message", event, "open", fields, place, _said(row, "the peer refuses"))


def _fields(row: Cause) -> dict[str, Field]:
    codes = row.close if isinstance(row.close, tuple) else ()
    statuses = row.http if isinstance(row.http, tuple) else ()
    fixed = row.retry_after is None or isinstance(row.retry_after, int | float)
    sent = {} if row.endpoint is None else {"endpoint": Field(only=("next",)) if row.endpoint == "next" else TEXT}
    return {
        "code": Field("number", ranges=codes)
        if row.close
        else Field("text", only=row.error or None)
        if row.error
        else ANYTHING,
        "status": Field("number", ranges=statuses) if row.http or row.otherwise else Field(only=(None,)),
        "text": TEXT,
        "retry_after": Field(only=(row.retry_after,)) if fixed else NUMBER,
        "say": Field(only=(row.say,)),
        **sent,
    }


def _said(row: Cause, otherwise: str) -> str:
    def codes(pairs: object) -> str:
        if not isinstance(pairs, tuple):
            return "any"
        return ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in pairs)

    if row.match:
        return "refusal " + ", ".join(f"{path} {'/'.join(map(str, values))}" for path, values in row.match.items())
    for given, words in ((row.close, "close"), (row.http, "HTTP")):
        if given:
            return f"{words} {codes(given)}"
    if row.error:
        return f"error {', '.join(row.error)}"
    return f"text {row.text}" if row.text else "any refusal" if row.refusal else otherwise
