import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.systems.openclaw.hello import protocol_of, session_key_of, snapshot_of, veiled, version_of

names = st.sampled_from(
    ["snapshot", "server", "version", "serverVersion", "protocol", "sessionDefaults", "mainSessionKey", "auth",
     "defaultAgentId", "deviceToken", "pluginSurfaceUrls", "x"]
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("hello", "protocol"),
    [
        (None, None),
        ({"protocol": 4}, 4),
        ({"protocolVersion": 3, "server": {"version": "2026.9.6"}}, 3),
        ({"negotiatedProtocol": 4}, 4),
        ({"protocol": "5", "server": {"version": "2026.5.12"}}, 4),
        ({"server": {"version": "2026.5.11"}}, 3),
        ({"server": {"version": "2026.5.12-beta.1"}}, 4),
        ({"serverVersion": "2027.1.1"}, 4),
        ({"serverVersion": "2026.12.1"}, 4),
        ({"serverVersion": "2026.5"}, 3),
        ({"serverVersion": "none"}, 3),
        ({}, 3),
    ],
)
def test_the_protocol(hello, protocol):
    """As the gateway says, else by its version."""
    assert protocol_of(hello) == protocol


@pytest.mark.parametrize(
    ("defaults", "key"),
    [
        ({"mainSessionKey": "agent:a:b", "defaultAgentId": "c"}, "agent:a:b"),
        ({"defaultAgentId": "c"}, "agent:c:main"),
        ({"mainSessionKey": ""}, "agent:main:main"),
        (None, "agent:main:main"),
    ],
)
def test_the_main_session(defaults, key):
    """As the gateway says, else that of its default agent."""
    assert session_key_of({"snapshot": {"sessionDefaults": defaults}}) == key


@given(json_values)
def test_any_hello_is_read(value):
    """Whatever shape it has, nothing is raised."""
    hello = value if isinstance(value, dict) else {"snapshot": value, "server": value}
    assert isinstance(protocol_of(hello), int)
    assert isinstance(session_key_of(hello), str)
    assert version_of(hello) is None or isinstance(version_of(hello), str)
    assert isinstance(dict(snapshot_of(hello)), dict)
    assert veiled(hello) == hello
    assert json.dumps(veiled(hello)) == json.dumps(hello)


def test_secrets_are_veiled():
    """Tokens and the addresses of surfaces can be used, and do not show."""
    hello = {
        "auth": {
            "deviceToken": "hidden-1",
            "role": "operator",
            "deviceTokens": [{"deviceToken": "hidden-2"}],
            "recoveryScope": "hidden-3",
        },
        "pluginSurfaceUrls": {"canvas": "hidden-4", "list": ["hidden-5"]},
    }
    shown = veiled(hello)
    assert "hidden" not in repr(shown)
    assert "operator" in repr(shown)
    assert shown["auth"]["deviceToken"] == "hidden-1"
    assert json.dumps(shown) == json.dumps(hello)
