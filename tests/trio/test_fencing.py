"""What the dead say, at any moment: a connection flaps, and whatever was before is told again after each task step."""

import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trio_websocket

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import LifecycleError
from lifecycle.machine.step import Step
from lifecycle.trio.connection import Connection
from lifecycle.trio.mail.replies import Reply
from lifecycle.trio.pipes.memory import MemoryPipe
from lifecycle.wire.ending import ErrorEnding
from lifecycle.wire.ticket import Ticket

from .peer import PAGE, REFUSED, URL, Act, Peer, closing, http, serving, silent, stall
from .stale import KINDS, Echo, Past

FLAPPING = read_text(PAGE)
LIBRARIES = {
    "tap": {"library": "trio-websocket"},
    "no tap": {"library": "trio-websocket", "tapped": False},
    "websockets": {"library": "websockets"},
}
SEED = 1729
FOREVER = float("inf")
Dialling = dict[str, Any]
Kind = Callable[..., int]


class Signer:
    """The call of the page; at times it is slow, and does not mind that nobody waits for it any more."""

    async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
        """Sign."""
        with trio.CancelScope(shield=True):
            await trio.sleep(challenge["slow"])
        if challenge["nonce"] % 2 and challenge["slow"]:
            raise ValueError("too late")
        return {"frame": {"t": "hello", "signed": challenge["nonce"]}, "token": "hidden"}


