# ruff: noqa: RUF001 - apostrophes and dashes as models write them
"""Whether a step states a complete answer: the one decision that ends a track before its text ends.

A model quotes the format it was asked for, supposes answers, asks itself, and takes answers back.
None of that ends a track. To say no wrongly costs tokens: the track goes on to the end of its text.
To say yes wrongly costs the answer. So where a step leaves a doubt, the decision is no.
"""

import re
from dataclasses import dataclass

from evaluators import extract_answer
from evaluators.boxes import complete_boxes, last_boxed
from evaluators.conclusion import conclusions
from evaluators.equivalence import readings
from evaluators.exact import exact_value
from evaluators.heads import stated_value
from evaluators.nodes import Node, Op, Quantity
from pipeline.problems import Problem
from pipeline.reasoners.opening import THINK_CLOSE, THINK_OPEN

MAX_LEAD = 400
"""Of the sentence before an answer this much is read, characters."""

_SENTENCE_END = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<!\\)[.?!;](?:\\\]|[\"')*\]$])*(?:\s+|(?=[A-Z]))|\n\s*\n"
)
_SUPPOSED = re.compile(
    r"\b(?:suppos\w*|assum\w*|hypothes\w*|(?<!and only )if(?! and only if)|whether|unless|maybe|"
    r"perhaps|possibly|probably|presumably|guess\w*|let[’']?s say|think|believe|wonder\w*|try|"
    r"(?:might|may|could)\s+(?:\w+\s+)?(?:be|equal)|(?:seems?|appears?)\s+(?:to|that|like))\b"
    r"|(?:\b(?:not|cannot|never|neither|nor)|n[’']t)\b\W{0,8}(?:\w+\W+){0,2}$"
    r"|\b(?:instead of|rather than|wrong|incorrect)\W*$"
    r"|^\W*(?:is|are|does|would|could|should|can)\s+(?:the|it|this|that|there)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    # "The user wants the answer in the form": between the wish and the box stand only such words.
    r"\b(?:wants?|needs?|expects?|asks?|says?|said|requires|requests?|tells?|instructs?)\W+"
    r"(?:(?:for|the|an?|me|us|it|you|your|my|to|be|answer|final|result|in|as|inside|within|form|"
    r"format|box|boxed|of|with|enclosed|put|give|given|write|present|letter|integer|number|value|"
    r"single|just|only|that|is|at|end)\W+){0,12}$"
    r"|(?<!\\)\b(?:in|inside|within|using|like|format|form of|in the form|in this form|e\.g|"
    r"for example|for instance|such as)\W*$"
    r"|\b(?:i|we|you)(?:[’']ll|\s+(?:will|shall|need\s+to|have\s+to|must|should|want\s+to))\s+"
    r"(?:\w+\s+)?(?:put|write|give|box|present|place|enclose|output|state|use|end|finish)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\?|\b(?:wait|hmm+|but|however|although|though|actually|no|not|wrong|incorrect|mistakes?|"
    r"check|verify|let me|let us|let[’']s|maybe|perhaps|unless|reconsider|try)\b|n[’']t\b",
    re.IGNORECASE,
)
_STATED_LETTER = re.compile(
    r"\b(?i:answer|(?:correct|right|best)\s+(?:option|choice))\b[\s*_]*(?i:\bis\b|:|=)[\s*_:$]*"
    r"(?i:option\s+|choice\s+)?\**(?:(?P<letter>[A-Z])\b|\((?P<bracketed>[A-Za-z])\))"
    r"(?=[\s*)$]*(?:$|[.,;:!?\n–—-]|(?i:because|since|as|for|which)\b))"
)
# What is no content: signs that leave a place open, spacing, and commands that draw a blank.
_FILLER = re.compile(
    r"\\(?:text|mathrm|textbf|mathbf|textit|mbox|underline|phantom|hspace|boldsymbol)\b\s*\*?"
    r"|\\(?:[lc]?dots|dotsc|square|Box|q?quad|displaystyle|blank|underbar|_|,|;|:|!|\s)"
    r"|<(?=\w)|(?<=\w)>"
    r"|[\s?.…_*~$\[\](){}|'\"!,;:–—-]",
)
_FORMAT_WORDS = re.compile(
    r"(?:(?:your|the|my|an?|final|numerical|correct)\s*)*"
    r"(?:answer|ans|result|value|number|integer|letter|option|expression|solution|x{2,})"
    r"(?:\s*here)?",
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
        letters="".join(chr(ord("A") + index) for index in range(len(problem.choices))),
        format_words=frozenset(word for word in boxed if _WORDS.fullmatch(word)),
    )


def is_thinking(text: str, *, before: bool) -> bool:
    """Whether the thinking block is open after `text`, given whether it was before it."""
    opened, closed = text.rfind(THINK_OPEN), text.rfind(THINK_CLOSE)
    return opened > closed if opened != closed else before


def states_answer(text: str, form: AnswerForm, *, thinking: bool) -> bool:
    """Whether a step states an answer of the problem's kind in full.

    That is the last box of the step, closed, with something of the kind in it; for multiple choice
    outside an open thinking block also "the answer is B". It must be stated: not a quotation of the
    format, not asked, not supposed, and not taken back in the rest of the step. `thinking` says
    whether the step begins inside an open thinking block; what follows a `</think>` does not.
    """
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
        and _is_stated(text, last.start(), last.end())
        and extract_answer(text, "choice") == letter
    )


def _fits(content: str, form: AnswerForm) -> bool:
    """Whether the content of a box is an answer of the problem's kind."""
    if form.kind == "choice":
        letter = extract_answer(f"\\boxed{{{content}}}", "choice")
        return letter is not None and _is_shown(letter, form)
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


def _is_stated(text: str, start: int, end: int) -> bool:
    """Whether what stands at this place of a step is claimed there, and not taken back after it."""
    *_, sentence = _SENTENCE_END.split(text[:start])
    lead = sentence[-MAX_LEAD:]
    in_doubt = _SUPPOSED.search(lead) or _QUOTED.search(lead) or _TAKEN_BACK.search(text[end:])
    return in_doubt is None
