# ruff: noqa: RUF001 - the names of sets are these letters
"""A tree as plain text: what explanations show, and text that reads back to the same answer."""

from evaluators.nodes import (
    Based,
    Listing,
    Mat,
    Node,
    Num,
    Op,
    Quantity,
    Rel,
    Seq,
    Sym,
    Words,
)

_INFIX = {
    "add": " + ",
    "mul": "*",
    "div": "/",
    "pow": "^",
    "ratio": ":",
    "mod": " mod ",
    "cup": " \\cup ",
    "cap": " \\cap ",
    "setminus": " \\setminus ",
    "pm": " ± ",
    "mp": " ∓ ",
    "to": " \\to ",
}
_POSTFIX = {"fact": "!", "fact2": "!!", "percent": "%", "deg": "°"}
_SIGNS = {"in": " \\in ", "notin": " \\notin ", "~": " ≈ ", "!=": " ≠ "}
_SET_NAMES = {
    "Reals": "ℝ",
    "Integers": "ℤ",
    "Naturals": "ℕ",
    "Rationals": "ℚ",
    "Complexes": "ℂ",
    "EmptySet": "∅",
    "oo": "∞",
    "...": "…",
}


def render(node: Node) -> str:
    """The tree in plain notation, with brackets wherever the order could be read otherwise."""
    match node:
        case Num(value=value, places=places):
            return _number(value.numerator, value.denominator, places)
        case Sym(name=name):
            return _SET_NAMES.get(name) or _name(name)
        case Based(digits=digits, base=base):
            return f"{digits}_{{{base}}}"
        case Quantity(value=value, unit=unit):
            return f"{render(value)}\\text{{ {unit}}}"
        case Words(text=text):
            return f"\\text{{{text}}}"
        case Rel(ops=ops, args=args):
            pieces = [render(args[0])]
            for op, arg in zip(ops, args[1:], strict=True):
                pieces += [_SIGNS.get(op, f" {op} "), render(arg)]
            return "".join(pieces)
        case Op(name=name, args=args):
            return _operation(name, args)
    return _several(node)


def _name(name: str) -> str:
    stem, _, label = name.partition("_")
    bare, primes = stem.rstrip("'"), stem[len(stem.rstrip("'")) :]
    shown = bare if len(bare) == 1 or not bare.isascii() else f"\\{bare} "
    return f"{shown}{primes}_{{{label}}}" if label else f"{shown}{primes}"


def _several(node: Node) -> str:
    match node:
        case Seq(items=items, opening=opening, closing=closing):
            inner = ", ".join(render(item) for item in items)
            left, right = ("\\{", "\\}") if opening == "{" else (opening, closing)
            return f"{left}{inner}{right}"
        case Listing(items=items, joiner=joiner):
            between = ", " if joiner == "," else f" \\text{{ {joiner} }} "
            return between.join(render(item) for item in items)
        case Mat(rows=rows):
            body = " \\\\ ".join(" & ".join(render(entry) for entry in row) for row in rows)
            return f"\\begin{{pmatrix}}{body}\\end{{pmatrix}}"
    return ""


def _number(top: int, bottom: int, places: int | None) -> str:
    if places is not None:
        scaled = str(abs(top) * 10**places // bottom).rjust(places + 1, "0")
        digits = f"{scaled[:-places]}.{scaled[-places:]}" if places else scaled
        return f"-{digits}" if top < 0 else digits
    return str(top) if bottom == 1 else f"\\frac{{{top}}}{{{bottom}}}"


def _operation(name: str, args: tuple[Node, ...]) -> str:
    if name == "neg":
        return f"-{_closed(args[0])}"
    if name in _POSTFIX:
        return f"{_closed(args[0])}{_POSTFIX[name]}"
    if name in _INFIX and len(args) > 1:
        return _INFIX[name].join(_closed(arg) for arg in args)
    if name in ("int", "lim", "sum", "prod"):
        return _with_bounds(name, *args)
    if name == "cases":
        cells = [render(arg) for arg in args]
        conditions = [*cells[1::2], "\\text{otherwise}"][: len(cells[0::2])]
        rows = (f"{a} & {b}" for a, b in zip(cells[0::2], conditions, strict=True))
        return "\\begin{cases}" + " \\\\ ".join(rows) + "\\end{cases}"
    if name.startswith("mark:"):
        return f"{_closed(args[0])}^{{{name[-1]}}}"
    if name == "builder":
        return f"\\{{{render(args[0])} \\mid {render(args[1])}\\}}"
    if name == "root":
        return f"\\sqrt[{render(args[1])}]{{{render(args[0])}}}"
    if name == "binom":
        return f"\\binom{{{render(args[0])}}}{{{render(args[1])}}}"
    if name in ("abs", "floor", "ceil"):
        left, right = {"abs": ("|", "|"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}[name]
        return f"{left}{render(args[0])}{right}"
    if name == "logb":
        return f"\\log_{{{render(args[1])}}}({render(args[0])})"
    label = name.partition(":")[2] or (name if name.endswith("_") else f"\\{name}")
    return f"{label}({', '.join(render(arg) for arg in args)})"


def _with_bounds(name: str, body: Node, *bounds: Node) -> str:
    scripts = "".join(f"{s}{{{render(bound)}}}" for s, bound in zip("_^", bounds, strict=False))
    if isinstance(body, Op) and body.name == "d":
        return f"\\{name}{scripts} {_closed(body.args[0])}\\,d{render(body.args[1])}"
    return f"\\{name}{scripts} {_closed(body)}"


def _closed(node: Node) -> str:
    """The operand, in brackets unless it is one piece."""
    text = render(node)
    whole = isinstance(node, Sym | Seq) or (isinstance(node, Num) and text.isdigit())
    return text if whole else f"({text})"
