"""Two equations or inequalities: the same up to a non-zero factor and moving terms."""

import random
import re
from typing import Any

from evaluators.comparing.heads import is_name, name_of
from evaluators.comparing.probes import MAX_POINTS, close, has_kinks, points
from evaluators.comparing.regions import ORDER, is_region, same_region
from evaluators.comparing.scalars import Policy, same_scalar
from evaluators.nodes import (
    Listing,
    Node,
    NotNumeric,
    Op,
    Rel,
    Seq,
    Sym,
    free_symbols,
    negated,
    rename,
    walk,
)
from evaluators.numbers.crossings import quadratic_roots
from evaluators.numbers.exact import Inexact
from evaluators.numbers.numeric import Evaluator, context
from evaluators.verdict import Decision, Outcome, different, equal, undecided

# Letters that call any function theirs; dx/dt and dy/dt are derivatives of two.
_ANY_FUNCTION = frozenset({"f", "g", "F", "G"})
# Points at which the ratio of two differences must be the same.
RATIO_POINTS = 5
AGREED_DIGITS = 20
# Solutions of one equation.
MAX_SOLUTIONS = 8
# The name itself in `f'`, `hat f`, `f_1`.
_LETTER = re.compile(r"[A-Za-z]+(?![A-Za-z ])")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def same_relation(gold: Rel, answer: Rel, policy: Policy) -> Decision:
    """Whether two relations (chains too) say the same."""
    gold, answer = _shortened(gold), _shortened(answer)
    if _same_chain(gold, answer, policy) or _same_chain(gold, _reversed(answer), policy):
        return equal("same_relation")
    if not free_symbols(gold) or has_unknown_function(gold):
        single = len(gold.ops) == len(answer.ops) == 1 and gold.ops == ("=",)
        return _single(gold, answer, policy) if single else different("other_relation")
    if len(gold.ops) == 1 and len(answer.ops) == 1:
        return _single(gold, answer, policy)
    if is_region(gold) and is_region(answer):
        return same_region(gold, answer)
    return different("other_relation")


def _shortened(node: Rel) -> Rel:
    """A computation `x = 5 + 6 = 11` says that the name has the last value."""
    chain = len(node.ops) > 1 and all(op == "=" for op in node.ops) and is_name(node.args[0])
    if chain and not all(map(is_name, node.args[:-1])):
        return Rel(("=",), (node.args[0], node.args[-1]))
    return node


def _reversed(node: Rel) -> Rel:
    ops = tuple(_FLIPPED.get(op, op) for op in reversed(node.ops))
    return Rel(ops, tuple(reversed(node.args)))


def _same_chain(gold: Rel, answer: Rel, policy: Policy) -> bool:
    if gold.ops != answer.ops or "in" in gold.ops:
        return False
    return all(
        same_scalar(a, b, policy).outcome is Outcome.EQUAL
        for a, b in zip(gold.args, answer.args, strict=True)
    )


def _single(gold: Rel, answer: Rel, policy: Policy) -> Decision:
    left, right = gold.ops[0], answer.ops[0]
    equations = ("=", "~", "equiv")
    if left in equations and right in equations:
        return _same_equation(gold, answer, policy)
    if left in ORDER and right in ORDER:
        return _same_inequality(gold, answer)
    if left == right == "!=":
        same = _constant_ratio(_difference(gold), _difference(answer)) is not None
        return equal("same_relation") if same else same_region(gold, answer)
    if is_region(gold) and is_region(answer):
        return same_region(gold, answer)
    return different("other_relation")


def _same_equation(gold: Rel, answer: Rel, policy: Policy) -> Decision:
    if answer.ops not in (gold.ops, ("=",)) and free_symbols(answer.args[-1]):
        return different("other_relation")
    if _defines(gold.args[0]) and _defines(answer.args[0]):
        decision = _same_definition(gold, answer, policy)
        if decision.outcome is Outcome.EQUAL:
            return decision
        if decision.rule == "other_name" and not _is_solved_for(gold, answer):
            return decision
    first, second = _difference(gold), _difference(answer)
    if _constant_ratio(first, second) is not None:
        return equal("same_equation")
    if free_symbols(gold) != free_symbols(answer):
        return different("other_equation")
    return _same_zeros(first, second)


