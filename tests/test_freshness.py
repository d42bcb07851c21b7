"""Verdicts count only for the attempts that they were made from."""

import json
import os
import shutil
import signal

import pytest

from evaluators.run_files.graded_attempts import graded_attempts
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.metrics import run_metrics
from pipeline.runs.directory import attempt_files
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import CHAIN, Place

READERS = (
    "leaderboard {run}",
    "leaderboard {run} --format csv",
    "leaderboard {run} --html {folder}/page.html",
    "compare {run} {folder}/again",
    "export {run} --to csv --output {folder}/sheet.csv",
    "export {run} --to inspect --output {folder}/log.json",
    "export {run} --to hf --output {folder}/card.md",
)


@pytest.fixture(scope="module")
def graded_place(tmp_path_factory):
    """A graded run of six right answers; its tests take copies."""
    place = Place.made(tmp_path_factory.mktemp("graded"))
    assert place.speclrm("baseline").code == 0
    assert speclrm(f"grade {place.run('baseline')}").code == 0
    return place


@pytest.fixture
def run(graded_place, tmp_path):
    """A copy of the graded run, with the times of its files."""
    return shutil.copytree(graded_place.run("baseline"), tmp_path / "run")


def edited(file, change):
    """Rewrite every attempt line of a file, with the size and the time that come of it."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(change(line)) + "\n" for line in lines))


def test_after_force_every_reader_refuses_the_verdicts_of_before(tmp_path):
    place = Place.made(tmp_path)
    run = place.run("baseline")
    assert place.speclrm("baseline").code == 0
    assert speclrm(f"grade {run}").code == 0
    place.script("target", rules=[{"when": "+1?", "text": CHAIN.format(99)}])
    assert place.speclrm("baseline", "--force").code == 0
    shutil.copytree(run, tmp_path / "again")
    for reader in READERS:
        said = speclrm(reader.format(run=run, folder=tmp_path))
        assert (said.code, said.out) == (2, ""), reader
        assert "6 of its 6 verdicts were made from attempts that no longer exist" in said.err
        assert f"grade again: speclrm grade {run}" in said.err
    assert speclrm(f"grade {run}").out == f"{run}: 6 attempts, 6 wrong\n"
    assert run_metrics(run).accuracy == 0


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_verdicts_of_the_attempts_that_are_there(run, tmp_path, reader):
    shutil.copytree(run, tmp_path / "again")
    said = speclrm(reader.format(run=run, folder=tmp_path))
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (lambda files: edited(files[0], lambda line: line | {"response": "\\boxed{7}"}), 1),
        (lambda files: edited(files[0], lambda line: line | {"seconds": 1e9}), 1),
        (lambda files: files[1].write_bytes(b""), 1),
        (lambda files: files[1].unlink(), 1),
        (lambda files: [file.unlink() for file in files], 6),
        (lambda files: files[0].write_bytes(files[1].read_bytes()), 1),
        (lambda files: files[0].rename(files[0].with_name("other.jsonl")), 1),
    ],
)
def test_an_attempt_that_changed_or_went_makes_its_verdict_stale(run, change, stale):
    change(attempt_files(run))
    with pytest.raises(NotGraded, match=f"{stale} of its 6 verdicts were made from attempts"):
        run_metrics(run)


def touch(run):
    for file in attempt_files(run):
        os.utime(file, (1, 1))


def add_a_repeat(run):
    manifest = json.loads((run / "run.json").read_text())
    manifest["slice"]["repeats"] = 2
    (run / "run.json").write_text(json.dumps(manifest))
    for file in attempt_files(run):
        line = json.loads(file.read_text()) | {"repeat_id": 1}
        with file.open("a") as out:
            out.write(json.dumps(line) + "\n")


def tear(run):
    with attempt_files(run)[0].open("a") as out:
        out.write('{"dataset": "su')


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (touch, 0),
        (add_a_repeat, 0.5),
        (tear, 0),
        (lambda run: shutil.rmtree(run / "problems"), 0),
    ],
    ids=["copied without times", "more attempts", "a line being written", "sent without attempts"],
)
def test_verdicts_stand_while_their_attempts_do(run, change, missing):
    change(run)
    assert run_metrics(run).rates.missing == missing


def test_a_page_or_an_export_names_an_attempt_without_a_verdict(run):
    add_a_repeat(run)
    with pytest.raises(NotGraded, match=r"problem 0, repeat 1 has no verdict.*speclrm grade"):
        list(graded_attempts(run))


def test_files_that_are_as_they_were_are_not_read_again(run, monkeypatch):
    monkeypatch.setattr(
        "evaluators.run_files.freshness.whole_lines", lambda file: pytest.fail(str(file))
    )
    assert run_metrics(run).accuracy == 1


@pytest.fixture
def impatient():
    """Ends the test that waits for a pipe nobody writes to."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(60)
    yield
    signal.alarm(0)


