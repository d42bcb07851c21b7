"""A table's run: each cell once, rows evenly, one failure alone, and on where it was stopped."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from pipeline import reasoners
from pipeline.runs.directory import read_attempts
from pipeline.tables.lock_file import lock_path
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import CHAIN, Place, process_of

ANYWHERE = {
    **{name: value for name, value in os.environ.items() if name != "COLUMNS"},
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    "TERM": "xterm-256color",
}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MOVES = re.compile(r"\r|\x1b\[[0-9;?]*[a-zA-Z]")
SLOW = {"decode_token": 0.0005}
FILE = """\
title = "Sums"
columns = [
    "sums.jsonl",
    "sums.jsonl[first:3]",
    {name = "twice", data_file = "sums.jsonl", problem_range = "first:2", repeats = 2},
]
[defaults]
token_budget = 200
target = "big"
[models.big]
engine = "scripted"
script = "target.json"
[models.small]
engine = "scripted"
script = "draft.json"
[rows.large]
reasoner = "baseline"
[rows.same]
reasoner = "baseline"
temperature = 0.6
[rows.parallel]
reasoner = "parallel"
tracks = 2
[rows.spec]
reasoner = "spec"
draft = "small"
sweep.score_threshold = [5, 9]
"""


@pytest.fixture
def place(tmp_path):
    """A table of five rows on three columns, in a folder with its problems and scripts."""
    made = Place.made(tmp_path)
    (tmp_path / "table.toml").write_text(FILE)
    return made


def table(place, options=""):
    return speclrm(command(place, options))


def command(place, options=""):
    return f"table {place.folder / 'table.toml'} --results {place.folder / 'results'} {options}"


def planned(place, options=""):
    said = table(place, f"--dry-run --json {options}")
    assert said.code == 0, said.err
    return json.loads(said.out)


def runs(place):
    return sorted(path.parent for path in place.folder.glob("results/*/run.json"))


def written(place):
    """What every run's attempts say, without clock readings."""
    return {
        (run.name, attempt.key): (attempt.seed, attempt.response, attempt.answer, attempt.usage)
        for run in runs(place)
        for attempt in read_attempts(run)
    }


def test_five_rows_on_three_columns_make_each_shared_attempt_once(place):
    before = planned(place)
    assert len(before["cells"]) == 15
    assert {cell["recorded"] for cell in before["cells"]} == {0}
    said = table(place)
    assert (said.code, said.err.count("Not complete")) == (0, 0), said.err
    # Two rows ask for the same; the columns' slices overlap: 6 problems, and 2 of them again.
    assert len(runs(place)) == 4
    assert {run.name: len(list(read_attempts(run))) for run in runs(place)} == {
        run.name: 8 for run in runs(place)
    }
    assert "32 attempts made" in said.err
    after = planned(place)
    assert all(cell["recorded"] == cell["attempts"] for cell in after["cells"])
    assert "0 attempts made" in table(place).err


def test_the_plan_says_which_cells_share_a_run_and_which_engines_are_up_together(place):
    plan = planned(place)
    assert (
        plan["cells"][0]["shared_with"]
        == [
            f"{row} / {column}"
            for row in ("large", "same")
            for column in ("sums", "sums[first:3]", "twice")
        ][1:]
    )
    assert len(plan["engine_sets"]) == 1


TWO_SERVERS = """\
columns = ["sums.jsonl"]
[models.near]
engine = "openai"
model = "m"
base_url = "http://127.0.0.1:9/v1"
[models.far]
engine = "openai"
model = "m"
base_url = "http://127.0.0.2:9/v1"
[rows.near]
reasoner = "baseline"
target = "near"
[rows.far]
reasoner = "baseline"
target = "far"
"""


def test_two_servers_of_one_model_are_told_to_be_one_run(place):
    (place.folder / "table.toml").write_text(TWO_SERVERS)
    said = "far / sums and near / sums name different servers for 'm'"
    assert said in table(place, "--dry-run").out
    assert said in table(place).err
    assert said not in table(place, "--dry-run --rows far").out


def test_two_tables_that_share_cells_reuse_them(place):
    assert table(place, "--columns twice").code == 0
    (place.folder / "table.toml").write_text(FILE.replace('title = "Sums"', 'title = "Others"'))
    made = {cell["row"]: cell["recorded"] for cell in planned(place, "--columns sums")["cells"]}
    assert set(made.values()) == {2}
    assert "16 attempts made" in table(place, "--columns sums").err


