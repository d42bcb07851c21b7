"""`speclrm grade`: verdicts for whole runs, for a file of cases, or one decision explained."""

import json
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import evaluators
from evaluators.crosscheck import NoSecondOpinion, disagreements
from evaluators.exports.output import whole_file
from pipeline.errors import RunStopped, UserMistake
from pipeline.grading import Grading, grade_run, graded_cases, verdicts_of
from pipeline.run_directory import read_manifest


@click.command("grade")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--diff", is_flag=True, help="List verdicts that changed against the last grading.")
@click.option("--cross-check", is_flag=True, help="List where Math-Verify judges differently.")
@click.option("--file", type=click.Path(path_type=Path), help="Grade a JSONL file of cases.")
@click.option("--output", type=click.Path(path_type=Path), help="Where the rows of --file go.")
@click.option("--gold", help="Explain one decision: the gold answer.")
@click.option("--answer", help="Explain one decision: an answer, or a whole model output.")
@click.option(
    "--kind",
    type=click.Choice(list(evaluators.KINDS)),
    default="latex",
    show_default=True,
    help="Kind of the gold answer, for --gold.",
)
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
    try:
        if gold is not None and answer is not None:
            click.echo(evaluators.explain(answer, gold, kind))
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
    _report(_grade_with_progress(run))
    if diff:
        _print_changes(before, verdicts_of(run))
    if cross_check:
        _print_disagreements(graded_cases(run))


def _refuse_mixtures(runs: bool, file: bool, gold: str | None, answer: str | None) -> None:
    if (gold is None) != (answer is None):
        raise UserMistake("--gold and --answer go together; give both.")
    if runs + file + (gold is not None) != 1:
        raise UserMistake(
            "Name run directories (for example results/*), or --file, or --gold and --answer; "
            "one of the three."
        )


def _grade_with_progress(run: Path) -> Grading:
    planned = read_manifest(run)["slice"]
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(run.name), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("grading", total=len(planned["problem_ids"]) * planned["repeats"])
        return grade_run(run, lambda graded: bar.update(task, completed=graded))


def _report(grading: Grading) -> None:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(grading.counts.items()))
    limited = f"; {grading.limited} decided by a limit of work" if grading.limited else ""
    click.echo(f"{grading.run}: {grading.total} attempts, {counts or 'none'}{limited}")


def _print_changes(
    before: Mapping[tuple[str, int], str], after: Mapping[tuple[str, int], str]
) -> None:
    changed = [key for key, verdict in after.items() if before.get(key, verdict) != verdict]
    for problem_id, repeat_id in changed:
        old, new = before[problem_id, repeat_id], after[problem_id, repeat_id]
        click.echo(f"problem {problem_id}, repeat {repeat_id}: {old} -> {new}")
    compared = len(before.keys() & after.keys())
    click.echo(f"{len(changed)} of {compared} verdicts changed.")


def _grade_file(file: Path, output: Path | None, *, cross_check: bool) -> None:
    """Grade row by row; an output file appears whole or not at all."""
    rows = evaluators.grade_cases(file)
    kept: list[dict[str, Any]] = []
    try:
        with whole_file(output) if output is not None else nullcontext() as out:
            for row in rows:
                line = json.dumps(row, ensure_ascii=False)
                click.echo(line if out is None else line.encode(), file=out)
                if cross_check:
                    kept.append(row)
    except (OSError, evaluators.BadCase) as error:
        raise UserMistake(f"Cannot grade {file}: {error}") from error
    if cross_check:
        _print_disagreements(kept)


def _print_disagreements(rows: Iterable[Mapping[str, Any]]) -> None:
    count = 0
    try:
        for one in disagreements(rows):
            count += 1
            theirs = "correct" if one.math_verify else "wrong"
            click.echo(
                f"ours {one.ours} ({one.rule}), Math-Verify {theirs}: "
                f"gold {one.gold!r}, answer {one.answer!r}",
                err=True,
            )
    except NoSecondOpinion as error:
        raise UserMistake(str(error)) from error
    click.echo(f"{count} disagreements with Math-Verify.", err=True)
