"""The typed tree that every answer is read into; the comparison sees nothing else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from types import MappingProxyType
from typing import Any


class Unreadable(ValueError):  # noqa: N818 - not a failure: the text is something else
    """The text is no answer this grammar knows, or it is beyond a limit; the message says which."""


class NotNumeric(Exception):  # noqa: N818 - not a failure: the formula has no value here
    """The formula has no numeric value at this point, or it is beyond the limits."""


@dataclass(frozen=True, slots=True)
class Num:
    """An exact number; `places` is the number of decimals when it was written as a decimal."""

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable, a named constant (`pi`, `e`, `i`, `oo`) or a named set (`Reals`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An operation or function with its arguments: `add`, `pow`, `sin`, `cup`, `apply:f`, ..."""

    name: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """Bracketed items: tuple, interval, list in brackets, or set (`{`), by their brackets."""

    items: tuple["Node", ...]
    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Several answers side by side, joined by `,`, `and` or `or`."""

    items: tuple["Node", ...]
    joiner: str


@dataclass(frozen=True, slots=True)
class Rel:
    """A chain of relations: `args[0] ops[0] args[1] ops[1] ...`."""

    ops: tuple[str, ...]
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mat:
    """A matrix by rows."""

    rows: tuple[tuple["Node", ...], ...]


@dataclass(frozen=True, slots=True)
class Based:
    """Digits with a base subscript: `52_8`."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with what was written after it: a unit or a noun."""

    value: "Node"
    unit: str


@dataclass(frozen=True, slots=True)
class Words:
    """An answer in words."""

    text: str


Node = Num | Sym | Op | Seq | Listing | Rel | Mat | Based | Quantity | Words

# Depth of a tree; every pass over trees recurses, within the interpreter's own limit.
MAX_TREE_DEPTH = 100

# Letters that stand for an integer where a family of values has one.
INTEGER_LETTERS = frozenset({"k", "n", "m", "l", "j", "N", "K", "z"})
CONSTANTS = frozenset(
    {
        "pi",
        "e",
        "i",
        "oo",
        "...",
        "Reals",
        "Integers",
        "Naturals",
        "Rationals",
        "Complexes",
        "EmptySet",
    }
)


_LEAVES = (Num, Sym)
_NONE: frozenset[str] = frozenset()


# The parts of a node by its type; other nodes have none.
_PARTS: Mapping[type, Callable[[Any], tuple[Node, ...]]] = MappingProxyType(
    {
        Op: attrgetter("args"),
        Rel: attrgetter("args"),
        Seq: attrgetter("items"),
        Listing: attrgetter("items"),
        Mat: lambda node: tuple(entry for row in node.rows for entry in row),
        Quantity: lambda node: (node.value,),
    }
)


def children(node: Node) -> tuple[Node, ...]:
    """The direct parts of a node."""
    parts = _PARTS.get(type(node))
    return parts(node) if parts else ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if not isinstance(current, _LEAVES):
            stack.extend(children(current))


def is_deep(node: Node) -> bool:
    """Whether the tree is deeper than the recursion over trees may go."""
    level = [node]
    for _ in range(MAX_TREE_DEPTH):
        level = [part for parent in level for part in children(parent)]
        if not level:
            return False
    return True


def free_symbols(node: Node) -> frozenset[str]:
    """Names of the variables in a node."""
    if isinstance(node, Num):
        return _NONE
    return frozenset([n.name for n in walk(node) if isinstance(n, Sym)]) - CONSTANTS


def has_op(node: Node, *names: str) -> bool:
    """Whether one of the operations occurs anywhere in the node."""
    return any(isinstance(n, Op) and n.name in names for n in walk(node))


def negated(node: Node) -> Node:
    """The node with its sign changed."""
    return Num(-node.value, node.places) if isinstance(node, Num) else Op("neg", (node,))


def substituted(node: Node, values: Mapping[str, Node]) -> Node:
    """The node with symbols replaced."""
    match node:
        case Sym(name=name) if name in values:
            return values[name]
        case Op(name=name, args=args):
            return Op(name, tuple(substituted(arg, values) for arg in args))
        case Rel(ops=ops, args=args):
            return Rel(ops, tuple(substituted(arg, values) for arg in args))
        case Listing(items=items, joiner=joiner):
            return Listing(tuple(substituted(item, values) for item in items), joiner)
    return node


def rename(node: Node, names: dict[str, str]) -> Node:
    """The node with variables renamed."""
    return substituted(node, {old: Sym(new) for old, new in names.items()})
