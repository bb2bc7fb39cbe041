"""What a simulated peer says in frames of avatar_live: frames that the codec takes, in which a route finds what it looks for."""

import random
from typing import Any

import pytest

from lifecycle.definition.read import read
from lifecycle.testing.simulate.frames import frame_of, user_frame
from lifecycle.testing.simulate.words import Words
from lifecycle.wire.codec import Undecodable, encoder, reader

DICE = random.Random(1)


@pytest.mark.parametrize(
    ("found", "serial", "frame"),
    [
        ({"header": "MSG02"}, None, {"header": "MSG02"}),
        ({"header": "MSG00", "body": {"code": 1000}}, None, {"header": "MSG00", "body": {"code": 1000}}),
        ({"header": "CTL00", "body": 7}, None, {"header": "CTL00"}),
        ({"body": {"type": "voice_start"}}, 3, {"header": "DAT02", "body": {"type": "voice_start", "serial": 3}}),
        ({"header": "DAT01", "body": "text"}, 4, {"header": "DAT01", "body": {"serial": 4}}),
    ],
)
def test_what_is_made_of_what_was_made_up(found: dict[str, Any], serial: int | None, frame: dict[str, Any]) -> None:
    """It stands where the route looks for it; what no frame can hold is left out; and the codec takes it."""
    assert frame_of(found, serial, DICE) == frame
    assert encoder("avatar")(frame)


def test_every_route_of_both_ends_has_a_word() -> None:
    """Objects and sound, each told from all others; and what was damaged is none of the codec."""
    for name, refusals in (("avatar-live", 12), ("avatar-live-server", 0)):
        words = Words(read(name))
        assert words.sayable == tuple(range(len(words.routes)))
        assert len(words.refusals) == refusals
        said = [words.say(words.delivering[-1], serial, random.Random(serial)) for serial in range(40)]
        assert {type(each.data) for each in said if each is not None} == {str, bytes}
        values = [repr(each.value) for each in said if each is not None]
        assert len({*values}) == len(values) == 40
        assert said[0] is not None
        with pytest.raises(Undecodable):
            reader("avatar", 1000).decode(words.garbage(said[0], 1).messages[0])


def test_a_peer_without_routes_speaks_in_frames() -> None:
    """A page that delivers everything gets text in frames; what the user sends can be found again."""
    page = read("avatar-live")
    words = Words(page)
    words.routes = ()
    said = words.say(0, 5, DICE)
    assert said is not None
    assert said.value["header"] == "DAT01"
    assert encoder("avatar")(user_frame(5, "pad")) == '|DAT|02|{"u":5,"pad":"pad"}'
