"""Verdicts are written anew from the attempts, whole or not at all."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import evaluators
from evaluators.run_files.attempt_lines import line_digest
from pipeline.errors import UserMistake
from pipeline.records import Attempt, Failure, Step, Stop, Tokens, Track, Vote, encode
from pipeline.review.grading import grade_run
from pipeline.runs.directory import RunDirectory
from speclrm_testing.commands import speclrm

SHAPE = {"body_parameters": 100, "head_parameters": 9, "layers": 1, "attention_width": 8}
MODELS = {"target": SHAPE}


def attempt(text="so \\boxed{42}", **changes):
    step = Step(text=text, author="target", tokens=3, seconds=0.5, finish="stop")
    made = Attempt(
        dataset="d",
        problem_id="7",
        repeat_id=0,
        seed=1,
        reasoner="baseline",
        status="ok",
        gold="42",
        kind="integer",
        choice_order=(),
        prompt_sha256=None,
        tracks=(Track(id="0", steps=(step,), stop=Stop.FINISHED, answer=None),),
        vote=None,
        response=text,
        answer=None,
        usage={"target": {"plain": Tokens(5, 2, 3, 25, 17, 1)}},
        seconds=1.5,
        started="now",
    )
    return replace(made, **changes)


FAILED = attempt(
    status="error",
    tracks=(),
    response=None,
    usage={},
    error=Failure("PromptTooLong", "no room"),
)


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


def write(run, *attempts, models=MODELS):
    with RunDirectory(run) as directory:
        planned = {"problem_ids": ["7"], "repeats": 1}
        directory.write_manifest(
            {"models": models, "identity": {}, "slice": planned, "sessions": []}
        )
        for one in attempts:
            directory.append(one)


def rows(run):
    return [json.loads(line) for line in (run / "verdicts.jsonl").read_text().splitlines()]


def graded(run, *attempts, models=MODELS):
    write(run, *attempts, models=models)
    grade_run(run)
    return rows(run)


def repeats(*texts, **changes):
    return [attempt(text, repeat_id=number, **changes) for number, text in enumerate(texts)]


def test_every_attempt_gets_one_verdict(run):
    made = repeats("\\boxed{42}", "\\boxed{43}", "I do not know", "\\boxed{42}")
    write(run, *made)
    grading = grade_run(run)
    assert grading.counts == {"correct": 2, "wrong": 1, "no_answer": 1}
    assert grading.total == 4
    assert [row["verdict"] for row in rows(run)] == ["correct", "wrong", "no_answer", "correct"]


def test_verdicts_that_a_limit_decided_are_counted(run):
    variables = "+".join("abcdfghjklmnopqrstuvwxyzABC")
    write(run, *repeats(f"\\boxed{{{variables}}}", "\\boxed{42}"))
    assert grade_run(run).limited == 1
    assert [row["rule"].endswith("too_many_variables") for row in rows(run)] == [True, False]
    said = speclrm(f"grade {run}").out
    assert said == f"{run}: 2 attempts, 1 correct, 1 ungradable; 1 stopped by a limit of work\n"


def test_a_row_holds_what_leaderboards_need(run):
    [row] = graded(run, attempt())
    rule, version = row.pop("rule"), row.pop("grader_version")
    file = run / "problems" / "d-7.jsonl"
    assert row.pop("made_from") == {
        "file": file.name,
        "bytes": file.stat().st_size,
        "modified_ns": file.stat().st_mtime_ns,
        "digest": line_digest(file.read_bytes()),
    }
    assert (rule.count("/"), version) == (1, evaluators.GRADER_VERSION)
    assert row == {
        "dataset": "d",
        "problem_id": "7",
        "repeat_id": 0,
        "status": "ok",
        "gold": "42",
        "extracted": "42",
        "verdict": "correct",
        "answer_class": 0,
        "stop": "finished",
        "usage": {
            "target": {
                "plain": {
                    "prompt_new": 5,
                    "prompt_cached": 2,
                    "generated": 3,
                    "attended_prompt": 25,
                    "attended_generated": 17,
                    "requests": 1,
                    "forwards": None,
                }
            }
        },
        "flops": {
            "decode": 2 * 100 * 2 + 2 * 9 * 3 + 4 * 8 * 17,
            "total": 2 * 100 * 7 + 2 * 9 * 3 + 4 * 8 * 42,
        },
        "seconds": 1.5,
        "steps": {"all": 1, "judged": 0, "rewritten": 0},
        "tracks": [
            {
                "id": "0",
                "role": None,
                "method": None,
                "extracted": "42",
                "verdict": "correct",
                "tokens": 3,
                "chosen": True,
            }
        ],
    }


def test_each_track_has_its_guidance_its_tokens_and_whether_it_was_chosen(run):
    def step(text, tokens):
        return Step(text=text, author="draft", tokens=tokens, seconds=0.5, finish="stop")

    long = (step("so\n\n", 7), step("\\boxed{41}", 5))
    tracks = (
        Track("0", long, Stop.FINISHED, "41", role="direct"),
        Track("A1", (step("\\boxed{42}", 4),), Stop.BUDGET, "42", method="substitution"),
        Track("2", (step("\\boxed{42}", None),), Stop.FINISHED, "42"),
    )
    vote = Vote("majority", (("0",), ("A1", "2")), "42", "two of three", chosen="A1")
    [row] = graded(run, attempt(tracks=tracks, vote=vote))
    assert row["stop"] == "budget"
    names = ("role", "method", "tokens", "chosen", "verdict")
    assert [tuple(track[name] for name in names) for track in row["tracks"]] == [
        ("direct", None, 12, False, "wrong"),
        (None, "substitution", 4, True, "correct"),
        (None, None, None, False, "correct"),
    ]


def test_a_failed_attempt_has_no_answer_by_the_rule_attempt_error(run):
    [row] = graded(run, FAILED)
    assert (row["status"], row["verdict"], row["rule"]) == ("error", "no_answer", "attempt_error")
    assert (row["extracted"], row["answer_class"], row["stop"]) == (None, None, "error")


def test_a_model_of_unknown_shape_has_no_flops(run):
    assert graded(run, attempt(), models={"target": {"layers": None}})[0]["flops"] is None


def test_equal_answers_of_a_problem_share_a_class(run):
    made = repeats("\\boxed{42}", "\\boxed{43}", "\\boxed{042}", "I do not know", "\\boxed{43}")
    assert [row["answer_class"] for row in graded(run, *made)] == [0, 1, 0, None, 1]


def test_classes_are_counted_for_each_problem_anew(run):
    other = [attempt("\\boxed{9}", problem_id="8")]
    made = graded(run, *repeats("\\boxed{1}", "\\boxed{2}"), *other)
    assert [(row["problem_id"], row["answer_class"]) for row in made] == [
        ("7", 0),
        ("7", 1),
        ("8", 0),
    ]


@pytest.mark.parametrize(
    ("kind", "gold", "text", "verdict"),
    [
        ("integer", "25", "\\boxed{025}", "correct"),
        ("latex", "\\frac{1}{2}", "\\boxed{\\frac{2}{4}}", "correct"),
        ("choice", "B", "\\boxed{B}", "correct"),
        ("choice", "B", "\\boxed{A}", "wrong"),
    ],
)
def test_each_kind_is_graded_as_its_own(run, kind, gold, text, verdict):
    assert graded(run, attempt(text, kind=kind, gold=gold))[0]["verdict"] == verdict


def test_grading_again_writes_the_same_bytes(run):
    graded(run, *repeats("\\boxed{42}", "\\boxed{1}"))
    before = (run / "verdicts.jsonl").read_bytes()
    grade_run(run)
    assert (run / "verdicts.jsonl").read_bytes() == before
    assert not list(run.glob(".*.new"))


def test_attempts_added_later_are_in_the_next_grading(run):
    graded(run, attempt())
    assert len(graded(run, attempt(repeat_id=1))) == 2


def test_an_unreadable_line_leaves_the_old_verdicts(run):
    graded(run, attempt())
    before = (run / "verdicts.jsonl").read_bytes()
    with (run / "problems" / "d-7.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    with pytest.raises(UserMistake, match=r"d-7\.jsonl, line 2 is not an attempt record"):
        grade_run(run)
    assert (run / "verdicts.jsonl").read_bytes() == before


def test_an_attempt_that_stands_twice_is_refused_as_a_run_refuses_it(run):
    graded(run, attempt())
    before = (run / "verdicts.jsonl").read_bytes()
    write(run, attempt("\\boxed{41}", seconds=9.0))
    with pytest.raises(UserMistake, match=r"Problem 7, repeat 0 appears twice in .*d-7\.jsonl"):
        grade_run(run)
    assert (run / "verdicts.jsonl").read_bytes() == before


def test_a_line_that_is_being_written_is_passed_over(run):
    write(run, attempt())
    with (run / "problems" / "d-7.jsonl").open("ab") as file:
        file.write(b'{"dataset":"d"')
    assert grade_run(run).total == 1


def test_a_run_without_attempts_has_no_verdicts(run):
    assert graded(run) == []


def test_progress_counts_up_to_all_attempts(run):
    seen = []
    write(run, *repeats("a", "b"), attempt(problem_id="8"))
    grade_run(run, seen.append)
    assert seen == [2, 3]


def test_verdicts_that_cannot_be_written_are_the_users_mistake(run):
    write(run, attempt())
    (run / "verdicts.jsonl").symlink_to(run / "run.json" / "nowhere")
    with pytest.raises(UserMistake, match=r"Cannot write the verdicts .*verdicts\.jsonl"):
        grade_run(run)


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_grading_that_is_interrupted_leaves_the_old_verdicts_and_no_other_file(run, blow):
    before = graded(run, attempt())
    lines = [encode(attempt(problem_id=str(n), repeat_id=k)) for n in range(90) for k in range(50)]
    for n in range(90):
        (run / "problems" / f"d-{n}.jsonl").write_bytes(b"".join(lines[n * 50 : n * 50 + 50]))
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "grade", run], stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list(run.glob(".*.new")):
        time.sleep(0.001)
    process.send_signal(blow)
    _, err = process.communicate()
    assert (process.returncode, err.splitlines()[-1]) == (3, "Error: Interrupted.")
    assert "Traceback" not in err
    assert rows(run) == before
    assert not list(run.glob(".*.new"))


def test_a_file_of_cases_that_is_interrupted_leaves_no_output(tmp_path, monkeypatch):
    def interrupted(file):
        yield {"verdict": "wrong", "rule": "bare/values_differ"}
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluators, "grade_cases", interrupted)
    said = speclrm(f"grade --file {tmp_path / 'cases'} --output {tmp_path / 'rows'}")
    assert (said.code, said.sentence) == (3, "Error: Interrupted.")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserMistake, match="is not a run directory"):
        grade_run(tmp_path)


def test_the_command_counts_verdicts_run_by_run(tmp_path):
    for name, text in (("a", "\\boxed{42}"), ("b", "\\boxed{1}")):
        write(tmp_path / name, attempt(text))
    said = speclrm(f"grade {tmp_path / 'a'} {tmp_path / 'b'}")
    assert said.code == 0
    assert said.out.splitlines() == [
        f"{tmp_path / 'a'}: 1 attempts, 1 correct",
        f"{tmp_path / 'b'}: 1 attempts, 1 wrong",
    ]


def test_one_decision_is_explained():
    said = speclrm(r"grade --kind latex --gold '\frac{1}{2}' --answer 'so \boxed{0.5}'")
    assert said.code == 0
    assert "correct" in said.out
    assert "rule" in said.out


def test_a_control_sequence_in_an_answer_is_not_obeyed():
    assert "\x1b" not in speclrm("grade --gold 1 --answer '\\boxed{\x1b[2J}'").out


def test_diff_lists_the_verdicts_that_changed(run):
    [row] = graded(run, attempt())
    (run / "verdicts.jsonl").write_text(json.dumps(row | {"verdict": "wrong"}) + "\n")
    told = speclrm(f"grade {run} --diff")
    assert "problem 7, repeat 0: wrong -> correct\n1 of 1 verdicts changed." in told.out


def test_a_file_of_cases_is_graded_row_by_row(tmp_path):
    cases, graded_rows = tmp_path / "cases.jsonl", tmp_path / "rows.jsonl"
    rows_in = [{"gold": "1/2", "answer": "0.5"}, {"gold": "3", "output": "so 4", "kind": "integer"}]
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows_in))
    assert speclrm(f"grade --file {cases} --output {graded_rows}").code == 0
    verdicts = [json.loads(line)["verdict"] for line in graded_rows.read_text().splitlines()]
    assert verdicts[0] == "correct"
    assert verdicts[1] != "correct"


def test_the_verdicts_of_a_file_and_the_limits_reached_are_counted_beside_its_rows(tmp_path):
    cases = tmp_path / "cases.jsonl"
    many = "+".join(f"x_{{{n}}}" for n in range(30))
    pairs = [("1", "1"), (many, f"{many}+1"), ("2", None)]
    cases.write_text("".join(json.dumps({"gold": g, "answer": a}) + "\n" for g, a in pairs))
    said = speclrm(f"grade --file {cases}")
    assert len(said.out.splitlines()) == 3
    counts = "3 cases, 1 correct, 1 no_answer, 1 ungradable; 1 stopped by a limit of work"
    assert said.err == f"{cases}: {counts}\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1: not a JSON object"),
        ('{"answer": "1"}', "a case needs the field gold"),
        ('{"gold": "1"}', "a case needs one of the fields"),
    ],
)
def test_a_bad_case_is_named_and_leaves_no_output(tmp_path, content, words):
    cases, graded_rows = tmp_path / "cases.jsonl", tmp_path / "rows.jsonl"
    cases.write_text(content)
    told = speclrm(f"grade --file {cases} --output {graded_rows}")
    assert told.code == 2
    assert words in told.err
    assert not graded_rows.exists()


@pytest.mark.parametrize(
    "options", ["--output x run", "--diff --gold 1 --answer 1", "run --file x", "--cross-check"]
)
def test_options_that_do_not_go_together_are_refused(options):
    assert speclrm(f"grade {options}").code == 2
