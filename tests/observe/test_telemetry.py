"""OpenTelemetry's own SDK is told of each way to ready, and reads the numbers when it collects; never a secret."""

import importlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import lifecycle
from lifecycle.definition.read import read, read_text
from lifecycle.observe.meters import meters_of
from lifecycle.observe.telemetry import Telemetry
from lifecycle.testing.peer import Peer

URL = "ws://peer.test/chat"
WHERE = {"lifecycle.page": "websocket", "server.address": "peer.test", "server.port": 80}


class Collector:
    """Where spans and metrics arrive."""

    def __init__(self):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry = self.make()

    def make(self) -> Telemetry:
        return Telemetry(self.tracers, self.meters)

    def span(self, name: str) -> Any:
        """Open a span of the user."""
        return self.tracers.get_tracer("user").start_as_current_span(name)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Those that have ended, by their beginning."""
        found = [span for span in self.exporter.get_finished_spans() if span.name.startswith(name)]
        return sorted(found, key=lambda span: span.start_time)

    def metrics(self) -> dict[str, dict[str, Any]]:
        """What is collected now: numbers by name and labels; of a histogram, how many and their sum."""
        data = self.reader.get_metrics_data()
        told = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
        return {
            metric.name.removeprefix("lifecycle.connection."): {
                labelled(**point.attributes): point.value
                if hasattr(point, "value")
                else (point.count, round(point.sum, 6))
                for point in metric.data.data_points
            }
            for metric in told
        }

    def everything(self) -> str:
        """All that anybody can see."""
        return self.reader.get_metrics_data().to_json() + "".join(span.to_json() for span in self.spans())


def labelled(**labels: Any) -> frozenset[tuple[str, Any]]:
    """Labels as a key."""
    return frozenset(labels.items())


def labels(**more: Any) -> frozenset[tuple[str, Any]]:
    """Those of a client of the page `websocket`; a `_` in a name is a dot."""
    return labelled(**WHERE, **{name.replace("_", "."): value for name, value in more.items()})


def of(page: str) -> frozenset[tuple[str, Any]]:
    """Those of a page."""
    return labelled(**{"lifecycle.page": page})


def seconds(span: ReadableSpan) -> float:
    """How long it was open."""
    return (span.end_time - span.start_time) / 1e9


@pytest.fixture
def collector():
    """An SDK of its own."""
    return Collector()


def opened(peer: Peer, *instruments: Any, **settings: Any) -> lifecycle.Connection:
    """A client of the peer."""
    return lifecycle.open(
        "websocket", **{"url": URL, "instruments": instruments, "transport": peer.dialer, "seed": 1} | settings
    )


async def test_each_way_to_ready_is_a_span_and_each_dial_in_it(collector):
    """Two refused dials and a third; an hour later a loss, and a dial."""
    began = time.time()
    async with Peer() as peer:
        peer.refuse(2)
        async with opened(peer, collector.telemetry) as connection:
            await connection.ready()
            reached = trio.current_time()
            await trio.sleep(3600)
            peer.link.drop()
            await trio.sleep(0.1)  # shorter than any wait
            await connection.ready()
    connect, reconnect = collector.spans("connect"), collector.spans("reconnect")
    dials = collector.spans("dial")
    assert [len(connect), len(reconnect), len(dials)] == [1, 1, 4]
    assert [dial.parent.span_id for dial in dials] == 3 * [connect[0].context.span_id] + [reconnect[0].context.span_id]
    assert connect[0].start_time / 1e9 == pytest.approx(began, abs=30)
    assert seconds(connect[0]) == pytest.approx(reached, abs=1e-3)
    assert dials[2].end_time == connect[0].end_time
    assert (reconnect[0].start_time - connect[0].end_time) / 1e9 == pytest.approx(3600, abs=1e-3)
    names = {"lifecycle.page": "websocket", "lifecycle.session": connection.about["session"]}
    assert connect[0].attributes == names | {
        "lifecycle.epoch": 0,
        "lifecycle.cause": "connect",
        "lifecycle.dials": 3,
    }
    assert reconnect[0].attributes == names | {
        "lifecycle.epoch": 3,
        "lifecycle.cause": "lost.network",
        "lifecycle.code": "eof",
        "lifecycle.why": "eof: the peer ended the connection without a close frame",
        "lifecycle.dials": 1,
    }
    assert {span.status.status_code for span in (*connect, *reconnect)} == {StatusCode.UNSET}


async def test_spans_say_the_names_that_traces_and_logs_say(collector):
    """Session, dial, and the last event before it, by the page's words."""

    class News:
        async def tell(self, *, after):
            yield {"type": "news", "number": int(after) + 1}

    examples = Path(__file__).parents[2] / "docs" / "examples"
    async with Peer(examples / "desk.yaml", calls=News(), instruments=[collector.telemetry]) as peer:
        options = {"transport": peer.dialer, "instruments": [collector.telemetry]}
        async with lifecycle.open(examples / "reader.yaml", url="ws://desk.test", topic="sea", **options) as reader:
            assert await anext(reader) == 1
            peer.link.drop()
            while await anext(reader) != 2:
                pass
    spans = collector.spans()
    assert {span.attributes["lifecycle.session"] for span in spans} == {"sea"}
    told = [
        (span.name, span.attributes["lifecycle.epoch"], span.attributes.get("lifecycle.event_id")) for span in spans
    ]
    assert sorted(told) == [
        ("connect reader", 0, None),
        ("dial reader", 1, None),
        ("dial reader", 2, 1),
        ("reconnect reader", 1, 1),
    ]


