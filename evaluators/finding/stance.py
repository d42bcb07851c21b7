# ruff: noqa: RUF001 - apostrophes as models write them
"""What a text last says about a letter of a multiple choice: that it stands by it, or not.

The clause that names the letter last is read: the verb nearest before the letter (*choose*, *answer
is*, *eliminate*), else the predicate behind it (*works*, *is wrong*), each turned round by a
negation. A question counts as doubt when the text goes on without confirming it.
"""

import re

_CLAUSE = re.compile(
    r"[.!?;:\n]+|,|\b(?:(?<!anything )(?<!all )but|"
    r"so|thus|hence|therefore|while|whereas|because|since|then)\b",
    re.IGNORECASE,
)
_REJECTS = (
    r"(?:reject|eliminat|exclud|discard|dismiss|refut|disprov|except|avoid)\w*|"
    r"(?:rul|cross|throw|threw|strik|struck)\w*\s+out|anything\s+but|all\s+but|other\s+than|"
    r"rather\s+than|instead\s+of|"
    r"(?:wrong|incorrect|false|worst|bad|least\s+\w+)\s+(?:answer|option|choice|one)(?:\s+is)?"
)
_AFFIRMS = (
    r"(?:answer|option|choice|one)\s*(?:is|=)|(?:choos|chose|pick|select|accept|prefer)\w*|"
    r"(?:go|going)\s+with|settled?\s+on|leav\w*|keep\w*|must\s+be"
)
_VERB = re.compile(rf"\b(?:(?P<rejects>{_REJECTS})|(?P<affirms>{_AFFIRMS}))\b", re.IGNORECASE)
_NEGATION = re.compile(r"(?:\b(?:not|never|cannot|neither|nor)\b|n['’]t\b)", re.IGNORECASE)
_FAILS = re.compile(
    r"[\s)*]*(?:\b(?:option|choice)\b\s*)?(?:"
    r"(?:is|was|are|were|seems?|looks?|must\s+be|can\s+be)\s+(?:\w+ly\s+)?"
    r"(?:wrong|incorrect|false|not\b|out\b|impossible|invalid|bad|no\s+good|a\s+trap|a\s+distractor|"
    rf"{_REJECTS})"
    r"|(?:can['’]t|(?:does|do|did|can|could|would)(?:\s+not|n['’]t|not))\s+(?!fail|contradict|violat)"
    r"|(?:is|was)n['’]t\b|fails?\b|contradicts?\b|violates?\b)",
    re.IGNORECASE,
)
_SHARED = re.compile(r"[\s)*]*and\s+\(?[A-Z]\)?\s+are\b")
_ASKED = re.compile(r"[\s)*\"'’]*\?")
_UNSURE = re.compile(
    r"\b(?:not\s+(?:sure|certain)|unsure|uncertain|maybe|perhaps|possibly|could|might|may|or|no|"
    r"don['’]t\s+know|guess)\b",
    re.IGNORECASE,
)
_CONFIRMED = re.compile(r"\b(?:yes|indeed|confirmed|correct|right)\b", re.IGNORECASE)
# A clause is read this far on both sides of its letter, characters.
MAX_CLAUSE = 200


def stands_by(text: str, letter: str) -> bool:
    """Whether the last clause about the capital letter neither rejects it nor doubts it."""
    *_, last = [None, *re.finditer(rf"(?<![A-Za-z]){letter}(?![A-Za-z'’])", text)]
    if last is None:
        return True
    before = _CLAUSE.split(text[max(0, last.start() - MAX_CLAUSE) : last.start()])[-1]
    after = text[last.end() : last.end() + MAX_CLAUSE]
    if _ASKED.match(after) and _UNSURE.search(after) and not _CONFIRMED.search(after):
        return False
    if _FAILS.match(after) or _SHARED.match(after):
        return False
    *_, verb = [None, *_VERB.finditer(before)]
    if verb is None:
        return not _NEGATION.search(before)
    negated = _NEGATION.search(before) is not None
    return (verb["affirms"] is not None) != negated
