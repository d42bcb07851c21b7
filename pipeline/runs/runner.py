"""One run: problems and engines in, a run directory out."""

import contextlib
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import reasoners
from pipeline.engines import create, entry
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.declaration import prefix_of
from pipeline.engines.model_extras import secrets_of
from pipeline.engines.protocol import Ability, Engine
from pipeline.engines.settings import REFINE, EngineSettings
from pipeline.errors import RunStopped, UserMistake
from pipeline.experiment import Experiment
from pipeline.ledger import assistant_of
from pipeline.plugins import Group
from pipeline.problems.problem_set import Problem, ProblemSet, default_refs_dir, load_problems
from pipeline.problems.prompting import (
    Prompt,
    PromptSet,
    open_prompt_set,
    prompt_hashes,
    task_prompt,
)
from pipeline.reasoners.opening import open_chain
from pipeline.runs import versions
from pipeline.runs.attempt_keys import Asked
from pipeline.runs.directory import (
    ENGINE_LOG,
    MANIFEST,
    Recorded,
    RunDirectory,
    file_name,
    lost_manifest,
    read_manifest,
    recorded_attempts,
    refuse_changes,
)
from pipeline.runs.interrupts import call, drain_on_interrupt
from pipeline.runs.scheduler import Engines, Progress, Run, run_attempts
from pipeline.runs.writer import record_writer

