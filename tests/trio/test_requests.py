"""Requests: each is settled once, by whatever comes first, and the peer is told when nobody waits any more."""

import sys
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.expression import parse
from lifecycle.errors import (
    ConnectionEnded,
    ConnectionFailed,
    LifecycleError,
    MaybeDelivered,
    NoRequests,
    NotSent,
    RequestFailed,
    RequestTimeout,
    RequestUnsupported,
)
from lifecycle.trio.mail.replies import Reply

from .desk import Desk, asking, outbox


def asked(id_: int, method: str = "ask", params: Any = None) -> dict[str, Any]:
    """The frame of a request."""
    return {"type": "request", "id": str(id_), "method": method, "params": params}


def cancelled(id_: int) -> dict[str, Any]:
    """The frame that tells the peer that nobody waits."""
    return {"type": "cancel", "id": str(id_)}


async def outcome(reply: Reply) -> Any:
    """The result, or the class of the error."""
    try:
        return await reply.wait()
    except LifecycleError as error:
        return type(error)


# Answers


async def test_an_answer() -> None:
    """It goes to whoever waits, several at once, and to whoever asks again later."""
    desk, got = Desk(asking()), []
    desk.open(flowing=True)
    reply = desk.mail.ask("ask", {"a": 1})
    assert desk.line.said == [asked(1, params={"a": 1})]
    assert (reply.done, reply.ticket.fate, repr(reply)) == (False, "sent", "<Reply 1 to ask: pending>")

    async def wait() -> None:
        got.append(await reply.wait())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        with trio.move_on_after(1):
            await reply.wait()
        desk.answer("1", ["result"])
    assert (got, reply.done, repr(reply)) == ([["result"]] * 3, True, "<Reply 1 to ask: done>")
    assert await reply.wait() is got[0]
    assert (desk.mail.requests.pending, len(desk.timers)) == ({}, 0)
    reply.cancel()
    assert desk.line.said == [asked(1, params={"a": 1})]


async def test_a_refusal() -> None:
    """Everybody who waits has an error of his own, with the peer's words."""
    desk = Desk(asking())
    desk.open(flowing=True)
    reply = desk.mail.ask("ask")
    desk.answer("1", error={"code": 7})
    errors = []
    for _ in range(2):
        with pytest.raises(RequestFailed) as caught:
            await reply.wait()
        errors.append(caught.value)
    assert [error.error for error in errors] == [{"code": 7}] * 2
    assert errors[0] is not errors[1]


async def test_a_page_without_requests() -> None:
    """It says what to do instead, also at rest."""
    desk = Desk()
    desk.mail.at_rest = lambda: lambda: ConnectionFailed("no")
    with pytest.raises(NoRequests, match="use `send`"):
        desk.mail.ask("ask")
    desk = Desk(asking())
    desk.mail.at_rest = lambda: lambda: ConnectionFailed("no")
    with pytest.raises(ConnectionFailed):
        await desk.mail.request("ask")


async def test_what_cannot_be_written() -> None:
    """It is refused at its caller, and nothing is left of it."""
    desk = Desk(asking())
    desk.open(flowing=True)
    with pytest.raises(TypeError):
        desk.mail.ask("ask", object())
    assert (desk.mail.requests.pending, len(desk.timers)) == ({}, 0)


async def test_frames_may_hold_what_the_page_knows() -> None:
    """Beside the request's own values, which come first."""
    page = asking(timeout=parse("patience"))
    frames = {**page.messages.frames, "request": {"id": parse("id"), "who": parse("who"), "params": parse("params")}}
    desk = Desk(attrs.evolve(page, messages=attrs.evolve(page.messages, frames=frames)), who="me", params=0, patience=3)
    desk.open(flowing=True)
    desk.mail.ask("ask", 5)
    assert desk.line.said == [{"id": "1", "who": "me", "params": 5}]
    assert desk.timers.next() == 3


# Time


async def test_no_answer_in_time() -> None:
    """Each has its own time or the page's; the peer is told, and an answer that comes later is counted."""
    desk = Desk(asking())
    desk.open(flowing=True)
    slow, quick = desk.mail.ask("slow"), desk.mail.ask("quick", seconds=2)
    await desk.sleep(2)
    with pytest.raises(RequestTimeout, match="quick was not answered within 2 s"):
        await quick.wait()
    await desk.sleep(28)
    assert await outcome(slow) is RequestTimeout
    assert desk.line.said[2:] == [cancelled(2), cancelled(1)]
    desk.answer("1")
    assert (desk.mail.requests.late, desk.mail.requests.pending, len(desk.timers)) == (1, {}, 0)


