"""`speclrm export`: graded runs for other programs."""

from pathlib import Path

import click

from evaluators.exports.hub import NoHubForm, write_hub
from evaluators.exports.inspect_log import NoInspectForm, write_inspect
from evaluators.exports.sheet import write_sheet
from evaluators.statements import HIDDEN_DATASETS, hides_text
from evaluators.verdict_table import NotGraded
from pipeline.errors import UserMistake
from pipeline.exporting import hub_dataset, statements
from pipeline.run_directory import read_manifest


@click.command("export")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["inspect", "hf", "csv"]),
    required=True,
    help="inspect: a log for `inspect view`; hf: results for a model's page; csv: a spreadsheet.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file; .json or .eval for inspect, .yaml or .md for hf.",
)
@click.option("--data-file", type=click.Path(path_type=Path), help="The rows that were run.")
@click.option(
    "--show-gpqa",
    is_flag=True,
    help="Put texts of GPQA into the file; its authors ask not to publish examples.",
)
def export_command(
    *,
    runs: tuple[Path, ...],
    form: str,
    output: Path,
    data_file: Path | None,
    show_gpqa: bool,
) -> None:
    """Write graded RUNS for another program."""
    if data_file is not None and form != "inspect":
        raise UserMistake("--data-file names the problems' texts, which only inspect shows.")
    if show_gpqa and form == "hf":
        raise UserMistake("--show-gpqa is about texts, and hf holds none.")
    try:
        written = _write(runs, form, output, data_file, show_gpqa=show_gpqa)
    except (NotGraded, NoHubForm, NoInspectForm) as error:
        raise UserMistake(str(error)) from error
    except OSError as error:
        raise UserMistake(f"Cannot write {output} ({error.strerror}).") from error
    click.echo(f"{output}: {written}")


def _write(
    runs: tuple[Path, ...], form: str, output: Path, data_file: Path | None, *, show_gpqa: bool
) -> str:
    if form == "csv":
        return f"{write_sheet(runs, output, show_hidden=show_gpqa)} attempts"
    if form == "hf":
        return f"{write_hub(runs, output, [hub_dataset(run) for run in runs])} results"
    if len(runs) > 1:
        raise UserMistake("An Inspect log holds one run; export each run to a file of its own.")
    dataset = str(read_manifest(runs[0])["identity"]["dataset"])
    # A gated dataset need not be at hand when its texts are not shown.
    hidden = hides_text(dataset, HIDDEN_DATASETS, show_hidden=show_gpqa)
    if hidden and data_file is not None:
        raise UserMistake(f"Texts of {dataset} are not shown without --show-gpqa; give both.")
    texts = {} if hidden else statements(runs[0], data_file)
    return f"{write_inspect(runs[0], output, texts, show_hidden=show_gpqa)} samples"