RESULTS = Path("results")
MANIFEST_SCHEMA = 1

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, worked out without an engine; `prompts` are by problem id."""

    experiment: Experiment
    problems: ProblemSet
    selected: tuple[Problem, ...]
    prompt_set: PromptSet
    prompts: Mapping[str, Prompt]
    directory: Path

    @property
    def asked(self) -> Asked:
        """Every attempt asked for."""
        by_id = {problem.problem_id: problem for problem in self.selected}
        return Asked(by_id, self.experiment.repeats)

    def files(self) -> set[str]:
        """The names of all files that a run on this dataset may have in its folder `problems`."""
        return {file_name(each.dataset, each.problem_id) for each in self.problems.problems}

    def recorded(self) -> Recorded:
        """Which attempts the run directory holds.

        Raises:
            UserMistake: they are of other settings, or nothing says of which, or cannot be read.
        """
        manifest = self.directory / MANIFEST
        if manifest.exists():
            identity = read_manifest(self.directory)["identity"]
            refuse_changes(self.directory, identity, self.identity())
        there = recorded_attempts(self.directory)
        if len(there) and not manifest.exists():
            raise lost_manifest(self.directory, len(there))
        return there

    def used(self) -> set[tuple[Group, str]]:
        """What of the run a plug-in may have added, by group and name."""
        experiment = self.experiment
        sections = reasoners.settled(experiment)
        return {
            ("reasoners", experiment.reasoner),
            ("datasets", experiment.dataset or ""),
            ("prompts", self.prompt_set.name),
            *(("engines", model.engine) for model in experiment.models.values()),
            *(each for section, settings in sections for each in section.uses(settings)),
        }

    def identity(self) -> dict[str, Any]:
        """What a resumed run must share with the recorded one."""
        sections = reasoners.settled(self.experiment)
        used = (
            *reasoners.entry(self.experiment.reasoner).prompts,
            *(each for section, settings in sections for each in section.prompts(settings)),
        )
        hashes = prompt_hashes(self.prompt_set)
        return self.experiment.settings() | {
            "dataset_fingerprint": self.problems.fingerprint,
            "prompts": {file: sha for file, sha in hashes.items() if file.startswith(used)},
        }


def plan(
    experiment: Experiment, output_dir: Path | None = None, problems: ProblemSet | None = None
) -> Plan:
    """Load the problems, unless they are given, and settle the slice, the prompts, the directory.

    Raises:
        UserMistake: the reasoner, the dataset, the range or the prompts are not there.
    """
    experiment = reasoners.with_defaults(experiment)
    for role, model in experiment.models.items():
        entry(model.engine).check_sampling(experiment.sampling(role), role)
    if problems is None:
        problems = problems_of(experiment)
    prompt_set = open_prompt_set(problems.prompt_set, experiment.prompts)
    for section, settings in reasoners.settled(experiment):
        section.check_prompts(settings, prompt_set)
    selected = problems.select(experiment.problem_range)
    return Plan(
        experiment=experiment,
        problems=problems,
        selected=selected,
        prompt_set=prompt_set,
        prompts={p.problem_id: task_prompt(prompt_set, p, guidance="") for p in selected},
        directory=output_dir or RESULTS / experiment.name(),
    )


def problems_of(experiment: Experiment) -> ProblemSet:
    """The problems that an experiment's slice is taken from.

    Raises:
        UserMistake: they cannot be loaded.
    """
    return load_problems(
        experiment.dataset,
        experiment.data_file,
        seed=experiment.seed,
        refs_dir=default_refs_dir(),
    )


def run(
    experiment: Experiment,
    output_dir: Path | None = None,
    *,
    retry_errors: bool = False,
    force: bool = False,
    display: ProgressDisplay | None = None,
) -> RunSummary:
    """Run an experiment; works in a script and inside a notebook's running event loop.

    What the directory already holds is not run again, unless `retry_errors` (its error records
    in the asked slice) or `force` (all of the asked slice) says so. Even then it stays until its
    successor is on the disk.

    Raises:
        UserMistake: what was asked cannot be done; nothing was changed.
        RunStopped: the run could not go on; what was finished is kept.
    """
    planned = plan(experiment, output_dir)
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
            return
        self.warnings.extend(self.directory.repair(self.planned.files()))
        widened = manifest | {"slice": _slice(self.planned, manifest)}
        if widened != manifest:
            self.directory.write_manifest(widened)

    def check(self, engines: Engines) -> None:
        """Look whether the engines, which have started, can do what the run needs.

        Raises:
            UserMistake: they cannot.
        """
        _refuse_missing_abilities(self.planned.experiment, engines)
        self.warnings.extend(_context_warnings(self.planned, engines.by_role["target"]))

    @contextlib.asynccontextmanager
    async def begun(self, engines: Engines) -> AsyncIterator[Run]:
        """All that attempts need, with the manifest written and the writing process up."""
        planned, directory = self.planned, self.directory
        self.warnings.extend(directory.repair(planned.files()))
        directory.write_manifest(_manifest(planned, directory.manifest(), engines))
        async with record_writer(directory, self.there) as writer:
            yield Run(
                planned.experiment,
                reasoners.load(planned.experiment.reasoner),
                engines,
                planned.prompt_set,
                planned.prompts,
                writer.append,
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
        there = planned.recorded()
        kept = there.kept(retry_errors=retry_errors, force=force)
        warnings = _version_warnings(directory.manifest(), planned.used())
        yield OpenRun(
            planned=planned,
            directory=directory,
            there=there,
            kept=kept,
            progress=Progress(total=sum(key not in kept for key in planned.asked)),
            warnings=[
                *planned.problems.notes,
                *_unverified_warnings(planned.experiment),
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
        return engine_of(asked, log, run.progress.asked_to_wait)

    with taken_back_on_error(run.directory):
        engines = Engines(
            {role: engine(role, one) for role, one in experiment.models.items()}, log=log
        )
        await stack.enter_async_context(engines.running())
        run.check(engines)
    return engines


def engine_of(settings: EngineSettings, log: Path, on_wait: Callable[[float], None]) -> Engine:
    """The engine of a model of a run, not started yet.

    Raises:
        UserMistake: it is not there, or cannot honour the settings.
    """
    return create(replace(with_model_folder(settings), log=log, on_wait=on_wait))


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


def _refuse_missing_abilities(experiment: Experiment, engines: Engines) -> None:
    known = reasoners.entry(experiment.reasoner)
    settled = reasoners.settled(experiment)
    more = frozenset[Ability]().union(*(one.needs(settings) for one, settings in settled))
    for role, needs in known.models.items():
        wanted = needs | more if role == "target" else needs
        missing = wanted - engines.by_role[role].abilities
        if missing:
            name = experiment.models[role].engine
            lacking = ", ".join(sorted(ability.value for ability in missing))
            raise UserMistake(
                f"The {role}'s engine {name!r} offers no {lacking}, which the reasoner "
                f"{experiment.reasoner!r} needs; {entry(name).remedy(missing, role)}."
            )
    target = engines.by_role["target"]
    for section, settings in settled if Ability.TOKEN_PROMPTS in target.abilities else ():
        section.check_target(settings, target.tokenizer)
        section.check_opening(settings, experiment, target.tokenizer)


def _manifest(planned: Plan, earlier: dict[str, Any] | None, engines: Engines) -> dict[str, Any]:
    """The manifest of this session: earlier sessions stay."""
    experiment, problems = planned.experiment, planned.problems
    return {
        "schema": MANIFEST_SCHEMA,
        "name": planned.directory.name,
        "identity": planned.identity(),
        "dataset": {
            "name": problems.name,
            "source": problems.source,
            "file": str(experiment.data_file.resolve()) if experiment.data_file else None,
            "revision": problems.revision,
            "rows": problems.rows,
            "fingerprint": problems.fingerprint,
        },
        "slice": _slice(planned, earlier),
        "models": {"target": None, "draft": None} | _models(engines.by_role),
        "sessions": [
            *(earlier["sessions"] if earlier is not None else ()),
            {
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": secrets_of(*experiment.models.values()).masked(shlex.join(sys.argv)),
                "concurrency": experiment.concurrency,
                "versions": versions.versions(planned.used()),
                "hardware": versions.hardware(),
            },
        ],
    }


def _models(by_role: Mapping[str, Engine]) -> dict[str, Any]:
    """The facts of every model, those of assistants under roles of their own."""
    facts = {role: engine.facts for role, engine in by_role.items()}
    facts |= {assistant_of(role): one.assistant for role, one in facts.items() if one.assistant}
    recorded = {role: asdict(one) for role, one in facts.items()}
    for one in recorded.values():
        del one["assistant"]
    return recorded


def _slice(planned: Plan, earlier: dict[str, Any] | None) -> dict[str, Any]:
    """What all sessions have asked for, this one included: it only widens."""
    before: dict[str, Any] = {"problem_ids": (), "repeats": 0}
    if earlier is not None:
        before = earlier["slice"]
    asked = {problem.problem_id for problem in planned.selected} | set(before["problem_ids"])
    everything = (problem.problem_id for problem in planned.problems.problems)
    return {
        "problem_ids": [problem_id for problem_id in everything if problem_id in asked],
        "repeats": max(planned.experiment.repeats, before["repeats"]),
    }


def _context_warnings(planned: Plan, target: Engine) -> list[str]:
    """Which prompts do not fit the target. What it encodes the tokenizer keeps for the attempts."""
    if Ability.TOKEN_PROMPTS not in target.abilities:
        return []
    context, opening = target.facts.context, planned.experiment.opening("target")
    lengths = [
        len(open_chain(target.tokenizer, prompt.text, *opening))
        for prompt in planned.prompts.values()
    ]
    too_long = [length for length in lengths if context is not None and length >= context]
    if not too_long:
        return []
    warning = (
        f"{len(too_long)} of the {len(lengths)} prompts do not fit the target's context of "
        f"{context} tokens (the longest has {max(too_long)}) and would fail; "
        "raise --max-model-len."
    )
    return [warning]


def _unverified_warnings(experiment: Experiment) -> list[str]:
    """Which models write tokens that are not sure to be those that they would choose."""
    return [
        f"--{prefix_of(role)}decoding refine keeps tokens of {model.model} that it has not "
        "verified: the results are not those of the model itself. `speclrm generate --self-check` "
        "says how far its text is its own."
        for role, model in experiment.models.items()
        if model.decoding == REFINE
    ]


def _version_warnings(
    manifest: dict[str, Any] | None, used: set[tuple[Group, str]]
) -> tuple[str, ...]:
    """What of the software changed since the run's last session."""
    if manifest is None or not manifest["sessions"]:
        return ()
    before, now = manifest["sessions"][-1]["versions"], versions.versions(used)
    return tuple(
        f"{package} was {before.get(package)} and is now {now.get(package)}: "
        "attempts of one run were made by different versions."
        for package in sorted(before.keys() | now.keys())
        if before.get(package) != now.get(package)
    )
