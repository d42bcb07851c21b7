# ruff: noqa: RUF001 - apostrophes and dashes as models write them
"""Whether a step states the answer: the only decision that ends a track before its text.

Inside an open thinking block nothing does: there a model quotes the format it was asked for,
supposes answers, asks itself, takes answers back and solves simpler problems first, in words that
no list holds. The closing of the block says that it is done. Where no block is open, a step states
the answer if its last sentence says that, and not a word more. To say no wrongly costs at most
tokens, since the track goes on to the end of its text; to say yes wrongly costs the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators import extract_answer
from evaluators.comparing.conclusion import conclusions
from evaluators.comparing.equivalence import readings
from evaluators.comparing.heads import stated_value
from evaluators.finding.boxes import complete_boxes, last_boxed
from evaluators.nodes import Node, Op, Quantity
from evaluators.numbers.exact import exact_value
from evaluators.reading.units import UNIT_WORDS
from pipeline.letters import LETTERS
from pipeline.problems.problem_set import Problem
from pipeline.reasoners.opening import THINK_CLOSE, THINK_OPEN

MAX_SENTENCE = 400
"""Of what stands before and after an answer this much is read, characters; more is no statement."""

_SENTENCE_END = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<!\A\d)(?<!\n\d)(?<!\\)[.?!;](?:\\\]|[\"')*\]$])*(?:\s+|(?=[A-Z]))|(?<![:\n])\n\s*\n"
)
# What sets type and formulas, and says nothing.
_LAYOUT = re.compile(
    r"\\(?:begin|end)\{\w+\*?\}|\\(?:displaystyle|q?quad|text|textbf|mathrm|mathbf)\b"
    r"|\\[\[\](),;:! ]|[\s$&*_#(){}\[\]\"“”:,]"
)
_TOKEN = re.compile(r"\\?[^\W_]+|\S")
# A word of a sentence, not a variable or a command.
_WORD = re.compile(r"(?<![\\A-Za-z])[^\W\d_]{2,}")
_EQUATES = re.compile(
    r"(?:(?<!\\not)(?<![!<>~≈])=|\\(?:in|equiv|iff|implies|Rightarrow|therefore))\s*$"
)
# All that may be said before an answer, in this order.
_STATEMENT = re.compile(
    r"(?:(?:and|so|thus|hence|therefore|finally|consequently|altogether|all in all|in total|overall"
    r"|in conclusion|to conclude|(?:we|i) conclude(?: that)?) )*"
    r"(?:(?:(?:the|our|my) )?(?:(?:final|correct|right|best|complete|numerical|required) )*"
    r"(?:answer|option|choice) (?:to the (?:problem|question) )?(?:(?:must be|is|are|equals) )?"
    r"|(?:it|this|that) (?:is|equals) |there (?:is|are) (?:exactly )?"
    r"|we (?:get|have|obtain|find) (?:that )?)?"
    r"(?:(?:option|choice) )?"
)
# All that may be said behind it.
_CLOSINGS = UNIT_WORDS | {"ways", "times", "units", "in", "total"} | set(".!;%\\")
# The beginning of a sentence or line that makes all that follows depend on something.
_PREMISE = re.compile(
    r"[\s*]*+(?:(?:now|so|first|next|let us|let[’']s|we)\W+)?"
    r"(?:suppose|assume|imagine|pretend|case|part|hypothe\w*)\b",
    re.IGNORECASE,
)
_STATED_LETTER = re.compile(
    r"\b(?i:answer|(?:correct|right|best)\s+(?:option|choice))\b[\s*_]*(?i:\bis\b|:|=)[\s*_:$]*"
    r"(?i:option\s+|choice\s+)?\**(?:(?P<letter>[A-Z])\b|\((?P<bracketed>[A-Za-z])\))"
    r"(?=[\s*)$]*(?:$|[.,;:!?\n–—-]))"
)
# What is no content: signs that leave a place open, spacing, and commands that draw a blank.
_FILLER = re.compile(
    r"\\[hv]?phantom\s*\{[^{}]*\}|\\hspace\s*\*?\{[^{}]*\}|\\bullet\b|"
    r"\\(?:text|mathrm|textbf|mathbf|textit|mbox|underline|phantom|hspace|boldsymbol)\b\s*\*?"
    r"|\\(?:[lc]?dots|dotsc|square|Box|q?quad|displaystyle|blank|underbar|_|,|;|:|!|\s)"
    r"|<(?=\w)|(?<=\w)>"
    r"|[\s?.…_*~$\[\](){}|'\"!,;:–—-]",
)
_FORMAT_WORDS = re.compile(
    r"(?:(?:your|the|my|an?|final|numerical|correct)\s*)*"
    r"(?:answer|ans|result|value|number|integer|letter|option|expression|solution|x{2,})"
    r"(?:\s*(?:goes\s*)?here)?|tbd|tba|to be \w+|see \w+|unknown|undetermined|unclear|n/a|pending"
    r"|later",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{2,}(?:\W+[^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What an answer to a problem looks like.

    `letters` are those of the shown options, empty where none are known; `format_words` are what
    the prompt itself writes into a box, in lower case.
    """

    kind: str
    letters: str = ""
    format_words: frozenset[str] = frozenset()


