"""The full configuration of a run, the part of it that is its identity, and the run's name."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

from pipeline import engines
from pipeline.engines.adapters import adapter_identity
from pipeline.engines.model_extras import extras_where_set, template_settings
from pipeline.engines.sampling import DEFAULTS, FURTHER, OPTIONS, Sampling, further
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.problems.rows import file_safe

Thinking = Literal["auto", "on", "off"]

# What a model writes may depend on these settings of its engine; the others only say where and how
# fast it runs and may change between resumes of one run.
ENGINE_IDENTITY = (
    "engine",
    "model",
    "revision",
    "tokenizer",
    "dtype",
    "max_model_len",
    "quantization",
    "lora",
    "speculative",
)
IDENTITY_WHERE_SET = (
    "decoding",
    "proposer",
    "window",
    "assistant_model",
    "append_eos",
    "refine_rounds",
    "gather",
)
"""The same, but only where they have another value than their default: they came later, and runs
that were named without them keep their names."""
NAME_HASH_DIGITS = 8
FIRST_SETTINGS = ("reasoner", "dataset", "target", "draft", "model", "engine")
"""Where runs differ in one of these, all else follows from it, so it is listed first."""
NAMED_TEMPLATES = 3
FURTHER_KEYS = (
    "models",
    "dataset_fingerprint",
    "prompts",
    "own_sampling",
    "system_prompt",
    "shard",
    "decoder",
    *FURTHER,
)
"""What else may stand in a run's identity, so that no section can be called so."""
TWO_ROLES = ("target", "draft")
"""The roles that an experiment has fields for; a reasoner may give models others."""
ROLE = re.compile(r"[a-z][a-z0-9_]*")
"""How a model's role may be called: it becomes a key of records and the beginning of options."""


class Opening(NamedTuple):
    """How a chain begins: whether in a thinking block, and after which system prompt."""

    thinking: Thinking = "auto"
    system: str | None = None


class SectionSettings(Protocol):
    """Settings that some reasoners have: a frozen dataclass, `SECTION` its name in the identity.

    One with a class variable `WHERE_SET` that is true stands there only where it is not the
    default, so that runs from before it keep theirs; so does a field with the metadata
    `FIELD_WHERE_SET`.
    """

    SECTION: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


