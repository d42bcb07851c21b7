"""Adapters: files read with suspicion, and models that answer with them, merged or not."""

import json
import math
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM

from pipeline.decoding.adapter import Adapter, AdapterError, Update, attach, merge
from pipeline.decoding.adapter_files import read_adapter, write_pth
from pipeline.engines.adapters import adapter_identity
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake

RANK = 4
PROMPT = torch.tensor([[5, 80, 33, 21, 60, 7]])


@pytest.fixture
def tiny(tiny_model: Path):
    """Queries and outputs are square, keys and values (of fewer heads) and the rest are not."""
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def linear_layers(model: Any) -> dict[str, nn.Linear]:
    return {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear)}


def square_layers(model: Any) -> dict[str, nn.Linear]:
    every = linear_layers(model).items()
    return {name: one for name, one in every if one.in_features == one.out_features}


def tensors_for(layers: dict[str, nn.Linear], *, zero: bool = False) -> dict[str, torch.Tensor]:
    """As ParallelMind's `save_lora` writes them."""
    torch.manual_seed(1)
    found = {}
    for name, layer in layers.items():
        found[f"{name}.lora.A.weight"] = torch.randn(RANK, layer.in_features) * 0.2
        found[f"{name}.lora.B.weight"] = torch.randn(layer.out_features, RANK) * (not zero)
    return found


def pth(tensors: Any, folder: Path) -> Path:
    torch.save(tensors, folder / "adapter.pth")
    return folder / "adapter.pth"


def apply_as_the_original(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """What ParallelMind's `apply_lora` and `load_lora` do to a model."""
    for name, layer in square_layers(model).items():
        lora = nn.Sequential(
            nn.Linear(layer.in_features, RANK, bias=False),
            nn.Linear(RANK, layer.out_features, bias=False),
        )
        lora[0].weight.data = tensors[f"{name}.lora.A.weight"]
        lora[1].weight.data = tensors[f"{name}.lora.B.weight"]
        plain = layer.forward
        layer.forward = lambda x, plain=plain, lora=lora: plain(x) + lora(x)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=PROMPT).logits


def greedy(model: Any) -> list[int]:
    found = model.generate(PROMPT, max_new_tokens=24, do_sample=False, eos_token_id=None)
    return found[0].tolist()


def test_the_fixture_has_layers_that_the_original_adapts_and_others(tiny):
    kinds = {name.rpartition(".")[2] for name in square_layers(tiny)}
    assert kinds == {"q_proj", "o_proj"}
    assert len(linear_layers(tiny)) > len(square_layers(tiny))


def test_a_model_with_an_adapter_computes_what_the_original_does(tiny, tiny_model, tmp_path):
    tensors = tensors_for(square_layers(tiny))
    other = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    apply_as_the_original(other, tensors)
    plain = logits(tiny)
    attach(tiny, read_adapter(pth(tensors, tmp_path)))
    assert torch.equal(logits(tiny), logits(other))
    assert not torch.allclose(logits(tiny), plain, atol=0.1)


def test_an_adapter_that_is_taken_away_leaves_no_trace(tiny, tmp_path):
    before, weights = logits(tiny), {name: one.clone() for name, one in tiny.state_dict().items()}
    modules = {name: vars(one).keys() for name, one in tiny.named_modules()}
    detach = attach(tiny, read_adapter(pth(tensors_for(square_layers(tiny)), tmp_path)))
    assert not torch.equal(logits(tiny), before)
    detach()
    assert torch.equal(logits(tiny), before)
    assert {name: vars(one).keys() for name, one in tiny.named_modules()} == modules
    assert not any(one._forward_hooks for one in tiny.modules())
    assert all(torch.equal(one, weights[name]) for name, one in tiny.state_dict().items())


def test_merged_is_unmerged_up_to_rounding_with_the_same_tokens(tiny, tmp_path):
    adapter = read_adapter(pth(tensors_for(square_layers(tiny)), tmp_path))
    detach = attach(tiny, adapter)
    apart, tokens = logits(tiny), greedy(tiny)
    detach()
    assert greedy(tiny) != tokens
    merge(tiny, adapter)
    assert torch.allclose(logits(tiny), apart, atol=1e-4)
    assert greedy(tiny) == tokens


