"""Options that reasoners and engines declare, as click has them."""

from typing import Any

import click

from pipeline.cli.finite import FiniteRange
from pipeline.declared_option import DeclaredOption
from pipeline.near_match import near_match


class NearChoice(click.Choice[str]):
    """One of some names; another is answered with the nearest."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is, or what was probably meant."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = near_match(value, self.choices)
            if near is not None:
                self.fail(f"{error.message.rstrip('.')}; did you mean {near}?", param, ctx)
            raise


def click_type(option: DeclaredOption) -> Any:
    """The type of an option's value, with its bounds."""
    if option.choices:
        return NearChoice(list(option.choices))
    least = option.least if option.above is None else option.above
    if option.type is float:
        return FiniteRange(min=least, max=option.most, min_open=option.above is not None)
    if option.type is int and (least, option.most) != (None, None):
        whole, most = (None if end is None else int(end) for end in (least, option.most))
        return click.IntRange(min=whole, max=most, min_open=option.above is not None)
    return option.type if option.type in {int, str, bool} else click.Path(path_type=option.type)
