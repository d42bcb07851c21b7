"""What a table prints: each cell on its own slice, one Holm for all, marks, and every format."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from browsing import opened
from graded_runs import in_windows, rewrite_attempts
from hypothesis import given
from hypothesis import strategies as st

from evaluators.reports import result_files
from evaluators.statistics.comparison import holm
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment
from pipeline.runs.directory import read_attempts
from pipeline.tables.cells import Cell
from pipeline.tables.gpu_time import shared_seconds
from pipeline.tables.results import seen
from pipeline.tables.table_file import Card, Column, Row
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

FILE = """\
title = "Sums & <b>others</b>"
baseline = "large"
columns = ["sums.jsonl", "sums.jsonl[first:3]"]
[defaults]
repeats = 2
[models.big]
engine = "scripted"
script = "target.json"
usd_per_gpu_hour = 3600.0
gpus = 2
[models.weak]
engine = "scripted"
script = "draft.json"
model = "weak"
usd_per_gpu_hour = 1.0
[rows.large]
reasoner = "baseline"
target = "big"
expected = [{column = "sums", value = 0.99, source = "a paper"}]
[rows.same_as_large]
reasoner = "baseline"
target = "big"
[rows.weak]
reasoner = "baseline"
target = "weak"
expected = [{column = "sums", value = 0.9, source = "another"}]
[rows.late]
reasoner = "parallel"
tracks = 2
target = "weak"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A table that has run, but for one row."""
    made = Place.made(tmp_path_factory.mktemp("table"))
    (made.folder / "table.toml").write_text(FILE)
    said = table(made, "--rows large,same_as_large,weak")
    assert said.code == 0, said.err
    return made


def table(place, options=""):
    return speclrm(
        f"table {place.folder / 'table.toml'} --results {place.folder / 'results'} {options}"
    )


def cells(place, options="--report --json"):
    said = table(place, options)
    assert said.code == 0, said.err
    return {(one["row"], one["column"]): one for one in json.loads(said.out)["cells"]}


def test_a_cell_counts_its_own_slice_of_a_run_that_is_wider(place):
    large, part = cells(place)["large", "sums"], cells(place)["large", "sums[first:3]"]
    assert large["run"] == part["run"]
    assert (large["problems"], large["attempts"], large["repeats"]) == (6, 12, 2)
    assert (part["problems"], part["attempts"], part["repeats"]) == (3, 6, 2)
    assert (large["accuracy"], cells(place)["weak", "sums"]["accuracy"]) == (1, 0)


def test_differences_are_to_the_baseline_of_the_column_and_adjusted_over_the_whole_table(place):
    made = cells(place)
    compared = [one for one in made.values() if one["p"] is not None]
    assert [(one["row"], one["column"]) for one in compared] == [
        ("weak", "sums"),
        ("weak", "sums[first:3]"),
    ]
    assert [one["holm_p"] for one in compared] == holm([one["p"] for one in compared])
    assert {one["difference"] for one in compared} == {-1}
    assert made["same_as_large", "sums"]["not_compared"] == "it is the baseline's run"


def test_a_reported_value_is_told_to_lie_in_the_interval_or_not(place):
    made = cells(place)
    assert made["large", "sums"]["reported_in_interval"] is True
    assert made["weak", "sums"]["reported_in_interval"] is False
    assert made["weak", "sums[first:3]"]["reported_in_interval"] is None


def test_a_row_without_attempts_is_there_without_numbers(place):
    late = cells(place)["late", "sums"]
    assert (late["planned"], late["attempts"], late["accuracy"], late["p"]) == (12, 0, None, None)


def test_the_plan_counts_only_the_runs_that_something_is_missing_of(place):
    assert "To go: 12 attempts in 1 run, " in table(place, "--dry-run").out


def test_dollars_are_those_of_the_models_gpus(place):
    made = cells(place)
    hours, dollars = made["large", "sums"]["gpu_hours"], made["large", "sums"]["dollars"]
    assert dollars == pytest.approx(3600 * hours)
    assert made["late", "sums"]["dollars"] is None


@pytest.mark.parametrize("cached", ["", ", cached_input = 50.0"])
def test_dollars_of_a_hosted_model_are_those_of_its_tokens_beside_a_gpus(tmp_path, cached):
    other = Place.made(tmp_path)
    price = f"usd_per_million_tokens = {{input = 100.0, output = 1000.0{cached}}}"
    text = FILE.replace("usd_per_gpu_hour = 3600.0\ngpus = 2", price).replace("late", "spec")
    text = text.replace('"parallel"\ntracks = 2\ntarget = "weak"', '"spec"\ntarget = "big"')
    (tmp_path / "table.toml").write_text(text + 'draft = "weak"\n')
    assert table(other, "--rows large,spec --columns sums").code == 0
    # As a server that reports what it has cached.
    [run] = [path.parent for path in tmp_path.glob("results/*baseline*/run.json")]
    for file in (run / "problems").iterdir():
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            line["usage"]["target"]["plain"]["prompt_cached"] = 7
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = cells(other, "--report --json --rows large,spec --columns sums")
    large, both = made["large", "sums"], made["spec", "sums"]
    assert large["gpu_hours"] is None
    tokens = [attempt.usage["target"]["plain"] for attempt in read_attempts(run)]
    of_cache = 50 if cached else 100
    assert large["dollars"] * 1e6 == pytest.approx(
        sum(100 * one.prompt_new + 7 * of_cache + 1000 * one.generated for one in tokens)
    )
    [spec] = [path.parent for path in tmp_path.glob("results/*spec*/run.json")]
    used = [one for each in read_attempts(spec) for one in each.usage["target"].values()]
    assert both["dollars"] == pytest.approx(
        sum(100 * one.prompt_new + 1000 * one.generated for one in used) / 1e6 + both["gpu_hours"]
    )


def test_forwards_are_in_a_table_where_windows_gave_several_tokens_in_one(tmp_path):
    other = Place.made(tmp_path)
    (tmp_path / "table.toml").write_text(FILE)
    assert table(other, "--rows large,weak --columns sums").code == 0
    plain = table(other, "--report --rows large,weak --columns sums")
    rewrite_attempts(Path(cells(other)["large", "sums"]["run"]), usage=in_windows())
    windowed = table(other, "--report --rows large,weak --columns sums")
    assert ("tokens a forward" in plain.out, "tokens a forward" in windowed.out) == (False, True)
    large = cells(other)["large", "sums"]
    assert {name: made for name, made in large.items() if "forward" in name} == {
        "target_forwards": 8,
        "draft_forwards": None,
        "target_assistant_forwards": 20,
        "target_tokens_a_forward": 5,
        "draft_tokens_a_forward": None,
        "target_assistant_tokens_a_forward": None,
    }


def test_dollars_are_unknown_where_a_server_does_not_count_its_tokens(tmp_path):
    other = Place.made(tmp_path)
    price = "usd_per_million_tokens = {input = 100.0, output = 1000.0}"
    text = FILE.replace("usd_per_gpu_hour = 3600.0\ngpus = 2", price)
    (tmp_path / "table.toml").write_text(text)
    assert table(other, "--rows large --columns sums").code == 0
    file = next(tmp_path.glob("results/*/problems/sums-0.jsonl"))
    file.write_text(re.sub(r'"generated":\d+', '"generated":null', file.read_text()))
    assert (
        cells(other, "--report --json --rows large --columns sums")["large", "sums"]["dollars"]
        is None
    )


def test_a_run_that_is_not_complete_is_measured_on_whole_repeats_and_marked(place, tmp_path):
    other = Place.made(tmp_path)
    (tmp_path / "table.toml").write_text(FILE.replace("repeats = 2", "repeats = 1"))
    assert table(other, "--rows large,weak").code == 0
    (tmp_path / "table.toml").write_text(FILE)
    made = cells(other)["weak", "sums"]
    assert (made["attempts"], made["planned"], made["repeats"]) == (6, 12, 1)
    assert re.search(r"weak .*0\.0% .*…", table(other, "--report").out)


def test_cells_with_unverified_tokens_are_marked_in_every_format(tmp_path):
    other = Place.made(tmp_path)
    model = '{model = "pocket-target", engine = "transformers", decoding = "%s"}'
    (tmp_path / "table.toml").write_text(
        'columns = ["pocket[first:1]"]\nbaseline = "sure"\ndefaults.token_budget = 20\n'
        f"models.w = {model % 'window'}\nmodels.r = {model % 'refine'}\n"
        'rows.sure = {reasoner = "baseline", target = "w"}\n'
        'rows.lossy = {reasoner = "baseline", target = "r"}\n'
    )
    said = table(other)
    assert said.code == 0, said.err
    assert "Warning: lossy / pocket[first:1]: --decoding refine keeps" in said.sentence
    made = {row: one["unverified"] for (row, _), one in cells(other).items()}
    assert made == {"sure": False, "lossy": True}
    for options, mark in (
        ("", "‡"),
        ("--format latex", r"$^{\ddagger}$"),
        ("--format markdown", "‡"),
    ):
        printed = table(other, f"--report {options}").out
        lossy = next(each for each in printed.splitlines() if "lossy" in each)
        assert mark in lossy, printed
        assert "kept unverified" in " ".join(printed.split())


def test_the_baseline_is_printed_beside_rows_that_are_chosen(place):
    assert {row for row, _ in cells(place, "--report --json --rows weak")} == {"large", "weak"}


def test_on_a_terminal_every_part_is_told(place):
    out = table(place, "--report").out
    for words in ("Accuracy", "Against large", "Costs", "Reported and measured", "dollars"):
        assert words in out
    assert re.search(r"-100\.0 \[", out)


def test_a_table_of_one_column_names_it_once_and_does_not_repeat_what_all_rows_share(place):
    rows = "--report --rows large,same_as_large,weak"
    one, two = table(place, f"{rows} --columns sums").out, table(place, rows).out
    assert sum("│ sums" in line or " sums ┃" in line for line in one.splitlines()) == 1
    assert "All 12 attempts of every cell are recorded." in one
    assert "12 of 12" not in one
    assert "12 of 12" in two
    assert re.search(r"┃ column +┃ +difference, points ┃", two)
    assert re.search(r"^weak: .*results", one, re.MULTILINE)
    assert re.search(r"weak / sums, weak / sums\[first:3\]: .*results", two)


def test_a_table_of_one_column_is_printed_before_it_has_attempts(place, tmp_path):
    other = Place.made(tmp_path)
    (tmp_path / "table.toml").write_text(FILE)
    said = table(other, "--report --rows late --columns sums")
    assert said.code == 0, said.err
    assert re.search(r"│ late +│ +– │", said.out)


def test_attempts_that_are_missing_are_told_in_a_table_of_one_column_too(place, tmp_path):
    other = Place.made(tmp_path)
    (tmp_path / "table.toml").write_text(FILE.replace("repeats = 2", "repeats = 1"))
    assert table(other, "--rows large --columns sums").code == 0
    (tmp_path / "table.toml").write_text(FILE)
    out = table(other, "--report --rows large --columns sums").out
    assert "6 of 12" in out
    assert "of every cell are recorded" not in out


def test_markdown_holds_names_as_text(place):
    out = table(place, "--report --format markdown").out
    assert out.startswith("# Sums &amp; &lt;b&gt;others&lt;/b&gt;")
    assert "| same\\_as\\_large |" in out


HOSTILE = """\
columns = ["sums.jsonl[first:1]"]
baseline = "[z] <b>"
[models.big]
engine = "scripted"
script = "target.json"
[rows."[z] <b>"]
reasoner = "baseline"
target = "big"
[rows."[a]"]
reasoner = "baseline"
target = "big"
seed = 1
[rows."*a, b"]
reasoner = "baseline"
target = "big"
seed = 2
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    made = Place.made(tmp_path_factory.mktemp("hostile"))
    (made.folder / "table.toml").write_text(HOSTILE)
    assert table(made).code == 0
    return made


