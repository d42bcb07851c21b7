"""The page of a measurement in a browser: whole on any screen, and a model's text is text."""

import json

import pytest
from browsing import opened
from measured_reports import entry, report, written

from speclrm_testing.commands import speclrm

HOSTILE = "</pre></script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\x1b"
NAMES = ("standard", "window", "nucleus_sampling_speculative")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Three decoders of two prompts; the last one writes something else, all of it hostile."""
    folder = tmp_path_factory.mktemp("measured")
    agreement = {"must_be_equal": True, "completions": 2, "equal": 2, "differing": []}
    made = report(
        entry(NAMES[0], [1.0, 1.1, 1.2]),
        entry(NAMES[1], [0.5, 0.6, 0.7], agreement=agreement),
        entry(NAMES[2], [0.1, 0.1, 0.1], agreement=agreement | {"equal": 0}),
        settings={"main_model": f"mine {HOSTILE}"},
    )
    made["plan"].append({"asked": HOSTILE, "measured": None, "reason": HOSTILE})
    (folder / "answers").mkdir()
    for name in NAMES:
        said = HOSTILE + (name if name == NAMES[2] else "")
        lines = [
            {"id": f"{one}/0", "prompt_id": one, "completion": 0, "prompt": HOSTILE}
            | {"response": said}
            for one in ("a", "b")
        ]
        (folder / "answers" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = speclrm(f"measure --show {written(folder, made)} --html {folder / 'page.html'}")
    assert done.code == 0, done
    return folder / "page.html"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_whole_and_shows_hostile_text_as_text(browser, file, width):
    with opened(browser, file, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.title().startswith("Decoders of mine </pre>")
        texts = page.locator("details.asked")
        assert texts.count() == 2
        texts.first.locator("summary").click()
        wrote = texts.first.locator(".step")
        assert wrote.locator(".meta").all_inner_texts() == ["standard, window", NAMES[2]]
        assert "<script>window.hacked=1</script>" in wrote.first.inner_text()


def test_speed_is_drawn_against_agreement_and_latencies_by_decoder(browser, file):
    with opened(browser, file, viewport={"width": 800, "height": 800}) as page:
        dots = page.locator(".plot .dot")
        assert dots.all_inner_texts() == ["1", "2", "3"]
        places = [dots.nth(n).bounding_box() for n in range(3)]
        assert places[0]["x"] < places[1]["x"] < places[2]["x"]
        assert places[0]["y"] == places[1]["y"] < places[2]["y"]
        assert page.locator(".boxes .name").all_inner_texts() == [*NAMES]
        medians = [page.locator(".lane .median").nth(n).bounding_box()["x"] for n in range(3)]
        assert medians[0] > medians[1] > medians[2]


def test_a_page_that_cannot_be_written_is_a_sentence(file):
    said = speclrm(f"measure --show {file.parent} --html /proc/none/page.html")
    assert said.code == 2
    assert "choose another place" in said.sentence