async def test_a_dial_says_where_it_went_and_how_it_failed(collector):
    """In the words of the semantic conventions, where there are any."""
    async with Peer() as peer:
        peer.refuse()
        async with opened(peer, collector.telemetry, url="ws://peer.test:8080/x") as connection:
            await connection.ready()
    refused, made = collector.spans("dial")
    about = {
        "lifecycle.page": "websocket",
        "lifecycle.session": connection.about["session"],
        "network.protocol.name": "websocket",
        "server.address": "peer.test",
        "server.port": 8080,
        "url.scheme": "ws",
    }
    assert made.attributes == about | {"lifecycle.epoch": 2}
    assert refused.attributes == about | {
        "lifecycle.epoch": 1,
        "lifecycle.code": "refused",
        "error.type": "lost.network",
    }
    assert (refused.kind, made.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert refused.status.status_code is StatusCode.ERROR
    assert refused.status.description == "refused: Connection refused"
    assert [event.name for event in made.events] == ["opened"]


async def test_a_way_tells_its_statuses_with_the_clauses_and_waits(collector):
    """The events of its span are what the page has done, in its words."""
    async with Peer() as peer:
        peer.refuse()
        async with opened(peer, collector.telemetry) as connection:
            await connection.ready()
    (connect,) = collector.spans("connect")
    assert [event.name for event in connect.events] == ["connecting", "waiting", "wait", "connecting", "ready"]
    assert connect.events[1].attributes == {
        "lifecycle.cause": "lost.network",
        "lifecycle.clauses": ("WS3", "waiting/R3"),
    }
    assert connect.events[2].attributes["lifecycle.wait"] == pytest.approx(seconds(connect), abs=1e-3)


async def test_a_way_that_is_wished_is_a_child_of_the_wish_and_any_other_is_not(collector):
    """Who loses a connection hours later is in nobody's span, wherever the connection was made."""
    async with Peer() as peer:
        with collector.span("user"):
            async with opened(peer, collector.telemetry) as connection:
                await connection.ready()
                with collector.span("again"):
                    connection.tell("reconnect")
                await connection.ready()
                peer.link.drop()
                await trio.sleep(0.1)  # shorter than any wait
                await connection.ready()
    user, again = *collector.spans("user"), *collector.spans("again")
    (first,) = collector.spans("connect")
    wished, lost = collector.spans("reconnect")
    assert (first.parent.span_id, wished.parent.span_id) == (user.context.span_id, again.context.span_id)
    assert wished.attributes["lifecycle.cause"] == "reconnect"
    assert lost.parent is None
    assert lost.context.trace_id != user.context.trace_id
    assert [len(span.links) for span in (first, wished, lost)] == [0, 1, 1]
    assert lost.links[0].context.span_id == first.context.span_id


async def test_the_numbers_of_a_life(collector):
    """A refused dial, a ready, messages, a loss and a ready; while it is there, and when it has gone."""

    async def echo(connection: lifecycle.Connection) -> None:
        async for message in connection:
            connection.post(message)

    async with Peer(handler=echo) as peer:
        peer.refuse()
        async with opened(peer, collector.telemetry) as connection:
            await connection.ready()
            for _ in range(3):
                await connection.send("x")
            await anext(connection)
            await trio.sleep(0.1)
            connection._driver.mail.requests.late += 2
            now = collector.metrics()
            peer.link.reset()
            await trio.sleep(0.1)  # shorter than any wait
            await connection.ready()
    assert now["inbox.messages"] == {of("websocket"): 2}
    by_status = {dict(key)["lifecycle.status"]: value for key, value in now["count"].items()}
    assert {status for status, number in by_status.items() if number} == {"ready"}
    assert len(by_status) == 9
    told = collector.metrics()
    assert set(told["count"].values()) == {0}
    counters = connection.counters
    assert counters.dials == 3
    for name, number in {
        "dials": counters.dials,
        "messages.sent": 3,
        "messages.delivered": counters.delivered,
        "messages.dropped": 0,
        "requests.late": 2,
        "events.stale": counters.stale,
        "requests.pending": 0,
        "outbox.messages": 0,
    }.items():
        assert told[name] == {of("websocket"): number}, name
    assert told["readies"] == {labels(): 2}
    assert told["ends"] == {
        labels(lifecycle_status="connecting", error_type="lost.network"): 1,
        labels(lifecycle_status="ready", error_type="lost.network"): 1,
        labels(lifecycle_status="closing"): 1,
    }
    assert {key: value[0] for key, value in told["dial.duration"].items()} == {
        labels(): 2,
        labels(error_type="lost.network"): 1,
    }
    connect, reconnect = (
        told["connect.duration"][labels(lifecycle_operation=name)] for name in ("connect", "reconnect")
    )
    assert told["wait.duration"] == {labels(): (2, pytest.approx(connect[1] + reconnect[1], abs=1e-3))}
    assert (connect[0], reconnect[0]) == (1, 1)


async def test_units_and_names_are_those_of_the_conventions(collector):
    """Seconds are `s`, what is counted stands in braces, and every name is ours."""
    async with Peer() as peer:
        peer.refuse()
        async with opened(peer, collector.telemetry) as connection:
            await connection.ready()
    data = collector.reader.get_metrics_data().resource_metrics[0].scope_metrics
    assert [scope.scope.name for scope in data] == ["lifecycle"]
    assert len(data[0].metrics) == 22
    for metric in data[0].metrics:
        assert metric.name.startswith("lifecycle.connection.")
        assert metric.unit == "s" if metric.name.endswith(".duration") else metric.unit[0] + metric.unit[-1] == "{}"
        assert metric.description


async def test_a_connection_that_fails_on_its_way_says_why(collector):
    """The dial and the way carry the page's word for it, and the status of HTTP."""
    async with Peer() as peer:
        peer.refuse(http=403)
        async with opened(peer, collector.telemetry) as connection:
            with pytest.raises(lifecycle.ConnectionFailed):
                await connection.ready()
    dial, connect = *collector.spans("dial"), *collector.spans("connect")
    for span in (dial, connect):
        assert span.attributes["error.type"] == "refused.credentials"
        assert span.attributes["http.response.status_code"] == 403
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "the peer answered with HTTP status 403"
    assert collector.spans("fail") == []
    key = labels(lifecycle_operation="connect", error_type="refused.credentials")
    assert collector.metrics()["connect.duration"] == {key: (1, 0.0)}
    assert "readies" not in collector.metrics()


async def test_a_connection_that_fails_when_it_was_ready_has_a_span_for_that(collector):
    """Otherwise no span would tell it; it is as short as the step."""
    async with Peer() as peer, opened(peer, collector.telemetry) as connection:
        await connection.ready()
        peer.link.close(1008, "enough")
        await trio.sleep(0.1)  # shorter than any wait
        assert connection.status == "failed"
    (fail,) = collector.spans("fail")
    assert (seconds(fail), fail.parent, len(fail.links)) == (0, None, 1)
    assert fail.attributes == {
        "lifecycle.page": "websocket",
        "lifecycle.session": connection.about["session"],
        "lifecycle.epoch": 1,
        "error.type": "refused.policy",
        "lifecycle.code": "1008",
    }
    assert fail.status.description == "the peer closed with code 1008: enough"


async def test_who_gives_up_has_no_error(collector):
    """A wish to end while it dials: spans end, no seconds until ready are told."""
    async with Peer() as peer:
        peer.hold()
        async with opened(peer, collector.telemetry) as connection:
            await trio.sleep(3)
            assert connection.status == "connecting"
    dial, connect = *collector.spans("dial"), *collector.spans("connect")
    assert [seconds(span) for span in (dial, connect)] == pytest.approx([3, 3], abs=1e-3)
    assert {span.status.status_code for span in (dial, connect)} == {StatusCode.UNSET}
    told = collector.metrics()
    assert told["ends"] == {labels(lifecycle_status="connecting"): 1}
    assert not {"dial.duration", "connect.duration"} & told.keys()


async def test_who_is_cancelled_leaves_no_span_open(collector):
    """Ended from outside, without a step of the page."""
    async with Peer() as peer:
        peer.hold()
        with trio.move_on_after(2):
            async with opened(peer, collector.telemetry):
                await trio.sleep_forever()
    assert [round(seconds(span), 3) for span in collector.spans()] == [2, 2]
    assert collector.metrics()["ends"] == {labels(lifecycle_status="connecting"): 1}


async def break_down(connection: lifecycle.Connection) -> None:
    """A timer of ours that cannot be carried out."""
    async with connection:
        await trio.sleep(1)
        connection._driver.timers.set("broken", trio.current_time(), _broken)
        connection._driver.armed()
        await trio.sleep(1)


def _broken(_: object) -> None:
    raise ZeroDivisionError("hush-fault")


@pytest.mark.parametrize(("held", "names"), [(False, ["fail"]), (True, ["connect", "dial"])])
async def test_a_fault_of_ours_is_told_by_its_kind(collector, caplog, held, names):
    """On its way by the spans that are open, else by one of its own; what it says may be secret."""
    caplog.set_level(logging.CRITICAL)
    async with Peer() as peer:
        if held:
            peer.hold()
        with pytest.raises(lifecycle.DriverFailed):
            await break_down(opened(peer, collector.telemetry))
    wrong = [span for span in collector.spans() if span.status.status_code is StatusCode.ERROR]
    assert sorted(span.name.split()[0] for span in wrong) == names
    assert {span.attributes["error.type"] for span in wrong} == {"ZeroDivisionError"}
    assert "hush" not in collector.everything()
    status = "connecting" if held else "ready"
    assert collector.metrics()["ends"] == {labels(lifecycle_status=status, error_type="ZeroDivisionError"): 1}


GUARDED = """
lifecycle: 1
page: guarded
role: client
parameters:
  password: {secret: required}
variables:
  ticket: {kept: secret}
  proof:  {kept: secret}
hears: {connect: {}, disconnect: {}}
good: {open: [accepted]}
dial:
  headers: {Authorization: =password}
  query: {password: =password}
calls:
  sign: {takes: {password: secret}, returns: {proof: secret}, timeout: 5 s}
causes:
  - {refusal: any, is: refused.rudely}
  - {otherwise: true, is: lost.network}
messages:
  codec: json
  routes:
    - {match: {t: accepted}, raise: accepted, fields: {ticket: ticket, code: code}}
    - {match: {t: refused}, refusal: error}
  frames:
    hello: {t: hello, proof: =proof}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect]}
  online:
    use: connection
    fill:
      up:
        states:
          signing:
            status: authenticating
            call: {sign: {password: =password}}
            clauses:
              G1: {on: done, do: [{set: {proof: =event.proof}}, {send: hello}], to: greeting}
              G2: {on: failed, to: failed}
          greeting:
            status: authenticating
            clauses:
              G3: {on: accepted, do: {set: {ticket: =event.ticket}}, to: there}
              G4: {after: 5 s, to: closed}
          there: {status: ready, rest: true}
    clauses:
      G5: {on: done, to: closed}
      G6: {on: [lost, refused], to: failed}
  failed: {status: failed, needs: none, rest: true}
  closed: {status: closed, needs: none, final: done}
clauses:
  G7: {on: connect, to: online}
  G8: {on: disconnect, to: closed}
"""


class Calls:
    """What the guarded page calls."""

    def __init__(self, sign: Callable[[str], dict[str, str]]) -> None:
        self._sign = sign

    async def sign(self, *, password: str) -> dict[str, str]:
        return self._sign(password)


def _proof(_: str) -> dict[str, str]:
    return {"proof": "hush-proof"}


def _refuse(password: str) -> dict[str, str]:
    raise PermissionError(f"not with {password}")


GUARD = read_text(GUARDED)


def guarded(peer: Peer, telemetry: Telemetry, sign: Callable[[str], dict[str, str]] = _proof) -> lifecycle.Connection:
    """A client whose URL, headers, calls and messages hold secrets."""
    return lifecycle.open(
        GUARD,
        url="wss://peer.test/hush-path?key=hush-query",
        password="hush-password",
        calls=Calls(sign),
        instruments=[telemetry],
        transport=peer.dialer,
    )


async def test_no_secret_is_told(collector):
    """Not of the URL, headers, variables or messages, and not where the peer says one in his own words."""

    async def greet(connection: lifecycle.Connection) -> None:
        assert "hush-proof" in await anext(connection)
        connection.post('{"t": "accepted", "ticket": "hush-ticket", "code": "hush-code"}')
        await trio.sleep(1)
        connection.post('{"t": "refused", "error": {"message": "hush-ticket for hush-password", "code": "hush-x"}}')
        await trio.sleep(1)

    async with Peer(handler=greet) as peer, guarded(peer, collector.telemetry) as connection:
        await connection.ready()
        await trio.sleep(3)
        assert connection.status == "failed"
    (fail,) = collector.spans("fail")
    assert fail.attributes["error.type"] == "refused.rudely"
    assert fail.status.description == "the peer refuses: <secret> for <secret>"
    assert "hush" not in collector.everything()
    assert "peer.test" in collector.everything()
    (dial,) = collector.spans("dial")
    assert (dial.attributes["server.port"], dial.attributes["url.scheme"]) == (443, "wss")
    assert [event.name for event in dial.events] == ["opened"]
    (connect,) = collector.spans("connect")
    assert [event.name for event in connect.events] == ["connecting", "authenticating", "ready"]


async def test_a_call_that_fails_is_told_by_its_code(collector):
    """The words of its exception are not told."""
    async with Peer() as peer, guarded(peer, collector.telemetry, _refuse) as connection:
        with pytest.raises(lifecycle.ConnectionFailed):
            await connection.ready()
    for span in collector.spans():
        assert span.attributes["error.type"] == "failed.online.up.signing"
        assert span.attributes["lifecycle.code"] == "PermissionError"
    assert "hush" not in collector.everything()


async def test_a_server_tells_of_all_its_clients(collector):
    """Two are there, and go: one says goodbye, the other is lost; neither is in anybody's span."""
    with collector.span("startup"):
        peer = Peer(instruments=[collector.telemetry])
    async with peer:
        async with opened(peer) as one:
            await one.ready()
            async with opened(peer) as other:
                await other.ready()
                ready = labelled(**{"lifecycle.page": "websocket-server", "lifecycle.status": "ready"})
                assert collector.metrics()["count"][ready] == 2
                peer.link.reset()
                await trio.sleep(0.1)
                assert collector.metrics()["count"][ready] == 1
                await other.aclose()
        await trio.sleep(10)
        assert collector.metrics()["count"][ready] == 0
    told = collector.metrics()
    page = {"lifecycle.page": "websocket-server"}
    assert told["readies"] == {labelled(**page): peer.server.counts["accepted"]}
    good, bad = ({**page, "lifecycle.status": "ready", **more} for more in ({}, {"error.type": "lost.network"}))
    assert told["ends"][labelled(**bad)] == 1
    assert told["ends"][labelled(**good)] == peer.server.counts["accepted"] - 1
    assert [span.name for span in collector.spans()] == ["startup"]


class Keys:
    """What the page `gate` calls."""

    async def check(self, *, key: str) -> dict[str, Any]:
        if key != "open sesame":
            raise PermissionError(key)
        await trio.sleep(2)
        return {}

    async def replay(self, *, after: float) -> Any:
        for number in range(3):
            await trio.sleep(1)
            yield number


async def test_a_server_that_admits_tells_how_long_that_took(collector, root):
    """Who is let in, and who is not, has a span from his request on."""
    page = root / "docs" / "examples" / "gate.yaml"
    async with Peer(page, calls=Keys(), instruments=[collector.telemetry]) as peer:
        with collector.span("user"):
            async with opened(peer, url="ws://peer.test/?key=open%20sesame") as connection:
                await connection.ready()
                await trio.sleep(10)
            async with opened(peer, url="ws://peer.test/?key=hush-key") as connection:
                with pytest.raises(lifecycle.ConnectionFailed):
                    await connection.ready()
    admitted, refused = collector.spans("accept gate")
    assert (admitted.kind, admitted.parent, refused.parent) == (SpanKind.SERVER, None, None)
    assert seconds(admitted) == pytest.approx(5, abs=1e-3)
    assert [event.name for event in admitted.events] == ["connecting", "authenticating", "ready"]
    assert refused.attributes["error.type"] == "failed.serving.checking"
    assert "hush" not in collector.everything()


@pytest.fixture
def root(request):
    """Where docs lie."""
    return request.config.rootpath


NOWHERE = """
lifecycle: 1
page: nowhere
role: client
variables: {address: {kept: text}}
hears: {connect: {}, disconnect: {}, hang_up: {}, again: {}}
dial: {url: =address}
causes:
  - {otherwise: true, is: lost.network}
states:
  idle: {status: idle, needs: none, rest: true}
  trying:
    exit: drop
    clauses:
      N1: {on: lost, to: waiting}
    states:
      dialing:
        status: connecting
        enter: open
        clauses:
          N2: {on: opened, to: idle}
          N3: {after: 5 s, to: waiting}
  brief:
    exit: drop
    status: connecting
    enter: open
    clauses:
      N4: {to: idle}
  waiting:
    status: waiting
    needs: none
    ignore: [hang_up]
    clauses:
      N5: {after: 5 s, to: waiting}
      N6: {on: again, to: idle}
  closed: {status: closed, needs: none, final: done}
clauses:
  N7: {on: connect, to: trying}
  N8: {on: hang_up, to: brief}
  N9: {on: disconnect, to: closed}
"""


async def test_a_dial_that_leads_nowhere_has_no_address(collector):
    """And a page that waits once more, without a dial between, tells each wait."""
    async with lifecycle.open(read_text(NOWHERE), instruments=[collector.telemetry]) as connection:
        await trio.sleep(12)
        connection.tell("hang_up")  # means nothing while it waits
        connection.tell("again")
    (dial,) = collector.spans("dial")
    assert "server.address" not in dial.attributes
    assert dial.attributes["error.type"] == "lost.network"
    (connect,) = collector.spans("connect")
    assert [event.name for event in connect.events] == ["connecting", "waiting", "wait", "wait", "wait", "idle"]
    assert collector.metrics()["wait.duration"] == {of("nowhere"): (3, 15.0)}


async def test_a_dial_that_is_dropped_in_its_own_step_is_told(collector):
    """Entered and left in one step: it was a dial, and it has ended."""
    async with lifecycle.open(read_text(NOWHERE), instruments=[collector.telemetry]) as connection:
        await trio.sleep(1)
        connection.tell("again")
        connection.tell("hang_up")
    assert len(collector.spans("dial")) == 2
    ends = collector.metrics()["ends"]
    assert sum(ends.values()) == 2


EAGER = """
lifecycle: 1
page: eager
role: client
parameters: {url: {url: required}}
hears: {connect: {}, disconnect: {}}
dial: {url: =url}
causes:
  - {otherwise: true, is: lost.network}
states:
  idle: {status: idle, needs: none, rest: true}
  online:
    status: ready
    exit: drop
    states:
      dialing:
        enter: open
        clauses:
          E1: {on: opened, to: up}
          E2: {after: 5 s, to: closed}
      up: {rest: true}
    clauses:
      E3: {on: lost, to: closed}
  closed: {status: closed, needs: none, final: done}
clauses:
  E4: {on: connect, to: online}
  E5: {on: disconnect, to: closed}
"""


async def test_a_page_that_is_ready_before_it_is_connected_has_a_dial_and_no_way(collector):
    """The dial ends when the transport is there."""
    async with Peer() as peer:
        peer.hold()
        page = read_text(EAGER)
        async with lifecycle.open(
            page, url=peer.url, transport=peer.dialer, instruments=[collector.telemetry]
        ) as connection:
            await connection.ready()
            await trio.sleep(2)
            assert collector.spans() == []
            peer.release()
            await trio.sleep(2)
    (dial,) = collector.spans()
    assert (dial.parent, seconds(dial)) == (None, pytest.approx(2, abs=1e-3))
    ((_, told),) = collector.metrics()["dial.duration"].items()
    assert told == (1, 2.0)
    assert list(collector.metrics()["readies"].values()) == [1]


async def test_several_instruments_share_their_providers(collector):
    """Each connection may have one of its own; what they count is one sum."""
    async with Peer() as peer, opened(peer, collector.make()) as one, opened(peer, collector.make()) as other:
        await one.ready()
        await other.ready()
        told = collector.metrics()
        assert told["dials"] == {of("websocket"): 2}
        assert told["readies"] == {labels(): 2}
    assert collector.metrics()["dials"] == {of("websocket"): 2}


async def test_nothing_is_kept_of_a_connection_that_has_gone(collector):
    """But its numbers, in the sum of its page."""
    async with Peer(instruments=[collector.telemetry]) as peer:
        for _ in range(5):
            async with opened(peer, collector.telemetry) as connection:
                await connection.ready()
    assert collector.telemetry._ways == {}
    meters = meters_of(collector.meters)
    assert (meters._live, len(meters._past)) == (set(), 2)
    assert collector.metrics()["dials"][of("websocket")] == 5


@pytest.mark.real_time(limit=30)
async def test_another_thread_may_collect_at_any_time(collector):
    """As the periodic reader does: while connections come and go, no sum is ever wrong or goes back."""
    seen: list[int] = []
    over = threading.Event()

    def collect() -> None:
        while not over.is_set():
            seen.append(collector.metrics().get("dials", {}).get(of("websocket"), 0))

    page = read("websocket")
    async with Peer() as peer, trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, collect)
        try:
            for _ in range(40):
                async with lifecycle.open(
                    page, url=URL, transport=peer.dialer, instruments=[collector.telemetry]
                ) as connection:
                    await connection.ready()
        finally:
            over.set()
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert collector.metrics()["dials"] == {of("websocket"): 40}


