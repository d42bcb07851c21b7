r"""The class of an answer: one key for the ways to write it, read from the answer alone.

Votes and maj@k count answers by class. `same_answer` cannot make classes: it lets units, signs and
brackets be left out, so `0.5 ~ 50\% ~ 50`, and which of the three stand together would depend on
their order, or on whether the one in the middle was there. A key is a function of one answer:
answers of one key are a class whatever else was answered, and what comes later moves none of them.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal
from zlib import crc32

from evaluators.conclusion import conclusions
from evaluators.equivalence import readings
from evaluators.exact import Inexact, exact_value
from evaluators.families import INTEGER_LETTERS
from evaluators.heads import is_asked_for, name_of, named_value
from evaluators.nodes import (
    Based,
    Listing,
    Mat,
    Node,
    NotNumeric,
    Op,
    Quantity,
    Rel,
    Seq,
    Sym,
    Words,
    free_symbols,
    has_op,
    negated,
    walk,
)
from evaluators.numeric import DIGITS, MAX_TERMS, Evaluator, context
from evaluators.regions import ORDER, NotRegion, is_region, pieces
from evaluators.relations import rename
from evaluators.render import render
from evaluators.scalars import UNIT_LETTERS
from evaluators.sequences import expanded, has_free_sign
from evaluators.wording import plain_words

KEY_DIGITS = 30
"""Irrational values that agree to so many significant digits are one value."""
LARGEST_DENOMINATOR = 10**6
"""An evaluated value is taken for a fraction up to this denominator."""
RATIONAL_BITS = 64
"""Evaluated values whose size is beyond so many bits, either way, are not tried as fractions."""
MAX_WORK = 50_000
"""Operations that evaluating an answer may take, as estimated from its size: about a second."""
CACHED = 4_096
# Where formulas are evaluated: two positive points, a mixed one, and two of integers.
SCALES = (1, 3, -2)
WHOLE_POINTS = (2, 3)

Key = tuple[Any, ...]


@lru_cache(maxsize=CACHED)
def class_key(answer: str, kind: str) -> str:
    r"""The key of an answer's class: equal for answers that are one answer in a vote.

    Equal values in any form are; names before a value, units, percent and degree signs do not
    count, nor does the order of a list or set. Where two conventions of the grader pull apart, the
    key follows one: 50\% is with 50 and not with 0.5, a list without brackets with the set, a
    rounded decimal by itself. `kind` is one of the grader's.
    """
    if kind == "choice":
        return answer.strip().upper()
    trees = readings(answer)[:1] or conclusions(answer)[-1:]
    try:
        key = _bounded(trees[0]) if trees else ("words", plain_words(answer))
    except RecursionError:
        key = ("words", plain_words(answer))
    return repr(key)


def _bounded(tree: Node) -> Key:
    """The key by values, or by the text where evaluating the answer would take too long."""
    terms = MAX_TERMS if has_op(tree, "sum", "prod") else 1
    work = sum(1 for _ in walk(tree)) * terms * len(SCALES + WHOLE_POINTS)
    return _key(tree) if work <= MAX_WORK else ("tree", render(tree))


def _key(node: Node) -> Key:
    match node:
        case Quantity(value=value):
            return _key(value)
        case Words(text=text):
            return ("words", plain_words(text))
        case Based(digits=digits, base=base):
            return ("based", digits.lstrip("0").upper(), base)
        case Rel(ops=("in",), args=(_, members)):
            return _key(members)
        case Rel():
            value = _named(node)
            return _key(value) if value is not node else _relation(node)
        case Op(name="percent" | "deg", args=(inner,)):
            return _key(inner)
        case Op(name="neg", args=(Op(name="percent" | "deg", args=(inner,)),)):
            return _key(negated(inner))
    if is_region(node):
        return _region(node)
    if has_free_sign(node):
        return _members([_key(value) for value in expanded(node)], repeated=True)
    return _several(node) if isinstance(node, Listing | Seq | Mat) else _value(node)


def _named(node: Rel) -> Node:
    """The value of `x = 5`, `m + n = 259` or a chain that ends in a number; else the node.

    The argument of a function is called x, so that `f(t) = 2t` is `f(x) = 2x`; `y = 2x` stays an
    equation, which may as well be `2x - y = 0`.
    """
    value, last = named_value(node), node.args[-1]
    match name_of(node):
        case Op(name=name, args=(Sym(name=argument),)) if name.startswith("apply:"):
            return rename(value, {argument: "x"})
        case Sym(name="y") if free_symbols(value) == {"x"}:
            return node
    if value is not node or any(op != "=" for op in node.ops):
        return value
    ends = len(node.args) > 2 and not free_symbols(last)  # noqa: PLR2004 - a chain
    return last if ends or is_asked_for(node.args[0]) else node


def _several(node: Listing | Seq | Mat) -> Key:
    match node:
        case Mat(rows=rows) if all(len(row) == 1 for row in rows):
            return _ordered(tuple(row[0] for row in rows), "(", ")")
        case Mat(rows=rows):
            return ("matrix", *(tuple(_key(entry) for entry in row) for row in rows))
        case Seq(items=items, opening=opening, closing=closing) if opening != "{":
            return _ordered(items, opening, closing)
    items = tuple(value for item in node.items for value in expanded(item))
    names = [name_of(item) for item in items]
    if len(items) > 1 and None not in names and len(set(names)) == len(names):
        named = sorted(zip(map(repr, names), items, strict=True), key=lambda pair: pair[0])
        return _ordered(tuple(item for _, item in named), "(", ")")
    return _members([_key(item) for item in items], repeated=isinstance(node, Listing))


def _ordered(items: tuple[Node, ...], opening: str, closing: str) -> Key:
    """A tuple; the brackets count for two items, which may be an interval."""
    brackets = (opening, closing) if len(items) == 2 else ("(", ")")  # noqa: PLR2004 - a pair
    return ("ordered", *brackets, *(_key(item) for item in items))


def _members(keys: list[Key], *, repeated: bool) -> Key:
    """A set, or a list in any order; a single member, or one said several times, is itself."""
    distinct = set(keys)
    if len(distinct) == 1:
        return keys[0]
    return ("members", *sorted(keys if repeated else distinct, key=repr))


def _value(node: Node) -> Key:
    """One value: a number, or the values of a formula at fixed points."""
    match node:
        case Op(name="mul", args=(*factors, last)) if _is_unit(last):
            if not any(free_symbols(factor) for factor in factors):
                return _key(factors[0] if len(factors) == 1 else Op("mul", tuple(factors)))
        case Op(name="div", args=(top, below)) if _is_unit(below):
            if free_symbols(top) <= UNIT_LETTERS:
                return _key(top)
    exact = exact_value(node)
    if exact is not None:
        return ("value", _fraction(exact))
    node = _family(node)
    values = _values(node)
    if not any(values):
        return ("tree", render(node))
    if len(set(values)) == 1:  # whatever the variables are
        return ("value", values[0])
    return ("value", *sorted(free_symbols(node)), *values)


def _family(node: Node) -> Node:
    r"""Angles for every integer, `n\pi`, by one name of the integer: `k\pi`."""
    names = free_symbols(node)
    angle = any(part == Sym("pi") or getattr(part, "name", "") == "deg" for part in walk(node))
    if len(names) == 1 and names <= INTEGER_LETTERS and angle:
        return rename(node, dict.fromkeys(names, "k"))
    return node


def _is_unit(node: Node) -> bool:
    if isinstance(node, Op) and node.name == "pow":
        node = node.args[0]
    return isinstance(node, Sym) and node.name in UNIT_LETTERS


def _relation(node: Rel) -> Key:
    """An equation up to a factor, a set of numbers, or an inequality up to a positive factor."""
    ordered = node.ops[0] in ORDER
    several = len(free_symbols(node)) > 1
    if len(node.ops) > 1 or node.ops[0] in {"!=", "notin"} or (ordered and not several):
        return _region(node)
    left, right = reversed(node.args) if node.ops[0] in {">", ">="} else node.args
    values = _values(Op("add", (left, negated(right))), unit="size" if ordered else "value")
    if any(values):
        return ("relation", node.ops[0].replace(">", "<"), *values)
    return ("tree", render(node))


def _region(node: Node) -> Key:
    """A set of numbers by its stretches: one stretch is an interval, single points are a set."""
    try:
        found = pieces(node, _point(node, SCALES[0]))
    except (NotRegion, NotNumeric, Inexact):
        return ("tree", render(node))
    spans: list[Key] = [
        ("value", _number(piece.low))
        if piece.low == piece.high
        else (
            "ordered",
            "[" if piece.low_in else "(",
            "]" if piece.high_in else ")",
            ("value", _number(piece.low)),
            ("value", _number(piece.high)),
        )
        for piece in found
    ]
    return _members(spans, repeated=False)


def _point(node: Node, scale: int) -> dict[str, Any]:
    """A value for every variable that depends on its name alone, so that equal formulas meet."""
    mp = context()
    return {
        name: scale * (mp.mpf(crc32(name.encode())) / 2**32 + mp.mpf(1) / 3)
        for name in free_symbols(node)
    }


def _values(node: Node, unit: Literal["one", "value", "size"] = "one") -> tuple[str, ...]:
    """The values at the fixed points; empty text where there is none, or none that is real.

    They are counted in ones, in the first value that is not zero, or in its size.
    """
    names = sorted(free_symbols(node))
    places = [_point(node, scale) for scale in SCALES]
    places += [
        {name: context().mpf(first + index) for index, name in enumerate(names)}
        for first in WHOLE_POINTS
    ]
    imaginary = any(isinstance(part, Sym) and part.name == "i" for part in walk(node))
    found = [
        _real_value(node, place, imaginary=imaginary) for place in places[: None if names else 1]
    ]
    if unit != "one":
        first = next((value for value in found if value), 1)
        divisor = abs(first) if unit == "size" else first
        found = [value and value / divisor for value in found]
    return tuple("" if value is None else _number(value) for value in found)


def _real_value(node: Node, place: dict[str, Any], *, imaginary: bool) -> Any:
    evaluator = Evaluator(place)
    try:
        value = evaluator.value(node)
    except (NotNumeric, Inexact):
        return None
    return None if place and evaluator.met_complex and not imaginary else value


def _number(value: Any) -> str:
    """A number's text; one that is a small fraction to the working precision is that fraction."""
    mp = context()
    if mp.im(value):
        return f"{_number(mp.re(value))},{_number(mp.im(value))}"
    real = mp.re(value)
    if not real:
        return _fraction(Fraction(0))
    if mp.isfinite(real) and abs(mp.mag(real)) < RATIONAL_BITS:
        near = Fraction(mp.nstr(real, DIGITS)).limit_denominator(LARGEST_DENOMINATOR)
        distance = abs(real - mp.mpf(near.numerator) / near.denominator)
        if distance <= abs(real) * mp.mpf(10) ** (8 - DIGITS):
            return _fraction(near)
    return str(mp.nstr(real, KEY_DIGITS))


def _fraction(value: Fraction) -> str:
    return f"{value.numerator:x}/{value.denominator:x}"
