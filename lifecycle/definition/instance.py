"""One use of a page: what its names mean where it is used.

Law: names are looked up here and nowhere else. Parameters surface unprefixed unless `with` fixes
them; variables and frames get the use-point in front; events and calls go through `as`.
"""

from typing import Any

import attrs

from .expression import Expression, Name
from .literal import literal
from .page import OPTIONAL, Page, State, Variable
from .problem import Problem, Spot, did_you_mean

FREE_NAMES = ("transport.open",)


@attrs.define(eq=False)
class Instance:
    """A page at a use-point; the page that is read first has none around it.

    Attributes:
        page: the page that is used.
        at: where its file is.
        host: the instance that uses it.
        use: the state of the host that says `use`.
        use_at: where that state stands in the host's file.
        point: the name of the use-point.
    """

    page: Page
    at: Spot
    book: "Book"
    host: "Instance | None" = None
    use: State | None = None
    use_at: Spot | None = None
    point: str = ""

    @property
    def clause_prefix(self) -> str:
        """What stands before its clause ids."""
        return f"{self.host.clause_prefix}{self.point}/" if self.host else ""

    @property
    def prefix(self) -> str:
        """What stands before its variables and frames."""
        return f"{self.host.prefix}{self.point}." if self.host else ""

    def event(self, name: str) -> str:
        """What the event is called in the whole."""
        if self.host is None or self.use is None:
            return name
        for inner, outer in self.use.as_.items():
            if name == inner or name.startswith(f"{inner}."):
                name = f"{outer}{name[len(inner) :]}"
                break
        return self.host.event(name)

    def call(self, name: str) -> str:
        """What the call is called in the whole."""
        return self.event(name)

    def variable(self, name: str) -> str | None:
        """The full name of a variable, if there is one of that name."""
        full = f"{self.prefix}{name}"
        return full if full in self.book.variables else None

    def frame(self, name: str) -> str | None:
        """The full name of a frame, if there is one of that name."""
        full = f"{self.prefix}{name}"
        return full if full in self.book.frames else None

    def has_parameter(self, name: str) -> bool:
        """Whether a parameter of that name can be read here."""
        return name in self.book.parameters_of(self) or name in self.page.parameters

    def parameter(self, name: str) -> object:
        """A `Name` of the whole, or the value that a `with` fixed it to, which may be none."""
        if self.host is None or self.use is None:
            return Name(name)
        if name in self.use.with_:
            given = self.use.with_[name]
            if isinstance(given, Expression):
                return self.host.resolve(given, (self.use_at or self.at) / "with" / name, ())
            return self.book.typed(self, name, given)
        return self.host.parameter(name)

    def resolve(
        self, expression: Expression, at: Spot, fields: tuple[str, ...] | None, extra: tuple[str, ...] = ()
    ) -> Expression:
        """An expression in the names of the whole; what is unknown is told and left.

        Args:
            expression: as it was written.
            at: where.
            fields: the event fields that can be read here; None means that any can.
            extra: further names that exist here.
        """

        def new(name: str) -> object:
            if name.startswith("event."):
                return self._field(name, at, fields, expression)
            if name in extra or name in FREE_NAMES:
                return Name(name)
            variable = self.variable(name)
            if variable is not None:
                return Name(variable)
            if not self.has_parameter(name):
                remedy = did_you_mean(name, self.known())
                self.book.tell(
                    at.problem(f"`{expression}` reads `{name}`, which is no parameter and no variable", remedy)
                )
                return Name(name)
            return self.parameter(name)

        return expression.rename(new)

    def _field(self, name: str, at: Spot, fields: tuple[str, ...] | None, expression: Expression) -> object:
        field = name.removeprefix("event.")
        if fields is not None and field not in fields:
            what = (
                f"`{expression}` reads `{name}`, which no source of the event has"
                if fields
                else f"`{expression}` reads `{name}`, and there is no event with fields here"
            )
            remedy = "only clauses with `on` have an event, and its source says what it brings"
            self.book.tell(at.problem(what, did_you_mean(field, fields, remedy)))
        return Name(name)

    def known(self) -> set[str]:
        """Every name that an expression of this page can read."""
        inner = {name.removeprefix(self.prefix) for name in self.book.variables if name.startswith(self.prefix)}
        return inner | set(self.page.parameters) | set(self.book.parameters_of(self))


@attrs.define(eq=False)
class Book:
    """What all instances of one expansion share: what was declared, and what was wrong."""

    problems: list[Problem] = attrs.field(factory=list)
    instances: list[Instance] = attrs.field(factory=list)
    variables: dict[str, Variable] = attrs.field(factory=dict)
    frames: dict[str, Any] = attrs.field(factory=dict)
    _surfacing: dict[int, dict[str, Instance]] = attrs.field(factory=dict)

    def tell(self, problem: Problem) -> None:
        """Note a problem; the same one is noted once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def parameters_of(self, instance: Instance) -> dict[str, Instance]:
        """The parameters that surface at an instance, with the instance that declares each."""
        found = self._surfacing.get(id(instance))
        if found is None:
            found = dict.fromkeys(instance.page.parameters, instance)
            for other in self.instances:
                if other.host is instance and other.use is not None:
                    for name, owner in self.parameters_of(other).items():
                        if name not in other.use.with_:
                            found.setdefault(name, owner)
            self._surfacing[id(instance)] = found
        return found

    def typed(self, instance: Instance, name: str, given: object) -> object:
        """A value of `with` as the type of the parameter that it fixes."""
        owner = self.parameters_of(instance).get(name, instance)
        declared = owner.page.parameters.get(name)
        if declared is None or (given is None and (declared.default == OPTIONAL or declared.kind == "duration")):
            return given
        at = (instance.use_at or instance.at) / "with" / name
        try:
            value = literal(declared.kind, given, declared.of, in_page=True)
        except ValueError as error:
            self.tell(at.problem(str(error)))
            return given
        for end, wrong in (("min", "below"), ("max", "above")):
            limit = getattr(declared, end)
            if limit is not None and (value < limit if end == "min" else value > limit):
                self.tell(at.problem(f"`{name}` is {wrong} its `{end}`", f"`{owner.page.page}` says how far it can go"))
        return value
