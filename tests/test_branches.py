"""Branches of one sequence: each has the text that its prompt has alone; columns are columns."""

import random
from contextlib import nullcontext
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from pipeline.decoding.branches import Branches
from pipeline.decoding.layout import (
    COLUMNAR,
    ISOLATED,
    TRUNK,
    Layout,
    Token,
    in_order,
)
from pipeline.decoding.rope2d import two_dimensions
from pipeline.decoding.visibility import added_mask, columns_seen, own_seen
from pipeline.decoding.windows import Counts, step
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.transformers.next_token import choose

SIZES = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "head_dim": 8, "max_position_embeddings": 8192,
    "initializer_range": 0.3,
}  # fmt: skip
KINDS = {
    "qwen3 sdpa": (Qwen3ForCausalLM, Qwen3Config, {"num_key_value_heads": 4}, "sdpa"),
    "qwen3 eager": (Qwen3ForCausalLM, Qwen3Config, {"num_key_value_heads": 4}, "eager"),
    "grouped queries": (Qwen3ForCausalLM, Qwen3Config, {"num_key_value_heads": 2}, "sdpa"),
    "llama eager": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 1}, "eager"),
}
ENDS = {7, 8, 9}


def model_of(make, config, more: dict, attention: str = "sdpa"):
    torch.manual_seed(0)
    return make(config(**SIZES, **more, attn_implementation=attention)).eval()


@pytest.fixture(scope="module")
def models():
    return {name: model_of(*kind) for name, kind in KINDS.items()}


class Drawn:
    """A text that is drawn token by token, with randomness of its own."""

    def __init__(self, prompt, sampling, ends):
        self.token_ids, self.room, self.ends = list(prompt), sampling.max_tokens, ends
        self.prompt, self.sampling = len(prompt), sampling
        self.refused = FedNothing()

    @property
    def written(self):
        return self.token_ids[self.prompt :]

    def grow(self, logits):
        token = choose(logits, self.sampling, written=self.written)
        self.token_ids.append(token)
        self.room = 0 if token in self.ends else self.room - 1
        return token


class FedNothing:
    def feed(self, after, tokens):
        assert tokens == 0


def alone(model, prompt, sampling, ends, found):
    """What the model writes alone, as far as it is `found`: in one forward, which comes to the same
    by induction.
    """
    text = Drawn(prompt, sampling, ends)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[*prompt, *found]])).logits[0]
    for place in range(len(found)):
        text.grow(logits[len(prompt) - 1 + place])
    return text.written, text.room


def together(branches, prompts, samplings, ends, trunk=()):
    """What the prompts come to as branches, and what it cost."""
    counts = Counts()
    texts = [Drawn(*one, ends) for one in zip(prompts, samplings, strict=True)]
    with torch.inference_mode():
        for text, logits in zip(texts, branches.begin(prompts, trunk), strict=True):
            text.grow(logits)
        going = list(texts)
        while going:
            for row in reversed(range(len(going))):
                if not going[row].room:
                    branches.leave(row)
                    going[row] = going[-1]
                    going.pop()
            if going:
                step(branches, going, [[] for _ in going], counts)
    return [text.written for text in texts], counts


def configuration(number: int):
    """Branches by chance: how many, how long, how laid out, how drawn, with how much in common."""
    chance = random.Random(number)  # noqa: S311 - the same every time
    count = chance.choice([1, 2, 2, 3, 5, 8])
    trunk = [chance.randrange(10, 60) for _ in range(chance.choice([0, 0, 1, 9]))]
    prompts = [
        [*trunk, *(chance.randrange(60) for _ in range(chance.randint(1, 14)))]
        for _ in range(count)
    ]
    samplings = [
        SamplingRequest(chance.randint(1, 9), chance.choice([0.0, 0.7, 1.3]), 0.9, seed=seed)
        for seed in range(count)
    ]
    stride = 0 if trunk else chance.choice([0, 0, 1, 128, 500])
    layout = Layout(interleaved=chance.random() < 0.5, stride=stride)
    return layout, prompts, samplings, trunk, chance.choice([4, 512])


