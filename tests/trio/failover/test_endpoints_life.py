"""Endpoints among servers that refuse, drain, fall silent, redirect and vanish: what holds whatever happens.

The network is made of memory and the clock jumps, so a life of hours takes a moment; Hypothesis chooses the faults.
"""

import collections
import itertools
import random
from typing import Any

import attrs
import hypothesis
import pytest
import trio
from hypothesis import strategies as st

import lifecycle
from lifecycle.testing.virtual import run
from lifecycle.trio.failover import switch
from lifecycle.trio.failover.endpoints import Endpoints
from lifecycle.trio.failover.pool import Pool
from lifecycle.trio.failover.switch import Switch

from .net import Net, opened

HOSTS = ("a.example", "b.example", "c.example")
URLS = [f"ws://{host}/rtc" for host in HOSTS]
KINDS = ("refuse", "busy", "drop", "drain", "silent", "mute", "redirect", "round", "strange", "offline", "online")
EVERY = 10.0


@attrs.frozen
class Fault:
    """What befalls a host, after some seconds."""

    after: float
    host: str
    kind: str


faults = st.lists(
    st.builds(
        Fault,
        after=st.sampled_from((0.0, 0.3, 1.0, 4.0, 15.0, 70.0)),
        host=st.sampled_from(HOSTS),
        kind=st.sampled_from(KINDS),
    ),
    max_size=25,
)


class Life:
    """One connection and its servers, and what must hold of them all the time."""

    def __init__(self, net: Net, endpoints: Endpoints) -> None:
        self.net, self.endpoints = net, endpoints
        self.sent = False  # whether the last dial has led to a place where it was sent on

    async def dial(self, request: Any, spawn: Any, opened: Any) -> None:
        """Look at each dial as it begins."""
        url = f"ws://{request.authority}{request.resource}"
        assert request.host in HOSTS, "a dial to a host that is none of the connection's"
        if "shake_hands" not in opened.__qualname__:
            choice = self.endpoints.available
            assert self.sent or not choice or url == choice[0], "one that is available and stands before is passed by"
            self.sent = not self.net.offline and url in self.net.answers
        await self.net.dialer(request, spawn, opened)

    def befall(self, fault: Fault) -> None:
        """Let something happen."""
        net, peer, place = self.net, self.net.peers[fault.host], f"ws://{fault.host}/rtc"
        match fault.kind:
            case "refuse":
                peer.refuse(3)
            case "busy":
                peer.refuse(2, http=503, retry_after=2)
            case "mute":
                net.mute.add(fault.host)
            case "redirect":
                net.redirect(place, "/node")
            case "round":
                net.redirect(place, "/rtc")
            case "strange":
                net.redirect(place, "ws://strange.example/rtc")
            case "offline" | "online":
                net.offline = fault.kind == "offline"
            case _:
                self._befall_link(fault)

    def _befall_link(self, fault: Fault) -> None:
        for link in [link for link in self.net.peers[fault.host].links if link.open]:
            match fault.kind:
                case "drop":
                    link.drop()
                case "drain":
                    link.close(1012)
                case "silent":
                    link.fall_silent()

    def heal(self) -> None:
        """All is well from now on."""
        self.net.offline = False
        self.net.mute.clear()
        self.net.answers.clear()
        for peer in self.net.peers.values():
            peer.refuse(0)


async def live(plan: list[Fault], page: str | None, *, returns: bool, asks: bool) -> Net:
    """Live through a plan, then in a healed world until everything must be well again."""
    async with Net(*HOSTS) as net:

        async def connected() -> bool:
            return not net.offline

        check = connected if asks else None
        endpoints = Endpoints(URLS, returns=returns, probe_every=EVERY, connected=check)
        life = Life(net, endpoints)
        async with opened(net, endpoints, page, transport=life.dial, max_attempts=10**6) as connection:
            for fault in plan:
                await trio.sleep(fault.after)
                life.befall(fault)
            life.heal()
            if connection.status == "failed":  # what the page does not try again, the user does
                connection.tell("reconnect")
            # one that has answered handshakes and not served is believed again after twice as long as before, at most
            await trio.sleep(2 * trio.current_time() + 12 * EVERY)
            assert connection.status == "ready", "it is not ready in a healed world"
            assert endpoints.available == tuple(URLS), "a healed endpoint has not come back"
            if returns:
                # perhaps at a place to which the primary has sent us
                assert str(endpoints.current).startswith(f"ws://{HOSTS[0]}/"), "it has not returned to the primary"
            _paced(net, connection)
    assert net.most == 1, "two transports of one connection"
    return net


