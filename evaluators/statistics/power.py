"""How often the sign-flip test finds a difference: its power, by seeded simulation of studies."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.05
"""A study finds a difference when its two-sided p is at most this."""
POWER = 0.8
"""The share of studies that should find it."""
STUDIES = 2_000
"""Studies that are drawn; a power of 0.8 then has a standard error of 0.009."""
SEED = 20_150_831
HALVINGS = 7
"""Of a bracket whose ends are 1 to 2: the detectable difference is known to a hundredth."""
MAX_LATTICE = 2_048
"""Lattice units of change in a study up to which its test is exact; see `rejections`."""
NEAR = 0.01
"""Where the expansion's p is this close to `LEVEL`, the exact one decides."""
MANY = 32
"""Changes of one size that spread as a study's do, (sum of v²)² / sum of v⁴, from which on the
expansion is good enough to tell whether p is near `LEVEL`."""
BLOCK = 4_000_000
"""Numbers in memory at a time."""

Counts = npt.NDArray[np.int64]
"""Problems of each change, a row for each study."""
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ChangeLaw:
    """How a problem's right attempts change from run to run: lattice units, and their chances."""

    changes: tuple[int, ...]
    chances: tuple[float, ...]


def drawn_studies(law: ChangeLaw, problems: int) -> Counts:
    """`STUDIES` studies of so many problems each: how many have each of the law's changes."""
    chances = np.array(law.chances)
    drawn: Counts = np.random.default_rng(SEED).multinomial(
        problems, chances / chances.sum(), size=STUDIES
    )
    return drawn


def power(law: ChangeLaw, problems: int) -> float:
    """The share of studies of so many problems in which the sign-flip test finds a difference."""
    return float(rejections(law.changes, drawn_studies(law, problems)).mean())


def detectable(changes: Sequence[int]) -> float | None:
    """The true mean change that `POWER` of studies like this one find, in the changes' own unit.

    Studies like this one have as many problems, which change as often and as far as here, but more
    often in one direction. Where that cannot make so large a mean, all changes go in one direction
    and more problems change. None where no problem changes, or too few problems are there for the
    test ever to find that: at least six must change.
    """
    sizes = Counter(abs(change) for change in changes if change)
    if not sizes:
        return None
    moved = sizes.total()
    mean_size = sum(size * times for size, times in sizes.items()) / moved

    def found(mean: float) -> float:
        share = max(moved / len(changes), mean / mean_size)
        lean = mean / (share * mean_size)
        each = [(size, share * times / moved / 2) for size, times in sizes.items()]
        law = [(size, chance * (1 + lean)) for size, chance in each]
        law += [(-size, max(0.0, chance * (1 - lean))) for size, chance in each]
        law.append((0, max(0.0, 1 - share)))
        return power(ChangeLaw(*zip(*law, strict=True)), len(changes))

    if found(mean_size) < POWER:
        return None
    squares = sum(size * size * times for size, times in sizes.items())
    high = min(mean_size, math.sqrt(squares) / len(changes))  # one standard error: not enough
    while found(high) < POWER:
        high = min(mean_size, 2 * high)
    low = high / 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < POWER else (low, middle)
    return high


def rejections(changes: Sequence[int], studies: Counts) -> Flags:
    """Which studies the sign-flip test finds a difference in; columns are those of `changes`.

    As exact as `evaluators.statistics.sign_flips` for studies of up to `MAX_LATTICE` units of
    change. Clear cases are decided by Hoeffding's bound, by the bound 7/32 of p where the sum is at
    most one standard deviation (Dvorak & Tiep 2021, arXiv 2104.14331), and in studies with `MANY`
    changes by Edgeworth's expansion with the lattice's continuity correction, all others by p
    itself. The expansion misjudged no study whose p it put more than 0.007 away from `LEVEL`;
    `NEAR` is more. Beyond `MAX_LATTICE` it decides alone, and was at most 0.01 off around 0.05.
    """
    step = math.gcd(*changes) or 1
    values = np.array(changes) // step
    sums = np.abs(studies @ values)
    sizes, place = np.unique(np.abs(values), return_inverse=True)
    counts = np.zeros((len(studies), len(sizes)), dtype=np.int64)
    for column, size in enumerate(place):
        counts[:, size] += studies[:, column]
    variance = counts @ sizes**2
    found: Flags = sums**2 >= 2 * math.log(2 / LEVEL) * np.maximum(variance, 1)
    unclear = np.flatnonzero(~found & (sums**2 > variance))
    if len(unclear):
        rows, back = np.unique(
            np.column_stack([counts, sums])[unclear], axis=0, return_inverse=True
        )
        found[unclear] = (_p_values(sizes, rows[:, :-1], rows[:, -1]) <= LEVEL)[back.ravel()]
    return found


def _p_values(sizes: Counts, counts: Counts, sums: Counts) -> npt.NDArray[np.float64]:
    """Two-sided p of each row: `counts` of the sizes, and the sum's size."""
    totals = counts @ sizes
    p = _edgeworth(sizes, counts, sums)
    squares = sizes.astype(float) ** 2
    few = (counts @ squares) ** 2 < MANY * (counts @ squares**2)
    exact = np.flatnonzero((totals <= MAX_LATTICE) & (few | (np.abs(p - LEVEL) <= NEAR)))
    if len(exact):
        width = 1 << int(2 * totals[exact].max()).bit_length()
        rows = max(1, BLOCK // width)
        for start in range(0, len(exact), rows):
            block = exact[start : start + rows]
            p[block] = _exact(sizes, counts[block], sums[block], width)
    return p


def _exact(sizes: Counts, counts: Counts, sums: Counts, width: int) -> npt.NDArray[np.float64]:
    """By the characteristic function of a sum of coins, a product of cosines, and its transform."""
    cosines = np.cos(np.outer(sizes, np.arange(width // 2 + 1)) * (2 * np.pi / width))
    logs = np.log(np.maximum(np.abs(cosines), 1e-300))
    odd = (counts @ (cosines < 0)) % 2 == 1
    products = np.exp(counts @ logs)
    chances = np.fft.irfft(np.where(odd, -products, products), width, axis=1)
    nearer = np.cumsum(chances[:, : width // 2], axis=1)[np.arange(len(sums)), sums - 1]
    p: npt.NDArray[np.float64] = 1 - (2 * nearer - chances[:, 0])
    return p


def _edgeworth(sizes: Counts, counts: Counts, sums: Counts) -> npt.NDArray[np.float64]:
    """2 (1 - Phi(x)) + 2 phi(x) He3(x) k4 / (24 v²) with k4 = -2 times the sum of fourth powers."""
    variance = (counts @ sizes**2).astype(float)
    x = (sums - 1) / np.sqrt(variance)
    tail = np.array([math.erfc(one / math.sqrt(2)) for one in x])
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    fourth = -2.0 * (counts @ sizes.astype(float) ** 4)
    p: npt.NDArray[np.float64] = tail + 2 * density * (x**3 - 3 * x) * fourth / (24 * variance**2)
    return p
