"""Two scalar answers: units, percent, degrees, rounded decimals, then the values themselves."""

from dataclasses import dataclass
from fractions import Fraction

from evaluators.comparing.estimates import bounded_value, same_bounded
from evaluators.comparing.probes import close, same_value
from evaluators.comparing.symbolic.sandbox import proven
from evaluators.nodes import (
    Node,
    NotNumeric,
    Num,
    Op,
    Quantity,
    Sym,
    free_symbols,
    has_op,
    walk,
)
from evaluators.numbers.bounded import is_bounded, parameters
from evaluators.numbers.exact import Inexact, exact_value
from evaluators.numbers.numeric import Evaluator, context
from evaluators.reading.units import canonical, contradict, is_symbol
from evaluators.verdict import Decision, Outcome, different, equal, equal_if, undecided

# A decimal for an exact gold answer must be right to this many significant digits.
NEEDED_DIGITS = 6
# A gold decimal of fewer significant digits is exact, not rounded.
ROUNDED_GOLD_DIGITS = 2
# A whole number is met by a decimal only up to floating-point noise, relative.
NOISE = Fraction(1, 10**9)
# Letters that are units where the other side has no variable at all.
UNIT_LETTERS = frozenset({"m", "s", "g", "h", "l", "L", "J", "W", "V", "Omega"})
_OHM = {"Omega": "Ω"}
# The electronvolt, which is else Euler's number times a variable.
_ELECTRONVOLT = Sym("e"), Sym("V")
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
    for unit, other in ((gold_unit, answer), (answer_unit, gold)):
        if (
            unit
            and canonical(unit) not in (None, "rad")
            and (_marked(other, "percent") or _marked(other, "deg"))
        ):
            return different("other_unit")
    if gold_unit and not answer_unit:
        answer_unit, answer = _spelled_unit(gold_unit, answer)
    elif answer_unit and not gold_unit:
        gold_unit, gold = _spelled_unit(answer_unit, gold)
    if not free_symbols(gold):
        answer_unit, answer = letter_unit(answer_unit, answer)
    if not free_symbols(answer):
        gold_unit, gold = letter_unit(gold_unit, gold)
    if gold_unit and answer_unit and contradict(gold_unit, answer_unit):
        return different("other_unit")
    if (proportion := _same_proportion(gold, answer)) is not None:
        return proportion
    whole = exact_value(gold)
    if whole is not None and whole.denominator == 1 and _is_ratio(answer) and not _is_ratio(gold):
        return different("proportion")
    decision = undecided("not_evaluated")
    radians = any(unit and canonical(unit) == "rad" for unit in (gold_unit, answer_unit))
    # Beside degrees a value in radians is compared as such only.
    for left, right in _readings(gold, answer)[-1 if radians else 0 :]:
        decision = _same_number(left, right, policy)
        if decision.outcome is Outcome.EQUAL:
            return decision
    if decision.outcome is not Outcome.UNDECIDED or not _is_bounded(gold, answer):
        return decision
    proof = proven(gold, answer)
    # The algebra system's integrals of absolute values are wrong where it misses a change of sign.
    bent = has_op(gold, "abs") or has_op(answer, "abs")
    unsure = bent and proof.outcome is Outcome.DIFFERENT
    return undecided("symbolic_undecided") if unsure else proof


