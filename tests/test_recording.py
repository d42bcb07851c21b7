"""Replayed forwards: the very logits of the model, and no recording where they could differ."""

import contextlib
import warnings
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    DeepseekV3Config,
    DynamicCache,
    GPT2Config,
    LlamaConfig,
    Qwen3MoeConfig,
)

from pipeline.decoding.recording import Recorded
from pipeline.decoding.rows import ManyRows, OneRow
from pipeline.engines.facts import read_facts
from pipeline.engines.settings import EngineSettings
from pipeline.engines.transformers.engine import TransformersEngine

SIZES = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8}
STRETCHED = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
REPLAYED = {
    "grouped heads": LlamaConfig(**SIZES),
    "attention that is not fused": LlamaConfig(**SIZES, attn_implementation="eager"),
    "learned positions": GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4,
                                    bos_token_id=0, eos_token_id=1),
    "experts": Qwen3MoeConfig(**SIZES, **EXPERTS, num_experts=4, head_dim=8),
    "latent attention": DeepseekV3Config(**SIZES | {"num_key_value_heads": 4}, **EXPERTS, **LATENT,
                                         v_head_dim=8, n_routed_experts=4, n_group=2, topk_group=1,
                                         first_k_dense_replace=1),
}  # fmt: skip
NEVER = {
    "positions that stretch with the text": LlamaConfig(**SIZES, rope_parameters=STRETCHED),
    "no masks of rows": BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4),
}


