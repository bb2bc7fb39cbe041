"""What the adapters of LiveKit Agents differ in, as parameters: `Failover(providers, **STT)`.

Law: data. Source: livekit-agents 1.8.9, the `FallbackAdapter`s of its rooms llm, stt and tts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final


def _pause(interval: str) -> Mapping[str, Any]:
    """The first retry comes soon, and the others after an interval."""
    return {"delays": ["100 ms"], "first": interval, "factor": 1, "max": interval, "jitter": "none", "floor": "10 ms"}


LLM: Final[Mapping[str, Any]] = MappingProxyType(
    {"attempt_timeout": "5 s", "max_retry": 0, "retry_pause": _pause("500 ms"), "after_output": "fail"}
)
STT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "attempt_timeout": "10 s",
        "max_retry": 1,
        "retry_pause": _pause("5 s"),
        "after_output": "fail",
        "hangs_up": False,
    }
)
TTS: Final[Mapping[str, Any]] = MappingProxyType(
    {"attempt_timeout": "10 s", "max_retry": 2, "retry_pause": _pause("2 s"), "after_output": "end"}
)
