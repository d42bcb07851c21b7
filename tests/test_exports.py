"""Graded runs in the formats of other programs, read back by those programs where they are here."""

import csv
import json
import zipfile

import pytest
import yaml
from click.testing import CliRunner
from foreign_results import data_file
from graded_runs import made_from_attempts, step, verdict_row, write_attempts, write_run
from huggingface_hub import ModelCard

from evaluators.reports.statements import Statements
from evaluators.statistics.metrics import run_metrics
from pipeline.cli import export as cli_export
from pipeline.cli import group
from pipeline.errors import UserMistake
from pipeline.problems import manifests
from pipeline.problems.problem_set import load_problems

SHAPE = {"60": [True, False], "61": [True, True]}
ROWS = [
    verdict_row("60", usage={"target": {"plain": {"prompt_new": 7, "generated": 20}}}),
    verdict_row("60", 1, right=False, stop="budget"),
    verdict_row("61", status="error", verdict="no_answer", extracted=None, stop="error"),
    verdict_row("61", 1),
]
TEXT = "Let me think.</think>\\boxed{1}"


def graded(folder, rows=ROWS, shape=SHAPE, **identity):
    """A graded run with an attempt line for each verdict row."""
    rows = json.loads(json.dumps(rows))
    for row in rows:
        for uses in row["usage"].values():
            for use in uses.values():
                use.setdefault("prompt_cached", 3)
    run = write_run(folder, shape, rows, **identity)
    write_attempts(run, lambda row: [[step("One.\n\n", score=8), step(TEXT)]])
    for file in (run / "problems").glob("*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(_whole(line)) + "\n" for line in lines))
    return made_from_attempts(run)


def _whole(line):
    """The fields of an attempt line that the shared helper leaves out."""
    failed = line["status"] == "error"
    return line | {
        "reasoner": "baseline",
        "gold": "1",
        "kind": "integer",
        "choice_order": [],
        "prompt_sha256": None,
        "response": None if failed else TEXT,
        "answer": None,
        "started": "2026-01-02T03:04:05+00:00",
        "usage": {},
        "error": {"type": "EngineFailure", "message": "=HYPERLINK(1)"} if failed else None,
    }


def export(run, form, output, *options):
    arguments = ["export", *map(str, [run] if not isinstance(run, list) else run)]
    result = CliRunner().invoke(group, [*arguments, "--to", form, "--output", output, *options])
    if result.exception is not None:
        raise result.exception
    return output


# A spreadsheet


def table(file):
    with open(file, encoding="utf-8-sig", newline="") as lines:  # noqa: PTH123 - a str path
        return list(csv.DictReader(lines))


def test_csv_has_a_row_for_each_attempt_of_every_run(tmp_path):
    runs = [graded(tmp_path / "one"), graded(tmp_path / "two")]
    rows = table(export(runs, "csv", str(tmp_path / "all.csv")))
    assert [(r["run"], r["problem_id"], r["repeat_id"]) for r in rows[:5]] == [
        ("one", "60", "0"),
        ("one", "60", "1"),
        ("one", "61", "0"),
        ("one", "61", "1"),
        ("two", "60", "0"),
    ]
    assert [row["correct"] for row in rows[:4]] == ["1", "0", "0", "1"]
    assert (rows[0]["response"], rows[0]["target_tokens"]) == (TEXT, "20")


def test_csv_has_what_every_model_wrote_computed_and_in_how_many_forwards(tmp_path):
    usage = {
        "target": {
            "plain": {"generated": 4, "forwards": 2},
            "refused": {"generated": 9, "forwards": 0},
        },
        "target_assistant": {"guesses": {"generated": 11, "forwards": 7}},
    }
    guessed = graded(tmp_path / "guessed", [verdict_row("60", usage=usage)], {"60": [True]})
    row, *others = table(export([guessed, graded(tmp_path / "plain")], "csv", str(tmp_path / "a")))
    assert {name: int(n) for name, n in row.items() if name.endswith(("tokens", "forwards"))} == {
        "target_tokens": 13,
        "target_written_tokens": 4,
        "target_forwards": 2,
        "draft_tokens": 0,
        "draft_written_tokens": 0,
        "draft_forwards": 0,
        "target_assistant_tokens": 11,
        "target_assistant_forwards": 7,
    }
    named = ("target_tokens", "target_written_tokens", "target_forwards", "target_assistant_tokens")
    assert [others[0][name] for name in named] == ["20", "20", "", ""]


GUESSED_BY = [
    {"target": {"model": "big", "assistant_model": "/here/small"}},
    {"target": {"model": "big"}, "decoder": {"name": "standard", "assistant": "/here/small"}},
]


@pytest.mark.parametrize("identity", GUESSED_BY, ids=["windows", "a measured decoder"])
def test_every_export_names_the_assistant_beside_the_model(tmp_path, identity):
    usage = {
        "target": {"plain": {"prompt_new": 3, "generated": 4, "forwards": 2}},
        "target_assistant": {"guesses": {"prompt_new": 3, "generated": 11, "forwards": 7}},
    }
    run = graded(tmp_path / "r", [verdict_row("60", usage=usage)], {"60": [True]}, **identity)
    role = "target_assistant"

    [row] = table(export(run, "csv", str(tmp_path / "r.csv")))
    assert (row["model"], row[f"{role}_model"], row[f"{role}_tokens"]) == ("big", "small", "11")
    for form in ("json", "csv"):
        said = CliRunner().invoke(group, ["leaderboard", str(run), "--format", form]).stdout
        [row] = json.loads(said) if form == "json" else csv.DictReader(said.splitlines())
        assert (row["model"], row[f"{role}_model"]) == ("big", "/here/small")
        assert not row["draft_model"]
    page = tmp_path / "page.html"
    assert CliRunner().invoke(group, ["leaderboard", str(run), "--html", str(page)]).exit_code == 0
    assert f'"{role}_model": "small"' in page.read_text().replace('":"', '": "')
    assert "/here/" not in page.read_text()
    log = json.loads((tmp_path / export(run, "inspect", str(tmp_path / "r.json"))).read_text())
    assert log["eval"]["model_roles"] == {role: {"model": "small"}}
    assert "/here/" not in json.dumps(log["eval"])
    assert log["stats"]["model_usage"]["small"]["output_tokens"] == 11
    card = (tmp_path / export(run, "hf", str(tmp_path / "r.md"))).read_text()
    assert "with target\\_assistant small" in card


def test_what_a_model_did_in_two_roles_is_one_sum_in_the_inspect_log(tmp_path):
    usage = {
        "target": {"plain": {"prompt_new": 3, "generated": 4}},
        "draft": {"draft_kept": {"prompt_new": 5, "generated": 6}},
    }
    one = {"target": {"model": "m"}, "draft": {"model": "m"}}
    run = graded(tmp_path / "r", [verdict_row("60", usage=usage)], {"60": [True]}, **one)
    log = json.loads((tmp_path / export(run, "inspect", str(tmp_path / "r.json"))).read_text())
    counts = {"input_tokens": 8, "output_tokens": 10, "input_tokens_cache_read": 6}
    assert log["samples"][0]["model_usage"]["m"] == counts | {"total_tokens": 24}


def test_csv_begins_with_the_byte_order_mark_that_excel_needs(tmp_path):
    file = tmp_path / "all.csv"
    export(graded(tmp_path / "run"), "csv", str(file))
    assert file.read_bytes().startswith(b"\xef\xbb\xbfrun,dataset,")


@pytest.mark.parametrize(
    "start",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "＝1"],  # noqa: RUF001
)
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(tmp_path, start):
    rows = [verdict_row("60", extracted=start)]
    run = graded(tmp_path / "run", rows, {"60": [True]})
    [row] = table(export(run, "csv", str(tmp_path / "all.csv")))
    assert row["extracted"] == "'" + start


