"""What a reasoner declares of itself: all that varies with it, in one entry."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Generic

from pipeline.declared_option import DeclaredOption
from pipeline.engines.protocol import Ability, Tokenizer
from pipeline.errors import Misdeclared, UserMistake
from pipeline.experiment import Experiment, Settings, check_names
from pipeline.plugins import Group
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import PromptSet
from pipeline.reasoners.protocol import Reasoner


@dataclass(frozen=True, slots=True)
class Option(DeclaredOption):
    """An option of the command line that sets a field of a section.

    `field` is what it sets and shows as its default, where it is not called as the option is; one
    that only `Section.read` knows what to do with has none.
    """

    field: str | None = None

    @property
    def sets(self) -> str:
        """The name of its field."""
        return self.field or self.name

    def default(self, settings: object) -> Any:
        """What holds without the option; None where nothing does."""
        return getattr(settings, self.sets, None)


@dataclass(frozen=True, slots=True)
class Section(Generic[Settings]):
    """One section of a reasoner's settings: its defaults, its options, and what follows from both.

    What is here holds for plain settings, an option for each field; a section that asks more of a
    run has a class of its own. `drops` says that tokens are written that no accepted step holds, so
    that the token budget bounds the accepted steps only.
    """

    defaults: Settings
    options: tuple[Option, ...] = ()
    drops: bool = False

    @property
    def name(self) -> str:
        """The section's name in a run's identity."""
        return self.defaults.SECTION

    def read(self, given: Mapping[str, Any]) -> Settings:
        """The settings by the options on the command line, by their names.

        Raises:
            UserMistake: they contradict each other, or one has no effect.
        """
        sets = {option.name: option.sets for option in self.options}
        return replace(self.defaults, **{sets[name]: value for name, value in given.items()})

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for options that set nothing, or hold no default."""
        known = {one.name for one in fields(self.defaults)}
        for option in self.options:
            option.check_declaration()
            if option.sets not in known and type(self).read is Section.read:
                raise Misdeclared(
                    f"its option {option.flag} sets the field {option.sets!r}, which "
                    f"{type(self.defaults).__name__} does not have"
                )
            option.check_default(option.default(self.defaults))

    def check_values(self, settings: Settings) -> None:
        """Raise `UserMistake` for a value that its option does not take, wherever it is from.

        None is what holds without the option.
        """
        for option in self.options:
            value = option.default(settings)
            if value is not None:
                option.check(value)

    def check(self, reasoner: str, settings: Settings) -> None:
        """Raise `UserMistake` for settings that this reasoner cannot have."""

    def check_experiment(self, settings: Settings, experiment: Experiment) -> None:
        """Raise `UserMistake` for other settings that these do not go with."""

    def check_prompts(self, settings: Settings, prompt_set: PromptSet) -> None:
        """Raise `UserMistake` for prompts that the settings cannot do with."""

    def check_target(self, settings: Settings, tokenizer: Tokenizer) -> None:
        """Raise `UserMistake` for a target whose tokenizer cannot do what the settings take."""

    def check_opening(
        self, settings: Settings, experiment: Experiment, tokenizer: Tokenizer
    ) -> None:
        """Raise `UserMistake` where the target's chains do not begin as the settings need."""

    def prompts(self, settings: Settings) -> tuple[str, ...]:  # noqa: ARG002
        """Beginnings of the paths of templates that these settings use besides the reasoner's."""
        return ()

    def needs(self, settings: Settings) -> frozenset[Ability]:  # noqa: ARG002 - others look at it
        """What the target must be able to do, besides what the reasoner always needs."""
        return frozenset()

    def uses(self, settings: Settings) -> tuple[tuple[Group, str], ...]:  # noqa: ARG002
        """What the settings name that a plug-in may have added, by group and name."""
        return ()

    def in_words(self, settings: Settings) -> str | None:  # noqa: ARG002
        """The section's line in a plan, or None for no line."""
        return None

    def on_top(self, settings: Settings) -> tuple[str, ...]:  # noqa: ARG002
        """What is generated besides the accepted steps."""
        return ()

    def openings(
        self,
        settings: Settings,  # noqa: ARG002
        prompt_set: PromptSet,  # noqa: ARG002
        problem: Problem,  # noqa: ARG002
        task: str,  # noqa: ARG002
    ) -> list[list[str]] | None:
        """Of each track the task prompts that it may have; None where the section says nothing."""
        return None


@dataclass(frozen=True, slots=True)
class ReasonerEntry:
    """All that varies with a reasoner.

    `summary` is one sentence for the help. `models` are the roles it uses, and what the engine of
    each must be able to do. `prompts` are beginnings of template paths: a change to other templates
    is no change to it. `sections` are its settings, in the order of a run's identity.
    """

    name: str
    summary: str
    solve: Reasoner
    models: Mapping[str, frozenset[Ability]]
    prompts: tuple[str, ...] = ("task/",)
    sections: tuple[Section[Any], ...] = ()

    @property
    def uses_draft(self) -> bool:
        """Whether it needs a draft model beside the target."""
        return "draft" in self.models

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no reasoner."""
        if not callable(self.solve):
            raise Misdeclared("what solves is no function")
        if "target" not in self.models:
            raise Misdeclared("its models have no target")
        for role, abilities in self.models.items():
            if not isinstance(abilities, frozenset) or not all(
                isinstance(one, Ability) for one in abilities
            ):
                raise Misdeclared(f"what its {role} must be able to do is no frozenset of Ability")
        for section in self.sections:
            section.check_declaration()
        for what, names in (
            ("options", [option.name for one in self.sections for option in one.options]),
            ("sections", [section.name for section in self.sections]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise Misdeclared(f"two of its {what} are called {twice[0]!r}")
        try:
            check_names(self.name, self.models, [section.defaults for section in self.sections])
        except UserMistake as error:
            raise Misdeclared(str(error).removesuffix(".")) from error

    @property
    def options(self) -> dict[str, Option]:
        """The options of all its sections by name."""
        return {option.name: option for section in self.sections for option in section.options}


def refuse_presence_penalty(experiment: Experiment) -> None:
    """Raise `UserMistake` for a presence penalty, which holds within each request alone."""
    if any(experiment.sampling(role).presence_penalty for role in experiment.models):
        raise UserMistake(
            f"The reasoner {experiment.reasoner!r} writes a track in several requests here, at "
            "each of which a presence penalty forgets what was written before; drop "
            "--presence-penalty, or take --repetition-penalty, which counts the prompt too."
        )
