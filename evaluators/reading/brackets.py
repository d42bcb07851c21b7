"""What a bracketed group is: grouping, tuple, interval, set, matrix, absolute value."""

from collections.abc import Callable, Sequence

from evaluators.nodes import Listing, Mat, Node, Op, Rel, Seq, Unreadable
from evaluators.reading.piecewise import read_cases
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item

_WRAPPERS = {"|": "abs", "floor": "floor", "ceil": "ceil", "||": "norm"}
# Entries of one matrix.
MAX_ENTRIES = 400


def read_group(
    group: Group, read_answer: Callable[[list[Item]], Node], *, plain: bool = False
) -> Node:
    """The node of a bracketed group; with `plain`, square brackets are grouping only."""
    items = list(group.items)
    if group.opening.startswith("env:"):
        return _environment(group, read_answer)
    if group.opening in _WRAPPERS:
        return Op(_WRAPPERS[group.opening], (_only(items, read_answer),))
    if group.opening == "set":
        return _set(items, read_answer)
    if not items:
        if group.opening == "{":
            raise Unreadable("an empty group")
        return Seq((), group.opening, group.closing)
    return _bracketed(group, items, read_answer, plain=plain)


def _bracketed(
    group: Group, items: list[Item], read_answer: Callable[[list[Item]], Node], *, plain: bool
) -> Node:
    matrix = len(items) == 1 and isinstance(items[0], Group) and items[0].opening == "env:matrix"
    rows = _between(items, ";") if group.opening == "[" else []
    if len(rows) > 1 and len({len(_between(row, ",")) for row in rows}) == 1 < len(
        _between(rows[0], ",")
    ):
        return Mat(tuple(tuple(read_answer(cell) for cell in _between(row, ",")) for row in rows))
    inner = read_answer(items)
    if matrix or plain:
        return inner
    if group.opening == "{":
        return inner
    if isinstance(inner, Listing) and inner.joiner == ",":
        opening, closing = _interval_signs(group)
        return Seq(inner.items, opening, closing)
    if group.opening == "<":
        return Seq((inner,), "(", ")")
    if isinstance(inner, Seq | Mat) and group.opening == "[":
        return Seq((inner,), "[", "]")
    return inner


def _between(items: list[Item], sign: str) -> list[list[Item]]:
    """The items between separators of one kind."""
    parts: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, Token) and item.kind == "sep" and item.text == sign:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def _interval_signs(group: Group) -> "tuple[str, str]":
    """The bracket pair; `]a, b[` is the open interval, angle brackets are a tuple's."""
    if group.opening == "<":
        return "(", ")"
    opening = {"]": "("}.get(group.opening, group.opening)
    closing = {"[": ")"}.get(group.closing, group.closing)
    return opening, closing


def _only(items: list[Item], read_answer: Callable[[list[Item]], Node]) -> Node:
    if not items:
        raise Unreadable("nothing between the bars")
    return read_answer(items)


def _set(items: list[Item], read_answer: Callable[[list[Item]], Node]) -> Node:
    """A set by its elements, or by a condition after a bar or colon."""
    for index, item in enumerate(items):
        bar = isinstance(item, Token) and (
            (item.kind == "bar" and item.text == "|")
            or (item.kind == "op" and item.text in ("mid", ":"))
        )
        if bar and index and index + 1 < len(items):
            return Op("builder", (read_answer(items[:index]), read_answer(items[index + 1 :])))
    if not items:
        return Seq((), "{", "}")
    inner = read_answer(items)
    if isinstance(inner, Rel) and inner.ops[0] not in ("=", "~"):
        return inner
    return Seq(inner.items if isinstance(inner, Listing) else (inner,), "{", "}")


def _environment(group: Group, read_answer: Callable[[list[Item]], Node]) -> Node:
    rows = _rows(group.items)
    if sum(len(row) for row in rows) > MAX_ENTRIES:
        raise Unreadable("a matrix of too many entries")
    if group.opening == "env:det":
        return Op("det", (_matrix(rows, read_answer),))
    if group.opening == "env:cases" and (function := read_cases(rows, read_answer)):
        return function
    if group.opening == "env:cases":
        statements = tuple(read_answer([item for cell in row for item in cell]) for row in rows)
        return Listing(statements, "and")
    return _matrix(rows, read_answer)


def _matrix(rows: list[list[list[Item]]], read_answer: Callable[[list[Item]], Node]) -> Mat:
    if len({len(row) for row in rows}) != 1:
        raise Unreadable("a matrix with uneven rows")
    return Mat(tuple(tuple(read_answer(cell) for cell in row) for row in rows))


def _rows(items: Sequence[Item]) -> list[list[list[Item]]]:
    rows: list[list[list[Item]]] = [[[]]]
    for item in items:
        if isinstance(item, Token) and item.kind == "row":
            rows.append([[]])
        elif isinstance(item, Token) and item.kind == "cell":
            rows[-1].append([])
        else:
            rows[-1][-1].append(item)
    return [row for row in rows if any(row)]
