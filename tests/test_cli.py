"""The command line as a new user meets it: what is wrong is told in a sentence, with what to do."""

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from fake_server import MODELS, chat, serving

from pipeline.cli import group
from pipeline.engines import model_files
from pipeline.runs.directory import RunDirectory, read_attempts
from speclrm_testing.commands import Said, speclrm

FAST = "--engine scripted --script fast.json"
OWN = "run baseline --data-file sums.jsonl --model pocket-target"
RUN = f"{OWN} {FAST}"
PROBLEMS = 12
HEAVY = ("torch", "transformers", "vllm", "sympy", "datasets")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder as a user may have one: own problems, scripts, models, an earlier run."""
    folder = tmp_path_factory.mktemp("place")
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(PROBLEMS)]
    lines = [json.dumps(row | {"kind": "integer"}) + "\n" for row in rows]
    (folder / "sums.jsonl").write_text("".join(lines))
    (folder / "torn.jsonl").write_text(lines[0] + lines[1][:20] + "\n")
    (folder / "twice.jsonl").write_text(lines[0] * 2)
    (folder / "empty.jsonl").write_text("")
    (folder / "answerless.jsonl").write_text('{"id": "0", "problem": "1+1?"}\n')
    (folder / "sums.txt").write_text("1+1?")
    (folder / "fast.json").write_text("{}")
    (folder / "short.json").write_text('{"context": 20}')
    (folder / "failing.json").write_text('{"faults": {"fail": [3]}}')
    (folder / "broken.json").write_text('{"faults": {"fail": [3]}')
    (folder / "file").write_text("")
    (folder / "typo" / "task").mkdir(parents=True)
    (folder / "typo" / "task" / "integer.j2").write_text("{{ probelm }}")
    (folder / "no-model").mkdir()
    (folder / "no-tokenizer").mkdir()
    (folder / "no-tokenizer" / "config.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def _here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(model_files, "hub_answers", lambda: False)


@pytest.fixture(scope="module")
def earlier(place: Path) -> str:
    """A run of two attempts that is not graded yet."""
    data = place / "sums.jsonl"
    command = f"run baseline --engine scripted --script {place / 'fast.json'} --data-file {data}"
    assert speclrm(f"{command} --problem-id first:2 --output-dir {place / 'earlier'}").code == 0
    return "earlier"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def attempts(run: str) -> dict[tuple[str, int], str]:
    return {attempt.key: attempt.status for attempt in read_attempts(Path(run))}


def refused(said: Said, code: int, sentence: str) -> None:
    """Told in few lines, without a trace of the program's inside, and with this exit code."""
    assert sentence in said.sentence
    assert said.code == code
    assert "Error: " in said.err
    assert len(said.err.splitlines()) <= 10
    assert "Traceback" not in said.err
    assert said.out == ""


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
    ("run baseline --sed 3", "No such option '--sed'. Did you mean '--seed'?"),
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
    (f"{OWN} --engine transformers --lora l", "--lora has no effect with --engine transformers"),
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


def test_a_mistake_starts_no_run() -> None:
    speclrm(f"{RUN} --problem-id 99 --output-dir never")
    assert not Path("never").exists()


def test_a_graded_run_is_listed_in_every_format(tmp_path: Path) -> None:
    run = tmp_path / "run"
    speclrm(f"{RUN} --output-dir {run}")
    assert speclrm(f"grade {run}").out.startswith(f"{run}: 12 attempts, ")
    for form in ("table", "markdown", "csv", "json"):
        said = speclrm(f"leaderboard {run} --format {form}")
        assert (said.code, "baseline" in said.out) == (0, True)


def test_help_loads_no_engine_and_no_library_of_weight() -> None:
    program = (
        "import sys; sys.argv = ['speclrm', *sys.argv[1:]]\n"
        "from pipeline.cli import main\n"
        "main()\n"
        f"print('loaded', *(name for name in {HEAVY} if name in sys.modules))\n"
    )
    for command in ("--help", "run --help"):
        ended = subprocess.run(
            [sys.executable, "-c", program, *command.split()],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent.parent,
        )
        assert ended.stdout.splitlines()[-1] == "loaded"
        assert ended.stderr == ""


def test_without_a_command_the_help_is_shown() -> None:
    said = speclrm("")
    assert (said.code, "run an experiment" in said.err.lower()) == (2, True)