def _is_ratio(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "ratio"


def _is_bounded(gold: Node, answer: Node) -> bool:
    return is_bounded(gold) or is_bounded(answer)


def _stripped(node: Node) -> tuple[str, Node]:
    unit = ""
    while isinstance(node, Quantity):
        unit, node = node.unit, node.value
    return unit, node


def _same_proportion(gold: Node, answer: Node) -> Decision | None:
    """Ratios of three terms agree up to scale; clock times by their parts, seconds optional."""
    left, right = _terms(gold), _terms(answer)
    if left is None or right is None:
        return None
    if 0 in (left[-1], right[-1]):
        longest = max(len(left), len(right))
        padded = [[*side, *[Fraction(0)] * (longest - len(side))] for side in (left, right)]
        return equal_if(padded[0] == padded[1], "clock_time")
    if len(left) == len(right) == 2:  # noqa: PLR2004 - a ratio of two is a number
        return None
    same = len(left) == len(right) and all(
        a * right[0] == b * left[0] for a, b in zip(left, right, strict=True)
    )
    return equal_if(same, "proportion")


def _terms(node: Node) -> list[Fraction] | None:
    if not isinstance(node, Op) or node.name != "ratio":
        return None
    values = [exact_value(arg) for arg in node.args]
    return None if None in values else [value for value in values if value is not None]


def letter_unit(unit: str, node: Node) -> tuple[str, Node]:
    r"""Beside a plain number, `144 m`, `5 m/s` or `9.8\frac{m}{s^2}` is a quantity, no product."""
    match node:
        case Op(name="div", args=(top, below)) if written := _unit_letters(below):
            inner, value = letter_unit(unit, top)
            return f"{inner}/{written}", value
        case Op(name="mul", args=(value, *_, euler, volt)) if (euler, volt) == _ELECTRONVOLT:
            letters = "".join(part.name for part in node.args[1:] if isinstance(part, Sym))
            if is_symbol(letters):
                return letters, value
        case Op(name="mul", args=(*factors, last)) if written := _unit_letters(last):
            rest = factors[0] if len(factors) == 1 else Op("mul", tuple(factors))
            inner, value = letter_unit(unit, rest)
            return (unit, node) if free_symbols(value) else (f"{inner} {written}", value)
    return unit, node


def _spelled_unit(wanted: str, node: Node) -> tuple[str, Node]:
    """Beside `3 N` or `500 nm` with the unit as text, the letters behind a value are that unit."""
    match node:
        case Op(name="mul", args=(value, *rest)) if all(isinstance(part, Sym) for part in rest):
            letters = "".join(part.name for part in rest if isinstance(part, Sym))
            unit = letters.replace("mu", "μ").replace("Omega", "Ω")
            if is_symbol(unit) and canonical(unit) == canonical(wanted):
                return unit, value
    return "", node


def _unit_letters(node: Node) -> str:
    """A unit letter with its power, or a quotient of two: `m^2`, `s^-1`, `m/s^2`; else nothing."""
    match node:
        case Sym(name=name):
            return _OHM.get(name, name) if name in UNIT_LETTERS else ""
        case Op(name="pow", args=(Sym(name=name), exponent)) if name in UNIT_LETTERS:
            power = exact_value(exponent)
            return f"{name}^{power}" if power is not None and power.denominator == 1 else ""
        case Op(name="div", args=(top, bottom)):
            above, below = _unit_letters(top), _unit_letters(bottom)
            return f"{above}/{below}" if above and below else ""
    return ""


def _readings(gold: Node, answer: Node) -> list[tuple[Node, Node]]:
    """The pairs to compare: a percent or degree sign on one side only may be left out."""
    for mark in ("percent", "deg"):
        left, right = _marked(gold, mark), _marked(answer, mark)
        if mark == "deg" and (left is None) != (right is None) and _has_pi(gold, answer, left):
            # A multiple of pi on the marked side is in degrees as it says, on the other in radians.
            return [(gold, answer)]
        if left is not None and right is not None:
            return [(left, right)]
        if left is not None:
            return [(left, answer), (_converted(left, mark), answer)]
        if right is not None:
            added = [] if mark == "percent" and _is_share(gold) else [(gold, right)]
            return [*added, (gold, _converted(right, mark))]
    return [(gold, answer)]


def _is_share(node: Node) -> bool:
    """Whether a value is between nothing and the whole, so that as many percent are less of it."""
    value = exact_value(node)
    return value is not None and 0 < value < 1


def _has_pi(gold: Node, answer: Node, left: Node | None) -> bool:
    """Whether pi stands in the value that is marked as degrees."""
    return Sym("pi") in walk(gold if left is not None else answer)


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
    decision = (same_bounded if _is_bounded(gold, answer) else same_value)(gold, answer)
    if decision.outcome is Outcome.EQUAL or parameters(gold) or parameters(answer):
        return decision
    gold_decimal, answer_decimal = _decimal(gold), _decimal(answer)
    if policy.gold_rounds and _may_be_rounded(gold_decimal) and not _converts_degrees(answer):
        if gold_decimal is not None and _within(answer, gold_decimal.value, gold_decimal.step / 2):
            return equal("rounds_to_gold")
    elif answer_decimal is not None and answer_decimal.digits >= NEEDED_DIGITS:
        return _six_digits(gold, answer_decimal, decision)
    elif gold_decimal is not None and gold_decimal.digits >= NEEDED_DIGITS:
        return _six_digits(answer, gold_decimal, decision)
    return decision


def _may_be_rounded(gold: _Decimal | None) -> bool:
    return gold is not None and gold.digits >= ROUNDED_GOLD_DIGITS


def _converts_degrees(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "deg"


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
        value = bounded_value(node) if is_bounded(node) else Evaluator({}).value(node)
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
        case Op(
            name="mul",
            args=(inner, Op(name="pow", args=(Num(value=Fraction(numerator=10)), _)) as power),
        ):
            found, scale = _decimal(inner), exact_value(power)
            return _Decimal(found.value * scale, found.step * scale) if found and scale else None
    return None
