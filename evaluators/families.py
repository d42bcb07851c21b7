r"""Families of values over the integers: `k\pi` and `n\pi`, with or without an offset."""

from typing import Any

from evaluators.exact import Inexact
from evaluators.heads import stated_value
from evaluators.nodes import Listing, Node, NotNumeric, Op, Seq, Sym, free_symbols, walk
from evaluators.numeric import Evaluator, context
from evaluators.probes import close

# Letters that stand for an integer in a family of angles.
INTEGER_LETTERS = frozenset({"k", "n", "m", "l", "j", "N", "K", "z"})
# Members of each family on both sides of zero, and how many steps of them are compared.
MEMBERS = 40
WINDOW_STEPS = 10
MAX_FAMILIES = 12


def same_family(gold: Node, answer: Node) -> bool:
    """Whether both say the same set of angles, one per integer and written value."""
    left, right = _lines(gold), _lines(answer)
    if left is None or right is None:
        return False
    widest = max(abs(step) for _, step in (*left, *right))
    window = WINDOW_STEPS * widest
    first, second = _members(left, window), _members(right, window)
    if len(first) != len(second):
        return False
    tolerance = context().mpf(10) ** -20
    return all(
        abs(a - b) <= tolerance or close(a, b, tolerance)
        for a, b in zip(first, second, strict=True)
    )


def _lines(node: Node) -> "list[tuple[Any, Any]] | None":
    """Offset and step of each value that is linear in an integer letter; None if one is not."""
    members = node.items if isinstance(node, Listing | Seq) else (node,)
    if len(members) > MAX_FAMILIES or (isinstance(node, Seq) and node.opening != "{"):
        return None
    lines = []
    for member in members:
        value = stated_value(member)
        names = free_symbols(value)
        angle = any(
            (isinstance(n, Sym) and n.name == "pi") or (isinstance(n, Op) and n.name == "deg")
            for n in walk(value)
        )
        if len(names) != 1 or not names <= INTEGER_LETTERS or not angle:
            return None
        line = _line(value, next(iter(names)))
        if line is None:
            return None
        lines.append(line)
    return lines


def _line(value: Node, name: str) -> "tuple[Any, Any] | None":
    mp = context()
    try:
        zero, one, two = (Evaluator({name: mp.mpf(k)}).value(value) for k in (0, 1, 2))
        before = Evaluator({name: mp.mpf(-2)}).value(value)
    except (NotNumeric, Inexact):
        return None
    step = one - zero
    linear = close(two - one, step, mp.mpf(10) ** -20)
    linear = (
        linear
        and close(zero - before, 2 * step, mp.mpf(10) ** -20)
        and not mp.im(step)
        and not mp.im(zero)
    )
    return (zero, step) if linear and step else None


def _members(lines: "list[tuple[Any, Any]]", window: Any) -> list[Any]:
    values = sorted(
        offset + step * k
        for offset, step in lines
        for k in range(-MEMBERS, MEMBERS + 1)
        if -window / 100 <= offset + step * k < window
    )
    kept: list[Any] = []
    for value in values:
        if not kept or value - kept[-1] > context().mpf(10) ** -20:
            kept.append(value)
    return kept