async def test_time_runs_while_it_is_not_ready() -> None:
    """Waiting is part of it: what was not sent is withdrawn then, or is not sent at all."""
    desk = Desk(asking())
    early, late = desk.mail.ask("early", seconds=5), desk.mail.ask("late")
    await desk.sleep(5)
    assert (await outcome(early), early.ticket.fate) == (RequestTimeout, "withdrawn")
    await desk.sleep(10)
    with pytest.raises(NotSent, match="the request `late` was not sent: the connection was not ready in time"):
        await late.wait()
    desk.open()
    assert (desk.line.messages, len(desk.timers)) == ([], 0)


async def test_no_patience() -> None:
    """A page that lets no request wait refuses it at once."""
    desk = Desk(asking(until_ready=0.0))
    with pytest.raises(NotSent, match="not ready, and the page lets nothing wait"):
        await desk.mail.request("ask")
    assert (desk.mail.requests.pending, len(desk.timers)) == ({}, 0)


# Room


@pytest.mark.parametrize("policy", ["reject", "oldest", "wait", "close"])
async def test_a_full_outbox(policy: str) -> None:
    """Who can wait for room waits where the page says so; else one of the two is not sent, and is told."""
    desk = Desk(attrs.evolve(asking(), messages=attrs.evolve(asking().messages, outbox=outbox(policy, items=1))))
    first = desk.mail.ask("first")
    told: list[Any] = []

    async def second() -> None:
        try:
            told.append(await desk.mail.request("second"))
        except NotSent:
            told.append(NotSent)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(second)
        await trio.testing.wait_all_tasks_blocked()
        desk.open(flowing=True)
        for id_ in list(desk.mail.requests.pending):
            desk.answer(id_, "answer")
    assert [await outcome(first), *told] == {
        "reject": ["answer", NotSent],
        "oldest": [NotSent, "answer"],
        "wait": ["answer", "answer"],
        "close": ["answer", NotSent],
    }[policy]
    if policy != "oldest":
        desk.mail.turn(now_open=False)
        desk.mail.ask("third")
        with pytest.raises(NotSent):
            desk.mail.ask("fourth")
        assert list(desk.mail.requests.pending) == ["3"]


# Nobody waits any more


async def test_cancelled_before_it_was_sent() -> None:
    """It is withdrawn, nothing is sent, and who waits is told that nothing was."""
    desk = Desk(asking())
    reply = desk.mail.ask("ask")
    reply.cancel()
    reply.cancel()
    with pytest.raises(NotSent, match="the request `ask` was not sent: it was cancelled"):
        await reply.wait()
    with trio.move_on_after(1) as scope:
        await desk.mail.request("ask")
    assert scope.cancelled_caught
    assert desk.mail.outbox.counts["withdrawn"] == 2
    desk.open(flowing=True)
    assert (desk.line.messages, desk.mail.requests.pending, len(desk.timers)) == ([], {}, 0)


async def test_cancelled_after_it_was_sent() -> None:
    """The peer is told behind the request, also where that is still on its way; a late answer is counted."""
    desk = Desk(asking())
    desk.open()
    with trio.move_on_after(1) as scope:
        await desk.mail.request("ask")
    assert scope.cancelled_caught
    assert desk.line.said == [asked(1), cancelled(1)]
    desk.line.flow(1000)
    reply = desk.mail.ask("again")
    reply.cancel()
    with pytest.raises(MaybeDelivered, match="the request `again` got no answer: it was cancelled"):
        await reply.wait()
    desk.answer("2")
    assert (desk.mail.requests.late, len(desk.timers)) == (1, 0)


async def test_the_peer_is_told_only_what_it_can_know() -> None:
    """Not on another connection, not while it is not ready, not by a page without such a frame, not when it is ending."""
    silent = Desk(asking(cancel=None))
    silent.open(flowing=True)
    silent.mail.ask("ask").cancel()
    desk = Desk(asking(on_loss="resend"))
    desk.open(flowing=True)
    again, turned, ending = desk.mail.ask("again"), desk.mail.ask("turned"), desk.mail.ask("ending")
    desk.mail.detach("reset")
    again.cancel()
    desk.open(flowing=True)
    desk.line.over = True
    ending.cancel()
    desk.line.over = False
    desk.mail.turn(now_open=False)
    turned.cancel()
    assert desk.line.said == [asked(2, "turned"), asked(3, "ending")]
    assert len(silent.line.messages) == 1
    assert [await outcome(reply) for reply in (again, turned, ending)] == [MaybeDelivered] * 3


