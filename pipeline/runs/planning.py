"""What a run would do, worked out without an engine: its problems, prompts, keys and identity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import reasoners
from pipeline.engines import entry
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.plugins import Group
from pipeline.problems.problem_set import Problem, ProblemSet, default_refs_dir, load_problems
from pipeline.problems.prompting import (
    Prompt,
    PromptSet,
    open_prompt_set,
    prompt_hashes,
    task_prompt,
)
from pipeline.runs.attempt_keys import Asked
from pipeline.runs.directory import (
    MANIFEST,
    file_name,
    read_manifest,
    recorded_attempts,
    refuse_changes,
)
from pipeline.runs.recorded import Recorded
from pipeline.runs.shard_directories import made_elsewhere, shard_directory
from pipeline.runs.stored_runs import bring_up
from pipeline.shards import WHOLE, Shard

RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, worked out without an engine; `prompts` are by problem id.

    `more` is what else decides what is written, where it is not `speclrm run` that writes.
    """

    experiment: Experiment
    problems: ProblemSet
    selected: tuple[Problem, ...]
    prompt_set: PromptSet
    prompts: Mapping[str, Prompt]
    directory: Path
    shard: Shard | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> Asked:
        """Every attempt asked for."""
        by_id = {problem.problem_id: problem for problem in self.selected}
        return Asked(by_id, self.experiment.repeats, self.shard or WHOLE, self.places)

    @property
    def places(self) -> dict[str, int]:
        """Where each problem stands in its dataset, counted from 0."""
        return {one.problem_id: place for place, one in enumerate(self.problems.problems)}

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
            raise UserMistake(
                f"{self.directory} holds {len(there)} attempts and no {MANIFEST}, so nothing says "
                f"under which settings they were made; restore {MANIFEST} from a copy, or choose "
                "another --output-dir."
            )
        return there

    def kept(self, there: Recorded, *, retry_errors: bool, force: bool) -> Recorded:
        """What is not made: of those that are there what stays, and what the whole run holds.

        Raises:
            UserMistake: attempts would be made that another directory of this run holds.
        """
        missing = [key for key in self.asked if key not in there]
        merged = made_elsewhere(self.directory, self.identity(), missing).without(there)
        stays = merged.kept(retry_errors=retry_errors, force=force)
        redone = sum(key in merged and key not in stays for key in missing)
        if redone:
            raise UserMistake(
                f"{redone} of the attempts that would be redone are in the merged run and not in "
                f"{self.directory}: redo them there, without shards."
            )
        return there.kept(retry_errors=retry_errors, force=force) | merged

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
            **({} if self.shard is None else {"shard": str(self.shard)}),
            **self.more,
        }


def plan(
    experiment: Experiment,
    output_dir: Path | None = None,
    problems: ProblemSet | None = None,
    shard: Shard | None = None,
) -> Plan:
    """Load the problems, unless they are given, and settle the slice, the prompts, the directory.

    A shard has a directory of its own beside that of the whole run. One that stages a run of a
    store is made as new as the store.

    Raises:
        UserMistake: the reasoner, the dataset, the range or the prompts are not there.
        RunStopped: the store does not answer.
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
    directory = shard_directory(output_dir or RESULTS / experiment.name(), shard)
    bring_up(directory)
    return Plan(
        experiment=experiment,
        problems=problems,
        selected=selected,
        prompt_set=prompt_set,
        prompts={p.problem_id: task_prompt(prompt_set, p, guidance="") for p in selected},
        directory=directory,
        shard=shard,
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
