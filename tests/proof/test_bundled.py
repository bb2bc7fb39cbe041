import attrs
import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import bundled, read, read_text, specs
from lifecycle.errors import PageError
from lifecycle.proof.laws import laws
from lifecycle.proof.prove import prove


@attrs.frozen
class Mutant:
    """A mistake in a bundled page, and what is said of it.

    Attributes:
        page: its name.
        right, wrong: the text, without and with the mistake.
        law: the one that is broken first; none if the page does not load.
        problem: part of what is then said.
    """

    page: str
    right: str
    wrong: str
    law: str = ""
    problem: str = ""


MUTANTS = (
    # the dial has no time limit
    Mutant(
        "connection",
        "      C2: {after: connect_timeout, to: unanswered}\n",
        "",
        problem="`dialing` may wait for ever: it has no clock and no call that ends it",
    ),
    # a second wish to end, while the first is on its way
    Mutant("connection", "    ignore: [disconnect]\n", "", law="handled"),
    # the goodbye is over, and it dials again
    Mutant("connection", "C5: {on: closed, to: over}", "C5: {on: closed, to: dialing}", law="stop-always"),
    # the count is lowered before health is proven
    Mutant("websocket", "proof: true, ", "", law="health-before-reset"),
    # each loss begins the backoff anew
    Mutant(
        "websocket",
        "WS3: {on: [lost, ended], do: {set: {waiting.told: =event.retry_after}}",
        "WS3: {on: [lost, ended], do: {set: {waiting.told: =event.retry_after, waiting.attempts: 0}}",
        law="health-before-reset",
    ),
    # refused credentials are tried again for ever, and at once
    Mutant("websocket", "WS4: {on: refused, to: failed}", "WS4: {on: refused, to: online}", law="no-hot-loop"),
    # giving up is no end
    Mutant("websocket", "WS6: {on: exhausted, to: failed,", "WS6: {on: exhausted, to: online,", law="bounded"),
    # between two attempts nobody may stop it
    Mutant("websocket", "    use: reconnect\n", "    use: reconnect\n    ignore: [disconnect]\n", law="stop-always"),
    # a silent peer is not noticed
    Mutant("websocket", "          heartbeat: {use: heartbeat}\n", "", problem="`online.up` may wait for ever"),
    # any answer sends us on
    Mutant(
        "websocket",
        "{http: [301-303, 307, 308],             is: lost.redirected",
        "{http: any,             is: lost.redirected",
        problem="a status that sends nowhere",
    ),
    # what is refused leads nowhere
    Mutant(
        "websocket", "      WS4: {on: refused, to: failed}\n", "", problem="`connection` lets `refused.by_http` pass"
    ),
    # refused credentials are fetched anew for ever
    Mutant(
        "openclaw-gateway",
        "OC10: {on: unauthorized, when: refreshes < refresh_limit,",
        "OC10: {on: unauthorized,",
        problem="`OC11` never sees `unauthorized`",
    ),
    # the general cause stands before the special one
    Mutant(
        "openclaw-gateway",
        "OC7: {on: [lost.starting, lost.restarting],",
        "OC7: {on: lost,",
        problem="`OC8` never sees `lost`: `OC7` before it takes it",
    ),
    # while the gateway boots, it waits and waits
    Mutant(
        "openclaw-gateway",
        "OC12: {after: startup, to: online}",
        "OC12: {after: startup, to: booting}",
        law="no-silent-wait",
    ),
    # a server that lets in and tells no state is waited for
    Mutant(
        "openhands-agent-server",
        "              OA15: {after: state_timeout, to: unstated}\n",
        "",
        problem="`online.up.listening` may wait for ever",
    ),
    # a key that is not accepted is fetched anew for ever
    Mutant(
        "openhands-agent-server",
        "OA21: {on: unauthorized, when: refreshes < refresh_limit,",
        "OA21: {on: unauthorized,",
        problem="`OA22` never sees `unauthorized`",
    ),
    # a conversation that is gone is looked for again and again
    Mutant(
        "openhands-agent-server",
        "OA20: {on: missing, when: begun and doubts < 1,",
        "OA20: {on: missing, when: begun,",
        law="bounded",
    ),
    # a fresh key is dialled with at once, and counts as a failure
    Mutant(
        "openhands-agent-server",
        "OA26: {after: settle_wait, to: placing}",
        "OA26: {after: settle_wait, to: waiting}",
        law="recovers",
    ),
    # drained before it has asked
    Mutant(
        "openhands-conversation-server",
        "[drained, evicted, stopped], to: leaving}",
        "[evicted, stopped], to: leaving}",
        law="handled",
    ),
    # drained before it has asked, and that is taken for meaningless
    Mutant(
        "openhands-conversation-server",
        "                  OS35: {on: [drained, evicted, stopped], to: leaving}\n",
        "                  OS35: {on: [evicted, stopped], to: leaving}\n                  OS41: {on: drained, do: {set: {why: later}}}\n",
        law="stop-always",
    ),
    # the transport outlives those whom it served
    Mutant("openhands-conversation-server", "    exit: drop\n", "", law="handled"),
    # a client that does not close is waited for
    Mutant(
        "openhands-conversation-server",
        "          OS31: {after: linger, to: parting}\n",
        "",
        problem="`serving.leaving` may wait for ever",
    ),
    # it is over, and nobody is told
    Mutant(
        "livekit-agent-session",
        "    clauses:\n      LS13: {on: ended, to: closed}\n",
        "",
        problem="`running.life.gone` ends with `ended`, which no state around",
    ),
    # the agent listens, and is told so again
    Mutant("livekit-agent-session", "waiting: {ignore: [agent.listens]}", "waiting: {}", law="handled"),
    # who has failed is asked again
    Mutant(
        "provider",
        "PV1: {on: failure, do: {emit: {availability: {available: false}}}, to: unavailable}",
        "PV1: {on: failure, do: {emit: {availability: {available: false}}}, to: available}",
        problem="`watched.health.unavailable` is never entered",
    ),
    # who is well is probed
    Mutant(
        "provider",
        "PV3: {on: missed, when: probe_on_request, while: health.unavailable, to: probing}",
        "PV3: {on: missed, when: probe_on_request, to: probing}",
        law="never watched.probe.probing, watched.health.available, when not served_heals",
    ),
    # one success is taken for health
    Mutant(
        "provider",
        "PV2: {on: success, when: served_heals, do:",
        "PV2: {on: success, do:",
        problem="`watched.health.unavailable` ignores `success`, which its clause `PV2` always takes",
    ),
    # whoever has heard the beginning hears another one
    Mutant(
        "attempt",
        "      AT10: {when: spoken and after_output == 'fail', to: broken}\n",
        "      AT10: {when: passing and after_output == 'fail', to: broken}\n",
        law="never broken, when not spoken",
    ),
    # it is tried for ever
    Mutant(
        "attempt",
        "AT12: {when: passing and retries < max_retry, do:",
        "AT12: {when: passing, do:",
        law="bounded",
    ),
    # a mistake of the request's is made again
    Mutant(
        "attempt",
        "AT12: {when: passing and retries < max_retry, do:",
        "AT12: {when: retries < max_retry, do:",
        law="never pausing, when not passing",
    ),
    # a provider that stops in the middle is waited for
    Mutant(
        "attempt",
        "          AT5: {after: attempt_timeout, do: {set: {passing: true}}, to: judging}\n",
        "          AT5: {after: attempt_timeout, do: {set: {passing: true}}, to: silent}\n",
        law="never given_up or pausing or trying.silent, when spoken and after_output != 'retry'",
    ),
    # an answer to `resume` is awaited for ever
    Mutant(
        "resume",
        "              RM5: {after: resume_timeout, to: unresumed}\n",
        "",
        problem="`online.up.resuming` may wait for ever",
    ),
    # being resumed counts as health
    Mutant(
        "resume",
        "RM3: {on: resumed, do: {mark: resumed}, to: ready}",
        "RM3: {on: resumed, do: [{mark: resumed}, {set: {waiting.attempts: 0}}], to: ready}",
        law="health-before-reset",
    ),
    # credentials that cannot be had are asked for again at once
    Mutant("resume", "RM2: {on: failed, to: waiting}", "RM2: {on: failed, to: authorizing}", law="no-silent-wait"),
    # resumed twice
    Mutant("resume", "            ignore: [resumed, forgotten]\n", "", law="handled"),
    # a slot that was refused is still counted
    Mutant(
        "session-lease",
        "do: {set: {why: =event.message, slots: =slots - 1}}, to: refused",
        "do: {set: {why: =event.message}}, to: refused",
        law="bounded",
    ),
    # a slot is given back twice
    Mutant(
        "session-lease",
        "do: {set: {upstream: false}}, to: releasing}\n      SL18",
        "do: {set: {upstream: false, slots: =slots - 1}}, to: releasing}\n      SL18",
        law="bounded",
    ),
    # nobody answered whether it was granted, and it is not given back
    Mutant(
        "session-lease",
        "SL32: {on: failed, do: {set: {why: =event.message}}, to: releasing}",
        "SL32: {on: failed, do: {set: {why: =event.message}}, to: absent}",
        law="bounded",
    ),
    # a lease that is gone leaves what was begun as it is
    Mutant(
        "session-lease",
        "do: {set: {why: replaced}}, to: stopping}",
        "do: {set: {why: replaced}}, to: releasing}",
        law="never absent or refused or reserving or releasing or release_later or cooling, when upstream",
    ),
    # a place that does not answer is believed for ever
    Mutant(
        "session-lease",
        "      SL41: {on: [taken, unproven], to: stopping}",
        "      SL41: {on: taken, to: stopping}\n      SL42: {on: unproven, to: held}",
        law="no-silent-wait",
    ),
    # a release that fails is tried for ever
    Mutant(
        "session-lease",
        "SL27: {on: failed, when: releases < release_tries,",
        "SL27: {on: failed,",
        problem="`SL31` never sees `failed`",
    ),
    # whoever leaves a living session is not heard
    Mutant(
        "session-lease", "              SL14: {on: leave, do: {set: {why: left}}, to: stopping}\n", "", law="handled"
    ),
    # it cools down for ever
    Mutant(
        "session-lease",
        "SL30: {after: cooldown, to: absent}",
        "SL30: {after: cooldown, to: cooling}",
        law="no-silent-wait",
    ),
    # a client that does not answer our goodbye is waited for
    Mutant(
        "websocket-server",
        "          WV6: {after: close_timeout, to: over}\n",
        "",
        problem="`serving.parting` may wait for ever",
    ),
    # a server that goes away hangs up on its clients without a word
    Mutant(
        "websocket-server",
        "{on: drained, to: parting}",
        "{on: drained, to: over}",
        problem="`serving.parting` is never entered",
    ),
    # drained twice
    Mutant(
        "websocket-server",
        "        enter: {close: {code: 1001}}\n        ignore: [disconnect, drained]\n",
        "        enter: {close: {code: 1001}}\n",
        law="handled",
    ),
    # a server that sends pings and never answers CONNECT is waited for
    Mutant(
        "socketio-connection",
        "      SC9: {after: join_timeout, to: unjoined}\n",
        "",
        problem="`unjoined` is never entered",
    ),
    # whoever was thrown out comes back at once
    Mutant(
        "socketio",
        "SI5: {on: ended.by_server, to: failed, say: The server has disconnected this client. It does not connect again by itself.}",
        "SI5: {on: ended.by_server, to: online}",
        law="no-hot-loop",
    ),
    # being let in counts as health
    Mutant(
        "socketio", "{after: proven_after, proof: true, do:", "{after: proven_after, do:", law="health-before-reset"
    ),
    # a client that speaks another version is let in
    Mutant(
        "socketio-server",
        "SS1: {when: version == 4 and means == 'websocket', to: serving}",
        "SS1: {when: version >= 3 and means == 'websocket', to: serving}",
        law="never serving.talking, when version != 4 or means != 'websocket'",
    ),
    # a client that was refused stays
    Mutant(
        "socketio-server", "          SS11: {after: linger, to: leaving}\n", "", problem="`serving.refusing` may wait"
    ),
    # a conversation that was stopped is met again
    Mutant(
        "openhands-conversation",
        "OV19: {on: stopped, to: failed, say: The conversation was stopped.}",
        "OV19: {on: stopped, to: preparing}",
        law="never preparing or online or refreshing or settling, when waiting.told > 0",
    ),
    # refused credentials are fetched for ever
    Mutant(
        "openhands-conversation",
        "OV9: {on: unauthorized, when: refreshes < refresh_limit,",
        "OV9: {on: unauthorized,",
        problem="`OV10` never sees `unauthorized`",
    ),
    # a live_id that is spent is started again
    Mutant(
        "avatar-live",
        "do: {set: {held: false, renewals: =renewals + 1}}, to: settling}",
        "do: {set: {renewals: =renewals + 1}}, to: settling}",
        law="never after spent or ended or disconnect, when held",
    ),
    # a live that was lost is left behind there, where it is counted, and another one begun
    Mutant(
        "avatar-live",
        "AL25: {on: lost, do: {set: {waiting.told: =event.retry_after}}, to: waiting}",
        "AL25: {on: lost, do: {set: {waiting.told: =event.retry_after, held: false}}, to: waiting}",
        law="never after lost, waiting, when not held",
    ),
    # over the quota it is asked again like after any loss
    Mutant(
        "avatar-live",
        "AL26: {on: crowded, to: queueing}",
        "AL26: {on: crowded, to: waiting}",
        law="never after crowded or full, waiting or settling or preparing or online.dialing",
    ),
    # a start that is never acknowledged is waited for
    Mutant(
        "avatar-live",
        "          AL8: {after: start_timeout, to: unstarted}\n",
        "",
        problem="`online.unstarted` is never entered",
    ),
    # an error is an end like any other
    Mutant(
        "avatar-live-server",
        "do: {set: {verdict: failed, code: =event.code, why: =event.message}}, to: failing}",
        "do: {set: {verdict: failed, code: =event.code, why: =event.message}}, to: leaving}",
        law="never after fail, serving.refusing or serving.leaving or serving.parting or over",
    ),
    # a client that was refused is waited for, after our goodbye
    Mutant(
        "avatar-live-server",
        "          AS12: {after: close_timeout, to: over}\n",
        "",
        problem="`serving.refusing` may wait for ever",
    ),
    # a bot that does not become ready is waited for
    Mutant(
        "convai-session",
        "              CV14: {after: bot_ready_timeout, do: {emit: bot_not_ready}, to: unready}\n",
        "",
        problem="`online.up.joining` may wait for ever",
    ),
    # whoever was removed comes back
    Mutant(
        "convai-session",
        "CV36: {on: removed, when: retry_removed,",
        "CV36: {on: removed,",
        problem="`CV39` never sees `removed`",
    ),
    # a room that was resumed is asked to be ready once more, which it never says
    Mutant(
        "convai-session",
        "CV11: {when: greeted, to: ready}",
        "CV11: {when: greeted, to: joining}",
        law="never online.up.joining, when greeted",
    ),
    # a server that shuts down is asked for a room at once
    Mutant(
        "convai-session",
        "do: {set: {greeted: false, waiting.told: =shutdown_wait}}, to: waiting}",
        "do: {set: {greeted: false}}, to: waiting}",
        problem="there is the parameter `shutdown_wait`, which nothing reads",
    ),
    # what the model's troubles are is no reason to leave, nor to fall silent
    Mutant(
        "openhands-conversation",
        "      OV12: {on: told, do: {emit: {told: {text: =event.text, say: =event.say}}}}\n",
        "",
        problem="`told.rate_limited`",
    ),
    # a slot that is given back is not believed to be
    Mutant(
        "hiagent-session",
        "HS31: {on: done, do: {set: {owed: false, seated: false}}, to: deciding}",
        "HS31: {on: done, to: deciding}",
        law="always idle or reaping or refreshing or renaming or waiting or asking or failed or left, when not owed and (not seated)",
    ),
    # no room is asked for again at once, and for ever
    Mutant(
        "hiagent-session",
        "HS47: {on: failed, to: waiting}",
        "HS47: {on: failed, to: held}",
        law="never held.joining, when then in ['wait', 'reap', 'ask', 'fail']",
    ),
    # whoever has left is asked for again
    Mutant("hiagent-session", "HS38: {when: going, to: left}", "HS38: {when: going, to: waiting}", law="stop-always"),
    # a leave that fails is tried for ever
    Mutant(
        "hiagent-session",
        "HS32: {on: failed, when: leaves < leave_tries,",
        "HS32: {on: failed,",
        problem="`HS33` never sees `failed`",
    ),
)


