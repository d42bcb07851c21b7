"""`speclrm grade`: verdicts for whole runs, for a file of cases, or one decision explained."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import evaluators
from evaluators.crosscheck import NoSecondOpinion, disagreements
from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.whole_file import whole_file
from pipeline.cli.console import safe_console
from pipeline.cli.options import given_options
from pipeline.cli.run_folders import ReadRuns, StagingDir, all_of
from pipeline.cli.terminal import echo, json_line
from pipeline.errors import RunStopped, UserMistake
from pipeline.review.grading import Grading, grade_run, graded_cases, verdicts_of
from pipeline.runs.attempt_keys import asked_in
from pipeline.runs.directory import read_manifest
from pipeline.stores.addresses import as_addresses


@click.command("grade")
@click.argument("runs", nargs=-1, type=ReadRuns(), callback=all_of)
@click.option("--diff", is_flag=True, help="List verdicts that changed since the last grading.")
@click.option("--cross-check", is_flag=True, help="List where Math-Verify judges differently.")
@click.option("--file", type=click.Path(path_type=Path), help="Grade a JSONL file of cases.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="File for the graded rows of --file."
)
@click.option("--gold", help="Explain one decision: the gold answer.")
@click.option("--answer", help="Explain one decision: an answer, or a whole model output.")
@click.option(
    "--kind",
    type=click.Choice(list(evaluators.KINDS)),
    default="latex",
    show_default=True,
    help="Kind of the gold answer, for --gold.",
)
@click.option("--staging-dir", cls=StagingDir)
def grade_command(  # noqa: PLR0917 - click passes them by name
    runs: tuple[Path, ...],
    diff: bool,
    cross_check: bool,
    file: Path | None,
    output: Path | None,
    gold: str | None,
    answer: str | None,
    kind: str,
) -> None:
    """Grade run directories RUNS into their verdicts.jsonl.

    Or a file of cases (fields gold, answer or output, kind) by --file; or explain one decision by
    --gold and --answer.
    """
    _refuse_mixtures(bool(runs), file is not None, gold, answer)
    if (output and not file) or (diff and not runs) or (cross_check and gold is not None):
        raise UserMistake("--output goes with --file, --diff with runs, --cross-check with either.")
    if gold is None and "kind" in given_options():
        raise UserMistake("--kind goes with --gold; runs and files say the kind themselves.")
    for run in runs:  # a mistyped name is reported before minutes of grading
        read_manifest(run)
    try:
        if gold is not None and answer is not None:
            echo(evaluators.explain(answer, gold, kind))
            return
        evaluators.warm_up()
        if file is not None:
            _grade_file(file, output, cross_check=cross_check)
        for run in runs:
            _grade_run(run, diff=diff, cross_check=cross_check)
    except evaluators.NoWorker as error:
        raise RunStopped(str(error)) from error


def _grade_run(run: Path, *, diff: bool, cross_check: bool) -> None:
    before = verdicts_of(run) if diff else {}
    grading = _grade_with_progress(run)
    echo(
        _summary(
            f"{as_addresses(str(run))}: {grading.total} attempts", grading.counts, grading.limited
        )
    )
    if diff:
        _print_changes(before, verdicts_of(run))
    if cross_check:
        _print_disagreements(graded_cases(run))


def _refuse_mixtures(runs: bool, file: bool, gold: str | None, answer: str | None) -> None:
    if (gold is None) != (answer is None):
        raise UserMistake("--gold and --answer go together; give both.")
    if runs + file + (gold is not None) != 1:
        raise UserMistake(
            "Name run directories (for example results/*/), or --file, or --gold and --answer; "
            "one of the three."
        )


def _grade_with_progress(run: Path) -> Grading:
    planned = read_manifest(run)["slice"]
    name = TextColumn("{task.description}", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), name, TimeRemainingColumn())
    console = safe_console(err=True)
    # Where it is no terminal rich draws nothing, and leaves an empty line.
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(run.name, total=sum(1 for _ in asked_in(planned)))
        return grade_run(run, lambda graded: bar.update(task, completed=graded))


def _summary(total: str, counts: Mapping[str, int], limited: int) -> str:
    listed = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    at_a_limit = f"; {limited} stopped by a limit of work" if limited else ""
    return f"{total}, {listed or 'none'}{at_a_limit}"


def _print_changes(
    before: Mapping[tuple[str, int], str], after: Mapping[tuple[str, int], str]
) -> None:
    changed = [key for key, verdict in after.items() if before.get(key, verdict) != verdict]
    for problem_id, repeat_id in changed:
        old, new = before[problem_id, repeat_id], after[problem_id, repeat_id]
        echo(f"problem {as_written(problem_id)}, repeat {repeat_id}: {old} -> {new}")
    compared = len(before.keys() & after.keys())
    echo(f"{len(changed)} of {compared} verdicts changed.")


def _grade_file(file: Path, output: Path | None, *, cross_check: bool) -> None:
    """Grade row by row; an output file appears whole or not at all. The counts go beside the rows.

    Rows are read and written as strict JSON.
    """
    counts: Counter[str] = Counter()
    limited = 0
    kept: list[dict[str, Any]] = []
    try:
        with nullcontext() if output is None else whole_file(output) as out:
            for row in evaluators.grade_cases(file):
                counts[row["verdict"]] += 1
                limited += evaluators.is_at_a_limit(row["rule"])
                if out is None:
                    echo(json_line(row))
                else:
                    out.write(json_line(row).encode() + b"\n")
                if cross_check:
                    kept.append(row)
    except BrokenPipeError:
        raise  # nobody reads the rows any more: that is no fault of the file
    except OSError as error:
        raise UserMistake(
            f"Cannot grade {file}: {error.filename or output or file} cannot be used "
            f"({error.strerror})."
        ) from error
    except evaluators.BadCase as error:
        raise UserMistake(f"Cannot grade {file}: {error}") from error
    echo(_summary(f"{file}: {counts.total()} cases", counts, limited), err=True)
    if cross_check:
        _print_disagreements(kept)


def _print_disagreements(rows: Iterable[Mapping[str, Any]]) -> None:
    count = 0
    try:
        for one in disagreements(rows):
            count += 1
            theirs = "correct" if one.math_verify else "wrong"
            echo(
                f"ours {one.ours} ({one.rule}), Math-Verify {theirs}: "
                f"gold {one.gold!r}, answer {one.answer!r}",
                err=True,
            )
    except NoSecondOpinion as error:
        raise UserMistake(str(error)) from error
    echo(f"{count} disagreements with Math-Verify.", err=True)
