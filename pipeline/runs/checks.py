"""What is refused or warned of before a run's first attempt."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from pipeline import reasoners
from pipeline.engines import entry
from pipeline.engines.declaration import FIELDS, prefix_of
from pipeline.engines.protocol import Ability, Engine
from pipeline.engines.sampling import OPTIONS as SAMPLING
from pipeline.engines.settings import REFINE
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.plugins import Group
from pipeline.reasoners.opening import open_chain
from pipeline.runs import versions
from pipeline.runs.planning import Plan
from pipeline.runs.scheduler import Engines


def refuse_missing_abilities(experiment: Experiment, engines: Engines) -> None:
    """Raise `UserMistake` where the engines, which have started, cannot do what the run needs."""
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


@contextlib.contextmanager
def in_words_of(role: str, engine: str) -> Iterator[None]:
    """What an engine says of its options is said by their names for a model of that role."""
    names = FIELDS | {option.name for option in (*entry(engine).options, *SAMPLING)}

    def named(flag: re.Match[str]) -> str:
        its = flag[1].replace("-", "_") in names
        return f"--{prefix_of(role)}{flag[1]}" if its else flag[0]

    try:
        yield
    except UserMistake as error:
        if not prefix_of(role):
            raise
        raise UserMistake(re.sub(r"--([a-z][a-z-]*)", named, str(error))) from error


def context_warnings(planned: Plan, target: Engine) -> list[str]:
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


def unverified_warnings(experiment: Experiment) -> list[str]:
    """Which models write tokens that are not sure to be those that they would choose."""
    return [
        f"--{prefix_of(role)}decoding refine keeps tokens of {model.model} that it has not "
        "verified: the results are not those of the model itself. `speclrm generate --self-check` "
        "says how far its text is its own."
        for role, model in experiment.models.items()
        if model.decoding == REFINE
    ]


def version_warnings(
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
