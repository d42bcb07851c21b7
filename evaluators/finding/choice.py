# ruff: noqa: RUF001 - full-width punctuation of other scripts
"""The letter a model commits to in a multiple-choice output."""

import re
from dataclasses import dataclass

from evaluators.finding.boxes import last_boxed
from evaluators.finding.extract import answer_part
from evaluators.finding.stance import stands_by

# Markup that may surround a letter: bold, brackets, quotes, LaTeX text commands. Possessive, since
# words and blanks can be shared out between the parts in many ways.
_OPEN = (
    r"(?>\\(?:boxed|fbox|textbf|text|mathrm|mathbf|rm|bf)\b|(?i:option|choice|answer|the)\b[:：]?|"
    r"[\s*_`\"'“(\[{<$]|\\[(\[])*+"
)
_LETTER = re.compile(_OPEN + r"(?P<letter>[A-Za-z])(?![^\W_]|['’][a-z])")
# Another letter right after the first, joined as an alternative, makes the statement a hedge.
_HEDGE = re.compile(
    r"[\s*_`\"'”)\]}>$.]*(?:,|/|;|\?(?=[^\W_])|\bor\b|\band\b|&|\bmaybe\b|\bpossibly\b|"
    r"\\text\s*\{\s*(?:or|and|,)\s*\})[\s*_`\"'“(\[{<$]*"
    r"(?:\\text\s*\{)?[A-Z](?![A-Za-z0-9'’])"
)
_MARKER = re.compile(
    r"(?:(?:\b(?:answers?|ans|antwort|réponse|respuesta|ответ)\b|答案|"
    r"\b(?:correct|right|best)\s+(?:option|choice|answer|one)\b)"
    r"[\s*_`\"']*(?:(?:seems\s+to\s+be|should\s+be|must\s+be|would\s+be|est|ist|es|is|[:：=→–-]|是|为|為)"
    r"[\s*_`\"':：]*)+(?:(?:for\s+sure|[a-z]+ly|indeed|therefore|thus|then|option|choice|just|still)\s+){0,2}"
    r"|(?:因此选|所以选|故选|选择|选项是|选项|选|正解は|答えは)[\s:：]*"
    r"|\b(?:choice|option)[\"']\s*[:：]\s*"
    r"|\b(?:i\s+choose|i\s+pick|settled?\s+on|finalize|go\s+with|choose|choice\s+is|select)\s+"
    r"|\b(?:therefore|thus|hence)[,:]?\s+)",
    re.IGNORECASE,
)
_IS_CORRECT = re.compile(
    r"(?:^|[\s(*])(?P<letter>[A-Z])\)?\**\s+"
    r"(?:is\s+(?:the\s+)?(?:correct|right|best|true|answer)|works|matches|fits|holds)\b"
)
_ONLY = re.compile(
    r"\b(?<!not )(?:only|leav(?:es|ing)(?:\s+(?:us\s+with|only|just))?)\s+"
    r"(?:(?:option|choice|answer|statement)\s+)?[(*]*(?P<letter>[A-Z])\b(?!['’])",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:not|isn't|no|wrong|incorrect)\b[\s\w]{0,12}$", re.IGNORECASE)
_WRONG_AFTER = re.compile(r"[\s*)]*(?:is|was)\s+(?:wrong|incorrect|false|not)\b", re.IGNORECASE)
_BARE_END = re.compile(r"(?:^|[\s(*\[])\(?(?P<letter>[A-Z])[).\]]*\**[.。]?\s*$")
_PARENTHESISED = re.compile(r"\((?P<letter>[A-Z])\)")
_ASKED = re.compile(r"[\s*_`\"'”)\]}$.]*\?\s*\Z")
_HEAD = re.compile(r"^[\s*_`\"'(\[{$\\]*(?P<letter>[A-Z])(?:[).:。\]}$*`\"'\s]|$)")
_JOINED = re.compile(r"\b[A-Z]\)?\s*(?:,|\bor\b|\band\b|\bnor\b|/|&)\s*(?:option\s*)?\(?$")
_EXPLAINED = re.compile(r"^[\s*_`\"'(\[{$]*(?P<letter>[A-Z])\)?,\s+(?:since|because|as|for)\b")
_GUESS = re.compile(r"\b(?:could|might|may)\s+be\b|\bperhaps\b|\?", re.IGNORECASE)
_REFUSAL = re.compile(r"\b(?:cannot|can't|could not|unable|tie|none of|either)\b", re.IGNORECASE)

_ARTICLE = re.compile(
    r"\s+(?!is\b|was\b|because\b|since\b|as\b|for\b|and\b|or\b|by\b|with\b)[a-z]{2,}"
)
# A bare answer is not longer than this, characters.
MAX_BARE = 24


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
    tagged = text.rpartition("<answer>")[2].partition("</answer>")
    if "<answer>" in text and tagged[1]:
        return _stated(tagged[0].strip(), "answer_tag", whole=True)
    short = _stated(text, "bare", whole=True) if _is_short(text) else None
    found = short or _last_marked(text) or _unmarked(text)
    return None if found and found.letter and _is_rejected(text, found.letter) else found


def _is_rejected(text: str, letter: str) -> bool:
    """Whether the last sentence about a letter rejects it, doubts it or names it beside another."""
    last = list(re.finditer(rf"(?<![A-Za-z]){letter}(?![A-Za-z'’])", text))
    if not last:
        # Stated in small letters: an article before a word is no choice.
        return re.search(r"(?<![A-Za-z])a\s+[a-z]{2,}", text) is not None and letter == "A"
    article = letter == "A" and _ARTICLE.match(text, last[-1].end()) and "\n" not in text
    return bool(article) or not stands_by(text, letter)


def _is_short(text: str) -> bool:
    """A bare letter, perhaps in markup or with a word before it."""
    return len(text) <= MAX_BARE and "\n" not in text


def _stated(span: str, rule: str, *, whole: bool) -> ChosenLetter | None:
    """The letter at the start of a stated answer; with `whole`, the span must be about it alone."""
    match = _LETTER.match(span)
    if match is None:
        letters = re.fullmatch(r"\W*(?:\\text\{)?\s*[A-J]{2,}\s*\W*", span)
        return ChosenLetter(None, f"{rule}_hedge", span) if letters else None
    rest = span[match.end() :]
    if whole and _ASKED.match(rest):
        return None
    if _WRONG_AFTER.match(rest):
        return None
    if _HEDGE.match(rest) or re.match(r"[)\]]*\s*\(?or\b", rest):
        return ChosenLetter(None, f"{rule}_hedge", span)
    letter = match.group("letter")
    if match.group() == "I" and re.match(r"\s+[a-z]", rest):
        return None
    sentence = re.match(r"\s+[a-z]+\s+[a-z]+", rest)
    if whole and sentence and match.group() == letter and not rest.startswith((")", ".", ":")):
        return None
    others = (
        set(re.findall(r"\(([A-Z])\)", rest)) - {letter}
        if whole and len(span) < MAX_BARE
        else set()
    )
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
    stated = [*_IS_CORRECT.finditer(text), *_ONLY.finditer(text)]
    for match in sorted(stated, key=lambda found: found.end(), reverse=True):
        if not match["letter"].isupper():
            continue
        return ChosenLetter(match.group("letter"), "is_correct", match.group().strip())
    return None


def _unmarked(text: str) -> ChosenLetter | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    if _REFUSAL.search(lines[-1]) and not _PARENTHESISED.search(lines[-1]):
        return None
    if explained := _EXPLAINED.match(lines[-1]):
        return ChosenLetter(explained.group("letter"), "line_head", lines[-1][:MAX_BARE])
    end = _BARE_END.search(lines[-1])
    if end and _GUESS.search(lines[-1]) and len(set(re.findall(r"\b[A-Z]\b", lines[-1]))) > 1:
        return ChosenLetter(None, "last_line_hedge", lines[-1][-MAX_BARE:])
    if end and _JOINED.search(lines[-1][: end.start() + 1]):
        return ChosenLetter(None, "last_line_hedge", lines[-1][-MAX_BARE:])
    if end and not _NEGATED.search(lines[-1][: end.start()]):
        return ChosenLetter(end.group("letter"), "last_word", lines[-1][-24:])
    in_brackets = _PARENTHESISED.findall(lines[-1])
    if len(set(in_brackets)) == 1:
        return ChosenLetter(in_brackets[-1], "last_line", lines[-1][-24:])
    for line in (lines[-1], lines[0]):
        head = _HEAD.match(line)
        wrong = head and _WRONG_AFTER.match(line[head.end("letter") :])
        if head and not wrong and not re.match(r"\W*[AI]\s+[a-z]", line):
            return ChosenLetter(head.group("letter"), "line_head", line[:24])
    return None
