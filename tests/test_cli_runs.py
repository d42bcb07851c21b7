"""Runs by the command line: exit codes, resuming, plans, and what is recorded."""

import shutil
from pathlib import Path

import pytest
from cli_place import FAST, OWN, PROBLEMS, RUN, attempts
from fake_server import MODELS, chat, serving

from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm

pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize("text", ["so \\boxed{1}", "no answer", ""])
def test_what_a_server_says_is_recorded_with_its_own_token_counts(
    tmp_path: Path, text: str
) -> None:
    run = tmp_path / "run"
    with serving(lambda path: MODELS if path.endswith("/models") else chat(text)) as url:
        options = f"--engine openai --base-url {url} --model m --output-dir {run}"
        said = speclrm(f"{OWN} --problem-id 0 {options}")
    [attempt] = read_attempts(run)
    tokens = attempt.usage["target"]["plain"]
    assert (said.code, attempt.status, attempt.response) == (0, "ok", text)
    assert (tokens.prompt_new, tokens.prompt_cached, tokens.generated) == (7, None, 1)


def test_a_prompt_longer_than_the_context_is_an_error_record(tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = speclrm(f"{OWN} --engine scripted --script short.json --problem-id 3 --output-dir {run}")
    assert said.code == 1
    assert "1 of the 1 prompts do not fit the target's context of 20 tokens" in said.sentence
    [attempt] = read_attempts(run)
    assert attempt.error.type == "PromptTooLong"
    assert "the model's context 20: no room is left for an answer" in attempt.error.message


def test_failed_attempts_give_exit_code_1_and_retry_errors_makes_them_again(tmp_path: Path) -> None:
    failing = RUN.replace("fast.json", "failing.json") + f" --output-dir {tmp_path / 'run'}"
    said = speclrm(failing)
    assert (said.code, "Attempts: 12 made" in said.out, "1 failed" in said.out) == (1, True, True)
    assert "--retry-errors redoes them" in said.sentence
    again = speclrm(f"{failing.replace('failing', 'fast')} --retry-errors")
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        "Attempts: 1 made, 11 already recorded, 0 failed, 0 remaining, of 12.",
    )


def test_the_same_command_resumes_under_the_same_name(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = RUN.replace("fast.json", f"{place}/fast.json").replace("sums", f"{place}/sums")
    first, second = speclrm(f"{command} --problem-id first:5"), speclrm(command)
    assert second.out.startswith("Attempts: 7 made, 5 already recorded")
    directory = first.out.splitlines()[1]
    assert second.out.splitlines()[1] == directory
    assert directory.startswith("results/sums-baseline-pocket-target-")
    assert len(attempts(directory)) == PROBLEMS


def test_the_spellings_of_the_ssr_scripts_are_accepted(tmp_path: Path) -> None:
    said = speclrm(
        f"run baseline {FAST} --dataset_name pocket --problem_id 3-4 --repeat_id 3 "
        f"--model_name anything --token_budget 100 --output_dir {tmp_path / 'run'}"
    )
    assert said.code == 0
    assert set(attempts(tmp_path / "run")) == {(p, r) for p in ("3", "4") for r in range(3)}


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    options = "--problem-id first:3 --repeats 2 --token-budget 100"
    said = speclrm(f"run baseline {options} --dry-run --output-dir {tmp_path / 'run'}")
    assert said.code == 0
    assert "attempts       6: 3 problems x 2 repeats, 0 already recorded" in said.out
    assert "new tokens     at most 600\n" in said.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_knows_what_is_recorded(earlier: str) -> None:
    as_before = RUN.replace(" --model pocket-target", "")
    said = speclrm(f"{as_before} --dry-run --output-dir {earlier}")
    assert "12 problems x 1 repeat, 2 already recorded" in said.out


def test_a_graded_run_is_listed_in_every_format(tmp_path: Path) -> None:
    run = tmp_path / "run"
    speclrm(f"{RUN} --output-dir {run}")
    assert speclrm(f"grade {run}").out.startswith(f"{run}: 12 attempts, ")
    for form in ("table", "markdown", "csv", "json"):
        said = speclrm(f"leaderboard {run} --format {form}")
        assert (said.code, "baseline" in said.out) == (0, True)


def test_grading_says_one_line_where_no_terminal_is(tmp_path: Path, earlier: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(earlier, run)
    said = speclrm(f"grade {run}")
    assert (said.code, said.err, said.out.count("\n")) == (0, "", 1)
