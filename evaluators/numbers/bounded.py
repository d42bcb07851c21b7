r"""Integrals, infinite sums and products, and limits as numbers, each with its error.

Each is computed in two independent ways; where these do not agree to many digits it has no value
here.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from evaluators.nodes import (
    INTEGER_LETTERS,
    Node,
    NotNumeric,
    Op,
    Rel,
    Sym,
    children,
    free_symbols,
    walk,
)
from evaluators.numbers.acceleration import infinite_sum
from evaluators.numbers.crossings import crossings_between
from evaluators.numbers.numeric import Evaluator
from evaluators.numbers.quadrature import integral
from evaluators.numbers.series import Estimate, infinite_series

# All work of one comparison, operations; a second or so.
MAX_WORK = 60_000
# Work of one value of an integrand or term, beside its formula, operations.
NODE_WORK = 4
# Digits to which the ways to an integral or a sum must agree, and to which they must when a first
# agreement is looked at once more.
INTEGRAL_DIGITS, SUM_DIGITS, PRECISE_DIGITS = 20, 14, 75
# Places at which an integrand may bend.
MAX_BENDS = 24
# Limits: working precision in digits, and how near to the target the formula is evaluated.
LIMIT_DIGITS = 300
NEAR = ("1e-40", "1.7e-60")
# How far out towards infinity, and nearer where exponentials leave the limits of evaluation: whole
# numbers of several remainders, so that a sequence that alternates shows.
FAR = ((10**40 + 7, 10**60 + 2), (100_000, 300_007, 400_002))
LIMIT_AGREED, LIMIT_ERROR = 1e-16, 1e-15
# Steps at which values must grow to go beyond all bounds, and each gain as a share of the last.
GROWTH_STEPS, GROWTH_SHARE = 12, 0.999

_Function = Callable[[Any], Any]


def is_bounded(node: Node) -> bool:
    """Whether the formula holds an operation that plain evaluation does not do."""
    return any(_is_bounded(n) for n in walk(node))


def _is_bounded(node: Node) -> bool:
    if not isinstance(node, Op):
        return False
    endless = any(part == Sym("oo") for arg in node.args[1:] for part in walk(arg))
    return node.name in ("int", "lim") or (node.name in ("sum", "prod") and endless)


def parameters(node: Node) -> frozenset[str]:
    """The variables of a formula that no integral, sum or limit binds."""
    found = frozenset[str]().union(*(parameters(part) for part in children(node)))
    if isinstance(node, Sym):
        return free_symbols(node)
    if not isinstance(node, Op) or node.name not in ("int", "lim", "sum", "prod"):
        return found
    body, *bounds = node.args
    variable = _bound_variable(node)
    outside = frozenset[str]().union(*(parameters(part) for part in bounds))
    return (parameters(body) - {variable}) | (
        outside - ({variable} if node.name != "int" else {""})
    )


def _bound_variable(node: Op) -> str:
    match node.args:
        case (Op(name="d", args=(_, Sym(name=name))), *_):
            return name
        case (_, Rel(args=(Sym(name=name), *_)) | Op(name="to", args=(Sym(name=name), *_)), *_):
            return name
    return ""


class BoundedEvaluator(Evaluator):
    """Evaluates also operations with bounds; `nudged`, each is changed by its error.

    `precise`, integrals and sums are right to many more digits, or have no value.
    """

    max_operations = MAX_WORK

    def __init__(
        self,
        point: Mapping[str, Any],
        known: dict[Node, Estimate],
        *,
        common_log: bool = False,
        nudged: bool = False,
        precise: bool = False,
    ) -> None:
        super().__init__(point, common_log=common_log)
        self.known = known
        self.nudged = nudged
        self.precise = precise
        self.inside = False

    def _operation(self, name: str, args: tuple[Node, ...]) -> Any:
        node = Op(name, args)
        if not _is_bounded(node):
            return super()._operation(name, args)
        if self.inside:
            return self._bounded(node).value
        if node not in self.known:
            self.inside = True
            self.known[node] = self._bounded(node)
            self.inside = False
        value, error = self.known[node]
        return value + error if self.nudged else value

    def _bounded(self, node: Op) -> Estimate:
        variable = _bound_variable(node)
        saved = self.point.get(variable)
        try:
            match node:
                case Op(name="int", args=(Op(name="d", args=(body, _)), low, high)):
                    return self._integral(body, variable, self._end(low), self._end(high))
                case Op(name="lim", args=(body, Op(name="to", args=(Sym(), target)))):
                    return self._limit(body, variable, target)
                case Op(name="sum" | "prod" as name, args=args):
                    return self._endless(name, args)
            raise NotNumeric
        finally:
            self.point.pop(variable, None)
            if saved is not None:
                self.point[variable] = saved

    def _integral(self, body: Node, variable: str, low: Any, high: Any) -> Estimate:
        """The integral, from bend to bend: no rule for smooth functions sees an absolute value."""
        function = self._function(body, variable)
        digits = PRECISE_DIGITS if self.precise else INTEGRAL_DIGITS
        bends: set[Any] = set()
        if self.mp.isfinite(low) and self.mp.isfinite(high) and low < high:
            for part in walk(body):
                if isinstance(part, Op) and part.name == "abs":
                    bends |= {*crossings_between(part.args[0], variable, self.point, low, high)}
        if len(bends) > MAX_BENDS:
            raise NotNumeric
        ends = [low, *sorted(bends), high]
        pieces = [integral(self.mp, function, *pair, digits) for pair in pairwise(ends)]
        return Estimate(sum(piece.value for piece in pieces), sum(piece.error for piece in pieces))

    def _function(self, body: Node, variable: str) -> _Function:
        def value(x: Any) -> Any:
            self.point[variable] = x
            self.operations += NODE_WORK
            found = self.value(body)
            if self.mp.im(found):
                raise NotNumeric
            return found

        return value

    def _end(self, node: Node) -> Any:
        """A bound of an integral, which may be infinite."""
        return self.real([super()._end(node)])[0]

    def _endless(self, name: str, args: tuple[Node, ...]) -> Estimate:
        body, variable, low = infinite_series(args, self.value)
        function = self._function(body, variable)

        def logarithm(index: int) -> Any:
            factor = function(self.mp.mpf(index))
            if factor <= 0:
                raise NotNumeric
            return self.mp.log(factor)

        digits = PRECISE_DIGITS if self.precise else SUM_DIGITS
        if name == "sum":
            return infinite_sum(self.mp, lambda index: function(self.mp.mpf(index)), low, digits)
        total, error = infinite_sum(self.mp, logarithm, low, digits)
        value = self.mp.exp(total)
        return Estimate(value, error * value)

    def _limit(self, body: Node, variable: str, target: Node) -> Estimate:
        """The value very near the target, twice on each side from which it can be approached."""
        signs, end = self._approached(target)
        function = self._function(body, variable)
        with self.mp.workdps(LIMIT_DIGITS):
            if self.mp.isinf(end):
                # Of a variable that is no integer the values between them count too.
                scale = self.mp.sign(end) * (1 if variable in INTEGER_LETTERS else self.mp.e)
                ways = ([scale * distance for distance in way] for way in FAR)
                found = next(filter(None, (_values(function, way) for way in ways)), [])
            else:
                steps = [self.mp.mpf(step) for step in NEAR]
                # A formula may have values on one side of its target only.
                sides = ([end + sign * step for step in steps] for sign in signs)
                found = [value for side in sides for value in _values(function, side)]
            if not found:
                raise NotNumeric
            spread, size = max(found) - min(found), max(map(abs, found))
            if spread > LIMIT_AGREED * max(size, 1):
                raise NotNumeric
            return Estimate(found[-1], spread + LIMIT_ERROR * size)

    def _approached(self, target: Node) -> tuple[tuple[int, ...], Any]:
        """The sides from which a limit's variable nears its target, and where that is."""
        if isinstance(target, Op) and target.name in ("mark:+", "mark:-"):
            return (1 if target.name == "mark:+" else -1,), self._end(target.args[0])
        return (1, -1), self._end(target)

    def growth(self, node: Node) -> int:
        """1 or -1 where a limit goes beyond all bounds, upwards or downwards; 0 where it may not.

        On the way to the target the values must grow by ever more, or by as much with each step.
        """
        match node:
            case Op(name="lim", args=(body, Op(name="to", args=(Sym(name=variable), target)))):
                function = self._function(body, variable)
            case _:
                return 0
        self.inside = True
        signs, end = self._approached(target)
        with self.mp.workdps(LIMIT_DIGITS):
            steps = range(1, GROWTH_STEPS + 1)
            if self.mp.isinf(end):
                scale = self.mp.sign(end) * (1 if variable in INTEGER_LETTERS else self.mp.e)
                ways = [[scale * 10 ** (4 * k) for k in steps], [scale * 53 * k for k in steps]]
                found = {next(filter(None, (_grows(_values(function, way)) for way in ways)), 0)}
            else:
                sides = (
                    [end + sign * self.mp.mpf(10) ** (-6 * k) for k in steps] for sign in signs
                )
                found = {_grows(_values(function, side)) for side in sides}
        return found.pop() if len(found) == 1 else 0


def _grows(values: list[Any]) -> int:
    """The sign of values that grow in size by no less from step to step; 0 of others, or none."""
    sizes = [abs(value) for value in values]
    gains = [after - before for before, after in pairwise(sizes)]
    if not gains or len({value > 0 for value in values}) > 1 or gains[0] <= 0:
        return 0
    steady = all(after >= GROWTH_SHARE * before for before, after in pairwise(gains))
    return (1 if values[0] > 0 else -1) if steady else 0


def _values(function: _Function, points: list[Any]) -> list[Any]:
    """The function's values; none where one is lacking."""
    try:
        return [function(x) for x in points]
    except NotNumeric:
        return []
