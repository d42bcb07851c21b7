"""The command `speclrm run`: its options and help depend on the reasoner that is named."""

from difflib import get_close_matches

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
from pipeline.cli.shard_processes import TYPED
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
        ctx.meta[NAMED] = self._named(ctx, args)
        ctx.meta[TYPED] = tuple(args)
        first = next(iter(args), "-")
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if ctx.meta[NAMED] is None and not first.startswith("-"):
                # No reasoner is known that could have the option: that is what is wrong.
                ReasonerName(list(REASONERS)).convert(first, self.get_params(ctx)[0], ctx)
            there = (option for options in self._shown(ctx).values() for option in options)
            near = get_close_matches(
                error.option_name, [flag for one in there for flag in one.opts]
            )
            raise click.NoSuchOption(error.option_name, possibilities=near, ctx=ctx) from None

    def _named(self, ctx: click.Context, args: list[str]) -> str | None:
        """The reasoner among arguments that may be wrong: a typing error does not hide it."""
        parser = self.make_parser(ctx)
        parser.ignore_unknown_options = True
        found, rest, _ = parser.parse_args(list(args))
        names = (word.replace("_", "-") for word in (str(found.get("reasoner")), *rest))
        return next((name for name in names if name in REASONERS), None)

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
        twins = {_title(role): role for role in _twins()}
        for heading, options in self._shown(ctx).items():
            role = twins.get(heading)
            if not options or (in_short and role is not None and reasoner is None):
                continue
            with formatter.section(heading):
                if in_short and role is not None:
                    formatter.write_text(TWINS_IN_SHORT.format(role, prefix_of(role)))
                else:
                    lines = (option.get_help_record(ctx) for option in options)
                    formatter.write_dl([line for line in lines if line is not None])

    def _shown(self, ctx: click.Context) -> dict[str, list[click.Option]]:
        """The options by heading, without those of other reasoners and their models."""
        reasoner, twins = ctx.meta.get(NAMED), _twins()
        own = {option.name for option in own_options(reasoner)} if reasoner is not None else set()
        headings = (*BEFORE_MODELS, "Target", *map(_title, twins), "Output", "Help")
        shown: dict[str, list[click.Option]] = {heading: [] for heading in headings}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and not param.hidden:
                shown["Reasoner" if param.name in own else _heading(param, twins)].append(param)
        if reasoner is not None:
            used = reasoner_entry(reasoner).models
            shown |= {_title(role): [] for role in twins if role not in used}
        return shown


BEFORE_MODELS = ("What to run", "Sampling", "Reasoner")
GROUPS = {"What to run": WHAT_TO_RUN, "Sampling": SAMPLING, "Output": OUTPUT}


def _summary(known: ReasonerEntry | UserMistake) -> str:
    """What a reasoner does, or why it cannot be used."""
    return str(known) if isinstance(known, UserMistake) else known.summary


def _title(role: str) -> str:
    return role.replace("_", " ").capitalize()


def _twins() -> list[str]:
    return [role for role in roles() if role != "target"]


def _heading(option: click.Option, twins: list[str]) -> str:
    name = option.name or ""
    for heading, options in GROUPS.items():
        if name in {one.name for one in options}:
            return heading
    if {"--help", "--help-all"} & {*option.opts}:
        return "Help"
    return next((_title(role) for role in twins if name.startswith(f"{role}_")), "Target")


def show_all(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    """Print the help with the options of every model, and end."""
    if asked and not ctx.resilient_parsing:
        ctx.meta[TWINS_TOO] = True
        echo(ctx.get_help())
        ctx.exit()
