r"""What stands around a box: nothing that matters, its sign, or a formula that it is a part of.

`x = \boxed{42}` and `\boxed{42}\text{ cm}` state 42; `10-\boxed{42}`, `x \ge \boxed{42}` and
`\boxed{42}!` do not: what they state is the formula. The neighbours of the box decide, as tokens of
the same lexer that reads answers. Inside `$...$` and displays signs are mathematics and letters are
factors; in running text dashes, bullets, brackets and stars are mostly punctuation.
"""

import re
from dataclasses import dataclass

from evaluators.commands import ENVIRONMENTS
from evaluators.lexer import tokenize
from evaluators.nodes import Unreadable
from evaluators.numerals import SCALES
from evaluators.phrases import BOUNDS, CHANGED_AFTER, LETTER_UNITS, REJECTED
from evaluators.tokens import Comma, Token
from evaluators.units import is_unit

# A formula begins and ends at most this far from its box, characters.
MAX_SPAN = 2_000
# The neighbours of a box are looked for this near, characters.
MAX_NEAR = 300

_LAYOUT = "|".join(
    sorted(name for name, bracket in ENVIRONMENTS.items() if not bracket and name != "document")
)
_DELIMITER = re.compile(
    r"\\\\|\\\$|\\[\[\]()]|\$\$?|\n[ \t]*\n"
    rf"|\\(?P<edge>begin|end)\{{(?P<name>{_LAYOUT})\*?\}}"
)
_CLOSERS = {"\\[": "\\]", "\\(": "\\)", "$": "$", "$$": "$$"}
# Looks of running text: tags, emphasis, notes, long dashes; arrows, which are no comparison.
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,40}>|\[\^\w{1,9}\]")
_EMPHASIS = re.compile(
    r"(?<![\w)}])(?<!\d )\*{1,3}+(?=\S|\Z)|(?:(?<=[A-Za-z]{2})|(?<=[.:,;!?])|\A)\*{1,3}+(?![\w\\(])"
    r"|\A_+(?=\W|\Z)|(?<=\s)_+\Z|`+|~~|(?<!\\left)(?<!\\right)\|"
)
_DASH = re.compile(r"[—–]|(?<!-)-{2,3}(?!-)|(?<=[A-Za-z]{2}) - |(?<=[.:)]) - ")
_NUMBERED = re.compile(r"(\b[A-Z][a-z]{2,} \d{1,3}) - ")
_ARROW = re.compile(r"[-=~]{1,3}>")
_BULLET = re.compile(r"\s*(?:[-+*•·>#]+\s+|\(?\w{1,3}[.)]\s+)")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_SENTENCE = re.compile(r"[.?!;]\s")
_LEAD = re.compile(r".*[.?!;:,]\s+", re.DOTALL)
_POINT_BEFORE = re.compile(r"\d\.\Z")
_DIGIT_BEHIND = re.compile(r"(?:[.,]|\{[.,]\})?\d")

