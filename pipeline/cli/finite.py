"""Numeric options: finite and within a range, since `nan` passes every comparison."""

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A range of numbers without `nan` and the infinities."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read an option's value.

        Raises:
            click.BadParameter: it is no number, no finite one, or outside the range.
        """
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


MARGIN = FiniteRange(min=0, max=100, min_open=True, max_open=True)
"""Of percent points."""
