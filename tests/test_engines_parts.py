"""The small parts of the engines: stop strings, nuclei, blocks, scripts, turns."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.prefix_blocks import CPU_BLOCK_TOKENS as BLOCK_TOKENS
from pipeline.decoding.prefix_blocks import CPU_BYTES, PrefixBlocks, bytes_to_keep
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Faults, Latency, Script, from_rules, load_script
from pipeline.engines.scripted.tokenizer import END_ID, ByteTokenizer
from pipeline.engines.settings import EngineSettings
from pipeline.engines.stopping import StopWatch, cut_at_stop
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.next_token import choose, draw_key, drawn, nucleus
from pipeline.errors import EngineDead, EngineFailure, UserMistake

ASKED = SamplingRequest(max_tokens=200, temperature=0.0, top_p=1.0, seed=0)
TEXTS = st.text(alphabet="ab\né∑", max_size=30)
STOPS = st.lists(st.text(alphabet="ab\né", min_size=1, max_size=3), max_size=3)


@given(text=TEXTS, stop=STOPS)
def test_the_watch_stops_at_the_first_token_that_completes_a_stop_string(
    text: str, stop: list[str]
) -> None:
    watch = StopWatch(ByteTokenizer(), tuple(stop))
    stopped = any(watch.append(token) for token in text.encode())
    assert stopped == any(one in text for one in stop)
    # A stop string that begins earlier but is complete later has not been seen yet.
    seen = (text[:end] for end in range(len(text) + 1))
    expected = next((part for part in seen if any(one in part for one in stop)), text)
    assert watch.finish() == cut_at_stop(expected, stop)


@given(text=TEXTS)
def test_the_byte_tokenizer_gives_texts_back(text: str) -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode(f"{text}<|end|>")[-1] == END_ID


@given(
    weights=st.lists(st.integers(1, 1000), min_size=1, max_size=20),
    top_p=st.floats(0.01, 1.0),
)
def test_a_nucleus_is_the_fewest_likeliest_tokens_that_reach_top_p(
    weights: list[int], top_p: float
) -> None:
    shares = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    kept = nucleus(shares, top_p)
    held = shares[kept > 0]
    assert float(held.sum()) >= top_p - 1e-9
    assert float(held.sum() - held.min()) < top_p
    assert bool((kept[kept > 0] == held).all())


def sorted_nucleus(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    """The definition: the whole vocabulary in order, ties by their numbers."""
    ordered, order = torch.sort(shares, descending=True, stable=True)
    before = torch.cumsum(ordered, dim=-1) - ordered
    ordered = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(shares).scatter(0, order, ordered)


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([1, 2, 50, 3000, 20_000]),
    spread=st.sampled_from([0.0, 0.5, 3.0, 10.0, 100.0]),
    steps=st.sampled_from([None, 1.0, 0.125]),
    sampling=st.builds(
        replace,
        st.just(ASKED),
        temperature=st.floats(0.05, 2.0),
        top_p=st.one_of(st.floats(0.01, 1.0), st.sampled_from([0.95, 0.999999, 1 - 2**-24])),
    ),
)
def test_tokens_are_those_of_a_sorted_vocabulary(
    seed: int, size: int, spread: float, steps: float | None, sampling: SamplingRequest
) -> None:
    logits = spread * torch.randn(size, generator=torch.Generator().manual_seed(seed))
    # Steps make ties, as a model's own bfloat16 does.
    logits = logits if steps is None else (logits / steps).round() * steps
    top_p, shares = sampling.top_p, torch.softmax(logits / sampling.temperature, dim=-1)
    expected = sorted_nucleus(shares, top_p) if top_p < 1 else shares
    assert top_p == 1 or bool((nucleus(shares, top_p) == expected).all())
    assert choose(logits, replace(sampling, seed=seed)) == drawn(expected, draw_key(seed, 0))


def test_tokens_are_drawn_as_often_as_their_shares_say() -> None:
    shares = torch.tensor([0.5, 0.0, 0.3, 0.15, 0.05])
    tokens = [drawn(shares, draw_key(seed, place)) for seed in range(20) for place in range(2000)]
    counts = torch.bincount(torch.tensor(tokens), minlength=5)
    assert counts[1] == 0
    expected = 40_000 * shares
    some = shares > 0
    # Chi-square of three degrees: above 16.3 once in a thousand.
    assert float(((counts - expected)[some] ** 2 / expected[some]).sum()) < 16.3


def test_what_a_seed_draws_never_changes() -> None:
    # A run that is resumed goes on with the draws it began with.
    flat = torch.full((1000,), 0.001)
    assert [drawn(flat, draw_key(7, place)) for place in range(5)] == [71, 252, 816, 918, 687]


def test_tokens_of_places_and_seeds_beside_each_other_are_independent() -> None:
    half = torch.tensor([0.5, 0.5])
    table = torch.tensor([[drawn(half, draw_key(s, p)) for p in range(200)] for s in range(200)])
    for other in (table.roll(1, 0), table.roll(1, 1)):
        # Of 40,000 pairs as many are equal as not; the standard deviation of that is 100.
        assert abs(int((table == other).sum()) - 20_000) < 400


@given(
    seed=st.integers(-(2**70), 2**70),
    place=st.integers(0, 10**6),
    weights=st.lists(st.floats(0.01, 1), min_size=2, max_size=40),
    gone=st.data(),
)
def test_a_draw_depends_on_no_token_that_could_not_be_drawn(
    seed: int, place: int, weights: list[float], gone: st.DataObject
) -> None:
    shares, key = torch.tensor(weights), draw_key(seed, place)
    token = drawn(shares, key)
    for other in gone.draw(st.sets(st.integers(0, len(weights) - 1))) - {token}:
        shares[other] = 0
    assert drawn(shares, key) == token
    assert drawn(torch.cat([shares, torch.zeros(50)]), key) == token


def test_only_the_tokens_that_can_matter_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    sort = torch.sort

    def counted(values: torch.Tensor, *, descending: bool, stable: bool) -> object:
        sizes.append(len(values))
        return sort(values, descending=descending, stable=stable)

    monkeypatch.setattr("pipeline.engines.transformers.next_token.torch.sort", counted)
    chance = torch.Generator().manual_seed(0)
    nucleus(torch.softmax(5 * torch.randn(150_000, generator=chance), dim=-1), 0.95)
    nucleus(torch.full((1000,), 0.001), 0.9999999)
    assert sizes[0] < 15_000
    assert sizes[1] == 1000


class OnADevice:
    """A row of logits that must not leave its device."""

    def __init__(self, row: torch.Tensor) -> None:
        self.row = row

    @classmethod
    def __torch_function__(
        cls, function: object, types: object, values: tuple["OnADevice", ...], named: object = None
    ) -> object:
        assert function is torch.argmax
        return torch.argmax(values[0].row)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_likeliest_token_is_found_where_the_logits_are(dtype: torch.dtype) -> None:
    row = torch.tensor([1.0, 3.0, 3.0, 2.0], dtype=dtype)
    assert choose(OnADevice(row), ASKED) == 1


class FakeCache:
    """A cache of one layer whose keys are token ids, so that blocks can be recognised."""

    def __init__(self, ids: list[int]) -> None:
        self.keys = self.values = torch.tensor(ids, dtype=torch.float32).reshape(1, 1, -1, 1)
        self.layers = [self]


def test_blocks_are_found_up_to_the_last_whole_one_before_the_last_token() -> None:
    ids = list(range(2 * BLOCK_TOKENS))
    blocks = PrefixBlocks()
    for end in (BLOCK_TOKENS, 2 * BLOCK_TOKENS):
        blocks.keep(ids[:end], FakeCache(ids[:end]))
    assert len(blocks.find(ids)) == 1
    assert len(blocks.find([*ids, 5])) == 2
    assert blocks.find([5, *ids]) == []
    assert blocks.find(ids[:BLOCK_TOKENS]) == []


def test_the_oldest_blocks_go_when_the_limit_is_reached() -> None:
    one_block = 2 * 4 * BLOCK_TOKENS
    blocks = PrefixBlocks(limit=2 * one_block)
    prompts = [[first] * (BLOCK_TOKENS + 1) for first in range(3)]
    for prompt in prompts:
        blocks.keep(prompt[:BLOCK_TOKENS], FakeCache(prompt[:BLOCK_TOKENS]))
    assert [len(blocks.find(prompt)) for prompt in prompts] == [0, 1, 1]


def kept(blocks: PrefixBlocks, prompt: list[int]) -> int:
    """Read a prompt as the engine does; how many of its blocks are found afterwards."""
    for end in range(BLOCK_TOKENS, len(prompt), BLOCK_TOKENS):
        blocks.keep(prompt[:end], FakeCache(prompt[:end]))
    blocks.used(prompt)
    return len(blocks.find(prompt))


def test_of_a_prompt_larger_than_the_limit_the_beginning_is_kept() -> None:
    one_block = 2 * 4 * BLOCK_TOKENS
    blocks = PrefixBlocks(limit=3 * one_block)
    assert kept(blocks, [1] * (5 * BLOCK_TOKENS)) == 3
    assert kept(blocks, [1] * (5 * BLOCK_TOKENS)) == 3


def test_a_prompts_last_blocks_go_before_its_first() -> None:
    one_block = 2 * 4 * BLOCK_TOKENS
    blocks, long = PrefixBlocks(limit=4 * one_block), [1] * (4 * BLOCK_TOKENS + 1)
    assert kept(blocks, long) == 4
    assert kept(blocks, [2] * (BLOCK_TOKENS + 1)) == 1
    assert len(blocks.find(long)) == 3


@given(lengths=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=12))
def test_kept_blocks_never_take_more_than_the_limit(lengths: list[tuple[int, int]]) -> None:
    one_block = 2 * 4 * BLOCK_TOKENS
    blocks = PrefixBlocks(limit=4 * one_block)
    for first, length in lengths:
        kept(blocks, [first] * (length * BLOCK_TOKENS))
        assert blocks._bytes == len(blocks._blocks) * one_block <= blocks.limit


def test_a_gpu_keeps_a_share_of_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (80 * 10**9, 90 * 10**9))
    assert bytes_to_keep(torch.device("cuda", 1)) == 8 * 10**9


@pytest.mark.parametrize(("device", "size"), [("cpu", 64), ("cuda:1", 512)])
def test_a_gpu_reads_in_larger_blocks(
    device: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (80 * 10**9, 90 * 10**9))
    blocks = PrefixBlocks.on(torch.device(device))
    ids = list(range(2 * size + 1))
    blocks.keep(ids[:size], FakeCache(ids[:size]))
    blocks.keep(ids[:-1], FakeCache(ids[:-1]))
    assert [len(block[0].keys.flatten()) for block in blocks.find(ids)] == [size, size]
    assert bytes_to_keep(torch.device("cpu")) == CPU_BYTES


def script_file(folder: Path, name: str, text: str) -> EngineSettings:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return EngineSettings("scripted", "script", script=path)


async def say(engine: ScriptedEngine, prompt: str, seed: int = 0) -> str:
    ids = engine.tokenizer.encode(prompt)
    return (await engine.complete(ids, replace(ASKED, seed=seed))).text


async def test_a_script_file_speaks_by_rule_and_seed(tmp_path: Path) -> None:
    rules = '{"when": "2+2", "texts": ["four", "4"]}\n\n{"when": "", "text": "what?"}\n'
    engine = ScriptedEngine(script_file(tmp_path, "script.jsonl", rules))
    await engine.start()
    said = [await say(engine, "2+2="), await say(engine, "2+2=", 1), await say(engine, "3")]
    assert said == ["four", "4", "what?"]


async def test_a_script_goes_on_where_the_accepted_steps_end(tmp_path: Path) -> None:
    rules = json.dumps({"rules": [{"when": "Q", "text": "one\n\ntwo\n\nend"}], "context": 99})
    engine = ScriptedEngine(script_file(tmp_path, "script.json", rules))
    await engine.start()
    assert await say(engine, "Q: one\n\n") == "two\n\nend"
    assert await say(engine, "Q: one\n\ntwo\n\n") == "end"
    assert engine.facts.context == 99


async def test_a_scripted_score_peaks_where_the_script_says(tmp_path: Path) -> None:
    engine = ScriptedEngine(
        script_file(tmp_path, "script.jsonl", '{"when": "score", "score": 3}\n')
    )
    await engine.start()
    digits = tuple(engine.tokenizer.encode("0123456789"))
    done = await engine.complete(
        engine.tokenizer.encode("score: "), replace(ASKED, max_tokens=1, logprobs_of=digits)
    )
    assert done.text == "3"
    logprobs = dict(done.logprobs or {})
    assert max(logprobs, key=lambda token: logprobs[token]) == digits[3]


MALFORMED = [
    ("script.json", "{"),
    ("script.json", "[]"),
    ("script.json", '{"rule": []}'),
    ("script.json", '{"latency": {"speed": 1}}'),
    ("script.jsonl", '{"text": "a"}'),
    ("script.jsonl", '{"when": "a", "says": "b"}'),
    ("script.jsonl", '{"when": "a", "digits": [1, 2]}'),
]


@pytest.mark.parametrize(("name", "text"), MALFORMED)
async def test_a_malformed_script_is_the_users_mistake(
    tmp_path: Path, name: str, text: str
) -> None:
    engine = ScriptedEngine(script_file(tmp_path, name, text))
    with pytest.raises(UserMistake, match="is malformed"):
        await engine.start()


async def test_a_script_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="cannot be read"):
        load_script(tmp_path / "none.json")


async def test_scripted_faults_strike_the_requests_they_name() -> None:
    faults = Faults(fail=frozenset({1}), die=frozenset({3}))
    engine = ScriptedEngine(EngineSettings("scripted", "s"), Script(faults=faults))
    await engine.start()
    with pytest.raises(EngineFailure, match="made request 1 fail"):
        await say(engine, "a")
    assert await say(engine, "a")
    for _ in range(2):
        with pytest.raises(EngineDead, match="die at request 3"):
            await say(engine, "a")
    await engine.start()
    assert await say(engine, "a")


async def test_a_scripted_hang_ends_only_by_cancelling() -> None:
    script = Script(faults=Faults(hang=frozenset({1})), latency=Latency(decode_token=1e-6))
    engine = ScriptedEngine(EngineSettings("scripted", "s"), script)
    await engine.start()
    hanging = asyncio.create_task(say(engine, "a"))
    await asyncio.sleep(0)
    assert await say(engine, "b")
    assert not hanging.done()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


def test_rules_without_a_fitting_one_fall_back_to_the_default() -> None:
    assert from_rules(()).continuation("p", 1) == Script().continuation("p", 1)


def test_a_text_longer_than_the_context_is_encoded_without_a_warning(tiny_model: Path) -> None:
    tokenizer = HFTokenizer.load(str(tiny_model))
    tokenizer._tokenizer.model_max_length = 3
    assert len(tokenizer.encode("more than three tokens")) > 3
    assert not tokenizer._tokenizer.deprecation_warnings