_TRANSPARENT = frozenset({"=", "~", "equiv", "sim", "in", "mapsto", "parallel", "perp"})
_EDGES = ("\\begin", "\\end")
_OPERAND = frozenset({"num", "sym", "close"})
_STARTS_EDGES = ("\\begin", "\\end")
_OPERAND = frozenset({"num", "sym", "open", "fn"})
_BOUNDARY = frozenset({"row", "cell", "gap", "stop", "sep", "mark"})
_BINARY_WORDS = frozenset({"or", "times", "plus", "minus", "over", "mod", "modulo"})
_CLOSING_SIGNS = frozenset({"%", "deg", "!", "!!", "'", "''"})
_PAIRS = frozenset({("(", ")"), ("[", "]"), ("{", "{"), ("set", "set")})
_DENIAL = re.compile(r"\bnot\s+(?:\$|\\\()?\s*\Z", re.IGNORECASE)
_CHANGES = "|".join(sorted({*SCALES, *CHANGED_AFTER}))
_REJECTION = re.compile(
    r"(?:\s|\\[,; ]|~)*(?:\$|\\\))?\s*(?:\\(?:text|mathrm)\s*\{\s*)?"
    rf"(?:(?:is|was)\s+(?:not|{'|'.join(sorted(REJECTED))})|{_CHANGES})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The sign before a box; and the formula that it is only a part of, with its place."""

    sign: str = ""
    formula: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the formula (or the line) of a box begins and ends, and whether it is mathematics."""

    left: int
    right: int
    maths: bool


@dataclass(frozen=True, slots=True)
class _Sides:
    """The tokens on both sides of a box.

    `touches` when no blank stands before it, `bare` when nothing on its line is prose.
    """

    before: list[Token]
    behind: list[Token]
    touches: bool
    maths: bool
    bare: bool


def surroundings(text: str, start: int, end: int) -> Surroundings:
    """What stands around the box at these offsets."""
    place = _place(text, start, end)
    if _DENIAL.search(text, max(0, start - MAX_NEAR), start) or _REJECTION.match(text, end):
        return _formula(text, start, end, _line(text, start, end))
    found = _judged(text, start, end, place)
    inside = text[place.left : start].strip(), text[end : place.right].strip()
    if place.maths and not found.formula and inside in (("", ""), ("-", "")):
        width = 1 if text[place.right] == "$" else 2
        left, right = place.left - width, place.right + width
        around = _judged(text, left, right, _line(text, left, right))
        return around if around.formula else found
    return found


def _judged(text: str, start: int, end: int, place: _Place) -> Surroundings:
    """What the tokens beside the box, within its place, make of it."""
    before = _tokens_before(text[max(place.left, start - MAX_NEAR) : start], maths=place.maths)
    behind = _tokens_behind(text[end : min(place.right, end + MAX_NEAR)], maths=place.maths)
    if before is None or behind is None:
        return _formula(text, start, end, place)
    touches = not before.pop().spaced
    sign = "-" if _is_sign(before, touches=touches, maths=place.maths) else ""
    if sign:
        touches = not before.pop().spaced
    while before and behind and _is_pair(before[-1], behind[0]):
        touches = not before.pop().spaced
        behind = behind[1:]
    line = text[place.left : start] + " " + text[end : place.right]
    sides = _Sides(before, behind, touches, place.maths, place.maths or not _PROSE.search(line))
    glued = _POINT_BEFORE.search(text, max(0, start - 2), start) or _DIGIT_BEHIND.match(text, end)
    barred = text[start - 1 : start] == text[end : end + 1] == "|" and line.count("|") == 2  # noqa: PLR2004
    part = glued or barred or _changes_before(sides) or _changes_behind(sides) or _is_inside(sides)
    return _formula(text, start, end, place) if part else Surroundings(sign, "", start, end)


def _place(text: str, start: int, end: int) -> _Place:
    """The maths span that holds the box; where there is none, its line."""
    opened: list[tuple[str, int]] = []
    for match in _DELIMITER.finditer(text, max(0, start - MAX_SPAN), start):
        sign = match.group()
        if match["edge"] == "begin":
            opened.append((f"\\end{{{match['name']}", match.end()))
        elif match["edge"] == "end":
            opened = opened[:-1]
        elif sign in _CLOSERS and not opened:
            opened = [(_CLOSERS[sign], match.end())]
        elif opened and (sign == opened[0][0] or (sign[0] == "\n" and opened[0][0] == "$")):
            opened = []
    if opened:
        closer, left = opened[0]
        right = text.find(closer, end, end + MAX_SPAN)
        if right >= 0:
            return _Place(left, right, maths=True)
    return _line(text, start, end)


def _line(text: str, start: int, end: int) -> _Place:
    left, right = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    right = len(text) if right < 0 else right
    return _Place(max(left, start - MAX_SPAN), min(right, end + MAX_SPAN), maths=False)


def _formula(text: str, start: int, end: int, place: _Place) -> Surroundings:
    r"""The formula as it stands; a point that touches a box is no end of a sentence."""
    left, right = place.left, place.right
    if not place.maths:
        lead = _LEAD.match(text, left, start)
        left = lead.end() if lead else left
        sentence = _SENTENCE.search(text, end, right)
        right = sentence.start() if sentence else right
    before, behind = text[left:start], text[end:right]
    before = f"{before[:-1]}{{.}}" if before.endswith(".") else before
    behind = f"{{.}}{behind[1:]}" if behind.startswith(".") else behind
    return Surroundings("", f"{before}{text[start:end]}{behind}".strip(), left, right)


def _tokens_before(text: str, *, maths: bool) -> list[Token] | None:
    """The tokens before a box and one that stands for it; None where the text is not known."""
    if not maths:
        bullet = _BULLET.fullmatch(text)
        text = "" if bullet else _running(text)
    try:
        return tokenize(text + "(", Comma.LIST)
    except Unreadable:
        return None


def _tokens_behind(text: str, *, maths: bool) -> list[Token] | None:
    try:
        return tokenize(text if maths else _running(text), Comma.LIST)
    except Unreadable:
        return None


def _running(text: str) -> str:
    """A line of running text without its looks."""
    text = _NUMBERED.sub(r"\1 ; ", text)
    text = _DASH.sub(" ; ", _ARROW.sub(" \\\\to ", _TAG.sub(" ", text)))
    return _EMPHASIS.sub(" ", text)


def _is_pair(opening: Token, closing: Token) -> bool:
    return (
        opening.kind == "open"
        and closing.kind == "close"
        and ((opening.text, closing.text) in _PAIRS)
    )


def _is_sign(before: list[Token], *, touches: bool, maths: bool) -> bool:
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


def _changes_before(sides: _Sides) -> bool:
    """Whether what stands directly before the box makes it part of a formula."""
    if not sides.before:
        return False
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


def _changes_behind(sides: _Sides) -> bool:
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
            return joins and _is_operand(after, maths=sides.maths)
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


def _operates(sides: _Sides, sign: Token, after: list[Token]) -> bool:
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
        return near and after[:1] != [] and after[0].kind == "num"
    if sign.text in ("^", "_"):
        return near and bool(after)
    return _is_operand(after, maths=sides.maths)


def _is_operand(tokens: list[Token], *, maths: bool) -> bool:
    """Whether a formula begins here; in running text a letter before a word is a word."""
    if not tokens or tokens[0].kind not in ("num", "sym", "open", "fn", "op"):
        return False
    following = tokens[1].kind if len(tokens) > 1 else ""
    return maths or tokens[0].kind != "sym" or following != "word"


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


def _is_inside(sides: _Sides) -> bool:
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
