r"""Conditions beside an answer: `k \in \mathbb{Z}`, `k \in \mathbb{N}`, `for x > 0`."""

from collections.abc import Callable, Sequence

from evaluators.nodes import (
    INTEGER_LETTERS,
    Node,
    NotNumeric,
    Num,
    Op,
    Rel,
    Sym,
    Words,
    free_symbols,
    rename,
)
from evaluators.numbers.exact import Inexact
from evaluators.numbers.numeric import Evaluator, context
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Item
from evaluators.verdict import Decision, Outcome, different

PARAMETER_SETS = (Sym("Integers"), Sym("Naturals"))
_CONDITIONAL = frozenset({"for", "if", "when", "whenever"})
# Words that make any condition a restriction, and words that choose among integers.
_RESTRICTING = (["if"], ["unless"], ["provided"])
_CHOOSING = frozenset({"even", "odd", "divisible", "multiple", "multiples"})
ORDER = ("<", "<=", ">", ">=")
# `n \\ge 1` and the like say where an index begins.
FIRST_INDICES = (0, 1, 2)
# How far beyond its bound a condition is tried.
_BEYOND = ("0.0137", "0.371", "2.93", "17.3")


def without_domains(nodes: list[Node]) -> list[Node]:
    r"""The answers without conditions that restrict nothing; one that does stays with its answer.

    A parameter is an integer unless it is said to be natural, and what an answer defines is so for
    all that it has a value for: `a_n = 2n, n \in \mathbb{N}` loses its condition, `k\pi` keeps it.
    """
    if not any(isinstance(node, Rel) for node in nodes):
        return nodes
    nodes = _without_first_index(nodes)
    ordered = [n for n in nodes if isinstance(n, Rel) and any(op in ORDER for op in n.ops)]
    bounded = frozenset[str]().union(*map(free_symbols, ordered))
    kept, conditions = [], []
    for node in nodes:
        parameter = _parameter(node)
        if parameter is None or parameter in bounded:
            kept.append(node)
        elif node.args[1] == Sym("Naturals"):  # type: ignore[union-attr]
            conditions.append(node)
    kept = _without_reals(kept)
    if len(kept) == 1 and (restricting := [c for c in conditions if _restricts(c, kept[0])]):
        return [Op("given", (kept[0], restricting[0]))]
    return kept or nodes


def _without_first_index(nodes: list[Node]) -> list[Node]:
    r"""`a_n = 2n, n \ge 1` without where its index begins."""
    match nodes:
        case [Rel(ops=("=",), args=(Sym(name=head), _)), bound]:
            index = head.partition("_")[2]
        case [Rel(ops=("=",), args=(Op(args=(Sym(name=index),)) as head, _)), bound] if (
            head.name.startswith("apply:")
        ):
            pass
        case _:
            return nodes
    return nodes[:1] if _is_first(bound, index) else nodes


def _is_first(bound: Node, index: str) -> bool:
    match bound:
        case Rel(ops=(">=",), args=(Sym(name=name), Num(value=least))):
            return name == index and name in INTEGER_LETTERS and least in FIRST_INDICES
    return False


def _without_reals(kept: list[Node]) -> list[Node]:
    value = (
        kept[:1] if len(kept) > 1 and not isinstance(kept[0], Rel) and free_symbols(kept[0]) else []
    )
    if value and all(isinstance(n, Rel) and n.ops == ("!=",) for n in kept[1:]):
        kept = value
    defined = any(isinstance(n, Rel) and n.ops[0] in ("=", "~") for n in kept)
    answers = [n for n in kept if not _is_real(n, any_letter=defined)]
    return answers or kept


def _is_real(node: Node, *, any_letter: bool) -> bool:
    r"""Whether a condition says that a variable is real; of `k\pi, k \in \mathbb{R}` it counts."""
    if not isinstance(node, Rel) or (node.ops, node.args[-1]) != (("in",), Sym("Reals")):
        return False
    return any_letter or not free_symbols(node) <= INTEGER_LETTERS


def _parameter(node: Node) -> str | None:
    member = isinstance(node, Rel) and node.ops == ("in",) and node.args[1] in PARAMETER_SETS
    return node.args[0].name if member and isinstance(node.args[0], Sym) else None  # type: ignore[union-attr]