def test_a_rows_name_is_markup_in_no_heading_of_markdown(hostile):
    assert "## Against \\[z\\] &lt;b&gt;\n" in table(hostile, "--report --format markdown").out


def test_a_rows_name_is_no_option_of_the_line_break_before_it_in_latex(hostile):
    out = table(hostile, "--report --format latex").out
    assert not re.search(r"\\\\\s*[\[*]", out)
    assert r"[z] \textless{}b\textgreater{}" in out


def test_a_row_whose_name_has_a_comma_can_be_chosen(hostile):
    rows = {row for row, _ in cells(hostile, "--report --json --rows '*a, b'")}
    assert rows == {"[z] <b>", "*a, b"}


def test_latex_is_a_booktabs_table_with_every_column_filled(place):
    out = table(place, "--report --format latex").out
    assert r"\caption{Sums \& \textless{}b\textgreater{}others\textless{}/b\textgreater{}." in out
    body = out[out.index(r"\midrule") : out.index(r"\bottomrule")].strip().splitlines()[1:]
    assert [line.split(" & ")[0].strip() for line in body] == [
        "large",
        r"same\_as\_large",
        "weak",
        "late",
    ]
    assert {line.count(" & ") for line in body} == {6}
    assert "$-100.0" in body[2]
    assert out.count("{") == out.count("}")


