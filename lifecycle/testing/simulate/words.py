"""What a peer of a page can say: messages for each of its routes, and endings for each of its causes.

Law: derived from the page. Each message carries what must become of it, as its maker knows it; the driver is not asked.
"""

import random
import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import KEYED, Codes
from lifecycle.wire.codec import PARTIAL, Message, Undecodable, Written, encoder, parts, reader
from lifecycle.wire.dial_request import DEFAULT_LIMIT
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, ErrorWord, HttpEnding
from lifecycle.wire.pick import find
from lifecycle.wire.routes import Kind, route

from .calls import URL
from .frames import frame_of
from .packets import packet_of

_DIALING: tuple[ErrorWord, ...] = ("tls", "dns", "refused", "connect", "handshake", "timeout")
_OPEN: tuple[ErrorWord, ...] = ("eof", "reset", "protocol", "too_big")
_PLAIN = re.compile(r"[\w .:-]+")


@attrs.define(eq=False)
class Said:
    """One message of the peer.

    Attributes:
        data: as it goes over the wire.
        kind: what must become of it; `bad` is none of the codec.
        value: what the user must get, or what settles the request.
        row: the route that takes it.
        number, key: its place in a stream, and what tells it from others, if the route asks.
        id, good: of an answer: whose, and whether it went well.
        delivers: whether it is for the user, besides.
    """

    data: Written
    kind: Kind | Literal["bad"]
    value: Any = None
    row: int = 0
    number: int | None = None
    key: Any = None
    id: str = ""
    good: bool = True
    delivers: bool = False

    @property
    def messages(self) -> tuple[Message, ...]:
        """It as it goes over the wire, in one message or in several."""
        return parts(self.data)


class Words:
    """The words of one page's peer.

    Args:
        page: as it is simulated.
    """

    def __init__(self, page: Definition) -> None:
        self.page = page
        self.routes, self.codec = page.messages.routes, page.messages.codec or "text"
        self.keyed = self.codec in KEYED
        self._encode, self._limit = encoder(self.codec), page.messages.limit or DEFAULT_LIMIT
        rows = range(len(self.routes)) if self.routes else range(1)
        self.refusals = [cause for cause in page.causes if cause.match or cause.refusal or _sample(cause.text)]
        self.sayable = tuple(row for row in rows if self._try(row) is not None)
        self.delivering = tuple(row for row in self.sayable if self._kind(row) == "deliver")
        self.answering = tuple(row for row in self.sayable if self._kind(row) == "answer")
        self._request = _paths(page.messages.frames[page.requests.send]) if page.requests is not None else {}

    def event(self, row: int) -> str:
        """The event that a route raises; empty if it raises none."""
        return (self.routes[row].raise_ or "") if self.routes else ""

    def _kind(self, row: int) -> str:
        made = self._try(row)
        return "" if made is None else made.kind

    def _try(self, row: int) -> Said | None:
        return self.say(row, 0, random.Random(row))

    def say(
        self, row: int, serial: int, dice: random.Random, *, id: str = "0", good: bool = True, value: Any = None
    ) -> Said | None:
        """A message that a route takes; none if there is none.

        Args:
            row: which route.
            serial: tells it from all others.
            dice: chooses what the page leaves open.
            id: of the request that it answers.
            good: whether that went well.
            value: what the answer says.
        """
        if not self.routes or not self.keyed:
            return self._plain(row, f"{serial}:{'x' * dice.choice(_LENGTHS)}")
        asked = self.routes[row]
        found: dict[str, Any] = {
            path: dice.choice(({"n": serial}, {"n": serial}, serial, "text", None)) for path in asked.fields.values()
        }
        found |= {pick.path: self._kept(pick.unit, serial, dice) for pick in asked.keep.values()}
        for path in filter(None, (asked.sequence, asked.dedupe.by if asked.dedupe else None)):
            found[path] = serial
        if isinstance(asked.deliver, str) and asked.deliver not in found:
            found[asked.deliver] = {"serial": serial, "said": "x" * dice.choice(_LENGTHS)}
        if asked.answer:
            found[asked.answer] = id
            found |= {path: good for path in (asked.ok,) if path}
            part = asked.result if good else asked.error
            found |= {part: value} if part else {}
        if asked.refusal:
            found[asked.refusal] = self._refusal(dice)
        found |= {path: dice.choice(values) for path, values in asked.match.items()}
        message = self._message(_built(found), serial if asked.deliver is True else None, dice)
        return self._judged(row, message, good=good)

    def _message(self, found: dict[str, Any], serial: int | None, dice: random.Random) -> dict[str, Any]:
        if self.codec == "socketio":
            return packet_of(found, serial, dice)
        if self.codec == "avatar":
            return frame_of(found, serial, dice)
        return found if serial is None else {**found, "serial": serial}

    def _plain(self, row: int, text: str) -> Said | None:
        if not self.routes:
            packet = {"packet": "event", "namespace": "/", "event": text, "args": []}
            value = packet if self.codec == "socketio" else text
            value = {"header": "DAT01", "body": text} if self.codec == "avatar" else value
            return Said(self._encode(value), "deliver", value, delivers=True)
        if any(each.match for each in self.routes[: row + 1]):
            return None
        kind: Literal["deliver", "discard"] = "deliver" if self.routes[row].deliver else "discard"
        return Said(text, kind, text, row, delivers=kind == "deliver") if row == 0 else None

    def _judged(self, row: int, message: Any, *, good: bool) -> Said | None:
        try:
            data = self._encode(message)
        except (TypeError, ValueError):
            return None
        message = self._decoded(data)
        outcome = route(self.routes, message)
        if outcome.row != row or outcome.kind == "unrouted":
            return None
        asked = self.routes[row]
        number = find(message, asked.sequence) if asked.sequence else None
        key = find(message, asked.dedupe.by) if asked.dedupe else None
        if outcome.kind == "answer":
            outcome.good = good if asked.ok else True
        id_ = str(outcome.id) if outcome.kind == "answer" else ""
        return Said(data, outcome.kind, outcome.value, row, number, key, id_, outcome.good, outcome.delivers)

    def _decoded(self, data: Written) -> Any:
        client, value = reader(self.codec, self._limit), PARTIAL
        for message in parts(data):
            value = client.decode(message)
        return value

    def _kept(self, unit: str | None, serial: int, dice: random.Random) -> Any:
        return serial if unit is None else dice.choice((0, 15_000, 30_000, 30_000, 30_000, 1e7))

    def _refusal(self, dice: random.Random) -> Any:
        if not self.refusals:
            return {"code": "refused"}
        cause = dice.choice(self.refusals)
        made = {path: dice.choice(values) for path, values in cause.match.items()}
        if not isinstance(cause.retry_after, int | float | str | None):
            made[cause.retry_after.path] = dice.choice((0, 700, 2000, 60_000, 1e9))
        if cause.endpoint not in (None, "header", "next"):
            made[cause.endpoint] = f"{URL}elsewhere"
        if text := _sample(cause.text):
            made["message"] = text
        return _built(made) or {"code": "other"}

    def garbage(self, said: Said, serial: int) -> Said:
        """A message that was damaged on its way."""
        if not self.keyed:
            text = f"~{serial}"
            return attrs.evolve(said, data=text, value=text)
        return Said(_DAMAGED.get(self.codec, "{") + str(serial), "bad")

    # -- requests

    def request(self, data: Message) -> str | None:
        """The id of a request; none if it is none."""
        if "id" not in self._request:
            return None
        try:
            message = self._decoded(data)
        except Undecodable:
            return None
        id_ = find(message, self._request["id"])
        params = find(message, self._request["params"]) if "params" in self._request else None
        asks = isinstance(id_, str | int) and isinstance(params, dict | list)
        return str(id_) if asks else None

    # -- endings

    def open_ending(self, pick: float) -> Ending:
        """How an open connection may end: by each cause of the page, and by some that it may not name."""
        ways: list[Ending] = [ErrorEnding(word, "made up") for word in _OPEN]
        ways += [CloseEnding(code) for code in (1000, 1001, 1005, 1012, 4321)]
        for cause in self.page.causes:
            ways += [CloseEnding(code, _sample(cause.text) or "") for code in _codes(cause.close, 4000)]
            ways += [CloseEnding(1008, text) for text in (_sample(cause.text),) if text and not cause.close]
        return ways[int(pick * len(ways))]

    def dial_ending(self, pick: float) -> Ending:
        """How a dial may fail."""
        ways: list[Ending] = [ErrorEnding(word, "made up") for word in _DIALING]
        ways += [HttpEnding(status, _HEADERS) for c in self.page.causes for status in _codes(c.http, 500)]
        return ways[int(pick * len(ways))] if pick else ErrorEnding("refused", "made up")


