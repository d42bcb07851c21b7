"""Results of other programs become runs that are graded and ranked beside ours."""

import json
import os
import pickle
import shlex
from collections import Counter, OrderedDict, defaultdict
from dataclasses import replace

import foreign_results as foreign
import numpy as np
import pytest
from commands import speclrm
from foreign_results import PROBLEMS, dump, sample, samples_file, ssr_spec, step
from hypothesis import given
from hypothesis import strategies as st

from evaluators.metrics import run_metrics
from pipeline import records
from pipeline.imports import ssr
from pipeline.imports.entries import Solved
from pipeline.imports.fields import CorruptEntry
from pipeline.imports.unpickle import load_plain
from pipeline.run_directory import read_attempts, read_manifest

ATTEMPT = records.Attempt(
    dataset="sums",
    problem_id="60",
    repeat_id=0,
    seed=None,
    reasoner="spec",
    status="ok",
    gold="2",
    kind="latex",
    choice_order=(),
    prompt_sha256=None,
    tracks=(),
    vote=None,
    response=None,
    answer=None,
    usage=None,
    seconds=None,
    started=None,
)
RIGHT, WRONG = "\\boxed{2}", "\\boxed{3}"


@pytest.fixture
def bring(tmp_path):
    """Import into a new run; returns what the command said and the run."""
    data = foreign.data_file(tmp_path)

    def run(source, *files, rows=data, options=""):
        names = shlex.join(map(str, files))
        out = tmp_path / "imported"
        said = speclrm(
            f"import {names} --from {source} --data-file {rows} --output-dir {out} {options}"
        )
        return said, out

    return run


def the_attempt(bring, source, file):
    said, run = bring(source, file)
    assert said.code == 0, said.err
    [attempt] = read_attempts(run)
    return attempt


# SpecReason


def test_specreason_steps_keep_their_authors_scores_and_tokens(bring, tmp_path):
    steps = [step("One."), step("Bad.", rewritten=RIGHT, score=3, stop_reason="finished")]
    attempt = the_attempt(bring, "specreason", dump(steps, tmp_path / "60" / "0.pickle"))
    kept, rewritten = attempt.tracks[0].steps
    assert (kept.author, kept.score, kept.tokens, kept.text) == ("draft", 9, 10, "One.\n\n")
    assert (rewritten.author, rewritten.draft_text, rewritten.draft_tokens) == (
        "target",
        "Bad.",
        10,
    )
    assert (attempt.response, attempt.answer) == ("One.\n\n" + RIGHT, "2")


def test_every_known_token_is_booked_once_and_unknown_ones_stay_null(bring, tmp_path):
    steps = [step("One."), step("Bad.", rewritten=RIGHT, score=3, stop_reason="finished")]
    attempt = the_attempt(bring, "specreason", dump(steps, tmp_path / "60" / "0.pickle"))
    generated = {
        (model, use): tokens.generated
        for model, uses in attempt.usage.items()
        for use, tokens in uses.items()
    }
    assert generated == {
        ("draft", "draft_kept"): 10,
        ("draft", "draft_dropped"): 10,
        ("target", "rewrite"): 20,
        ("target", "verify"): 2,
    }
    assert attempt.usage["target"]["rewrite"].prompt_new is None
    assert (attempt.seconds, attempt.seed, attempt.started) == (None, None, None)


@pytest.mark.parametrize(
    ("texts", "said", "stop"),
    [
        (["a", RIGHT], "finished", "finished"),
        (["a", "b", "b"], "finished", "repeated"),
        (["a", RIGHT, RIGHT], "finished", "finished"),
        (["a"], "budget", "budget"),
        (["a"], None, "error"),
    ],
)
def test_why_a_specreason_track_ended_is_told_apart(bring, tmp_path, texts, said, stop):
    steps = [step(text) for text in texts]
    if said is not None:
        steps[-1]["stop_reason"] = said
    attempt = the_attempt(bring, "specreason", dump(steps, tmp_path / "60" / "0.pickle"))
    assert attempt.tracks[0].stop == stop


