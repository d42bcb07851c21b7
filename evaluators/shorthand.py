"""Short ways to write signs and units: `3 to 4`, `2.5 x 10^3`, `(1,2) U (3,4)`, `-$5`."""

from fractions import Fraction
from types import MappingProxyType

from evaluators.tokens import Token
from evaluators.units import canonical, is_unit

CURRENCIES = frozenset({"dollars", "euros", "pounds", "cents", "yen", "USD", "usd", "US"})
# Signs in words, longest first: behind a variable a relation, before an operand a root.
_PHRASES = tuple(
    (tuple(words.split()), Token(kind, text))
    for words, kind, text in (
        ("greater than or equal to", "rel", ">="),
        ("less than or equal to", "rel", "<="),
        ("no more than", "rel", "<="),
        ("no less than", "rel", ">="),
        ("greater than", "rel", ">"),
        ("more than", "rel", ">"),
        ("less than", "rel", "<"),
        ("at least", "rel", ">="),
        ("at most", "rel", "<="),
        ("out of", "op", "/"),
        ("square root of", "fn", "sqrt"),
        ("cube root of", "fn", "cbrt"),
    )
)
_COPULAS = frozenset({"is", "are", "be", "must", "the"})
# The smaller unit of amounts in two units, and how many make the larger.
_SMALLER = MappingProxyType(
    {
        ("h", "min"): 60,
        ("min", "s"): 60,
        ("day", "h"): 24,
        ("days", "h"): 24,
        ("ft", "in"): 12,
        ("dollar", "cent"): 100,
        ("lb", "oz"): 16,
        ("years", "months"): 12,
        ("year", "months"): 12,
    }
)
# Texts of tokens without which there is nothing to do.
_TELLING = CURRENCIES | {"to", "U", "deg", "an", "base", "sq", "cu", "cent", "km", "mi", "m"}
_TELLING |= {"h", "hour", "hours", "hr", "ft", "feet", "minutes", "day", "days", "lb", "lbs"}
_TELLING |= {"year", "years", "times", "out"}
_TELLING |= {"C", "choose", "than", "least", "most", "root", "and"}
_RANGES = frozenset({"from", "between"})


def written_out(tokens: list[Token]) -> list[Token]:
    """The tokens with short ways to write a sign or a unit replaced by what they stand for."""
    texts = {token.text for token in tokens}
    if texts.isdisjoint(_TELLING) and not texts.issuperset(("x", "10")):
        return tokens
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        before = kept[-1] if kept else Token("stop", ".")
        after = tokens[at + 1] if at + 1 < len(tokens) else Token("stop", ".")
        if found := _phrase(tokens, at, before):
            while kept and kept[-1].text in (_COPULAS if found[0].kind == "rel" else ("the",)):
                kept.pop()
            kept.append(found[0])
            at += found[1]
            continue
        if amount := _amount(tokens, at):
            kept += amount[0]
            at += amount[1]
            continue
        if unit := _unit_fraction(tokens, at):
            kept += unit
            at += len("{{}}") + 3
            continue
        read = _read(before, tokens[at], after, kept)
        if read is not None:
            kept.append(read)
        if tokens[at].text in ("sq", "cu") and after.kind == "stop":
            at += 1
        at += 1
    return kept


def _read(before: Token, token: Token, after: Token, kept: list[Token]) -> Token | None:
    """What one token is beside its neighbours; None where it says nothing."""
    text = token.text
    if text in CURRENCIES and before.kind == "op" and before.text in "+-" and after.kind == "num":
        kept[-1] = token
        return before
    between_numbers = before.kind == "num" and after.kind == "num"
    if text == "x" and between_numbers and token.kind == "sym" and after.text == "10":
        return Token("op", "*", token.spaced)
    ranged = len(kept) > 1 and kept[-2].text.lower() in _RANGES
    if text == "to" and token.kind == "word" and between_numbers and not ranged:
        return Token("op", ":", token.spaced)
    if text == "times" and before.kind == "num" and after.text == "the":
        return Token("op", "*", token.spaced)
    if text in ("C", "choose") and between_numbers:
        return Token("op", "choose", token.spaced)
    if text == "U" and before.kind == "close" and after.kind == "open":
        return Token("op", "cup", token.spaced)
    if text == "deg" and token.kind == "fn" and before.kind in ("num", "close"):
        return Token("op", "deg", token.spaced)
    if text in ("a", "an") and is_unit(before.text) and is_unit(after.text):
        return Token("word", "per", token.spaced)
    if before.text in ("sq", "cu", "square", "cubic") and token.kind == "sym":
        return Token("word", text, token.spaced)
    if text == "in" and after.text == "base":
        return None
    if text == "cent" and before.text == "per":
        kept.pop()
        return Token("word", "percent", token.spaced)
    return token


def _phrase(tokens: list[Token], at: int, before: Token) -> tuple[Token, int] | None:
    """The sign that words stand for, and how many they are."""
    if tokens[at].kind != "word":
        return None
    for words, sign in _PHRASES:
        end = at + len(words)
        if [token.text.lower() for token in tokens[at:end]] != list(words) or end >= len(tokens):
            continue
        subject = next((t for t in reversed(tokens[:at]) if t.text not in _COPULAS), before)
        if sign.kind == "op" and before.kind != "num":
            continue
        operand = tokens[end].kind in ("num", "sym", "open", "fn") or tokens[end].text == "-"
        if operand and (subject.kind == "sym" if sign.kind == "rel" else True):
            return sign, len(words)
    return None


def _amount(tokens: list[Token], at: int) -> tuple[list[Token], int] | None:
    """`3 hours and 20 minutes`, `5 ft 2 in` as one number of the larger unit."""
    match tokens[at : at + 5]:
        case [
            Token(kind="num", value=Fraction() as large, places=None),
            larger,
            Token(text="and" | ","),
            Token(kind="num", value=Fraction() as small),
            smaller,
        ]:
            length = 5
        case [
            Token(kind="num", value=Fraction() as large, places=None),
            larger,
            Token(kind="num", value=Fraction() as small),
            smaller,
            *_,
        ]:
            length = 4
        case _:
            return None
    ratio = _SMALLER.get((canonical(larger.text) or "", canonical(smaller.text) or ""))
    if ratio is None:
        return None
    value = large + small / ratio
    number = Token("num", str(value), tokens[at].spaced, False, value)
    return [number, Token("word", larger.text, spaced=True)], length


def _unit_fraction(tokens: list[Token], at: int) -> list[Token]:
    r"""`\frac{\text{km}}{\text{h}}` behind a value is `km/h`."""
    if tokens[at].text != "frac" or at == 0:
        return []
    kinds = [token.kind for token in tokens[at + 1 : at + 7]]
    words = [tokens[at + 2], tokens[at + 5]] if len(kinds) == 6 else []  # noqa: PLR2004 - {a}{b}
    named = all(word.kind == "word" or word.text in ("m", "s", "h") for word in words)
    if not words or kinds != ["open", words[0].kind, "close", "open", words[1].kind, "close"]:
        return []
    behind = tokens[at - 1].kind in ("num", "close", "sym")
    slash = Token("op", "/", prose=words[0].prose)
    return [words[0], slash, words[1]] if named and behind else []
