"""What reports read of a run's `run.json`, typed; docs/records.md documents every field.

What an imported run does not know is None.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from evaluators.run_files.attempt_lines import no_run_here, open_regular
from evaluators.run_files.verdict_rows import NotGraded

MANIFEST = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's settings, of which its name is read, who guesses its tokens, and whether they are
    its own choice.
    """

    model: str
    assistant_model: str | None = None
    decoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """How the texts were written, where `speclrm measure` did, and with which assistant."""

    name: str
    assistant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The settings that make two runs the same experiment; `models` are those of further roles."""

    dataset: str
    reasoner: str
    target: Model
    draft: Model | None = None
    models: dict[str, Model] = field(default_factory=dict)
    token_budget: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    own_sampling: dict[str, dict[str, float]] = field(default_factory=dict)
    seed: int | None = None
    thinking: str | None = None
    steps: dict[str, Any] | None = None
    decoder: Decoder | None = None

    @property
    def by_role(self) -> dict[str, Model]:
        """The settings of all models but assistants, the target's first."""
        every = {"target": self.target, "draft": self.draft} | self.models
        return {role: one for role, one in every.items() if one is not None}

    @property
    def names(self) -> dict[str, str]:
        """The models' names by the roles under which records have their tokens, assistants last."""
        models = self.by_role
        guessing = {role: one.assistant_model for role, one in models.items()}
        if self.decoder is not None and self.decoder.assistant is not None:
            guessing["target"] = self.decoder.assistant
        return {role: one.model for role, one in models.items()} | {
            f"{role}_assistant": name for role, name in guessing.items() if name is not None
        }

    @property
    def unverified(self) -> bool:
        """Whether there may be tokens that are not those that its models would choose."""
        return any(one.decoding == "refine" for one in self.by_role.values())

    @property
    def procedure(self) -> str:
        """The reasoner, with the decoder where one was measured, and a mark where there may be
        unverified tokens.
        """
        name = self.reasoner if self.decoder is None else f"{self.reasoner} by {self.decoder.name}"
        return f"{name} (unverified tokens)" if self.unverified else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The rows that were run on."""

    source: str | None = None
    revision: str | None = None
    rows: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which attempts were asked for: each repeat of each problem; of a shard its part of them."""

    problem_ids: tuple[str, ...]
    repeats: int
    shard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One time that the run was started."""

    started: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """A run's manifest; `recorded` is all that it says, for who shows it as it stands."""

    identity: Identity
    dataset: Dataset = Dataset()
    slice: Slice
    sessions: tuple[Session, ...] = ()
    recorded: dict[str, Any] = field(default_factory=dict)

    @property
    def started(self) -> str | None:
        """When its last session was; None for an imported run, which does not say."""
        return self.sessions[-1].started if self.sessions else None


def run_manifest(run: Path) -> RunManifest:
    """The manifest of a run.

    Raises:
        NotGraded: there is no run here, or its manifest is broken.
    """
    file = run / MANIFEST
    recorded = _recorded(file)
    try:
        return replace(msgspec.convert(recorded, RunManifest), recorded=recorded)
    except msgspec.ValidationError as error:
        raise NotGraded(f"{file} is not the manifest of a run ({error}).") from error


def _recorded(file: Path) -> dict[str, Any]:
    try:
        with open_regular(file) as handle:
            return msgspec.json.decode(handle.read(), type=dict[str, Any])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotGraded(no_run_here(file.parent)) from error
    except OSError as error:
        raise NotGraded(f"{file} cannot be read ({error.strerror}).") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotGraded(f"{file} is broken ({error}).") from error
