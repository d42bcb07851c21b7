"""Statements that are false whatever was asked: `2 + 2 = 5`, `x = 4 = 5`."""

from evaluators.comparing.scalars import Policy, same_scalar
from evaluators.nodes import Node, Num, Op, Quantity, Rel, free_symbols, walk
from evaluators.verdict import Outcome

# Operations that make no one number, or write a congruence: `17 = 2 mod 5`.
_NO_NUMBER = frozenset({"mod", "pm", "mp"})


def is_false(node: Node) -> bool:
    """Whether a chain of equals begins and ends with values that differ, also when rounded.

    What stands between its ends may be a slip: `5 + 5 + 1 = 7 = 11` comes to what it began with.
    """
    if not isinstance(node, Rel):
        return False
    chains: list[list[Node]] = [[node.args[0]]]
    for op, side in zip(node.ops, node.args[1:], strict=True):
        if op == "=":
            chains[-1].append(side)
        else:
            chains.append([side])
    closed = [
        [value for side in chain if _is_closed(value := _without_unit(side))] for chain in chains
    ]
    return any(len(values) > 1 and _differ(values[0], values[-1]) for values in closed)


def _without_unit(node: Node) -> Node:
    return node.value if isinstance(node, Quantity) else node


def _is_closed(node: Node) -> bool:
    if not isinstance(node, Num | Op) or free_symbols(node):
        return False
    operations = {part.name for part in walk(node) if isinstance(part, Op)}
    return not any(name in _NO_NUMBER or name.startswith("apply:") for name in operations)


def _differ(a: Node, b: Node) -> bool:
    """Whether neither is the other, or rounds to it."""
    sides = ((a, b), (b, a))
    return all(same_scalar(*side, Policy()).outcome is Outcome.DIFFERENT for side in sides)
