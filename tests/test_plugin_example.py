"""A package of somebody else's adds one of everything: installed, used, and uninstalled again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speclrm_testing.commands import Said

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "tests" / "plugin_example"
RUN = "run persuaded --dataset mine-sums --engine abacus --beads 5000 --output-dir made"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the package installed into `site`."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    pip = [sys.executable, "-m", "pip", "install", *quiet, "--target", folder / "site", source]
    subprocess.run(pip, check=True, capture_output=True)
    return folder


def python(place, *arguments, installed=True):
    """Run Python in the folder, with the package or without."""
    path = [str(ROOT), *([str(place / "site")] if installed else [])]
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


def speclrm(place, command, *, installed=True):
    return python(place, "-m", "pipeline", *command.split(), installed=installed)


@pytest.fixture(scope="module")
def run(place):
    """A run that used all of it, graded."""
    said = speclrm(place, RUN)
    assert said.code == 0, said.err
    assert said.out.startswith("Attempts: 3 made, 0 already recorded, 0 failed")
    graded = speclrm(place, "grade made")
    assert graded.code == 0, graded.err
    return place / "made"


def test_help_lists_the_reasoner_and_shows_its_options_with_the_engine_and_the_vote_rule(place):
    assert "persuaded" in speclrm(place, "run --help").out
    said = speclrm(place, "run persuaded --help").out
    for word in ("--plea", "--beads", "abacus", "last-word"):
        assert word in said


def test_a_run_goes_on_and_records_the_package_and_its_settings(place, run):
    said = speclrm(place, f"{RUN} --repeats 2")
    assert said.out.startswith("Attempts: 3 made, 3 already recorded"), said.err
    assert speclrm(place, "grade made").code == 0
    changed = speclrm(place, f"{RUN} --plea Now.")
    assert changed.code == 2
    assert "persuasion.plea: 'Please.' recorded, 'Now.' asked" in changed.sentence
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["sessions"][0]["versions"]["speclrm-mine"] == "0.1"
    assert manifest["identity"]["tracks"]["vote"] == "last-word"
    assert list(manifest["identity"]["prompts"]) == ["task/integer.j2"]
    assert "speclrm-mine" not in json.dumps(manifest["identity"])


def test_a_run_is_in_table_and_page_and_its_tracks_vote_again(place, run):
    said = speclrm(place, "leaderboard made --html page.html")
    assert said.code == 0, said.err
    assert "100.0%" in said.out
    assert "What is" not in said.err
    assert "2+3" in (place / "page.html").read_text()
    assert "last-word" in speclrm(place, "vote made").out


def test_the_list_of_datasets_names_the_package(place):
    assert "speclrm-mine" in speclrm(place, "datasets mine-sums").out


def test_its_engine_and_its_reasoner_are_held_to_the_contracts_from_outside(place):
    which = "not kill and not ctrl_c and not again_and_again and not bad_input"
    said = python(
        place, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", "-k", which,
        "-p", "no:cacheprovider", str(place / "source" / "contracts.py"),
    )  # fmt: skip
    assert said.code == 0, said.out
    assert "failed" not in said.out


def test_without_the_package_its_runs_are_still_read_and_what_needs_it_says_so(place, run):
    for command in ("grade made", "leaderboard made --html page.html", "show made --problem-id 0"):
        said = speclrm(place, command, installed=False)
        assert (said.code, "Traceback" in said.err) == (0, False), said.err
    wants = {
        "run persuaded --output-dir made": "'persuaded' is not one of",
        "run baseline --engine abacus": "'abacus' is not one of",
        "run baseline --dataset mine-sums --dry-run": "unknown dataset 'mine-sums'",
        "run parallel --vote last-word": "'last-word'",
        "vote made --rule last-word": "'last-word'",
    }
    for command, sentence in wants.items():
        said = speclrm(place, command, installed=False)
        assert (said.code, sentence in said.sentence) == (2, True), said.err
