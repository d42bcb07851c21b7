"""What is wrong with a command is told in a sentence, with what to do."""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_place import FAST, OWN, RUN, attempts
from fake_server import serving

from pipeline.cli import group
from pipeline.runs.directory import RunDirectory
from speclrm_testing.commands import Said, speclrm

pytestmark = pytest.mark.usefixtures("here")


def refused(said: Said, code: int, sentence: str) -> None:
    """Told in few lines, without a trace of the program's inside, and with this exit code."""
    assert sentence in said.sentence
    assert said.code == code
    assert "Error: " in said.err
    assert len(said.err.splitlines()) <= 10
    assert "Traceback" not in said.err
    assert said.out == ""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def commands_of(command: click.Command) -> Iterator[click.Command]:
    """A command with all that stand below it."""
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands_of(below)


def number_options() -> Iterator[tuple[str, click.ParamType]]:
    """Every option of every command that takes a number with a fraction, and its type."""
    for command in commands_of(group):
        for option in command.get_params(click.Context(command, **group.context_settings)):
            if isinstance(option.type, click.types.FloatParamType):
                yield f"{command.name} {option.name}", option.type


IDLE = [
    ("run baseline --problem-id first:1 --force --retry-errors", "drop --retry-errors"),
    (
        "generate --model pocket-target --prompt hello --overwrite --retry-errors",
        "drop --retry-errors",
    ),
    (
        "generate --model pocket-target --prompt hello --quiet --max-display 3",
        "--max-display has no effect with --quiet",
    ),
    ("table t.toml --report --dry-run", "drop --dry-run, or --report"),
    ("table t.toml --report --only-missing", "drop --only-missing, or --report"),
    ("table t.toml --report --retry-errors", "drop --retry-errors, or --report"),
    ("table t.toml --gpus 8", "--gpus only plans"),
    ("grade --file cases.jsonl --kind latex", "--kind goes with --gold"),
    ("grade run --kind integer", "--kind goes with --gold"),
    ("grade --gold 1 --answer 1 --diff", "--diff with runs"),
    ("measure c.json --wide --format csv", "--wide applies to the table"),
    ("measure --show folder --wide --markdown", "--wide applies to the table"),
    ("doctor --measure c.json --model m", "--model has no effect beside --measure"),
    ("doctor --measure c.json --engine vllm", "--engine has no effect beside --measure"),
    ("doctor --measure c.json --no-engine", "--no-engine has no effect beside --measure"),
    ("doctor --measure c.json --draft-model m", "--draft-model has no effect beside --measure"),
    ("doctor --tokenizer t", "--tokenizer has no effect without --base-url"),
]


@pytest.mark.parametrize(("command", "sentence"), IDLE)
def test_an_option_that_has_no_effect_beside_another_is_refused(
    command: str, sentence: str
) -> None:
    refused(speclrm(command), 2, sentence)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_no_option_takes_a_number_that_is_not_finite(number: str) -> None:
    taken = []
    for name, kind in number_options():
        with contextlib.suppress(click.BadParameter):
            taken.append((name, kind(number)))
    assert taken == []
    assert len(dict(number_options())) > 10


