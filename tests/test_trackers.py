"""Trackers: a run is followed as it goes on, without secrets, and never disturbed."""

import json
import os
import threading
from pathlib import Path

import pytest
from graded_runs import in_windows, rewrite_attempts

from pipeline.cli.doctor import tracker_findings
from pipeline.cli.findings import State
from pipeline.runs.directory import read_attempts
from pipeline.trackers import TRACKERS, following, run_id, tracker_entry
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

ODD = """
import json
from pathlib import Path
from threading import Event, current_thread, main_thread
from pipeline.trackers import TrackerEntry, run_id

class Odd:
    def begin(self, settings, name):
        self.id = run_id(settings, name)
        self.write("begin", [settings, current_thread() is main_thread()])
        {begin}
    def log(self, metrics, step):
        self.write("log", [dict(metrics), step])
        {log}
    def finish(self):
        self.write("finish", None)
    def write(self, call, said):
        with Path({file!r}).open("a") as file:
            file.write(json.dumps([self.id, call, said]) + chr(10))

ODD = TrackerEntry(name="odd", path="mine:Odd" {more})
"""
TABLE = """\
title = "Sums"
columns = ["sums.jsonl", "sums.jsonl[first:3]"]
[defaults]
token_budget = 200
target = "big"
[models.big]
engine = "scripted"
script = "target.json"
[rows.large]
reasoner = "baseline"
[rows.warm]
reasoner = "baseline"
temperature = 0.9
"""


@pytest.fixture
def place(tmp_path):
    return Place.made(tmp_path)


@pytest.fixture
def odd(offer, tmp_path):
    """Install the tracker `odd`, which writes down its calls; the function returns them."""
    file = tmp_path / "calls.jsonl"

    def install(begin="", log="", more=""):
        code = ODD.format(begin=begin, log=log, more=more, file=str(file))
        offer("mine", "trackers", "odd = mine:ODD", code=code)
        return lambda: [json.loads(line) for line in file.read_text().splitlines()]

    return install


def tokens(run: Path) -> int:
    return sum(
        made.generated
        for attempt in read_attempts(run)
        for made in attempt.usage["target"].values()
    )


def test_a_run_is_begun_logged_and_finished_in_another_thread(place, odd):
    calls = odd()
    assert place.speclrm("baseline", "--tracker odd").code == 0
    made = calls()
    assert [call for _, call, _ in made if call != "log"] == ["begin", "finish"]
    settings, in_main_thread = made[0][2]
    identity = json.loads((place.run("baseline") / "run.json").read_text())["identity"]
    assert (settings, in_main_thread) == (identity, False)
    metrics, step = made[-2][2]
    assert step == len(place.attempts("baseline"))
    assert metrics["attempts/failed"] == 0
    assert metrics["tokens/target"] == tokens(place.run("baseline"))


def test_a_resumed_run_goes_on_under_its_id_and_counts_what_was_there(place, odd):
    calls = odd()
    assert place.speclrm("baseline", "--tracker odd --problem-id first:2").code == 0
    first = calls()
    assert place.speclrm("baseline", "--tracker odd").code == 0
    assert {number for number, _, _ in calls()} == {first[0][0]}
    counted = [said for _, call, said in calls() if call == "log"]
    assert [step for _, step in counted] == sorted(step for _, step in counted)
    assert counted[-1][0]["tokens/target"] == tokens(place.run("baseline"))


def test_a_tracker_has_all_tokens_and_forwards_of_every_model_its_assistant_too(place, odd):
    calls = odd()
    assert place.speclrm("baseline").code == 0
    rewrite_attempts(place.run("baseline"), usage=in_windows())
    assert place.speclrm("baseline", "--tracker odd").code == 0
    attempts = len(place.attempts("baseline"))
    logged = [said[0] for _, call, said in calls() if call == "log"][-1]
    assert {name: made / attempts for name, made in logged.items() if "/target" in name} == {
        "tokens/target": 47,
        "tokens/target_assistant": 30,
        "forwards/target": 8,
        "forwards/target_assistant": 20,
    }


def test_another_setting_or_another_folder_is_another_run():
    ids = {run_id({"seed": seed}, name) for seed in (0, 1) for name in ("a", "b")}
    assert len(ids) == 4


