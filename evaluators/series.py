"""The bounds of written sums and products."""

from typing import Any, NamedTuple

from evaluators.nodes import Node, Rel, Sym
from evaluators.numeric import Evaluator, NotNumeric

# Bounds of a sum stay within this, terms.
MAX_BOUND = 10**6


class Bounds(NamedTuple):
    """What is summed, over which variable, from where to where (inclusive)."""

    body: Node
    variable: str
    low: int
    high: int


def bounds(args: tuple[Node, ...], evaluator: Evaluator) -> Bounds:
    """The parts of `\\sum_{k=1}^{n}`. Raises NotNumeric unless both bounds are known integers."""
    if len(args) != 3:  # noqa: PLR2004 - body, lower bound, upper bound
        raise NotNumeric
    body, lower, upper = args
    if not (isinstance(lower, Rel) and lower.ops == ("=",) and isinstance(lower.args[0], Sym)):
        raise NotNumeric
    return Bounds(body, lower.args[0].name, _integer(lower.args[1], evaluator), _integer(upper, evaluator))


def _integer(node: Node, evaluator: Evaluator) -> int:
    value: Any = evaluator.value(node)
    if evaluator.mp.im(value) or value != evaluator.mp.floor(value) or abs(value) > MAX_BOUND:
        raise NotNumeric
    return int(value)
