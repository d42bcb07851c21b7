"""Which engines a table needs, and which of its runs can share them while they are up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.engines import entry
from pipeline.engines.settings import EngineSettings
from pipeline.tables.planning import SharedRun


@dataclass(frozen=True, slots=True)
class EngineSet:
    """Engines that are up together, by names of their own, and the runs that they serve.

    `roles` are, for each run, the engines' names by the roles of its models.
    """

    engines: Mapping[str, EngineSettings]
    runs: tuple[SharedRun, ...]
    roles: tuple[Mapping[str, str], ...]


def engine_sets(runs: Sequence[SharedRun]) -> tuple[EngineSet, ...]:
    """The runs by the engines that they need, as few sets as can be.

    Runs share a set where the engines of one are among those of the other: what fits on the
    devices for the larger serves the smaller too. Engines of servers take no room here and
    are in whatever set needs them. A model that is a draft in one run and a target in another is
    one engine where both are otherwise served alike.
    """
    # The largest first: with their shares of the memory all engines of a set fit.
    order = sorted(range(len(runs)), key=lambda n: -len(runs[n].plan.experiment.models))
    known: dict[str, EngineSettings] = {}
    roles = {
        n: {role: _name(one, known) for role, one in runs[n].plan.experiment.models.items()}
        for n in order
    }
    sets: list[tuple[set[str], list[int]]] = []
    for n in order:
        here = {name for name in roles[n].values() if entry(known[name].engine).opens_files}
        for up, members in sets:
            if here <= up:
                members.append(n)
                break
        else:
            sets.append((here, [n]))
    return tuple(
        EngineSet(
            engines={
                name: known[name] for name in known if any(name in roles[n].values() for n in each)
            },
            runs=tuple(runs[n] for n in sorted(each)),
            roles=tuple(roles[n] for n in sorted(each)),
        )
        for _, each in sets
    )


def _name(settings: EngineSettings, known: dict[str, EngineSettings]) -> str:
    """The name of the engine that serves so, a new one where there is none."""
    for name, other in known.items():
        if _alike(settings) == _alike(other):
            return name
    name = f"{settings.model} #{len(known) + 1}"
    known[name] = settings
    return name


def _alike(settings: EngineSettings) -> EngineSettings:
    """Without what a target and a draft have different defaults for, and what no answer tells."""
    return replace(settings, gpu_memory_utilization=0.0, request_timeout=None)
