"""`speclrm measure` on the bundled pair: what is written, what is left out and why, what fails."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from untried import Untried

from pipeline.errors import UserMistake
from pipeline.measuring.asking import all_asked
from pipeline.measuring.config_reading import read_config
from pipeline.measuring.loaded import Loaded
from pipeline.measuring.planning import plan_decoders
from pipeline.measuring.probe import Ignored, Refused, Supported
from pipeline.measuring.support import combinations_of
from pipeline.measuring.table import DECODERS
from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
PAIR = {"main_model": "pocket-target", "assistant_model": "pocket-draft"}
PROMPTS = {
    "prompts": ["What is 4 + 5 * 3?", "Tom has 3 apples and buys 8 more. How many has he?"],
    "use_chat_template": True,
}
VLLM = {name for name in DECODERS if name.startswith("vllm")}
"""Left out where it is not installed."""
SMALL = PAIR | {"max_new_tokens": 12, "temperature": 0, "device": "cpu"}


class Known(Untried):
    """What transformers 5.19 was found to do, so that nothing is tried here."""

    def answer(self, asked):
        if asked.cache.startswith("offloaded"):
            return Refused("AssertionError: Torch not compiled with CUDA enabled")
        if asked.guesses != "none" and asked.way == "beam":
            return Ignored("assistant: drafted nothing")
        if asked.guesses != "none" and (asked.way == "batched" or asked.cache == "static"):
            return Refused("ValueError: assisted generate is only supported for batch_size = 1")
        return Supported(exact=True)


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_tried():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.cli.measure_run.Probe", Known)
        yield


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def written(folder: Path, **settings: object) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(settings))
    return file


def planned(folder: Path, **settings: object) -> dict[str, tuple[str | None, str | None]]:
    plan = plan_decoders(all_asked(read_config(written(folder, **(SMALL | settings)))), Known())
    return {one.asked: (one.measured, one.reason) for one in plan}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quick example, measured."""
    folder = tmp_path_factory.mktemp("measured")
    said = speclrm(
        f"measure {ROOT / 'examples' / 'measure_quick.json'} --output-dir {folder / 'out'}"
    )
    assert said.code == 0, said
    return folder / "out"


@pytest.fixture(scope="module")
def report(measured: Path) -> dict:
    return json.loads((measured / "report.json").read_text())


def entries(report: dict) -> dict[str, dict]:
    return {one["decoder"]: one for one in report["decoders"]}


def test_each_decoder_has_its_answers_and_its_passes(measured, report):
    passes = lines(measured / "passes.jsonl")
    assert {one["status"] for one in passes} == {"ok"}
    for name in entries(report):
        assert [one["repeat"] for one in passes if one["decoder"] == name] == [0, 1]
        answers = lines(measured / "answers" / f"{name}.jsonl")
        assert {(one["prompt_id"], one["completion"]) for one in answers} == {("0", 0), ("1", 0)}


def test_greedy_batches_and_an_assistant_write_the_tokens_of_standard(report):
    for name in ("batched", "standard_speculative"):
        agreement = entries(report)[name]["agreement"]
        assert agreement["must_be_equal"]
        assert agreement["differing"] == []
        assert agreement["equal"] == agreement["completions"] == 2


def test_a_speculative_row_has_speculated(report):
    pooled = entries(report)["standard_speculative"]["pooled"]
    plain = entries(report)["standard"]["pooled"]
    assert pooled["assistant_forwards"] > 0
    assert pooled["target_forwards"] < plain["target_forwards"]
    assert plain["assistant_forwards"] == 0


def test_tokens_are_counted_to_the_end_of_text_and_not_beyond(measured):
    rows = [
        (row, times)
        for one in lines(measured / "passes.jsonl")
        for call in one["calls"]
        for row, times in zip(call["rows"], call["times"]["token_times"], strict=True)
    ]
    for row, times in rows:
        ids = row["token_ids"]
        assert 0 < len(ids) <= 24
        assert len(times) == len(ids)
    ends = {row["token_ids"][-1] for row, _ in rows if len(row["token_ids"]) < 24}
    for row, _ in rows:
        assert not ends & {*row["token_ids"][:-1]}


