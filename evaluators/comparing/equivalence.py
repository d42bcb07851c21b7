"""Whether two answers are the same: the ladder of rules; the first that decides is named."""

import re
from fractions import Fraction
from functools import lru_cache
from itertools import product

from evaluators.comparing.assignments import as_tuple, derived, same_assignments
from evaluators.comparing.bases import is_based, same_based
from evaluators.comparing.conclusion import conclusions
from evaluators.comparing.constants import constant_renamed, with_constant
from evaluators.comparing.dots import without_dots
from evaluators.comparing.families import is_integer_set, same_family
from evaluators.comparing.heads import answered_value, named_value, stated_value
from evaluators.comparing.matrices import reduced
from evaluators.comparing.regions import is_region, same_region
from evaluators.comparing.relations import (
    same_head,
    same_relation,
    solves,
)
from evaluators.comparing.scalars import Policy, same_scalar
from evaluators.comparing.sequences import (
    has_free_sign,
    in_order,
    is_several,
    same_several,
    set_factors,
)
from evaluators.comparing.truth import is_false
from evaluators.nodes import (
    Listing,
    Mat,
    Node,
    Num,
    Op,
    Rel,
    Seq,
    Sym,
    Unreadable,
    Words,
    children,
    free_symbols,
    substituted,
)
from evaluators.numbers.exact import exact_value
from evaluators.reading.domains import same_given
from evaluators.reading.parser import read
from evaluators.reading.repairs import repaired
from evaluators.reading.tokens import Comma
from evaluators.reading.wording import said_of_it, same_words, wording
from evaluators.verdict import Decision, Outcome, different, equal, equal_if, undecided

# Gold answers repeat with every attempt; their trees are kept, as are the latest answers'.
CACHED_TREES = 2_048
# A list of more items is not tested for saying one answer several times.
MAX_ALTERNATIVES = 3

_TWICE = re.compile(
    r"([^()]{1,200}?)(?:\s|\\[ ,;]|\\q?quad)+"
    r"\((?:\s*(?:or|i\.e\.,?|that is,?|equivalently,?|namely)\s)?([^()]{1,200})\)"
)
_MATH = re.compile(r"(?<!\\)\$|\\[()\[\]]")
_TEXT = re.compile(r"\\text\{([^{}]{0,200})\}")
# A gold answer with one comma before three digits has thousands, not decimals.
_THOUSANDS = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,|\{,\})\d{3}(?!\d)")
# Beside a whole number a comma is no decimal one.
_WHOLE = re.compile(r"[-+\u2212]?\d+")
# Blanks that are no part of a number or list.
_BLANKS = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")
_GROUPED = re.compile(r"\d,\d{3}(?!\d)|\d \d{3}(?!\d)")
# No thousands: a leading zero, or two numbers alone in brackets.
_NOT_GROUPED = re.compile(
    r"(?<![\d.,])0,\d{3}"
    r"|(?:\\\{|(?<!\\)[(\[])\s*(?:\\[,;! ]\s*)*[-+]?\d{1,3},\d{3}\s*"
    r"(?:\\(?:right|[,;! ])\s*)*\\?[)\]}]"
)
# A whole number and an exponent of one digit with its sign, run together: two readings.
_SHORT_EXPONENT = re.compile(r"((?<![\w.,])\d+[eE][-+\u2212])(\d)(?![\w.^])")
_DELIMITERS = re.compile(r"\\[()\[\]]")
_ONE_DECIMAL = re.compile(r"[^\d,()\[\]]{0,20}-?\d+(?:,|\{,\})\d+[^\d,()\[\]]{0,20}")


def compare(gold: str, answer: str, policy: Policy) -> Decision:
    """Compare two answers' texts. `policy` says what may be asymmetric."""
    try:
        return _compared(gold, answer, policy)
    except RecursionError:
        # Trees are shallow enough for a fresh stack; a caller deep in its own may leave too little.
        return undecided("nested_too_deeply")


