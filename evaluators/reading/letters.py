"""Runs of letters: known names, words of a sentence, or products of variables."""

from evaluators.reading.commands import BLACKBOARD
from evaluators.reading.tokens import Token
from evaluators.reading.units import is_unit
from evaluators.reading.words import (
    ALIASES,
    CONCLUSIONS,
    FUNCTIONS,
    GREEK,
    JOINERS,
    NUMBER_WORDS,
    QUALIFIERS,
    SHORT_WORDS,
)

# Letters run together, up to this many, are a product of variables unless they are a known word.
LONGEST_PRODUCT = 3
# What stands before and behind a set.
_BEFORE_SETS = frozenset({"in", "notin", "cup", "cap", "setminus", "subset"})
_AFTER_SETS = frozenset({"cup", "cap", "setminus", "^", "|", "mid", ":"})


def read_letters(run: str, *, prose: bool) -> list[tuple[str, str]]:
    """A run of letters as one known name, as a word, or as a product of variables."""
    name = ALIASES.get(run, run)
    if name in FUNCTIONS:
        return [("fn", name)]
    if name in ("pi", "oo") or (not prose and name in GREEK):
        return [("sym", name)]
    if len(run) == 1:
        return [("word" if prose else "sym", run)]
    lower = run.lower()
    if run == "mod" and not prose:
        return [("op", "mod")]
    if lower in CONCLUSIONS:
        return [("stop", run)]
    if prose or lower in JOINERS or lower in QUALIFIERS or lower in NUMBER_WORDS or is_unit(run):
        return [("word", run)]
    if run.startswith("pi") and len(run) == len("pix"):
        return [("sym", "pi"), ("sym", run[2])]
    if run.endswith("pi") and len(run) == len("xpi"):
        return [("sym", run[0]), ("sym", "pi")]
    if len(run) <= LONGEST_PRODUCT and lower not in SHORT_WORDS:
        return [("letters", run)]
    return [("word", run)]


def binds(word: str) -> bool:
    """Whether a word is a number, a unit, or joins or qualifies statements."""
    lower = word.lower()
    bound = (JOINERS, QUALIFIERS, NUMBER_WORDS, CONCLUSIONS)
    return is_unit(word) or any(lower in words for words in bound)


def resolved(tokens: list[Token]) -> list[Token]:
    """Short runs of letters beside a word are words of the same sentence; elsewhere products."""
    if all(token.kind != "letters" for token in tokens):
        return tokens
    kinds = [_prose_kind(token) for token in tokens]
    forward = range(1, len(tokens))
    for indices, step in ((forward, -1), (range(len(tokens) - 2, -1, -1), 1)):
        for index in indices:
            spaced = tokens[max(index, index + step)].spaced
            if kinds[index] == "letters" and index == 1 and tokens[0].value == 1 and spaced:
                kinds[index] = "prose"  # a product is not written with a one
            if kinds[index] == "letters" and kinds[index + step] == "prose" and spaced:
                kinds[index] = "prose"
    kept: list[Token] = []
    for token, kind in zip(tokens, kinds, strict=True):
        if token.kind != "letters":
            kept.append(token)
        elif kind == "prose":
            kept.append(Token("word", token.text, token.spaced))
        else:
            kept.append(Token("sym", token.text[0], token.spaced))
            kept += [Token("sym", letter) for letter in token.text[1:]]
    return kept


def _prose_kind(token: Token) -> str:
    if token.kind == "letters":
        return "letters"
    plain = token.text.lower()
    binding = plain in JOINERS or plain in QUALIFIERS or plain in NUMBER_WORDS or is_unit(plain)
    return "prose" if token.kind == "word" and not binding else "other"


def with_bold_sets(tokens: list[Token]) -> list[Token]:
    r"""The tokens with `\mathbf{R}` a set where one stands (alone, behind `\in`), else a letter."""
    kept: list[Token] = []
    for index, token in enumerate(tokens):
        if token.kind != "bold":
            kept.append(token)
            continue
        before = kept[-1] if kept else Token("stop", ".")
        after = tokens[index + 1] if index + 1 < len(tokens) else Token("stop", ".")
        begins = before.kind in ("stop", "sep") or before.text in _BEFORE_SETS
        ends = after.kind in ("stop", "sep", "close") or after.text in _AFTER_SETS
        name = BLACKBOARD[token.text] if begins and ends else token.text
        kept.append(Token("sym", name, token.spaced))
    return kept
