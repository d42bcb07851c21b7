"""Clock and memory of a call: what is counted, and by which formula, in every way of generating."""

import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_models import tiny_model
from transformers.generation.candidate_generator import PromptLookupCandidateGenerator

from pipeline.measuring import gaps, memory
from pipeline.measuring.clock import CallTimes, Clock
from pipeline.measuring.memory import MemoryMeter
from pipeline.measuring.speed import Percentiles, speed_of

PROMPT = torch.tensor([[5, 6, 7, 8, 9, 5, 6]])
NEW = 12
GREEDY = {"do_sample": False, "max_new_tokens": NEW, "pad_token_id": 0, "eos_token_id": None}


def timed(prompts=PROMPT, *, assistant=None, **arguments):
    """The texts' new ids, and the times of the call, where the clock ticks once a look."""
    ticks = itertools.count()
    clock = Clock(tiny_model(), assistant, now=lambda: float(next(ticks)))
    if assistant is not None:
        arguments["assistant_model"] = assistant
    with clock.running(prompts.shape[1]):
        asked = {**GREEDY, **arguments}
        texts = tiny_model().generate(prompts, stopping_criteria=[clock.criterion], **asked)
    new = texts[:, prompts.shape[1] :].tolist()
    return new, clock.read([len(one) for one in new], search=arguments.get("num_beams", 1) > 1)


def copy_of_target():
    """A model with the target's weights that is not the target."""
    return tiny_model(4, seed=0.0)


WAYS = {
    "greedy": ({}, NEW, 0),
    "sampling": ({"do_sample": True}, NEW, 0),
    "several samples of a prompt": ({"do_sample": True, "num_return_sequences": 3}, NEW, 0),
    "beams": ({"num_beams": 3}, NEW, 0),
    "a static cache": ({"cache_implementation": "static"}, NEW, 0),
    "a prompt read in pieces of three": ({"prefill_chunk_size": 3}, NEW + 2, 0),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_token_has_its_own_commit_where_nothing_is_guessed(way):
    arguments, target, assistant = WAYS[way]
    _, times = timed(**arguments)
    assert (times.target_forwards, times.assistant_forwards) == (target, assistant)
    assert all(len(set(row)) == NEW for row in times.token_times)
    assert (times.proposed, times.accepted) == (0, 0)
    assert speed_of([times]).acceptance is None


@pytest.mark.parametrize(
    "arguments",
    [{"prompt_lookup_num_tokens": 3}, {"assistant_early_exit": 2}, {"assistant_early_exit": 3}],
    ids=str,
)
def test_a_forward_of_guesses_is_told_from_one_that_checks_them(arguments):
    seen = []
    hook = tiny_model().register_forward_hook(lambda *_: seen.append(None))
    try:
        new, times = timed(**arguments)
    finally:
        hook.remove()
    assert new == timed()[0]
    # What a hook on the module counts as the target's.
    assert len(seen) == times.target_forwards + times.assistant_forwards
    commits = len(set(times.token_times[0]))
    assert times.target_forwards == commits
    assert times.accepted == NEW - commits
    assert ("assistant_early_exit" in arguments) == (times.assistant_forwards > 0)


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({}, 1),
        ({"do_sample": True, "num_return_sequences": 3}, 3),
        ({"num_beams": 3}, 3),
        ({"prompt_lookup_num_tokens": 3}, 1),
        ({"assistant_early_exit": 2}, 1),
        ({"assistant": copy_of_target()}, 1),
    ],
    ids=["greedy", "samples", "beams", "lookup", "early exit", "assistant"],
)
def test_a_prompt_is_read_once_though_guesses_may_be_read_with_it(arguments, rows):
    _, times = timed(**arguments)
    prompts = rows * PROMPT.shape[1]
    assert times.target_work.prompt == prompts
    assert times.target_work.attended_prompt == rows * sum(range(PROMPT.shape[1] + 1))
    # Each commit but the last is fed, and every guess.
    commits = len(set(times.token_times[0]))
    assert times.target_work.tokens == rows * (commits - 1) + times.proposed
    if "assistant" in arguments:
        assert times.assistant_work.prompt == prompts


def test_an_assistant_that_is_always_right_is_accepted_wholly():
    new, times = timed(assistant=copy_of_target())
    assert new == timed()[0]
    assert times.assistant_forwards >= times.proposed == times.accepted > 0
    assert times.target_forwards + times.accepted == NEW
    assert speed_of([times]).acceptance == 1.0


