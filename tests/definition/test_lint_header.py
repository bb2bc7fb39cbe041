"""The header of a page: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_the_stop_wish(problems: Problems) -> None:
    """A page with a role hears the wish to end."""
    page = """
role: session
stop: leave
states:
  a: {rest: true, status: ready}
"""
    assert problems(page) == [
        (
            "4:7: the wish to end is `leave`, which is not under `hears`: add it: `hears: {leave: "
            "{}}`, or name another by `stop`"
        ),
    ]


def test_the_usual_stop_wish(problems: Problems) -> None:
    """The wish to end is `disconnect` unless the page says another."""
    page = """
role: session
states:
  a: {rest: true, status: ready}
"""
    assert problems(page) == [
        (
            "1:1: the wish to end is `disconnect`, which is not under `hears`: add it: `hears: {disconnect: "
            "{}}`, or name another by `stop`"
        ),
    ]


def test_a_session_has_no_transport(problems: Problems) -> None:
    """A session has no transport, so nothing can be done to one."""
    page = """
role: session
hears: {disconnect: {}}
states:
  a:
    rest: true
    status: ready
    enter: [open, close, drop]
    clauses:
      X1: {on: disconnect, do: [ping, admit, {refuse: {http: 403}}], to: a}
"""
    assert problems(page) == [
        "9:13: `open` in a page with the role session: only a client can do that",
        "9:19: `close` in a page with the role session: only a client or a server can do that",
        "9:26: `drop` in a page with the role session: only a client or a server can do that",
        "11:33: `ping` in a page with the role session: only a client or a server can do that",
        "11:39: `admit` in a page with the role session: only a server can do that",
        "11:46: `refuse` in a page with the role session: only a server can do that",
    ]


def test_a_server_does_not_dial(problems: Problems) -> None:
    """A server does not dial."""
    page = """
role: server
hears: {disconnect: {}}
states:
  a:
    rest: true
    status: ready
    enter: open
    clauses:
      X1: {on: disconnect, do: [close, drop, ping, admit, {refuse: {http: 403}}], to: a}
"""
    assert problems(page) == [
        "9:12: `open` in a page with the role server: only a client can do that",
    ]


def test_a_client_admits_nobody(problems: Problems) -> None:
    """Only a server admits or refuses."""
    page = """
role: client
hears: {disconnect: {}}
states:
  a:
    rest: true
    status: ready
    enter: [open, close, drop, ping]
    clauses:
      X1: {on: disconnect, do: [admit, {refuse: {http: 403}}], to: a}
"""
    assert problems(page) == [
        "11:33: `admit` in a page with the role client: only a server can do that",
        "11:40: `refuse` in a page with the role client: only a server can do that",
    ]


def test_a_fragment_does_anything(problems: Problems) -> None:
    """A fragment may do what one of its users can."""
    page = """
hears: {disconnect: {}}
states:
  a:
    rest: true
    status: ready
    enter: [open, admit]
    clauses:
      X1: {on: disconnect, do: [close, drop, ping, {mark: lost}], to: a}
"""
    assert problems(page) == []


def test_only_clients_dial(problems: Problems) -> None:
    """What is for dialling and asking belongs to clients."""
    page = """
role: server
hears: {disconnect: {}}
dial: {query: {a: b}}
messages: {codec: json, frames: {request: {id: =id}}}
requests: {send: request}
states:
  a:
    rest: true
    status: ready
    clauses:
      X1: {on: disconnect, to: a}
"""
    assert problems(page) == [
        "5:1: `dial` in a page with the role server: only a client has it",
        "7:1: `requests` in a page with the role server: only a client has it",
    ]


def test_no_codec(problems: Problems) -> None:
    """Frames are written by a codec."""
    page = """
role: client
hears: {disconnect: {}}
messages:
  frames: {hello: hello, item: =item, request: {id: =id}}
requests: {send: request}
calls: {replay: {yields: item, timeout: 1 s}}
states:
  a:
    status: ready
    enter: {send: hello}
    call: replay
    clauses:
      X1: {on: [done, failed, disconnect], to: a}
