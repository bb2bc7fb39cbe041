"""How the messages of a session that are known, and a history that was fetched, become one row without doubles.

Law: pure, and total. The history is right about what it holds: its messages, and their order. What came while it was
fetched stands behind it. Where it does not reach back to what is known, that is said.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from lifecycle.wire.continuity import canonical

Message = Mapping[str, Any]


@attrs.frozen
class Merged:
    """What a merge has made.

    Attributes:
        messages: all, oldest first.
        new: those of them that were not known, or lay behind the first that was, oldest first.
        continuous: whether nothing can be missing between what was known and what is new.
    """

    messages: tuple[Message, ...]
    new: tuple[Message, ...]
    continuous: bool


def id_of(message: Message) -> Any:
    """What a message is called; of one without a name, what stands in it."""
    envelope = message.get("__openclaw")
    places = (envelope if isinstance(envelope, Mapping) else {}, message)
    names = (place.get(name) for place, name in zip((*places, message), ("id", "id", "messageId"), strict=True))
    return next((name for name in names if isinstance(name, str) and name), None) or canonical(dict(message))


def merge(known: Sequence[Message], fetched: Sequence[Message], fresh: Sequence[Message]) -> Merged:
    """Bring three rows together, each oldest first.

    Args:
        known: what was there before.
        fetched: what the gateway says the session's last messages are. Several may have one name: a record that is
            shown as several messages. They stay together.
        fresh: what came since the history was asked for.
    """
    before = set(_named(known))
    fetched_names = _named(fetched)
    met = [place for place, name in enumerate(fetched_names) if name in before]
    held = set(fetched_names)
    older = _until(known, [name in held for name in _named(known)])
    came = _once(fresh, {id_of(message) for message in known})
    ids = {id_of(message) for message in fetched}
    earlier = _until(came, [id_of(message) in ids for message in came])
    earlier = earlier if len(earlier) < len(came) else []  # none of them is in the history: they came after it
    later = [message for message in came[len(earlier) :] if id_of(message) not in ids]
    reached = met[0] if met else 0
    unknown = [
        message for name, message in zip(fetched_names[reached:], fetched[reached:], strict=True) if name not in before
    ]
    return Merged((*older, *earlier, *fetched, *later), (*earlier, *unknown, *later), continuous=bool(met) or not known)


def _named(messages: Sequence[Message]) -> list[tuple[Any, int]]:
    """The name of each message, and which of those with that name it is."""
    seen: Counter[Any] = Counter()
    names = []
    for message in messages:
        name = id_of(message)
        names.append((name, seen[name]))
        seen[name] += 1
    return names


def _until(messages: Sequence[Message], found: Sequence[bool]) -> list[Message]:
    """Those before the first that was found."""
    return list(messages[: next((place for place, is_it in enumerate(found) if is_it), len(messages))])


def _once(messages: Iterable[Message], told: set[Any]) -> list[Message]:
    """Those that were not told, each once."""
    found = []
    for message in messages:
        name = id_of(message)
        if name not in told:
            told.add(name)
            found.append(message)
    return found
