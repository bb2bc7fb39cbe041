"""Spans and metrics of connections, by OpenTelemetry.

Law: no query, header or secret is told, nor what messages hold. What is kept of a connection goes with it. Only the
interface of OpenTelemetry is needed; whoever wants to see something brings the rest.
"""

from collections.abc import Mapping
from typing import Final, final
from urllib.parse import urlsplit

try:
    from opentelemetry.context import get_current
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Telemetry needs the package {error.name}: pip install 'connection-lifecycle[telemetry]'", name=error.name
    ) from error

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider, get_tracer
from opentelemetry.util.types import AttributeValue

from lifecycle.machine.effects import Effect, Open, StartClock
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step

from .instrument import Instrument, Observed
from .meters import SCOPE, meters_of
from .plain import hushed, plain, secrets_of
from .way import NOWHERE, End, Way

_ON_THE_WAY: Final = ("connecting", "authenticating", "waiting")
_GOODBYES: Final = (1000, 1001, 1005)
"""Codes with which a client closes that is done (RFC 6455, 7.4.1)."""
_PORTS: Final = {"ws": 80, "wss": 443}
_LONGEST: Final = 200


@final
class Telemetry(Instrument):
    """Tells OpenTelemetry of connections; one may serve many, and many may share their providers.

    Args:
        tracer_provider: takes spans; by default the global one, which may also be set later.
        meter_provider: takes metrics; likewise.

    Raises:
        ModuleNotFoundError: on import, without the extra `telemetry`.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._meters = meters_of(meter_provider)
        self._ways: dict[Observed, Way] = {}

    def began(self, connection: Observed, at: float, wall: float) -> None:
        """A connection begins."""
        machine, epoch = connection.machine, connection.epoch
        there = machine.phase != "none"
        page, ids = machine.definition.name, connection.ids
        self._ways[connection] = Way(self._tracer, self._meters, page, ids, wall - at, epoch=epoch, there=there)
        self._meters.join(connection)

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
        """A step was taken; most of them, such as those of a heartbeat, are of no interest here."""
        way = self._ways[connection]
        there = connection.machine.phase != "none"
        same = step.status == step.status_before != "waiting" and step.epoch == way.epoch and there == way.there
        if same and event.cause != "opened":
            return
        try:
            _moved(way, connection, step, event, effects)
        except Exception:
            self._forget(connection)  # nothing more will be told here
            raise

    def slept(self, connection: Observed, seconds: float) -> None:
        """The connection's clock stood still."""
        self._ways[connection].slept(seconds)

    def ended(self, connection: Observed, at: float, failure: BaseException | None) -> None:
        """A connection has ended."""
        way = self._ways[connection]
        end = End(at) if failure is None else End(at, type(failure).__name__, "a fault of the library")
        told = way.going
        try:
            if way.there:
                way.over(end, connection.machine.status)
            way.given_up(end)
            if failure is not None and not told:
                way.failed(end)
        finally:
            self._forget(connection)

    def _forget(self, connection: Observed) -> None:
        del self._ways[connection]
        self._meters.leave(connection)


def _moved(way: Way, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
    """Tell what a step means."""
    server = connection.machine.definition.role == "server"
    at, phase, told = step.time, connection.machine.phase, way.going
    there = phase != "none"
    end = _end(connection, step, event, server=server)
    if way.there and (not there or step.epoch != way.epoch):
        way.over(end, step.status_before)
    if step.status in _ON_THE_WAY and not way.going:
        wished = event.cause in ("wish", "start") and not server  # it runs in the task of who wishes
        way.set_out(at, get_current() if wished else NOWHERE, step.event, end)
    if step.epoch != way.epoch:
        way.dialled(at, step.epoch, _address(connection, effects))
        if not there:  # given up in the same step
            way.over(end, step.status)
    if event.cause == "opened":
        way.opened(at)
    if step.status != step.status_before:
        way.passed(at, step.status, step.event, step.clauses)
    if step.status == "waiting":
        lengths = [connection.length(each) for each in effects if isinstance(each, StartClock)]
        if lengths:
            way.waits(at, min(lengths))
    if step.status == "ready":
        if phase == "open":
            way.made(at)
        if step.status_before != "ready":
            way.ready(at)
    elif step.status not in _ON_THE_WAY:
        way.given_up(end)
        if step.status == "failed" != step.status_before and end.error and not told:
            way.failed(end)


def _end(connection: Observed, step: Step, event: Event, *, server: bool) -> End:
    """What a step is to whatever ends with it."""
    match event.cause:
        case "end":
            wanted = server and event.fields.get("code") in _GOODBYES
        case "call":
            wanted = event.name.startswith("done")
        case cause:
            wanted = cause not in ("timer", "message")
    if wanted:
        return End(step.time)
    secrets = secrets_of(connection.machine)
    words = hushed(step.cause or step.say or step.event, secrets)[:_LONGEST]
    facts: dict[str, AttributeValue] = {}
    if event.cause in ("end", "call"):  # the fields of a message are the peer's, and may hold anything
        code, status = event.fields.get("code"), event.fields.get("status")
        if code is not None:
            facts["lifecycle.code"] = str(plain(code, secrets))[:_LONGEST]
        if status is not None:
            facts["http.response.status_code"] = status
    return End(step.time, event.name, words, facts)


def _address(connection: Observed, effects: tuple[Effect, ...]) -> Mapping[str, AttributeValue]:
    """Where a dial leads; nothing, where it leads nowhere."""
    url = next((each.url for each in effects if isinstance(each, Open)), None)
    try:
        parts = urlsplit(url or "")
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return {}
    host = hushed(parts.hostname or "", secrets_of(connection.machine))
    return {"server.address": host, "server.port": port, "url.scheme": parts.scheme}
