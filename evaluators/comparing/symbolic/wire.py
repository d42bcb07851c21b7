"""Trees as JSON and back: what passes to the symbolic worker is data, never program text."""

from fractions import Fraction
from typing import Any

from evaluators.nodes import Node, Num, Op, Quantity, Rel, Sym, Unreadable


def to_wire(node: Node) -> list[Any]:
    """A scalar formula as nested lists. Raises Unreadable for other answers."""
    match node:
        case Num(value=value):
            return ["num", str(value.numerator), str(value.denominator)]
        case Sym(name=name):
            return ["sym", name]
        case Op(name=name, args=args):
            return ["op", name, *(to_wire(arg) for arg in args)]
        case Rel(ops=ops, args=args):
            return ["rel", list(ops), *(to_wire(arg) for arg in args)]
        case Quantity(value=value):
            return to_wire(value)
    raise Unreadable("not a formula for the symbolic worker")


def from_wire(data: list[Any]) -> Node:
    """The tree of nested lists made by `to_wire`."""
    match data:
        case ["num", top, bottom]:
            return Num(Fraction(int(top), int(bottom)))
        case ["sym", name]:
            return Sym(name)
        case ["op", name, *args]:
            return Op(name, tuple(from_wire(arg) for arg in args))
        case ["rel", ops, *args]:
            return Rel(tuple(ops), tuple(from_wire(arg) for arg in args))
    raise Unreadable("not a formula for the symbolic worker")
