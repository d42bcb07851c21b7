"""Wording: of a text that no formula can be read from, and of answers in words."""

import re

from evaluators.nodes import Listing, Node, Op, Quantity, Words
from evaluators.reading.commands import IGNORED_COMMANDS, TEXT_COMMANDS
from evaluators.verdict import Decision, different, equal_if

_LOOKS = "|".join(sorted(re.escape(name) for name in TEXT_COMMANDS | IGNORED_COMMANDS))
_TYPOGRAPHY = re.compile(rf"\\(?:(?:{_LOOKS})(?![a-zA-Z])|[()\[\] ])|[$~]")
_TEXT = re.compile(rf"\\(?:{'|'.join(sorted(TEXT_COMMANDS))})\s*\{{([^{{}}\\]*)\}}")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_SUBFACTORIAL = re.compile(r"(?<![^\s(])!\w")
_PROSE = re.compile(r"(?:[^\W_]|[\s.,;:!?'\u2019\"\u201c\u201d()]|(?<=[^\W_])-(?=[^\W_]))*")
# A chemical formula, `\text{H}_2\text{SO}_4`, and what only sets its numbers low.
_COMPOUND = re.compile(r"\d{0,2}(?:(?:[A-Z][a-z]?|[()\[\]])\d{0,3}){2,40}(?:\^\d?[+-])?")
_SETTING = re.compile(r"(?<!\d)\s+|\s+(?!\d)|[{}]|_|\\ce(?![a-zA-Z])")
_PIECES = re.compile(r"\\[a-zA-Z]+|\w+|\S")
# A sentence that says of one thing what it is: `it was Alice`, `the function is even`.
_SAYS_WHAT = re.compile(
    r"(?:(?:(?:it|this|that|he|she|they|(?:the|this|that)"
    r"(?:\s+(?!not\b|no\b|wrong\b|incorrect\b|false\b|other\b|opposite\b)[a-z]+){1,3}?)\s+"
    r"(?:(?:is|was|are|were|falls\s+on)\s+|(?=does\s+not\s+exist)))|it['\u2019]s\s+)"
    r"(?P<said>[A-Za-z][A-Za-z' -]*?)[.!]?",
    re.IGNORECASE,
)
_SMALL_WORDS = frozenset({"a", "an", "the", "on", "in", "at", "by", "it", "is"})
_VERDICTS = frozenset({"yes", "no", "true", "false"})


def wording(text: str) -> tuple[str, ...]:
    """What two unread texts must share: of prose the words, else every sign, command and brace."""
    plain = _TYPOGRAPHY.sub(" ", _TEXT.sub(r" \1 ", text))
    compound = _SETTING.sub("", plain)
    if _COMPOUND.fullmatch(compound):
        return ("compound", compound)
    if _SUBFACTORIAL.search(plain):
        return tuple(_PIECES.findall(plain))
    if plain.count("{") == plain.count("}") and _PROSE.fullmatch(re.sub("[{}]", " ", plain)):
        words = plain_words(re.sub("[{}]", " ", plain)).split()
        if words and not any(word.isdigit() for word in words):
            return tuple(words)
    return tuple(_PIECES.findall(plain))


def plain_words(text: str) -> str:
    """The words of prose, for comparison: no punctuation, case, articles."""
    words = _PUNCTUATION.sub(" ", text).casefold().split()
    words = ["does", "not", "exist"] if words == ["dne"] else words
    return " ".join(word for word in words if word not in _SMALL_WORDS)


def same_words(gold: Node, answer: Node) -> Decision:
    """Whether two answers say the same in words, one of them at least being words."""
    if (
        isinstance(answer, Listing)
        and answer.joiner == ","
        and all(isinstance(item, Words) for item in answer.items)
    ):
        # `Yes, it is` says yes.
        first, *others = map(_wording, answer.items)
        alone = first in _VERDICTS and _VERDICTS.isdisjoint(others)
        answer = answer.items[0] if alone else answer
    left, right = (_wording(node) for node in (gold, answer))
    if left is None or right is None:
        return different("words_are_not_a_value")
    said = said_of_it(answer.text) if isinstance(answer, Words) else ""
    return equal_if(left == right or (said and left == plain_words(said)), "words")


def _wording(node: Node) -> str | None:
    match node:
        case Words(text=text):
            return plain_words(text)
        case Quantity(value=value, unit=unit):
            inner = _wording(value)
            return inner and plain_words(f"{inner} {unit}")
        case Op(name="mul", args=args):
            parts = [getattr(arg, "name", None) for arg in args]
            return None if None in parts else "".join(str(part) for part in parts).casefold()
    name = getattr(node, "name", None)
    return str(name).casefold() if name and not isinstance(node, Op) else None


def said_of_it(text: str) -> str:
    """What a sentence of words says that its subject is; nothing for any other text."""
    match = _SAYS_WHAT.fullmatch(text.strip())
    return match["said"] if match else ""
