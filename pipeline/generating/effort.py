"""What an answer cost beside its tokens: forwards, refused guesses, rounds of refined blocks."""

from itertools import pairwise
from math import exp
from typing import Any

from pipeline.engines.protocol import Completion, RefineRound, Tokenizer


def effort_of(completion: Completion, traced: Tokenizer | None = None) -> dict[str, Any]:
    """The fields of a row that the engine's completion has numbers for.

    `computed` counts the tokens that the model was fed to write the answer, those of refused
    guesses too, `assistant_computed` those of an assistant, in `assistant_forwards`. `unverified`
    are tokens of refined blocks that were kept without being the model's own. With a tokenizer the
    rounds are told, and the likeliest first tokens where they were asked for.
    """
    fields: dict[str, Any] = {}
    written = completion.generated or 0
    if completion.forwards is not None:
        refused = completion.refused.tokens if completion.refused is not None else 0
        fields |= {"forwards": completion.forwards, "computed": written + refused}
        if completion.forwards:
            fields["tokens_a_forward"] = round(written / completion.forwards, 3)
    if completion.assisted is not None:
        fields["assistant_computed"] = completion.assisted.tokens
        if completion.assistant_forwards is not None:
            fields["assistant_forwards"] = completion.assistant_forwards
    if completion.likeliest and traced is not None:
        fields["likeliest"] = [
            {"id": one, "token": traced.decode([one]), "probability": round(exp(value), 6)}
            for one, value in completion.likeliest
        ]
    rounds = completion.rounds
    if rounds:
        ends = [*(after.start for after in rounds[1:]), written]
        kept = [end - one.start for one, end in zip(rounds, ends, strict=True)]
        fields |= {
            "blocks": rounds[-1].block + 1,
            "rounds": len(rounds),
            "unverified": sum(
                max(0, tokens - one.sure) for one, tokens in zip(rounds, kept, strict=True)
            ),
        }
        if traced is not None:
            fields["trace"] = [
                _told(before, one, traced) for before, one in pairwise((None, *rounds))
            ]
    return fields


def _told(before: RefineRound | None, one: RefineRound | None, tokenizer: Tokenizer) -> Any:
    """A round, and how many places have another token than after the round before."""
    assert one is not None  # noqa: S101 - only the first of the pairs has none, before it
    changed = len(one.tokens)
    if before is not None and before.block == one.block:
        earlier = before.tokens[one.start - before.start :]
        changed = sum(a != b for a, b in zip(earlier, one.tokens, strict=False))
    return {
        "block": one.block,
        "round": one.number,
        "start": one.start,
        "tokens": len(one.tokens),
        "sure": one.sure,
        "changed": changed,
        "text": tokenizer.decode(one.tokens),
    }
