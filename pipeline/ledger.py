"""Where every token of an attempt went: each is booked once, under one model and one use."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.engines.protocol import Completion
from pipeline.records import Tokens


class Use(StrEnum):
    """What tokens were spent on."""

    PLAIN = "plain"
    DRAFT_KEPT = "draft_kept"
    DRAFT_DROPPED = "draft_dropped"
    VERIFY = "verify"
    REWRITE = "rewrite"
    SELECTION = "selection"


@dataclass(slots=True)
class _Sums:
    """Counts of one model and use so far; `cached` is None once a completion did not say."""

    prompt: int = 0
    cached: int | None = 0
    generated: int = 0
    requests: int = 0
    attended_prompt: int = 0
    attended_generated: int = 0


class Ledger:
    """The token counts of one attempt, by model (`target`, `draft`) and use."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, Use], _Sums] = {}

    def book(self, model: str, use: Use, completion: Completion) -> None:
        """Add one completion's prompt and generated tokens."""
        sums = self._sums.setdefault((model, use), _Sums())
        prompt, cached = completion.prompt_tokens, completion.cached_prompt_tokens
        wrote = completion.generated > 0
        sums.prompt += prompt - (cached or 0)
        sums.cached = None if cached is None or sums.cached is None else sums.cached + cached
        sums.generated += completion.generated
        sums.requests += wrote
        sums.attended_prompt += _attended(cached or 0, prompt)
        sums.attended_generated += _attended(prompt, prompt + completion.generated - wrote)

    def usage(self) -> dict[str, dict[str, Tokens]]:
        """The counts as the attempt line holds them: model -> use -> tokens."""
        usage: dict[str, dict[str, Tokens]] = {}
        for (model, use), sums in self._sums.items():
            usage.setdefault(model, {})[use.value] = Tokens(
                prompt_new=sums.prompt,
                prompt_cached=sums.cached,
                generated=sums.generated,
                attended_prompt=sums.attended_prompt,
                attended_generated=sums.attended_generated,
                requests=sums.requests,
            )
        return usage


def _attended(start: int, end: int) -> int:
    """Positions that the tokens start+1..end attend to: each sees itself and all before it."""
    return (end * (end + 1) - start * (start + 1)) // 2
