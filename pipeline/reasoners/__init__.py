"""Reasoning procedures by name; a built-in one is a file of its own and a line here."""

from dataclasses import replace
from typing import Any

from pipeline.errors import UserMistake
from pipeline.experiment import Experiment, SectionSettings
from pipeline.reasoners.baseline import BASELINE
from pipeline.reasoners.entry import ReasonerEntry, Section
from pipeline.reasoners.parallel import PARALLEL
from pipeline.reasoners.protocol import Reasoner
from pipeline.reasoners.spec import SPEC
from pipeline.reasoners.spec_async import SPEC_ASYNC
from pipeline.reasoners.spec_methods import SPEC_METHODS
from pipeline.registry import Registry

_BUILT_IN = (
    BASELINE,
    PARALLEL,
    SPEC,
    SPEC_ASYNC,
    SPEC_METHODS,
)
REASONERS = Registry("reasoners", ReasonerEntry, {one.name: one for one in _BUILT_IN})


def entry(name: str) -> ReasonerEntry:
    """What there is to know of the reasoner of that name.

    Raises:
        UserMistake: there is none, or a plug-in has it that cannot be used.
    """
    return REASONERS.entry(name)


def load(name: str) -> Reasoner:
    """The reasoner of that name.

    Raises:
        UserMistake: there is none.
    """
    return entry(name).solve


def settled(experiment: Experiment) -> list[tuple[Section[Any], SectionSettings]]:
    """Each section of the reasoner with the settings of it that the experiment has."""
    return list(zip(entry(experiment.reasoner).sections, experiment.sections, strict=True))


def with_defaults(experiment: Experiment) -> Experiment:
    """The experiment with all sections of its reasoner's settings, its own or the defaults.

    Raises:
        UserMistake: the reasoner does not exist, needs a model, or cannot use such settings.
    """
    known = entry(experiment.reasoner)
    given = {settings.SECTION: settings for settings in experiment.sections}
    own = {section.name: section for section in known.sections}
    for name in given.keys() - own.keys():
        raise UserMistake(f"The reasoner {experiment.reasoner!r} has no settings for {name}.")
    settled = tuple(given.get(name, section.defaults) for name, section in own.items())
    for section, settings in zip(known.sections, settled, strict=True):
        section.check(experiment.reasoner, settings)
        section.check_values(settings)
    for role in known.models.keys() - experiment.models.keys():
        raise UserMistake(f"The reasoner {experiment.reasoner!r} needs a {role} model.")
    for role in experiment.others.keys() - known.models.keys():
        raise UserMistake(f"The reasoner {experiment.reasoner!r} has no use for a {role} model.")
    for role in experiment.own_sampling.keys() - experiment.models.keys():
        raise UserMistake(f"The reasoner {experiment.reasoner!r} has no {role} model to sample.")
    for section, settings in zip(known.sections, settled, strict=True):
        section.check_experiment(settings, experiment)
    return replace(experiment, sections=settled)
