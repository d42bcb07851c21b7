"""The bounds of written sums and products, and an estimated value with its error."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from evaluators.nodes import Node, NotNumeric, Rel, Sym

# Bounds of a sum stay within this.
MAX_BOUND = 10**6


class Bounds(NamedTuple):
    """What is summed, over which variable, from where to where (inclusive)."""

    body: Node
    variable: str
    low: int
    high: int


def bounds(args: tuple[Node, ...], value_of: Callable[[Node], Any]) -> Bounds:
    r"""The parts of `\sum_{k=1}^{n}`. Raises NotNumeric unless both bounds are known integers."""
    if len(args) != 3:  # noqa: PLR2004 - body, lower bound, upper bound
        raise NotNumeric
    body, lower, upper = args
    if not (isinstance(lower, Rel) and lower.ops == ("=",) and isinstance(lower.args[0], Sym)):
        raise NotNumeric
    low, high = _integer(value_of(lower.args[1])), _integer(value_of(upper))
    return Bounds(body, lower.args[0].name, low, high)


class Estimate(NamedTuple):
    """A value and how far it may be off."""

    value: Any
    error: Any


class InfiniteSeries(NamedTuple):
    """What is summed without end, over which variable, from where."""

    body: Node
    variable: str
    low: int


def infinite_series(args: tuple[Node, ...], value_of: Callable[[Node], Any]) -> InfiniteSeries:
    r"""The parts of `\sum_{k=1}^{\infty}`. Raises NotNumeric unless it begins at an integer."""
    match args:
        case (body, Rel(ops=("=",), args=(Sym(name=name), low)), Sym(name="oo")):
            return InfiniteSeries(body, name, _integer(value_of(low)))
    raise NotNumeric


def _integer(value: Any) -> int:
    if isinstance(value, complex) or hasattr(value, "_mpc_") or abs(value) > MAX_BOUND:
        raise NotNumeric
    if value != math.floor(value):
        raise NotNumeric
    return int(value)