def _compared(gold: str, answer: str, policy: Policy) -> Decision:
    gold = repaired(gold)
    if _BLANKS.sub("", gold) == _BLANKS.sub("", answer) and gold.strip():
        return equal("same_text")
    commas = "," in gold and "," in answer
    golds, answers = (
        readings(
            gold,
            decimal_comma=not commas and not _THOUSANDS.search(gold),
            short_exponents=False,
        ),
        readings(answer, decimal_comma=not (commas or _WHOLE.fullmatch(gold.strip()))),
    )
    if golds and not answers:
        answers = conclusions(answer)
        if not answers and (restated := _restated(gold, answer, policy)):
            return restated
    if not golds or not answers:
        return _unread(gold, answer, gold_read=bool(golds))
    decision = undecided("not_compared")
    answers = with_constant(gold, golds[0], answers)
    for index, left in enumerate(golds):
        for right in answers:
            found = same_node(left, right, policy)
            if found.outcome is Outcome.EQUAL:
                return found
            decision = found if index == 0 and right is answers[0] else decision
    return _restated(gold, answer, policy) or decision


@lru_cache(maxsize=CACHED_TREES)
def readings(
    text: str, *, decimal_comma: bool = True, short_exponents: bool = True
) -> tuple[Node, ...]:
    """The trees that a text can mean: a comma between digits may be a list's or a number's.

    With `short_exponents`, `5e-1` is five tenths first and five times Euler's number less one then.
    """
    modes = [Comma.LIST]
    if decimal_comma and "," in text and _ONE_DECIMAL.fullmatch(_DELIMITERS.sub("", text).strip()):
        modes.append(Comma.DECIMAL)
    if _GROUPED.search(text) and not _NOT_GROUPED.search(text):
        modes.insert(0, Comma.THOUSANDS)
    texts = [text]
    if short_exponents and _SHORT_EXPONENT.search(text):
        texts.insert(0, _SHORT_EXPONENT.sub(r"\g<1>0\2", text))
    trees: list[Node] = []
    for written, mode in product(texts, modes):
        try:
            tree = without_dots(reduced(read(written, mode)))
        except Unreadable:
            continue
        if tree not in trees:
            trees.append(tree)
    return tuple(trees)


def _unread(gold: str, answer: str, *, gold_read: bool) -> Decision:
    """Without a tree only the wording can be compared."""
    said = said_of_it(answer)
    if wording(gold) == wording(answer) or (said and wording(gold) == wording(said)):
        return equal("same_words")
    return undecided("answer_not_read" if gold_read else "gold_not_read")


def same_node(gold: Node, answer: Node, policy: Policy) -> Decision:
    """Compare two trees by the kind of answer they are."""
    if gold == answer:
        return equal("same_tree")
    if _is_number(gold) and _is_number(answer):
        return same_scalar(gold, answer, policy)
    gold, answer = _bare(gold), _bare(answer)
    if conditioned := same_given(gold, answer, lambda a, b: same_node(a, b, policy)):
        return conditioned
    if _is_residue(gold) or _is_residue(answer):
        if isinstance(gold, Rel) and gold.ops == ("=",):
            return different("other_modulus")
        return _same_residue(gold, answer, policy)
    if isinstance(gold, Words) or isinstance(answer, Words):
        return same_words(gold, answer)
    if is_based(gold) or is_based(answer):
        return same_based(gold, answer, lambda a, b: same_node(a, b, policy))
    if (left := set_factors(gold)) and (right := set_factors(answer)):
        return in_order(left, right, lambda a, b: same_node(a, b, policy))
    if is_false(answer):
        return different("false_statement")
    named = same_assignments(gold, answer, lambda a, b: same_node(a, b, policy))
    if named is not None:
        return named
    if isinstance(gold, Listing) or (isinstance(gold, Rel) and len(gold.args) > 2):  # noqa: PLR2004
        gold = as_tuple(gold, answer)
    answer = as_tuple(answer, gold)
    if not is_several(gold):
        answer = derived(answer)
    if isinstance(gold, Rel) and isinstance(answer, Rel) and not _are_values(gold, answer):
        decision = same_relation(gold, answer, policy)
        family = decision.outcome is not Outcome.EQUAL and same_family(gold, answer)
        return equal("same_family") if family else decision
    whole = gold
    gold, answer = named_value(gold), answered_value(answer, gold)
    if (is_integer_set(gold) or is_integer_set(answer)) and same_family(whole, answer):
        return equal("same_family")
    if is_region(gold) or is_region(answer):
        return _same_region(gold, answer)
    if isinstance(gold, Rel) or isinstance(answer, Rel):
        solved = solves(gold, answer) or solves(answer, gold)
        if solved is not None:
            return equal_if(solved, "solutions_of_equation")
        return different("relation_is_not_value")
    several = is_several(gold) or is_several(answer)
    answer = constant_renamed(gold, answer)
    decision = (_same_several if several else same_scalar)(gold, answer, policy)
    if decision.outcome is not Outcome.EQUAL and same_family(whole, answer):
        return equal("same_family")
    return decision


