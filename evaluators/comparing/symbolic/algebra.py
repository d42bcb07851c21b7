"""Trees to sympy and a decision about them; imported only by the symbolic worker."""

from typing import Any

import sympy

from evaluators.nodes import Node, Num, Op, Rel, Sym

# Residues below the first are zero, above the second are not; between, a proof is tried.
ZERO, NONZERO = 1e-12, 1e-6
# Higher powers are not worked out: one is a single step that no count of steps bounds.
MAX_EXPONENT = 10_000
# What is left where the algebra system cannot do an operation.
_UNDONE = (sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit, sympy.AccumBounds, sympy.nan)


def _power(base: Any, exponent: Any) -> Any:
    """The power. Raises ValueError for one whose digits alone would take all memory."""
    if exponent.is_number and abs(exponent) > MAX_EXPONENT:
        raise ValueError("a power too high")
    return sympy.Pow(base, exponent)


def _factorial(x: Any) -> Any:
    if x.is_number and abs(x) > MAX_EXPONENT:
        raise ValueError("a factorial too high")
    return sympy.factorial(x)


_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
_FUNCTIONS = {
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "cot": sympy.cot,
    "sec": sympy.sec,
    "csc": sympy.csc,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "exp": sympy.exp,
    "ln": sympy.log,
    "log": sympy.log,
    "abs": sympy.Abs,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "fact": _factorial,
    "Gamma": lambda x: _factorial(x - 1),
    "zeta": sympy.zeta,
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "binom": sympy.binomial,
    "add": sympy.Add,
    "mul": sympy.Mul,
    "pow": _power,
    "neg": lambda x: -x,
    "div": lambda a, b: a / b,
    "ratio": lambda a, b: a / b,
    "root": lambda a, n: a ** (1 / n),
    "percent": lambda x: x / 100,
    "logb": sympy.log,
    "cbrt": lambda x: x ** sympy.Rational(1, 3),
    "deg": lambda x: x * sympy.pi / 180,
}


def decide(a: Node, b: Node) -> str:
    """`equal`, `different` or `undecided` for two formulas."""
    # Each alone: an integral that is not done keeps the other's value out of no search.
    difference = expression(a).doit() - expression(b).doit()
    if difference.has(*_UNDONE):
        return "undecided"
    if not difference.free_symbols:
        if difference.is_infinite:
            return "different"
        residue = abs(complex(difference.evalf(20)))
        if residue < ZERO:
            return "equal"
        if residue > NONZERO:
            return "different"
    simplified = sympy.simplify(difference)
    if simplified == 0:
        return "equal"
    return "different" if simplified.is_number else "undecided"


def expression(node: Node) -> Any:
    """The sympy expression of a tree. Raises ValueError for what has none."""
    match node:
        case Num(value=value):
            return sympy.Rational(value.numerator, value.denominator)
        case Sym(name=name):
            return _CONSTANTS.get(name) or sympy.Symbol(name, real=True)
        case Op(name="sum" | "prod" | "int" | "lim" as name, args=args):
            return _bounded(name, args)
        case Op(name=name, args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(expression(arg) for arg in args))
    raise ValueError(f"no symbolic form for {type(node).__name__}")


def _bounded(name: str, args: tuple[Node, ...]) -> Any:
    if name == "int":
        return _integral(args)
    body, lower, *rest = args
    if name == "lim":
        return sympy.limit(expression(body), *_approach(lower))
    if not (isinstance(lower, Rel) and rest):
        raise ValueError("a sum without bounds")
    limits = (expression(lower.args[0]), expression(lower.args[1]), expression(rest[0]))
    return (sympy.Sum if name == "sum" else sympy.Product)(expression(body), limits)


def _approach(node: Node) -> Any:
    if isinstance(node, Op) and node.name == "to":
        variable, target = node.args
        sides = "+-"
        if isinstance(target, Op) and target.name in ("mark:+", "mark:-"):
            sides, target = target.name[-1], target.args[0]
        return expression(variable), expression(target), sides
    raise ValueError("a limit without its approach")


def _integral(args: tuple[Node, ...]) -> Any:
    body, *bounds = args
    if not (isinstance(body, Op) and body.name == "d" and len(bounds) == 2):  # noqa: PLR2004
        raise ValueError("an integral without its differential or bounds")
    integrand, variable = (expression(part) for part in body.args)
    return sympy.Integral(integrand, (variable, *(expression(b) for b in bounds)))