def _is_solved_for(gold: Rel, answer: Rel) -> bool:
    """`y = 2x + 3` and `x = (y - 3)/2`: one equation solved for two of its variables."""
    heads = (gold.args[0], answer.args[0])
    names = free_symbols(gold)
    return (
        names == free_symbols(answer)
        and all(isinstance(head, Sym) and head.name in names for head in heads)
        and all(free_symbols(side.args[-1]) for side in (gold, answer))
    )


def _same_definition(gold: Rel, answer: Rel, policy: Policy) -> Decision:
    """Two definitions agree when the values do, after renaming the bound names."""
    left, right = gold.args[0], answer.args[0]
    if not same_head(left, right):
        return different("other_name")
    renamed = {}
    if _arguments(left) and len(_arguments(left)) == len(_arguments(right)):
        renamed = dict(zip(_arguments(right), _arguments(left), strict=True))
        changed = {new for old, new in renamed.items() if old != new}
        if changed & free_symbols(answer.args[-1]) - set(renamed):
            return different("other_variable")
    elif (
        (isinstance(left, Sym) and isinstance(right, Sym) and left != right)
        or _is_applied_to(left, right)
        or _is_applied_to(right, left)
    ):
        return different("other_name")
    return same_scalar(gold.args[-1], rename(answer.args[-1], renamed), policy)


def same_head(left: Node, right: Node) -> bool:
    """Whether two definitions may define one thing: `f(x)` and `g(t)`, not `f(x)` and `f'(x)`."""
    left, right = _segment(left), _segment(right)
    if left == right:
        return True
    sequences = _sequence(left), _sequence(right)
    if all(sequences) and sequences[0] != sequences[1]:
        return False
    first, second = _defined(left), _defined(right)
    if first is None or first != second or not _same_derivative(left, right):
        return False
    counts = {
        len(head.args) for head in (left, right) if isinstance(head, Op) and head.name != "mul"
    }
    return len(counts) < 2  # noqa: PLR2004 - functions of as many arguments


def _sequence(head: Node) -> str:
    """The letter of a term whose index is a letter: it tells two sequences apart."""
    letter, _, index = head.name.partition("_") if isinstance(head, Sym) else ("", "", "")
    return letter if index.isalpha() else ""


def _same_derivative(left: Node, right: Node) -> bool:
    """Whether two derivatives, if they are, may be of one function: of f, or of the same letter."""
    names = {name.rstrip("'") for head in (left, right) if (name := _function(head)).endswith("'")}
    return len(names) < 2 or not names.isdisjoint(_ANY_FUNCTION)  # noqa: PLR2004 - two letters


def _function(head: Node) -> str:
    name = head.name if isinstance(head, Op | Sym) else ""
    return name.removeprefix("apply:")


def _segment(head: Node) -> Node:
    """`|AB|` and a line over AB are named as AB is."""
    match head:
        case Op(name="abs" | "norm" | "overline", args=(Op(name="mul") as named,)):
            return named
    return head


def _defined(head: Node) -> str | None:
    """What a head adds to a name: primes, an accent, an index; an argument that is no variable."""
    match head:
        case Op(name=name, args=args) if name.startswith("apply:"):
            whole = bool(args) and all(isinstance(arg, Sym) for arg in args)
            added = _LETTER.sub("", name.removeprefix("apply:"), count=1)
            return added if whole else f"{args}{added}"
        case Sym(name=name):
            return _LETTER.sub("", name.partition("_")[0], count=1) + "'" * name.partition("_")[
                2
            ].count("'")
        case Seq() | Op(name="mul"):
            return ""
    return None


def _is_applied_to(head: Node, name: Node) -> bool:
    """`f(x) = 7` says another thing than `x = 7`."""
    return isinstance(name, Sym) and name.name in _arguments(head) and isinstance(head, Op)


def _defines(head: Node) -> bool:
    return is_name(head) and not (isinstance(head, Op) and head.name in ("mul", "div", "ratio"))


def has_unknown_function(node: Node) -> bool:
    """Whether an undefined function is applied somewhere."""
    return any(isinstance(n, Op) and n.name.startswith("apply:") for n in walk(node))


def _arguments(head: Node) -> list[str]:
    if isinstance(head, Op) and head.name.startswith("apply:"):
        return [arg.name for arg in head.args if isinstance(arg, Sym)]
    if isinstance(head, Sym) and head.name.partition("_")[2].isalpha():
        return [head.name.partition("_")[2]]
    return []