@pytest.mark.parametrize("kind", KINDS)
def test_in_two_hundred_configurations_each_branch_has_the_tokens_that_it_has_alone(
    models, kind, monkeypatch
):
    model, ended = models[kind], 0
    for number in range(50):
        drawn = configuration(number * len(KINDS) + list(KINDS).index(kind))
        layout, prompts, samplings, trunk, piece = drawn
        monkeypatch.setattr("pipeline.decoding.branches.PIECE", piece)
        found, counts = together(Branches(model, layout), prompts, samplings, ENDS, trunk)
        for prompt, sampling, one in zip(prompts, samplings, found, strict=True):
            assert alone(model, prompt, sampling, ENDS, one) == (one, 0), drawn
            assert len(one) == sampling.max_tokens or one[-1] in ENDS
            ended += len(one) < sampling.max_tokens
        assert counts.forwards == max(map(len, found)) - 1
        assert counts.computed == counts.committed
    assert ended > 10


def by_hand(layout: Layout, tokens: list[Token]) -> list[list[bool]]:
    """Who sees whom, token by token."""

    def sees(one: int, other: int) -> bool:
        asking, asked = tokens[one], tokens[other]
        if one == other:
            return True
        if layout.mode == COLUMNAR:
            return asked.time < asking.time
        return asked.branch in {TRUNK, asking.branch} and asked.time < asking.time

    return [[sees(one, other) for other in range(len(tokens))] for one in range(len(tokens))]


@st.composite
def layouts(draw):
    layout = Layout(
        mode=draw(st.sampled_from([ISOLATED, COLUMNAR])), interleaved=draw(st.booleans())
    )
    trunk = draw(st.integers(0, 3))
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    tokens = [Token(TRUNK, time, 0, 0) for time in range(trunk)]
    for branch, length in enumerate(lengths):
        start = trunk + draw(st.integers(0, 2)) * (layout.mode == COLUMNAR)
        tokens += [Token(branch, start + at, branch, 0) for at in range(length)]
    return layout, tokens


@given(layouts(), st.data())
def test_the_mask_is_what_each_pair_of_tokens_gives_also_of_the_last_few(drawn, data):
    layout, tokens = drawn
    ordered = in_order(tokens, interleaved=layout.interleaved)
    assert sorted(ordered) == sorted(tokens)
    keys = [(one.time, one.branch) if layout.interleaved else one[:2] for one in ordered]
    assert keys == sorted(keys)
    expected = by_hand(layout, ordered)
    branches = torch.tensor([one.branch for one in ordered])
    times = torch.tensor([one.time for one in ordered])
    fed = data.draw(st.integers(1, len(tokens)))
    own = (branches == branches[-fed:, None]) | (branches == TRUNK)
    seen = own_seen(own, times) if layout.mode == ISOLATED else columns_seen(times, fed)
    assert seen.tolist() == expected[-fed:]
    added = added_mask(seen, torch.float32)
    assert added.dtype == torch.float32
    assert added.shape == (1, 1, fed, len(tokens))
    assert torch.equal(added[0, 0] == 0, seen)
    assert torch.equal(added[0, 0] == float("-inf"), ~seen)


def watched(model, monkeypatch):
    """What the model is told from now on."""
    told, forward = [], type(model).forward

    def watching(self, **named):
        told.append(named)
        return forward(self, **named)

    monkeypatch.setattr(type(model), "forward", watching)
    return told