@pytest.mark.parametrize("where", ["begin", "log"])
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ValueError('no server')", "ValueError: no server"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_tracker_that_fails_is_one_warning_and_the_run_is_whole(place, odd, where, code, told):
    odd(**{where: code})
    said = place.speclrm("baseline", "--tracker odd")
    assert (said.code, said.err.count("Warning: The tracker odd")) == (0, 1), said.err
    assert told in said.err
    assert "0 remaining" in said.out


@pytest.mark.parametrize("where", ["begin", "log"])
def test_a_tracker_that_hangs_is_left_behind_with_a_warning(place, odd, monkeypatch, where):
    monkeypatch.setattr(following, "PATIENCE", 0.2)
    odd(**{where: "Event().wait()"})
    said = place.speclrm("baseline", "--tracker odd")
    assert (said.code, said.err.count("Warning: The tracker odd")) == (0, 1), said.err
    assert "it did not answer within 0.2 s" in said.err
    assert "0 remaining" in said.out


def test_no_secret_goes_to_a_tracker(place, odd, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    calls = odd(log="raise ValueError('sk-very-secret')")
    said = place.speclrm("baseline", "--tracker odd --system-prompt sk-very-secret")
    assert said.code == 0
    assert calls()[0][2][0]["system_prompt"] == "***"
    assert "sk-very-secret" not in said.err


def test_a_missing_package_is_refused_before_the_run_with_its_extra(place, odd):
    odd(more=", package='no_such_package', install='pip install it'")
    said = place.speclrm("baseline", "--tracker odd")
    assert said.code == 2
    assert "needs the package no_such_package, which is not installed; pip install it" in said.err
    assert not place.run("baseline").exists()


def test_a_tracker_that_is_not_known_is_refused_with_a_near_match(place):
    said = place.speclrm("baseline", "--tracker mlfow")
    assert said.code == 2
    assert "There is no tracker 'mlfow' (did you mean mlflow?)" in said.err
    assert not place.run("baseline").exists()


def test_every_run_of_a_table_has_its_accuracy_once_it_is_graded(place, odd):
    calls = odd()
    (place.folder / "table.toml").write_text(TABLE)
    command = f"table {place.folder / 'table.toml'} --results {place.folder / 'results'}"
    assert speclrm(f"{command} --tracker odd").code == 0
    made = calls()
    assert [call for _, call, _ in made].count("begin") == 2
    assert [call for _, call, _ in made].count("finish") == 2
    logged = [said[0] for _, call, said in made if call == "log"]
    assert any("accuracy/warm / sums" in metrics for metrics in logged)
    assert any("accuracy/large / sums[first:3]" in metrics for metrics in logged)
    # Reporting alone sends them once more, to the same runs.
    assert speclrm(f"{command} --report --tracker odd").code == 0
    assert {number for number, _, _ in calls()} == {number for number, _, _ in made}


def test_without_a_tracker_there_is_no_thread():
    before = threading.active_count()
    assert following.Following(None, []).end() is None
    assert threading.active_count() == before


@pytest.mark.parametrize("name", TRACKERS.built_in)
def test_our_trackers_hold_together_and_name_their_extra(name):
    entry = TRACKERS[name]
    entry.check_declaration()
    assert entry.install == f"pip install 'speclrm[{name}]'"


def test_the_doctor_says_which_trackers_are_installed(odd):
    odd(more=", package='no_such_package', install='pip install it'")
    told = {one.what: one for one in tracker_findings()}
    assert told.keys() == {"--tracker mlflow", "--tracker wandb", "--tracker odd"}
    assert told["--tracker odd"].found == "not installed (pip install it)"
    assert {one.state for one in told.values()} == {State.OK}


def test_a_run_in_mlflow_goes_on_when_it_is_resumed(place, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow import MlflowClient  # noqa: PLC0415 - where it is installed

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    for chosen in ("first:2", "all"):
        said = place.speclrm("baseline", f"--tracker mlflow --problem-id {chosen}")
        assert (said.code, "Warning" in said.err) == (0, False), said.err
    client = MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("speclrm").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["reasoner"] == "baseline"
    assert run.data.metrics["tokens/target"] == tokens(place.run("baseline"))


def test_a_run_in_wandb_is_written_offline(place, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    said = place.speclrm("baseline", "--tracker wandb")
    assert (said.code, "Warning" in said.err) == (0, False), said.err
    assert len(list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))) == 1
    assert tracker_entry("wandb").installed
    assert os.environ["WANDB_MODE"] == "offline"
