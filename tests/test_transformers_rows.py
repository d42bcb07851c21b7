"""The transformers engine with several rows: each is as it would be alone, whatever its mates."""

import asyncio
import itertools
from concurrent.futures import Future
from dataclasses import replace

import pytest
import torch
from grown_rows import joined, moved, prompt_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    DynamicCache,
    MambaConfig,
    MistralConfig,
    MistralForCausalLM,
    RwkvConfig,
)

from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposers.lookup import Lookup
from pipeline.decoding.reading import Reading
from pipeline.decoding.rows import ManyRows, OneRow
from pipeline.decoding.trials import MOST_DISTURBED, forgetting
from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.loading import check_continues
from pipeline.engines.transformers.requests import Generated, Job
from pipeline.engines.transformers.stepper import PROMPT_TOKENS, Stepper
from pipeline.errors import EngineDead, EngineFailure, UserMistake

GREEDY = SamplingRequest(max_tokens=30, temperature=0.0, top_p=1.0, seed=0)
SAMPLED = replace(GREEDY, temperature=1.0, top_p=0.95)


@pytest.fixture
def stepper(tiny, tokenizer):
    return lambda rows: Stepper(tiny, tokenizer, PrefixBlocks(), rows)


def answers(stepper: Stepper, jobs: list[Job]) -> list[Generated]:
    for job in jobs:
        stepper.add(job)
    while stepper.busy:
        stepper.step()
    return [job.answer.result(timeout=0) for job in jobs]


def job_of(prompt: list[int], sampling: SamplingRequest) -> Job:
    return Job(prompt, sampling, sampling.max_tokens)


def mixed(tokenizer: HFTokenizer) -> list[Job]:
    """Requests of all kinds: short and long prompts, budgets, stop strings, draws, scores."""
    digits = tuple(tokenizer.encode("0123456789"))
    kinds = [
        GREEDY,
        SAMPLED,
        replace(SAMPLED, stop=("a", "e")),
        replace(GREEDY, max_tokens=1, logprobs_of=digits),
        replace(SAMPLED, max_tokens=7),
        replace(SAMPLED, temperature=1.5, top_p=0.9, max_tokens=90),
    ]
    return [
        job_of(prompt_of(1 + 37 * number % 170, number), replace(kind, seed=number))
        for number, kind in enumerate(kinds * 3)
    ]


@pytest.mark.parametrize("rows", [2, 5, 24])
def test_every_kind_of_request_has_the_tokens_that_it_has_alone(stepper, tokenizer, rows):
    alone = [answers(stepper(1), [job])[0] for job in mixed(tokenizer)]
    together = answers(stepper(rows), mixed(tokenizer))
    for one, other in zip(alone, together, strict=True):
        assert compared(one) == compared(other)
        assert one.logprobs == (other.logprobs and pytest.approx(other.logprobs, abs=1e-4))


def compared(one: Generated) -> Generated:
    """All but rounding, and the numbers of the forwards that it shared."""
    return one._replace(logprobs=None, arrivals=())


async def test_rows_of_the_pocket_target_have_the_tokens_that_they_have_alone():
    written = {}
    for rows in (None, 8):
        target = EngineSettings("transformers", "pocket-target", max_num_seqs=rows)
        engine = create(with_model_folder(target))
        await engine.start()
        chat = [engine.tokenizer.render_chat([{"role": "user", "content": f"Let a={n}, b=a+9. "
                "Find b."}]) for n in range(8)]  # fmt: skip
        asked = [
            engine.complete(
                engine.tokenizer.encode(text),
                replace(SAMPLED, temperature=0.6 * (n % 2), max_tokens=60, seed=n),
            )
            for n, text in enumerate(chat)
        ]
        written[rows] = [done.token_ids for done in await asyncio.gather(*asked)]
        await engine.stop()
    assert written[None] == written[8]


