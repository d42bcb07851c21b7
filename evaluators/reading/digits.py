"""Written numbers: separators of thousands, decimals, exponents, repeating decimals."""

import re
from dataclasses import dataclass
from fractions import Fraction

from evaluators.nodes import Unreadable
from evaluators.reading.tokens import Comma

# Digits of one number; below the interpreter's own limit for int(str).
MAX_DIGITS = 4_000

# Decimals among which a period is looked for.
MAX_PERIOD_DIGITS = 60

_SEPARATED = r"(?:\{,\}|\\,|,\\! ?|\\!,|\\!|~|\{\\,\}|,\\,|\\ |\u202f|\u2009|\u00a0)"
_NUMBERS = {
    Comma.LIST: re.compile(
        rf"\d{{1,3}}(?:{_SEPARATED}\d{{3}}(?!\d))+(?:\.\d+)?|\d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\d)"
        r"|\d+(?:\.\d+)?|\.\d+"
    ),
    Comma.THOUSANDS: re.compile(
        rf"\d{{1,3}}(?:(?:,| |{_SEPARATED})\d{{3}}(?!\d))+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
    ),
    # Three digits behind a comma are thousands, but for a leading zero.
    Comma.DECIMAL: re.compile(
        r"(?![1-9]\d{0,2}(?:,|\{,\})\d{3}(?!\d))\d+(?:,|\{,\})\d+|\d+(?:\.\d+)?|\.\d+"
    ),
}
_REPEATING = re.compile(
    r"(\d*)\.(\d*)(?:\\dot\s*\{?(\d)\}?(\d*)\\dot\s*\{?(\d)\}?"
    r"|\\(?:overline|bar|dot)\s*\{?(\d+)\}?|(?:\\left)?\((\d+)(?:\\right)?\)|((?:\d\u0305)+))"
)
_EXPONENT = re.compile(r"[eE]([+\-\u2212]?\d{1,4})(?!\d|\.\d|[A-Za-z])")


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number in the text: as written, its exact value, its decimals, and where it ends."""

    written: str
    value: Fraction
    places: int | None
    end: int


def read_number(text: str, at: int, comma: Comma) -> WrittenNumber | None:
    """The number that begins at `at`. Raises Unreadable beyond the limit on digits."""
    if repeating := _REPEATING.match(text, at):
        return _repeating(repeating)
    match = _NUMBERS[comma].match(text, at)
    if match is None:
        return None
    digits = match.group()
    if comma is Comma.DECIMAL:
        digits = digits.replace("{,}", ".").replace(",", ".")
    if digits.count(".") > 1:
        digits = digits.replace(".", "")
    digits = "".join(c for c in digits if c.isdigit() or c == ".")
    if len(digits) > MAX_DIGITS:
        raise Unreadable("a number of too many digits")
    _, point, decimals = digits.partition(".")
    plain = WrittenNumber(digits, Fraction(digits), len(decimals) if point else None, match.end())
    exponent = _EXPONENT.match(text, match.end())
    return _scaled(plain, exponent) if exponent else plain


def _scaled(number: WrittenNumber, exponent: re.Match[str]) -> WrittenNumber:
    written = exponent.group(1).replace("\u2212", "-")
    # `2e-1` may be twice Euler's number less one; `1e-05` and `5.1e-2` are not.
    if written[0] in "+-" and number.places is None and len(written) == len("-1"):
        return number
    power = int(written)
    places = max(0, (number.places or 0) - power)
    value = number.value * Fraction(10) ** power
    return WrittenNumber(f"{number.written}e{power}", value, places, exponent.end())


def _repeating(match: re.Match[str]) -> WrittenNumber:
    whole, fixed, *periods = match.groups()
    period = "".join(digits for digits in periods if digits).replace("\u0305", "")
    if len(match.group()) > MAX_DIGITS:
        raise Unreadable("a number of too many digits")
    head = Fraction(int(whole + fixed or "0"), 10 ** len(fixed))
    tail = Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))
    return WrittenNumber(f"{whole}.{fixed}({period})", head + tail, None, match.end())


def continued_decimal(written: str, value: Fraction) -> Fraction:
    """`0.333...`: the period that explains most of the decimals goes on for ever."""
    decimals = written.partition(".")[2][:MAX_PERIOD_DIGITS]
    longest, chosen = 0, 0
    for length in range(1, len(decimals) // 2 + 1):
        explained = length
        while (
            explained < len(decimals)
            and decimals[-explained - 1] == decimals[length - explained - 1]
        ):
            explained += 1
        if explained >= 2 * length and explained > longest:
            longest, chosen = explained, length
    if not chosen or len(decimals) < len(written.partition(".")[2]):
        return value
    period, scale = decimals[-chosen:], 10 ** len(decimals)
    return value + Fraction(int(period), (10**chosen - 1) * scale)
