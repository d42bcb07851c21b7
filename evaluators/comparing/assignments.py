"""Values with their names: `x = 3, y = -4`, `(x, y) = (3, -4)`, and the tuple that they make."""

from collections.abc import Callable
from itertools import pairwise

from evaluators.comparing.heads import is_name, name_of, named_value
from evaluators.nodes import Listing, Node, Rel, Seq, Sym, free_symbols, substituted
from evaluators.numbers.exact import exact_value
from evaluators.verdict import Decision, Outcome, different, equal

_Named = dict[Node, Node]


def same_assignments(
    gold: Node, answer: Node, compare: Callable[[Node, Node], Decision]
) -> Decision | None:
    """Whether two answers give the same values to the same names; None where one names none."""
    if _joined_otherwise(gold, answer):
        return different("other_relation")
    left, right = _assignments(gold), _assignments(answer)
    if left is None or right is None:
        named = [{_letter(name) for name in _names(side)} for side in (gold, answer)]
        return different("other_name") if all(named) and named[0] != named[1] else None
    if set(left) != set(right):
        one = len({_letter(name) for name in (*left, *right)}) == 1
        return None if one else different("other_name")
    for name, value in left.items():
        decision = compare(value, right[name])
        if decision.outcome is not Outcome.EQUAL:
            return decision
    return equal("same_assignments")


def _joined_otherwise(gold: Node, answer: Node) -> bool:
    """`x = 3 or y = -1` beside `x = 3, y = -1`: values of several names, both or one of them."""
    joined = [side.joiner == "or" for side in (gold, answer) if isinstance(side, Listing)]
    several = all(len(set(_names(side))) > 1 for side in (gold, answer))
    return several and len(set(joined)) > 1


def as_tuple(node: Node, other: Node) -> Node:
    """Named values beside a tuple: the tuple that they make in the order of their names."""
    if not isinstance(other, Seq) or other.opening == "{" or (named := _assignments(node)) is None:
        return node
    return Seq(tuple(named[name] for name in _in_order(list(named))), "(", ")")


def derived(node: Node) -> Node:
    """`m = 100, n = 13, m + n = 113`: what is worked out last from values named before it."""
    if not isinstance(node, Listing) or not isinstance(node.items[-1], Rel):
        return node
    *given, last = node.items
    named = {
        item.args[0].name: item.args[-1]
        for item in given
        if isinstance(item, Rel) and item.ops == ("=",) and isinstance(item.args[0], Sym)
    }
    if len(named) < len(given) or last.ops != ("=",) or is_name(last.args[0]):  # type: ignore[union-attr]
        return node
    wanted, value = last.args  # type: ignore[union-attr]
    found = exact_value(substituted(wanted, named))
    follows = found is not None and found == exact_value(value)
    return value if follows and free_symbols(wanted) else node


def _assignments(node: Node) -> _Named | None:
    """The values by their names, of two or more."""
    if isinstance(node, Rel) and all(op == "=" for op in node.ops):
        names, values = node.args[0], node.args[-1]
        if isinstance(names, Seq) and isinstance(values, Seq):
            paired = len(names.items) == len(values.items) > 1 and values.opening == "("
            named = dict(zip(names.items, values.items, strict=True)) if paired else {}
            return named if len(named) == len(names.items) else None
        if len(set(node.args[:-1])) == len(node.args) - 1 > 1 and all(map(is_name, node.args[:-1])):
            return dict.fromkeys(node.args[:-1], values)
    if not isinstance(node, Listing | Seq) or len(node.items) < 2:  # noqa: PLR2004 - one name is no order
        return None
    listed = dict(zip(_names(node), map(named_value, node.items), strict=False))
    return listed if len(listed) == len(node.items) else None


def _names(node: Node) -> list[Node]:
    """The names of a list in which every item has one."""
    listed = isinstance(node, Listing) or (isinstance(node, Seq) and node.opening == "{")
    names = [name_of(item) for item in node.items] if listed else []  # type: ignore[union-attr]
    return [name for name in names if name is not None] if None not in names else []


def _letter(name: Node) -> Node:
    """A name without its number: `x_1` and `x_2` are values of x."""
    letter, index = _indexed(name)
    return Sym(letter) if index.isdecimal() else name


def _in_order(names: list[Node]) -> list[Node]:
    """Letters that follow one another, or numbered ones, in their order; others as written."""
    places = {place: name for name in names if (place := _place(name)) is not None}
    ordered = sorted(places)
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(ordered)}
    if len(places) < len(names) or not (steps <= {(1, 0)} or steps <= {(0, 1)}):
        return names
    return [places[place] for place in ordered]


def _place(name: Node) -> tuple[int, int] | None:
    """Where a name stands in the alphabet, and its number."""
    letter, index = _indexed(name)
    if len(letter) != 1 or not letter.isascii() or (index and not index.isdecimal()):
        return None
    return ord(letter), int(index or 0)


def _indexed(name: Node) -> tuple[str, str]:
    """The letter and the index of a variable; nothing of any other name."""
    letter, _, index = name.name.partition("_") if isinstance(name, Sym) else ("", "", "")
    return letter, index
