"""An answer's text to its typed tree: lists, statements, relations; formulas are read elsewhere."""

from collections.abc import Sequence
from fractions import Fraction
from types import MappingProxyType

from evaluators.nodes import (
    CONSTANTS,
    Listing,
    Node,
    Num,
    Op,
    Quantity,
    Rel,
    Seq,
    Sym,
    Unreadable,
    Words,
    is_deep,
)
from evaluators.reading.definitions import function_head, mapped_head
from evaluators.reading.differentials import with_differentials
from evaluators.reading.domains import (
    conditions_behind,
    given,
    is_domain,
    without_domains,
)
from evaluators.reading.endings import trimmed
from evaluators.reading.formula import read_formula
from evaluators.reading.lexer import tokenize
from evaluators.reading.numerals import SCALES
from evaluators.reading.phrases import CHANGED_AFTER, is_altered, is_denied, unit_of
from evaluators.reading.qualifiers import (
    denies,
    without_exclusions,
    without_introduction,
    without_qualifier,
)
from evaluators.reading.row_ends import without_cells
from evaluators.reading.terms import with_bases
from evaluators.reading.tokens import Comma, Token
from evaluators.reading.tree import Group, Item, nest
from evaluators.reading.units import canonical
from evaluators.reading.word_runs import Run, are_words, is_kind, is_sign, runs_of, words_of
from evaluators.reading.words import (
    BEFORE_PHRASES,
    COPULAS,
    JOINERS,
    NUMBER_WORDS,
    PHRASES,
)

# Tokens that break a text into the clauses of a derivation.
_BREAKS = frozenset({"stop", "cell"})
_FUNCTION = frozenset({"fn"})
# `The quadratic equation has no solution`: words up to the verb.
_LONGEST_SUBJECT = 4
# Relation signs that may stand before a value alone, and what a stroke through a sign makes of it.
_LEADING = frozenset({"=", "~", "in"})
_STRUCK = MappingProxyType({"=": "!=", "in": "notin", "<": ">=", ">": "<=", "<=": ">", ">=": "<"})


def read(text: str, comma: Comma = Comma.LIST) -> Node:
    """The typed tree of an answer. Raises Unreadable for prose and for text beyond the limits."""
    items = with_differentials(nest(without_cells(tokenize(text, comma))))
    if not items:
        raise Unreadable("nothing is written")
    node = read_answer(items)
    if is_deep(node):
        raise Unreadable("nested too deeply")
    return node


def read_answer(items: list[Item]) -> Node:
    """One or several statements, separated by commas, semicolons, rows, `and` or `or`."""
    items = with_bases(_unwrapped(trimmed(items)))
    parts, joiner = _split(items)
    parts = without_exclusions(parts) if len(parts) > 1 else parts
    stated = [part for index, part in enumerate(parts) if part and not (index and denies(part))]
    nodes = [_read_statement(part) for part in stated]
    kept = without_domains([node for node in nodes if node is not None])
    if not kept:
        raise Unreadable("nothing but words that qualify")
    kept = without_introduction(kept) if joiner == "," else kept
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
        items = trimmed(list(items[0].items))
    return items


def _is_joiner(item: Item) -> bool:
    return isinstance(item, Token) and item.kind == "word" and item.text.lower() in JOINERS


def _split(items: list[Item]) -> tuple[list[list[Item]], str]:
    """The statements of a list and how they are joined; a comma before a joiner counts once."""
    if any(_is_joiner(item) for item in (*items[:1], *items[-1:])):
        raise Unreadable("a list that lacks an end")
    parts: list[list[Item]] = [[]]
    joiner = ","
    for index, item in enumerate(items):
        if isinstance(item, Token) and _is_joiner(item):
            word = item.text.lower()
            joiner = "or" if word in ("or", "oder", "ou") else "and" if joiner == "," else joiner
            parts.append([])
        elif is_kind(item, frozenset({"sep", "row"})):
            parts.append([])
        elif isinstance(item, Token) and item.kind == "gap":
            if is_domain(items[index + 1 :]):
                parts.append([])
        else:
            parts[-1].append(item)
    return [part for part in parts if part], joiner


