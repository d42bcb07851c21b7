"""Graded runs side by side: the best first, the same figures in every format."""

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.leaderboard import HEADINGS, as_csv, as_json, as_markdown, cells, ranked
from evaluators.metrics import RunMetrics

METRICS = RunMetrics(
    run="demo",
    dataset="pocket",
    reasoner="baseline",
    model="pocket-target",
    problems=90,
    repeats=2,
    accuracy=0.876,
    standard_error=0.0321,
    no_answer=0.01,
    truncated=0.02,
    ungradable=0.03,
    error=0.04,
    missing=0.05,
    target_tokens=1234.5,
    draft_tokens=0.0,
    acceptance=0.9,
    rewrites=0.08,
    flops_decode=2.5e9,
    flops_total=3.25e9,
    seconds_p50=1.234,
    seconds_p95=5.678,
    grader_version="1.0",
)


def shown(metrics: RunMetrics) -> dict[str, str]:
    return dict(zip(HEADINGS, cells(metrics), strict=True))


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("accuracy ± SE", "87.6% ± 3.2%"),
        ("label", "avg@2 (90×2)"),
        ("no answer", "4.0%"),
        ("truncated", "2.0%"),
        ("errors", "4.0%"),
        ("missing", "5.0%"),
        ("tokens target / draft", "1,234 / 0"),
        ("drafts kept", "90.0%"),
        ("steps rewritten", "8.0%"),
        ("GFLOPs decode / total", "2.50 / 3.25"),
        ("seconds p50 / p95", "1.23 / 5.68"),
    ],
)
def test_a_row_says_accuracy_what_went_wrong_and_what_it_cost(heading, text):
    assert shown(METRICS)[heading] == text


def test_what_is_unknown_is_a_dash_and_never_a_zero():
    unknown = replace(
        METRICS, standard_error=None, flops_decode=None, flops_total=None, seconds_p50=None
    )
    assert shown(unknown)["accuracy ± SE"] == "87.6%"
    assert shown(unknown)["GFLOPs decode / total"] == "– / –"
    assert shown(unknown)["seconds p50 / p95"] == "– / 5.68"


@given(st.lists(st.tuples(st.floats(0, 1), st.text("ab", max_size=2)), max_size=5))
def test_the_best_comes_first_and_ties_go_by_name(drawn):
    runs = [replace(METRICS, accuracy=accuracy, run=name) for accuracy, name in drawn]
    order = [(-one.accuracy, one.run) for one in ranked(runs)]
    assert order == sorted(order)
    assert len(order) == len(runs)


def test_a_bar_in_a_name_does_not_break_the_markdown_table():
    table = as_markdown([replace(METRICS, model="a|b")]).splitlines()
    assert table[0].count(" | ") == len(HEADINGS) - 1
    assert all(line.count("|") - line.count("\\|") == len(HEADINGS) + 1 for line in table)


def test_csv_and_json_hold_every_metric_unrounded():
    [row] = csv.DictReader(io.StringIO(as_csv([METRICS])))
    [body] = json.loads(as_json([METRICS]))
    fields = RunMetrics.__dataclass_fields__
    assert list(row) == list(body) == list(fields)
    assert body == {name: getattr(METRICS, name) for name in fields}
    assert float(row["accuracy"]) == METRICS.accuracy


def test_csv_quotes_what_needs_it():
    name = 'runs, "good" ones'
    [row] = csv.DictReader(io.StringIO(as_csv([replace(METRICS, run=name)])))
    assert row["run"] == name
