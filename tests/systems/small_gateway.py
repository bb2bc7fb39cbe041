"""A small gateway of ours that speaks the gateway's wire: it challenges, checks the signature, and answers requests."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Callable
from typing import Any

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lifecycle import Connection, LifecycleError

TOKEN = "token-of-the-small-gateway"
MAIN = "agent:main:main"
CHALLENGE = {"nonce": "9e977f37-6edf-4d83-bcae-23a43b667ea1", "ts": 1795227077694}


class Refused(Exception):
    """What a request is refused with."""

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None, **more: Any) -> None:
        self.error = {"code": code, "message": message, "details": details or {}, **more}


def unbase64(text: str) -> bytes:
    """What base64url without padding stands for."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def row(number: int, text: str = "") -> dict[str, Any]:
    """A message as a transcript has it."""
    return {
        "role": "user",
        "content": text or f"message {number}",
        "__openclaw": {"id": f"id-{number}", "seq": number},
    }


@attrs.define
class SmallGateway:
    """`async with Peer(handler=gateway.serve) as peer`, or `lifecycle.serve("websocket-server", gateway.serve, …)`.

    Attributes:
        token: the one that is right now.
        hello: over what is usually said.
        challenges: whether it does.
        unpaired: whether it approves of no device.
        answers: a function of the params for each method that it knows.
        connects: the params of every connect request.
        asked: the method and params of every other one.
        transcripts: of each session.
        keys: idempotency keys that came.
        clients: who is let in, and the number of the last event that was sent there.
    """

    token: str = TOKEN
    hello: dict[str, Any] = attrs.field(factory=dict)
    challenges: bool = True
    unpaired: bool = False
    answers: dict[str, Callable[[dict[str, Any]], Any]] = attrs.field(factory=dict)
    connects: list[dict[str, Any]] = attrs.field(factory=list)
    asked: list[tuple[str, dict[str, Any]]] = attrs.field(factory=list)
    transcripts: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    keys: list[str] = attrs.field(factory=list)
    clients: dict[Connection, int] = attrs.field(factory=dict)

    async def serve(self, connection: Connection) -> None:
        """One client."""
        if self.challenges:
            await connection.send(json.dumps({"type": "event", "event": "connect.challenge", "payload": CHALLENGE}))
        try:
            async for message in connection:
                frame = json.loads(message)
                answer = {"type": "res", "id": frame["id"]}
                try:
                    payload = self._answer(connection, frame["method"], frame["params"])
                except Refused as refused:
                    await connection.send(json.dumps({**answer, "ok": False, "error": refused.error}))
                    continue
                if payload is not None:
                    await connection.send(json.dumps({**answer, "ok": True, "payload": payload}))
        finally:
            self.clients.pop(connection, None)

    def say(self, event: str, payload: Any = None, *, skip: int = 0) -> None:
        """Send an event to everybody; `skip` so many numbers before."""
        for client in self.clients:
            self.clients[client] += 1 + skip
            frame = {"type": "event", "event": event, "payload": payload, "seq": self.clients[client]}
            with contextlib.suppress(LifecycleError):
                client.post(json.dumps(frame))

    def write(self, number: int, session: str = MAIN, *, told: bool = True) -> None:
        """Add a message to a transcript, and tell who listens."""
        self.transcripts.setdefault(session, []).append(row(number))
        if told:
            self.say("session.message", {"sessionKey": session, "message": row(number), "messageId": f"id-{number}"})

    def methods(self) -> list[str]:
        """What was asked for."""
        return [method for method, _ in self.asked]

    def _answer(self, client: Connection, method: str, params: dict[str, Any]) -> Any:
        if method == "connect":
            self.connects.append(params)
            self._check(params)
            self.clients[client] = 0
            return self._hello()
        self.asked.append((method, params))
        if method in self.answers:
            return self.answers[method](params)
        match method:
            case "sessions.messages.subscribe" | "sessions.messages.unsubscribe":
                return {"subscribed": method.endswith(".subscribe"), "key": params["key"]}
            case "chat.history":
                rows = self.transcripts.get(params["sessionKey"], [])
                return {"sessionKey": params["sessionKey"], "sessionId": "s", "messages": rows[-params["limit"] :]}
            case "chat.send":
                again = params["idempotencyKey"] in self.keys
                self.keys.append(params["idempotencyKey"])
                return {"runId": params["idempotencyKey"], "status": "in_flight" if again else "started"}
        raise Refused("INVALID_REQUEST", f"unknown method: {method}")

    def _check(self, params: dict[str, Any]) -> None:
        if params.get("auth", {}).get("token") != self.token:
            raise Refused("INVALID_REQUEST", "unauthorized: token mismatch", {"code": "AUTH_TOKEN_MISMATCH"})
        device, client = params.get("device"), params["client"]
        if device is None:
            return
        key = unbase64(device["publicKey"])
        said = [
            "v3", hashlib.sha256(key).hexdigest(), client["id"], client["mode"], params["role"],
            ",".join(params["scopes"]), str(CHALLENGE["ts"]), self.token, CHALLENGE["nonce"], client["platform"], "",
        ]  # fmt: skip
        Ed25519PublicKey.from_public_bytes(key).verify(unbase64(device["signature"]), "|".join(said).encode())
        if self.unpaired:
            details = {"code": "PAIRING_REQUIRED", "reason": "not-paired"}
            raise Refused("NOT_PAIRED", "pairing required: device is not approved yet", details)

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello-ok",
            "protocol": 4,
            "server": {"version": "2026.9.6", "bootId": "b"},
            "snapshot": {"sessionDefaults": {"mainSessionKey": MAIN, "defaultAgentId": "main"}, "uptimeMs": 1},
            "pluginSurfaceUrls": {"canvas": "http://127.0.0.1/cap/hidden-url"},
            "auth": {"role": "operator", "deviceToken": "hidden-device-token"},
            "policy": {"tickIntervalMs": 30000},
            **self.hello,
        }
