"""From a whole model output to the span that states its final answer."""

import re
from dataclasses import dataclass

from evaluators.boxes import last_boxed
from evaluators.spans import first_line, statement

# The answer stands at the end: what lies more than this many characters before it is not read.
MAX_TAIL = 100_000
# A marker whose statement is longer than this is prose about answers, not a stated answer.
MAX_STATEMENT = 2_000

_CONTROL = re.compile(r"<\|[a-z_]{1,20}\|>|</?s>|[\ufeff\u200b-\u200f\u202a-\u202e\u2060]|<!--.*?-->")
_ANSWER_TAG = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)
_MARKER = re.compile(
    r"""(?:\#{4}
      |(?:\b(?:final|correct|corrected|revised)\s+)?
       (?:\banswers?\b|\bans\b|\bantwort\b|\bréponse\b|\brespuesta\b|ответ|答案|最终结果|答)
       (?!\s*(?:the|this|that|to\s+this\s+question|key|choices?)\b)
       [*_`"'\s]{0,6}
       (?:(?:is|are|=|:|：|-|–|—|是|为|為|would\ be|should\ be|seems\ to\ be|must\ be|therefore|then)
         [*_`\s:：]{0,6}){0,3}
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_RETRACTION = re.compile(
    r"\b(?:wait|oops|correction|corrected|mistake|wrong|actually|instead|error|revised)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:could not|couldn't|cannot|can't|unable|refuse|no proof|not sure|don't know|do not know|"
    r"give up|no answer)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extraction:
    """The text of the final answer, the rule that found it and its offset in the output."""

    text: str
    rule: str
    start: int


def answer_part(output: str) -> str:
    """The output without its thinking (unless nothing follows it) and without control tokens."""
    _, closed, after = output.rpartition("</think>")
    if closed and after.strip():
        output = after
    elif closed or output.lstrip().startswith("<think>"):
        output = output.replace("<think>", " ").replace("</think>", " ")
    return _CONTROL.sub("", output[-MAX_TAIL:])


def extract(output: str) -> Extraction | None:
    """Where the output states its final answer; None when it states none.

    The last complete box wins, unless it is taken back and a later answer is stated; then the
    last explicit marker ("the answer is", "Answer:", "####", answer tags); then a bare answer;
    then the last statement of the last line.
    """
    text = answer_part(output)
    if not text.strip():
        return None
    box = last_boxed(text)
    if box is not None and not _taken_back(text[box.end :]):
        return Extraction(box.text, box.rule, box.start) if box.text.strip() else None
    tags = list(_ANSWER_TAG.finditer(text))
    if tags and tags[-1].group(1).strip():
        return Extraction(tags[-1].group(1).strip(), "answer_tag", tags[-1].start(1))
    return _marked(text) or _unmarked(text)


def _taken_back(tail: str) -> bool:
    """Whether the text after a box retracts it and states another answer."""
    retraction = _RETRACTION.search(tail)
    return retraction is not None and _marked(tail[retraction.start() :]) is not None


def _marked(text: str) -> Extraction | None:
    for match in reversed(list(_MARKER.finditer(text))):
        if not _is_stated(match.group()):
            continue
        found = statement(text[match.end() : match.end() + MAX_STATEMENT])
        if found.strip():
            return Extraction(found, "marker", match.end())
    return None


def _is_stated(marker: str) -> bool:
    """A marker needs a verb, a colon or a line of its own, else the word is only mentioned."""
    return re.search(r"(?:is|are|be|=|[:：-]|#|是|为|為|\n|\*|then|therefore)\W*$", marker) is not None or (
        marker.rstrip() != marker
    )


def _unmarked(text: str) -> Extraction | None:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 or _looks_like_one_answer(text):
        if _REFUSAL.search(text):
            return None
        return Extraction(text.strip(), "bare", text.find(lines[0]))
    if _REFUSAL.search(lines[-1]):
        return None
    last = first_line(lines[-1])
    return Extraction(last, "last_line", text.rfind(lines[-1])) if last else None


def _looks_like_one_answer(text: str) -> bool:
    """One display or one environment over several lines is one answer."""
    body = text.strip()
    return body.startswith(("\\begin", "\\left(", "\\[", "$$", "\\text")) or body.startswith("(\\begin")
