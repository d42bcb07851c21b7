"""Iterative block generation, against whole forwards as the documents describe them."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from grown_rows import prompt_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, MambaConfig, Qwen2Config, Qwen2ForCausalLM

from pipeline.decoding import iterative_generate
from pipeline.decoding.iterative import GreedyText, refine
from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.refining import Refining
from pipeline.engines.bundled_models import TARGET, with_model_folder
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.requests import Job
from pipeline.engines.transformers.stepper import Stepper

END, PAD = 256, 257
SIZES = sorted({(n, m) for n in (0, 1, 7, 31) for m in (1, 2, 3, n + 1)})


@pytest.fixture(scope="module")
def pocket():
    """The bundled target, and prompts of its kind with the ids of their ends."""
    known = with_model_folder(EngineSettings("transformers", TARGET))
    tokenizer = HFTokenizer.load(known.model)
    questions = ("What is 4 + 5 * 3?", "Tom has 3 apples and buys 8 more. How many has he?")
    texts = [tokenizer.render_chat([{"role": "user", "content": one}]) for one in questions]
    model = AutoModelForCausalLM.from_pretrained(known.model, dtype=torch.float32).eval()
    return model, [tokenizer.encode(text) for text in texts], tuple(sorted(tokenizer.eos_ids))


def choices(model, tokens: list[int], start: int) -> list[int]:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    return logits[start:].argmax(dim=-1).tolist()


def documents(model, prompt, n, m, room, ends, end=END) -> list[int]:  # noqa: PLR0917
    """Append n ends, take n + 1 choices from one place before, m times; keep; no cache."""
    text = list(prompt)
    while True:
        block = [end] * n
        for _ in range(m):
            block = choices(model, [*text, *block[:n]], len(text) - 1)
        assert len(block) == n + 1
        for token in block:
            text.append(token)
            if token in ends or len(text) - len(prompt) == room:
                return text[len(prompt) :]


def greedy(model, prompt, room, ends) -> list[int]:
    return documents(model, prompt, 0, 1, room, ends)


def written(model, prompts, n, m, room=40, ends=(END,), *, left=True, **more) -> list[list[int]]:  # noqa: PLR0917
    """What the function writes to prompts in one batch, without the padding after the ends."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), PAD)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        place = slice(width - len(prompt), width) if left else slice(0, len(prompt))
        ids[row, place], mask[row, place] = torch.tensor(prompt), 1
    result = iterative_generate(model, ids, mask, list(ends), PAD, n, m, room, **more)
    assert torch.equal(result[:, :width], ids)
    rows = result[:, width:].tolist()
    assert any(PAD not in row for row in rows)
    for row in rows:
        assert PAD not in row or set(row[row.index(PAD) :]) == {PAD}
    return [row[: row.index(PAD)] if PAD in row else row for row in rows]


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_block_is_what_whole_forwards_give(tiny, n, m):
    prompt = prompt_of(9, seed=n)
    assert written(tiny, [prompt], n, m) == [documents(tiny, prompt, n, m, 40, {END})]


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_the_bundled_model_too_is_refined_as_by_whole_forwards(pocket, n, m):
    model, prompts, ends = pocket
    expected = [documents(model, one, n, m, 60, ends, ends[0]) for one in prompts]
    assert written(model, prompts, n, m, 60, ends) == expected


def test_prompts_of_chats_have_ends_of_text_of_their_own(pocket):
    _, prompts, ends = pocket
    assert all({*prompt} & {*ends} for prompt in prompts)


@pytest.mark.parametrize("n", [0, 1, 7, 31])
def test_as_many_rounds_as_tokens_give_the_greedy_text(tiny, pocket, n):
    prompt = prompt_of(9, seed=3)
    for m in (n + 1, n + 5):
        assert written(tiny, [prompt], n, m) == [greedy(tiny, prompt, 40, {END})]
    model, prompts, ends = pocket
    assert written(model, prompts, n, n + 1, 60, ends) == [
        greedy(model, one, 60, ends) for one in prompts
    ]


def test_fewer_rounds_give_other_texts_or_the_tests_above_would_say_nothing(pocket):
    model, prompts, ends = pocket
    assert written(model, prompts, 31, 2, 60, ends) != [
        greedy(model, one, 60, ends) for one in prompts
    ]


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    size=st.sampled_from([*product((1, 2, 5), (1, 2, 3, 6)), (12, 4)]),
    room=st.integers(1, 30),
    ends=st.sets(st.integers(0, 280), max_size=60),
    left=st.booleans(),
)
def test_rows_do_not_depend_on_their_mates_or_on_padding(tiny, *, lengths, size, room, ends, left):
    n, m = size
    ends = {*ends, END}
    prompts = [prompt_of(length, seed) for seed, length in enumerate(lengths)]
    first = min(ends)
    expected = [documents(tiny, one, n, m, room, ends, first) for one in prompts]
    # A random model may write any token, the one for padding too.
    assume(all(PAD not in text for text in expected))
    assert written(tiny, prompts, n, m, room, sorted(ends), left=left) == expected


def test_each_round_makes_one_token_more_sure_and_what_is_sure_is_greedy(pocket):
    model, prompts, ends = pocket
    alone = greedy(model, prompts[0], 200, ends)
    text = GreedyText(list(prompts[0]), 200, ends)
    refine(model, [text], Refining(15, 16, ends[0]))
    assert text.token_ids[len(prompts[0]) :] == alone
    for one in text.rounds:
        start = one.start - len(prompts[0])
        assert list(one.tokens[: one.sure]) == alone[start:][: one.sure]
        assert one.sure >= 1 or (one.block, one.number) == (0, 1)