@pytest.mark.parametrize("put", [attach, merge])
def test_an_adapter_whose_b_is_zero_changes_no_logit(tiny, tmp_path, put):
    before = logits(tiny)
    put(tiny, read_adapter(pth(tensors_for(square_layers(tiny), zero=True), tmp_path)))
    assert torch.equal(logits(tiny), before)


def test_weights_that_two_layers_share_are_not_merged_for_one(tiny):
    assert tiny.lm_head.weight is tiny.model.embed_tokens.weight
    rows, columns = tiny.lm_head.weight.shape
    adapter = Adapter({"lm_head": Update(torch.ones(1, columns), torch.ones(rows, 1))})
    before = logits(tiny)
    with pytest.raises(AdapterError, match="the weights of lm_head are those of another layer too"):
        merge(tiny, adapter)
    assert torch.equal(logits(tiny), before)
    attach(tiny, adapter)
    assert not torch.equal(logits(tiny), before)


def test_a_file_is_read_back_as_it_was_written(tiny, tmp_path):
    adapter = read_adapter(pth(tensors_for(square_layers(tiny)), tmp_path))
    doubled = {name: Update(one.a, one.b, 2.0) for name, one in adapter.updates.items()}
    write_pth(Adapter(doubled), tmp_path / "again.pth")
    again = read_adapter(tmp_path / "again.pth")
    assert all(torch.equal(one.b, 2 * adapter.updates[n].b) for n, one in again.updates.items())


FIRST = "model.layers.0.self_attn.q_proj"
MISFITS = [
    (lambda found, model: {}, "it has no weights, so none of the model's linear layers gets any"),
    (
        lambda found, model: {f"module.{name}": one for name, one in found.items()},
        f"it has weights for module.{FIRST}, .* and 1 more, so none .*; this model has {FIRST}",
    ),
    (
        lambda found, model: found | tensors_for({"model.layers.9.q_proj": nn.Linear(64, 64)}),
        "it has weights for model.layers.9.q_proj, which the model does not have",
    ),
    (
        lambda found, model: dict(list(found.items())[2:]),
        f"it has no weights for {FIRST}; a .pth is for all square layers",
    ),
    (
        lambda found, model: tensors_for(linear_layers(model.model)),
        "it has weights for layers.0.self_attn.q_proj",
    ),
    (
        lambda found, model: tensors_for(
            {n: one for n, one in linear_layers(model).items() if "mlp" not in n and n != "lm_head"}
        ),
        "it has weights for model.layers.0.self_attn.k_proj, .* too; a .pth is for all square",
    ),
    (
        lambda found, model: found | tensors_for({FIRST: nn.Linear(96, 96)}),
        "is for a layer of 96 inputs and 96 outputs, and the model's has 64 and 64: it was made",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "why"), MISFITS)
@pytest.mark.parametrize("put", [attach, merge])
def test_no_key_is_left_unmatched_in_silence(tiny, tmp_path, put, change, why):
    before = logits(tiny)
    adapter = read_adapter(pth(change(tensors_for(square_layers(tiny)), tiny), tmp_path))
    with pytest.raises(AdapterError, match=why):
        put(tiny, adapter)
    assert torch.equal(logits(tiny), before)


def test_a_model_without_square_layers_is_said_to_have_none(tmp_path):
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    adapter = read_adapter(pth(tensors_for({"q": nn.Linear(4, 4)}), tmp_path))
    with pytest.raises(AdapterError, match="square layers and no others; this model has none"):
        attach(model, adapter)


def test_the_rank_is_that_of_the_weights(tmp_path):
    adapter = read_adapter(pth(tensors_for({"q": nn.Linear(4, 4)}), tmp_path))
    adapter.check_rank(RANK)
    with pytest.raises(AdapterError, match=f"have rank {RANK}, and --lora-rank is 8"):
        adapter.check_rank(8)


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def q(a: Any, b: Any) -> dict[str, Any]:
    return {"q.lora.A.weight": a, "q.lora.B.weight": b}


