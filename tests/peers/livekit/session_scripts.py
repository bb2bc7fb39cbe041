"""Scripts of what a program, its user and its models do to a session: written by hand, and made up from seeds.

Law: pure, and of the standard library alone, for the process of the real session reads them too. A seed is a script.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

SEEDS: Final = range(1, 201)
RETRIES: Final = 1
"""How often a model that fails is asked again."""
_AWAY: Final = (None, 1.0, 3.0, 15.0)
ANSWERS: Final = {
    "says": ("say",),
    "says long": ("say long",),
    "slow": ("slow say",),
    "nothing": ("nothing",),
    "fails once": ("fail", "say"),
    "fails": ("fail",) * (RETRIES + 1),
    "refused": ("refuse",),
    "calls": ("look", "say"),
    "calls two": ("look dig", "say"),
    "calls badly": ("fall", "say"),
    "calls long": ("dig", "say"),
    "says and calls": ("say look", "say"),
    "calls then refused": ("look", "refuse"),
    "calls background": ("wander", "say"),
}
"""What the model does with the requests of a turn, one after the other: it says something, fails, or calls tools."""
_LLM: Final = {
    "says": 8,
    "calls": 3,
    "calls two": 1,
    "says and calls": 1,
    "nothing": 1,
    "fails once": 2,
    "fails": 2,
    "refused": 2,
    "says long": 3,
    "slow": 1,
    "calls background": 1,
}


class Script(NamedTuple):
    """What is played.

    Attributes:
        name, about: of it.
        acts: one after the other; see `session_real`.
        ends: the reason with which it closes; none if it does not.
        away: after how many seconds the user is away.
        tolerance: how many errors are borne.
        goodbye: whether the agent has something to say when it is to go.
        started: whether the session is started first.
    """

    name: str
    about: str
    acts: tuple[Mapping[str, Any], ...]
    ends: str | None = "user_initiated"
    away: float | None = 15.0
    tolerance: int = 3
    goodbye: bool = False
    started: bool = True


def _turn(llm: str = "says", **more: Any) -> dict[str, Any]:
    return {"do": "turn", "llm": llm, **more}


def _errs(kind: str, *, recoverable: bool = False) -> dict[str, Any]:
    return {"do": "error", "kind": kind, "recoverable": recoverable}


def _waits(seconds: float) -> dict[str, Any]:
    return {"do": "wait", "seconds": seconds}


def _starts(llm: str, seconds: float = 0.1) -> list[dict[str, Any]]:
    return [_turn(llm, wait=False), _waits(seconds)]


_CLOSES: Final = {"do": "aclose"}
_SHUTS: Final = {"do": "shutdown"}
_FAILS: Final = _turn("refused")

BY_HAND: Final = tuple(
    Script(name, about, tuple(acts), **more)
    for name, about, acts, more in (
        ("turns", "Two answers, one of them long, and a silent one", [_turn(), _turn("says long"), _turn("nothing"), _CLOSES], {}),
        ("tools", "One tool, two at once, words before a tool, a tool that fails", [_turn("calls"), _turn("calls two"), _turn("says and calls"), _turn("calls badly"), _CLOSES], {}),
        ("say", "Spoken without thinking", [{"do": "say"}, _waits(1), {"do": "say"}, _turn(), _CLOSES], {}),
        ("interrupted", "Interrupted while it speaks, thinks and calls", [*_starts("says long"), {"do": "interrupt"}, *_starts("slow"), {"do": "interrupt"}, *_starts("calls long", 0.3), {"do": "interrupt"}, _waits(9), _turn(), _CLOSES], {}),
        ("queued", "The next question before the answer is over", [*_starts("says long"), *_starts("says"), *_starts("calls"), _waits(9), _CLOSES], {}),
        ("recoverable", "Each answer fails once and then comes", [_turn("fails once")] * 9 + [_CLOSES], {}),
        ("four", "Four answers in a row fail", [_FAILS, _FAILS, _FAILS, _FAILS, _waits(1)], {"ends": "error"}),
        ("three-one-four", "Three fail, one comes, four fail", [_FAILS] * 3 + [_turn()] + [_FAILS] * 4 + [_waits(1)], {"ends": "error"}),
        ("exhausted", "Each has failed as often as it was asked", [_turn("fails")] * 4 + [_waits(1)], {"ends": "error"}),
        ("said", "To say something is to have recovered", [_FAILS] * 3 + [{"do": "say"}] + [_FAILS] * 3 + [_CLOSES], {}),
        ("tool-words", "An answer that fails after its tool", [_FAILS] * 3 + [_turn("calls then refused"), _waits(1)], {"ends": "error"}),
        ("intolerant", "The first error closes", [_turn(), _FAILS, _waits(1)], {"ends": "error", "tolerance": 0}),
        ("separate", "Three errors of each kind are borne", [_errs(kind) for kind in ("stt", "tts", "llm") for _ in range(3)] + [_CLOSES], {}),
        ("stt", "What was understood makes good, what was not does not", [_errs("stt")] * 3 + [{"do": "heard", "text": ""}] + [{"do": "heard", "text": "a", "final": False}] + [_errs("stt")] * 3 + [{"do": "heard", "text": ""}, _errs("stt"), _waits(1)], {"ends": "error"}),
        ("tts", "Four errors of the voice, while it does not speak", [_errs("tts")] * 3 + [_errs("stt")] * 2 + [_errs("tts"), _waits(1)], {"ends": "error"}),
        ("spoken", "The voice recovers by speaking, the ear does not", [_errs("tts")] * 3 + [_errs("stt")] * 3 + [{"do": "say"}] + [_errs("tts")] * 3 + [_errs("stt"), _waits(1)], {"ends": "error"}),
        ("realtime", "The first error of a realtime model closes", [_turn(), _errs("realtime", recoverable=True), _errs("realtime"), _waits(1)], {"ends": "error"}),
        ("interruption", "The detection of interruptions fails, and that is all", [_errs("interruption")] * 9 + [_turn(), _CLOSES], {}),
        ("late-errors", "Errors while it closes are nobody's", [*_starts("says long"), _SHUTS, _waits(0.05), *([_errs("llm")] * 5), _errs("realtime"), _waits(9)], {}),
        ("away", "Away and back, by the user's voice and by a key", [_turn(), _waits(20), {"do": "claim", "seconds": 1}, _waits(20), {"do": "present"}, _waits(14), {"do": "present"}, _waits(14), _CLOSES], {}),
        ("away-heard", "Away and back, by words; also such as nobody understood", [_waits(20), {"do": "heard", "text": "a"}, _waits(14), {"do": "heard", "text": ""}, _waits(14), {"do": "heard", "text": "a", "final": False}, _waits(5), {"do": "heard", "text": ""}, _CLOSES], {}),
        ("away-and-said", "The agent speaks to one who is away", [_waits(16), {"do": "say"}, _turn("says long"), _waits(1), _CLOSES], {}),
        ("away-off", "Nobody is ever away", [_turn(), _waits(600), _CLOSES], {"away": None}),
        ("away-tool", "A tool that runs on after the words holds the user", [_turn("calls background"), _waits(30), _CLOSES], {"away": 3.0}),
        ("claimed", "The program takes the user's turn, twice at once", [{"do": "claim", "seconds": 9, "wait": False}, _waits(1), {"do": "claim", "seconds": 2}, _turn(), _waits(9), _CLOSES], {}),
        ("drained", "What is said is said to the end", [*_starts("says long"), _SHUTS, _waits(20)], {}),
        ("cut", "What is said is cut off", [*_starts("says long"), {"do": "shutdown", "drain": False}, _waits(20)], {}),
        ("cut-thinking", "Closed while it thinks", [*_starts("slow"), _CLOSES, _waits(20)], {}),
        ("twice", "Closed in three ways at once, and again", [*_starts("says long"), _SHUTS, _CLOSES, _SHUTS, _waits(20), _CLOSES, _SHUTS, _waits(1)], {}),
        ("after", "A question after the end", [_turn(), _CLOSES, _turn(), {"do": "say"}, {"do": "present"}], {}),
        ("goodbye", "The agent says goodbye when it is to go", [_turn(), _SHUTS, _waits(20)], {"goodbye": True}),
        ("goodbye-cut", "The same, when it is closed at once", [_turn(), _CLOSES, _waits(20)], {"goodbye": True}),
        ("job", "The job is shut down", [_turn(), {"do": "job_shutdown"}, _waits(1)], {"ends": "job_shutdown"}),
        ("early", "Closed before it was started, which is nothing", [_CLOSES, {"do": "start"}, _turn(), _CLOSES], {"started": False}),
        ("again", "Started twice", [{"do": "start"}, _turn(), _CLOSES], {}),
    )
)  # fmt: skip


def made_up(seed: int) -> Script:
    """A script of a seed."""
    dice = random.Random(seed)
    away = dice.choice(_AWAY)
    acts = list(_some(dice, dice.randint(3, 14)))
    if dice.random() < 0.25:
        acts += [_FAILS] * 4
        return Script(f"seed-{seed}", "", (*acts, _waits(30), _CLOSES), None, away)
    closes = dice.choice((_CLOSES, _SHUTS, {"do": "shutdown", "drain": False}, {"do": "job_shutdown"}))
    return Script(f"seed-{seed}", "", (*acts, closes, _waits(60)), None, away, goodbye=dice.random() < 0.2)


def _some(dice: random.Random, often: int) -> Iterator[dict[str, Any]]:
    for _ in range(often):
        match dice.choices(
            ("turn", "wait", "say", "interrupt", "claim", "present", "heard", "error"), (9, 5, 2, 2, 2, 1, 2, 2)
        )[0]:
            case "turn":
                yield _turn(dice.choices(tuple(_LLM), tuple(_LLM.values()))[0], wait=dice.random() < 0.7)
            case "wait":
                yield _waits(round(dice.choice((0.02, 0.1, 1.0, 4.0, 20.0)) * dice.uniform(0.5, 1.5), 3))
            case "claim":
                yield {"do": "claim", "seconds": round(dice.uniform(0.05, 20.0), 3), "wait": dice.random() < 0.5}
            case "heard":
                yield {"do": "heard", "text": dice.choice(("", "a")), "final": dice.random() < 0.5}
            case "error":
                kind = dice.choice(("stt", "llm", "tts", "interruption"))
                yield _errs(kind, recoverable=dice.random() < 0.3)
            case act:
                yield {"do": act}
