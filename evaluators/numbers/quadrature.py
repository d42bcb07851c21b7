"""Definite integrals by the trapezoid rule after a double-exponential change of variable.

Takahasi & Mori 1974 (Publ. RIMS 9:721-741). The rule on two grids, one shifted by half a step,
gives two values whose difference bounds the error; a third grid is the check. A divergent or
oscillating integrand shows in terms that do not die away, and has no value here.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from evaluators.nodes import NotNumeric
from evaluators.numbers.series import Estimate

# Working precision, in digits of agreement and at most: singular ends are approached within half of
# it, which of a smooth integrand is enough for any agreement that is asked for.
WORKING, MOST_WORKING = 4, 160
# Digits of the last terms beyond the agreement, and of the error that the integral is given short
# of it, relative to the integral of |f|.
NEGLIGIBLE, LAST_TERM, MARGIN = 4, 3, 5
# Steps tried: the first, and how often it is halved.
FIRST_STEP, HALVINGS = 0.125, 4
# The grid reaches so far on both sides; terms must be negligible over such a stretch.
REACH, STRETCH = 6.0, 0.75
# Where the check's grid lies between two nodes; exact in binary, as all steps are.
CHECK_SHIFT = 0.3125

# Nodes kept, of all threads.
CACHED_NODES = 4_096

_Function = Callable[[Any], Any]


def integral(mp: Any, f: _Function, low: Any, high: Any, digits: int) -> Estimate:
    """The integral of `f` from `low` to `high`; the grids must agree to so many digits.

    Raises NotNumeric where the grids do not agree, or `f` does.
    """
    if low == high:
        return Estimate(mp.mpf(0), mp.mpf(0))
    if low > high:
        value, error = integral(mp, f, high, low, digits)
        return Estimate(-value, error)
    if mp.isinf(low) and mp.isinf(high):
        halves = [integral(mp, f, *ends, digits) for ends in ((mp.mpf(0), high), (low, mp.mpf(0)))]
        return Estimate(sum(half.value for half in halves), sum(half.error for half in halves))
    if mp.isinf(low):
        return integral(mp, lambda x: f(-x), -high, -low, digits)
    with mp.workdps(min(WORKING * digits, MOST_WORKING)):
        return _agreed(mp, f, low, high, digits)


def _agreed(mp: Any, f: _Function, low: Any, high: Any, digits: int) -> Estimate:
    """The value on which three grids agree."""
    agreed = mp.mpf(10) ** -digits
    rule = _half_line(mp, f, low) if mp.isinf(high) else _segment(mp, f, low, high)
    step = FIRST_STEP
    total, size = _trapezoid(mp, rule, step, 0.0, digits)
    for _ in range(HALVINGS):
        shifted, shifted_size = _trapezoid(mp, rule, step, step / 2, digits)
        near = abs(total - shifted) <= agreed * (size + shifted_size)
        total, size = (total + shifted) / 2, (size + shifted_size) / 2
        if near:
            checked, _ = _trapezoid(mp, rule, step, CHECK_SHIFT * step, digits)
            if abs(checked - total) <= agreed * size:
                return Estimate(total, agreed * 10**MARGIN * size)
        step /= 2
    raise NotNumeric


def _segment(mp: Any, f: _Function, low: Any, high: Any) -> _Function:
    """The integrand over the whole line for a finite interval; None beyond the precision."""
    width = high - low

    def term(t: float) -> Any:
        share, weight = _near_an_end(mp, mp.prec, abs(t))
        x = low + width * share if t < 0 else high - width * share
        return None if x in (low, high) else f(x) * width * weight

    return term


def _half_line(mp: Any, f: _Function, low: Any) -> _Function:
    """The integrand over the whole line for an interval without upper end."""

    def term(t: float) -> Any:
        distance, weight = _from_the_end(mp, mp.prec, t)
        x = low + distance
        return None if x == low else f(x) * weight

    return term


@lru_cache(maxsize=CACHED_NODES)
def _near_an_end(mp: Any, _precision: int, t: float) -> tuple[Any, Any]:
    """Distance of a node from the nearer end, and its weight, as shares of the interval."""
    small = mp.exp(-mp.pi * mp.sinh(t))
    share = small / (1 + small)
    return share, share / (1 + small) * mp.pi * mp.cosh(t)


@lru_cache(maxsize=CACHED_NODES)
def _from_the_end(mp: Any, _precision: int, t: float) -> tuple[Any, Any]:
    """Distance of a node from the only end, and its weight."""
    distance = mp.exp(mp.pi / 2 * mp.sinh(t))
    return distance, distance * mp.pi / 2 * mp.cosh(t)


def _trapezoid(mp: Any, term: _Function, step: float, shift: float, digits: int) -> tuple[Any, Any]:
    """The rule on one grid, and the same for the integrand's absolute value."""
    negligible, largest_last = (mp.mpf(10) ** -(digits + n) for n in (NEGLIGIBLE, -LAST_TERM))
    total, size = mp.mpf(0), mp.mpf(0)
    for direction in (1, -1):
        quiet, last = 0.0, None
        for k in range(direction == -1, int(REACH / step)):
            try:
                value = term(shift + direction * k * step)
            except NotNumeric:
                # Far out the integrand may leave the limits; the last term then shows if it may.
                value = None
            if value is None:
                break
            last = abs(value)
            total, size = total + value, size + last
            quiet = quiet + step if last <= negligible * size else 0.0
            if quiet > STRETCH:
                break
        if last is None or last > largest_last * size:
            raise NotNumeric
    return total * step, size * step