A, B = torch.ones(2, 4), torch.ones(4, 2)
DAMAGED = [
    ({"q.weight": A}, "it has 'q.weight', and weights are called LAYER.lora.A.weight"),
    (q(A, B) | {"q.lora.alpha": torch.ones(1)}, "it has 'q.lora.alpha'"),
    ({"q.lora.A.weight": A}, "of q it has A alone, and not both A and B"),
    (q(A, torch.ones(4, 3)), "of q it has A of rank 2 and B of rank 3"),
    (q(A, 3), "its q.lora.B.weight is no dense matrix of finite numbers"),
    (q(A, torch.ones(4)), "is no dense matrix"),
    (q(A, torch.ones(4, 2, dtype=torch.int64)), "is no dense matrix"),
    (q(A, B * math.nan), "is no dense matrix of finite numbers"),
    (q(A, B.to(torch.float8_e4m3fn)), r"finite numbers \(float64, float32, bfloat16, float16\)"),
    (q(torch.empty(0, 4), torch.empty(4, 0)), "is no dense matrix"),
    (q(torch.ones(1, 1).expand(2**20, 2**20), B), "is no dense matrix"),
    (q(A.to_sparse(), B), "is no dense matrix"),
    ([A, B], "holds no weights by the names of their layers"),
    ({1: A}, "holds no weights by the names of their layers"),
    (Malicious(), r"adapter.pth .* be read: it asks for getattr, which .*; nothing in it was run"),
    ({f"{'q' * 100_000}.lora.A.weight": A}, "^of q{100}… it has A alone, and not both A and B$"),
    ({f"{'q' * 100_000}.lora.B.weight": 1}, "^its q{100}… is no dense"),
    ({"\x1b[31m": A}, r"^it has '\?\[31m', and"),
]


