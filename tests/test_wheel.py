"""A wheel holds all that a run needs, works from any folder, and leaves `datasets` alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUIET = ("--quiet", "--disable-pip-version-check", "--no-deps")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The site folder that the wheel of this checkout was installed into."""
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, because setuptools leaves its build folder behind and takes old files from it.
    unneeded = shutil.ignore_patterns(".*", "build", "dist", "results", "*.egg-info")
    source = shutil.copytree(ROOT, folder / "source", ignore=unneeded)
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", *QUIET, "--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([*pip, "install", *QUIET, "--target", folder / "site", wheel], check=True)
    return folder / "site"


def in_another_folder(installed, tmp_path, *command):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_names_in_site_packages_are_ours_and_datasets_is_hugging_faces(installed, tmp_path):
    code = "import pipeline, datasets; print(pipeline.__file__); print(datasets.load_dataset)"
    ended = in_another_folder(installed, tmp_path, sys.executable, "-c", code)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(str(installed))
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {
        "bin",
        "evaluators",
        "pipeline",
        "speclrm_testing",
    }


@pytest.mark.slow
def test_the_installed_command_runs_the_bundled_default(installed, tmp_path):
    run = ("run", "baseline", "--dataset", "pocket", "--problem-id", "first:3")
    engine = ("--engine", "transformers", "--output-dir", "made")
    ended = in_another_folder(installed, tmp_path, sys.executable, "-m", "pipeline", *run, *engine)
    assert ended.returncode == 0, ended.stderr
    assert "Attempts: 3 made" in ended.stdout
    assert len(list((tmp_path / "made" / "problems").glob("pocket-*.jsonl"))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pocket", "pocket-long", "pocket-hard"])
def test_the_bundled_rows_are_whole_in_the_wheel(installed, tmp_path, name):
    check = (sys.executable, "-m", "pipeline", "datasets", name, "--check")
    ended = in_another_folder(installed, tmp_path, *check)
    assert ended.returncode == 0, ended.stderr
    assert f"{name}: ok" in ended.stdout