# SSR


def test_an_ssr_baseline_is_one_track_with_its_model_and_time(bring, tmp_path):
    said, run = bring("ssr", dump(foreign.ssr_baseline(RIGHT), tmp_path / "60-2.pickle"))
    assert said.code == 0, said.err
    [attempt] = read_attempts(run)
    assert (attempt.reasoner, attempt.repeat_id, attempt.seconds) == ("baseline", 2, 2.5)
    assert attempt.usage["target"]["plain"].generated == 30
    assert read_manifest(run)["identity"]["target"]["model"] == "Qwen/QwQ-32B"


def test_the_gold_answer_is_ours_and_never_the_foreign_files(bring, tmp_path):
    file = dump(foreign.ssr_baseline(RIGHT), tmp_path / "60-0.pickle")
    assert the_attempt(bring, "ssr", file).gold == "2"


def test_parallel_results_become_tracks_with_the_vote_as_it_was_held(bring, tmp_path):
    record = foreign.ssr_parallel(WRONG, RIGHT, RIGHT, chosen=1)
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert (attempt.reasoner, len(attempt.tracks)) == ("parallel", 3)
    assert attempt.vote.classes == (("0",), ("1", "2"))
    assert (attempt.vote.chosen, attempt.vote.winner, attempt.response) == ("1", "2", RIGHT)
    assert attempt.usage["target"]["plain"].generated == 90


def test_without_a_winner_there_is_no_response(bring, tmp_path):
    record = foreign.ssr_parallel(WRONG, "nothing", chosen=None)
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert (attempt.status, attempt.response, attempt.vote.chosen) == ("ok", None, None)


def test_method_tracks_have_our_methods_names(bring, tmp_path):
    tracks = {"A1": [step("So."), step(RIGHT)], "M1": [step(WRONG)]}
    record = ssr_spec(tracks, best="A1")
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert [track.method for track in attempt.tracks] == ["algebraic-simplification", "unknown"]
    assert (attempt.vote.chosen, attempt.answer) == ("A1", "2")


def test_numbers_of_numpy_are_numbers(bring, tmp_path):
    record = ssr_spec({"A1": [step(RIGHT, score=np.float64(8.5))]}, best="A1")
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert attempt.tracks[0].steps[0].score == 8.5


def test_a_record_without_tracks_is_a_failed_attempt(bring, tmp_path):
    said, run = bring("ssr", dump(ssr_spec({}), tmp_path / "60-0.pickle"))
    assert "1 of them unreadable and kept as errors" in said.out
    [attempt] = read_attempts(run)
    assert attempt.error.message.endswith("holds no track: the script failed on this problem")


