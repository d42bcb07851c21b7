"""Exact rational value of a constant formula, within limits on the size of every intermediate."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from evaluators.nodes import Based, Node, NotNumeric, Num, Op, Quantity, Sym, walk
from evaluators.numbers.series import bounds

# Largest intermediate integer, bits; a power of this size takes about a millisecond to make.
MAX_BITS = 1_200_000
# Fractions reduce by gcd, whose cost is quadratic: their parts stay below this, bits.
MAX_FRACTION_BITS = 60_000
# Largest argument of an exact factorial or binomial.
MAX_FACTORIAL = 5_000
# Terms of a sum or product written with bounds, all its operations, and its partial results, bits.
MAX_TERMS, MAX_OPERATIONS, MAX_PARTIAL_BITS = 1_001, 20_000, 10_000


class Inexact(Exception):  # noqa: N818 - not a failure: the value is irrational, symbolic or too big
    """The formula has no exact rational value within the limits."""


def exact_value(node: Node) -> Fraction | None:
    """The rational value of a constant formula, or None if it has none within the limits."""
    try:
        return _value(node, {})
    except (Inexact, NotNumeric, ZeroDivisionError):
        return None


def _value(node: Node, point: Mapping[str, Fraction]) -> Fraction:
    match node:
        case Num(value=value):
            return value
        case Sym(name=name) if name in point:
            return point[name]
        case Quantity(value=inner):
            return _value(inner, point)
        case Based(digits=digits, base=base):
            return Fraction(based_value(digits, base))
        case Op(name=name, args=args) if name in _OPERATIONS:
            return _bounded(_OPERATIONS[name]([_value(arg, point) for arg in args]))
        case Op(name="sum" | "prod" as name, args=args):
            return _series(name, args, point)
    raise Inexact


def _series(name: str, args: tuple[Node, ...], point: Mapping[str, Fraction]) -> Fraction:
    """A finite sum or product, term by term."""
    body, variable, low, high = bounds(args, lambda bound: _value(bound, point))
    terms = high - low + 1
    if point or terms > MAX_TERMS or terms * sum(1 for _ in walk(body)) > MAX_OPERATIONS:
        raise Inexact
    total = Fraction(0 if name == "sum" else 1)
    for index in range(low, high + 1):
        term = _value(body, {variable: Fraction(index)})
        if max(_bits(term), _bits(total)) > MAX_PARTIAL_BITS:
            raise Inexact
        total = _bounded(total + term if name == "sum" else total * term)
    return total


def based_value(digits: str, base: int) -> int:
    """The integer that the digits name in the base. Raises Inexact for a digit beyond the base."""
    try:
        return int(digits, base)
    except ValueError as error:
        raise Inexact from error


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _bounded(value: Fraction) -> Fraction:
    top, bottom = value.numerator.bit_length(), value.denominator.bit_length()
    if top > MAX_BITS or (bottom > 1 and max(top, bottom) > MAX_FRACTION_BITS):
        raise Inexact
    return value


def _add(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0))


def _mul(values: list[Fraction]) -> Fraction:
    product = Fraction(1)
    for value in values:
        product = _bounded(product * value)
    return product


def _div(values: list[Fraction]) -> Fraction:
    top, bottom = values
    if max(top.numerator.bit_length(), bottom.numerator.bit_length()) > MAX_FRACTION_BITS:
        raise Inexact
    return top / bottom


def _pow(values: list[Fraction]) -> Fraction:
    base, exponent = values
    if exponent.denominator != 1:
        return _rational_power(base, exponent)
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    limit = MAX_BITS if base.denominator == 1 and exponent >= 0 else MAX_FRACTION_BITS
    if base == 0 and exponent == 0:
        raise Inexact
    if size > 1 and abs(exponent) * size > limit:
        raise Inexact
    if size <= 1 and abs(exponent) > 1:
        exponent = Fraction(2 if exponent % 2 == 0 else 1) * (1 if exponent > 0 else -1)
    return base ** int(exponent)


def _rational_power(base: Fraction, exponent: Fraction) -> Fraction:
    """Perfect powers only: `4^{1/2}`, `8^{2/3}`."""
    if exponent.denominator > 64 or abs(exponent.numerator) > 64:  # noqa: PLR2004 - small roots
        raise Inexact
    return _pow([_root([base, Fraction(exponent.denominator)]), Fraction(exponent.numerator)])


def _root(values: list[Fraction]) -> Fraction:
    base, index = values
    if index.denominator != 1 or not 1 <= index <= 64 or base < 0:  # noqa: PLR2004 - small roots
        raise Inexact
    return Fraction(
        _integer_root(base.numerator, int(index)), _integer_root(base.denominator, int(index))
    )


def _integer_root(value: int, index: int) -> int:
    if value.bit_length() > MAX_FRACTION_BITS // 4:
        raise Inexact
    root = math.isqrt(value) if index == 2 else _newton_root(value, index)  # noqa: PLR2004
    if root**index != value:
        raise Inexact
    return root


def _newton_root(value: int, index: int) -> int:
    if value < 2:  # noqa: PLR2004 - 0 and 1 are their own roots
        return value
    guess = 1 << -(-value.bit_length() // index)
    while True:
        better = ((index - 1) * guess + value // guess ** (index - 1)) // index
        if better >= guess:
            return guess
        guess = better


def _natural(value: Fraction, limit: int) -> int:
    if value.denominator != 1 or not 0 <= value <= limit:
        raise Inexact
    return int(value)


def _fact(values: list[Fraction]) -> Fraction:
    return Fraction(math.factorial(_natural(values[0], MAX_FACTORIAL)))


def _double_factorial(values: list[Fraction]) -> Fraction:
    value = _natural(values[0], MAX_FACTORIAL)
    return Fraction(math.prod(range(value, 0, -2)))


def _binom(values: list[Fraction]) -> Fraction:
    return Fraction(
        math.comb(_natural(values[0], MAX_FACTORIAL), _natural(values[1], MAX_FACTORIAL))
    )


def _integers(values: list[Fraction]) -> list[int]:
    if any(value.denominator != 1 for value in values):
        raise Inexact
    return [int(value) for value in values]


def _mod(values: list[Fraction]) -> Fraction:
    return values[0] % values[1]


def _ratio(values: list[Fraction]) -> Fraction:
    if len(values) != 2:  # noqa: PLR2004 - a ratio of three is no number
        raise Inexact
    return _div(values)


_OPERATIONS: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "add": _add,
    "mul": _mul,
    "div": _div,
    "ratio": _ratio,
    "pow": _pow,
    "root": _root,
    "neg": lambda values: -values[0],
    "fact": _fact,
    "Gamma": lambda values: _fact([values[0] - 1]),
    "fact2": _double_factorial,
    "binom": _binom,
    "percent": lambda values: values[0] / 100,
    "abs": lambda values: abs(values[0]),
    "floor": lambda values: Fraction(math.floor(values[0])),
    "ceil": lambda values: Fraction(math.ceil(values[0])),
    "mod": _mod,
    "max": max,
    "min": min,
    "gcd": lambda values: Fraction(math.gcd(*_integers(values))),
    "lcm": lambda values: Fraction(math.lcm(*_integers(values))),
}
