"""What a derivation ends with: the value of the last clause that has one."""

import re
from functools import lru_cache

from evaluators.comparing.truth import is_false
from evaluators.nodes import Listing, Node, Rel, Unreadable, Words, is_deep
from evaluators.reading.differentials import with_differentials
from evaluators.reading.endings import is_cut_off
from evaluators.reading.lexer import tokenize
from evaluators.reading.parser import last_formula, read_answer
from evaluators.reading.tokens import Comma, Token
from evaluators.reading.tree import nest

# A conclusion stands at the end: only this much of a derivation is read, characters.
MAX_READ = 1_600
# Clauses without a value that may follow the conclusion.
MAX_CLAUSES = 12
CACHED = 512
# Kinds of tokens of a clause that states no value and may follow the conclusion.
_PROSE = frozenset({"word", "sym", "sep", "gap", "mark", "close"})
# Where a sentence begins, and what must be closed before it.
_SENTENCE = re.compile(r"(?<=[\w)}$\]][.?!])\s+(?=[A-Z])|\n\s*\n\s*(?=[A-Z])")
_PAIRS = (("{", "}"), ("\\begin", "\\end"), ("\\[", "\\]"), ("\\(", "\\)"))
_DECIMAL_COMMA = re.compile(r"(?<![\d,])\d+,\d+(?![\d,])")


@lru_cache(maxsize=CACHED)
def conclusions(text: str) -> tuple[Node, ...]:
    """The values a derivation may be said to end with, best first; empty if it has none."""
    tail = _tail(text)
    modes = [Comma.THOUSANDS]
    if len(_DECIMAL_COMMA.findall(tail)) == 1:
        modes.append(Comma.DECIMAL)
    return tuple(node for mode in modes for node in _concluded(tail, mode))


def _tail(text: str) -> str:
    """The end of a long text, from the start of a sentence outside of formulas; else nothing."""
    if len(text) <= MAX_READ:
        return text
    start = _SENTENCE.search(text, len(text) - MAX_READ)
    dropped = text[: start.end()] if start else text
    closed = all(dropped.count(left) == dropped.count(right) for left, right in _PAIRS)
    return text[len(dropped) :] if closed and dropped.count("$") % 2 == 0 else ""


def _concluded(tail: str, comma: Comma) -> list[Node]:
    try:
        tokens = tokenize(tail, comma)
    except Unreadable:
        return []
    if tokens and is_cut_off(tokens[-1]):
        return []
    for clause in reversed(_clauses(tokens)[-MAX_CLAUSES:]):
        found = _value(clause)
        if found is not None:
            return _variants(found)
        if not all(token.kind in _PROSE for token in clause):
            return []
    return []


def _clauses(tokens: list[Token]) -> list[list[Token]]:
    clauses: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind in ("stop", "row") or (token.kind == "word" and token.text == "which"):
            clauses.append([])
        elif token.kind != "cell":
            clauses[-1].append(token)
    return [clause for clause in clauses if clause]


def _value(clause: list[Token]) -> Node | None:
    try:
        items = with_differentials(nest(clause))
    except Unreadable:
        return None
    for reader in (read_answer, last_formula):
        try:
            node = reader(items)
        except Unreadable:
            continue
        if reader is read_answer and is_false(node):
            # Of the last formula alone the first side may be cut: `25 % of 60 = 15`.
            return None
        if not isinstance(node, Words) and not is_deep(node):
            return node
    return None


def _variants(node: Node) -> list[Node]:
    """The clause as it stands; of steps side by side, the last; of an equation, its last side."""
    variants = [node]
    if isinstance(node, Listing) and node.joiner == ",":
        kept = [item for item in node.items if not isinstance(item, Words)]
        prose = len(kept) < len(node.items)
        if len(kept) > 1 and (prose or isinstance(kept[-1], Rel)):
            variants.append(kept[-1])
        elif len(kept) == 1:
            variants.append(kept[0])
    last = variants[-1]
    if isinstance(last, Rel) and all(op in ("=", "~") for op in last.ops):
        variants.append(last.args[-1])
    return variants