BAD_INPUT = [
    ("compare a b --margin nan", "'nan' is not a finite number"),
    ("leaderboard a --html z.html --margin nan", "'nan' is not a finite number"),
    ("plan --accuracy .8 --margin nan", "'nan' is not a finite number"),
    ("plan --accuracy .8 --difference nan", "'nan' is not a finite number"),
    ("plan --accuracy .8 --difference inf", "inf is not in the range -100<=x<=100"),
    ("rum baseline", "No such command 'rum'"),
    ("run basline", "'basline' is not"),
    ("run baseline --tempature 1", "No such option '--tempature'. Did you mean '--tem"),
    ("run baseline --seed x", "'x' is not a valid integer"),
    ("run baseline --repeats 0", "--repeats is 0; it must be 1 or more"),
    ("run baseline --concurrency 0", "--concurrency is 0; it must be 1 or more"),
    ("run baseline --token-budget 0", "--token-budget is 0; it must be 1 or more"),
    ("run baseline --temperature 9", "9.0 is not in the range 0<=x<=2"),
    ("run baseline --temperature nan", "'nan' is not a finite number"),
    ("run baseline --top-p 0", "0.0 is not in the range 0<x<=1"),
    ("run spec --score-threshold 10", "10.0 is not in the range 0<=x<=9"),
    ("run baseline --max-model-len 0", "0 is not in the range x>=1"),
    ("run baseline --max-num-seqs 0", "0 is not in the range x>=1"),
    ("run baseline --tensor-parallel-size 0", "0 is not in the range x>=1"),
    ("run baseline --gpu-memory-utilization 70", "70.0 is not in the range 0<x<=1"),
    ("run baseline --request-timeout 0", "0.0 is not in the range x>0"),
    ("run baseline --cpu-kv-cache-gib 0", "0 is not in the range x>=1"),
    ("run baseline --draft-model m", "'baseline' uses no draft model; drop --draft-model"),
    ("run baseline --engine vlmm", "'vlmm' is not one of 'auto', 'vllm'"),
    ("run baseline --engine openai", "--engine openai needs --base-url, for example http"),
    ("run baseline --engine scripted", "--engine scripted needs --script"),
    (f"{OWN} --engine scripted --script nowhere.json", "nowhere.json cannot be read"),
    (f"{OWN} --engine scripted --script broken.json", "broken.json is malformed"),
    ("run baseline --dataset pockt", "unknown dataset 'pockt': did you mean pocket?"),
    ("run baseline --problem-id 590-600", "problem 600 is not in pocket; valid are 0-599"),
    ("run baseline --problem-id 7-3", "7-3 runs backwards; write 3-7"),
    ("run baseline --problem-id ''", "problem range '': it has an empty part; valid are 0-599"),
    ("run baseline --problem-id 3,,4", "it has an empty part"),
    ("run baseline --problem-id first:0", "first:0 selects nothing"),
    (
        "run baseline --data-file nowhere.jsonl --model pocket-target",
        "nowhere.jsonl does not exist",
    ),
    (
        "run baseline --data-file sums.txt --model pocket-target",
        "suffix '.txt' is none of .jsonl, .csv, .parquet",
    ),
    (
        "run baseline --data-file torn.jsonl --model pocket-target",
        "torn.jsonl:2: not one JSON object on the line",
    ),
    (
        "run baseline --data-file twice.jsonl --model pocket-target",
        "twice.jsonl:2: the id 0 is already that of",
    ),
    ("run baseline --data-file empty.jsonl --model pocket-target", "empty.jsonl is empty"),
    ("run baseline --data-file answerless.jsonl --model pocket-target", "answerless.jsonl:1"),
    (f"{OWN} --prompts nowhere", "--prompts nowhere: no folder with .j2 files"),
    (f"{RUN} --prompts typo", "prompt standard/task/integer.j2: 'probelm' is undefined"),
    (f"{RUN} --output-dir file", "Cannot write to the run directory file"),
    (f"{RUN} --output-dir /dev/null/run", "choose another with --output-dir"),
    (f"{OWN} --engine transformers --model ./nowhere", "./nowhere does not exist"),
    (f"{OWN} --engine transformers --model ./no-model", "has no config.json, so it holds no"),
    (
        f"{OWN} --engine transformers --model ./no-tokenizer",
        "no-tokenizer has no tokenizer files (such as tokenizer.json); copy them there or name",
    ),
    (
        f"{OWN} --engine transformers --model Qwen/QwQ-99B",
        "'Qwen/QwQ-99B' is not a folder here, and the Hugging Face hub does not respond; check",
    ),
    (f"{OWN} --engine scripted --lora l", "--lora has no effect with --engine scripted"),
    (f"{OWN} --engine transformers --lora_path l", "the adapter l does not exist; give a folder"),
    (f"{OWN} --engine transformers --lora-rank 8", "--lora-rank has no effect without --lora"),
    (f"{OWN} --engine vllm --merge-lora", "--merge-lora has no effect with --engine vllm"),
    (f"{OWN} --engine vllm --busy-timeout 9", "drop it, or choose openai"),
    (f"{OWN} --engine scripted --base-url u", "--base-url has no effect with --engine scripted"),
    ("grade", "Name run directories (for example results/*/)"),
    ("grade nowhere", "nowhere is not a run directory (it has no run.json)"),
    ("grade --gold 42", "--gold and --answer go together; give both"),
    ("grade --answer 42", "--gold and --answer go together; give both"),
    ("grade run --gold 42 --answer 42", "or --gold and --answer; one of the three"),
    ("grade --gold 1 --answer 1 --kind number", "'number' is not one of 'integer', 'latex'"),
    ("leaderboard", "Missing argument 'RUNS...'"),
    ("leaderboard nowhere", "nowhere is not a run directory (it has no run.json)"),
    ("show nowhere --problem-id 1", "nowhere is not a run directory (it has no run.json)"),
    ("show nowhere", "Missing option '--problem-id'"),
    ("datasets amie", "unknown dataset 'amie': did you mean aime?"),
]


