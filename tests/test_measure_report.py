"""What `speclrm measure` prints of a report: on any terminal, in any format, against another."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest
from measured_reports import entry, report, spread, written

from evaluators.reports.measured.parts import parts
from evaluators.reports.measured.rankings import ACCURACY, AGREEMENT, MEMORY, SPEED
from evaluators.reports.measured.report_file import read_report
from pipeline.cli.tables import blocks
from pipeline.measuring.table import DECODERS
from speclrm_testing.commands import speclrm

AT = "7 of 0/0"
HOSTILE = "\x1b]0;owned\x07[red]\u202e<script>|=1+1"


def agreement(equal, of=6):
    differing = [{"prompt": "0", "completion": 0, "token": 7}][: of - equal]
    return {"must_be_equal": True, "completions": of, "equal": equal, "differing": differing}


def memory(peak, assistant=None, passes=3):
    known = entry("x", [1.0] * passes)["memory"]
    peaks = [peak] * passes
    return known | {"peak": peak, "peaks": peaks, "assistant_weights": assistant}


WINDOW = entry(
    "window",
    [0.5, 0.52, 0.51],
    memory=None,
    agreement=agreement(6),
    against_reference={
        "seconds_difference": spread([-0.5, -0.48, -0.49]),
        "latency_difference": spread([-0.25, -0.2, -0.3]),
        "latency_ratio": {"ratio": 0.5, "interval": [0.4, 0.6]},
    },
)
STANDARD = entry("standard", [1.0, 1.01, 0.99])
REFINE = entry("refine", [0.2, 0.2, 0.2], unverified=True, agreement=agreement(1))
FAILED = {
    "decoder": "batched",
    "means": "",
    "status": "error",
    "error": {"type": "OutOfMemoryError", "message": f"no room {HOSTILE}"},
    "passes": 0,
    "unverified": False,
}
PLAN = [
    *({"asked": one, "measured": one, "reason": None} for one in ("standard", "window", "refine")),
    {"asked": "batched", "measured": "batched", "reason": None},
    {"asked": "beam_search_speculative", "measured": None, "reason": "leaves a part out"},
    {"asked": "nucleus_sampling_speculative", "measured": "standard", "reason": "no assistant"},
]


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "out", report(STANDARD, WINDOW, REFINE, FAILED, plan=PLAN))


def in_a_terminal(columns, *arguments):
    """What the command prints into a terminal of that width."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm"}
    command = [sys.executable, "-m", "pipeline", "measure", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            if not more:
                break
            said += more
    os.close(ours)
    assert process.returncode == 0, said
    return said.decode()


def test_tokens_per_forward_are_the_tokens_by_the_forwards_beside_them(tmp_path):
    read = read_report(written(tmp_path, report(STANDARD, WINDOW)))
    [work] = [one for one in parts(read) if one.title == "Work"]
    for line in work.lines:
        cells = dict(zip(work.headings, line, strict=True))
        tokens = float(cells["tokens"].replace(",", ""))
        forwards = float(cells["forwards, assistant's"].partition(" /")[0].replace(",", ""))
        assert tokens / forwards == float(cells["tokens per forward"])
    assert "in all passes together" in work.notes
    [row, _] = csv.DictReader(io.StringIO(speclrm(f"measure --show {tmp_path} --format csv").out))
    assert (row["tokens"], row["pooled_tokens"], row["target_forwards"]) == ("100", "300", "300")


def test_the_legend_explains_where_a_text_differs(tmp_path):
    read = read_report(written(tmp_path, report(STANDARD, REFINE)))
    [work] = [one for one in parts(read) if one.title == "Work"]
    [heading] = [one for one, cell in zip(work.headings, work.lines[1], strict=True) if cell == AT]
    assert f"\n{heading} = " in work.notes


@pytest.mark.parametrize("columns", [60, 80])
def test_a_warning_stands_below_the_settings_and_leaves_names_whole(tmp_path, columns):
    warning = f"{HOSTILE} The attention mask is not set,\nand {{reference}} " + "cannot be " * 20
    seen = STANDARD["effective"] | {"warnings": [warning], "assistant": "/a/long/path/" * 8}
    decoders = [STANDARD | {"effective": seen}, WINDOW | {"effective": seen | {"ignored": "one"}}]
    said = in_a_terminal(columns, "--show", str(written(tmp_path, report(*decoders))), "--wide")
    settings = said.partition("Settings in effect")[2]
    rows = [line for line in settings.splitlines() if "│" in line]
    assert sum("standard " in line for line in rows) >= 1
    assert not any("attention mask" in line for line in rows)
    read = read_report(tmp_path)
    [part] = [one for one in parts(read) if one.title == "Settings in effect"]
    _, first, second = part.notes.splitlines()
    assert first.startswith("warnings, standard, window: ")
    assert "not set, and {reference} cannot" in first
    assert second == "ignored, window: one"


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_name_and_no_number_is_cut_in_a_terminal(folder, columns):
    said = in_a_terminal(columns, "--show", str(folder))
    plain = "".join(
        part.partition("m")[2] if n else part for n, part in enumerate(said.split("\x1b["))
    )
    lines = plain.splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if line.startswith("│")]
    assert sum("standard " in line for line in rows) >= 1
    for figure in ("100 [97.5, 102]", "196 [187, 206]", "6 of 6", "1 of 6", "refine ‡"):
        assert any(figure in line for line in rows), figure
    assert "\x1b]0;" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("figure", range(5, 26))
