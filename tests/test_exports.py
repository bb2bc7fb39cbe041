"""The public names, and that they cost nothing until they are used."""

import lifecycle


def test_every_public_name_is_there():
    """What `__all__` promises can be had."""
    for name in lifecycle.__all__:
        assert getattr(lifecycle, name) is not None


def test_the_list_is_sorted_and_short():
    """At most 25 names, each once."""
    assert list(lifecycle.__all__) == sorted(set(lifecycle.__all__), key=lambda name: (name[0].islower(), name))
    assert len(lifecycle.__all__) <= 25


def test_every_error_is_of_one_tree():
    """All exceptions that are public are LifecycleErrors, with a side."""
    sides = {"page", "caller", "peer", "network", "us"}
    errors = [
        value
        for name in lifecycle.__all__
        if isinstance(value := getattr(lifecycle, name), type) and issubclass(value, Exception)
    ]
    assert len(errors) > 10
    assert all(issubclass(error, lifecycle.LifecycleError) and error.side in sides for error in errors)


def test_an_unknown_name_is_an_attribute_error():
    """Like in any module."""
    assert not hasattr(lifecycle, "nonsense")
