"""Small queues, and what gives way when they are full: nothing is lost without a word, whatever the policy."""

from collections import Counter

import pytest

from lifecycle.definition.read import read_text
from lifecycle.testing.simulate import generate, run_seed, scene_of

PAGE = """
lifecycle: 1
page: small
title: Small queues
role: client
parameters: {proven_after: {duration: 5 s, min: 1 s}}
hears: {connect: {}, disconnect: {}, reconnect: {}}
causes: [{otherwise: true, is: lost.network}]
messages:
  codec: json
  INBOX
  OUTBOX
  routes:
    - {match: {type: answer}, answer: id, ok: ok, result: result, error: error}
    - {deliver: true, sequence: seq, dedupe: {by: seq, window: 5}}
  frames: {ask: {type: ask, id: =id, method: =method, params: =params}}
requests: {send: ask, timeout: 20 s, until_ready: 10 s, ON_LOSS}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect]}
  online:
    use: connection
    fill:
      up:
        regions:
          trust:
            states:
              unproven: {clauses: {S1: {after: proven_after, proof: true, do: {set: {waiting.attempts: 0}}, to: proven}}}
              proven: {}
          heartbeat: {use: heartbeat}
    ignore: [connect]
    clauses: {S2: {on: done, to: closed}, S3: {on: lost, to: waiting}}
  waiting:
    use: reconnect
    clauses: {S4: {on: done, to: online}, S5: {on: exhausted, to: failed}}
  failed: {status: failed, needs: none, rest: true}
  closed: {status: closed, needs: none, final: done}
clauses:
  S6: {on: [connect, reconnect], do: {set: {waiting.attempts: 0}}, to: online}
  S7: {on: disconnect, to: closed}
"""
INBOXES = ("oldest", "close", "wait, pause: 20 s", "latest")
OUTBOXES = ("oldest", "reject", "wait", "close")
HOURS = 0.1


@pytest.mark.parametrize(("inbox", "outbox"), tuple(zip(INBOXES, OUTBOXES, strict=True)))
@pytest.mark.parametrize("on_loss", ["on_loss: fail", "on_loss: resend, resends: 2"])
def test_small_queues_hold(inbox: str, outbox: str, on_loss: str) -> None:
    """Messages give way as the page says, and each is told."""
    text = PAGE.replace("INBOX", f"inbox: {{items: 4, size: 64 KiB, when_full: {inbox}}}").replace("ON_LOSS", on_loss)
    text = text.replace("OUTBOX", f"outbox: {{items: 20, size: 256 KiB, when_full: {outbox}, until_ready: 5 s}}")
    scene = scene_of(read_text(text, "small.yaml"))
    counts: Counter[str] = Counter()
    for seed in range(1, 13):
        result = run_seed(scene, seed, generate(scene.page, seed, HOURS), HOURS)
        assert result.violation is None, (seed, result.violation)
        counts.update(result.counts)
    if inbox in ("oldest", "close"):  # else messages wait on the way, or are replaced without a word
        assert counts["marks overflow"]
    assert counts["requests answered"]
