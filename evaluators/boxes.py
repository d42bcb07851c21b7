r"""The boxes of a text (`\boxed`, `\fbox`): balanced, nested, several as one list; linear time."""

import re
from dataclasses import dataclass

_BOX = re.compile(r"\\(?:begin)?(?:boxed|fbox|framebox)(?![a-zA-Z])\s*")
_BRACE = re.compile(r"\\[\\{}]|[{}]")
_UNBRACED = re.compile(r"\\?[^\s$.,;\\{}]{1,40}")
_MINUS = re.compile(r"(?:[=$(\[]|\A)\s*[-\u2212]$")
_RAISED = re.compile(r"[\^_](?:\{[^{}]{1,40}\}|\\circ|\w)")
# A formula or denial that a box stands in: what is answered is then not what the box holds.
_FORMULA_BEFORE = re.compile(
    r"(?:\\(?:neq?|pm|mp|not)(?![a-zA-Z])\s*|\bnot\s+\$?"
    r"|\\[dt]?frac\s*(?:\{[^{}]*\})?\{\s*|\\sqrt\s*(?:\[[^\[\]]*\])?\{\s*|(?<![\w.])\d+)\Z"
)
_FORMULA_BEHIND = re.compile(
    r"!\s*\$|i\b|\$?\s*(?:hundred|thousand|million|billion|trillion|dozen)\b"
    r"|\$?\s*(?:is|was)\s+(?:wrong|incorrect|false|not)\b"
)
# A formula before a box is looked for this far back, characters.
MAX_CONTEXT = 80
# Between two boxes of one list stand nothing, or a connective and a few words without a digit; a
# retraction there makes the second box replace the first.
MAX_BETWEEN = 60
_CONNECTIVE = re.compile(r",|;|\b(?:and|or)\b|\\quad")
_RETRACTION = re.compile(
    r"\d|[.!?:]\s|\n\s*\n|\\boxed|\b(?:but|wait|wrong|no|not|instead|actually|correct\w*|answer|final\w*|"
    r"then|so|hence|thus|therefore|which|is|was|gives?|get)\b|=>|\\(?:Right|implies)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Box:
    """The content of a box (or of several that make one list) and its place in the text."""

    text: str
    start: int
    end: int
    rule: str


def holds_box(text: str) -> bool:
    """Whether a complete box is there, be it empty."""
    return "box" in text and bool(complete_boxes(text))


def last_boxed(text: str) -> Box | None:
    """The last complete box that holds something, joined with the boxes it forms a list with."""
    if "boxed" not in text and "fbox" not in text and "framebox" not in text:
        return None
    boxes = [box for box in complete_boxes(text) if box.text.strip()]
    if not boxes:
        return None
    parts = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end : parts[0].start]
        if not _same_list(between):
            break
        parts.insert(0, box)
    if len(parts) == 1:
        return parts[0]
    joined = ", ".join(part.text for part in parts)
    return Box(joined, parts[0].start, parts[-1].end, "boxes")


def _same_list(between: str) -> bool:
    """Whether two boxes with this text between them are parts of one answer."""
    if not between:
        return True
    if len(between) > MAX_BETWEEN or _RETRACTION.search(between):
        return False
    return _CONNECTIVE.search(between) is not None


def complete_boxes(text: str) -> list[Box]:
    """All complete boxes in order, empty ones too; of nested ones the inner."""
    closing = _closing_braces(text)
    boxes = []
    for match in _BOX.finditer(text):
        opened = match.end()
        if text.startswith("{", opened):
            if opened in closing:
                end = closing[opened]
                boxes.append(_with_signs(text, text[opened + 1 : end], match.start(), end + 1))
        elif bare := _UNBRACED.match(text, opened):
            boxes.append(Box(bare.group(), match.start(), bare.end(), "box"))
    outer: list[Box] = []
    for box in boxes:
        if not outer or box.start >= outer[-1].end:
            outer.append(box)
        elif text[box.start : box.end] == outer[-1].text.strip():
            outer[-1] = Box(box.text, outer[-1].start, outer[-1].end, "box")
    return outer


def _with_signs(text: str, inner: str, start: int, end: int) -> Box:
    """A box with the minus sign before it and the power or base after it: they are the answer's."""
    after = _RAISED.match(text, end)
    if after and inner.strip():
        inner, end = f"({inner}){after.group()}", after.end()
    before = _FORMULA_BEFORE.search(text, max(0, start - MAX_CONTEXT), start)
    behind = _FORMULA_BEHIND.match(text, end)
    if inner.strip() and (before or behind):
        left, right = (found.group() if found else "" for found in (before, behind))
        return Box(f"{left}{{{inner}}}{right}", start - len(left), end + len(right), "box")
    if inner.strip() and _MINUS.search(text[max(0, start - 8) : start]):
        inner = f"-({inner})" if re.search(r"[-+(]", inner) else f"-{inner}"
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
