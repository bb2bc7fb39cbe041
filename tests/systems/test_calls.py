import json

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lifecycle import CallFailed, WrongParameters
from lifecycle.systems.openclaw import Device, GatewayCalls, calls
from lifecycle.systems.openclaw.calls import IDS, MODES

from .small_gateway import CHALLENGE, unbase64

NAMED = {"id": "cli", "mode": "cli", "version": "1", "platform": " LinuX ", "deviceFamily": "İ PAD"}


async def params(made: GatewayCalls, challenge=CHALLENGE):
    """The params of the connect request."""
    (frame,) = (await made.sign_connect(challenge=challenge)).values()
    assert (frame["type"], frame["id"], frame["method"]) == ("req", "connect", "connect")
    return json.loads(json.dumps(frame["params"]))


@pytest.mark.parametrize(
    ("given", "signed"),
    [
        ({"token": "t"}, "t"),
        ({"token": "t", "device_token": "d"}, "t"),
        ({"device_token": "d"}, "d"),
        ({"password": "p"}, ""),
        ({"password": "p", "device_token": "d"}, "d"),
        ({"token": "", "device_token": "d"}, ""),
        ({}, ""),
    ],
)
async def test_what_is_signed(given, signed):
    """Version 3 of the payload, word for word: which secret stands in it, and how the platform is written."""
    device = Device.create()
    said = await params(GatewayCalls(device=device, client=NAMED, scopes=["a", "b"], **given))
    payload = f"v3|{device.id}|cli|cli|operator|a,b|1795227077694|{signed}|{CHALLENGE['nonce']}|linux|İ pad"
    key = Ed25519PublicKey.from_public_bytes(device.raw)
    key.verify(unbase64(said["device"]["signature"]), payload.encode())
    assert said["device"] | {"signature": ""} == {
        "id": device.id,
        "publicKey": device.public_key,
        "signature": "",
        "signedAt": CHALLENGE["ts"],
        "nonce": CHALLENGE["nonce"],
    }
    names = {"token": "token", "password": "password", "device_token": "deviceToken"}
    assert said.get("auth", {}) == {names[name]: value for name, value in given.items()}


async def test_the_frame_says_nothing_that_the_protocol_does_not_know():
    """All that is said by default, and all that may be added."""
    assert await params(GatewayCalls()) == {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "mode": "backend"} | version_and_platform(),
        "role": "operator",
        "scopes": ["operator.read", "operator.write", "operator.approvals"],
        "caps": [],
        "locale": "en-US",
        "userAgent": f"lifecycle/{version_and_platform()['version']}",
    }
    said = await params(
        GatewayCalls("t", Device.create(), caps=["approvals"], protocols=(3, 4), user_agent="u", locale="de")
    )
    assert set(said) == {
        "minProtocol", "maxProtocol", "client", "role", "scopes", "caps", "locale", "userAgent", "auth", "device",
    }  # fmt: skip
    assert (said["client"]["mode"], said["caps"], said["minProtocol"]) == ("ui", ["approvals"], 3)


def version_and_platform():
    """What depends on where this runs."""
    client = GatewayCalls()._client
    return {name: client[name] for name in ("version", "platform")}


async def test_without_a_challenge_our_clock_is_asked(monkeypatch):
    """The time is ours, in milliseconds, and there is no nonce."""
    monkeypatch.setattr("time.time_ns", lambda: 1_234_567_899_999)
    device = Device.create()
    proof = (await params(GatewayCalls("t", device), None))["device"]
    assert (proof["signedAt"], proof["nonce"]) == (1_234_567, "")


@pytest.mark.parametrize("wrong", [{}, {"nonce": "n"}, {"nonce": "n", "ts": -1}, {"nonce": "n", "ts": True}, {"ts": 1}])
async def test_a_challenge_that_is_none_is_not_signed(wrong):
    """A nonce and a time, or nothing."""
    with pytest.raises(CallFailed) as failed:
        await GatewayCalls("t", Device.create()).sign_connect(challenge=wrong)
    assert failed.value.code == "wrong_challenge"


async def test_who_has_the_token_is_asked_once_and_when_it_is_refused():
    """The first connect asks; the next ones do not, until fresh credentials are wanted."""
    tokens = iter(["one", "two"])

    async def token():
        await trio.sleep(1)
        return next(tokens)

    made = GatewayCalls(token)
    assert [(await params(made))["auth"]["token"] for _ in range(2)] == ["one", "one"]
    await made.fresh_credentials()
    assert (await params(made))["auth"]["token"] == "two"
    with pytest.raises(RuntimeError):  # what the function raises, as it is: here the end of our iterator
        await made.fresh_credentials()
    assert (await params(made))["auth"]["token"] == "two"


@pytest.mark.parametrize("wrong", [None, "", 7])
async def test_what_is_no_token_is_told_without_showing_it(wrong):
    """The error says what came by its type."""

    async def token():
        return wrong

    with pytest.raises(CallFailed, match=type(wrong).__name__) as failed:
        await GatewayCalls(token).fresh_credentials()
    assert failed.value.code == "no_token"


async def test_a_fixed_token_stays():
    """There is nothing fresher, and that is no failure."""
    made = GatewayCalls("t")
    await made.fresh_credentials()
    assert (await params(made))["auth"]["token"] == "t"


async def test_who_pairs_is_told_the_device():
    """Its id, or none; without anybody nothing happens."""
    told = []

    async def pair(device):
        told.append(device)

    device = Device.create()
    await GatewayCalls("t", device, pair=pair).pair_device()
    await GatewayCalls("t", pair=pair).pair_device()
    await GatewayCalls("t", device).pair_device()
    assert told == [device.id, None]


def test_all_that_is_wrong_is_told_at_once():
    """Each with what would be right."""
    with pytest.raises(WrongParameters) as wrong:
        GatewayCalls(
            client={"id": "clawpanel", "mode": "operator", "colour": "red", "version": ""},
            role="worker",
            scopes=["operator.read", ""],
            caps=[7],
            protocols=(4, 3),
        )
    assert wrong.value.problems == (
        "`client` has no colour: it has id, version, platform, mode, displayName, buildId, deviceFamily, modelIdentifier, timeZone, instanceId",
        "`client` needs texts that are not empty: version",
        f"`client` needs an id that gateways know: {', '.join(IDS)}",
        f"`client` needs a mode that gateways know: {', '.join(MODES)}",
        "`role` is one of operator, node, not 'worker'",
        "`scopes` are texts",
        "`caps` are texts",
        "`protocols` are a lowest and a highest version, not (4, 3)",
    )


async def test_secrets_show_themselves_nowhere():
    """Not in the frame as it is shown, nor in the calls, and they are sent all the same."""
    made = GatewayCalls("hidden-token", Device.create(), password="hidden-password", device_token="hidden-device")
    frame = await made.sign_connect(challenge=CHALLENGE)
    assert "hidden" not in f"{frame!r} {made!r} {vars(made)!r}"
    assert json.dumps(frame).count("hidden") == 3


async def test_calls_from_a_command_line(tmp_path):
    """Plain texts: a path, and lists with commas."""
    made = calls(token="t", device=str(tmp_path / "key.pem"), scopes="operator.read, operator.admin", caps="approvals")
    said = await params(made)
    assert said["device"]["id"] == Device.load(tmp_path / "key.pem").id
    assert (said["scopes"], said["caps"]) == (["operator.read", "operator.admin"], ["approvals"])
    assert (await params(calls(password="p", device_token="d")))["auth"] == {"password": "p", "deviceToken": "d"}
