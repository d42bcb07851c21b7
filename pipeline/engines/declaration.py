"""What an engine declares of itself: all that varies with it, in one entry."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pipeline.engines.protocol import Ability, Tokenizer
from pipeline.engines.settings import EngineSettings, Value
from pipeline.errors import UserMistake

EVERYONES = frozenset({"engine", "model", "request_timeout", "log", "on_wait", "own"})
"""Fields of `EngineSettings` that every engine honours."""
FIELDS = frozenset(one.name for one in fields(EngineSettings))
ANOTHER = "use another engine"
KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
}


def prefix_of(role: str) -> str:
    """What stands before the options of a model of that role."""
    return "" if role == "target" else role.replace("_", "-") + "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOption:
    """An option of one engine, or a field of `EngineSettings` that several honour.

    `name` is that of the field, or of the option's value in `EngineSettings.own` where there is no
    such field. A number is at least `least`, above `above` and at most `most`; a text one of
    `choices`, where there are any. `default` holds for the target and, unless
    there is a `draft_default`, for the models beside it; `unset` says in words what holds where
    there is none. A value of the engine's own is part of a run's identity unless `free` says that
    what a model writes does not depend on it.
    """

    name: str
    type: type[str] | type[int] | type[float] | type[bool] | type[Path]
    help: str
    default: Value = None
    draft_default: Value = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None
    aliases: tuple[str, ...] = ()
    unset: str | None = None
    free: bool = False

    @property
    def flag(self) -> str:
        """As it is typed for the target, without the dashes before it."""
        return self.name.replace("_", "-")

    def default_for(self, role: str) -> Value:
        """What holds for the model of that role unless something is given."""
        return self.default if role == "target" else self.draft_default or self.default

    def check(self, value: Value) -> None:
        """Raise `UserMistake` for a value that the option cannot have."""
        kinds: tuple[type, ...] = (float, int) if self.type is float else (self.type,)
        if value is None and self.default is None:
            return
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.type is not bool):
            raise UserMistake(f"--{self.flag} is {value!r}; it must be {KINDS[self.type]}.")
        if self.choices and str(value) not in self.choices:
            raise UserMistake(
                f"--{self.flag} is {value!r}; it must be one of {', '.join(self.choices)}."
            )
        if isinstance(value, int | float) and not self._holds(value):
            raise UserMistake(f"--{self.flag} is {value}; it must be {self._range()}.")

    def _holds(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
        )

    def _range(self) -> str:
        bounds = {"at least": self.least, "above": self.above, "at most": self.most}
        return " and ".join(f"{words} {end:g}" for words, end in bounds.items() if end is not None)


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
    the tokenizer and how many tokens there is room for; either may answer None. `remedies` say what
    to do where the engine turns out to lack an ability.
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
    remedies: Mapping[Ability, str] = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        """Whether the package that it needs can be imported."""
        return self.package is None or find_spec(self.package) is not None

    def heeds(self, name: str) -> bool:
        """Whether the option or field of that name does anything."""
        return name in EVERYONES | self.honours or any(one.name == name for one in self.options)

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
            mine[name].check(value)
        return values

    def own_identity(self, settings: EngineSettings) -> dict[str, Value]:
        """Those of its own options' values that decide what a model writes."""
        free = {one.name for one in self.options if one.free}
        return {name: one for name, one in self.own_values(settings).items() if name not in free}

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

    def remedy(self, missing: Collection[Ability], role: str) -> str:
        """What to do about abilities that it lacks, where its model has that role."""
        said = dict.fromkeys(
            self.remedies.get(one, ANOTHER) for one in sorted(missing, key=lambda one: one.value)
        )
        return (
            ANOTHER if ANOTHER in said else " and ".join(said).replace("--", f"--{prefix_of(role)}")
        )


VLLM_SEQUENCES, TRANSFORMERS_SEQUENCES = 64, 1
MAX_NUM_SEQS = EngineOption(
    name="max_num_seqs",
    type=int,
    help="Requests that are computed together.",
    least=1,
    unset=f"{VLLM_SEQUENCES} for vllm, {TRANSFORMERS_SEQUENCES} for transformers",
)
"""An option of both, so it stands here."""


def _called(path: str | None, settings: EngineSettings) -> Any:
    return None if path is None else resolve_name(path)(settings)
