"""Runs in shards: every attempt in exactly one, put together as the run that one process makes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cli_place import FAST, OWN, PROBLEMS, RUN
from hypothesis import given
from hypothesis import strategies as st
from test_runner import written as without_times

from pipeline.cli.shard_processes import shared_out, visible_gpus
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.runs import runner
from pipeline.runs.attempt_keys import Asked, asked_in
from pipeline.runs.directory import attempt_files, read_attempts, read_manifest
from pipeline.runs.durable_lines import REPLACED
from pipeline.runs.merging import merge
from pipeline.runs.planning import plan
from pipeline.runs.shard_directories import shard_directory, shard_name
from pipeline.shards import Shard
from speclrm_testing.commands import speclrm

REPEATS = 3
EXAMPLE = Path(__file__).parent.parent / "examples" / "slurm_array.sh"
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def experiment(place):
    """Three attempts at each of twelve problems, by a scripted engine."""
    return Experiment(
        reasoner="baseline",
        target=EngineSettings("scripted", "m", script=place / "fast.json"),
        dataset=None,
        data_file=place / "sums.jsonl",
        repeats=REPEATS,
    )


def shards(count):
    return [Shard(number, count) for number in range(1, count + 1)]


def made(experiment, run, *parts):
    """Shards of a run; their directories."""
    for part in parts:
        runner.run(experiment, run, shard=part)
    return [shard_directory(run, part) for part in parts]


def written(run):
    """Every attempt without its times."""
    return {attempt.key: without_times(attempt) for attempt in read_attempts(run)}


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@given(
    problems=st.lists(st.integers(0, 60), unique=True, max_size=12),
    repeats=st.integers(1, 20),
    count=st.integers(1, 70),
)
def test_every_attempt_is_in_exactly_one_shard_whatever_the_slice(problems, repeats, count):
    places = {f"p{place}": place for place in problems}
    whole = [*Asked(dict.fromkeys(places), repeats)]
    parts = [Asked(dict.fromkeys(places), repeats, shard, places) for shard in shards(count)]
    assert sorted(key for part in parts for key in part) == sorted(whole)
    for part in parts:
        assert len(part) == len([*part]) == sum(key in part for key in whole)
        slice_ = {"problem_ids": [*places], "repeats": repeats, "places": [*places.values()]}
        assert {*asked_in(slice_ | {"shard": str(part.shard)})} == {*part}


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 16), st.integers(0, 50))
def test_shards_of_a_range_differ_by_less_than_their_count(problems, repeats, count, first):
    places = {str(n): n for n in range(first, first + problems)}
    sizes = [len(Asked(dict.fromkeys(places), repeats, one, places)) for one in shards(count)]
    assert max(sizes) - min(sizes) <= min(problems % count, repeats % count)


def test_a_wider_range_or_more_repeats_move_no_attempt_to_another_shard(experiment):
    few = replace(experiment, problem_range="3-5", repeats=2)
    for part in shards(4):
        assert {*plan(few, shard=part).asked} <= {*plan(experiment, shard=part).asked}


def test_merged_shards_are_the_run_that_one_process_makes(experiment, tmp_path):
    runner.run(experiment, tmp_path / "alone")
    directories = made(experiment, tmp_path / "run", *shards(4))
    merged = merge(directories, tmp_path / "run")
    assert (merged.attempts, merged.added, merged.missing) == (36, 36, ())
    assert written(tmp_path / "run") == written(tmp_path / "alone")
    one, other = (read_manifest(tmp_path / name) for name in ("run", "alone"))
    assert len(one.pop("sessions")) == 4
    del other["sessions"]
    assert one | {"name": "alone"} == other


def test_each_shard_has_a_directory_of_its_own_beside_the_run(experiment, tmp_path):
    made(experiment, tmp_path / "run", Shard(2, 4))
    [directory] = tmp_path.iterdir()
    assert directory.name == "run.shard-2-of-4"
    manifest = read_manifest(directory)
    assert manifest["identity"]["shard"] == manifest["slice"]["shard"] == "2/4"
    assert shard_name(directory) == ("run", Shard(2, 4))


@pytest.mark.parametrize("name", ["run.shard-5-of-4", "run.shard-0-of-4", "run.shard-1", "run"])
def test_other_directories_are_no_shards(tmp_path, name):
    assert shard_name(tmp_path / name) is None


def test_a_shard_is_resumed_and_its_directory_takes_no_other(experiment, tmp_path):
    made(replace(experiment, repeats=1), tmp_path / "run", Shard(1, 2))
    again = runner.run(experiment, tmp_path / "run", shard=Shard(1, 2))
    assert (again.already_done, again.done) == (6, 12)
    moved = shard_directory(tmp_path / "run", Shard(1, 2))
    moved.replace(shard_directory(tmp_path / "run", Shard(2, 2)))
    with pytest.raises(UserMistake, match="shard: '1/2' recorded, '2/2' asked"):
        made(experiment, tmp_path / "run", Shard(2, 2))


def test_nothing_is_merged_into_the_inside_of_a_run(experiment, tmp_path):
    directories = made(experiment, tmp_path / "run", *shards(2))
    merge(directories, tmp_path / "run")
    before = contents(tmp_path)
    for inside in ("problems", "problems/deeper"):
        with pytest.raises(UserMistake, match=r"lies in the run directory .*; merge --into one"):
            merge(directories, tmp_path / "run" / inside)
    assert contents(tmp_path) == before


def test_a_merge_repeated_changes_nothing(experiment, tmp_path):
    directories = made(experiment, tmp_path / "run", *shards(3))
    merge(directories, tmp_path / "run")
    before = contents(tmp_path)
    again = merge(directories, tmp_path / "run")
    assert (again.attempts, again.added) == (36, 0)
    assert contents(tmp_path) == before


def test_a_merged_run_is_graded_ranked_and_resumed_as_any_other(place, tmp_path):
    run = tmp_path / "run"
    for part in ("1/2", "2/2"):
        assert speclrm(f"{RUN} --output-dir {run} --shard {part}").code == 0
    assert speclrm(f"merge {run}.shard-1-of-2 {run}.shard-2-of-2 --into {run}").code == 0
    assert "12 attempts" in speclrm(f"grade {run}").out
    assert speclrm(f"leaderboard {run}").code == 0
    said = speclrm(f"{RUN} --output-dir {run} --repeats 2")
    assert "Attempts: 12 made, 12 already recorded" in said.out


def test_an_incomplete_merge_names_what_is_missing_and_writes_nothing(experiment, tmp_path):
    made(replace(experiment, problem_range="0-5"), tmp_path / "run", Shard(1, 3))
    made(experiment, tmp_path / "run", Shard(3, 3))
    command = f"merge {tmp_path / 'run'}.shard-1-of-3 {tmp_path / 'run'}.shard-3-of-3"
    said = speclrm(f"{command} --into {tmp_path / 'run'}")
    assert said.code == 1
    assert "run.shard-1-of-3) lacks 6 of 12 attempts." in said.sentence
    assert "shard 2/3 is not among them: its 12 attempts are missing." in said.sentence
    assert "Nothing was merged" in said.sentence
    assert not (tmp_path / "run").exists()
    said = speclrm(f"{command} --into {tmp_path / 'run'} --partial")
    assert (said.code, len(written(tmp_path / "run"))) == (0, 18)
    assert "shard 2/3" in said.sentence


def test_a_conflict_names_the_attempt_and_both_directories_and_changes_nothing(
    experiment, tmp_path
):
    directories = made(experiment, tmp_path / "run", *shards(2))
    merge(directories, tmp_path / "run")
    file = tmp_path / "run" / "problems" / "sums-3.jsonl"
    file.write_text(file.read_text().replace('"repeat_id":1', '"repeat_id": 1'))
    before = contents(tmp_path)
    with pytest.raises(UserMistake, match=r"problem 3, repeat 1: in .*run and in .*shard-1-of-2$"):
        merge(directories, tmp_path / "run")
    assert contents(tmp_path) == before


def test_what_was_redone_in_a_shard_takes_its_old_place_in_the_merged_run(experiment, tmp_path):
    failing = tmp_path / "failing.json"
    failing.write_text('{"faults": {"fail": [3]}}')
    broken = replace(experiment, target=replace(experiment.target, script=failing))
    directories = made(broken, tmp_path / "run", *shards(2))
    assert merge(directories, tmp_path / "run").failed == 2
    runner.run(experiment, tmp_path / "run", shard=Shard(1, 2), retry_errors=True)
    again = merge(directories, tmp_path / "run")
    assert (again.attempts, again.failed) == (36, 1)
    assert len((tmp_path / "run" / REPLACED).read_text().splitlines()) == 1
    runner.run(experiment, tmp_path / "run", retry_errors=True)
    last = merge(directories, tmp_path / "run")
    assert (last.attempts, last.added, last.failed) == (36, 0, 0)


@pytest.mark.parametrize("change", [{"seed": 1}, {"token_budget": 9}])
def test_directories_of_other_settings_are_refused_with_the_difference(
    experiment, tmp_path, change
):
    made(experiment, tmp_path / "run", Shard(1, 2))
    made(replace(experiment, **change), tmp_path / "other", Shard(2, 2))
    with pytest.raises(UserMistake, match=rf"(?s)with other settings.*{next(iter(change))}: "):
        merge([*tmp_path.iterdir()], tmp_path / "merged")


def test_what_a_kill_tore_is_left_out_and_what_lacks_only_its_newline_is_not(experiment, tmp_path):
    directories = made(experiment, tmp_path / "run", *shards(2))
    first, second = attempt_files(directories[0])[:2]
    first.write_bytes(first.read_bytes()[:-1])
    second.write_bytes(second.read_bytes()[:-20])
    merged = merge(directories, tmp_path / "run", partial=True)
    assert merged.attempts == 35
    assert all(file.read_bytes().endswith(b"\n") for file in attempt_files(tmp_path / "run"))
    runner.run(experiment, tmp_path / "run", shard=Shard(1, 2))
    assert merge(directories, tmp_path / "run").attempts == 36


def test_no_attempt_is_made_that_another_directory_of_the_run_holds(experiment, tmp_path):
    directories = made(experiment, tmp_path / "run", Shard(1, 2))
    for part in (None, Shard(1, 4)):
        with pytest.raises(UserMistake, match=r"continue with --shards 2, or first put"):
            runner.run(experiment, tmp_path / "run", shard=part)
    merge(directories, tmp_path / "run", partial=True)
    rest = [runner.run(experiment, tmp_path / "run", shard=part).done for part in shards(4)]
    assert sum(rest) == 18
    merged = merge([*tmp_path.glob("run.shard-*-of-*")], tmp_path / "run")
    assert (merged.attempts, merged.added, merged.missing) == (36, 18, ())


def test_what_is_only_in_the_merged_run_is_redone_there(experiment, tmp_path):
    runner.run(experiment, tmp_path / "run")
    with pytest.raises(UserMistake, match="18 of the attempts that would be redone are in the mer"):
        runner.run(experiment, tmp_path / "run", shard=Shard(1, 2), force=True)


def test_the_plan_of_a_shard_counts_its_own_attempts(tmp_path):
    plan_ = f"{RUN} --repeats 3 --output-dir {tmp_path / 'run'} --dry-run"
    assert "attempts       9: " in speclrm(f"{plan_} --shard 1/4").out
    said = speclrm(f"{plan_} --shards 4").out
    assert "attempts       36: " in said
    assert "4 processes: " in said
    assert not any(tmp_path.iterdir())


def test_status_counts_what_is_merged_once_and_names_the_shards_that_are_not_there(
    experiment, tmp_path
):
    directories = made(experiment, tmp_path / "run", Shard(1, 3), Shard(3, 3))
    said = speclrm(f"status {tmp_path}")
    assert "24/24" in said.out
    assert "run: no folder of shard 2/3" in said.out
    merge(directories, tmp_path / "run", partial=True)
    told = json.loads(speclrm(f"status {tmp_path} --json").out)
    assert [run["state"] for run in told["runs"]] == ["unfinished", "merged", "merged"]
    assert (told["sums"]["recorded"], told["sums"]["planned"]) == (24, 36)


def told_by_status(*places):
    return json.loads(speclrm(f"status {' '.join(map(str, places))} --json").out)


def sums_of(*places):
    sums = told_by_status(*places)["sums"]
    return sums["recorded"], sums["planned"]


def test_what_is_merged_of_a_shard_that_has_more_counts_once(experiment, tmp_path):
    directories = made(replace(experiment, repeats=1), tmp_path / "run", *shards(2))
    assert speclrm(f"grade {directories[0]}").code == 0
    merge(directories, tmp_path / "run", partial=True)
    made(experiment, tmp_path / "run", Shard(1, 2))
    told = told_by_status(tmp_path)
    assert [(one["recorded"], one["state"]) for one in told["runs"]] == [
        (12, "complete"),
        (18, "complete"),
        (6, "merged"),
    ]
    assert (told["sums"]["recorded"], told["sums"]["planned"]) == (24, 24)
    assert told["sums"]["verdicts"] == 0
    assert "what a run and its shards both have counts once" in speclrm(f"status {tmp_path}").out
    merge(directories, tmp_path / "run", partial=True)
    [whole] = told_by_status(tmp_path / "run")["runs"]
    assert told["sums"]["tokens"] == whole["tokens"]


def test_a_run_and_its_shards_on_several_machines_count_once(experiment, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    directories = [*made(experiment, one / "run", Shard(1, 2))]
    directories += made(experiment, other / "run", Shard(2, 2))
    assert told_by_status(one, other)["others"] == []
    assert "shard 2/2" in told_by_status(one)["others"][0]["reason"]
    shutil.copytree(directories[0], other / directories[0].name)
    assert sums_of(one, other) == (36, 36)
    merge(directories, one / "run")
    told = told_by_status(one, other)
    assert [one["state"] for one in told["runs"]] == ["complete", "merged", "merged", "merged"]
    assert sums_of(one, other) == (36, 36)


def test_a_folder_that_is_named_twice_is_one(experiment, tmp_path):
    made(experiment, tmp_path / "run", Shard(1, 2))
    (tmp_path / "same").symlink_to(tmp_path)
    assert sums_of(tmp_path, tmp_path / "run.shard-1-of-2", tmp_path / "same") == (18, 18)


def test_shards_of_two_runs_of_one_name_are_of_two_runs(experiment, tmp_path):
    made(experiment, tmp_path / "a" / "run", Shard(1, 2))
    made(replace(experiment, seed=1), tmp_path / "b" / "run", Shard(2, 2))
    told = told_by_status(tmp_path)
    assert [(one["path"][-5:], one["reason"]) for one in told["others"]] == [
        ("a/run", "no folder of shard 2/2"),
        ("b/run", "no folder of shard 1/2"),
    ]
    assert told["sums"]["recorded"] == 36


def test_a_shard_whose_attempts_are_all_merged_is_not_missed(experiment, tmp_path):
    directories = made(experiment, tmp_path / "run", *shards(3))
    merge(directories[:2], tmp_path / "run", partial=True)
    shutil.rmtree(directories[0])
    assert told_by_status(tmp_path)["others"] == []
    shutil.rmtree(directories[2])
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    reasons = [one["reason"] for one in told_by_status(tmp_path)["others"]]
    assert reasons == ["no folder of shard 1/3, 3/3"]


def test_a_folder_with_the_name_of_a_shard_is_none_where_its_manifest_says_so(experiment, tmp_path):
    runner.run(experiment, tmp_path / "run.shard-1-of-2")
    told = told_by_status(tmp_path)
    assert [one["state"] for one in told["runs"]] == ["complete"]
    assert told["others"] == []


def test_a_shard_is_not_ranked_by_itself(experiment, tmp_path):
    [directory] = made(experiment, tmp_path / "run", Shard(1, 2))
    assert speclrm(f"grade {directory}").code == 0
    said = speclrm(f"leaderboard {directory}")
    assert said.code == 2
    assert "is shard 1/2 of a run; put its shards together with `speclrm merge`" in said.sentence


def test_all_shards_start_by_one_command_and_are_merged_at_the_end(tmp_path):
    run = tmp_path / "run"
    said = speclrm(f"{RUN} --output-dir {run} --repeats 2 --shards 2")
    assert (said.code, len(written(run))) == (0, 2 * PROBLEMS)
    assert "[1/2] Attempts: 12 made" in said.err
    assert "24 attempts, 24 of them new, 0 failed." in said.out
    again = speclrm(f"{RUN} --output-dir {run} --repeats 2 --shards 2")
    assert "Attempts: 0 made, 24 already recorded" in again.out


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_all_shards_and_the_command_repeated_completes(tmp_path, blow):
    run = tmp_path / "run"
    slow = tmp_path / "slow.json"
    slow.write_text('{"latency": {"decode_token": 0.01}}')
    command = f"{RUN} --output-dir {run} --script {slow} --concurrency 1 --shards 2"
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as launcher:
        directories = [shard_directory(run, part) for part in shards(2)]
        while launcher.poll() is None and not all(
            one.exists() and attempt_files(one) for one in directories
        ):
            time.sleep(0.02)
        launcher.send_signal(blow)
        said = launcher.communicate()[1]
    assert launcher.returncode == 3
    assert said.count("ended with the exit code 3") == 2
    assert "Nothing was merged: repeat the command to continue." in said
    assert not run.exists()
    assert speclrm(command.replace(str(slow), "fast.json")).code == 0
    assert len(written(run)) == PROBLEMS


def test_a_shard_that_died_is_told_and_the_others_end(tmp_path):
    run = tmp_path / "run"
    shard_directory(run, Shard(1, 2)).mkdir()
    (shard_directory(run, Shard(1, 2)) / "problems").write_text("no folder")
    command = f"{RUN} --output-dir {run} --shards 2"
    said = speclrm(command)
    assert "Shard 1/2 ended with the exit code 2." in said.err
    assert len(written(shard_directory(run, Shard(2, 2)))) == 6
    shutil.rmtree(shard_directory(run, Shard(1, 2)))
    assert speclrm(command).code == 0


BROKEN = """
import sys

