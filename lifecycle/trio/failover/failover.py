"""Several providers that can do the same: one is asked, and if it fails the next.

Law: in order, and whoever is unavailable is passed by, unless all are. One provider serves a request at a time; what a
probe is told is never served. A user who is cancelled says nothing about anybody's health.
"""

import itertools
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast, final
from weakref import WeakSet

import attrs
import trio

from lifecycle.definition.parameters import parameter_values
from lifecycle.errors import AllFailed, CallFailed, ConnectionEnded, WrongParameters
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.changes import Feed
from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import ki_protected

from .attempt import SERVED, Attempt, Give
from .failure import Translate, failure_of
from .health import Health
from .pages import page
from .stream import Stream

P = TypeVar("P")
T = TypeVar("T")
Work = Callable[[Any, Give], Awaitable[Any]]
"""Asks a provider, and gives each piece of its output."""


@final
@attrs.frozen
class Availability:
    """A provider has become available, or is so no more.

    Attributes:
        name: which.
        available: whether it can be used now.
    """

    name: str
    available: bool


@attrs.define(eq=False)
class _One:
    """One of the providers.

    Attributes:
        provider: what the embedder gave.
        health: of it.
        chosen: which request it was given last, counted over all; 0 after one that it failed.
        work: what it was asked last, or would have been; a probe repeats that. There is none before it is asked first.
    """

    provider: Any
    health: Health
    chosen: int = 0
    work: Work = attrs.field(init=False)


