# ruff: noqa: RUF001 - apostrophes and dashes as models write them
"""Whether a step states a complete answer: the only decision that ends a track before its text.

A model quotes the format it was asked for, supposes answers, asks itself, and takes answers back.
None of that ends a track. To say no wrongly costs tokens: the track goes on to the end of its text.
To say yes wrongly costs the answer. So what counts is listed, not what does not: a conclusion, the
answer directly behind it, and the end of the step. Whatever else stands there, the decision is no.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators import extract_answer
from evaluators.comparing.conclusion import conclusions
from evaluators.comparing.equivalence import readings
from evaluators.comparing.heads import stated_value
from evaluators.finding.boxes import complete_boxes, last_boxed
from evaluators.nodes import Node, Op, Quantity, Words
from evaluators.numbers.exact import exact_value
from evaluators.reading.units import UNIT_WORDS
from pipeline.letters import LETTERS
from pipeline.problems.problem_set import Problem
from pipeline.reasoners.opening import THINK_CLOSE, THINK_OPEN

MAX_LEAD = 400
"""Of the sentence before an answer this much is read, characters."""

_SENTENCE_END = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<!\\)[.?!;](?:\\\]|[\"')*\]$])*(?:\s+|(?=[A-Z]))|\n\s*\n"
)
# What makes a sentence a conclusion; only one of these, or no word at all, states an answer.
_CONCLUDES = (
    r"(?:so|thus|hence|therefore|finally|consequently|all in all|in total|in conclusion|"
    r"(?:we|i) conclude(?: that)?|answer|(?:correct|right|best) (?:option|choice))"
)
_CONCLUSION = re.compile(rf"\b{_CONCLUDES}\b|^\W*it is\W*$", re.IGNORECASE)
# What joins a conclusion to the answer, directly before it.
_FRAME = re.compile(
    rf"(?:^|=|\\(?:equiv|in|iff)|\b(?:is|are|equals?|equal to|must be|gives?|get|obtain|have|has|"
    rf"{_CONCLUDES}),?)$",
    re.IGNORECASE,
)
_DELIMITER = (
    r"\b(?:option|choice)\s|\\[\[(]|\\begin\{\w+\*?\}|\\(?:displaystyle|quad|qquad|[,;:!])|"
    r"[\s$&*_:({\[\"“]"
)
_OPENING = re.compile(rf"(?<!correct )(?<!right )(?<!best )(?:{_DELIMITER})+$", re.IGNORECASE)
_COMMAND = re.compile(r"\\[A-Za-z]+\*?")
_WORD = re.compile(r"[^\W\d_]{2,}")
# Sentences with one of these suppose, doubt, negate, quote, ascribe, bound or condition.
_DOUBT = re.compile(
    r"\b(?:suppos\w*|assum\w*|hypothe\w*|conjectur\w*|imagin\w*|pretend\w*|"
    r"(?<!and only )if(?! and only if)|whether|unless|when\w*|while|until|provided|providing|"
    r"in (?:that|this|the|one|some|either|each|which|any) (?:\w+ )?case|in case|case \w+|"
    r"were|had|should|would|could|might|may|(?<!that )can|"
    r"maybe|perhaps|possibly|probabl[ey]|presumabl[ey]|likely|seem\w*|appear\w*|apparent\w*|"
    r"guess\w*|hunch|intuit\w*|estimat\w*|approx\w*|rough\w*|tentativ\w*|provisional\w*|"
    r"preliminary|partial|intermediate|initial(?:ly)?|let[’']?s? say|say|says|said|saying|"
    r"think\w*|believ\w*|wonder\w*|try|trying|hope\w*|doubt\w*|unsure|uncertain|"
    r"not|cannot|never|neither|nor|nobody|none|false|wrong\w*|incorrect\w*|mistake\w*|error\w*|"
    r"contradict\w*|impossible|excluded?|instead|rather than|naive\w*|tempting|trap|careless|"
    r"claim\w*|student\w*|suggest\w*|according|other(?:s|wise)?|"
    r"bound\w*|at (?:most|least)|up to|less than or|"
    r"part \(?\w\b|sub-?\w*problem|lemma|first|"
    r"templates?|placeholders?|samples?|examples?|format\w*|(?<!simplified )form|instance|shape|"
    r"reminder|last line|"
    r"instruct\w*|prompt\w*|user|output|reply|respond|wants?|needs?|expect\w*|asks?|requests?|"
    r"requires|must (?!be|have|equal)\w+|e\.g|i\.e|like|using|inside|within|"
    r"(?:i|we|you) (?:will|shall))\b|n[’']t\b|[’']ll\b|\?"
    r"|^\W*(?:is|are|does|do|can|did)\b",
    re.IGNORECASE,
)
# The beginning of a sentence or line that makes all that follows depend on something.
_PREMISE = re.compile(
    r"[\s*]*+(?:(?:now|so|first|next|let us|let[’']s|we)\W+)?"
    r"(?:suppose|assume|imagine|pretend|case|part|hypothe\w*)\b",
    re.IGNORECASE,
)
# All that may stand between an answer and the end of its step.
_NOUNS = (
    r"(?:of them|ways|times|units?|square|cubic|per|sq|percent|degrees|points|people|students|"
    r"possibilities|solutions|values|such numbers?|such integers?)"
)
_REMARK = (
    r"(?:(?:which\s+)?is\s+(?:the|our|my)\s+(?:final\s+|correct\s+)?answer|"
    r"(?:as|which\s+is\s+what\s+was)\s+(?:required|desired|asked(?:\s+for)?)|Q\.?E\.?D|"
    r"(?:and\s+)?no\s+other\s+\w+\s+(?:works?|arises?|exists?)|I hope it is correct)\b"
)
_AFTER = re.compile(
    r"(?:</think>|\\[\])]|\\end\{\w+\*?\}|\\(?:[,;:!%]|quad|qquad|blacksquare|square|Box)|"
    r"\^?\{?\\circ\}?|\\(?:text|mathrm|textbf)(?=\{)|[\s$.,;!)\]}{(*_\"”]|"
    rf"{_REMARK}|\b{_NOUNS}\b|\b(?:{'|'.join(sorted(UNIT_WORDS))})\b)*+",
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
    r"(?:\s*(?:goes\s*)?here)?|tbd|tba|to be \w+|unknown|undetermined|unclear|n/a|pending|later",
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


def states_answer(
    text: str, form: AnswerForm, *, thinking: bool, earlier: Sequence[str] = ()
) -> bool:
    """Whether a step states an answer of the problem's kind in full.

    That is the last box of the step, closed, with something of the kind in it; for multiple choice
    outside an open thinking block also "the answer is B". Its sentence must conclude ("so", "the
    answer is") without a word of doubt, and nothing else may follow in the step. `thinking` says
    whether the step begins inside an open thinking block; what follows a `</think>` does not.
    `earlier` are the steps before: what one of them supposes may hold still, up to a `</think>`.
    """
    return _states_alone(text, form, thinking=thinking) and not _is_supposed(text, earlier)


def _is_supposed(text: str, earlier: Sequence[str]) -> bool:
    """Whether a step before this one supposes something, and no thinking block was closed since."""
    since = "\n\n".join((*earlier, text)).rpartition(THINK_CLOSE)[-1]
    sentences = (one for line in since.splitlines() for one in _SENTENCE_END.split(line))
    return any(_PREMISE.match(sentence) for sentence in sentences)


def _states_alone(text: str, form: AnswerForm, *, thinking: bool) -> bool:
    before, closed, after = text.rpartition(THINK_CLOSE)
    if closed:
        text, thinking = (after if after.strip() else before), False
    box = last_boxed(text)
    if box is not None:
        is_closed = text[box.end - 1] == "}"
        return is_closed and _fits(box.text, form) and _is_stated(text, box.start, box.end)
    if form.kind != "choice" or thinking:
        return False
    *_, last = [None, *_STATED_LETTER.finditer(text)]
    if last is None:
        return False
    letter = (last["letter"] or last["bracketed"]).upper()
    return (
        _is_shown(letter, form)
        and _is_stated(text, last.start(last.lastgroup or 0), last.end())
        and extract_answer(text, "choice") == letter
    )


def _fits(content: str, form: AnswerForm) -> bool:
    """Whether the content of a box is an answer of the problem's kind."""
    if form.kind == "choice":
        letter = extract_answer(f"\\boxed{{{content}}}", "choice")
        is_open = "?" in content or "letter" in content.casefold()
        return letter is not None and not is_open and _is_shown(letter, form)
    if form.kind == "integer":
        return any(_is_integer(tree) for tree in readings(content) or conclusions(content))
    bare = _bare(content)
    if form.kind == "latex" and _WORDS.fullmatch(bare) and not _has_value(content):
        return False
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


def _is_stated(text: str, start: int, end: int) -> bool:
    """Whether the sentence asserts what stands at this place, and nothing comes after it."""
    if not _AFTER.fullmatch(text, end):
        return False
    sentences = _SENTENCE_END.split(text[:start])
    lines = (line for sentence in sentences for line in sentence.splitlines())
    lead = sentences[-1][-MAX_LEAD:]
    if _DOUBT.search(lead) or any(_PREMISE.match(line) for line in lines):
        return False
    frame = _FRAME.search(_OPENING.sub("", lead)) is not None
    has_words = _WORD.search(_COMMAND.sub(" ", lead)) is not None
    return frame and (not has_words or _CONCLUSION.search(lead) is not None)


def _has_value(content: str) -> bool:
    """Whether words are read as a value: *two thirds*, *no solution*."""
    return any(not isinstance(tree, Words) for tree in readings(content))
