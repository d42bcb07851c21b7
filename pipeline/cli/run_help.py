"""The command `speclrm run`: its options and help depend on the reasoner that is named."""

import click

from pipeline.cli.common_options import OUTPUT, SAMPLING, WHAT_TO_RUN, sampling_options
from pipeline.cli.engine_options import engine_options
from pipeline.cli.hints import ReasonerName
from pipeline.cli.reasoner_options import (
    other_options,
    own_options,
    reasoner_entries,
    reasoner_entry,
    roles,
)
from pipeline.cli.terminal import echo
from pipeline.engines.declaration import prefix_of
from pipeline.errors import UserMistake
from pipeline.reasoners import REASONERS
from pipeline.reasoners.entry import ReasonerEntry

NAMED = "pipeline.cli.run_help.reasoner"
TWINS_TOO = "pipeline.cli.run_help.twins"
TWINS_IN_SHORT = (
    "Every option of the target also exists for the {0}, such as --{1}model for --model; "
    "--help-all lists them."
)
MORE_BY_REASONER = "speclrm run REASONER --help shows the options of a reasoner."


class RunCommand(click.Command):
    """A command whose first argument, a reasoner, brings options of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the reasoner among the arguments, with all options known; then parse by its own."""
        found, _, _ = self.make_parser(ctx).parse_args(list(args))
        name = str(found.get("reasoner")).replace("_", "-")
        ctx.meta[NAMED] = name if name in REASONERS else None
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options of every run, and those of the reasoner; of others, to be refused."""
        reasoner = ctx.meta.get(NAMED)
        own = own_options(reasoner) if reasoner is not None else []
        others = other_options(own)
        argument = click.Argument(["reasoner"], type=ReasonerName(list(REASONERS)))
        models = [option for role in roles() for option in engine_options(role)]
        models += [option for role in _twins() for option in sampling_options(role)]
        return [argument, *own, *others, *super().get_params(ctx), *models]

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The reasoner that is meant, or that one is."""
        return [ctx.meta.get(NAMED) or "REASONER", self.options_metavar or ""]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options in groups; without a reasoner the list of them instead of their options."""
        reasoner = ctx.meta.get(NAMED)
        if reasoner is None:
            with formatter.section("Reasoners"):
                formatter.write_dl(
                    [(name, _summary(one)) for name, one in reasoner_entries().items()]
                )
                formatter.write_paragraph()
                formatter.write_text(MORE_BY_REASONER)
        in_short = not ctx.meta.get(TWINS_TOO)
        for heading, lines in self._groups(ctx).items():
            role = _role(heading)
            if not lines or (in_short and role is not None and reasoner is None):
                continue
            with formatter.section(heading):
                if in_short and role is not None:
                    formatter.write_text(TWINS_IN_SHORT.format(role, prefix_of(role)))
                else:
                    formatter.write_dl(lines)

    def _groups(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """The lines of the options by heading; a role that the reasoner has not has none."""
        reasoner = ctx.meta.get(NAMED)
        own = {option.name for option in own_options(reasoner)} if reasoner is not None else set()
        titles = [_title(role) for role in roles()]
        headings = (*BEFORE_MODELS, *titles, "Output", "Help")
        groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in headings}
        for param in self.get_params(ctx):
            line = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if line is not None:
                groups["Reasoner" if param.name in own else _heading(param)].append(line)
        if reasoner is not None:
            used = reasoner_entry(reasoner).models
            groups |= {_title(role): [] for role in roles() if role not in used}
        return groups


BEFORE_MODELS = ("What to run", "Sampling", "Reasoner")
GROUPS = {"What to run": WHAT_TO_RUN, "Sampling": SAMPLING, "Output": OUTPUT}


def _summary(known: ReasonerEntry | UserMistake) -> str:
    """What a reasoner does, or why it cannot be used."""
    return str(known) if isinstance(known, UserMistake) else known.summary


def _title(role: str) -> str:
    return role.replace("_", " ").capitalize()


def _role(heading: str) -> str | None:
    """The role that is not the target whose options stand under a heading."""
    return next((role for role in _twins() if _title(role) == heading), None)


def _twins() -> list[str]:
    return [role for role in roles() if role != "target"]


def _heading(param: click.Parameter) -> str:
    name = param.name or ""
    for role in _twins():
        if name.startswith(f"{role}_"):
            return _title(role)
    if {"--help", "--help-all"} & {*param.opts}:
        return "Help"
    for heading, options in GROUPS.items():
        if name in {option.name for option in options}:
            return heading
    return "Target"


def show_all(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    """Print the help with the options of every model, and end."""
    if asked and not ctx.resilient_parsing:
        ctx.meta[TWINS_TOO] = True
        echo(ctx.get_help())
        ctx.exit()