def test_speed_of_all_and_latency_of_one_are_two_numbers_by_their_formulas(measured, report):
    for name, entry in entries(report).items():
        of_it = [one for one in lines(measured / "passes.jsonl") if one["decoder"] == name]
        for one, seconds, speed in zip(
            of_it,
            entry["seconds"]["passes"],
            entry["tokens_per_second"]["passes"],
            strict=True,
        ):
            walls = [call["times"]["seconds"] for call in one["calls"]]
            tokens = sum(len(row["token_ids"]) for call in one["calls"] for row in call["rows"])
            assert seconds == pytest.approx(sum(walls))
            assert speed == pytest.approx(tokens / sum(walls))
            for call in one["calls"]:
                assert all(end <= call["times"]["seconds"] for end in call["times"]["latencies"])


def test_a_pass_says_what_was_seen(report):
    seen = {name: one["effective"] for name, one in entries(report).items()}
    assert {one["cache"] for one in seen.values()} == {"DynamicCache"}
    assert {one["attention"] for one in seen.values()} == {"sdpa"}
    assert {one["dtype"] for one in seen.values()} == {"float32"}
    assert seen["nucleus_sampling"]["sampled"]
    assert not seen["beam_search"]["sampled"]
    assert seen["beam_search"]["beams"] == 2
    assert seen["standard_speculative"]["mode"] == "assisted_generation"


def test_decoders_take_turns_and_first_calls_stand_apart(measured, report):
    passes = lines(measured / "passes.jsonl")
    orders = [[one["decoder"] for one in passes if one["repeat"] == repeat] for repeat in (0, 1)]
    assert orders[1] == orders[0][1:] + orders[0][:1]
    for entry in entries(report).values():
        assert entry["first_call"] == entry["warm_up"][0] > 0
    assert all((one["warm_up"] is None) == (one["repeat"] == 1) for one in passes)


def test_a_measurement_is_not_begun_again_unless_it_is_resumed(measured):
    command = f"measure {ROOT / 'examples' / 'measure_quick.json'} --output-dir {measured}"
    said = speclrm(command)
    assert said.code == 2
    assert "--resume" in said.sentence
    before = (measured / "passes.jsonl").read_bytes()
    assert speclrm(f"{command} --resume").code == 0
    assert (measured / "passes.jsonl").read_bytes() == before


def test_lines_of_progress_break_between_words_in_a_narrow_terminal(
    measured, tmp_path, monkeypatch
):
    copy = Path(shutil.copytree(measured, tmp_path / ("a-name-" * 5)))
    passes = (copy / "passes.jsonl").read_bytes().splitlines(keepends=True)
    of_one = [line for line in passes if b'"standard"' in line]
    (copy / "passes.jsonl").write_bytes(b"".join(line for line in passes if line != of_one[-1]))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    config = ROOT / "examples" / "measure_quick.json"
    said = speclrm(f"measure {config} --output-dir {copy} --resume --format json")
    assert said.code == 0
    # What libraries say of loading a model is theirs.
    ours = [line for line in said.err.splitlines() if "\r" not in line and "it/s" not in line]
    assert max(map(len, ours)) <= 30, said.err
    assert re.search(r"standard, pass \d of \d: \d+\s+tokens in", said.err)


@pytest.mark.parametrize("line", ['{"repeat": [0, 1e400]}', "[1]", '{"repeat": {"a": NaN}}'])
def test_passes_that_hold_no_numbers_are_refused_by_line_and_field(measured, tmp_path, line):
    copy = Path(shutil.copytree(measured, tmp_path / "copy"))
    file = copy / "passes.jsonl"
    first = file.read_bytes().splitlines(keepends=True)[0]
    file.write_bytes(first + line.encode() + b"\n")
    config = ROOT / "examples" / "measure_quick.json"
    said = speclrm(f"measure {config} --output-dir {copy} --resume")
    assert said.code == 2
    assert f"{file} cannot be read (line 2" in said.sentence


def test_problems_become_runs_that_are_graded_and_compared(tmp_path):
    config = written(
        tmp_path,
        **(SMALL | {"max_new_tokens": 40}),
        dataset="pocket",
        problem_id="first:2",
        num_completions=1,
        methods_to_test=["standard", "batched", "standard_speculative"],
        repeats=1,
        warm_up=0,
    )
    out = tmp_path / "out"
    assert speclrm(f"measure {config} --output-dir {out}").code == 0
    runs = [out / "runs" / name for name in ("standard", "batched", "standard_speculative")]
    graded = entries(json.loads((out / "report.json").read_text()))
    assert graded["standard"]["accuracy"]["problems"] == 2
    assert graded["standard"]["difference"] is None
    assert graded["batched"]["difference"]["mean"] == 0
    assert graded["standard_speculative"]["costs"]["tokens"]["target_assistant"] > 0
    told = speclrm(f"leaderboard {' '.join(map(str, runs))} --format json")
    assert told.code == 0, told
    rows = json.loads(told.out)["runs"] if "runs" in told.out else json.loads(told.out)
    assert "baseline by batched" in told.out
    assert len(rows) == 3
    assert speclrm(f"compare {runs[0]} {runs[1]}").code == 0


