"""What a proposer is, and what it sees of a text that a model writes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(slots=True)
class Work:
    """Tokens that a model was fed beside those that a text needs, and what they attended to.

    `cached` are those of the prompt that it had kept, and was not fed. `attended` sums the
    positions that the tokens saw, each itself and all before it. `forwards` are passes that were
    made for them; what a text's own passes are fed beside it needs none.
    """

    prompt: int = 0
    cached: int = 0
    attended_prompt: int = 0
    fed: int = 0
    attended: int = 0
    forwards: int = 0

    def read(self, tokens: int, cached: int) -> None:
        """Count a prompt, of which no logits are needed; the first `cached` tokens were kept."""
        self.prompt += tokens - cached
        self.cached += cached
        self.attended_prompt += (tokens * (tokens + 1) - cached * (cached + 1)) // 2

    def feed(self, after: int, tokens: int) -> None:
        """Count tokens that follow `after` others."""
        self.fed += tokens
        self.attended += tokens * after + tokens * (tokens + 1) // 2


class Written(Protocol):
    """A text that a model writes; `refused` counts what the model was fed in vain."""

    refused: Work

    @property
    def token_ids(self) -> Sequence[int]:
        """The prompt and all that was written; the last token has not been fed yet."""
        ...

    @property
    def room(self) -> int:
        """How many tokens may still be written; 0 where the text has ended."""
        ...

    def grow(self, logits: Any) -> int:
        """Write the token that the model chooses by the logits after the last one."""
        ...

    def ahead(self) -> Callable[[Any], int]:
        """The choices that `grow` would make from here on, token by token, without making them."""
        ...


class Text(Written, Protocol):
    """A text as windows see it; `assisted` counts what an assistant was fed."""

    assisted: Work


class Proposer(Protocol):
    """Guesses for every row; rows have the numbers that they have in `pipeline.decoding.rows`."""

    def join(self, text: Text) -> Iterator[None]:
        """Read the text, a piece for each thing that is yielded; with the end it is a row more."""
        ...

    def leave(self, row: int) -> None:
        """A row less; the last one gets its number."""
        ...

    def propose(self, texts: Sequence[Text], most: Sequence[int]) -> list[list[int]]:
        """For every row the next tokens, as many as it thinks right and at most so many."""
        ...

    def learn(self, row: int, text: Text, refused: Any) -> None:
        """What a forward came to: the text has grown, and `refused` are the logits after it.

        They were made on guesses that were wrong; there may be none.
        """
        ...
