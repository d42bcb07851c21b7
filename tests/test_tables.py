"""Tables on a terminal: no name, number or heading is cut, however narrow it is."""

import ast
import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from graded_runs import verdict_row, write_attempts, write_run
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from evaluators.reports.board_columns import whole
from evaluators.run_files.run_names import shortened_names
from evaluators.statistics.sign_flips import p_text
from pipeline.cli.tables import PIPE_WIDTH, blocks, print_table
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

ROOT = Path(__file__).parent.parent
SEPARATE = re.compile("[│┃]")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FIRST = "pocket-baseline-pocket-target-5f2a0b1c"
SECOND = "pocket-spec-methods-pocket-target-9100ffee"
TROUBLED = "pocket-troubled-pocket-target-77aa77aa"
COMMANDS = {
    "leaderboard": f"leaderboard {FIRST} {SECOND} --baseline {FIRST}",
    "wide": f"leaderboard {FIRST} {SECOND} --baseline {FIRST} --wide",
    "troubled": f"leaderboard {FIRST} {SECOND} {TROUBLED} --baseline {TROUBLED}",
    "compare": f"compare {FIRST} {SECOND} --margin 2",
    "compared": f"compare {FIRST} {SECOND} {TROUBLED}",
    "status": f"status {FIRST} {SECOND} {TROUBLED}",
    "replay": "replay spec-methods",
    "vote": "vote spec-methods",
    "table": "table table.toml --report",
    "table plan": "table table.toml --dry-run",
    "plan": "plan --accuracy 0.8 --between 0.5 --difference 5 --repeats 1,2 --problems 30,300",
}
TABLE = """
title = "A table whose title is longer than the terminal that it is printed on, whatever it is"
columns = ["sums.jsonl", {name = "a column with a name", data_file = "sums.jsonl"}]
[models.big]
engine = "scripted"
script = "target.json"
usd_per_gpu_hour = 100000
released = 2025-03-05
[models.small]
engine = "scripted"
script = "draft.json"
usd_per_gpu_hour = 1
[defaults]
target = "big"
draft = "small"
[rows.the-target-alone]
reasoner = "baseline"
expected = [{column = "sums", value = 0.7, source = "Somebody et al. 2025, table 3, first row"}]
[rows.spec]
reasoner = "spec"
sweep = {score_threshold = [5, 9], first_n_steps_base_model = [1, 2]}
"""
EACH = """
import shlex, sys
from pipeline.cli import main
for command in sys.argv[1:]:
    print(f"<<{command}>", flush=True)
    sys.argv = ["speclrm", *shlex.split(command)]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two graded runs with repeats and a draft, and one of judged tracks with votes."""
    folder = tmp_path_factory.mktemp("tables")
    rights = {
        FIRST: {str(n): [True, n % 4 == 0] for n in range(40)},
        SECOND: {str(n): [n % 3 == 0, True] for n in range(40)},
    }
    for name, right in rights.items():
        rows = [
            verdict_row(
                problem_id,
                repeat,
                right=good,
                seconds=1000.0 + repeat,
                usage={
                    "target": {"plain": {"prompt_new": 10, "generated": 123456}},
                    "draft": {"plain": {"prompt_new": 10, "generated": 654321}},
                },
            )
            for problem_id, repeats in right.items()
            for repeat, good in enumerate(repeats)
        ]
        write_run(folder / name, right, rows)
        write_attempts(folder / name, lambda _: [])
    kinds = ({"verdict": "no_answer", "extracted": None}, {"verdict": "ungradable"})
    kinds += ({"stop": "budget"}, {"status": "error", "verdict": "no_answer", "extracted": None})
    rows = [verdict_row(str(n), right=False, **kind) for n, kind in enumerate(kinds)]
    right = {str(n): [True, True] for n in range(40)}
    write_run(folder / TROUBLED, right, rows)
    write_attempts(folder / TROUBLED, lambda _: [])
    place = Place.made(folder)
    assert place.speclrm("spec-methods").code == 0
    assert speclrm(f"grade {place.run('spec-methods')}").code == 0
    (folder / "table.toml").write_text(TABLE)
    with contextlib.chdir(folder):
        assert speclrm("table table.toml").code == 0
    return folder


