"""Not worse by more than a margin: non-inferiority of one run to another on the same problems."""

import math
from collections.abc import Sequence

from evaluators.uncertainty import student_cdf

ONE_SIDED_LEVEL = 0.025
"""A run is not worse by more than the margin when p is at most this."""


def not_worse_p(differences: Sequence[float], margin: float) -> float:
    """One-sided p of the hypothesis that the true mean difference is at or below -`margin`.

    See `not_worse_t`; Student's t with n-1 degrees of freedom. 1 for a single problem, which says
    nothing of others.
    """
    problems = len(differences)
    if problems < 2:  # noqa: PLR2004 - one degree of freedom needs two
        return 1.0
    total, squares = sum(differences), sum(one * one for one in differences)
    return 1 - student_cdf(not_worse_t(problems, total, squares, margin), problems - 1)


def not_worse_t(problems: int, total: float, squares: float, margin: float) -> float:
    """(mean + margin) / error, from the sum of the differences and that of their squares.

    Mean and error are those of `uncertainty.difference_interval` (Agresti & Min 2005: two supposed
    problems more, one of them discordant), with the second moment no smaller than the margin: when
    the truth is a loss of the margin in whole problems, that is what it is, and studies that happen
    to see few of the lost problems must not take their luck for precision (as the score test of
    Tango 1998, Statistics in Medicine 17:891-908, which takes the error at the margin).
    """
    supposed = problems + 2
    mean = total / supposed
    moment = max((squares + 1) / supposed, margin)
    return (mean + margin) / math.sqrt((moment - min(abs(mean), margin) ** 2) / supposed)
