"""The schema says what the reader reads, and the file that is shipped is the schema."""

import json

import attrs
import jsonschema
import pytest

from lifecycle.definition import page
from lifecycle.definition.read import bundled, specs
from lifecycle.definition.read.yaml12 import read_file, read_text
from lifecycle.definition.schema import schema, text

VALIDATOR = jsonschema.Draft202012Validator(schema())
HEAD = "lifecycle: 1\npage: x\n"


def test_it_is_a_schema():
    """The draft's own schema accepts it."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_shipped_file_is_the_schema():
    """What editors complete from is what the classes say."""
    assert (specs() / "lifecycle.schema.json").read_text(encoding="utf-8") == text()
    assert json.loads(text()) == schema()


@pytest.mark.parametrize("name", bundled())
def test_bundled_pages_fit(name):
    """Every bundled page is valid, and says where its schema is."""
    value, _ = read_file(specs() / f"{name}.yaml")
    assert not [error.message for error in VALIDATOR.iter_errors(value)]
    first = (specs() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=lifecycle.schema.json"


def test_every_key_is_explained():
    """Each field of each class has the words that editors show."""
    classes = [value for value in vars(page).values() if isinstance(value, type) and attrs.has(value)]
    told = [field.metadata.get("doc") for cls in classes for field in attrs.fields(cls) if field.metadata]
    assert len(told) > 100
    assert all(told)


@pytest.mark.parametrize(
    "wrong",
    [
        "rol: client",
        "role: clinet",
        "parameters: {a: {duration: 10}}",
        "parameters: {a: {count: -1}}",
        "parameters: {a: {count: 1, text: b}}",
        "states: {a: {clauses: {w1: {on: x}}}}",
        "states: {a: {clauses: {W1: {on: X}}}}",
        "states: {a: {clauses: {W1: {after: 10 parsecs, to: a, too: b}}}}",
        "states: {a: {enter: opne}}",
        "states: {a: {enter: {mark: gone}}}",
        "causes: [{close: x}]",
        "messages: {codec: xml}",
    ],
)
def test_wrong_pages_do_not_fit(wrong):
    """What the reader refuses by its form, editors mark."""
    value, _ = read_text(HEAD + wrong, "x.yaml")
    assert list(VALIDATOR.iter_errors(value))


def test_a_page_needs_its_head():
    """Version and name are required."""
    assert len(list(VALIDATOR.iter_errors({}))) == 2