def gateway(
    *, hello: float = 0, slow: float = 0, answer: float = 0, last: float = FOREVER, rest: Act | None = None
) -> Act:
    """A server that challenges, speaks, and answers.

    Args:
        hello: seconds before it challenges.
        slow: seconds that the call takes then.
        answer: seconds before each answer.
        last: seconds until it does the rest.
        rest: what it does then, in place of a goodbye.
    """

    async def speak(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await trio.sleep(hello)
        challenge = {"t": "challenge", "body": {"nonce": len(peer.dials), "slow": slow}}
        await websocket.send_message(json.dumps(challenge))
        for number in itertools.count():
            message = json.loads(await websocket.get_message())
            peer.heard.append(message)
            await websocket.send_message(json.dumps({"t": "message", "n": 1000 * len(peer.dials) + number}))
            if message["t"] == "request":
                await trio.sleep(answer)
                said = {"t": "answer", "id": message["id"], "ok": number % 3 > 0, "result": number, "error": "no"}
                await websocket.send_message(json.dumps(said))

    async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        with trio.move_on_after(last):
            await speak(peer, websocket)
        if rest is not None:
            await rest(peer, peer.far[-1])

    return serving(handle)


async def reset(_: Peer, far: MemoryPipe) -> None:
    """Reset the connection."""
    far.reset()


async def mute(_: Peer, __: MemoryPipe) -> None:
    """Read nothing any more, and say nothing."""
    await trio.sleep_forever()


FLAPS: list[Any] = [
    REFUSED,
    ErrorEnding("dns", "no such name"),
    http(503, retry_after="2"),
    stall,
    closing(1012, "restart", messages=3),
    gateway(last=4, rest=reset),
    silent,
    gateway(last=8, rest=mute),
    gateway(slow=4, last=1),
    gateway(slow=4, last=9, rest=reset),
    gateway(hello=6),  # which the user does not wait for
    gateway(answer=3, last=7),
    gateway(answer=1),
]
SLOW_HELLO, LAST = 11, 13
REDIAL = {"first": "1 s", "factor": 2, "max": "3 s", "jitter": "full", "floor": "250 ms"}


@attrs.frozen
class Account:
    """What a story has come to, on both sides; all but what was counted as stale."""

    steps: list[Step]
    got: list[Any]
    fates: list[str]
    answers: list[tuple[bool, Any, str]]
    heard: list[Any]
    codes: list[int]
    counts: tuple[int, ...]


@attrs.define
class Life:
    """A user and his connection."""

    connection: Connection
    began: float
    steps: list[Step] = attrs.field(factory=list)
    got: list[Any] = attrs.field(factory=list)
    tickets: list[Ticket] = attrs.field(factory=list)
    replies: list[Reply] = attrs.field(factory=list)

    async def watch(self) -> None:
        """Note each step."""
        async for step in self.connection.changes():
            self.steps.append(attrs.evolve(step, time=round(step.time - self.began, 6)))

    async def read(self) -> None:
        """Take what comes."""
        with contextlib.suppress(LifecycleError):  # it has failed
            async for message in self.connection:
                self.got.append(message)

    async def talk(self) -> None:
        """Post and ask, whatever the connection is like."""
        for number in itertools.count():
            with contextlib.suppress(LifecycleError):  # there is no room, or it has ended
                self.tickets.append(self.connection.post({"t": "say", "n": number}))
                self.replies.append(self.connection.ask("ask", number, timeout=6 + 6 * (number % 2)))
            await trio.sleep(1.7)

    async def until(self, epoch: int) -> None:
        """Wait for a dial, and a little; not for ever, for it may be another story."""
        with trio.move_on_after(200):
            while self.connection.epoch < epoch:  # noqa: ASYNC110 -- whoever waits for events is woken by ours
                await trio.sleep(0.5)
        await trio.sleep(0.5)

    def account(self, peer: Peer) -> Account:
        """What it has come to."""
        counters = self.connection.counters
        return Account(
            self.steps,
            self.got,
            [ticket.fate for ticket in self.tickets],
            [(reply.done, reply._value, repr(reply._error)) for reply in self.replies],
            peer.heard,
            peer.codes,
            (counters.delivered, counters.refused, counters.unrouted, counters.sent, counters.not_sent, counters.maybe),
        )


async def live(dialling: Dialling, accounts: list[Account]) -> None:
    """Flap, then stand, then say goodbye."""
    began = trio.current_time()
    settings: dict[str, Any] = {"url": URL, "calls": Signer(), "seed": 1, "redial": REDIAL, "max_attempts": 99}
    async with Peer(*FLAPS, **dialling) as peer:
        async with lifecycle.open(FLAPPING, transport=peer, **settings) as connection, trio.open_nursery() as nursery:
            life = Life(connection, began)
            for task in (life.watch, life.read, life.talk):
                nursery.start_soon(task)
            await life.until(SLOW_HELLO)
            connection.tell("reconnect")
            await life.until(LAST)
            await trio.sleep(20)
            connection.tell("disconnect")
            await trio.sleep(10)  # not `aclose`: each event wakes it, and what we tell after its steps would for ever
            nursery.cancel_scope.cancel()
        accounts.append(life.account(peer))


def told(dialling: Dialling, *echoes: Echo) -> Account:
    """Tell the story with what an instrument says in between; tasks have their turns in the same order each time."""
    accounts: list[Account] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        trio._core._run._r.seed(SEED)
        trio.run(live, dialling, accounts, clock=trio.testing.MockClock(autojump_threshold=0), instruments=echoes)
    return accounts[0]


UNDISTURBED: dict[str, Account] = {}


def undisturbed(dialling: Dialling) -> Account:
    """The story as it is; told once for each library."""
    key = repr(dialling)
    if key not in UNDISTURBED:
        UNDISTURBED[key] = told(dialling)
    return UNDISTURBED[key]


def check_fencing(dialling: Dialling, kinds: tuple[Kind, ...] = KINDS) -> Echo:
    """Tell all that is stale, after each task step: the machine takes the same steps, and both sides have the same."""
    expected, past = undisturbed(dialling), Past()
    with past.remembering():
        echo = Echo(past, kinds)
        found = told(dialling, echo)
    if echo.fault is not None:
        raise echo.fault
    assert len(found.steps) == len(expected.steps)
    for step, wanted in zip(found.steps, expected.steps, strict=True):
        assert step == wanted
    assert found == expected
    return echo


@pytest.fixture(params=LIBRARIES.values(), ids=LIBRARIES)
def dialling(request: pytest.FixtureRequest) -> Dialling:
    """Each library in turn."""
    return request.param


ENDS = [
    ("dialing", "refused: Connection refused"),
    ("dialing", "dns: no such name"),
    ("dialing", "the peer answered with HTTP status 503"),
    ("dialing", "timer.online.dialing.connect_timeout"),
    ("greeting", "the peer closed with code 1012: restart"),
    ("unproven", "reset: Connection reset by peer"),
    ("greeting", "timer.online.up.greeting.10_s"),
    ("proven", "timer.online.up.ready.silence.asking.heartbeat_wait"),
    ("signing", "the peer closed with code 1000"),
    ("proven", "reset: Connection reset by peer"),
    ("greeting", "reconnect"),
    ("proven", "the peer closed with code 1000"),
    ("closing", "closed"),
]


def test_the_story_has_everything(dialling: Dialling) -> None:
    """It flaps in all the ways that it was written for, and what is sent and asked meanwhile has every fate."""
    account = undisturbed(dialling)
    ends = [step for step in account.steps if step.status in ("waiting", "closed") or step.event == "reconnect"]
    assert [(step.before[0].rpartition(".")[2], step.cause or step.event) for step in ends] == ENDS
    assert {*account.fates} == {"sent", "not_sent"}
    assert {error.partition("(")[0] for _, _, error in account.answers} == {
        "None",
        "NotSent",
        "MaybeDelivered",
        "RequestFailed",
        "RequestTimeout",
    }
    assert account.counts[1] == 0  # no fact was one that its state does not allow


def test_what_is_stale_changes_nothing(dialling: Dialling) -> None:
    """A flapping connection is told, after each task step, all that was ever before: not one step is another one."""
    echo = check_fencing(dialling)
    print(f"{echo.told.total():,} after {echo.ticks:,} task steps: {dict(echo.told)}")  # noqa: T201 -- what was tried
    assert echo.ticks > 500
    assert echo.told.keys() == {kind.__name__ for kind in KINDS}
    assert min(echo.told.values()) > 1000
    assert echo.told.total() > 100_000


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_not_stale_is_noticed(kind: Kind, dialling: Dialling) -> None:
    """The same, told once of what lives, makes another story: so each kind would be noticed if no fence were there."""
    expected, past = undisturbed(dialling), Past()
    with past.remembering():
        echo = Echo(past, (kind,), live=True)
        found = told(dialling, echo)
    assert echo.fault is None
    assert echo.told[kind.__name__] > 0
    assert found != expected
