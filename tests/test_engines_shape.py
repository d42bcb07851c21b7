"""Weights and attention by config.json alone, against sums by hand and published sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_configs import CONFIGS

from pipeline.engines.shape import Shape


def shape(name: str, **changes: object) -> Shape:
    found = Shape.of(CONFIGS[name] | changes)
    assert found is not None
    return found


def gated(width: int, inner: int) -> int:
    """The weights of a gated feed-forward layer: gate, up and down."""
    return 3 * width * inner


# All weights of all layers and the last norm, and of those the ones that one token goes through.
QWQ = 64 * (
    5120 * (5120 + 1024 + 1024) + (5120 + 1024 + 1024) + 5120 * 5120
    # the two norms of a layer come last
    + gated(5120, 27648) + 2 * 5120
) + 5120  # fmt: skip
R1_QWEN = (
    28
    * (1536 * (1536 + 256 + 256) + (1536 + 256 + 256) + 1536 * 1536 + gated(1536, 8960) + 2 * 1536)
    + 1536
)
QWEN3 = (
    28 * (1024 * (2048 + 1024 + 1024) + 2 * 128 + 2048 * 1024 + gated(1024, 3072) + 2 * 1024) + 1024
)
LLAMA = 32 * (4096 * (4096 + 1024 + 1024) + 4096 * 4096 + gated(4096, 14336) + 2 * 4096) + 4096
NEOX = 44 * (
    6144 * 3 * 6144 + 3 * 6144 + 6144 * 6144 + 6144
    # up and down without a gate, with biases; norms with biases too
    + 2 * 6144 * 24576 + 24576 + 6144 + 4 * 6144
) + 2 * 6144  # fmt: skip


def qwen3_moe(experts: int) -> int:
    attention = 2048 * (4096 + 512 + 512) + 2 * 128 + 4096 * 2048
    router = 2048 * 128
    return 48 * (attention + router + experts * gated(2048, 768) + 2 * 2048) + 2048


def deepseek(experts: int) -> int:
    queries = 7168 * 1536 + 1536 + 1536 * 128 * (128 + 64)
    keys_and_values = 7168 * (512 + 64) + 512 + 512 * 128 * (128 + 128)
    attention = queries + keys_and_values + 128 * 128 * 7168
    dense = gated(7168, 18432)
    shared_and_routed = (1 + experts) * gated(7168, 2048) + 256 * 7168
    return 61 * (attention + 2 * 7168) + 3 * dense + 58 * shared_and_routed + 7168


@pytest.mark.parametrize(
    ("name", "every", "used", "matrix", "billions"),
    [
        ("QwQ-32B", QWQ, QWQ, 152064 * 5120, 32.76),
        ("DeepSeek-R1-Distill-Qwen-1.5B", R1_QWEN, R1_QWEN, 151936 * 1536, 1.78),
        ("Qwen3-30B-A3B", qwen3_moe(128), qwen3_moe(8), 151936 * 2048, 30.53),
        ("DeepSeek-V3", deepseek(256), deepseek(8), 129280 * 7168, 671.03),
        ("Llama-3.1-8B", LLAMA, LLAMA, 128256 * 4096, 8.03),
        ("Mistral-7B-v0.1", LLAMA, LLAMA, 32000 * 4096, 7.24),
        ("GPT-NeoX-20B", NEOX, NEOX, 50432 * 6144, 20.55),
    ],
)
def test_public_models_have_the_weights_of_the_hand_sum_and_their_published_size(
    name: str, every: int, used: int, matrix: int, billions: float
) -> None:
    found = shape(name)
    assert found.parameters == every + 2 * matrix
    assert (found.body, found.head) == (used, matrix)
    assert round(found.parameters / 1e9, 2) == billions


def test_a_tied_head_is_one_matrix_and_is_multiplied_with() -> None:
    found = shape("Qwen3-0.6B")
    assert found.head == 151936 * 1024
    assert (found.parameters, found.body) == (QWEN3 + found.head, QWEN3)


@pytest.mark.parametrize(("name", "billions"), [("Qwen3-30B-A3B", 3.35), ("DeepSeek-V3", 37.55)])
def test_a_token_goes_through_the_chosen_experts_only(name: str, billions: float) -> None:
    """The published 3.3 and 37 billion active weights count the embedding as well as the head."""
    found = shape(name)
    assert round((found.body + 2 * found.head) / 1e9, 2) == billions


@pytest.mark.parametrize(
    ("name", "heads_and_widths"),
    [
        ("QwQ-32B", 40 * 128),
        ("Qwen3-30B-A3B", 32 * 128),
        ("GPT-NeoX-20B", 64 * 96),
        # Queries of 128 + 64 against keys, then values of 128: half of both together.
        ("DeepSeek-V3", 128 * (128 + 64 + 128) // 2),
    ],
)
def test_attention_is_as_wide_as_its_heads(name: str, heads_and_widths: int) -> None:
    assert shape(name).attention_width == heads_and_widths


@pytest.mark.parametrize(
    ("context", "width"), [(None, None), (32768, None), (4097, None), (4096, 4096), (512, 4096)]
)
def test_a_window_has_no_figure_unless_it_holds_the_whole_context(
    context: int | None, width: int | None
) -> None:
    found = Shape.of(CONFIGS["Mistral-7B-v0.1"], context)
    assert found is not None
    assert found.attention_width == width


@pytest.mark.parametrize("kind", ["qwen3_next", "jamba", "falcon_h1", "mamba", "gemma3_text"])
def test_layers_that_do_not_attend_to_everything_have_no_attention_width(kind: str) -> None:
    found = Shape.of({"model_type": kind})
    assert found is not None
    assert found.attention_width is None


@pytest.mark.parametrize(
    ("kind", "tied"), [("llama", False), ("qwen3", False), ("gpt_neox", False), ("gemma", True)]
)
def test_a_missing_tie_key_takes_the_architectures_default(kind: str, tied: bool) -> None:
    small = {"vocab_size": 1000, "hidden_size": 64, "num_attention_heads": 2, "head_dim": 32}
    found = Shape.of({"model_type": kind, "num_hidden_layers": 1, **small})
    assert found is not None
    assert found.head == 1000 * 64
    assert found.parameters - found.body == (1 if tied else 2) * found.head


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "whisper"},
        {"model_type": "nobody_knows_it"},
        {"model_type": "llama", "hidden_size": "wide"},
        {"model_type": "llama", "hidden_size": 7},
        {"model_type": "llama", "num_hidden_layers": -1, "vocab_size": -5},
        {"model_type": ["llama"]},
    ],
)
def test_what_is_no_model_that_writes_text_has_no_shape(config: dict[str, object]) -> None:
    assert Shape.of(config) is None


@given(
    layers=st.integers(1, 3),
    experts=st.integers(2, 6),
    chosen=st.integers(1, 2),
    width=st.integers(1, 8).map(lambda n: 16 * n),
)
def test_experts_that_are_not_chosen_are_the_whole_difference(
    layers: int, experts: int, chosen: int, width: int
) -> None:
    small = {
        "vocab_size": 50,
        "hidden_size": width,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "num_hidden_layers": layers,
        "num_local_experts": experts,
        "num_experts_per_tok": chosen,
    }
    found = Shape.of({"model_type": "mixtral", **small})
    assert found is not None
    idle = layers * (experts - chosen) * gated(width, 32)
    assert found.parameters - found.body == 2 * 50 * width + idle


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "jetmoe", "num_hidden_layers": 2},
        {"model_type": "longcat_flash", "num_layers": 2, "vocab_size": 1000},
        {"model_type": "smollm3", "vocab_size": 1000, "num_hidden_layers": 2},
        {"model_type": "reformer"},
    ],
)
def test_what_cannot_be_counted_rightly_has_no_shape(config):
    assert Shape.of(config) is None


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt_neo", "attention_types": [[["global", "local"], 1]], "num_layers": 2},
        {"model_type": "big_bird", "num_hidden_layers": 2, "is_decoder": True},
    ],
)
def test_attention_to_few_positions_has_no_width_by_any_name(config):
    assert Shape.of(config).attention_width is None