def _read_statement(items: list[Item]) -> Node | None:
    """One answer with its words: label before, unit or noun after; None if it qualifies."""
    if len(items) > 1 and _is_equals(items[0]) and are_words(items[1:]):
        items = items[1:]
    if residue := _residue(items):
        return residue
    labelled = _without_label(items)
    items = without_qualifier(labelled)
    if not items:
        return None
    if len(items) < len(labelled) and are_words(items):
        raise Unreadable("prose")
    if any(is_kind(item, _BREAKS) for item in items):
        raise Unreadable("a derivation")
    runs = runs_of(items)
    formulas = [index for index, run in enumerate(runs) if not run.wordy]
    if not formulas:
        return _words(runs[0].items)
    if len(formulas) > 1:
        raise Unreadable("prose between formulas")
    after = runs[formulas[0] + 1 :]
    words = words_of(runs[0].items).split() if formulas[0] else []
    excepting = "except" in words[-2:]
    if (is_denied(runs[: formulas[0]]) and not excepting) or is_altered(runs, formulas[0]):
        raise Unreadable("a denial, or words that change the value")
    value = _read_relation(runs[formulas[0]].items)
    if excepted := _excepted(runs[: formulas[0]], value):
        return excepted
    if excepting:
        raise Unreadable("an exception from what is no known set")
    value = _with_unit(value, unit_of(runs[formulas[0]].items, after))
    return given(value, conditions_behind(labelled, len(items)))


def _residue(items: list[Item]) -> Node | None:
    r"""`x \equiv 3 \pmod 7`, `x = 3 (mod 7)`: a value or relation with its modulus."""
    for index, item in enumerate(items[1:], start=1):
        inner = item.items if isinstance(item, Group) and item.opening in ("(", "{") else ()
        if is_kind(item, _FUNCTION) and isinstance(item, Token) and item.text == "pmod":
            modulus, rest = items[index + 1 : index + 2], items[index + 2 :]
        elif inner[1:] and isinstance(inner[0], Token) and inner[0].text in ("mod", "modulo"):
            modulus, rest = list(inner[1:]), items[index + 1 :]
        else:
            continue
        if rest and _is_equals(rest[0]):
            # `2^{10} \pmod 7 = 2`: the least member of the class.
            value = Group("{", "{", tuple(items[:index])), Group("{", "{", tuple(modulus))
            return _read_relation([value[0], Token("op", "mod"), value[1], *rest])
        if without_qualifier(rest):
            raise Unreadable("something behind a modulus")
        stated = _read_statement(trimmed(items[:index]))
        if stated is None or not modulus:
            return None
        return Op("residue", (stated, read_formula(modulus, read_answer)))
    return None


def _excepted(before: list[Run], value: Node) -> Node | None:
    """`all real numbers except 3`."""
    words = words_of(before[-1].items).split() if before else []
    words = words[:-1] if words[-1:] == ["for"] else words
    whole = _phrase(words[:-1]) if words[-1:] == ["except"] else None
    if whole is None:
        return None
    value = value.args[-1] if isinstance(value, Rel) and value.ops == ("=",) else value
    return Op("setminus", (whole, value if isinstance(value, Seq) else Seq((value,), "{", "}")))


def _is_equals(item: Item) -> bool:
    return isinstance(item, Token) and item.kind == "rel" and item.text == "="


def last_formula(items: list[Item]) -> Node:
    """The last formula of a clause of prose, with the unit after it."""
    parts, joiner = _split(trimmed(items))
    if joiner == "or" and len(parts) > 1:
        raise Unreadable("alternatives")
    part = parts[-1:]
    runs = runs_of(without_qualifier(part[0])) if part else []
    if len(runs) == 1 and len(parts) > 1 and _ends_altered(parts[-2]):
        raise Unreadable("a value that earlier words are about")
    for index in range(len(runs) - 1, -1, -1):
        if not runs[index].wordy and not is_denied(runs[:index]):
            waiting = index > 1 and is_sign(runs[index - 2].items[-1], "+-*/^_")
            if waiting or is_altered(runs, index):
                raise Unreadable("words that change the value")
            value = _read_relation(runs[index].items)
            return _with_unit(value, unit_of(runs[index].items, runs[index + 1 :]))
    raise Unreadable("no formula in the clause")


def _ends_altered(part: list[Item]) -> bool:
    """`between 40`, `one of 40`: the words before the last formula are also about what follows."""
    runs = runs_of(part)
    return len(runs) > 1 and not runs[-1].wordy and is_altered(runs, len(runs) - 1)


