"""Not worse by more than a margin: non-inferiority of one run to another on the same problems."""

import math
from collections.abc import Sequence

from evaluators.statistics.uncertainty import student_cdf

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
    total, squares, cubes = (sum(one**exponent for one in differences) for exponent in (1, 2, 3))
    return 1 - student_cdf(not_worse_t(problems, total, squares, cubes, margin), problems - 1)


def not_worse_t(problems: int, total: float, squares: float, cubes: float, margin: float) -> float:
    """(mean + margin) / error, from the sums of the differences, of their squares and their cubes.

    Mean and error are those of `uncertainty.difference_interval` (Bonett & Price 2012: two supposed
    problems more, one won and one lost), but with the second moment that the differences would have
    if the truth were a loss of the margin; as the score test of Tango 1998 (Statistics in Medicine
    17:891-908) takes the error at the margin, so that studies that happen to see few of the lost
    problems do not take their luck for precision. A mean further down would come with more squares
    where mostly whole problems are lost: by the slope of d² on d. And it is no smaller than the
    margin, as where all of it is lost in whole problems.
    """
    supposed = problems + 2
    mean, moment = total / supposed, (squares + 2) / supposed
    slope = (cubes / supposed - mean * moment) / (moment - mean * mean)
    moment = max(moment + max(0.0, -slope) * max(0.0, mean + margin), margin)
    return (mean + margin) / math.sqrt((moment - min(abs(mean), margin) ** 2) / supposed)
