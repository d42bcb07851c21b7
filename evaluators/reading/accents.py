r"""Accents over names: `\vec{v}` is v, `\hat{x}` is another name, over digits they are not read."""

import re

from evaluators.reading.commands import ARROWS
from evaluators.reading.words import GREEK, SPELLINGS

_ONE_NAME = re.compile(
    r"\s*(?:\{\s*(?:\\math(?:bf|rm)\s*\{\s*)?(\\?[A-Za-z]+)\s*\}?\s*\}|(\\[A-Za-z]+|[A-Za-z]))"
)
_NAMES = re.compile(r"\s*\{[A-Za-z\s\\{}_']+(?:_\{?\d+\}?[A-Za-z\s\\{}_']*)?\}|\s*\\?[A-Za-z]")
_NUMBERED = re.compile(r"\s*\{?\s*(\d{1,2})\s*\}?(?![\d.])")
_SEGMENT = re.compile(r"\s*\{\s*[A-Z]['_\d]{0,3}\s*[A-Z]['_\d]{0,3}\s*\}")
_DOTLESS = {"imath": "i", "jmath": "j"}


def accented(accent: str, text: str, at: int) -> tuple[tuple[str, str] | None, int] | None:
    """The token of an accent and where reading goes on; no token where the accent does not matter.

    None where the accent stands over what it can only change: digits, formulas.
    """
    if accent in ("angle", "measuredangle"):
        numbered = _NUMBERED.match(text, at)
        return (("sym", f"angle {numbered.group(1)}"), numbered.end()) if numbered else (None, at)
    if accent in ARROWS:
        return (None, at) if _NAMES.match(text, at) else None
    if accent in ("bar", "overline") and _SEGMENT.match(text, at):
        return None, at
    return _named(accent, text, at)


def _named(accent: str, text: str, at: int) -> tuple[tuple[str, str] | None, int] | None:
    match = _ONE_NAME.match(text, at)
    written = (match.group(1) or match.group(2)) if match else ""
    name = written.lstrip("\\")
    name = _DOTLESS.get(name, SPELLINGS.get(name, name))
    if match is None or not (len(name) == 1 or (written.startswith("\\") and name in GREEK)):
        return (("fn", "overline"), at) if accent in ("bar", "overline") else None
    # Unit vectors are written with a hat or in bold.
    token = name if accent == "hat" and name in ("i", "j", "k") else f"{accent} {name}"
    return ("sym", token), match.end()
