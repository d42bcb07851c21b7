"""The page's tables in a browser: columns are chosen, explained and copied, on any screen."""

import pytest
from browsing import opened
from graded_runs import step, verdict_row, write_attempts, write_run

from evaluators.reports.html_page import write_report
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.run_settings import run_settings
from evaluators.run_files.run_manifest import run_manifest
from evaluators.statistics.groups import Groups
from evaluators.statistics.metrics import measured_runs

USAGE = {
    "target": {"plain": {"generated": 1000, "forwards": 250}},
    "draft": {"plain": {"generated": 5}},
}
NAMES = ("study-base_line-qwq-1a2b3c4d", "study-spec-qwq-00ff00ff", "study-parallel-qwq-12341234")
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1600, "height": 900}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Three runs of eight problems in two levels, the first with another budget and seed."""
    folder = tmp_path_factory.mktemp("tables")
    right = {str(n): [n % 3 > 0] for n in range(8)}
    for at, name in enumerate(NAMES):
        rows = [verdict_row(str(n), right=(n + at) % 3 > 0, usage=USAGE) for n in range(8)]
        changed = {"token_budget": 50, "seed": 7} if at == 0 else {}
        changed |= {"tokenizer": "/home/somebody/models/qwq"}
        write_attempts(write_run(folder / name, right, rows, **changed), lambda _: [[step("x")]])
    groups = Groups({"level": {str(n): f"Level {n // 4 * 8 + 2}" for n in range(8)}})
    options = ReportOptions(
        title="Budgets <5> & more",
        groups=lambda _: groups,
        seen={folder / NAMES[2]: "public since 2024-02, before the release of qwq (2025-03-05)"},
    )
    write_report(measured_runs([folder / name for name in NAMES]), folder / "p.html", options)
    return folder / "p.html"


@pytest.fixture
def page(browser, file):
    with opened(browser, file, viewport=WIDE) as tab:
        yield tab


def heads(page, table="board"):
    return [text.split(" ▼")[0] for text in page.locator(f"#{table} th").all_inner_texts()]


def overflow(page):
    """By how many pixels any table is wider than its place."""
    return page.evaluate(
        "Math.max(...[...document.querySelectorAll('.scroll')]"
        ".map((one) => one.scrollWidth - one.clientWidth))"
    )


def test_the_title_is_text(page):
    assert page.title() == page.inner_text("h1") == "Budgets <5> & more"


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_no_column_hides_behind_a_scroll_and_the_main_ones_are_whole(browser, file, width):
    with opened(browser, file, viewport={"width": width, "height": 800}) as page:
        assert overflow(page) <= 1
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert heads(page)[:3] == ["run", "accuracy", "95 % interval"]
        assert "× total" in heads(page)
        assert heads(page, "pairs")[:3] == ["run", "points", "95 % interval"]
        shown = page.locator("#board td:first-child button").all_inner_texts()
        short = {"base_line", "spec", "parallel"}
        assert set(shown) == (short if width < 640 else set(NAMES))


def test_a_wider_page_has_more_columns_until_its_reader_has_chosen(page):
    many = heads(page)
    page.set_viewport_size(PHONE)
    page.wait_for_function(f"() => document.querySelectorAll('#board th').length < {len(many)}")
    page.locator("#board summary", has_text="Columns").click()
    page.get_by_label("SE problems").check()
    assert "SE problems" in heads(page)
    page.set_viewport_size(WIDE)
    page.wait_for_function("() => document.querySelector('#scatter svg').clientWidth > 500")
    assert "SE problems" in heads(page)
    assert len(heads(page)) < len(many)
    page.locator("#board").get_by_role("button", name="those that fit").click()
    assert heads(page) == many


def test_every_shown_column_that_needs_it_is_explained(page):
    page.locator("#pairs summary", has_text="What they mean").click()
    said = page.inner_text("#pairs .explained dl")
    assert "The true difference that 80 % of studies like this one would find" in said
    assert "p adjusted for the number of runs compared" in said
    assert "won / tied / lost" in said
    detectable = page.locator("#pairs th", has_text="detectable")
    assert "80 % of studies" in detectable.get_attribute("title")


def test_what_a_forward_gave_has_a_column_and_stands_in_an_attempt_where_it_is_not_one(page):
    page.locator("#board summary", has_text="Columns").click()
    for label, value in (("tokens a forward", "4.00"), ("draft tokens a forward", "–")):
        page.get_by_label(label, exact=True).check()
        place = heads(page).index(label)
        cells = page.locator(f"#board tbody td:nth-child({place + 1})").all_inner_texts()
        assert cells == [value] * 3
    told = (
        "[['target', 'plain', 30, 10], ['target', 'refused', 50, 0], ['draft', 'draft_kept', 4, 4]]"
    )
    said = page.evaluate(f"usageText({told})")
    assert said == "target: plain 30 in 10 forwards, refused 50 · draft: kept 4"


def test_what_all_runs_share_is_said_once_and_what_is_zero_too(page):
    assert "avg@1 (8×1)" in page.inner_text("#about")
    assert "attempts" not in heads(page)
    assert "Zero in every run: no answer, ungradable, truncated, errors, missing." in (
        page.inner_text("#notes")
    )


def test_groups_stand_in_a_table_with_intervals(page):
    rows = page.locator("#groups tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["Level 2", "Level 10"]
    assert rows[0].split("\t")[2].startswith("50.0 % (")


def copied(page, table, form):
    """What a copy button puts on the clipboard, which a headless page may not read itself."""
    page.evaluate(
        "document.execCommand = () => { window.taken = document.activeElement.value; return true; }"
    )
    page.locator(f"#{table}").get_by_role("button", name=f"Copy {form}").click()
    return page.evaluate("window.taken")


def test_a_table_is_copied_as_markdown_and_latex_that_show_it_as_it_is(page):
    markdown = copied(page, "board", "Markdown").splitlines()
    assert markdown[0].startswith("| run | accuracy | 95 % interval |")
    assert markdown[1].startswith("| --- | ---: | ---: |")
    assert any("study-base\\_line-qwq-1a2b3c4d" in line for line in markdown)
    latex = copied(page, "board", "LaTeX")
    assert "\\begin{tabular}{lrr" in latex
    assert "study-base\\_line-qwq-1a2b3c4d & 62.5 \\% & " in latex
    assert latex.count("rule\n") == 3
    assert "$\\times$ total" in latex


def test_a_run_whose_model_may_have_seen_the_problems_is_marked_and_says_why(page):
    row = page.locator("#board tbody tr", has_text=NAMES[2])
    assert row.locator("td").nth(1).inner_text() == "62.5 % †"
    assert "before the release of qwq" in row.locator("td span[title]").get_attribute("title")
    assert page.locator("#board td", has_text="†").count() == 1
    assert "†: the problems are older than the release of a model" in page.inner_text("#notes")
    assert "62.5 \\% $^{\\dagger}$" in copied(page, "board", "LaTeX")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("\N{MINUS SIGN}3.1 to +3.1 …", "$-$3.1 to +3.1 \\ldots{}"),
        ("a_b & 5% #1 {x} $y$", "a\\_b \\& 5\\% \\#1 \\{x\\} \\$y\\$"),
        ("\\frac~^", "\\textbackslash{}frac\\textasciitilde{}\\textasciicircum{}"),
        ("± 1–2 <3", "$\\pm$ 1--2 $<$3"),
    ],
)
def test_any_text_is_latex_that_sets_it(page, text, latex):
    assert page.evaluate("latexText", text) == latex


def test_a_runs_name_opens_its_settings_and_what_another_runs_differ_in(page):
    page.locator("#board").get_by_role("button", name=NAMES[0]).click()
    assert page.inner_text("#settings-title") == f"{NAMES[0]}: settings"
    shown = page.inner_text("#settings-body")
    assert "token_budget\t50" in shown
    assert "somebody" not in shown
    page.select_option("#settings-other", label=NAMES[1])
    rows = page.locator("#settings-body tbody tr").all_inner_texts()
    assert rows == ["token_budget\t50\t100", "seed\t7\t0"]
    assert page.evaluate("location.hash") == f"#settings/{NAMES[0]}"
    page.get_by_role("button", name="Close").click()
    page.wait_for_function("() => location.hash === ''")


def test_settings_are_opened_by_their_address(browser, file):
    with opened(browser, file, anchor=f"#settings/{NAMES[2]}") as page:
        assert page.inner_text("#settings-title") == f"{NAMES[2]}: settings"


def test_settings_name_no_folder_of_the_machine(file):
    told = run_settings(run_manifest(file.parent / NAMES[0]))
    assert told["tokenizer"] == "qwq"
    assert (told["target.model"], told["draft"], told["repeats"]) == ("m", "none", "1")
    assert not any("/" in value for value in told.values())


def test_settings_end_with_short_hashes_of_the_templates(tmp_path):
    prompts = {"score.j2": "0123456789abcdef" * 4}
    run = write_run(tmp_path / "run", {"a": [True]}, prompts=prompts)
    told = run_settings(run_manifest(run))
    assert list(told.items())[-1] == ("prompts.score.j2", "0123456789ab")


def test_what_is_none_in_one_run_and_not_there_in_the_other_is_no_difference(page):
    page.evaluate(f"DATA.runs[1].settings.lora = 'none'; go('settings/{NAMES[1]}'); 0")
    page.wait_for_selector("dialog[open]")
    page.select_option("#settings-other", label=NAMES[2])
    assert page.inner_text("#settings-body") == "All settings are the same."


def test_a_printed_page_has_its_tables_and_no_buttons(page):
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert not page.locator("#board .tools").is_visible()
    assert page.locator("#board table").is_visible()
    assert not page.locator(".filters").is_visible()
