r"""Rows of layouts: their ends, `\\*` and `\\[4pt]`, and `&` inside them where it says nothing."""

import re

from evaluators.reading.tokens import Token

_SPACE = re.compile(r"\s*\[\s*-?(?:\d+\.?\d*|\.\d+)\s*(?:pt|ex|em|mm|cm|in|pc|mu)\s*\]")


def row_end(text: str, at: int, *, within: bool) -> int:
    """Where a row's end is over; `at` is behind its backslashes, `within` an environment."""
    at += within and text.startswith("*", at)
    space = _SPACE.match(text, at)
    return space.end() if space else at


def without_cells(tokens: list[Token]) -> list[Token]:
    r"""The tokens without the `&` of rows that each define another name: `x &= 3 \\\\ y &= -1`.

    Rows that go on with the same name, or without one, are steps of a derivation and keep theirs.
    """
    if not any(token.kind == "cell" for token in tokens):
        return tokens
    rows: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "row":
            rows.append([])
        else:
            rows[-1].append(token)
    heads = [row[0].text for row in rows if _defines(row)]
    if len(set(heads)) < len(rows) or len(rows) == 1:
        return tokens
    return [token for token in tokens if token.kind != "cell"]


def _defines(row: list[Token]) -> bool:
    kinds = [token.kind for token in row]
    return kinds[:3] == ["sym", "cell", "rel"] and kinds.count("cell") == 1
