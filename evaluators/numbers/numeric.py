"""Numeric value of a formula at a point, to 50 digits; every operation has a bounded cost."""

import operator
import threading
from collections.abc import Callable, Mapping
from typing import Any

from evaluators.nodes import (
    Based,
    Listing,
    Node,
    NotNumeric,
    Num,
    Op,
    Quantity,
    Rel,
    Sym,
    free_symbols,
    walk,
)
from evaluators.numbers.exact import based_value
from evaluators.numbers.series import bounds

# Working precision, decimal digits.
DIGITS = 50
# A sum smaller than its terms by all but so many digits is zero: the terms cancel.
GUARD_DIGITS = 12
# Exponents of results stay below this, bits: beyond, reduction of arguments costs too much.
MAX_EXPONENT = 1 << 22
# Arguments of periodic functions and of factorials.
MAX_ARGUMENT = 10**9
# Arguments of the zeta and error functions.
MAX_SPECIAL = 1_000
# Terms of a sum or product evaluated term by term.
MAX_TERMS = 400
# All work of one evaluation, operations.
MAX_OPERATIONS = 6_000

_local = threading.local()


def context() -> Any:
    """This thread's arithmetic context: precision belongs to the context, not to the module."""
    made = getattr(_local, "context", None)
    if made is None:
        from mpmath.ctx_mp import MPContext  # noqa: PLC0415 - the import is not needed for most answers

        made = MPContext()
        made.dps = DIGITS
        _local.context = made
    return made


