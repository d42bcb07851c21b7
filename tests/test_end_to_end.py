"""The demo through a real vLLM: the pocket pair reasons, is graded, and stands in one table."""

import json
from pathlib import Path

import psutil
import pytest

from pipeline.records import Attempt, Stop
from pipeline.runs.directory import read_attempts, read_manifest
from speclrm_testing.commands import Said, speclrm

pytestmark = pytest.mark.vllm
PROBLEMS = 15
COMMAND = f"run baseline --dataset pocket --problem-id first:{PROBLEMS} --engine vllm"


def made(folder: Path, name: str, options: str = "--concurrency 16") -> Said:
    return speclrm(f"{COMMAND} {options} --output-dir {folder / name}")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs `target` and `draft`, graded."""
    folder = tmp_path_factory.mktemp("results")
    for name in ("target", "draft"):
        assert made(folder, name, f"--concurrency 16 --model pocket-{name}").code == 0
    assert speclrm(f"grade {folder / 'target'} {folder / 'draft'}").code == 0
    return folder


def by_key(run: Path) -> dict[tuple[str, int], Attempt]:
    return {attempt.key: attempt for attempt in read_attempts(run)}


def same_texts(one: Path, other: Path) -> int:
    """How many attempts of the two runs were written alike."""
    first, second = by_key(one), by_key(other)
    assert first.keys() == second.keys()
    return sum(first[key].response == second[key].response for key in first)


def test_there_is_one_file_a_problem_with_a_whole_record(results: Path) -> None:
    attempts = by_key(results / "target")
    assert len(list((results / "target" / "problems").iterdir())) == len(attempts) == PROBLEMS
    assert {attempt.kind for attempt in attempts.values()} == {"integer", "latex", "choice"}
    for attempt in attempts.values():
        [track] = attempt.tracks
        tokens = attempt.usage["target"]["plain"]
        assert (attempt.status, track.stop, track.answer) == ("ok", Stop.FINISHED, attempt.answer)
        assert attempt.response == track.steps[0].text
        assert "</think>" in attempt.response
        assert attempt.prompt_sha256 is not None
        assert tokens.generated == track.steps[0].tokens > 0
        assert tokens.prompt_new + tokens.prompt_cached > 0


def test_the_manifest_says_which_model_ran_on_what(results: Path) -> None:
    manifest = read_manifest(results / "target")
    model, [session] = manifest["models"]["target"], manifest["sessions"]
    assert model["parameters"] > 1_000_000
    assert (model["dtype"], model["context"]) == ("float32", 2048)
    assert {"python", "torch", "transformers"} <= session["versions"].keys()
    assert session["command"].startswith("speclrm run baseline")
    assert (results / "target" / "engine.log").stat().st_size > 0


def test_the_target_stands_above_the_draft(results: Path) -> None:
    said = speclrm(f"leaderboard {results / 'draft'} {results / 'target'} --format json")
    first, second = json.loads(said.out)
    assert (first["run"], second["run"]) == ("target", "draft")
    assert first["accuracy"] > second["accuracy"]
    assert first["flops_decode"] > second["flops_decode"] > 0
    assert first["missing"] == first["error"] == second["missing"] == second["error"] == 0


def test_an_attempt_can_be_read_as_a_trace(results: Path) -> None:
    said = speclrm(f"show {results / 'target'} --problem-id 0")
    assert said.code == 0
    assert "boxed" in said.out


def test_a_finished_run_starts_no_engine_again(results: Path) -> None:
    log = results / "target" / "engine.log"
    before = log.stat().st_size
    again = made(results, "target")
    assert again.out.startswith(f"Attempts: 0 made, {PROBLEMS} already recorded")
    assert log.stat().st_size == before


@pytest.mark.parametrize("concurrency", [16, 1])
def test_the_same_seed_gives_the_same_texts_in_float32(results: Path, concurrency: int) -> None:
    """The draft, whose tokens are far from sure; other sums in a batch may tip one of them."""
    name = f"again-{concurrency}"
    assert made(results, name, f"--concurrency {concurrency} --model pocket-draft").code == 0
    assert same_texts(results / name, results / "draft") >= PROBLEMS - 1


def test_another_seed_gives_other_texts(results: Path) -> None:
    assert made(results, "seed", "--concurrency 16 --model pocket-draft --seed 1").code == 0
    assert same_texts(results / "seed", results / "draft") < PROBLEMS - 3


def test_no_process_is_left_behind(results: Path) -> None:
    children = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    # The grader's worker stays warm for the next question and ends with this process.
    assert [
        command for command in children if "evaluators.comparing.symbolic.worker" not in command
    ] == []