def forwards_of(model, monkeypatch) -> list[tuple[int, int]]:
    """What is fed from now on: (rows, tokens a row) of every forward."""
    shapes: list[tuple[int, int]] = []
    forward = type(model).forward

    def watched(self, input_ids, **named):
        shapes.append(tuple(input_ids.shape))
        return forward(self, input_ids=input_ids, **named)

    monkeypatch.setattr(type(model), "forward", watched)
    return shapes


@pytest.mark.parametrize(("rows", "most"), [(1, 1), (3, 3), (24, 6)])
def test_a_forward_has_as_many_rows_as_there_are_requests_and_no_more_than_allowed(
    stepper, tiny, monkeypatch, rows, most
):
    shapes = forwards_of(tiny, monkeypatch)
    answers(stepper(rows), [job_of([n, 5], GREEDY) for n in range(6)])
    decoded = [shape for shape in shapes if shape[1] == 1]
    assert max(decoded) == (most, 1)
    # The first token of a text comes from its prompt; each other costs its row one forward.
    assert len(decoded) == (GREEDY.max_tokens - 1) * 6 // most


def test_a_long_prompt_is_read_in_pieces_between_which_rows_grow(stepper, monkeypatch, tiny):
    one = stepper(2)
    one.blocks.block_tokens = 8
    monkeypatch.setattr("pipeline.engines.transformers.stepper.PROMPT_TOKENS", 16)
    shapes = forwards_of(tiny, monkeypatch)
    one.add(job_of([1, 2, 3], replace(GREEDY, max_tokens=100)))
    one.step()
    one.add(job_of(prompt_of(60, 1), GREEDY))
    shapes.clear()
    for _ in range(4):
        one.step()
    assert shapes == [(1, 8), (1, 8), (1, 1)] * 3 + [(1, 8), (1, 4), (2, 1)]


