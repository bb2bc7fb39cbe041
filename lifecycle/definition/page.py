"""A page as it is written: the classes that its YAML is structured into.

Law: data only, frozen, and complete: what is no field here cannot be said in a page. Each field's
`doc` becomes the completion text of editors. A trailing underscore is dropped in YAML (`with_`).
Knows nothing of other pages: `use` is still a name here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NewType

import attrs

from .expression import Expression

# What a scalar of a page may be. The reader tells them apart and knows how each is written; for
# everybody else a name is a text and a length is a number.
if TYPE_CHECKING:
    Word = str
    Event = str
    StateName = str
    Reference = str
    ClauseId = str
    Path = str
    Regex = str
    Seconds = float
    Size = int
    Condition = Expression
    Value = Any
else:
    Word = NewType("Word", str)
    Event = NewType("Event", str)
    StateName = NewType("StateName", str)
    Reference = NewType("Reference", str)
    ClauseId = NewType("ClauseId", str)
    Path = NewType("Path", str)
    Regex = NewType("Regex", str)
    Seconds = NewType("Seconds", float)
    Size = NewType("Size", int)
    Condition = NewType("Condition", Expression)
    # what is said is what is meant; a text that begins with `=` is an expression, also deep inside
    Value = NewType("Value", object)
Length = Seconds | Expression
"""A duration: a literal with its unit, or an expression."""
Scalar = str | int | float | bool | None

Role = Literal["client", "server", "session"]
Status = Literal["idle", "connecting", "authenticating", "ready", "waiting", "suspended", "closing", "closed", "failed"]
Need = Literal["none", "dialing", "open"]
Kind = Literal["duration", "count", "number", "flag", "text", "choice", "size", "url", "secret", "backoff", "jitter"]
Shape = Literal["object", "text", "number", "flag", "duration", "secret", "url"]
Fields = Mapping[Word, Shape]
"""Fields of an event, arguments or results of a call: name to shape."""
EFFECTS = ("open", "close", "drop", "send", "ping", "set", "emit", "admit", "refuse", "mark")
ERROR_WORDS = (
    *("tls", "dns", "refused", "connect", "handshake", "timeout"),
    *("eof", "reset", "protocol", "too_big", "inbox_full", "outbox_full"),
)
REDIRECTS = frozenset((301, 302, 303, 307, 308))
"""Statuses of HTTP that say where to go instead (RFC 9110 15.4)."""
KEYED = ("json", "object", "socketio", "avatar")
"""Codecs whose messages have keys; those of the others are whole."""
REQUIRED = "required"
OPTIONAL = "optional"


def key(doc: str, **how: Any) -> Any:
    """A field of a page class, with its completion text."""
    return attrs.field(metadata={"doc": doc}, **how)


def maybe(doc: str) -> Any:
    """A key that may be left out."""
    return key(doc, default=None)


def several(doc: str) -> Any:
    """A key that holds one thing or a list; left out, none."""
    return key(doc, default=())


def named(doc: str) -> Any:
    """A key that holds a mapping; left out, an empty one."""
    return key(doc, factory=dict)


@attrs.frozen(kw_only=True)
class Effect:
    """Something to be done: a word, or a one-key mapping of the word to its argument."""

    word: str
    argument: Any = None


@attrs.frozen(kw_only=True)
class CallUse:
    """The call of a state, and what it is given."""

    name: str
    arguments: Mapping[str, Value] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Parameter:
    """What the embedder may set: `{TYPE: default, help: …}`."""

    kind: Kind
    default: Any
    help: str | None = maybe("what it is for, in one line")
    of: tuple[Scalar, ...] = several("the values of a choice")
    min: Any = maybe("the least value")
    max: Any = maybe("the greatest value")


@attrs.frozen(kw_only=True)
class Variable:
    """What the connection remembers: `{TYPE: initial}`, or `{kept: SHAPE}`."""

    kind: Literal["count", "flag", "duration", "choice", "number", "kept"]
    initial: Any
    of: tuple[Scalar, ...] = several("the values of a choice")
    min: Any = maybe("the least value: a literal, or an expression over parameters")
    max: Any = maybe("the greatest value: a literal, or an expression over parameters")
    from_: Path | None = maybe("where in the upgrade request its first value is found (role server)")
    else_: Any = maybe("its first value where the request has none")


@attrs.frozen(kw_only=True)
class Clause:
    """What may happen in a state: one trigger, its conditions, what is done, where it leads."""

    on: tuple[Event, ...] = several("the event, or events; a shorter name takes its whole family")
    after: Length | None = maybe("a clock, started on entry and stopped on exit")
    silent: Length | None = maybe("nothing was received for that long in this state")
    by: Reference | None = maybe("with a backoff: the count that says which wait it is")
    when: Condition | None = maybe("a guard over parameters, variables and event fields")
    while_: tuple[StateName, ...] = several("these other states are active; a clock runs only while they are")
    do: tuple[Effect, ...] = several("what is done, between exit and entry")
    to: StateName | None = maybe("the state that is entered; absent: nothing is left")
    say: str | None = maybe("the sentence for the user")
    proof: bool = key("this clause proves that the peer is healthy", default=False)


@attrs.frozen(kw_only=True)
class State:
    """A state. A page is one, with a header."""

    status: Status | None = maybe("what a user interface shows; inherited by the states inside")
    needs: Need | None = maybe("the transport that must be there while this state is active")
    use: Word | None = maybe("this state is that page")
    with_: Mapping[Word, Value] = named("fixes parameters of the used page: a value, or =expression")
    as_: Mapping[Event, Event] = named("names an event or call of the used page as ours")
    fill: Mapping[Word, "State"] = named("the inside of the used page's slots")
    enter: tuple[Effect, ...] = several("done on entry")
    exit: tuple[Effect, ...] = several("done on exit")
    call: CallUse | None = maybe("runs while the state lasts")
    ignore: tuple[Event, ...] = several("event families that are taken and nothing done; tried last")
    rest: bool | None = maybe("may wait here for ever; inherited")
    final: Event | None = maybe("the exit of the enclosing state: done, or the event that it hears")
    slot: bool = key("the page that uses this one says what happens in here", default=False)
    clauses: Mapping[ClauseId, Clause] = named("what may happen here, in the order in which it is tried")
    states: Mapping[Word, "State"] = named("states, one at a time; the first is initial")
    regions: Mapping[Word, "State"] = named("states that are active all at once")


@attrs.frozen(kw_only=True)
class Dial:
    """Values for the transport when it is dialled."""

    url: Value | None = maybe("where to dial: ws:// or wss://")
    query: Mapping[str, Value] = named("query parameters; none leaves one out")
    headers: Mapping[str, Value] = named("HTTP headers of the upgrade; none leaves one out")
    subprotocols: tuple[str, ...] = several("WebSocket subprotocols that are offered")


@attrs.frozen(kw_only=True)
class Call:
    """An async method of the embedder."""

    timeout: Length = key("its deadline; then it has failed with code timeout")
    takes: Fields = named("its keyword arguments")
    returns: Fields = named("the keys of the mapping that it returns")
    yields: Word | None = maybe("a frame: the call is a generator whose items are sent in order")
    scope: Literal["state", "connection"] = key("whether it ends with its state", default="state")


@attrs.frozen(kw_only=True)
class Pick:
    """Where a value is found in a message: a path; `{ms: path}` for a duration; `{max: path}` never steps back."""

    path: Path
    unit: Literal["ms", "s", "min", "h", "d"] | None = None
    max: bool = False
    else_: Seconds | None = None


Codes = tuple[tuple[int, int], ...] | Literal["any"]
"""Close codes or HTTP statuses: pairs of the lowest and the highest."""
Pause = Seconds | Pick | Literal["header"]
"""A pause that the peer asks for: a duration, a path with its unit, or the Retry-After header."""
Elsewhere = Path | Literal["header", "next"]
"""Where the peer sends us: a path into its message, the Location header, or to any other endpoint (`next`)."""


@attrs.frozen(kw_only=True)
class Cause:
    """A row of the table from what ended or refused a connection to a named event."""

    use: Word | None = maybe("the rows of a preset stand here")
    close: Codes | None = maybe("close code, range (4000-4499), list of them, or any")
    http: Codes | None = maybe("HTTP status, range, list of them, or any")
    error: tuple[Word, ...] = several("what went wrong below the protocol")
    match: Mapping[Path, tuple[Scalar, ...]] = named("paths into a refusal's object, and their values")
    text: Regex | None = maybe("a regular expression on a refusal's message or a close's reason")
    refusal: Literal["any"] | None = maybe("any refusal by message")
    otherwise: bool = key("fits everything; the last row", default=False)
    is_: Event | None = maybe("the event that it is")
    retry_after: Pause | None = maybe("the pause the peer asks for: a duration, header, or a path with its unit")
    endpoint: Elsewhere | None = maybe("where the peer sends us: header (Location), a path, or next; it must be there")
    say: str | None = maybe("the sentence for the user")


@attrs.frozen(kw_only=True)
class Route:
    """A row of the table from messages to what becomes of them. The first that matches decides."""

    match: Mapping[Path, tuple[Scalar, ...]] = named("paths into the message, and their values")
    deliver: bool | Path | None = maybe("to the user, also beside raise or refusal: the whole message, or that part")
    answer: Path | None = maybe("the answer to a request: the path of its id")
    ok: Path | None = maybe("with answer: the path that says whether it went well")
    result: Path | None = maybe("with answer: the path of the result")
    error: Path | None = maybe("with answer: the path of the error")
    raise_: Event | None = maybe("the event that it is")
    fields: Mapping[Word, Path] = named("with raise: the event's fields, and their paths")
    refusal: Path | None = maybe("a refusal, classified by causes: the path of its object")
    clause: ClauseId | None = maybe("for monitors: the clock's clause that it reports")
    discard: bool = key("nothing becomes of it", default=False)
    keep: Mapping[Reference, Pick] = named("variables that take a value from the message, before its outcome")
    sequence: Path | None = maybe("with deliver or raise: the path of its number; a gap is told")
    dedupe: "Dedupe | None" = maybe("with deliver: what was seen lately is dropped")


@attrs.frozen(kw_only=True)
class Dedupe:
    """How doubled messages are known."""

    by: Path = key("the path of what tells messages apart")
    window: int = key("how many of the last are remembered", default=1000)


@attrs.frozen(kw_only=True)
class Inbox:
    """What waits for the user."""

    items: int = key("the most messages that wait", default=1024)
    size: Size = key("the most bytes that wait", default=Size(16 * 1024**2))
    when_full: Literal["oldest", "latest", "close", "wait"] = key("what gives way", default="oldest")
    key: Path | None = maybe("with latest: one message is kept for each value of this path")
    pause: Length | None = maybe("with wait: the longest time for which reading stops")


@attrs.frozen(kw_only=True)
class Outbox:
    """What waits for the peer."""

    items: int = key("the most messages that wait", default=256)
    size: Size = key("the most bytes that wait", default=Size(4 * 1024**2))
    when_full: Literal["reject", "oldest", "wait", "close"] = key("what gives way", default="reject")
    until_ready: Length = key("how long a message waits for ready; 0 s: not at all", default=Seconds(15.0))


@attrs.frozen(kw_only=True)
class Messages:
    """What goes over the transport."""

    codec: Literal["json", "text", "binary", "socketio", "avatar", "object"] | None = maybe("how messages are written")
    limit: Size | None = maybe("the longest message that is accepted")
    inbox: Inbox | None = maybe("what waits for the user")
    outbox: Outbox | None = maybe("what waits for the peer")
    routes: tuple[Route, ...] = several("what becomes of messages; the first that matches decides")
    frames: Mapping[Word, Value] = named("what can be sent by name")


@attrs.frozen(kw_only=True)
class Unsupported:
    """A refusal of a request that means: there is no such method here."""

    match: Mapping[Path, tuple[Scalar, ...]] = named("paths into the error, and their values")
    text: Regex | None = maybe("a regular expression on the error's message")


@attrs.frozen(kw_only=True)
class Requests:
    """Messages that have an answer."""

    send: Word = key("the frame of a request; it knows =id, =method and =params")
    timeout: Length = key("how long an answer may take", default=Seconds(30.0))
    until_ready: Length = key("how long a request waits for ready; 0 s: not at all", default=Seconds(15.0))
    on_loss: Literal["fail", "resend"] = key("what becomes of it when the connection is lost", default="fail")
    resends: int = key("with resend: how often", default=1)
    cancel: Word | None = maybe("the frame that tells the peer that nobody waits any more")
    unsupported: tuple[Unsupported, ...] = several("errors that mean: no such method")


@attrs.frozen(kw_only=True)
class Law:
    """A promise of the page itself; one of never, always, leads_to, sometimes."""

    never: "Situation | None" = maybe("this situation does not occur")
    always: "Situation | None" = maybe("wherever its states are active, its condition holds")
    leads_to: "Leading | None" = maybe("from these states those are reached")
    sometimes: "Situation | None" = maybe("this situation can occur")


@attrs.frozen(kw_only=True)
class Situation:
    """Active states and a condition over variables, after every step or after those of some events."""

    on: tuple[Event, ...] = several("only right after a step that one of these events, or families, has caused")
    in_: tuple[StateName, ...] = several("any of these states is active")
    while_: tuple[StateName, ...] = several("all of these states are active")
    when: Condition | None = maybe("a condition over variables and transport.open")


@attrs.frozen(kw_only=True)
class Leading:
    """From where to where."""

    from_: tuple[StateName, ...] = key("any of these states")
    to: tuple[StateName, ...] = key("any of these states")


@attrs.frozen(kw_only=True)
class Traced:
    """What traces, logs and spans call things. It says nothing of what the page does."""

    session: Value | None = maybe("the connection: a value, read once when it begins; without it, it is numbered")
    event: Path | None = maybe("where a message has its id as an event of the application")


@attrs.frozen(kw_only=True)
class Page(State):
    """A page: a state with a header."""

    lifecycle: Literal[1] = key("the version of the language")
    page: Word = key("its name, which is the file's")
    title: str | None = maybe("what it is, in one line")
    about: str | None = maybe("its sources")
    role: Role | None = maybe("which end it is; absent: a fragment for other pages")
    parameters: Mapping[Word, Parameter] = named("what the embedder may set")
    variables: Mapping[Word, Variable] = named("what the connection remembers")
    hears: Mapping[Event, Fields] = named("events from outside: the user's wishes")
    leaves: tuple[Event, ...] = several("event families that this page lets pass; whoever uses it takes them")
    stop: Event = key("the wish to end", default=Event("disconnect"))
    good: Mapping[Literal["dialing", "open"], tuple[Event, ...]] = named("what a good peer lets happen, by phase")
    latency: Seconds = key("within what time a good peer answers", default=Seconds(1.0))
    min_time_per_dial: Seconds = key("no server makes this page dial more often, on average", default=Seconds(1.0))
    dial: Dial | None = maybe("values for the transport")
    calls: Mapping[Word, Call] = named("async methods of the embedder")
    causes: tuple[Cause, ...] = several("from what ended or refused a connection to events; the first that fits")
    messages: Messages | None = maybe("what goes over the transport")
    requests: Requests | None = maybe("messages that have an answer")
    laws: tuple[Law, ...] = several("the page's own promises")
    trace: Traced | None = maybe("what traces, logs and spans call things")
    retired: tuple[ClauseId, ...] = several("clause ids that must not come back")


for _class in (State, Route, Law, Page):
    attrs.resolve_types(_class)
