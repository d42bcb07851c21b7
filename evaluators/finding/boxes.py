r"""The boxes of a text (`\boxed`, `\fbox`, `\bbox`): nested ones, lists of several; linear time."""

import re
from dataclasses import dataclass

from evaluators.finding.disowned import is_disowned
from evaluators.finding.surroundings import surroundings

_BOX = re.compile(
    r"\\(?:(?:begin)?(?:boxed|fbox|framebox)|Aboxed|bbox(?:\s*\[[^\[\]]{0,80}\])?)(?![a-zA-Z])\s*"
)
_BRACE = re.compile(r"\\[\\{}]|[{}]")
_UNBRACED = re.compile(r"\\?[^\s$.,;\\{}]{1,40}")
_BLANK = re.compile(r"\s*")
_RAISED = re.compile(r"[\^_](?:\{[^{}]{1,40}\}|\\circ|[^\W_])")
# Between two boxes of one list stand nothing, or a connective and a few words without a digit; a
# retraction there makes the second box replace the first.
MAX_BETWEEN = 60
# A list of more boxes is read from its end.
MAX_BOXES = 200
_CONNECTIVE = re.compile(r",|;|\b(?:and|or)\b|\\quad")
_RETRACTION = re.compile(
    r"\d|[.!?:]\s|\n\s*\n|\\boxed|\b(?:but|wait|wrong|no|not|instead|actually|correct\w*|answer|final\w*|"
    r"then|so|hence|thus|therefore|which|is|was|gives?|get)\b|=>|\\(?:Right|implies)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Box:
    """The content of a box (or of several that make one list) and its place in the text.

    Where the box is only a part of a formula, the formula.
    """

    text: str
    start: int
    end: int
    rule: str


def holds_box(text: str) -> bool:
    """Whether a complete box is there, be it empty."""
    return "box" in text and bool(complete_boxes(text))


def last_boxed(text: str) -> Box | None:
    """The last complete box that the text stands by, joined with those it forms a list with.

    Where it is only a part of a formula, the formula.
    """
    if "box" not in text:
        return None
    boxes = [box for box in complete_boxes(text) if box.text.strip()]
    while boxes and is_disowned(text, boxes[-1].start, boxes[-1].end):
        boxes.pop()
    if not boxes:
        return None
    parts = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end : parts[0].start]
        if len(parts) == MAX_BOXES or not _same_list(between):
            break
        parts.insert(0, box)
    start, end = parts[0].start, parts[-1].end
    around = surroundings(text, start, end)
    if around.formula:
        return Box(around.formula, around.start, around.end, "box")
    signs = [around.sign, *(surroundings(text, box.start, box.end).sign for box in parts[1:])]
    texts = [_signed(sign, box.text) for sign, box in zip(signs, parts, strict=True)]
    return Box(", ".join(texts), start, end, "boxes" if len(parts) > 1 else "box")


def _signed(sign: str, inner: str) -> str:
    return f"{sign}({inner})" if sign and re.search(r"[-+(]", inner) else f"{sign}{inner}"


def _same_list(between: str) -> bool:
    """Whether two boxes with this text between them are parts of one answer."""
    if not between:
        return True
    if len(between) > MAX_BETWEEN or _RETRACTION.search(between):
        return False
    return _CONNECTIVE.search(between) is not None


def complete_boxes(text: str) -> list[Box]:
    """All complete boxes in order, empty ones too; of nested ones the outer, or what it only wraps.

    The power or base behind a box is the answer's.
    """
    closing = _closing_braces(text)
    # Of each box: where it starts, where its content starts and ends, where it ends.
    found: list[tuple[int, int, int, int]] = []
    for match in _BOX.finditer(text):
        start, opened = match.span()
        if opened in closing:
            content = _BLANK.match(text, opened + 1, closing[opened])
            inner = content.end() if content else opened
            box = (start, inner, closing[opened], closing[opened] + 1)
        elif not text.startswith("{", opened) and (bare := _UNBRACED.match(text, opened)):
            box = (start, *bare.span(), bare.end())
        else:
            continue
        if not found or start >= found[-1][3]:
            found.append(box)
        elif start == found[-1][1] and not text[box[3] : found[-1][2]].strip():
            found[-1] = (found[-1][0], box[1], box[2], found[-1][3])
    return [_raised(text, *box) for box in found]


def _raised(text: str, start: int, opened: int, closed: int, end: int) -> Box:
    """A box with the power or base behind it."""
    inner = text[opened:closed]
    after = _RAISED.match(text, end) if inner.strip() and text[end - 1] == "}" else None
    if after:
        return Box(f"({inner}){after.group()}", start, after.end(), "box")
    return Box(inner, start, end, "box")


def _closing_braces(text: str) -> dict[int, int]:
    stack: list[int] = []
    closing = {}
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            stack.append(match.start())
        elif match.group() == "}" and stack:
            closing[stack.pop()] = match.start()
    return closing
