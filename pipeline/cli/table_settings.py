"""A table's settings as options of `speclrm run`: whatever it takes, a table's row takes too."""

import json
import re
from collections.abc import Collection, Iterator, Mapping

import click

from pipeline.cli.common_options import OUTPUT
from pipeline.cli.engine_options import option_names
from pipeline.cli.options import experiment_of
from pipeline.cli.reasoner_options import roles
from pipeline.cli.run import run_command
from pipeline.cli.run_help import NAMED
from pipeline.engines.declaration import prefix_of
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.reasoners import REASONERS, entry
from pipeline.tables.cells import BadSetting
from pipeline.tables.document import nearest
from pipeline.tables.table_file import Setting, Settings

NOT_SETTINGS = {*(option.name for option in OUTPUT), "help_all"}


class RunOptions:
    """The options of `speclrm run` by their names and their settings' fields."""

    def __init__(self) -> None:
        self._by_reasoner: dict[str, dict[str, click.Option]] = {}

    def of(self, reasoner: str) -> Collection[str]:
        """See `pipeline.tables.cells.Options`."""
        if reasoner not in REASONERS:
            raise BadSetting(f"There is no reasoner {reasoner!r}; {nearest(reasoner, REASONERS)}.")
        unused = roles() - entry(reasoner).models.keys()
        return [
            name
            for name, option in self._options(reasoner).items()
            if not option.hidden and not any(str(option.name).startswith(f"{r}_") for r in unused)
        ]

    def of_models(self) -> Collection[str]:
        """See `pipeline.tables.cells.Options`."""
        return option_names()

    def key(self, role: str, name: str) -> str:
        """See `pipeline.tables.cells.Options`."""
        return prefix_of(role).replace("-", "_") + name

    def experiment(self, reasoner: str, settings: Settings) -> Experiment:
        """See `pipeline.tables.cells.Options`."""
        options = self._options(reasoner)
        words = [word for key, one in settings.items() for word in _spelled(options[key], key, one)]
        try:
            with run_command.make_context("run", [reasoner, *words]) as context:
                experiment = experiment_of(reasoner, context.params)
                # Its name follows from all settings: options that are JSON are read here.
                experiment.name()
                return experiment
        except click.BadParameter as error:
            name = None if error.param is None else error.param.name
            key = next((key for key in settings if options[key].name == name), None)
            raise BadSetting(error.message, key) from error
        except BadSetting:
            raise
        except UserMistake as error:
            raise BadSetting(str(error), _named_in(str(error), options, settings)) from error

    def _options(self, reasoner: str) -> Mapping[str, click.Option]:
        """The options that the reasoner has, and those of others, which it would refuse."""
        if reasoner not in self._by_reasoner:
            # Its settings too: click keeps a command's help option as it was first asked for.
            context = click.Context(run_command, **run_command.context_settings)
            context.meta[NAMED] = reasoner
            help_option = run_command.get_help_option(context)
            left_out = NOT_SETTINGS | {None if help_option is None else help_option.name}
            self._by_reasoner[reasoner] = {
                name: option
                for option in run_command.get_params(context)
                if isinstance(option, click.Option) and option.name not in left_out
                for name in _names(option)
            }
        return self._by_reasoner[reasoner]


def _names(option: click.Option) -> Collection[str]:
    """What the option is called, without the dashes before it and with underscores within."""
    spelled = (one.removeprefix("--").replace("-", "_") for one in option.opts)
    return dict.fromkeys((str(option.name), *spelled))


def _spelled(option: click.Option, key: str, setting: Setting) -> Iterator[str]:
    """The setting as it is typed.

    Raises:
        BadSetting: no option can have such a value.
    """
    value = setting.value
    if option.is_flag or isinstance(value, bool):
        if not isinstance(value, bool) or not (option.is_flag or option.type is click.BOOL):
            kind = "true or false" if option.is_flag else "no truth value"
            raise BadSetting(f"{key} is {value!r}; it must be {kind}.", key)
        if not option.is_flag:
            yield f"{option.opts[0]}={str(value).lower()}"
        elif value:
            yield option.opts[0]
        return
    if isinstance(value, list) and option.multiple:
        yield from (f"{option.opts[0]}={one}" for one in value)
        return
    if isinstance(value, list):
        raise BadSetting(f"{key} is a list; to run each of its values write sweep.{key}.", key)
    if isinstance(value, dict):
        value = json.dumps(value)
    elif isinstance(option.type, click.Path):
        value = setting.paths_from / str(value)
    yield f"{option.opts[0]}={value}"


def _named_in(sentence: str, options: Mapping[str, click.Option], settings: Settings) -> str | None:
    """The setting whose option is named first in an error's sentence."""
    for flag in re.findall(r"--[a-z][a-z0-9-]*", sentence):
        for key in settings:
            if flag in options[key].opts:
                return key
    return None
