"""What an engine declares of itself: all that varies with it, in one entry."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import Any

from pipeline.declared_option import DeclaredOption, Value
from pipeline.engines.protocol import Ability, Engine, Tokenizer
from pipeline.engines.sampling import FURTHER, Sampling, further
from pipeline.engines.settings import BRANCHES, PLAIN, REFINE, EngineSettings
from pipeline.engines.step_watch import STEP_SECONDS
from pipeline.errors import Misdeclared, UserMistake

EVERYONES = frozenset(
    {"engine", "model", "request_timeout", "log", "on_wait", "on_change", "own", "sampling"}
)
"""Fields of `EngineSettings` that every engine honours."""
FIELDS = frozenset(one.name for one in fields(EngineSettings))
ANOTHER = "use another engine"
METHODS = ("start", "complete", "chat", "health", "stop")
"""What the class of an engine must have."""


def prefix_of(role: str) -> str:
    """What stands before the options of a model of that role."""
    return "" if role == "target" else role.replace("_", "-") + "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOption(DeclaredOption):
    """An option of one engine, or a field of `EngineSettings` that several honour.

    `name` is that of the field, or of the option's value in `EngineSettings.own` where there is no
    such field. `default` holds for the target and, unless
    there is a `draft_default`, for the models beside it; `unset` says in words what holds where
    there is none. A value of the engine's own is part of a run's identity unless `free` says that
    what a model writes does not depend on it.
    """

    default: Value = None
    draft_default: Value = None
    unset: str | None = None
    free: bool = False

    def default_for(self, role: str) -> Value:
        """What holds for the model of that role unless something is given."""
        return self.default if role == "target" else self.draft_default or self.default

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no option."""
        DeclaredOption.check_declaration(self)
        for default in (self.default, self.draft_default):
            self.check_default(default)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """All that varies with an engine; its class and its libraries are imported when it is made.

    `path` is `module:class`, which is called with the settings. `honours` are the fields of
    `EngineSettings` that it heeds besides `EVERYONES` and its `options`; any other is refused.
    `requires` are fields without which the command line does not ask for it, each with what it is.
    `package` is what must be importable, `install` how to get it; `versions` are the packages whose
    versions a run records. `automatic` engines are what `auto` means, the first that is installed.
    `model` is what its model is called unless it is named; without it that is the bundled one.
    `opens_files` says that a model's name is that of files here or on the hub, and not a server's.
    `tokenizer` and `context` are the paths of functions of the settings that say, before a start,
    the tokenizer and how many tokens there is room for; either may answer None. `check` is that of
    one that raises `UserMistake` for settings that it cannot have. `remedies` say what
    to do where the engine turns out to lack an ability; `instead` say, by options that it does not
    have, what it has in their place. `samples` are the settings of
    `pipeline.engines.sampling` that it honours besides temperature and top-p.
    """

    name: str
    path: str
    honours: frozenset[str] = frozenset()
    options: tuple[EngineOption, ...] = ()
    requires: Mapping[str, str] = field(default_factory=dict)
    package: str | None = None
    install: str | None = None
    versions: tuple[str, ...] = ()
    automatic: bool = False
    model: str | None = None
    opens_files: bool = True
    tokenizer: str | None = "pipeline.engines.tokenizer:HFTokenizer.of"
    context: str | None = "pipeline.engines.facts:read_context"
    check: str | None = None
    remedies: Mapping[Ability, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    samples: frozenset[str] = frozenset()

    @property
    def installed(self) -> bool:
        """Whether the package that it needs can be imported."""
        return self.package is None or find_spec(self.package) is not None

    def heeds(self, name: str) -> bool:
        """Whether the option or field of that name does anything."""
        return name in EVERYONES | self.honours or any(one.name == name for one in self.options)

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no engine."""
        for option in self.options:
            option.check_declaration()
        names = [option.name for option in self.options]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise Misdeclared(f"it has two options {twice[0]!r}")
        if EVERYONES & {*names}:
            raise Misdeclared(f"{min(EVERYONES & {*names})!r} cannot be an option of one engine")
        if self.samples - FURTHER:
            raise Misdeclared(f"{min(self.samples - FURTHER)!r} is no setting of sampling")
        unknown = sorted((self.honours - FIELDS) | (self.requires.keys() - FIELDS - {*names}))
        if unknown:
            raise Misdeclared(f"it speaks of {unknown[0]!r}, which is no field and no option")

    def load_class(self) -> Callable[[EngineSettings], Engine]:
        """Import the engine's class; its libraries are loaded with it.

        Raises:
            ImportError, AttributeError: `path` leads nowhere.
            Misdeclared: it is no class, or lacks a method of engines.
        """
        found: Any = resolve_name(self.path)
        if not isinstance(found, type):
            raise Misdeclared(f"{self.path} is no class")
        missing = [name for name in METHODS if not callable(getattr(found, name, None))]
        if missing:
            raise Misdeclared(f"{self.path} has no method {missing[0]}")
        return found

    def load_all(self) -> None:
        """Import all that it names.

        Raises:
            ImportError, AttributeError: a path leads nowhere.
            Misdeclared: what is there is of no use.
        """
        self.load_class()
        for path in (self.tokenizer, self.context, self.check):
            if path is not None and not callable(resolve_name(path)):
                raise Misdeclared(f"{path} is no function")

    def own_values(self, settings: EngineSettings) -> dict[str, Value]:
        """The values of its own options, given or default, by name.

        Raises:
            UserMistake: one is given that it does not have, or with a value that it cannot have.
        """
        mine = {one.name: one for one in self.options if one.name not in FIELDS}
        for name in settings.own.keys() - mine.keys():
            raise UserMistake(
                f"the engine {self.name} has no option {name!r}"
                + (f"; it has {', '.join(mine)}" if mine else "")
            )
        values = {name: settings.own.get(name, one.default) for name, one in mine.items()}
        for name, value in values.items():
            if value is not None or mine[name].default is not None:
                mine[name].check(value)
        return values

    def ignored(self, settings: EngineSettings) -> list[str]:
        """The fields that are set and that it does not heed."""
        every = fields(EngineSettings)
        given = [one.name for one in every if getattr(settings, one.name) != one.default]
        return [name for name in given if not self.heeds(name)]

    def in_place_of(self, name: str, prefix: str = "") -> str:
        """What to say of an option that it does not have and does in another way; else nothing."""
        other = self.instead.get(name)
        return "" if other is None else f"; {other.replace('--', f'--{prefix}')}"

    def own_identity(self, settings: EngineSettings) -> dict[str, Value]:
        """Those of its own options' values that decide what a model writes."""
        free = {one.name for one in self.options if one.free}
        return {name: one for name, one in self.own_values(settings).items() if name not in free}

    def check_settings(self, settings: EngineSettings) -> None:
        """Raise `UserMistake` for settings that it cannot have, as far as that is known here."""
        _called(self.check, settings)

    def read_tokenizer(self, settings: EngineSettings) -> Tokenizer | None:
        """The model's tokenizer, without a start; None where only its server has it.

        Raises:
            UserMistake: it cannot be loaded.
        """
        found: Tokenizer | None = _called(self.tokenizer, settings)
        return found

    def read_context(self, settings: EngineSettings) -> int | None:
        """How many tokens there is room for, without a start; None where that is not known.

        Raises:
            UserMistake: what says it cannot be read.
        """
        if self.heeds("max_model_len") and settings.max_model_len is not None:
            return settings.max_model_len
        found: int | None = _called(self.context, settings)
        return found

    def check_sampling(self, sampling: Sampling, role: str) -> None:
        """Raise `UserMistake` for what its model of that role would take no notice of."""
        for name in further(sampling).keys() - self.samples:
            flag = prefix_of(role) + name.replace("_", "-")
            raise UserMistake(f"The engine {self.name} does not do --{flag}; {ANOTHER}.")

    def remedy(self, missing: Collection[Ability], role: str) -> str:
        """What to do about abilities that it lacks, where its model has that role."""
        said = dict.fromkeys(
            self.remedies.get(one, ANOTHER) for one in sorted(missing, key=lambda one: one.value)
        )
        return (
            ANOTHER if ANOTHER in said else " and ".join(said).replace("--", f"--{prefix_of(role)}")
        )


VLLM_SEQUENCES, TRANSFORMERS_SEQUENCES = 64, 1
WINDOW = 8
"""Tokens of a window, unless it is said."""
DECODING = EngineOption(
    name="decoding",
    type=str,
    help="Token by token, or in windows of guesses that the model checks; for transformers also "
    "by refining blocks that it does not check, or several prompts as branches of one sequence.",
    default=PLAIN,
    choices=(PLAIN, "window", REFINE, BRANCHES),
)
PROPOSER = EngineOption(
    name="proposer",
    type=str,
    help="Who guesses a window's tokens; the last two for transformers only.",
    choices=("lookup", "assistant", "end-block", "recycled"),
    unset="assistant with --assistant-model, else lookup",
)
WINDOW_SIZE = EngineOption(
    name="window",
    type=int,
    help="Tokens in a window at most.",
    least=2,
    unset=str(WINDOW),
)
ASSISTANT_MODEL = EngineOption(
    name="assistant_model",
    type=str,
    help="Small model with the same tokenizer, which guesses.",
)
MAX_NUM_SEQS = EngineOption(
    name="max_num_seqs",
    type=int,
    help="Requests that are computed together.",
    least=1,
    unset=f"{VLLM_SEQUENCES} for vllm, {TRANSFORMERS_SEQUENCES} for transformers",
)
STEP_TIMEOUT = EngineOption(
    name="step_timeout",
    type=float,
    help="Seconds a step of an engine in this process may take; then the run ends.",
    above=0,
    unset=f"{STEP_SECONDS:g}",
)
LORA = EngineOption(
    name="lora",
    type=str,
    help="LoRA adapter: a folder as PEFT writes it, or a .pth file.",
    aliases=("lora_path",),
)
LORA_RANK = EngineOption(
    name="lora_rank",
    type=int,
    help="Refuse an adapter of another rank.",
    least=1,
    unset="the adapter's own",
)
REREAD_PROMPTS = EngineOption(
    name="reread_prompts",
    type=bool,
    help="Read every prompt from its beginning, though others began alike.",
    default=False,
)
"""Options of both, so they stand here."""
LOADED_HERE = frozenset(
    {
        "revision",
        "tokenizer",
        "dtype",
        "max_model_len",
        "devices",
        "trust_remote_code",
        "chat_template_kwargs",
        "reasoning_effort",
    }
)
"""The settings that both honour, as every engine can that loads the model on this machine."""


def _called(path: str | None, settings: EngineSettings) -> Any:
    return None if path is None else resolve_name(path)(settings)