def test_guesses_that_a_version_asks_about_before_they_are_read_are_no_commit(monkeypatch):
    told = timed(prompt_lookup_num_tokens=3)
    guess, asked = PromptLookupCandidateGenerator.get_candidates, []

    def as_before_5_18(self, input_ids, **named):
        ids, logits = guess(self, input_ids, **named)
        asked.append(asking[0](ids, None))
        return ids, logits

    made, asking = Clock.criterion.fget, []
    monkeypatch.setattr(
        Clock, "criterion", property(lambda clock: asking.append(made(clock)) or asking[0])
    )
    monkeypatch.setattr(PromptLookupCandidateGenerator, "get_candidates", as_before_5_18)
    assert timed(prompt_lookup_num_tokens=3) == told
    assert len(asked) == told[1].target_forwards


def test_an_assistant_that_a_beam_search_ignores_has_no_forwards():
    _, times = timed(assistant=copy_of_target(), num_beams=2)
    assert times.assistant_forwards == 0


def test_tokens_that_went_through_the_models_are_counted_with_padding_and_guesses():
    _, alone = timed()
    assert alone.target_computed == PROMPT.shape[1] + NEW - 1
    _, four = timed(PROMPT.repeat(4, 1))
    assert four.target_computed == 4 * alone.target_computed
    _, guessed = timed(prompt_lookup_num_tokens=3)
    refused = guessed.proposed - guessed.accepted
    assert guessed.target_computed == alone.target_computed + refused


def test_a_sequence_ends_with_its_own_last_token_and_a_beam_with_the_search():
    clock = Clock(tiny_model(), now=map(float, itertools.count()).__next__)
    with clock.running(PROMPT.shape[1]):
        prompts = PROMPT.repeat(2, 1)
        tiny_model().generate(prompts, stopping_criteria=[clock.criterion], **GREEDY)
    # The first sequence ended at its third token, and is padded since.
    assert clock.read([3, NEW]).latencies == (3.0, float(NEW))
    assert clock.read([3, NEW], search=True).latencies == (NEW + 1.0, NEW + 1.0)
    assert clock.read([0, NEW]).latencies == (NEW + 1.0, float(NEW))


def test_the_target_is_as_before_after_a_call_and_after_one_that_fails():
    before = vars(tiny_model()).keys() - {"_compiled_call"}
    timed()
    with pytest.raises(ValueError, match="batch_size = 1"):
        timed(PROMPT.repeat(2, 1), prompt_lookup_num_tokens=3)
    assert vars(tiny_model()).keys() - {"_compiled_call"} == before


def test_a_misspelt_argument_is_still_refused_under_the_clock():
    with pytest.raises(ValueError, match="top_q"):
        timed(top_q=1)


@pytest.mark.parametrize("piece", [1, 4, 100])
def test_a_gap_is_that_of_the_two_likeliest_tokens_however_the_text_is_read(monkeypatch, piece):
    monkeypatch.setattr(gaps, "PIECE", piece)
    text, prompt = PROMPT[0].tolist(), 3
    found = gaps.gaps(tiny_model(), text[:prompt], text[prompt:])
    with torch.inference_mode():
        said = tiny_model()(PROMPT).logits[0].log_softmax(-1)[prompt - 1 : -1]
    first, second = said.topk(2).values.unbind(-1)
    assert found == pytest.approx((first - second).tolist(), abs=1e-3)
    assert len(found) == len(text) - prompt


CALL = CallTimes(
    seconds=10.0,
    tokens=(4, 1),
    token_times=((2.0, 3.0, 3.0, 8.0), (2.0,)),
    latencies=(8.0, 2.0),
    target_forwards=3,
    assistant_forwards=6,
    target_computed=9,
    assistant_computed=9,
    proposed=4,
    accepted=1,
)


def test_each_figure_of_speed_is_its_formula():
    speed = speed_of([CALL, CALL])
    assert (speed.seconds, speed.tokens, speed.tokens_per_second) == (20.0, 10, 0.5)
    assert speed.first_token == 2.0
    # Pauses 1 and 5 twice: the two tokens of one window came without a pause.
    assert speed.inter_token == Percentiles(3.0, 5.0, 5.0)
    assert speed.latency == Percentiles(5.0, 8.0, 8.0)
    assert speed.seconds_per_token == 2.0
    assert speed.tokens_per_target_forward == pytest.approx(10 / 6)
    assert speed.acceptance == 0.25


