"""Sets of real numbers in any form: intervals, unions, inequalities, set-builders.

Two regions are compared by membership at every endpoint that either names, next to it on both
sides, between them and far out; the endpoints are exact or good to 50 digits.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evaluators.nodes import Listing, Node, NotNumeric, Op, Rel, Seq, Sym, free_symbols, walk
from evaluators.numbers.crossings import sign_changes
from evaluators.numbers.exact import Inexact
from evaluators.numbers.numeric import Evaluator, context
from evaluators.verdict import Decision, different, equal, undecided

# Endpoints of one comparison; the probes are quadratic in nothing, but every one costs evaluations.
MAX_ENDPOINTS = 60
# Two endpoints this close are the same point, relative.
SAME_POINT_DIGITS = 30

ORDER = frozenset({"<", "<=", ">", ">="})
_MEMBERS = frozenset({"in", "notin", "!="})
_SETS = frozenset({"cup", "cap", "setminus", "builder"})


@dataclass(frozen=True, slots=True)
class Region:
    """Membership of a real number, and the endpoints that the writing names."""

    contains: Callable[[Any], bool]
    endpoints: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of a set of real numbers; `low` and `high` are the same for a single point."""

    low: Any
    high: Any
    low_in: bool
    high_in: bool


class NotRegion(Exception):  # noqa: N818 - not a failure: the answer is something else
    """The node is no set of real numbers that can be tested."""


def is_region(node: Node) -> bool:
    """Whether the node says a set of numbers by more than a plain bracket pair."""
    match node:
        case Rel(ops=ops):
            return any(op in ORDER or op in _MEMBERS for op in ops)
        case Op(name=name):
            return name in _SETS
        case Sym(name=name):
            return name in ("Reals", "EmptySet")
        case Listing(items=items):
            return any(is_region(item) for item in items)
        case Seq(items=items, opening=opening):
            infinite = any(isinstance(n, Sym) and n.name == "oo" for i in items for n in walk(i))
            return opening != "{" and infinite
    return False


def same_region(gold: Node, answer: Node) -> Decision:
    """Whether both say the same set of real numbers."""
    if any(_is_point(side) for side in (gold, answer)):
        return different("region_is_not_value")
    subjects = _subjects(gold) | _subjects(answer)
    if len(subjects) > 1:
        return different("other_name")
    parameters = sorted(free_symbols(gold) | free_symbols(answer))
    point = {name: context().mpf(index * index + 2) / 3 for index, name in enumerate(parameters)}
    try:
        left, right = _region(gold, point), _region(answer, point)
    except (NotRegion, NotNumeric, Inexact):
        return undecided("region_not_read")
    endpoints = _distinct([*left.endpoints, *right.endpoints])
    if len(endpoints) > MAX_ENDPOINTS:
        return undecided("too_many_endpoints")
    probes = _probes(endpoints)
    tested = 0
    for probe in probes:
        try:
            if left.contains(probe) != right.contains(probe):
                return different("membership_differs")
        except (NotRegion, NotNumeric, Inexact):
            continue
        tested += 1
    return equal("same_region") if 2 * tested >= len(probes) else undecided("region_undefined")


def _is_point(node: Node) -> bool:
    """Values of several unknowns, `x = 2, y = 3`: no set of real numbers."""
    return len(_subjects(node)) > 1


def pieces(node: Node, point: Mapping[str, Any]) -> list[Piece]:
    """The set from left to right, however it was written; `point` gives parameters their values.

    Raises:
        NotRegion, NotNumeric, Inexact: it is no set of real numbers that can be tested.
    """
    mp = context()
    region = _region(node, point)
    ends = _distinct(region.endpoints)
    if len(ends) > MAX_ENDPOINTS:
        raise NotRegion
    found: list[Piece] = []
    for low, high in pairwise([mp.ninf, *ends, mp.inf]):
        inside = region.contains(_between(low, high))
        at_low = bool(mp.isfinite(low)) and region.contains(low)
        if at_low and found and found[-1].high == low:
            before = found.pop()
            found.append(Piece(before.low, high if inside else low, before.low_in, not inside))
        elif at_low or inside:
            found.append(Piece(low, high if inside else low, at_low, at_low and not inside))
    return found


def _between(low: Any, high: Any) -> Any:
    mp = context()
    if mp.isfinite(low) and mp.isfinite(high):
        return (low + high) / 2
    if mp.isfinite(low):
        return low + 1
    return high - 1 if mp.isfinite(high) else mp.mpf(0)


