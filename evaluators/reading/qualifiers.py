"""What qualifies an answer behind it: `where`, `such that`, remarks in brackets, denials."""

from collections.abc import Sequence

from evaluators.nodes import Node, Sym, Unreadable, Words
from evaluators.reading.domains import ORDER, PARAMETER_SETS
from evaluators.reading.phrases import is_taken_back
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item
from evaluators.reading.word_runs import WORD, is_kind, words_of
from evaluators.reading.words import INTRODUCTIONS, PAIRED_QUALIFIERS, QUALIFIERS

_RELATION = frozenset({"rel"})
_GUESSES = frozenset({"could", "might", "may", "maybe", "perhaps", "possibly"})


def denies(part: Sequence[Item]) -> bool:
    """Whether a statement is `not 43`, behind another answer."""
    return isinstance(part[0], Token) and part[0].text == "not" and part[0].kind in ("word", "rel")


def without_exclusions(parts: list[list[Item]]) -> list[list[Item]]:
    r"""The parts without the rest of `for x \ne 2, -1`, values that a condition leaves out."""
    kept: list[list[Item]] = []
    for part in parts:
        values = all(isinstance(i, Group) or i.kind in ("num", "op") for i in part)
        if not (kept and values and _leaves_out(kept[-1])):
            kept.append(part)
    return kept


def _leaves_out(part: list[Item]) -> bool:
    signs = [i.text for i in part if isinstance(i, Token) and i.kind == "rel"]
    return signs[-1:] == ["!="] and any(_qualifies([item]) for item in part[1:])


def without_introduction(nodes: list[Node]) -> list[Node]:
    """The answers without words that lead up to the only one: `in total, there are 204`."""
    *before, last = nodes
    leads = all(
        isinstance(node, Words) and node.text.split()[0].lower() in INTRODUCTIONS for node in before
    )
    return [last] if leads and not isinstance(last, Words) else nodes


def _is_remark(group: Group) -> bool:
    r"""`(k \in \mathbb{Z})`, `(x \neq 1)`, `(where ...)`, `(not 43)` behind a formula."""
    if _qualifies(group.items[:1]) or (group.items and denies(group.items)):
        return True
    if any(is_kind(i, _RELATION) and isinstance(i, Token) and i.text == "!=" for i in group.items):
        return True
    *_, sign, last = (None, None, *group.items)
    named = isinstance(last, Token) and last.kind == "sym" and Sym(last.text) in PARAMETER_SETS
    return named and isinstance(sign, Token) and sign.text == "in"


def _qualifies(items: Sequence[Item]) -> bool:
    return any(
        isinstance(i, Token) and i.kind == "word" and i.text.lower() in QUALIFIERS for i in items
    )


def _is_bound(group: Group) -> bool:
    r"""`(n \ge 1)`, which behind an answer is a condition."""
    match group.items:
        case (Token(kind="sym"), Token(kind="rel", text=sign), Token(kind="num")):
            return group.opening == "(" and sign in ORDER
    return False


def _begins_qualifier(word: str, after: list[Item], *, first: bool) -> bool:
    """Whether a qualifier begins: at some words always, elsewhere `such that`, `attained at`."""
    followers = PAIRED_QUALIFIERS.get(word)
    if followers is None or first or not after:
        return followers is not None or word in QUALIFIERS
    return words_of(after).lower() in followers


def without_qualifier(items: list[Item]) -> list[Item]:
    """The statement up to `where`, `for all`, `if`, ...; all of it qualifies if it begins so."""
    for index, item in enumerate(items):
        after = items[index + 1 : index + 2]
        if isinstance(item, Group):
            if index and (_is_remark(item) or (not after and _is_bound(item))):
                return items[:index]
        elif item.kind == "word" and _begins_qualifier(item.text.lower(), after, first=not index):
            if any(isinstance(i, Token) and i.text.lower() in _GUESSES for i in items[index:]):
                raise Unreadable("a hedge")
            if index and not after:
                raise Unreadable("a sentence that is cut off")
            if item.text == "but" and is_taken_back(items[index + 1 :]):
                raise Unreadable("a denial")
            if item.text == "with" and words_of(list(after)) == "remainder":
                raise Unreadable("a quotient with its remainder")
            if item.text == "which" and after and is_kind(after[0], WORD):
                raise Unreadable("a derivation")
            return items[:index]
    return items
