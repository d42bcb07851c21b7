r"""Functions and their arguments: fractions, roots, `\sin^2 2x`, `\log_2 8`, sums with bounds."""

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from evaluators.nodes import Node, Num, Op, Rel, Sym, Unreadable, walk
from evaluators.reading.brackets import read_group
from evaluators.reading.differentials import DIFFERENTIAL
from evaluators.reading.terms import combined, raised_function
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item

# Binding strength of a sum: the body of a bounded operation reaches to the next one.
SUM_STRENGTH = 10
_BOUNDED = frozenset({"sum", "prod", "int", "lim"})
_ONE = Num(Fraction(1))
# Functions whose argument may stand in curly brackets.
_CURLY = frozenset({"exp", "max", "min", "gcd", "lcm"})


class Reader(Protocol):
    """The formula reader as functions need it."""

    items: list[Item]
    at: int
    read_answer: Callable[[list[Item]], Node]

    def peek(self, ahead: int = 0) -> Item | None:
        """The item ahead."""

    def sign(self, ahead: int = 0) -> str:
        """The operator ahead, or nothing."""

    def begins_operand(self, item: Item) -> bool:
        """Whether a product may go on with the item."""

    def expression(self, strength: int) -> Node:
        """A formula of operators that bind at least so strongly."""

    def continued(self, left: Node, strength: int) -> Node:
        """A formula whose first operand is read, with what follows it."""

    def signed(self) -> Node:
        """An operand with its sign."""

    def power(self) -> Node:
        """An operand with its powers and marks."""

    def argument(self) -> Node:
        """One TeX argument."""

    def fraction_part(self) -> Node:
        """One argument of a fraction."""

    def label_items(self) -> list[Item]:
        """What a subscript holds."""


def read_function(reader: Reader, name: str) -> Node:
    """The function whose name was just read, with its arguments."""
    if name in ("frac", "binom") and not _at_parenthesis(reader):
        return Op(
            "div" if name == "frac" else "binom", (reader.fraction_part(), reader.fraction_part())
        )
    if name == "sqrt":
        return _root(reader)
    if name == "overline":
        return _overlined(reader.argument())
    if name in _BOUNDED:
        return _bounded(reader, name)
    if name == "deg":
        return _applied(reader, "apply:deg")
    if name == "pmod":
        raise Unreadable("a residue class")
    return _applied(reader, name)


def _overlined(node: Node) -> Node:
    """A conjugate where the imaginary unit is written; a line over other numbers is not read."""
    if any(isinstance(n, Sym) and n.name == "i" for n in walk(node)):
        return Op("conj", (node,))
    if any(isinstance(n, Num) for n in walk(node)):
        raise Unreadable("a line over a number")
    return Op("overline", (node,))


def _at_parenthesis(reader: Reader) -> bool:
    item = reader.peek()
    return isinstance(item, Group) and item.opening == "("


def _root(reader: Reader) -> Node:
    item = reader.peek()
    index: Node = Num(Fraction(2))
    if isinstance(item, Group) and item.opening == "[" and len(reader.items) > reader.at + 1:
        index = read_group(item, reader.read_answer, plain=True)
        reader.at += 1
    radicand = reader.argument()
    return Op("root", (radicand, index))


def _applied(reader: Reader, name: str) -> Node:
    base: Node | None = None
    power: Node | None = None
    for _ in range(2):
        if reader.sign() == "_":
            reader.at += 1
            base = reader.fraction_part() if _ends_in_digits(reader) else reader.argument()
        elif reader.sign() == "^":
            reader.at += 1
            power = reader.argument()
    arguments = _arguments(reader, name)
    if name == "log" and base is not None:
        node: Node = Op("logb", (arguments[0], base))
    elif base is not None:
        node = Op(f"{name}_", (*arguments, base))
    else:
        node = Op(name, arguments)
    return node if power is None else raised_function(name, node, power, arguments)


def _ends_in_digits(reader: Reader) -> bool:
    r"""`\log_32`: where no argument follows, TeX's subscript is the first digit only."""
    item, after = reader.peek(), reader.peek(1)
    digits = isinstance(item, Token) and item.kind == "num" and item.text.isdigit()
    return digits and (after is None or not reader.begins_operand(after))


def _arguments(reader: Reader, name: str) -> tuple[Node, ...]:
    item = reader.peek()
    curly = name in _CURLY and isinstance(item, Group) and item.opening == "set"
    if isinstance(item, Group) and (curly or item.opening in ("(", "[")):
        reader.at += 1
        inner = read_group(item, reader.read_answer)
        parts = getattr(inner, "items", None)
        return tuple(parts) if parts else (inner,)
    if item is None:
        raise Unreadable("a function without argument")
    return (_bare_argument(reader),)


def _bare_argument(reader: Reader) -> Node:
    r"""`\sin 2x`: a juxtaposed product, up to a sign, another function or a bracket after it."""
    if reader.sign() in ("-", "+"):
        return reader.signed()
    node = reader.power()
    while (item := reader.peek()) is not None:
        if reader.sign() == "/" and not isinstance(node, Op):
            reader.at += 1
            node = combined("/", node, reader.power())
            continue
        simple = isinstance(item, Token) and (item.kind in ("num", "sym") or item.text == "frac")
        if not simple:
            break
        node = combined("*", node, reader.power())
    return node


def _bounded(reader: Reader, name: str) -> Node:
    r"""`\sum_{k=1}^{n} body`: the body reaches to the next sum sign, an integral's to its `dx`."""
    lower: Node | None = None
    upper: Node | None = None
    for _ in range(2):
        if reader.sign() == "_":
            reader.at += 1
            lower = reader.read_answer(reader.label_items())
        elif reader.sign() == "^":
            reader.at += 1
            upper = reader.argument()
    if isinstance(lower, Rel) and lower.ops == (">=",) and upper is None:
        lower, upper = Rel(("=",), lower.args), Sym("oo")
    body = _integrand(reader) if name == "int" else reader.expression(SUM_STRENGTH + 1)
    return Op(name, tuple(part for part in (body, lower, upper) if part is not None))


def _integrand(reader: Reader) -> Node:
    r"""What is integrated and over which variable; `dx` may stand first, as in `\int dx f(x)`."""
    begun = reader.at
    if variable := _differential(reader):
        return Op("d", (reader.continued(_ONE, SUM_STRENGTH + 1), variable))
    body = reader.expression(SUM_STRENGTH)
    if variable := _differential(reader):
        return Op("d", (body, variable))
    reader.at = begun
    return reader.expression(SUM_STRENGTH + 1)


def _differential(reader: Reader) -> Sym | None:
    item = reader.peek()
    if not isinstance(item, Token) or item.kind != DIFFERENTIAL:
        return None
    reader.at += 1
    return Sym(item.text)
