"""An answer's text to its typed tree: lists, statements, relations; formulas are read elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from evaluators.formula import read_formula
from evaluators.lexer import tokenize
from evaluators.nodes import Listing, Node, Num, Op, Quantity, Rel, Sym, Unreadable, Words, is_deep
from evaluators.terms import with_bases
from evaluators.tokens import Comma, Token
from evaluators.tree import Group, Item, nest
from evaluators.units import is_unit
from evaluators.words import JOINERS, NUMBER_WORDS, PHRASES, QUALIFIERS

# Tokens that break a text into the clauses of a derivation.
_BREAKS = frozenset({"stop", "cell"})
# Trailing tokens that are punctuation of the sentence, not part of the answer.
_TRAILING = frozenset({"sep", "row", "gap", "stop"})
_WORD = frozenset({"word"})
_PARAMETER_SETS = (Sym("Integers"), Sym("Naturals"))
_DENIALS = frozenset({"not", "isn't", "never", "except", "neither", "nor"})
_FUNCTION_NAMES = frozenset({"f", "g", "h", "p", "q", "F", "G", "H", "P", "Q", "E", "V", "S", "T"})
_CURRENCIES = frozenset({"dollars", "euros", "pounds", "cents", "yen"})
_UNIT_SIGNS = ("^", "/", "-")
# Letters run together between signs are a product up to this many, a word beyond.
LONGEST_NAME = 5
_LETTER_UNITS = frozenset({"m", "s", "g", "h", "l", "L", "J", "N", "W", "V", "K", "A"})


@dataclass(slots=True)
class _Run:
    """Neighbouring items that are all words, or all formula."""

    wordy: bool
    items: list[Item]


def read(text: str, comma: Comma = Comma.LIST) -> Node:
    """The typed tree of an answer. Raises Unreadable for prose and for text beyond the limits."""
    items = with_bases(nest(tokenize(text, comma)))
    if not items:
        raise Unreadable("nothing is written")
    node = read_answer(items)
    if is_deep(node):
        raise Unreadable("nested too deeply")
    return node


def read_answer(items: list[Item]) -> Node:
    """One or several statements, separated by commas, semicolons, rows, `and` or `or`."""
    items = _unwrapped(_trimmed(items))
    parts, joiner = _split(items)
    nodes = [_read_statement(part) for part in parts if part]
    kept = _without_domains([node for node in nodes if node is not None])
    if not kept:
        raise Unreadable("nothing but words that qualify")
    if len(kept) == 1:
        return kept[0]
    return Listing(tuple(_flattened(kept)), joiner)


def _without_domains(nodes: list[Node]) -> list[Node]:
    r"""The answers without `k \in \mathbb{Z}` beside them, which says what a parameter is."""
    kept = [
        node
        for node in nodes
        if not (isinstance(node, Rel) and node.ops == ("in",) and node.args[1] in _PARAMETER_SETS)
    ]
    return kept or nodes


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


def _is_sign(item: Item, signs: str) -> bool:
    return isinstance(item, Token) and item.kind == "op" and item.text in signs


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
    """One answer with its words: label before, unit or noun after; None if it qualifies."""
    labelled = _without_label(items)
    items = _without_qualifier(labelled)
    if not items:
        return None
    if len(items) < len(labelled) and all(_is_kind(item, _WORD) for item in items):
        raise Unreadable("prose")
    if any(_is_kind(item, _BREAKS) for item in items):
        raise Unreadable("a derivation")
    runs = _runs(items)
    formulas = [index for index, run in enumerate(runs) if not run.wordy]
    if not formulas:
        return _words(runs[0].items)
    if len(formulas) > 1:
        raise Unreadable("prose between formulas")
    if _denied(runs[: formulas[0]]):
        raise Unreadable("a denial")
    value = _read_relation(runs[formulas[0]].items)
    after = runs[formulas[0] + 1 :]
    unit = _unit_text(after[0].items) if after else _currency(runs[: formulas[0]])
    return _with_unit(value, unit) if unit else value


def _denied(before: list[_Run]) -> bool:
    """Whether the words just before a formula say that it is not the answer."""
    words = before[-1].items[-2:] if before else []
    return any(isinstance(word, Token) and word.text.lower() in _DENIALS for word in words)


def _currency(before: list[_Run]) -> str:
    """The currency written before an amount."""
    word = before[-1].items[-1] if before else None
    return word.text if isinstance(word, Token) and word.text in _CURRENCIES else ""


def last_formula(items: list[Item]) -> Node:
    """The last formula of a clause of prose, with the unit after it."""
    part = _split(_trimmed(items))[0][-1:]
    runs = _runs(_without_qualifier(part[0])) if part else []
    for index in range(len(runs) - 1, -1, -1):
        if not runs[index].wordy and not _denied(runs[:index]):
            value = _read_relation(runs[index].items)
            after = runs[index + 1 : index + 2]
            return _with_unit(value, _unit_text(after[0].items)) if after else value
    raise Unreadable("no formula in the clause")


def _with_unit(value: Node, unit: str) -> Node:
    if not unit.strip():
        return value
    if unit.split(maxsplit=1)[0].lower() in ("percent", "percentage", "pct"):
        return Op("percent", (value,))
    if unit.split(maxsplit=1)[0].lower() in ("degrees", "degree", "deg"):
        return Op("deg", (value,))
    if isinstance(value, Rel) and value.ops[-1] not in ("=", "~"):
        return value
    if isinstance(value, Rel):
        return Rel(value.ops, (*value.args[:-1], _with_unit(value.args[-1], unit)))
    return Quantity(value, unit)


def _words(items: list[Item]) -> Node:
    words = _unit_text(items).split()
    first = words[0].lower()
    if first in NUMBER_WORDS:
        value = Num(Fraction(NUMBER_WORDS[first]))
        return Quantity(value, " ".join(words[1:])) if words[1:] else value
    if phrase := PHRASES.get(" ".join(words).lower()):
        return Sym(phrase)
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


def _qualifies(items: Sequence[Item]) -> bool:
    return any(
        isinstance(i, Token) and i.kind == "word" and i.text.lower() in QUALIFIERS for i in items
    )


def _without_qualifier(items: list[Item]) -> list[Item]:
    """The statement up to `where`, `for all`, `if`, ...; all of it qualifies if it begins so."""
    for index, item in enumerate(items):
        remark = isinstance(item, Group) and _qualifies(item.items[:1])
        if remark and index:
            return items[:index]
        if _qualifies([item]) and isinstance(item, Token):
            after = items[index + 1 : index + 2]
            if item.text == "which" and after and _is_kind(after[0], _WORD):
                raise Unreadable("a derivation")
            return items[:index]
        if isinstance(item, Token) and item.kind == "fn" and item.text == "pmod" and index:
            return items[:index]
    return items


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
    if isinstance(item, Group):
        script = index > 0 and _is_sign(items[index - 1], "^_")
        return len(items) > 1 and not script and all(_is_kind(inner, _WORD) for inner in item.items)
    if item.kind != "word":
        return False
    if len(item.text) > 1 or not item.text.isascii():
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
        isinstance(n, Token) and n.kind == "op" and n.text in ("+", "-", "*", "/", "_")
        for n in neighbours
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
            ops.append(
                {"=": "!=", "in": "notin"}.get(item.text, item.text) if negate else item.text
            )
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
    if not items[1:] or not _is_kind(items[0], frozenset({"sym"})):
        return None
    group, name = items[-1], items[0]
    if not isinstance(group, Group) or group.opening != "(" or isinstance(name, Group):
        return None
    if any(isinstance(i, Group) or (i.kind == "op" and i.text not in "_'") for i in items[1:-1]):
        return None
    named = name.text in _FUNCTION_NAMES
    allowed = frozenset({"sym", "sep", "num"}) if named else frozenset({"sym", "sep"})
    if not all(_is_kind(i, allowed) for i in group.items):
        return None
    arguments = tuple(
        Sym(i.text) for i in group.items if _is_kind(i, frozenset({"sym"})) and isinstance(i, Token)
    )
    label = "".join(i.text for i in items[:-1] if isinstance(i, Token))
    return Op(f"apply:{label}", arguments)
