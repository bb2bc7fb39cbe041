"""What can be asked for, and what is done then.

Law: a start whose client hangs up is cancelled, and its slot comes back; whatever gives something back is done to its
end. Routes decide nothing about sessions: the registry does.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

import trio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lifecycle.errors import LifecycleError
from lifecycle.registry.refusal import LeasesUnavailable, StartRefused
from lifecycle.registry.registry import Registry

from .answer import Answer, bad, good, not_started, unavailable, wrong
from .join import Join, WrongJoin, ask, read_join, wrong_id
from .metrics import CONTENT_TYPE, Metrics
from .reading import BodyTooLarge, BodyTooSlow, Reading

if TYPE_CHECKING:
    from starlette.types import Scope

log = logging.getLogger("lifecycle.registry.admin")

LIMIT: Final = 64 * 1024
"""Bytes of a body."""
READING: Final = "lifecycle.reading"
"""Where a request's Reading stands in its scope, and beside it whether it has the key."""
KNOWN: Final = "lifecycle.known"
_PATIENCE: Final = 10.0
_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_HUNG_UP: Final = 499
_NO_METHOD: Final = 405
_KNOWN: Final = (
    "join_room, leave_room/LIVE_ID and clear_all_sessions of /api/digital_human_develop, /api/sessions, /health and "
    "/metrics"
)


