"""The page holds every trace as text, whatever a model wrote, and hides what must be hidden."""

import json
import re
from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner
from graded_runs import (
    attempt_line,
    made_from_attempts,
    rows_of,
    step,
    verdict_row,
    write_attempts,
    write_run,
)

from evaluators.reports.html_page import write_report
from evaluators.reports.page_files import Blocks, asset, script_json
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.statements import Statement, Statements
from evaluators.reports.traces import StepCounts, flags_of, outcome_of, track_labels
from evaluators.run_files.attempt_record import AttemptLine
from evaluators.run_files.graded_attempts import GradedAttempt
from evaluators.run_files.verdict_rows import NotGraded, VerdictRow
from evaluators.statistics import metrics
from evaluators.statistics.metrics import measured_runs
from pipeline.cli import group
from pipeline.errors import UserMistake

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>"


def one_run(tmp_path, text="x=1", name="run", **identity):
    run = write_run(tmp_path / name, {"a": [True, False], "b": [False, False]}, **identity)
    return write_attempts(run, lambda _: [[step(text)]])


def data_of(page):
    [text] = re.findall(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    return json.loads(text)


def test_the_page_holds_what_the_table_says_and_every_cell(tmp_path):
    write_report(measured_runs([one_run(tmp_path)]), tmp_path / "page.html", ReportOptions())
    [run] = data_of(tmp_path / "page.html")["runs"]
    assert (run["accuracy"], run["problem_ids"], run["codes"]) == (0.25, ["a", "b"], ["cw", "ww"])
    assert run["outcomes"] == {"correct": 1, "wrong": 3, "missing": 0}


def test_the_page_has_times_the_chosen_track_and_uses_by_role_or_method(tmp_path):
    track = {"id": "0", "extracted": "1", "verdict": "correct", "role": "direct"}
    track |= {"tokens": 12, "chosen": True}
    rows = [verdict_row(n, seconds=s, tracks=[track]) for n, s in (("a", 2.0), ("b", 4.0))]
    run = write_run(tmp_path / "run", {"a": [True], "b": [True]}, rows)
    write_attempts(run, lambda _: [[step("x")]])
    write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())
    [run] = data_of(tmp_path / "page.html")["runs"]
    assert (run["seconds_mean"], run["answered_seconds_longest"], run["chosen_tokens"]) == (
        3,
        4,
        12,
    )
    assert run["guided"] == [{"name": "direct", "tracks": 2, "correct": 2, "accuracy": 1.0}]
    assert 'id="guided"' in (tmp_path / "page.html").read_text()


def test_the_page_names_no_other_host(tmp_path):
    write_report(measured_runs([one_run(tmp_path)]), tmp_path / "page.html", ReportOptions())
    text = (tmp_path / "page.html").read_text().replace(asset("katex", "katex.min.js"), "")
    assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) == {"data:,"}
    assert "url(fonts/" not in text
    assert text.count("url(data:font/woff2;base64,") == 20


def test_no_model_text_can_end_its_script_element(tmp_path):
    write_report(
        measured_runs([one_run(tmp_path, HOSTILE)]), tmp_path / "page.html", ReportOptions()
    )
    text = (tmp_path / "page.html").read_text()
    assert "alert(1)</script>" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize("value", [HOSTILE, "\ud800", "\u2028", "a" * 10])
def test_script_json_is_json_that_utf8_can_hold(value):
    text = script_json([value])
    assert "<" not in text
    assert json.loads(text.encode()) == [value.replace("\ud800", "?")]


def test_texts_of_gpqa_are_left_out_unless_asked(tmp_path):
    runs = [one_run(tmp_path, "secret question", dataset="gpqa")]
    write_report(measured_runs(runs), tmp_path / "page.html", ReportOptions())
    assert "secret question" not in (tmp_path / "page.html").read_text()
    write_report(measured_runs(runs), tmp_path / "shown.html", ReportOptions(hidden_datasets=()))
    assert "secret question" in (tmp_path / "shown.html").read_text()


