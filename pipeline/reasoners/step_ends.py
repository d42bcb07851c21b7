"""Where a step ends, what it closes, and when a track stops."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluators import extract_answer
from pipeline.engines.protocol import Completion, FinishReason, Tokenizer
from pipeline.reasoners.complete_answer import AnswerForm, states_answer
from pipeline.reasoners.opening import THINK_CLOSE
from pipeline.records import Stop

STEP_END = "\n\n"
STEP_TOKENS = 512
"""The longest step, as in SpecReason and SSR; a longer paragraph is judged in pieces."""
MIN_STEPS_TO_REPEAT = 3

Author = Literal["draft", "target"]
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_TOKENS_OF_A_CHARACTER = 4
"""A character of UTF-8 has four bytes at most, and a byte is the smallest token."""


@dataclass(frozen=True, slots=True)
class Written:
    """A step as its author wrote it.

    `text` holds the blank line that ended it. `token_ids` are the author's own, without the end of
    the text; `tokens` counts all that were generated. `ended` is the end of the text;
    `context_full` that the author's context has no room left.
    """

    author: Author
    text: str
    token_ids: tuple[int, ...]
    tokens: int
    seconds: float
    finish: FinishReason
    ended: bool
    context_full: bool
    notes: tuple[str, ...] = ()


def written(author: Author, tokenizer: Tokenizer, completion: Completion, asked: int) -> Written:
    """The step that a completion of at most `asked` tokens holds."""
    ids = completion.token_ids or ()
    tokens = completion.generated or len(ids)
    while ids and ids[-1] in tokenizer.eos_ids:
        ids = ids[:-1]
    if completion.finish_reason == "length":
        ids = _without_split_character(ids, tokenizer)
    text = tokenizer.decode(ids)
    stop = completion.stop_string
    if stop is not None and stop not in text:  # a server that keeps its stop string to itself
        text, ids = completion.text + stop, (*ids, *tokenizer.encode(stop))
    return Written(
        author=author,
        text=text,
        token_ids=ids,
        tokens=tokens,
        seconds=completion.seconds,
        finish=completion.finish_reason,
        ended=completion.finish_reason == "stop" and stop is None,
        context_full=completion.finish_reason == "length" and tokens < asked,
    )


def _without_split_character(ids: tuple[int, ...], tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids without the last ones where the cut left a part of a character; the next step has it.

    What a model really wrote as a broken character stays.
    """
    if not tokenizer.decode(ids).endswith(REPLACEMENT):
        return ids
    for cut in range(1, MAX_TOKENS_OF_A_CHARACTER):
        if not tokenizer.decode(ids[:-cut]).endswith(REPLACEMENT):
            return ids[:-cut]
    return ids


def joined(first: Written, rest: Written) -> Written:
    """Two completions of one author as one step."""
    return Written(
        author=first.author,
        text=first.text + rest.text,
        token_ids=first.token_ids + rest.token_ids,
        tokens=first.tokens + rest.tokens,
        seconds=first.seconds + rest.seconds,
        finish=rest.finish,
        ended=rest.ended,
        context_full=rest.context_full,
        notes=first.notes + rest.notes,
    )


def closes_thinking(step: Written) -> bool:
    """Whether the step holds a `</think>` after which its author may still write."""
    return THINK_CLOSE in step.text and not step.ended and not step.context_full


def without_think_close(step: Written, tokenizer: Tokenizer) -> Written:
    """The step with its `</think>` taken out, as the SSR scripts do."""
    text = step.text.replace(THINK_CLOSE, "")
    return Written(
        author=step.author,
        text=text,
        token_ids=tuple(tokenizer.encode(text)),
        tokens=step.tokens,
        seconds=step.seconds,
        finish=step.finish,
        ended=step.ended,
        context_full=step.context_full,
        notes=(*step.notes, f"a {THINK_CLOSE} without an answer was removed"),
    )


def stop_after(
    texts: Sequence[str], last: Written, budget_left: int, *, answered: bool
) -> Stop | None:
    """Why a track stops after its `last` accepted step; None while it goes on.

    `texts` are the track's accepted steps, the last one included; `answered` says that it ends the
    track. The order of the reasons is fixed: finished, repeated, budget, length.
    """
    if last.ended or answered:
        return Stop.FINISHED
    if len(texts) >= MIN_STEPS_TO_REPEAT and texts[-1].strip() == texts[-2].strip():
        return Stop.REPEATED
    if budget_left <= 0:
        return Stop.BUDGET
    if last.context_full:
        return Stop.LENGTH
    return None


def track_answer(text: str, form: AnswerForm, stop: Stop) -> str | None:
    """The answer of a track's whole text.

    A track that was cut off has the last answer of its text only where a step states just that.
    """
    answer = extract_answer(text, form.kind)
    if stop is Stop.FINISHED or answer is None:
        return answer
    steps = text.split(STEP_END)
    for place, step in enumerate(steps):
        stated = states_answer(step, form, earlier=steps[:place])
        if stated and extract_answer(step, form.kind) == answer:
            return answer
    return None
