"""Neighbouring items as runs of words and runs of formula."""

from dataclasses import dataclass

from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item
from evaluators.reading.units import is_unit

WORD = frozenset({"word"})
_UNIT_SIGNS = ("^", "/", "-", "*")
# Letters run together between signs are a product up to this many, a word beyond.
LONGEST_NAME = 5
LETTER_UNITS = frozenset(
    {"m", "s", "g", "h", "l", "L", "J", "N", "W", "V", "K", "A", "T", "C", "F", "H"}
)


@dataclass(slots=True)
class Run:
    """Neighbouring items that are all words, or all formula."""

    wordy: bool
    items: list[Item]


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
    if before is not None and (item.text in LETTER_UNITS or is_kind(before, WORD)):
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
    if isinstance(item, Token) and item.kind == "op" and item.text in ("-", "*"):
        return is_kind(previous, WORD) and are_words(items[index + 1 : index + 2] or [item])
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
            texts = [i.text for i in item.items if isinstance(i, Token)]
            pieces += ["".join(texts)] if pieces[-1:] == ["^"] else texts
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
