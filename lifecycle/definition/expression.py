"""Expressions of a page: names, numbers, comparisons and little else, and what they mean.

Law: total. Whatever the names stand for, an expression has a value and never raises: arithmetic
on what is no number is `none`, an ordering of what cannot be ordered is false, and dividing by
zero is `none`. So a peer cannot break a guard by what it sends.
Knows the syntax only; what a name stands for is told by whoever asks.
"""

import ast
import copy
import operator
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import attrs

LONGEST = 200
MOST_NODES = 40
_LARGEST_NUMBER = 1e15
_WORDS = {"true": True, "false": False, "none": None}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
_DIVISIONS = {"/", "//", "%"}
_ORDERINGS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_EQUALITIES = {ast.Eq: "==", ast.NotEq: "!=", ast.In: "in", ast.NotIn: "not in"}
_ALLOWED = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Attribute, ast.BinOp, ast.UnaryOp, ast.USub, ast.Not),
    *(ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.List, ast.Tuple),
    *_ARITHMETIC,
    *_ORDERINGS,
    *_EQUALITIES,
)
_TOLD = {
    ast.Call: "a call; expressions cannot call anything",
    ast.Subscript: "a subscript; write a variable or `event.field`",
    ast.IfExp: "an `if`; write two clauses with `when`",
    ast.Lambda: "a function; expressions cannot hold one",
    ast.Pow: "a power; write a multiplication",
    ast.JoinedStr: "a formatted text; texts are plain",
    ast.NamedExpr: "an assignment; `set` is the effect for that",
}


@attrs.frozen
class Expression:
    """A checked expression. Dotted names are one name each: `event.code`, `waiting.attempts`."""

    text: str
    tree: ast.expr = attrs.field(eq=False, repr=False)

    @property
    def names(self) -> frozenset[str]:
        """Every name in it, `event.` fields included."""
        return frozenset(node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name))

    @property
    def fields(self) -> frozenset[str]:
        """The event fields that it reads."""
        return frozenset(name.removeprefix("event.") for name in self.names if name.startswith("event."))

    def __str__(self) -> str:
        return self.text

    def rename(self, new: Callable[[str], object]) -> "Expression":
        """Replace each name by another (a `Name`), by an `Expression`, or by a constant."""
        return Expression.of(_Renamer(new).visit(copy.deepcopy(self.tree)))

    def python(self, place: Callable[[str], str], numeric: Callable[[str], bool] = lambda _: False) -> str:
        """Python source with the same value.

        Args:
            place: what to write for a name.
            numeric: whether a name is surely a number, and a whole one no larger than a literal can be;
                then plain operators are used.
        """
        return _Writer(place, numeric).write(self.tree)

    @cached_property
    def function(self) -> Callable[[Mapping[str, Any]], Any]:
        """A function of a mapping from names to values; a name that is missing is `none`."""
        # making it is a hundred times as dear as asking it, and a driver asks again and again
        source = self.python(lambda name: f"n.get({name!r})")
        made: Callable[[Mapping[str, Any]], Any] = eval(f"lambda n: {source}", dict(HELPERS))  # noqa: S307 -- built from checked nodes only
        return made

    @classmethod
    def of(cls, tree: ast.expr) -> "Expression":
        """An expression from a checked tree; its text is the tree's canonical one."""
        return cls(_canonical(tree), tree)


def value(given: Any, names: Callable[[], Mapping[str, Any]]) -> Any:
    """A value of the page, such as a deadline, with what its names stand for now."""
    return given.function(names()) if isinstance(given, Expression) else given


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        ValueError: it is too long, no expression, or holds something that pages cannot say. The
            message names it.
    """
    if len(text) > LONGEST:
        raise ValueError(f"the expression has {len(text)} characters; {LONGEST} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise ValueError(f"`{text}` is no expression: {reason}") from None
    nodes = list(ast.walk(tree))
    if len(nodes) > MOST_NODES * 2:  # contexts and operators are nodes of their own
        raise ValueError(f"the expression `{text}` has more than {MOST_NODES} parts")
    for node in nodes:
        _check(node, text)
    behind = {id(right) for node in nodes if isinstance(node, ast.Compare) for right in node.comparators}
    if any(isinstance(node, ast.List | ast.Tuple) and id(node) not in behind for node in nodes):
        raise ValueError(f"`{text}` holds a list where none can be; lists stand behind `in`")
    tree = _Joiner().visit(tree)
    return Expression(_canonical(tree), tree)


def _check(node: ast.AST, text: str) -> None:
    if not isinstance(node, _ALLOWED):
        what = next((told for kind, told in _TOLD.items() if isinstance(node, kind)), None)
        raise ValueError(f"`{text}` holds {what or f'`{type(node).__name__}`, which expressions do not know'}")
    if isinstance(node, ast.Constant):
        _check_constant(node.value, text)
    whole = node.value if isinstance(node, ast.Attribute) else None
    if whole is not None and (
        not isinstance(whole, ast.Name | ast.Attribute) or (isinstance(whole, ast.Name) and whole.id in _WORDS)
    ):
        raise ValueError(f"`{text}` asks for a part of something that is no name")
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if name.startswith("_"):
        raise ValueError(f"`{text}` holds the name `{name}`; names do not start with an underscore")
    if isinstance(node, ast.Compare):
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn) != isinstance(right, ast.List | ast.Tuple):
                raise ValueError(f"`{text}`: `in` goes with a list in brackets, and only `in` does")
            if isinstance(right, ast.List | ast.Tuple) and not all(_is_literal(item) for item in right.elts):
                raise ValueError(f"`{text}`: the list behind `in` holds plain numbers and texts only")


def _check_constant(value: object, text: str) -> None:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"`{text}` holds `{value}`; write `{str(value).lower()}`")
    if not isinstance(value, int | float | str):
        raise ValueError(f"`{text}` holds {value!r}, which is no number and no text")
    if not isinstance(value, str) and not abs(value) <= _LARGEST_NUMBER:
        raise ValueError(f"`{text}` holds a number above {_LARGEST_NUMBER:g}")


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in _WORDS)


def _canonical(tree: ast.expr) -> str:
    return ast.unparse(_Speller().visit(copy.deepcopy(tree)))


class _Speller(ast.NodeTransformer):
    """`true`, `false`, `none` as pages spell them."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        spelt = next((word for word, value in _WORDS.items() if value is node.value), None)
        return ast.Name(spelt, ast.Load()) if spelt else node


