"""`speclrm import`: results of other programs as a run."""

from pathlib import Path
from typing import cast

import click

from pipeline.cli.run_folders import LocalPath
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.imports.importing import SOURCES, Named, Source, import_run
from pipeline.problems.problem_set import default_refs_dir, load_problems

CHOICES_SEED = 0
"""Imported choices keep the order in which they were shown; ours is not used."""


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--from", "source", type=click.Choice(list(SOURCES)), required=True, help="Who wrote FILES."
)
@click.option("--dataset", help="The dataset that was run: its gold answers count.")
@click.option("--data-file", type=click.Path(path_type=Path), help="Its rows, as for `run`.")
@click.option("--output-dir", type=LocalPath(path_type=Path), required=True, help="The new run.")
@click.option("--model", help="Name of the target model, if the files do not record it.")
@click.option("--draft-model", help="Name of the draft model.")
def import_command(
    *,
    files: tuple[Path, ...],
    source: str,
    dataset: str | None,
    data_file: Path | None,
    output_dir: Path,
    model: str | None,
    draft_model: str | None,
) -> None:
    """Import the results in FILES, or in folders of them, as a run to grade.

    specreason and ssr read their pickles without running anything of them; lm-eval reads the
    samples_*.jsonl of lm-evaluation-harness.
    """
    if draft_model is not None and source == "lm-eval":
        raise UserMistake(
            "--draft-model applies only to specreason and ssr; lm-eval has one model, so drop it."
        )
    problems = load_problems(dataset, data_file, seed=CHOICES_SEED, refs_dir=default_refs_dir())
    done = import_run(
        cast("Source", source), files, problems, output_dir, Named(model, draft_model)
    )
    failed = f", {done.failed} of them unreadable and kept as errors" if done.failed else ""
    echo(f"{done.directory}: {done.attempts} attempts{failed}")
    echo(f"Grade it: speclrm grade {done.directory}")
