"""Letters for any constant: of integration, or said to be one, `cx for any constant c`."""

import re

from evaluators.nodes import Node, free_symbols, rename

# Letters for a constant of integration.
_CONSTANTS = frozenset({"c", "k", "K", "C_1", "c_1", "D"})
# The letter that a gold answer says is any constant: `c` of `cx for any constant c`.
_CONSTANT = re.compile(
    r"\bconstants?\b[^A-Za-z0-9]{0,12}([A-Za-z])(?![A-Za-z])"
    r"|(?<![A-Za-z])([A-Za-z])[^A-Za-z0-9]{0,4}(?:\\text\s*\{\s*)?\s*is\s+(?:an?|any)\s+(?:[a-z]+\s+){0,2}constant"
)


def constant_renamed(gold: Node, answer: Node) -> Node:
    """The answer with its constant of integration named as in the gold answer."""
    ours = free_symbols(gold)
    if "C" not in ours:
        return answer
    theirs = free_symbols(answer)
    other = theirs - ours
    if ours - theirs == {"C"} and len(other) == 1 and other <= _CONSTANTS:
        return rename(answer, {next(iter(other)): "C"})
    return answer


def with_constant(gold: str, tree: Node, answers: tuple[Node, ...]) -> tuple[Node, ...]:
    """The answers with their only other letter named as the constant that the gold answer names."""
    found = _CONSTANT.search(gold) if "constant" in gold else None
    if found is None:
        return answers
    name, ours = found[1] or found[2], free_symbols(tree)
    others = [free_symbols(answer) - ours for answer in answers]
    return tuple(
        rename(answer, {next(iter(other)): name})
        if len(other) == 1 and name in ours and name not in free_symbols(answer)
        else answer
        for answer, other in zip(answers, others, strict=True)
    )
