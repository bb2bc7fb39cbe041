import json

import pytest

from lifecycle.definition.definition import Definition, _plain
from lifecycle.definition.read import bundled, read, read_text

PAGE = """\
lifecycle: 1
page: p
title: A page
about: made up
role: client
parameters:
  wait: {duration: 10 s, help: how long}
variables:
  tries: {count: 0, max: 3}
hears: {connect: {}, disconnect: {}}
causes:
  - {close: 1008, is: refused.policy, say: The server refuses.}
  - {http: 403, is: refused.policy}
  - {otherwise: true, is: lost.network}
messages:
  codec: json
  routes:
    - {match: {type: a}, discard: true}
    - {deliver: true}
states:
  idle:
    status: idle
    needs: none
    rest: true
    ignore: [disconnect]
    clauses:
      P1: {on: connect, do: {set: {tries: 0}}, to: online}
  online:
    use: connection
    with: {url: "wss://example.org"}
    ignore: [connect]
    clauses:
      P2: {on: done, to: idle}
      P3: {on: [lost, refused], when: tries < 3, do: {set: {tries: =tries + 1}}, to: waiting, say: Once more.}
      P4: {on: [lost, refused], to: idle}
  waiting:
    status: waiting
    needs: none
    clauses:
      P5: {after: wait, to: online}
      P6: {on: [connect, disconnect], to: idle}
"""


def hashed(old: str = "", new: str = "") -> str:
    """The hash of the page with one piece replaced."""
    assert old in PAGE
    return read_text(PAGE.replace(old, new, 1), "p.yaml").hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("page: p\n", "page: p   # a comment\n\n# and another\n"),
        ("title: A page\n", "title: Another title\n"),
        ("title: A page\n", ""),
        ("about: made up\n", "about: found\n"),
        ("help: how long", "help: for how long"),
        (", help: how long", ""),
        ("say: The server refuses.", "say: No."),
        (", say: Once more.", ""),
        ("[connect, disconnect]", '[  "connect", disconnect ]'),
        ("{after: wait, to: online}", "\n        to: online\n        after: wait"),
        ("tries < 3", "(tries)<3"),
        ("10 s", "10000 ms"),
        ("close: 1008", "close: [1008]"),
        ("role: client\n", "role: client\ntrace: {session: =wait, event: id}\n"),
    ],
)
def test_how_a_page_is_explained_and_spelt_changes_nothing(old: str, new: str) -> None:
    """Comments, titles, helps, sentences, names for traces, order of keys, and another way of saying the same."""
    assert hashed(old, new) == hashed()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("page: p", "page: q"),
        ("duration: 10 s", "duration: 11 s"),
        ("duration: 10 s", "duration: 10 s, min: 1 s"),
        ("max: 3", "max: 4"),
        ("close: 1008", "close: 1009"),
        ("is: refused.policy", "is: refused.other"),
        ("codec: json", "codec: text"),
        ("match: {type: a}", "match: {type: b}"),
        ("    - {match: {type: a}, discard: true}\n", ""),
        ("status: idle", "status: closed"),
        ("    needs: none\n    rest: true", "    rest: true"),
        ("example.org", "example.com"),
        ("P5", "P7"),
        ("tries < 3", "tries <= 2"),
        ("=tries + 1", "=tries + 2"),
        ("{on: [lost, refused], to: idle}", "{on: [lost, refused], to: waiting}"),
        ("{after: wait, to: online}", "{after: wait, do: {emit: again}, to: online}"),
        ("waiting:\n    status: waiting", "waiting:\n    enter: {emit: waits}\n    status: waiting"),
        ("wait: {duration: 10 s", "close_timeout: {duration: 1 s}\n  wait: {duration: 10 s"),
    ],
)
def test_what_a_page_does_is_in_its_hash(old: str, new: str) -> None:
    """Names, lengths, codes, guards, effects, targets, and what is fixed of a used page."""
    assert hashed(old, new) != hashed()


def test_the_order_of_rows_is_behaviour() -> None:
    """The first that fits decides."""
    first, second = (row for row in PAGE.splitlines(keepends=True) if "refused.policy" in row)
    assert hashed(first + second, second + first) != hashed()


def test_where_a_page_stands_is_not_in_its_hash() -> None:
    """The same text under another name of a file, and read twice."""
    assert read_text(PAGE, "somewhere/else.yaml").hash == read_text(PAGE, "p.yaml").hash


def test_every_bundled_page_has_its_own() -> None:
    """Sixty-four digits; no two pages do the same."""
    hashes = {read(name).hash for name in bundled()}
    assert len(hashes) == len(bundled())
    assert {len(each) for each in hashes} == {64}


def test_a_definition_is_read_as_itself() -> None:
    """Who has one already may pass it wherever a page is taken."""
    definition = read("heartbeat")
    assert isinstance(definition, Definition)
    assert read(definition) is definition


def test_a_key_that_came_later_is_in_the_hash_where_it_is_said() -> None:
    """A page that does not know it has the hash that it had before; one that says it does something else."""
    row = "{close: 1008, is: refused.policy, say: The server refuses.}"
    assert '"endpoint"' not in json.dumps([_plain(each) for each in read_text(PAGE, "p.yaml").causes])
    assert hashed(row, row.replace("}", ", endpoint: next}")) != hashed()
