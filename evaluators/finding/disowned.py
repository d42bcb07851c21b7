# ruff: noqa: RUF001 - apostrophes as models write them
"""Answers that a text mentions and does not give: supposed, denied, or said to be others' mistake.

`Suppose the answer is 42`, `it is false that the answer is 42`, `a common wrong answer is 42`,
`previously I had 42`; and behind a value `is wrong`, `does not work`, `? No.`
"""

import re

from evaluators.reading.phrases import REJECTED

_SUPPOSED = (
    r"(?:suppos(?:e|ing)|assum(?:e|ing)|imagine|pretend|if|unless|whether|hypothetically)"
    r"(?:\s+(?:instead|for\s+(?:now|contradiction|the\s+sake\s+of\s+\w+|a\s+moment)))?,?(?:\s+that)?"
)
_DENIED = (
    r"(?:false|untrue|wrong|incorrect|impossible|doubtful|not\s+(?:true|the\s+case|correct|clear))"
    r"\s+(?:to\s+(?:say|claim|conclude)\s+)?that|(?:do|did|would)(?:\s+not|n['’]t)\s+"
    r"(?:think|believe)(?:\s+that)?"
)
_TEMPTING = (
    r"(?:might|may|could|would)\s+(?:\w+ly\s+)?(?:think|guess|say|expect|believe|conclude|answer)"
    r"(?:\s+that)?|tempt(?:ing|ed)\s+to\s+\w+(?:\s+that)?"
)
_ADOPTED = (
    r"(?:final|correct|right|true)?\s*(?:answer|result|value|solution)\s+"
    r"(?:is|was|were|be|would\s+be|equals)"
)
_MISTAKEN = (
    r"(?:wrong|incorrect|mistaken|erroneous|naive|tempting|trap|false)\s+(?:[a-z]+\s+){1,2}"
    r"(?:is|was|are|would\s+be|(?:would\s+)?(?:give|yield|lead)s?(?:\s+to)?)"
)
_EARLIER = (
    r"(?:(?:previously|earlier|originally|initially|at first),?\s+(?:I|we)"
    r"|(?:I|we)\s+(?:previously|earlier|originally|initially|first))"
    r"\s+(?:had|got|wrote|said|gave|answered|obtained)"
)
_OPENING = r"\s*(?:\$\$?|\\\(|\\\[|\*\*)?\s*\Z"
# Before `answer is`; before the value itself.
_BEFORE_MARKER = re.compile(
    rf"\b(?:{_SUPPOSED}|{_DENIED}|{_TEMPTING})\s+(?:(?:the|our|my)\s+)?"
    r"(?:(?:final|correct|right|true)\s+)?\Z"
    r"|\b(?:wrong|incorrect|mistaken|erroneous|naive|tempting|trap|false)\s+\Z",
    re.IGNORECASE,
)
_BEFORE_VALUE = re.compile(
    rf"\b(?:{_SUPPOSED}|{_DENIED}|{_TEMPTING})\s+(?:(?:the|our|my)\s+)?{_ADOPTED}{_OPENING}"
    rf"|\b{_TEMPTING}{_OPENING}"
    rf"|\b{_MISTAKEN}{_OPENING}"
    rf"|\b{_EARLIER}{_OPENING}"
    rf"|(?:\bnot|n['’]t)\s+{_OPENING}",
    re.IGNORECASE,
)
_BEHIND_VALUE = re.compile(
    r"(?:\s|\\[,; ]|~|[.](?=\s*\$))*(?:\$\$?|\\\)|\\\]|\*\*)?\s*(?:\\(?:text|mathrm)\s*\{\s*)?"
    rf"(?:(?:,?\s*but\s+(?:that|this|it)\s+)?(?:is|was)\s+(?:not|{'|'.join(sorted(REJECTED))})\b"
    r"|\?\s*(?:No|Wrong|Nope)\b(?!,)|(?:does\s+not|doesn['’]t)\s+(?:work|hold|fit)\b)",
    re.IGNORECASE,
)
_MISTAKE = re.compile(rf"\b{_MISTAKEN}\s+\S+\s*\Z", re.IGNORECASE)
# What stands before a value is looked at so far back, characters.
MAX_LEAD = 90


def is_disowned(text: str, start: int, end: int) -> bool:
    """Whether the value between these offsets is only mentioned, by the words on either side."""
    before = _BEFORE_VALUE.search(text[max(0, start - MAX_LEAD) : start])
    return before is not None or _BEHIND_VALUE.match(text, end) is not None


def mentions_mistake(line: str) -> bool:
    """Whether a line ends with what is said to be wrong: `the naive approach gives 17`."""
    return _MISTAKE.search(line) is not None


def is_disowned_marker(text: str, start: int) -> bool:
    """Whether the words before `answer is` say that what follows is not this text's answer."""
    return _BEFORE_MARKER.search(text[max(0, start - MAX_LEAD) : start]) is not None
