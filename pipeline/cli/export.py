"""`speclrm export`: graded runs for other programs."""

from collections.abc import Mapping
from pathlib import Path

import click

from evaluators.reports.exports.hub import HubDataset, NoHubForm, write_hub
from evaluators.reports.exports.inspect_log import NoInspectForm, write_inspect
from evaluators.reports.exports.sheet import write_sheet
from evaluators.reports.statements import Statement, hides_text
from evaluators.run_files.verdict_rows import NotGraded
from pipeline.cli.run_folders import ReadRuns, all_of
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.problems.manifests import load_manifest, manifest_names
from pipeline.review.asked_statements import hidden_datasets, statement_reader
from pipeline.runs.directory import read_manifest

DEFAULT_TASK = "default"
"""The hub's name of a dataset's only configuration."""


@click.command("export")
@click.argument("runs", nargs=-1, required=True, type=ReadRuns(), callback=all_of)
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
    "--show-hidden",
    "--show-gpqa",
    is_flag=True,
    help="Put the texts of gated datasets into the file; GPQA's authors ask not to publish them.",
)
def export_command(
    *,
    runs: tuple[Path, ...],
    form: str,
    output: Path,
    data_file: Path | None,
    show_hidden: bool,
) -> None:
    """Write graded RUNS for another program."""
    if data_file is not None and form != "inspect":
        raise UserMistake(
            "--data-file supplies the problems' texts, which only --to inspect includes."
        )
    if show_hidden and form == "hf":
        raise UserMistake(
            "--show-hidden has no effect with --to hf, which includes no texts; drop it."
        )
    try:
        written = _write(runs, form, output, data_file, hidden_datasets(shown=show_hidden))
    except (NotGraded, NoHubForm, NoInspectForm) as error:
        raise UserMistake(str(error)) from error
    except OSError as error:
        raise UserMistake(f"Cannot write {output} ({error.strerror}).") from error
    echo(f"{output}: {written}")


def _write(
    runs: tuple[Path, ...],
    form: str,
    output: Path,
    data_file: Path | None,
    hidden: tuple[str, ...],
) -> str:
    if form == "csv":
        return f"{write_sheet(runs, output, hidden)} attempts"
    if form == "hf":
        return f"{write_hub(runs, output, [_hub_dataset(run) for run in runs])} results"
    if len(runs) > 1:
        raise UserMistake("An Inspect log holds one run; export each run to its own file.")
    dataset = str(read_manifest(runs[0])["identity"]["dataset"])
    # A gated dataset need not be available when its texts are not shown.
    hides = hides_text(dataset, hidden)
    if hides and data_file is not None:
        raise UserMistake(f"Texts of {dataset} are not shown without --show-hidden; give both.")
    texts = {} if hides else _statements(runs[0], dataset, data_file)
    return f"{write_inspect(runs[0], output, texts, hidden)} samples"


def _hub_dataset(run: Path) -> HubDataset | None:
    """Where a run's dataset is on the hub; None for bundled ones and a user's own."""
    name = str(read_manifest(run)["identity"]["dataset"])
    hub = load_manifest(name).hub if name in manifest_names() else None
    return HubDataset(hub.id, hub.config or DEFAULT_TASK, hub.split) if hub is not None else None


def _statements(run: Path, dataset: str, data_file: Path | None) -> Mapping[str, Statement]:
    """The problems' texts; none for a user's own rows that are not available."""
    asked = statement_reader(data_file)(run)
    expected = data_file is not None or dataset in manifest_names()
    if asked.missing is not None and expected:
        raise UserMistake(
            f"The texts of the problems of {run} are not available: {asked.missing}; "
            "name its rows with --data-file FILE."
        )
    return asked.by_id
