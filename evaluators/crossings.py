"""Sign changes of a formula of one variable, found by bisection on a grid."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluators.exact import Inexact
from evaluators.nodes import Node, NotNumeric
from evaluators.numeric import Evaluator, context

# The grid: from -LIMIT to LIMIT in steps of 1/DENSITY.
LIMIT = 24
DENSITY = 2
# Halvings of a step; enough for 40 digits.
HALVINGS = 140


def sign_changes(node: Node, name: str, point: Mapping[str, Any]) -> list[Any]:
    """The places where the formula changes sign or vanishes, within the grid."""
    mp = context()
    grid = [mp.mpf(n) / DENSITY for n in range(-LIMIT * DENSITY, LIMIT * DENSITY + 1)]
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
