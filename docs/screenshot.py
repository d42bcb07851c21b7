"""The README's picture: the page of `make demo` from its runs to its charts of costs and outcomes.

    python docs/screenshot.py [PAGE [PICTURE]]

Needs Playwright (`make test` installs it) and Chromium.
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH = 1280
"""Pixels; a usual window."""
MARGIN = 16
"""Pixels above the heading of the runs."""
MOST_BYTES = 400_000
"""A README should load quickly."""


def main() -> None:
    """Take the picture that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, default=Path("results/demo.html"))
    parser.add_argument(
        "picture", nargs="?", type=Path, default=Path("docs/images/leaderboard.png")
    )
    named = parser.parse_args()
    page, picture = named.page, named.picture
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("No Chromium is installed.")
    picture.parent.mkdir(parents=True, exist_ok=True)
    take(page, picture, chromium)
    size = picture.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{picture} has {size} bytes, more than {MOST_BYTES}.")
    print(f"{picture}: {size} bytes")


def take(page: Path, picture: Path, chromium: str) -> None:
    """Save `page` from its table of runs to the end of its charts of costs and outcomes."""
    with sync_playwright() as playwright:
        # Containers run as root, where Chromium's own sandbox cannot start.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        top = tab.evaluate(
            "document.querySelector('#h-table').getBoundingClientRect().top + window.scrollY"
        )
        bottom = tab.evaluate(
            "document.querySelector('.beside').getBoundingClientRect().bottom + window.scrollY"
        )
        clip = {"x": 0, "y": top - MARGIN, "width": WIDTH, "height": bottom - top + MARGIN}
        tab.screenshot(path=picture, clip=clip, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
