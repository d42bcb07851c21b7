"""Digits with a base: `52_8`, beside digits, and beside a number without one."""

from collections.abc import Callable
from fractions import Fraction

from evaluators.comparing.heads import stated_value
from evaluators.nodes import Based, Node, Num, Op, Quantity, Sym
from evaluators.reading.terms import is_natural
from evaluators.verdict import Decision, different, equal_if


def _as_digits(node: Node, other: Node) -> Node:
    """`2a_{16}` beside digits with a base: digits too, not a product with a term of a sequence."""
    if not isinstance(other, Based):
        return node
    factors = node.args if isinstance(node, Op) and node.name == "mul" else (node,)
    if not all(isinstance(part, Sym | Based) or is_natural(part) for part in factors):
        return node
    digits, _, base = "".join(
        f"{part.digits}_{part.base}"
        if isinstance(part, Based)
        else getattr(part, "name", "") or str(getattr(part, "value", ""))
        for part in factors
    ).partition("_")
    return Based(digits, other.base) if digits.isalnum() and base == str(other.base) else node


def _in_base_ten(node: Node) -> Node:
    """Digits in base ten are the number that they are without a base."""
    digits = node.digits.replace(".", "", 1) if isinstance(node, Based) else ""
    ten = isinstance(node, Based) and node.base == 10 and digits.isdecimal()  # noqa: PLR2004
    return Num(Fraction(node.digits)) if isinstance(node, Based) and ten else node


def is_based(node: Node) -> bool:
    """Whether the node is digits with a base; with a minus sign, one other than ten."""
    match node:
        case Based():
            return True
        case Op(name="neg", args=(Based(base=base),)):
            return base != 10  # noqa: PLR2004
    return False


def same_based(gold: Node, answer: Node, compare: Callable[[Node, Node], Decision]) -> Decision:
    """Whether digits with a base are the same digits with the same base."""
    while isinstance(gold, Quantity):
        gold = gold.value
    while isinstance(answer, Quantity):
        answer = answer.value
    answer = stated_value(answer)
    gold = stated_value(gold)
    gold, answer = _as_digits(gold, answer), _as_digits(answer, gold)
    if not (isinstance(gold, Based) and isinstance(answer, Based)):
        gold, answer = _in_base_ten(gold), _in_base_ten(answer)
        if isinstance(gold, Based) or isinstance(answer, Based):
            return different("base_left_out")
        return compare(gold, answer)
    left, right = (side.digits.lstrip("0").upper() for side in (gold, answer))
    same = gold.base == answer.base and left == right
    return equal_if(same, "digits_and_base")
