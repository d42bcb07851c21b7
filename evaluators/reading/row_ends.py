r"""Ends of rows: `\\`, with a star and with the space to the next row: `\\*`, `\\[4pt]`."""

import re

_SPACE = re.compile(r"\s*\[\s*-?(?:\d+\.?\d*|\.\d+)\s*(?:pt|ex|em|mm|cm|in|pc|mu)\s*\]")


def row_end(text: str, at: int, *, within: bool) -> int:
    """Where a row's end is over; `at` is behind its backslashes, `within` an environment."""
    at += within and text.startswith("*", at)
    space = _SPACE.match(text, at)
    return space.end() if space else at
