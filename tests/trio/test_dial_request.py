import pytest

from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest


@pytest.mark.parametrize(
    ("url", "host", "port", "secure", "resource", "authority"),
    [
        ("ws://example.org", "example.org", 80, False, "/", "example.org"),
        ("wss://example.org/", "example.org", 443, True, "/", "example.org"),
        ("ws://example.org:443/a", "example.org", 443, False, "/a", "example.org:443"),
        ("WSS://Example.ORG:8443?b", "example.org", 8443, True, "/?b", "example.org:8443"),
        ("ws://example.org:/a/../b;c?d=e/f?g", "example.org", 80, False, "/a/../b;c?d=e/f?g", "example.org"),
        ("ws://[::1]:8080/", "::1", 8080, False, "/", "[::1]:8080"),
        ("ws://[::1]", "::1", 80, False, "/", "[::1]"),
        ("ws://bücher.example/é?ü=%C3%BC", "xn--bcher-kva.example", 80, False, "/%C3%A9?%C3%BC=%C3%BC", None),
    ],
)
def test_a_url_is_taken_apart(
    url: str, host: str, port: int, *, secure: bool, resource: str, authority: str | None
) -> None:
    """Host, port, security and resource are read, and what was written encoded stays as it is."""
    request = DialRequest.parse(url)
    assert request == DialRequest(host=host, port=port, secure=secure, resource=resource)
    assert request.authority == (authority or host)
    assert request.limit == DEFAULT_LIMIT


@pytest.mark.parametrize(
    ("query", "resource"),
    [
        ({}, "/p?a=1&b=%2f&b=+&c"),
        ({"d": "x y&z=é/"}, "/p?a=1&b=%2f&b=+&c&d=x%20y%26z%3D%C3%A9%2F"),
        ({"a": 2, "b": None}, "/p?b=%2f&b=+&c&a=2"),
        ({"b": ["x", None, "y"], "c": ""}, "/p?a=1&b=x&b=y&c="),
        ({"a": True, "b": False, "c": 1.5}, "/p?a=true&b=false&c=1.5"),
        ({"a": [], "b": [], "c": []}, "/p"),
    ],
)
def test_parameters_join_the_query(query: dict[str, object], resource: str) -> None:
    """A parameter takes the place of those of its name, None is left out, the others stay as they were written."""
    assert DialRequest.parse("ws://h/p?a=1&b=%2f&b=+&c", query).resource == resource


def test_a_parameter_is_known_by_its_decoded_name() -> None:
    """A name that is written encoded in the URL is the same name."""
    assert DialRequest.parse("ws://h/?%61+b=1&c=2", {"a b": 3}).resource == "/?c=2&a%20b=3"


def test_headers_and_subprotocols() -> None:
    """They keep their order; numbers and flags become text, None is left out, white space around a value too."""
    headers = {"Authorization": "Bearer x ", "X-None": None, "X-Number": 7, "X-Flag": True, "X-Tab": "a\tb"}
    request = DialRequest.parse("ws://h", None, headers, ["b.v2", "a"], 5)
    assert request.headers == (
        ("Authorization", "Bearer x"),
        ("X-Number", "7"),
        ("X-Flag", "true"),
        ("X-Tab", "a\tb"),
    )
    assert request.subprotocols == ("b.v2", "a")
    assert request.limit == 5


def test_secrets_are_not_shown() -> None:
    """Neither headers nor the query are in the repr."""
    request = DialRequest.parse("ws://h/path?token=secret", {"k": "secret"}, {"Authorization": "secret"})
    assert "secret" not in repr(request)
    assert "resource='/path?…'" in repr(request)
    assert "resource='/path'" in repr(DialRequest.parse("ws://h/path"))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://h/", "must be ws or wss, not 'http'"),
        ("h/path", "must be ws or wss, not 'empty'"),
        ("ws:///path", "has no host"),
        ("ws://:80/path", "has no host"),
        ("ws://h:0/", "from 1 to 65535"),
        ("ws://h:65536/", "from 1 to 65535"),
        ("ws://h:x/", "from 1 to 65535"),
        ("ws://[::1/", "look at its brackets"),
        ("ws://h/a b", "a space or a control character"),
        ("ws://h/\n", "a space or a control character"),
        ("ws://user:secret@h/", "send it in the header Authorization"),
        ("ws://h/#part", r"a fragment \(#\)"),
        ("ws://h/#", r"a fragment \(#\)"),
        (f"ws://{'a' * 64}.example/", "not a name of the internet"),
    ],
)
def test_a_bad_url_is_refused(url: str, sentence: str) -> None:
    """The sentence says what is wrong, and keeps secrets."""
    with pytest.raises(ValueError, match=sentence) as caught:
        DialRequest.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"X": "secret\r\nY: 1"}, "'X' has a value with a line end"),
        ({"X": "secret\n"}, "'X' has a value with a line end"),
        ({"X": "secret\0"}, "control character"),
        ({"X\r\nY": "secret"}, "a name that HTTP forbids"),
        ({"X\0": "secret"}, "a name that HTTP forbids"),
        ({"": "secret"}, "a name that HTTP forbids"),
        ({"X Y": "secret"}, "a name that HTTP forbids"),
        ({"X": "secret €"}, "outside ISO 8859-1, at 7"),
        ({"X": b"secret"}, "must be text, a number or a flag, not bytes"),
        ({"host": "secret"}, "writes it by itself"),
        ({"Sec-WebSocket-Key": "secret"}, "writes it by itself"),
    ],
)
def test_a_bad_header_is_refused(headers: dict[str, object], sentence: str) -> None:
    """The sentence names the header and does not show its value, nor does the traceback."""
    with pytest.raises(ValueError, match=sentence) as caught:
        DialRequest.parse("ws://h", headers=headers)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_other_bad_things_are_refused() -> None:
    """A parameter of a wrong kind, a subprotocol that is no token, and a limit that lets nothing through."""
    with pytest.raises(ValueError, match="the query parameter 'a' must be text, a number or a flag, not dict"):
        DialRequest.parse("ws://h", {"a": {}})
    with pytest.raises(ValueError, match="the subprotocol 'a, b' is not a token"):
        DialRequest.parse("ws://h", subprotocols=["a, b"])
    with pytest.raises(ValueError, match="at least 1 byte, not 0"):
        DialRequest.parse("ws://h", limit=0)