@pytest.fixture(scope="module", params=[60, 80, 100, 160])
def screen(place, request):
    """What each command writes to a terminal of this width, with colours taken out."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, request.param, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-c", EACH, *COMMANDS.values()],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=place,
        env=plain | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
    )
    os.close(theirs)
    written = bytearray()
    try:
        while part := os.read(terminal, 4096):
            written += part
    except OSError:  # so Linux says that nobody writes any more
        pass
    os.close(terminal)
    assert process.wait() == 0, written.decode()
    text = COLOURS.sub("", written.decode()).replace("\r\n", "\n")
    # What a command is called stands before what it writes.
    parts = text.split("<<")[1:]
    assert len(parts) == len(COMMANDS)
    return request.param, dict(zip(COMMANDS, parts, strict=True))


def cells_of(text):
    """Every cell of the tables in a text, each line of a cell by itself."""
    return {cell.strip() for line in text.splitlines() for cell in SEPARATE.split(line)}


def read(place, command):
    with contextlib.chdir(place):
        return json.loads(speclrm(f"{command} --format json").out)


def test_nothing_is_cut_on_a_terminal(screen):
    width, said = screen
    for text in said.values():
        assert "…" not in text
        assert max(map(cell_len, text.splitlines()[1:])) <= width


def test_a_table_of_runs_holds_every_number_on_a_terminal(screen, place):
    _, said = screen
    cells = cells_of(said["table"])
    for one in read(place, COMMANDS["table"])["cells"]:
        accuracy, low, high = (
            100 * one[name] for name in ("accuracy", "accuracy_low", "accuracy_high")
        )
        assert f"{accuracy:.1f}% ({low:.1f}–{high:.1f})" in cells
    assert {"the-target-alone", "70.0%", "6 of 6"} <= cells | cells_of(said["table plan"])


def tables_in(text):
    """The lines of the tables in a text that begin a table."""
    return sum(line.startswith("┏") for line in text.splitlines())


def test_a_leaderboard_is_one_table_of_names_accuracies_tokens_and_costs(screen, place):
    width, said = screen
    text, cells = said["leaderboard"], cells_of(said["leaderboard"])
    assert tables_in(text) == 1 or width < 80
    for row in read(place, COMMANDS["leaderboard"]):
        names = {row["run"], *shortened_names([FIRST, SECOND])}
        assert names & cells or width < 80
        accuracy, low, high = (
            100 * row[name] for name in ("accuracy", "population_low", "population_high")
        )
        assert f"{accuracy:.1f}% ({low:.1f}–{high:.1f})" in cells
        assert "123k / 654k" in cells
        assert f"{row['relative_flops_total']:.2f}" in cells
    assert "Names of runs lack" in " ".join(text.split()) or width > 80


def test_kinds_of_trouble_are_columns_where_they_fit_and_one_column_where_they_do_not(screen):
    width, said = screen
    cells = cells_of(said["troubled"])
    assert tables_in(said["troubled"]) == 1 or width < 80
    shares = {"no answer": "1.2%", "ungradable": "1.2%", "truncated": "1.2%", "missing": "95.0%"}
    if width >= 160:
        assert {"ungradable", "truncated", "missing", *shares.values()} <= cells
    if width in {80, 100}:
        assert {f"{name} {value}" for name, value in shares.items()} <= cells


def test_a_wide_leaderboard_shows_every_number_in_blocks(screen, place):
    cells = cells_of(screen[1]["wide"])
    for row in read(place, COMMANDS["leaderboard"]):
        assert row["run"] in cells or screen[0] < 80
        assert f"{row['any_correct']:.1%}" in cells
        assert f"{row['relative_flops_decode']:.2f} / {row['relative_flops_total']:.2f}" in cells
        times = ("mean", "p50", "least", "longest")
        assert " / ".join(f"{row[f'seconds_{name}']:.2f}" for name in times) in cells


def test_a_comparison_shows_every_difference_interval_and_p_whole(screen, place):
    cells = cells_of(screen[1]["compare"])
    [one] = read(place, COMMANDS["compare"])
    low, high = one["interval"]
    difference = 100 * one["difference"]
    assert f"{difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]" in cells
    assert p_text(one["p"]) in cells
    assert any(p_text(one["not_worse"]["adjusted_p"]) in cell for cell in cells)
    seconds = one["costs"]["seconds"]
    assert "{:.2f} [{:.2f}, {:.2f}]".format(seconds["ratio"], *seconds["interval"]) in cells


def test_a_comparison_of_several_runs_is_one_table_and_one_of_costs(screen):
    width, said = screen
    assert tables_in(said["compared"]) == 2 or width < 80
    assert {"Holm p", "points detectable"} <= cells_of(said["compared"]) or width < 160


def test_the_status_of_runs_is_one_table_with_their_sums(screen):
    width, said = screen
    assert tables_in(said["status"]) == 1 or width < 80
    assert {"unfinished 5%", "164/240"} <= cells_of(said["status"])


def test_a_replay_and_votes_show_every_number_and_heading_whole(screen):
    said = screen[1]
    replayed, voted = said["replay"].split(), said["vote"].split()
    headings = "method threshold kept diverging rewrite (estimate) rejected judged AUROC"
    assert set(headings.split()) <= set(replayed)
    assert {"rule", "accuracy", "another", "winner", "recorded"} <= set(voted)
    assert "suggested thresholds (average)" in " ".join(replayed)


def test_rates_that_are_zero_for_every_run_take_one_line_and_no_column(screen):
    text = screen[1]["leaderboard"]
    assert "Zero in every run: no answer, ungradable, truncated, errors, missing." in " ".join(
        text.split()
    )
    table = "\n".join(line for line in text.splitlines() if line[:1] in set("┃│"))
    assert not {"ungradable", "missing", "trouble"} & cells_of(table)


def test_a_rate_that_one_run_has_stays_a_column_and_the_other_formats_keep_all(tmp_path):
    rows = [verdict_row("0"), verdict_row("1", right=False, verdict="no_answer", extracted=None)]
    runs = [
        write_run(tmp_path / "one", {"0": [True], "1": [False]}, rows),
        write_run(tmp_path / "two", {"0": [True], "1": [True]}),
    ]
    for run in runs:
        write_attempts(run, lambda _: [])
    said = speclrm(f"leaderboard {runs[0]} {runs[1]}").out
    assert "no answer" in cells_of(said)
    assert "Zero in every run: ungradable, truncated, errors, missing." in said
    markdown = speclrm(f"leaderboard {runs[0]} {runs[1]} --format markdown").out
    assert "| ungradable | truncated | errors | missing |" in markdown


def test_in_a_pipe_every_run_is_one_line(place):
    with contextlib.chdir(place):
        said = speclrm(COMMANDS["leaderboard"]).out.split("Zero in every run")[0]
    assert all(said.count(name) == 1 for name in (FIRST, SECOND))
    assert {"pass@k", "seconds p50 / p95", "GFLOPs decode / total"} <= cells_of(said)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--columns modle", "no column 'modle'. Did you mean model? There are: run, dataset"),
        ("--columns model --wide", "give one of them"),
        ("--wide --format csv", "--format csv has every column"),
        ("--columns model --format json", "--format json has every number"),
    ],
)
def test_columns_that_cannot_be_shown_are_refused(place, options, sentence):
    with contextlib.chdir(place):
        said = speclrm(f"leaderboard {FIRST} {options}")
    assert said.code == 2
    assert sentence in said.sentence


def test_asked_columns_stand_in_the_order_asked_for_behind_the_run(place):
    with contextlib.chdir(place):
        table = speclrm(f"leaderboard {FIRST} --columns Seconds,model").out
        markdown = speclrm(f"leaderboard {FIRST} --columns seconds,model --format markdown").out
    assert [cell.strip() for cell in SEPARATE.split(table.splitlines()[2])[1:-1]] == [
        "run",
        "seconds p50 / p95",
        "model",
    ]
    assert markdown.startswith("| run | seconds p50 / p95 | model |")


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["demo-target", "demo-spec"], ["target", "spec"]),
        (["p-base-qwq-1a", "p-spec-methods-qwq-2b"], ["base-1a", "spec-methods-2b"]),
        (["p-base-qwq-1a2b3c4d", "p-spec-methods-qwq-00ff00ff"], ["base", "spec-methods"]),
        (["p-spec-1a2b3c4d", "p-spec-00ff00ff"], ["1a2b3c4d", "00ff00ff"]),
        (
            ["p-a-1a2b3c4d", "p-a-00ff00ff", "p-b-33ff00ff"],
            ["a-1a2b3c4d", "a-00ff00ff", "b-33ff00ff"],
        ),
        (["demo", "demo-spec"], ["demo", "spec"]),
        (["a-b", "b-a"], ["a-b", "b-a"]),
        (["a-b-c", "c-b", "c"], ["a-b", "b", "c"]),
        (["old/x", "new/x"], ["old", "new"]),
        (["alone-here"], ["alone-here"]),
        (["twice-x", "twice-x"], ["twice-x", "twice-x"]),
        ([], []),
    ],
)
def test_names_lose_the_parts_that_all_share(names, short):
    assert shortened_names(names) == short


PARTS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=4).map("-".join)


@given(st.lists(PARTS, max_size=6))
def test_shortened_names_tell_runs_apart_as_the_whole_ones_do(names):
    short = shortened_names(names)
    assert all(short)
    assert len(set(zip(names, short, strict=True))) == len(set(short)) == len(set(names))


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, "–"),
        (0, "0"),
        (9999.4, "9,999"),
        (9999.6, "10.0k"),
        (123456, "123k"),
        (999499, "999k"),
        (999999, "1.00M"),
        (12_345_678, "12.3M"),
        (2e15, "2,000,000,000,000,000"),
    ],
)
def test_long_counts_are_thousands_or_millions(count, said):
    assert whole(count) == said


WORDS = st.text("abcdefgh", min_size=1, max_size=9)
HEADINGS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
NUMBERS = st.integers(0, 10**20).map(str)


@st.composite
def tables(draw):
    """Headings and rows: a name of up to 60 letters or wide signs, then numbers."""
    columns = draw(st.integers(2, 12))
    name = st.text("abcxyz-_/日本", min_size=1, max_size=60)
    row = st.tuples(name, *[NUMBERS] * (columns - 1))
    return draw(st.lists(HEADINGS, min_size=columns, max_size=columns)), draw(
        st.lists(row, min_size=1, max_size=4)
    )


@given(tables(), st.integers(40, 200))
def test_at_every_width_numbers_stay_whole_and_names_fold(table, width):
    headings, rows = table
    out = io.StringIO()
    print_table(Console(file=out, width=width), headings, rows)
    text = out.getvalue()
    cells = cells_of(text)
    assert max(map(cell_len, text.splitlines())) <= width
    assert {word for heading in headings for word in heading.split()} <= set(text.split())
    assert {number for _, *numbers in rows for number in numbers} <= cells
    # The pieces of the first column, one below the other, are the names.
    pieces = "".join(
        SEPARATE.split(line)[1].strip() for line in text.splitlines() if line.startswith("│")
    )
    for name, *_ in rows:
        assert name in pieces


@given(tables(), st.integers(40, 200))
def test_each_column_stands_in_one_block_and_the_first_in_all(table, width):
    headings, rows = table
    laid = list(blocks([headings, *rows], 1, width))
    assert all(next(iter(block)) == 0 for block in laid)
    rest = [column for block in laid for column in list(block)[1:]]
    assert rest == list(range(1, len(headings)))


def test_prose_breaks_at_spaces_before_a_name_folds():
    lines = [["dataset", "what"], ["olympiadbench", "word " * 40]]
    assert list(blocks(lines, 1, 80, texts=2)) == [{0: 13, 1: 60}]
    assert list(blocks(lines, 1, 80)) == [{0: 6, 1: 67}]  # numbers stay whole


def test_what_fits_is_one_block_with_headings_on_one_line():
    out = io.StringIO()
    print_table(Console(file=out, width=PIPE_WIDTH), ["run", "a long heading"], [["x", "1"]])
    assert "a long heading" in out.getvalue()


def test_no_command_prints_a_table_past_the_one_that_cuts_nothing():
    files = {
        file.name
        for file in (ROOT / "pipeline" / "cli").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "rich.table"
        if any(name.name == "Table" for name in node.names)
    }
    assert files == {"tables.py"}