def _is_number(node: Node) -> bool:
    """Whether the node is a number or a quotient of two: there is nothing else to ask of it."""
    if isinstance(node, Op) and node.name in ("div", "neg"):
        return all(isinstance(arg, Num) for arg in node.args)
    return isinstance(node, Num)


def _is_residue(node: Node) -> bool:
    return _parts(node)[1] is not None


def _same_residue(gold: Node, answer: Node, policy: Policy) -> Decision:
    """Equal moduli and values that differ by a multiple of it; one modulus may be left out."""
    (left, modulus), (right, other) = _parts(gold), _parts(answer)
    if isinstance(right, Op) and right.name == "mod" and other is None:
        right, other = right.args
    if isinstance(left, Op) and left.name == "mod" and modulus is None:
        left, modulus = left.args
    if other is None:
        congruent = isinstance(left, Rel) and _is_congruence(left) and not isinstance(right, Rel)
        return same_node(
            left.args[-1] if congruent and isinstance(left, Rel) else left, right, policy
        )
    if modulus is None:
        return _same_remainder(left, right, other, policy)
    period = exact_value(modulus)
    if same_scalar(modulus, other, policy).outcome is not Outcome.EQUAL or not period:
        return different("other_modulus")
    named = [side.args[0] for side in (left, right) if isinstance(side, Rel)]
    if len(named) > 1 and named[0] != named[-1]:
        return same_node(left, right, policy)
    first, second = (
        exact_value(side.args[-1] if isinstance(side, Rel) and _is_congruence(side) else side)
        for side in (left, right)
    )
    if first is None or second is None:
        return same_node(left, right, policy)
    return equal_if((first - second) % period == 0, "residue")


def _same_remainder(gold: Node, answer: Node, modulus: Node, policy: Policy) -> Decision:
    """Beside a number a residue class counts by its least member, as where a remainder is asked."""
    least, period = exact_value(stated_value(gold)), exact_value(modulus)
    if least is None or period is None or not 0 <= least < period:
        return different("residue")
    if isinstance(answer, Rel) and _is_congruence(answer):
        answer = answer.args[-1]
    return same_node(stated_value(gold), answer, policy)


def _is_congruence(node: Rel) -> bool:
    return all(op in ("=", "equiv") for op in node.ops)


def _parts(node: Node) -> tuple[Node, Node | None]:
    match node:
        case Op(name="residue", args=(stated, modulus)):
            return stated, modulus
        case Rel(ops=ops, args=(*before, Op(name="mod", args=(value, modulus)))) if "equiv" in ops:
            return Rel(ops, (*before, value)), modulus
    return node, None


def _bare(node: Node) -> Node:
    while isinstance(node, Listing) and len(node.items) == 1:
        node = node.items[0]
    if isinstance(node, Rel) and node.ops == ("in",) and not isinstance(node.args[1], Rel):
        return _bare(node.args[1])
    return node


def _are_values(gold: Rel, answer: Rel) -> bool:
    """Definitions of several values (tuples, signs) are compared by their values."""
    return same_head(gold.args[0], answer.args[0]) and all(
        is_several(named_value(side)) and named_value(side) is not side for side in (gold, answer)
    )


