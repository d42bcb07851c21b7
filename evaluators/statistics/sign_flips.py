"""The sign-flip test of paired differences, exactly: differences of counts lie on a lattice."""

import math
import sys
from collections.abc import Sequence

import numpy as np

MAX_ADDITIONS = 20_000_000_000
"""Additions that the exact distribution may take, about 20 seconds."""

SMALLEST_SHOWN = 0.0001


def sign_flip_p(differences: Sequence[int]) -> float:
    """Two-sided p of a sum of whole-numbered differences when each one's sign is a coin's.

    The paired permutation test (Fisher 1935, The Design of Experiments, section 21). The sum is
    T - (A - T), where A is the sum of all sizes and T that of the sizes that fell positive, so
    p = 2 P(T <= (A - |sum|) / 2); the distribution of T is a convolution of coins, all of whose
    terms are positive, and its tail is right to about 1e-13 of itself. Where that would take more
    than `MAX_ADDITIONS` (see `is_exact`), Hoeffding's upper bound (1963, J. American Statistical
    Association 58:13-30). Never 0: at least the smallest normal double.
    """
    step = math.gcd(*differences) or 1
    far = abs(sum(differences)) // step
    if far == 0:
        return 1.0
    sizes = sorted(abs(difference) // step for difference in differences if difference)
    if not is_exact(differences):
        bound = 2 * math.exp(-far * far / (2 * sum(size * size for size in sizes)))
        return min(1.0, max(bound, sys.float_info.min))
    cut = (sum(sizes) - far) // 2
    chances = np.zeros(cut + 1)
    chances[0] = 1.0
    reached = 0
    for size in sizes:
        reached = min(cut, reached + size)
        chances[: reached + 1] /= 2
        if size <= cut:
            chances[size : reached + 1] += chances[: reached + 1 - size].copy()
    return min(1.0, max(2 * float(chances.sum()), sys.float_info.min))


def is_exact(differences: Sequence[int]) -> bool:
    """Whether `sign_flip_p` of these is exact and not an upper bound."""
    moved = sum(difference != 0 for difference in differences)
    total = sum(abs(difference) for difference in differences) // (math.gcd(*differences) or 1)
    return moved * total // 2 <= MAX_ADDITIONS


def p_text(p: float) -> str:
    """A p-value for people; never "0.0000"."""
    return f"{p:.4f}" if p >= SMALLEST_SHOWN else f"<{SMALLEST_SHOWN}"
