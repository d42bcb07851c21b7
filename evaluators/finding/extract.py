# ruff: noqa: RUF001 - full-width punctuation of other scripts
"""From a whole model output to the span that states its final answer."""

import re
from dataclasses import dataclass

from evaluators.finding.boxes import holds_box, last_boxed
from evaluators.finding.disowned import is_disowned, is_disowned_marker, mentions_mistake
from evaluators.finding.spans import first_line, statement
from evaluators.reading.repairs import repaired

# The answer stands at the end: what lies more than this many characters before it is not read.
MAX_TAIL = 100_000
# A marker whose statement is longer than this is prose about answers, not a stated answer.
MAX_STATEMENT = 2_000
# Lines of one displayed formula.
MAX_BLOCK = 30

_CONTROL = re.compile(
    r"<\|[a-z_]{1,20}\|>|</?s>|[\ufeff\u200b-\u200f\u202a-\u202e\u2060]|<!--.{0,400}?-->"
)
# What follows the end of the model's turn is not its answer.
_TURN_ENDS = ("<|im_end|>", "<|im_start|>user", "<|endoftext|>", "<|eot_id|>", "<|end|>")
# Bold markup, but not the powers of `x**2 + y**2`.
_BOLD = re.compile(r"(?<![\w)\]}*])\*\*(?=[^\s*])([^*\n]{1,300})(?<=\S)\*\*(?![\w(*])")
# The sign of a quoted line before markup, words or a formula; before a bare number it may compare.
_QUOTED = re.compile(r"^[ \t]*(?:>[ \t]+)+(?=\*\*|\$|\\[\[(b]|[A-Z])", re.MULTILINE)
_ANSWER_TAG = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)
_MARKER = re.compile(
    r"""(?:\#{4}
      |(?:\b(?:final|correct|corrected|revised)\s+)?
       (?:(?<!\\)\banswers?\b|(?<!\\)\bans\b|\bantwort\b|\bréponse\b|\brespuesta\b|ответ|答案|最终结果|答)
       (?!\s*(?:the|this|that|to\s+this\s+question|key|choices?)\b)
       (?:[*`"'\s]|_(?!\{)){0,6}
       (?:(?:[-–—](?=\s)|-+>|=>|[→⇒])\s*
         |(?:(?:(?:est|ist|es|is|are|would\ be|should\ be|seems\ to\ be|must\ be|therefore|then)\b
             |=|:|：|是|为|為)
           (?:[*`\s:：]|_(?!\{)){0,6}){0,3})
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_RETRACTION = re.compile(
    r"\b(?:wait|oops|correction|corrected|mistake|wrong|actually|instead|error|revised)\b",
    re.IGNORECASE,
)
# Behind these words stands what replaces the answer before them.
_CORRECTED = re.compile(
    r"\b(?:wait|oops|sorry|scratch that)\b[\s,.:]*"
    r"(?:(?:no|actually|it is|that is)\b[\s,.:]*)*(?=\S)"
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[a-z]+\*?\}(?:\{[lcr|]+\})?")
_PROSE = re.compile(r"(?<![\\a-zA-Z])[A-Za-z]{2,}|[^\x00-\u2fff]")
_FINAL = re.compile(r"\bfinal answer\b\s*(?:is\b|:)\s*[^\s.]", re.IGNORECASE)
_QUESTION = re.compile(
    r"^\W*(?:is|was|are|were|does|do|did|can|could|what|which|who|how|why)\b.*\?\W*$", re.IGNORECASE
)
# Behind a stated answer a question mark takes it back, unless the text answers itself.
_DOUBTED = re.compile(r"[\s*$`)]*\?(?!\s*(?:yes|indeed|correct|right|sure)\b)", re.IGNORECASE)
# Behind a sentence the check of an answer begins.
_CHECK = re.compile(
    r"(?:(?<=[.!?$)])\s+|(?<=\S)\s*\n)\W{0,4}(?:check|verification|sanity check)\W{0,3}:.*\Z",
    re.IGNORECASE | re.DOTALL,
)
# Lines that only say goodbye.
_PLEASANTRY = re.compile(
    r"\W*(?:let me know|feel free|(?:i )?hope (?:this|that|it)|please (?:let|feel)|"
    r"if you (?:have|need|would|want)|would you like|good luck|thank)\b",
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
    output = repaired(output)
    _, closed, after = output.rpartition("</think>")
    if closed and after.strip():
        output = after
    elif closed or output.lstrip().startswith("<think>"):
        output = output.replace("<think>", " ").replace("</think>", " ")
    for token in _TURN_ENDS:
        head, found, _ = output.partition(token)
        output = head if found and head.strip() else output
    output = _CONTROL.sub("", output[-MAX_TAIL:])
    return _BOLD.sub(r"\1", _QUOTED.sub("", output) if "> " in output else output)


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
    if box is not None and not _replaced(text[box.end :]):
        return Extraction(box.text, box.rule, box.start) if box.text.strip() else None
    tags = list(_ANSWER_TAG.finditer(text))
    if tags and tags[-1].group(1).strip():
        return Extraction(tags[-1].group(1).strip(), "answer_tag", tags[-1].start(1))
    marked = _marked(text)
    return marked if marked or holds_box(text) else _unmarked(text)


def _replaced(tail: str) -> bool:
    """Whether the text after a box states a final answer again, or retracts it for another."""
    if _FINAL.search(tail) is not None:
        return True
    retraction = _RETRACTION.search(tail)
    return retraction is not None and _marked(tail[retraction.start() :]) is not None


def _marked(text: str) -> Extraction | None:
    for match in reversed(list(_MARKER.finditer(text))):
        if not _is_stated(match.group()) or _asks(text, match):
            continue
        if is_disowned_marker(text, match.start()):
            continue
        found = statement(text[match.end() : match.end() + MAX_STATEMENT])
        end = text.find(found, match.end()) + len(found)
        if found and (is_disowned(text, match.end(), end) or _DOUBTED.match(text, end)):
            continue
        found = _CORRECTED.split(found)[-1]
        if found.strip():
            return Extraction(found, "marker", match.end())
    return None


def _asks(text: str, marker: re.Match[str]) -> bool:
    """Whether the line of a marker asks, and says nothing else: *Is the answer 42?*."""
    start, end = text.rfind("\n", 0, marker.start()) + 1, text.find("\n", marker.end())
    return _QUESTION.search(text[start : end if end >= 0 else len(text)]) is not None


def _only_mentions(line: str) -> bool:
    """Whether a line names an answer that it does not give: *Suppose the answer is 42*."""
    return any(is_disowned_marker(line, match.start()) for match in _MARKER.finditer(line))


def _is_stated(marker: str) -> bool:
    """A marker needs a verb, a colon or a line of its own, else the word is only mentioned."""
    return re.search(
        r"(?:is|are|be|est|ist|es|=|[:：→⇒>-]|#|是|为|為|\n|\*|then|therefore)\W*$", marker
    ) is not None or (marker.rstrip() != marker)


def _unmarked(text: str) -> Extraction | None:
    lines = [line for line in text.splitlines() if line.strip()]
    check = _CHECK.search(text)
    if check is not None:
        text = text[: check.start()]
        lines = [line for line in text.splitlines() if line.strip()]
    while lines[1:] and _PLEASANTRY.match(lines[-1]):
        text = text[: text.rfind(lines.pop())]
    if _QUESTION.search(lines[-1]) or mentions_mistake(lines[-1]) or _only_mentions(lines[-1]):
        return None
    if len(lines) == 1 or _looks_like_one_answer(text):
        if _REFUSAL.search(text):
            return None
        return Extraction(text.strip(), "bare", text.find(lines[0]))
    if _REFUSAL.search(lines[-1]):
        return None
    block = _last_block(lines)
    last = block if "\n" in block else first_line(block)
    return Extraction(last, "last_line", text.rfind(block)) if last else None


def _last_block(lines: list[str]) -> str:
    """The last line, with the lines before it that its formula or environment began on."""
    block = lines[-1]
    for line in reversed(lines[-MAX_BLOCK:-1]):
        if block.count("\\end{") <= block.count("\\begin{") and block.count("$") % 2 == 0:
            break
        block = f"{line}\n{block}"
    return block


def _looks_like_one_answer(text: str) -> bool:
    """One display or environment over several lines is one answer, as are lines without words."""
    body = text.strip()
    if len(body) <= MAX_STATEMENT and not _PROSE.search(_ENVIRONMENT.sub("", body)):
        return True
    return body.startswith(("\\begin", "\\left(", "\\[", "$$", "\\text", "(\\begin"))
