"""The letter a model commits to in a multiple-choice output."""

import re
from dataclasses import dataclass

from evaluators.boxes import last_boxed
from evaluators.extract import answer_part

# Markup that may surround a letter: bold, brackets, quotes, LaTeX text commands.
_OPEN = (
    r"(?:\\(?:boxed|fbox|text|textbf|mathrm|mathbf|rm|bf)\s*|option\s+|choice\s+|answer\s*[:：]?\s*|"
    r"the\s+|[\s*_`\"'“(\[{<$]|\\[(\[])*"
)
_CLOSE = r"[\s*_`\"'”)\]}>$.]*"
_LETTER = re.compile(_OPEN + r"(?P<letter>[A-Za-z])(?![A-Za-z0-9'’])")
# Another letter right after the first, joined as an alternative, makes the statement a hedge.
_HEDGE = re.compile(
    r"[\s*_`\"'”)\]}>$.]*(?:,|/|;|\bor\b|\band\b|&|\bmaybe\b|\bpossibly\b)[\s*_`\"'“(\[{<$]*"
    r"(?:\\text\s*\{)?[A-Z](?![A-Za-z0-9'’])"
)
_MARKER = re.compile(
    r"(?:(?:\b(?:answers?|ans|antwort|réponse|respuesta|ответ)\b|答案|"
    r"\b(?:correct|right|best)\s+(?:option|choice|answer|one)\b)"
    r"[\s*_`\"']*(?:(?:seems\s+to\s+be|should\s+be|must\s+be|would\s+be|is|:|：|=|-|–|是|为|為)"
    r"[\s*_`\"':：]*)+(?:for\s+sure\s+|clearly\s+|definitely\s+|therefore\s+|thus\s+|option\s+|choice\s+)?"
    r"|(?:因此选|所以选|故选|选择|选)\s*"
    r"|\b(?:i\s+choose|i\s+pick|settled?\s+on|finalize|go\s+with|choose|choice\s+is|select)\s+"
    r"|\b(?:therefore|thus|hence)[,:]?\s+)",
    re.IGNORECASE,
)
_IS_CORRECT = re.compile(
    r"(?:^|[\s(*])(?P<letter>[A-Z])\)?\**\s+is\s+(?:the\s+)?(?:correct|right|best|true)\b"
)
_NEGATED = re.compile(r"\b(?:not|isn't|no|wrong|incorrect)\b[\s\w]{0,12}$", re.IGNORECASE)
_WRONG_AFTER = re.compile(r"[\s*)]*(?:is|was)\s+(?:wrong|incorrect|false|not)\b", re.IGNORECASE)
_BARE_END = re.compile(r"(?:^|[\s(*\[])\(?(?P<letter>[A-Z])[).\]]*\**[.。]?\s*$")
_PARENTHESISED = re.compile(r"\((?P<letter>[A-Z])\)")
_HEAD = re.compile(r"^[\s*_`\"'(\[{$\\]*(?P<letter>[A-Z])(?:[).:。\]}$*`\"'\s]|$)")
_REFUSAL = re.compile(r"\b(?:cannot|can't|could not|unable|tie|none of|either)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChosenLetter:
    """What was found: a letter, `hedged` (several letters at once) and the rule that found it."""

    letter: str | None
    rule: str
    span: str


def chosen_letter(output: str) -> ChosenLetter | None:
    """The letter the output commits to; `letter` None for a hedge; None where none is stated."""
    text = answer_part(output).strip()
    box = last_boxed(text)
    if box is not None:
        return _stated(box.text.strip(), "box", whole=True)
    tag = re.findall(r"<answer>(.*?)</answer>", text, re.IGNORECASE | re.DOTALL)
    if tag:
        return _stated(tag[-1].strip(), "answer_tag", whole=True)
    short = _stated(text, "bare", whole=True) if len(text) <= 24 else None
    return short or _last_marked(text) or _unmarked(text)


def _stated(span: str, rule: str, *, whole: bool) -> ChosenLetter | None:
    """The letter at the start of a stated answer; with `whole`, the span must be about it alone."""
    match = _LETTER.match(span)
    if match is None:
        letters = re.fullmatch(r"\W*(?:\\text\{)?\s*[A-J]{2,}\s*\W*", span)
        return ChosenLetter(None, f"{rule}_hedge", span) if letters else None
    rest = span[match.end() :]
    if _WRONG_AFTER.match(rest):
        return None
    if _HEDGE.match(rest) or re.match(r"[)\]]*\s*\(?or\b", rest):
        return ChosenLetter(None, f"{rule}_hedge", span)
    letter = match.group("letter")
    sentence = re.match(r"\s+[a-z]+\s+[a-z]+", rest)
    if whole and sentence and match.group() == letter and not rest.startswith((")", ".", ":")):
        return None
    others = set(re.findall(r"\(([A-Z])\)", rest)) - {letter} if whole and len(span) < 24 else set()
    if others:
        return ChosenLetter(None, f"{rule}_hedge", span)
    return ChosenLetter(letter.upper(), rule, span[: match.end() + 12])


def _last_marked(text: str) -> ChosenLetter | None:
    for match in reversed(list(_MARKER.finditer(text))):
        after = text[match.end() : match.end() + 120].lstrip()
        if re.match(r"(?:not|none|neither)\b", after, re.IGNORECASE):
            continue
        if re.match(r"[a-z]\s+[a-z]", after) or re.match(r"I\s", after):
            continue
        if found := _stated(after, "marker", whole=False):
            return found
    for match in reversed(list(_IS_CORRECT.finditer(text))):
        return ChosenLetter(match.group("letter"), "is_correct", match.group().strip())
    return None


def _unmarked(text: str) -> ChosenLetter | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    if _REFUSAL.search(lines[-1]) and not _PARENTHESISED.search(lines[-1]):
        return None
    end = _BARE_END.search(lines[-1])
    if end and not _NEGATED.search(lines[-1][: end.start()]):
        return ChosenLetter(end.group("letter"), "last_word", lines[-1][-24:])
    in_brackets = _PARENTHESISED.findall(lines[-1])
    if len(set(in_brackets)) == 1:
        return ChosenLetter(in_brackets[-1], "last_line", lines[-1][-24:])
    for line in (lines[-1], lines[0]):
        head = _HEAD.match(line)
        if head and not re.match(r"\W*[AI]\s+[a-z]", line):
            return ChosenLetter(head.group("letter"), "line_head", line[:24])
    return None
