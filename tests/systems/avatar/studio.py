"""A studio of avatars behind the server page: which lives there are, whose turn it is to be refused, and what was said."""

import contextlib

import trio

import lifecycle
from lifecycle.testing import Peer

TOKEN, FRESH = "the-first-token", "the-second-token"
STREAMING = {"type": "bytertc", "rtc_app_id": "a", "rtc_room_id": "r", "rtc_uid": "u", "rtc_token": "streaming-secret"}
AVATAR = {"avatar_type": "3min", "input_mode": "audio", "role": "someone"}
SOUND = bytes(range(256)) * 5  # 40 ms: 1280 bytes of PCM16 at 16 kHz
GOOD = 1000


class Studio:
    """Decides on lives, and is the handler of their connections.

    Args:
        quota: how many lives there may be at once.
        thinks: seconds that it takes to decide.
        tokens: those that are valid.

    Attributes:
        verdicts: codes for the next starts, before it decides by itself.
        asked: each start.
        lives: the lives that there are, each with the connection that controls it, or None.
        heard: what was told by clients, in order, with the live it was for.
    """

    def __init__(self, quota=1, thinks=0.0, tokens=(TOKEN, FRESH)):
        self.quota, self.thinks, self.tokens = quota, thinks, tokens
        self.verdicts, self.asked, self.heard = [], [], []
        self.lives, self.used = {}, set()

    async def open_live(self, **start):
        self.asked.append(start)
        await trio.sleep(self.thinks)
        code = self.verdicts.pop(0) if self.verdicts else self.decided(**start)
        if code == GOOD:
            self.lives[start["live_id"]] = start["connection"]
            self.used.add(start["live_id"])
        return {"code": code, "message": "success" if code == GOOD else f"it is {code}"}

    def decided(self, *, live_id, app_id, token, avatar, streaming, **_):
        if not (live_id and app_id and avatar and streaming):
            return 4000
        if token not in self.tokens:
            return 4001
        if live_id in self.lives:
            return 4003 if self.lives[live_id] else GOOD
        if live_id in self.used:
            return 4004
        return 4002 if len(self.lives) >= self.quota else GOOD

    async def __call__(self, connection):
        await connection.ready()
        live = connection.variables["live_id"]
        try:
            async for frame in connection:
                self.heard.append((live, frame))
                await self.play(connection, frame)
        finally:
            stopped = any(step.event == "stopped" for step in connection.history)
            if self.lives.get(live) == connection.variables["connection"]:
                self.lives[live] = None
            if stopped:
                self.lives.pop(live, None)

    async def play(self, connection, frame):
        """Speak while there is sound, give it back, and be silent where that is asked for."""
        match frame["header"]:
            case "DAT02":
                await say(connection, "voice_start")
                await connection.send(frame)
                await say(connection, "voice_continue")
            case "CTL03" | "CTL12":
                await say(connection, "voice_end")


class Director:
    """The calls of a client: a new live_id each time, and another token once.

    Args:
        ids: what to call the lives; without it, each as nothing before.
    """

    def __init__(self, ids=None, fresh=FRESH):
        self.given, self.refreshed, self.fresh = [], 0, fresh
        self.ids = iter(ids) if ids else (f"company_live{number}" for number in range(1000))

    async def new_live(self):
        self.given.append(next(self.ids))
        return {"live_id": self.given[-1], "avatar": AVATAR, "streaming": STREAMING}

    async def fresh_credentials(self):
        self.refreshed += 1
        return {"token": self.fresh}


async def say(connection, kind):
    """Tell a client what the avatar does."""
    await connection.send({"header": "DAT02", "body": {"type": kind, "data": {}}})


@contextlib.asynccontextmanager
async def in_memory(studio, director=None, *, page="avatar-live-server", server=None, **settings):
    """A studio, and a client that has begun, on the virtual clock."""
    calls = {} if page != "avatar-live-server" else {"calls": studio}
    async with (
        Peer(page, studio, **calls, **(server or {})) as peer,
        opened(peer.url, director, transport=peer.dialer, **settings) as client,
    ):
        yield peer, client


def opened(url, director=None, **settings):
    """A client of ours."""
    given = {"app_id": "an-account", "token": TOKEN, "seed": 1} | settings
    return lifecycle.open("avatar-live", url=url, calls=director or Director(), **given)


async def until(wanted):
    """Wait for what another task will bring."""
    with trio.fail_after(30):
        while not wanted():  # noqa: ASYNC110 -- the studio remembers, and tells nobody
            await trio.sleep(0.01)