def test_what_an_engine_said_is_neutralised_too_and_a_long_text_is_cut_aloud(tmp_path):
    run = graded(tmp_path / "run")
    file = run / "problems" / "61.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["error"] = {"type": "=A", "message": "x" * 50_000}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made_from_attempts(run)
    error = table(export(run, "csv", str(tmp_path / "all.csv")))[2]["error"]
    assert error.startswith("'=A: xxx")
    assert error.endswith("… (cut: 50,004 characters)")
    assert len(error) < 32_767


def test_unknown_counts_are_empty_cells(tmp_path):
    rows = [verdict_row("60", seconds=None, flops=None) | {"usage": {}}]
    run = graded(tmp_path / "run", rows, {"60": [True]})
    verdicts = run / "verdicts.jsonl"
    verdicts.write_text(verdicts.read_text().replace('"usage": {}', '"usage": null'))
    [row] = table(export(run, "csv", str(tmp_path / "all.csv")))
    assert (row["target_tokens"], row["seconds"], row["flops_total"]) == ("", "", "")


def test_a_count_that_the_server_did_not_give_is_an_empty_cell(tmp_path):
    usage = {"target": {"verify": {"generated": 4}, "rewrite": {"generated": None}}, "draft": {}}
    run = graded(tmp_path / "run", [verdict_row("60", usage=usage)], {"60": [True]})
    [row] = table(export(run, "csv", str(tmp_path / "all.csv")))
    assert (row["target_tokens"], row["draft_tokens"]) == ("", "0")