if "1/2" in sys.orig_argv:
    from pipeline.runs import runner

    def run_plan(*_args, **_named):
        raise RuntimeError("what nobody foresaw")

    runner.run_plan = run_plan
"""


def test_a_shard_that_breaks_off_by_an_error_is_not_taken_for_one_with_failed_attempts(
    tmp_path, monkeypatch
):
    run = tmp_path / "run"
    command = f"{RUN} --output-dir {run} --shards 2"
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    with monkeypatch.context() as broken:
        broken.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
        said = speclrm(command)
    assert said.code == 3
    assert "[1/2] RuntimeError: what nobody foresaw" in said.err
    assert "Shard 1/2 ended with the exit code 3." in said.err
    assert len(written(shard_directory(run, Shard(2, 2)))) == 6
    assert speclrm(command).code == 0
    assert len(written(run)) == PROBLEMS


def test_a_run_whose_shards_say_that_all_was_tried_but_lack_attempts_could_not_go_on(
    tmp_path, monkeypatch, experiment
):
    run = tmp_path / "run"

    def run_first(_arguments, _parts):
        runner.run(replace(experiment, repeats=1), run, shard=Shard(1, 2))
        return {Shard(1, 2): 0, Shard(2, 2): 1}

    monkeypatch.setattr("pipeline.cli.run_shards.run_parts", run_first)
    said = speclrm(f"{RUN} --output-dir {run} --shards 2")
    assert said.code == 3
    assert "shard 2/2 is not among them: its 6 attempts are missing" in said.sentence
    assert "A shard that lacks attempts broke off" in said.sentence
    assert not run.exists()


def test_a_shard_that_was_killed_is_told_with_what_may_have_done_it(monkeypatch, tmp_path):
    ends = {Shard(1, 2): 0, Shard(2, 2): -signal.SIGKILL}
    monkeypatch.setattr("pipeline.cli.run_shards.run_parts", lambda *_: ends)
    said = speclrm(f"{RUN} --output-dir {tmp_path / 'run'} --shards 2")
    assert said.code == 3
    assert "Shard 2/2 was ended by SIGKILL, by hand or by a system short of memory" in said.sentence
    assert "Nothing was merged: repeat the command to continue." in said.sentence


def test_a_job_array_of_slurm_makes_the_run(tmp_path):
    """The example as a cluster runs it: its tasks differ by their number alone."""
    command = tmp_path / "bin" / "speclrm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipeline "$@"\n')
    command.chmod(0o755)
    run = tmp_path / "run"
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RUN": str(run),
        "SHARDS": "2",
    }
    for task in ("1", "2"):
        subprocess.run(
            ["bash", EXAMPLE, *RUN.split()[1:]],
            env=environment | {"SLURM_ARRAY_TASK_ID": task},
            check=True,
            capture_output=True,
        )
    merged = merge([shard_directory(run, part) for part in shards(2)], run)
    assert (merged.attempts, merged.missing) == (PROBLEMS, ())


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("--shard 3/2", "there is no shard 3/2: of 2 shards the first is 1/2 and the last 2/2"),
        ("--shard two", "'two' names no shard; write its number and how many there are"),
        ("--shard 1/2 --shards 2", "--shard makes one shard and --shards makes all; drop one"),
        ("--shards 0", "0 is not in the range x>=1"),
    ],
)
def test_what_is_no_shard_is_refused(asked, sentence):
    said = speclrm(f"{RUN} {asked}")
    assert said.code == 2
    assert sentence in said.sentence


RECORDER = """import json, os, sys
if "--shard" in sys.orig_argv:
    given = sys.orig_argv
    with open(os.environ["RECORD"], "a") as file:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        shard = given[given.index("--shard") + 1]
        rest = given[given.index("--shard") + 2 :]
        file.write(json.dumps([shard, visible, rest]) + "\\n")
    os._exit(3)