@pytest.mark.parametrize(("content", "why"), DAMAGED)
def test_what_is_no_adapter_is_refused_and_nothing_in_it_is_run(
    tmp_path, monkeypatch, content, why
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AdapterError, match=why):
        read_adapter(pth(content, tmp_path))
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 4096, b"nothing", pickle.dumps({"q": 1}), pickle.dumps(Malicious())]
)
def test_nobody_is_told_how_to_run_what_is_in_a_file(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(AdapterError, match=r"be read: it (is damaged, or|asks for)") as refused:
        read_adapter(tmp_path / "a.pth")
    assert "weights_only" not in str(refused.value)
    assert "trust" not in str(refused.value)


@pytest.mark.parametrize("place", ["a.pth", "adapter_config.json", "adapter_model.safetensors"])
def test_a_pipe_or_a_device_is_refused_before_it_is_read(tmp_path, place):
    os.mkfifo(tmp_path / place)
    given = tmp_path / place if place.endswith(".pth") else tmp_path
    with pytest.raises(UserMistake, match=f"{place} is no file of at most 8,589,934,592 bytes"):
        adapter_identity(EngineSettings("transformers", "m", lora=str(given)))
    with pytest.raises(AdapterError, match=r"no file|has no adapter"):
        read_adapter(given)


def bytes_of_files(tmp_path: Path) -> list[bytes]:
    whole = pth(q(A, B), tmp_path).read_bytes()
    return [
        *(b"", b"\x80", b"PK\x03\x04", b"nothing", b"\0" * 1000),
        *(whole[:length] for length in range(0, len(whole), 97)),
        *(whole[:at] + b"\xff\xfe" + whole[at + 2 :] for at in range(0, len(whole), 41)),
        pickle.dumps({"q": "text"}),
        pickle.dumps(Malicious()),
    ]


def test_damaged_bytes_are_told_of_or_read_as_what_they_are(tmp_path):
    file = tmp_path / "damaged.pth"
    refused = 0
    for content in bytes_of_files(tmp_path):
        file.write_bytes(content)
        try:
            read_adapter(file)
        except AdapterError:
            refused += 1
    assert refused > 30


def test_an_archive_that_unpacks_to_too_much_is_not_read(tmp_path, monkeypatch):
    file = tmp_path / "bomb.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 10_000_000)
    monkeypatch.setattr("pipeline.decoding.adapter_files.MOST_BYTES", 1_000_000)
    assert file.stat().st_size < 100_000
    with pytest.raises(AdapterError, match="10,000,000 bytes, more than 1,000,000"):
        read_adapter(file)


def peft(folder: Path, layers: dict[str, nn.Linear], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    found = {}
    for key, tensor in tensors_for(layers).items():
        half = key.replace(".lora.A.", ".lora_A.").replace(".lora.B.", ".lora_B.")
        found[f"base_model.model.{half}"] = tensor
    save_file(found, folder / "adapter_model.safetensors")
    usual = {"peft_type": "LORA", "r": RANK, "lora_alpha": 16, "bias": "none", "use_dora": False}
    usual |= {"target_modules": sorted({name.rpartition(".")[2] for name in layers})}
    (folder / "adapter_config.json").write_text(json.dumps(usual | config))
    return folder


SCALES = [
    ({}, {"q_proj": 16 / RANK, "up_proj": 16 / RANK}),
    ({"use_rslora": True}, {"q_proj": 16 / RANK**0.5, "up_proj": 16 / RANK**0.5}),
    ({"alpha_pattern": {"q_proj": 2}}, {"q_proj": 2 / RANK, "up_proj": 16 / RANK}),
    ({"alpha_pattern": {"self_attn.q_proj": 1}}, {"q_proj": 1 / RANK, "up_proj": 16 / RANK}),
    ({"alpha_pattern": {f"^{FIRST}": 1}}, {"q_proj": 1 / RANK, "up_proj": 16 / RANK}),
    ({"r": 9, "rank_pattern": {"q_proj": RANK, "mlp.up_proj": RANK}}, {"q_proj": 4, "up_proj": 4}),
]


@pytest.mark.parametrize(("config", "scales"), SCALES)
def test_a_folder_of_peft_says_how_its_weights_are_scaled(tiny, tmp_path, config, scales):
    layers = {n: one for n, one in linear_layers(tiny).items() if n.endswith((*scales,))}
    adapter = read_adapter(peft(tmp_path / "peft", layers, target_modules=[*scales], **config))
    found = {
        name.rpartition(".")[2]: one.scale for name, one in adapter.updates.items() if ".0." in name
    }
    assert found == pytest.approx(scales)
    plain = logits(tiny)
    attach(tiny, adapter)
    assert not torch.equal(logits(tiny), plain)


REFUSED = [
    ({"use_dora": True}, "has use_dora true, which is not done here"),
    ({"bias": "lora_only"}, 'has bias "lora_only"'),
    ({"lora_bias": True}, "has lora_bias true"),
    ({"modules_to_save": ["lm_head"]}, r'has modules_to_save \["lm_head"\]'),
    ({"peft_type": "IA3"}, 'has peft_type "IA3"'),
    ({"fan_in_fan_out": True}, "has fan_in_fan_out true"),
    ({"init_lora_weights": "pissa"}, 'has init_lora_weights "pissa"'),
    ({"layer_replication": [[0, 1]]}, "has layer_replication"),
    ({"something_new": True}, "has something_new true"),
    ({"r": "8"}, 'has r "8", and no whole number above 0'),
    ({"r": 5}, "says rank 5 for .*, and its weights have 4"),
    ({"lora_alpha": None}, "has lora_alpha null, and no number above 0"),
    ({"rank_pattern": {"(a+)+": 4}}, "the regular expression .* in its rank_pattern"),
    ({"rank_pattern": 4}, "has rank_pattern 4, and no JSON object"),
    ({"lora_alpha": 10**400}, "has lora_alpha 10{99}…, and no number above 0"),
    ({"r": 10**400}, "has r 10{99}…, and no whole number above 0"),
    ({"r": 4.0}, "has r 4.0, and no whole number above 0"),
    ({"use_rslora": "false"}, 'has use_rslora "false", and no true or false'),
    ({"alpha_pattern": {"q.proj": 77}}, 'the regular expression "q.proj" in its alpha_pattern'),
    ({"rank_pattern": {"q_proj": "x"}}, 'a rank_pattern with "q_proj" "x", and no whole number'),
    ({"alpha_pattern": {"q_proj": True}}, 'an alpha_pattern with "q_proj" true, and no number'),
    ({"target_modules": None}, "has no target_modules, so nothing says for which layers it is"),
    ({"target_modules": 3}, "has target_modules 3, and no list of names"),
    ({"target_modules": ".*q_proj"}, r'the regular expression ".\*q_proj" as its target_modules'),
    ({"exclude_modules": "x"}, 'the regular expression "x" as its exclude_modules'),
    ({"target_modules": ["q_proj", "up_proj"]}, "no weights for model.layers.0.mlp.up_proj"),
    ({"target_modules": ["q_proj", "embed_tokens"]}, "no weights for model.embed_tokens"),
    ({"target_modules": "all-linear"}, "no weights for model.layers.0.self_attn.k_proj"),
    ({"target_modules": ["o_proj"]}, 'no weights for .*; its .* has target_modules \\["o_proj"'),
    ({"target_modules": [f"{FIRST}"]}, "weights for model.layers.1.self_attn.q_proj too; its"),
    ({"exclude_modules": [FIRST]}, f"weights for {FIRST} too; .* and exclude_modules"),
    ({"layers_to_transform": [1]}, f"weights for {FIRST} too; .* and layers_to_transform .1.$"),
    ({"layers_to_transform": 1}, f"weights for {FIRST} too"),
    ({"layers_to_transform": ["1"]}, "no list of whole numbers"),
    ({"layers_to_transform": [0, 1], "layers_pattern": "h"}, "weights for .* and layers_pattern"),
    ({"layers_pattern": "layers"}, "layers_pattern without layers_to_transform"),
    (
        {"layers_to_transform": [0], "layers_pattern": "l.*"},
        'layers_pattern ."l..".*no list of nam',
    ),
]


@pytest.mark.parametrize(("config", "why"), REFUSED)
def test_what_a_folder_of_peft_asks_for_and_is_not_done_is_refused_by_name(
    tiny, tmp_path, config, why
):
    layers = {n: one for n, one in linear_layers(tiny).items() if n.endswith("q_proj")}
    with pytest.raises(AdapterError, match=why):
        attach(tiny, read_adapter(peft(tmp_path / "peft", layers, **config)))


@pytest.mark.parametrize(
    "config",
    [
        {"layers_to_transform": [1]},
        {"layers_to_transform": 1, "layers_pattern": ["h", "layers"]},
        {"exclude_modules": ["layers.0.self_attn.q_proj", "nothing"]},
        {"target_modules": [FIRST.replace("0", "1")], "layers_to_transform": [7]},
        {"r": 9, "rank_pattern": {"layers.1.self_attn.q_proj": RANK}},
    ],
)
def test_a_folder_of_peft_may_be_for_some_layers_only(tiny, tmp_path, config):
    layers = {n: one for n, one in linear_layers(tiny).items() if n.endswith("1.self_attn.q_proj")}
    usual = {"layers_to_transform": [1]} if "rank_pattern" in config else {}
    attach(tiny, read_adapter(peft(tmp_path / "peft", layers, **usual, **config)))


def test_a_folder_of_peft_for_all_linear_layers_leaves_the_last_one_out(tiny, tmp_path):
    layers = {n: one for n, one in linear_layers(tiny).items() if n != "lm_head"}
    attach(tiny, read_adapter(peft(tmp_path / "peft", layers, target_modules="all-linear")))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_beside_layers_in_half_precision_a_folder_of_peft_is_computed_in_float32_as_in_peft(
    tiny, tmp_path, dtype
):
    layer = tiny.to(dtype).get_submodule(FIRST)
    adapter = read_adapter(peft(tmp_path / "peft", {FIRST: layer}, target_modules=[FIRST]))
    one, given = adapter.updates[FIRST], torch.randn(1, 3, layer.in_features).to(dtype)
    plain = layer(given)
    wide = functional.linear(functional.linear(given.float(), one.a), one.b)
    narrow = functional.linear(functional.linear(given, one.a.to(dtype)), one.b.to(dtype))
    attach(tiny, adapter)
    assert torch.equal(layer(given), (plain + one.scale * wide).to(dtype))
    assert not torch.equal(layer(given), plain + one.scale * narrow)


def test_weights_that_are_packed_are_not_merged_into(tiny):
    tiny.get_submodule(FIRST).to(torch.float8_e4m3fn)
    adapter = Adapter({FIRST: Update(torch.ones(1, 64), torch.ones(64, 1))})
    with pytest.raises(AdapterError, match=f"the weights of {FIRST} are packed"):
        merge(tiny, adapter)


def test_a_file_of_a_folder_is_answered_with_the_folder(tiny, tmp_path):
    folder = peft(tmp_path / "peft", square_layers(tiny))
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        with pytest.raises(AdapterError, match="give the folder"):
            read_adapter(folder / name)


@pytest.mark.parametrize("kind", ["none", "empty", "weights", "list", "deep"])
def test_a_folder_without_an_adapter_is_told_of(tmp_path, kind):
    folder = tmp_path / "folder"
    if kind != "none":
        folder.mkdir()
    texts = {"weights": '{"r": 1}', "list": "[]", "deep": "[" * 100_000}
    if kind in texts:
        (folder / "adapter_config.json").write_text(texts[kind])
    with pytest.raises(
        AdapterError, match=r"no such|has no adapter|cannot be read|no JSON|no targ"
    ):
        read_adapter(folder)
