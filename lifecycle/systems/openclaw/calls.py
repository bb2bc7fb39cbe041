"""The calls of the page `openclaw-gateway`: sign the connect frame, pair the device, get credentials that are valid.

Law: what a gateway would refuse for its form is refused here, when the calls are made. A connect frame says nothing
that the protocol does not know. Secrets stand in the frame as `Secret`s, and in nothing that is said.
"""

import string
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, final

from lifecycle.definition.literal import Secret
from lifecycle.errors import CallFailed, WrongParameters

if TYPE_CHECKING:
    from .device import Device

Credentials = str | Callable[[], Awaitable[str]]
"""The token, or how to get the one that is valid now."""
Pair = Callable[[str | None], Awaitable[None]]
"""Called with the device's id, or None without a device."""

SCOPES: Final = ("operator.read", "operator.write", "operator.approvals")
IDS: Final = (
    "webchat-ui", "openclaw-control-ui", "openclaw-browser-copilot", "openclaw-tui", "webchat", "cli",
    "gateway-client", "openclaw-macos", "openclaw-linux", "openclaw-ios", "openclaw-watchos", "openclaw-android",
    "node-host", "openclaw-worker", "test", "fingerprint", "openclaw-probe",
)  # fmt: skip
ROLES: Final = ("operator", "node")
MODES: Final = ("webchat", "cli", "ui", "backend", "node", "worker", "probe", "test")
_CLIENT: Final = (
    "id", "version", "platform", "mode", "displayName", "buildId", "deviceFamily", "modelIdentifier", "timeZone",
    "instanceId",
)  # fmt: skip
_SMALL: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@final
class GatewayCalls:
    """The calls of one client: `lifecycle.open("openclaw-gateway", url=…, calls=GatewayCalls(token, device))`.

    Args:
        token: of the gateway; or an async function that is asked for it, once at first and whenever it is refused.
        device: who this client is. Without one a gateway lets in local clients with the right token only.
        pair: asks somebody to approve the device, or the origin, and returns when the page is to dial again. Without
            it the page just dials again, as often as its `repair_limit` says.
        client: what stands in the frame's `client`, over our own: id, version, platform, mode, displayName, …
        role: `operator` or `node`.
        scopes: what this client wants to be allowed.
        caps: what this client can do beyond the protocol, such as `tool-events`.
        protocols: the lowest and the highest version of the protocol.
        password: of a gateway that has one in place of a token.
        device_token: what an earlier `hello` gave this device.
        locale: the user's language.
        user_agent: what this client is called.

    Raises:
        WrongParameters: a gateway would not understand them; all wrong ones at once.
    """

    def __init__(
        self,
        token: Credentials | None = None,
        device: "Device | None" = None,
        *,
        pair: Pair | None = None,
        client: Mapping[str, str] | None = None,
        role: str = "operator",
        scopes: Sequence[str] = SCOPES,
        caps: Sequence[str] = (),
        protocols: tuple[int, int] = (4, 4),
        password: str | None = None,
        device_token: str | None = None,
        locale: str = "en-US",
        user_agent: str | None = None,
    ) -> None:
        ours = _version()
        self._client = {
            "id": "gateway-client",
            "version": ours,
            "platform": sys.platform,
            "mode": "backend" if device is None else "ui",  # a user interface without a device is let in without scopes
            **(client or {}),
        }
        self._device, self._pair = device, pair
        self._source = None if isinstance(token, str) else token
        self._token = Secret(token) if isinstance(token, str) else None
        self._password = None if password is None else Secret(password)
        self._device_token = None if device_token is None else Secret(device_token)
        self._wishes = {
            "role": role,
            "scopes": list(scopes),
            "caps": list(caps),
            "locale": locale,
            "userAgent": user_agent or f"lifecycle/{ours}",
        }
        self._lowest, self._highest = protocols
        problems = _problems(self._client, self._wishes, protocols)
        if problems:
            raise WrongParameters("openclaw-gateway", problems)

    async def sign_connect(self, *, challenge: Mapping[str, Any] | None) -> dict[str, Any]:
        """Build the connect request.

        Args:
            challenge: the payload of `connect.challenge`, or None if none came.

        Returns:
            `{"frame": …}`, with the id `connect`.

        Raises:
            CallFailed: the challenge is none, or the token is not to be had.
        """
        if self._token is None and self._source is not None:
            await self.fresh_credentials()
        given = {"token": self._token, "password": self._password, "deviceToken": self._device_token}
        auth = {name: value for name, value in given.items() if value is not None}
        params: dict[str, Any] = {
            "minProtocol": self._lowest,
            "maxProtocol": self._highest,
            "client": self._client,
            **self._wishes,
        }
        if auth:
            params["auth"] = auth
        if self._device is not None:
            params["device"] = _proof(self._device, params, challenge)
        return {"frame": {"type": "req", "id": "connect", "method": "connect", "params": params}}

    async def pair_device(self) -> None:
        """Let the embedder pair the device, or have the origin allowed."""
        if self._pair is not None:
            await self._pair(None if self._device is None else self._device.id)

    async def fresh_credentials(self) -> None:
        """Ask for the token that is valid now.

        A token that is a text has nothing fresher. It is tried again all the same, as often as the page's
        `refresh_limit` says: a gateway that has just read a new configuration may know it soon.

        Raises:
            CallFailed: what came is no token. What the function raises is raised as it is.
        """
        if self._source is not None:
            token: object = await self._source()
            if not isinstance(token, str) or not token:
                raise CallFailed("no_token", f"the token must be a text that is not empty, not {type(token).__name__}")
            self._token = Secret(token)


