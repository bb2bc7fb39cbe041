"""Declarations: what is refused, with its sentence and its place."""

from collections.abc import Callable
from pathlib import Path

Problems = Callable[..., list[str]]


def test_nobody_reads_it(problems: Problems) -> None:
    """What is declared is used."""
    page = """
parameters: {limit: {count: 3}}
variables: {seen: {flag: false}}
calls: {fetch: {timeout: 1 s}}
messages:
  frames: {hello: {type: hello}}
states:
  a: {rest: true}
"""
    assert problems(page) == [
        "3:14: there is the parameter `limit`, which nothing reads: use it or take it out",
        "4:13: there is the variable `seen`, which nothing reads or sets: use it or take it out",
        "5:9: there is the call `fetch`, which nothing calls: use it or take it out",
        "7:12: there is the frame `hello`, which nothing sends: use it or take it out",
    ]


def test_it_is_used_somewhere(problems: Problems) -> None:
    """Whatever reads or sets, sends or calls counts."""
    page = """
parameters:
  limit: {count: 3}
  wait:  {backoff: {first: 1 s}}
  token: {text: optional}
  slow:  {duration: 1 s}
  name:  {text: x}
variables: {seen: {kept: number}, tries: {count: 0, max: limit}, last: {kept: object}}
calls: {fetch: {takes: {who: text}, yields: item, timeout: slow}}
dial: {headers: {X-Token: =token}}
messages:
  codec: json
  routes:
    - {match: {type: x}, keep: {seen: number}, discard: true}
  frames: {item: =item, hello: {after: =last}, request: {id: =id}, cancel: {id: =id}}
requests: {send: request, cancel: cancel}
states:
  a:
    enter: {send: hello}
    clauses:
      X1: {after: wait, by: tries, to: b}
  b:
    call: {fetch: {who: =name}}
    clauses:
      X2: {on: [done, failed], to: a}
"""
    assert problems(page) == []


def test_a_law_reads_it(problems: Problems) -> None:
    """A variable that only a law reads is used."""
    page = """
variables: {seen: {flag: false}}
states:
  a: {rest: true}
laws:
  - {always: {when: not seen}}
"""
    assert problems(page) == []


def test_what_a_used_page_brings(problems: Problems, tmp_path: Path) -> None:
    """What a used page declares in vain is told at the use."""
    used = """lifecycle: 1
page: used
parameters: {pause: {duration: 1 s}}
variables: {seen: {flag: false}}
states:
  a: {rest: true}
"""
    (tmp_path / "used.yaml").write_text(used, encoding="utf-8")
    page = """
states:
  a:
    use: used
"""
    assert problems(page, tmp_path) == [
        "5:5: `used` brings the parameter `pause`, which nothing reads: use it or take it out",
        "5:5: `used` brings the variable `a.seen`, which nothing reads or sets: use it or take it out",
    ]