def mutated(mutant: Mutant) -> Definition:
    """The page with the mistake in it."""
    text = (specs() / f"{mutant.page}.yaml").read_text()
    assert text.count(mutant.right) == 1
    return read_text(text.replace(mutant.right, mutant.wrong), f"{mutant.page}.yaml", specs())


@pytest.mark.parametrize("page", bundled())
def test_a_bundled_page_keeps_its_laws(page: str) -> None:
    """Each bundled page keeps every law that speaks of it, its own promises included."""
    definition = read(page)
    proof = prove(definition)
    told = [breach.what for breach in proof.broken.finding.breaches] if proof.broken else []
    assert told == []
    assert [verdict.law.name for verdict in proof.verdicts] == [law.name for law in laws(definition)]


def test_each_bundled_page_is_mutated() -> None:
    """Each bundled page that has a role is tried with two mistakes at least."""
    pages = [mutant.page for mutant in MUTANTS]
    assert {page for page in bundled() if read(page).role} == {page for page in pages if pages.count(page) > 1}


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in MUTANTS if mutant.problem],
    ids=lambda mutant: f"{mutant.page}-{mutant.right.split()[0]}",
)
def test_a_mistake_is_told_when_the_page_is_read(mutant: Mutant) -> None:
    """A mistake that can be seen without exploring keeps the page from loading."""
    with pytest.raises(PageError) as caught:
        mutated(mutant)
    assert mutant.problem in str(caught.value)


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in MUTANTS if mutant.law],
    ids=lambda mutant: f"{mutant.page}-{mutant.right.split()[0]}",
)
def test_a_mistake_breaks_a_law(mutant: Mutant) -> None:
    """A mistake that only shows while the page runs is found by a law, with a way to it."""
    broken = prove(mutated(mutant)).broken
    assert broken is not None
    assert broken.law.name == mutant.law
    assert broken.finding.breaches[0].way