Settings = TypeVar("Settings", bound=SectionSettings)
FIELD_WHERE_SET = {"where_set": True}
"""Metadata of a section's field that came later than the section."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment: a reasoner on a slice of a dataset with its models and sampling.

    `others` are the models beside target and draft, by the roles that their reasoner gives them.
    `problem_range` is in the grammar of `pipeline.problems.ranges`; `token_budget` is the number of
    tokens a track may generate; `concurrency` is the number of attempts in flight.
    The fields of `pipeline.engines.sampling.Sampling` say how all models' tokens are drawn, and
    `own_sampling`, by role and field, what is different for a model beside the target.
    `system_prompt` stands before the task of every chain of reasoning.
    `prompts` is a user's own folder of templates, or None for the dataset's prompt set.
    `sections` are the settings that only some reasoners have, such as those of tracks; what is not
    there has the reasoner's own defaults.
    """

    reasoner: str
    target: EngineSettings
    draft: EngineSettings | None = None
    others: Mapping[str, EngineSettings] = field(default_factory=dict)
    dataset: str | None = "pocket"
    data_file: Path | None = None
    problem_range: str = "all"
    repeats: int = 1
    seed: int = 0
    prompts: Path | None = None
    thinking: Thinking = "auto"
    system_prompt: str | None = None
    temperature: float = DEFAULTS.temperature
    top_p: float = DEFAULTS.top_p
    top_k: int = DEFAULTS.top_k
    min_p: float = DEFAULTS.min_p
    presence_penalty: float = DEFAULTS.presence_penalty
    repetition_penalty: float = DEFAULTS.repetition_penalty
    own_sampling: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    token_budget: int = 8192
    concurrency: int = 32
    sections: tuple[SectionSettings, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that no run can have."""
        _require(self.repeats >= 1, "--repeats", self.repeats, "1 or more")
        _require(self.concurrency >= 1, "--concurrency", self.concurrency, "1 or more")
        _require(self.token_budget >= 1, "--token-budget", self.token_budget, "1 or more")
        for role in self.models:
            self.sampling(role)
            self.opening(role)
        if self.system_prompt is not None and not self.system_prompt.strip():
            raise UserMistake("--system-prompt is empty; leave it out.")
        for role in self.others:
            if role in TWO_ROLES or ROLE.fullmatch(role) is None:
                raise UserMistake(
                    f"{role!r} cannot be the role of another model: use lower-case letters, digits "
                    f"and _, and neither {' nor '.join(TWO_ROLES)}."
                )

    @property
    def models(self) -> dict[str, EngineSettings]:
        """Every model by its role, the target first."""
        drafts = {} if self.draft is None else {"draft": self.draft}
        return {"target": self.target, **drafts, **self.others}

    def opening(self, role: str) -> Opening:
        """How the chains of that role's model begin.

        Raises:
            UserMistake: `--thinking` and the chat template's settings contradict each other.
        """
        asked = template_settings(self.models[role]).get("enable_thinking")
        if asked is None or self.thinking == ("on" if asked else "off"):
            return Opening(self.thinking, self.system_prompt)
        if self.thinking != "auto":
            raise UserMistake(
                f"--thinking {self.thinking} contradicts the enable_thinking of "
                "--chat-template-kwargs; drop one of the two."
            )
        return Opening("auto" if asked else "off", self.system_prompt)

    def sampling(self, role: str) -> Sampling:
        """How the tokens of that role's model are drawn.

        Raises:
            UserMistake: a value is outside its range, or a setting is not known.
        """
        common = {option.name: getattr(self, option.name) for option in OPTIONS}
        own = self.own_sampling.get(role, {})
        unknown = own.keys() - common.keys()
        if unknown:
            raise UserMistake(
                f"{role} has no sampling setting {min(unknown)!r}; there are: {', '.join(common)}."
            )
        return Sampling(**{**common, **own})

    def section(self, kind: type[Settings]) -> Settings:
        """The settings of that kind.

        Raises:
            LookupError: there are none; `pipeline.reasoners.with_defaults` adds a reasoner's own.
        """
        for settings in self.sections:
            if isinstance(settings, kind):
                return settings
        raise LookupError(f"the experiment has no {kind.__name__}")

    @property
    def dataset_name(self) -> str:
        """The dataset's name: the manifest's, or that of the user's own file, as in attempts."""
        if self.dataset is not None:
            return self.dataset
        return file_safe(self.data_file.stem) if self.data_file is not None else "pocket"

    def settings(self) -> dict[str, Any]:
        """The settings that decide what is written; a resumed run must have the same."""
        settings = {
            "reasoner": self.reasoner,
            "dataset": self.dataset_name,
            "seed": self.seed,
            "thinking": self.thinking,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "token_budget": self.token_budget,
            "target": engine_identity(self.target),
            "draft": engine_identity(self.draft) if self.draft is not None else None,
            **({} if self.system_prompt is None else {"system_prompt": self.system_prompt}),
            **self._sampling_where_set(),
        }
        if self.others:
            settings["models"] = {role: engine_identity(one) for role, one in self.others.items()}
        for section in self.sections:
            if section.SECTION in {*settings, *FURTHER_KEYS}:
                raise UserMistake(
                    f"The reasoner {self.reasoner!r} calls a section of its settings "
                    f"{section.SECTION!r}, which is a setting of every run; rename the section."
                )
            unset = getattr(section, "WHERE_SET", False) and section == type(section)()
            if not unset:
                settings[section.SECTION] = _as_written(_where_set(section))
        return settings

    def _sampling_where_set(self) -> dict[str, Any]:
        """What older runs do not say of their sampling, because there was nothing else."""
        common = asdict(self.sampling("target"))
        own = {
            role: {name: one for name, one in changed.items() if one != common[name]}
            for role, changed in self.own_sampling.items()
        }
        own = {role: changed for role, changed in own.items() if changed}
        return further(self) | ({"own_sampling": own} if own else {})

    def name(self) -> str:
        """`<dataset>-<reasoner>-<model>-<hash>`: a pure function of the settings."""
        canonical = json.dumps(self.settings(), sort_keys=True).encode()
        digest = hashlib.sha256(canonical).hexdigest()[:NAME_HASH_DIGITS]
        model = Path(self.target.model).name
        readable = f"{self.dataset_name}-{self.reasoner}-{model}-{digest}"
        return re.sub(r"[^A-Za-z0-9._-]+", "_", readable)


def engine_identity(settings: EngineSettings) -> dict[str, Any]:
    """The part of an engine's settings that decides what its model writes.

    Raises:
        UserMistake: there is no such engine, or it cannot have such settings.
    """
    engines.check_settings(settings)
    shared = {name: getattr(settings, name) for name in ENGINE_IDENTITY}
    for one in fields(EngineSettings):
        if one.name in IDENTITY_WHERE_SET and getattr(settings, one.name) != one.default:
            shared[one.name] = getattr(settings, one.name)
    if settings.branching is not None and settings.branching.identity:
        shared["branching"] = settings.branching.identity
    own = engines.entry(settings.engine).own_identity(settings)
    return shared | adapter_identity(settings) | _as_written(own) | extras_where_set(settings)


def _where_set(section: SectionSettings) -> dict[str, Any]:
    """A section's fields, those that came later only where they are not the default."""
    later = {one.name: one.default for one in fields(section) if one.metadata == FIELD_WHERE_SET}
    return {
        name: one
        for name, one in asdict(section).items()
        if name not in later or one != later[name]
    }


def _as_written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON has them: a path is its text, a tuple a list."""
    return {
        name: str(one) if isinstance(one, Path) else [*one] if isinstance(one, tuple) else one
        for name, one in values.items()
    }


def check_names(reasoner: str, roles: Iterable[str], sections: Iterable[SectionSettings]) -> None:
    """Raise `UserMistake` for roles and sections that cannot stand in a reasoner's experiments."""
    model = EngineSettings("scripted", "any")
    others = {role: model for role in roles if role not in TWO_ROLES}
    Experiment(reasoner, model, others=others, sections=tuple(sections)).name()


def differences(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """One line for each setting that differs, nested ones by dotted name, what matters most first.

    Templates are summed up in one line, by the names of a few.
    """
    lines: list[str] = []
    for key in sorted(recorded.keys() | asked.keys(), key=_by_weight):
        old, new = recorded.get(key), asked.get(key)
        if old == new:
            continue
        if key == "prompts" and isinstance(old, Mapping) and isinstance(new, Mapping):
            lines.append(_changed_templates(old, new))
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += [f"{key}.{line}" for line in differences(old, new)]
        else:
            lines.append(f"{key}: {_in_short(old)} recorded, {_in_short(new)} asked")
    return lines


def _by_weight(key: str) -> tuple[int, str]:
    """What a setting is sorted by: those that say what the run is, the others, the templates."""
    if key in FIRST_SETTINGS:
        return FIRST_SETTINGS.index(key), key
    return len(FIRST_SETTINGS) + (key == "prompts"), key


def _changed_templates(recorded: Mapping[str, str], asked: Mapping[str, str]) -> str:
    files = recorded.keys() | asked.keys()
    changed = sorted(one for one in files if recorded.get(one) != asked.get(one))
    named = ", ".join(changed[:NAMED_TEMPLATES])
    others = len(changed) - NAMED_TEMPLATES
    more = f" and {others} more" if others > 0 else ""
    return f"prompts: {len(changed)} of {len(files)} templates differ ({named}{more})"


def _in_short(value: object) -> str:
    """A value as a message shows it; of an engine's settings the model, of others that they are."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return repr(value["model"]) if "model" in value else "some"
    return repr(value)


def _require(holds: bool, option: str, got: object, allowed: str) -> None:
    if not holds:
        raise UserMistake(f"{option} is {got}; it must be {allowed}.")