def asking(text):
    return lambda _: Statements({"a": Statement(text, ("secret choice",))})


def test_problems_of_gpqa_are_not_even_loaded_unless_asked(tmp_path):
    runs = [one_run(tmp_path, dataset="gpqa")]
    write_report(
        measured_runs(runs), tmp_path / "page.html", ReportOptions(statements=refuse_to_load)
    )
    [run] = data_of(tmp_path / "page.html")["runs"]
    assert (run["hidden"], run["statements"]) == (True, [None, None])
    shown = ReportOptions(hidden_datasets=(), statements=asking("secret question"))
    write_report(measured_runs(runs), tmp_path / "shown.html", shown)
    assert "secret question" in (tmp_path / "shown.html").read_text()


def refuse_to_load(run):
    pytest.fail(f"{run} is of a hidden dataset, yet its problems are asked for")


def test_a_gated_dataset_is_hidden_by_the_name_that_the_caller_gives(tmp_path):
    options = ReportOptions(hidden_datasets=("exams",), statements=refuse_to_load)
    runs = [one_run(tmp_path, "secret text", dataset="exams")]
    write_report(measured_runs(runs), tmp_path / "page.html", options)
    assert "secret text" not in (tmp_path / "page.html").read_text()


def test_a_problem_that_several_runs_share_is_stored_once(tmp_path):
    runs = [one_run(tmp_path), one_run(tmp_path, name="other")]
    options = ReportOptions(statements=asking("what is x?"))
    write_report(measured_runs(runs), tmp_path / "page.html", options)
    assert (tmp_path / "page.html").read_text().count("what is x?") == 1
    first, second = data_of(tmp_path / "page.html")["runs"]
    assert first["statements"] == second["statements"] != [None, None]


def test_a_page_without_statements_says_why(tmp_path):
    options = ReportOptions(statements=lambda _: Statements({}, "the dataset is gone"))
    write_report(measured_runs([one_run(tmp_path)]), tmp_path / "page.html", options)
    [run] = data_of(tmp_path / "page.html")["runs"]
    assert (run["statements"], run["no_statement"]) == ([None, None], "the dataset is gone")


def test_many_traces_lie_in_scripts_beside_the_page(tmp_path):
    blocks = Blocks(tmp_path / "traces", inline_bytes=1_000_000)
    places = [blocks.add({"text": "x" * 300_000}) for _ in range(6)]
    assert blocks.finish() == []
    assert places[-1] == (2, 1)
    script = (tmp_path / "traces" / "2.js").read_text()
    assert script.startswith('speclrmBlock(2,[{"text":"xxx')
    assert len(list((tmp_path / "traces").iterdir())) == 3


def test_few_traces_lie_in_the_page(tmp_path):
    blocks = Blocks(tmp_path / "traces")
    assert blocks.add({"text": "x"}) == (0, 0)
    assert blocks.finish() == ['[{"text":"x"}]']
    assert not (tmp_path / "traces").exists()


def attempt_of(steps, *, stop="finished", right=True):
    """A graded attempt with one track."""
    row = verdict_row(right=right)
    line = attempt_line(row, [steps])
    line["tracks"][0]["stop"] = stop
    return GradedAttempt(msgspec.convert(line, AttemptLine), msgspec.convert(row, VerdictRow))


@pytest.mark.parametrize(
    ("made", "right", "flag"),
    [
        (step("s", score=9.0), True, 0),
        (step("s", score=9.0), False, 8),
        (step("s", score=1.0, draft="d"), True, 16),
        (step("s", score=1.0, draft="d"), False, 0),
        (step("s"), False, 0),
    ],
)
def test_a_judged_draft_flags_its_attempt_where_the_judge_was_wrong(made, right, flag):
    assert flags_of(attempt_of([made]), [[right]], StepCounts()) == flag


