"""Short ways to write signs and units: `3 to 4`, `2.5 x 10^3`, `(1,2) U (3,4)`, `-$5`."""

from fractions import Fraction
from types import MappingProxyType

from evaluators.reading.tokens import Token
from evaluators.reading.units import canonical, is_symbol, is_unit

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
        ("is in the interval", "rel", "in"),
        ("lies in", "rel", "in"),
        ("belongs to", "rel", "in"),
        ("is in", "rel", "in"),
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
_TELLING |= {"year", "years", "times", "out", "min", "sec"}
_TELLING |= {"C", "choose", "in", "belongs", "than", "least", "most", "root", "and", "mu", "Omega"}
# Units that are also names of functions, letters that are units, and tokens of a unit in braces.
_TIMES = frozenset({"min", "sec"})
_SYMBOLS = frozenset({"m", "s", "h", "g", "L", "min", "sec"})
_LONGEST_UNIT = 12
_ALL_OF = frozenset({"the", "real", "numbers", "values", "of", "reals"})
_RANGES = frozenset({"from", "between"})


def written_out(tokens: list[Token]) -> list[Token]:
    """The tokens with short ways to write a sign or a unit replaced by what they stand for."""
    tokens = _conditions_alone(tokens)
    texts = {token.text for token in tokens}
    units = "frac" in texts and any(token.kind == "word" for token in tokens)
    if not units and texts.isdisjoint(_TELLING) and not texts.issuperset(("x", "10")):
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
        unit, length = _unit_fraction(tokens, at)
        if unit:
            kept += unit
            at += length
            continue
        if symbol := _symbol(tokens[at], after):
            kept.append(Token("word", symbol, True, tokens[at].prose))
            at += 2
            continue
        digits = tokens[at].text == "C" and _is_subscripted(tokens, at + 2)
        read = tokens[at] if digits else _read(before, tokens[at], after, kept)
        if read is not None:
            kept.append(read)
        if tokens[at].text in ("sq", "cu") and after.kind == "stop":
            at += 1
        at += 1
    return kept


def _conditions_alone(tokens: list[Token]) -> list[Token]:
    """`all x with x > 2` and `all real numbers greater than 2` as the condition on x."""
    if not tokens or tokens[0].text.lower() != "all":
        return tokens
    at = 1
    while at < len(tokens) and tokens[at].text.lower() in _ALL_OF:
        at += 1
    said = [token.text.lower() for token in tokens[at : at + 3]]
    if tokens[at : at + 1] and tokens[at].kind == "sym" and len(said) > 1:
        if said[1:] == ["such", "that"]:
            return tokens[at + 3 :]
        return tokens[at + 2 :] if said[1] in ("with", "satisfying") else tokens
    if at > 1 and said[1:2] == ["than"]:
        return [Token("sym", "x", spaced=True), *tokens[at:]]
    return tokens


def _is_subscripted(tokens: list[Token], at: int) -> bool:
    """Whether a subscript stands at a place or behind a bracket there: `6C8_{16}` is digits."""
    signs = [token.text for token in tokens[at : at + 2]]
    return signs[:1] == ["_"] or signs == [")", "_"]


def _read(before: Token, token: Token, after: Token, kept: list[Token]) -> Token | None:
    """What one token is beside its neighbours; None where it says nothing."""
    text = token.text
    if token.kind == "money" or (text in CURRENCIES and after.kind in ("num", "money")):
        return _money(before, token, after)
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
    if text in _TIMES and token.kind == "fn" and before.kind in ("num", "close"):
        applied = after.kind in ("open", "num", "sym", "fn") or after.text in ("_", "^")
        return token if applied else Token("word", text, token.spaced)
    if text == "deg" and token.kind == "fn" and before.kind in ("num", "close"):
        return Token("op", "deg", token.spaced)
    if text in ("a", "an") and is_unit(before.text) and is_unit(after.text):
        return Token("word", "per", token.spaced)
    if before.text in ("sq", "cu", "square", "cubic") and token.kind == "sym":
        return Token("word", text, token.spaced)
    if before.kind == "word" and is_unit(before.text) and text in _SYMBOLS and after.text == "^":
        return Token("word", text, token.spaced)
    if text == "in" and after.text == "base":
        return None
    if text == "cent" and before.text == "per":
        kept.pop()
        return Token("word", "percent", token.spaced)
    return token


def _symbol(token: Token, after: Token) -> str:
    r"""A prefix and a unit set apart: `\mu\text{m}`, `\text{k}\Omega`; nothing for other tokens."""
    if token.text == "mu" and after.kind == "word" and is_symbol(f"μ{after.text}"):
        return f"μ{after.text}"
    if after.text == "Omega" and token.kind == "word" and is_symbol(f"{token.text}Ω"):
        return f"{token.text}Ω"
    return ""


def _money(before: Token, token: Token, after: Token) -> Token | None:
    """A currency as the sign before an amount, else as its unit; None for the US of `US$`."""
    if after.kind == "money":
        return None if token.text == "US" else token
    behind = before.kind in ("num", "close", "sym")
    opens = after.kind in ("sym", "open", "fn") or after.text in ("+", "-")
    braced = before.kind == "open" and after.kind == "close"
    sign = braced or after.kind == "num" or (opens and not (behind and after.spaced))
    return Token("money" if sign else "word", token.text, token.spaced, token.prose)


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
        operand = (
            tokens[end].kind in ("num", "sym", "open", "fn", "money") or tokens[end].text == "-"
        )
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


def _unit_fraction(tokens: list[Token], at: int) -> tuple[list[Token], int]:
    r"""`\frac{\text{km}}{\text{h}}` behind a value as `km/h`, and how many tokens it was."""
    behind = at > 0 and tokens[at - 1].kind in ("num", "close", "sym")
    if tokens[at].text != "frac" or not behind:
        return [], 0
    top, middle = _unit_in_braces(tokens, at + 1)
    bottom, end = _unit_in_braces(tokens, middle)
    named = any(token.kind == "word" for token in tokens[at:end])
    if not (top and bottom and named):
        return [], 0
    divided = [
        part
        for token in bottom
        for part in ([Token("op", "/"), token] if token.kind == "word" else [token])
    ]
    return [*top, *divided], end - at


def _unit_in_braces(tokens: list[Token], at: int) -> tuple[list[Token], int]:
    """The unit that a group holds, letters as words, and where the group ends."""
    end = at
    depth = 0
    while end < min(len(tokens), at + _LONGEST_UNIT):
        depth += {"open": 1, "close": -1}.get(tokens[end].kind, 0)
        end += 1
        if not depth:
            break
    inside = [
        Token("word", token.text, True) if token.text in _SYMBOLS else token
        for token in tokens[at + 1 : end - 1]
    ]
    written = "".join(f" {t.text}" if t.kind == "word" else t.text for t in inside)
    unit = written.replace("{", "").replace("}", "")
    return (inside, end) if not depth and canonical(unit) else ([], at)
