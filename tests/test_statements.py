"""What a run's problems ask comes from its dataset, if that is still as the run saw it."""

import json

import pytest
from graded_runs import manifest

from evaluators.reports.statements import Statement, hides_text
from pipeline.errors import UserMistake
from pipeline.problems.problem_set import load_problems
from pipeline.records import Attempt
from pipeline.review import asked_statements
from pipeline.review.asked_statements import hidden_datasets, statement_reader
from pipeline.runs.directory import RunDirectory
from speclrm_testing.commands import speclrm

OWN = {"id": "a", "problem": "1+1?", "answer": "2", "kind": "integer"}


def run_on(folder, dataset, loaded, **changes):
    """A run directory as one on the problem set `loaded` leaves it."""
    folder.mkdir(exist_ok=True)
    written = manifest(["0"], 1, dataset=dataset, seed=3)
    written["dataset"] = {"fingerprint": loaded.fingerprint} | changes
    folder.joinpath("run.json").write_text(json.dumps(written))
    return folder


def own_file(folder, **changes):
    file = folder / "sums.jsonl"
    file.write_text(json.dumps(OWN | changes) + "\n")
    return file


def attempt_at(problem_id, choice_order):
    """An attempt line that records how the choices were ordered."""
    return Attempt(
        dataset="sums",
        problem_id=problem_id,
        repeat_id=0,
        seed=None,
        reasoner="baseline",
        status="ok",
        gold="A",
        kind="choice",
        choice_order=choice_order,
        prompt_sha256=None,
        tracks=(),
        vote=None,
        response="A",
        answer="A",
        usage=None,
        seconds=None,
        started=None,
    )


def test_every_problem_of_a_bundled_dataset_is_there_as_it_was_asked(tmp_path):
    loaded = load_problems("pocket", None, seed=3)
    told = statement_reader()(run_on(tmp_path / "run", "pocket", loaded))
    assert told.missing is None
    assert told.by_id == {p.problem_id: Statement(p.problem, p.choices) for p in loaded.problems}


def test_a_users_own_file_is_read_again(tmp_path):
    file = own_file(tmp_path)
    run = run_on(tmp_path / "run", "sums", load_problems(None, file, seed=3), file=str(file))
    assert statement_reader()(run).by_id == {"a": Statement("1+1?")}


def test_a_file_with_a_datasets_columns_is_read_as_that_dataset(tmp_path):
    file = tmp_path / "copy.jsonl"
    file.write_text(json.dumps({"problem": "1+1?", "answer": "2", "unique_id": "x", "level": 1}))
    run = run_on(tmp_path / "run", "math", load_problems("math", file, seed=3), file=str(file))
    assert statement_reader()(run).by_id == {"0": Statement("1+1?")}


def test_a_file_that_the_caller_names_stands_in_for_the_runs_own(tmp_path):
    file = own_file(tmp_path)
    run = run_on(tmp_path / "run", "sums", load_problems(None, file, seed=3), file="gone.jsonl")
    assert statement_reader(file)(run).by_id == {"a": Statement("1+1?")}


@pytest.mark.parametrize(
    ("order", "shown"),
    [((2, 0, 1), ("z", "x", "y")), ((0, 1, 2), ("x", "y", "z")), (None, ("x", "y", "z"))],
)
def test_choices_stand_in_the_order_that_the_attempts_record(tmp_path, order, shown):
    file = own_file(tmp_path, choices=["x", "y", "z"], answer="A", kind="choice")
    run = run_on(tmp_path / "run", "sums", load_problems(None, file, seed=3), file=str(file))
    if order is not None:
        with RunDirectory(run) as directory:
            directory.append(attempt_at("a", order))
    assert statement_reader()(run).by_id == {"a": Statement("1+1?", shown)}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda file: own_file(file.parent, problem="2+2?"),
            "rows of sums are not those of the run",
        ),
        (lambda file: file.unlink(), "could not be loaded: .*sums.jsonl"),
        (lambda file: file.write_text("{"), "could not be loaded: .*sums.jsonl"),
    ],
)
def test_a_dataset_that_changed_or_went_gives_no_statements_but_the_reason(tmp_path, spoil, reason):
    file = own_file(tmp_path)
    run = run_on(tmp_path / "run", "sums", load_problems(None, file, seed=3), file=str(file))
    spoil(file)
    told = statement_reader()(run)
    assert told.by_id == {}
    with pytest.raises(UserMistake, match=reason):
        raise UserMistake(str(told.missing))


def test_an_unknown_dataset_gives_the_reason(tmp_path):
    run = run_on(tmp_path / "run", "gone", load_problems("pocket", None, seed=3))
    assert "unknown dataset 'gone'" in str(statement_reader()(run).missing)


@pytest.mark.parametrize("name", ["pocket", "gone"])
def test_a_dataset_is_loaded_once_for_all_runs(tmp_path, monkeypatch, name):
    loaded = load_problems("pocket", None, seed=3)
    runs = [run_on(tmp_path / f"run{n}", name, loaded) for n in range(3)]
    asked = []

    def load(dataset, *arguments, **options):
        asked.append(dataset)
        return load_problems(dataset, *arguments, **options)

    monkeypatch.setattr(asked_statements, "load_problems", load)
    reader = statement_reader()
    assert len({reader(run).missing for run in runs}) == 1
    assert asked == [name]


def test_gpqa_is_among_the_hidden_datasets_and_the_open_ones_are_not():
    hidden = hidden_datasets(shown=False)
    assert hides_text("GPQA_diamond", hidden)
    assert not any(hides_text(name, hidden) for name in ("pocket", "aime", "math"))


def test_nothing_is_hidden_from_who_asks():
    assert not hides_text("gpqa", hidden_datasets(shown=True))


@pytest.mark.parametrize("gated", ["Exams", "exams"])
def test_a_dataset_that_its_manifest_calls_gated_is_hidden_however_it_is_written(
    monkeypatch, gated
):
    monkeypatch.setattr(asked_statements, "gated_datasets", lambda: (gated,))
    assert hides_text("exams", hidden_datasets(shown=False))
    assert hides_text("Exams", hidden_datasets(shown=False))


def test_a_run_records_the_file_so_that_a_trace_shows_its_problem(tmp_path, monkeypatch):
    (tmp_path / "fast.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    options = f"--data-file {own_file(tmp_path).name} --engine scripted --script fast.json"
    assert speclrm(f"run baseline {options} --output-dir run").code == 0
    monkeypatch.chdir("/")
    assert "1+1?" in speclrm(f"show {tmp_path / 'run'} --problem-id a").out
