"""The boxes of a text (`\\boxed`, `\\fbox`): balanced, nested, several as one list; linear time."""

import re
from dataclasses import dataclass

_BOX = re.compile(r"\\(?:begin)?(?:boxed|fbox|framebox)(?![a-zA-Z])\s*")
_BRACE = re.compile(r"\\[\\{}]|[{}]")
_UNBRACED = re.compile(r"[^\s$.,;]+")
# Between two boxes of one list stand only punctuation, a connective and perhaps a name.
_BETWEEN = re.compile(
    r"[\s$\\()\[\]]{0,8}(?:,|;|and|or|\\text\{\s*(?:and|or)\s*\}|\\quad|\\ )"
    r"(?:\s|\$|\\[(\[]|and|or|\\text\{\s*(?:and|or)\s*\}|\\quad|\\ )*"
    r"(?:[A-Za-z](?:_\{?\w{1,3}\}?)?\s*=\s*[\s$]*)?"
)


@dataclass(frozen=True, slots=True)
class Box:
    """The content of a box (or of several that make one list) and its place in the text."""

    text: str
    start: int
    end: int
    rule: str


def last_boxed(text: str) -> Box | None:
    """The last complete box that holds something, joined with the boxes it forms a list with."""
    if "boxed" not in text and "fbox" not in text and "framebox" not in text:
        return None
    boxes = [box for box in _complete_boxes(text) if box.text.strip()]
    if not boxes:
        return None
    parts = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end : parts[0].start]
        if len(between) > 40 or not _BETWEEN.fullmatch(between):
            break
        parts.insert(0, box)
    if len(parts) == 1:
        return parts[0]
    joined = ", ".join(part.text for part in parts)
    return Box(joined, parts[0].start, parts[-1].end, "boxes")


def _complete_boxes(text: str) -> list[Box]:
    closing = _closing_braces(text)
    boxes = []
    for match in _BOX.finditer(text):
        opened = match.end()
        if text.startswith("{", opened):
            if opened in closing:
                end = closing[opened]
                boxes.append(Box(text[opened + 1 : end], match.start(), end + 1, "box"))
        elif bare := _UNBRACED.match(text, opened):
            boxes.append(Box(bare.group(), match.start(), bare.end(), "box"))
    return [box for box, after in zip(boxes, [*boxes[1:], None], strict=True) if not _holds(box, after)]


def _holds(box: Box, after: Box | None) -> bool:
    """Whether the next box lies inside this one: the inner one is the answer."""
    return after is not None and after.start < box.end


def _closing_braces(text: str) -> dict[int, int]:
    stack: list[int] = []
    closing = {}
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            stack.append(match.start())
        elif match.group() == "}" and stack:
            closing[stack.pop()] = match.start()
    return closing