def test_a_track_verdict_labels_the_drafts_that_the_track_kept():
    steps = [step("s", score=9.0), step("s", score=1.0, draft="d"), step("s")]
    assert track_labels(attempt_of(steps)) == [[True, None, True]]


@pytest.mark.parametrize("stop", ["cancelled", "error"])
def test_a_track_that_could_not_answer_labels_none_of_its_drafts(stop):
    steps = [step("s", score=9.0), step("s", score=1.0, draft="d")]
    assert track_labels(attempt_of(steps, stop=stop, right=False)) == [[None, None]]


@pytest.mark.parametrize("stop", ["finished", "budget", "length", "repeated"])
def test_a_track_that_ended_by_itself_labels_the_drafts_it_kept(stop):
    steps = [step("s", score=9.0)]
    assert track_labels(attempt_of(steps, stop=stop, right=False)) == [[False]]


def test_judged_drafts_are_counted_by_score_and_place():
    steps = [step("s", score=8.6), step("s", score=2.4, draft="d")]
    counts = StepCounts()
    flags_of(attempt_of(steps), [[True, None]], counts)
    assert (counts.kept[9], counts.rewritten[2]) == (1, 1)
    assert (counts.labelled[9], counts.labelled[2]) == (1, 0)
    assert (counts.place_judged[:2], counts.place_kept[:2]) == ([1, 1], [1, 0])


def test_shares_of_right_drafts_have_intervals_over_problems_where_there_are_two(tmp_path):
    rows = [verdict_row(n) for n in "abc"]
    run = write_run(tmp_path / "run", {n: [True] for n in "abc"}, rows)
    steps = {"a": [9.0] * 50, "b": [9.0, 2.0], "c": [9.0]}
    write_attempts(run, lambda row: [[step("s", score=s) for s in steps[row["problem_id"]]]])
    write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())
    [shown] = data_of(tmp_path / "page.html")["runs"]
    low, high = shown["steps"]["intervals"][9]
    assert (shown["steps"]["labelled"][9], high) == (52, 1)
    assert low < 0.5  # three problems, not 52 drafts
    assert (shown["steps"]["labelled"][2], shown["steps"]["intervals"][2]) == (1, None)


def test_attempts_in_flight_together_share_the_machine(tmp_path):
    run = one_run(tmp_path)
    for file in (run / "problems").glob("*.jsonl"):
        lines = [
            json.loads(line) | {"started": "2026-01-01T00:00:00+00:00", "seconds": 8.0}
            for line in file.read_text().splitlines()
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made_from_attempts(run)
    write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())
    assert data_of(tmp_path / "page.html")["runs"][0]["machine_seconds"] == 2.0


def test_a_page_says_of_a_run_what_its_models_may_have_seen_and_what_it_cost(tmp_path):
    run = one_run(tmp_path)
    options = ReportOptions(seen={run: "public since 2024-02"}, dollars={run: 0.25})
    write_report(measured_runs([run]), tmp_path / "page.html", options)
    [shown] = data_of(tmp_path / "page.html")["runs"]
    assert (shown["seen"], shown["dollars"]) == ("public since 2024-02", 0.25)


@pytest.mark.parametrize(
    ("code", "flags", "tracks", "outcome"),
    [
        ("c", 0, 1, "correct"),
        ("e", 0, 0, "error"),
        ("w", 4, 3, "vote lost"),
        ("n", 1, 1, "truncated"),
        ("n", 2, 1, "repeated"),
        ("n", 0, 1, "no answer"),
        ("u", 0, 1, "ungradable"),
        ("w", 0, 3, "all tracks wrong"),
        ("w", 0, 1, "wrong"),
    ],
)
def test_an_attempt_has_one_outcome(code, flags, tracks, outcome):
    row = msgspec.convert(verdict_row(), VerdictRow)
    assert outcome_of(code, flags, replace(row, tracks=row.tracks * tracks)) == outcome


