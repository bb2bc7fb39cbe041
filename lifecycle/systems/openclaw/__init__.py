"""A client of an OpenClaw gateway: the calls of its page, and the methods that a program needs.

Law: importing it needs the extra `openclaw`. Everything public is named here.
"""

from .calls import SCOPES, Credentials, GatewayCalls
from .device import Device
from .gateway import Gateway, open_gateway
from .info import Info
from .messages import Messages
from .stream import Stream

__all__ = [
    "Credentials",
    "Device",
    "Gateway",
    "GatewayCalls",
    "Info",
    "Messages",
    "Stream",
    "calls",
    "open_gateway",
]


def calls(
    *,
    token: str | None = None,
    password: str | None = None,
    device: str | None = None,
    device_token: str | None = None,
    scopes: str | None = None,
    caps: str | None = None,
) -> GatewayCalls:
    """The calls of the page from texts, as a command line gives them.

    Args:
        token: of the gateway.
        password: of a gateway that has one in place of a token.
        device: the path of the device's key file, which is made if it is not there.
        device_token: what an earlier `hello` gave this device.
        scopes: what to ask for, with commas between.
        caps: what this client can do beyond the protocol, likewise.

    Raises:
        WrongParameters: the key file is none, or they do not fit the protocol.
    """
    return GatewayCalls(
        token,
        Device.load(device) if device is not None else None,
        password=password,
        device_token=device_token,
        scopes=SCOPES if scopes is None else _listed(scopes),
        caps=() if caps is None else _listed(caps),
    )


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
