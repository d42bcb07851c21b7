"""Where every token of an attempt went: each is booked once, under one model and one use."""

from enum import StrEnum

from pipeline.engines.protocol import Completion, Computed
from pipeline.records import Tokens


class Use(StrEnum):
    """What tokens of our reasoners were spent on; others may book under names of their own."""

    PLAIN = "plain"
    DRAFT_KEPT = "draft_kept"
    DRAFT_DROPPED = "draft_dropped"
    VERIFY = "verify"
    REWRITE = "rewrite"
    SELECTION = "selection"
    EARLY = "early"
    """Answers at smaller thinking budgets, which are recorded beside the track's own."""
    REFUSED = "refused"
    """Guesses of tokens that were no part of the text."""
    GUESSES = "guesses"
    """What an assistant computed to guess tokens."""


UNKNOWN = Tokens(None, None, None, None, None, None)
"""Tokens that nobody counted."""
UNWRITTEN = frozenset({Use.REFUSED, Use.GUESSES})
"""Uses whose tokens were computed and never written: they cost, but are no progress."""


def assistant_of(role: str) -> str:
    """The role of the model that guesses tokens for the model of that role."""
    return f"{role}_assistant"


class Ledger:
    """The token counts of one attempt, by the role of the model (`target`, `draft`, …) and use."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], Tokens] = {}

    def book(self, model: str, use: str, completion: Completion) -> None:
        """Add one completion's prompt and generated tokens, and what was computed beside them."""
        self._add(model, use, _tokens(completion))
        if completion.refused is not None:
            # They were fed in the passes that gave the text, and had none of their own.
            none = None if completion.forwards is None else 0
            self._add(model, Use.REFUSED, _computed(completion.refused, none))
        if completion.assisted is not None:
            guesses = _computed(completion.assisted, completion.assistant_forwards)
            self._add(assistant_of(model), Use.GUESSES, guesses)

    def _add(self, model: str, use: str, tokens: Tokens) -> None:
        before = self._sums.get((model, use))
        self._sums[model, use] = tokens if before is None else both(before, tokens)

    def usage(self) -> dict[str, dict[str, Tokens]]:
        """The counts as the attempt line holds them: model -> use -> tokens."""
        usage: dict[str, dict[str, Tokens]] = {}
        for (model, use), tokens in self._sums.items():
            usage.setdefault(model, {})[str(use)] = tokens
        return usage


def _tokens(completion: Completion) -> Tokens:
    """What one completion counts; None for what the server did not say."""
    prompt, cached = completion.prompt_tokens, completion.cached_prompt_tokens
    generated = completion.generated
    requests = None if generated is None else int(generated > 0)
    return Tokens(
        prompt_new=None if prompt is None else prompt - (cached or 0),
        prompt_cached=cached,
        generated=generated,
        attended_prompt=None if prompt is None else attended(cached or 0, prompt),
        attended_generated=None
        if prompt is None or generated is None or requests is None
        else attended(prompt, prompt + generated - requests),
        requests=requests,
        forwards=completion.forwards,
    )


def _computed(work: Computed, forwards: int | None) -> Tokens:
    """Tokens that were all fed, with logits of those that are no prompt."""
    return Tokens(
        prompt_new=work.prompt,
        prompt_cached=work.cached_prompt,
        generated=work.tokens,
        attended_prompt=work.attended_prompt,
        attended_generated=work.attended,
        requests=0,
        forwards=forwards,
    )


def both(first: Tokens, second: Tokens) -> Tokens:
    """The counts of two; what is unknown of one is unknown of both."""
    return Tokens(
        prompt_new=known_sum(first.prompt_new, second.prompt_new),
        prompt_cached=known_sum(first.prompt_cached, second.prompt_cached),
        generated=known_sum(first.generated, second.generated),
        attended_prompt=known_sum(first.attended_prompt, second.attended_prompt),
        attended_generated=known_sum(first.attended_generated, second.attended_generated),
        requests=known_sum(first.requests, second.requests),
        forwards=known_sum(first.forwards, second.forwards),
    )


def known_sum(known: int | None, added: int | None) -> int | None:
    """The sum of two counts; unknown if one is."""
    return None if known is None or added is None else known + added


def attended(start: int, end: int) -> int:
    """Positions that the tokens start+1..end attend to: each sees itself and all before it."""
    return (end * (end + 1) - start * (start + 1)) // 2