# Texts that authors ask not to publish


@pytest.mark.parametrize("form", ["csv", "inspect"])
def test_texts_about_gpqa_are_shown_only_when_asked(tmp_path, form, monkeypatch):
    run = graded(tmp_path / "run", dataset="gpqa")
    output = tmp_path / ("log.json" if form == "inspect" else "all.csv")
    export(run, form, str(output))
    hidden = output.read_text(encoding="utf-8")
    assert not any(word in hidden for word in ("Let me think", "One.", "HYPERLINK"))
    monkeypatch.setattr(cli_export, "statement_reader", lambda _: lambda _: Statements({}))
    export(run, form, str(output), "--show-gpqa")
    assert "Let me think" in output.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["csv", "inspect"])
@pytest.mark.parametrize(("gated", "texts"), [("true", False), ("false", True)])
def test_texts_about_a_dataset_are_hidden_if_its_manifest_says_gated(
    tmp_path, form, gated, texts, monkeypatch
):
    columns = '[columns]\nproblem = "problem"\nanswer = "answer"\n'
    about = f'about = "x"\nprompt_set = "standard"\nbundled = "x.jsonl"\ngated = {gated}\n'
    (tmp_path / "Exams.toml").write_text(about + columns)
    monkeypatch.setattr(manifests, "datasets_dir", lambda: tmp_path)
    monkeypatch.setattr(cli_export, "statement_reader", lambda _: lambda _: Statements({}))
    file = tmp_path / "all.json"
    export(graded(tmp_path / "run", dataset="Exams"), form, str(file))
    assert ("Let me think" in file.read_text(encoding="utf-8")) == texts
    export(tmp_path / "run", form, str(file), "--show-hidden")
    assert "Let me think" in file.read_text(encoding="utf-8")


def test_rows_of_gpqa_are_not_taken_without_showing_them(tmp_path):
    run = graded(tmp_path / "run", dataset="gpqa")
    with pytest.raises(UserMistake, match="not shown without --show-hidden"):
        export(run, "inspect", str(tmp_path / "x.eval"), "--data-file", str(data_file(tmp_path)))


# The Hugging Face hub


