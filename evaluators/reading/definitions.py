r"""What a definition names: `f(x)`, `\frac{dy}{dx}` before an equals sign; `f: x` with one."""

import re
from collections.abc import Sequence
from fractions import Fraction

from evaluators.nodes import Node, Num, Op, Sym
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item
from evaluators.reading.word_runs import is_kind

_FUNCTION_NAMES = frozenset({"f", "g", "h", "p", "q", "F", "G", "H", "P", "Q", "E", "V", "S", "T"})
_SYMBOL = frozenset({"sym"})
# What stands in `P(A | B)` and `P(X > 2)`, and in no argument of a function.
_OF_EVENTS = frozenset({"|", "mid", "cup", "cap", "=", "<", ">", "<=", ">=", "!=", "in"})
# `d y / d x`, `d ^ 2 f ( x ) / d x ^ 2`, `d / d x f`, as tokens with blanks between.
_DERIVATIVE = re.compile(
    r"d(?: \^ (?P<order>\d))?(?: (?P<name>\w+)(?: \( \w+ \))?)? / "
    r"d (?P<variable>\w+)(?: \^ (?P<again>\d))?"
    r"(?: (?P<behind>\w+)(?: \( \w+ \))?|(?P<formula> .+))?"
)


def function_head(items: list[Item]) -> Node | None:
    r"""`name(x, y)` before an equals sign defines a function, whatever the name; `\min` names.

    So do derivatives, `\frac{dy}{dx}` as `y'(x)`, and probabilities of events, `P(X > 2)`.
    """
    if head := _derivative(items) or _probability(items):
        return head
    if len(items) == 1 and isinstance(items[0], Token) and items[0].kind == "fn":
        return Sym(items[0].text)
    if not items[1:] or not is_kind(items[0], frozenset({"sym"})):
        return None
    group, name = items[-1], items[0]
    if not isinstance(group, Group) or group.opening != "(" or isinstance(name, Group):
        return None
    inverse = _is_inverse(items[1:-1])
    if inverse:
        items = [items[0], group]
    if any(isinstance(i, Group) or (i.kind == "op" and i.text not in "_'") for i in items[1:-1]):
        return None
    named = name.text in _FUNCTION_NAMES
    allowed = frozenset({"sym", "sep", "num"}) if named else frozenset({"sym", "sep"})
    if not all(is_kind(i, allowed) for i in group.items):
        return None
    arguments = tuple(
        Num(i.value or Fraction(0), i.places) if i.kind == "num" else Sym(i.text)
        for i in group.items
        if isinstance(i, Token) and i.kind != "sep"
    )
    label = "".join(i.text for i in items[:-1] if isinstance(i, Token))
    return Op(f"apply:{label}{'^-1' if inverse else ''}", arguments)


def _derivative(items: list[Item]) -> Node | None:
    """A derivative in quotients of differentials; that of a written formula is of a function f."""
    texts = _texts(items)
    if "d" not in texts[:2]:
        return None
    match items:
        case [Token(text="frac"), Group(items=top), Group(items=bottom), *behind]:
            texts = [*_texts(top), "/", *_texts(bottom), *_texts(behind)]
    found = _DERIVATIVE.fullmatch(" ".join(texts))
    if found is None or found["order"] != found["again"]:
        return None
    named = [found[group] for group in ("name", "behind", "formula") if found[group]]
    if len(named) != 1:
        return None
    name = "f" if found["formula"] else named[0]
    return Op(f"apply:{name}{chr(39) * int(found['order'] or 1)}", (Sym(found["variable"]),))


def _probability(items: list[Item]) -> Node | None:
    """`P(A | B)` and `P(X > 2)`, one name with all that stands in the brackets."""
    match items:
        case [Token(text="P" | "\\Pr" as sign), Group(opening="(" | "[", items=inside)]:
            written = _texts(inside)
            named = sign == "P" and _OF_EVENTS.isdisjoint(written)
            return None if named else Sym(f"P({''.join(written)})")
    return None


def _texts(items: Sequence[Item]) -> list[str]:
    """The texts of all tokens, those of braces without the braces."""
    texts: list[str] = []
    for item in items:
        if isinstance(item, Token):
            texts.append(item.text)
        elif item.opening == "{":
            texts += _texts(item.items)
        else:
            texts += [item.opening, *_texts(item.items), item.closing]
    return texts


def _is_inverse(items: list[Item]) -> bool:
    """`^{-1}` between a function's name and its argument."""
    match items:
        case [
            Token(text="^"),
            Group(items=(Token(text="-"), Token(text="1"))),
        ]:
            return True
    return False


def mapped_head(items: list[Item]) -> Node | None:
    r"""`f: x` before `\mapsto`, or `x` alone."""
    texts = [item.text for item in items if isinstance(item, Token)]
    if len(texts) < len(items) or not all(is_kind(items[i], _SYMBOL) for i in (0, -1)):
        return None
    if len(texts) == 3 and texts[1] == ":":  # noqa: PLR2004 - a name, a colon, a variable
        return Op(f"apply:{texts[0]}", (Sym(texts[2]),))
    return Op("apply:f", (Sym(texts[0]),)) if len(texts) == 1 else None