@pytest.mark.parametrize(
    ("layout", "trunk", "expected"),
    [
        # Two branches of 2 and 3 tokens behind the trunk: (branch, time, position) in order.
        (Layout(), 0, [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1), (1, 2, 2)]),
        (Layout(interleaved=False), 0, [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1), (1, 2, 2)]),
        (Layout(stride=9), 0, [(0, 0, 0), (1, 0, 9), (0, 1, 1), (1, 1, 10), (1, 2, 11)]),
        (Layout(), 2, [(0, 2, 2), (1, 2, 2), (0, 3, 3), (1, 3, 3), (1, 4, 4)]),
        (Layout(COLUMNAR), 0, [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1), (1, 2, 2)]),
        (
            Layout(COLUMNAR, align="right"),
            2,
            [(1, 2, 2), (0, 3, 3), (1, 3, 3), (0, 4, 4), (1, 4, 4)],
        ),
        (
            Layout(COLUMNAR, stride=9),
            2,
            [(0, 2, 11), (1, 2, 20), (0, 3, 12), (1, 3, 21), (1, 4, 22)],
        ),
        (
            Layout(COLUMNAR, flat_index=True),
            2,
            [(0, 2, 2), (1, 2, 3), (0, 3, 4), (1, 3, 5), (1, 4, 6)],
        ),
    ],
)
def test_positions_and_masks_are_those_of_the_layout_in_every_forward(
    models, monkeypatch, layout, trunk, expected
):
    model = models["qwen3 sdpa"]
    told = watched(model, monkeypatch)
    common, rests = [50, 51][:trunk], [[10, 11], [20, 21, 22]]
    with torch.inference_mode():
        branches = Branches(model, layout)
        branches.begin([common + rest for rest in rests], common)
        assert len(told) == 1 + bool(trunk)
        ids = [rests[branch][time - start] for branch, time, start in starts(expected)]
        assert told[-1]["input_ids"].tolist() == [ids]
        assert told[-1]["position_ids"].tolist() == [[position for *_, position in expected]]
        branches.forward([[12], [23]])
        branches.leave(0)
        branches.forward([[24]])
    tokens = [Token(TRUNK, time, 0, 0) for time in range(trunk)]
    tokens += [Token(branch, time, 0, 0) for branch, time, _ in expected]
    ends = [max(time for branch, time, _ in expected if branch == one) + 1 for one in (0, 1)]
    following = [Token(0, ends[0], 0, 0), Token(1, ends[1], 0, 0)]
    tokens += in_order(following, interleaved=layout.interleaved)
    tokens.append(Token(1, ends[1] + 1, 0, 0))
    every = by_hand(layout, tokens)
    at = 0
    for one in told:
        mask = one["attention_mask"]
        fed = mask.shape[2]
        there = range(at + fed)
        if one is told[-1] and layout.mode == ISOLATED:
            there = [place for place in there if tokens[place].branch != 0]
        expected_mask = [[line[place] for place in there] for line in every[at : at + fed]]
        assert (mask[0, 0] == 0).tolist() == expected_mask
        at += fed
    assert at == len(tokens)


def starts(expected):
    first = {}
    for branch, time, _ in expected:
        first[branch] = min(first.get(branch, time), time)
    return [(branch, time, first[branch]) for branch, time, _ in expected]


def test_what_is_common_is_read_once(models, monkeypatch):
    model = models["qwen3 sdpa"]
    told = watched(model, monkeypatch)
    trunk = list(range(10, 30))
    with torch.inference_mode():
        Branches(model).begin([[*trunk, one] for one in range(8)], trunk)
    assert [one["input_ids"].shape[1] for one in told] == [20, 8]


def test_logits_are_made_of_the_last_tokens_only(models, monkeypatch):
    model = models["qwen3 sdpa"]
    told = watched(model, monkeypatch)
    with torch.inference_mode():
        Branches(model).begin([list(range(30)), list(range(20))])
    assert [len(one["logits_to_keep"]) for one in told] == [2]


@pytest.mark.parametrize("pairs", [1, 3, 4, 16])
@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.5, 0.6, 0.75, 1.0])
def test_the_last_pairs_turn_by_branch_and_time_in_turn_and_the_others_by_position(pairs, ratio):
    model = Qwen3ForCausalLM(Qwen3Config(**SIZES | {"head_dim": 2 * pairs})).eval()
    inner = model.model.rotary_emb
    branches, times = torch.tensor([[0, 128, 256]]), torch.tensor([[3, 3, 4]])
    positions = torch.tensor([[7, 8, 9]])
    with two_dimensions(model, ratio) as rope:
        rope.place(branches, times)
        cosines, sines = rope(torch.zeros(1), positions)
    changed = round(pairs * ratio)
    for pair, token in product(range(pairs), range(3)):
        order = pair - (pairs - changed)
        place = positions if order < 0 else branches if order % 2 == 0 else times
        angle = place[0, token].float() * inner.inv_freq[pair]
        for half in (pair, pair + pairs):
            assert cosines[0, token, half] == angle.cos()
            assert sines[0, token, half] == angle.sin()


@pytest.mark.parametrize("kind", KINDS)
def test_ratio_0_gives_the_logits_of_the_model_as_it_is(models, kind):
    model, prompts = models[kind], [[1, 2, 3], [4, 5, 6, 7]]
    with torch.inference_mode():
        layout = Layout(COLUMNAR)
        plain = Branches(model, layout).begin(prompts)
        with two_dimensions(model, 0.0) as rope:
            turned = Branches(model, Layout(COLUMNAR, stride=128), rope).begin(prompts)
    assert torch.equal(plain, turned)


