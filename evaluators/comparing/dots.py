r"""Sums and products with dots, `1 + 2 + \cdots + n`, where the written terms leave one pattern."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from evaluators.nodes import (
    INTEGER_LETTERS,
    Listing,
    Node,
    Num,
    Op,
    Rel,
    Sym,
    free_symbols,
    substituted,
)
from evaluators.numbers.exact import exact_value

_DOTS = Sym("...")
_BOUNDED = {"add": "sum", "mul": "prod"}
# Where an index may begin.
_FIRST = range(-3, 8)
# Written terms that show a pattern of any kind; of a line, fewer do.
_SHOWN = 3


def without_dots(node: Node) -> Node:
    r"""The node with `t_1 + t_2 + \cdots + t_n` as a sum with bounds; others stay as written.

    The last term, a formula in one integer letter, must give the first ones where the letter is a
    first index and those after it. Two written terms are enough where the last one is linear in the
    letter or they have its form (`1^2 + 2^2 + \cdots + n^2`), else three are. Of numbers alone the
    last must continue one arithmetic or geometric progression, and not one of each.
    """
    match node:
        case Rel(ops=ops, args=args):
            return Rel(ops, tuple(map(without_dots, args)))
        case Listing(items=items, joiner=joiner) if _DOTS not in items:
            return Listing(tuple(map(without_dots, items)), joiner)
        case Op(name=name, args=(first, second, *more, dots, last)) if (
            name in _BOUNDED and dots == _DOTS
        ):
            shown = (first, second, *more)
            return _by_letter(name, shown, last) or _by_numbers(name, shown, last) or node
        case Op(name=name, args=args):
            return Op(name, tuple(map(without_dots, args)))
    return node


def _by_letter(name: str, shown: Sequence[Node], last: Node) -> Node | None:
    letters = free_symbols(last) - free_symbols(Listing(tuple(shown), ","))
    letter = next(iter(letters)) if len(letters) == 1 and letters <= INTEGER_LETTERS else ""
    for first in _FIRST if letter else ():
        terms = [_at(last, letter, first + place) for place in range(len(shown))]
        if not all(map(_same, shown, terms)) or _same(terms[0], terms[1]):
            continue
        alike = all(a == b for a, b in zip(shown, terms, strict=True)) and not any(
            isinstance(term, Num) for term in terms
        )
        if len(shown) >= _SHOWN or alike or _is_line(last, letter):
            index = next(k for k in ("k", "j", "i_0") if k not in free_symbols(last))
            lower = Rel(("=",), (Sym(index), Num(Fraction(first))))
            body = substituted(last, {letter: Sym(index)})
            return Op(_BOUNDED[name], (body, lower, Sym(letter)))
    return None


def _at(node: Node, letter: str, value: int) -> Node:
    """The term at an index, `x^1` as x and `x^0` as 1."""
    return _plain(substituted(node, {letter: Num(Fraction(value))}))


def _plain(node: Node) -> Node:
    match node:
        case Op(name="pow", args=(base, Num(value=Fraction(numerator=1, denominator=1)))):
            return _plain(base)
        case Op(name="pow", args=(_, Num(value=Fraction(numerator=0)))):
            return Num(Fraction(1))
        case Op(name=name, args=args):
            return Op(name, tuple(map(_plain, args)))
    return node


def _same(a: Node, b: Node) -> bool:
    value = exact_value(a)
    return a == b or (value is not None and value == exact_value(b))


def _is_line(term: Node, letter: str) -> bool:
    values = [exact_value(_at(term, letter, place)) for place in range(5)]
    known = [value for value in values if value is not None]
    return len(known) == len(values) and len({b - a for a, b in pairwise(known)}) == 1


def _by_numbers(name: str, shown: Sequence[Node], last: Node) -> Node | None:
    values = [value for term in (*shown, last) if (value := exact_value(term)) is not None]
    if len(values) <= len(shown) or name != "add":
        return None
    totals = [total for total in (_arithmetic(values), _geometric(values)) if total is not None]
    return Num(totals[0]) if len(totals) == 1 else None


def _arithmetic(values: Sequence[Fraction]) -> Fraction | None:
    """The sum of the progression that the values begin, up to the last of them."""
    first, second, *_, last = values
    step = second - first
    count = (last - first) / step + 1 if step else Fraction(0)
    goes_on = all(first + place * step == value for place, value in enumerate(values[:-1]))
    if not goes_on or count.denominator != 1 or count < len(values):
        return None
    return count * (first + last) / 2


def _geometric(values: Sequence[Fraction]) -> Fraction | None:
    first, second, *_, last = values
    ratio = second / first if first else Fraction(0)
    if abs(ratio) in (0, 1):
        return None
    if any(first * ratio**place != value for place, value in enumerate(values[:-1])):
        return None
    term, far = values[-2], abs(last)
    while (abs(term) < far) if abs(ratio) > 1 else (abs(term) > far):
        term *= ratio
    return (last * ratio - first) / (ratio - 1) if term == last != values[-2] else None