UNSUPPORTED = {
    "beam_search_speculative": ("beam_search", "leaves a part out"),
    "batched_speculative": ("batched", "only supported for batch_size = 1"),
}


@pytest.mark.parametrize(("name", "because"), UNSUPPORTED.items())
def test_what_transformers_would_ignore_is_left_out_with_its_reason(tmp_path, name, because):
    other, said = because
    measured, reason = planned(tmp_path, **PROMPTS, methods_to_test=[name])[name]
    assert measured is None
    assert said in reason
    fallen, reason = planned(tmp_path, **PROMPTS, methods_to_test=[name], fallback=True)[name]
    assert fallen == other
    assert said in reason


def test_without_an_assistant_nothing_speculates(tmp_path):
    found = planned(
        tmp_path,
        **PROMPTS,
        assistant_model=None,
        methods_to_test=["standard_speculative"],
        fallback=True,
    )
    assert found["standard_speculative"][0] == "standard"
    assert "no assistant_model" in found["standard_speculative"][1]


@pytest.mark.parametrize("cache", ["offloaded", "offloaded_static"])
def test_an_offloaded_cache_needs_a_gpu(tmp_path, cache):
    found = planned(tmp_path, **PROMPTS, methods_to_test=["standard"], cache_implementation=cache)
    assert found["standard"][0] is None
    assert "not compiled with CUDA" in found["standard"][1]


COMBINATIONS = {
    "standard": (0, ["greedy, none, default, sdpa, full"]),
    "batched": (0, ["batched, none, default, sdpa, full"]),
    "beam_search": (1, ["beam, none, default, sdpa, full"]),
    "nucleus_sampling": (0, ["nucleus, none, default, sdpa, full"]),
    "batched_speculative": (
        0.7,
        [f"{way}, assistant, default, sdpa, full" for way in ("batched", "nucleus")],
    ),
    "prompt_lookup": (0, ["greedy, lookup, default, sdpa, full"]),
    "early_exit": (0, ["greedy, early_exit, default, sdpa, full"]),
    "continuous_batching": (0, ["greedy, none, paged, sdpa, full"]),
    "window": (0, []),
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_transformers_is_asked_for_what_the_decoder_needs(tmp_path, name):
    temperature, combinations = COMBINATIONS[name]
    config = read_config(written(tmp_path, **(SMALL | PROMPTS | {"temperature": temperature})))
    assert [str(one) for one in combinations_of(DECODERS[name], config)] == combinations


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"early_exit_layer": 9}, "9 of 6 layers"),
        ({"cache_implementation": "static", "methods_to_test": ["continuous_batching"]}, "paged"),
        ({"cache_implementation": "static", "methods_to_test": ["window"]}, "its own cache"),
        ({"attention": "eager", "methods_to_test": ["window"]}, "its own attention"),
        ({"use_quantization": True, "methods_to_test": ["window"]}, "4-bit"),
    ],
)
def test_what_would_have_no_effect_is_left_out(tmp_path, settings, reason):
    asked = {"methods_to_test": ["early_exit"], **settings}
    [(measured, said)] = planned(tmp_path, **PROMPTS, **asked).values()
    assert measured is None
    assert reason in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_before_anything_is_tried(tmp_path):
    with pytest.raises(UserMistake, match="finds no GPUs; say auto or cpu"):
        planned(tmp_path, **PROMPTS, device="cuda")


def test_a_failure_is_a_record_and_the_others_go_on(tmp_path, monkeypatch):
    write = Loaded.write

    def failing(self, decoder, *rest):
        if decoder.name == "batched":
            raise MemoryError("no room")
        return write(self, decoder, *rest)

    monkeypatch.setattr(Loaded, "write", failing)
    config = written(
        tmp_path,
        **SMALL,
        **PROMPTS,
        methods_to_test=["batched", "standard"],
        num_completions=1,
        repeats=1,
        warm_up=0,
    )
    said = speclrm(f"measure {config} --output-dir {tmp_path / 'out'}")
    assert said.code == 1
    found = entries(json.loads((tmp_path / "out" / "report.json").read_text()))
    assert found["batched"]["error"] == {"type": "MemoryError", "message": "no room"}
    assert found["standard"]["status"] == "ok"
    monkeypatch.undo()
    assert speclrm(f"measure {config} --output-dir {tmp_path / 'out'} --resume").code == 1
    assert speclrm(f"measure {config} --output-dir {tmp_path / 'out'} --retry-errors").code == 0


