"""Equality of formulas with integrals, sums or limits, by numbers with an error bound.

How far the bounds move a formula shows when every such value in it is changed by its error.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluators.comparing.probes import ENOUGH_POINTS, MAX_SYMBOLS, log_readings, points
from evaluators.nodes import INTEGER_LETTERS, Node, NotNumeric, Op, Sym, has_op
from evaluators.numbers.bounded import MAX_WORK, PRECISE_DIGITS, BoundedEvaluator, parameters
from evaluators.numbers.exact import Inexact
from evaluators.numbers.numeric import context
from evaluators.numbers.series import Estimate
from evaluators.verdict import Decision, Outcome, different, equal, undecided

# A comparison whose error grows beyond this share of its values tells nothing.
MAX_ERROR = 1e-10
# Values nearer than this share of them are never called different.
NOISE = 1e-14
# Values further apart than so many error bounds are different.
APART = 1_000


def bounded_value(node: Node) -> Any:
    """The value of a formula without variables. Raises NotNumeric where its error is too large."""
    value, error = _Side(node, {}, common_log=False).evaluated()
    if error > MAX_ERROR * max(abs(value), 1):
        raise NotNumeric
    return value


def same_bounded(a: Node, b: Node) -> Decision:
    """Whether two formulas agree within the error, at every point where both have a value."""
    names = sorted(parameters(a) | parameters(b))
    if len(names) > MAX_SYMBOLS:
        return undecided("too_many_variables")
    for side, other in ((a, b), (b, a)):
        if not names and (sign := _infinity(side)):
            return _same_growth(other, sign)
    decision = undecided("not_evaluated")
    for left_common, right_common in log_readings(a, b):
        decision = _compared(a, b, names, left_common, right_common)
        if decision.outcome is Outcome.EQUAL:
            break
    return decision


def _infinity(node: Node) -> int:
    """The sign of an infinity, 0 for anything else."""
    return {Sym("oo"): 1, Op("neg", (Sym("oo"),)): -1}.get(node, 0)


def _same_growth(node: Node, sign: int) -> Decision:
    """Whether a limit goes to the infinity of that sign; one that has a value does not."""
    try:
        grows = BoundedEvaluator({}, {}).growth(node)
    except (NotNumeric, Inexact):
        return undecided("not_evaluated")
    if grows:
        return equal("within_error") if grows == sign else different("beyond_error")
    try:
        bounded_value(node)
    except (NotNumeric, Inexact):
        return undecided("not_evaluated")
    return different("beyond_error")


def _compared(a: Node, b: Node, names: list[str], left_log: bool, right_log: bool) -> Decision:
    agreed, work = 0, 0
    for point in _points(names):
        sides = [_Side(a, point, common_log=left_log), _Side(b, point, common_log=right_log)]
        try:
            found = _near(*(side.evaluated() for side in sides))
        except (NotNumeric, Inexact):
            found = None
        work += sum(side.operations for side in sides)
        if found and not names and _precisely_apart(*sides):
            found = False
        if found is False:
            return different("beyond_error")
        agreed += bool(found)
        if agreed and (not names or agreed >= ENOUGH_POINTS):
            return equal("within_error")
        if work > MAX_WORK:
            break
    return undecided("not_evaluated")


def _points(names: list[str]) -> Iterator[Mapping[str, Any]]:
    """Fixed points of both signs; letters that stand for integers by custom are integers."""
    for point in points((), names):
        yield {
            name: context().floor(abs(value)) + 1 if name in INTEGER_LETTERS else value
            for name, value in point.items()
        }


class _Side:
    """One formula at one point: its value, and how far its error bound moves it."""

    def __init__(self, node: Node, point: Mapping[str, Any], *, common_log: bool) -> None:
        self.node, self.point, self.common_log = node, point, common_log
        self.known: dict[Node, Estimate] = {}
        self.operations = 0

    def evaluated(self, *, precise: bool = False) -> tuple[Any, Any]:
        values = []
        known = {} if precise else self.known
        for nudged in (False, True):
            evaluator = BoundedEvaluator(
                self.point, known, common_log=self.common_log, nudged=nudged, precise=precise
            )
            try:
                values.append(evaluator.value(self.node))
            finally:
                self.operations += evaluator.operations
            if self.point and evaluator.met_complex:
                raise NotNumeric
        return values[0], abs(values[1] - values[0])


def _precisely_apart(left: _Side, right: _Side) -> bool:
    """Whether values that agree within their error differ in more digits, where these can be had.

    `1` is not an integral that stops short of infinity, nor an infinite sum a finite one.
    """
    if has_op(left.node, "lim") or has_op(right.node, "lim"):
        return False
    with context().workdps(2 * PRECISE_DIGITS):
        try:
            (a, error_a), (b, error_b) = (side.evaluated(precise=True) for side in (left, right))
        except (NotNumeric, Inexact):
            return False
        noise = context().mpf(10) ** -PRECISE_DIGITS * max(abs(a), abs(b))
        return bool(abs(a - b) > APART * (error_a + error_b + noise))


def _near(left: tuple[Any, Any], right: tuple[Any, Any]) -> bool | None:
    """Whether two values with their errors agree; None where the error is too large to say."""
    error = left[1] + right[1]
    distance, size = abs(left[0] - right[0]), max(abs(left[0]), abs(right[0]), 1)
    if distance <= error <= MAX_ERROR * size:
        return True
    return False if distance > APART * error + NOISE * size else None
