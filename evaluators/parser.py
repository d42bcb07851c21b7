"""An answer's text to its typed tree: lists, statements, relations; formulas are read elsewhere."""

from dataclasses import dataclass
from fractions import Fraction

from evaluators.formula import read_formula
from evaluators.lexer import Comma, Token, tokenize
from evaluators.nodes import Listing, Node, Num, Op, Quantity, Rel, Sym, Unreadable, Words
from evaluators.tree import Group, Item, nest
from evaluators.units import is_unit
from evaluators.vocabulary import JOINERS, NUMBER_WORDS, QUALIFIERS

# Trailing tokens that are punctuation of the sentence, not part of the answer.
_TRAILING = frozenset({"sep", "row", "gap"})
_WORD = frozenset({"word"})
_UNIT_SIGNS = ("^", "/", "-")
# Letters run together between signs are a product up to this many, a word beyond.
LONGEST_NAME = 5
_LETTER_UNITS = frozenset({"m", "s", "g", "h", "l", "L", "J", "N", "W", "V", "K", "A"})


def read(text: str, comma: Comma = Comma.LIST) -> Node:
    """The typed tree of an answer. Raises Unreadable for prose and for text beyond the limits."""
    items = nest(tokenize(text, comma))
    if not items:
        raise Unreadable("nothing is written")
    return read_answer(items)


def read_answer(items: list[Item]) -> Node:
    """One or several statements, separated by commas, semicolons, rows, `and` or `or`."""
    items = _unwrapped(_trimmed(items))
    parts, joiner = _split(items)
    nodes = [_read_statement(part) for part in parts if part]
    kept = [node for node in nodes if node is not None]
    if not kept:
        raise Unreadable("nothing but words that qualify")
    if len(kept) == 1:
        return kept[0]
    return Listing(tuple(_flattened(kept)), joiner)


def _flattened(nodes: list[Node]) -> list[Node]:
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.items if isinstance(node, Listing) else (node,))
    return flat


def _unwrapped(items: list[Item]) -> list[Item]:
    """Braces around the whole are grouping only."""
    while len(items) == 1 and isinstance(items[0], Group) and items[0].opening == "{":
        items = _trimmed(list(items[0].items))
    return items


def _trimmed(items: list[Item]) -> list[Item]:
    start, end = 0, len(items)
    while end > start and _is_kind(items[end - 1], _TRAILING):
        end -= 1
    while start < end and _is_kind(items[start], _TRAILING):
        start += 1
    return items[start:end]


def _is_kind(item: Item, kinds: frozenset[str]) -> bool:
    return isinstance(item, Token) and item.kind in kinds


def _split(items: list[Item]) -> tuple[list[list[Item]], str]:
    """The statements of a list and how they are joined; a comma before a joiner counts once."""
    parts: list[list[Item]] = [[]]
    joiner = ","
    for item in items:
        if isinstance(item, Token) and item.kind == "word" and item.text.lower() in JOINERS:
            word = item.text.lower()
            joiner = "or" if word in ("or", "oder", "ou") else "and" if joiner == "," else joiner
            parts.append([])
        elif _is_kind(item, frozenset({"sep", "row"})):
            parts.append([])
        elif isinstance(item, Token) and item.kind == "gap":
            continue
        else:
            parts[-1].append(item)
    return [part for part in parts if part], joiner


def _read_statement(items: list[Item]) -> Node | None:
    """One answer with the words around it: label before, unit or noun after; None if it qualifies."""
    items = _without_label(_without_qualifier(items))
    if not items:
        return None
    if any(_is_kind(item, frozenset({"stop"})) for item in items):
        raise Unreadable("a derivation")
    runs = _runs(items)
    formulas = [index for index, run in enumerate(runs) if not run.wordy]
    if not formulas:
        return _words(runs[0].items)
    if len(formulas) > 1:
        raise Unreadable("prose between formulas")
    value = _read_relation(runs[formulas[0]].items)
    after = runs[formulas[0] + 1 :]
    return _with_unit(value, _unit_text(after[0].items)) if after else value


def _with_unit(value: Node, unit: str) -> Node:
    if unit.split()[0].lower() in ("percent", "percentage", "pct"):
        return Op("percent", (value,))
    if unit.split()[0].lower() in ("degrees", "degree", "deg"):
        return Op("deg", (value,))
    if isinstance(value, Rel) and value.ops[-1] in ("=", "~"):
        return Rel(value.ops, (*value.args[:-1], _with_unit(value.args[-1], unit)))
    return Quantity(value, unit)


def _words(items: list[Item]) -> Node:
    words = [item.text for item in items if isinstance(item, Token)]
    first = words[0].lower()
    if first in NUMBER_WORDS:
        value = Num(Fraction(NUMBER_WORDS[first]))
        return Quantity(value, " ".join(words[1:])) if words[1:] else value
    if len(words) == 1 and len(first) == 1:
        return Sym(words[0])
    return Words(" ".join(words))


