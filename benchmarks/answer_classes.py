r"""How far the classes of answers agree with the grader's equality, on labelled cases.

A pair of gold answer and answer that `same_answer` calls the same should share a class, one that it
calls different should not; where its own conventions pull apart (`0.5 ~ 50\% ~ 50`) no classes can
do all of it. Files are JSON lines with gold, kind, and answer, output or pred; without files the
golden table of the tests.

    python benchmarks/answer_classes.py CASES.jsonl ... [--show N] [--quick]
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from report import print_result

from evaluators import class_key, extract_answer, same_answer

CASES = Path(__file__).resolve().parent.parent / "tests" / "cases" / "equivalence.jsonl"
QUICK_CASES = 400


def main() -> None:
    """Count, print pairs on which the two differ, and the sums as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", default=[CASES])
    parser.add_argument("--show", type=int, default=20, help="differing pairs to print")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_CASES} cases")
    asked = parser.parse_args()
    lines = [line for file in asked.files for line in file.read_text("utf-8").splitlines()]
    counts: Counter[str] = Counter()
    slowest = 0.0
    for row in map(json.loads, lines[: QUICK_CASES if asked.quick else None]):
        kind, gold = row.get("kind", "latex"), row["gold"]
        output = next((row[name] for name in ("answer", "output", "pred") if name in row), "")
        answer = extract_answer(output, kind)
        if answer is None or kind == "choice":
            continue
        began = time.perf_counter()
        one_class = class_key(answer, kind) == class_key(gold, kind)
        slowest = max(slowest, time.perf_counter() - began)
        same = same_answer(answer, gold, kind) is True
        counts[f"{'same' if same else 'different'}_{'one_class' if one_class else 'apart'}"] += 1
        if same != one_class and asked.show > 0:
            asked.show -= 1
            print(f"{'same' if same else 'different'}: {gold[:70]!r} and {answer[:70]!r}")
    print_result("answer_classes", {**counts, "slowest_pair_seconds": round(slowest, 3)})


if __name__ == "__main__":
    main()