def test_a_step_reads_several_short_prompts(stepper, tiny, monkeypatch):
    shapes = forwards_of(tiny, monkeypatch)
    one = stepper(24)
    for n in range(24):
        one.add(job_of([n, 5], GREEDY))
    one.step()
    assert shapes[-1] == (PROMPT_TOKENS // one.blocks.block_tokens, 1)


def test_a_cancelled_request_leaves_its_row_and_changes_no_other(stepper):
    kept = [job_of([n, 7], replace(SAMPLED, seed=n)) for n in range(4)]
    alone = answers(stepper(4), [job_of([n, 7], replace(SAMPLED, seed=n)) for n in range(4)])
    one, dropped = stepper(6), [job_of([9, n], GREEDY) for n in range(3)]
    for job in (dropped[0], kept[0], kept[1], dropped[1], kept[2], kept[3], dropped[2]):
        one.add(job)
    for _ in range(5):
        one.step()
    for job in dropped:
        job.answer.cancel()
    one.step()
    assert len(one._texts) == len(kept)
    while one.busy:
        one.step()
    assert [job.answer.result(0).token_ids for job in kept] == [each.token_ids for each in alone]


def test_a_request_that_is_cancelled_while_its_prompt_is_read_is_not_read_on(stepper):
    one, job = stepper(1), job_of(prompt_of(PROMPT_TOKENS - 20, 1), GREEDY)
    one.blocks.block_tokens = PROMPT_TOKENS // 4
    one.add(job)
    one._begin()
    job.answer.cancel()
    one.step()
    assert not one.busy


def test_memory_is_given_back_as_rows_end(stepper):
    one = stepper(24)
    short = [job_of([n, 5], replace(GREEDY, max_tokens=4)) for n in range(23)]
    long = job_of(prompt_of(300, 1), replace(GREEDY, max_tokens=40))
    held = []
    for job in (*short, long):
        one.add(job)
    while one.busy:
        one.step()
        if one._rows._cache is not None:
            held.append(one._rows._cache.keys[0].shape[0])
    assert max(held) >= 24
    assert held[-1] <= 4
    assert one._rows._cache is None


class FullMemory:
    """Rows whose forward finds the memory full once."""

    def __init__(self, rows):
        self.rows = rows

    def __getattr__(self, name):
        return getattr(self.rows, name)

    def forward(self, fed):
        raise torch.OutOfMemoryError("no room")


def test_full_memory_fails_a_row_alone_and_no_later_request(stepper):
    one = stepper(1)
    jobs = [job_of([n, 5], GREEDY) for n in range(3)]
    for job in jobs:
        one.add(job)
    one._rows = FullMemory(one._rows)
    while one.busy:
        one.step()
    failed = [job.answer.exception(0) for job in jobs]
    assert [isinstance(error, EngineFailure) for error in failed] == [True, False, False]
    assert "memory is full (no room); lower --max-num-seqs" in str(failed[0])


def test_full_memory_halves_the_rows_and_no_request_fails_or_has_other_tokens(stepper):
    asked = [([n, 5], replace(SAMPLED, seed=n)) for n in range(6)]
    alone = answers(stepper(1), [job_of(*one) for one in asked])
    full, jobs = stepper(5), [job_of(*one) for one in asked]
    for job in jobs:
        full.add(job)
    full.step()
    assert len(full._texts) == 5
    full._rows = FullMemory(full._rows)
    while full.busy:
        full.step()
        assert len(full._texts) <= 2
    assert [job.answer.result(0).token_ids for job in jobs] == [one.token_ids for one in alone]


LONG = prompt_of(200, 1)


@pytest.fixture
def full(monkeypatch):
    """Lets a method find the memory full where a condition holds, the first so many times."""

    def made(owner: type, method: str, condition, times: int | None) -> None:
        whole, left = getattr(owner, method), itertools.count()

        def refusing(self, *arguments):
            if condition(self) and (times is None or next(left) < times):
                raise torch.OutOfMemoryError("no room")
            return whole(self, *arguments)

        monkeypatch.setattr(owner, method, refusing)

    return made


LONG_PROMPT = Reading, "read_piece", lambda reading: len(reading.prompt) == len(LONG)


def three(told: list[list[int]]) -> list[Job]:
    """Short prompts around a long one; what is told of each request."""
    told += [[], [], []]
    return [
        job_of(prompt, replace(SAMPLED, seed=n, on_token=told[n].append))
        for n, prompt in enumerate(([1, 5], LONG, [2, 5]))
    ]


def test_full_memory_at_a_prompt_lets_it_wait_for_a_row_to_end(stepper, full):
    alone = written(stepper(1), three([]))
    full(*LONG_PROMPT, 1)
    one, told = stepper(3), []
    most = []
    jobs = three(told)
    for job in jobs:
        one.add(job)
    while one.busy:
        one.step()
        most.append(len(one._texts))
    assert [job.answer.result(0).token_ids for job in jobs] == alone == list(map(tuple, told))
    assert max(most) == one.most_rows == 1


def test_full_memory_at_a_prompt_gives_back_what_is_kept_of_others_before_a_row_waits(
    stepper, full
):
    alone = written(stepper(1), three([]))
    one = stepper(3)
    written(one, [job_of(prompt_of(150, 2), GREEDY)])
    kept = one.blocks.limit
    assert one.blocks.find(prompt_of(150, 2))
    full(*LONG_PROMPT, 1)
    assert written(one, three([])) == alone
    assert not one.blocks.find(prompt_of(150, 2))
    assert (one.most_rows, one.blocks.limit) == (3, kept // 2)


def test_a_prompt_for_which_there_is_no_room_alone_fails_and_no_other(stepper, full):
    first, _, last = written(stepper(1), three([]))
    for kept in (False, True):
        one = stepper(3)
        if kept:
            written(one, [job_of(prompt_of(150, 2), GREEDY)])
        full(*LONG_PROMPT, None)
        found = written(one, three([]))
        assert (found[0], found[2]) == (first, last)
        assert "memory is full (no room); lower --max-num-seqs or the lengths" in found[1]


@pytest.mark.parametrize(
    ("owner", "has_rows"), [(ManyRows, lambda one: one.lengths), (Lookup, lambda one: one._rows)]
)
def test_full_memory_where_a_row_joins_lets_all_begin_again_and_tells_no_token_twice(
    stepper, full, owner, has_rows
):
    alone = written(stepper(1), three([]))
    one, told = stepper(3), []
    one.use_windows(4, Lookup)
    full(owner, "join", has_rows, 1)
    assert written(one, three(told)) == alone == list(map(tuple, told))


def test_full_memory_for_a_row_alone_gives_back_what_is_kept_of_prompts(stepper):
    [alone] = written(stepper(1), [job_of(LONG, SAMPLED)])
    one, job = stepper(1), job_of(LONG, SAMPLED)
    one.add(job)
    one.step()
    one._rows = FullMemory(one._rows)
    assert one.blocks.find(LONG)
    while one.busy:
        one.step()
    assert job.answer.result(0).token_ids == alone


async def test_a_forward_that_fails_ends_the_engine_for_everybody_in_flight(
    tiny_model, monkeypatch
):
    engine = create(EngineSettings("transformers", str(tiny_model), max_num_seqs=2))
    await engine.start()
    monkeypatch.setattr(ManyRows, "forward", lambda self, fed: 1 / 0)
    asked = [engine.complete([n, 5], GREEDY) for n in range(4)]
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in failed] == [EngineDead] * 4
    assert "ZeroDivisionError: division by zero" in str(failed[0])
    with pytest.raises(EngineDead, match="division by zero"):
        await engine.health()
    await engine.stop()


async def test_stopping_ends_what_is_in_flight(tiny_model):
    engine = create(EngineSettings("transformers", str(tiny_model)))
    await engine.start()
    long = replace(GREEDY, max_tokens=500)
    asked = [asyncio.ensure_future(engine.complete([n, 5], long)) for n in range(3)]
    await asyncio.sleep(0)
    await engine.stop()
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in failed] == [EngineDead] * 3