def made(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def joined(rows, model, *texts: list[int]):
    for text in texts:
        cache = DynamicCache(config=model.config)
        model(input_ids=torch.tensor([text]), past_key_values=cache)
        rows.join(cache, text)
    return rows


@pytest.mark.parametrize("config", REPLAYED.values(), ids=REPLAYED.keys())
@torch.inference_mode()
def test_a_recording_gives_the_model_s_own_logits_to_the_bit(config):
    model = made(config)
    compute = Recorded(model)
    assert compute.is_replayed
    texts = ([5, 6, 7], list(range(20, 90)), [9])
    replayed, own = (joined(ManyRows(model, how), model, *texts) for how in (compute, None))
    for feed in ([[1], [2, 3, 4], [5, 6]], [[8]] * 3, [[1, 2, 3, 4, 5, 6, 7]] * 3):
        assert torch.equal(replayed.forward(feed), own.forward(feed))
        for rows in (replayed, own):
            rows.forget(1, len(feed[1]) - 1)
    for rows in (replayed, own):
        rows.leave(0)
    for _ in range(80):
        assert torch.equal(replayed.forward([[3], [4]]), own.forward([[3], [4]]))
    assert compute.is_replayed


@torch.inference_mode()
def test_a_row_alone_has_the_logits_that_it_has_in_a_cache_of_its_own():
    model = made(REPLAYED["grouped heads"])
    many, one = (
        joined(rows, model, [5, 6, 7]) for rows in (ManyRows(model, Recorded(model)), OneRow(model))
    )
    for feed in ([[1]], [[1, 2, 3]], *[[[4]]] * 70, [[5] * 9]):
        assert torch.equal(many.forward(feed), one.forward(feed))


@pytest.mark.parametrize("config", NEVER.values(), ids=NEVER.keys())
def test_a_model_that_a_recording_would_be_wrong_for_has_none(config):
    assert not Recorded(made(config)).is_replayed


def counted(ids, _mask) -> float:
    return float(ids.max())


def listed(ids, _mask) -> float:
    return 1.0 + sum(ids[0].tolist()) % 2


def iterated(ids, _mask) -> float:
    return sum(1 for one in ids[0] if one > 1)


def compared(ids, _mask) -> float:
    return 2.0 if (ids > 3).any() else 1.0


def of_length(_ids, mask) -> float:
    return 2.0 if mask is not None and mask.shape[3] > 100 else 1.0


def altered(monkeypatch, model, factor) -> None:
    """From now on all logits are multiplied by what Python makes of the inputs."""
    forward = type(model).forward

    def branching(self, input_ids, attention_mask=None, **named):
        output = forward(self, input_ids=input_ids, attention_mask=attention_mask, **named)
        output.logits = output.logits * factor(input_ids, attention_mask)
        return output

    monkeypatch.setattr(type(model), "forward", branching)


@pytest.mark.parametrize("factor", [counted, listed, iterated, compared])
def test_what_depends_on_values_in_python_is_not_recorded(monkeypatch, factor):
    model = made(REPLAYED["grouped heads"])
    altered(monkeypatch, model, factor)
    assert not Recorded(model).is_replayed


@torch.inference_mode()
def test_a_recording_that_goes_wrong_as_texts_grow_is_dropped_for_the_model_itself(monkeypatch):
    model = made(REPLAYED["grouped heads"])
    altered(monkeypatch, model, of_length)
    compute = Recorded(model)
    assert compute.is_replayed
    replayed = joined(ManyRows(model, compute), model, list(range(126)))
    own = joined(ManyRows(model), model, list(range(126)))
    assert torch.equal(replayed.forward([[5]]), own.forward([[5]]))
    assert not compute.is_replayed
    assert torch.equal(replayed.forward([[6]]), own.forward([[6]]))


@torch.inference_mode()
def test_full_memory_is_told_by_its_own_kind_and_the_recording_is_kept(monkeypatch):
    model = made(REPLAYED["grouped heads"])
    compute = Recorded(model)
    rows = joined(ManyRows(model, compute), model, [1, 2])

    def full(kind):
        def raising(*_inputs, **_named):
            raise kind("no room")

        return raising

    with monkeypatch.context() as broken:
        broken.setattr(compute, "_recording", full(RuntimeError))
        broken.setattr(type(model), "forward", full(torch.OutOfMemoryError))
        with pytest.raises(torch.OutOfMemoryError):
            compute(*[torch.zeros(1, 1, 1, 1)] * 4)
    assert compute.is_replayed
    assert rows.forward([[3]]).shape == (1, 1, 300)


def gone(*_arguments, **_named):
    raise NotImplementedError("torch.jit is no more")


def deprecated(*_arguments, **_named):
    warnings.warn("torch.jit will be no more", FutureWarning, stacklevel=2)
    return contextlib.nullcontext()


def deprecated_and_done(*arguments, trace=torch.jit.trace, **named):
    deprecated()
    return trace(*arguments, **named)


@pytest.mark.parametrize(
    ("name", "other", "is_replayed"),
    [
        ("trace", None, False),
        ("trace", gone, False),
        ("optimized_execution", None, False),
        ("optimized_execution", deprecated, False),
        ("trace", deprecated_and_done, True),
    ],
)
def test_a_torch_without_a_recorder_or_that_warns_of_each_replay_computes_plainly_and_silently(
    monkeypatch, name, other, is_replayed
):
    if other is None:
        monkeypatch.delattr(torch.jit, name)
    else:
        monkeypatch.setattr(torch.jit, name, other)
    model = made(REPLAYED["grouped heads"])
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("error")
        compute = Recorded(model)
        assert compute.is_replayed == is_replayed
        replayed, own = (joined(ManyRows(model, one), model, [5, 6, 7]) for one in (compute, None))
        assert torch.equal(replayed.forward([[1]]), own.forward([[1]]))


@pytest.mark.parametrize("rows", [None, 3])
def test_the_engine_replays_its_model_and_its_assistant(tiny_model: Path, rows):
    settings = EngineSettings(
        "transformers", str(tiny_model), max_num_seqs=rows, decoding="window",
        assistant_model=str(tiny_model),
    )  # fmt: skip
    stepper = TransformersEngine(settings).load(read_facts(settings))
    for place in (stepper._rows, stepper.proposer.rows):
        assert isinstance(place, ManyRows)
        assert place.compute.is_replayed