def _with_unit(value: Node, unit: str) -> Node:
    if not unit.strip():
        return value
    first, _, rest = unit.partition(" ")
    if first.lower() in SCALES:
        return _with_unit(Op("mul", (value, Num(Fraction(SCALES[first.lower()])))), rest)
    if first.lower() in ("repeating", "recurring") and isinstance(value, Num) and value.places:
        period = value.value * (10**value.places) % 10**value.places
        return Num(value.value + period / (10**value.places * (10**value.places - 1)))
    if unit.split(maxsplit=1)[0].lower() in ("percent", "percentage", "pct"):
        return Op("percent", (value,))
    if unit.split(maxsplit=1)[0].lower() in ("degrees", "degree", "deg"):
        if canonical(rest) in ("celsius", "fahrenheit"):
            return Quantity(value, rest)
        return Op("deg", (value,))
    if isinstance(value, Rel) and value.ops[-1] not in ("=", "~"):
        return value
    if isinstance(value, Rel):
        return Rel(value.ops, (*value.args[:-1], _with_unit(value.args[-1], unit)))
    return Quantity(value, unit)


def _words(items: list[Item]) -> Node:
    words = words_of(items).split()
    if not words:
        raise Unreadable("empty brackets")
    first = words[0].lower()
    if first in NUMBER_WORDS and words[1:2] and words[1].lower() in CHANGED_AFTER:
        raise Unreadable("words that change the value")
    if first in NUMBER_WORDS:
        value = Num(Fraction(NUMBER_WORDS[first]))
        return Quantity(value, " ".join(words[1:])) if words[1:] else value
    if phrase := _phrase(words):
        return phrase
    if len(words) == 1 and len(first) == 1:
        return Sym(words[0])
    return Words(" ".join(words))


def _phrase(words: list[str]) -> Node | None:
    """The set that a phrase names, with or without `there is` before it."""
    said = [word.lower() for word in words]
    if "has" in said[:_LONGEST_SUBJECT]:
        said = said[said.index("has") + 1 :]
    while said and said[0] in BEFORE_PHRASES:
        said = said[1:]
    notation = PHRASES.get(" ".join(said).replace("non ", "non"))
    return read(notation) if notation else None


def _without_label(items: list[Item]) -> list[Item]:
    """What stands after `Label:` when the label is words."""
    for index, item in enumerate(items):
        if isinstance(item, Token) and item.kind == "op" and item.text == ":":
            label = items[:index]
            wordy = any(isinstance(i, Token) and i.kind == "word" for i in label)
            wordy = wordy and not _ends_in_value(label)
            return items[index + 1 :] if wordy and len(items) > index + 1 else items
        if isinstance(item, Group) or (item.kind not in ("word", "sym", "num")):
            return items
    return items


def _ends_in_value(label: Sequence[Item]) -> bool:
    """`the ratio is 6` before `: 5`."""
    verb, number = (None, None, *label)[-2:]
    said = isinstance(verb, Token) and verb.text.lower() in COPULAS
    return said and isinstance(number, Token) and number.kind == "num"


def _read_relation(items: list[Item]) -> Node:
    """A formula, or formulas chained by relation signs."""
    operands: list[list[Item]] = [[]]
    ops: list[str] = []
    negate = False
    for item in items:
        if isinstance(item, Token) and item.kind == "rel":
            if negate and item.text not in _STRUCK:
                raise Unreadable("a stroke through no sign it can negate")
            if item.text == "not":
                negate = True
                continue
            ops.append(_STRUCK[item.text] if negate else item.text)
            negate = False
            operands.append([])
        elif negate:
            raise Unreadable("a stroke through no sign it can negate")
        else:
            operands[-1].append(item)
    if not ops:
        return read_formula(items, read_answer)
    if not operands[0] and ops[0] in _LEADING:
        value = read_formula(operands[1], read_answer)
        if ops[0] == "in" and not _is_set(value):
            raise Unreadable("a member of what is no set")
        if len(ops) == 1:
            return value
        operands, ops = operands[1:], ops[1:]
    if any(not operand for operand in operands):
        raise Unreadable("a relation without a side")
    if ops == ["mapsto"] and (mapped := mapped_head(operands[0])):
        return Rel(("=",), (mapped, read_formula(operands[1], read_answer)))
    head = function_head(operands[0]) if ops[0] in ("=", "~", "mapsto", "equiv") else None
    if ops == ["equiv"] and isinstance(head, Op):
        ops = ["="]
    first = head or read_formula(operands[0], read_answer)
    sides = [read_formula(operand, read_answer) for operand in operands[1:]]
    if ops == ["in"] and isinstance(sides[0], Op) and sides[0].name in ("add", "mul", "div", "pow"):
        raise Unreadable("a member of what is no set")
    return Rel(tuple(ops), (first, *sides))


def _is_set(node: Node) -> bool:
    named = isinstance(node, Sym) and node.name in CONSTANTS and node.name[0].isupper()
    joined = isinstance(node, Op) and node.name in ("cup", "cap", "setminus", "builder")
    return named or joined or isinstance(node, Seq)
