"""Whether two checkouts give the same verdicts and the same records, for changes that may not.

    python benchmarks/same_results.py --write before.json [CASES.jsonl ...]
    python benchmarks/same_results.py --against before.json [CASES.jsonl ...]
    python benchmarks/same_results.py [--quick]     (this checkout twice: whether it repeats itself)

Verdicts (status, rule and what was read) are those of the golden tables of the tests and of further
files of cases (gold, pred, kind). Records are the attempts of all reasoners on a scripted pair and
on the bundled pair by the transformers engine, with what a clock or a machine decides left out:
among it the drafts that spec-async wrote ahead and dropped.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from report import print_result

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "cases"
REASONERS = {
    "baseline": "",
    "parallel": "--tracks 3 --vote longest",
    "spec": "--draft-model pocket-draft --tracks 2",
    "spec-async": "--draft-model pocket-draft --lookahead 2",
    "spec-methods": "--draft-model pocket-draft --vote mean-score",
}
CLOCKED = {"started", "seconds"}
CHAIN = "first\n\nsecond\n\n</think>\n\n\\boxed{{{}}}"
PROBLEMS = 6


def main() -> None:
    """Write digests, or compare with those written before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", type=Path, help="further files of cases")
    parser.add_argument("--quick", action="store_true", help="the scripted pair and tables only")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", type=Path, help="where the digests go")
    kind.add_argument("--against", type=Path, help="digests that were written before")
    asked = parser.parse_args()
    now = _digests(asked)
    if asked.write is not None:
        asked.write.write_text(json.dumps(now, indent=0), encoding="utf-8")
        print(f"{len(now)} digests written to {asked.write}")
        return
    written = asked.against and json.loads(asked.against.read_text(encoding="utf-8"))
    before: dict[str, str] = written or _digests(asked)
    differing = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    print(*differing[:20], sep="\n")
    print_result("same_results", {"digests": len(now), "differing": len(differing)})
    sys.exit(1 if differing else 0)


def _digests(asked: argparse.Namespace) -> dict[str, str]:
    return dict(_verdicts(asked.cases)) | dict(_records(quick=asked.quick))


def _verdicts(files: list[Path]) -> Iterator[tuple[str, str]]:
    from evaluators import grade  # noqa: PLC0415 - of the checkout that this file lies in

    for file in [*sorted(CASES.glob("*.jsonl")), *files]:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            text = row["answer"] if "answer" in row else row.get("pred")
            if isinstance(text, str) and isinstance(row["gold"], str):
                yield f"{file.name}:{number}", _digest(repr(grade(text, row["gold"], row["kind"])))


def _records(*, quick: bool) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _write_scripts(place)
        for reasoner, options in REASONERS.items():
            scripted = options.replace(
                "--draft-model pocket-draft", f"--draft-script {place / 'draft.json'}"
            )
            yield from _run(
                place / f"scripted-{reasoner}",
                f"run {reasoner} --data-file {place / 'sums.jsonl'} --engine scripted "
                f"--script {place / 'target.json'} {scripted} --repeats 2 --seed 5",
            )
            if not quick:
                yield from _run(
                    place / f"pocket-{reasoner}",
                    f"run {reasoner} --problem-id first:6 --engine transformers {options} "
                    "--seed 5 --token-budget 400 --concurrency 1",
                )


def _write_scripts(place: Path) -> None:
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(PROBLEMS)]
    lines = (json.dumps(row | {"kind": "integer"}) + "\n" for row in rows)
    (place / "sums.jsonl").write_text("".join(lines), encoding="utf-8")
    for name in ("target", "draft"):
        rules = [
            {"when": f"{n}+1?", "text": CHAIN.format(n + 1 if name == "target" else 99)}
            for n in range(PROBLEMS)
        ]
        judged = {"when": "\\boxed{99}", "score": 1}, {"when": "my score", "score": 9}
        body = {"rules": [judged[0], *rules, judged[1]]}
        (place / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")


def _run(directory: Path, command: str) -> Iterator[tuple[str, str]]:
    words = [*command.split(), "--output-dir", str(directory)]
    subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=ROOT, check=True, stdout=2)
    left_out = CLOCKED | ({"draft_dropped"} if "spec-async" in directory.name else set())
    for file in sorted((directory / "problems").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            attempt = json.loads(line)
            key = f"{directory.name}/{file.stem}/{attempt['repeat_id']}"
            yield key, _digest(json.dumps(_lasting(attempt, left_out), sort_keys=True))
    identity = json.loads((directory / "run.json").read_text(encoding="utf-8"))["identity"]
    yield f"{directory.name}/identity", _digest(json.dumps(identity, sort_keys=True))


def _lasting(value: Any, left_out: set[str]) -> Any:
    """A record without what a clock decides."""
    if isinstance(value, dict):
        return {
            key: _lasting(one, left_out)
            for key, one in value.items()
            if key not in left_out and not key.endswith("_seconds")
        }
    return [_lasting(one, left_out) for one in value] if isinstance(value, list) else value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


if __name__ == "__main__":
    main()