async def test_a_model_that_forgets_tokens_answers_one_request_at_a_time(tiny_model, tmp_path):
    HFTokenizer.load(str(tiny_model))._tokenizer.save_pretrained(tmp_path)
    config = MistralConfig(
        vocab_size=288,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        sliding_window=8,
        max_position_embeddings=64,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    engine = create(EngineSettings("transformers", str(tmp_path), max_num_seqs=2))
    with pytest.raises(UserMistake, match=r"one request at a time, .*; drop --max-num-seqs"):
        await engine.start()
    await engine.stop()
    engine = create(EngineSettings("transformers", str(tmp_path)))
    await engine.start()
    assert (await engine.complete([1, 2, 3], GREEDY)).token_ids
    await engine.stop()


@pytest.mark.parametrize(
    "config",
    [
        MambaConfig(vocab_size=288, hidden_size=32, num_hidden_layers=2, state_size=8),
        RwkvConfig(vocab_size=288, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32),
        BertConfig(vocab_size=288, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                   intermediate_size=32),
    ],
    ids=lambda config: config.model_type,
)  # fmt: skip
async def test_a_model_that_would_see_the_last_token_only_is_refused(tiny_model, tmp_path, config):
    HFTokenizer.load(str(tiny_model))._tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for weights in model.parameters():
        weights.data *= 3
    model.save_pretrained(tmp_path)
    engine = create(EngineSettings("transformers", str(tmp_path)))
    with pytest.raises(UserMistake, match=r"does not continue a text .*; use another engine"):
        await engine.start()
    await engine.stop()


def test_logits_that_are_not_numbers_are_said_to_be_that(tiny_model):
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    for weights in model.parameters():
        weights.data.fill_(float("inf"))
    with pytest.raises(UserMistake, match="writes logits that are not numbers"):
        check_continues(model, "huge")


def test_forgetting_is_told_from_rounding_in_half_precision(tiny_model):
    kept = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).eval()
    check_continues(kept, "kept")
    torch.manual_seed(0)
    # Its own last token says nearly all of what it would say after the text.
    config = MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2, state_size=8)
    forgets = AutoModelForCausalLM.from_config(config).to(torch.bfloat16).eval()
    assert forgetting(forgets).spread < MOST_DISTURBED
    with pytest.raises(UserMistake, match="does not continue a text"):
        check_continues(forgets, "forgets")