_HEADERS = {"retry-after": "7", "location": "/elsewhere"}
_LENGTHS = (1, 20, 20, 20, 300, 3000)
_NEVER_SENT = 1006
_DAMAGED = {"socketio": "42{", "avatar": "|DAT|02|{"}
"""How a message begins that is none, where `{` alone does not."""


def _codes(codes: Codes | None, other: int) -> tuple[int, ...]:
    """Codes that a row of causes takes: the ends of its ranges. 1006 is never on the wire."""
    if codes is None or isinstance(codes, str):
        return (other,) if codes else ()
    return tuple(code for pair in codes for code in dict.fromkeys(pair) if code != _NEVER_SENT)


def _built(found: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these values at these paths, the outer ones first."""
    made: dict[str, Any] = {}
    for path in sorted(found, key=lambda path: path.count(".")):
        *outer, last = path.split(".")
        inside = made
        for name in outer:
            if not isinstance(inside.get(name), dict):
                inside[name] = {}
            inside = inside[name]
        value = found[path]
        inside[last] = dict(value) if isinstance(value, dict) else value
    return made


def _paths(frame: Any, inside: str = "") -> dict[str, str]:
    """Where a frame has its expressions: the expression's text to a path."""
    if isinstance(frame, Expression):
        return {frame.text: inside}
    if not isinstance(frame, dict):
        return {}
    found: dict[str, str] = {}
    for name, part in frame.items():
        found |= _paths(part, f"{inside}.{name}" if inside else str(name))
    return found


def _sample(pattern: str | None) -> str | None:
    """A text in which a pattern of plain alternatives is found; none if it is not so plain."""
    for part in (pattern or "").replace("(?i)", "").split("|"):
        text = part.replace(".?", "").replace("(", "").replace(")", "").replace("^", "")
        if pattern and _PLAIN.fullmatch(text) and re.search(pattern, text):
            return text
    return None
