"""A track's accepted steps as token ids, for the target and for the draft.

Ids are only ever appended: score, rewrite and next draft share all but the tail of their prompts,
so that prefix caches do the rest.
"""

from dataclasses import dataclass, replace

from pipeline.engines.protocol import Tokenizer
from pipeline.reasoners.complete_answer import is_thinking
from pipeline.reasoners.step_ends import Author, Written


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """The tokenizers of both models; with one vocabulary ids are handed over as they are."""

    target: Tokenizer
    draft: Tokenizer

    @property
    def shared(self) -> bool:
        """Whether both models mean the same text by the same ids."""
        return self.target.fingerprint == self.draft.fingerprint

    def ids_for(self, reader: Author, step: Written) -> tuple[int, ...]:
        """A step's ids for `reader`: the author's own, or its text in the reader's tokenizer."""
        if step.author == reader or self.shared:
            return step.token_ids
        tokenizer = self.target if reader == "target" else self.draft
        return tuple(tokenizer.encode(step.text))


@dataclass(frozen=True, slots=True)
class Chain:
    """An accepted (or supposed) prefix.

    `thinking` says whether its thinking block is open; `spent` counts the tokens of its steps.
    """

    target_ids: tuple[int, ...]
    draft_ids: tuple[int, ...]
    thinking: bool
    texts: tuple[str, ...] = ()
    spent: int = 0

    @property
    def length(self) -> int:
        """How many steps there are; the next one has this index."""
        return len(self.texts)

    def ids(self, reader: Author) -> tuple[int, ...]:
        """The prefix in the reader's own ids."""
        return self.target_ids if reader == "target" else self.draft_ids

    def extended(self, step: Written, vocabularies: Vocabularies) -> "Chain":
        """The chain with one more step."""
        return replace(
            self,
            target_ids=self.target_ids + vocabularies.ids_for("target", step),
            draft_ids=self.draft_ids + vocabularies.ids_for("draft", step),
            thinking=is_thinking(step.text, before=self.thinking),
            texts=(*self.texts, step.text),
            spent=self.spent + step.tokens,
        )
