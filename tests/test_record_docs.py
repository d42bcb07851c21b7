"""`docs/records.md` names every field that a run's files have, and none that they have not."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.runs.directory import attempt_files
from pipeline.runs.shard_directories import shard_directory
from pipeline.shards import Shard
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

DOCS = (Path(__file__).parent.parent / "docs" / "records.md").read_text()
BY_NAME = {"versions", "usage"}
"""Maps whose keys are names of packages and models, which are no fields."""
HEADINGS = ["run.json", "The attempt line", "verdicts.jsonl"]
RUNS = [
    ("baseline", "--top-k 40 --min-p 0.1 --presence-penalty 1 --repetition-penalty 1.1"),
    ("parallel", "--use-role-prompts --system-prompt Short. --thinking on --thinking-budget 4,9"),
    ("spec", "--tracks 2 --draft-temperature 0.2"),
    ("spec-methods", "--method-pool 6"),
]


def section(heading: str) -> str:
    """What stands under a heading, down to the next one."""
    return re.split(r"^## ", DOCS.split(f"## {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def fields(value: Any) -> Iterator[str]:
    """The names of all fields in a JSON value, however deep."""
    for one in value if isinstance(value, list) else ():
        yield from fields(one)
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield key
        if key == "usage":
            yield from fields([one for uses in (inner or {}).values() for one in uses.values()])
        elif key not in BY_NAME and not (key == "prompts" and isinstance(inner, dict)):
            yield from fields(inner)


def lines(files: Iterable[Path]) -> list[Any]:
    """The JSON lines of files."""
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The fields of graded runs by the section of the docs that is about them."""
    place = Place.made(tmp_path_factory.mktemp("fields"))
    found: dict[str, set[str]] = {heading: set() for heading in HEADINGS}
    for reasoner, options in RUNS:
        assert place.speclrm(reasoner, options).code == 0
        run = place.run(reasoner)
        assert speclrm(f"grade {run}").code == 0
        found["run.json"] |= set(fields(json.loads((run / "run.json").read_text())))
        found["The attempt line"] |= set(fields(lines(attempt_files(run))))
        rows = [row | {"usage": None} for row in lines([run / "verdicts.jsonl"])]  # the attempt's
        found["verdicts.jsonl"] |= set(fields(rows))
    assert place.speclrm("spec-async", "--shard 1/2").code == 0
    shard = shard_directory(place.run("spec-async"), Shard(1, 2))
    found["run.json"] |= set(fields(json.loads((shard / "run.json").read_text())))
    return found


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_field_of_a_file_is_documented(written: dict[str, set[str]], heading: str) -> None:
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", section(heading)))))
    assert written[heading] - named == set()


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_documented_field_is_in_the_file(written: dict[str, set[str]], heading: str) -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", section(heading), flags=re.MULTILINE)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", " ".join(rows)))))
    assert named
    assert named - written[heading] == set()