"""


@pytest.mark.parametrize(
    ("visible", "options", "of_shards"),
    [
        ("4,5,6,7", "", {"1/2": ("4,5", []), "2/2": ("6,7", [])}),
        ("GPU-a, GPU-b", "", {"1/2": ("GPU-a", []), "2/2": ("GPU-b", [])}),
        ("", "", {"1/2": ("", []), "2/2": ("", [])}),
        (
            "4,5,6,7",
            "--devices 0,1",
            {"1/2": ("4,5,6,7", ["--devices", "0"]), "2/2": ("4,5,6,7", ["--devices", "1"])},
        ),
        ("4,5", "--devices cpu", {"1/2": ("4,5", []), "2/2": ("4,5", [])}),
        ("4,5", FAST, {"1/2": ("4,5", []), "2/2": ("4,5", [])}),
        ("4,5,6", "", "This machine has 3 GPUs and there are 2 shards"),
        ("4,5", "--devices 0", "--devices has 1 GPUs and there are 2 shards"),
    ],
)
def test_each_process_of_a_launcher_has_gpus_of_its_own(
    tmp_path, monkeypatch, visible, options, of_shards
):
    """Real processes, which write down what they were started with and end there."""
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    said = speclrm(
        f"{OWN} --engine transformers --output-dir {tmp_path / 'run'} {options} --shards 2"
    )
    if isinstance(of_shards, str):
        assert (said.code, (tmp_path / "record").exists()) == (2, False)
        assert of_shards in said.sentence
        return
    assert said.code == 3
    recorded = map(json.loads, (tmp_path / "record").read_text().splitlines())
    assert {shard: (seen, rest) for shard, seen, rest in recorded} == of_shards


def test_gpus_are_shared_out_evenly_or_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1, 4,5")
    assert shared_out(visible_gpus(), 2, "This machine") == ["0,1", "4,5"]
    for count in (3, 8):
        with pytest.raises(UserMistake, match=f"has 4 GPUs and there are {count} shards"):
            shared_out(visible_gpus(), count, "This machine")