class Evaluator:
    """Evaluates formulas at one point; `common_log` reads `log` without base as base ten."""

    max_operations = MAX_OPERATIONS

    def __init__(self, point: Mapping[str, Any], *, common_log: bool = False) -> None:
        self.mp = context()
        self.point = dict(point)
        self.common_log = common_log
        self.operations = 0
        # Whether any intermediate value was not real.
        self.met_complex = False
        # Whether no condition held of a function by cases.
        self.outside = False

    @property
    def cancelled(self) -> Any:
        """How much smaller than its terms a sum must be to count as zero at this precision."""
        return 10 ** max(0, int(self.mp.dps) - GUARD_DIGITS)

    def value(self, node: Node) -> Any:
        """The value. Raises NotNumeric where there is none."""
        self.operations += 1
        if self.operations > self.max_operations:
            raise NotNumeric
        match node:
            case Num(value=value):
                whole = self.mp.mpf(value.numerator)
                return whole if value.denominator == 1 else whole / value.denominator
            case Sym(name=name):
                return self._symbol(name)
            case Quantity(value=inner):
                return self.value(inner)
            case Based(digits=digits, base=base):
                return self.mp.mpf(based_value(digits, base))
            case Op(name=name, args=args):
                return self._checked(self._operation(name, args))
        raise NotNumeric

    def _symbol(self, name: str) -> Any:
        if name in self.point:
            return self.point[name]
        constant = {"pi": self.mp.pi, "e": self.mp.e, "i": self.mp.j}.get(name)
        if constant is None:
            raise NotNumeric
        return +constant

    def _checked(self, value: Any) -> Any:
        mp = self.mp
        if isinstance(value, mp.mpc):
            if not value.imag or abs(value.real) > abs(value.imag) * self.cancelled:
                value = value.real
            else:
                self.met_complex = True
        if not mp.isfinite(value):
            raise NotNumeric
        if value and abs(mp.mag(value)) > MAX_EXPONENT:
            raise NotNumeric
        return value

    def _operation(self, name: str, args: tuple[Node, ...]) -> Any:
        if name in ("sum", "prod"):
            return self._series(name, args)
        if name == "cases":
            return self._cases(args)
        values = [self.value(arg) for arg in args]
        if name.startswith("apply:") or (name in _PARTS and _is_complex_letter(args[0])):
            return self._unknown(name, values)
        method = _METHODS.get(name)
        if method is not None:
            return method(self, values)
        function = _FUNCTIONS.get(name)
        if function is None or len(values) != 1:
            raise NotNumeric
        return self._call(function, values[0])

    def _call(self, function: str, value: Any) -> Any:
        if function not in _TAME and abs(value) > MAX_ARGUMENT:
            raise NotNumeric
        try:
            result = getattr(self.mp, function)(value)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise NotNumeric from error
        return self._circular(value, result) if function in _CIRCULAR else result

    def _circular(self, value: Any, result: Any) -> Any:
        """Zeros and poles of circular functions, which the rounding of pi moves: `sin pi` is 0."""
        if abs(result) > self.cancelled * abs(value) > 0:
            raise NotNumeric
        return self.mp.mpf(0) if abs(result) * self.cancelled < abs(value) else result

    def _unknown(self, name: str, values: list[Any]) -> Any:
        """An undefined function: a fixed smooth one, so that equal arguments give equal values."""
        seed = sum(ord(letter) * (index + 1) for index, letter in enumerate(name)) % 97
        # Of both signs, so that its absolute value is another function.
        total = self.mp.mpf(seed) / 31 + 1
        for index, value in enumerate(values):
            if abs(value) > MAX_ARGUMENT:
                raise NotNumeric
            total += (index + 1) * self.mp.sin(value * (seed + 3) / 7) - 3 * value
            total += value * value / (seed + 5)
        return total

    def _cases(self, args: tuple[Node, ...]) -> Any:
        for value, condition in zip(args[0::2], args[1::2], strict=False):
            if self._holds(condition):
                return self.value(value)
        if len(args) % 2:
            return self.value(args[-1])
        self.outside = True
        raise NotNumeric

    def _holds(self, condition: Node) -> bool:
        if isinstance(condition, Listing):
            held = [self._holds(item) for item in condition.items]
            return any(held) if condition.joiner == "or" else all(held)
        if not isinstance(condition, Rel):
            raise NotNumeric
        values = self.real([self._end(arg) for arg in condition.args])
        pairs = zip(condition.ops, values, values[1:], strict=False)
        return all(_RELATIONS[op](a, b) for op, a, b in pairs)

    def _end(self, node: Node) -> Any:
        """A side of a condition, which may be infinite."""
        if node in (Sym("oo"), Op("neg", (Sym("oo"),))):
            return self.mp.inf if isinstance(node, Sym) else self.mp.ninf
        return self.value(node)

    def _series(self, name: str, args: tuple[Node, ...]) -> Any:
        body, variable, low, high = bounds(args, self.value)
        if high - low + 1 > MAX_TERMS:
            raise NotNumeric
        saved = self.point.get(variable)
        total = self.mp.mpf(0 if name == "sum" else 1)
        for index in range(low, high + 1):
            self.point[variable] = self.mp.mpf(index)
            term = self.value(body)
            total = total + term if name == "sum" else total * term
        if saved is None:
            self.point.pop(variable, None)
        else:
            self.point[variable] = saved
        return total

    def add(self, values: list[Any]) -> Any:
        """The sum; zero where the terms cancel to the working precision."""
        total = self.mp.mpf(0)
        largest = self.mp.mpf(0)
        for value in values:
            total += value
            largest = max(largest, abs(value))
        return self.mp.mpf(0) if abs(total) * self.cancelled < largest else total

    def mul(self, values: list[Any]) -> Any:
        """The product."""
        product = self.mp.mpf(1)
        for value in values:
            product *= value
        return product

    def div(self, values: list[Any]) -> Any:
        """The quotient. Raises NotNumeric for a zero divisor."""
        if len(values) != 2 or not values[1]:  # noqa: PLR2004 - a ratio of three is no number
            raise NotNumeric
        return values[0] / values[1]

    def pow(self, values: list[Any]) -> Any:
        """The power, principal branch; a real odd root of a negative number is not taken."""
        base, exponent = values
        if not base:
            if self.mp.im(exponent) or exponent <= 0:
                raise NotNumeric
            return base
        if abs(exponent) > MAX_ARGUMENT:
            return self._high_power(base, exponent)
        if abs(self.mp.mag(base) * exponent) > MAX_EXPONENT:
            raise NotNumeric
        try:
            return base**exponent
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise NotNumeric from error

    def _high_power(self, base: Any, exponent: Any) -> Any:
        """The power of a base very near one; two thirds of its digits must be left."""
        if self.mp.im(base) or base <= 0 or abs(exponent) > 10 ** (self.mp.dps // 3):
            raise NotNumeric
        logarithm = exponent * self.mp.log(base)
        if abs(logarithm) > MAX_EXPONENT:
            raise NotNumeric
        return self.mp.exp(logarithm)

    def root(self, values: list[Any]) -> Any:
        """The root; of a negative number the real one when the index is odd."""
        radicand, index = values
        if not index:
            raise NotNumeric
        if self.mp.im(index) == 0 and index == self.mp.floor(index):
            if self.mp.im(radicand) == 0 and radicand < 0 and int(index) % 2:
                return -((-radicand) ** (1 / index))
            if index == 2:  # noqa: PLR2004 - the square root
                return self.mp.sqrt(radicand)
        return self.pow([radicand, 1 / index])

    def logb(self, values: list[Any]) -> Any:
        """The logarithm to a given base."""
        top, bottom = self._call("log", values[0]), self._call("log", values[1])
        return self.div([top, bottom])

    def log(self, values: list[Any]) -> Any:
        """The logarithm without base: natural, or common when the evaluator says so."""
        if not values[0]:
            raise NotNumeric
        natural = self._log(values[0])
        return natural / self.mp.log(10) if self.common_log else natural

    def _log(self, value: Any) -> Any:
        if not value:
            raise NotNumeric
        return self.mp.log(value)

    def special(self, values: list[Any], function: str) -> Any:
        """A function of mpmath at real arguments of moderate size."""
        if any(self.mp.im(value) or abs(value) > MAX_SPECIAL for value in values):
            raise NotNumeric
        try:
            return getattr(self.mp, function)(*values)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise NotNumeric from error

    def fact(self, values: list[Any]) -> Any:
        """The factorial, by the gamma function."""
        value = values[0]
        if self.mp.im(value) or abs(value) > MAX_ARGUMENT // 10:
            raise NotNumeric
        return self._call("gamma", value + 1)

    def binom(self, values: list[Any]) -> Any:
        """The binomial coefficient."""
        if any(self.mp.im(value) or abs(value) > MAX_ARGUMENT // 10 for value in values):
            raise NotNumeric
        try:
            return self.mp.binomial(*values)
        except (ValueError, ZeroDivisionError, OverflowError, TypeError) as error:
            raise NotNumeric from error

    def real(self, values: list[Any]) -> list[Any]:
        """The values, all real. Raises NotNumeric otherwise."""
        if any(self.mp.im(value) for value in values):
            raise NotNumeric
        return values

    def mod(self, values: list[Any]) -> Any:
        """The remainder."""
        top, bottom = self.real(values)
        if not bottom:
            raise NotNumeric
        return top - bottom * self.mp.floor(top / bottom)

    def rounded(self, values: list[Any], function: str) -> Any:
        """Floor or ceiling; a value within rounding error of an integer is that integer."""
        value = self.real(values)[0]
        nearest = self.mp.nint(value)
        if abs(value - nearest) * self.cancelled < max(1, abs(value)):
            return nearest
        return getattr(self.mp, function)(value)


def _is_complex_letter(node: Node) -> bool:
    """Variables whose complex values the points of evaluation, which are real, do not stand for."""
    return bool(free_symbols(node)) and Sym("i") not in walk(node)


_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_Method = Callable[[Evaluator, list[Any]], Any]
_METHODS: dict[str, _Method] = {
    "add": Evaluator.add,
    "mul": Evaluator.mul,
    "div": Evaluator.div,
    "ratio": Evaluator.div,
    "pow": Evaluator.pow,
    "root": Evaluator.root,
    "logb": Evaluator.logb,
    "log": Evaluator.log,
    "lg": lambda self, values: self._log(values[0]) / self.mp.log(10),
    "ln": lambda self, values: self._log(values[0]),
    "fact": Evaluator.fact,
    "Gamma": lambda self, values: self.fact([values[0] - 1]),
    "zeta": lambda self, values: self.special(values, "zeta"),
    "beta": lambda self, values: self.special(values, "beta"),
    "erf": lambda self, values: self.special(values, "erf"),
    "erfc": lambda self, values: self.special(values, "erfc"),
    "binom": Evaluator.binom,
    "mod": Evaluator.mod,
    "neg": lambda _, values: -values[0],
    "percent": lambda _, values: values[0] / 100,
    "deg": lambda self, values: values[0] * self.mp.pi / 180,
    "floor": lambda self, values: self.rounded(values, "floor"),
    "ceil": lambda self, values: self.rounded(values, "ceil"),
    "max": lambda self, values: max(self.real(values)),
    "min": lambda self, values: min(self.real(values)),
    "cbrt": lambda self, values: self.root([values[0], self.mp.mpf(3)]),
    "overline": lambda self, values: self._unknown("overline", values),
    "cis": lambda self, values: self._call("expj", values[0]),
    "conj": lambda self, values: self.mp.conj(values[0]),
}
# Parts of a complex number.
_PARTS = frozenset({"Re", "Im", "conj"})
_CIRCULAR = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
# Functions whose cost does not grow with their argument.
_TAME = frozenset({"fabs", "sign", "re", "im", "arg", "log", "atan", "acot", "asinh", "acosh"})
_FUNCTIONS = {
    **{
        name: name
        for name in (
            "sin",
            "cos",
            "tan",
            "cot",
            "sec",
            "csc",
            "sinh",
            "cosh",
            "tanh",
            "coth",
            "sech",
            "csch",
            "exp",
            "arg",
        )
    },
    **{
        f"arc{name}": f"a{name}"
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")
    },
    "abs": "fabs",
    "norm": "fabs",
    "sgn": "sign",
    "Re": "re",
    "Im": "im",
}
