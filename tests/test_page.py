"""The page in a real browser: it sorts, filters, opens traces, and lets nothing in or out."""

from itertools import pairwise

import pytest
from browsing import opened
from graded_runs import step, verdict_row, write_attempts, write_run

from evaluators.reports import html_page
from evaluators.reports.html_page import write_report
from evaluators.reports.page_files import Blocks
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.statements import Statement, Statements
from evaluators.statistics.metrics import measured_runs

HOSTILE = (
    "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>"
    "<a href='javascript:window.hacked=3'>x</a> $\\href{javascript:window.hacked=4}{x}$ "
    "$\\includegraphics{http://example.com/x.png}$ \\boxed{\\frac{1}{2}} $$\\def\\a{\\a\\a}\\a$$ "
) + "y" * 1_000_000


def asked(run):
    """The problems of both runs; only that of `a` is known."""
    text = "Solve $x^2=4$. <script>window.hacked=5</script>" + HOSTILE
    return Statements({"a": Statement(text, ("$\\frac{1}{2}$", "<b>two</b>"))}, "it is gone")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """Two runs: one has a hostile text, the other two tracks and judged drafts."""
    folder = tmp_path_factory.mktemp("page")
    slow = [verdict_row("a", seconds=2.0), verdict_row("b", right=False, seconds=2.0)]
    plain = write_run(folder / "plain", {"a": [True], "b": [False]}, slow)
    write_attempts(plain, lambda _: [[step(HOSTILE)]])
    lost = [{"id": "0", "extracted": "1", "verdict": "correct"}]
    lost.append({"id": "1", "extracted": "2", "verdict": "wrong"})
    rows = [verdict_row("a", tracks=lost), verdict_row("b", right=False, tracks=lost)]
    spec = write_run(folder / "spec", {"a": [True], "b": [True]}, rows)
    rejected = step("so $x^2=4$", score=2.0, draft="<b>bold</b>")
    write_attempts(spec, lambda _: [[rejected], [step("kept", author="draft", score=9.0)]])
    runs = measured_runs([plain, spec])
    write_report(runs, folder / "page.html", ReportOptions(statements=asked))
    return folder / "page.html"


@pytest.fixture
def page(browser, page_file):
    """The opened page; afterwards it must have said no error and asked for nothing."""
    with opened(browser, page_file) as tab:
        yield tab


def runs_in_order(page):
    return page.locator("#board tbody tr td:first-child").all_inner_texts()


def open_cell(page, label):
    page.get_by_role("button", name=label).click()
    page.wait_for_selector("#trace-body .step")


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page):
    page.locator("#board th button").first.click()
    assert runs_in_order(page) == ["plain", "spec"]
    page.locator("#board th button").first.click()
    assert runs_in_order(page) == ["spec", "plain"]
    assert page.locator("#board th").first.get_attribute("aria-sort") == "descending"


def test_numbers_are_sorted_by_value_largest_first(page):
    page.get_by_role("button", name="s p50", exact=True).click()
    assert runs_in_order(page) == ["plain", "spec"]
    page.get_by_role("button", name="s p50", exact=True).click()
    assert runs_in_order(page) == ["spec", "plain"]


def test_filters_leave_only_what_matches(page):
    page.select_option("#f-show", "lost")
    assert page.inner_text("#f-count") == "1 problems, 1 attempts"
    assert page.locator("#heat tbody th").all_inner_texts() == ["b"]
    page.select_option("#f-show", "kept")
    assert page.inner_text("#f-count") == "2 problems, 2 attempts"
    page.fill("#f-problem", "a")
    assert page.locator("#heat tbody th").all_inner_texts() == ["a"]


def test_a_trace_shows_tracks_side_by_side_with_authors_scores_and_drafts(page):
    open_cell(page, "spec, problem a, repeat 0: correct")
    boxes = [track.bounding_box() for track in page.locator(".track").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]
    assert "score 2.0 · draft rejected" in page.inner_text(".step.target .meta")
    page.locator("#trace-body summary").first.click()
    assert page.inner_text(".model.rejected") == "<b>bold</b>"
    assert page.locator(".track .katex").count() == 1


def test_a_trace_begins_with_the_problem_and_its_math_is_set(page):
    open_cell(page, "spec, problem a, repeat 0: correct")
    problem = page.locator("#trace-body .problem")
    assert "Solve" in problem.inner_text()
    assert problem.locator(".katex").count() >= 2
    assert problem.locator("li .katex .mfrac").count() == 1
    assert problem.locator("li").all_inner_texts()[1] == "<b>two</b>"
    page.check("#raw")
    page.wait_for_function("() => !document.querySelector('#trace-body .katex')")
    assert "Solve $x^2=4$." in problem.inner_text()


def test_a_trace_without_its_problem_says_why(page):
    open_cell(page, "spec, problem b, repeat 0: wrong")
    assert "The problem is not shown: it is gone." in page.inner_text("#trace-body")


