"""Options that reasoners declare: as options of `speclrm run`, and as settings."""

from collections.abc import Collection, Mapping
from typing import Any

import click

from pipeline.cli.finite import FiniteRange
from pipeline.errors import UserMistake
from pipeline.experiment import SectionSettings
from pipeline.reasoners import REASONERS, entry
from pipeline.reasoners.entry import Option

LONGEST_CHOICES = 60
"""Characters: longer lists of choices stand in the help text, for terminals of 80 columns."""


def own_options(reasoner: str) -> list[click.Option]:
    """The options of a reasoner, with its defaults."""
    return [
        _click_option(option, option.default(section.defaults))
        for section in entry(reasoner).sections
        for option in section.options
    ]


def other_options(taken: Collection[str]) -> list[click.Option]:
    """The options that only other reasoners have, by names not `taken`: known, to be refused."""
    others = _every_option()
    return [
        _click_option(option, None, hidden=True)
        for name, option in others.items()
        if name not in taken
    ]


def _click_option(option: Option, default: Any, *, hidden: bool = False) -> click.Option:
    choices = "|".join(option.choices)
    told = len(choices) > LONGEST_CHOICES
    return click.Option(
        [option.flag, *(f"--{name.replace('_', '-')}" for name in option.aliases), option.name],
        type=_click_type(option),
        is_flag=option.type is bool,
        default=bool(default) if option.type is bool else default,
        show_default=option.type is not bool and default is not None,
        metavar="NAME" if told else None,
        help=f"{option.help}  One of {choices.replace('|', ', ')}." if told else option.help,
        hidden=hidden,
    )


def _click_type(option: Option) -> Any:
    if option.choices:
        return click.Choice(list(option.choices))
    if option.type is float:
        return FiniteRange(min=option.least, max=option.most)
    return option.type


def refuse_unused_options(reasoner: str, given: set[str]) -> None:
    """Refuse options that the reasoner would accept and ignore.

    Raises:
        UserMistake: there is one; the message says which reasoners use it.
    """
    anyones = _every_option()
    for name in sorted((given & anyones.keys()) - entry(reasoner).options.keys()):
        users = [other for other, known in REASONERS.usable().items() if name in known.options]
        raise UserMistake(
            f"The reasoner {reasoner!r} cannot use {anyones[name].flag}; drop it, or choose "
            f"{_any_of(users)}."
        )


def sections_of(
    reasoner: str, values: Mapping[str, Any], given: set[str]
) -> tuple[SectionSettings, ...]:
    """The reasoner's settings; `given` are the names of the options on the command line.

    Raises:
        UserMistake: options contradict each other, or one has no effect.
    """
    return tuple(
        section.read({one.name: values[one.name] for one in section.options if one.name in given})
        for section in entry(reasoner).sections
    )


def _every_option() -> dict[str, Option]:
    """The options of all reasoners; of two that share a name the first."""
    every = [*REASONERS.usable().values()]
    return {name: one for known in reversed(every) for name, one in known.options.items()}


def _any_of(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
