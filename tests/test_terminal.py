"""Whatever a model, a file or an argument says is shown, and nothing of it is obeyed.

Every command runs on a folder whose texts all hold escape sequences, direction overrides and
rich's markup.
"""

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from graded_runs import made_from_attempts, rows_of
from measured_reports import entry, report, written

from evaluators.reports.safe_text import OBEYED, csv_cell, markdown_text, safe
from pipeline.cli import COMMANDS
from pipeline.cli.terminal import json_line
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

ROOT = Path(__file__).parent.parent
OVERRIDES = "\u202e\u2066\u200f\u2028"
NAME = f"[red]\x1b]0;owned\x07\x9b2J\x7f{OVERRIDES}"
"""What a file or a folder can be called."""
HOSTILE = f"{NAME}[/]\r\x00\x08"
# What the readers go by stays as it is; `problem_id` and `dataset` name files.
KEPT = {"author", "by", "digest", "file", "finish", "kind", "status", "stop", "verdict", "bytes"}
NAMES = {"dataset", "problem_id", "problem_ids"}


def poisoned(value, key=None):
    """The value with hostile text at the end of every text that may be any."""
    if isinstance(value, dict):
        return {name: poisoned(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, key) for inner in value]
    if not isinstance(value, str) or key in KEPT:
        return value
    return value + (NAME if key in NAMES else HOSTILE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A graded run with tracks, scores, votes and methods, in which every text is hostile."""
    place = Place.made(tmp_path_factory.mktemp("hostile"))
    made = place.run("spec-methods")
    assert place.speclrm("spec-methods").code == 0
    run = made.with_name(f"run{NAME}")
    made.rename(run)
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(poisoned(manifest)))
    for file in sorted((run / "problems").iterdir()):
        line = poisoned(json.loads(file.read_text()))
        for track in line["tracks"]:
            track["notes"] = [HOSTILE]
            for step in track["steps"]:
                step["notes"] = [HOSTILE]
        line["vote"]["excluded"] = [{"track": HOSTILE, "reason": HOSTILE}]
        file.unlink()
        name = f"{line['dataset']}-{line['problem_id']}.jsonl"
        (run / "problems" / name).write_text(json.dumps(line) + "\n")
    failed = line | {"repeat_id": 1, "status": "error", "tracks": [], "vote": None}
    failed["error"] = {"type": HOSTILE, "message": HOSTILE}
    with (run / "problems" / name).open("a") as more:
        more.write(json.dumps(failed) + "\n")
    manifest["slice"]["repeats"] = 2
    (run / "run.json").write_text(json.dumps(poisoned(manifest)))
    assert speclrm(f"grade {shlex.quote(str(run))}").code == 0
    rows = [row | {"rule": HOSTILE, "grader_version": HOSTILE} for row in rows_of(run)]
    (run / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made_from_attempts(run)
    cases = {"gold": HOSTILE, "answer": f"\\boxed{{{HOSTILE}}}", "note": HOSTILE}
    (place.folder / "cases.jsonl").write_text(json.dumps(cases) + "\n")
    failed = {"decoder": "b", "means": "", "status": "error", "passes": 0}
    failed["error"] = {"type": "", "message": ""}
    measured = report(entry("standard", [1.0, 1.1, 1.2]), failed)
    measured["plan"].append({"asked": "c", "measured": None, "reason": ""})
    written(place.folder / "measured", poisoned(measured))
    problems = {"id": NAME, "problem": HOSTILE, "answer": HOSTILE}
    (place.folder / f"mine{NAME}.jsonl").write_text(json.dumps(problems) + "\n")
    samples = {"doc": {"id": HOSTILE, "problem": HOSTILE}, "resps": [[HOSTILE]]}
    (place.folder / "samples_x.jsonl").write_text(json.dumps(samples) + "\n")
    # What JSON and TOML write in quotes is the same.
    name, label, script = map(json.dumps, (NAME, HOSTILE, str(place.folder / "target.json")))
    data = json.dumps(str(place.folder / f"mine{NAME}.jsonl"))
    (place.folder / f"table{NAME}.toml").write_text(
        f"title = {label}\ncolumns = [{{name = {label}, data_file = {data}}}]\n"
        f'models.{name} = {{engine = "scripted", script = {script}}}\n'
        f'[rows.{name}]\nreasoner = "baseline"\ntarget = {name}\n'
        f"expected = [{{column = {label}, value = 1, source = {label}}}]\n"
        f'[rows."other {HOSTILE[0]}"]\nreasoner = "baseline"\ntarget = {name}\n'
    )
    return place


@pytest.fixture
def said(place, tmp_path):
    """What a command says; {run}, {data} and the like are put in as a shell would."""
    run = place.folder / f"run{NAME}"
    names = {
        "run": run,
        "other": shutil.copytree(run, tmp_path / f"copy{NAME}"),
        "data": place.folder / f"mine{NAME}.jsonl",
        "cases": place.folder / "cases.jsonl",
        "samples": place.folder / "samples_x.jsonl",
        "script": place.folder / "target.json",
        "measured": place.folder / "measured",
        "table": place.folder / f"table{NAME}.toml",
        "id": f"0{NAME}",
        "last": f"5{NAME}",
        "bad": HOSTILE.replace("\x00", ""),
        "out": tmp_path / f"out{NAME}",
    }
    quoted = {name: shlex.quote(str(value)) for name, value in names.items()}
    return lambda command: speclrm(command.format(**quoted))


SHOWN = [
    "leaderboard {run}",
    "leaderboard {run} --format markdown",
    "leaderboard {run} --format csv",
    "leaderboard {run} --format json",
    "leaderboard {run} --html {out}",
    "compare {run} {other} --all",
    "compare {run} {other} --format markdown",
    "compare {run} {other} --format csv",
    "compare {run} {other} --format json",
    "plan {run} --accuracy 0.8 --between 0.5 --difference 5 --repeats 1 --problems 30",
    "show {run} --problem-id {id}",
    "show {run} --problem-id {last} --repeat 1",
    "replay {run}",
    "replay {run} --format json",
    "vote {run}",
    "vote {run} --format json",
    "grade {run} --diff",
    "grade --file {cases}",
    "grade --gold {bad} --answer {bad} --kind text",
    "export {run} --to csv --output {out}.csv",
    "export {run} --to hf --output {out}.md",
    "export {run} --to inspect --output {out}.json",
    "datasets --data-file {data}",
    "run baseline --data-file {data} --engine scripted --script {script} --output-dir {out}",
    "import {samples} --from lm-eval --data-file {data} --output-dir {out}",
    "status {run}",
    "measure --show {measured} --against {measured} --wide",
    "measure --show {measured} --against {measured} --format markdown",
    "measure --show {measured} --against {measured} --format csv",
    "measure --show {measured} --against {measured} --format json",
    "generate --engine scripted --script {script} --output-file {out}.jsonl --prompt {bad}",
    "table {table} --results {out} --dry-run",
    "table {table} --results {out} --dry-run --json",
    "table {table} --results {out} --html {out}.html",
    "table {table} --results {out} --format markdown",
    "table {table} --results {out} --format latex",
    "table {table} --results {out} --format csv",
    "table {table} --results {out} --format json",
]
REFUSED = [
    "{bad}",
    "run {bad}",
    "run baseline --{bad}",
    "run baseline --data-file {data} --problem-id {bad} --engine scripted --script {script}",
    "run baseline --dataset {bad}",
    "run baseline --data-file {bad}.jsonl --model pocket-target",
    "run baseline --model {bad} --engine transformers --problem-id 0",
    "grade {bad}",
    "grade --file {bad}",
    "grade --gold 1 --answer 1 --kind {bad}",
    "leaderboard {bad}",
    "leaderboard {run} --baseline {bad}",
    "leaderboard {run} --format {bad}",
    "compare {bad} {run}",
    "plan {bad} --difference 5",
    "plan --accuracy 0.8 --difference 5 --repeats {bad}",
    "show {bad} --problem-id 0",
    "show {run} --problem-id {bad}",
    "show {run} --problem-id 0 --repeat {bad}",
    "replay {bad}",
    "vote {bad} --rule {bad}",
    "export {run} --to hf --output {bad}",
    "export {bad} --to csv --output {out}",
    "datasets {bad}",
    "import {samples} --from lm-eval --dataset pocket --output-dir {out}",
    "import {bad} --from ssr --dataset pocket --output-dir {out}",
    "doctor --no-engine --model {bad}",
    "status {bad}",
    "merge {bad}",
    "chat --engine scripted --script {script} --history {bad}",
    "generate --engine scripted --script {script} --prompts-file {bad}",
    "measure {bad}",
    "measure --show {bad}",
    "measure --show {measured} --against {bad}",
    "table {bad}",
    "table {table} --rows {bad}",
    "table {table} --set {bad}",
    "table {table} --set title.{bad}=1",
    "table {table} --set baseline={bad}",
]


@pytest.mark.parametrize("command", SHOWN)
def test_every_command_shows_hostile_text_as_text(said, command):
    told = said(command)
    assert told.code == 0, told.err
    assert OBEYED.findall(told.out + told.err) == []


@pytest.mark.parametrize("command", REFUSED)
def test_every_refusal_shows_hostile_text_as_text(said, command):
    told = said(command)
    assert told.code in {2, 3}
    assert told.err or command.startswith("doctor")
    assert OBEYED.findall(told.out + told.err) == []


def test_the_walk_leaves_no_command_out():
    assert {command.split()[0] for command in SHOWN + REFUSED} >= set(COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        "leaderboard {run}",
        "compare {run} {other}",
        "show {run} --problem-id {id}",
        "replay {run}",
        "vote {run}",
    ],
)
def test_markup_is_printed_letter_by_letter(said, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "2000")
    assert "[red]" in said(command).out


def test_a_hostile_id_is_found_and_shown_as_it_is_written(said):
    assert "repeat 0" in said("show {run} --problem-id {id}").out


def modules_that_print():
    """Where a command could reach the terminal past the one way."""
    ways = {"click.echo", "click.secho", "print", "Console", "sys.stdout.write"}
    for file in sorted((ROOT / "pipeline" / "cli").glob("*.py")):
        called = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Call)
        }
        if called & ways:
            yield file.name


def test_no_command_prints_past_the_one_way():
    assert list(modules_that_print()) == ["terminal.py"]


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x9b", *OVERRIDES])
def test_what_a_terminal_obeys_is_replaced(character):
    assert safe(f"a{character}b\tc\nd") == "a\N{REPLACEMENT CHARACTER}b\tc\nd"


@pytest.mark.parametrize("text", ["plain", "∫ x² dx", "日本語", "été", "\N{ZERO WIDTH JOINER}"])
def test_other_text_stays(text):
    assert safe(text) == text


@pytest.mark.parametrize("value", [HOSTILE, "\ud800", {"a": [HOSTILE]}, "∫"])
def test_json_on_a_line_is_safe_and_reads_back(value):
    line = json_line(value)
    assert OBEYED.findall(line) == []
    assert json.loads(line) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("a|b\nc", "a\\|b c"),
        ("[x](javascript:alert(1))", "\\[x\\](javascript:alert(1))"),
        ("**b** `c` $d$ ~e~", "\\*\\*b\\*\\* \\`c\\` \\$d\\$ \\~e\\~"),
        ("&lt;", "&amp;lt;"),
        ("\x1b[2J", "\N{REPLACEMENT CHARACTER}\\[2J"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text, shown):
    assert markdown_text(text) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\n"])
def test_no_cell_is_a_formula(start):
    assert csv_cell(f"{start}1") == f"'{start}1"
    assert csv_cell(-1.5) == -1.5


def test_a_leaderboard_for_other_programs_holds_no_formula_and_no_html(place, tmp_path):
    run = tmp_path / "=1+1"
    made = tmp_path / "made"
    made.mkdir()
    plain = Place.made(made)
    plain.speclrm("baseline")
    plain.run("baseline").rename(run)
    manifest = json.loads((run / "run.json").read_text())
    manifest["identity"]["target"]["model"] = "<script>alert(1)</script>"
    (run / "run.json").write_text(json.dumps(manifest))
    assert speclrm(f"grade {run}").code == 0
    assert "\n'=1+1," in speclrm(f"leaderboard {run} --format csv").out
    other = shutil.copytree(run, tmp_path / "=2+2")
    assert "\n'=1+1,'=2+2," in speclrm(f"compare {run} {other} --format csv").out
    told = speclrm(f"leaderboard {run} --format markdown").out
    assert "&lt;script&gt;" in told
    assert "<script>" not in told
    named = run.rename(tmp_path / "<b>|*")
    told = speclrm(f"compare '{named}' '{other}' --format markdown").out
    assert "&lt;b&gt;\\|\\*" in told
    assert "<b>" not in told


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "run --help",
        "grade --file {cases}",
        "leaderboard {run}",
        "leaderboard {run} --format json",
        "show {run} --problem-id {id}",
        "datasets",
        "nonsense",
    ],
)
def test_a_reader_that_has_ended_ends_a_command_silently_as_a_shell_expects(place, command):
    names = {
        "cases": place.folder / "cases.jsonl",
        "run": place.folder / f"run{NAME}",
        "id": f"0{NAME}",
    }
    quoted = {name: shlex.quote(str(value)) for name, value in names.items()}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pipeline", *shlex.split(command.format(**quoted))],
            stdout=writer,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    finally:
        os.close(writer)
    if command == "nonsense":  # what it says is on standard error, which is read
        assert (ended.returncode, b"No such command" in ended.stderr) == (2, True)
    else:
        assert (ended.returncode, ended.stderr) == (141, b"")
