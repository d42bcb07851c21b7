"""Tokens to nested groups; brackets match by position, so half-open intervals and bars read."""

from dataclasses import dataclass

from evaluators.nodes import Unreadable
from evaluators.reading.tokens import Token

# Brackets may nest this deep; deeper text is no answer.
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Group:
    """A bracketed run of items; `opening` and `closing` are the bracket kinds."""

    opening: str
    closing: str
    items: tuple["Item", ...]
    spaced: bool = False


Item = Token | Group

# What may follow the answer and belongs to its sentence.
_ENDING = frozenset({"close", "stop", "sep", "row", "gap", "mark"})
_BEFORE_NOTHING = frozenset({"op", "sep", "rel", "num", "sym"})
_ROUND = frozenset({"(", "[", ")", "]"})


def nest(tokens: list[Token]) -> list[Item]:
    """Group the tokens by their brackets. Raises Unreadable when brackets do not match."""
    stack: list[tuple[Token | None, list[Item]]] = [(None, [])]
    for index, token in enumerate(tokens):
        items = stack[-1][1]
        opened = stack[-1][0]
        role = _role(token, opened, items)
        if role == "open":
            if len(stack) > MAX_DEPTH:
                raise Unreadable("nested too deeply")
            stack.append((token, []))
        elif role == "close":
            if opened is None or not _match(opened.text, token.text):
                if opened is None and all(t.kind in _ENDING for t in tokens[index:]):
                    break  # a closing bracket too many, as after a box that was cut out
                raise Unreadable("brackets that do not match")
            stack.pop()
            before = stack[-1][1][-1:]
            if _is_spaced_sign(opened, items, before):
                stack[-1][1].append(items[0])
            elif not _is_nothing(opened, items, before, tokens[index + 1 : index + 2]):
                stack[-1][1].append(Group(opened.text, token.text, tuple(items), opened.spaced))
        else:
            items.append(token)
    if len(stack) > 1:
        raise Unreadable("a bracket that is not closed")
    return stack[0][1]


def _is_spaced_sign(opened: Token, items: list[Item], before: list[Item]) -> bool:
    r"""Whether braces hold one sign, TeX's way to set the spaces beside it: `{-}7`, `3{:}4`."""
    script = bool(before) and isinstance(before[0], Token) and before[0].text in ("^", "_")
    sign = (
        len(items) == 1 and isinstance(items[0], Token) and items[0].kind in ("op", "rel", "money")
    )
    return opened.text == "{" and sign and not script


def _is_nothing(opened: Token, items: list[Item], before: list[Item], after: list[Token]) -> bool:
    r"""Whether empty braces are no argument and carry no scripts: `(3,{}4)`."""
    free = not before or (isinstance(before[0], Token) and before[0].kind in _BEFORE_NOTHING)
    script = before[:1] + list(after)
    scripted = any(isinstance(item, Token) and item.text in ("^", "_") for item in script)
    return opened.text == "{" and not items and free and not scripted


def _role(token: Token, opened: Token | None, items: list[Item]) -> str:
    """Whether a bracket opens or closes here; bars and reversed brackets depend on the place."""
    if token.kind == "bar":
        inside = opened is not None and opened.text == token.text
        if _expects_operand(items):
            return "open"
        return "close" if inside else "item"
    if token.kind == "open" and token.text == "[" and opened is not None and opened.text == "]":
        return "close" if not _expects_operand(items) else "open"
    if token.kind == "open" and token.text == "[" and opened is not None:
        reversed_close = opened.text in _ROUND and not _expects_operand(items) and _has_comma(items)
        return "close" if reversed_close else "open"
    if (
        token.kind == "close"
        and token.text == "]"
        and _expects_operand(items)
        and not (opened is not None and opened.text in _ROUND)
    ):
        return "open"
    return token.kind if token.kind in ("open", "close") else "item"


def _has_comma(items: list[Item]) -> bool:
    return any(isinstance(item, Token) and item.kind == "sep" for item in items)


def _expects_operand(items: list[Item]) -> bool:
    if not items:
        return True
    last = _without_scripts(items)[-1]
    if isinstance(last, Group):
        return False
    if last.kind == "op":
        return last.text not in ("!", "!!", "'", "''", "%", "deg")
    return last.kind in ("rel", "sep", "row", "cell", "fn", "stop", "word", "gap")


def _without_scripts(items: list[Item]) -> list[Item]:
    r"""The items up to a function whose bounds or powers end them: `\int_{0}^{1}`, `\sin^2`."""
    stem = items
    while len(stem) > 2 and isinstance(sign := stem[-2], Token) and sign.text in ("^", "_"):  # noqa: PLR2004
        stem = stem[:-2]
    return stem if isinstance(stem[-1], Token) and stem[-1].kind == "fn" else items


def _match(opening: str, closing: str) -> bool:
    if opening in _ROUND:
        return closing in _ROUND
    return opening == closing
