"""Attempts on the page in a browser: addresses, filters, search, and two runs side by side."""

import hashlib
import json

import pytest
from browsing import opened
from graded_runs import attempt_line, made_from_attempts, step, verdict_row, write_run

from evaluators.reports import html_page
from evaluators.reports.html_page import write_report
from evaluators.reports.page_files import Blocks
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.statements import Statement, Statements
from evaluators.statistics.groups import Groups
from evaluators.statistics.metrics import measured_runs

PROMPT = "Answer <b>in a box</b>: 1+1?"
VOTE = {
    "rule": "majority",
    "classes": [["A1", "B1"], ["C1"]],
    "winner": "\\frac{38}{5}",
    "reason": "2 of 3 say \\frac{38}{5}, one says \\sqrt{2}",
}
LEVELS = {"a/b": "Level 1", "b": "Level 1", "c": "Level 2", "d": "Level 10"}
# Right attempts by problem: of the first run, of the second.
RIGHT = {"a%2Fb": ("11", "11"), "b": ("10", "00"), "c": ("11", "00"), "d": ("00", "00")}


def text_of(run, problem, repeat):
    """What a model writes; one attempt says what no other does."""
    rare = " The Needle_<i>." if (run, problem, repeat) == (1, "c", 1) else ""
    return f"so $x$\n</think>\nrun {run} problem {problem} repeat {repeat}{rare}<think>"


def made_run(folder, number):
    rows = [
        verdict_row(problem, repeat, right=right == "1", extracted="1" if right == "1" else "-7")
        for problem, rights in RIGHT.items()
        for repeat, right in enumerate(rights[number])
    ]
    run = write_run(folder / f"study/run-{number}", {name: [True, True] for name in RIGHT}, rows)
    (run / "problems").mkdir()
    for row in rows:
        problem = row["problem_id"]
        line = attempt_line(row, [[step(text_of(number, problem, row["repeat_id"]))]])
        line |= {"vote": VOTE, "kind": "latex" if problem == "d" else "integer"}
        other = number == 1 and problem == "b"
        line["prompt_sha256"] = hashlib.sha256((PROMPT + "?" * other).encode()).hexdigest()
        with (run / "problems" / f"{problem}.jsonl").open("a") as out:
            out.write(json.dumps(line) + "\n")
    return made_from_attempts(run)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attempts")
    return [made_run(folder, number) for number in (0, 1)]


def written(runs, file):
    asked = {name: Statement("1+1?") for name in RIGHT}
    groups = Groups({"level": {name.replace("/", "%2F"): level for name, level in LEVELS.items()}})
    options = ReportOptions(
        statements=lambda _: Statements(asked, prompts=dict.fromkeys(asked, PROMPT)),
        groups=lambda _: groups,
    )
    write_report(measured_runs(runs), file, options)
    return file


@pytest.fixture(scope="module")
def file(runs):
    return written(runs, runs[0].parent / "page.html")


@pytest.fixture
def page(browser, file):
    with opened(browser, file) as tab:
        yield tab


def shown(page):
    """The problems of the map, and how many attempts are counted."""
    return page.locator("#heat tbody th").all_inner_texts(), page.inner_text("#f-count")


def waits_for_title(page, title):
    page.wait_for_function(
        "title => document.getElementById('trace-title').textContent === title"
        " && document.querySelector('#trace-body .step')",
        arg=title,
    )


def test_an_attempt_is_opened_by_its_address_whatever_its_problem_is_called(browser, file):
    with opened(browser, file, anchor="#run-1/a%2Fb/1") as page:
        waits_for_title(page, "run-1: problem a/b, repeat 1")
        assert "run 1 problem a%2Fb repeat 1" in page.inner_text("#trace-body")
        page.get_by_role("button", name="Close").last.click()
        page.wait_for_function("() => location.hash === ''")


@pytest.mark.parametrize(
    "anchor", ["#run-1/nowhere/0", "#run-1/b/9", "#run-1/b/-1", "#x", "#%E0%A4%A", "#settings/x"]
)
def test_an_address_of_nothing_opens_nothing(browser, file, anchor):
    with opened(browser, file, anchor=anchor) as page:
        assert page.locator("dialog[open]").count() == 0
        assert len(shown(page)[0]) == 4


def test_a_click_an_arrow_and_the_way_back_change_the_address(page):
    page.get_by_role("button", name="run-0, problem b, repeat 0: correct").click()
    waits_for_title(page, "run-0: problem b, repeat 0")
    assert page.evaluate("location.hash") == "#run-0/b/0"
    page.get_by_role("button", name="next attempt").click()
    waits_for_title(page, "run-0: problem b, repeat 1")
    assert page.evaluate("location.hash") == "#run-0/b/1"
    page.go_back()
    page.wait_for_function("() => !document.querySelector('dialog[open]')")