def payload(device: str, params: Mapping[str, Any], signed_at: int, nonce: str) -> str:
    """What a device signs: version 3 of the gateway's payload.

    Args:
        device: its id.
        params: of the connect request.
        signed_at: milliseconds since 1970.
        nonce: of the challenge; empty if none came.
    """
    client, auth = params["client"], params.get("auth", {})
    return "|".join([
        "v3", device, client["id"], client["mode"], params["role"], ",".join(params["scopes"]), str(signed_at),
        str(auth.get("token", auth.get("deviceToken", ""))), nonce,
        *(client.get(name, "").strip().translate(_SMALL) for name in ("platform", "deviceFamily")),
    ])  # fmt: skip


def _proof(device: "Device", params: Mapping[str, Any], challenge: Mapping[str, Any] | None) -> dict[str, Any]:
    signed_at: Any = time.time_ns() // 1_000_000
    nonce: Any = ""
    if challenge is not None:
        signed_at, nonce = challenge.get("ts"), challenge.get("nonce")
        if not isinstance(signed_at, int) or isinstance(signed_at, bool) or signed_at < 0 or not isinstance(nonce, str):
            raise CallFailed("wrong_challenge", "the gateway's challenge has no nonce or no time")
    return {
        "id": device.id,
        "publicKey": device.public_key,
        "signature": device.sign(payload(device.id, params, signed_at, nonce)),
        "signedAt": signed_at,
        "nonce": nonce,
    }


def _version() -> str:
    try:
        return version("connection-lifecycle")
    except PackageNotFoundError:  # used from a folder, and not installed
        return "0"


def _problems(client: Mapping[str, str], wishes: Mapping[str, Any], protocols: Sequence[int]) -> list[str]:
    unknown = sorted(set(client) - set(_CLIENT))
    wrong = [name for name, value in client.items() if not isinstance(value, str) or not value]
    found = [
        (bool(unknown), f"`client` has no {', '.join(unknown)}: it has {', '.join(_CLIENT)}"),
        (bool(wrong), f"`client` needs texts that are not empty: {', '.join(wrong)}"),
        (client["id"] not in IDS, f"`client` needs an id that gateways know: {', '.join(IDS)}"),
        (client["mode"] not in MODES, f"`client` needs a mode that gateways know: {', '.join(MODES)}"),
        (wishes["role"] not in ROLES, f"`role` is one of {', '.join(ROLES)}, not {wishes['role']!r}"),
        *(
            (not all(isinstance(each, str) and each for each in wishes[name]), f"`{name}` are texts")
            for name in ("scopes", "caps")
        ),
        (not 1 <= protocols[0] <= protocols[1], f"`protocols` are a lowest and a highest version, not {protocols!r}"),
    ]
    return [what for is_wrong, what in found if is_wrong]