def _paced(net: Net, connection: lifecycle.Connection) -> None:
    """Between two dials is a pause of the page, but for those that were wished for."""
    pause = 0.25 if connection.definition.name == "websocket" else 1.0
    wished = {step.time for step in connection.history if step.event == "reconnect"}
    dials = [dial.at for dial in net.dials if not dial.probe][-20:]
    for earlier, later in itertools.pairwise(dials):
        assert later - earlier >= pause or later in wished, "a dial without a pause"


@hypothesis.settings(max_examples=15)
@hypothesis.given(plan=faults, returns=st.booleans(), asks=st.booleans(), seed=st.integers(0, 1000))
@pytest.mark.parametrize("page", ["websocket", None])
def test_whatever_happens(page: str | None, plan: list[Fault], returns: bool, asks: bool, seed: int) -> None:  # noqa: FBT001 -- by name, from Hypothesis
    """One transport at a time, allowed hosts only, the first that is available, paced dials; and all heals."""

    async def story() -> None:
        await live(plan, page, returns=returns, asks=asks)

    run(story, seed=seed)


def test_lives_have_something_in_them() -> None:
    """In a dozen of them each thing that endpoints are for happens; else what holds would hold of nothing."""
    seen: collections.Counter[str] = collections.Counter()
    for number in range(12):
        dice = random.Random(number)
        plan = [Fault(dice.choice((0.3, 4.0, 15.0)), dice.choice(HOSTS), dice.choice(KINDS)) for _ in range(20)]

        async def story(plan: list[Fault] = plan) -> Net:
            return await live(plan, "websocket", returns=True, asks=False)

        urls = run(story, seed=number).asked()
        pairs = list(itertools.pairwise(urls))
        seen["failed over"] += (URLS[0], URLS[1]) in pairs
        seen["to the third"] += (URLS[1], URLS[2]) in pairs
        seen["returned"] += (URLS[1], URLS[0]) in pairs
        seen["the same again"] += (URLS[0], URLS[0]) in pairs
        seen["all in turn"] += (URLS[2], URLS[0]) in pairs
        seen["sent on"] += any(url.endswith("/node") for url in urls)
    assert min(seen.values()) > 0, seen


async def _fails(_: Pool, __: int) -> None:
    raise OSError


_REFUSED = [Fault(0.0, HOSTS[0], "refuse"), Fault(1.0, HOSTS[0], "drop"), Fault(4.0, HOSTS[1], "drop")]
_STRANGE = [Fault(0.0, HOSTS[0], "strange"), Fault(1.0, HOSTS[0], "drop"), Fault(4.0, HOSTS[0], "drop")]


@pytest.mark.parametrize(
    ("where", "wrong", "plan", "said"),
    [
        ((Pool, "choose"), lambda _, last: 2 - (last or 0), [], "passed by"),
        ((Pool, "_probed"), _fails, _REFUSED, "has not come back"),
        ((Switch, "_may_return"), lambda _: False, _REFUSED, "not returned"),
        ((switch, "hosts_of"), lambda _: {"strange.example"}, _STRANGE, "none of the connection's"),
    ],
)
def test_what_holds_would_be_seen_to_break(
    where: Any, wrong: Any, plan: list[Fault], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A choice that is blind, a probe that always fails, nobody who returns, and a redirect to anywhere."""
    monkeypatch.setattr(*where, wrong)

    async def story() -> None:
        await live(plan, "websocket", returns=True, asks=False)

    with pytest.raises(BaseException) as broken:  # noqa: PT011 -- an AssertionError, perhaps by way of the driver
        run(story, seed=1)
    assert said in _told(broken.value)


def _told(error: BaseException | None) -> str:
    return "" if error is None else f"{error} {_told(error.__cause__)}"
