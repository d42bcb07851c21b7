"""One value of a class of answers as it is drawn, and how numbers of it are written."""

import random
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Drawn:
    """One value of a class: spellings for a gold answer, and right and wrong answers to it."""

    golds: list[str]
    right: list[str]
    wrong: list[str]
    kind: str = "latex"


Chance = random.Random


def signed(n: int) -> str:
    """A number behind another: with its sign, and a blank."""
    return f"+ {n}" if n >= 0 else f"- {-n}"


def frac(value: Fraction, command: str = "frac") -> str:
    r"""A fraction in LaTeX, its sign in front."""
    sign = "-" if value < 0 else ""
    return f"{sign}\\{command}{{{abs(value.numerator)}}}{{{value.denominator}}}"


def plain(value: Fraction) -> str:
    """A fraction with a slash, or a whole number."""
    return (
        str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    )


def grouped(n: int, mark: str) -> str:
    """A number with a mark between thousands."""
    return f"{n:,}".replace(",", mark)