@pytest.mark.parametrize(
    ("warm_up", "in_passes", "kept"),
    [(1, [1, 0], 0), (1, [1, 1, 1], 1), (0, [1], 1)],
    ids=["once more", "again and again", "no warm-up is asked for"],
)
def test_a_pass_in_which_something_is_compiled_is_no_steady_one(
    tmp_path, monkeypatch, warm_up, in_passes, kept
):
    write, calls, counts = Loaded.write, [], [0]
    for compiled in in_passes:
        counts += [counts[-1] + compiled, counts[-1] + compiled]
    monkeypatch.setattr(
        "pipeline.measuring.session.graphs_compiled", lambda: counts.pop(0) if counts else 0
    )
    monkeypatch.setattr(Loaded, "write", lambda *all_of: calls.append(0) or write(*all_of))
    config = written(
        tmp_path,
        **SMALL,
        prompts=["1+1="],
        num_completions=1,
        repeats=1,
        warm_up=warm_up,
        methods_to_test=["standard"],
    )
    assert speclrm(f"measure {config} --output-dir {tmp_path / 'out'}").code == 0
    [one] = lines(tmp_path / "out" / "passes.jsonl")
    assert (len(calls), one["compiled"]) == (warm_up + len(in_passes), kept)


def test_where_a_text_first_differs_it_is_told_how_sure_the_model_was(tmp_path, monkeypatch):
    write = Loaded.write

    def turned(self, decoder, *rest):
        found = write(self, decoder, *rest)
        if decoder.name == "standard":
            return found
        return replace(
            found, tokens=tuple((*row[:3], row[3] + 1, *row[4:]) for row in found.tokens)
        )

    monkeypatch.setattr(Loaded, "write", turned)
    once = {"num_completions": 1, "repeats": 1, "warm_up": 0}
    config = written(tmp_path, **SMALL, **PROMPTS, **once, methods_to_test=["standard", "batched"])
    out = tmp_path / "out"
    assert speclrm(f"measure {config} --output-dir {out}").code == 0
    rows = [row for call in lines(out / "passes.jsonl")[0]["calls"] for row in call["rows"]]
    assert [len(row["gaps"]) for row in rows] == [len(row["token_ids"]) for row in rows]
    found = entries(json.loads((out / "report.json").read_text()))["batched"]["agreement"]
    told = [(one["token"], one["gap"]) for one in found["differing"]]
    assert told == [(3, row["gaps"][3]) for row in rows]
    assert "largest gap" in speclrm(f"measure --show {out} --markdown").out


def test_a_dry_run_plans_and_writes_nothing(tmp_path):
    config = written(
        tmp_path, **SMALL, **PROMPTS, methods_to_test=["standard", "beam_search_speculative"]
    )
    said = speclrm(f"measure {config} --output-dir {tmp_path / 'out'} --dry-run")
    assert said.code == 0
    assert "beam_search_speculative: unsupported: " in said.out
    lines = said.out.splitlines()
    assert [line[:2] for line in lines[1:]] == ["  "] * 2, "a pipe has no width to fit"
    assert not (tmp_path / "out").exists()


def test_a_plan_fits_a_narrow_terminal(tmp_path, monkeypatch):
    config = written(
        tmp_path, **SMALL, **PROMPTS, methods_to_test=["beam_search", "beam_search_speculative"]
    )
    asked = f"measure {config} --output-dir {tmp_path}/{'a-long-name' * 9} --dry-run"
    piped = speclrm(asked).out
    # Rich takes a stream for a terminal where this is set.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    said = speclrm(asked).out
    assert max(map(len, piped.splitlines())) > 60
    assert max(map(len, said.splitlines())) <= 60
    assert "".join(said.split()) == "".join(piped.split()), "nothing is cut"


@pytest.mark.parametrize("name", ["example", "quick", "comprehensive"])
def test_every_example_is_planned(name):
    file = ROOT / "examples" / f"measure_{name}.json"
    plan = plan_decoders(all_asked(read_config(file)), Known())
    assert {one.asked for one in plan} >= {"standard", "batched"}
    left_out = {one.asked for one in plan if one.measured is None} - VLLM
    assert left_out <= {"beam_search_speculative", "batched_speculative"}


