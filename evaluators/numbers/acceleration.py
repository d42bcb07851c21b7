"""Infinite sums: term by term where terms die away fast, else by Levin's u-transformation.

Levin 1973 (Int. J. Computer Math. B3:371-388). The transformation of two different stretches of
terms gives two values whose difference bounds the error. It also gives values to divergent sums,
so that terms must first be seen to die away fast enough.
"""

from collections.abc import Callable
from math import comb
from typing import Any

from evaluators.nodes import NotNumeric
from evaluators.numbers.series import Estimate

# Working precision of the transformation, decimal digits: its weights alternate and cancel.
DIGITS = 110
# Terms of a direct sum; the last of them, and those far behind, must be negligible, by so many
# digits more than the sum is wanted to.
DIRECT_TERMS, QUIET_TERMS, NEGLIGIBLE = 400, 12, 15
FAR_BEHIND = (10**3, 10**4)
# First term and number of terms of the two stretches, and their agreement.
STRETCHES = ((0, 34), (5, 40))
AGREED = 1e-16
# Digits that Levin's transformation gives, short of the agreement; relative to the largest term.
LEVIN_DIGITS = 14
# Where the decay of slowly falling terms is measured, and the power of n it must reach.
FAR, FARTHER = 10**3, 10**6
CONVERGENT_POWER, ALTERNATING_POWER = 1.2, 0.05

_Term = Callable[[int], Any]


def infinite_sum(mp: Any, term: _Term, first: int, digits: int) -> Estimate:
    """The sum of `term(n)` from `first` on, right to so many digits.

    Raises NotNumeric where it does not converge, or this cannot be seen.
    """
    needed = max(start + count for start, count in STRETCHES) + 1
    with mp.workdps(DIGITS):
        terms = [term(first + k) for k in range(needed)]
        if any(mp.im(value) for value in terms):
            raise NotNumeric
        found = _summed(terms, term, first, mp.mpf(10) ** -(digits + NEGLIGIBLE))
        scale = max(abs(value) for value in terms)
        if found is None and digits > LEVIN_DIGITS:
            raise NotNumeric
        if found is None:
            _require_decay(mp, terms, term)
            found, other = (_levin(mp, terms, start, count) for start, count in STRETCHES)
            if not abs(found - other) <= AGREED * abs(found):
                raise NotNumeric
        return Estimate(found, mp.mpf(10) ** -digits * max(abs(found), scale))


def _summed(terms: list[Any], term: _Term, first: int, negligible: Any) -> Any:
    """The sum term by term; None where the terms do not die away fast."""
    head = max(abs(value) for value in terms[:QUIET_TERMS])
    if max(abs(value) for value in terms[-QUIET_TERMS:]) > head / 1000:
        return None
    total, largest, quiet = 0, 0, 0
    for k in range(DIRECT_TERMS):
        value = terms[k] if k < len(terms) else term(first + k)
        total, largest = total + value, max(largest, abs(value))
        quiet = quiet + 1 if abs(value) <= negligible * largest else 0
        if quiet >= QUIET_TERMS and k >= len(terms):
            far = max(abs(term(first + n)) for n in FAR_BEHIND)
            return total if far <= negligible * largest else None
    return None


def _require_decay(mp: Any, terms: list[Any], term: _Term) -> None:
    """Raises NotNumeric unless the terms fall like those of a convergent sum."""
    before, last = terms[-2:]
    if not before or not last:
        raise NotNumeric
    far, farther = abs(term(FAR)), abs(term(FARTHER))
    if not far or not farther:
        raise NotNumeric
    power = mp.log10(far / farther) / mp.log10(mp.mpf(FARTHER) / FAR)
    if power < (ALTERNATING_POWER if last / before < 0 else CONVERGENT_POWER):
        raise NotNumeric


def _levin(mp: Any, terms: list[Any], start: int, count: int) -> Any:
    partial = sum(terms[:start], mp.mpf(0))
    above, below = mp.mpf(0), mp.mpf(0)
    for j in range(count + 1):
        value = terms[start + j]
        if not value:
            raise NotNumeric
        partial += value
        position = start + j + 1
        weight = (-1) ** j * comb(count, j) * mp.mpf(position) ** (count - 2) / value
        above, below = above + weight * partial, below + weight
    if not below:
        raise NotNumeric
    return above / below
