"""Names in front of values: `x = 5`, `f(x) = ...`, `m + n = 259`, and chains of equals."""

from evaluators.nodes import CONSTANTS, Node, Num, Op, Rel, Seq, Sym, free_symbols, has_op, walk

_EQUALS = ("=", "~")
# Operations of a definition's left side: a named segment, length or ratio of names.
_NAMING = ("div", "ratio", "abs", "norm", "overline", "prime", "deg")
# Letters of unknowns: `|x| = 5` is an equation, while `|z| = 5` and `|AB| = 5` name a length.
_VARIABLES = frozenset({"x", "y", "t", "n"})


# Functions of a named thing that problems ask for: `\sin A`, `\Re z`; floors of anything.
_OF_THINGS = frozenset({"sin", "cos", "tan", "cot", "sec", "csc", "Re", "Im", "arg"})


def is_name(node: Node) -> bool:
    """A symbol, an applied function, a tuple of names, or a named length, ratio or segment."""
    match node:
        case Sym(name=name):
            return name not in CONSTANTS or name in ("e", "i")
        case Op(name="abs" | "norm", args=(named,)) if _is_unknown(named):
            return False
        case Op(name=name) if name.startswith("apply:"):
            return True
        case Op(name="mul", args=args):
            return all(isinstance(arg, Sym) and arg.name[:1].isupper() for arg in args)
        case Op(name=name, args=args) if name in _NAMING:
            return all(is_name(arg) for arg in args)
        case Seq(items=items):
            return bool(items) and all(is_name(item) for item in items)
    return False


def _is_unknown(node: Node) -> bool:
    """A variable, or a function's value, whose size says nothing of its sign."""
    if isinstance(node, Op):
        return node.name.startswith("apply:")
    return isinstance(node, Sym) and node.name in _VARIABLES


def is_asked_for(node: Node) -> bool:
    """`m + n`, `CX/XF`, `(X_1 + X_2)/2`: a quantity a problem asks for, not an equation's side."""
    match node:
        case Op(name="abs" | "norm", args=(named,)) if _is_unknown(named):
            return False
        case Op(
            name="abs" | "norm" | "det" | "gcd" | "lcm" | "max" | "min" | "deg" | "max_" | "min_"
        ):
            return True
        case Op(name="floor" | "ceil", args=(named,)):
            return bool(free_symbols(named))
        case Op(name=name) if name in _OF_THINGS:
            return bool(free_symbols(node)) and not any(map(_is_unknown, walk(node)))
        case Op(name="add" | "mul", args=args):
            return all(is_asked_for(arg) for arg in args)
        case Op(name="div", args=(top, bottom)):
            return is_asked_for(top) and (isinstance(bottom, Num) or is_asked_for(bottom))
    return is_name(node)


def _labelled(node: Node) -> Node | None:
    """`a:4` and `P(2, 3)`: a name beside its value."""
    match node:
        case Op(name="ratio", args=(Sym() as name, value)) if is_name(name):
            return Rel(("=",), (name, value)) if not free_symbols(value) else None
        case Op(name="mul", args=(Sym(name=name), Seq(items=items, opening="(") as point)):
            named = len(name) == 1 and name.isupper() and len(items) > 1
            return Rel(("=",), (Sym(name), point)) if named else None
    return None


def named_value(node: Node) -> Node:
    """The value of a definition or of a chain of equals; the node itself if it is neither."""
    node = _labelled(node) or node
    if not isinstance(node, Rel) or any(op not in _EQUALS for op in node.ops):
        return node
    values = list(node.args)
    if len(values) == 2 and is_name(values[1]) and not is_name(values[0]):  # noqa: PLR2004 - `5 = x`
        values.reverse()
    while len(values) > 1 and is_name(values[0]):
        values.pop(0)
    if len(values) == len(node.args) and not _is_computation(node):
        return node
    return _best(values, node)


def _best(values: list[Node], chain: Rel) -> Node:
    """The last of equals; before an approximation sign, what stands before it."""
    ops = chain.ops[len(chain.args) - len(values) :]
    for index, op in enumerate(ops):
        if op == "~":
            return values[index]
    return values[-1]


def _is_computation(chain: Rel) -> bool:
    """`180 + 330 = 510`: no variable anywhere, or a bounded operation on the left."""
    bounded = has_op(chain.args[0], "lim", "int", "sum", "prod")
    return bounded or not any(free_symbols(arg) for arg in chain.args)


def stated_value(node: Node) -> Node:
    """As `named_value`, but a sum of names on the left is a name too: `m + n = 259`."""
    value = named_value(node)
    if value is node and isinstance(node, Rel) and all(op in _EQUALS for op in node.ops):
        constant = not free_symbols(node.args[-1])
        zero = isinstance(node.args[-1], Num) and not node.args[-1].value
        several = len(free_symbols(node.args[0])) > 1 and not zero
        size = has_op(node.args[0], "abs", "norm")
        asked = is_asked_for(node.args[0]) and (constant or not size)
        if asked or (constant and (several or len(node.args) > 2)):  # noqa: PLR2004
            return _best(list(node.args[1:]), node)
    return value


def name_of(node: Node) -> Node | None:
    """The name that a definition gives to its value."""
    node = _labelled(node) or node
    if isinstance(node, Rel) and all(op in _EQUALS for op in node.ops) and is_name(node.args[0]):
        return node.args[0]
    return None


def answered_value(answer: Node, gold: Node) -> Node:
    """The value that an answer states beside a gold answer, which may be an equation itself."""
    if free_symbols(gold) and _is_approximate(answer):
        return answer
    return answer if isinstance(gold, Rel) and named_value(gold) is gold else stated_value(answer)


def _is_approximate(node: Node) -> bool:
    return isinstance(node, Rel) and node.ops[0] == "~"
