"""Whether two answers are the same: the ladder of rules; the first that decides is named."""

import re
from fractions import Fraction

from evaluators.verdict import Decision, different, equal, undecided

_WRAP = re.compile(r"\\(?:left|right|,|!|;|displaystyle)|[\s$]")
_NUMBER = re.compile(r"[+-]?\d{1,200}(?:\.\d{1,200})?(?:/\d{1,200})?")


def compare(gold: str, answer: str, kind: str) -> Decision:
    """Compare two answers' texts; equality of values counts, not spelling."""
    left, right = _plain(gold), _plain(answer)
    if left == right:
        return equal("same_text")
    a, b = _value(left), _value(right)
    if a is not None and b is not None:
        return equal("same_number") if a == b else different("numbers_differ")
    if kind == "integer" or (a is None) != (b is None):
        return different("not_the_number")
    return undecided("not_parsed")


def _plain(text: str) -> str:
    text = _WRAP.sub("", text).replace("{,}", "")
    text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", text)
    return text.strip(".")


def _value(text: str) -> Fraction | None:
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    if not _NUMBER.fullmatch(text):
        return None
    top, _, bottom = text.partition("/")
    if bottom and not int(float(bottom)):
        return None
    return Fraction(top) / Fraction(bottom or 1)
