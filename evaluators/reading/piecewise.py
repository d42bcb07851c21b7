r"""Functions by cases: `\begin{cases} x & \text{if } x \ge 0 \\ -x & \text{otherwise} \end{cases}`.

Each row is a value and its condition: `Op("cases", (value, condition, value, condition, ...))`,
where a value left over at the end is that of all other points.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from evaluators.nodes import Listing, Node, Num, Op, Rel, Seq, Sym, Unreadable
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Item

_BEFORE = frozenset({"if", "when", "for", "where"})
_REST = frozenset({"otherwise", "else", "elsewhere"})
_REMAINDERS = {"even": 0, "odd": 1}
_CONDITIONS = frozenset({"<", "<=", ">", ">=", "=", "!="})
_SEPARATORS = frozenset({"sep", "stop", "gap"})
_TWO = Num(Fraction(2))
_Read = Callable[[list[Item]], Node]


def read_cases(rows: Sequence[Sequence[list[Item]]], read_answer: _Read) -> Node | None:
    """The function that the rows define; None where they are something else, as a system is.

    Raises Unreadable for values beside conditions of an unknown kind.
    """
    stated = [_parts(row) for row in rows]
    if not stated or any(part is None for part in stated):
        return None
    parts: list[Node] = []
    for index, (value, condition) in enumerate(part for part in stated if part):
        parts.append(read_answer(value))
        if _word(condition) in _REST and index == len(stated) - 1:
            break
        parts.append(_condition(condition, read_answer))
    return Op("cases", tuple(parts))


def _parts(row: Sequence[list[Item]]) -> tuple[list[Item], list[Item]] | None:
    """A row's value and condition, apart by a column or by a word; None where it has none."""
    if len(row) == 1:
        at = next((i for i in range(1, len(row[0])) if _word(row[0][i:]) in _BEFORE | _REST), 0)
        row = (row[0][:at], row[0][at:]) if at else row
    if len(row) != 2:  # noqa: PLR2004 - a value and a condition
        return None
    value, condition = (_trimmed(cell) for cell in row)
    if not value or not condition or any(_kind(item) == "rel" for item in [*value, condition[0]]):
        return None
    return value, condition


def _trimmed(cell: list[Item]) -> list[Item]:
    while cell and _kind(cell[-1]) in _SEPARATORS:
        cell = cell[:-1]
    while cell and _kind(cell[0]) in _SEPARATORS:
        cell = cell[1:]
    return cell


def _kind(item: Item) -> str:
    return item.kind if isinstance(item, Token) else ""


def _word(items: Sequence[Item]) -> str:
    """The word that the items begin with."""
    first = items[0] if items else None
    return first.text.lower() if isinstance(first, Token) and first.kind == "word" else ""


def _condition(items: list[Item], read_answer: _Read) -> Node:
    while _word(items) in _BEFORE:
        items = items[1:]
    words = [item.text.lower() for item in items if isinstance(item, Token)]
    if len(words) == len(items) > 1 and words[-1] in _REMAINDERS and words[1:-1] in ([], ["is"]):
        remainder = Num(Fraction(_REMAINDERS[words[-1]]))
        return Rel(("=",), (Op("mod", (read_answer(items[:1]), _TWO)), remainder))
    return _checked(read_answer(items))


def _checked(node: Node) -> Node:
    match node:
        case Listing(items=items, joiner=joiner):
            return Listing(tuple(_checked(item) for item in items), joiner)
        case Rel(
            ops=("in",), args=(subject, Seq(items=(low, high), opening="(" | "[") as interval)
        ):
            signs = tuple(
                "<=" if bracket in "[]" else "<" for bracket in (interval.opening, interval.closing)
            )
            return Rel(signs, (low, subject, high))
        case Rel(ops=ops) if _CONDITIONS.issuperset(ops):
            return node
    raise Unreadable("a case without a condition that can be tested")


def borders(node: Op) -> dict[str, list[Node]]:
    """The values that the conditions of a function by cases compare a variable with."""
    found: dict[str, list[Node]] = {}
    for condition in node.args[1::2]:
        for relation in condition.items if isinstance(condition, Listing) else (condition,):
            sides = relation.args if isinstance(relation, Rel) else ()
            for name in (side.name for side in sides if isinstance(side, Sym)):
                found.setdefault(name, []).extend(side for side in sides if side != Sym(name))
    return found
