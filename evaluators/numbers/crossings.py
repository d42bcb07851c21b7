"""Zeros of a formula of one variable: up to degree two exactly, else sign changes on a grid."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluators.nodes import Node, NotNumeric
from evaluators.numbers.exact import Inexact
from evaluators.numbers.numeric import Evaluator, context

# The grid: from -LIMIT to LIMIT in steps of 1/DENSITY, then further out in steps that grow.
LIMIT = 24
DENSITY = 2
GROWTH, GROWN = 1.25, 50
# Stretches between two ends: no divisor of usual periods, so that zeros fall between.
STRETCHES = 67
# Halvings of a step; enough for 40 digits.
HALVINGS = 140


# Where a formula must be the polynomial of its values at 0, 1, 2: far on both sides, between.
_TRIED = ("3", "0.3", "-0.7", "-40.9", "1000.3", "-1000003.1")
_AGREED_DIGITS = 30


def sign_changes(node: Node, name: str, point: Mapping[str, Any]) -> list[Any]:
    """The places where the formula changes sign or vanishes, within the grid."""
    mp = context()
    try:
        if roots := quadratic_roots(node, name, point):
            return [root for root in roots if not mp.im(root)]
    except (NotNumeric, Inexact):
        pass
    grid = [mp.mpf(n) / DENSITY for n in range(-LIMIT * DENSITY, LIMIT * DENSITY + 1)]
    far = [LIMIT * mp.mpf(GROWTH) ** n for n in range(1, GROWN)]
    grid = [*(-x for x in reversed(far)), *grid, *far]
    return _crossed(node, name, point, grid)


def crossings_between(
    node: Node, name: str, point: Mapping[str, Any], low: Any, high: Any
) -> list[Any]:
    """The places between two ends where the formula changes sign, as far as a grid shows them."""
    step = (high - low) / STRETCHES
    grid = [low + step * index for index in range(STRETCHES + 1)]
    return [x for x in _crossed(node, name, point, grid) if low < x < high]


def _crossed(node: Node, name: str, point: Mapping[str, Any], grid: list[Any]) -> list[Any]:
    """The places of a grid where the formula vanishes, and those between where it changes sign."""
    values = [_at(node, {**point, name: x}) for x in grid]
    found = [x for x, value in zip(grid, values, strict=True) if value == 0]
    for low, high, a, b in zip(grid, grid[1:], values, values[1:], strict=False):
        if a is not None and b is not None and a * b < 0:
            found.append(_bisected(lambda x: _at(node, {**point, name: x}), low, high, a))
    return found


def _at(node: Node, point: Mapping[str, Any]) -> Any:
    try:
        value = Evaluator(point).value(node)
    except (NotNumeric, Inexact):
        return None
    return None if context().im(value) else value


def _bisected(value_at: Callable[[Any], Any], low: Any, high: Any, at_low: Any) -> Any:
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        value = value_at(middle)
        if value is None or value == 0:
            return middle
        low, high = (middle, high) if value * at_low > 0 else (low, middle)
    return (low + high) / 2


def quadratic_roots(node: Node, name: str, point: Mapping[str, Any]) -> list[Any]:
    """Roots of a formula that is a polynomial of degree one or two in the variable, else none.

    Raises:
        NotNumeric, Inexact: it has no value where it is tried.
    """
    mp = context()

    def value_at(x: Any) -> Any:
        return Evaluator({**point, name: x}).value(node)

    zero, one, two = (value_at(mp.mpf(x)) for x in (0, 1, 2))
    second = two - 2 * one + zero
    slope = one - zero - second / 2
    tiny = mp.mpf(10) ** -_AGREED_DIGITS
    for x in map(mp.mpf, _TRIED):
        expected = zero + slope * x + second * x * x / 2
        if abs(value_at(x) - expected) > tiny * max(1, abs(zero), abs(x), x * x):
            return []
    if abs(second) <= tiny:
        return [-zero / slope] if abs(slope) > tiny else []
    root = mp.sqrt(slope * slope - 2 * second * zero)
    return [(-slope + root) / second, (-slope - root) / second]