def test_eval_results_are_read_by_the_hubs_own_client(tmp_path):
    hub = pytest.importorskip("huggingface_hub._eval_results", reason="needs a newer client")
    run = graded(tmp_path / "run", dataset="math", token_budget=512)
    file = tmp_path / "math.yaml"
    export(run, "hf", str(file))
    [entry] = hub.parse_eval_result_entries(yaml.safe_load(file.read_text()))
    assert (entry.dataset_id, entry.task_id) == ("HuggingFaceH4/MATH-500", "default")
    assert (entry.value, entry.dataset_revision) == (50.0, "r1")
    assert entry.notes.startswith("accuracy in percent, avg@2 over 2 problems; 95 % interval ")
    assert "token budget 512" in entry.notes


def test_a_model_card_holds_results_of_any_dataset_and_the_table(tmp_path):
    file = tmp_path / "README.md"
    export(graded(tmp_path / "run"), "hf", str(file))
    card = ModelCard.load(file)
    values = {one.metric_type: one.metric_value for one in card.data.eval_results}
    assert values == {"accuracy": 50.0, "pass@k": 100.0, "maj@k": 50.0}
    assert card.data.eval_results[0].dataset_name == "sums"
    assert "| run | baseline | m |" in card.text


@pytest.mark.parametrize(
    ("identities", "name", "sentence"),
    [
        ([{}], "x.yaml", "sums, which is not on the hub"),
        ([{}, {"target": {"model": "other"}}], "x.md", "these runs are of m, other"),
        ([{}], "x.txt", "is neither a .yaml for .eval_results nor an .md model card"),
    ],
)
def test_what_a_models_page_cannot_hold_is_refused(tmp_path, identities, name, sentence):
    runs = [graded(tmp_path / str(n), **one) for n, one in enumerate(identities)]
    with pytest.raises(UserMistake, match=sentence):
        export(runs, "hf", str(tmp_path / name))
    assert not (tmp_path / name).exists()


# Inspect


def own_rows(tmp_path, run):
    """The run's problems as a data file, and the run bound to them by fingerprint."""
    file = data_file(tmp_path)
    manifest = json.loads((run / "run.json").read_text())
    manifest["dataset"]["fingerprint"] = load_problems(None, file, seed=0).fingerprint
    (run / "run.json").write_text(json.dumps(manifest))
    return str(file)


@pytest.mark.parametrize("suffix", ["json", "eval"])
def test_inspects_own_reader_opens_the_log(tmp_path, suffix):
    inspect_log = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed")
    run = graded(tmp_path / "run")
    file = str(tmp_path / f"log.{suffix}")
    export(run, "inspect", file, "--data-file", own_rows(tmp_path, run))
    log = inspect_log.read_eval_log(file)
    assert (log.status, log.eval.model, log.eval.dataset.samples) == ("success", "m", 2)
    [scores] = log.results.scores
    metrics = run_metrics(run)
    assert scores.metrics["accuracy"].value == metrics.accuracy
    assert scores.metrics["stderr"].value == metrics.uncertainty.population_error
    assert inspect_log.read_eval_log(file, header_only=True).results == log.results
    [start, budget, failed, _] = sorted(log.samples, key=lambda one: (one.id, one.epoch))
    assert start.input == "What is $1+1$?"
    assert [part.type for part in start.output.choices[0].message.content] == ["reasoning", "text"]
    assert (start.scores["speclrm"].value, budget.scores["speclrm"].value) == ("C", "I")
    assert start.model_usage["m"].input_tokens_cache_read == 3
    assert start.events[0].data["steps"][0]["score"] == 8
    assert (budget.epoch, budget.limit.type) == (2, "token")
    assert failed.error.message == "EngineFailure: =HYPERLINK(1)"
    assert {one.sample_id: one.value for one in log.reductions[0].samples} == {"60": 0.5, "61": 0.5}


def test_inspect_finds_an_archive_in_a_folder_and_reads_one_sample_of_it(tmp_path):
    inspect_log = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed")
    file = export(graded(tmp_path / "run"), "inspect", str(tmp_path / "logs" / "run.eval"))
    [found] = inspect_log.list_eval_logs(str(tmp_path / "logs"))
    assert found.name.endswith("run.eval")
    one = inspect_log.read_eval_log_sample(file, id="61", epoch=2)
    assert one.scores["speclrm"].answer == "1"
    summaries = inspect_log.read_eval_log_sample_summaries(file)
    assert [(s.id, s.epoch) for s in summaries] == [("60", 1), ("60", 2), ("61", 1), ("61", 2)]


