"""What an engine is: it turns a token prefix into a completion, and knows no reasoner."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from pipeline.errors import EngineFailure

FinishReason = Literal["stop", "length"]
Message = Mapping[str, str]


class Ability(Enum):
    """What an engine may be unable to do; a reasoner that needs it is refused before the run."""

    TOKEN_PROMPTS = "token prompts"  # noqa: S105 - no password
    DIGIT_LOGPROBS = "digit log-probabilities"
    STOP_STRING = "naming of the stop string"
    STREAMING = "telling of tokens as they are written"


@dataclass(frozen=True, slots=True)
class SamplingRequest:
    """How one completion is sampled.

    `pipeline.engines.sampling` says what the settings mean, from `temperature` on. `stop` strings
    end the completion; the text is cut before them, `token_ids` keep theirs.
    `logprobs_of` asks for the raw log-probabilities of these token ids at the first new token.
    `likeliest` asks for so many of the likeliest first tokens; an engine may not tell them.
    `on_token` is told every new token as soon as it stands, by an engine that has
    `Ability.STREAMING`; `on_text` the whole text so far, which may begin anew, by one that is told
    texts. Both may be called in another thread; they must return at once and raise nothing.
    """

    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...] = ()
    logprobs_of: tuple[int, ...] = ()
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    likeliest: int = 0
    on_token: Callable[[int], None] | None = field(default=None, compare=False, repr=False)
    on_text: Callable[[str], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Computed:
    """Tokens that a model computed for a completion beside its own: a prompt, and others.

    `attended_prompt` and `attended` sum how many positions they attended to; `cached_prompt` is
    what was not computed of the prompt, since it was kept from another.
    """

    prompt: int
    attended_prompt: int
    tokens: int
    attended: int
    cached_prompt: int = 0


@dataclass(frozen=True, slots=True)
class RefineRound:
    """What one forward made of a block: its tokens from place `start` of the answer on.

    The first `sure` of them are the model's own. Those of a block's last round are all kept.
    """

    block: int
    number: int
    start: int
    tokens: tuple[int, ...]
    sure: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one request.

    `finish_reason` is `length` when max_tokens or the context ended it, else `stop`; then
    `stop_string` names the stop string, or is None at the model's own end of text.
    `token_ids` include the end-of-text id where the model wrote one; None where a server does not
    send them and the tokenizer is unknown.
    `text` is `token_ids` decoded without special tokens, cut before the stop string.
    `prompt_tokens` and `cached_prompt_tokens` are None where the server does not report them.
    `seconds` is wall time. `completion_tokens` is the server's own count of new tokens, where it
    gives one: the only one without `token_ids`.
    `refused` is what the model computed for guesses that were no part of its text, `assisted` what
    another model did that made guesses; None where there was nothing of the kind. `forwards` are
    the model's that gave its tokens, `assistant_forwards` the other's that gave guesses, both
    without those that only read a prompt, and None where unknown; `rounds` are those of refined
    blocks.
    `likeliest` are the likeliest first tokens with their log-probabilities, where asked for.
    `arrivals` say in order how many of its tokens came together, and from which forward of the
    engine, by a number that its other completions share, or None; empty where it does not tell.
    `guesses` are how many were put before the model and how many it would have written, maybe
    beyond the text's end, where no more is told of them.
    """

    text: str
    token_ids: tuple[int, ...] | None
    finish_reason: FinishReason
    stop_string: str | None
    prompt_tokens: int | None
    cached_prompt_tokens: int | None
    seconds: float
    logprobs: Mapping[int, float] | None = None
    completion_tokens: int | None = None
    refused: Computed | None = None
    assisted: Computed | None = None
    forwards: int | None = None
    assistant_forwards: int | None = None
    rounds: tuple[RefineRound, ...] = ()
    likeliest: tuple[tuple[int, float], ...] = ()
    arrivals: tuple[tuple[int | None, int], ...] = field(default=(), compare=False)
    guesses: tuple[int, int] | None = None

    @property
    def generated(self) -> int | None:
        """How many tokens are new; None where nobody counted them."""
        if self.completion_tokens is not None or self.token_ids is None:
            return self.completion_tokens
        return len(self.token_ids)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the cost model and the manifest need to know of a model; None where unknown.

    `parameters` counts all weights once (tied embeddings too); `body_parameters` those that every
    token is multiplied with in the layers; `head_parameters` those that make logits of a position.
    `attention_width` is the mean width of all queries and of all values of a layer. `context` is
    in tokens. `assistant` is a model that guesses tokens for it, where there is one.
    """

    model: str
    revision: str | None
    dtype: str | None
    context: int | None
    parameters: int | None
    body_parameters: int | None
    head_parameters: int | None
    layers: int | None
    attention_width: int | None
    assistant: "ModelFacts | None" = None


class Tokenizer(Protocol):
    """The model's own tokenizer and chat template."""

    @property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end a text."""
        ...

    @property
    def fingerprint(self) -> str:
        """The same for tokenizers whose ids mean the same texts."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, with no special token added; special tokens in it are recognised."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids`, special tokens left out."""
        ...

    def render_chat(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """The chat as the model expects it, up to where the assistant begins to write.

        `thinking` is passed to templates that know `enable_thinking`; None leaves their default.
        """
        ...


class Groups(Protocol):
    """An engine that writes requests together, so that they may depend on each other."""

    async def complete_together(
        self, asked: Sequence[tuple[Sequence[int], SamplingRequest]]
    ) -> list[Completion | EngineFailure]:
        """What each came to, in their order; raises `EngineDead`."""
        ...


class Engine(Protocol):
    """One model behind one way of serving it.

    Lifetime: `start` returns when the engine has answered a request (readiness check) or raises
    `UserMistake` / `RunStopped`; `stop` leaves no process behind and may be called twice.
    `complete` may be awaited by many tasks at once; cancelling the task cancels the request in
    the engine. It raises `PromptTooLong`, `EngineDead`, or another `EngineFailure`.
    """

    @property
    def abilities(self) -> frozenset[Ability]:
        """What this engine can do. Valid after `start`."""
        ...

    @property
    def facts(self) -> ModelFacts:
        """The model's facts. Valid after `start`."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer. Valid after `start`; raises `UserMistake` where there is none."""
        ...

    async def start(self) -> None:
        """Load or connect, and prove readiness with one short request."""
        ...

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix."""
        ...

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat; the fallback of servers without token prompts."""
        ...

    async def health(self) -> None:
        """Return when the engine can take requests; raise `EngineDead` when it cannot."""
        ...

    async def stop(self) -> None:
        """End the engine and everything it started."""
        ...
