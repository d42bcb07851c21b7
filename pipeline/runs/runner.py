"""One run: problems and engines in, a run directory out."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import reasoners
from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import Engine
from pipeline.engines.settings import EngineSettings
from pipeline.errors import RunStopped, UserMistake
from pipeline.experiment import Experiment
from pipeline.records import Attempt
from pipeline.runs.checks import (
    context_warnings,
    in_words_of,
    refuse_missing_abilities,
    unverified_warnings,
    version_warnings,
)
from pipeline.runs.directory import ENGINE_LOG, RunDirectory
from pipeline.runs.interrupts import call, drain_on_interrupt
from pipeline.runs.manifest import session_manifest, widened_slice
from pipeline.runs.planning import Plan, plan
from pipeline.runs.recorded import Recorded
from pipeline.runs.scheduler import Engines, Progress, Run, run_attempts
from pipeline.runs.writer import record_writer
from pipeline.shards import Shard

ProgressDisplay = Callable[[Progress], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one call did; `failed` counts its error records, `remaining` what is still missing.

    `commonest_failure` is the error that most of the failed attempts met, and how many did.
    """

    directory: Path
    planned: int
    already_done: int
    done: int
    failed: int
    remaining: int
    warnings: tuple[str, ...]
    commonest_failure: str | None = None


