"""What to type instead of names that users of the SSR and SpecReason scripts know."""

from collections.abc import Sequence
from itertools import pairwise

import click

from pipeline.cli.declared_options import NearChoice

GRADE = "speclrm grade RUN…, then speclrm leaderboard RUN…"
ROLES = "speclrm run spec --use-role-prompts --vote ssr-v1"
METHODS = "speclrm run spec-methods --vote ssr-v2"
# By the scripts' names, dashes for underscores.
COMMANDS = {
    "eval": GRADE,
    "evaluate": GRADE,
    "base-test": "speclrm run baseline",
    "scale-reason": "speclrm run parallel --vote ssr-v1, with --use-role-prompts or "
    "--use-method-prompts",
    "spec-reason": "speclrm run spec",
    "spec-scale-reason": f"{ROLES} for the version with roles, {METHODS} for the one with methods",
    "spec-scale-reason-role": ROLES,
    "spec-scale-reason-async": f"{ROLES} (its tracks never wait for each other)",
    "spec-scale-reason-2": METHODS,
    "spec-scale-reason-ori": METHODS,
    "spec-scale-reason-fast": "speclrm run spec-methods --vote ssr-v1 --fast 1, or --fast 2",
    "spec-scale-reason-mcount-abla": f"{METHODS} --strategy-pool-size 6, 9, 12 or 15",
    "baseline-eval": GRADE,
    "parallel-eval": GRADE,
    "spec-eval": GRADE,
    "spec-reason-eval": GRADE,
    "spec-scale-eval": GRADE,
    "time-eval": GRADE,
    "method-count-eval": GRADE,
    "base-token-stats-eval": GRADE,
    "rewrite-token-stats-eval": GRADE,
    "score-eval": "speclrm replay RUN",
}
OPTIONS = {
    "--results-dir": f"runs are named by their folders: {GRADE}",
    "--plot": "the page has the charts: speclrm leaderboard RUN… --html PAGE",
    "--spec-scale": f"a run knows its own reasoner: {GRADE}",
}


def instead_of(name: str) -> str | None:
    """What to type instead of a command, a reasoner or a script that this program has not."""
    return COMMANDS.get(name.rpartition("/")[2].removesuffix(".py").replace("_", "-").lower())


def script_in(arguments: Sequence[str]) -> str:
    """The name of the command or script that arguments begin with; `python` before it is passed."""
    first, *others = arguments
    return others[0] if others and first.rpartition("/")[2].startswith("python") else first


def hint_for(error: click.ClickException) -> str | None:
    """What to type instead of an option that this program does not have; None if unknown."""
    if isinstance(error, click.NoSuchOption):
        return OPTIONS.get(error.option_name.replace("_", "-"))
    return None


def refuse_flag_as_value(
    command: click.Command, context: click.Context, arguments: Sequence[str]
) -> None:
    """Refuse an option that is followed by another one where its value should be.

    Raises:
        click.BadOptionUsage: there is one. A value like that is given as `--option=--value`.
    """
    normal = context.token_normalize_func or str
    options = {
        flag: one
        for one in command.get_params(context)
        if isinstance(one, click.Option)
        for flag in one.opts
    }
    for before, word in pairwise(arguments):
        if before == "--":
            return
        option = options.get(normal(before))
        # What is true or false may stand alone: then it is true.
        if option is None or option.is_flag or option.count or option.flag_value is True:
            continue
        if normal(word.partition("=")[0]) in options:
            raise click.BadOptionUsage(
                before,
                f"{before} needs a value, and {word} is an option; write {before}={word} if that "
                "is the value.",
            )


class ReasonerName(NearChoice):
    """A reasoner's name; a script's name is answered with the command to type."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is, or what to type instead."""
        hint = instead_of(value) if value not in self.choices else None
        if hint is not None:
            self.fail(f"{value!r} is not a reasoner; type {hint}.", param, ctx)
        return super().convert(value, param, ctx)
