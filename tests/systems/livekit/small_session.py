"""A session in small: it tells what real ones have told, and is closed by the same ways as they are."""

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

DUMPS = [json.loads(line) for line in Path(__file__).with_name("dumps.jsonl").read_text(encoding="utf-8").splitlines()]
"""What a real session of livekit-agents 1.8.9 has told its listeners: `at`, `name`, and the event's own `dump`."""


def thing(dump):
    """An event, or a part of it, with attributes in place of keys."""
    match dump:
        case dict():
            return SimpleNamespace(**{key: thing(value) for key, value in dump.items()})
        case list():
            return [thing(each) for each in dump]
    return dump


class SmallSession:
    def __init__(self, *, away=15.0, tolerance=3, pause=2.0):
        self.listeners = defaultdict(list)
        self.options = SimpleNamespace(user_away_timeout=away, interruption={"false_interruption_timeout": pause})
        self.conn_options = SimpleNamespace(max_unrecoverable_errors=tolerance)
        self.done = []
        self.started = False
        self.fails = False

    def on(self, name, callback):
        self.listeners[name].append(callback)

    def off(self, name, callback):
        self.listeners[name].remove(callback)

    def emit(self, name, **fields):
        for each in list(self.listeners[name]):
            each(thing({"type": name, **fields}))

    def replay(self, rows):
        for row in rows:
            self.emit(row["name"], **{key: value for key, value in row["dump"].items() if key != "type"})

    async def start(self, agent, **options):
        self.done.append(("start", agent, options))
        await asyncio.sleep(0)
        if self.fails:
            raise RuntimeError("there is no room")
        self.started = True

    async def aclose(self):
        await self._aclose_impl(reason=SimpleNamespace(value="user_initiated"))

    def shutdown(self, *, drain=True):
        self.done.append(("shutdown", drain))
        self.closing = asyncio.ensure_future(
            self._aclose_impl(reason=SimpleNamespace(value="user_initiated"), drain=drain)
        )

    async def _aclose_impl(self, *, reason, drain=False, error=None):
        await asyncio.sleep(0)
        if self.started:
            self.started = False
            self.emit("close", reason=reason.value, error=error)

    def reset_away_timer(self):
        self.done.append("reset")
