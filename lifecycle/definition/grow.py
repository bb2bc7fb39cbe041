"""Pages into one tree: each `use` becomes the used page's states, each slot what fills it.

Law: nothing is resolved yet. A node remembers which instance wrote each of its layers, because
names in a layer mean what they mean in its page, and who may name it.
"""

from collections.abc import Callable, Iterator, Mapping

import attrs

from . import page
from .instance import Book, Instance
from .problem import Source, Spot, did_you_mean

DEEPEST_USE = 8
MOST_USES = 200
Load = Callable[[str, Spot], "tuple[page.Page, Source] | None"]
"""Find a page by name, as named at a place of another page; None when that was told as a problem."""


@attrs.define(eq=False)
class Layer:
    """What one page says about a state."""

    instance: Instance
    state: page.State
    at: Spot


@attrs.define(eq=False)
class Node:
    """A state of the whole, before its names are resolved.

    Attributes:
        owner: the instance whose pages may name this state.
        layers: the host's word first, the used page's after it.
        filled: whether it is a slot that was filled, so that the slot's `rest` no longer holds.
    """

    name: str
    parent: "Node | None"
    owner: Instance
    layers: list[Layer] = attrs.field(factory=list)
    children: "list[Node]" = attrs.field(factory=list)
    parallel: bool = False
    filled: bool = False
    used: str | None = None

    @property
    def path(self) -> str:
        """Names from the page's own states on, with dots between; the page itself is ''."""
        if self.parent is None:
            return ""
        return f"{self.parent.path}.{self.name}" if self.parent.parent else self.name

    @property
    def at(self) -> Spot:
        """Where it is written."""
        return self.layers[0].at

    def up(self) -> "Iterator[Node]":
        """Itself and those around it."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> "Iterator[Node]":
        """Itself and all inside, in page order."""
        yield self
        for child in self.children:
            yield from child.walk()


def grow(first: page.Page, source: Source, load: Load) -> tuple[Node, Book]:
    """Expand every `use` of a page.

    Returns:
        The tree, and the book of instances, declarations and problems.
    """
    book = Book()
    root = Instance(page=first, at=Spot(source), book=book)
    _Grower(book, load).register(root)
    node = Node(name="", parent=None, owner=root)
    _Grower(book, load).inside(node, first, root, Spot(source))
    return node, book


@attrs.define
class _Grower:
    book: Book
    load: Load
    full: bool = False

    def register(self, instance: Instance) -> None:
        self.book.instances.append(instance)
        for name, variable in instance.page.variables.items():
            self.book.variables[f"{instance.prefix}{name}"] = variable
        for name, frame in (instance.page.messages or page.Messages()).frames.items():
            self.book.frames[f"{instance.prefix}{name}"] = frame

    def inside(self, node: Node, state: page.State, instance: Instance, at: Spot) -> None:
        """Add a layer to a node, and the states in it."""
        node.layers.append(Layer(instance, state, at))
        if state.use is not None:
            self.used(node, state, instance, at)
            return
        for word in ("with", "as", "fill"):
            if getattr(state, f"{word}_" if word != "fill" else word):
                self.book.tell(
                    (at / word).problem(f"`{word}` without `use`", "it belongs beside the page that is used", key=True)
                )
        if state.states and state.regions:
            self.book.tell(
                (at / "regions").problem("both `states` and `regions`", "put one inside the other", key=True)
            )
        for group in ("states", "regions"):
            for name, inner in getattr(state, group).items():
                self.child(node, name, inner, instance, at / group / name, parallel=group == "regions")

    def child(self, node: Node, name: str, state: page.State, instance: Instance, at: Spot, *, parallel: bool) -> None:
        node.parallel = parallel
        kid = Node(name=name, parent=node, owner=instance)
        node.children.append(kid)
        slots = [Layer(instance, state, at)]
        # a fill may itself be a slot, for the page that uses the page that fills
        while slots[0].state.slot and (filled := _filling(name, slots[0].instance)) is not None:
            slots.insert(0, filled)
        kid.filled = len(slots) > 1
        for layer in slots[1:]:
            if kid.filled and (layer.state.states or layer.state.regions):
                self.book.tell(
                    layer.at.problem("a slot with states of its own", "a slot is filled whole: leave it empty")
                )
        self.inside(kid, slots[0].state, slots[0].instance, slots[0].at)
        kid.layers += slots[1:]

    def used(self, node: Node, state: page.State, instance: Instance, at: Spot) -> None:
        if state.states or state.regions or state.final:
            self.book.tell(
                at.problem(
                    "`use` beside states, regions or final", "its inside is the used page's; fill a slot instead"
                )
            )
            return
        chain = [one.page.page for one in _chain(instance)]
        if state.use in chain or len(chain) >= DEEPEST_USE:
            remedy = (
                f"{' uses '.join([*reversed(chain), str(state.use)])}: break the circle"
                if state.use in chain
                else "flatten them"
            )
            self.book.tell(
                (at / "use").problem(
                    f"pages that use each other {'in a circle' if state.use in chain else 'too deeply'}", remedy
                )
            )
            return
        if len(self.book.instances) > MOST_USES:  # pages that use each other twice each grow without end
            if not self.full:
                self.book.tell((at / "use").problem(f"more than {MOST_USES} used pages", "write some of them out"))
            self.full = True
            return
        found = self.load(str(state.use), at / "use")
        if found is None:
            return
        other, source = found
        new = Instance(
            page=other,
            at=Spot(source),
            book=self.book,
            host=instance,
            use=state,
            use_at=at,
            point=node.name or other.page,
        )
        self.unique(new)
        self.register(new)
        node.used = other.page
        slots = dict(_slots(other))
        for name in state.fill:
            if name not in slots:
                self.book.tell(
                    (at / "fill" / name).problem(
                        f"`{other.page}` has no slot `{name}`", did_you_mean(name, slots), key=True
                    )
                )
        self.inside(node, other, new, Spot(source))

    def unique(self, new: Instance) -> None:
        for other in self.book.instances:
            if other.host is new.host and other.host is not None and other.point == new.point and new.use_at:
                what = f"two used pages at states called `{new.point}`"
                self.book.tell(
                    new.use_at.problem(what, "their clause ids and variables would be the same: rename one", key=True)
                )


def _filling(name: str, instance: Instance) -> Layer | None:
    if instance.host is None or instance.use is None or instance.use_at is None or name not in instance.use.fill:
        return None
    return Layer(instance.host, instance.use.fill[name], instance.use_at / "fill" / name)


def _chain(instance: Instance) -> Iterator[Instance]:
    one: Instance | None = instance
    while one is not None:
        yield one
        one = one.host


def _slots(state: page.State) -> Iterator[tuple[str, page.State]]:
    groups: tuple[Mapping[page.Word, page.State], ...] = (state.states, state.regions, state.fill)
    for group in groups:
        for name, inner in group.items():
            if inner.slot:
                yield name, inner
            yield from _slots(inner)