def test_the_example_has_the_batches_of_the_documents():
    asked = all_asked(read_config(ROOT / "examples" / "measure_example.json"))
    calls = DECODERS["batched"].cut(asked.asks, asked.config.batch_size)
    assert ["".join(ask.prompt_id for ask in call) for call in calls] == ["0001", "1222"]


def test_a_static_cache_is_seen_and_changes_no_token(tmp_path):
    settings = SMALL | PROMPTS | {"num_completions": 1, "repeats": 1, "warm_up": 0}
    found = {}
    for cache in ("dynamic", "static"):
        asked = {"cache_implementation": cache, "methods_to_test": ["standard", "batched"]}
        config = written(tmp_path, **settings, **asked)
        out = tmp_path / cache
        assert speclrm(f"measure {config} --output-dir {out}").code == 0
        report = entries(json.loads((out / "report.json").read_text()))
        assert {one["effective"]["cache"] for one in report.values()} == {
            f"{cache.capitalize()}Cache"
        }
        found[cache] = texts(out)
    assert found["static"] == found["dynamic"]


def texts(out: Path) -> list[list[list[int]]]:
    return [
        [row["token_ids"] for call in one["calls"] for row in call["rows"]]
        for one in lines(out / "passes.jsonl")
    ]


def test_draws_are_those_of_the_seed_and_beams_are_ranked(tmp_path):
    config = written(
        tmp_path,
        **(SMALL | PROMPTS | {"temperature": 1.5, "top_k": 0, "top_p": 1.0}),
        methods_to_test=["standard", "batched", "beam_search", "nucleus_sampling"],
        num_completions=[2, 1],
        batch_size=2,
        repeats=2,
        warm_up=0,
    )
    out = tmp_path / "out"
    assert speclrm(f"measure {config} --output-dir {out}").code == 0
    passes = lines(out / "passes.jsonl")
    by_repeat = {
        (one["decoder"], one["repeat"]): [
            row["token_ids"] for call in one["calls"] for row in call["rows"]
        ]
        for one in passes
    }
    for name in ("standard", "batched", "beam_search", "nucleus_sampling"):
        assert by_repeat[name, 0] == by_repeat[name, 1]
        assert len(by_repeat[name, 0]) == 3
    assert by_repeat["standard", 0][0] != by_repeat["standard", 0][1]
    assert by_repeat["beam_search", 0][0] != by_repeat["beam_search", 0][1]
    asked = {one["decoder"]: one["requested"] for one in passes}
    assert asked["nucleus_sampling"]["temperature"] == 0.8
    assert asked["standard"]["temperature"] == 1.5
    assert asked["beam_search"]["num_beams"] == 2
    assert asked["beam_search"]["temperature"] == 0


def test_a_pass_that_was_torn_or_interrupted_is_made_again_and_no_other(tmp_path, monkeypatch):
    config = written(
        tmp_path,
        **SMALL,
        dataset="pocket",
        problem_id="0",
        num_completions=1,
        methods_to_test=["standard", "batched"],
        repeats=2,
        warm_up=0,
    )
    out, write, calls = tmp_path / "out", Loaded.write, []

    def interrupted(self, *rest):
        calls.append(rest)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return write(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Loaded, "write", interrupted)
        said = speclrm(f"measure {config} --output-dir {out}")
    assert said.code == 3
    assert "--resume" in said.err
    made = (out / "passes.jsonl").read_bytes().splitlines(keepends=True)
    assert len(made) == 3
    (out / "passes.jsonl").write_bytes(b"".join(made[:2]) + made[2][:50])
    shutil.rmtree(out / "runs" / "batched")
    assert speclrm(f"measure {config} --output-dir {out} --resume").code == 0
    passes = lines(out / "passes.jsonl")
    assert sorted((one["decoder"], one["repeat"]) for one in passes) == [
        ("batched", 0),
        ("batched", 1),
        ("standard", 0),
        ("standard", 1),
    ]
    assert (out / "passes.jsonl").read_bytes().startswith(b"".join(made[:2]))
    for name in ("standard", "batched"):
        [attempt] = read_attempts(out / "runs" / name)
        first = next(one for one in passes if one["decoder"] == name)["calls"][0]
        assert attempt.seconds == pytest.approx(first["times"]["latencies"][0], abs=1e-5)
        assert attempt.started == first["began"]


def test_where_nothing_can_be_measured_that_is_a_mistake(tmp_path):
    config = written(tmp_path, **SMALL, **PROMPTS, methods_to_test=["beam_search_speculative"])
    said = speclrm(f"measure {config} --output-dir {tmp_path / 'out'}")
    assert said.code == 2
    assert not (tmp_path / "out").exists()