class Failing(SpanExporter):
    """Whatever it is given, it raises."""

    def export(self, spans: Any) -> Any:
        raise OSError("the collector is away")


async def test_an_exporter_that_fails_costs_the_connection_nothing(collector, caplog):
    """OpenTelemetry logs it; everything else goes on."""
    collector.tracers.add_span_processor(SimpleSpanProcessor(Failing()))
    async with Peer() as peer, opened(peer, collector.telemetry) as connection:
        await connection.ready()
        await connection.send("x")
    assert len(collector.spans()) == 2
    assert {record.name.split(".")[0] for record in caplog.records} == {"opentelemetry"}


class Raising(SpanProcessor):
    """Raises in our own step."""

    def __init__(self, *, when: str) -> None:
        self._when = when

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        if self._when == "start":
            raise OSError("no room")

    def on_end(self, span: ReadableSpan) -> None:
        if self._when == "end":
            raise OSError("no room")


@pytest.mark.parametrize("when", ["start", "end"])
async def test_a_processor_that_raises_ends_the_telling_and_leaves_no_ghost(collector, caplog, when):
    """The connection lives; nothing more is told of it, and it is not counted for ever."""
    collector.tracers.add_span_processor(Raising(when=when))
    async with Peer() as peer, opened(peer, collector.telemetry) as connection:
        await connection.ready()
        await connection.send("x")
        assert set(collector.metrics()["count"].values()) == {0}
        assert collector.telemetry._ways == {}
    assert [record.getMessage() for record in caplog.records if record.name == "lifecycle.instruments"] == [
        "websocket: the instrument Telemetry has failed; it is told no more"
    ]


