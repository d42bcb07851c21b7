"""What tokens cost: floating-point operations by the model's real shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.records import Tokens

FLOPS_PER_PARAMETER = 2
"""One multiplication and one addition for each weight a token passes through."""
FLOPS_PER_ATTENDED_POSITION = 4
"""Per layer and unit of attention width: the score and the weighted sum, two each."""


@dataclass(frozen=True, slots=True)
class Flops:
    """Operations of one attempt: for its generated tokens alone, and with all prompt tokens."""

    decode: float
    total: float


def attempt_flops(
    usage: Mapping[str, Mapping[str, Tokens]] | None,
    models: Mapping[str, Mapping[str, Any] | None],
) -> Flops | None:
    """The operations an attempt cost; None where a model's shape or a count is unknown.

    A token that is fed to the model costs 2B + 4·L·d·c operations: B weights of the layers, L
    layers, attention width d, c positions attended to (Kaplan et al. 2020, arXiv 2001.08361,
    section 2.1, whose d·c term counts half because it averages over the context; here c is summed
    exactly). A generated token costs 2H more, the logits it was drawn from: H weights of the output
    head. The last token of a request is never fed, so p prompt tokens and g generated ones are
    p + g - 1 fed tokens and g logits. Cached prompt tokens cost nothing.
    """
    if usage is None:
        return None
    decode = total = 0.0
    for model, uses in usage.items():
        facts = models.get(model) or {}
        body, head = facts.get("body_parameters"), facts.get("head_parameters")
        layers, width = facts.get("layers"), facts.get("attention_width")
        if body is None or head is None or layers is None or width is None:
            return None
        per_position = FLOPS_PER_ATTENDED_POSITION * layers * width
        for tokens in uses.values():
            prompt_new, made, requests = tokens.prompt_new, tokens.generated, tokens.requests
            attended, attended_generated = tokens.attended_prompt, tokens.attended_generated
            if prompt_new is None or made is None or requests is None:
                return None
            if attended is None or attended_generated is None:
                return None
            generated = FLOPS_PER_PARAMETER * head * made
            generated += FLOPS_PER_PARAMETER * body * (made - requests)
            generated += per_position * attended_generated
            prompt = FLOPS_PER_PARAMETER * body * prompt_new + per_position * attended
            decode += generated
            total += generated + prompt
    return Flops(decode, total)
