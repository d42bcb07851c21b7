"""Runs with windows and rows, through the command line: the same texts, under another name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UserMistake
from pipeline.records import Tokens
from pipeline.review.budgets import attempt_at
from pipeline.runs.checks import in_words_of
from pipeline.runs.directory import read_attempts
from pipeline.runs.scheduler import Progress
from pipeline.runs.status import statuses
from speclrm_testing.commands import speclrm
from speclrm_testing.reasoner_contract import timeless
from speclrm_testing.scripted_runs import Place

COMMAND = "run spec --engine transformers --problem-id first:2 --token-budget 60"
ASSISTED = "--decoding window --assistant-model pocket-draft"
WINDOWS = f"{ASSISTED} --draft-decoding window"


def texts(run: Path) -> dict[tuple[str, int], list[str]]:
    return {
        attempt.key: [step.text for track in attempt.tracks for step in track.steps]
        for attempt in read_attempts(run)
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "plain"
    assert speclrm(f"{COMMAND} --output-dir {run}").code == 0
    return run


def test_steps_scores_and_rewrites_are_the_same_with_rows_and_windows(plain, tmp_path):
    run = tmp_path / "windows"
    rows = "--max-num-seqs 4 --draft-max-num-seqs 4"
    assert speclrm(f"{COMMAND} {WINDOWS} {rows} --output-dir {run}").code == 0
    assert texts(run) == texts(plain)
    identity = json.loads((run / "run.json").read_text())["identity"]
    assert identity["target"]["decoding"] == "window"
    assert identity["target"]["assistant_model"] == "pocket-draft"
    assert identity["draft"]["decoding"] == "window"
    assert "assistant_model" not in identity["draft"]


def cost(run: Path) -> tuple[dict[str, dict[str, int]], float]:
    """Tokens by role and use, and operations, of all attempts of a graded run."""
    assert speclrm(f"grade {run}").code == 0
    tokens: dict[str, dict[str, int]] = {}
    operations = 0.0
    for line in (run / "verdicts.jsonl").read_text().splitlines():
        verdict = json.loads(line)
        operations += verdict["flops"]["total"]
        for role, uses in verdict["usage"].items():
            for use, counts in uses.items():
                there = tokens.setdefault(role, {})
                there[use] = there.get(use, 0) + counts["generated"]
    return tokens, operations


def test_refused_guesses_and_the_assistants_work_are_in_the_cost(tmp_path):
    command = "run baseline --engine transformers --problem-id first:2 --token-budget 60"
    runs = {"plain": "", "looked": "--decoding window", "assisted": ASSISTED}
    costs = {}
    for name, options in runs.items():
        assert speclrm(f"{command} {options} --output-dir {tmp_path / name}").code == 0
        costs[name] = cost(tmp_path / name)
    plain, looked, assisted = (tokens for tokens, _ in costs.values())
    assert plain.keys() == looked.keys() == {"target"}
    assert plain["target"].keys() == {"plain"}
    assert plain["target"]["plain"] == looked["target"]["plain"] == assisted["target"]["plain"]
    assert looked["target"]["refused"] > looked["target"]["plain"]
    assert assisted["target"]["refused"] < assisted["target"]["plain"] / 2
    assert assisted["target_assistant"]["guesses"] >= plain["target"]["plain"]
    assert costs["plain"][1] < costs["assisted"][1] < costs["looked"][1]
    models = json.loads((tmp_path / "assisted" / "run.json").read_text())["models"]
    assert models["target_assistant"].keys() == models["target"].keys()
    assert 0 < models["target_assistant"]["parameters"] < models["target"]["parameters"]
    folders = " ".join(str(tmp_path / name) for name in runs)
    said = speclrm(f"leaderboard {folders} --format json")
    board = {row["run"]: row for row in json.loads(said.out)}
    a_forward = {name: row["target_tokens_a_forward"] for name, row in board.items()}
    assert a_forward["plain"] == 1 < a_forward["looked"] < a_forward["assisted"]
    for name, row in board.items():
        written = costs[name][0]["target"]["plain"] / 2
        assert row["target_forwards"] * a_forward[name] == pytest.approx(written)
    assert board["assisted"]["target_assistant_forwards"] > board["assisted"]["target_forwards"]
    assert "tokens a forward" in speclrm(f"leaderboard {folders}").out


def test_a_run_from_before_forwards_were_counted_goes_on_and_its_own_stay_unknown(tmp_path):
    place = Place.made(tmp_path)
    assert place.speclrm("baseline", "--problem-id first:2").code == 0
    files = list((place.run("baseline") / "problems").iterdir())
    for file in files:
        old = file.read_bytes().replace(b',"forwards":null', b"")
        assert b"forwards" not in old
        file.write_bytes(old)
    before = {file: file.read_bytes() for file in files}
    assert place.speclrm("baseline", "--problem-id first:3").code == 0
    assert len(place.attempts("baseline")) == 3
    assert before == {file: file.read_bytes() for file in files}
    assert speclrm(f"grade {place.run('baseline')}").code == 0
    [row] = json.loads(speclrm(f"leaderboard {place.run('baseline')} --format json").out)
    assert (row["target_forwards"], row["target_tokens_a_forward"]) == (None, None)
    assert row["target_tokens"] > 0


def test_the_progress_of_a_run_counts_what_is_written_and_not_what_is_refused(plain):
    progress, tokens = Progress(total=1), Tokens(0, 0, 7, 0, 0, requests=1)
    usage = {
        "target": {"plain": tokens, "refused": tokens},
        "target_assistant": {"guesses": tokens},
    }
    progress.ended(replace(next(iter(read_attempts(plain))), usage=usage))
    assert progress.generated == 7


def test_a_run_does_not_go_on_with_another_way_of_decoding(plain):
    said = speclrm(f"{COMMAND} --decoding window --output-dir {plain}")
    assert said.code == 2
    assert "target.decoding: none recorded, 'window' asked" in said.sentence


def test_a_run_says_which_models_write_unverified_tokens(tmp_path):
    refined = f"{COMMAND} --draft-decoding refine --draft-append-eos 3 --output-dir {tmp_path}/run"
    planned = speclrm(f"{refined} --dry-run")
    assert "pocket-draft through transformers, decoding refine (unverified tokens)" in planned.out
    assert planned.out.count("decoding") == 1
    said = speclrm(refined)
    assert said.code == 0, said.err
    assert "Warning: --draft-decoding refine keeps tokens of pocket-draft" in said.sentence
    assert "Warning: --decoding" not in said.sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--engine vllm --decoding refine", "vLLM has no --decoding refine; --engine transformers"),
        ("--engine vllm --decoding branches", "vLLM has no --decoding branches; --engine transf"),
        ("--engine vllm --append-eos 5", "--append-eos has no effect with --engine vllm"),
        ("--engine vllm --proposer lookup", "--proposer has no effect with --decoding plain"),
        (
            "--engine vllm --decoding window --proposer end-block",
            "vLLM has no --proposer end-block; --engine transformers",
        ),
        (
            "--engine vllm --decoding window --proposer assistant",
            "--proposer assistant needs --assistant-model",
        ),
        (
            "--engine vllm --decoding window --speculative {}",
            "--decoding window and --speculative say the same; give one of them",
        ),
        (
            "--engine scripted --script x --decoding window",
            "--decoding has no effect with --engine",
        ),
        ("--engine transformers --decoding columns", "'columns' is not one of 'plain', 'window'"),
        ("--engine transformers --window 1 --decoding window", "1 is not in the range x>=2"),
        ("--engine transformers --window 4", "--window has no effect with --decoding plain"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(tmp_path, options, sentence):
    said = speclrm(f"run baseline {options} --output-dir {tmp_path / 'run'}")
    assert said.code == 2
    assert sentence in said.sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            "--draft-window 4",
            "--draft-window has no effect with --draft-decoding plain; choose --draft-decoding win",
        ),
        (
            "--draft-decoding window --draft-proposer assistant",
            "--draft-proposer assistant needs --draft-assistant-model, a small",
        ),
    ],
)
def test_what_does_not_go_together_of_the_draft_is_refused_by_the_draft_s_options(
    tmp_path, options, sentence
):
    said = speclrm(f"run spec --engine transformers {options} --output-dir {tmp_path / 'run'}")
    assert said.code == 2
    assert sentence in said.sentence


@pytest.mark.parametrize(
    ("role", "said", "told"),
    [
        ("target", "give --temperature 0, drop --window", "give --temperature 0, drop --window"),
        ("draft", "give --temperature 0, drop --gather", "give --draft-temperature 0, drop --dr"),
        ("draft", "use --engine vllm --concurrency 1", "use --draft-engine vllm --concurrency 1"),
    ],
)
def test_an_engine_names_its_options_as_those_of_its_role_and_no_other(role, said, told):
    with pytest.raises(UserMistake) as error, in_words_of(role, "transformers"):
        raise UserMistake(said)
    assert str(error.value).startswith(told)


def test_answers_at_several_budgets_of_thinking_are_those_of_runs_with_each_alone(tmp_path):
    command = "run parallel --tracks 2 --engine transformers --concurrency 1 --token-budget 60"
    command = f"{command} --problem-id first:2 --thinking-budget"
    assert speclrm(f"{command} 8,40 --output-dir {tmp_path}/several").code == 0
    windows = f"{command} 8,40 --decoding window --output-dir {tmp_path}/windows"
    assert speclrm(windows).code == 0
    for budget in (8, 40):
        run = tmp_path / str(budget)
        assert speclrm(f"{command} {budget} --output-dir {run}").code == 0
        alone = list(read_attempts(run))
        several, guessed = (
            [attempt_at(one, budget) for one in read_attempts(tmp_path / name)]
            for name in ("several", "windows")
        )
        assert list(map(timeless, several)) == list(map(timeless, alone))
        assert [one.response for one in guessed] == [one.response for one in alone]
        assert all(one.usage["target"]["refused"].generated is None for one in guessed)
        # What is read and written is that of the budget alone; what is guessed is not in it.
        plain = [
            [replace(one.usage["target"]["plain"], forwards=None) for one in attempts]
            for attempts in (guessed, alone)
        ]
        assert plain[0] == plain[1]


def test_status_too_counts_what_is_written_alone(tmp_path):
    run = tmp_path / "run"
    command = "run baseline --engine transformers --problem-id first:1 --token-budget 30"
    assert speclrm(f"{command} {ASSISTED} --output-dir {run}").code == 0
    (attempt,) = read_attempts(run)
    (status,) = statuses([run])
    assert attempt.usage["target_assistant"].keys() == {"guesses"}
    assert status.tokens == {"target": attempt.usage["target"]["plain"].generated}