def _distinct(values: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in sorted(values):
        if not kept or not _same_point(kept[-1], value):
            kept.append(value)
    return kept


def _same_point(a: Any, b: Any) -> bool:
    return bool(a == b or abs(a - b) <= context().mpf(10) ** -SAME_POINT_DIGITS * max(1, abs(a)))


def _probes(endpoints: list[Any]) -> list[Any]:
    mp = context()
    if not endpoints:
        return [mp.mpf(n) / 7 for n in (-7000, -95, -30, -11, -3, 0, 2, 5, 13, 38, 101, 7001)]
    gaps = [b - a for a, b in pairwise(endpoints)]
    step = min([mp.mpf(1), *gaps]) / 3
    probes = [endpoints[0] - 1000, endpoints[0] - 2, endpoints[-1] + 2, endpoints[-1] + 1000]
    for endpoint in endpoints:
        probes += [endpoint - step, endpoint, endpoint + step]
    probes += [a + (b - a) / 2 for a, b in pairwise(endpoints)]
    return probes


def _region(node: Node, point: Mapping[str, Any]) -> Region:
    match node:
        case Rel():
            return _relation(node, point)
        case Seq(items=items, opening="{"):
            return _finite(items, point)
        case Seq(items=(low, high), opening=opening, closing=closing):
            return _interval(low, high, opening == "[", closing == "]", point)
        case Op(name="builder", args=(variable, condition)):
            return _built(variable, condition, point)
        case Op(name=name, args=(a, b)) if name in ("cup", "cap", "setminus"):
            return _joined(name, _region(a, point), _region(b, point))
        case Sym(name="Reals"):
            return Region(lambda _: True, ())
        case Sym(name="EmptySet"):
            return Region(lambda _: False, ())
        case Sym(name="Integers" | "Naturals" as name):
            least = context().mpf(1) if name == "Naturals" else context().ninf
            return Region(lambda x: x >= least and _same_point(x, context().nint(x)), ())
        case Listing(items=items, joiner=joiner):
            return _listed(items, joiner, point)
    raise NotRegion


def _built(variable: Node, condition: Node, point: Mapping[str, Any]) -> Region:
    if isinstance(variable, Rel) and variable.ops == ("in",) and variable.args[1] == Sym("Reals"):
        variable = variable.args[0]
    if not isinstance(variable, Sym):
        raise NotRegion
    if not _subjects(condition) <= {variable}:
        raise NotRegion
    return _region(condition, point)


def _listed(items: tuple[Node, ...], joiner: str, point: Mapping[str, Any]) -> Region:
    """Conditions joined by `or` unite, by `and` or a comma they intersect; listed sets unite."""
    if not any(is_region(item) or isinstance(item, Seq | Rel) for item in items):
        return _finite(items, point)
    first = items[0]
    if isinstance(first, Rel) and first.ops == ("!=",):
        items = tuple(i if isinstance(i, Rel) else Rel(("!=",), (first.args[0], i)) for i in items)
    regions = [_region(item, point) for item in items]
    sets = not any(isinstance(item, Rel) for item in items)
    disjoint = joiner == "," and all(_is_comparison(item) for item in items) and _excluding(items)
    how = "cup" if joiner == "or" or sets else "cap"
    if disjoint:
        how = "cup"
    total = regions[0]
    for region in regions[1:]:
        total = _joined(how, total, region)
    return total


def _is_comparison(node: Node) -> bool:
    return isinstance(node, Rel) and len(node.ops) == 1 and node.ops[0] in ORDER


def _excluding(items: tuple[Node, ...]) -> bool:
    """`x < -1, x > 1` cannot hold at once: such a list means either."""
    if len(items) != 2 or not all(isinstance(item, Rel) for item in items):  # noqa: PLR2004 - two rays
        return False
    try:
        regions = [
            _region(item, {name: context().mpf(1) for name in free_symbols(item)}) for item in items
        ]
    except (NotRegion, NotNumeric, Inexact):
        return False
    ends = _distinct([e for region in regions for e in region.endpoints])
    return not any(all(region.contains(p) for region in regions) for p in _probes(ends))


def _joined(how: str, a: Region, b: Region) -> Region:
    tests: dict[str, Callable[[Any], bool]] = {
        "cup": lambda x: a.contains(x) or b.contains(x),
        "cap": lambda x: a.contains(x) and b.contains(x),
        "setminus": lambda x: a.contains(x) and not b.contains(x),
    }
    return Region(tests[how], (*a.endpoints, *b.endpoints))


def _finite(items: tuple[Node, ...], point: Mapping[str, Any]) -> Region:
    values = tuple(_real(item, point) for item in items)
    return Region(lambda x: any(_same_point(x, value) for value in values), values)


def _interval(
    low: Node, high: Node, low_in: bool, high_in: bool, point: Mapping[str, Any]
) -> Region:
    left, right = _bound(low, point), _bound(high, point)
    if left > right:
        raise NotRegion

    def contains(x: Any) -> bool:
        at_low, at_high = _at(x, left), _at(x, right)
        if at_low or at_high:
            return (low_in if at_low else True) and (high_in if at_high else True)
        return bool(left < x < right)

    return Region(contains, tuple(v for v in (left, right) if context().isfinite(v)))


def _at(x: Any, bound: Any) -> bool:
    return bool(context().isfinite(bound)) and _same_point(x, bound)


def _bound(node: Node, point: Mapping[str, Any]) -> Any:
    mp = context()
    match node:
        case Sym(name="oo"):
            return mp.inf
        case Op(name="neg", args=(Sym(name="oo"),)):
            return mp.ninf
    return _real(node, point)


def _real(node: Node, point: Mapping[str, Any]) -> Any:
    value = Evaluator(point).value(node)
    if context().im(value):
        raise NotRegion
    return value


def _relation(node: Rel, point: Mapping[str, Any]) -> Region:
    if node.ops == ("in",):
        return _region(node.args[1], point)
    if node.ops == ("notin",):
        return _joined("setminus", Region(lambda _: True, ()), _region(node.args[1], point))
    subject = _subject(node)
    if subject is None:
        raise NotRegion
    closed = [not free_symbols(arg) for arg in node.args]
    if "in" in node.ops or any(a and b for a, b in pairwise(closed)):
        raise NotRegion
    name = subject.name if isinstance(subject, Sym) else "the value"
    arms = [Sym(name) if arg == subject else arg for arg in node.args]
    ends = [_bound(arm, point) for arm in arms if name not in free_symbols(arm)]

    def contains(x: Any) -> bool:
        place = {**point, name: x}
        values = [_bound(arm, place) for arm in arms]
        return all(_holds(op, a, b) for op, a, b in zip(node.ops, values, values[1:], strict=False))

    finite = tuple(end for end in ends if context().isfinite(end))
    plain = all(isinstance(arm, Sym) or name not in free_symbols(arm) for arm in arms)
    return Region(contains, finite if plain else _crossings(node, name, point))


def _subjects(node: Node) -> frozenset[Node]:
    """What the conditions in a node are about."""
    if isinstance(node, Rel):
        subject = _subject(node) if node.ops != ("in",) else None
        return frozenset({subject} if subject else ())
    items = node.items if isinstance(node, Listing) else ()
    return frozenset[Node]().union(*map(_subjects, items))


def _subject(node: Rel) -> Node | None:
    """What the relation is about: a bare side, the middle of a chain, or the only variable.

    The middle of a chain is a variable where it has one only (`1 < 2x < 3`), else a quantity
    (`1 < xy < 3`), which is never taken for a variable beside it.
    """
    if len(node.args) > 2:  # noqa: PLR2004 - a chain
        middle = node.args[1]
        named = free_symbols(middle)
        unknown = isinstance(middle, Op) and middle.name.startswith("apply:")
        return Sym(next(iter(named))) if len(named) == 1 and not unknown else middle
    for side, other in (node.args, node.args[::-1]):
        if isinstance(side, Sym) and side.name != "oo" and side.name not in free_symbols(other):
            return side
        if isinstance(side, Op) and side.name.startswith("apply:") and not free_symbols(other):
            return side
    names = free_symbols(node)
    return Sym(next(iter(names))) if len(names) == 1 else None


def _holds(op: str, a: Any, b: Any) -> bool:
    same = a == b or (_at(a, b) and _at(b, a))
    match op:
        case "=" | "~":
            return bool(same)
        case "!=":
            return not same
        case "<":
            return bool(a < b) and not same
        case ">":
            return bool(a > b) and not same
        case "<=":
            return bool(a < b) or bool(same)
        case ">=":
            return bool(a > b) or bool(same)
    raise NotRegion


def _crossings(node: Rel, name: str, point: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a general inequality may change: sign changes of its differences, by bisection."""
    found: list[Any] = []
    for left, right in zip(node.args, node.args[1:], strict=False):
        found += sign_changes(Op("add", (left, Op("neg", (right,)))), name, point)
    return tuple(found)