def log_of(run, tmp_path):
    return json.loads((tmp_path / export(run, "inspect", str(tmp_path / "log.json"))).read_text())


def test_a_problem_whose_text_is_not_at_hand_says_so(tmp_path):
    log = log_of(graded(tmp_path / "run"), tmp_path)
    assert log["samples"][0]["input"].startswith("(the problem's text is not in the run")


def test_other_rows_than_those_that_were_run_are_refused(tmp_path):
    run = graded(tmp_path / "run")
    with pytest.raises(UserMistake, match="their fingerprints differ"):
        export(run, "inspect", str(tmp_path / "x.eval"), "--data-file", str(data_file(tmp_path)))


def test_a_datasets_problems_that_cannot_be_had_are_refused_and_not_left_out(tmp_path):
    run = graded(tmp_path / "run", dataset="pocket")
    with pytest.raises(
        UserMistake, match=r"rows of pocket are not those of the run .* --data-file"
    ):
        export(run, "inspect", str(tmp_path / "x.eval"))


def test_tokens_that_nobody_counted_are_left_out_and_not_0(tmp_path):
    usage = {"target": {"plain": {"prompt_new": None, "prompt_cached": None, "generated": 9}}}
    run = graded(tmp_path / "run", [verdict_row("60", usage=usage)], {"60": [True]})
    [sample] = log_of(run, tmp_path)["samples"]
    assert sample["model_usage"] == {}
    assert sample["metadata"]["tokens"]["target"]["plain"]["generated"] == 9


def test_a_role_that_generated_nobody_knows_how_many_tokens_is_left_out(tmp_path):
    usage = {"target": {"plain": {"prompt_new": 5, "prompt_cached": None, "generated": None}}}
    run = graded(tmp_path / "run", [verdict_row("60", usage=usage)], {"60": [True]})
    [sample] = log_of(run, tmp_path)["samples"]
    assert sample["model_usage"] == {}


def test_missing_attempts_make_a_cancelled_log_whose_accuracy_counts_them(tmp_path):
    run = graded(tmp_path / "run", [verdict_row("60")], {"60": [True, True]})
    log = log_of(run, tmp_path)
    assert (log["status"], log["results"]["total_samples"], len(log["samples"])) == (
        "cancelled",
        2,
        1,
    )
    assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == 0.5


def test_an_archive_holds_each_sample_as_a_file(tmp_path):
    file = export(graded(tmp_path / "run"), "inspect", str(tmp_path / "log.eval"))
    with zipfile.ZipFile(file) as archive:
        assert "samples/60_epoch_2.json" in archive.namelist()
        assert json.loads(archive.read("header.json"))["version"] == 2


@pytest.mark.parametrize(
    ("form", "options", "sentence"),
    [
        ("csv", ["--data-file", "x.jsonl"], "which only --to inspect includes"),
        ("hf", ["--show-hidden"], "which includes no texts"),
        ("inspect", [], r"must end in \.json or \.eval"),
    ],
)
def test_options_that_a_form_has_no_use_for_are_refused(tmp_path, form, options, sentence):
    with pytest.raises(UserMistake, match=sentence):
        export(graded(tmp_path / "run"), form, str(tmp_path / "log.txt"), *options)


def test_a_failed_export_leaves_the_earlier_file_as_it_was(tmp_path):
    file = tmp_path / "log.eval"
    file.write_text("before")
    run = graded(tmp_path / "run")
    with (run / "problems" / "61.jsonl").open("a") as added:
        added.write("{}\n")
    with pytest.raises(UserMistake, match="line 3 is not an attempt line"):
        export(run, "inspect", str(file))
    assert file.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.eval", "run"]
