"""Which live_ids are a program's own, and which of them it still uses.

Law: what is not in here is somebody else's. Bounded: the oldest that nobody uses is forgotten first.
"""

from collections.abc import Iterable
from typing import Final, final

MOST: Final = 4096


@final
class OwnSessions:
    """The sessions of one program; give it to each `open_hiagent` of the program.

    Args:
        earlier: live_ids of an earlier run, such as one that was killed: they are ours, and nobody uses them. Of ids
            that another program may be using, name none.
    """

    def __init__(self, earlier: Iterable[str] = ()) -> None:
        # {live_id: how many of the program's sessions use it}
        self._users: dict[str, int] = dict.fromkeys(earlier, 0)

    def __contains__(self, live_id: object) -> bool:
        """Whether it is ours."""
        return live_id in self._users

    def __len__(self) -> int:
        """How many are known."""
        return len(self._users)

    def used(self, live_id: str) -> bool:
        """Whether a session of this program uses it."""
        return self._users.get(live_id, 0) > 0

    def take(self, live_id: str) -> None:
        """One more session uses it."""
        self._users[live_id] = self._users.pop(live_id, 0) + 1
        if len(self._users) > MOST:
            idle = next((each for each, users in self._users.items() if not users), None)
            if idle is not None:
                del self._users[idle]

    def leave(self, live_id: str) -> None:
        """One session less uses it; it stays ours."""
        if live_id in self._users:
            self._users[live_id] = max(0, self._users[live_id] - 1)

    def forget(self, live_id: str) -> None:
        """It is over, and the backend knows: it is nobody's, unless another session uses it."""
        if not self.used(live_id):
            self._users.pop(live_id, None)