def places(value, way=()):
    """The way to every value inside `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        yield (*way, key)
        if isinstance(part, dict | list):
            yield from places(part, (*way, key))


RECORDS = {
    "baseline": lambda: foreign.ssr_baseline(RIGHT),
    "parallel": lambda: foreign.ssr_parallel(WRONG, RIGHT, chosen=1),
    "spec": lambda: ssr_spec({"A1": [step("So."), step(RIGHT)], "B1": [step(WRONG)]}, best="A1"),
}
DAMAGE = [None, True, -1, 2.5, float("inf"), 10**400, "x", "\ud800", b"x", [], [[]], {}, {1: 2}]


@given(
    kind=st.sampled_from(list(RECORDS)),
    place=st.integers(0, 10_000),
    damage=st.sampled_from(DAMAGE),
)
def test_any_damage_to_a_record_leaves_one_attempt_read_or_failed(
    tmp_path_factory, kind, place, damage
):
    record = RECORDS[kind]()
    ways = list(places(record))
    *way, last = ways[place % len(ways)]
    holder = record
    for key in way:
        holder = holder[key]
    holder[last] = damage
    file = dump(record, tmp_path_factory.mktemp("damaged") / "60-0.pickle")
    [entry] = ssr.entries((file,))
    if isinstance(entry.found, Solved):
        attempt = replace(ATTEMPT, tracks=entry.found.tracks, vote=entry.found.vote)
        assert records.decode(records.encode(attempt)).tracks == entry.found.tracks


# lm-evaluation-harness


def test_a_samples_line_is_found_by_its_text_and_has_an_attempt_a_response(bring, tmp_path):
    file = samples_file(tmp_path, sample(PROBLEMS[1], "\\boxed{5}", "\\boxed{6}"))
    said, run = bring("lm-eval", file)
    assert said.code == 0, said.err
    assert [one.key for one in read_attempts(run)] == [("61", 0), ("61", 1)]
    identity = read_manifest(run)["identity"]
    assert (identity["target"]["model"], identity["token_budget"]) == ("Qwen/QwQ-32B", 100)


def test_the_same_responses_under_another_filter_are_no_new_attempts(bring, tmp_path):
    lines = sample(PROBLEMS[0], RIGHT, filters=("strict-match", "flexible-extract"))
    _, run = bring("lm-eval", samples_file(tmp_path, lines))
    assert len(list(read_attempts(run))) == 1


def test_another_text_is_found_by_its_id(bring, tmp_path):
    [line] = sample(PROBLEMS[0], RIGHT, problem="Reworded.", id=60)
    assert the_attempt(bring, "lm-eval", samples_file(tmp_path, [line])).problem_id == "60"


def test_a_line_without_responses_is_kept_as_a_failed_attempt(bring, tmp_path):
    [line] = sample(PROBLEMS[0], RIGHT)
    said, run = bring("lm-eval", samples_file(tmp_path, [line | {"resps": []}]))
    assert said.code == 0
    assert [one.error.type for one in read_attempts(run)] == ["CorruptEntry"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "samples_x.jsonl:1 is no sample of lm-evaluation-harness"),
        ("[]", "it is no JSON object"),
        (json.dumps({"doc": {"problem": "?"}, "resps": [["a"]]}), "not in sums, by its text"),
        (
            json.dumps({"doc": PROBLEMS[0], "resps": [[["-1.5", "False"]]]}),
            "holds log-likelihoods of given choices and no generated text",
        ),
    ],
)
def test_what_is_no_generated_sample_is_refused_in_a_sentence(bring, tmp_path, line, sentence):
    (tmp_path / "samples_x.jsonl").write_text(line + "\n")
    said, run = bring("lm-eval", tmp_path / "samples_x.jsonl")
    assert (said.code, run.exists()) == (2, False)
    assert sentence in said.sentence


# Choices


@pytest.fixture
def choices(tmp_path):
    """A dataset with a question of four choices, the third right."""
    row = {"id": 60, "problem": "Which?", "answer": "C", "choices": ["a", "b", "c [x]", "d"]}
    return foreign.data_file(tmp_path, [row], "quiz")


def test_shuffled_choices_are_mapped_back_by_their_texts(bring, tmp_path, choices):
    doc = {f"choice{n}": text for n, text in enumerate(("c ", "d", "a", "b"), start=1)}
    file = samples_file(tmp_path, sample({"problem": "Which?"}, "\\boxed{A}", **doc))
    _, run = bring("lm-eval", file, rows=choices)
    [attempt] = read_attempts(run)
    assert (attempt.gold, attempt.choice_order) == ("A", (2, 3, 0, 1))


def test_choices_that_are_not_the_problems_fail_the_attempt(bring, tmp_path, choices):
    doc = {f"choice{n}": text for n, text in enumerate("wxyz", start=1)}
    file = samples_file(tmp_path, sample({"problem": "Which?"}, "\\boxed{A}", **doc))
    _, run = bring("lm-eval", file, rows=choices)
    [attempt] = read_attempts(run)
    assert "are not those of the problem in our dataset" in attempt.error.message


def test_ssr_shows_choices_in_their_stored_order(bring, tmp_path, choices):
    file = dump(ssr_spec({"A1": [step("\\boxed{C}")]}, best="A1"), tmp_path / "60-0.pickle")
    _, run = bring("ssr", file, rows=choices)
    [attempt] = read_attempts(run)
    assert (attempt.gold, attempt.choice_order) == ("C", (0, 1, 2, 3))


# From files to a run


def test_an_imported_run_is_graded_and_ranked_with_dashes_for_what_is_unknown(bring, tmp_path):
    lines = [*sample(PROBLEMS[0], RIGHT), *sample(PROBLEMS[1], WRONG)]
    _, run = bring("lm-eval", samples_file(tmp_path, lines))
    assert speclrm(f"grade {run}").code == 0
    metrics = run_metrics(run)
    costs = metrics.costs
    assert metrics.accuracy == 0.5
    assert (costs.target_tokens, costs.seconds_p50, metrics.rates.truncated) == (None, None, None)
    said = speclrm(f"leaderboard {run} --format markdown")
    assert "| – / – |" in said.out


def test_pickles_and_ours_stand_in_one_table(bring, tmp_path):
    tracks = {"A1": [step(RIGHT)], "B1": [step(WRONG)]}
    _, run = bring("ssr", dump(ssr_spec(tracks, best="A1"), tmp_path / "60-0.pickle"))
    speclrm(f"grade {run}")
    metrics = run_metrics(run)
    assert (metrics.accuracy, metrics.reasoner, metrics.costs.acceptance) == (1, "spec-methods", 1)
    assert (metrics.costs.draft_tokens, metrics.costs.flops_total) == (20, None)
    assert speclrm(f"show {run} --problem-id 60").code == 0
    assert speclrm(f"leaderboard {run} --html {tmp_path / 'page.html'}").code == 0


def test_what_cannot_be_read_does_not_hide_what_is_known_of_the_rest(bring, tmp_path):
    dump(foreign.ssr_baseline(RIGHT), tmp_path / "all" / "60-0.pickle")
    (tmp_path / "all" / "61-0.pickle").write_bytes(b"\x80\x04]")
    said, run = bring("ssr", tmp_path / "all")
    assert "2 attempts, 1 of them unreadable" in said.out
    speclrm(f"grade {run}")
    metrics = run_metrics(run)
    assert (metrics.rates.error, metrics.costs.target_tokens) == (0.5, 30)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["99-0.pickle"], "problem '99', which is not in sums (60 to 61)"),
        (["result.pickle"], "does not say by its name which attempt it is"),
        (["60-0.pickle", "60/0.pickle"], "both hold problem 60, repeat 0"),
    ],
)
def test_files_that_fit_no_attempt_are_refused_and_nothing_is_left(
    bring, tmp_path, names, sentence
):
    files = [dump(foreign.ssr_baseline(RIGHT), tmp_path / "in" / name) for name in names]
    said, run = bring("ssr", *files)
    assert (said.code, run.exists()) == (2, False)
    assert sentence in said.sentence
    assert list(tmp_path.glob(".importing-*")) == []


def test_attempts_under_different_settings_make_no_run(bring, tmp_path):
    first = dump(ssr_spec({"A1": [step(RIGHT)]}, best="A1"), tmp_path / "60-0.pickle")
    other = ssr_spec({"A1": [step(RIGHT)]}, best="A1", score_threshold=5.0)
    said, _ = bring("ssr", first, dump(other, tmp_path / "61-0.pickle"))
    assert "score_threshold 5.0" in said.sentence
    assert "import them into two runs" in said.sentence


def test_a_folder_in_use_is_not_overwritten(bring, tmp_path):
    file = dump(foreign.ssr_baseline(RIGHT), tmp_path / "60-0.pickle")
    bring("ssr", file)
    said, _ = bring("ssr", file)
    assert said.code == 2
    assert "is not empty; choose a new --output-dir" in said.sentence


# Pickles


class Attack:
    """Would run a shell command when it is unpickled the usual way."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_nothing_of_it_runs(bring, tmp_path, protocol):
    record = ssr_spec({"A1": [step(RIGHT)]}, note=Attack(tmp_path / "ran"))
    said, run = bring("ssr", dump(record, tmp_path / "60-0.pickle", protocol))
    assert (said.code, run.exists(), (tmp_path / "ran").exists()) == (2, False, False)
    assert "system, which no result of these scripts does; nothing of it was run" in said.sentence


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02cbuiltins\neval\nU\x011\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x011\x85R.",
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
    ],
    ids=["global", "inst", "eval", "stack-global", "extension", "persistent"],
)
def test_every_way_of_naming_code_is_refused(tmp_path, program):
    with pytest.raises(Exception, match="nothing of it was run") as refused:
        load_plain(_written(tmp_path, program))
    assert type(refused.value).__name__ == "UserMistake"


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"\x80\x04]\x94",
        b"not a pickle",
        b"\x80\x04)" + b"2\x86" * 40 + b".",  # a pair of itself, forty times: 2**40 values
        b"\x80\x04})" + b"2\x86" * 40 + b"K\x01s.",  # the same as a key, which would be hashed
        b"\x80\x04]" + b"]" * 200 + b"a" * 200 + b".",
        b"\x80\x04]\x94h\x00a.",  # a list in itself
        b"\x80\x04Nr\xff\xff\xff\x7fh\x00.",  # the last place of a memo of two billion
    ],
    ids=["empty", "torn", "text", "doubling", "key", "deep", "endless", "memo"],
)
def test_what_no_program_dumped_is_corrupt_at_once(tmp_path, program):
    with pytest.raises(CorruptEntry, match=r"no whole pickle|too many values"):
        load_plain(_written(tmp_path, program))