def test_the_longest_name_of_a_decoder_is_whole_in_a_narrow_terminal(columns, figure):
    longest = max(DECODERS, key=len)
    lines = [["decoder", "one", "another"], [longest, "1" * 15, "2" * figure]]
    for widths in blocks(lines, 1, columns, 1):
        assert widths[0] >= len(longest) <= columns / 2


def test_rankings_say_what_they_rank_by_and_equals_share_a_place(tmp_path):
    made = report(
        entry("a", [1.0] * 3, memory=memory(5), agreement=agreement(6)),
        entry("b", [0.5] * 3, memory=memory(1, assistant=4), agreement=agreement(6)),
        entry("c", [2.0] * 3, memory=None, agreement=agreement(2), unverified=True),
    )
    read = read_report(written(tmp_path, made))

    def places(ranking):
        return [(place, one.decoder) for place, one in ranking.places(read)]

    assert places(SPEED) == [(1, "b"), (2, "a"), (3, "c")]
    assert places(MEMORY) == [(1, "a"), (1, "b")]
    assert places(AGREEMENT) == [(1, "a"), (1, "b"), (3, "c")]
    assert places(ACCURACY) == []
    [ranked] = [one for one in parts(read) if one.title == "Rankings"]
    assert ranked.lines[1] == ("2", "a 100", "= b 0.0000", "= b 6 of 6")
    assert "Memory: by MB over the model's weights" in ranked.notes
    assert "Without: c." in ranked.notes


def test_answers_to_problems_are_ranked_by_accuracy(tmp_path):
    graded = {"mean": 0.5, "interval": [0.2, 0.8], "problems": 6, "repeats": 1}
    other = {
        "mean": -0.1,
        "interval": [-0.3, 0.1],
        "p": 0.5,
        "adjusted_p": 0.9,
        "wins": 0,
        "ties": 5,
        "losses": 1,
    }
    made = report(
        entry("standard", [1.0] * 3, accuracy=graded | {"mean": 0.6}),
        entry("window", [0.5] * 3, accuracy=graded, difference=other),
    )
    read = read_report(written(tmp_path, made))
    assert [one.decoder for _, one in ACCURACY.places(read)] == ["standard", "window"]
    [accuracies] = [one for one in parts(read) if one.title == "Accuracy"]
    assert accuracies.lines[1][:4] == (
        "window",
        "50.0 [20.0, 80.0]",
        "-10.0 [-30.0, +10.0]",
        "0.900",
    )
    assert "agreement" not in speclrm(f"measure --show {tmp_path}").out


def test_what_was_not_measured_is_told_with_its_reason(folder):
    said = speclrm(f"measure --show {folder}").out
    for words in (
        ("beam_search_speculative", "unsupported", "leaves a part out"),
        ("nucleus_sampling_speculative", "fell back to standard", "no assistant"),
        ("batched", "failed after 0 passes", "OutOfMemoryError: no room"),
    ):
        assert any(all(word in line for word in words) for line in said.splitlines()), words


def test_a_measurement_that_is_not_finished_says_so(tmp_path):
    missing = {"decoder": "window", "means": "", "status": "missing", "error": None, "passes": 0}
    made = report(entry("standard", [1.0]), missing, repeats=3)
    said = speclrm(f"measure --show {written(tmp_path, made)}").out
    assert "1 of 3 passes" in said
    assert "not measured yet" in said


def test_formats_hold_every_number_and_nothing_that_is_obeyed(folder):
    as_json = speclrm(f"measure --show {folder} --json").out
    assert json.loads(as_json)["decoders"][1]["seconds"]["passes"] == [0.5, 0.52, 0.51]
    rows = list(csv.DictReader(io.StringIO(speclrm(f"measure --show {folder} --format csv").out)))
    by_name = {one["decoder"]: one for one in rows}
    assert float(by_name["window"]["latency_ratio_low"]) == 0.4
    assert by_name["beam_search_speculative"]["status"] == "unsupported"
    assert by_name["batched"]["reason"].startswith("OutOfMemoryError")
    markdown = speclrm(f"measure --show {folder} --markdown").out
    assert "| refine ‡ | " in markdown
    assert "<script>" not in markdown
    for text in (as_json, markdown, *(one["reason"] for one in rows)):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


