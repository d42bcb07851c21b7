"""Trees to sympy and a decision about them; imported only by the symbolic worker."""

from typing import Any

import sympy

from evaluators.nodes import Node, Num, Op, Rel, Sym

# Residues below the first are zero, above the second are not; between, a proof is tried.
ZERO, NONZERO = 1e-12, 1e-6
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
    "fact": sympy.factorial,
    "binom": sympy.binomial,
    "add": sympy.Add,
    "mul": sympy.Mul,
    "pow": sympy.Pow,
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
    difference = expression(a) - expression(b)
    if not difference.free_symbols:
        residue = abs(complex(difference.evalf(20)))
        if residue < ZERO:
            return "equal"
        if residue > NONZERO:
            return "different"
    simplified = sympy.simplify(difference.doit())
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
        variable, target = _approach(lower)
        return sympy.limit(expression(body), variable, target)
    if not (isinstance(lower, Rel) and rest):
        raise ValueError("a sum without bounds")
    limits = (expression(lower.args[0]), expression(lower.args[1]), expression(rest[0]))
    return (sympy.Sum if name == "sum" else sympy.Product)(expression(body), limits)


def _approach(node: Node) -> Any:
    if isinstance(node, Op) and node.name == "to":
        return expression(node.args[0]), expression(node.args[1])
    raise ValueError("a limit without its approach")


def _integral(args: tuple[Node, ...]) -> Any:
    body, *bounds = args
    if not (isinstance(body, Op) and body.name == "mul" and len(bounds) == 2):  # noqa: PLR2004
        raise ValueError("an integral without its differential or bounds")
    *factors, differential, variable = body.args
    if differential != Sym("d") or not isinstance(variable, Sym):
        raise ValueError("an integral without its differential")
    integrand = sympy.Mul(*(expression(factor) for factor in factors))
    return sympy.Integral(integrand, (expression(variable), *(expression(b) for b in bounds)))