async def test_answer_and_cancellation_in_the_same_moment() -> None:
    """The first of them is what happened."""
    desk, got = Desk(asking()), []
    desk.open(flowing=True)

    async def ask() -> None:
        got.append(await desk.mail.request("ask"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        desk.answer("1", "answer")
        nursery.cancel_scope.cancel()
    assert got == ["answer"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked() if False else None
        desk.answer("2", "answer")
    assert got in (["answer"], ["answer", "answer"])
    assert desk.mail.requests.pending == {}


# What a peer does not know


async def test_an_unsupported_method() -> None:
    """It has an error of its own, or a fallback, and is not asked for again on this connection."""
    desk = Desk(asking())
    desk.open(flowing=True)
    reply = desk.mail.ask("new")
    desk.answer("1", error={"code": "no"})
    with pytest.raises(RequestUnsupported, match=r"new is not supported by the peer: \{'code': 'no'\}"):
        await reply.wait()
    with pytest.raises(RequestUnsupported) as caught:
        await desk.mail.request("new")
    assert caught.value.error == {"code": "no"}
    assert await desk.mail.request("new", fallback=None) is None
    known = desk.mail.ask("new")
    assert (known.done, known.ticket.fate, await outcome(known)) == (True, "not_sent", RequestUnsupported)
    known.cancel()
    assert desk.line.said == [asked(1, "new")]
    assert desk.mail.outbox.counts["not_sent"] == 0
    desk.mail.detach("reset")
    desk.open(flowing=True)
    assert not desk.mail.ask("new").done
    assert len(desk.line.messages) == 1


async def test_a_fallback_is_for_that_only() -> None:
    """Another refusal is an error, with a fallback or without."""
    desk = Desk(asking())
    desk.open(flowing=True)
    told: list[Any] = []

    async def ask(method: str) -> None:
        try:
            told.append(await desk.mail.request(method, fallback="fallback"))
        except RequestFailed as error:
            told.append(error.error)

    async with trio.open_nursery() as nursery:
        for method, code in (("one", "no"), ("two", "other")):
            nursery.start_soon(ask, method)
            await trio.testing.wait_all_tasks_blocked()
            desk.answer(str(len(desk.line.messages)), error={"code": code})
    assert sorted(told, key=str) == ["fallback", {"code": "other"}]


# Losses


async def test_lost_with_its_connection() -> None:
    """What may have arrived may have arrived, what has not begun has not, what waits goes on waiting."""
    desk = Desk(asking())
    desk.open()
    big = {"big": "x" * 40_000}
    replies = [desk.mail.ask("sent", big), desk.mail.ask("torn", big), desk.mail.ask("small")]
    desk.line.flow(50_000)
    replies += [desk.mail.ask("framed", big), desk.mail.ask("waits", big)]
    desk.mail.detach("reset")
    assert [reply.ticket.fate for reply in replies] == ["sent", "maybe", "not_sent", "not_sent", "queued"]
    assert [await outcome(reply) for reply in replies[:4]] == [MaybeDelivered, MaybeDelivered, NotSent, NotSent]
    assert not replies[4].done
    desk.open(flowing=True)
    assert desk.line.said == [asked(5, "waits", big)]
    desk.answer("5", "late but here")
    assert await replies[4].wait() == "late but here"


async def test_sent_again_in_the_old_order() -> None:
    """With the same ids, before what waited; and again after another loss, as often as the page says."""
    desk = Desk(asking(on_loss="resend", resends=1))
    desk.open(flowing=True)
    replies = [desk.mail.ask(method) for method in ("one", "two", "three")]
    desk.answer("2", "done")
    desk.mail.detach("reset")
    replies.append(desk.mail.ask("four"))
    assert [reply.ticket.fate for reply in replies] == ["queued", "sent", "queued", "queued"]
    desk.open(flowing=True)
    assert desk.line.said == [asked(1, "one"), asked(3, "three"), asked(4, "four")]
    desk.answer("3", "here")
    desk.mail.detach("reset again")
    with pytest.raises(MaybeDelivered, match="the request `one` got no answer: reset again"):
        await replies[0].wait()
    desk.open(flowing=True)
    assert desk.line.said == [asked(4, "four")]
    desk.answer("4", "there")
    assert [await outcome(reply) for reply in replies] == [MaybeDelivered, "done", "here", "there"]
    assert (desk.mail.requests.pending, len(desk.timers)) == ({}, 0)


async def test_what_had_not_begun_is_no_loss() -> None:
    """No byte of it has left, so it goes again without being counted; on a page that does not resend it is not sent."""
    desk = Desk(asking(on_loss="resend", resends=0))
    for _ in range(3):
        desk.open()
        if len(desk.lines) == 1:
            reply = desk.mail.ask("ask")
        desk.mail.detach("reset")
    desk.open(flowing=True)
    desk.answer("1", "here")
    assert await reply.wait() == "here"


async def test_a_connection_that_is_ending_takes_nothing() -> None:
    """A request on it is not sent; where it may go again, it does when the connection is over."""
    for on_loss, then in (("fail", NotSent), ("resend", "here")):
        desk = Desk(asking(on_loss=on_loss))
        desk.open(flowing=True)
        desk.line.over = True
        reply = desk.mail.ask("ask")
        assert reply.done is (then is NotSent)
        desk.mail.detach("closed")
        desk.open(flowing=True)
        if not reply.done:
            desk.answer("1", "here")
        assert await outcome(reply) == then
        assert desk.mail.requests.pending == {}


async def test_time_and_patience_of_what_goes_again() -> None:
    """Its timeout runs on from the first time; it waits for ready no longer than others, and may have arrived."""
    desk = Desk(asking(on_loss="resend", resends=9))
    desk.open(flowing=True)
    timed, patient = desk.mail.ask("timed", seconds=10), desk.mail.ask("patient")
    await desk.sleep(6)
    desk.mail.detach("reset")
    await desk.sleep(4)
    assert await outcome(timed) is RequestTimeout
    await desk.sleep(11)
    with pytest.raises(
        MaybeDelivered, match="the request `patient` got no answer: the connection was not ready in time"
    ):
        await patient.wait()
    assert len(desk.timers) == 0


async def test_an_answer_to_the_first_of_two() -> None:
    """It may come before the request has gone again, and then it does not go."""
    desk = Desk(asking(on_loss="resend"))
    desk.open(flowing=True)
    reply = desk.mail.ask("ask")
    desk.mail.detach("reset")
    desk.answer("1", "kept for us")
    assert await reply.wait() == "kept for us"
    desk.open(flowing=True)
    assert (desk.line.messages, len(desk.timers)) == ([], 0)


@pytest.mark.parametrize("how", ["rest", "end", "no patience"])
async def test_nothing_goes_again_where_nothing_will(how: str) -> None:
    """The connection rests, or has ended, or the page lets nothing wait: it may have arrived."""
    desk = Desk(asking(on_loss="resend", until_ready=0.0 if how == "no patience" else 15.0))
    desk.open(flowing=True)
    reply = desk.mail.ask("ask")
    desk.mail.detach("reset")
    if how == "rest":
        desk.mail.rest(lambda: ConnectionFailed("no"))
    elif how == "end":
        desk.mail.finish(lambda: ConnectionEnded("over"))
    assert await outcome(reply) is MaybeDelivered
    assert (desk.mail.requests.pending, len(desk.timers), len(desk.mail.outbox.waiting)) == ({}, 0, 0)


# Beside an inbox that is full


async def test_who_waits_for_an_answer_keeps_reading_up() -> None:
    """With `wait`, reading goes on while somebody asks, up to twice the bytes, and stops again when he has his answer."""
    page = asking()
    messages = attrs.evolve(page.messages, inbox=attrs.evolve(page.messages.inbox, when_full="wait", items=2, size=100))
    desk = Desk(attrs.evolve(page, messages=messages))
    desk.open(flowing=True)
    for number in range(2):
        desk.read({"type": "message", "seq": number}, 10)
    assert not desk.mail.reading
    reply = desk.mail.ask("ask")
    assert (desk.mail.reading, desk.resumed) == (True, 1)
    desk.read({"type": "message", "seq": 3}, 10)
    assert desk.mail.reading
    desk.answer("1", "answer")
    assert await reply.wait() == "answer"
    assert not desk.mail.reading
    desk.mail.ask("ask")
    for number in range(4, 22):
        desk.read({"type": "message", "seq": number}, 10)
    assert desk.full == [("inbox_full", "20 messages wait, and nobody takes them")]
    assert desk.mail.inbox.bytes == 200


# Whatever happens

OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["ask", "answer", "refuse", "unknown", "cancel"]), st.integers(0, 8)),
    st.tuples(st.sampled_from(["open", "open", "lose", "wait", "flow", "end ready"]), st.integers(1, 20)),
)


