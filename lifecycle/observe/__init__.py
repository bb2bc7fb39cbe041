"""What watches connections from outside, and changes nothing of them.

Instrument   told of every step; the base of the others       instrument
Trace        writes every step to a file, as JSON lines       trace, plain
Telemetry    tells OpenTelemetry (extra `telemetry`)          telemetry, way, meters
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .instrument import Instrument
    from .telemetry import Telemetry
    from .trace import Trace

_LATER = {"Instrument": "instrument", "Telemetry": "telemetry", "Trace": "trace"}

__all__ = ["Instrument", "Telemetry", "Trace"]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lifecycle.observe.{_LATER[name]}"), name)
    raise AttributeError(f"module 'lifecycle.observe' has no attribute {name!r}")
