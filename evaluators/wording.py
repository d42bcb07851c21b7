"""The wording of a text that no formula can be read from: what remains without its looks."""

import re

from evaluators.commands import IGNORED_COMMANDS, TEXT_COMMANDS

_LOOKS = "|".join(sorted(re.escape(name) for name in TEXT_COMMANDS | IGNORED_COMMANDS))
_TYPOGRAPHY = re.compile(rf"\\(?:(?:{_LOOKS})(?![a-zA-Z])|[()\[\] ])|[$~]")
_TEXT = re.compile(rf"\\(?:{'|'.join(sorted(TEXT_COMMANDS))})\s*\{{([^{{}}\\]*)\}}")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_SUBFACTORIAL = re.compile(r"(?<![^\s(])!\w")
_PROSE = re.compile(r"(?:[^\W_]|[\s.,;:!?'\u2019\"\u201c\u201d()]|(?<=[^\W_])-(?=[^\W_]))*")
_PIECES = re.compile(r"\\[a-zA-Z]+|\w+|\S")
_SMALL_WORDS = frozenset({"a", "an", "the", "on", "in", "at", "by", "it", "is"})


def wording(text: str) -> tuple[str, ...]:
    """What two unread texts must share: of prose the words, else every sign, command and brace."""
    plain = _TYPOGRAPHY.sub(" ", _TEXT.sub(r" \1 ", text))
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
