r"""Differentials of integrals: `dx`, `\mathrm{d}x`, `d\theta`, also inside `\frac{dx}{x}`."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from evaluators.nodes import CONSTANTS
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item

# The kind of a token that stands for a whole differential; its text is the variable.
DIFFERENTIAL = "differential"
_RUN_TOGETHER = re.compile(r"(?:d[A-Za-z])+")
_ONE = Token("num", "1", value=Fraction(1))


def with_differentials(items: list[Item]) -> list[Item]:
    """The items with every differential of an integral as one token, at the end of its fraction."""
    changed: list[Item] = []
    at, integrals = 0, 0
    while at < len(items):
        item = items[at]
        after_script = at > 0 and _is_op(items[at - 1], ("^", "_"))
        found = _differential(items[at : at + 2]) if integrals and not after_script else None
        if found is not None:
            changed += [Token(DIFFERENTIAL, name) for name in found.variables]
            integrals -= len(found.variables)
            at += found.items
            continue
        pulled = _from_numerator(items[at : at + 3]) if integrals else []
        if pulled:
            changed += pulled
            integrals -= len(pulled) - 3
            at += 3
            continue
        if isinstance(item, Group):
            inner = tuple(with_differentials(list(item.items)))
            item = Group(item.opening, item.closing, inner, item.spaced)
        integrals += isinstance(item, Token) and (item.kind, item.text) == ("fn", "int")
        changed.append(item)
        at += 1
    return changed


class _Found(NamedTuple):
    """The variables of the differentials that stand somewhere, and of how many items they are."""

    variables: tuple[str, ...]
    items: int


def _differential(items: Sequence[Item]) -> _Found | None:
    first, second = (*items, None, None)[:2]
    if not isinstance(first, Token) or first.kind not in ("sym", "word"):
        return None
    if first.kind == "word" and _RUN_TOGETHER.fullmatch(first.text):
        return _Found(tuple(first.text[1::2]), 1)
    if first.text != "d" or not isinstance(second, Token) or second.text in CONSTANTS:
        return None
    named = second.kind == "sym" or (second.kind == "word" and len(second.text) == 1)
    return _Found((second.text,), 2) if named else None


def _from_numerator(items: Sequence[Item]) -> list[Item]:
    r"""`\frac{x\,dx}{y}` with its differential behind it; nothing where something else stands."""
    fraction, top, below = (*items, None, None, None)[:3]
    if not isinstance(fraction, Token) or (fraction.kind, fraction.text) != ("fn", "frac"):
        return []
    if not isinstance(top, Group) or below is None:
        return []
    if any(isinstance(item, Token) and item.text == "int" for item in top.items):
        return []
    for at in range(len(top.items)):
        found = _differential(top.items[at : at + 2])
        if found is not None:
            rest = (*top.items[:at], *top.items[at + found.items :]) or (_ONE,)
            numerator = Group(top.opening, top.closing, rest, top.spaced)
            behind = (Token(DIFFERENTIAL, name) for name in found.variables)
            return [fraction, numerator, below, *behind]
    return []


def _is_op(item: Item, signs: tuple[str, ...]) -> bool:
    return isinstance(item, Token) and item.kind == "op" and item.text in signs
