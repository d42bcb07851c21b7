"""Where every token of an attempt went: each is booked once, under one model and one use."""

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


class Ledger:
    """The token counts of one attempt, by model (`target`, `draft`) and use."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, Use], Tokens] = {}

    def book(self, model: str, use: Use, completion: Completion) -> None:
        """Add one completion's prompt and generated tokens."""
        before = self._tokens.get((model, use), Tokens(0, 0, 0, 0, 0))
        prompt, cached = completion.prompt_tokens, completion.cached_prompt_tokens
        end = prompt + completion.generated
        self._tokens[model, use] = Tokens(
            prompt_new=before.prompt_new + prompt - (cached or 0),
            prompt_cached=None
            if cached is None or before.prompt_cached is None
            else before.prompt_cached + cached,
            generated=before.generated + end - prompt,
            attended_prompt=before.attended_prompt + _attended(cached or 0, prompt),
            attended_generated=before.attended_generated + _attended(prompt, end),
        )

    def usage(self) -> dict[str, dict[str, Tokens]]:
        """The counts as the attempt line holds them: model -> use -> tokens."""
        usage: dict[str, dict[str, Tokens]] = {}
        for (model, use), tokens in self._tokens.items():
            usage.setdefault(model, {})[use.value] = tokens
        return usage


def _attended(start: int, end: int) -> int:
    """Positions that the tokens start+1..end attend to: each sees itself and all before it."""
    return (end * (end + 1) - start * (start + 1)) // 2
