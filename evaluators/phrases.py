"""Words beside a formula: units, nouns and labels, and the words that deny or change its value."""

from dataclasses import dataclass

from evaluators.shorthand import CURRENCIES
from evaluators.tokens import Token
from evaluators.tree import Group, Item
from evaluators.units import is_unit

WORD = frozenset({"word"})
_DENIALS = frozenset({"not", "isn't", "never", "except", "neither", "nor", "no"})
# Words that, before or after a value, make another value or only a bound of it.
_BOUNDS = frozenset({("at", "least"), ("at", "most"), ("up", "to"), ("or", "more"), ("or", "less")})
_CHANGED_BEFORE = frozenset({"than", "half", "twice", "double", "triple", "root", "over", "under"})
_CHANGED_OF = frozenset(
    {"half", "root", "square", "cube", "sine", "cosine", "tangent", "logarithm", "factorial"}
    | {"reciprocal", "inverse", "opposite", "complement", "multiple", "power", "third", "quarter"}
)
CHANGED_AFTER = frozenset({"squared", "cubed", "factorial"})
_REJECTED = frozenset({"wrong", "incorrect", "false", "rejected", "impossible"})
_UNIT_SIGNS = ("^", "/", "-")
# Letters run together between signs are a product up to this many, a word beyond.
LONGEST_NAME = 5
_LETTER_UNITS = frozenset({"m", "s", "g", "h", "l", "L", "J", "N", "W", "V", "K", "A"})


@dataclass(slots=True)
class Run:
    """Neighbouring items that are all words, or all formula."""

    wordy: bool
    items: list[Item]


def is_denied(before: list[Run]) -> bool:
    """Whether the words just before a formula say that it is not the answer."""
    words = before[-1].items[-2:] if before else []
    return any(isinstance(word, Token) and word.text.lower() in _DENIALS for word in words)


def is_altered(runs: list[Run], at: int) -> bool:
    """Whether the words around a formula change its value, bound it, reject it or apply to it."""
    before, after = (
        [word.lower() for run in side for word in words_of(run.items).split()]
        for side in (runs[:at], runs[at + 1 :])
    )
    named = [word for word in before if word not in ("the", "a")][-2:]
    first = runs[at].items[0]
    applied = (
        bool(before) and isinstance(first, Group) and first.opening == "(" and not first.spaced
    )
    return (
        applied
        or tuple(named) in _BOUNDS
        or tuple(after[:2]) in _BOUNDS
        or bool(named[-1:] and named[-1] in _CHANGED_BEFORE)
        or bool(named[-1:] == ["of"] and named[0] in _CHANGED_OF)
        or bool(_REJECTED.intersection(after))
        or bool(after and (after[0] in CHANGED_AFTER and len(after) == 1))
        or "than" in after
        or "not" in after
    )


def currency(before: list[Run]) -> str:
    """The currency written before an amount."""
    word = before[-1].items[-1] if before else None
    return word.text if isinstance(word, Token) and word.text in CURRENCIES else ""


def runs_of(items: list[Item]) -> list[Run]:
    """The items as runs of words and runs of formula."""
    runs: list[Run] = []
    for index, item in enumerate(items):
        wordy = _wordy(items, index)
        if runs and runs[-1].wordy and not wordy and len(runs) > 1 and _extends_unit(items, index):
            wordy = True
        if runs and runs[-1].wordy == wordy:
            runs[-1].items.append(item)
        else:
            runs.append(Run(wordy, [item]))
    return runs


def _wordy(items: list[Item], index: int) -> bool:
    item = items[index]
    if isinstance(item, Group):
        script = index > 0 and is_sign(items[index - 1], "^_")
        return (
            bool(item.items)
            and len(items) > 1
            and not script
            and all(is_kind(inner, WORD) for inner in item.items)
        )
    if item.kind != "word":
        return False
    if len(item.text) > 1 or not item.text.isascii():
        return not _is_product(items, index)
    if len(items) == 1:
        return True
    before = items[index - 1] if index else None
    after = items[index + 1] if index + 1 < len(items) else None
    if before is not None and (item.text in _LETTER_UNITS or is_kind(before, WORD)):
        return not isinstance(before, Token) or before.kind in ("num", "word", "sym")
    return after is not None and is_kind(after, WORD)


def _is_product(items: list[Item], index: int) -> bool:
    """Letters run together that a formula continues: `abcd/4`, `rate*time`."""
    item = items[index]
    if isinstance(item, Group) or item.prose or len(item.text) > LONGEST_NAME:
        return False
    neighbours = items[max(0, index - 1) : index] + items[index + 1 : index + 2]
    return any(
        isinstance(n, Token) and n.kind == "op" and n.text in ("+", "-", "*", "/", "_")
        for n in neighbours
    ) and not is_unit(item.text)


def _extends_unit(items: list[Item], index: int) -> bool:
    """Powers, slashes and hyphens inside a unit: `cm^2`, `km/h`."""
    item, previous = items[index], items[index - 1]
    if isinstance(item, Token) and item.kind == "op" and item.text in _UNIT_SIGNS:
        return index + 1 < len(items)
    return isinstance(previous, Token) and previous.kind == "op" and previous.text in _UNIT_SIGNS


def words_of(run: list[Item]) -> str:
    """The words of a run, powers joined to their units."""
    pieces: list[str] = []
    for item in run:
        if isinstance(item, Token):
            pieces.append(item.text)
        else:
            pieces.extend(i.text for i in item.items if isinstance(i, Token))
    return " ".join(pieces).replace("^ ", "^")


def is_kind(item: Item, kinds: frozenset[str]) -> bool:
    """Whether the item is a token of one of the kinds."""
    return isinstance(item, Token) and item.kind in kinds


def is_sign(item: Item, signs: str) -> bool:
    """Whether the item is one of the operator signs."""
    return isinstance(item, Token) and item.kind == "op" and item.text in signs


def are_words(items: list[Item]) -> bool:
    """Whether the items are words and nothing else."""
    return all(is_kind(item, WORD) for item in items)