def test_a_hostile_text_stays_text(page):
    open_cell(page, "plain, problem a, repeat 0: correct")
    text = page.inner_text(".step .model")
    assert "<script>window.hacked=5</script>" in page.inner_text(".problem .model")
    assert "</script><script>window.hacked=1</script>" in text
    assert page.locator("#trace-body :is(img, a[href], script)").count() == 0
    assert page.locator(".katex .boxpad, .katex .fbox").count() >= 1
    assert "more characters" in text


def test_the_keyboard_alone_opens_moves_and_closes(page):
    page.locator("#heat .cell[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trace-body .step")
    assert page.inner_text("#trace-title") == "plain: problem b, repeat 0"
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "() => document.getElementById('trace-title').textContent.startsWith('spec: problem b')"
    )
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_scrolls_only_inside_and_colours_follow_the_system(page, scheme):
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_traces_beside_the_page_are_loaded_when_opened(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(html_page, "Blocks", lambda folder: Blocks(folder, inline_bytes=10))
    run = write_run(tmp_path / "a run", {"a": [True], "b": [False]})
    write_attempts(run, lambda _: [[step("the text")]])
    options = ReportOptions(statements=asked)
    made = write_report(measured_runs([run]), tmp_path / "my page.html", options)
    assert made.folder is not None
    tab = browser.new_page()
    tab.goto(made.page.as_uri())
    tab.locator("#heat .cell.c").click()
    tab.wait_for_selector("#trace-body .step")
    assert tab.inner_text(".step .model") == "the text"
    assert "Solve" in tab.inner_text(".problem")
    tab.close()


def test_a_missing_file_of_traces_is_named(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(html_page, "Blocks", lambda folder: Blocks(folder, inline_bytes=10))
    run = write_attempts(write_run(tmp_path / "run", {"a": [True]}), lambda _: [[step("text")]])
    made = write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())
    (made.folder / "0.js").unlink()
    tab = browser.new_page()
    tab.goto(made.page.as_uri())
    tab.locator("#heat .cell.c").click()
    tab.wait_for_selector("text=The file page.html.traces/0.js is missing")
    tab.close()


def test_arrow_keys_move_on_into_the_next_block_of_problems(browser, tmp_path):
    run = write_run(tmp_path / "run", {str(n): [True] for n in range(26)})
    write_attempts(run, lambda _: [[step("text")]])
    write_report(measured_runs([run]), tmp_path / "page.html", ReportOptions())
    tab = browser.new_page()
    tab.goto((tmp_path / "page.html").as_uri())
    assert tab.locator("#heat table").count() == 2
    tab.locator("#heat tbody tr:last-child .cell").first.focus()
    tab.keyboard.press("ArrowDown")
    focused = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "run, problem 25, repeat 0: correct"
    tab.close()


def test_columns_that_no_run_can_fill_are_left_out(page):
    heads = page.locator("#board th").all_inner_texts()
    assert "target\xa0tokens" in [head.replace(" ", "\xa0") for head in heads]
    assert not {"pass@k", "dataset", "draft tokens"} & set(heads)


def test_the_pareto_front_holds_the_runs_that_no_other_beats(page):
    runs = [[3, 0.8], [1, 0.5], [2, 0.4], [3, 0.9], [4, 0.9]]
    front = page.evaluate("runs => paretoFront(runs.map(([x, y]) => ({ x, y })))", runs)
    assert front == [{"x": 1, "y": 0.5}, {"x": 3, "y": 0.9}]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 5), (0, 1), (0.4, 0.95), (0.5, 0.5), (0, 1e-12), (0, 3.7e15), (0.999, 1)]
)
def test_an_axis_covers_its_values_in_few_equal_steps(page, low, high):
    made = page.evaluate("([low, high]) => ticks(low, high, 5)", [low, high])
    assert made[0] <= low * (1 + 1e-9)
    assert made[-1] >= high * (1 - 1e-9)
    assert 2 <= len(made) <= 8
    steps = [right - left for left, right in pairwise(made)]
    assert steps == pytest.approx([steps[0]] * len(steps))


@pytest.mark.parametrize(
    ("low", "high"), [(0.13, 4.6), (1, 10), (1, 1), (0.5, 0.5), (3e-7, 2e9), (19, 21), (1e15, 3e15)]
)
def test_a_logarithmic_axis_covers_its_values_in_few_round_numbers(page, low, high):
    made = page.evaluate("([low, high]) => logTicks(low, high)", [low, high])
    assert made[0] <= low * (1 + 1e-9)
    assert made[-1] >= high * (1 - 1e-9)
    assert made == sorted(made)
    assert 2 <= len(made) <= 8 or high / low > 1e7
    assert {f"{tick:.0e}"[0] for tick in made} <= set("125")


def test_dear_runs_stand_on_a_logarithmic_axis_unless_their_reader_says_otherwise(page):
    log = page.get_by_label("logarithmic")
    assert not log.is_checked()
    page.evaluate("DATA.runs[0].target_tokens = 20000; 0")
    page.select_option("#cost", label="target tokens")
    assert log.is_checked()
    log.uncheck()
    page.select_option("#cost", label="tokens of all models")
    assert not log.is_checked()


