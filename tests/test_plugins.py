"""Plug-ins: what other packages add by entry points, and what is said where that fails."""

import json
import subprocess
import sys

import pytest

from pipeline import plugins
from pipeline.errors import UserMistake
from pipeline.problems.manifests import gated_datasets, load_manifest
from pipeline.problems.problem_set import load_problems
from pipeline.problems.prompting import open_prompt_set
from speclrm_testing.commands import speclrm

MANIFEST = """
about = "two sums"
prompt_set = "standard"
rows = 2
bundled = "rows.jsonl"
[columns]
problem = "problem"
answer = "answer"
"""


@pytest.fixture
def sums(offer):
    """The folder of a package that adds the dataset `sums`."""
    folder = offer("mine", "datasets", "sums = mine")
    (folder / "sums.toml").write_text(MANIFEST)
    rows = [{"problem": f"{n}+1?", "answer": str(n + 1)} for n in range(2)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_name_is_known_without_importing_its_package(offer):
    offer("mine", "engines", "x = mine:X", code="raise RuntimeError")
    assert plugins.added("engines", ["vllm"]) == ("x",)
    assert plugins.find("engines", "x", ["vllm"]).package == "mine"
    assert "mine" not in sys.modules
    assert plugins.added("votes", []) == ()
    assert plugins.find("engines", "vllm", ["vllm"]) is None


def test_it_is_loaded_as_what_it_has_to_be(offer):
    offer("mine", "votes", "x = mine:X", code="X = 5")
    plugin = plugins.find("votes", "x", [])
    assert plugin.load(int) == 5
    with pytest.raises(UserMistake, match="mine:X is no str"):
        plugin.load(str)


@pytest.mark.parametrize(
    ("entry", "code", "reason"),
    [
        ("x = mine:X", "import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("x = mine:X", "", "AttributeError: module 'mine' has no attribute 'X'"),
        ("x = mine:X", "1 / 0", "ZeroDivisionError: division by zero"),
        ("x = other", "", "ModuleNotFoundError: No module named 'other'"),
    ],
)
def test_one_that_cannot_be_imported_is_told_in_a_sentence_when_it_is_used(
    offer, entry, code, reason
):
    offer("mine", "votes", entry, code=code)
    with pytest.raises(UserMistake) as told:
        plugins.find("votes", "x", []).load(object)
    assert str(told.value) == (
        f"The vote rule 'x' of the package mine 1.0 cannot be used ({reason}); "
        "fix, update or uninstall mine."
    )


def test_two_packages_with_one_name_are_refused_and_their_other_names_are_not(offer):
    offer("first", "votes", "x = first:X", "y = first:Y")
    offer("second", "votes", "x = second:X")
    with pytest.raises(UserMistake) as told:
        plugins.find("votes", "x", [])
    assert str(told.value) == (
        "The vote rule 'x' is offered by the package first 1.0 and by the package second 1.0, "
        "and only one can have the name; uninstall first or second."
    )
    assert plugins.find("votes", "y", []).name == "y"


def test_a_built_in_name_is_refused_to_a_plug_in(offer):
    offer("mine", "votes", "majority = mine:X")
    assert plugins.added("votes", ["majority"]) == ()
    with pytest.raises(UserMistake, match="by SpecLRM itself and by the package mine"):
        plugins.find("votes", "majority", ["majority"])


@pytest.mark.parametrize("name", ["../x", "a b", "a_b", "x/y"])
def test_a_name_that_could_name_no_file_or_option_is_refused(offer, name):
    offer("mine", "datasets", f"{name} = mine")
    with pytest.raises(UserMistake, match="letters, digits, dashes and dots"):
        plugins.find("datasets", name, [])


def test_the_packages_that_a_run_used_are_named_with_their_versions(offer):
    offer("mine", "votes", "x = mine:X")
    offer("others", "engines", "x = others:X", "z = others:Z")
    used = [("votes", "x"), ("votes", "majority"), ("engines", "y")]
    assert plugins.packages(used) == {"mine": "1.0"}


class TestADataset:
    def test_is_loaded_from_its_packages_folder(self, sums):
        loaded = load_problems("sums", None, seed=0)
        assert [problem.answer for problem in loaded.problems] == ["1", "2"]
        assert loaded.source == "mine rows.jsonl"

    def test_is_listed_with_where_it_comes_from(self, sums):
        lines = [line.split(maxsplit=1) for line in speclrm("datasets sums").out.splitlines()]
        assert ["source", "plug-in, rows.jsonl"] in lines
        assert ["plug-in", "mine"] in lines
        table = speclrm("datasets").out.splitlines()
        [row] = [line for line in table if "sums" in line]
        assert "mine" in row

    def test_that_is_broken_hides_no_other_and_counts_as_gated(self, sums):
        (sums / "sums.toml").unlink()
        table = speclrm("datasets").out
        assert "sums" in table
        assert "cannot be" in table
        assert "pocket" in table
        assert "sums" in gated_datasets()
        with pytest.raises(UserMistake, match=r"its folder has no sums\.toml"):
            load_manifest("sums")

    def test_needs_a_folder(self, offer):
        offer("mine", "datasets", "sums = json.decoder")
        with pytest.raises(UserMistake, match="no package with a folder of its own"):
            load_manifest("sums")

    def test_is_not_answered_by_the_bundled_pair(self, sums):
        said = speclrm("run baseline --dataset sums --dry-run")
        assert (said.code, "--dataset sums needs --model" in said.sentence) == (2, True)

    def test_of_a_run_is_recorded_by_its_package_and_version_beside_the_identity(
        self, sums, tmp_path
    ):
        script = tmp_path / "script.json"
        script.write_text("{}")
        command = f"run baseline --dataset sums --engine scripted --script {script}"
        assert speclrm(f"{command} --output-dir {tmp_path / 'run'}").code == 0
        manifest = json.loads((tmp_path / "run" / "run.json").read_text())
        assert manifest["sessions"][0]["versions"]["mine"] == "1.0"
        assert "mine" not in json.dumps(manifest["identity"])

    def test_may_not_say_itself_whose_it_is(self, sums):
        (sums / "sums.toml").write_text('package = "other"\n' + MANIFEST)
        with pytest.raises(UserMistake, match="package"):
            load_manifest("sums")


def test_a_prompt_set_is_read_from_its_packages_folder(offer):
    folder = offer("mine", "prompts", "short = mine")
    (folder / "task").mkdir()
    (folder / "task" / "integer.j2").write_text("{{ problem }}")
    assert open_prompt_set("short").sources == {"task/integer.j2": "{{ problem }}"}
    with pytest.raises(
        UserMistake, match=r"unknown prompt set 'long': known are .*short; for your own"
    ):
        open_prompt_set("long")


def test_the_doctor_lists_plug_ins_and_what_is_wrong_with_them(offer, tmp_path):
    code = "from pipeline.reasoners.vote_rules import VoteRule\nX = VoteRule('good', max, max)"
    offer("mine", "votes", "good = mine:X", "bad = mine:Y", "majority = mine:X", code=code)
    said = speclrm(f"doctor --no-engine --output-dir {tmp_path}")
    lines = [line for line in said.out.splitlines() if "of the package mine" in line]
    assert said.code == 2
    assert [line.split()[0] for line in lines] == ["FAILURE", "ok", "FAILURE"]
    assert "has no attribute 'Y'" in lines[0]
    assert "by SpecLRM itself" in lines[2]


def test_asking_for_help_of_the_program_reads_no_packages():
    code = (
        "import sys\nfrom pipeline.cli import group\n"
        "try:\n group(['--help'])\nexcept SystemExit:\n pass\n"
        "sys.exit('importlib.metadata' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
