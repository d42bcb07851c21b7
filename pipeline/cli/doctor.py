"""`speclrm doctor`: what is installed, what would work, and how to fix the rest."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import click
from packaging.requirements import Requirement

from pipeline.cli.findings import Finding, State
from pipeline.cli.model_checks import engine_starts, model_findings
from pipeline.cli.plugin_checks import plugin_findings
from pipeline.cli.prompt_checks import pair_findings
from pipeline.cli.run_folders import StagingDir
from pipeline.cli.store_checks import client_findings, staging_findings, store_findings
from pipeline.cli.terminal import echo
from pipeline.engines import ENGINES, entry, resolve_auto
from pipeline.engines.bundled_models import TARGET
from pipeline.errors import EngineFailure, RunStopped, UserMistake
from pipeline.runs import versions
from pipeline.trackers import TRACKERS

OLDEST_PYTHON = (3, 11)
PROJECT = "speclrm"
LITTLE_MEMORY_GIB = 4.0
LITTLE_DISK_GIB = 2.0
HUB = ("huggingface.co", 443)
HUB_SECONDS = 3.0


@click.command("doctor")
@click.option("--model", show_default=TARGET, help="Model to check; of a server its only one.")
@click.option("--draft-model", help="Draft to check with it: their prompts and tokenizers.")
@click.option("--engine", default="auto", show_default=True, help="Engine to check them with.")
@click.option(
    "--base-url",
    multiple=True,
    help="Check this server in place of a model here; repeated: replicas of one model.",
)
@click.option("--tokenizer", help="Tokenizer of the servers' model, where vLLM does not serve it.")
@click.option("--output-dir", type=click.Path(path_type=Path), default=Path("results"))
@click.option("--no-engine", is_flag=True, help="Do not start an engine (it takes seconds).")
@click.option("--store", metavar="ADDRESS", help="Check this place for runs: s3://BUCKET/FOLDER.")
@click.option("--staging-dir", cls=StagingDir)
@click.option(
    "--measure",
    type=click.Path(path_type=Path),
    help="Check what this config of speclrm measure needs, in place of a model and its engine.",
)
def doctor_command(
    *,
    model: str | None,
    draft_model: str | None,
    engine: str,
    base_url: tuple[str, ...],
    tokenizer: str | None,
    output_dir: Path,
    no_engine: bool,
    store: str | None,
    measure: Path | None,
) -> None:
    """Check what is installed and what would work; exit code 2 when something fails."""
    if tokenizer is not None and not base_url:
        raise UserMistake("--tokenizer has no effect without --base-url; drop it")
    for flag, given in {
        "--engine": engine not in {"auto", "openai"},
        "--draft-model": draft_model is not None,
        "--no-engine": no_engine,
        "--measure": measure is not None,
    }.items():
        if base_url and given:
            raise UserMistake(f"{flag} has no effect beside --base-url; drop one of the two")
    for flag, given in {
        "--engine": engine != "auto",
        "--model": model is not None,
        "--draft-model": draft_model is not None,
        "--no-engine": no_engine,
    }.items():
        if measure is not None and given:
            raise UserMistake(
                f"{flag} has no effect beside --measure, whose CONFIG names models and decoders; "
                "drop one of the two"
            )
    engine = entry(resolve_auto() if engine == "auto" else engine).name
    checks: list[Callable[[], Iterator[Finding]]] = [
        python_findings,
        package_findings,
        tracker_findings,
        client_findings,
        plugin_findings,
        hardware_findings,
        lambda: disk_findings(output_dir),
        staging_findings,
        hub_findings,
    ]
    if store is not None:
        checks.append(lambda: store_findings(store))
    if measure is not None:
        from pipeline.cli.decoder_checks import decoder_findings  # noqa: PLC0415 - loads torch

        checks.append(lambda: decoder_findings(measure))
    elif base_url:
        from pipeline.cli.server_checks import server_findings  # noqa: PLC0415 - loads httpx

        checks.append(lambda: server_findings(base_url, model, tokenizer))
    else:
        checks.append(lambda: model_findings(engine, model or TARGET))
    if draft_model is not None:
        checks.append(lambda: pair_findings(engine, model or TARGET, draft_model))
    if measure is None and not base_url and not no_engine:
        checks.append(lambda: engine_starts(engine, model or TARGET))
    failed = False
    for check in checks:
        for finding in _guarded(check):
            failed |= finding.state is State.FAILURE
            advice = f" - {finding.advice}" if finding.advice else ""
            echo(f"{finding.state.value:8} {finding.what:22} {finding.found}{advice}")
    if failed:
        sys.exit(2)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check's findings; one that cannot be made is a failure with its reason."""
    try:
        yield from check()
    except (UserMistake, RunStopped, EngineFailure) as error:
        yield Finding(State.FAILURE, "model", str(error))