def test_attempts_made_after_the_grading_are_refused(tmp_path):
    run = one_run(tmp_path)
    [row] = [row for row in rows_of(run) if (row["problem_id"], row["repeat_id"]) == ("b", 1)]
    kept = [json.dumps(other) + "\n" for other in rows_of(run) if other != row]
    (run / "verdicts.jsonl").write_text("".join(kept))
    with pytest.raises(NotGraded, match=r"problem b, repeat 1 has no verdict.*grade again"):
        write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("[]\n", "line 3 is not an attempt line .Expected `object`"),
        ("{\n", "line 3 is not an attempt line .Input data was truncated"),
        (
            '{"status": "ok"}\n',
            "line 3 is not an attempt line .*missing required field `problem_id`",
        ),
    ],
)
def test_a_broken_attempt_is_named(tmp_path, line, named):
    run = one_run(tmp_path)
    with (run / "problems" / "b.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(NotGraded, match=named):
        write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())


def test_runs_of_one_name_in_two_folders_stay_apart(tmp_path):
    first = one_run(tmp_path)
    second = write_run(tmp_path / "other" / "run", {"a": [True]})
    write_attempts(second, lambda _: [[step("x")]])
    write_report(measured_runs([first, second]), tmp_path / "page.html", ReportOptions())
    assert [run["accuracy"] for run in data_of(tmp_path / "page.html")["runs"]] == [0.25, 1]


def test_runs_that_cannot_be_compared_say_why(tmp_path):
    runs = [one_run(tmp_path), one_run(tmp_path, name="other", dataset="other")]
    write_report(measured_runs(runs), tmp_path / "page.html", ReportOptions())
    [refused] = data_of(tmp_path / "page.html")["comparisons"]
    assert "differ in their dataset" in refused["refused"]


def test_the_command_writes_the_page_and_says_where(tmp_path):
    page = tmp_path / "new" / "page.html"
    result = CliRunner().invoke(group, ["leaderboard", str(one_run(tmp_path)), "--html", str(page)])
    assert result.exit_code == 0
    assert "page.html: 4 attempts" in result.output
    assert page.exists()


def test_a_page_beside_the_table_reads_and_measures_each_run_once(tmp_path, monkeypatch):
    runs = [one_run(tmp_path), one_run(tmp_path, name="other")]
    calls = []
    for name in ("verdict_table", "metrics_of"):
        counted = getattr(metrics, name)
        monkeypatch.setattr(
            metrics, name, lambda *given, c=counted: calls.append(c.__name__) or c(*given)
        )
    page = tmp_path / "page.html"
    options = ["--html", str(page)]
    assert CliRunner().invoke(group, ["leaderboard", *map(str, runs), *options]).exit_code == 0
    assert sorted(calls) == ["metrics_of"] * 2 + ["verdict_table"] * 2
    assert len(data_of(page)["comparisons"]) == 1


def test_showing_gpqa_without_a_page_is_refused(tmp_path):
    result = CliRunner().invoke(group, ["leaderboard", str(one_run(tmp_path)), "--show-gpqa"])
    assert isinstance(result.exception, UserMistake)
    assert "give --html PATH too" in str(result.exception)


def test_the_page_answers_a_margin_and_relates_costs(tmp_path):
    right = {name: [True] for name in "abcde"}
    runs = [write_run(tmp_path / name, right) for name in ("run", "other")]
    for run in runs:
        write_attempts(run, lambda _: [[step("x=1")]])
    write_report(measured_runs(runs), tmp_path / "page.html", ReportOptions(margin=0.02))
    [one] = data_of(tmp_path / "page.html")["comparisons"]
    assert (one["not_worse"]["margin"], one["not_worse"]["holds"]) == (0.02, False)
    assert one["costs"]["tokens"] == {"ratio": 1.0, "interval": [1.0, 1.0]}


def test_a_margin_without_a_page_is_refused(tmp_path):
    result = CliRunner().invoke(group, ["leaderboard", str(one_run(tmp_path)), "--margin", "2"])
    assert isinstance(result.exception, UserMistake)
    assert "give --html PATH too" in str(result.exception)
