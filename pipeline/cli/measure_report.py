"""What `speclrm measure` is asked for, what it prints of a report, and what of an earlier one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.text import Text

from evaluators.reports.measured import earlier, files
from evaluators.reports.measured.earlier import Earlier
from evaluators.reports.measured.parts import parts
from evaluators.reports.measured.report_file import NoReport, Report, read_report
from evaluators.reports.parts import Part
from evaluators.reports.parts import as_markdown as parts_as_markdown
from pipeline.cli.measure_page import write_measured_page
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake

TABLE = "table"
RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class How:
    """What is done with a config."""

    dry_run: bool
    resume: bool
    retry_errors: bool
    output_dir: Path | None
    decoders: str | None = None
    probe_again: bool = False


class Writer(Protocol):
    """What writes a report, compared with an earlier one or not, as a text."""

    def __call__(self, report: Report, earlier: Earlier | None = None) -> str:
        """The text."""
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """How a report is printed: `form`, wholly or shortly, and against which earlier one.

    `margin` is the share of 1 by which something may be worse; None: nothing is judged. `page` is
    a file for the report as a page.
    """

    form: str = TABLE
    whole: bool = False
    against: Path | None = None
    margin: float | None = None
    page: Path | None = None

    def check(self) -> None:
        """Raise `UserMistake` for what will not be possible later, or has no effect."""
        if self.whole and self.form != TABLE:
            raise UserMistake(
                f"--wide applies to the table; --format {self.form} has everything, so drop it."
            )
        if self.against is not None:
            known(self.against)
        elif self.margin is not None:
            raise UserMistake("--fail-on-regression compares with a report; give --against REPORT.")


def known(path: Path) -> Report:
    """The report of a folder or a file.

    Raises:
        UserMistake: there is none that can be read.
    """
    try:
        return read_report(path)
    except NoReport as error:
        raise UserMistake(str(error)) from error


def as_markdown(report: Report, earlier_one: Earlier | None = None) -> str:
    """Every table."""
    return parts_as_markdown(report.title, _parts(report, earlier_one, whole=True))


WRITERS: Mapping[str, Writer] = {
    "markdown": lambda report, earlier=None: as_markdown(report, earlier),
    "csv": lambda report, earlier=None: files.as_csv(report, earlier),
    "json": lambda report, earlier=None: files.as_json(report, earlier),
}


def print_report(path: Path, output: Output) -> bool:
    """Print the report of a measurement; whether nothing is worse than in the earlier one.

    Raises:
        UserMistake: a report cannot be read, or nothing of it can be judged.
    """
    report = known(path)
    compared = _compared(report, path, output)
    if output.form == TABLE:
        console = table_console()
        console.print(Text(report.title, style="bold"))
        for part in _parts(report, compared, whole=output.whole):
            print_table(
                console,
                part.headings,
                part.lines,
                title=part.title,
                notes=part.notes,
                texts=part.texts,
            )
        if not output.whole:
            console.print(Text("Times, forwards, memory, settings in effect: --wide.", "dim"))
    else:
        echo(WRITERS[output.form](report, compared))
    if output.page is not None:
        write_measured_page(
            report, _folder(path), _parts(report, compared, whole=True), output.page
        )
    return compared is None or _is_well(compared, output)


def _parts(report: Report, compared: Earlier | None, *, whole: bool) -> list[Part]:
    more = [] if compared is None else [earlier.part(compared)]
    return [*parts(report, whole=whole), *more]


def _compared(report: Report, path: Path, output: Output) -> Earlier | None:
    if output.against is None:
        return None
    before, margin = known(output.against), output.margin or 0.0
    folders = _folder(path), _folder(output.against)
    return earlier.against(report, folders[0], before, folders[1], margin=margin)


def _folder(path: Path) -> Path:
    """Where the runs and answers of a report are."""
    return path if path.is_dir() else path.parent


def _is_well(compared: Earlier, output: Output) -> bool:
    """Whether nothing has become worse, as far as that was asked.

    Raises:
        UserMistake: it was asked, and cannot be said.
    """
    if output.margin is None:
        return True
    if compared.settings:
        listed = "\n  ".join(compared.settings)
        raise UserMistake(
            f"{output.against} measured something else, so nothing is said of regressions; measure "
            f"with the same settings:\n  {listed}"
        )
    for line in compared.machine:
        echo(f"Warning: the machine or its versions differ: {line}", err=True)
    for sentence in compared.regressions:
        echo(f"Regression: {sentence}", err=True)
    if not compared.judged:
        raise UserMistake(
            f"Nothing of {output.against} can be compared: no decoder has three passes in both, or "
            "five prompts; measure with repeats of 3 or more."
        )
    return not compared.regressions
