"""Options that reasoners declare: as options of `speclrm run`, and as settings."""

from collections.abc import Iterable, KeysView, Mapping
from typing import Any

import click

from pipeline.cli.common_options import common_flags
from pipeline.cli.declared_options import click_type
from pipeline.cli.engine_options import flags_of, model_options
from pipeline.errors import Misdeclared, UserMistake
from pipeline.experiment import TWO_ROLES, SectionSettings
from pipeline.reasoners import REASONERS
from pipeline.reasoners.entry import Option, ReasonerEntry
from pipeline.registry import usable, usable_entry

LONGEST_CHOICES = 60
"""Characters: longer lists of choices stand in the help text, for terminals of 80 columns."""


def reasoner_entries() -> dict[str, ReasonerEntry | UserMistake]:
    """Every reasoner, or why the command line cannot take it.

    A plug-in's reasoner is refused an option that every run has, or a model of some reasoner, as it
    would break that option for all; what two reasoners call alike is each one's own.
    """
    of_each_model = model_options()
    every_runs, of_reasoners = common_flags(), set[str]()
    of_models = flags_of(of_each_model, TWO_ROLES)

    def check(reasoner: ReasonerEntry) -> None:
        own = [flag for one in reasoner.options.values() for flag in one.flags()]
        twins = flags_of(of_each_model, reasoner.models.keys() - {*TWO_ROLES})
        clash = {flag for flag in own if own.count(flag) > 1}
        clash |= {*own} & (every_runs | of_models | twins) | twins & (every_runs | of_reasoners)
        if clash:
            raise Misdeclared(
                f"its option {min(clash)} has the name of one that means something else"
            )
        of_models.update(twins)
        of_reasoners.update(own)

    return REASONERS.loaded(check)


def reasoner_entry(name: str) -> ReasonerEntry:
    """The reasoner of that name.

    Raises:
        UserMistake: the command line cannot take it.
    """
    return usable_entry(reasoner_entries(), name)


def roles() -> KeysView[str]:
    """The roles of models in any reasoner, target and draft first."""
    every = (
        *TWO_ROLES,
        *(role for one in usable(reasoner_entries()).values() for role in one.models),
    )
    return dict.fromkeys(every).keys()


def own_options(reasoner: str) -> list[click.Option]:
    """The options of a reasoner, with its defaults."""
    return [
        _click_option(option, option.default(section.defaults))
        for section in reasoner_entry(reasoner).sections
        for option in section.options
    ]


def other_options(own: Iterable[click.Option]) -> list[click.Option]:
    """The options that only other reasoners than the one of `own` have: known, to be refused."""
    taken = {flag for option in own for flag in (option.name, *option.opts)}
    return [
        _click_option(option, None, hidden=True)
        for option in _every_option().values()
        if not taken & {option.name, *option.flags()}
    ]


def _click_option(option: Option, default: Any, *, hidden: bool = False) -> click.Option:
    choices = "|".join(option.choices)
    told = len(choices) > LONGEST_CHOICES
    return click.Option(
        [*option.flags(), option.name],
        type=click_type(option),
        is_flag=option.type is bool,
        default=bool(default) if option.type is bool else default,
        show_default=option.type is not bool and default is not None,
        metavar="NAME" if told else None,
        help=f"{option.help}  One of {choices.replace('|', ', ')}." if told else option.help,
        hidden=hidden,
    )


def refuse_unused_options(reasoner: str, given: set[str]) -> None:
    """Refuse options that the reasoner would accept and ignore.

    Raises:
        UserMistake: there is one; the message says which reasoners use it.
    """
    anyones = _every_option()
    for name in sorted((given & anyones.keys()) - reasoner_entry(reasoner).options.keys()):
        users = [
            other for other, known in usable(reasoner_entries()).items() if name in known.options
        ]
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
    with REASONERS.blamed(reasoner):
        try:
            return tuple(
                section.read(
                    {one.name: values[one.name] for one in section.options if one.name in given}
                )
                for section in reasoner_entry(reasoner).sections
            )
        except ValueError as error:  # how Python's settings refuse their values
            raise UserMistake(
                f"The reasoner {reasoner!r} cannot have such settings: {error}."
            ) from error


def _every_option() -> dict[str, Option]:
    """The options of all reasoners; of two that share a name the first."""
    every = [*usable(reasoner_entries()).values()]
    return {name: one for known in reversed(every) for name, one in known.options.items()}


def _any_of(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
