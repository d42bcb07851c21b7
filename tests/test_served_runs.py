"""Runs on servers that stand before this project's own engines: two make the records of one."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from served_engine import ServedEngine

from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.settings import EngineSettings
from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm

ROLES = ("target", "draft")
TABLE = """
columns = ["pocket[first:2]"]

[defaults]
target = "target"
draft = "draft"
token_budget = 120
repeats = 2

[models.target]
engine = "openai"
model = "target"
base_url = {target}

[models.draft]
engine = "openai"
model = "draft"
base_url = {draft}

[rows.baseline]
reasoner = "baseline"
[rows.parallel]
reasoner = "parallel"
tracks = 2
[rows.spec]
reasoner = "spec"
tracks = 2
[rows.spec-async]
reasoner = "spec-async"
lookahead = 2
[rows.spec-methods]
reasoner = "spec-methods"
method_num = 2
vote = "mean-score"
"""
REASONERS = ["baseline", "parallel", "spec", "spec-async", "spec-methods"]


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        timeless = {name for name in value if not name.endswith(("seconds", "started"))}
        return {name: without_times(value[name]) for name in timeless}
    return [*map(without_times, value)] if isinstance(value, list | tuple) else value


def records(run: Path) -> list[Any]:
    """What was recorded, in order, without times and without what was drafted ahead in vain."""
    found = []
    for attempt in sorted(read_attempts(run), key=lambda one: one.key):
        one = without_times(msgspec.to_builtins(attempt))
        if attempt.reasoner == "spec-async":
            del one["usage"]
        found.append(one)
    return found


def made_by(servers: list[dict[str, str]], rows: list[str], name: str) -> dict[str, list[Any]]:
    """The records of the reasoners of these rows on these servers, by reasoner."""
    addresses = {role: json.dumps([one[role] for one in servers]) for role in ROLES}
    Path(f"{name}.toml").write_text(TABLE.format(**addresses))
    said = speclrm(f"table {name}.toml --results {name} --rows {','.join(rows)}")
    assert said.code == 0, said.err
    runs = {file.parent.name: file.parent for file in Path(name).glob("*/run.json")}
    found = [records(run) for run in runs.values()]
    return {each[0]["reasoner"]: each for each in found}


@contextlib.contextmanager
def two_of_each(engine: str) -> Iterator[tuple[list[ServedEngine], list[dict[str, str]]]]:
    """Two servers of a target with this engine, and two of a draft; the targets, and addresses."""
    targets, addresses = [], []
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            pair = {}
            for role in ROLES:
                folder = with_model_folder(EngineSettings("transformers", f"pocket-{role}")).model
                script = Path("script.json") if engine == "scripted" else None
                settings = EngineSettings(engine, folder, script=script)
                served = ServedEngine(create(settings), role, Path(folder))
                pair[role] = stack.enter_context(served.serving())
                if role == "target":
                    targets.append(served)
            addresses.append(pair)
        yield targets, addresses


@pytest.mark.parametrize(
    ("engine", "rows"), [("scripted", REASONERS), ("transformers", ["spec-methods"])]
)
def test_two_replicas_make_the_records_that_one_makes(
    engine: str, rows: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    Path("script.json").write_text("{}")
    with two_of_each(engine) as (targets, addresses):
        two = made_by(addresses, rows, "two")
        shares = [one.answered for one in targets]
        one = made_by(addresses[:1], rows, "one")
    assert {name: len(each) for name, each in two.items()} == dict.fromkeys(rows, 4)
    assert min(shares) > sum(shares) / 5
    assert two == one
