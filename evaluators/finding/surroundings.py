r"""What stands around a box: nothing that matters, its sign, or a formula that it is a part of.

`x = \boxed{42}` and `\boxed{42}\text{ cm}` state 42; `10-\boxed{42}`, `x \ge \boxed{42}` and
`\boxed{42}!` do not: what they state is the formula. The neighbours of the box decide, as tokens of
the same lexer that reads answers. Inside `$...$` and displays signs are mathematics and letters are
factors; in running text dashes, bullets, brackets and stars are mostly punctuation.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from evaluators.finding.neighbours import Sides, are_brackets, are_formula, is_sign
from evaluators.nodes import Unreadable
from evaluators.reading.commands import ENVIRONMENTS
from evaluators.reading.lexer import tokenize
from evaluators.reading.numerals import SCALES
from evaluators.reading.phrases import CHANGED_AFTER
from evaluators.reading.tokens import Comma, Token

# A formula begins and ends at most this far from its box, characters.
MAX_SPAN = 2_000
# The neighbours of a box are looked for this near, characters; where no bracket opens, nearer.
MAX_NEAR, NEAR_WORDS = 300, 60
# Texts beside boxes whose tokens are kept: many outputs say *the answer is* before theirs.
CACHED = 512

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
_DIGITS = re.compile(r"\\[a-z]+\s*\{\s*\d")
_BRACKET = re.compile(r"[\\(\[{|<⌊⌈]")
_POINT_BEFORE = re.compile(r"\d\.\Z")
_DIGIT_BEHIND = re.compile(r"(?:[.,]|\{[.,]\})?\d")

_SCALES = "|".join(sorted(SCALES))
_CHANGES = "|".join(sorted({*SCALES, *CHANGED_AFTER}))
_CHANGED = re.compile(
    r"(?:\s|\\[,; ]|~)*(?:\$|\\\))?\s*(?:\\(?:text|mathrm)\s*\{\s*)?"
    r"(?:,?\s*(?:or\s+)?(?:maybe|perhaps|possibly)|[,;]?\s*(?:or\s+)?alternatively,?\s+\$?-?\d"
    rf"|(?:divided|multiplied)\s+by|choose|per\s+(?:{_SCALES})|{_CHANGES})\b",
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


def surroundings(text: str, start: int, end: int) -> Surroundings:
    """What stands around the box at these offsets."""
    place = _place(text, start, end)
    if _CHANGED.match(text, end):
        return _formula(text, start, end, _line(text, start, end))
    inside = text[place.left : start].strip(), text[end : place.right].strip()
    alone = place.maths and inside == ("", "")
    found = Surroundings("", "", start, end) if alone else _judged(text, start, end, place)
    if alone or (place.maths and not found.formula and inside == ("-", "")):
        width = 1 if text[place.right] == "$" else 2
        left, right = place.left - width, place.right + width
        around = _judged(text, left, right, _line(text, left, right))
        return around if around.formula else found
    return found


def _judged(text: str, start: int, end: int, place: _Place) -> Surroundings:
    """What the tokens beside the box, within its place, make of it."""
    leading = _tokens_before(text[max(place.left, start - MAX_NEAR) : start], maths=place.maths)
    trailing = _tokens_behind(text[end : min(place.right, end + MAX_NEAR)], maths=place.maths)
    if leading is None or trailing is None:
        return _formula(text, start, end, place)
    before, behind = list(leading), list(trailing)
    touches = not before.pop().spaced
    sign = "-" if is_sign(before, touches=touches, maths=place.maths) else ""
    if sign:
        touches = not before.pop().spaced
    while before and behind and are_brackets(before[-1], behind[0]):
        touches = not before.pop().spaced
        behind = behind[1:]
    line = text[place.left : start] + " " + text[end : place.right]
    sides = Sides(before, behind, touches, place.maths, place.maths or not _PROSE.search(line))
    glued = _POINT_BEFORE.search(text, max(0, start - 2), start) or _DIGIT_BEHIND.match(text, end)
    barred = text[start - 1 : start] == text[end : end + 1] == "|" and line.count("|") == 2  # noqa: PLR2004
    part = glued or barred or are_formula(sides)
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
    # Digits side by side are one number for the eye and a product for the reader.
    before += "{.}" if before[-1:].isdigit() and _DIGITS.match(text, start) else ""
    before = f"{before[:-1]}{{.}}" if before.endswith(".") else before
    behind = f"{{.}}{behind[1:]}" if behind.startswith(".") else behind
    return Surroundings("", f"{before}{text[start:end]}{behind}".strip(), left, right)


@lru_cache(maxsize=CACHED)
def _tokens_before(text: str, *, maths: bool) -> tuple[Token, ...] | None:
    """The tokens before a box and one that stands for it; None where the text is not known."""
    if not maths:
        bullet = _BULLET.fullmatch(text)
        text = "" if bullet else _running(_last_words(text))
    # A backslash that ends the text, of a doubled one, would take the stand-in for its own.
    apart = " " if text.endswith("\\") else ""
    try:
        return tuple(tokenize(f"{text}{apart}(", Comma.LIST))
    except Unreadable:
        return None


def _last_words(text: str) -> str:
    """The end of a line, from a blank on: without brackets nothing before it matters."""
    cut = text.find(" ", len(text) - NEAR_WORDS) if len(text) > NEAR_WORDS else -1
    return text if cut < 0 or _BRACKET.search(text, 0, cut) else text[cut:]


@lru_cache(maxsize=CACHED)
def _tokens_behind(text: str, *, maths: bool) -> tuple[Token, ...] | None:
    try:
        return tuple(tokenize(text if maths else _running(text), Comma.LIST))
    except Unreadable:
        return None


def _running(text: str) -> str:
    """A line of running text without its looks."""
    text = _NUMBERED.sub(r"\1 ; ", text)
    text = _DASH.sub(" ; ", _ARROW.sub(" \\\\to ", _TAG.sub(" ", text)))
    return _EMPHASIS.sub(" ", text)