def test_the_chart_begins_with_a_cost_that_some_run_knows(page):
    assert page.evaluate("COSTS[firstKnownCost()][0]") == "GFLOPs total"
    page.evaluate("DATA.runs.forEach((run) => { run.flops_total = run.flops_decode = null; })")
    assert page.evaluate("COSTS[firstKnownCost()][0]") == "tokens of all models"


def test_points_have_colours_of_their_own(page):
    colours = page.evaluate(
        "[...document.querySelectorAll('#scatter g.point circle')]"
        ".map((one) => getComputedStyle(one).fill)"
    )
    assert len(set(colours)) == len(colours) == 2


def test_dollars_are_those_of_the_cards_or_of_the_price_that_is_given(page):
    page.evaluate("DATA.runs[0].machine_seconds = 36; DATA.runs[1].dollars = 0.5; 0")
    assert not page.locator("#price").is_visible()
    page.select_option("#cost", label="US$")
    assert page.locator("#scatter g.point").count() == 1
    page.fill("#price", "2.5")
    titles = page.locator("#scatter g.point title").all_text_contents()
    assert [title.rpartition(" at ")[2] for title in titles] == ["0.03", "0.50"]


STUDIES = {
    "the demo": [
        ("demo-target", 0.55, 1.0, 0.958, 1.0),
        ("demo-draft", 0.13, 0.489, 0.387, 0.592),
        ("demo-parallel", 1.4, 1.0, 0.958, 1.0),
        ("demo-spec", 1.32, 1.0, 0.958, 1.0),
        ("demo-spec-async", 1.32, 1.0, 0.958, 1.0),
        ("demo-spec-methods", 4.6, 0.989, 0.939, 0.998),
    ],
    "one point for all": [(f"the same run {n}", 1.0, 0.5, 0.4, 0.6) for n in range(6)],
    "a row": [(f"threshold-{n}", 1 + n / 50, 0.9, 0.85, 0.95) for n in range(10)],
    "a crowd": [(f"run-{n}", n % 9 / 9, 0.5 + n % 7 / 14, None, None) for n in range(40)],
}
PLACES = """([runs, width, log]) => {
  const points = runs.map(([name, x, y, low, high]) => ({ name, x, y, low, high }));
  const svg = scatter(points, "cost", width, log);
  document.body.append(svg);
  const box = (one) => { const b = one.getBBox(); return [b.x, b.y, b.width, b.height]; };
  const number = (one, ...names) => names.map((name) => Number(one.getAttribute(name)));
  const places = [...svg.querySelectorAll("g.point")].map((one) => {
    const text = one.querySelector("text"), leader = one.querySelector("line.leader");
    return { at: number(one.querySelector("circle"), "cx", "cy"), name: text && text.textContent,
      label: text && box(text), leader: leader && number(leader, "x1", "y1", "x2", "y2") };
  });
  svg.remove();
  return places;
}"""


def distance(box, point):
    """From a box (left, top, width, height) to a point."""
    left, top, width, height = box
    across = max(left - point[0], 0, point[0] - left - width)
    down = max(top - point[1], 0, point[1] - top - height)
    return (across**2 + down**2) ** 0.5


def meet(one, other):
    """Whether two boxes share more than an edge of a pixel."""
    apart = (
        one[0] + one[2] <= other[0] + 1,
        other[0] + other[2] <= one[0] + 1,
        one[1] + one[3] <= other[1] + 1,
        other[1] + other[3] <= one[1] + 1,
    )
    return not any(apart)


@pytest.mark.parametrize(("width", "log"), [(350, True), (350, False), (560, True), (900, False)])
@pytest.mark.parametrize("study", STUDIES)
def test_every_name_in_the_chart_stands_at_its_own_point_or_is_led_to_it(page, study, width, log):
    places = page.evaluate(PLACES, [[list(run) for run in STUDIES[study]], width, log])
    named = [place for place in places if place["label"]]
    assert len(places) == len(STUDIES[study])
    assert len(named) == len(places) or study == "a crowd"
    for place in named:
        nearest = min(distance(place["label"], other["at"]) for other in places)
        if place["leader"]:
            assert place["leader"][:2] == place["at"]
            assert distance(place["label"], place["leader"][2:]) < 4
        else:
            assert distance(place["label"], place["at"]) == nearest < 14
    for number, place in enumerate(named):
        assert all(distance(place["label"], other["at"]) > 3 for other in places)
        assert not any(meet(place["label"], other["label"]) for other in named[:number])


def test_all_tables_of_results_look_alike(page):
    guided = {"name": "direct", "tracks": 2, "correct": 1, "accuracy": 0.5}
    page.evaluate(
        "(one) => { DATA.runs[0].guided = [one]; drawGuided(); }",
        guided,
    )
    look = """table => ["th:last-child", "td:last-child", "th.text", "td.text"].map((one) => {
      const style = getComputedStyle(document.querySelector(`#${table} ${one}`));
      return [style.paddingTop, style.textAlign, style.borderBottomWidth, style.whiteSpace]; })"""
    assert page.evaluate(look, "guided") == page.evaluate(look, "pairs")
