"""Several values: lists and sets in any order, tuples and matrices in order, names to values."""

from collections.abc import Callable, Sequence

from evaluators.comparing.heads import name_of, stated_value
from evaluators.nodes import (
    CONSTANTS,
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
    walk,
)
from evaluators.verdict import Decision, Outcome, different, equal, undecided

Compare = Callable[[Node, Node], Decision]

# Lists longer than this are compared in order only: matching is quadratic.
MAX_UNORDERED = 60
# Powers of a set that are written out as a product.
_DIMENSIONS = range(2, 10)


def set_factors(node: Node) -> tuple[Node, ...]:
    r"""The sets of a product such as `[0,1]^2` and `[0,1]\times[0,1]`; empty if it is none."""
    match node:
        case Op(name="mul", args=args) if all(_is_set(arg) for arg in args):
            return args
        case Op(name="pow", args=(base, Num(value=count))) if _is_set(base):
            return (base,) * int(count) if count in _DIMENSIONS else ()
    return ()


def _is_set(node: Node) -> bool:
    named = isinstance(node, Sym) and node.name in CONSTANTS and node.name[0].isupper()
    return named or (isinstance(node, Seq) and len(node.items) > 1)


def is_several(node: Node) -> bool:
    """Whether the node holds several values."""
    return isinstance(node, Listing | Seq | Mat) or has_free_sign(node)


def has_free_sign(node: Node) -> bool:
    """Whether a plus-or-minus sign makes two values of the node."""
    if isinstance(node, Rel):
        return has_free_sign(node.args[-1])
    return not isinstance(node, Seq | Listing | Mat) and any(
        isinstance(n, Op) and n.name in ("pm", "mp") for n in walk(node)
    )


def expanded(node: Node) -> list[Node]:
    """The values of a node with plus-or-minus signs; all its signs switch together."""
    if not has_free_sign(node):
        return [node]
    return [signed(node, plus=True), signed(node, plus=False)]


def signed(node: Node, *, plus: bool) -> Node:
    """The node with its plus-or-minus signs resolved."""
    match node:
        case Op(name="pm" | "mp" as name, args=args):
            parts = [signed(arg, plus=plus) for arg in args]
            last = parts[-1] if plus == (name == "pm") else Op("neg", (parts[-1],))
            return Op("add", (*parts[:-1], last)) if len(parts) > 1 else last
        case Op(name=name, args=args):
            return Op(name, tuple(signed(arg, plus=plus) for arg in args))
        case Rel(ops=ops, args=args):
            return Rel(ops, tuple(signed(arg, plus=plus) for arg in args))
        case Quantity(value=value, unit=unit):
            return Quantity(signed(value, plus=plus), unit)
    return node


def same_several(gold: Node, answer: Node, compare: Compare) -> Decision:
    """Whether two answers of several values agree."""
    for first, second in ((gold, answer), (answer, gold)):
        if isinstance(first, Mat) or _is_nested_list(first):
            if not isinstance(second, Mat | Seq):
                return different("other_shape")
            if isinstance(second, Seq) and second.opening == "{":
                return different("tuple_is_not_set")
            both = isinstance(gold, Mat) and isinstance(answer, Mat)
            return _same_rows(_rows(gold), _rows(answer), compare, written_out=both)
    if _is_ordered(gold) and _is_ordered(answer):
        return _same_ordered(gold, answer, compare)
    if _is_ordered(gold) or _is_ordered(answer):
        return _ordered_and_list(gold, answer, compare)
    if _joined_otherwise(gold, answer):
        return different("words")
    left, right = _values(_members(gold)), _values(_members(answer))
    if _elliptic(left) or _elliptic(right):
        return in_order(left, right, compare)
    return _any_order(_once(gold, left, compare), _once(answer, right, compare), compare)


def _joined_otherwise(gold: Node, answer: Node) -> bool:
    """`a and b` beside `a or b`: names joined by another word; of values either lists them."""
    sides = [side for side in (gold, answer) if isinstance(side, Listing)]
    named = all(isinstance(item, Sym | Words) for side in sides for item in side.items)
    return named and {side.joiner for side in sides} == {"and", "or"}


def _is_ordered(node: Node) -> bool:
    return isinstance(node, Seq) and node.opening != "{"


def _is_nested_list(node: Node) -> bool:
    """`[[1, 2], [3, 4]]` is a matrix."""
    return (
        isinstance(node, Seq)
        and node.opening == "["
        and bool(node.items)
        and all(isinstance(item, Seq) and item.opening == "[" for item in node.items)
    )