@pytest.mark.parametrize(("command", "sentence"), BAD_INPUT, ids=[c for c, _ in BAD_INPUT])
def test_bad_input_is_told_in_a_sentence_with_exit_code_2(command: str, sentence: str) -> None:
    refused(speclrm(command), 2, sentence)


def test_a_mistake_in_the_plan_is_told_before_anything_else() -> None:
    assert speclrm("run baseline --dataset pockt").err.startswith("Error: unknown dataset")


BAD_USE_OF_A_RUN = [
    (f"{RUN} --seed 1 --output-dir RUN", "seed: 0 recorded, 1 asked"),
    (f"run baseline {FAST} --output-dir RUN", "dataset: 'sums' recorded, 'pocket' asked"),
    (f"{RUN} --model other --output-dir RUN", "target.model: 'scripted' recorded, 'other'"),
    ("leaderboard RUN", "has no verdicts yet; grade it first: speclrm grade earlier"),
    ("show RUN --problem-id 1 --repeat 4", "Problem 1 has no repeat 4 in earlier"),
    ("show RUN --problem-id 11", "There is no attempt at problem 11 in earlier"),
]


@pytest.mark.parametrize(("command", "sentence"), BAD_USE_OF_A_RUN)
def test_what_a_run_does_not_hold_is_told(earlier: str, command: str, sentence: str) -> None:
    before = attempts(earlier)
    refused(speclrm(command.replace("RUN", earlier)), 2, sentence)
    assert attempts(earlier) == before


def test_a_second_writer_is_refused_and_told_who_the_first_is(earlier: str) -> None:
    with RunDirectory(Path(earlier)):
        said = speclrm(f"{RUN} --output-dir {earlier}")
    refused(said, 2, f"is in use by another process (pid {os.getpid()})")


def test_a_server_that_is_down_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    said = speclrm(f"{OWN} --engine openai --base-url {url} --model m --output-dir down")
    refused(said, 2, f"the server at {url} does not answer")
    assert not Path("down").exists()


BAD_SERVERS = [
    ((500, {"error": "broken"}), 3, "fails with status 500"),
    ((404, {}), 2, "is the address of an OpenAI-compatible server up to /v1"),
    ((401, {}), 2, "set OPENAI_API_KEY in the environment"),
    ((200, {"hello": "world"}), 2, "so it is not an OpenAI-compatible server"),
    ((200, {"data": [{"id": "n"}]}), 2, "does not serve the model 'm'; it serves n"),
]


@pytest.mark.parametrize(("answer", "code", "sentence"), BAD_SERVERS)
def test_a_server_that_cannot_serve_is_told(answer, code, sentence) -> None:
    with serving(lambda path: answer) as url:
        said = speclrm(f"{OWN} --engine openai --base-url {url} --model m")
    refused(said, code, sentence)


def test_a_mistake_starts_no_run() -> None:
    speclrm(f"{RUN} --problem-id 99 --output-dir never")
    assert not Path("never").exists()


def test_names_are_checked_before_any_run_is_graded(tmp_path: Path) -> None:
    run = tmp_path / "run"
    speclrm(f"{RUN} --output-dir {run}")
    said = speclrm(f"grade {run} {tmp_path / 'nope'}")
    refused(said, 2, "nope is not a run directory (it has no run.json)")
    assert (said.out, (run / "verdicts.jsonl").exists()) == ("", False)


@pytest.mark.parametrize("command", ["grade", "leaderboard", "compare RUN", "show"])
def test_what_is_no_run_is_told_with_what_to_name(
    tmp_path: Path, earlier: str, command: str
) -> None:
    above, run = tmp_path, tmp_path / "run"
    shutil.copytree(earlier, run)
    speclrm(f"grade {run}")
    (above / "page.html").write_text("")
    command = command.replace("RUN", str(run))
    more = " --problem-id 1" if command == "show" else ""
    page = speclrm(f"{command} {above / 'page.html'}{more}")
    refused(page, 2, f"is a file, not a run directory; name folders only, for example {above}/*/")
    folder = speclrm(f"{command} {above}{more}")
    refused(folder, 2, f"not a run directory, but holds some; name them, for example {above}/*/.")


def test_an_option_that_a_reasoner_has_no_use_for_names_those_that_have() -> None:
    said = speclrm("run baseline --use-role-prompts")
    refused(said, 2, "--use-role-prompts; drop it, or choose parallel, spec or spec-async.")
    said = speclrm("run spec --lookahead 2")
    refused(said, 2, "cannot use --lookahead; drop it, or choose spec-async.")
