"""A reasoner is one file: what docs/extending.md writes runs, with an option of its own."""

import json
import re
import types
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline import reasoners
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.runs.directory import read_manifest
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"```python\n(\"\"\"Direct: .*?)```", re.DOTALL)
GREETING = "--greeting 'Hello. '"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Six sums, and the reasoner of the docs."""
    [code] = CODE.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    module = types.ModuleType("direct")
    monkeypatch.setitem(__import__("sys").modules, "direct", module)
    exec(compile(code, "direct.py", "exec"), module.__dict__)  # noqa: S102 - our own docs
    monkeypatch.setitem(reasoners.REASONERS.built_in, "direct", module.DIRECT)
    return Place.made(tmp_path)


def test_one_entry_brings_a_reasoner_and_its_option_to_the_help(place: Place) -> None:
    assert "direct        The target answers at once" in speclrm("run --help").out
    own = speclrm("run direct --help").out
    assert "Reasoner:\n  --greeting TEXT  What the answer begins with." in own
    assert "--greeting" not in speclrm("run spec --help").out
    assert "--tracks" not in own


def test_its_option_is_refused_for_the_others_and_theirs_for_it(place: Place) -> None:
    said = place.speclrm("baseline", GREETING)
    assert (said.code, "--greeting; drop it, or choose direct." in said.err) == (
        2,
        True,
    )
    said = place.speclrm("direct", "--tracks 3")
    assert (said.code, "--tracks; drop it" in said.err) == (2, True)


def test_it_runs_resumes_and_refuses_another_setting_of_its_own(place: Place) -> None:
    assert place.speclrm("direct", GREETING).code == 0
    assert read_manifest(place.run("direct"))["identity"]["manners"] == {"greeting": "Hello. "}
    assert "0 made, 6 already recorded" in place.speclrm("direct", GREETING).out
    said = place.speclrm("direct")
    assert said.code == 2
    assert "manners.greeting: 'Hello. ' recorded, '' asked" in said.sentence


def test_it_has_its_place_in_plan_table_trace_and_page(place: Place) -> None:
    assert "new tokens" in place.speclrm("direct", "--dry-run").out
    place.speclrm("direct")
    run, page = place.run("direct"), place.folder / "page.html"
    assert speclrm(f"grade {run}").code == 0
    [row] = json.loads(speclrm(f"leaderboard {run} --format json --html {page}").out)
    assert (row["reasoner"], row["accuracy"]) == ("direct", 1.0)
    assert "direct" in page.read_text(encoding="utf-8")
    assert "direct, seed" in speclrm(f"show {run} --problem-id 1").out


def test_its_option_stands_in_a_table_without_another_list_of_options(place: Place) -> None:
    table = place.folder / "table.toml"
    table.write_text(
        """\
        columns = ["sums.jsonl"]
        models.big = {engine = "scripted", script = "target.json"}
        [defaults]
        target = "big"
        greeting = "Good day. "
        [rows.baseline]
        reasoner = "baseline"
        [rows.direct]
        reasoner = "direct"
        sweep.greeting = ["Hello. ", ""]
        """
    )
    said = speclrm(f"table {table} --results {place.folder / 'results'} --json")
    assert said.code == 0, said.err
    runs = {cell["row"]: Path(cell["run"]) for cell in json.loads(said.out)["cells"]}
    manners = read_manifest(runs["direct greeting=Hello. "])["identity"]["manners"]
    assert manners == {"greeting": "Hello. "}


def test_a_broken_plug_in_is_told_of_in_the_help_and_disturbs_no_other(place: Place, offer) -> None:
    offer("mine", "reasoners", "odd = mine:X", code="1 / 0")
    assert "odd" in speclrm("run --help").out
    assert place.speclrm("baseline", "--dry-run").code == 0
    said = place.speclrm("baseline", GREETING)
    assert "--greeting; drop it" in said.err
    said = speclrm("run odd")
    assert (said.code, "cannot be used (ZeroDivisionError" in said.sentence) == (2, True)


def test_a_reasoner_of_a_plug_in_runs_like_ours(place: Place, offer) -> None:
    offer(
        "mine",
        "reasoners",
        "frank = mine:FRANK",
        code=(
            "from dataclasses import replace\nfrom pipeline.reasoners.baseline import BASELINE\n"
            "FRANK = replace(BASELINE, name='frank', summary='Frankly.')\n"
        ),
    )
    assert "frank" in speclrm("run --help").out
    assert place.speclrm("frank").code == 0
    assert {one.reasoner for one in place.attempts("frank")} == {"frank"}


@pytest.mark.parametrize("name", ["seed", "target", "prompts", "models"])
def test_a_section_cannot_hide_a_setting_that_every_run_has(name: str) -> None:
    @dataclass(frozen=True)
    class Hiding:
        SECTION: ClassVar[str] = name

    experiment = Experiment("odd", EngineSettings("scripted", "m"), sections=(Hiding(),))
    with pytest.raises(UserMistake, match="rename the section"):
        experiment.name()