def run(
    experiment: Experiment,
    output_dir: Path | None = None,
    *,
    shard: Shard | None = None,
    retry_errors: bool = False,
    force: bool = False,
    display: ProgressDisplay | None = None,
) -> RunSummary:
    """Run an experiment, or one shard; works in a script and in a notebook's running event loop.

    What the directory already holds is not run again, unless `retry_errors` (its error records
    in the asked slice) or `force` (all of the asked slice) says so. Even then it stays until its
    successor is on the disk.

    Raises:
        UserMistake: what was asked cannot be done; nothing was changed.
        RunStopped: the run could not go on; what was finished is kept.
    """
    planned = plan(experiment, output_dir, shard=shard)
    return run_plan(planned, retry_errors=retry_errors, force=force, display=display)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run whose directory is locked: what it holds, and what of that is not made again."""

    planned: Plan
    directory: RunDirectory
    there: Recorded
    kept: Recorded
    progress: Progress
    warnings: list[str]

    def widen(self) -> None:
        """Settle a run of which nothing is missing: whole last lines, and all that was asked."""
        manifest = self.directory.manifest()
        if manifest is None:
            # A shard of which nothing is asked leaves no folder.
            self.directory.take_back()
            return
        self.warnings.extend(self.directory.repair(self.planned.files()))
        widened = manifest | {"slice": widened_slice(self.planned, manifest)}
        if widened != manifest:
            self.directory.write_manifest(widened)

    def check(self, engines: Engines) -> None:
        """Look whether the engines, which have started, can do what the run needs.

        Raises:
            UserMistake: they cannot.
        """
        refuse_missing_abilities(self.planned.experiment, engines)
        self.warnings.extend(context_warnings(self.planned, engines.by_role["target"]))

    @contextlib.asynccontextmanager
    async def begun(self, engines: Engines) -> AsyncIterator[Run]:
        """All that attempts need, with the manifest written and the writing process up."""
        planned, directory = self.planned, self.directory
        self.warnings.extend(directory.repair(planned.files()))
        directory.write_manifest(session_manifest(planned, directory.manifest(), engines))
        async with record_writer(directory, self.there) as writer:

            async def record(attempt: Attempt) -> None:
                await writer.append(attempt)
                directory.check_store()

            yield Run(
                planned.experiment,
                reasoners.load(planned.experiment.reasoner),
                engines,
                planned.prompt_set,
                planned.prompts,
                record,
            )

    def summary(self) -> RunSummary:
        """What was done since it was opened."""
        asked, progress = len(self.planned.asked), self.progress
        return RunSummary(
            directory=self.planned.directory,
            planned=asked,
            already_done=asked - progress.total,
            done=progress.done,
            failed=progress.failed,
            commonest_failure=progress.failures.commonest,
            remaining=progress.total - progress.done,
            warnings=tuple(self.warnings),
        )


@contextlib.contextmanager
def opened(planned: Plan, *, retry_errors: bool = False, force: bool = False) -> Iterator[OpenRun]:
    """Lock a run's directory and see what it holds; see `run`.

    Raises:
        UserMistake: it is in use, or is that of other settings.
    """
    with RunDirectory(planned.directory) as directory:
        with taken_back_on_error(directory):
            there = planned.recorded()
            kept = planned.kept(there, retry_errors=retry_errors, force=force)
        warnings = version_warnings(directory.manifest(), planned.used())
        yield OpenRun(
            planned=planned,
            directory=directory,
            there=there,
            kept=kept,
            progress=Progress(total=sum(key not in kept for key in planned.asked)),
            warnings=[
                *planned.problems.notes,
                *unverified_warnings(planned.experiment),
                *warnings,
            ],
        )


def run_plan(
    planned: Plan,
    *,
    retry_errors: bool = False,
    force: bool = False,
    display: ProgressDisplay | None = None,
) -> RunSummary:
    """Do what was planned; see `run`."""
    with opened(planned, retry_errors=retry_errors, force=force) as run:
        if run.progress.total:
            call(_run(run, display))
        else:
            run.widen()
    return run.summary()


async def _run(run: OpenRun, display: ProgressDisplay | None) -> None:
    progress, missing = run.progress, run.planned.asked.missing(run.kept)
    async with contextlib.AsyncExitStack() as stack:
        engines = await _start(stack, run)
        attempts = await stack.enter_async_context(run.begun(engines))
        shown = display(progress) if display is not None else contextlib.nullcontext()
        with shown, drain_on_interrupt(lambda: progress.in_flight) as draining:
            progress.begin()
            await run_attempts(attempts, missing, progress, draining)


async def _start(stack: contextlib.AsyncExitStack, run: OpenRun) -> Engines:
    """Start the engines for as long as `stack` is open; a run that cannot begin leaves no folder.

    Raises:
        UserMistake: what was asked for cannot be served.
        RunStopped: an engine does not start.
    """
    experiment, log = run.planned.experiment, run.directory.path / ENGINE_LOG

    def engine(role: str, settings: EngineSettings) -> Engine:
        asked = replace(settings, sampling=experiment.sampling(role))
        with in_words_of(role, settings.engine):
            return engine_of(asked, log, [run.progress])

    with taken_back_on_error(run.directory):
        engines = Engines(
            {role: engine(role, one) for role, one in experiment.models.items()}, log=log
        )
        for role, one in engines.by_role.items():
            with in_words_of(role, experiment.models[role].engine):
                await stack.enter_async_context(Engines({role: one}).running())
        run.check(engines)
    return engines


def engine_of(settings: EngineSettings, log: Path, told: Sequence[Progress]) -> Engine:
    """The engine of a model of some runs, not started yet, whose displays are told of its troubles.

    Raises:
        UserMistake: it is not there, or cannot honour the settings.
    """

    def on_wait(seconds: float) -> None:
        for progress in told:
            progress.asked_to_wait(seconds)

    def on_change(replica: str, there: bool) -> None:
        for progress in told:
            progress.replica_changed(replica, there=there)

    found = with_model_folder(settings)
    return create(replace(found, log=log, on_wait=on_wait, on_change=on_change))


@contextlib.contextmanager
def taken_back_on_error(directory: RunDirectory) -> Iterator[None]:
    """Remove the folder of a run that could not begin, whatever ended the start, Ctrl-C too."""
    try:
        yield
    except BaseException as error:
        kept = directory.take_back()
        if kept is None or not isinstance(error, UserMistake | RunStopped):
            raise
        raise type(error)(f"{error}; the engine's log is {kept}") from error