"""
    assert problems(page) == [
        "7:1: `requests`, and the page has no codec: say how frames are written: `messages: {codec: json}`",
        (
            "8:9: the call `replay` yields frames, and the page has no codec: say how frames are written: `messages: "
            "{codec: json}`"
        ),
        "12:5: `send: hello`, and the page has no codec: say how frames are written: `messages: {codec: json}`",
    ]


def test_keys_of_another_policy(problems: Problems) -> None:
    """`key` belongs to `latest`, `pause` to `wait`."""
    page = """
messages:
  inbox: {when_full: oldest, key: id, pause: 1 s}
states:
  a: {rest: true}
"""
    assert problems(page) == [
        "4:30: `key` with `when_full: oldest`: it belongs to `when_full: latest`",
        "4:39: `pause` with `when_full: oldest`: it belongs to `when_full: wait`",
    ]


def test_queues_that_hold_nothing(problems: Problems) -> None:
    """A queue has room for one message of one byte at least."""
    page = """
messages:
  inbox: {items: 0}
  outbox: {items: 1, size: 0 B}
states:
  a: {rest: true}
"""
    assert problems(page) == [
        "4:11: `items: 0` lets nothing into the inbox: it must be 1 at least",
        "5:22: `size: 0` lets nothing into the outbox: it must be 1 at least",
    ]


def test_the_waits_of_queues_have_names(problems: Problems) -> None:
    """They are parameters or literals, like those of clauses."""
    page = """
messages:
  inbox: {when_full: wait, pause: pawse}
  outbox: {until_ready: untill}
states:
  a: {rest: true}
"""
    assert [problem.split(" ")[1:3] for problem in problems(page)] == [["`pawse`", "reads"], ["`untill`", "reads"]]


def test_wait_without_end(problems: Problems) -> None:
    """Reading that stops looks like silence, so it is bounded where silence is noticed."""
    page = """
messages:
  inbox: {when_full: wait}
states:
  a:
    clauses:
      X1: {silent: 1 s, to: a}
"""
    assert problems(page) == [
        (
            "4:22: `when_full: wait` without `pause`, and a clock that notices silence: "
            "while reading stops all is silent: bound it by `pause`"
        ),
    ]


def test_wait_with_an_end(problems: Problems) -> None:
    """Each policy with its own key is fine."""
    page = """
messages:
  inbox: {when_full: wait, pause: 1 s}
states:
  a:
    clauses:
      X1: {silent: 1 s, to: a}
"""
    assert problems(page) == []


def test_a_name_that_is_not_known_in_time(problems: Problems) -> None:
    """A session is named as it begins: by parameters, and by what a client has asked with; never by a secret."""
    page = """
role: server
stop: drained
hears: {drained: {}}
trace: {session: NAME}
parameters: {place: {text: here}, key: {secret: optional}}
variables:
  room: {kept: text, from: query.room}
  word: {kept: secret, from: query.word}
  late: {kept: text}
calls: {use: {takes: {a: text, b: text, c: secret, d: secret}, timeout: 1 s}}
causes: [{otherwise: true, is: lost}]
states:
  a:
    status: ready
    call: {use: {a: =place, b: =room, c: =key, d: =word}}
    clauses:
      X1: {on: [done, failed, lost, drained], do: {set: {late: none}}, to: b}
  b: {status: closed, final: done}
"""
    for good in ("=place", "=room", "fixed", "7"):
        assert problems(page.replace("NAME", good)) == []
    late = "which has no value of the connection's own when that begins: name it by a parameter, or by a variable with `from`"
    secret = "which is a secret: name it by something that may be shown"
    assert problems(page.replace("NAME", "=late")) == [f"6:18: `session` reads `late`, {late}"]
    for name in ("key", "word"):
        assert problems(page.replace("NAME", f"={name}")) == [f"6:18: `session` shows `{name}`, {secret}"]


def test_names_that_only_traces_use(problems: Problems) -> None:
    """What is declared for a name is used; what is misspelt is told."""
    page = """
trace: {session: =room, event: a.0.id}
parameters: {room: {text: required}}
states:
  a: {rest: true}
"""
    assert problems(page) == []
    assert problems(page.replace("=room", "=romm")) == [
        "3:18: `romm` reads `romm`, which is no parameter and no variable: did you mean `room`?"
    ]
