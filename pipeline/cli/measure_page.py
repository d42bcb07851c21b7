"""`speclrm measure --html`: the measurement as a page, with the traces of its runs or its texts."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluators.reports.measured.page import Text, sections, text_of, write_page
from evaluators.reports.measured.report_file import ANSWERS, RUNS, Report
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.parts import Part
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.metrics import measured_runs
from pipeline.cli.leaderboard import write_page as write_runs
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.review.asked_statements import LoadedAgain, hidden_datasets
from pipeline.review.step_labels import pocket_labels
from pipeline.runs.directory import MANIFEST


def write_measured_page(report: Report, folder: Path, parts: Sequence[Part], page: Path) -> None:
    """Write the page: with every trace where problems were asked, with every text for prompts.

    Raises:
        UserMistake: a run is not graded, a file cannot be read, or the page cannot be written.
    """
    runs = [folder / RUNS / one.decoder for one in report.measured]
    there = [run for run in runs if (run / MANIFEST).exists()]
    if there:
        _write_with_runs(report, there, parts, page)
        return
    try:
        write_page(report, parts, [*_texts(report, folder / ANSWERS)], page)
    except OSError as error:
        raise UserMistake(
            f"Cannot write {page} ({error.strerror}); choose another place."
        ) from error
    echo(f"{page}: the decoders and what they wrote.", err=True)


def _write_with_runs(
    report: Report, runs: Sequence[Path], parts: Sequence[Part], page: Path
) -> None:
    again = LoadedAgain()
    try:
        measured = measured_runs(runs)
    except NotGraded as error:
        raise UserMistake(str(error)) from error
    options = ReportOptions(
        title=report.title,
        hidden_datasets=hidden_datasets(shown=False),
        step_labels=pocket_labels,
        statements=again.statements,
        groups=again.groups,
        above=sections(report, parts),
    )
    write_runs(measured, page, options)


def _texts(report: Report, folder: Path) -> Iterator[Text]:
    """Every completion of every decoder, as its file of answers has it."""
    for one in report.measured:
        file = folder / f"{one.decoder}.jsonl"
        if not file.exists():
            continue
        try:
            with file.open("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if isinstance(answer, dict):
                        yield text_of(one.decoder, answer)
        except (OSError, ValueError) as error:
            raise UserMistake(f"{file} is no file of answers ({error}).") from error