@given(st.sampled_from([("fail", 0), ("resend", 1), ("resend", 2)]), st.lists(OPERATIONS, max_size=50))
async def test_each_is_settled_once(loss: tuple[str, int], story: list[tuple[str, int]]) -> None:
    """In whatever order answers, times, losses and cancellations come: one outcome, and nothing is left of it."""
    desk = Desk(asking(on_loss=loss[0], resends=loss[1]))
    replies: list[Reply] = []
    outcomes: dict[Reply, Any] = {}
    for word, number in story:
        reply = replies[number] if number < len(replies) else None
        match word:
            case "ask":
                replies.append(desk.mail.ask(f"method {number % 3}", "x" * 5000 * number, 1 + number))
            case "answer" if reply is not None:
                desk.answer(reply.id, number)
            case "refuse" if reply is not None:
                desk.answer(reply.id, error={"code": "bad"})
            case "unknown" if reply is not None and desk.mail.open:
                desk.answer(reply.id, error={"code": "no"})
            case "cancel" if reply is not None:
                reply.cancel()
            case "open" if not desk.mail.transport:
                desk.open(flowing=number > 10)
            case "lose":
                desk.mail.detach("lost")
            case "end ready":
                desk.mail.turn(now_open=False)
            case "wait":
                await desk.sleep(number)
            case "flow" if desk.mail.transport:
                desk.line.flow(number * 4000)
        for each in replies:
            if each.done:
                now = await outcome(each)
                assert outcomes.setdefault(each, now) == now
        pending = {each for each in replies if not each.done}
        assert set(desk.mail.requests.pending.values()) == pending
        assert all(desk.timers.deadline(each) for each in pending)
        assert len(desk.timers) == len(pending) + sum(
            not desk.mail.open and each.ticket.fate == "queued" for each in pending
        )
    desk.mail.detach("lost")
    desk.mail.finish(lambda: ConnectionEnded("over"))
    assert all(reply.done for reply in replies)
    assert (len(desk.timers), desk.mail.requests.pending, desk.mail.outbox.bytes) == (0, {}, 0)
    for reply in replies:
        said = [message for line in desk.lines for message in line.said if message["id"] == reply.id and reply.id]
        sent = [message for message in said if message["type"] == "request"]
        told = len(said) - len(sent)
        assert told <= 1
        assert not told or said[-1]["type"] == "cancel"
        assert bool(told) <= (await outcome(reply) in (RequestTimeout, MaybeDelivered))
        assert (await outcome(reply) is not NotSent) or all(
            line.sent <= offset
            for line in desk.lines
            for (offset, _), message in zip(line.messages, line.said, strict=True)
            if message["id"] == reply.id
        )
    for line in desk.lines:
        ids = [int(message["id"]) for message in line.said if message["type"] == "request"]
        assert ids == sorted(set(ids))


async def test_a_hundred_thousand_wait() -> None:
    """Without a task each: all are answered, and what they had is free again."""
    desk = Desk(asking())
    desk.open(flowing=True)
    desk.line.messages = _Nowhere()  # type: ignore[assignment]
    replies = [desk.mail.ask("ask") for _ in range(100_000)]
    assert len(desk.mail.requests.pending) == 100_000
    assert sys.getsizeof(replies[0]) < 150
    for reply in reversed(replies):
        desk.mail.requests.answered(reply.id, reply.id, good=True)
    assert await replies[17].wait() == "18"
    assert (desk.mail.requests.pending, len(desk.timers)) == ({}, 0)
    assert len(desk.timers._heap) <= 65


class _Nowhere(list):  # type: ignore[type-arg]
    """Keeps nothing."""

    def append(self, _: object) -> None:
        """Forget."""
