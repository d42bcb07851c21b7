"""The probe of transformers: what combinations really do, kept per versions, under limits."""

from dataclasses import replace
from pathlib import Path

import draw_compatibility
import pytest
import torch
from tiny_models import tiny_model

from pipeline.errors import RunStopped
from pipeline.measuring import probe as probing
from pipeline.measuring.clock import Clock
from pipeline.measuring.combination import FLEX, UNCAPPED, Combination, quick_grid
from pipeline.measuring.effective import Observer, what_was_ignored
from pipeline.measuring.probe import Ignored, Probe, Refused, Supported
from pipeline.measuring.probe_process import Limits, probed
from speclrm_testing.commands import speclrm

SCRIPT = [str(Path(__file__).with_name("probed_by_a_script.py"))]
MIB = 2**20


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Everything of the page, probed anew with the installed versions."""
    return Probe(tmp_path_factory.mktemp("probe")).what_they_do(quick_grid())


def test_the_page_says_what_the_installed_version_does(answers):
    text = draw_compatibility.PAGE.read_text(encoding="utf-8")
    _, marker, drawn = text.partition(draw_compatibility.MARKER)
    assert marker
    here, _, there = draw_compatibility.here().partition(", device")
    if f", device{there}" not in drawn:
        pytest.skip(f"the page was drawn on another device or with other packages than {here}")
    shown = drawn[drawn.index("\n## Caches") : drawn.index(draw_compatibility.REASONS)]
    assert shown == draw_compatibility.tables(answers), "run: python docs/draw_compatibility.py"


@pytest.mark.parametrize("way", ["greedy", "batched", "beam"])
@pytest.mark.parametrize("guesses", ["none", "assistant", "lookup", "early_exit"])
def test_what_works_writes_the_tokens_of_plain_generation(answers, way, guesses):
    caches = ("default", "dynamic", "static", "paged")
    for cache in caches:
        answer = answers.get(Combination(way, guesses, cache))
        assert not isinstance(answer, Supported) or answer.exact


def test_beams_leave_guesses_out_without_an_error(answers):
    for guesses, reason in {
        "assistant": "assistant: drafted nothing",
        "lookup": "prompt lookup: guessed nothing",
        "early_exit": "early exit: drafted nothing",
        "assistant+lookup": "assistant: drafted nothing",
    }.items():
        assert answers[Combination("beam", guesses)] == Ignored(reason)


def test_a_combination_that_takes_all_memory_is_ended_and_the_others_go_on(answers):
    if torch.cuda.is_available():
        pytest.skip("there the size follows from the GPU's memory")
    assert answers[Combination(cache=UNCAPPED)] == Refused("killed: memory")
    assert answers[Combination(attention="eager")] == Supported(exact=True)


def test_every_combination_of_the_page_has_an_answer_and_none_is_slow(answers):
    assert set(answers) == set(quick_grid())
    assert not any(one.attention == FLEX for one in quick_grid())


@pytest.mark.parametrize(
    ("way", "ending"),
    [
        ("beam", "killed: memory"),
        ("sampling", "killed: SIGSEGV"),
        ("nucleus", "ended with code 7"),
        ("samples", None),
    ],
)
def test_how_a_process_ended_is_the_answer_and_the_next_is_asked_of_another(tmp_path, way, ending):
    limits = Limits(memory=64 * MIB, seconds=600.0)
    cells = [Combination(), Combination(way), Combination(cache="static")]
    found = dict(probed(cells, tmp_path, limits=limits, program=SCRIPT))
    assert [found[cell]["verdict"] for cell in (cells[0], cells[2])] == ["works", "works"]
    assert found[cells[1]].get("reason") == ending


def test_a_combination_that_never_ends_is_ended(tmp_path):
    limits = Limits(seconds=0.0)
    found = dict(probed([Combination("batched")], tmp_path, limits=limits, program=SCRIPT))
    assert found == {Combination("batched"): {"verdict": "refused", "reason": "killed: time"}}


def test_a_process_that_does_not_start_says_its_last_words(tmp_path):
    broken = ["-c", "raise ImportError('no termcolor')"]
    with pytest.raises(RunStopped, match=r"ended with code 1 \(ImportError: no termcolor\)"):
        list(probed([Combination()], tmp_path, program=broken))


@pytest.mark.parametrize("on_cpu", [True, False])
def test_gpus_are_hidden_from_a_probe_of_the_cpu_alone(tmp_path, monkeypatch, on_cpu):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    says = (
        "import json, os, sys; print('ready', flush=True); sys.stdin.readline(); "
        "print(json.dumps({'reason': os.environ['CUDA_VISIBLE_DEVICES']}), flush=True)"
    )
    [(_, found)] = probed([Combination()], tmp_path, program=["-c", says], on_cpu=on_cpu)
    assert found == {"reason": "" if on_cpu else "7"}


def test_a_probe_of_a_gpu_may_take_more_and_is_not_that_of_the_cpu_beside_it(tmp_path, monkeypatch):
    limits = []

    def scripted(combinations, models, **how):
        limits.append(how["limits"].memory)
        return probed(combinations, models, program=SCRIPT)

    monkeypatch.setattr(probing, "probed", scripted)
    monkeypatch.setattr(probing, "gpus", lambda: ["a GPU"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for on_cpu in (False, True):
        Probe(tmp_path, on_cpu=on_cpu).what_it_does(Combination())
    assert limits == [8 << 30, 2 << 30]


def test_what_a_gpu_compiles_has_the_time_for_it():
    limits = Limits(seconds=1.0, compiling_seconds=2.0)
    compiled = {"static", "offloaded_static", "quantized"}
    caches = ("default", "static", "offloaded", "offloaded_static", "quantized")
    assert {one for one in caches if limits.of(Combination(cache=one)) == 2.0} == compiled


def test_half_precision_need_not_write_the_tokens_of_single():
    assert not Combination(attention="flash_attention_2").lossless
    assert Combination(attention="eager").lossless


def counting(monkeypatch):
    """The script in place of the libraries; the cells that it was asked, in order."""
    asked = []

    def scripted(combinations, models, **how):
        asked.extend(combinations)
        return probed(combinations, models, program=SCRIPT, **how)

    monkeypatch.setattr(probing, "probed", scripted)
    return asked


def test_what_was_found_is_kept_and_only_the_rest_is_tried(tmp_path, monkeypatch):
    asked = counting(monkeypatch)
    one, other = Combination(), Combination("samples")
    assert Probe(tmp_path).what_it_does(one) == Supported(exact=True)
    assert Probe(tmp_path).unknown([one, other]) == [other]
    assert set(Probe(tmp_path).what_they_do([one, other, one])) == {one, other}
    assert asked == [one, other]


def test_a_probe_that_begins_again_forgets(tmp_path, monkeypatch):
    asked = counting(monkeypatch)
    Probe(tmp_path).what_it_does(Combination())
    Probe(tmp_path, again=True).what_it_does(Combination())
    assert asked == [Combination()] * 2


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"versions": {}, "cells": []}',
        b'{"cells": [{"cell": {"way": 1}}]}',
    ],
)
def test_a_damaged_file_is_made_again(tmp_path, monkeypatch, damage):
    asked = counting(monkeypatch)
    probe = Probe(tmp_path)
    probe.what_it_does(Combination())
    whole = probe.file.read_bytes()
    probe.file.write_bytes(damage)
    assert Probe(tmp_path).what_it_does(Combination()) == Supported(exact=True)
    assert len(asked) == 2
    assert probe.file.read_bytes() == whole


def test_a_verdict_that_nobody_knows_makes_the_file_anew(tmp_path, monkeypatch):
    counting(monkeypatch)
    probe = Probe(tmp_path)
    probe.what_it_does(Combination())
    probe.file.write_text(probe.file.read_text().replace('"works"', '"perhaps"'))
    assert Probe(tmp_path).unknown([Combination()]) == [Combination()]


def test_other_versions_have_another_file(tmp_path, monkeypatch):
    before = Probe(tmp_path).file
    monkeypatch.setattr(probing, "version", lambda _: "99")
    assert Probe(tmp_path).file != before


def test_a_cache_that_cannot_be_written_changes_no_answer(tmp_path, monkeypatch):
    counting(monkeypatch)
    (tmp_path / "file").write_text("in the way")
    assert Probe(tmp_path / "file").what_it_does(Combination()) == Supported(exact=True)


PROMPT = torch.tensor([[5, 6, 7, 8, 9, 5, 6]])
PLAIN = {"do_sample": False, "max_new_tokens": 6, "pad_token_id": 0, "eos_token_id": None}


def observed(**arguments):
    """What a real call did, and its times."""
    model = tiny_model()
    observer, clock = Observer(model), Clock(model, arguments.get("assistant_model"))
    with observer.watching(), clock.running(PROMPT.shape[1]):
        model.generate(PROMPT, stopping_criteria=[clock.criterion], **{**PLAIN, **arguments})
    return observer.read(), clock.read([6])


@pytest.mark.parametrize(
    ("arguments", "mode", "cache"),
    [
        ({}, "greedy_search", "DynamicCache"),
        ({"do_sample": True}, "sample", "DynamicCache"),
        ({"num_beams": 2}, "beam_search", "DynamicCache"),
        ({"num_beams": 2, "do_sample": True}, "beam_sample", "DynamicCache"),
        ({"cache_implementation": "static"}, "greedy_search", "StaticCache"),
        ({"assistant_early_exit": 2}, "assisted_generation", "DynamicCache"),
        ({"use_cache": False}, "greedy_search", None),
    ],
)
def test_what_a_call_did_is_seen_in_the_call(arguments, mode, cache):
    did, _ = observed(**arguments)
    assert (did.mode, did.cache, did.attention) == (mode, cache, "sdpa")
    assert (did.dtype, did.device, did.weights, did.compiled) == ("float32", "cpu", None, False)
    assert (did.beams or 1) == arguments.get("num_beams", 1)


def test_what_transformers_says_is_kept_each_time_and_not_printed(capsys):
    for _ in range(2):
        did, _ = observed(num_beams=2, assistant_model=tiny_model(2, seed=1))
        assert "some of the set flags will be ignored" in " ".join(did.warnings)
    assert capsys.readouterr().err == ""


def test_attention_over_blocks_is_the_attention_that_was_asked_for(monkeypatch):
    model = tiny_model()
    monkeypatch.setattr(model.config, "_attn_implementation_internal", "paged|sdpa")
    assert model.config._attn_implementation == "paged|sdpa"
    assert Observer(model).read().attention == "sdpa"


ASKED = Combination()


@pytest.mark.parametrize(
    ("arguments", "asked", "ignored"),
    [
        ({}, ASKED, None),
        ({}, replace(ASKED, guesses="assistant"), "assistant: drafted nothing"),
        ({}, replace(ASKED, guesses="lookup"), "prompt lookup: guessed nothing"),
        ({"assistant_early_exit": 2}, replace(ASKED, guesses="early_exit"), None),
        ({"prompt_lookup_num_tokens": 3}, replace(ASKED, guesses="lookup"), None),
        ({}, replace(ASKED, cache="static"), "static cache: DynamicCache seen"),
        ({}, replace(ASKED, cache="quantized"), "quantized cache: DynamicCache seen"),
        ({}, replace(ASKED, cache="offloaded"), "offloaded cache: DynamicCache seen"),
        ({}, replace(ASKED, attention="eager"), "eager: sdpa seen"),
        ({}, replace(ASKED, weights="4-bit"), "4-bit weights: full seen"),
        ({}, replace(ASKED, way="beam"), "beams: one text at a time"),
        ({}, replace(ASKED, way="sampling"), "sampling: not drawn"),
        ({"do_sample": True}, ASKED, "greedy: drawn"),
    ],
)
def test_what_was_asked_and_not_done_is_named(arguments, asked, ignored):
    assert what_was_ignored(asked, *observed(**arguments)) == ignored


def test_a_failed_draft_of_early_exit_leaves_the_model_whole():
    model = tiny_model()
    clock = Clock(model)
    # The draft's own call refuses a cache that is named beside the one that it has.
    broken = {"assistant_early_exit": 2, "cache_implementation": "dynamic"}
    with pytest.raises(ValueError, match="Passing both"), clock.running(PROMPT.shape[1]):
        model.generate(PROMPT, **{**PLAIN, **broken})
    assert model.config.num_hidden_layers == 4


@pytest.mark.parametrize("option", ["", "--probe-again"])
def test_the_command_tries_again_what_is_kept_only_where_it_is_asked(tmp_path, monkeypatch, option):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = counting(monkeypatch)
    Probe().what_it_does(Combination())
    file = tmp_path / "c.toml"
    file.write_text(
        'main_model = "pocket-target"\nprompts = ["1+1="]\ntemperature = 0\n'
        'methods_to_test = ["standard"]\n'
    )
    said = speclrm(f"measure {file} --dry-run {option}")
    assert (said.code, len(asked)) == (0, 2 if option else 1)