def python_findings() -> Iterator[Finding]:
    """Python's version."""
    found = versions.versions()["python"]
    if sys.version_info < OLDEST_PYTHON:
        yield Finding(State.FAILURE, "python", found, "use Python 3.11 or newer")
    else:
        yield Finding(State.OK, "python", found)


def package_findings() -> Iterator[Finding]:
    """The packages that this project's own metadata asks for, and those that engines need."""
    try:
        needed = [Requirement(line) for line in requires(PROJECT) or []]
    except PackageNotFoundError:
        advice = "install it (pip install -e .), so that what it needs is known"
        yield Finding(State.WARNING, PROJECT, "not installed", advice)
        needed = []
    for package in needed:
        # What only an extra needs has a marker that asks for it.
        if package.marker is None or package.marker.evaluate({"extra": ""}):
            yield _package_finding(package)
    installed = versions.versions()
    auto = f"--engine auto means {resolve_auto()}"
    for name, engine in ENGINES.usable().items():
        if not engine.installed and name in ENGINES.built_in and not engine.automatic:
            # Nobody needs it, so that there is nothing to warn of.
            yield Finding(State.OK, name, f"not installed ({engine.install})")
        elif not engine.installed:
            advice = f"{engine.install or f'install {engine.package}'}; until then {auto}"
            yield Finding(State.WARNING, name, "not installed", advice)
        elif engine.package is not None:
            known = [installed[one] for one in engine.versions if one in installed]
            found = known[-1] if known else "unknown version"
            yield Finding(State.OK, name, f"{found} ({auto})" if engine.automatic else found)


def _package_finding(package: Requirement) -> Finding:
    try:
        found = version(package.name)
    except PackageNotFoundError:
        return Finding(State.FAILURE, package.name, "not installed", f"install '{package}'")
    if not package.specifier.contains(found, prereleases=True):
        return Finding(State.FAILURE, package.name, found, f"install '{package}'")
    return Finding(State.OK, package.name, found)


def tracker_findings() -> Iterator[Finding]:
    """The trackers; nobody needs one, so that a missing one is nothing to warn of."""
    for name, tracker in TRACKERS.usable().items():
        there = "installed" if tracker.installed else f"not installed ({tracker.install})"
        yield Finding(State.OK, f"--tracker {name}", there)


def hardware_findings() -> Iterator[Finding]:
    """GPU or CPU, cores and memory."""
    hardware = versions.hardware()
    gpus = versions.gpus()
    if gpus:
        yield Finding(State.OK, "gpu", "; ".join(gpus))
    else:
        advice = "enough for the pocket pair; models of billions of parameters need one"
        yield Finding(State.WARNING, "gpu", "none", advice)
    yield Finding(State.OK, "cpu", f"{hardware['processor']}, {hardware['cores']} cores")
    memory = float(str(hardware["memory_gib"]))
    state = State.OK if memory >= LITTLE_MEMORY_GIB else State.WARNING
    advice = "" if state is State.OK else "an engine needs about 2 GiB"
    yield Finding(state, "memory", f"{memory} GiB", advice)


def disk_findings(output_dir: Path) -> Iterator[Finding]:
    """Whether results can be written, and how much room there is."""
    folder = output_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "choose another with --output-dir"
        yield Finding(State.FAILURE, "write access", f"{folder}: {error.strerror}", advice)
        return
    free = shutil.disk_usage(folder).free / 2**30
    state = State.OK if free >= LITTLE_DISK_GIB else State.WARNING
    advice = "" if state is State.OK else "free some space"
    yield Finding(state, "write access", f"{folder.resolve()}, {free:.0f} GiB free", advice)


def hub_findings() -> Iterator[Finding]:
    """Whether the Hugging Face hub can be reached, and whether a token for gated sets is there."""
    try:
        socket.create_connection(HUB, timeout=HUB_SECONDS).close()
    except OSError:
        advice = "pocket works offline; for other datasets use --data-file or a connection"
        yield Finding(State.WARNING, "hugging face hub", "unreachable", advice)
        return
    token = "with" if os.environ.get("HF_TOKEN") else "without"
    yield Finding(State.OK, "hugging face hub", f"reachable, {token} HF_TOKEN (gpqa needs one)")