def deaf(forward, *unheard):
    """A model's forward that ignores some of what it is told."""
    return lambda self, **told: forward(
        self, **{name: value for name, value in told.items() if name not in unheard}
    )


def strict(forward):
    def refusing(self, attention_mask=None, **told):
        if attention_mask is not None:
            raise TypeError("masks have two dimensions")
        return forward(self, **told)

    return refusing


@pytest.mark.parametrize(
    ("wrap", "why"),
    [
        (lambda forward: deaf(forward, "attention_mask"), r"they differ by [1-9]\d+%"),
        (lambda forward: deaf(forward, "attention_mask", "position_ids"), "they differ by"),
        (strict, "masks have two dimensions"),
    ],
)
async def test_a_model_that_does_not_keep_rows_apart_is_found_out_at_the_start(
    tiny_model, tiny, monkeypatch, wrap, why
):
    monkeypatch.setattr(type(tiny), "forward", wrap(type(tiny).forward))
    engine = create(EngineSettings("transformers", str(tiny_model), max_num_seqs=2))
    with pytest.raises(UserMistake, match=rf"\({why}.*\), so it answers one at a time; drop --max"):
        await engine.start()
    await engine.stop()
    engine = create(EngineSettings("transformers", str(tiny_model)))
    await engine.start()
    await engine.stop()


FEEDS = st.lists(
    st.tuples(
        st.sampled_from(["feed", "feed", "feed", "join", "leave"]),
        st.integers(0, 2**31),
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=25)
@given(moves=FEEDS, alike=st.booleans())
def test_rows_that_join_leave_and_keep_unequal_parts_of_what_they_are_fed_are_as_alone(
    tiny, moves, alike
):
    rows, texts = ManyRows(tiny, alike=alike), []
    with torch.inference_mode():
        for move, seed in moves:
            chance = torch.Generator().manual_seed(seed)
            draw = lambda most: int(torch.randint(0, most, (1,), generator=chance))  # noqa: B023, E731
            if move == "join" or not texts:
                texts.append(prompt_of(1 + draw(70), seed))
                joined(tiny, rows, texts[-1])
            else:
                moved(tiny, rows, texts, move, draw)
            assert rows.lengths == list(map(len, texts))


def test_one_row_forgets_what_is_not_committed(tiny):
    with torch.inference_mode():
        cache = DynamicCache(config=tiny.config)
        tiny(input_ids=torch.tensor([[1, 2, 3]]), past_key_values=cache)
        row = OneRow(tiny)
        row.join(cache, [1, 2, 3])
        row.forward([[4, 5, 6, 7]])
        row.forget(0, 2)
        after = row.forward([[8]])[0, -1]
        whole = tiny(input_ids=torch.tensor([[1, 2, 3, 4, 5, 8]])).logits[0, -1]
        torch.testing.assert_close(after, whole, atol=1e-4, rtol=1e-4)


def test_a_row_that_is_full_takes_no_other(tiny):
    row = OneRow(tiny)
    row.join(DynamicCache(config=tiny.config), 0)
    with pytest.raises(ValueError, match="one row only"):
        row.join(DynamicCache(config=tiny.config), 0)


def test_nobody_is_answered_twice():
    job = job_of([1], GREEDY)
    job.answer.cancel()
    job.settle(EngineFailure("late"))
    assert isinstance(job.answer, Future)
    assert job.answer.cancelled()