def test_only_the_chosen_rows_and_columns_run(place):
    assert table(place, "--rows spec --columns sums[first:3]").code == 0
    assert sorted(run.name.rsplit("-", 1)[0] for run in runs(place)) == ["sums-spec-scripted"] * 2


def test_only_missing_plans_and_runs_the_cells_that_are_not_complete(place):
    assert table(place, "--rows large,parallel --columns twice").code == 0
    cells = planned(place, "--only-missing --columns twice")["cells"]
    assert [cell["row"] for cell in cells] == ["spec score_threshold=5", "spec score_threshold=9"]
    assert "8 attempts made" in table(place, "--only-missing --columns twice").err
    assert planned(place, "--only-missing --columns twice")["cells"] == []
    place.script("target", faults={"fail": [1]})
    said = table(place, "--only-missing --columns twice")
    assert (said.code, "0 attempts made" in said.err) == (0, True), said.err
    assert "twice" in said.out


def test_a_data_file_that_is_not_there_is_a_mistake_before_anything_runs(place):
    text = FILE.replace('"sums.jsonl[first:3]"', '"others.jsonl"')
    (place.folder / "table.toml").write_text(text)
    for options in ("--dry-run", "--dry-run --json", ""):
        said = table(place, options)
        assert said.code == 2
        assert "table.toml, line 4: data file" in said.sentence
        assert "others.jsonl does not exist; give a" in said.sentence
    assert runs(place) == []


def test_what_cells_share_is_to_go_once(place):
    plan = planned(place, "--rows large,same")
    asked = {(cell["row"], cell["column"]): cell["missing"] for cell in plan["cells"]}
    assert asked["same", "sums"] == asked["large", "sums"] == 6
    to_go = {(c["row"], c["column"]): c["tokens_at_most"] for c in plan["cells"]}
    # Of the column `twice` only the second repeats of two problems are not asked for before.
    assert {name: most for name, most in to_go.items() if most} == {
        ("large", "sums"): 6 * 200,
        ("large", "twice"): 2 * 200,
    }
    assert plan["to_go"] == {"attempts": 8, "runs": 1, "tokens": None, "tokens_at_most": 8 * 200}
    out = table(place, "--dry-run --rows large,same").out
    assert "To go: 8 attempts in 1 run, ≤ 1,600 tokens." in out


def test_a_changed_setting_names_the_cells_that_it_invalidates(place):
    assert table(place).code == 0
    changed = planned(place, "--set rows.parallel.tracks=3")["changed"]
    assert [one["cell"] for one in changed] == [
        f"parallel / {column}" for column in ("sums", "sums[first:3]", "twice")
    ]
    assert changed[0]["changes"] == ["tracks.tracks: 2 recorded, 3 asked"]
    assert (
        "Changed since the last run: parallel / sums"
        in table(place, "--dry-run --set rows.parallel.tracks=3").out
    )
    assert planned(place)["changed"] == []


def test_a_lock_file_holds_the_resolved_settings_and_versions(place):
    assert table(place).code == 0
    lock = json.loads(lock_path(place.folder / "table.toml").read_text())
    assert lock["versions"].keys() >= {"python", "speclrm"}
    cell = lock["cells"]["spec score_threshold=9 / sums"]
    assert cell["settings"]["steps"]["score_threshold"] == 9
    assert cell["settings"]["dataset_fingerprint"]


def test_a_cell_that_cannot_run_does_not_stop_the_others_and_the_exit_code_says_so(place):
    (place.folder / "draft.json").write_text("{")
    said = table(place)
    assert said.code == 1
    assert said.err.count("Not complete: spec") == 2
    assert "16 attempts made" in said.err
    assert all("spec" not in run.name for run in runs(place))
    place.script("draft")
    assert table(place).code == 0


def test_failed_attempts_are_told_by_the_exit_code_and_made_again_when_asked(place):
    place.script("target", context=40)
    said = table(place, "--rows large")
    assert (said.code, "8 failed" in said.err) == (1, True), said.err
    place.script("target")
    assert table(place, "--rows large --retry-errors").code == 0


def struck(place, blow, lines, options=""):
    """Run the table in a process, and send it a signal once so many attempts are recorded."""
    process = process_of(command(place, options))
    try:
        while process.poll() is None and len(written(place)) < lines:
            time.sleep(0.005)
        process.send_signal(blow)
        return process.communicate(timeout=120)
    finally:
        process.kill()