WHOLE = json.dumps(report(STANDARD))
WRONG = {
    "nothing": None,
    "no JSON": "{",
    "another file": '{"a": 1}',
    "a list": "[1]",
    "not a number": json.dumps(report(STANDARD)).replace('"tokens": 100', '"tokens": "many"'),
    **{
        number[:9]: re.sub('"first_call": [^,]+', f'"first_call": {number}', WHOLE)
        for number in ("NaN", "-Infinity", "1e400", f"1{'0' * 400}")
    },
    "settings": json.dumps(report(STANDARD, settings={"a": [1, {"b": 2}]})).replace("2}", "2e999}"),
    "another schema": json.dumps(report(STANDARD, schema=7)),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("option", ["--show", "--against"])
def test_a_wrong_report_is_refused_in_a_sentence(tmp_path, folder, name, option):
    file = tmp_path / "wrong.json"
    if WRONG[name] is not None:
        file.write_text(WRONG[name])
    more = f"--show {folder}" if option == "--against" else ""
    said = speclrm(f"measure {more} {option} {file}")
    assert said.code == 2
    assert str(file) in said.sentence
    assert len(said.sentence) < 400
    if name == "settings":
        assert "settings.a[1].b is Infinity, no finite number" in said.sentence
    elif name[0] in "N-1":
        assert "decoders[0].first_call is " in said.sentence
        assert "no finite number" in said.sentence


def slower(factor, passes=3):
    return entry("standard", [factor * one for one in (1.0, 1.01, 0.99)[:passes]])


CHANGES = {
    "the same": (report(slower(1)), 0, ""),
    "slower": (report(slower(1.5)), 1, "standard is slower than in"),
    "slower within the margin": (report(slower(1.04)), 0, ""),
    "faster": (report(slower(0.5)), 0, ""),
    "bigger": (
        report(slower(1) | {"memory": memory(3_000_000)}),
        1,
        "standard is bigger than in",
    ),
    "failed": (
        report(FAILED | {"decoder": "standard"}, reference=None),
        1,
        "standard was measured in",
    ),
    "not asked for": (report(WINDOW), 0, ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_regression_is_named_and_exits_1(tmp_path, name):
    now, code, sentence = CHANGES[name]
    before = written(tmp_path / "before", report(STANDARD, WINDOW))
    after = written(tmp_path / "after", now)
    said = speclrm(f"measure --show {after} --against {before} --fail-on-regression")
    assert (said.code, sentence in said.sentence) == (code, True), said
    assert speclrm(f"measure --show {after} --against {before}").code == 0


def test_a_lost_agreement_is_a_regression_whatever_the_margin(tmp_path):
    before = written(tmp_path / "before", report(STANDARD, WINDOW))
    now = written(tmp_path / "now", report(STANDARD, WINDOW | {"agreement": agreement(5)}))
    said = speclrm(f"measure --show {now} --against {before} --fail-on-regression 50")
    assert said.code == 1
    assert "window is less in agreement with standard" in said.sentence


def test_with_few_passes_times_are_paired_by_prompt(tmp_path):
    before = written(tmp_path / "before", report(slower(1, passes=1)))
    now = written(tmp_path / "now", report(slower(2, passes=1)))
    said = speclrm(f"measure --show {now} --against {before} --fail-on-regression")
    assert said.code == 1
    few = {"latency_by_prompt": {"0": 1.0}}
    before = written(tmp_path / "before", report(slower(1, passes=1) | few))
    said = speclrm(f"measure --show {now} --against {before} --fail-on-regression")
    assert said.code == 2
    assert "repeats of 3" in said.sentence


def test_other_settings_and_machines_are_named(tmp_path):
    before = written(tmp_path / "before", report(STANDARD))
    other = {"main_model": "pocket-target", "temperature": 0.5}
    now = written(tmp_path / "now", report(STANDARD, settings=other))
    shown = speclrm(f"measure --show {now} --against {before}")
    assert shown.code == 0
    assert "temperature: 0 then, 0.5 now" in shown.out
    judged = speclrm(f"measure --show {now} --against {before} --fail-on-regression")
    assert judged.code == 2
    assert "temperature: 0 then, 0.5 now" in judged.sentence
    now = written(tmp_path / "now", report(STANDARD, versions={"torch": "3.0"}))
    judged = speclrm(f"measure --show {now} --against {before} --fail-on-regression")
    assert judged.code == 0
    assert "torch: 2.13.0 then, 3.0 now" in judged.sentence


MISTAKES = {
    "x.json --show y": "drop CONFIG",
    "--show {folder} --fail-on-regression": "give --against",
    "--show {folder} --against {folder} --fail-on-regression lots": "no percentage",
    "--fail-on-regression x.json": "put CONFIG before it",
}


@pytest.mark.parametrize("asked", MISTAKES)
def test_what_cannot_be_asked_is_a_sentence(folder, asked):
    said = speclrm(f"measure {asked.replace('{folder}', str(folder))}")
    assert said.code == 2
    assert MISTAKES[asked] in said.sentence
