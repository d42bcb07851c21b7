"""Whether the tokens beside a box make it part of a formula, are its sign, or change nothing."""

from dataclasses import dataclass, replace

from evaluators.reading.phrases import BOUNDS
from evaluators.reading.tokens import Token
from evaluators.reading.units import is_unit
from evaluators.reading.word_runs import LETTER_UNITS

_TRANSPARENT = frozenset({"=", "~", "equiv", "sim", "in", "mapsto", "parallel", "perp"})
_EDGES = ("\\begin", "\\end")
_OPERAND = frozenset({"num", "sym", "close"})
_BOUNDARY = frozenset({"row", "cell", "gap", "stop", "sep", "mark"})
_BINARY_WORDS = frozenset({"or", "times", "plus", "minus", "over", "mod", "modulo"})
# Before a number that ends a clause these join it to the box, before words they do not.
_BEFORE_NUMBERS = frozenset({"of", "and", "per"})
_CLOSING_SIGNS = frozenset({"%", "deg", "!", "!!", "'", "''"})
_PAIRS = frozenset({("(", ")"), ("[", "]"), ("{", "{"), ("set", "set")})


@dataclass(frozen=True, slots=True)
class Sides:
    """The tokens on both sides of a box.

    `touches` when no blank stands before it, `bare` when nothing on its line is prose.
    """

    before: list[Token]
    behind: list[Token]
    touches: bool
    maths: bool
    bare: bool


def are_formula(sides: Sides) -> bool:
    """Whether the box is only a part of what the tokens beside it say."""
    return _changes_before(sides) or _changes_behind(sides) or _is_inside(sides)


def are_brackets(opening: Token, closing: Token) -> bool:
    """Whether the tokens are brackets around the box alone."""
    kinds = opening.kind, closing.kind
    return kinds == ("open", "close") and (opening.text, closing.text) in _PAIRS


def is_sign(before: list[Token], *, touches: bool, maths: bool) -> bool:
    """Whether a minus before the box is its sign, not a difference, a dash or a bullet."""
    if not before or before[-1].kind != "op" or before[-1].text != "-":
        return False
    if not maths and not touches:
        return len(before) > 1 and before[-2].kind == "rel"
    if len(before) == 1:
        return True
    left = before[-2]
    if left.kind == "word":
        return left.prose or before[-1].spaced
    return left.kind in _BOUNDARY or left.kind in ("open", "rel")


def _changes_before(sides: Sides) -> bool:
    """Whether what stands directly before the box makes it part of a formula."""
    if not sides.before:
        return False
    if sides.before[-1].kind == "money":
        return _changes_before(replace(sides, before=sides.before[:-1]))
    near = sides.touches or sides.maths
    last, previous = sides.before[-1], (sides.before[-2:-1] or [Token("stop", "")])[0]
    if sides.maths and last.kind in ("row", "cell") and previous.kind in ("op", "rel"):
        last, previous = previous, (sides.before[-3:-2] or [Token("stop", "")])[0]
    match last.kind:
        case "rel":
            return last.text not in _TRANSPARENT
        case "word":
            return (previous.text.lower(), last.text.lower()) in BOUNDS or last.text == "than"
        case "op" if last.text == "to":
            return False
        case "op" if last.text == ":" or last.text in _CLOSING_SIGNS:
            return near and previous.kind == "num"
        case "op" if last.text in "+-*/^_":
            begins = previous.kind in (*_BOUNDARY, "word", "open", "rel")
            return not begins or (sides.maths and last.text != "+")
        case "op":
            return True
        case "fn":
            return near or previous.kind != "word"
        case "close":
            return near and not _is_label(sides.before)
        case "num" | "sym":
            return near and last.text != "..."
        case "unknown":
            return near and last.text[1:2].isalpha() and not last.text.startswith(_EDGES)
    return False


def _is_label(before: list[Token]) -> bool:
    """Whether a bracketed group numbers a line, `(1)`, `(a)`, or belongs to the layout."""
    depth = 0
    for index in range(len(before) - 1, -1, -1):
        depth += (before[index].kind == "close") - (before[index].kind == "open")
        if depth == 0:
            inner = before[index + 1 : -1]
            applied = index > 0 and before[index - 1].kind in (*_OPERAND, "fn")
            words = any(token.kind == "word" for token in inner)
            return words or (not applied and before[-1].text != "{" and len(inner) < 2)  # noqa: PLR2004
    return True


