"""A working folder as a user of the command line may have one, and how mistakes are told."""

import json
from pathlib import Path

import pytest

from pipeline.engines import model_files
from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm

FAST = "--engine scripted --script fast.json"
OWN = "run baseline --data-file sums.jsonl --model pocket-target"
RUN = f"{OWN} {FAST}"
PROBLEMS = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder as a user may have one: own problems, scripts, models, an earlier run."""
    folder = tmp_path_factory.mktemp("place")
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(PROBLEMS)]
    lines = [json.dumps(row | {"kind": "integer"}) + "\n" for row in rows]
    (folder / "sums.jsonl").write_text("".join(lines))
    (folder / "torn.jsonl").write_text(lines[0] + lines[1][:20] + "\n")
    (folder / "twice.jsonl").write_text(lines[0] * 2)
    (folder / "empty.jsonl").write_text("")
    (folder / "answerless.jsonl").write_text('{"id": "0", "problem": "1+1?"}\n')
    (folder / "sums.txt").write_text("1+1?")
    (folder / "fast.json").write_text("{}")
    (folder / "short.json").write_text('{"context": 20}')
    (folder / "failing.json").write_text('{"faults": {"fail": [3]}}')
    (folder / "broken.json").write_text('{"faults": {"fail": [3]}')
    (folder / "file").write_text("")
    (folder / "typo" / "task").mkdir(parents=True)
    (folder / "typo" / "task" / "integer.j2").write_text("{{ probelm }}")
    (folder / "no-model").mkdir()
    (folder / "no-tokenizer").mkdir()
    (folder / "no-tokenizer" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test run in that folder, where no hub can be reached."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(model_files, "hub_answers", lambda: False)


@pytest.fixture(scope="module")
def earlier(place: Path) -> str:
    """A run of two attempts that is not graded yet."""
    data = place / "sums.jsonl"
    command = f"run baseline --engine scripted --script {place / 'fast.json'} --data-file {data}"
    assert speclrm(f"{command} --problem-id first:2 --output-dir {place / 'earlier'}").code == 0
    return "earlier"


def attempts(run: str) -> dict[tuple[str, int], str]:
    return {attempt.key: attempt.status for attempt in read_attempts(Path(run))}