@final
class Routes:
    """The routes of one registry.

    Args:
        registry: whose sessions these are.
        wait: seconds that a join may wait for a slot while everything is full.
    """

    def __init__(self, registry: Registry, *, wait: float = 0.0) -> None:
        self._registry, self._wait = registry, wait
        self._metrics = Metrics()

    def all(self) -> list[Route]:
        """What Starlette finds them by."""
        return [
            Route("/api/digital_human_develop/join_room", self._join, methods=["POST"]),
            # an id may have slashes
            Route("/api/digital_human_develop/leave_room/{live_id:path}", self._leave, methods=["DELETE"]),
            Route("/api/digital_human_develop/clear_all_sessions", self._clear, methods=["POST"]),
            Route("/api/sessions", self._sessions, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._numbers, methods=["GET"]),
        ]

    # -- starting

    async def _join(self, request: Request) -> Response:
        began = trio.current_time()
        reading: Reading = request.scope[READING]
        try:
            join = read_join(await reading.body(_PATIENCE))
        except BodyTooLarge:
            result, answer = "wrong", bad(413, f"the body has more than {LIMIT} bytes: send less")
        except BodyTooSlow:
            result, answer = "wrong", bad(408, f"the body was not there within {_PATIENCE:g} s: send it at once")
        except WrongJoin as error:
            result, answer = "wrong", wrong(422, error.problems)
        else:
            result, answer = await self._started(reading, join)
        self._metrics.joined(result, answer.body["code"], trio.current_time() - began)
        return json(answer)

    async def _started(self, reading: Reading, join: Join) -> tuple[str, Answer]:
        live_id = join.live_id
        ask(join)
        try:
            with reading.minding() as minding:
                session = await self._registry.start(live_id, wait=self._wait)
        except (StartRefused, LeasesUnavailable) as error:
            log.info("%s", error)
            refused = isinstance(error, StartRefused)
            return "refused" if refused else "unavailable", not_started(error, live_id)
        except LifecycleError as error:
            log.warning("%s", error)
            return "failed", not_started(error, live_id)
        if minding.cancelled_caught:
            log.info("session %r: who asked for it hung up, and its start was cancelled", live_id)
            return "hung_up", bad(_HUNG_UP, "the client hung up")
        result = "already_active" if session.already_active else "started"
        told = {"status": result, "generation": session.generation, "created_at": session.created_at}
        words = "is active already" if session.already_active else "was started"
        return result, good(f"session {live_id!r} {words}", live_id=live_id, result=told)

    # -- ending

    async def _leave(self, request: Request) -> Response:
        live_id = request.path_params["live_id"]
        why = wrong_id(live_id)
        problems = [f"live_id: {why}"] if why else []
        query = request.query_params
        generation = _number(query, "generation", problems, least=1)
        problems += _unknown(query, ("generation",))
        if problems:
            return json(wrong(422, problems))
        try:
            cleaned_up = await (self._left(live_id, generation) if generation else self._registry.leave(live_id))
        except LeasesUnavailable as error:
            return json(unavailable(error))
        self._metrics.left(cleaned_up=cleaned_up)
        which = f"session {live_id!r}{f' of generation {generation}' if generation else ''}"
        words = f"{which} was left" if cleaned_up else f"there is no {which}"
        return json(good(words, live_id=live_id, cleaned_up=cleaned_up))

    async def _left(self, live_id: str, generation: int) -> bool:
        """End one session of an id, and no newer one."""
        session = self._registry.get(live_id)
        if session is not None and session.generation == generation:
            return await session.leave()
        return await self._registry.leases.revoke(live_id, generation)

    async def _clear(self, _: Request) -> Response:
        log.warning("all sessions are cleared, whoever has them")
        try:
            cleared = await self._registry.clear()
        except LeasesUnavailable as error:
            return json(unavailable(error))
        self._metrics.cleared(cleared.before)
        told: dict[str, Any] = {"before": cleared.before, "failed": dict(cleared.failed)}
        if cleared.failed:
            words = f"{len(cleared.failed)} of {cleared.before} sessions could not be cleared in order"
            return json(bad(500, words, **told))
        return json(good(f"{cleared.before} sessions were cleared", **told))

    # -- looking

    async def _sessions(self, request: Request) -> Response:
        problems: list[str] = []
        after = _number(request.query_params, "after", problems)
        limit = _number(request.query_params, "limit", problems, default=_PAGE, least=1, most=_LARGEST_PAGE)
        problems += _unknown(request.query_params, ("after", "limit"))
        if problems:
            return json(wrong(422, problems))
        try:
            leases = await self._registry.list(after, limit)
        except LeasesUnavailable as error:
            return json(unavailable(error))
        further = leases[-1].generation if len(leases) == limit else None
        rows = [lease.shown for lease in leases]
        return json(good(f"{len(rows)} sessions", sessions=rows, next=further))

    async def _health(self, request: Request) -> Response:
        health = await self._registry.health()
        # who has no key may know that it is well, and nothing of what is inside
        more: dict[str, Any] = {"place": {"up": health.up}}
        if request.scope[KNOWN]:
            more = {
                "place": {"up": health.up, "name": health.place, "why": health.why},
                "active": health.active,
                "capacity": health.capacity,
                "ours": health.ours,
            }
        if not health.up:
            return json(bad(503, "this process is up, and the place of the leases does not answer", **more))
        return json(good("this process is up, and so is the place of the leases", **more))

    async def _numbers(self, _: Request) -> Response:
        text = self._metrics.text(await self._registry.health(), self._registry.counts)
        return Response(text, media_type=CONTENT_TYPE)


def json(answer: Answer) -> Response:
    """An answer for Starlette."""
    return JSONResponse(dict(answer.body), answer.status, dict(answer.headers))


def unrouted(scope: "Scope", status: int, allowed: str | None) -> Response:
    """What is said to who asks for what there is not."""
    if status == _NO_METHOD:
        told = bad(_NO_METHOD, f"{scope['path'][:200]!r} does not know {scope['method'][:20]!r}: use {allowed}")
        return json(Answer(_NO_METHOD, told.body, {"Allow": allowed or ""}))
    return json(bad(status, f"there is no {scope['path'][:200]!r}; there are {_KNOWN}"))


def _unknown(said: Iterable[str], known: Sequence[str]) -> Iterator[str]:
    there_are = " and ".join(known)
    return (f"{name[:40]!r}: there is no such parameter; there is {there_are}" for name in said if name not in known)


def _number(
    said: Mapping[str, str],
    name: str,
    problems: list[str],
    *,
    default: int = 0,
    least: int = 0,
    most: int = 10**18,
) -> int:
    text = said.get(name)
    if text is None:
        return default
    # more digits than any generation has
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(most)) + 1 else -1
    if not least <= number <= most:
        problems.append(f"{name}: write a whole number from {least} to {most}")
    return number