def _changes_behind(sides: Sides) -> bool:
    """Whether what stands directly behind the box, or its unit, makes it part of a formula."""
    behind, percent = _without_unit(sides.behind)
    if sides.maths and len(behind) > 1 and behind[0].kind in ("row", "cell"):
        behind = behind[1:] if behind[1].kind in ("op", "rel") else behind
    if not behind:
        return False
    first, after = behind[0], behind[1:]
    near = sides.maths or not first.spaced
    match first.kind:
        case "op":
            return _operates(sides, first, after)
        case "rel":
            return first.text not in _TRANSPARENT and _is_operand(after, maths=sides.maths)
        case "num":
            return near
        case "sym":
            return first.text not in ("...", "EmptySet", "triangle") and (
                near or len(first.text) > 1
            )
        case "word":
            if after and (first.text.lower(), after[0].text.lower()) in BOUNDS:
                return True
            joins = first.text.lower() in _BINARY_WORDS or (percent and first.text == "of")
            counted = first.text.lower() in _BEFORE_NUMBERS and _is_last_number(after)
            return counted or (joins and _is_operand(after, maths=sides.maths))
        case "fn":
            return first.text != "pmod" and (near or first.text in ("frac", "sqrt"))
        case "open":
            return near and _multiplies(behind)
        case "bar":
            return sides.maths and after[:1] != [] and after[0].text in ("_", "^")
        case "unknown":
            return near and first.text[1:2].isalpha() and not first.text.startswith(_EDGES)
    return False


def _without_unit(behind: list[Token]) -> tuple[list[Token], bool]:
    """What follows the unit, percent or degree sign of a box, and whether it was a percent."""
    at, percent = 0, False
    while at < len(behind):
        token, after = behind[at], (behind[at + 1 : at + 2] or [Token("stop", "")])[0]
        named = token.kind in ("word", "sym") and (
            is_unit(token.text) or token.text in LETTER_UNITS
        )
        if (token.kind, token.text) in (("op", "%"), ("op", "deg")) or named:
            percent = percent or token.text in ("%", "percent")
            at += 1
        elif (token.text == "^" and (after.text == "deg" or (at and after.kind == "num"))) or (
            token.text == "/" and at and is_unit(after.text)
        ):
            at += 2
        else:
            break
    return behind[at:], percent


def _operates(sides: Sides, sign: Token, after: list[Token]) -> bool:
    """Whether an operator behind the box applies to it."""
    near = sides.maths or not sign.spaced
    if sign.text in ("!", "!!"):
        return near and sides.bare
    if sign.text in ("'", "''"):
        return sides.maths and not sign.spaced
    if sign.text == "to" or (
        sign.text == "mod" and any(token.text == "equiv" for token in sides.before)
    ):
        return False
    if sign.text == ":":
        ratio = after[:1] != [] and after[0].kind == "num"
        return near and ratio and (sides.maths or not after[0].spaced)
    if sign.text in ("^", "_"):
        return near and bool(after)
    return _is_operand(after, maths=sides.maths)


def _is_operand(tokens: list[Token], *, maths: bool) -> bool:
    """Whether a formula begins here; in running text a letter before a word is a word."""
    if not tokens or tokens[0].kind not in ("num", "sym", "open", "fn", "op"):
        return False
    following = tokens[1].kind if len(tokens) > 1 else ""
    return maths or tokens[0].kind != "sym" or following != "word"


def _is_last_number(tokens: list[Token]) -> bool:
    """Whether a number stands here and its clause ends behind it: `of 2.`, `and 43`."""
    ends = len(tokens) == 1 or (len(tokens) > 1 and tokens[1].kind in _BOUNDARY)
    return ends and tokens[0].kind == "num"


def _multiplies(behind: list[Token]) -> bool:
    """Whether a bracketed group behind the box is a factor: no remark, unit, label or citation."""
    opening = behind[0]
    if opening.text.startswith("env"):
        return False
    inner: list[Token] = []
    depth = 1
    for token in behind[1:]:
        depth += (token.kind == "open") - (token.kind == "close")
        if depth == 0:
            break
        inner.append(token)
    if not inner or any(token.kind in ("word", "rel", "stop") for token in inner):
        return False
    return not (len(inner) == 1 and (opening.spaced or opening.text == "["))


def _is_inside(sides: Sides) -> bool:
    """Whether the box stands in an argument, a power, bars, or brackets with something else."""
    before, behind = sides.before, sides.behind
    if sides.maths and before[-1:] and behind[:1] and before[-1].kind == behind[0].kind == "bar":
        return True
    opened: list[int] = []
    for index, token in enumerate(before):
        if token.kind == "open":
            opened.append(index)
        elif token.kind == "close" and opened:
            opened.pop()
    return any(_is_argument(before, index, behind) for index in opened)


def _is_argument(before: list[Token], index: int, behind: list[Token]) -> bool:
    opening, inner = before[index], before[index + 1 :]
    previous = before[index - 1] if index else Token("stop", "")
    if opening.text in ("floor", "ceil", "|", "||", "<"):
        return True
    if opening.text == "{":
        scripted = previous.text in ("^", "_") or (previous.kind, previous.text) == ("close", "{")
        return scripted or previous.kind in ("fn", "unknown")
    if opening.text.startswith("env"):
        return False
    applied = previous.kind == "fn" or (previous.kind in _OPERAND and not opening.spaced)
    rest: list[Token] = []
    for token in behind:
        if token.kind == "close":
            break
        rest.append(token)
    prose = any(token.kind == "word" for token in (*inner, *rest)) or len(rest) == len(behind)
    listed = not prose and any(token.kind == "sep" for token in (*inner, *rest))
    return not prose and (applied or listed)
