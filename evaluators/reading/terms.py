"""Small pieces of formulas: flat sums and products, powers of functions, bases, subscripts."""

from collections.abc import Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TypeGuard

from evaluators.nodes import Node, Num, Op, Seq, Sym, Unreadable, negated
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item
from evaluators.reading.words import FUNCTIONS, NUMBER_WORDS

# Bases a subscript on digits can name.
MIN_BASE, MAX_BASE = 2, 36
_BASES = frozenset(str(base) for base in range(MIN_BASE, MAX_BASE + 1))
# Real numbers with a condition as their subscript.
HALF_LINES = MappingProxyType(
    {"Reals_+": "+", "Reals_>0": "+", "Reals_-": "-", "Reals_<0": "-"}
    | {"Reals_>=0": ">=", "Reals_<=0": "<="}
)
_DIGIT_LETTERS = frozenset("ABCDEF")
# Letters that name a function where so many arguments in round brackets follow.
_SPECIAL = MappingProxyType({"Gamma": 1, "zeta": 1, "beta": 2})
_NAMES = {"*": "mul", "/": "div", "over": "div", ":": "ratio", "choose": "binom", "modulo": "mod"}


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
    if isinstance(last, Group) and last.opening in ("(", "{"):
        inner = last.items
        if len(inner) == 1 and isinstance(inner[0], Token) and inner[0].kind == "num":
            last = inner[0]
        elif _are_digits(inner) and (last.opening == "(" or any(is_number(i) for i in inner)):
            last = Token("num", label(inner).upper(), last.spaced, False, Fraction(0))
    run = [last]
    while rest and _is_digit(run[0]) and _is_digit(rest[-1]):
        # The blank that running text leaves behind it is none: `2\text{A}5_{16}`.
        if _starts(run[0]) and not (isinstance(rest[-1], Token) and rest[-1].prose):
            break
        run.insert(0, rest.pop())
    first = run[0]
    if not isinstance(first, Token) or len(run) == 1 or not any(is_number(item) for item in run):
        return [*rest, *run]
    return [*rest, Token("num", label(run), first.spaced, False, Fraction(0))]


def _is_digit(item: Item) -> bool:
    """Whether the item is digits, or capital letters that are digits of a higher base."""
    digits = is_number(item) or (isinstance(item, Token) and set(item.text) <= _DIGIT_LETTERS)
    return isinstance(item, Token) and digits and item.text.isalnum()


def _starts(item: Item) -> bool:
    """Whether a blank stands before the item; before running text it says nothing."""
    return isinstance(item, Token) and item.spaced and not item.prose


def is_number(item: Item) -> bool:
    """Whether the item is a number in digits."""
    return isinstance(item, Token) and item.kind == "num"


def _are_digits(items: Sequence[Item]) -> bool:
    """Whether digits and letters, nothing else, stand side by side."""
    return bool(items) and all(
        isinstance(item, Token)
        and item.kind in ("num", "sym", "word")
        and item.text.isalnum()
        and (is_number(item) or set(item.text.upper()) <= _DIGIT_LETTERS)
        for item in items
    )


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


def is_special(name: str, after: Sequence[Item]) -> bool:
    r"""Whether a letter names its function: `\Gamma(6)`, `\Gamma^2(6)`; not `\zeta + 1`."""
    raised = bool(after) and isinstance(after[0], Token) and after[0].text == "^"
    group = after[2 if raised else 0 :][:1]
    if name not in _SPECIAL or not group or not isinstance(group[0], Group):
        return False
    inside = group[0].items
    commas = sum(isinstance(item, Token) and item.kind == "sep" for item in inside)
    alone = name not in label(inside)
    return group[0].opening == "(" and alone and commas + 1 == _SPECIAL[name]


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
