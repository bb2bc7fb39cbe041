from hypothesis import given
from hypothesis import strategies as st

from lifecycle.systems.openclaw.history import id_of, merge

from .small_gateway import row


def numbers(messages):
    """Which rows they are."""
    return [message["__openclaw"]["seq"] for message in messages]


def rows(these):
    """Rows of a transcript."""
    return [row(number) for number in these]


def test_what_a_message_is_called():
    """By its record, else by its id, else by what stands in it."""
    assert id_of(row(3)) == "id-3"
    assert id_of({"id": "a", "messageId": "b"}) == "a"
    assert id_of({"messageId": "b", "__openclaw": {"seq": 1}}) == "b"
    assert id_of({"content": "x", "id": ""}) == id_of({"id": "", "content": "x"})
    assert id_of({"content": "x"}) != id_of({"content": "y"})


def test_the_first_history_is_new():
    """And what came meanwhile stands behind it, once."""
    merged = merge([], rows([1, 2, 3]), rows([3, 4]))
    assert (numbers(merged.messages), numbers(merged.new), merged.continuous) == ([1, 2, 3, 4], [1, 2, 3, 4], True)


def test_what_was_missed_is_new():
    """From the first that is known on; what lies before it was trimmed, and is not told again."""
    merged = merge(rows([3, 4, 6]), rows([1, 2, 3, 4, 5, 6, 7]), rows([8]))
    assert (numbers(merged.messages), numbers(merged.new), merged.continuous) == (
        [1, 2, 3, 4, 5, 6, 7, 8],
        [5, 7, 8],
        True,
    )


def test_a_history_that_does_not_reach_back_says_so():
    """What is known stays, and all that was fetched is new."""
    merged = merge(rows([1, 2]), rows([8, 9]), [])
    assert (numbers(merged.messages), numbers(merged.new), merged.continuous) == ([1, 2, 8, 9], [8, 9], False)


def test_what_the_history_leaves_out_is_gone():
    """It is right about what stands between its own messages."""
    assert numbers(merge(rows([1, 2, 3, 4]), rows([2, 4]), []).messages) == [1, 2, 4]


def test_messages_of_one_record_stay_together():
    """Several with one name in a history are several messages; the same one again later is not new."""
    twice = [row(1, "call"), row(1, "result"), row(2)]
    first = merge([], twice, [])
    assert first.messages == tuple(twice)
    assert merge(first.messages, twice, []).new == ()
    assert [each["content"] for each in merge([row(1, "call")], twice, []).new] == ["result", "message 2"]


@st.composite
def lives(draw):
    """A transcript, what of it came live, what a history of it holds, and what came while it was fetched."""
    length = draw(st.integers(0, 40))
    asked = draw(st.integers(0, length))
    fetched_at = draw(st.integers(asked, length))
    seen = sorted(draw(st.sets(st.integers(0, max(0, asked - 1)), max_size=asked))) if asked else []
    window = draw(st.integers(1, 20))
    kept = draw(st.integers(1, 15))
    return {
        "seen": seen,
        "known": seen[-kept:],
        "fetched": list(range(max(0, fetched_at - window), fetched_at)),
        "fresh": list(range(asked, length)),
        "length": length,
    }


@given(lives())
def test_a_merge_keeps_the_order_and_has_no_doubles(life):
    """Each message once, in its order; from the first that is known on none is missing, if that is what is said."""
    merged = merge(rows(life["known"]), rows(life["fetched"]), rows(life["fresh"]))
    all_, new = numbers(merged.messages), numbers(merged.new)
    assert all_ == sorted(set(all_))
    assert new == sorted(set(new))
    assert not set(new) & set(life["known"])
    assert set(life["fresh"]) <= set(all_)
    assert set(life["known"]) & set(life["fetched"]) <= set(all_)
    met = [number for number in life["fetched"] if number in life["known"]]
    assert merged.continuous == (bool(met) or not life["known"])
    if merged.continuous:
        start = met[0] if met else min(all_, default=life["length"])
        assert [number for number in all_ if number >= start] == list(range(start, life["length"]))


@given(lives())
def test_a_merge_again_changes_nothing(life):
    """When the history is asked for again, with nothing said meanwhile, nothing is new, and nothing goes."""
    once = merge(rows(life["known"]), rows(life["fetched"]), rows(life["fresh"]))
    last = list(range(max(0, life["length"] - len(life["fetched"])), life["length"]))
    twice = merge(once.messages, rows(last), [])
    if once.continuous or not last:
        assert twice.new == ()
        assert [n for n in numbers(once.messages) if n not in numbers(twice.messages)] == []


plain = st.dictionaries(
    st.sampled_from(["id", "messageId", "content", "__openclaw"]),
    st.none() | st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2) | st.just({"id": "a"}),
    max_size=3,
)


@given(st.lists(plain, max_size=6), st.lists(plain, max_size=6), st.lists(plain, max_size=6))
def test_any_messages_are_merged(known, fetched, fresh):
    """Whatever shape they have, the history stands in the result as it is."""
    merged = merge(known, fetched, fresh)
    at = merged.messages.index(fetched[0]) if fetched else 0
    assert any(
        list(merged.messages[start : start + len(fetched)]) == fetched for start in range(at, len(merged.messages) + 1)
    )