def _without_label(items: list[Item]) -> list[Item]:
    """What stands after `Label:` when the label is words."""
    for index, item in enumerate(items):
        if isinstance(item, Token) and item.kind == "op" and item.text == ":":
            label = items[:index]
            wordy = any(isinstance(i, Token) and i.kind == "word" for i in label)
            return items[index + 1 :] if wordy and len(items) > index + 1 else items
        if isinstance(item, Group) or (item.kind not in ("word", "sym", "num")):
            return items
    return items


def _without_qualifier(items: list[Item]) -> list[Item]:
    """The statement up to `where`, `for all`, `if`, ...; all of it qualifies if it begins so."""
    for index, item in enumerate(items):
        if isinstance(item, Token) and item.kind == "word" and item.text.lower() in QUALIFIERS:
            return items[:index]
        if isinstance(item, Token) and item.kind == "fn" and item.text == "pmod" and index:
            return items[:index]
    return items


@dataclass(slots=True)
class _Run:
    """Neighbouring items that are all words, or all formula."""

    wordy: bool
    items: list[Item]


def _runs(items: list[Item]) -> list[_Run]:
    runs: list[_Run] = []
    for index, item in enumerate(items):
        wordy = _wordy(items, index)
        if runs and runs[-1].wordy and not wordy and len(runs) > 1 and _extends_unit(items, index):
            wordy = True
        if runs and runs[-1].wordy == wordy:
            runs[-1].items.append(item)
        else:
            runs.append(_Run(wordy, [item]))
    return runs


def _wordy(items: list[Item], index: int) -> bool:
    item = items[index]
    if isinstance(item, Group) or item.kind != "word":
        return False
    if len(item.text) > 1:
        return not _is_product(items, index)
    if len(items) == 1:
        return True
    before = items[index - 1] if index else None
    after = items[index + 1] if index + 1 < len(items) else None
    if before is not None and (item.text in _LETTER_UNITS or _is_kind(before, _WORD)):
        return not isinstance(before, Token) or before.kind in ("num", "word", "sym")
    return after is not None and _is_kind(after, _WORD)


def _is_product(items: list[Item], index: int) -> bool:
    """Letters run together that a formula continues: `abcd/4`, `rate*time`."""
    item = items[index]
    if isinstance(item, Group) or item.prose or len(item.text) > LONGEST_NAME:
        return False
    neighbours = items[max(0, index - 1) : index] + items[index + 1 : index + 2]
    return any(
        isinstance(n, Token) and n.kind == "op" and n.text in ("+", "-", "*", "/", "_") for n in neighbours
    ) and not is_unit(item.text)


def _extends_unit(items: list[Item], index: int) -> bool:
    """Powers, slashes and hyphens inside a unit: `cm^2`, `km/h`."""
    item, previous = items[index], items[index - 1]
    if isinstance(item, Token) and item.kind == "op" and item.text in _UNIT_SIGNS:
        return index + 1 < len(items)
    return isinstance(previous, Token) and previous.kind == "op" and previous.text in _UNIT_SIGNS


def _unit_text(run: list[Item]) -> str:
    pieces: list[str] = []
    for item in run:
        if isinstance(item, Token):
            pieces.append(item.text)
        else:
            pieces.extend(i.text for i in item.items if isinstance(i, Token))
    return " ".join(pieces).replace("^ ", "^")


def _read_relation(items: list[Item]) -> Node:
    """A formula, or formulas chained by relation signs."""
    operands: list[list[Item]] = [[]]
    ops: list[str] = []
    negate = False
    for item in items:
        if isinstance(item, Token) and item.kind == "rel":
            if item.text == "not":
                negate = True
                continue
            ops.append({"=": "!=", "in": "notin"}.get(item.text, item.text) if negate else item.text)
            negate = False
            operands.append([])
        else:
            operands[-1].append(item)
    if not ops:
        return read_formula(items, read_answer)
    if not operands[0]:
        operands, ops = operands[1:], ops[1:]
    if ops and not operands[-1]:
        operands, ops = operands[:-1], ops[:-1]
    if not ops:
        return read_formula(operands[0], read_answer)
    if any(not operand for operand in operands):
        raise Unreadable("a relation without a side")
    head = _function_head(operands[0]) if ops[0] in ("=", "~", "mapsto") else None
    first = head or read_formula(operands[0], read_answer)
    return Rel(tuple(ops), (first, *(read_formula(o, read_answer) for o in operands[1:])))


def _function_head(items: list[Item]) -> Node | None:
    """`name(x, y)` before an equals sign defines a function, whatever the name."""
    if len(items) < 2 or not _is_kind(items[0], frozenset({"sym"})):
        return None
    group, name = items[-1], items[0]
    if not isinstance(group, Group) or group.opening != "(" or isinstance(name, Group):
        return None
    if any(isinstance(i, Group) or (i.kind == "op" and i.text not in "_'") for i in items[1:-1]):
        return None
    if not all(_is_kind(i, frozenset({"sym", "sep"})) for i in group.items):
        return None
    arguments = tuple(Sym(i.text) for i in group.items if _is_kind(i, frozenset({"sym"})) and isinstance(i, Token))
    label = "".join(i.text for i in items[:-1] if isinstance(i, Token))
    return Op(f"apply:{label}", arguments)
