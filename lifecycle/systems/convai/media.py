"""The microphone and camera of whoever embeds a session.

Law: nothing of sound or picture is here; an embedder brings what his platform has, and says what goes wrong by the
errors of Python.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Literal

from .room_error import DeviceUnsupported, NotAllowed, RoomError

Device = Literal["microphone", "camera"]


class Media(ABC):
    """What a session switches on and off."""

    @abstractmethod
    async def switch(self, device: Device, *, on: bool) -> None:
        """Publish a device, or stop that.

        Args:
            device: `microphone` or `camera`.
            on: whether it is to be heard or seen.

        Raises:
            PermissionError: the user, or his system, does not allow it.
            OSError: there is no such device, or it cannot be used.
            RoomError: as the room says it.
        """


async def guarded(device: Device, switch: Callable[[], Awaitable[None]]) -> None:
    """Switch a device; whatever goes wrong with it is a RoomError.

    Raises:
        NotAllowed: nobody gave the permission.
        DeviceUnsupported: there is no such device, or it cannot be used.
    """
    try:
        await switch()
    except RoomError:
        raise
    except PermissionError as error:
        raise NotAllowed(f"the {device} is not allowed: {error}") from error
    except OSError as error:
        raise DeviceUnsupported(f"the {device} cannot be used: {error}") from error
