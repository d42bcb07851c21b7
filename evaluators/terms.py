"""Small pieces of formulas: flat sums and products, powers of functions, bases, subscripts."""

from collections.abc import Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TypeGuard

from evaluators.nodes import Node, Num, Op, Seq, Sym, Unreadable, negated
from evaluators.tokens import Token
from evaluators.tree import Group, Item
from evaluators.words import FUNCTIONS, NUMBER_WORDS

# Bases a subscript on digits can name.
MIN_BASE, MAX_BASE = 2, 36
_BASES = frozenset(str(base) for base in range(MIN_BASE, MAX_BASE + 1))
# Real numbers with a condition as their subscript.
HALF_LINES = MappingProxyType(
    {"Reals_+": "+", "Reals_>0": "+", "Reals_-": "-", "Reals_<0": "-"}
    | {"Reals_>=0": ">=", "Reals_<=0": "<="}
)
_DIGIT_LETTERS = frozenset("ABCDEF")
_NAMES = {"*": "mul", "/": "div", "over": "div", ":": "ratio", "choose": "binom"}


def combined(sign: str, left: Node, right: Node) -> Node:
    """Two operands joined by a sign; sums, products and ratios stay flat."""
    if sign == "-" and isinstance(right, Seq) and right.opening == "{":
        return Op("setminus", (left, right))
    if sign in ("+", "-"):
        terms = left.args if isinstance(left, Op) and left.name == "add" else (left,)
        return Op("add", (*terms, right if sign == "+" else negated(right)))
    if sign == "*" and isinstance(left, Op) and left.name == "mul":
        return Op("mul", (*left.args, right))
    if sign == ":" and isinstance(left, Op) and left.name == "ratio":
        return Op("ratio", (*left.args, right))
    return Op(_NAMES.get(sign, sign), (left, right))


def raised_function(name: str, node: Node, power: Node, arguments: tuple[Node, ...]) -> Node:
    r"""`\sin^2 x` is a power, `\sin^{-1} x` the inverse function."""
    inverse = isinstance(power, Num) and power.value == -1
    if inverse and f"arc{name}" in FUNCTIONS:
        return Op(f"arc{name}", arguments)
    return Op("pow", (node, power))


def is_natural(node: Node) -> TypeGuard[Num]:
    """Whether the node is a whole number written without decimals."""
    return isinstance(node, Num) and node.places is None and node.value.denominator == 1


def letters(token: Token) -> Node:
    """Letters run together where a value must stand are a product of variables."""
    if len(token.text) == 1:
        return Sym(token.text)
    if token.prose or not token.text.isascii():
        raise Unreadable("a word inside a formula")
    return Op("mul", tuple(Sym(letter) for letter in token.text))


def base_of(items: Sequence[Item]) -> int:
    """The base that a subscript on digits names, by digits or by a word."""
    written = label(items).lower().removeprefix("base")
    value = int(written) if written in _BASES else NUMBER_WORDS.get(written, 0)
    if MIN_BASE <= value <= MAX_BASE:
        return value
    raise Unreadable("a subscript that is no base")


def label(items: Sequence[Item]) -> str:
    """A subscript as part of a name."""
    return "".join(label(i.items) if isinstance(i, Group) else i.text for i in items)


def with_bases(items: list[Item]) -> list[Item]:
    """`2110 (base 3)`, `2110 base 3` and `(2110)_3` written with a subscript."""
    changed: list[Item] = []
    for item in items:
        if _is_subscript(item) and changed:
            changed = _digits_alone(changed)
        inner = list(item.items) if isinstance(item, Group) and item.opening == "(" else [item]
        if _is_base(inner[:1]) and changed and isinstance(changed[-1], Token):
            changed += [Token("op", "_"), *inner[1:]]
        else:
            changed.append(item)
    return changed


def _is_subscript(item: Item) -> bool:
    return isinstance(item, Token) and item.kind == "op" and item.text == "_"


def _digits_alone(items: list[Item]) -> list[Item]:
    """Digits before a subscript as one token: out of their brackets, letters among them too."""
    *rest, last = items
    if isinstance(last, Group) and last.opening in ("(", "{") and len(last.items) == 1:
        inner = last.items[0]
        last = inner if isinstance(inner, Token) and inner.kind == "num" else last
    while (
        rest
        and isinstance(last, Token)
        and not last.spaced
        and set(last.text) <= _DIGIT_LETTERS | set("0123456789")
        and isinstance(before := rest[-1], Token)
        and before.kind == "num"
        and before.text.isalnum()
    ):
        rest.pop()
        last = Token("num", before.text + last.text, before.spaced, False, Fraction(0))
    return [*rest, last]


def _is_base(items: list[Item]) -> bool:
    return bool(items) and isinstance(items[0], Token) and items[0].text == "base"


def arrangements(whole: Num, chosen: Num) -> Node:
    """How many ordered choices there are of so many from the whole."""
    rest = Op("fact", (Num(whole.value - chosen.value),))
    return Op("div", (Op("fact", (whole,)), rest))


def choice(items: Sequence[Item]) -> Node | None:
    """The binomial coefficient of `(10, 3)` behind a C; None where it can only be a point."""
    match items:
        case [
            Token(kind="num", places=None, value=Fraction() as whole),
            Token(kind="sep"),
            Token(kind="num", places=None, value=Fraction() as chosen),
        ] if chosen <= whole:
            return Op("binom", (Num(whole), Num(chosen)))
        case [
            Token(kind="sym", text="n" | "m" as top),
            Token(kind="sep"),
            Token(kind="sym", text="k" | "r" | "n" as bottom),
        ]:
            return Op("binom", (Sym(top), Sym(bottom)))
    return None


def left_scripted(items: Sequence[Item]) -> tuple[Node, int] | None:
    """`{}_{10}C_{3}` and `^{10}C_3`: a binomial coefficient, and how many items it takes."""
    skipped = 1 if items and isinstance(items[0], Group) and not items[0].items else 0
    match items[skipped : skipped + 5]:
        case [
            Token(kind="op", text="_" | "^"),
            whole,
            Token(kind="sym", text="C"),
            Token(kind="op", text="_"),
            chosen,
        ] if (top := _written(whole)) is not None and (bottom := _written(chosen)) is not None:
            return Op("binom", (Num(top), Num(bottom))), skipped + 5
    return None


def _written(item: Item) -> Fraction | None:
    inner = item.items if isinstance(item, Group) else (item,)
    alone = inner[0] if len(inner) == 1 else None
    return alone.value if isinstance(alone, Token) and alone.kind == "num" else None


def half_line(sign: str) -> Node:
    """The positive or the negative real numbers."""
    zero, infinity = Num(Fraction(0)), Sym("oo")
    if sign in ("+", ">="):
        return Seq((zero, infinity), "(" if sign == "+" else "[", ")")
    return Seq((negated(infinity), zero), "(", "]" if sign == "<=" else ")")