def _rows(node: Node) -> list[list[Node]]:
    """The entries by rows; a tuple is a column, as is a row matrix beside it."""
    if isinstance(node, Mat):
        return [list(row) for row in node.rows]
    if _is_nested_list(node) and isinstance(node, Seq):
        return [list(item.items) for item in node.items if isinstance(item, Seq)]
    return [[item] for item in node.items] if isinstance(node, Seq) else []


def _same_rows(
    a: list[list[Node]], b: list[list[Node]], compare: Compare, *, written_out: bool
) -> Decision:
    if [len(row) for row in a] != [len(row) for row in b]:
        a, b = _as_column(a), _as_column(b)
        if not a or not b or len(a) != len(b) or written_out:
            return different("other_shape")
    flat_a, flat_b = [e for row in a for e in row], [e for row in b for e in row]
    return in_order(flat_a, flat_b, compare)


def _as_column(rows: list[list[Node]]) -> list[list[Node]]:
    if len(rows) == 1:
        return [[entry] for entry in rows[0]]
    return rows if all(len(row) == 1 for row in rows) else []


def _same_ordered(gold: Node, answer: Node, compare: Compare) -> Decision:
    if not isinstance(gold, Seq) or not isinstance(answer, Seq):
        return undecided("not_ordered")
    pair = len(gold.items) == 2  # noqa: PLR2004 - two items in brackets may be an interval
    if pair and (gold.opening, gold.closing) != (answer.opening, answer.closing):
        return different("other_brackets")
    return in_order(_values(gold.items), _values(answer.items), compare)


def _ordered_and_list(gold: Node, answer: Node, compare: Compare) -> Decision:
    """A tuple may be written without its brackets, or as its named values; never as a set."""
    sequence, other = (gold, answer) if _is_ordered(gold) else (answer, gold)
    if isinstance(other, Seq) or has_free_sign(other):
        return different("tuple_is_not_set")
    if isinstance(sequence, Seq) and sequence.opening == "[" and len(sequence.items) == 2:  # noqa: PLR2004
        return different("interval_is_not_list")
    members = _members(other)
    if len(members) > 1 and len({name_of(member) or member for member in members}) == 1:
        return different("tuple_is_not_set")  # `x = 3, x = -4`: two values of one name
    if len(members) > 1 and any(_is_ordered(stated_value(member)) for member in members):
        return different("other_length")
    return in_order(_values(_members_in_order(gold)), _values(_members_in_order(answer)), compare)


def _members_in_order(node: Node) -> list[Node]:
    return list(node.items) if isinstance(node, Seq) else _members(node)


def _members(node: Node) -> list[Node]:
    """The members of a list or set, signs expanded, lists of assignments opened."""
    items: Sequence[Node] = node.items if isinstance(node, Listing | Seq) else (node,)
    return [value for item in items for value in expanded(item)]


def _values(members: Sequence[Node]) -> list[Node]:
    return [stated_value(member) for member in members]


def _elliptic(values: list[Node]) -> bool:
    return any(value == Sym("...") for value in values)


def in_order(left: Sequence[Node], right: Sequence[Node], compare: Compare) -> Decision:
    """Whether the values agree one by one."""
    if len(left) != len(right):
        return different("other_length")
    worst = equal("same_elements")
    for a, b in zip(left, right, strict=True):
        decision = compare(a, b)
        if decision.outcome is Outcome.DIFFERENT:
            return different("element_differs")
        if decision.outcome is Outcome.UNDECIDED:
            worst = decision
    return worst


def _once(node: Node, values: list[Node], compare: Compare) -> list[Node]:
    """A set counts an element once."""
    if not (isinstance(node, Seq) and node.opening == "{") or len(values) > MAX_UNORDERED:
        return values
    kept: list[Node] = []
    for value in values:
        if not any(compare(value, other).outcome is Outcome.EQUAL for other in kept):
            kept.append(value)
    return kept


def _any_order(left: list[Node], right: list[Node], compare: Compare) -> Decision:
    if len(left) != len(right):
        return different("other_length")
    if len(left) > MAX_UNORDERED:
        return in_order(left, right, compare)
    rest = list(right)
    unsure: Decision | None = None
    for a in left:
        decisions = [compare(a, b) for b in rest]
        hit = next((i for i, d in enumerate(decisions) if d.outcome is Outcome.EQUAL), None)
        if hit is not None:
            rest.pop(hit)
            continue
        unsure = next((d for d in decisions if d.outcome is Outcome.UNDECIDED), None)
        if unsure is None:
            return different("element_differs")
        break
    return unsure or equal("same_elements")