def test_two_runs_traces_of_one_problem_stand_side_by_side(page):
    page.evaluate("go('run-0/c/1')")
    waits_for_title(page, "run-0: problem c, repeat 1")
    page.select_option("#beside", label="run-1")
    page.wait_for_selector("#trace-body .two section:nth-child(2) .step")
    left, right = (one.bounding_box() for one in page.locator(".two > section").all())
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    said = page.locator(".two > section").all_inner_texts()
    assert "run 0 problem c repeat 1" in said[0]
    assert "run 1 problem c repeat 1" in said[1]
    assert page.evaluate("location.hash") == "#run-0/c/1/run-1"
    page.get_by_role("button", name="previous attempt").click()
    page.wait_for_function("() => location.hash === '#run-0/c/0/run-1'")


def test_on_a_phone_a_trace_fits_and_two_stand_one_below_the_other(browser, file):
    phone = {"width": 390, "height": 844}
    with opened(browser, file, anchor="#run-0/c/1/run-1", viewport=phone) as page:
        page.wait_for_selector("#trace-body .two section:nth-child(2) .step")
        left, right = (one.bounding_box() for one in page.locator(".two > section").all())
        assert left["y"] + left["height"] <= right["y"]
        assert page.evaluate("document.getElementById('trace').scrollWidth") <= 390


def test_answers_in_the_vote_line_are_set_and_marks_of_thought_are_told(page):
    page.evaluate("go('run-0/b/0')")
    waits_for_title(page, "run-0: problem b, repeat 0")
    vote = page.locator("dl.facts dd").filter(has_text="majority")
    assert vote.locator(".katex").count() == 3
    assert "(tracks A1 and B1 against C1)" in vote.inner_text()
    assert "\\frac{38}" not in vote.evaluate(
        "one => { const c = one.cloneNode(true); "
        "c.querySelectorAll('.katex').forEach(k => k.remove()); return c.textContent; }"
    )
    assert page.locator(".thought").all_inner_texts() == ["thinking ends", "thinking begins"]
    page.check("#raw")
    page.wait_for_function("() => !document.querySelector('#trace-body .thought')")
    assert "</think>" in page.inner_text(".step .model")


def test_the_rendered_prompt_is_there_where_it_is_the_attempts(page):
    page.evaluate("go('run-1/c/0')")
    waits_for_title(page, "run-1: problem c, repeat 0")
    page.locator("details.prompt summary").click()
    assert page.inner_text("details.prompt .model") == PROMPT
    page.evaluate("go('run-1/b/0')")
    waits_for_title(page, "run-1: problem b, repeat 0")
    assert page.locator("details.prompt").count() == 0


@pytest.mark.parametrize(
    ("filters", "problems", "count"),
    [
        ({}, ["a/b", "b", "c", "d"], 16),
        ({"f-level": "Level 1"}, ["a/b", "b"], 8),
        ({"f-level": "Level 10", "f-show": "wrong"}, ["d"], 4),
        ({"f-kind": "latex"}, ["d"], 4),
        ({"f-show": "differ"}, ["b", "c"], 8),
        ({"f-level": "Level 2", "f-kind": "latex"}, [], 0),
        ({"f-order": "hard"}, ["d", "b", "c", "a/b"], 16),
        ({"f-order": "easy"}, ["a/b", "c", "b", "d"], 16),
        ({"f-order": "unequal"}, ["c", "b", "a/b", "d"], 16),
    ],
)
def test_filters_leave_what_they_name_in_the_order_asked_for(page, filters, problems, count):
    for name, value in filters.items():
        page.select_option(f"#{name}", value)
    assert shown(page) == (problems, f"{len(problems)} problems, {count} attempts")


def test_an_answer_is_looked_for_as_a_whole(page):
    page.fill("#f-answer", "-7")
    assert shown(page) == (["b", "c", "d"], "3 problems, 9 attempts")
    page.fill("#f-answer", "7")
    assert shown(page)[0] == []


def test_a_problem_has_the_mean_of_all_runs_beside_it(page):
    means = [one.replace("\xa0", " ") for one in page.locator("#heat .mean").all_inner_texts()]
    assert means == ["100 %", "25 %", "50 %", "0 %"]


def searched(page, text, said):
    page.fill("#f-text", text)
    page.locator("#f-search button").click()
    page.wait_for_function(
        "said => document.getElementById('f-searched').textContent === said", arg=said
    )


def test_outputs_are_searched_whatever_their_case(page):
    searched(page, "needle_<i>", "1 attempts hold it")
    assert shown(page) == (["c"], "1 problems, 1 attempts")
    searched(page, "nobody says this", "0 attempts hold it")
    page.fill("#f-text", "")
    assert len(shown(page)[0]) == 4


def test_outputs_in_files_beside_the_page_are_searched_too(browser, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(html_page, "Blocks", lambda folder: Blocks(folder, inline_bytes=10))
    page = browser.new_page()
    page.goto(written(runs, tmp_path / "page.html").as_uri())
    searched(page, "NEEDLE", "1 attempts hold it")
    page.evaluate("go('run-1/c/1')")
    waits_for_title(page, "run-1: problem c, repeat 1")
    page.close()
