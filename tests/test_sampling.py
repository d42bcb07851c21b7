"""How tokens are drawn: the settings that model cards name mean the same on every engine."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline import engines
from pipeline.engines.declaration import EngineEntry
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.sampling import OPTIONS, Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.engines.transformers.next_token import choose, penalised, possible
from pipeline.engines.vllm.engine import VllmEngine
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.runs import planning
from pipeline.runs.directory import read_manifest
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

PLAIN = SamplingRequest(max_tokens=9, temperature=1.0, top_p=1.0, seed=0)
MODEL = EngineSettings("scripted", "m")
SIX = torch.log(torch.tensor([0.4, 0.2, 0.2, 0.1, 0.06, 0.04]))


def left(**settings: float) -> list[float]:
    """What is left of six tokens, as shares that add up to 1."""
    shares = possible(torch.softmax(SIX, dim=-1), replace(PLAIN, **settings))
    return [round(float(one / shares.sum()), 4) for one in shares]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.4, 0.2, 0.2, 0.1, 0.06, 0.04]),
        ({"top_k": 1}, [1, 0, 0, 0, 0, 0]),
        ({"top_k": 2}, [0.5, 0.25, 0.25, 0, 0, 0]),  # two are equally likely: both stay
        ({"top_k": 99}, [0.4, 0.2, 0.2, 0.1, 0.06, 0.04]),
        ({"min_p": 0.3}, [0.5, 0.25, 0.25, 0, 0, 0]),
        ({"min_p": 1.0}, [1, 0, 0, 0, 0, 0]),
        ({"top_p": 0.5}, [0.6667, 0.3333, 0, 0, 0, 0]),
        # top_p is of what top_k has left, of which the likeliest is one half
        ({"top_k": 3, "top_p": 0.5}, [1, 0, 0, 0, 0, 0]),
        ({"min_p": 0.3, "top_p": 0.5}, [1, 0, 0, 0, 0, 0]),
    ],
)
def test_what_each_cut_leaves_of_a_distribution(settings, expected):
    assert left(**settings) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [2.0, -1.0, 0.5, 0.0]),
        ({"presence_penalty": 0.5}, [2.0, -1.5, 0.5, 0.0]),  # the answer's tokens only, once
        ({"repetition_penalty": 2.0}, [1.0, -2.0, 0.5, 0.0]),  # the prompt's, too
        ({"repetition_penalty": 2.0, "presence_penalty": -1.0}, [1.0, -1.0, 0.5, 0.0]),
    ],
)
def test_what_each_penalty_takes_from_the_tokens_of_prompt_and_answer(settings, expected):
    logits = torch.tensor([2.0, -1.0, 0.5, 0.0])
    changed = penalised(logits, replace(PLAIN, **settings), prompt=[0, 0], written=[1, 1, 1])
    assert changed.tolist() == expected
    assert logits.tolist() == [2.0, -1.0, 0.5, 0.0]


@given(
    logits=st.lists(st.floats(-8, 8), min_size=2, max_size=12),
    seed=st.integers(0, 99),
    top_k=st.integers(0, 14),
    min_p=st.floats(0, 1),
    top_p=st.floats(0.01, 1),
)
def test_a_token_that_is_drawn_holds_to_every_cut(logits, seed, top_k, min_p, top_p):
    asked = replace(PLAIN, top_k=top_k, min_p=min_p, top_p=top_p)
    token = choose(torch.tensor(logits), replace(asked, seed=seed))
    drawn, likeliest = logits[token], max(logits)
    likelier = sum(one > drawn + 1e-5 for one in logits)  # as float32 tells them apart
    assert top_k == 0 or likelier < top_k
    assert math.exp(drawn - likeliest) >= min_p * (1 - 1e-5)


def test_penalties_count_for_greedy_tokens_and_a_greedy_token_is_in_every_cut():
    logits, greedy = torch.tensor([2.0, 1.9, 0.0]), replace(PLAIN, temperature=0.0)
    assert choose(logits, replace(greedy, top_k=2, min_p=0.9)) == 0
    assert choose(logits, replace(greedy, presence_penalty=1.0), [], [0]) == 1
    assert choose(logits, replace(greedy, repetition_penalty=1.2), [0], []) == 1


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("temperature", 2.1, "at least 0 and at most 2"),
        ("top_p", 0.0, "above 0 and at most 1"),
        ("top_k", -1, "at least 0"),
        ("top_k", 1.5, "a whole number"),
        ("top_k", True, "a whole number"),
        ("min_p", 1.5, "at least 0 and at most 1"),
        ("presence_penalty", 2.5, "at least -2 and at most 2"),
        ("repetition_penalty", 0.0, "above 0"),
        ("repetition_penalty", math.inf, "above 0"),
    ],
)
def test_a_value_that_no_engine_can_have_is_refused_by_its_name(name, value, allowed):
    flag = "--" + name.replace("_", "-")
    with pytest.raises(UserMistake, match=f"{flag} is {value}; it must be {allowed}"):
        Experiment("baseline", MODEL, **{name: value})
    with pytest.raises(UserMistake, match=f"{flag} is {value}"):
        Experiment("spec", MODEL, MODEL, own_sampling={"draft": {name: value}})


OLD = {
    "reasoner": "baseline",
    "dataset": "pocket",
    "seed": 0,
    "thinking": "auto",
    "temperature": 0.6,
    "top_p": 0.95,
    "token_budget": 8192,
    "target": {
        "engine": "scripted",
        "model": "m",
        "revision": None,
        "tokenizer": None,
        "dtype": "auto",
        "max_model_len": None,
        "quantization": None,
        "lora": None,
        "speculative": None,
    },
    "draft": None,
}
"""What a run said of its settings before there were others."""


def test_settings_that_are_not_set_are_no_part_of_a_runs_identity():
    assert Experiment("baseline", MODEL).settings() == OLD
    assert Experiment("baseline", MODEL).name() == "pocket-baseline-m-d44917bf"
    unset = Experiment("spec", MODEL, MODEL, own_sampling={"draft": {"temperature": 0.6}})
    assert unset.settings() == Experiment("spec", MODEL, MODEL).settings()


@pytest.mark.parametrize(
    "change",
    [{"top_k": 40}, {"min_p": 0.1}, {"presence_penalty": 1.0}, {"repetition_penalty": 1.05}],
)
def test_a_setting_that_is_set_is_part_of_it_under_its_name(change):
    changed = Experiment("baseline", MODEL, **change)
    assert changed.settings() == OLD | change
    assert changed.name() != Experiment("baseline", MODEL).name()


def test_a_draft_is_sampled_as_the_target_unless_it_has_settings_of_its_own():
    own = {"draft": {"temperature": 0.2, "top_k": 5}}
    experiment = Experiment("spec", MODEL, MODEL, min_p=0.1, own_sampling=own)
    assert experiment.sampling("target") == Sampling(min_p=0.1)
    assert experiment.sampling("draft") == Sampling(temperature=0.2, top_k=5, min_p=0.1)
    assert experiment.settings()["own_sampling"] == own
    with pytest.raises(UserMistake, match="draft has no sampling setting 'top_q'; there are: temp"):
        Experiment("spec", MODEL, MODEL, own_sampling={"draft": {"top_q": 1}})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.made(tmp_path)


def test_an_old_run_goes_on_and_another_sampling_is_another_run(place):
    assert place.speclrm("baseline", "--problem-id first:2").code == 0
    identity = read_manifest(place.run("baseline"))["identity"]
    assert identity.keys() == OLD.keys() | {"dataset_fingerprint", "prompts"}
    resumed = place.speclrm("baseline", "--top-k 0 --repetition-penalty 1")
    assert "4 made, 2 already recorded" in resumed.out
    refused = place.speclrm("baseline", "--top-k 40")
    assert refused.code == 2
    assert "top_k: none recorded, 40 asked" in refused.sentence


def test_every_request_of_a_model_asks_for_its_own_sampling(place, monkeypatch):
    asked = {}
    complete = engines.scripted.engine.ScriptedEngine.complete

    async def watched(self, prompt, sampling):
        if not sampling.logprobs_of:
            asked.setdefault(self._settings.model, set()).add(
                tuple(getattr(sampling, option.name) for option in OPTIONS)
            )
        return await complete(self, prompt, sampling)

    monkeypatch.setattr(engines.scripted.engine.ScriptedEngine, "complete", watched)
    options = "--model t --draft-model d --top-k 40 --min-p 0.1 --repetition-penalty 1.1"
    said = place.speclrm("spec", f"{options} --draft-temperature 0.2 --draft-top-k 5")
    assert said.code == 0, said.err
    assert asked == {"t": {(0.6, 0.95, 40, 0.1, 0, 1.1)}, "d": {(0.2, 0.95, 5, 0.1, 0, 1.1)}}
    identity = read_manifest(place.run("spec"))["identity"]
    assert (identity["top_k"], identity["min_p"], identity["repetition_penalty"]) == (40, 0.1, 1.1)
    assert identity["own_sampling"] == {"draft": {"temperature": 0.2, "top_k": 5}}


def test_a_plan_tells_what_is_set(place):
    plan = place.speclrm("spec", "--top-k 40 --draft-temperature 0 --dry-run").out
    assert "sampling       temperature 0.6, top-p 0.95, top-k 40\n" in plan
    assert f"{'':15}draft: temperature 0\n" in plan


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("run baseline --top-k x", "'x' is not a valid integer"),
        ("run baseline --top-k -1", "-1 is not in the range x>=0"),
        ("run baseline --min-p 2", "2.0 is not in the range 0<=x<=1"),
        ("run baseline --repetition-penalty 0", "0.0 is not in the range x>0"),
        ("run baseline --presence-penalty nan", "'nan' is not a finite number"),
        ("run spec --draft-temperature 3", "3.0 is not in the range 0<=x<=2"),
        ("run baseline --draft-top-k 5", "'baseline' uses no draft model; drop --draft-top-k"),
        ("run spec --presence-penalty 1", "'spec' writes a track in several requests here, at"),
        ("run spec --draft-presence-penalty 1", "take --repetition-penalty, which counts the"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_run(command, sentence):
    said = speclrm(command)
    assert said.code == 2
    assert sentence in said.err


def test_an_engine_that_does_not_say_that_it_does_a_setting_is_not_asked_for_it(monkeypatch):
    plain = EngineEntry(name="mine", path="nowhere:Mine")
    monkeypatch.setattr(planning, "entry", lambda _name: plain)
    settings = EngineSettings("scripted", "m")
    with pytest.raises(UserMistake, match=r"The engine mine does not do --top-k; use another"):
        planning.plan(Experiment("baseline", settings, top_k=3))
    own = {"draft": {"min_p": 0.1}}
    with pytest.raises(UserMistake, match=r"The engine mine does not do --draft-min-p"):
        planning.plan(Experiment("spec", settings, settings, own_sampling=own))


def test_vllm_refuses_min_p_under_speculative_decoding():
    speculative = json.dumps({"method": "ngram"})
    asked = EngineSettings("vllm", "m", speculative=speculative, sampling=Sampling(min_p=0.1))
    with pytest.raises(UserMistake, match="--min-p under speculative decoding"):
        VllmEngine(asked)
