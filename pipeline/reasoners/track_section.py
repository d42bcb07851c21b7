"""The settings of tracks as options, and what they ask of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pipeline.engines.protocol import Ability, Tokenizer
from pipeline.errors import UserMistake
from pipeline.plugins import Group
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import PromptSet
from pipeline.reasoners.entry import Option, Section
from pipeline.reasoners.selection import UNKNOWN, asks_the_target, letter_ids, method_pool
from pipeline.reasoners.settings import Fast, SelectedBy, TrackPrompts, TrackSettings
from pipeline.reasoners.track_plans import guided_prompt, track_roles
from pipeline.reasoners.vote_rules import VOTE_RULES, vote_rule

GUIDED_TRACKS = 3
"""As in the SSR scripts: there are three roles."""
GUIDANCE_FLAGS = {"use_role_prompts": "roles", "use_method_prompts": "methods"}

METHOD_NUM = Option("method_num", "Methods, one track each.", int)
USE_METHOD_PROMPTS = Option(
    "use_method_prompts",
    "--track-prompts methods, with 3 tracks unless --tracks says otherwise.",
    bool,
)
HOW_MANY = (
    Option("tracks", "Tracks of an attempt.", int),
    METHOD_NUM,
    Option(
        "track_prompts",
        "What tells tracks apart.",
        choices=get_args(TrackPrompts),
        field="prompts",
    ),
    Option(
        "use_role_prompts",
        "--track-prompts roles, with 3 tracks unless --tracks says otherwise.",
        bool,
    ),
    USE_METHOD_PROMPTS,
)
HOW_MANY_METHODS = (replace(METHOD_NUM, field="tracks"), USE_METHOD_PROMPTS)
METHODS_AND_VOTE = (
    Option(
        "selection",
        "Who chooses the methods; random and same are controls.",
        choices=get_args(SelectedBy),
    ),
    Option(
        "method_pool",
        "Methods to choose from: 6, 9, 12 or 15.",
        int,
        aliases=("strategy_pool_size",),
    ),
    Option("vote", "How tracks vote.", choices=VOTE_RULES),
    Option(
        "fast",
        "End at the first answer, at two that agree, or when the vote cannot change.",
        choices=get_args(Fast),
    ),
)


@dataclass(frozen=True, slots=True)
class TrackSection(Section[TrackSettings]):
    """Tracks; where they are methods by default they can be nothing else."""

    def read(self, given: Mapping[str, Any]) -> TrackSettings:
        """The settings by the options; a flag for guidance stands for its prompts and 3 tracks."""
        fields = {option.name: option.field or option.name for option in self.options}
        fields["method_num"] = "tracks"
        values = {fields[name]: given[name] for name in given if name not in GUIDANCE_FLAGS}
        for name, prompts in GUIDANCE_FLAGS.items():
            if not given.get(name):
                continue
            if values.setdefault("prompts", prompts) != prompts:
                raise UserMistake(
                    f"{_flag(name)} means --track-prompts {prompts}, not {values['prompts']}; "
                    "drop one of the two."
                )
            values.setdefault("tracks", max(GUIDED_TRACKS, self.defaults.tracks))
        settings = replace(self.defaults, **values)
        _refuse_without_effect(given, settings)
        return settings

    def check(self, reasoner: str, settings: TrackSettings) -> None:
        """Refuse an unknown rule, and tracks without methods where every track has one."""
        vote_rule(settings.vote)
        if self.defaults.prompts == "methods" != settings.prompts:
            raise UserMistake(
                f"The reasoner {reasoner!r} gives every track a method; "
                'its track settings need prompts="methods".'
            )

    def check_prompts(self, settings: TrackSettings, prompt_set: PromptSet) -> None:
        """Refuse a pool that is larger than the prompt set."""
        if settings.prompts == "methods":
            method_pool(prompt_set, settings.method_pool)

    def check_target(self, settings: TrackSettings, tokenizer: Tokenizer) -> None:
        """Refuse a target that cannot answer the method question by letters."""
        if asks_the_target(settings):
            letter_ids(tokenizer, settings.method_pool + 1)

    def needs(self, settings: TrackSettings) -> frozenset[Ability]:
        """The letters' probabilities, where the target chooses the methods."""
        if not asks_the_target(settings):
            return frozenset()
        return frozenset({Ability.TOKEN_PROMPTS, Ability.DIGIT_LOGPROBS})

    def uses(self, settings: TrackSettings) -> tuple[tuple[Group, str], ...]:
        """The vote rule."""
        return (("votes", settings.vote),)

    def in_words(self, settings: TrackSettings) -> str:
        """How many tracks, what tells them apart, and how they vote."""
        words = {
            "same": "",
            "roles": f" by roles ({', '.join(dict.fromkeys(track_roles(settings)))})",
            "methods": f" by methods (--selection {settings.selection}, of {settings.method_pool})",
        }[settings.prompts]
        vote = f"; vote {settings.vote}" if settings.tracks > 1 else ""
        fast = f", ended early by --fast {settings.fast}" if settings.fast is not None else ""
        return f"{settings.tracks} an attempt{words}{vote}{fast}"

    def on_top(self, settings: TrackSettings) -> tuple[str, ...]:
        """The letters."""
        return ("a token for each method",) if asks_the_target(settings) else ()

    def openings(
        self, settings: TrackSettings, prompt_set: PromptSet, problem: Problem, task: str
    ) -> list[list[str]]:
        """Of each track its role's prompt, any method's, or the plain task."""
        if settings.prompts == "roles":
            roles = track_roles(settings)
            return [[guided_prompt(prompt_set, problem, "roles", role).text] for role in roles]
        possible = [task]
        if settings.prompts == "methods":
            pool = method_pool(prompt_set, settings.method_pool)
            known = [name for name in pool if name != UNKNOWN]
            possible += [guided_prompt(prompt_set, problem, "methods", one).text for one in known]
        return [possible] * settings.tracks


def _refuse_without_effect(given: Mapping[str, Any], settings: TrackSettings) -> None:
    if given.keys() >= {"method_num", "tracks"} and given["method_num"] != given["tracks"]:
        raise UserMistake("--method-num and --tracks are the same number; drop one of the two.")
    of_methods = [name for name in ("selection", "method_pool", "method_num") if name in given]
    if settings.prompts != "methods" and of_methods:
        raise UserMistake(
            f"{_flag(of_methods[0])} has an effect with --track-prompts methods only."
        )
    of_votes = [name for name in ("vote", "fast") if name in given]
    if settings.tracks == 1 and of_votes:
        raise UserMistake(f"{_flag(of_votes[0])} has no effect on one track; give more --tracks.")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def any_tracks(defaults: TrackSettings) -> TrackSection:
    """Tracks of any kind."""
    return TrackSection(defaults, (*HOW_MANY, *METHODS_AND_VOTE))


def tracks_by_method(defaults: TrackSettings) -> TrackSection:
    """Tracks that have a method each."""
    return TrackSection(defaults, (*HOW_MANY_METHODS, *METHODS_AND_VOTE))