def turned_twice(model, ids):
    """The second time nobody says where the tokens are."""
    with two_dimensions(model, 0.5) as rope:
        rope.place(torch.tensor([[0, 0, 0]]), torch.tensor([[0, 1, 2]]))
        model(input_ids=ids)
        model(input_ids=ids)


def test_the_model_is_as_before_afterwards_also_when_work_broke_off(models):
    model, ids = models["qwen3 sdpa"], torch.tensor([[1, 2, 3]])
    names, inner = sorted(model.state_dict()), model.model.rotary_emb
    with torch.inference_mode():
        before = model(input_ids=ids).logits
        with pytest.raises(RuntimeError, match="nobody said"):
            turned_twice(model, ids)
        after = model(input_ids=ids).logits
    assert model.model.rotary_emb is inner
    assert torch.equal(before, after)
    assert sorted(model.state_dict()) == names


SCALED = {"rope_theta": 10000.0, "factor": 2.0, "original_max_position_embeddings": 64}
FIXED_SCALES = {
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
    "llama3": {"rope_type": "llama3", **SCALED, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "yarn": {"rope_type": "yarn", **SCALED},
}


@pytest.mark.parametrize("kind", FIXED_SCALES)
def test_scaling_that_does_not_depend_on_the_length_is_kept(kind):
    model = model_of(LlamaForCausalLM, LlamaConfig, {"rope_parameters": FIXED_SCALES[kind]})
    assert (model.model.rotary_emb.attention_scaling == 1) == (kind != "yarn")
    with torch.inference_mode():
        plain = Branches(model, Layout(COLUMNAR)).begin([[1, 2, 3], [4, 5]])
        with two_dimensions(model, 0.0) as rope:
            turned = Branches(model, Layout(COLUMNAR, stride=128), rope).begin([[1, 2, 3], [4, 5]])
    assert torch.equal(plain, turned)


@pytest.mark.parametrize(
    ("make", "config", "more", "why"),
    [
        (
            Qwen2ForCausalLM,
            Qwen2Config,
            {"sliding_window": 4, "use_sliding_window": True, "max_window_layers": 0},
            "do not keep every token",
        ),
        (
            LlamaForCausalLM,
            LlamaConfig,
            {"rope_parameters": {"rope_type": "dynamic", **SCALED}},
            "are 'dynamic': they change with the length",
        ),
        (
            LlamaForCausalLM,
            LlamaConfig,
            {
                "rope_parameters": {
                    "rope_type": "longrope",
                    **SCALED,
                    "short_factor": [1.0] * 4,
                    "long_factor": [2.0] * 4,
                }
            },
            "are 'longrope'",
        ),
        (PhiForCausalLM, PhiConfig, {"partial_rotary_factor": 0.5}, "turn 4 of the 8 numbers"),
        (
            DeepseekV3ForCausalLM,
            DeepseekV3Config,
            {"qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "first_k_dense_replace": 2},
            "turn 8 of the 24 numbers",
        ),
        (CohereForCausalLM, CohereConfig, {}, "put together in a way of their own"),
    ],
)
def test_a_model_that_columns_would_be_wrong_for_is_refused(make, config, more, why):
    model = model_of(make, config, more)
    inner = model.model.rotary_emb
    with pytest.raises(ValueError, match=why), two_dimensions(model, 0.5):
        pass
    assert model.model.rotary_emb is inner


def test_a_device_that_rounds_angles_otherwise_is_not_taken_for_another_model():
    model = model_of(*KINDS["grouped queries"][:3])
    model.model.rotary_emb.register_forward_hook(
        lambda module, given, turned: tuple(one * (1 - 1e-6) for one in turned)
    )
    with two_dimensions(model, 0.5) as rope:
        assert rope.by_branch.any()


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_is_a_share(models, ratio):
    with (
        pytest.raises(ValueError, match="between 0 and 1"),
        two_dimensions(models["qwen3 sdpa"], ratio),
    ):
        pass


@pytest.mark.parametrize(
    ("layout", "prompts", "trunk", "why"),
    [
        (Layout("mixed"), [[1]], [], "no mode 'mixed'"),
        (Layout(align="right"), [[1]], [], "nothing to align"),
        (Layout(flat_index=True), [[1]], [], "nothing to align"),
        (Layout(stride=-1), [[1]], [], "must be 0 or more"),
        (Layout(stride=1366), [[1]] * 4, [], "puts the last of 4 branches at 4098"),
        (Layout(stride=128), [[1, 2]], [1], "goes with no stride"),
        (Layout(), [[1, 2], [1]], [1], "prompt 1 does not go on"),
        (Layout(), [[1, 2], [2, 2]], [1], "prompt 1 does not go on"),
        (Layout(), [[]], [], "prompt 0 does not go on"),
    ],
)
def test_what_would_write_wrong_texts_is_refused(models, layout, prompts, trunk, why):
    with pytest.raises(ValueError, match=why):
        Branches(models["qwen3 sdpa"], layout).begin(prompts, trunk)


def test_within_its_bound_a_stride_moves_logits_by_rounding_only(models):
    prompts = [[1, 2, 3], [4, 5, 6, 7]]
    for model in models.values():
        with torch.inference_mode():
            near = Branches(model).begin(prompts)
            far = Branches(model, Layout(stride=4096)).begin(prompts)
        assert float((near - far).abs().max()) < 1e-3 * float(near.max() - near.min())


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("align", ["left", "right"])
@pytest.mark.parametrize(("ratio", "stride"), [(None, 0), (None, 16), (0.5, 128), (1.0, 8)])
def test_columns_written_token_by_token_are_those_of_one_whole_forward(
    models, flat, align, ratio, stride
):
    """What is kept from forward to forward, and when branches leave, changes no logits."""
    model, layout = models["grouped queries"], Layout(COLUMNAR, True, stride, align, flat)
    prompts = [[10, 11], [20, 21, 22, 23], [30]]
    starts = [4 - len(one) if align == "right" else 0 for one in prompts]
    forwards = [
        [
            Token(branch, starts[branch] + at, branch, token)
            for branch, prompt in enumerate(prompts)
            for at, token in enumerate(prompt)
        ]
    ]
    with torch.inference_mode(), rotary(model, ratio) as rope:
        branches, live = Branches(model, layout, rope), [0, 1, 2]
        following = [start + len(prompt) for start, prompt in zip(starts, prompts, strict=True)]
        found = {
            (row, following[row] - 1): logits for row, logits in enumerate(branches.begin(prompts))
        }
        for number in range(5):
            if number == 3:
                branches.leave(0)
                live = [2, 1]
            logits = branches.forward([[30 + number] for _ in live])[:, 0]
            fed = [Token(one, following[one] + number, one, 30 + number) for one in live]
            found |= {one[:2]: after for one, after in zip(fed, logits, strict=True)}
            forwards.append(fed)
        whole = whole_forward(model, layout, forwards, rope)
    assert len(found) == 3 + 3 * 3 + 2 * 2
    for place, after in found.items():
        assert torch.allclose(after, whole[place], atol=1e-4)


def whole_forward(model, layout, forwards, rope):
    """The logits after each (branch, time), if all is fed at once and nothing sees what was later
    fed.
    """
    fed = [one for tokens in forwards for one in in_order(tokens, interleaved=layout.interleaved)]
    when = [number for number, tokens in enumerate(forwards) for _ in tokens]
    seen = torch.tensor(by_hand(layout, fed))
    seen &= torch.tensor([[other <= one for other in when] for one in when])
    offsets = torch.tensor([[one.branch * layout.stride for one in fed]])
    times = torch.tensor([[one.time for one in fed]])
    if rope is not None:
        rope.place(offsets, times)
    positions = times if rope is not None else times + offsets
    logits = model(
        input_ids=torch.tensor([[one.token_id for one in fed]]),
        position_ids=torch.arange(len(fed))[None] if layout.flat_index else positions,
        attention_mask=added_mask(seen, torch.float32),
    ).logits[0]
    return {one[:2]: after for one, after in zip(fed, logits, strict=True)}


def rotary(model, ratio):
    return nullcontext() if ratio is None else two_dimensions(model, ratio)


def test_columns_see_each_other_or_they_would_be_isolated(models):
    model, prompts = models["qwen3 sdpa"], [[1, 2, 3], [4, 5, 6]]
    with torch.inference_mode():
        apart = Branches(model).begin(prompts)
        columns = Branches(model, Layout(COLUMNAR)).begin(prompts)
    assert float((apart - columns).abs().max()) > 0.1


def test_branches_keep_what_they_were_fed(models):
    with pytest.raises(ValueError, match="no windows"):
        Branches(models["qwen3 sdpa"]).forget(0, 1)