def _restricts(condition: Node, value: Node) -> bool:
    """Whether the parameter is one of the value, and no argument or index of what it defines."""
    name = _parameter(condition) or ""
    if isinstance(value, Rel):
        head = value.args[0]
        index = head.name.partition("_")[2] if isinstance(head, Sym) else ""
        if name in free_symbols(head) | {index}:
            return False
    return name in free_symbols(value)


def is_domain(items: Sequence[Item]) -> bool:
    r"""`k \in \mathbb{Z}`, which may stand behind a wide blank without a comma."""
    match items:
        case [Token(kind="sym"), Token(kind="rel", text="in"), Token(text=over)]:
            return Sym(over) in PARAMETER_SETS
    return False


def conditions_behind(items: Sequence[Item], at: int) -> list[Node]:
    r"""The conditions in what qualifies an answer from a place on: `k \in \mathbb{N}`, `for x > 0`.

    One that is not read but restricts (*if*, *unless*, *only for*, *for even n*) by its words.
    """
    last = items[at - 1] if at else None
    only = isinstance(last, Token) and last.text.lower() == "only"
    flat = [t for item in items[at:] for t in ([item] if isinstance(item, Token) else item.items)]
    tokens = [token for token in flat if isinstance(token, Token)]
    found: list[Node] = []
    for before, name, sign, bound in zip(
        [None, *tokens], tokens, tokens[1:], tokens[2:], strict=False
    ):
        if name.kind != "sym" or sign.kind != "rel":
            continue
        if sign.text == "in" and Sym(bound.text) == Sym("Naturals"):
            found.append(Rel(("in",), (Sym(name.text), Sym("Naturals"))))
        conditional = before is None or before.text.lower() in _CONDITIONAL
        if conditional and sign.text in ORDER and bound is tokens[-1] and bound.value is not None:
            found.append(Rel((sign.text,), (Sym(name.text), Num(bound.value))))
    said = [token.text.lower() for token in tokens]
    chosen = said[:1] != ["where"] and not _CHOOSING.isdisjoint(said)
    restricting = not found and (chosen or said[:1] in _RESTRICTING)
    if said and (only or restricting):
        return [Words(" ".join(said[1:]))]
    return found


def given(value: Node, conditions: list[Node]) -> Node:
    """The value with the condition, of `conditions_behind`, that restricts it."""
    for condition in conditions:
        if isinstance(condition, Words):
            return Op("given", (value, condition))
        if _parameter(condition) is not None and _restricts(condition, value):
            return Op("given", (value, condition))
        if (
            isinstance(condition, Rel)
            and condition.ops != ("in",)
            and _is_defined(value, condition)
        ):
            return Op("given", (value, condition))
    return value


def _is_defined(node: Node, condition: Rel) -> bool:
    """Whether the value is defined, and real, where a bound on its variable says that it is not."""
    value = node.args[-1] if isinstance(node, Rel) else node
    name, bound = condition.args
    if free_symbols(value) != free_symbols(name) or not isinstance(bound, Num):
        return False
    from_start = condition.ops[0] in (">", ">=") and bound.value in FIRST_INDICES
    if from_start and free_symbols(name) <= INTEGER_LETTERS:
        return False
    mp = context()
    away = -1 if condition.ops[0] in (">", ">=") else 1
    for distance in map(mp.mpf, _BEYOND):
        evaluator = Evaluator({name.name: bound.value + away * distance})  # type: ignore[union-attr]
        try:
            evaluator.value(value)
        except (NotNumeric, Inexact):
            continue
        if not evaluator.met_complex:
            return True
    return False


def same_given(
    gold: Node, answer: Node, compare: Callable[[Node, Node], Decision]
) -> Decision | None:
    """Compares answers with a condition; a gold answer's may be left out. None without any."""
    (left, first), (right, second) = _parts(gold), _parts(answer)
    if first is None and second is None:
        return None
    if second is None:
        return compare(left, right)
    if first is None:
        return different("other_condition")
    names = dict(zip(sorted(free_symbols(second)), sorted(free_symbols(first)), strict=False))
    decision = compare(first, rename(second, names))
    return compare(left, rename(right, names)) if decision.outcome is Outcome.EQUAL else decision


def _parts(node: Node) -> tuple[Node, Node | None]:
    if isinstance(node, Op) and node.name == "given":
        return node.args  # type: ignore[return-value]
    return node, None
