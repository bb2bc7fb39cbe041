"""A page made ready to be simulated: what it is, what is promised of it, what its peer can say.

Law: made once and used for every seed. Where a page needs something that a simulation has not, that is replaced by what
comes nearest: JSON for a codec that has no transport here.
"""

import ast
import random
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import value
from lifecycle.definition.page import Inbox, Outbox
from lifecycle.definition.parameters import supposed_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import LifecycleError
from lifecycle.machine.table import Table
from lifecycle.machine.tables import table_of
from lifecycle.trio.connection import Connection
from lifecycle.trio.transports.dialer import Dialer
from lifecycle.wire.inbox import HARD_ITEMS
from lifecycle.wire.upgrade import Upgrade

from .calls import URL
from .certified import Certified, certified_of
from .link import Link
from .pipe import SimAsking
from .words import Words

if TYPE_CHECKING:
    from .world import World

_TEXTS = ("7", "", "some text", "1")
_STRANGE = 0.2


class NotRunnable(LifecycleError):
    """A page that cannot be simulated; says why."""

    side = "page"


@attrs.frozen(kw_only=True, slots=False)
class Scene:
    """A page, ready.

    Attributes:
        page: as it is simulated.
        role: as the page says it.
        certified: what is promised.
        notes: what is simulated otherwise than it is.
        given: parameters of it, other than their defaults.
    """

    page: Definition
    role: str
    certified: Certified
    notes: tuple[str, ...] = ()
    given: Mapping[str, Any] = attrs.field(factory=dict)

    @cached_property
    def words(self) -> Words:
        """What its peer can say."""
        return Words(self.page)

    @cached_property
    def table(self) -> Table:
        """Held, so that what one run has recorded is there for the next."""
        return table_of(self.page)

    @property
    def dials(self) -> bool:
        """Whether it dials."""
        return "open" in self.page.words

    @property
    def batches(self) -> bool:
        """Whether several messages may be read at once, with none of them being too much."""
        inbox = self.page.messages.inbox
        return inbox is None or inbox.when_full in ("oldest", "latest")

    @cached_property
    def most_waiting(self) -> tuple[int, int]:
        """How many messages and marks may wait in the inbox, and how many messages in the outbox."""
        inbox, outbox = self.page.messages.inbox or Inbox(), self.page.messages.outbox or Outbox()
        most = inbox.items * (HARD_ITEMS if inbox.when_full == "wait" else 1)
        resent = outbox.items if self.page.requests is not None and self.page.requests.on_loss == "resend" else 0
        return 2 * most + 2, outbox.items + resent

    @cached_property
    def timeout(self) -> float:
        """Seconds of a request."""
        timeout = self.page.requests.timeout if self.page.requests is not None else 0.0
        return float(value(timeout, lambda: dict(zip(self.page.parameters, self._values, strict=True))))

    @cached_property
    def _values(self) -> tuple[Any, ...]:
        return supposed_values(self.page, self.given)

    @cached_property
    def _asked(self) -> dict[str, tuple[str, ...]]:
        """What a client may ask for, by its path: what the page's guards look for, where they do."""
        variables = ((name, one.from_) for name, one in self.page.variables.items() if one.from_)
        return {path: _looked_for(self.page, name) or _TEXTS for name, path in variables}

    def connect(self, world: "World", dialer: Dialer) -> Connection:
        """A connection in a world."""
        _ = self.table
        if self.role == "server":
            return self._accepted(world)
        made_up = {
            name: URL if one.kind == "url" else "hidden"
            for name, one in self.page.parameters.items()
            if one.kind in ("url", "text", "secret") and name not in self.page.defaults
        }
        given = {**made_up, **self.given}
        return Connection(
            self.page,
            calls=world.embedder,
            transport=None if self.role == "session" else dialer,
            seed=world.seed * 1000 + world.lives,
            instruments=(world.judge,),
            **given,
        )

    def _accepted(self, world: "World") -> Connection:
        link = Link(world)
        link.asking = True
        link.open()
        dice = random.Random(f"{world.seed} client {link.number}")
        texts = {path: dice.choice(_TEXTS if dice.random() < _STRANGE else sane) for path, sane in self._asked.items()}
        query = {path.removeprefix("query."): text for path, text in texts.items() if path.startswith("query.")}
        headers = {path.removeprefix("headers."): text for path, text in texts.items() if path.startswith("headers.")}
        asking = SimAsking(link, Upgrade(query=query, headers=headers, peer="192.0.2.1"))
        return Connection.accepted(
            self.page,
            self._values,
            world.embedder,
            asking=asking,
            pipe=link.pipe,
            subprotocol=None,
            instruments=(world.judge,),
        )


_ENDS = {"stop": "when it has ended", "half_open": "when silence is noticed"}
_PROMISED: dict[str, dict[str, str]] = {
    "client": {"dials": "how often it dials", "recovery": "when it is ready again", **_ENDS},
    "server": _ENDS,
    "session": {},
}
"""What the certificate of a page with a role is expected to say, in words."""


def _looked_for(page: Definition, variable: str) -> tuple[str, ...]:
    """What guards compare a variable with, as texts."""
    compares = [
        node
        for clause in page.clauses.values()
        for node in (ast.walk(clause.when.tree) if clause.when is not None else ())
        if isinstance(node, ast.Compare)
    ]
    found = {
        str(node.value)
        for compare in compares
        if any(isinstance(node, ast.Name) and node.id == variable for node in ast.walk(compare))
        for node in ast.walk(compare)
        if isinstance(node, ast.Constant)
    }
    return tuple(sorted(found))


def scene_of(page: PageLike, certified: Certified | None = None) -> Scene:
    """Make a page ready.

    Args:
        page: which.
        certified: what is promised of it, if that is known already; else it is read, or proven, which may take a while.

    Raises:
        PageError: the page is wrong.
        NotRunnable: it is a fragment.
    """
    found = read(page)
    if found.role is None:
        raise NotRunnable(f"{found.name}: skipped, for it is a fragment: simulate a page that uses it")
    if found.leaves:
        left = ", ".join(f"`{event}`" for event in found.leaves)
        raise NotRunnable(f"{found.name}: skipped, for it leaves {left} to a page that uses it: simulate that one")
    if certified is None:
        certified = Certified() if found.role == "session" else certified_of(found)
    codec, notes, simulated = found.messages.codec, list[str](), found
    if codec == "object" and found.role != "session":
        simulated = attrs.evolve(found, messages=attrs.evolve(found.messages, codec="json"))
        notes.append(f"its codec {codec} has no transport here: its messages are simulated as JSON")
    unsaid = [what for name, what in _PROMISED[found.role].items() if getattr(certified, name) is None]
    if unsaid:
        notes.append(f"its certificate does not say {', '.join(unsaid)}: that is not judged")
    return Scene(page=simulated, role=found.role, certified=certified, notes=tuple(notes))
