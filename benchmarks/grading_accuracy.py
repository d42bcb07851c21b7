"""Accuracy and speed of the grader on labelled cases, and of Math-Verify on the same cases.

Each grader judges one case at a time in a child process; a case that overruns the limit is a
time-out, its child is killed and replaced. Cases are JSON lines with id, source, kind, gold, pred
and label (true, false, or null for "must only return"), as in the corpora that docs/grading.md
describes; `pred_repeat` and `gold_repeat` build very long strings. Without files, the golden
tables of the tests are judged.

    python benchmarks/grading_accuracy.py CORPUS.jsonl ... [--peer-python PYTHON] [--quick]
"""

import argparse
import json
import selectors
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "cases"
LIMIT = 3.0  # seconds a case may take
START = 120.0  # seconds a child may take to start
QUICK_ROWS = 400


@dataclass
class Tally:
    """Outcomes and times of one grader."""

    outcomes: Counter[str] = field(default_factory=Counter)
    by_source: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: list[float] = field(default_factory=list)
    misses: list[dict[str, Any]] = field(default_factory=list)


def serve(name: str) -> None:
    """Judge cases from standard input, one answer line each; runs in the child."""
    judge = _judges()[name]()
    judge("1", "1", "latex")
    print("ready", flush=True)
    for line in sys.stdin:
        row = json.loads(line)
        started = time.perf_counter()
        try:
            said = judge(row["gold"], row["pred"], row["kind"])
        except Exception:  # noqa: BLE001 - the boundary: a grader that raises is counted as a crash
            said = None
        print(json.dumps([said, time.perf_counter() - started]), flush=True)


def _judges() -> dict[str, Callable[[], Callable[[str, str, str], bool]]]:
    return {"speclrm": _ours, "math_verify": _math_verify}


def _ours() -> Callable[[str, str, str], bool]:
    sys.path.insert(0, str(ROOT))
    from evaluators import grade  # noqa: PLC0415 - only this child needs it

    return lambda gold, pred, kind: grade(pred, gold, kind).correct


def _math_verify() -> Callable[[str, str, str], bool]:
    sys.path.insert(0, str(ROOT))
    from evaluators.crosscheck import math_verify_says  # noqa: PLC0415 - only this child needs it

    return lambda gold, pred, _: math_verify_says(gold, pred)


class Child:
    """A judging process that is killed when a case overruns."""

    def __init__(self, name: str, python: str) -> None:
        self.process = subprocess.Popen(
            [python, __file__, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._line(START) is None:
            raise SystemExit(f"the grader {name} does not start with {python}")

    def judge(self, row: dict[str, Any]) -> list[Any] | None:
        """What it says and the seconds it took; None past the limit or when it died."""
        if self.process.stdin is None:
            return None
        self.process.stdin.write(json.dumps(row) + "\n")
        self.process.stdin.flush()
        line = self._line(LIMIT)
        return json.loads(line) if line else None

    def _line(self, limit: float) -> str | None:
        stream = self.process.stdout
        if stream is None:
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            return stream.readline() if selector.select(limit) else None

    def end(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()


def judged(name: str, python: str, rows: Iterable[dict[str, Any]]) -> Tally:
    """Every row judged by one grader."""
    tally = Tally()
    child = Child(name, python)
    for row in rows:
        said = child.judge({key: row[key] for key in ("gold", "pred", "kind")})
        if said is None:
            child.end()
            child = Child(name, python)
        outcome = _outcome(row["label"], said)
        tally.outcomes[outcome] += 1
        tally.by_source[row["source"]][outcome] += 1
        tally.seconds.append(LIMIT if said is None else said[1])
        if outcome != "right":
            tally.misses.append({**row, "outcome": outcome})
    child.end()
    return tally


def _outcome(label: bool | None, said: list[Any] | None) -> str:
    if said is None:
        return "timeout"
    if said[0] is None:
        return "crash"
    if label is None or said[0] == label:
        return "right"
    return "false_positive" if said[0] else "false_negative"


def load(paths: list[Path]) -> list[dict[str, Any]]:
    """The rows of the files, in the corpora's form."""
    return [
        _row(json.loads(line), path.stem)
        for path in paths
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


def _row(row: dict[str, Any], source: str) -> dict[str, Any]:
    for name in ("gold", "pred"):
        if pieces := row.get(f"{name}_repeat"):
            row[name] = "".join(text * times for text, times in pieces)
    row.setdefault("pred", row.get("answer"))
    row.setdefault("label", row.get("correct"))
    row.setdefault("source", source)
    return row


def summary(tally: Tally) -> dict[str, Any]:
    """The figures of one grader."""
    rows, seconds = sum(tally.outcomes.values()), sorted(tally.seconds)
    return {
        "rows": rows,
        "accuracy_percent": round(100 * tally.outcomes["right"] / rows, 2),
        **{n: tally.outcomes[n] for n in ("false_positive", "false_negative", "timeout", "crash")},
        "median_ms": round(1000 * seconds[len(seconds) // 2], 3),
        "p99_ms": round(1000 * seconds[int(0.99 * (len(seconds) - 1))], 2),
        "max_ms": round(1000 * seconds[-1], 1),
        "cases_per_second": round(rows / sum(seconds), 1),
    }


def main() -> None:
    """Judge the cases with each grader and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="*", type=Path)
    parser.add_argument("--peer-python", help="an interpreter that has Math-Verify")
    parser.add_argument(
        "--quick", action="store_true", help=f"only {QUICK_ROWS} rows, evenly taken"
    )
    parser.add_argument("--misses", type=Path, help="write our misses as JSON lines")
    parser.add_argument("--serve", choices=sorted(_judges()), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    rows = load(options.corpus or sorted(CASES.glob("*.jsonl")))
    if options.quick:
        rows = rows[:: max(1, len(rows) // QUICK_ROWS)]
    tallies = {"speclrm": judged("speclrm", sys.executable, rows)}
    if options.peer_python:
        tallies["math_verify"] = judged("math_verify", options.peer_python, rows)
    report(tallies, options.misses)


def report(tallies: dict[str, Tally], misses: Path | None) -> None:
    """The table by source, then one JSON line."""
    sys.path.insert(0, str(ROOT))
    from report import print_result  # noqa: PLC0415 - the interpreter of a peer may lack its needs

    ours = tallies["speclrm"]
    for source in sorted(ours.by_source):
        cells = [_cell(tally.by_source[source]) for tally in tallies.values()]
        print(f"{source:28} {'  '.join(cells)}")
    if misses is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in ours.misses)
        misses.write_text("".join(lines), encoding="utf-8")
    figures = {name: summary(tally) for name, tally in tallies.items()}
    ratios = {}
    if "math_verify" in figures:
        speeds = [figures[name]["cases_per_second"] for name in ("speclrm", "math_verify")]
        ratios["speed_over_math_verify"] = round(speeds[0] / speeds[1], 1)
    print_result("grading_accuracy", {"ratios": ratios, "figures": figures})


def _cell(outcomes: Counter[str]) -> str:
    rows = sum(outcomes.values())
    return f"{outcomes['right']:5} of {rows:5} ({100 * outcomes['right'] / rows:5.1f} %)"


if __name__ == "__main__":
    main()