async def test_a_processor_that_raises_at_the_end_leaves_no_ghost_either(collector, caplog):
    """The last span of a connection that is cancelled cannot be told."""
    async with Peer() as peer:
        peer.hold()
        with trio.move_on_after(1):
            async with opened(peer, collector.telemetry):
                collector.tracers.add_span_processor(Raising(when="end"))
                await trio.sleep_forever()
    assert collector.telemetry._ways == {}
    assert set(collector.metrics()["count"].values()) == {0}


GLOBAL = """
import trio
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trio.testing import MockClock
import lifecycle
from lifecycle.observe.telemetry import Telemetry
from lifecycle.testing.peer import Peer

async def once(instrument):
    async with Peer() as peer:
        async with lifecycle.open("websocket", url=peer.url, transport=peer.dialer, instruments=[instrument]) as one:
            await one.ready()

def run(instrument):
    trio.run(once, instrument, clock=MockClock(autojump_threshold=0))

early = Telemetry()
run(early)
reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
tracers, meters = TracerProvider(), MeterProvider([reader])
tracers.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(meters)
run(early)
run(Telemetry())
run(Telemetry(tracers, meters))
told = {
    metric.name: sum(getattr(point, "value", 0) for point in metric.data.data_points)
    for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
}
print(len(exporter.get_finished_spans()), told["lifecycle.connection.readies"], told["lifecycle.connection.dials"])
"""