def test_a_huge_file_is_not_read(tmp_path):
    file = tmp_path / "60-0.pickle"
    with file.open("wb") as out:
        out.truncate(10**9)
    with pytest.raises(CorruptEntry, match="1,000,000,000 bytes, more than the"):
        load_plain(file)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_and_numbers_are_what_they_were(tmp_path, protocol):
    value = {
        "ordered": OrderedDict(a=1),
        "counts": Counter("aab"),
        "default": defaultdict(list, {"a": [1]}),
        "sets": [{1, 2}, frozenset({3})],
        "bytes": b"\x00\xff",
        "numpy": [np.float64(0.5), np.int32(-3), np.bool_(True), np.dtype(">f8").type(2.5)],
    }
    file = tmp_path / "60-0.pickle"
    file.write_bytes(pickle.dumps(value, protocol=protocol))
    assert load_plain(file) == value


def test_objects_of_other_packages_become_empty_placeholders(tmp_path):
    file = tmp_path / "60-0.pickle"
    file.write_bytes(pickle.dumps({"array": np.arange(3), "kept": 1}, protocol=4))
    loaded = load_plain(file)
    assert (type(loaded["array"]).__name__, loaded["kept"]) == ("Placeholder", 1)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside) | st.tuples(inside),
    max_leaves=20,
)


@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_survive_every_protocol(tmp_path_factory, value, protocol):
    content = pickle.dumps(value, protocol=protocol)
    assert load_plain(_written(tmp_path_factory.mktemp("plain"), content)) == value


@given(content=st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(tmp_path_factory, content):
    file = _written(tmp_path_factory.mktemp("bytes"), content)
    try:
        load_plain(file)
    except Exception as error:  # noqa: BLE001 - its type is what is tested
        assert type(error).__name__ in {"CorruptEntry", "UserMistake"}  # noqa: PT017 - same


def _written(folder, content):
    file = folder / "60-0.pickle"
    file.write_bytes(content)
    return file
