"""Forwards of a GPU as graphs: the model's own logits to the bit; and the rows that they need."""

import asyncio
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache, LlamaConfig

from pipeline.decoding.captured import TIMES, Captured, Graph, OnGpu
from pipeline.decoding.row_cache import RowForward
from pipeline.decoding.rows import LEAST_ALIKE, ManyRows
from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.facts import read_facts
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.engines.transformers.engine import TransformersEngine

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
SIZES = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
STRETCHED = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
GREEDY = SamplingRequest(max_tokens=40, temperature=0.0, top_p=1.0, seed=0)


def made(**settings):
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return AutoModelForCausalLM.from_config(LlamaConfig(**SIZES, **settings)).eval().to(device)


def joined(rows, model, *texts: list[int]):
    for text in texts:
        cache = DynamicCache(config=model.config)
        model(input_ids=torch.tensor([text], device=model.device), past_key_values=cache)
        rows.join(cache, text)
    return rows


@torch.inference_mode()
def test_alike_rows_have_the_logits_of_others_up_to_rounding_and_few_shapes_of_forwards():
    model, shapes, memories = made(), set(), set()

    def compute(*inputs):
        shapes.add((*inputs[0].shape, inputs[3].shape[3]))
        memories.add(id(inputs[4]))
        return RowForward(model)(*inputs)

    alike, own = ManyRows(model, compute, alike=True), ManyRows(model)
    for _ in range(2):
        for rows in (alike, own):
            joined(rows, model, [5, 6, 7], list(range(20, 90)))
        for number in range(200):
            feed = [[number % 7], [3] * (1 + number % 2)]
            for row, logits in enumerate(zip(alike.forward(feed), own.forward(feed), strict=True)):
                some, other = (one[: len(feed[row])] for one in logits)
                torch.testing.assert_close(some, other, atol=1e-4, rtol=1e-4)
        for rows in (alike, own):
            rows.leave(0)
            rows.leave(0)
    widths = (LEAST_ALIKE, 2 * LEAST_ALIKE)
    assert shapes == {(2, most, width) for most in (1, 2) for width in widths}
    # What it grew into is there again for the texts that came after, unless it is given back.
    assert len(memories) == len(widths)
    assert [alike.give_back(), alike.give_back(), own.give_back()] == [True, False, False]


class Pretended:
    """Graphs of a machine without a GPU: captured is what was computed, over the same memory."""

    made = 0

    def __init__(self, device) -> None:
        type(self).made += 1

    def graph_of(self, inputs, compute):
        logits = compute().clone()
        return Graph(inputs, lambda: logits.copy_(compute()), logits)


@torch.inference_mode()
@pytest.mark.parametrize(
    "capturing", [Pretended, pytest.param(OnGpu, marks=on_a_gpu)], ids=["pretended", "on a GPU"]
)
def test_a_graph_gives_the_model_s_own_logits_to_the_bit_also_when_keys_and_values_move(capturing):
    model = made()
    compute = Captured(model, capturing)
    captured, own = (
        joined(ManyRows(model, how, alike=True), model, [5, 6, 7], list(range(20, 90)))
        for how in (compute, None)
    )
    for number in range(500):
        feed = [[number % 7], [3] * (1 + number % 3)]
        assert torch.equal(captured.forward(feed), own.forward(feed))
        for rows in (captured, own):
            rows.forget(1, number % 3)
        if number == 50:
            assert compute.graphs == 3
    assert (compute.graphs, compute.failure) == (3, None)
    assert captured._cache.keys[0].shape[2] == 4 * LEAST_ALIKE


@torch.inference_mode()
def test_graphs_of_other_keys_and_values_are_let_go_with_the_memory_between(monkeypatch):
    monkeypatch.setattr(Pretended, "made", 0)
    model = made()
    compute = Captured(model, Pretended)
    for _ in range(3):
        rows = joined(ManyRows(model, compute, alike=True), model, [5, 6, 7])
        for _ in range(2 * TIMES):
            rows.forward([[1]])
        assert compute.graphs == 1
    assert Pretended.made == 3


class Wrong(Pretended):
    """Captures something else."""

    def graph_of(self, inputs, compute):
        return super().graph_of(inputs, lambda: compute() + 1)


class Stale(Pretended):
    """Computes nothing when it is replayed."""

    def graph_of(self, inputs, compute):
        return replace(super().graph_of(inputs, compute), run=lambda: None)


class Refused(Pretended):
    """Cannot capture."""

    def graph_of(self, inputs, compute):
        raise RuntimeError("operation not permitted when stream is capturing")


@torch.inference_mode()
@pytest.mark.parametrize(
    ("capturing", "why"),
    [(Wrong, "not the model's"), (Stale, "not the model's"), (Refused, "not permitted")],
)
def test_without_a_right_graph_the_model_s_own_forward_goes_on(capturing, why):
    model = made()
    compute = Captured(model, capturing)
    captured, own = (
        joined(ManyRows(model, how, alike=True), model, [5, 6, 7]) for how in (compute, None)
    )
    for _ in range(2 * TIMES):
        assert torch.equal(captured.forward([[1]]), own.forward([[1]]))
    assert compute.graphs == 0
    assert why in compute.failure


@on_a_gpu
@torch.inference_mode()
def test_a_forward_that_waits_for_the_gpu_is_not_captured():
    model = made(rope_parameters=STRETCHED)
    compute = Captured(model)
    captured, own = (
        joined(ManyRows(model, how, alike=True), model, [5, 6, 7]) for how in (compute, None)
    )
    for _ in range(2 * TIMES):
        assert torch.equal(captured.forward([[1]]), own.forward([[1]]))
    assert compute.graphs == 0
    assert compute.failure


@on_a_gpu
@pytest.mark.parametrize("decoding", ["plain", "window"])
async def test_two_models_at_once_have_the_tokens_that_each_has_alone(decoding):
    target, draft = (
        with_model_folder(EngineSettings("transformers", name, decoding=decoding))
        for name in ("pocket-target", "pocket-draft")
    )
    written = {}
    for together in (False, True):
        engines = [create(settings) for settings in (target, draft)]
        for engine in engines:
            await engine.start()
        asked = [
            (engine, engine.tokenizer.encode(f"Let a={n}, b=a+9. Find b."), replace(GREEDY, seed=n))
            for n in range(6)
            for engine in engines
        ]
        if together:
            done = await asyncio.gather(*(one.complete(ids, how) for one, ids, how in asked))
        else:
            done = [await one.complete(ids, how) for one, ids, how in asked]
        written[together] = [one.token_ids for one in done]
        for engine in engines:
            await engine.stop()
    assert written[True] == written[False]


@on_a_gpu
def test_the_engine_captures_its_model_and_its_assistant():
    settings = with_model_folder(
        EngineSettings(
            "transformers", "pocket-target", decoding="window", assistant_model="pocket-draft"
        )
    )
    stepper = TransformersEngine(settings).load(read_facts(settings))
    for place in (stepper._rows, stepper.proposer.rows):
        assert isinstance(place.compute, Captured)