def _same_inequality(gold: Rel, answer: Rel) -> Decision:
    strict_left, strict_right = gold.ops[0] in "<>", answer.ops[0] in "<>"
    ratio = _constant_ratio(_directed(gold), _directed(answer))
    if ratio is not None and ratio > 0 and strict_left == strict_right:
        return equal("same_inequality")
    if len(free_symbols(gold)) == 1 and free_symbols(gold) == free_symbols(answer):
        return same_region(gold, answer)
    return different("other_inequality")


def _difference(node: Rel) -> Node:
    return Op("add", (node.args[0], negated(node.args[1])))


def _directed(node: Rel) -> Node:
    """The difference that the inequality says is positive."""
    difference = _difference(node)
    return difference if node.ops[0] in (">", ">=") else Op("neg", (difference,))


def _values(nodes: tuple[Node, ...], count: int) -> list[list[Any]]:
    """Values of the nodes at common points where all of them are defined."""
    names = sorted(frozenset().union(*(free_symbols(node) for node in nodes)))
    rows: list[list[Any]] = []
    count = MAX_POINTS if has_kinks(*nodes) else count
    for point in points(nodes, names):
        try:
            rows.append([Evaluator(point).value(node) for node in nodes])
        except (NotNumeric, Inexact):
            continue
        if len(rows) == count:
            break
    return rows


def _constant_ratio(a: Node, b: Node) -> Any:
    """The ratio of two formulas when it is the same non-zero number everywhere, else None."""
    rows = [row for row in _values((a, b), RATIO_POINTS) if row[0] or row[1]]
    if len(rows) < RATIO_POINTS - 2 or not all(row[0] and row[1] for row in rows):
        return None
    ratios = [row[1] / row[0] for row in rows]
    tolerance = context().mpf(10) ** -AGREED_DIGITS
    if not all(close(ratio, ratios[0], tolerance) for ratio in ratios):
        return None
    if not free_symbols(a) and not free_symbols(b):
        return None
    return ratios[0] if not context().im(ratios[0]) else abs(ratios[0])


def _same_zeros(a: Node, b: Node) -> Decision:
    """Each formula vanishes where the other does, on the lines where it is linear in a variable."""
    tested = 0
    for first, second in ((a, b), (b, a)):
        for name in sorted(free_symbols(first)):
            for root_point in _zeros(first, name):
                try:
                    value = Evaluator(root_point).value(second)
                    scale = _scale(second, root_point)
                except (NotNumeric, Inexact):
                    continue
                tested += 1
                if abs(value) > context().mpf(10) ** -AGREED_DIGITS * max(1, scale):
                    return different("other_zeros")
    if tested and not has_kinks(a, b):
        directions = all(any(list(_zeros(f, n)) for n in free_symbols(f)) for f in (a, b))
        return equal("same_zeros") if directions else undecided("zeros_one_way")
    return undecided("equation_not_solved")


def _scale(node: Node, point: dict[str, Any]) -> Any:
    """The size of the largest variable value, against which a residue is small."""
    del node
    return max([abs(value) for value in point.values()], default=1)


def _zeros(node: Node, name: str) -> list[dict[str, Any]]:
    """Points where the formula vanishes, found where it is linear or quadratic in the variable."""
    mp = context()
    others = sorted(free_symbols(node) - {name})
    generator = random.Random("speclrm zeros")  # noqa: S311 - fixed points, no secrets
    found: list[dict[str, Any]] = []
    for _ in range(3):
        point = {n: mp.mpf(generator.randint(200_003, 899_983)) / 1_000_003 for n in others}
        try:
            roots = quadratic_roots(node, name, point)
        except (NotNumeric, Inexact):
            continue
        found += [{**point, name: root} for root in roots]
    return found


def solves(equation: Node, solutions: Node) -> bool | None:
    """Whether a list `x = 1 or x = 2` is what an equation in x says; None if they are not that."""
    if (
        not isinstance(equation, Rel)
        or equation.ops != ("=",)
        or not isinstance(solutions, Listing)
    ):
        return None
    names = {name_of(item) for item in solutions.items}
    name = next(iter(names))
    if len(names) != 1 or not isinstance(name, Sym) or len(solutions.items) > MAX_SOLUTIONS:
        return None
    factors = tuple(
        Op("add", (name, negated(item.args[-1])))
        for item in solutions.items
        if isinstance(item, Rel)
    )
    return _constant_ratio(_difference(equation), Op("mul", factors)) is not None
