# ruff: noqa: RUF001 - full-width punctuation of other scripts
"""Where a stated answer ends inside running text."""

import re

from evaluators.reading.numerals import SCALES
from evaluators.reading.units import UNIT_WORDS

# Markup before a statement; a subscript sign before a brace is none.
_LOOKS = re.compile(r"(?:[ \t*`:：}]|_(?!\{))*")
_DISPLAY = re.compile(r"\s*(\$\$|\\\[|\\\(|\$|\*\*|`|“)")
_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$", "**": "**", "`": "`", "“": "”"}
_SENTENCE_END = re.compile(
    r"(?:(?:(?<!\.\.)(?<!\bi\.e)(?<!\be\.g)(?<!\bsq)(?<!\bcu)[.?]|(?<=[a-z]{2})!)(?=\s+[^\s\d]|\s*$)|。|！|(?<!\\);\s+(?!or\b|alternatively\b)(?=[A-Za-z]{3})|(?<!\s)\s+(?:because|since|as|which)\s)"
)
# What may follow a closed formula and still belongs to the answer: units, percent, a second part.
_CHANGES = ("squared", "cubed", "factorial", "percent", "pct", *SCALES)
_JOINING = ("and", "or", "times", "plus", "minus", "divided", "multiplied", "more", "less", "fewer")
_AFTER = "|".join(sorted({*_CHANGES, *UNIT_WORDS, *_JOINING}))
_CONTINUES = re.compile(
    rf"\s*(?:(?:{_AFTER})(?![\w'’])|[%°,+=<>/^_*-]|\\(?:%|cup|cap|pm|text|mathrm|times|cdot|le|ge|in)(?![a-zA-Z]))"
)


def statement(text: str) -> str:
    """The answer at the start of `text`: a delimited formula, or up to the sentence's end."""
    looks = _LOOKS.match(text)
    body = text[looks.end() if looks else 0 :]
    if body.startswith("\n") or not body:
        body = body.lstrip()
    opening = _DISPLAY.match(body)
    if opening:
        closer = _CLOSERS[opening.group(1)]
        end = _closing(body, closer, opening.end())
        rest = body[end + len(closer) :]
        if end > 0 and not _CONTINUES.match(rest):
            return body[opening.end() : end].strip()
        if end > 0:
            return _sentence(first_line(body.replace("\n", " ")))
    return _sentence(first_line(body))


def _closing(text: str, closer: str, start: int) -> int:
    """Where the delimiter closes; an escaped dollar sign does not."""
    end = text.find(closer, start)
    while end > 0 and closer.startswith("$") and text[end - 1] == "\\":
        end = text.find(closer, end + 1)
    return end


def first_line(text: str) -> str:
    """The first line that holds something, without surrounding markup."""
    for line in text.splitlines():
        if line.strip(" \t*_`#>-"):
            return _without_looks(line.strip(" \t#"))
    return ""


def _without_looks(text: str) -> str:
    looks = _LOOKS.match(text)
    return text[looks.end() if looks else 0 :].rstrip(" \t*_`#")


def _sentence(text: str) -> str:
    end = _SENTENCE_END.search(text)
    span = _without_looks(text[: end.start()] if end else text)
    return span.strip("\"'") if span[:1] in ('"', "'") else span.rstrip('"')
