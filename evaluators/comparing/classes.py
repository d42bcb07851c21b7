r"""The class of an answer: one key for the ways to write it, read from the answer alone.

Votes and maj@k count answers by class. `same_answer` cannot make classes: it lets units, signs,
names and brackets be left out, so `0.5 ~ 50\% ~ 50`, and which of the three stand together would
depend on their order, or on whether the one in the middle was there. A key is a function of one
answer: answers of one key are a class whatever else was answered, and what comes later moves none
of them. What a gold answer could tell apart is kept: the unit, the sign, the name.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from evaluators.comparing.conclusion import conclusions
from evaluators.comparing.equivalence import readings
from evaluators.comparing.heads import is_asked_for, name_of, named_value
from evaluators.comparing.probes import AGREED_DIGITS, common_points
from evaluators.comparing.regions import ORDER, NotRegion, Piece, is_region, pieces
from evaluators.comparing.scalars import letter_unit
from evaluators.comparing.sequences import expanded, has_free_sign
from evaluators.comparing.truth import is_false
from evaluators.nodes import (
    INTEGER_LETTERS,
    Based,
    Listing,
    Mat,
    Node,
    NotNumeric,
    Num,
    Op,
    Quantity,
    Rel,
    Seq,
    Sym,
    Words,
    children,
    free_symbols,
    has_op,
    negated,
    rename,
    walk,
)
from evaluators.numbers.exact import Inexact, exact_value
from evaluators.numbers.numeric import DIGITS, MAX_TERMS, Evaluator, context
from evaluators.reading.render import render
from evaluators.reading.units import canonical
from evaluators.reading.wording import plain_words, wording

CLEAR_DIGITS = 20
"""Terms of one sum whose sizes are further apart, and numbers of more digits, drown one another."""
LARGEST_DENOMINATOR = 10**6
"""An evaluated value is taken for a fraction up to this denominator."""
RATIONAL_BITS = 64
"""Evaluated values whose size is beyond so many bits, either way, are not tried as fractions."""
MAX_WORK = 200_000
"""Operations that evaluating an answer may take, as estimated from its size: a few seconds."""
CACHED = 4_096
CUSTOMARY = ("x", "y", "z")
"""Names of unknowns, in their order: values so named are the values, or the tuple of them."""

Key = tuple[Any, ...]


@lru_cache(maxsize=CACHED)
def class_key(answer: str, kind: str) -> str:
    r"""The key of an answer's class: equal for answers that are one answer in a vote.

    Equal values in any form are, but a known unit, a percent or degree sign and a name before a
    value count, because a gold answer may have another; x before a value and f before a formula are
    left out, as most answers do. The order of a list or set does not count. A gold `integer` has
    neither unit nor name: for that kind they do not count. `kind` is one of the grader's.
    """
    if kind == "choice":
        return answer.strip().upper()
    trees = readings(answer)[:1] or conclusions(answer)[-1:]
    try:
        read = bool(trees) and not is_false(trees[0])
        key = _bounded(trees[0]) if read else ("text", wording(answer))
    except RecursionError:
        key = ("text", wording(answer))
    return repr(_bare(key) if kind == "integer" else key)


def _bare(key: Key) -> Key:
    """The key of an integer without what stands before or behind it."""
    inner = key
    while inner[0] in {"named", "unit", "deg"}:
        inner = inner[-1]
    whole = inner[0] == "value" and len(inner) == 2 and inner[1].endswith("/1")  # noqa: PLR2004
    return inner if whole else key


def _bounded(tree: Node) -> Key:
    """The key by values, or by the text where evaluating the answer would take too long."""
    terms = MAX_TERMS if has_op(tree, "sum", "prod") else 1
    places = sum(1 for _ in common_points(sorted(free_symbols(tree))))
    work = sum(1 for _ in walk(tree)) * terms * places
    return _key(tree) if work <= MAX_WORK else ("tree", render(tree))


def _key(node: Node) -> Key:
    match node:
        case Quantity(value=value, unit=unit):
            return _measured(_key(value), unit)
        case Words(text=text):
            return ("words", plain_words(text))
        case Based(digits=digits, base=base):
            return ("based", digits.lstrip("0"), base)
        case Rel(ops=("in",), args=(name, members)):
            return _named(name, _key(members))
        case Rel():
            defined, value = _definition(node)
            return _relation(node) if defined is None else _named(defined, _key(value))
        case Op(name="percent" | "deg" as sign, args=(inner,)):
            return (sign, _key(inner))
        case Op(name="neg", args=(Op(name="percent" | "deg" as sign, args=(inner,)),)):
            return (sign, _key(negated(inner)))
        case Op(name="ratio", args=terms):
            return _ratio(terms)
    if is_region(node):
        return _within(node) or _region(node)
    if has_free_sign(node):
        return _members([_key(value) for value in expanded(node)], repeated=True)
    return _several(node) if isinstance(node, Listing | Seq | Mat) else _value(node)


def _measured(value: Key, unit: str) -> Key:
    """A value with its unit; a noun, which contradicts none, is no unit."""
    known = canonical(unit)
    return value if known is None else ("unit", known, value)


def _ratio(terms: Sequence[Node]) -> Key:
    """A ratio up to a factor; `12:30`, which may be a time, is no quotient, and `1:00` no ratio."""
    values = [value for term in terms if (value := exact_value(term))]
    if len(values) < len(terms):
        return ("ratio", *map(_key, terms))
    return ("ratio", *(_fraction(value / abs(values[0])) for value in values))


def _named(name: Node, value: Key) -> Key:
    """A value under a name, unless the name is the customary one."""
    match name:
        case Sym(name="x"):
            return value
        case Op(name="apply:f", args=(Sym(name="x"),)) if value[0] == "value" and len(value) > 2:  # noqa: PLR2004 - `f(x) = 1` is no `x = 1`
            return value
        case Seq(items=items) if items == tuple(map(Sym, CUSTOMARY[: len(items)])):
            return value
        case Op(name=function, args=(Sym(),)) if function.startswith("apply:"):
            return ("named", function, value)
    return ("named", render(name), value)


def _definition(node: Rel) -> tuple[Node | None, Node]:
    """The name and the value of `x = 5`, `m + n = 259`; no name where it defines none.

    A computation (`180 + 330 = 510`) has its left side for a name. The argument of a function is
    called x, so that `g(t) = 2t` is `g(x) = 2x`; `y = 2x` stays an equation, which may as well be
    `2x - y = 0`.
    """
    value, last = named_value(node), node.args[-1]
    name = name_of(node) or (name_of(Rel(node.ops, node.args[::-1])) if value != last else None)
    match name:
        case Op(name="apply:f"):
            return name, value
        case Op(name=function, args=(Sym(name=argument),)) if function.startswith("apply:"):
            return name, rename(value, {argument: "x"})
        case Sym(name="y") if free_symbols(value) == {"x"}:
            return None, node
    if value is not node:
        return name or node.args[0], value
    asked = all(op == "=" for op in node.ops) and is_asked_for(node.args[0])
    return (node.args[0], last) if asked else (None, node)


def _several(node: Listing | Seq | Mat) -> Key:
    match node:
        case Mat(rows=rows):
            return ("matrix", *(tuple(_key(entry) for entry in row) for row in rows))
        case Seq(items=items, opening=opening, closing=closing) if opening != "{":
            return _ordered(items, opening, closing)
    items = tuple(value for item in node.items for value in expanded(item))
    names = [name for item in items if (name := name_of(item)) is not None]
    if len(items) > 1 and len(set(names)) == len(items):
        named = sorted(zip(names, items, strict=True), key=lambda pair: render(pair[0]))
        values = [_definition(item)[1] if isinstance(item, Rel) else item for _, item in named]
        return _named(
            Seq(tuple(name for name, _ in named), "(", ")"), _ordered(tuple(values), "(", ")")
        )
    keys = [_key(item) for item in items]
    if isinstance(node, Seq) and len(keys) == 1 and keys[0][0] == "members":
        return ("members", *keys)  # a set whose member is a set
    if isinstance(node, Listing) and all(isinstance(item, Words) for item in items):
        return ("words", node.joiner, _members(keys, repeated=True))
    return _members(keys, repeated=isinstance(node, Listing))


def _ordered(items: tuple[Node, ...], opening: str, closing: str) -> Key:
    """A tuple; the brackets count for two items, which may be an interval."""
    brackets = (opening, closing) if len(items) == 2 else ("(", ")")  # noqa: PLR2004 - a pair
    return ("ordered", *brackets, *(_key(item) for item in items))


def _members(keys: list[Key], *, repeated: bool) -> Key:
    """A set, or a list in any order; a single member, or one listed several times, is itself."""
    distinct = set(keys)
    if len(distinct) == 1 and (repeated or len(keys) == 1):
        return keys[0]
    return ("members", *sorted(keys if repeated else distinct, key=repr))


def _value(node: Node) -> Key:
    """One value: a number, or the values of a formula at fixed points."""
    unit, bare = letter_unit("", node)
    if unit and not free_symbols(bare):
        return _measured(_key(bare), unit)
    exact = exact_value(node)
    if exact is not None:
        return ("value", _fraction(exact))
    node = _family(node)
    # A function by cases may differ from another between any points that are not its own.
    values = () if _drowns(node) or has_op(node, "cases") else _values(node)
    if not any(values):
        return ("tree", render(node))
    if len(set(values)) == 1:  # whatever the variables are
        return ("value", values[0])
    return ("value", *sorted(free_symbols(node)), *values)


def _drowns(node: Node) -> bool:
    """Whether evaluation may lose a part: `e^{100} + 1` begins with the digits of `e^{100}`."""
    for part in walk(node):
        if isinstance(part, Num) and max(abs(part.value.numerator), part.value.denominator) > (
            10**CLEAR_DIGITS
        ):
            return True
        if isinstance(part, Op) and part.name in {"add", "pm", "mp"}:
            sizes = sorted(size for term in children(part) if (size := _size(term)))
            limit = context().mpf(10) ** CLEAR_DIGITS
            if any(small * limit < large for small, large in pairwise(sizes)):
                return True
    return False


def _size(term: Node) -> Any:
    """The size of a constant, one for what has variables; nothing where there is none."""
    if free_symbols(term):
        return context().mpf(1)
    value = _real_value(term, {}, imaginary=True)
    return value and abs(value)


def _family(node: Node) -> Node:
    r"""Angles for every integer, `n\pi`, by one name of the integer: `k\pi`."""
    names = free_symbols(node)
    angle = any(part == Sym("pi") or getattr(part, "name", "") == "deg" for part in walk(node))
    if len(names) == 1 and names <= INTEGER_LETTERS and angle:
        return rename(node, dict.fromkeys(names, "k"))
    return node


def _relation(node: Rel) -> Key:
    """An equation up to a factor, a set of numbers, or an inequality up to a positive factor."""
    ordered = node.ops[0] in ORDER
    several = len(free_symbols(node)) > 1
    if len(node.ops) > 1 or node.ops[0] in {"!=", "notin"} or (ordered and not several):
        return _region(node)
    left, right = reversed(node.args) if node.ops[0] in {">", ">="} else node.args
    both = Op("add", (left, negated(right)))
    values = () if _drowns(both) else _values(both, unit="size" if ordered else "value")
    if any(values):
        return ("relation", node.ops[0].replace(">", "<"), *sorted(free_symbols(node)), *values)
    return ("tree", render(node))


def _region(node: Node) -> Key:
    """A set of numbers by its stretches: one stretch is an interval, single points are a set."""
    names = sorted(free_symbols(node))
    try:
        found = pieces(node, dict(next(common_points(names))))
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
    members = _members(spans, repeated=False)
    if names in ([], ["x"]) and not _is_open_pair(found) and not _has_function(node):
        return members
    return ("region", *names, _has_function(node), members)


def _within(node: Node) -> Key | None:
    r"""A set of numbers of which only those of another set count, `x > 5, x \in \mathbb{Z}`."""
    if not isinstance(node, Listing):
        return None
    others = [item for item in node.items if isinstance(item, Rel) and item.ops == ("in",)]
    domains = [item for item in others if item.args[1] != Sym("Reals")]
    rest = tuple(item for item in node.items if item not in others)
    if not domains or not rest:
        return None
    inner = rest[0] if len(rest) == 1 else Listing(rest, node.joiner)
    return ("within", *sorted(map(render, domains)), _key(inner))


def _is_open_pair(found: Sequence[Piece]) -> bool:
    """`1 < x < 2`, whose interval is written as the point (1, 2) is."""
    only = found[0] if len(found) == 1 else None
    if only is None or only.low_in or only.high_in or only.low == only.high:
        return False
    return bool(context().isfinite(only.low) and context().isfinite(only.high))


def _has_function(node: Node) -> bool:
    return any(isinstance(part, Op) and part.name.startswith("apply:") for part in walk(node))


def _values(node: Node, unit: Literal["one", "value", "size"] = "one") -> tuple[str, ...]:
    """The values at the fixed points; empty text where there is none, or none that is real.

    They are counted in ones, in the first value that is not zero, or in its size.
    """
    imaginary = any(isinstance(part, Sym) and part.name == "i" for part in walk(node))
    found = [
        _real_value(node, place, imaginary=imaginary)
        for place in common_points(sorted(free_symbols(node)))
    ]
    if unit != "one":
        first = next((value for value in found if value), 1)
        divisor = abs(first) if unit == "size" else first
        found = [value and value / divisor for value in found]
    return tuple("" if value is None else _number(value) for value in found)


def _real_value(node: Node, place: Mapping[str, Any], *, imaginary: bool) -> Any:
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
    return str(mp.nstr(real, AGREED_DIGITS))


def _fraction(value: Fraction) -> str:
    return f"{value.numerator:x}/{value.denominator:x}"
