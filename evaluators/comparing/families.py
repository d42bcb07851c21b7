r"""Families of values over the integers: `k\pi` and `n\pi`, with or without an offset."""

from dataclasses import dataclass
from typing import Any

from evaluators.comparing.heads import name_of, stated_value
from evaluators.comparing.probes import close
from evaluators.comparing.sequences import expanded
from evaluators.nodes import (
    INTEGER_LETTERS,
    Listing,
    Node,
    NotNumeric,
    Op,
    Rel,
    Seq,
    Sym,
    free_symbols,
    walk,
)
from evaluators.numbers.exact import Inexact
from evaluators.numbers.numeric import Evaluator, context

# Members of each family on both sides of zero, and how many steps of them are compared.
MEMBERS = 40
WINDOW_STEPS = 10
MAX_FAMILIES = 12


@dataclass(frozen=True, slots=True)
class _Family:
    """Offset and step of each value, what names them, and whether they are said to be a family."""

    lines: tuple[tuple[Any, Any], ...]
    letters: frozenset[str]
    name: Node | None
    said: bool


def same_family(gold: Node, answer: Node) -> bool:
    """Whether both say the same set of values, one per integer and written value.

    Angles are families, as is what the gold answer writes as a set over the integers or as a named
    value in another letter than n. Of other values, which may be formulas, the letter may differ.
    """
    if not free_symbols(gold) & INTEGER_LETTERS or (left := _family(gold)) is None:
        return False
    right = _family(answer)
    if right is None or (left.name and right.name and left.name != right.name):
        return False
    if left.said or (left.name is not None and "n" not in left.letters):
        return _same_members(left, right)
    return left.name is not None and _same_lines(left, right)


def is_integer_set(node: Node) -> bool:
    """Whether the node is a set-builder whose members stand one for each integer."""
    return isinstance(node, Op) and node.name == "builder" and _family(node) is not None


def _same_lines(left: _Family, right: _Family) -> bool:
    pairs = zip(left.lines, right.lines, strict=False)
    same = all(close(a, b, _tolerance()) for line in pairs for a, b in zip(*line, strict=True))
    return len(left.lines) == len(right.lines) and same


def _same_members(left: _Family, right: _Family) -> bool:
    widest = max(abs(step) for _, step in (*left.lines, *right.lines))
    window = WINDOW_STEPS * widest
    first, second = _members(left.lines, window), _members(right.lines, window)
    return len(first) == len(second) and all(
        abs(a - b) <= _tolerance() or close(a, b, _tolerance())
        for a, b in zip(first, second, strict=True)
    )


def _tolerance() -> Any:
    return context().mpf(10) ** -20


def _family(node: Node) -> _Family | None:
    r"""The values that are linear in an integer letter; None if one is not.

    Of a set-builder, `\{k\pi \mid k \in \mathbb{Z}\}` or `\{x \mid x = k\pi\}`.
    """
    said = True
    match node:
        case Op(name="builder", args=(value, Rel(ops=("in",), args=(Sym(name=name), over)))):
            if over != Sym("Integers") or free_symbols(value) != {name}:
                return None
            node = value
        case Op(
            name="builder", args=(Sym() as member, Rel(ops=("=",), args=(head, _)) as equation)
        ):
            if head != member:
                return None
            node = equation
        case Op(name="builder"):
            return None
        case _:
            said = False
    members = node.items if isinstance(node, Listing | Seq) else (node,)
    if len(members) > MAX_FAMILIES or (isinstance(node, Seq) and node.opening != "{"):
        return None
    values = [stated_value(signed) for member in members for signed in expanded(member)]
    letters = frozenset[str]().union(*map(free_symbols, values))
    if not letters or not letters <= INTEGER_LETTERS:
        return None
    lines = [
        _line(value, *free_symbols(value)) for value in values if len(free_symbols(value)) == 1
    ]
    found = tuple(line for line in lines if line is not None)
    if len(found) < len(values):
        return None
    named = name_of(node) if isinstance(node, Rel) and not said else None
    return _Family(found, letters, named, said or all(map(_is_angle, values)))


def _is_angle(value: Node) -> bool:
    return any(
        (isinstance(n, Sym) and n.name == "pi") or (isinstance(n, Op) and n.name == "deg")
        for n in walk(value)
    )


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


def _members(lines: tuple[tuple[Any, Any], ...], window: Any) -> list[Any]:
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