def answer_form(problem: Problem, task: str) -> AnswerForm:
    """The form of the answer that the rendered `task` asks for."""
    boxed = (_bare(box.text) for box in complete_boxes(task))
    return AnswerForm(
        kind=problem.kind,
        letters=LETTERS[: len(problem.choices)],
        format_words=frozenset(word for word in boxed if _WORDS.fullmatch(word)),
    )


def is_thinking(text: str, *, before: bool) -> bool:
    """Whether the thinking block is open after `text`, given whether it was before it."""
    opened, closed = text.rfind(THINK_OPEN), text.rfind(THINK_CLOSE)
    return opened > closed if opened != closed else before


def ends_track(text: str, form: AnswerForm, *, thinking: bool, earlier: Sequence[str] = ()) -> bool:
    """Whether a step ends its track before the text does: never one that leaves a block open.

    `thinking` says whether the step begins inside a thinking block; `earlier` are the steps before.
    """
    return not is_thinking(text, before=thinking) and states_answer(text, form, earlier=earlier)


def states_answer(text: str, form: AnswerForm, *, earlier: Sequence[str] = ()) -> bool:
    """Whether a step ends with a sentence that states an answer of the problem's kind in full.

    The answer is the last box of the step, closed, with something of the kind in it; for multiple
    choice also the letter of "the answer is B". Its sentence says that it is the answer and
    nothing else, and nothing comes after it. `earlier` are the steps before: what one of them
    supposes may hold still, up to a `</think>`.
    """
    before, closed, after = text.rpartition(THINK_CLOSE)
    if closed:
        text, earlier = (after if after.strip() else before), ()
    place = _answer_place(text, form)
    if place is None:
        return False
    lead = "\n\n".join((*earlier, text[: place.start])).rpartition(THINK_CLOSE)[-1]
    return _says_so(lead) and _closes(text[place.stop :]) and not _is_supposed(lead)


def _answer_place(text: str, form: AnswerForm) -> slice | None:
    """Where the answer of the step stands: its last box, or a letter after "the answer is"."""
    box = last_boxed(text)
    if box is not None:
        is_complete = text[box.end - 1] == "}" and _fits(box.text, form)
        return slice(box.start, box.end) if is_complete else None
    *_, last = [None, *_STATED_LETTER.finditer(text)]
    if form.kind != "choice" or last is None:
        return None
    letter = (last["letter"] or last["bracketed"]).upper()
    is_stated = _is_shown(letter, form) and extract_answer(text, "choice") == letter
    return slice(last.start(last.lastgroup or 0), last.end()) if is_stated else None


def _says_so(lead: str) -> bool:
    """Whether the sentence before an answer says that it is the answer, and nothing else."""
    sentence = _SENTENCE_END.split(lead)[-1]
    if len(sentence) > MAX_SENTENCE:
        return False
    sentence = _LAYOUT.sub(" ", sentence)
    said = _WORD if _EQUATES.search(sentence) else _TOKEN
    words = "".join(f"{word} " for word in said.findall(sentence)).casefold()
    return _STATEMENT.fullmatch(words) is not None


def _closes(rest: str) -> bool:
    """Whether only units, punctuation and the like stand behind an answer."""
    tokens = _TOKEN.findall(_LAYOUT.sub(" ", rest[:MAX_SENTENCE]))
    return len(rest) <= MAX_SENTENCE and all(token in _CLOSINGS for token in tokens)


def _is_supposed(lead: str) -> bool:
    """Whether something is supposed before an answer."""
    sentences = (one for line in lead.splitlines() for one in _SENTENCE_END.split(line))
    return any(_PREMISE.match(sentence) for sentence in sentences)


def _fits(content: str, form: AnswerForm) -> bool:
    """Whether the content of a box is an answer of the problem's kind."""
    if form.kind == "choice":
        letter = extract_answer(f"\\boxed{{{content}}}", "choice")
        is_open = "?" in content or "letter" in content.casefold()
        return letter is not None and not is_open and _is_shown(letter, form)
    if form.kind == "integer":
        return any(_is_integer(tree) for tree in readings(content) or conclusions(content))
    bare = _bare(content)
    return bool(bare) and bare not in form.format_words and not _FORMAT_WORDS.fullmatch(bare)


def _is_shown(letter: str, form: AnswerForm) -> bool:
    return not form.letters or letter in form.letters


def _is_integer(tree: Node) -> bool:
    """Whether an answer is one integer, perhaps with a name before or a unit or sign after it."""
    tree = stated_value(tree)
    while isinstance(tree, Quantity) or (isinstance(tree, Op) and tree.name in {"percent", "deg"}):
        tree = tree.value if isinstance(tree, Quantity) else tree.args[0]
    value = exact_value(tree)
    return value is not None and value.denominator == 1


def _bare(content: str) -> str:
    """The content of a box without what stands for nothing, in lower case."""
    return " ".join(_FILLER.sub(" ", content).split()).casefold()
