"""How a statement begins and ends: punctuation, marks of proofs, sentences that are cut off."""

from evaluators.nodes import Unreadable
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Item
from evaluators.reading.word_runs import is_kind
from evaluators.reading.words import CONCLUSIONS

# Trailing tokens that are punctuation of the sentence, not part of the answer.
_TRAILING = frozenset({"sep", "row", "gap", "stop", "mark"})
_TICKS = frozenset({"checkmark", "✓", "✔", "✅", "☑"})


def trimmed(items: list[Item]) -> list[Item]:
    """The items without the punctuation of their sentence. Raises Unreadable if it is cut off."""
    start, end = 0, len(items)
    while end > start and is_kind(items[end - 1], _TRAILING):
        if is_cut_off(items[end - 1]):
            raise Unreadable("a sentence that is cut off")
        end -= 1
    while start < end and is_kind(items[start], _TRAILING) and not _is_sign_of_proof(items[start]):
        start += 1
    return items[start:end]


def is_cut_off(item: Item) -> bool:
    """Whether a sentence that ends so goes on: `1/2 then`."""
    return isinstance(item, Token) and item.kind == "stop" and item.text in CONCLUSIONS


def _is_sign_of_proof(item: Item) -> bool:
    """A square or star ends a proof; before a value it would be an operator."""
    return isinstance(item, Token) and item.kind == "mark" and item.text not in _TICKS