@final
@ki_protected
class Failover(Generic[P]):
    """`async with Failover({"main": …, "backup": …}) as providers: await providers.call(lambda each: each.ask(…))`.

    Args:
        providers: by name, in the order in which they are asked; or a sequence, whose names are then `0`, `1`, ….
        sticky: whoever serves goes on serving until it fails, though an earlier one is available again.
        probe_after_output: whether a provider that has failed in the middle of its output is probed at once.
        translate: what an exception means to the page `attempt`, in place of `failure_of`.
        instruments: told of each thing that happens to the providers' health.
        probe_on_request, probe_every, probe_timeout, served_heals: parameters of the page `provider`. Without being
            told to, nobody is probed by the clock, and who serves while unavailable is believed only if it is sticky.
        parameters: of the page `attempt`: `attempt_timeout`, `longest_answer`, `max_retry` (0 without being told),
            `retry_pause`, `hangs_up`, `after_output`.

    Raises:
        WrongParameters: there is no provider, or parameters do not fit the pages.
    """

    def __init__(
        self,
        providers: Mapping[str, P] | Sequence[P],
        *,
        sticky: bool = False,
        probe_after_output: bool = True,
        translate: Translate = failure_of,
        instruments: Iterable[Instrument] = (),
        probe_on_request: bool = True,
        probe_every: Any = None,
        probe_timeout: Any = "1 min",
        served_heals: bool | None = None,
        **parameters: Any,
    ) -> None:
        named = providers if isinstance(providers, Mapping) else {str(at): each for at, each in enumerate(providers)}
        if not named:
            raise WrongParameters("failover", ["there is no provider: name one at least"])
        self._sticky, self._probe_after_output, self._translate = sticky, probe_after_output, translate
        self._parameters = {"max_retry": 0, **parameters}
        parameter_values(page("attempt"), self._parameters)  # wrong ones are told now
        self._watchers = WeakSet[Feed[Availability]]()
        self._each = {
            name: self._one(
                name,
                provider,
                tuple(instruments),
                probe_on_request=probe_on_request,
                probe_every=probe_every,
                probe_timeout=probe_timeout,
                served_heals=sticky if served_heals is None else served_heals,
            )
            for name, provider in named.items()
        }
        self._numbers = itertools.count(1)
        self._nursery: trio.Nursery | None = None
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._begun = False

    def _one(self, name: str, provider: P, instruments: tuple[Instrument, ...], **parameters: Any) -> _One:
        async def probe() -> None:
            await self._probe(one)

        one = _One(provider, Health(name, probe, told=self._edge, instruments=instruments, **parameters))
        return one

    # -- what they are like

    @property
    def available(self) -> Mapping[str, bool]:
        """Whether each can be used, by name; a copy."""
        return {name: one.health.available for name, one in self._each.items()}

    def changes(self) -> Feed[Availability]:
        """Each `Availability` from now on, as an async iterator that ends with the failover.

        It keeps the last 256 that nobody has taken, and counts what it dropped in `missed`.
        """
        changes = Feed[Availability]()
        if self._begun and self._nursery is None:
            changes.end()
        else:
            self._watchers.add(changes)
        return changes

    # -- asking

    async def call(self, ask: Callable[[P], Awaitable[T]]) -> T | None:
        """Ask one provider after the other, until one answers.

        Args:
            ask: called with a provider; asked again after a failure that may pass, and for probes.

        Returns:
            What it has returned. None, if the provider has ended the request by the status 499, which is no failure.

        Raises:
            AllFailed: nobody could serve.
            ConnectionEnded: the failover is not open.
        """
        self._open_nursery()

        async def work(provider: P, _: Give) -> T:
            return await ask(provider)

        return cast("T | None", await self._walk(work, _discard))

    def stream(self, ask: Callable[[P], AsyncIterable[T]]) -> Stream[T]:
        """Ask one provider after the other, until one gives output: `async with failover.stream(…) as pieces`.

        Args:
            ask: called with a provider; returns an async iterable, such as an async generator.

        Returns:
            The pieces, as they are taken. If a provider fails after the first one, the page's `after_output` says what
            comes next: its error (`fail`), the output of another try (`retry`), or nothing more (`end`).
        """

        async def work(provider: P, give: Give) -> None:
            pieces = ask(provider)
            async with aclosing(pieces) if hasattr(pieces, "aclose") else nullcontext():  # type: ignore[type-var]
                async for piece in pieces:
                    await give(piece)

        async def walk(give: Callable[[T], Awaitable[None]]) -> object:
            return await self._walk(work, give)

        return Stream(walk, lambda run: self._open_nursery().start_soon(run))

    async def _walk(self, work: Work, give: Give) -> Any:
        began, failures, skipped = trio.current_time(), dict[str, Exception](), list[str]()
        nobody = not any(one.health.available for one in self._each.values())
        for one in self._order():
            one.work = work
            if not (one.health.available or nobody):
                skipped.append(one.health.name)
            else:
                one.chosen = number = next(self._numbers)
                attempt = self._attempt(one, work, give, {})
                how = await attempt.run()
                if attempt.error is None:
                    one.chosen = max(one.chosen, number)  # unless a request that began later has failed meanwhile
                    one.health.served()
                    return attempt.result
                one.chosen = 0
                one.health.failed()
                failures[one.health.name] = attempt.error
                if how != "given_up":
                    if self._probe_after_output:
                        one.health.missed()
                    if how == "cut_short":
                        return None
                    raise attempt.error
            one.health.missed()
        raise AllFailed(failures, skipped, trio.current_time() - began) from list(failures.values())[-1]

    def _order(self) -> list[_One]:
        """In the order given; but if it is sticky, first whoever was chosen last and is well."""
        order = list(self._each.values())
        if self._sticky:
            first = max(order, key=lambda one: one.chosen if one.health.available else 0)
            order.remove(first)
            order.insert(0, first)
        return order

    def _attempt(self, one: _One, work: Work, give: Give, parameters: Mapping[str, Any]) -> Attempt:
        async def ask(give: Give) -> Any:
            return await work(one.provider, give)

        parameters = {**self._parameters, **parameters}
        return Attempt(one.health.name, ask, give=give, translate=self._translate, parameters=parameters)

    # -- probes

    async def _probe(self, one: _One) -> None:
        """Ask a provider again what it was asked last; nobody is given what it says."""
        attempt = self._attempt(one, one.work, _discard, {"after_output": "retry"})
        if await attempt.run() not in SERVED:
            raise CallFailed(type(attempt.error).__name__) from attempt.error

    def _edge(self, name: str, available: bool) -> None:  # noqa: FBT001 -- it is all there is to tell
        for changes in list(self._watchers):
            changes.put(Availability(name, available))

    # -- the door

    async def run(self, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until it is cancelled, with the probes; to be started in a nursery, once.

        Raises:
            ConnectionEnded: it was begun before.
        """
        self._refuse_again()
        try:
            async with trio.open_nursery() as nursery:
                await self._begin(nursery)
                task_status.started(self)
                await trio.sleep_forever()
        finally:
            self._end()

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            ConnectionEnded: it was begun before.
        """
        self._refuse_again()
        self._manager = trio.open_nursery()
        nursery = await self._manager.__aenter__()
        try:
            await self._begin(nursery)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End: probes and streams are cancelled. What the body raises leaves as it is."""
        manager, self._manager = self._manager, None
        if manager is None:
            return
        self._open_nursery().cancel_scope.cancel()
        self._end()
        try:
            await manager.__aexit__(None, None, None)
        except BaseException as trouble:  # noqa: BLE001 -- a cancellation from outside; the body's own error comes first
            if error is None or isinstance(error, trio.Cancelled):
                raise alone(trouble) from None

    async def _begin(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        for one in self._each.values():
            await nursery.start(one.health.run)

    def _end(self) -> None:
        self._nursery = None
        for changes in list(self._watchers):
            changes.end()

    def _refuse_again(self) -> None:
        if self._begun:
            raise ConnectionEnded("a failover runs once: make another one")
        self._begun = True

    def _open_nursery(self) -> trio.Nursery:
        if self._nursery is None:
            raise ConnectionEnded("the failover is not open: use it as `async with Failover(…) as providers`")
        return self._nursery


async def _discard(_: object) -> None:
    await trio.lowlevel.checkpoint()