OTHERS = ("grade {run}", "grade {run} --diff", "show {run} --problem-id 0", "vote {run}")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("place", ["verdicts.jsonl", "run.json", "problems/sums-0.jsonl"])
@pytest.mark.parametrize("reader", [*READERS, *OTHERS])
def test_a_named_pipe_in_a_run_is_not_waited_for(run, tmp_path, place, reader):
    (run / place).unlink()
    os.mkfifo(run / place)
    said = speclrm(reader.format(run=run, folder=tmp_path))
    if place != "verdicts.jsonl" or reader not in OTHERS[2:]:
        assert said.code == 2
        assert len(said.err.strip().splitlines()) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "command",
    [
        "grade --file {pipe}",
        "datasets --data-file {pipe}",
        "run baseline --data-file {pipe} --model pocket-target",
        "run baseline --engine scripted --script {pipe} --output-dir {folder}/out",
        "import {pipe} --from lm-eval --dataset pocket --output-dir {folder}/out",
        "import {pipe} --from ssr --dataset pocket --output-dir {folder}/out",
    ],
)
def test_a_named_pipe_for_a_file_of_the_users_is_not_waited_for(tmp_path, command):
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    said = speclrm(command.format(pipe=pipe, folder=tmp_path))
    assert said.code == 2
    assert "pipe" in said.err.replace(str(pipe), "") or "is not a file" in said.err


@pytest.mark.parametrize("change", [lambda line: line, lambda line: line | {"seconds": 7.0}])
def test_an_attempt_that_has_come_to_stand_twice_has_no_verdict_that_counts(run, change):
    [*_, file] = attempt_files(run)
    line = file.read_text().splitlines()[0]
    file.write_text(file.read_text() + json.dumps(change(json.loads(line))) + "\n")
    said = speclrm(f"leaderboard {run}")
    assert said.code == 2
    assert "1 of its 6 verdicts were made from attempts that no longer exist, or are dup" in (
        said.sentence
    )
    assert "appears twice" in speclrm(f"grade {run}").sentence


def test_a_page_refuses_verdicts_on_other_tracks(run, tmp_path):
    file = run / "verdicts.jsonl"
    rows = [json.loads(row) for row in file.read_text().splitlines()]
    rows[0]["tracks"] = []
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = speclrm(f"leaderboard {run} --html {tmp_path / 'page.html'}")
    assert said.code == 2
    assert "judges other tracks of problem" in said.sentence


def with_manifest(run, change):
    file = run / "run.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda manifest: manifest | {"identity": None}, "has no fields in identity or dataset"),
        (lambda manifest: manifest | {"identity": []}, "has no fields in identity or dataset"),
        (lambda manifest: manifest | {"dataset": None}, "has no fields in identity or dataset"),
        (
            lambda manifest: manifest | {"dataset": manifest["dataset"] | {"file": 5}},
            "names no file by 5",
        ),
    ],
)
def test_a_damaged_manifest_is_a_sentence_to_who_reads_an_attempt(run, change, complaint):
    with_manifest(run, change)
    said = speclrm(f"show {run} --problem-id 1")
    assert said.code == 2
    assert complaint in said.sentence


def test_a_page_has_room_for_so_many_attempts(run, tmp_path):
    with_manifest(run, lambda old: old | {"slice": old["slice"] | {"repeats": 10**12}})
    said = speclrm(f"leaderboard {run} --html {tmp_path / 'page.html'}")
    assert said.code == 2
    assert "a page shows at most 2,000,000" in said.sentence
