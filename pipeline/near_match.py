"""The known name that an unknown one was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def near_match(name: str, known: Iterable[str]) -> str | None:
    """The nearest of the known names, or None where none is near."""
    near = get_close_matches(name.lower(), list(known), n=1)
    return near[0] if near else None
