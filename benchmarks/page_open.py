"""How long the page of 10,000 attempts takes to open in a headless Chromium.

    python benchmarks/page_open.py [--quick]

Writes a run with short traces, which lie in the page, and one with long traces, which lie in
scripts beside it; opens each page several times, and in each opening a trace. Times are the
browser's own, from the start of navigation to the frame that shows the whole page, and from the
click to the trace. The last line printed is one JSON object. Without Chromium or Playwright it
says so in that object and measures nothing.
"""

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from leaderboard_scale import generate
from report import print_result

from evaluators.reports.html_page import Report, write_report
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.statements import Statement, Statements
from evaluators.run_files.attempt_lines import line_digest
from evaluators.statistics.metrics import measured_runs

ATTEMPTS = 10_000
OPENINGS, QUICK_OPENINGS = 7, 2
LIMIT_SECONDS = 2.0
PAGE_SHOWN = """() => new Promise(done => {
  const drawn = () => done(performance.now());
  requestAnimationFrame(() => requestAnimationFrame(drawn));
})"""
TRACE_SHOWN = """() => new Promise(done => {
  const start = performance.now();
  document.querySelectorAll("#heat .cell")[1234].click();
  const look = () => document.querySelector("#trace-body .step")
    ? done(performance.now() - start) : requestAnimationFrame(look);
  look();
})"""


class Shape(NamedTuple):
    """How much a track of the generated attempts says."""

    steps: int
    words: int


SHAPES = {"inline": Shape(steps=2, words=4), "beside": Shape(steps=8, words=30)}


def main() -> None:
    """Generate, open, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_OPENINGS} openings a page")
    openings = QUICK_OPENINGS if parser.parse_args().quick else OPENINGS
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    result: dict[str, Any] = {"attempts": ATTEMPTS}
    if chromium is None or find_spec("playwright") is None:
        print_result("page_open", result | {"skipped": "Chromium or Playwright is not installed"})
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            started = time.perf_counter()
            report = written(Path(folder) / name, shape)
            seconds = time.perf_counter() - started
            result[name] = measured(report, chromium, openings) | {
                "page_bytes": report.page.stat().st_size,
                "traces_beside": report.folder is not None,
                "generate_and_write_seconds": round(seconds, 1),
            }
            print(name, result[name])
    result |= {
        "within_limit": all(result[name]["open_s_worst"] < LIMIT_SECONDS for name in SHAPES),
        "openings": openings,
    }
    print_result("page_open", result)


def written(folder: Path, shape: Shape) -> Report:
    """The report of a generated run whose tracks have this shape."""
    run = folder / "run"
    run.mkdir(parents=True)
    generate(run, ATTEMPTS)
    chance = random.Random(1)
    lines: dict[str, list[str]] = {}
    rows = [json.loads(text) for text in (run / "verdicts.jsonl").read_text().splitlines()]
    for row in rows:
        line = json.dumps(attempt(row, shape, chance)) + "\n"
        lines.setdefault(row["problem_id"], []).append(line)
        row["made_from"]["digest"] = line_digest(line.encode())
    (run / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for problem_id, attempts in lines.items():
        (run / "problems" / f"{problem_id}.jsonl").write_text("".join(attempts))
    asked = {name: Statement(f"Find $x_{{{name}}}$ with $\\frac{{x}}{{2}}=7$.") for name in lines}
    options = ReportOptions(statements=lambda _: Statements(asked))
    return write_report(measured_runs([run]), folder / "page.html", options)


def attempt(row: dict[str, Any], shape: Shape, chance: random.Random) -> dict[str, Any]:
    """An attempt line that belongs to a verdict row."""
    return {
        "problem_id": row["problem_id"],
        "repeat_id": row["repeat_id"],
        "seed": chance.getrandbits(31),
        "status": "ok",
        "tracks": [
            {
                "id": track["id"],
                "stop": "finished",
                "steps": [step(shape.words, chance) for _ in range(shape.steps)],
            }
            for track in row["tracks"]
        ],
        "usage": row["usage"],
        "seconds": row["seconds"],
    }


def step(words: int, chance: random.Random) -> dict[str, Any]:
    """A drafted step with a score, every tenth of them rewritten."""
    score = chance.randint(0, 9)
    text = " ".join(
        f"so $x_{chance.randint(1, 9)}={chance.randint(10, 999)}$" for _ in range(words)
    )
    return {
        "text": text,
        "author": "target" if score == 0 else "draft",
        "tokens": 8 * words,
        "seconds": 0.5,
        "score": float(score),
        "draft_text": text if score == 0 else None,
    }


def measured(report: Report, chromium: str, openings: int) -> dict[str, float]:
    """Seconds until the page and until a trace is shown: median and worst of several openings."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - absent on many machines

    opened, traced = [], []
    with sync_playwright() as playwright:
        for _ in range(openings):
            # A new browser each time: nothing of the page is in its memory.
            # Containers run as root, where Chromium's own sandbox cannot start.
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(report.page.as_uri())
            opened.append(page.evaluate(PAGE_SHOWN) / 1000)
            traced.append(page.evaluate(TRACE_SHOWN) / 1000)
            browser.close()
    return {
        "open_s": round(statistics.median(opened), 3),
        "open_s_worst": round(max(opened), 3),
        "trace_s": round(statistics.median(traced), 3),
        "trace_s_worst": round(max(traced), 3),
    }


if __name__ == "__main__":
    main()