def _same_region(gold: Node, answer: Node) -> Decision:
    if _is_pair(gold) and _is_pair(answer):
        decision = _same_several(gold, answer, Policy(gold_rounds=False))
        if decision.outcome is not Outcome.UNDECIDED:
            return decision
    for side, other in ((gold, answer), (answer, gold)):
        if side == Sym("EmptySet") and _has_members(other):
            return different("region_is_not_value")
        if (
            is_region(side)
            and not isinstance(other, Seq | Op | Rel | Listing)
            and not is_region(other)
        ):
            return different("region_is_not_value")
    return same_region(gold, answer)


def _has_members(node: Node) -> bool:
    """Whether a node lists something: a point too, which could be read as an open interval."""
    return isinstance(node, Seq | Listing) and bool(node.items) and not is_region(node)


def _is_pair(node: Node) -> bool:
    return isinstance(node, Seq) and len(node.items) == 2  # noqa: PLR2004 - a pair


def _same_several(gold: Node, answer: Node, policy: Policy) -> Decision:
    gold, answer = _components(gold, answer), _components(answer, gold)
    gold, answer = _alternatives(gold, policy), _alternatives(answer, policy)
    gold, answer = _unwrapped(gold, answer), _unwrapped(answer, gold)
    signs = has_free_sign(gold) or has_free_sign(answer)
    if not signs and _is_container(gold) != _is_container(answer):
        several, single = (gold, answer) if _is_container(gold) else (answer, gold)
        items = children(several)
        if (total := _mixed(several)) is not None:
            sides = (total, single) if several is gold else (single, total)
            return same_scalar(*sides, policy)
        if len(items) == 1:
            return same_node(items[0], single, policy)
        return different("several_is_not_one")
    return same_several(gold, answer, lambda a, b: same_node(a, b, policy))


def _components(node: Node, other: Node) -> Node:
    """`2i - 3j + k` beside a tuple or column of two or three: its components."""
    count = len(children(other))
    units = ("i", "j", "k")[:count]
    written = free_symbols(node)
    if _is_container(node) or count not in (2, 3) or not {"j"} <= written <= {"j", "k"}:
        return node
    parts = tuple(
        substituted(node, {name: Num(Fraction(name == unit)) for name in ("i", "j", "k")})
        for unit in units
    )
    return Seq(parts, "(", ")")


def _mixed(node: Node) -> Node | None:
    """`2 and 1/2`, beside one value, is a mixed number."""
    if not isinstance(node, Listing) or node.joiner != "and" or len(node.items) != 2:  # noqa: PLR2004
        return None
    whole, part = (exact_value(item) for item in node.items)
    if whole is None or part is None or whole.denominator != 1 or not 0 < part < 1 <= whole:
        return None
    return Op("add", node.items)


def _unwrapped(node: Node, other: Node) -> Node:
    """The one element of a set, beside something that is no set."""
    if isinstance(node, Seq) and node.opening == "{" and len(node.items) == 1:
        return node if isinstance(other, Seq) and other.opening == "{" else node.items[0]
    return node


def _is_container(node: Node) -> bool:
    return isinstance(node, Seq | Listing | Mat)


def _alternatives(node: Node, policy: Policy) -> Node:
    """One answer said twice (`A or B` with A = B, `A, B` of one value) is that answer."""
    if not isinstance(node, Listing) or len(node.items) > MAX_ALTERNATIVES:
        return node
    first, *others = node.items
    same = (same_node(first, other, policy).outcome is Outcome.EQUAL for other in others)
    return first if all(same) else node


def _restated(gold: str, answer: str, policy: Policy) -> Decision | None:
    """`1/2 (0.5)`: a value with the same value in brackets behind it is that value."""
    match = _TWICE.fullmatch(_MATH.sub("", _TEXT.sub(r"\1", answer)).strip())
    if match is None or _compared(match.group(1), match.group(2), policy).outcome != Outcome.EQUAL:
        return None
    return _compared(gold, match.group(1), policy)
