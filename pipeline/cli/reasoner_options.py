"""The options of `speclrm run` that only some reasoners use, and their way to settings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from pipeline.cli.finite import FiniteRange
from pipeline.errors import UserMistake
from pipeline.reasoner_settings import VOTE_RULES, StepSettings, TrackSettings
from pipeline.reasoners import REASONERS

# Options of some reasoners only: what a reasoner does not use is refused, so none has a default
# here; the reasoner's own stand in `pipeline.reasoners`.
REASONER_OPTIONS = (
    click.option("--tracks", type=int, help="Tracks of an attempt.  [parallel: 3, spec: 1]"),
    click.option("--method-num", type=int, help="Methods, one track each.  [spec-methods: 3]"),
    click.option(
        "--track-prompts",
        type=click.Choice(["same", "roles", "methods"]),
        help="What tells tracks apart.  [same]",
    ),
    click.option(
        "--use-role-prompts",
        is_flag=True,
        default=None,
        help="--track-prompts roles, with 3 tracks unless --tracks says otherwise.",
    ),
    click.option(
        "--use-method-prompts",
        is_flag=True,
        default=None,
        help="--track-prompts methods, with 3 tracks unless --tracks says otherwise.",
    ),
    click.option(
        "--selection",
        type=click.Choice(["model", "random", "same"]),
        help="Who chooses the methods; random and same are controls.  [model]",
    ),
    click.option(
        "--method-pool",
        "--strategy-pool-size",
        type=int,
        help="Methods to choose from: 6, 9, 12 or 15.  [12]",
    ),
    click.option("--vote", type=click.Choice(VOTE_RULES), help="How tracks vote.  [majority]"),
    click.option(
        "--fast",
        type=click.Choice(["1", "2", "exact"]),
        help="End at the first answer, at two that agree, or when the vote cannot change.",
    ),
    click.option(
        "--score-threshold",
        type=FiniteRange(min=0, max=9),
        help="A step with this score is kept.  [7.0]",
    ),
    click.option(
        "--score-method",
        type=click.Choice(["greedy", "average"]),
        help="The likeliest digit, or the expected one.  [greedy]",
    ),
    click.option(
        "--first-n-steps-base-model", type=int, help="First steps the target writes alone.  [0]"
    ),
    click.option(
        "--think-close",
        type=click.Choice(["answer", "removed"]),
        help="A </think> begins the answer, or is removed as by the SSR scripts.  [answer]",
    ),
    click.option("--lookahead", type=int, help="Steps drafted ahead of their score.  [1]"),
    click.option(
        "--rewrite-ahead",
        is_flag=True,
        default=None,
        help="The target begins to rewrite a step while it scores it: faster, for more tokens.",
    ),
)
REASONER_OPTION_NAMES = frozenset().union(*(known.options for known in REASONERS.values()))


GUIDED_TRACKS = 3
"""As in the SSR scripts: there are three roles."""
# Fields of the settings by the names of their options.
TRACK_FIELDS = {
    "tracks": "tracks",
    "method_num": "tracks",
    "track_prompts": "prompts",
    "selection": "selection",
    "method_pool": "method_pool",
    "vote": "vote",
    "fast": "fast",
}
STEP_FIELDS = (
    "score_threshold",
    "score_method",
    "first_n_steps_base_model",
    "think_close",
    "lookahead",
    "rewrite_ahead",
)


def refuse_unused_options(reasoner: str, given: set[str]) -> None:
    """Refuse options that the reasoner would accept and ignore.

    Raises:
        UserMistake: there is one; the message says which reasoners use it.
    """
    for name in sorted((given & REASONER_OPTION_NAMES) - REASONERS[reasoner].options):
        users = [other for other, known in REASONERS.items() if name in known.options]
        raise UserMistake(
            f"The reasoner {reasoner!r} has no use for {_flag(name)}; drop it, or choose "
            f"{_any_of(users)}."
        )


def track_settings(reasoner: str, values: Mapping[str, Any]) -> TrackSettings | None:
    """The reasoner's track settings, as far as options do not say otherwise.

    Raises:
        UserMistake: options contradict each other, or one has no effect.
    """
    default = REASONERS[reasoner].tracks
    if default is None:
        return None
    given = {
        field: values[name] for name, field in TRACK_FIELDS.items() if values[name] is not None
    }
    for flag, prompts in (("use_role_prompts", "roles"), ("use_method_prompts", "methods")):
        if not values[flag]:
            continue
        if given.setdefault("prompts", prompts) != prompts:
            raise UserMistake(
                f"{_flag(flag)} means --track-prompts {prompts}, not {given['prompts']}; "
                "drop one of the two."
            )
        given.setdefault("tracks", max(GUIDED_TRACKS, default.tracks))
    settings = replace(default, **given)
    _refuse_without_effect(values, settings)
    return settings


def step_settings(reasoner: str, values: Mapping[str, Any]) -> StepSettings | None:
    """The reasoner's step settings, as far as options do not say otherwise."""
    default = REASONERS[reasoner].steps
    if default is None:
        return None
    given = {name: values[name] for name in STEP_FIELDS if values[name] is not None}
    return replace(default, **given)


def _refuse_without_effect(values: Mapping[str, Any], settings: TrackSettings) -> None:
    if values["method_num"] is not None and values["tracks"] not in {None, values["method_num"]}:
        raise UserMistake("--method-num and --tracks are the same number; drop one of the two.")
    of_methods = [
        name for name in ("selection", "method_pool", "method_num") if values[name] is not None
    ]
    if settings.prompts != "methods" and of_methods:
        raise UserMistake(
            f"{_flag(of_methods[0])} has an effect with --track-prompts methods only."
        )
    of_votes = [name for name in ("vote", "fast") if values[name] is not None]
    if settings.tracks == 1 and of_votes:
        raise UserMistake(f"{_flag(of_votes[0])} has no effect on one track; give more --tracks.")


def _any_of(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
