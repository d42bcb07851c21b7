"""Equality of two formulas by evaluation: exact where rational, else at fixed points to 50 digits.

Unequal values at one point refute equality; agreement to 25 digits at several points supports it.
Points where a side is undefined or not real are passed over (unless the imaginary unit is written),
so that identities hold on the common real domain of both sides.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count, islice, pairwise, product
from typing import Any

from evaluators.nodes import Node, NotNumeric, Num, Op, Sym, free_symbols, has_op, walk
from evaluators.numbers.exact import Inexact, exact_value
from evaluators.numbers.numeric import Evaluator, context
from evaluators.reading.piecewise import borders
from evaluators.verdict import Decision, different, equal, undecided

# Agreement that counts as equal, decimal digits.
AGREED_DIGITS = 25
# Agreement is looked at once more with so many digits, and more for large values: `e^100 + 1` is
# not `e^100`. So many of them may be lost on the way.
CONFIRMED_DIGITS, MAX_MAGNITUDE, LOST_DIGITS = 250, 1_000, 60
# Points tried, and points that must agree before two formulas count as equal.
MAX_POINTS = 60
NEAR_POINTS = 14
ENOUGH_POINTS = 4
# Integer points repeat values of floors and residues: more of them are tried and must agree.
MAX_INTEGER_POINTS = 40
# Values that conditions name, of one variable.
MAX_BORDERS = 12
ENOUGH_INTEGER_POINTS = 16
# Operations of one comparison, over all points; a tenth of a second or two.
MAX_WORK = 30_000
# A formula of more variables is not probed.
MAX_SYMBOLS = 24
# Decimals with this many digits inside a formula are rounded values: compared to their precision.
ROUNDED_DIGITS = 6
# A power above this is steep: away from one in size, its term alone would be seen.
STEEP_POWER = 24
# Operations of integers only, and those that have values between the integers too.
_DISCRETE = ("gcd", "lcm", "binom_", "sum", "prod")
_STEPS = ("floor", "ceil", "mod")
# Letters that stand for an integer by custom, inside a floor, a residue or an exponent of -1.
WHOLE_LETTERS = frozenset("ijklmnpqrNMK")
# Operations that bend or jump somewhere: two formulas may agree on one side of that place only.
_KINKED = (
    "cases",
    "abs",
    "norm",
    "sgn",
    "max",
    "min",
    "arcsin",
    "arccos",
    "arctan",
    "arg",
    "Re",
    "Im",
)
# Sizes of the points that formulas with such operations are tried at as well, with either sign.
_WIDE = ("0.3137", "3.1731", "12.713", "41.337", "1003.71", "1000003.7")


def same_value(a: Node, b: Node) -> Decision:
    """Whether two scalar formulas are equal wherever both are defined."""
    left, right = exact_value(a), exact_value(b)
    if left is not None and right is not None:
        return equal("exact_value") if left == right else different("exact_value")
    symbols = sorted(free_symbols(a) | free_symbols(b))
    if len(symbols) > MAX_SYMBOLS:
        return undecided("too_many_variables")
    decision = undecided("not_evaluated")
    for left_common, right_common in log_readings(a, b):
        decision = _probed(a, b, symbols, left_common, right_common)
        if decision.rule in ("same_at_points", "same_value"):
            return decision
    return decision


def log_readings(a: Node, b: Node) -> Iterator[tuple[bool, bool]]:
    """Whether `log` is the common logarithm in either formula, each way to read the two."""
    readings = (False, True) if has_op(a, "log") or has_op(b, "log") else (False,)
    return product(readings, readings)


def _probed(a: Node, b: Node, symbols: list[str], left_log: bool, right_log: bool) -> Decision:
    tolerance = _tolerance(a, b)
    real_only = not _has_imaginary(a, b)
    kinks, by_cases = has_kinks(a, b), has_op(b, "cases")
    enough = ENOUGH_INTEGER_POINTS if _integers(a, b) else ENOUGH_POINTS
    enough = MAX_POINTS if kinks and symbols else enough
    agreed, complex_agreed, complex_differ, work = 0, 0, 0, 0
    for point in points((a, b), symbols):
        if work > MAX_WORK:
            return undecided("too_much_work")
        sides = (Evaluator(point, common_log=left_log), Evaluator(point, common_log=right_log))
        try:
            left, right = sides[0].value(a), sides[1].value(b)
        except (NotNumeric, Inexact):
            if by_cases and not _is_outside(a, point) and _is_outside(b, point):
                return different("differs_at_a_point")
            continue
        finally:
            work += sides[0].operations + sides[1].operations
        same = close(left, right, tolerance)
        if real_only and symbols and any(side.met_complex for side in sides):
            complex_agreed += same
            complex_differ += not same
            continue
        if not same:
            return different("values_differ" if not symbols else "differs_at_a_point")
        agreed += by_cases or bool(left) or bool(right) or not symbols
        if not symbols or agreed >= enough:
            if not _rounded_digits(a, b) and not _confirmed((a, b), sides, left):
                return different("values_differ" if not symbols else "differs_at_a_point")
            return equal("same_value" if not symbols else "same_at_points")
    if not agreed and complex_differ:
        return different("differs_at_a_point")
    if agreed >= 2 or (complex_agreed and not complex_differ):  # noqa: PLR2004 - see below
        # A narrow domain leaves few points: two real ones, or complex agreement, still support it.
        return equal("same_at_points")
    if not agreed and work < MAX_WORK and _zero_everywhere(a, b, symbols):
        return equal("same_at_points")
    return undecided("not_evaluated")


def _is_outside(node: Node, point: Mapping[str, Any]) -> bool:
    """Whether a function by cases says nothing at the point."""
    evaluator = Evaluator(point)
    with suppress(NotNumeric, Inexact):
        evaluator.value(node)
    return evaluator.outside


def _confirmed(nodes: tuple[Node, Node], sides: tuple[Evaluator, Evaluator], size: Any) -> bool:
    """Whether values that agree still do so with more digits, where they can be had."""
    mp = context()
    magnitude = int(mp.log10(abs(size))) if size else 0
    digits = CONFIRMED_DIGITS + min(MAX_MAGNITUDE, max(0, magnitude))
    with mp.workdps(digits):
        try:
            left, right = (
                Evaluator(side.point, common_log=side.common_log).value(node)
                for node, side in zip(nodes, sides, strict=True)
            )
        except (NotNumeric, Inexact):
            return True
        return close(left, right, mp.mpf(10) ** (LOST_DIGITS - digits))


def _zero_everywhere(a: Node, b: Node, symbols: list[str]) -> bool:
    """Both sides vanish at every point where they are defined."""
    zeros = 0
    for point in points((a, b), symbols):
        try:
            if Evaluator(point).value(a) or Evaluator(point).value(b):
                return False
        except (NotNumeric, Inexact):
            continue
        zeros += 1
    return zeros >= ENOUGH_POINTS


def close(left: Any, right: Any, tolerance: Any) -> bool:
    """Whether two values agree to a relative tolerance."""
    if left == right:
        return True
    largest = max(abs(left), abs(right))
    return bool(abs(left - right) <= tolerance * largest)


def _tolerance(a: Node, b: Node) -> Any:
    """Tight, unless a formula holds decimals of many digits, which were rounded there."""
    exponent = min([AGREED_DIGITS, *(max(ROUNDED_DIGITS, d - 4) for d in _rounded_digits(a, b))])
    return context().mpf(10) ** -exponent


def _rounded_digits(*nodes: Node) -> list[int]:
    return [
        n.places
        for side in nodes
        for n in walk(side)
        if isinstance(n, Num) and n.places is not None and n.places >= ROUNDED_DIGITS
    ]


def _has_imaginary(*nodes: Node) -> bool:
    return any(isinstance(n, Sym) and n.name == "i" for node in nodes for n in walk(node))


def _integers(*nodes: Node) -> frozenset[str]:
    """Variables that stand where only integers make sense: gcd, a bound; `(-1)^n` by its letter."""
    found = set[str]()
    for n in (n for node in nodes for n in walk(node)):
        if not isinstance(n, Op):
            continue
        if n.name in _DISCRETE:
            found |= free_symbols(n)
        power = n.name == "pow" and free_symbols(n.args[1]) and _is_negative(n.args[0])
        if (n.name in _STEPS and not _is_idle(n)) or power:
            found |= {name for name in free_symbols(n) if name.partition("_")[0] in WHOLE_LETTERS}
    return frozenset(found)


def _is_idle(node: Op) -> bool:
    """A floor of what is whole for whole letters: it says that they are not."""
    letters = {name.partition("_")[0] for name in free_symbols(node)}
    return node.name in ("floor", "ceil") and letters <= WHOLE_LETTERS and _is_whole(node.args[0])


def _is_whole(node: Node) -> bool:
    match node:
        case Num(value=value):
            return value.denominator == 1
        case Op(name="add" | "mul" | "neg", args=args):
            return all(_is_whole(arg) for arg in args)
        case Op(name="pow", args=(base, Num(value=exponent))):
            return exponent.denominator == 1 and exponent > 0 and _is_whole(base)
    return isinstance(node, Sym)


def has_kinks(*nodes: Node) -> bool:
    """Whether an operation on variables bends or jumps: `|x|`, `sqrt(x^2)`, floors."""
    for n in (n for node in nodes for n in walk(node)):
        if isinstance(n, Op) and free_symbols(n):
            if n.name in (*_KINKED, *_STEPS) or (n.name == "root" and free_symbols(n.args[0])):
                return True
            if n.name == "pow" and free_symbols(n.args[0]):
                exponent = exact_value(n.args[1])
                if exponent is not None and exponent.denominator != 1:
                    return True
    return False


def _is_negative(node: Node) -> bool:
    value = exact_value(node)
    return value is not None and value < 0


def points(nodes: tuple[Node, ...], symbols: list[str]) -> Iterator[Mapping[str, Any]]:
    """Fixed points for formulas: positive, then of both signs, then larger.

    Integers where the formulas need them; near one in size where a high power would drown the rest.
    """
    if not symbols:
        yield {}
        return
    whole = _integers(*nodes)
    rounded, steep = bool(_rounded_digits(*nodes)), _is_steep(*nodes)
    most = MAX_INTEGER_POINTS if whole else NEAR_POINTS
    yield from _borders(nodes, symbols, whole)
    yield from islice(_near_points(symbols, whole, rounded=rounded, steep=steep), most)
    if has_kinks(*nodes) and not whole.issuperset(symbols):
        yield from _wide_points(symbols, whole)


def common_points(symbols: list[str]) -> Iterator[Mapping[str, Any]]:
    """Fixed points for any formula of these variables, whatever its operations are.

    For what is said of one formula alone: those where equal ones of other operations are tried too,
    near points, integers, and points far on both sides of zero.
    """
    if not symbols:
        yield {}
        return
    yield from islice(_near_points(symbols, frozenset()), NEAR_POINTS)
    yield from islice(_near_points(symbols, frozenset(symbols)), ENOUGH_INTEGER_POINTS)
    yield from _wide_points(symbols, frozenset())


def _near_points(
    symbols: list[str], whole: frozenset[str], *, rounded: bool = False, steep: bool = False
) -> Iterator[Mapping[str, Any]]:
    mp = context()
    generator = random.Random("speclrm probes")  # noqa: S311 - fixed points, no secrets
    for index in count():
        scale = 1 if rounded or index % 3 == 0 else 3 if index % 3 == 1 else 9
        point = {}
        for name in symbols:
            if name in whole:
                point[name] = mp.mpf(generator.randint(*((2, 9) if index % 2 else (1, 40))))
                continue
            value = mp.mpf(generator.randint(100_003, 999_983)) / 1_000_003
            value = 1 + (value - mp.mpf(1) / 2) / 25 if steep else value * scale
            point[name] = -value if index % 2 and generator.randint(0, 2) else value
        yield point


def _borders(
    nodes: tuple[Node, ...], symbols: list[str], whole: frozenset[str]
) -> Iterator[Mapping[str, Any]]:
    """At, beside and between the values that the conditions of functions by cases name."""
    mp = context()
    ends: dict[str, set[Any]] = {}
    for n in (n for node in nodes for n in walk(node)):
        if isinstance(n, Op) and n.name == "cases":
            for name, sides in borders(n).items():
                for side in sides:
                    with suppress(NotNumeric, Inexact):
                        ends.setdefault(name, set()).add(Evaluator({}).value(side))
    for name, values in ends.items():
        near = sorted(value for value in values if not mp.im(value))[:MAX_BORDERS]
        steps = [b - a for a, b in pairwise(near)] or [mp.mpf(1)]
        for value in near:
            for at in (value - min(steps) / 3, value, value + min(steps) / 3):
                if name not in whole or at == mp.floor(at):
                    others = {other: mp.mpf(i + 2) for i, other in enumerate(symbols)}
                    yield {**others, name: at}


def _wide_points(symbols: list[str], whole: frozenset[str]) -> Iterator[Mapping[str, Any]]:
    """Points of several magnitudes far on both sides of zero, with all signs alike and mixed."""
    mp = context()
    for size in map(mp.mpf, _WIDE):
        for signs in range(4 if len(symbols) > 1 else 2):
            yield {
                name: mp.floor(size * (1 + index / 7) + 1)
                if name in whole
                else size * (1 + mp.mpf(index) / 7) * (-1) ** (signs + (signs // 2) * index)
                for index, name in enumerate(symbols)
            }


def _is_steep(*nodes: Node) -> bool:
    """Whether a variable is raised to a high power."""
    for node in nodes:
        for n in walk(node):
            if isinstance(n, Op) and n.name == "pow" and free_symbols(n.args[0]):
                exponent = exact_value(n.args[1])
                if exponent is not None and abs(exponent) > STEEP_POWER:
                    return True
    return False