def test_what_a_call_does_not_know_is_none_in_the_sum():
    unknown = CallTimes(1.0, (3,), None, None, None, None, None, None, None, None)
    speed = speed_of([CALL, unknown])
    assert speed.tokens_per_second == pytest.approx(8 / 11)
    assert speed.first_token is None
    assert speed.inter_token is None
    assert speed.latency is None
    assert speed.target_forwards is None
    assert speed.tokens_per_target_forward is None
    assert speed.acceptance is None


def test_no_calls_have_no_speed():
    speed = speed_of([])
    assert (speed.tokens, speed.tokens_per_second, speed.target_forwards) == (0, None, None)


TAKEN = 64 * 2**20


def take():
    torch.ones(TAKEN, dtype=torch.uint8)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("may_reset", [True, False])
def test_the_peak_of_a_call_is_over_what_was_resident_before(monkeypatch, may_reset):
    kept = torch.ones(TAKEN, dtype=torch.uint8)
    if not may_reset:
        monkeypatch.setattr(memory, "CLEAR_REFS", Path("/proc/self/no such file"))
        # A sample between the taking and the giving back, however busy the machine is.
        monkeypatch.setattr(memory, "SAMPLE_SECONDS", 0.0)
    meter = MemoryMeter(tiny_model())
    with meter.running():
        used = torch.ones(TAKEN, dtype=torch.uint8)
    found = meter.read()
    assert found.measured in (("peak", "sampled") if may_reset else ("sampled",))
    assert TAKEN * 0.9 < found.peak < TAKEN * 2
    assert found.reserved is None
    assert kept.nbytes == used.nbytes


def test_a_peak_that_did_not_rise_is_unknown_rather_than_none_at_all(monkeypatch):
    monkeypatch.setattr(memory, "_status_bytes", lambda name: 10 if name == "VmHWM" else 20)
    monkeypatch.setattr(memory, "CLEAR_REFS", Path(os.devnull))
    meter = MemoryMeter(tiny_model())
    with meter.running():
        pass
    assert meter.read().peak is None


def test_memory_is_unknown_where_nothing_can_be_read(monkeypatch):
    monkeypatch.setattr(memory, "STATUS", Path("/proc/self/no such file"))
    meter = MemoryMeter(tiny_model(), tiny_model(2))
    with meter.running():
        take()
    found = meter.read()
    assert (found.peak, found.reserved, found.measured) == (None, None, None)
    assert 0 < found.assistant_weights < found.weights


GPU = torch.device("cuda:1")


class OnGpu:
    """As much of a model on a GPU as the clock and the meter look at."""

    device = GPU
    base_model_prefix = ""
    config = SimpleNamespace(num_hidden_layers=1)

    def prepare_inputs_for_generation(self, ids):
        return {"input_ids": ids}

    def get_memory_footprint(self):
        return 40


def test_a_gpu_is_waited_for_at_the_start_at_every_commit_and_at_the_end(monkeypatch):
    waited, seen = [], []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    model = OnGpu()
    # Every look at the clock says how often the GPU was waited for by then.
    clock = Clock(model, now=lambda: float(seen.append(len(waited)) or len(waited)))
    with clock.running(3):
        for length in (4, 5):
            model.prepare_inputs_for_generation(torch.zeros(1, length - 1))
            clock.committed(length)
    assert waited == [GPU] * 4
    assert seen == [1, 2, 3, 4]
    assert clock.read([2]).token_times == ((1.0, 2.0),)


def test_a_gpus_peaks_are_those_of_the_call_over_what_was_there_after_it_is_waited_for(monkeypatch):
    done = []
    bytes_of = {"allocated": 50, "reserved": 64}
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: done.append(name))
    for name, size in bytes_of.items():
        monkeypatch.setattr(torch.cuda, f"memory_{name}", lambda _, size=size: size)
        peak = size + 6 if name == "allocated" else size
        monkeypatch.setattr(
            torch.cuda, f"max_memory_{name}", lambda _, peak=peak: done.append("read") or peak
        )
    meter = MemoryMeter(OnGpu(), OnGpu())
    with meter.running():
        done.append("call")
    began, ended = done[: done.index("call")], done[done.index("call") + 1 :]
    assert began == ["synchronize", "empty_cache", "reset_peak_memory_stats"]
    assert ended == ["synchronize", "read", "read"]
    found = meter.read()
    assert (found.measured, found.peak, found.reserved) == ("cuda", 6, None)
    assert (found.weights, found.assistant_weights) == (40, 40)