@given(st.text())
def test_latex_has_no_special_character_of_a_name(text):
    shown = result_files.latex(text)
    for word in re.findall(r"\\[a-z]+\{\}|\\.|\$[^$]*\$", shown):
        shown = shown.replace(word, "")
    assert not set("\\&%$#_{}~^<>|") & set(shown)


def test_csv_has_a_line_for_each_cell_and_no_formula(place):
    rows = list(csv.DictReader(io.StringIO(table(place, "--report --format csv").out)))
    assert len(rows) == 8
    assert [row["accuracy"] for row in rows[:2]] == ["1.0", "1.0"]


def test_the_page_begins_with_the_table_and_shows_each_run_once(place, tmp_path):
    page = tmp_path / "page.html"
    assert table(place, f"--report --html {page}").code == 0
    text = page.read_text()
    assert text.index('id="parts"') < text.index("Runs</h2>")
    # A run that serves several cells has the accuracy of none of them, and so not its name alone.
    [data] = re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert [part["title"] for part in json.loads(data)["parts"]][:2] == [
        "Accuracy",
        "Against large",
    ]
    assert {run["run"] for run in json.loads(data)["runs"]} == {
        "large, same_as_large / sums, sums[first:3]",
        "weak / sums, sums[first:3]",
    }
    assert "<title>Sums &amp; &lt;b&gt;others&lt;/b&gt;</title>" in text
    assert "<b>others" not in text