def test_a_table_that_was_killed_again_and_again_is_the_same_as_one_that_was_not(place, tmp_path):
    whole = Place.made((tmp_path / "whole").mkdir() or tmp_path / "whole")
    (whole.folder / "table.toml").write_text(FILE)
    assert table(whole).code == 0
    for name in ("target", "draft"):
        place.script(name, latency=SLOW)
    for lines in (1, 9, 20):
        struck(place, signal.SIGKILL, lines)
    assert table(place).code == 0
    assert written(place) == written(whole)


def lines_on_a_terminal(words, stream):
    """What the command writes to that stream where it is a terminal of 80 columns."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *shlex.split(words)], env=ANYWHERE, **streams
    )
    os.close(theirs)
    written = bytearray()
    with contextlib.suppress(OSError):  # so Linux says that nobody writes any more
        while part := os.read(terminal, 4096):
            written += part
    os.close(terminal)
    assert process.wait() == 0
    lines = MOVES.sub("\n", COLOURS.sub("", written.decode())).splitlines()
    assert max(map(cell_len, lines)) <= 80
    return lines


def test_the_demos_table_is_whole_on_a_terminal_of_80_columns(place):
    demo = Path(__file__).parent.parent / "examples" / "demo.toml"
    pair = [
        f"--set models.{name}.{key}={value}"
        for name, role in (("large", "target"), ("small", "draft"))
        for key, value in (("engine", "scripted"), ("script", place.folder / f"{role}.json"))
    ]
    for role, answer in (("target", 1), ("draft", 2)):
        rules = [{"when": "my score", "score": 9}, {"when": "", "text": CHAIN.format(answer)}]
        (place.folder / f"{role}.json").write_text(json.dumps({"rules": rules}))
    shutil.copy(demo, place.folder)
    words = f"table {place.folder / 'demo.toml'} --results {place.folder / 'results'}"
    words = f"{words} --set 'columns=[\"pocket-hard[first:2]\"]' {' '.join(pair)}"
    assert speclrm(words).code == 0
    text = "\n".join(lines_on_a_terminal(f"{words} --report", "stdout"))
    title, accuracy, rest = re.split(r"^(?:Accuracy|Against target)\n", text, flags=re.MULTILINE)
    assert title.startswith("SpecLRM demo")
    rows = ["target", "draft", "parallel", "spec", "spec-async", "spec-methods"]
    assert re.findall(r"^│ (\S+) +│ +\d+\.\d% \(", accuracy, re.MULTILINE) == rows
    assert all(re.search(rf"^│ {row} +│", rest, re.MULTILINE) for row in rows)


def test_on_a_terminal_there_is_a_bar_for_all_cells_and_one_a_run(place):
    place.script("target", latency=SLOW)
    frame = lines_on_a_terminal(command(place), "stderr")
    last = [line for line in frame if "ETA" in line][-5:]
    assert last[0].startswith("all cells: 0 failed, ")
    assert [line.split("━")[0].strip() for line in last[1:]] == [
        "large / sums (+5)",
        "parallel / sums (+2)",
        "spec score_threshold=5 / sums (+2)",
        "spec score_threshold=9 / sums (+2)",
    ]
    assert [re.search(r"\d+/\d+", line)[0] for line in last] == ["32/32"] + ["8/8"] * 4


def test_a_table_that_ctrl_c_stops_half_way_has_as_much_of_every_row_and_goes_on(place):
    place.script("target", latency=SLOW)
    out, err = struck(place, signal.SIGINT, 8, "--columns sums --set defaults.concurrency=1")
    assert "Interrupted: repeat the command to continue." in err, out + err
    counts = [len(list(read_attempts(run))) for run in runs(place)]
    assert len(counts) == 4
    assert 8 <= sum(counts) < 24
    assert max(counts) - min(counts) <= 1
    assert table(place).code == 0


def test_a_row_that_hits_a_bug_ends_alone(place, monkeypatch):
    load = reasoners.load

    async def broken(assignment):
        raise AttributeError("no such thing")

    monkeypatch.setattr(
        reasoners, "load", lambda name: broken if name == "parallel" else load(name)
    )
    few = "--columns sums --set defaults.repeats=4 --set defaults.concurrency=2"
    said = table(place, few)
    assert said.code == 1
    assert "by AttributeError: no such thing" in said.err
    assert said.err.count("Not complete: parallel / sums: ") == 1, said.err
    left = {cell["row"]: cell["missing"] for cell in planned(place, few)["cells"]}
    assert {row for row, missing in left.items() if missing} == {"parallel"}
