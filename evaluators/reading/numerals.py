"""Numbers in words: `twenty-two`, `two thirds`, `2.5 million`, `three and a half`, `minus two`."""

from fractions import Fraction
from types import MappingProxyType

from evaluators.reading.tokens import Token
from evaluators.reading.words import NUMBER_WORDS

_TENS = MappingProxyType(
    {
        word: 10 * value
        for value, word in enumerate(
            ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
        )
    }
)
SCALES = MappingProxyType(
    {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
    | {"dozen": 12, "lakh": 10**5, "crore": 10**7}
)
_ORDINALS = (
    *("third", "fourth", "fifth", "sixth", "seventh"),
    *("eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
_PARTS = MappingProxyType(
    {
        form: value
        for value, word in enumerate(
            _ORDINALS,
            start=3,
        )
        for form in (word, f"{word}s")
    }
    | {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
    | {"hundredth": 100, "hundredths": 100, "thousandth": 1000, "thousandths": 1000}
)
_NEGATIVE = frozenset({"negative", "minus"})
# Three quarters may be coins when the number is in digits.
_COINS = frozenset({"quarter", "quarters"})
_SIMPLE = MappingProxyType({**NUMBER_WORDS, **_TENS})
_TELLING = frozenset({*_TENS, *SCALES, *_PARTS, *_NEGATIVE})
# What a sign in words may stand before.
_OPERANDS = frozenset({"num", "sym", "fn", "open"})


def is_numeral(word: str) -> bool:
    """Whether a word is a number, or the name of a part or a scale."""
    return word in _SIMPLE or word in SCALES or word in _PARTS


def with_numerals(tokens: list[Token]) -> list[Token]:
    """The tokens with numbers of several words as one number each, and signs in words as signs."""
    words = [token.text.lower() if token.kind in ("word", "sym") else "" for token in tokens]
    if not any(word in _TELLING for word in words):
        return tokens
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        value, end = _number(tokens, words, at)
        if value is not None and (end - at > 1 or _alone(words, tokens, at)):
            places = token.places if token.kind == "num" and value == token.value else None
            kept.append(Token("num", str(value), token.spaced, False, value, places))
            at = end
        elif words[at] in _NEGATIVE and at + 1 < len(tokens) and _is_operand(tokens, words, at + 1):
            kept.append(Token("op", "-", token.spaced))
            at += 1
        else:
            kept.append(token)
            at += 1
    return kept


def _alone(words: list[str], tokens: list[Token], at: int) -> bool:
    """One word is a number where it is all there is, or after a sign in words."""
    after_sign = at > 0 and words[at - 1] in _NEGATIVE and tokens[at].kind == "word"
    return after_sign or (len(tokens) == 1 and words[0] not in NUMBER_WORDS)


def _is_operand(tokens: list[Token], words: list[str], at: int) -> bool:
    signed = tokens[at].kind == "op" and tokens[at].text == "-"
    return signed or tokens[at].kind in _OPERANDS or words[at] in _SIMPLE


def _number(tokens: list[Token], words: list[str], at: int) -> tuple[Fraction | None, int]:
    """The number that begins at a token, and where it ends; None where none begins."""
    value, end = _whole(tokens, words, at)
    if value is None:
        return (Fraction(1, _PARTS[words[at]]), at + 1) if words[at] == "half" else (None, at)
    in_digits = tokens[at].kind == "num"
    part = words[end] if end < len(words) else ""
    if part in _PARTS and not (in_digits and part in _COINS) and value.denominator == 1:
        return value / _PARTS[part], end + 1
    if words[end : end + 1] == ["and"] and end + 2 < len(words) + 1:
        top, after = _whole(tokens, words, end + 1)
        if top is not None and words[after : after + 1] and words[after] in _PARTS:
            return value + top / _PARTS[words[after]], after + 1
    return value, end


def _whole(tokens: list[Token], words: list[str], at: int) -> tuple[Fraction | None, int]:
    """`two hundred and five thousand`, `2.5 million`, `a hundred`, `a` before a part."""
    if at >= len(tokens):
        return None, at
    if tokens[at].kind == "num" and tokens[at].value is not None:
        scale = words[at + 1] if at + 1 < len(words) else ""
        factor = SCALES.get(scale, 1)
        return Fraction(tokens[at].value or 0) * factor, at + (2 if factor > 1 else 1)
    if words[at] == "a":
        named = at + 1 < len(words) and (words[at + 1] in SCALES or words[at + 1] in _PARTS)
        return (Fraction(1), at + 1) if named and words[at + 1] in _PARTS else _scaled(words, at)
    return _scaled(words, at)


def _scaled(words: list[str], at: int) -> tuple[Fraction | None, int]:
    total, group, found, last = 0, 0, False, at
    while last < len(words):
        word = words[last]
        if word in _SIMPLE:
            value = _SIMPLE[word]
            if group % 100 and not (group % 100 >= 20 and group % 10 == 0 and value < 10):  # noqa: PLR2004
                break
            group += value
        elif word == "a" and not found and words[last + 1 : last + 2] and words[last + 1] in SCALES:
            group = 1
        elif word == "hundred" and found and group:
            group *= 100
        elif word in SCALES and found and group:
            total += group * SCALES[word]
            group = 0
        elif word == "and" and found and words[last - 1] in SCALES and _goes_on(words, last + 1):
            pass
        else:
            break
        found = True
        last += 1
    return (Fraction(total + group), last) if found else (None, at)


def _goes_on(words: list[str], at: int) -> bool:
    """After `one hundred and` more of the number, not the top of a fraction."""
    after = words[at + 1] if at + 1 < len(words) else ""
    return at < len(words) and words[at] in _SIMPLE and after not in _PARTS
