"""Reasoning procedures by name; adding one is adding a file and a line here."""

import importlib
from dataclasses import dataclass, replace

from pipeline.engines.protocol import Ability
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.reasoner_settings import StepSettings, TrackSettings
from pipeline.reasoners.protocol import Reasoner


@dataclass(frozen=True, slots=True)
class ReasonerEntry:
    """Where a reasoner lives, what it needs of its engines, and what it uses.

    `prompts` are beginnings of template paths: a change to other templates is no change to it.
    `tracks` and `steps` are its defaults, None where it has none; `options` are the names of the
    command line's options for them.
    """

    path: str
    uses_draft: bool
    needs: frozenset[Ability]
    prompts: tuple[str, ...]
    tracks: TrackSettings | None = None
    steps: StepSettings | None = None
    options: frozenset[str] = frozenset()


_TRACKS = frozenset(
    {
        "tracks",
        "method_num",
        "track_prompts",
        "use_role_prompts",
        "use_method_prompts",
        "selection",
        "method_pool",
        "vote",
        "fast",
    }
)
_STEPS = frozenset({"score_threshold", "score_method", "first_n_steps_base_model", "think_close"})
_SCORING = frozenset({Ability.TOKEN_PROMPTS, Ability.DIGIT_LOGPROBS})
_GUIDANCE = ("task/", "roles/", "methods/", "choose-methods")

REASONERS = {
    "baseline": ReasonerEntry("pipeline.reasoners.baseline:solve", False, frozenset(), ("task/",)),
    "parallel": ReasonerEntry(
        "pipeline.reasoners.parallel:solve",
        uses_draft=False,
        needs=frozenset(),
        prompts=_GUIDANCE,
        tracks=TrackSettings(tracks=3),
        options=_TRACKS,
    ),
    "spec": ReasonerEntry(
        "pipeline.reasoners.spec:solve",
        uses_draft=True,
        needs=_SCORING,
        prompts=(*_GUIDANCE, "score"),
        tracks=TrackSettings(),
        steps=StepSettings(),
        options=_TRACKS | _STEPS,
    ),
    "spec-async": ReasonerEntry(
        "pipeline.reasoners.spec_async:solve",
        uses_draft=True,
        needs=_SCORING,
        prompts=(*_GUIDANCE, "score"),
        tracks=TrackSettings(),
        steps=StepSettings(lookahead=1),
        options=_TRACKS | _STEPS | {"lookahead", "rewrite_ahead"},
    ),
    "spec-methods": ReasonerEntry(
        "pipeline.reasoners.spec_methods:solve",
        uses_draft=True,
        needs=_SCORING,
        prompts=("task/", "methods/", "choose-methods", "score"),
        tracks=TrackSettings(tracks=3, prompts="methods"),
        steps=StepSettings(),
        options=_STEPS
        | {"method_num", "use_method_prompts", "selection", "method_pool", "vote", "fast"},
    ),
}


def entry(name: str) -> ReasonerEntry:
    """What there is to know of the reasoner of that name.

    Raises:
        UserMistake: there is none.
    """
    if name not in REASONERS:
        raise UserMistake(f"There is no reasoner {name!r}; there are: {', '.join(REASONERS)}.")
    return REASONERS[name]


def load(name: str) -> Reasoner:
    """The reasoner of that name.

    Raises:
        UserMistake: there is none.
    """
    module, _, function = entry(name).path.partition(":")
    reasoner: Reasoner = getattr(importlib.import_module(module), function)
    return reasoner


def with_defaults(experiment: Experiment) -> Experiment:
    """The experiment with its reasoner's track and step settings, where it has none of its own.

    Raises:
        UserMistake: the reasoner does not exist, needs a draft, or has no use for such settings.
    """
    known = entry(experiment.reasoner)
    for what, given, default in (
        ("tracks", experiment.tracks, known.tracks),
        ("steps", experiment.steps, known.steps),
    ):
        if given is not None and default is None:
            raise UserMistake(f"The reasoner {experiment.reasoner!r} has no settings for {what}.")
    chosen = experiment.tracks or known.tracks
    by_methods = known.tracks is not None and known.tracks.prompts == "methods"
    if by_methods and chosen is not None and chosen.prompts != "methods":
        raise UserMistake(
            f"The reasoner {experiment.reasoner!r} gives every track a method; "
            'its track settings need prompts="methods".'
        )
    if known.uses_draft and experiment.draft is None:
        raise UserMistake(f"The reasoner {experiment.reasoner!r} needs a draft model.")
    return replace(
        experiment,
        tracks=chosen,
        steps=experiment.steps or known.steps,
    )