class _Joiner(ast.NodeTransformer):
    """Dotted names become one name; `true`, `false`, `none` become constants."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        inner = self.visit(node.value)
        return ast.Name(f"{inner.id}.{node.attr}", ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node


class _Renamer(ast.NodeTransformer):
    def __init__(self, new: Callable[[str], Any]) -> None:
        self.new = new

    def visit_Name(self, node: ast.Name) -> ast.AST:
        match self.new(node.id):
            case Expression() as other:
                return other.tree
            case Name(text):
                return ast.Name(text, ast.Load())
            case constant:
                return ast.Constant(constant)


@attrs.frozen
class Name:
    """What `rename` is answered with when a name becomes another name."""

    text: str


class _Writer:
    """Write a tree as Python, with helpers wherever an operand might be no number."""

    def __init__(self, place: Callable[[str], str], numeric: Callable[[str], bool]) -> None:
        self.place, self.numeric = place, numeric

    def write(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=str(text)):
                return str.__repr__(text)  # a secret's own shows nothing
            case ast.Constant():
                return repr(node.value)
            case ast.Name():
                return self.place(node.id)
            case ast.List() | ast.Tuple():
                return f"({''.join(f'{self.write(item)}, ' for item in node.elts)})"
            case ast.UnaryOp(op=ast.Not()):
                return f"(not {self.write(node.operand)})"
            case ast.UnaryOp():
                return (
                    f"(-{self.write(node.operand)})"
                    if self.is_number(node.operand)
                    else f"neg({self.write(node.operand)})"
                )
            case ast.BoolOp():
                word = " and " if isinstance(node.op, ast.And) else " or "
                return f"({word.join(self.write(value) for value in node.values)})"
            case ast.BinOp():
                return self.arithmetic(node)
            case ast.Compare():
                return self.comparison(node)
        raise TypeError(node)  # pragma: no cover -- parse lets nothing else in

    def arithmetic(self, node: ast.BinOp) -> str:
        sign = _ARITHMETIC[type(node.op)]
        left, right = self.write(node.left), self.write(node.right)
        return f"({left} {sign} {right})" if self.is_number(node) else f"arithmetic({sign!r}, {left}, {right})"

    def comparison(self, node: ast.Compare) -> str:
        parts, left = [], node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self.compared(left, op, right))
            left = right
        return f"({' and '.join(parts)})"

    def compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        one, two = self.write(left), self.write(right)
        if type(op) in _EQUALITIES:
            return f"({one} {_EQUALITIES[type(op)]} {two})"
        sign = _ORDERINGS[type(op)]
        if self.is_number(left) and self.is_number(right):
            return f"({one} {sign} {two})"
        return f"ordered({sign!r}, {one}, {two})"

    def is_number(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=value):
                return isinstance(value, int | float) and not isinstance(value, bool)
            case ast.Name(id=name):
                return self.numeric(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.is_number(operand)
            case ast.BinOp(left=left, op=op, right=right):
                divides = _ARITHMETIC[type(op)] in _DIVISIONS
                safe = not divides or (isinstance(right, ast.Constant) and right.value != 0)
                # a product of products may be a whole number that is too large for a float
                flat = sum(isinstance(part, ast.Mult) for part in ast.walk(node)) <= 1
                return safe and flat and self.is_number(left) and self.is_number(right)
        return False


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def is_number(value: object) -> bool:
    """Whether a value counts as a number; flags do not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arithmetic(sign: str, left: object, right: object) -> object:
    if not (is_number(left) and is_number(right)):
        return None
    try:
        return _OPERATORS[sign](left, right)
    except (ZeroDivisionError, OverflowError):
        return None


def _ordered(sign: str, left: object, right: object) -> bool:
    comparable = (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))
    return comparable and bool(_OPERATORS[sign](left, right))


def _negative(value: Any) -> object:
    return -value if is_number(value) else None


HELPERS: Mapping[str, Any] = {"__builtins__": {}, "arithmetic": _arithmetic, "ordered": _ordered, "neg": _negative}
"""The globals that source made by `Expression.python` needs."""
