"""Two scalar answers: units, percent, degrees, rounded decimals, then the values themselves."""

from dataclasses import dataclass
from fractions import Fraction

from evaluators import units
from evaluators.exact import Inexact, exact_value
from evaluators.nodes import Node, Num, Op, Quantity, free_symbols
from evaluators.numeric import Evaluator, NotNumeric, context
from evaluators.probes import close, same_value
from evaluators.verdict import Decision, Outcome, different, equal, undecided

# A decimal for an exact gold answer must be right to this many significant digits.
NEEDED_DIGITS = 6
# A whole number is met by a decimal only up to floating-point noise, relative.
NOISE = Fraction(1, 10**9)
HUNDRED = Num(Fraction(100))


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asymmetric: a decimal gold answer accepts every value that rounds to it."""

    gold_rounds: bool = True


@dataclass(frozen=True, slots=True)
class _Decimal:
    """A value written as a decimal: the value and the unit of its last digit."""

    value: Fraction
    step: Fraction

    @property
    def digits(self) -> int:
        """Significant digits written."""
        return len(str(abs(self.value / self.step).__floor__()))


def same_scalar(gold: Node, answer: Node, policy: Policy) -> Decision:
    """Whether the answer is the gold value, by the conventions above."""
    gold_unit, gold = _stripped(gold)
    answer_unit, answer = _stripped(answer)
    if gold_unit and answer_unit and units.contradict(gold_unit, answer_unit):
        return different("other_unit")
    decision = undecided("not_evaluated")
    for left, right in _readings(gold, answer):
        decision = _same_number(left, right, policy)
        if decision.outcome is Outcome.EQUAL:
            return decision
    return decision


def _stripped(node: Node) -> tuple[str, Node]:
    unit = ""
    while isinstance(node, Quantity):
        unit, node = node.unit, node.value
    return unit, node


def _readings(gold: Node, answer: Node) -> list[tuple[Node, Node]]:
    """The pairs to compare: a percent or degree sign on one side only may be left out."""
    for mark in ("percent", "deg"):
        left, right = _marked(gold, mark), _marked(answer, mark)
        if left is not None and right is not None:
            return [(left, right)]
        if left is not None:
            return [(left, answer), (_converted(left, mark), answer)]
        if right is not None:
            return [(gold, right), (gold, _converted(right, mark))]
    return [(gold, answer)]


def _marked(node: Node, mark: str) -> Node | None:
    """What a top-level mark stands on."""
    if isinstance(node, Op) and node.name == mark:
        return node.args[0]
    if isinstance(node, Op) and node.name == "neg" and (inner := _marked(node.args[0], mark)):
        return Op("neg", (inner,))
    return None


def _converted(value: Node, mark: str) -> Node:
    return Op("div", (value, HUNDRED)) if mark == "percent" else Op("deg", (value,))


def _same_number(gold: Node, answer: Node, policy: Policy) -> Decision:
    decision = same_value(gold, answer)
    if decision.outcome is Outcome.EQUAL or free_symbols(gold) or free_symbols(answer):
        return decision
    gold_decimal, answer_decimal = _decimal(gold), _decimal(answer)
    if policy.gold_rounds and gold_decimal is not None:
        if _within(answer, gold_decimal.value, gold_decimal.step / 2):
            return equal("rounds_to_gold")
    elif answer_decimal is not None and answer_decimal.digits >= NEEDED_DIGITS:
        return _six_digits(gold, answer_decimal, decision)
    elif gold_decimal is not None and gold_decimal.digits >= NEEDED_DIGITS:
        return _six_digits(answer, gold_decimal, decision)
    return decision


def _six_digits(exact: Node, decimal: _Decimal, otherwise: Decision) -> Decision:
    value = exact_value(exact)
    if value is not None and value.denominator == 1:
        near = abs(value - decimal.value) <= NOISE * abs(value)
        return equal("float_noise") if near else otherwise
    margin = max(abs(decimal.value) / 10**NEEDED_DIGITS, decimal.step)
    return equal("six_digits") if _within(exact, decimal.value, margin) else otherwise


def _within(node: Node, center: Fraction, margin: Fraction) -> bool:
    mp = context()
    try:
        value = Evaluator({}).value(node)
    except (NotNumeric, Inexact):
        return False
    middle = mp.mpf(center.numerator) / center.denominator
    distance = abs(value - middle)
    limit = mp.mpf(margin.numerator) / margin.denominator
    return bool(distance <= limit or close(distance, limit, mp.mpf(10) ** -20))


def _decimal(node: Node) -> _Decimal | None:
    """The node as a written decimal, perhaps scaled by a percent or a power of ten."""
    match node:
        case Num(value=value, places=places) if places:
            return _Decimal(value, Fraction(1, 10**places))
        case Op(name="neg", args=(inner,)):
            found = _decimal(inner)
            return found and _Decimal(-found.value, found.step)
        case Op(name="div", args=(inner, Num(value=Fraction(numerator=100, denominator=1)))):
            found = _decimal(inner)
            return found and _Decimal(found.value / 100, found.step / 100)
        case Op(name="mul", args=(inner, Op(name="pow", args=(Num(value=Fraction(numerator=10)), _)) as power)):
            found, scale = _decimal(inner), exact_value(power)
            return _Decimal(found.value * scale, found.step * scale) if found and scale else None
    return None
