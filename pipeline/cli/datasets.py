"""`speclrm datasets`: the datasets, where they come from, and whether they are complete."""

from pathlib import Path

import click

from evaluators.run_files.attempt_lines import as_written
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.problems.manifests import Manifest, load_manifest, manifest_names
from pipeline.problems.problem_set import ProblemSet, default_refs_dir, load_problems


@click.command("datasets")
@click.argument("name", required=False)
@click.option("--check", is_flag=True, help="Load the dataset and verify its rows.")
@click.option(
    "--data-file",
    type=click.Path(path_type=Path),
    help="Check this file instead: with NAME by that dataset's columns, alone by its own.",
)
def datasets_command(name: str | None, check: bool, data_file: Path | None) -> None:
    """List the datasets, or say more of the dataset NAME.

    \b
    speclrm datasets
    speclrm datasets aime --check
    speclrm datasets --data-file mine.jsonl
    """  # noqa: D301 - click wants the backspace character itself
    if data_file is not None or (check and name is not None):
        loaded = load_problems(name, data_file, seed=0, refs_dir=default_refs_dir())
        echo("\n".join(_checked(loaded)))
        return
    if check:
        raise click.UsageError("--check needs the NAME of a dataset, or --data-file FILE.")
    if name is not None:
        echo("\n".join(_described(load_manifest(name))))
        return
    print_table(
        table_console(),
        ("dataset", "rows", "kind", "public since", "source", "what"),
        [_row(each) for each in manifest_names()],
        texts=6,
        notes="More of one: speclrm datasets NAME.",
    )


def _row(name: str) -> tuple[str, ...]:
    """A dataset's line; why there is none, for a plug-in's that cannot be read."""
    try:
        manifest = load_manifest(name)
    except UserMistake as error:
        return (name, "–", "–", "–", "–", str(error))
    home = manifest.hub.id if manifest.hub is not None else manifest.package or "bundled"
    return (
        name,
        "–" if manifest.rows is None else str(manifest.rows),
        manifest.kind or "each row's",
        manifest.published or "–",
        home + (" (gated)" if manifest.gated else ""),
        manifest.about.partition(":")[0],
    )


def _described(manifest: Manifest) -> list[str]:
    hub = manifest.hub
    if hub is None:
        file = manifest.bundled.name if manifest.bundled is not None else ""
        kind = "bundled" if manifest.package is None else "plug-in"
        source, revision = f"{kind}, {file}", f"ships with {manifest.package or 'the program'}"
    else:
        config = f", config {hub.config}" if hub.config else ""
        source = f"hub, {hub.id}{config}, split {hub.split}"
        revision = hub.revision or "not pinned: the first load's commit is recorded and kept"
    return [
        f"{manifest.name}: {manifest.about}",
        _line("rows", "unknown" if manifest.rows is None else str(manifest.rows)),
        _line("kind", manifest.kind or "given by each row"),
        _line("source", source),
        _line("revision", revision),
        *([_line("plug-in", manifest.package)] if manifest.package else []),
        *([_line("public since", manifest.published)] if manifest.published else []),
        *([_line("unverified", manifest.unverified)] if manifest.unverified else []),
        *([_line("licence", manifest.licence)] if manifest.licence else []),
        *([_line("notice", manifest.notice)] if manifest.notice else []),
    ]


def _checked(loaded: ProblemSet) -> list[str]:
    kinds = sorted({problem.kind for problem in loaded.problems})
    ids = [as_written(problem.problem_id) for problem in loaded.problems]
    return [
        f"{loaded.name}: ok",
        _line("rows", f"{loaded.rows}, ids {ids[0]} to {ids[-1]}"),
        _line("kind", ", ".join(kinds)),
        _line("source", loaded.source),
        *([_line("revision", loaded.revision)] if loaded.revision else []),
        _line("fingerprint", loaded.fingerprint),
        *loaded.notes,
    ]


def _line(label: str, value: str) -> str:
    return f"  {label:<14}{value}"