def test_what_is_computed_does_not_grow_with_the_prompt(tiny):
    costs = []
    for length in (5, 150):
        text = GreedyText(prompt_of(length, 1), 32)
        costs.append(refine(tiny, [text], Refining(7, 2, END)))
        assert costs[-1].forwards <= 8 + 1
        assert costs[-1].computed <= costs[-1].forwards * 15
    assert costs[0].forwards == pytest.approx(costs[1].forwards, abs=2)


def requested(tiny, tiny_model, prompts, sampling, *, size, rows) -> list:
    """What the engine makes of prompts that are in flight together; without a size plainly."""
    tokenizer = HFTokenizer.load(str(tiny_model))
    stepper = Stepper(tiny, tokenizer, PrefixBlocks(), rows)
    if size is not None:
        stepper.use_refining(lambda: Refining(*size, min(tokenizer.eos_ids)))
    jobs = [Job(prompt, sampling, sampling.max_tokens) for prompt in prompts]
    for job in jobs:
        stepper.add(job)
    while stepper.busy:
        stepper.step()
    return [job.answer.result(timeout=0) for job in jobs]


GREEDY = SamplingRequest(max_tokens=30, temperature=0.0, top_p=1.0, seed=0)
PROMPTS = [prompt_of(length, seed) for seed, length in enumerate((3, 90, 17, 40))]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("n", "m"), [(0, 1), (5, 1), (5, 2), (7, 3), (31, 2)])
def test_the_engine_s_requests_are_refined_alike_whatever_else_is_in_flight(
    tiny, tiny_model, *, n, m, rows
):
    found = requested(tiny, tiny_model, PROMPTS, GREEDY, size=(n, m), rows=rows)
    assert [list(one.token_ids) for one in found] == [
        documents(tiny, prompt, n, m, 30, {END}) for prompt in PROMPTS
    ]
    for prompt, one in zip(PROMPTS, found, strict=True):
        assert one.forwards == len(one.rounds) + 1
        [alone] = requested(tiny, tiny_model, [prompt], GREEDY, size=(n, m), rows=1)
        assert one.refused == alone.refused


@pytest.mark.parametrize(
    "sampling",
    [
        replace(GREEDY, temperature=0.6, top_p=0.95),
        replace(GREEDY, temperature=1.0, top_k=20, top_p=0.9, presence_penalty=0.5),
        replace(GREEDY, temperature=1.0, stop=("a", "e")),
        replace(GREEDY, repetition_penalty=1.3),
    ],
)
def test_enough_rounds_give_the_same_draws_as_plain_decoding(tiny, tiny_model, sampling):
    plain = requested(tiny, tiny_model, PROMPTS, sampling, size=None, rows=1)
    refined = requested(tiny, tiny_model, PROMPTS, sampling, size=(6, 7), rows=3)
    assert [one[:4] for one in refined] == [one[:4] for one in plain]


def test_the_prompt_s_own_end_of_text_stops_nothing(tiny):
    prompt = [END, *prompt_of(5, 1), END, *prompt_of(3, 2)]
    expected = documents(tiny, prompt, 7, 2, 20, {END})
    assert len(expected) > 1
    assert written(tiny, [prompt], 7, 2, 20) == [expected]


@pytest.mark.parametrize(("room", "longest"), [(1, 99), (13, 99), (99, 22), (20, 22), (99, 10)])
def test_lengths_are_exact(tiny, room, longest):
    prompt = prompt_of(9, seed=5)
    (row,) = written(tiny, [prompt], 7, 2, room, max_length=longest)
    assert len(row) == min(room, longest - 9)


def test_without_an_end_of_text_rows_run_to_their_limit(tiny):
    ids = torch.tensor([prompt_of(4, 1)])
    result = iterative_generate(tiny, ids, pad_token_id=PAD, max_new_tokens=30)
    assert result.shape == (1, 34)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"add_eos_length": -1}, "add_eos_length is -1; it must be 0 or more"),
        ({"refine_iter": 0}, "refine_iter is 0; it must be 1 or more"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"max_length": 4}, "row 0 has 4 tokens"),
        ({"pad_token_id": None}, "pad_token_id is missing"),
        ({"attention_mask": torch.zeros(1, 4)}, "row 0 has 0 tokens"),
        ({"attention_mask": torch.ones(1, 3)}, "matrices of one shape"),
    ],
)
def test_what_makes_no_sense_is_refused(tiny, changed, why):
    asked = {"input_ids": torch.tensor([[1, 2, 3, 4]]), "eos_token_id": END, "pad_token_id": PAD}
    with pytest.raises(ValueError, match=why):
        iterative_generate(tiny, **(asked | changed))


def test_a_model_that_forgets_tokens_is_refused():
    config = Qwen2Config(
        vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, sliding_window=4, use_sliding_window=True,
        max_window_layers=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="do not keep every token"):
        iterative_generate(Qwen2ForCausalLM(config), torch.tensor([[1, 2]]), pad_token_id=0)


def test_a_model_that_would_read_each_block_without_its_text_is_refused():
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=20, hidden_size=32, num_hidden_layers=2, state_size=8)
    model = AutoModelForCausalLM.from_config(config)
    for weights in model.parameters():
        weights.data *= 3
    with pytest.raises(ValueError, match="does not continue a text from its keys and values"):
        iterative_generate(model, torch.tensor([[1, 2]]), pad_token_id=0)
