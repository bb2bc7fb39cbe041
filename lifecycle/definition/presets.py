"""Rows of causes that pages can take by name: `{use: rfc6455}`.

Law: data, in `read/causes.yaml`, read once by the reader of pages; handed in by it, so that this
module knows no YAML.
"""

from collections.abc import Callable, Mapping

from . import page

Presets = Mapping[str, tuple[page.Cause, ...]]
_loaders: list[Callable[[], Presets]] = []


def provide(load: Callable[[], Presets]) -> None:
    """Tell where presets come from; asked at the first use."""
    _loaders[:] = [load]


def causes() -> Presets:
    """Every preset by its name."""
    return _loaders[0]() if _loaders else {}
