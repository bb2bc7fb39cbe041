from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from lifecycle.definition import page, presets
from lifecycle.definition.read import read_text, yaml12
from lifecycle.definition.schema import schema

FAMILIES = {"lost", "refused", "ended", "unauthorized"}


@pytest.fixture
def bare() -> Iterator[None]:
    """A house in which nobody has said where presets come from."""
    kept = list(presets._loaders)
    presets._loaders.clear()
    yield
    presets._loaders[:] = kept


def fitting(name: str, code: int) -> str | None:
    """What a preset says of a close code."""
    for row in presets.causes()[name]:
        if row.close and row.close != "any" and any(low <= code <= high for low, high in row.close):
            return row.is_
    return None


def test_there_are_five() -> None:
    """One for each protocol whose codes are written down somewhere."""
    assert list(presets.causes()) == ["rfc6455", "iana", "centrifuge", "graphql_ws", "socketio"]


def test_they_are_read_once() -> None:
    """Whoever asks gets the same rows."""
    assert presets.causes() is presets.causes()


def test_without_a_reader_there_are_none(bare: None) -> None:
    """This room knows no YAML, so it has only what the reader gives it."""
    assert presets.causes() == {}
    rows = {"mine": (page.Cause(otherwise=True),)}
    presets.provide(dict)
    presets.provide(lambda: rows)
    assert presets.causes() == rows


@pytest.mark.parametrize("name", ["rfc6455", "iana", "centrifuge", "graphql_ws", "socketio"])
def test_a_preset_says_little_and_decides_nothing_last(name: str) -> None:
    """It names events of four families; `otherwise` and other presets are the page's own business."""
    for row in presets.causes()[name]:
        assert row.is_ is not None
        assert row.is_.partition(".")[0] in FAMILIES
        assert not row.otherwise
        assert row.use is None
        assert row.say is not None or not row.is_.startswith(("refused.", "unauthorized."))


@pytest.mark.parametrize(
    ("name", "code", "event"),
    [
        ("rfc6455", 1000, "ended.normal"),
        ("rfc6455", 1008, "refused.policy"),
        ("rfc6455", 1012, None),
        ("iana", 1012, "lost.restarting"),
        ("iana", 3000, "unauthorized.credentials"),
        ("centrifuge", 3000, "lost.told_to_reconnect"),
        ("centrifuge", 3499, "lost.told_to_reconnect"),
        ("centrifuge", 3500, "refused.invalid_token"),
        ("centrifuge", 3501, "refused.disconnected"),
        ("centrifuge", 4499, "lost.told_to_reconnect"),
        ("centrifuge", 4500, "refused.disconnected"),
        ("graphql_ws", 4401, "unauthorized.credentials"),
        ("graphql_ws", 4429, "refused.initialised_twice"),
        ("graphql_ws", 1002, "refused.protocol"),
        ("graphql_ws", 1012, "lost.network"),
    ],
)
def test_the_first_row_that_fits_a_code_decides(name: str, code: int, event: str | None) -> None:
    """As the documents of each protocol say it."""
    assert fitting(name, code) == event


def test_centrifuge_knows_each_of_its_codes() -> None:
    """Its ranges have no hole between 3000 and 4999."""
    assert [code for code in range(3000, 5000) if fitting("centrifuge", code) is None] == []


PAGE = """
lifecycle: 1
page: p
role: client
hears: {connect: {}, disconnect: {}}
causes:
  - {close: 1008, is: refused.here, say: No.}
  - {use: PRESET}
  - {otherwise: true, is: lost.other}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect], clauses: {X1: {on: connect, to: on}}}
  on:
    use: connection
    with: {url: "wss://example.org"}
    ignore: [connect]
    clauses:
      X2: {on: [done, lost, ended, refused], to: idle}
"""


def test_a_page_takes_the_rows_where_it_names_them() -> None:
    """Its own rows above win, its last is still the last; each row says whose it is."""
    definition = read_text(PAGE.replace("PRESET", "rfc6455"))
    events = [row.is_ for row in definition.causes]
    assert events[:2] == ["refused.here", "ended.normal"]
    assert events[-1] == "lost.other"
    assert [row.use for row in definition.causes] == [None, *["rfc6455"] * len(presets.causes()["rfc6455"]), None]


def test_a_preset_that_is_not_there(problems: Callable[..., list[str]]) -> None:
    """Is told with the one that was meant."""
    told = problems(PAGE.replace("PRESET", "rfc6544").split("page: p", 1)[1])
    assert told == ["7:11: no preset of causes is called `rfc6544`: did you mean `rfc6455`?"]


def test_their_file_is_a_page_of_rows() -> None:
    """Each fits the schema of a row, as if it stood in a page."""
    rows, _ = yaml12.read_file(Path(yaml12.__file__).with_name("causes.yaml"))
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/Cause", "$defs": schema()["$defs"]})
    assert [error.message for name in rows for row in rows[name] for error in validator.iter_errors(row)] == []
