"""`speclrm plan`: how many problems and repeats a difference needs, before anything is run."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.comparison import NotComparable, refuse_incomparable, refuse_itself
from evaluators.statistics.metrics import GradedRun, graded_runs
from evaluators.statistics.planning import (
    MAX_PROBLEMS,
    Assumptions,
    NotPlannable,
    Plan,
    between_problems,
    correlation_over_problems,
    study_plan,
)
from pipeline.cli.finite import MARGIN, FiniteRange
from pipeline.cli.run_folders import ReadRuns, all_of
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake

SHARE = FiniteRange(min=0, max=1)
BETWEEN, CORRELATION = 0.6, 0.9
"""Assumed where neither a run nor an option says."""
MOST_NUMBERS = 6
"""Of problems, and of repeats: more would take long to simulate."""
MOST_REPEATS = 64
MOST_DIGITS = 9


def _counts(most: int) -> Callable[[click.Context, click.Parameter, str], tuple[int, ...]]:
    """Reads whole numbers between commas, such as 30,100,300; in rising order, each once."""

    def read(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
        parts = [part.strip() for part in value.split(",")]
        whole = [part for part in parts if part.isascii() and part.isdigit()]
        numbers = [int(part) for part in whole if len(part) <= MOST_DIGITS]
        fits = all(1 <= number <= most for number in numbers)
        if len(numbers) < len(parts) or len(parts) > MOST_NUMBERS or not fits:
            raise click.BadParameter(
                f"{value!r} is not 1 to {MOST_NUMBERS} numbers up to {most:,} with commas between.",
                ctx,
                param,
            )
        return tuple(sorted(set(numbers)))

    return read


@click.command("plan")
@click.argument("runs", nargs=-1, type=ReadRuns(), callback=all_of)
@click.option(
    "--difference",
    type=FiniteRange(min=-100, max=100),
    metavar="POINTS",
    help="The true difference to find.",
)
@click.option(
    "--margin",
    type=MARGIN,
    metavar="POINTS",
    help="Plan to show `not worse by more than this`; --difference is then 0 by default.",
)
@click.option(
    "--accuracy",
    type=SHARE,
    metavar="SHARE",
    help="Accuracy of the first run, above 0 and below 1.",
)
@click.option(
    "--between",
    type=SHARE,
    metavar="SHARE",
    help=f"Share of an attempt's variance that lies between problems.  [default: {BETWEEN}]",
)
@click.option(
    "--correlation",
    type=SHARE,
    help=f"Correlation of the two runs' accuracies over problems.  [default: {CORRELATION}]",
)
@click.option(
    "--repeats",
    default="1,4,16",
    show_default=True,
    callback=_counts(MOST_REPEATS),
    help="What to plan for.",
)
@click.option(
    "--problems",
    default="30,100,300,1000",
    show_default=True,
    callback=_counts(MAX_PROBLEMS),
    help="Rows of the table of power, beside the runs' own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan_command(  # noqa: PLR0917 - one parameter an option
    runs: tuple[Path, ...],
    difference: float | None,
    margin: float | None,
    accuracy: float | None,
    between: float | None,
    correlation: float | None,
    repeats: tuple[int, ...],
    problems: tuple[int, ...],
    as_json: bool,
) -> None:
    """Say how many problems and repeats a comparison needs.

    \b
    speclrm plan --accuracy 0.8 --difference 2
    speclrm plan results/RUN --difference 2
    speclrm plan results/FIRST results/SECOND --margin 2

    One or two graded RUNS tell accuracy and spread, two also the correlation; what an option says
    is taken instead. Power is that of the test of `speclrm compare` (5 %, two-sided; with --margin
    2.5 %, one-sided), in 2,000 simulated studies.
    """  # noqa: D301 - click wants the control character \\b, which keeps the lines apart
    if difference is None and margin is None:
        raise UserMistake("Say what to plan for: --difference 2 (points), or --margin 2.")
    if len(runs) > 2:  # noqa: PLR2004 - a pair
        raise UserMistake("Name at most two runs: the first, and one to compare with it.")
    try:
        refuse_itself(runs)
        graded = graded_runs(runs)
        assumed = _assumptions(graded, difference or 0.0, accuracy, between, correlation)
        problems = tuple(sorted({*problems, *(len(run.problems) for run in graded)}))
        share = None if margin is None else margin / 100
        plan = study_plan(assumed, share, problems, repeats)
    except (NotGraded, NotComparable, NotPlannable) as error:
        raise UserMistake(str(error)) from error
    if as_json:
        echo(json.dumps(asdict(plan), indent=2))
    else:
        _print(plan)


def _assumptions(
    runs: Sequence[GradedRun],
    points: float,
    accuracy: float | None,
    between: float | None,
    correlation: float | None,
) -> Assumptions:
    """What the options say, then what the runs tell, then what is usual."""
    if len(runs) > 1:
        refuse_incomparable(runs[0], runs[1])
    if accuracy is None:
        if not runs:
            raise UserMistake("Give the first run's --accuracy (such as 0.8), or a graded run.")
        accuracy = statistics.fmean(runs[0].means.values())
    told = [between] * len(runs) if between is not None else [between_problems(one) for one in runs]
    if correlation is None and len(runs) > 1:
        correlation = correlation_over_problems(runs[0], runs[1], told)
    if between is None:
        between = statistics.fmean(told) if told else BETWEEN
    return Assumptions(
        accuracy, points / 100, between, CORRELATION if correlation is None else correlation
    )


def _print(plan: Plan) -> None:
    console = table_console()
    assumed = plan.assumed
    console.print(
        Text(
            f"Assumed: accuracy {assumed.accuracy:.1%}, true difference "
            f"{assumed.difference * 100:+g} points, {assumed.between:.0%} of an attempt's variance "
            f"between problems, correlation of the two runs {assumed.correlation:.2f}."
        )
    )
    _print_needed(console, plan)
    _print_powers(console, plan)


def _print_needed(console: Console, plan: Plan) -> None:
    aim = (
        "to find the difference"
        if plan.margin is None
        else f"to show: not worse by more than {plan.margin * 100:g} points"
    )
    rows = [
        (str(one.repeats), f"over {MAX_PROBLEMS:,}", "–", "–", "–", "–")
        if one.problems is None or one.split is None
        else (
            str(one.repeats),
            f"{one.problems:,}",
            f"{2 * one.problems * one.repeats:,}",
            f"{one.split.error:.2%}",
            f"{1 - one.split.samples:.0%}",
            f"{one.split.samples:.0%}",
        )
        for one in plan.needed
    ]
    print_table(
        console,
        ("repeats", "problems", "attempts", "SE", "problems' share", "samples' share"),
        rows,
        title=f"Needed {aim} in 80 % of studies",
        notes="Attempts: of both runs. SE: of the difference; what lies in the samples, more "
        "repeats remove, and what lies in the problems, only more problems do.",
        texts=0,
    )


def _print_powers(console: Console, plan: Plan) -> None:
    repeats = [one.repeats for one in plan.needed]
    cells = {(one.problems, one.repeats): one.power for one in plan.powers}
    rows = [
        [f"{problems:,}", *(f"{cells[problems, count]:.0%}" for count in repeats)]
        for problems in sorted({one.problems for one in plan.powers})
    ]
    print_table(
        console,
        ["problems", *(f"k={count}" for count in repeats)],
        rows,
        title="Power: the share of studies that succeed",
        texts=0,
    )