@pytest.fixture
def slow(tmp_path: Path, place: Path) -> str:
    """A run whose attempts take about half a second each, two at a time."""
    (tmp_path / "slow.json").write_text('{"latency": {"decode_token": 0.01}}')
    return (
        f"run baseline --engine scripted --script {tmp_path / 'slow.json'} --concurrency 2 "
        f"--data-file {place / 'sums.jsonl'} --output-dir {tmp_path / 'run'}"
    )


def interrupted(command: str, run: Path, signals: tuple[signal.Signals, ...]) -> Said:
    """Start the command, send it the signals once it has recorded two attempts, and wait."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    while process.poll() is None and len(list(run.glob("problems/*.jsonl"))) < 2:
        time.sleep(0.02)
    for each in signals:
        process.send_signal(each)
        time.sleep(0.1)
    out, err = process.communicate()
    return Said(process.returncode, out, err)


ON_A_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
os.dup2(terminal, 1)
os.dup2(terminal, 2)
os.execv(sys.executable, [sys.executable, "-m", "pipeline", *sys.argv[2:]])
"""


def test_ctrl_c_records_what_is_in_flight_and_the_same_command_completes(
    slow: str, tmp_path: Path
) -> None:
    said = interrupted(slow, tmp_path / "run", (signal.SIGINT,))
    made = attempts(tmp_path / "run")
    assert said.code == 3
    assert "attempts in flight and starting no more; press Ctrl-C again to drop them" in said.err
    assert f"Attempts: {len(made)} made" in said.out
    assert "repeat the command to continue" in said.err
    assert 3 <= len(made) < PROBLEMS
    assert set(made.values()) == {"ok"}
    completed = speclrm(slow)
    assert (completed.code, len(attempts(tmp_path / "run"))) == (0, PROBLEMS)
    assert completed.out.startswith(
        f"Attempts: {PROBLEMS - len(made)} made, {len(made)} already recorded"
    )


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_second_ctrl_c_drops_what_is_in_flight(slow: str, tmp_path: Path, signals) -> None:
    said = interrupted(slow, tmp_path / "run", signals)
    assert said.code == 3
    assert "attempts in flight were dropped, finished ones are kept" in said.err
    assert "Traceback" not in said.err
    kept = attempts(tmp_path / "run")
    assert speclrm(slow).out.startswith(f"Attempts: {PROBLEMS - len(kept)} made")


def test_ctrl_c_while_the_program_is_being_loaded_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parent.parent)])
    said = subprocess.run(
        [sys.executable, "-m", "pipeline", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (said.returncode, said.stderr) == (3, "Error: Interrupted.\n")


def test_a_run_under_nohup_outlasts_its_terminal(slow: str, tmp_path: Path) -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        said = interrupted(slow, tmp_path / "run", (signal.SIGHUP,))
    finally:
        signal.signal(signal.SIGHUP, ignored)
    assert said.code == 0
    assert len(attempts(tmp_path / "run")) == PROBLEMS


def test_a_run_whose_terminal_is_closed_ends_and_the_same_command_completes(
    slow: str, tmp_path: Path
) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        # A session of its own, so that the terminal becomes the one that controls it.
        [sys.executable, "-c", ON_A_TERMINAL, os.ttyname(theirs), *slow.split()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    while process.poll() is None and not list((tmp_path / "run").glob("problems/*.jsonl")):
        time.sleep(0.02)
    os.close(theirs)
    os.close(terminal)
    assert process.wait() == 3
    kept = attempts(tmp_path / "run")
    assert 0 < len(kept) < PROBLEMS
    assert speclrm(slow).out.startswith(f"Attempts: {PROBLEMS - len(kept)} made")


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


def test_grading_says_one_line_where_no_terminal_is(tmp_path: Path, earlier: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(earlier, run)
    said = speclrm(f"grade {run}")
    assert (said.code, said.err, said.out.count("\n")) == (0, "", 1)


def test_help_says_each_default_once() -> None:
    said = " ".join(speclrm("run spec --help-all").out.split())
    assert "Seconds a request may take. [default: (600 for a server, else 3600); x>0]" in said
    assert "Draft: Seconds a request may take. [default: 600.0; x>0]" in said


def test_an_option_that_a_reasoner_has_no_use_for_names_those_that_have() -> None:
    said = speclrm("run baseline --use-role-prompts")
    refused(said, 2, "--use-role-prompts; drop it, or choose parallel, spec or spec-async.")
    said = speclrm("run spec --lookahead 2")
    refused(said, 2, "cannot use --lookahead; drop it, or choose spec-async.")