def test_the_global_providers_may_be_set_later():
    """Without providers nothing is told; from when they are set all is, also by who was there before."""
    done = subprocess.run([sys.executable, "-c", GLOBAL], capture_output=True, text=True, timeout=60, check=False)
    # the sums are read from the connections, so they know of those that came before
    assert (done.stdout, done.stderr) == ("6 3 4\n", "")


async def test_without_an_sdk_nothing_is_told_and_nothing_is_wrong(caplog):
    """Whoever wants to see nothing pays for nothing but the interface."""
    caplog.set_level(logging.WARNING)
    telemetry = Telemetry()
    async with Peer(instruments=[telemetry]) as peer, opened(peer, telemetry, Telemetry()) as connection:
        await connection.ready()
        connection.tell("reconnect")
        await connection.ready()
    assert telemetry._ways == {}
    assert caplog.records == []


def test_without_opentelemetry_the_extra_is_named(monkeypatch):
    """Whoever imports it is told what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    monkeypatch.delitem(sys.modules, "lifecycle.observe.telemetry")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'connection-lifecycle\[telemetry\]'"):
        importlib.import_module("lifecycle.observe.telemetry")


async def test_labels_do_not_grow_with_what_happens(collector):
    """Fifty losses make no more series than one."""
    async with Peer() as peer, opened(peer, collector.telemetry) as connection:
        sizes = []
        for _ in range(50):
            await connection.ready()
            await trio.sleep(10)
            peer.link.reset()
            await trio.sleep(0.1)
            sizes.append(sum(len(points) for points in collector.metrics().values()))
        assert sizes[0] <= sizes[1] == sizes[-1]