def test_on_the_page_of_one_column_runs_have_the_names_of_their_rows(place, tmp_path):
    page = tmp_path / "page.html"
    assert table(place, f"--report --columns sums --html {page}").code == 0
    [data] = re.findall(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert {run["run"] for run in json.loads(data)["runs"]} == {"large, same_as_large", "weak"}


def test_the_page_has_each_number_once_where_every_cell_is_a_whole_run(place, tmp_path):
    unpriced = re.sub(r"usd_per_gpu_hour.*\n", "", FILE)
    (place.folder / "unpriced.toml").write_text(unpriced)
    for file, rows, parts in (
        ("unpriced", "large,weak", ["Against large", "Reported and measured"]),
        ("table", "large,weak", ["Against large", "Costs", "Reported and measured"]),
        ("unpriced", "large,late", ["Accuracy", "Costs", "Reported and measured"]),
    ):
        options = f"--report --columns sums --rows {rows} --html {tmp_path / 'page.html'}"
        folders = f"--results {place.folder / 'results'}"
        assert speclrm(f"table {place.folder / file}.toml {folders} {options}").code == 0
        page = (tmp_path / "page.html").read_text()
        [data] = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
        assert [part["title"] for part in json.loads(data)["parts"]] == parts


@pytest.mark.parametrize("width", [390, 1280])
def test_on_a_phone_the_main_columns_of_every_part_are_whole_and_the_others_are_told(
    browser, place, tmp_path, width
):
    file = tmp_path / "page.html"
    assert table(place, f"--report --html {file}").code == 0
    with opened(browser, file, viewport={"width": width, "height": 800}) as page:
        scrolls = "[...document.querySelectorAll('#parts .scroll')]"
        wider = f"Math.max(...{scrolls}.map((one) => one.scrollWidth - one.clientWidth))"
        assert page.evaluate(wider) <= 1
        assert page.evaluate("document.documentElement.scrollWidth") == width
        against = page.locator("section[aria-label='Against large']")
        heads = against.locator("th").all_inner_texts()
        assert heads[:3] == ["row", "column", "difference, points"]
        assert ("p" in heads) == (width > 640)
        hidden = against.locator(".tools .note").inner_text()
        assert ("more column" in hidden) == (width < 640)


def test_the_page_has_the_dollars_of_an_attempt_by_the_models_cards(place, tmp_path):
    page = tmp_path / "page.html"
    assert table(place, f"--report --html {page}").code == 0
    [data] = re.findall(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    dollars = {run["run"]: run["dollars"] for run in json.loads(data)["runs"]}
    large, weak = (one for name, one in dollars.items() if "sums.jsonl[" not in name)
    assert large > weak > 0


def test_a_difference_has_one_adjusted_p_on_the_page_that_of_the_table(place, tmp_path):
    page = tmp_path / "page.html"
    assert table(place, f"--report --html {page}").code == 0
    [data] = re.findall(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert json.loads(data)["comparisons"] == []
    [part] = [one for one in json.loads(data)["parts"] if one["title"] == "Against large"]
    assert "Holm p" in [column["head"] for column in part["columns"]]


def test_the_page_has_the_accuracy_by_level_where_problems_have_levels(place, tmp_path):
    file, page = place.folder / "levels.toml", tmp_path / "page.html"
    file.write_text(
        'columns = ["pocket[first:2]"]\n'
        'models.big = {engine = "scripted", script = "target.json"}\n'
        'rows.large = {reasoner = "baseline", target = "big"}\n'
    )
    said = speclrm(f"table {file} --results {tmp_path / 'results'} --html {page}")
    assert said.code == 0, said.err
    [data] = re.findall(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert json.loads(data)["groups"]["level"]


def cell_of(dataset, *released):
    cards = [Card(str(n), {}, {}, released=date) for n, date in enumerate(released)]
    roles = dict(zip(("target", "draft"), cards, strict=False))
    row = Row("row", "row", "baseline", {}, {})
    column = Column(dataset, dataset, None, "all", {}, ())
    experiment = Experiment("baseline", EngineSettings("scripted", "m"), dataset=dataset)
    return Cell(row, column, experiment, roles)


@pytest.mark.parametrize(
    ("dataset", "released", "marked"),
    [
        ("aime", ("2025-03-05",), True),  # public since 2024-02
        ("aime", ("2024-02",), True),
        ("aime", ("2024-01-31",), False),
        ("aime", (None,), False),
        ("aime", ("2023-09", "2024-09-12"), True),
        ("aime", (), False),
        ("pocket", ("2025-03-05",), False),
    ],
)
def test_a_cell_is_marked_where_its_problems_are_older_than_a_models_release(
    dataset, released, marked
):
    why = seen(cell_of(dataset, *released))
    assert (why is not None) == marked
    assert not marked or "public since 2024-02" in why


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), max_size=12)


@given(SPANS)
def test_the_time_of_all_attempts_together_is_the_time_in_which_any_was_in_flight(drawn):
    spans = {number: (begin, begin + length) for number, (begin, length) in enumerate(drawn)}
    shares = shared_seconds(spans)
    busy = {second for begin, end in spans.values() for second in range(begin, end)}
    assert sum(shares.values()) == pytest.approx(len(busy))
    assert all(-1e-9 <= shares[name] <= end - begin + 1e-9 for name, (begin, end) in spans.items())


def test_time_is_divided_among_those_in_flight():
    assert shared_seconds({"a": (0, 4), "b": (2, 4)}) == {"a": 3, "b": 1}
